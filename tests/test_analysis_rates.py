"""Delivery rates: counts, bounds, equal age, and the edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masanalytics import analysis
from masanalytics.analysis import notes_of
from masanalytics.errors import InputError
from tests.examples import examples

DAY = 86_400
COLUMNS = [
    "accepted", "delivered", "failed", "pending", "unreported", "delivery_rate", "low", "high", "most",
    "expected_rate", "expected_low", "expected_high", "horizon_s", "clusters", "design_effect",
]  # fmt: skip


def frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """Return messages from (carrier, status, latency_s, waited_s, how many)."""
    spread = [row[:4] for row in rows for _ in range(row[4])]
    return pd.DataFrame(spread, columns=["carrier", "status", "latency_s", "waited_s"]).astype(
        {"carrier": "str", "status": "str", "latency_s": "Int64", "waited_s": "Int64"}
    )


MATURED = frame(
    [
        ("China Mobile", "delivered", 5, 5 * DAY, 90),
        ("China Mobile", "failed", 9, 5 * DAY, 6),
        ("China Mobile", "pending", None, 5 * DAY, 4),
        ("China Unicom", "delivered", 7, 5 * DAY, 3),
    ]
)


def test_a_matured_campaign_is_counted() -> None:
    """Counts, Wilson's interval and bounds of two carriers, worked by hand; what never reported is unreported."""
    found = analysis.delivery_rates(MATURED, by="carrier")

    assert found.columns.tolist() == ["carrier", *COLUMNS]
    assert found["carrier"].tolist() == ["China Mobile", "China Unicom"]
    assert found[COLUMNS[:5]].values.tolist() == [[100, 90, 6, 0, 4], [3, 3, 0, 0, 0]]
    assert all(found[name].dtype == np.int64 for name in COLUMNS[:5])
    assert found["delivery_rate"].tolist() == [0.9, 1.0]
    # Wilson for 90 of 100 and 3 of 3.
    assert found["low"].tolist() == pytest.approx([0.825635, 0.438503], abs=1e-6)
    assert found["high"].tolist() == pytest.approx([0.944771, 1.0], abs=1e-6)
    assert found["delivery_rate"].tolist() == found["most"].tolist() == [0.9, 1.0]


def test_with_every_report_in_the_expected_rate_is_the_rate() -> None:
    """Then the expected rate and its interval are the delivery rate's own."""
    found = analysis.delivery_rates(MATURED, by="carrier")

    for expected, plain in (("expected_rate", "delivery_rate"), ("expected_low", "low"), ("expected_high", "high")):
        assert found[expected].tolist() == pytest.approx(found[plain].tolist(), abs=1e-12)


def test_a_young_campaign_has_bounds_and_no_end() -> None:
    """Ten minutes after sending, alone: the rate and most bound the end, and the reason for the NaN is told."""
    young = frame([("a", "delivered", 5, 600, 70), ("a", "failed", 9, 600, 5), ("a", "pending", None, 600, 25)])

    found = analysis.delivery_rates(young)

    row = found.iloc[0]
    assert (row["delivery_rate"], row["most"]) == (0.7, 0.95)
    assert np.isnan(row["expected_rate"])
    assert (row["expected_low"], row["expected_high"]) == pytest.approx(
        (0.604151, 0.978456), abs=1e-6
    )  # Wilson 70, 95 of 100
    assert "the rate will end between 60.4% and 97.8%" in notes_of(found, "en")
    assert row["horizon_s"] == 600
    assert found.attrs["expected_reason"] == {"0": "no_history"}


def test_some_matured_messages_tell_the_end_of_all() -> None:
    """Half observed for five days, half for ten seconds: Aalen-Johansen, worked by hand."""
    mixed = frame(
        [
            ("a", "delivered", 5, 5 * DAY, 60), ("a", "failed", 20, 5 * DAY, 20), ("a", "pending", None, 5 * DAY, 20),
            ("a", "delivered", 5, 10, 60), ("a", "pending", None, 10, 40),
        ]
    )  # fmt: skip

    row = analysis.delivery_rates(mixed, history=None).iloc[0]

    # At 5 s: 120 of 200. Then 40 leave at 10 s. At 20 s 20 of the 40 left fail: S goes from 0.4 to 0.2.
    assert row["expected_rate"] == pytest.approx(0.6)
    assert row["horizon_s"] == 5 * DAY
    # Variance: 1/200 (0.6 * 0.4^2 + 0.4 * 0.6^2) at 5 s; nothing is delivered later, so failures carry none.
    n = 0.6 * 0.4 / (0.24 / 200)
    assert n == pytest.approx(200)
    assert (row["expected_low"], row["expected_high"]) == pytest.approx((0.530837, 0.665394), abs=1e-6)


