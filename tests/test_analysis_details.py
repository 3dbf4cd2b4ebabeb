"""Error codes, latency and the timeline."""

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
from masanalytics.stats.control_chart import control_chart
from masanalytics.stats.order_statistics import counted_times
from tests.examples import examples

DAY = 86_400


def test_steps_call_only_those_pending_whose_report_may_still_come() -> None:
    """Of two messages without a report the one silent for more than 72 h under coverage is unreported, not pending."""
    messages = pd.DataFrame({"status": ["delivered", "pending", "pending"], "waited_s": [300_000, 3600, 300_000]})

    assert analysis.funnel(messages)[["step", "count", "pending"]].values.tolist() == [
        ["planned", 3, 0], ["accepted", 3, 0], ["delivered", 1, 1],
    ]  # fmt: skip


def failures(codes: list[Any], carrier: str = "China Mobile", delivered: int = 0) -> pd.DataFrame:
    n = len(codes)
    return pd.DataFrame(
        {
            "status": ["failed"] * n + ["delivered"] * delivered,
            "error_code": pd.Series([*codes, *[None] * delivered], dtype="str"),
            "carrier": carrier,
            "latency_s": 3,
            "waited_s": 5 * DAY,
        }
    )


# ---- error codes ------------------------------------------------------------------------------------------------------


def test_error_codes_are_counted_and_explained() -> None:
    """Counts, shares of accepted and of failed, meaning and advice; the most frequent first."""
    messages = failures(["DB:0141", "MN:0090", "DB:0141", "DB:0141"], delivered=4)

    found = analysis.error_codes(messages, language="en")

    assert found.columns.tolist() == [
        "error_code",
        "count",
        "share",
        "share_of_failed",
        "category",
        "meaning",
        "advice",
        "action",
        "retry_after",
    ]
    assert found.iloc[:, :5].values.tolist() == [
        ["DB:0141", 3, 0.375, 0.75, "blacklist"],
        ["MN:0090", 1, 0.125, 0.25, "unreachable"],
    ]
    assert (found["advice"].str.len() > 10).all()


def test_error_codes_speak_chinese() -> None:
    """The meaning comes in the language asked for."""
    assert analysis.error_codes(failures(["MN:0090"]), language="zh")["meaning"].tolist() == ["用户关机"]


def test_bare_numbers_are_read_for_china_unicom_only() -> None:
    """The same number is known at Unicom, unknown elsewhere, and unknown in a mix that is not told apart."""
    both = pd.concat([failures(["5"], "China Unicom"), failures(["5"], "China Mobile")], ignore_index=True)

    apart = analysis.error_codes(both, by="carrier")
    together = analysis.error_codes(both)

    assert apart[["carrier", "category"]].values.tolist() == [
        ["China Mobile", "unknown"],
        ["China Unicom", "suspended"],
    ]
    assert together[["error_code", "count", "category"]].values.tolist() == [["5", 2, "unknown"]]
    assert analysis.error_codes(failures(["5"], "China Unicom"))["category"].tolist() == ["suspended"]


def test_codes_nobody_knows_and_failures_without_one_are_kept() -> None:
    """An unknown code and a missing one are rows of their own."""
    found = analysis.error_codes(failures(["奇怪:1", None, None]), language="en")

    assert found["count"].tolist() == [2, 1]
    assert found["error_code"].isna().tolist() == [True, False]
    assert found["category"].tolist() == ["unknown", "unknown"]


def test_the_rest_of_a_top_list_is_one_honest_row() -> None:
    """top= keeps the most frequent of each group and says how many codes the others are."""
    messages = failures(["DB:0141"] * 3 + ["MN:0090"] * 2 + ["MK:0001", "weird"], delivered=3)

    found = analysis.error_codes(messages, top=2, language="en")

    assert found["error_code"].tolist() == ["DB:0141", "MN:0090", "other"]
    assert found["count"].tolist() == [3, 2, 2]
    assert found["share_of_failed"].sum() == pytest.approx(1)
    assert found["meaning"].tolist()[-1] == "2 other codes"


def test_a_code_called_other_is_not_the_rest() -> None:
    """Where a code is itself called so, the row of the rest is called (other)."""
    found = analysis.error_codes(failures(["other"] * 3 + ["DB:0141"] * 2 + ["MN:0090"]), top=1, language="en")

    assert found[["error_code", "count"]].values.tolist() == [["other", 3], ["(other)", 3]]
    assert found["meaning"].tolist()[-1] == "2 other codes"


def test_pending_is_the_same_number_in_every_table() -> None:
    """What stayed silent for 72 h is unreported: delivery_rates, timeline and funnel agree."""
    at = pd.Timestamp("2026-01-01 09:00", tz="Asia/Shanghai")
    messages = pd.DataFrame(
        {"status": ["delivered", "pending", "pending"], "latency_s": [5, None, None], "waited_s": [400_000] * 2 + [60]}
    ).assign(submitted_at=at)

    columns = ["accepted", "delivered", "pending", "unreported"]
    assert analysis.timeline(messages)[columns].values.tolist() == [[3, 1, 1, 1]]
    assert analysis.delivery_rates(messages, history=None)[columns].values.tolist() == [[3, 1, 1, 1]]
    assert analysis.funnel(messages)["pending"].tolist() == [0, 0, 1]