def test_one_late_report_does_not_tell_the_end() -> None:
    """The oldest message alone is at risk at 590 s and is delivered: the curve is complete, but by luck."""
    lucky = frame([("a", "delivered", 5, 600, 500), ("a", "delivered", 590, 600, 1), ("a", "pending", None, 300, 200)])

    found = analysis.delivery_rates(lucky)

    assert found["expected_rate"].isna().all()
    assert analysis.latency(lucky)["reached_90_s"].isna().all()


def test_messages_without_a_province_say_what_sets_it() -> None:
    """Grouped by a province that none has, the result says what to install; where one has it, nothing."""
    messages = frame([("a", "delivered", 5, 3600, 3)]).assign(province=pd.Series([None] * 3, dtype="str"))

    without = analysis.delivery_rates(messages, "province")
    known = analysis.delivery_rates(messages.assign(province=pd.Series(["广东", None, None], dtype="str")), "province")

    assert "no_regions" in [note["code"] for note in without.attrs["notes"]]
    assert "no_regions" not in [note["code"] for note in known.attrs["notes"]]


def test_within_reads_everybody_at_the_same_age() -> None:
    """Only messages observed ten minutes count, and what came later counts as pending at that age."""
    messages = frame(
        [
            ("a", "delivered", 5, 3600, 60), ("a", "delivered", 900, 3600, 20), ("a", "failed", 700, 3600, 10),
            ("a", "pending", None, 3600, 10), ("a", "delivered", 5, 300, 50), ("a", "pending", None, 599, 50),
        ]
    )  # fmt: skip

    found = analysis.delivery_rates(messages, within="10min")

    row = found.iloc[0]
    assert row[["accepted", "delivered", "failed", "pending", "unreported"]].tolist() == [100, 60, 0, 40, 0]
    assert row["delivery_rate"] == 0.6
    assert found.attrs["within_s"] == 600
    assert notes_of(found, "zh")[0] == "仅统计已观察至少 10 分钟的短信；送达与失败均指在此时间内"


def test_what_the_platform_did_not_take_is_no_part_of_the_rate() -> None:
    """Planned, unsent, rejected and unknown messages are not accepted; a group of them alone has NaN rates."""
    messages = pd.DataFrame(
        {
            "campaign": ["a", "a", "a", "b", "b"],
            "status": ["delivered", "unknown", "planned", "rejected", "not_sent"],
            "latency_s": [4, None, None, None, None],
            "waited_s": [5 * DAY, None, None, None, None],
        }
    )

    found = analysis.delivery_rates(messages, by="campaign")

    assert found["accepted"].tolist() == [1, 0]
    assert found.loc[1, COLUMNS[5:-2]].isna().all()
    assert found.attrs["expected_reason"] == {"1": "nothing"}


def test_empty_in_is_the_same_columns_and_no_rows() -> None:
    """No messages give no rows, with and without groups."""
    empty = MATURED[:0]

    assert analysis.delivery_rates(empty).columns.tolist() == COLUMNS
    assert analysis.delivery_rates(empty, by="carrier", total=True).columns.tolist() == ["carrier", *COLUMNS]
    assert len(analysis.delivery_rates(empty)) == len(analysis.delivery_rates(empty, by="carrier", total=True)) == 0


@pytest.mark.parametrize(("status", "rate"), [("delivered", 1.0), ("failed", 0.0)])
def test_all_alike(status: str, rate: float) -> None:
    """All delivered, or all failed: the interval still has a width."""
    row = analysis.delivery_rates(frame([("a", status, 5, 600, 50)])).iloc[0]

    assert row["expected_rate"] == row["delivery_rate"] == rate
    assert row["expected_high"] - row["expected_low"] == pytest.approx(row["high"] - row["low"])
    assert row["high"] - row["low"] > 0.05


def test_all_pending() -> None:
    """Nothing is known: the rate lies between 0 and 1, and the end is not guessed."""
    row = analysis.delivery_rates(frame([("a", "pending", None, 30, 50)])).iloc[0]

    assert (row["delivery_rate"], row["most"]) == (0, 1)
    assert np.isnan(row["expected_rate"])


def test_one_row() -> None:
    """A single message is a group, marked as small."""
    found = analysis.delivery_rates(frame([("a", "delivered", 5, 600, 1)]), by="carrier")

    assert found["accepted"].tolist() == [1]
    assert found.attrs["small_groups"] == [0]
    assert "1 of 1 rows rest on fewer than 30 messages" in notes_of(found, "en")[0]


def test_missing_groups_are_kept_last() -> None:
    """Messages of no campaign are a group of their own, after the others, and a note says what that means."""
    messages = MATURED.assign(campaign=pd.Series(["b"] * 50 + [None] * 53, dtype="str"))

    found = analysis.delivery_rates(messages, by="campaign")

    assert found["campaign"].isna().tolist() == [False, True]
    assert found["accepted"].tolist() == [50, 53]
    assert any(note["code"] == "no_campaign" for note in found.attrs["notes"])


def test_the_total_row_is_all_groups_together() -> None:
    """The last row says total and equals the question without groups; dimensions that are no text are missing."""
    messages = MATURED.assign(submitted_at=pd.Timestamp("2026-01-31 09:30", tz="Asia/Shanghai"))

    found = analysis.delivery_rates(messages, by=["carrier", "hour"], total=True)

    assert found["carrier"].tolist() == ["China Mobile", "China Unicom", "total"]
    assert found["hour"].isna().tolist() == [False, False, True]
    whole = analysis.delivery_rates(messages)
    pd.testing.assert_frame_equal(found.tail(1)[COLUMNS].reset_index(drop=True), whole)


def test_missing_columns_are_named_with_their_neighbours() -> None:
    """A misspelt column is named, with the nearest ones."""
    with pytest.raises(InputError, match=r"no column 'carier' \(did you mean 'carrier'\?\)"):
        analysis.delivery_rates(MATURED, by="carier")
    with pytest.raises(InputError, match="'waited_s'"):
        analysis.delivery_rates(MATURED.drop(columns="waited_s"))
    with pytest.raises(InputError, match="'campain'"):
        analysis.delivery_rates(MATURED, campain="spring")


def test_words_that_are_no_status_are_refused() -> None:
    """A status nobody knows is an error, not a silent zero."""
    with pytest.raises(InputError, match="status 'DELIVRD' is not one of"):
        analysis.delivery_rates(MATURED.assign(status="DELIVRD"))


def test_a_dimension_named_like_a_column_of_the_result_is_refused() -> None:
    """It could not be told from the result's own."""
    with pytest.raises(InputError, match="rename that column first"):
        analysis.delivery_rates(MATURED.assign(high=1), by="high")


def test_filters_narrow_the_messages() -> None:
    """Since and until bound the submission, columns and derived dimensions choose values."""
    at = pd.to_datetime(["2026-01-01 00:00", "2026-01-02 09:00", "2026-01-02 23:59", "2026-01-03 00:00"])
    messages = pd.DataFrame(
        {
            "submitted_at": at,
            "status": "delivered",
            "latency_s": 4,
            "waited_s": 5 * DAY,
            "carrier": ["a", "b", None, "b"],
        }
    )

    def accepted(**where: Any) -> int:
        return int(analysis.delivery_rates(messages, **where)["accepted"].sum())

    assert accepted(since="2026-01-02", until="2026-01-03") == 2
    assert accepted(carrier="b") == accepted(where={"carrier": ["b"]}) == 2
    assert accepted(carrier=["a", None]) == 2
    assert accepted(hour=[9, 23]) == 2
    assert accepted(day="2026-01-02") == 2
    assert accepted(carrier=None) == 4
    assert accepted(since=pd.Timestamp("2026-01-02 15:59", tz="UTC")) == 2


def test_days_begin_at_midnight_in_china() -> None:
    """Year's end and weekdays are China's, whatever zone the frame is in."""
    at = pd.to_datetime(["2025-12-31 15:59:59", "2025-12-31 16:00:00"], utc=True)
    messages = pd.DataFrame({"submitted_at": at, "status": "delivered", "latency_s": 4, "waited_s": 5 * DAY})

    found = analysis.delivery_rates(messages, by=["day", "weekday", "hour"])

    assert found["day"].tolist() == [pd.Timestamp("2025-12-31"), pd.Timestamp("2026-01-01")]
    assert found["weekday"].tolist() == [2, 3]
    assert found["hour"].tolist() == [23, 0]
    assert found.attrs["as_of"] == "2026-01-06 00:00:00"


def test_a_category_is_told_by_the_code() -> None:
    """Delivered, the categories of failures, unknown for a failure without a code, missing for no report."""
    messages = pd.DataFrame(
        {
            "status": ["delivered", "failed", "failed", "failed", "pending"],
            "error_code": [None, "DB:0141", "5", None, None],
            "carrier": ["China Mobile", "China Mobile", "China Unicom", "China Mobile", "China Mobile"],
            "latency_s": [1, 1, 1, 1, None],
            "waited_s": 5 * DAY,
        }
    )

    found = analysis.delivery_rates(messages, by="category")

    assert found["category"].fillna("-").tolist() == ["blacklist", "delivered", "suspended", "unknown", "-"]