def test_failures_within_an_age_are_noted_in_words() -> None:
    """Five hours are said as five hours, in both languages."""
    found = analysis.error_codes(failures(["DB:0141"]), within="5h")

    assert notes_of(found, "en") == ["failed within 5 h"]
    assert notes_of(found, "zh") == ["5 小时内失败"]


def test_error_codes_of_nothing() -> None:
    """No messages, and no failures, give the columns without rows."""
    for messages in (failures(["x"])[:0], failures([], delivered=3)):
        found = analysis.error_codes(messages, by="carrier")

        assert found.columns.tolist()[:3] == ["carrier", "error_code", "count"]
        assert found.empty


def test_error_codes_at_equal_age() -> None:
    """With within= only failures of that time, of messages observed that long, count."""
    messages = failures(["A:1", "A:1", "A:2"]).assign(latency_s=[5, 700, 5], waited_s=[900, 900, 300])

    found = analysis.error_codes(messages, within="10min")

    assert found[["error_code", "count", "share", "share_of_failed"]].values.tolist() == [["A:1", 1, 0.5, 1.0]]


# ---- latency ----------------------------------------------------------------------------------------------------------


def test_latency_worked_by_hand() -> None:
    """Of five accepted, three delivered after 2, 4 and 30 s, one failed, one still pending."""
    messages = pd.DataFrame(
        {
            "status": ["delivered", "delivered", "delivered", "failed", "pending"],
            "latency_s": pd.array([2, 4, 30, 3, None], dtype="Int64"),
            "waited_s": 60,
        }
    )

    found = analysis.latency(messages)

    assert found.columns.tolist() == [
        "delivered", "mean_s", "p50_s", "p90_s", "p95_s", "p99_s", "max_s", "reached_50_s", "reached_90_s",
    ]  # fmt: skip
    assert found.iloc[0, :7].tolist() == pytest.approx([3, 12, 4, 24.8, 27.4, 29.48, 30])
    assert found["reached_50_s"].tolist() == [30]
    assert found["reached_90_s"].isna().all()
    assert any("1 message still pending" in text for text in notes_of(found, "en"))


def test_faulty_latencies_are_kept_and_counted() -> None:
    """Negative ones stay negative; those beyond 72 h and missing ones are counted too."""
    messages = pd.DataFrame(
        {
            "status": ["delivered"] * 4 + ["failed"],
            "latency_s": pd.array([-3, 5, 300_000, None, -1], dtype="Int64"),
            "waited_s": 400_000,
        }
    )

    found = analysis.latency(messages)

    assert found.attrs["faults"] == {"negative": 2, "beyond_72h": 1, "missing": 1}
    assert found[["delivered", "p50_s", "max_s"]].values.tolist() == [[4, 5, 300_000]]
    assert [note["code"] for note in found.attrs["notes"]][:3] == [
        "latency_negative", "latency_beyond_72h", "latency_missing",
    ]  # fmt: skip


def test_latency_follows_from_the_times_where_it_is_no_column() -> None:
    """received_at - submitted_at does as well."""
    at = pd.to_datetime(["2026-01-31 09:00:00", "2026-01-31 09:00:00"])
    messages = pd.DataFrame(
        {"status": "delivered", "submitted_at": at, "received_at": at + pd.to_timedelta([4, 8], "s"), "waited_s": 900}
    )

    assert analysis.latency(messages)[["p50_s", "max_s"]].values.tolist() == [[6, 8]]


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(-10, 500)), min_size=1, max_size=60))
def test_quantiles_are_those_of_pandas(rows: list[tuple[str, int]]) -> None:
    """Every quantile, the mean and the maximum equal pandas' on the messages themselves."""
    frame = pd.DataFrame(rows, columns=["carrier", "latency_s"]).assign(status="delivered", waited_s=9999)

    found = analysis.latency(frame, by="carrier").set_index("carrier")

    by = frame.groupby("carrier")["latency_s"]
    for level in (50, 90, 95, 99):
        assert found[f"p{level}_s"].tolist() == pytest.approx(by.quantile(level / 100).tolist(), abs=1e-6)
    assert found["mean_s"].tolist() == pytest.approx(by.mean().tolist())
    assert found["max_s"].tolist() == by.max().tolist()


def test_a_group_without_deliveries_has_no_quantiles() -> None:
    """Ranks beyond a group's messages are NaN, not its neighbour's."""
    times = counted_times(np.array([0, 2]), 3, np.array([4.0, 9.0]), np.array([2, 1]))

    assert times.total.tolist() == [2, 0, 1]
    assert np.isnan(times.quantile(0.9)).tolist() == [False, True, False]
    assert np.isnan(times.ranked(np.array([1, 0, 1]))).tolist() == [False, True, True]