def test_the_answer_can_be_written_to_parquet(tmp_path: Any) -> None:
    """The attrs are plain values, so they travel with the file."""
    found = analysis.delivery_rates(MATURED, by="carrier")

    found.to_parquet(tmp_path / "rates.parquet")

    assert pd.read_parquet(tmp_path / "rates.parquet").attrs["denominator"] == "accepted"


def test_the_input_is_not_changed() -> None:
    """Asking changes nothing."""
    before = MATURED.copy(deep=True)

    analysis.delivery_rates(MATURED, by="carrier", within=60, total=True)

    pd.testing.assert_frame_equal(MATURED, before)


def test_many_groups_at_once() -> None:
    """Fifty thousand numbers are fifty thousand groups."""
    n = 50_000
    messages = pd.DataFrame(
        {
            "phone": [f"138{i:08d}" for i in range(n)] * 2,
            "status": ["delivered"] * n + ["failed"] * n,
            "latency_s": 3,
            "waited_s": 5 * DAY,
        }
    )

    found = analysis.delivery_rates(messages, by="phone")

    assert len(found) == n
    assert (found["delivery_rate"] == 0.5).all()
    assert np.allclose(found["expected_rate"], 0.5)


messages_strategy = st.lists(
    st.tuples(
        st.sampled_from(["a", "é中", None]),
        st.sampled_from(["delivered", "failed", "pending", "unknown"]),
        st.integers(-5, 400_000),
        st.integers(0, 400_000),
    ),
    min_size=1,
    max_size=60,
)


def random_frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    found = frame([(*row, 1) for row in rows])
    return found.assign(latency_s=found["latency_s"].where(found["status"].isin(["delivered", "failed"])))


@settings(max_examples=examples(60), deadline=None)
@given(messages_strategy)
def test_cells_add_up_to_the_whole(rows: list[tuple[Any, ...]]) -> None:
    """Counts by carrier sum to the counts of all, and accepted is its parts."""
    messages = random_frame(rows)

    cells, whole = analysis.delivery_rates(messages, by="carrier"), analysis.delivery_rates(messages)

    assert cells[COLUMNS[:5]].sum().tolist() == whole[COLUMNS[:5]].iloc[0].tolist()
    parts = cells[["delivered", "failed", "pending", "unreported"]].sum(axis=1)
    assert parts.tolist() == cells["accepted"].tolist()
    some = cells[cells["accepted"] > 0]
    assert (some["low"] <= some["delivery_rate"]).all()
    assert (some["delivery_rate"] <= some["high"]).all()
    assert (some["delivery_rate"] <= some["most"]).all()


@settings(max_examples=examples(40), deadline=None)
@given(messages_strategy, st.randoms())
def test_the_order_of_rows_does_not_matter(rows: list[tuple[Any, ...]], random: Any) -> None:
    """Shuffled messages give the same table."""
    shuffled = rows[:]
    random.shuffle(shuffled)

    for by in (None, "carrier"):
        pd.testing.assert_frame_equal(
            analysis.delivery_rates(random_frame(rows), by=by), analysis.delivery_rates(random_frame(shuffled), by=by)
        )


def test_the_total_of_a_category_is_called_total_too() -> None:
    """The dimension may be text, a category or numbers: text says total, numbers are missing."""
    frame = MATURED.assign(kind=pd.Categorical(["x"] * len(MATURED)), number=7)

    found = analysis.delivery_rates(frame, ["kind", "number"], total=True)

    assert found["kind"].tolist() == ["x", "total"]
    assert found["number"].isna().tolist() == [False, True]


def test_a_history_that_is_a_word_is_refused() -> None:
    """Only "auto" is one."""
    with pytest.raises(InputError, match="history='none': give 'auto', None"):
        analysis.delivery_rates(MATURED, history="none")


@pytest.mark.slow
def test_a_million_groups_are_counted_like_one() -> None:
    """A row a number: every tenth failed, every hundredth pending; the rows add up to the whole, small ones marked."""
    n = 1_000_000
    place = np.arange(n)
    status = np.select([place % 100 == 0, place % 10 == 0], ["pending", "failed"], "delivered")
    messages = pd.DataFrame(
        {
            "phone": 13_000_000_000 + place,
            "status": status,
            "latency_s": np.where(status == "pending", np.nan, 5.0),
            "waited_s": 3600,
        }
    )

    found = analysis.delivery_rates(messages, by="phone", history=None)

    assert found[["accepted", "delivered", "failed", "pending"]].sum().tolist() == [n, 900_000, 90_000, 10_000]
    assert len(found) == len(found.attrs["small_groups"]) == n
    assert found.iloc[[0, 1, 10]][["delivered", "failed", "pending"]].values.tolist() == [
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
    ]