# ---- timeline ---------------------------------------------------------------------------------------------------------


def hours(rates: list[float], n: int = 1000, waited: int = 5 * DAY) -> pd.DataFrame:
    """Return `n` messages an hour from 2026-01-01 00:00, delivered at these rates."""
    parts = []
    for hour, rate in enumerate(rates):
        k = round(rate * n)
        parts.append(
            pd.DataFrame(
                {
                    "submitted_at": pd.Timestamp("2026-01-01", tz="Asia/Shanghai")
                    + pd.Timedelta(hours=hour, minutes=7),
                    "status": ["delivered"] * k + ["failed"] * (n - k),
                    "latency_s": 5,
                    "waited_s": waited,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_the_limits_are_those_of_the_hours_in_control() -> None:
    """One bad hour of ten is outside and widens nothing: the limits are Laney's of the nine others, by line."""
    rates = [0.95, 0.955, 0.945, 0.95, 0.50, 0.955, 0.945, 0.95, 0.955, 0.945]
    quiet = control_chart([1000 * rate for rate in rates if rate > 0.9], [1000] * 9)

    found = analysis.timeline(hours(rates), "h")
    lines = analysis.timeline(
        pd.concat([hours(rates).assign(arm="A"), hours([0.95] * 10, n=100).assign(arm="B")]), "h", by="arm"
    )

    assert quiet is not None
    low, high = quiet.limits([1000])
    assert found["limit_low"].tolist() == pytest.approx([low[0]] * 10)
    assert found["limit_high"].tolist() == pytest.approx([high[0]] * 10)
    assert found.index[found["outside"]].tolist() == [4]
    assert notes_of(found, "en") == ["1 of 10 points are outside the limits"]
    assert lines.loc[lines["outside"], "arm"].tolist() == ["A"]
    assert lines["limit_low"][0] == pytest.approx(low[0])
    assert lines.attrs["spread"] == {"A": pytest.approx(quiet.spread), "B": 1.0}


def test_hours_that_differ_anyway_have_limits_as_wide_and_a_note() -> None:
    """Rates that swing by five points are not ten alarms; fewer than eight hours tell no limits."""
    swinging = [0.96, 0.91, 0.95, 0.90, 0.94, 0.89, 0.96, 0.92, 0.95, 0.91]

    found = analysis.timeline(hours(swinging, n=5000), "h")
    few = analysis.timeline(hours(swinging[:7]), "h")

    assert not found["outside"].any()
    assert notes_of(found, "en") == [
        "the buckets differ up to 11.1 times as much as chance makes them: the limits are as much wider"
    ]
    assert few[["limit_low", "limit_high"]].isna().all(axis=None)
    assert notes_of(few, "en") == ["fewer than 8 settled points do not say how much points differ: there are no limits"]


@pytest.mark.parametrize(
    ("freq", "starts"),
    [
        ("h", ["2026-01-01 00:00", "2026-01-01 01:00"]),
        ("15min", ["2026-01-01 00:00", "2026-01-01 01:00"]),
        ("5min", ["2026-01-01 00:05", "2026-01-01 01:05"]),
        ("min", ["2026-01-01 00:07", "2026-01-01 01:07"]),
        ("D", ["2026-01-01 00:00"]),
        ("W", ["2025-12-29 00:00"]),
        ("M", ["2026-01-01 00:00"]),
    ],
)
def test_buckets_begin_in_china_time(freq: str, starts: list[str]) -> None:
    """From minutes to months; weeks begin on Monday, across the year's end."""
    found = analysis.timeline(hours([0.9, 0.8], n=10), freq)

    assert [f"{time:%Y-%m-%d %H:%M}" for time in found["time"]] == starts
    assert str(found["time"].dtype) == "datetime64[s, Asia/Shanghai]"


def test_an_hour_still_waiting_is_not_called_outside() -> None:
    """What pending messages can still make good is no alarm; at equal age nothing is open to doubt."""
    old = hours([0.95] * 8)
    new = hours([0.60], waited=700).assign(submitted_at=pd.Timestamp("2026-01-01 09:00", tz="Asia/Shanghai"))
    new.loc[new["status"] == "failed", "status"] = "pending"

    found = analysis.timeline(pd.concat([old, new]), "h")
    aged = analysis.timeline(pd.concat([old, new]), "h", within="10min")

    assert found["pending"].tolist() == [0] * 8 + [400]
    assert found["outside"].tolist() == [False] * 9
    assert aged["outside"].tolist()[-1]


def test_a_timeline_of_nothing_and_of_a_frequency_nobody_knows() -> None:
    """No messages give the columns; a strange width is refused with examples."""
    assert analysis.timeline(hours([0.5], n=4)[:0], "h").columns.tolist()[:3] == ["time", "accepted", "delivered"]
    with pytest.raises(InputError, match="'15min'"):
        analysis.timeline(hours([0.5], n=4), "fortnight")
