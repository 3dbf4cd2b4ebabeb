"""Number health, replies and costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masanalytics import analysis
from masanalytics.analysis import HealthRule, notes_of
from masanalytics.errors import InputError
from tests.examples import examples

EMPTY, OFF, BLACK, BLOCKED_TEXT = "MK:0001", "MN:0090", "DB:0141", "REJECT:content"


def history(*messages: tuple[str, str, str | None, str | None]) -> pd.DataFrame:
    """Return messages from (phone, status, error code, day of submission)."""
    found = pd.DataFrame(messages, columns=["phone", "status", "error_code", "submitted_at"])
    found["submitted_at"] = pd.to_datetime(found["submitted_at"]).dt.tz_localize("Asia/Shanghai")
    return found.astype({"phone": "str", "status": "str", "error_code": "str"})


def verdicts(*messages: tuple[str, str, str | None, str | None], **options: Any) -> dict[str, str]:
    found = analysis.number_health(history(*messages), **options)
    return dict(zip(found["phone"], found["verdict"], strict=True))


def test_a_number_that_does_not_exist_three_times_in_a_row_is_dead() -> None:
    """Two such failures leave a doubt; the third does not; a delivery in between wipes it out."""
    assert verdicts(("1", "failed", EMPTY, "2026-01-01"), ("1", "failed", EMPTY, "2026-01-02")) == {"1": "doubtful"}
    assert verdicts(*(("1", "failed", EMPTY, f"2026-01-0{day}") for day in (1, 2, 3))) == {"1": "dead"}
    days = [("1", "failed", EMPTY, "2026-01-01"), ("1", "failed", EMPTY, "2026-01-02")]
    assert verdicts(*days, ("1", "delivered", None, "2026-01-03"), ("1", "failed", EMPTY, "2026-01-04")) == {
        "1": "doubtful"
    }


def test_a_phone_that_is_off_is_given_up_only_after_weeks() -> None:
    """Six failures within a week leave a doubt, over two weeks they do not."""
    week = [("1", "failed", OFF, f"2026-01-0{day}") for day in range(1, 7)]
    fortnight = [("1", "failed", OFF, f"2026-01-{day:02d}") for day in range(1, 19, 3)]

    assert verdicts(*week) == {"1": "doubtful"}
    assert verdicts(*fortnight) == {"1": "dead"}


def test_a_number_on_a_blocklist_is_blocked_until_something_arrives() -> None:
    """One such failure last is enough."""
    assert verdicts(("1", "failed", BLACK, "2026-01-01")) == {"1": "blocked"}
    assert verdicts(("1", "failed", BLACK, "2026-01-01"), ("1", "delivered", None, "2026-01-02")) == {"1": "good"}


def test_failures_that_are_not_the_numbers_fault_do_not_count() -> None:
    """A signature that was not registered says nothing about the number."""
    from masanalytics.codes import category_of

    code = "DB:0114"
    assert category_of(code) not in {*HealthRule().gone_by, *HealthRule().away_by, *HealthRule().blocked_by}
    found = analysis.number_health(history(*(("1", "failed", code, f"2026-01-0{day}") for day in (1, 2, 3, 4))))

    assert found[["failed", "failed_in_a_row", "last_code", "verdict"]].values.tolist() == [[4, 0, code, "good"]]


def test_the_whole_row_of_a_number() -> None:
    """Sent, delivered, failed, the run, the last code, when it was last written to and last seen alive."""
    messages = history(
        ("1", "delivered", None, "2026-01-01"),
        ("1", "failed", EMPTY, "2026-01-02"),
        ("1", "pending", None, "2026-01-03"),
        ("1", "unknown", None, "2026-01-04"),
        ("1", "rejected", None, "2026-01-05"),
    ).assign(
        received_at=pd.to_datetime(["2026-01-01 08:00", "2026-01-02 08:00", None, None, None]).tz_localize(
            "Asia/Shanghai"
        )
    )

    found = analysis.number_health(messages)

    assert found.columns.tolist() == [
        "phone", "sent", "delivered", "failed", "failed_in_a_row", "last_code", "last_category", "last_sent_at",
        "last_seen_alive_at", "verdict",
    ]  # fmt: skip
    row = found.iloc[0]
    assert row[["phone", "sent", "delivered", "failed", "failed_in_a_row", "last_code"]].tolist() == [
        "1",
        3,
        1,
        1,
        1,
        EMPTY,
    ]
    assert row["last_sent_at"] == pd.Timestamp("2026-01-03", tz="Asia/Shanghai")
    assert row["last_seen_alive_at"] == pd.Timestamp("2026-01-01 08:00", tz="Asia/Shanghai")
    assert found.attrs["verdicts"] == {"doubtful": 1}


def test_the_rule_can_be_set() -> None:
    """One failure can be made enough."""
    assert verdicts(("1", "failed", EMPTY, "2026-01-01"), rule=HealthRule(dead_after=1)) == {"1": "dead"}


def test_a_sheet_gets_a_row_a_number_in_its_order() -> None:
    """Also for numbers never written to."""
    found = analysis.number_health(
        history(("2", "delivered", None, "2026-01-01"), ("1", "delivered", None, "2026-01-01")), phones=["9", "1"]
    )

    assert found[["phone", "sent", "verdict"]].values.tolist() == [["9", 0, "unseen"], ["1", 1, "good"]]


def test_numbers_are_read_as_a_plan_reads_them() -> None:
    """Floats, blanks, +86 and full width are one number, in the history and in the sheet; what is none is counted."""
    written = ["13800000001", "+86 138 0000 0001", "１３８０００００００１", "13800000002"]
    messages = history(*((phone, "delivered", None, "2026-01-01") for phone in written))
    sheet: list[Any] = [13800000001.0, "138 0000 0001", " 13800000001", 13800000003, "10086", None]

    found = analysis.number_health(messages, phones=sheet)
    floats = analysis.number_health(messages.assign(phone=13800000001.0), phones=pd.Series([13800000001.0, np.nan]))

    assert found[["phone", "sent", "verdict"]].fillna("-").values.tolist() == [
        ["13800000001", 3, "good"], ["13800000001", 3, "good"], ["13800000001", 3, "good"],
        ["13800000003", 0, "unseen"], ["10086", 0, "unseen"], ["-", 0, "unseen"],
    ]  # fmt: skip
    assert "2 of 6 cells hold no mobile number: they are left as they are" in notes_of(found, "en")
    assert floats[["phone", "sent"]].fillna("-").values.tolist() == [["13800000001", 4], ["-", 0]]
    assert analysis.number_health(messages)["phone"].tolist() == ["13800000001", "13800000002"]
    assert analysis.number_health(messages, phones="13800000002")["sent"].tolist() == [1]


def test_masked_numbers_are_refused() -> None:
    """138****0000 is many people: the error says where whole numbers come from."""
    messages = history(("13800000001", "delivered", None, "2026-01-01"))
    for data, phones in ((messages.assign(phone="138****0001"), None), (messages, ["138****0001"])):
        with pytest.raises(
            InputError, match=r"ask the Store itself, or export into another folder with phones=.hashed"
        ) as raised:
            analysis.number_health(data, phones=phones)
        assert "脱敏" in raised.value.zh


def test_an_export_is_refused_unless_it_was_revealed(bench: Any, plain_batch: Any, tmp_path: Path) -> None:
    """The error's advice works: the Store itself, and an export with whole numbers, tell people apart."""
    pytest.importorskip("pyarrow")
    run = bench.start()
    bench.register(run, plain_batch(["13800138000", "13899998000"]))
    masked, whole = (
        pd.concat(map(pd.read_parquet, bench.store.export_parquet(tmp_path / str(reveal), reveal=reveal)))
        for reveal in (False, True)
    )
    accepted: dict[str, Any] = {"status": "delivered", "submitted_at": pd.Timestamp("2026-01-01")}

    with pytest.raises(InputError, match="masked"):
        analysis.number_health(masked.assign(**accepted))
    assert analysis.number_health(whole.assign(**accepted))["phone"].tolist() == ["13800138000", "13899998000"]
    assert analysis.number_health(bench.store, hour=9).empty


@pytest.mark.parametrize("order", [1, -1])
def test_messages_of_one_second_have_a_fixed_order(order: int) -> None:
    """Pending, failures by their codes, then what arrived; a message without a time is the earliest."""
    at, never = "2026-01-01", None
    for messages, row in (
        ([("delivered", None, at), ("failed", BLACK, at)], [0, BLACK, "good"]),
        ([("failed", BLACK, at), ("failed", EMPTY, at)], [2, EMPTY, "doubtful"]),
        ([("failed", None, at), ("failed", EMPTY, at)], [2, None, "doubtful"]),
        ([("delivered", None, never), ("failed", BLACK, at)], [1, BLACK, "blocked"]),
        ([("failed", BLACK, never), ("delivered", None, never)], [0, BLACK, "good"]),
    ):
        found = analysis.number_health(history(*(("1", *message) for message in messages[::order])))

        shown = found[["failed_in_a_row", "last_code", "verdict"]].astype(object)
        assert shown.where(shown.notna(), None).values.tolist() == [row]


messages_of_few_seconds = st.lists(
    st.tuples(
        st.sampled_from(["1", "13800000001", "+8613800000001"]),
        st.sampled_from(["pending", "delivered", "failed"]),
        st.sampled_from([EMPTY, OFF, BLACK, "5", None]),
        st.sampled_from(["2026-01-01", "2026-01-02", None]),
        st.sampled_from(["China Mobile", "China Unicom", None]),
        st.sampled_from(["2026-01-02", None]),
    ),
    max_size=12,
)


@settings(max_examples=examples(30), deadline=None)
@given(messages_of_few_seconds.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_rows_never_matters(both: Any) -> None:
    """Whatever the times, missing and alike, shuffled rows give the same table."""
    tables = []
    for rows in both:
        messages = history(*(row[:4] for row in rows)).assign(
            carrier=pd.Series([row[4] for row in rows], dtype="str"),
            received_at=pd.to_datetime(pd.Series([row[5] for row in rows], dtype="str")),
        )
        tables.append(analysis.number_health(messages))

    first, second = tables
    pd.testing.assert_frame_equal(first, second)


def test_the_last_code_and_its_category_are_of_one_message() -> None:
    """A last failure without a code has no code, and not that of the failure before."""
    found = analysis.number_health(
        history(("1", "failed", BLACK, "2026-01-01"), ("1", "failed", None, "2026-01-02"))
    ).iloc[0]

    assert pd.isna(found["last_code"])
    assert (found["last_category"], found["verdict"]) == ("unknown", "doubtful")


@pytest.mark.parametrize(
    ("where", "phones"),
    [
        ({"hour": 9}, ["13800000001"]),
        ({"hour": [9, 10]}, ["13800000001", "18600000002"]),
        ({"prefix": "186"}, ["18600000002"]),
        ({"category": "blacklist"}, ["18600000002"]),
        ({"weekday": 3, "prefix": "138"}, ["13800000001"]),
        ({"day": "2026-01-02"}, []),
        ({"carrier": "China Mobile", "hour": 9}, ["13800000001"]),
    ],
)
def test_health_is_narrowed_by_what_is_derived(where: dict[str, Any], phones: list[str]) -> None:
    """By hour, weekday, prefix and category, alone and beside columns, as every other function is."""
    messages = history(
        ("+86 13800000001", "delivered", None, "2026-01-01 09:30"),
        ("18600000002", "failed", BLACK, "2026-01-01 10:30"),
    ).assign(carrier="China Mobile")

    assert analysis.number_health(messages, **where)["phone"].tolist() == phones
    with pytest.raises(InputError, match="unknown argument 'hours'"):
        analysis.number_health(messages, hours=9)


def test_health_does_not_mind_the_order_of_rows_and_of_nothing_there_is_none() -> None:
    """Shuffled messages give the same table, no messages the same columns and no advice."""
    messages = history(
        *((str(i % 5), ["failed", "delivered"][i % 3 == 0], EMPTY, f"2026-01-{i + 1:02d}") for i in range(25))
    )

    found = analysis.number_health(messages)

    pd.testing.assert_frame_equal(found, analysis.number_health(messages.sample(frac=1, random_state=3)))
    nothing = analysis.number_health(messages[:0])
    assert (nothing.columns.tolist(), notes_of(nothing, "en")) == (found.columns.tolist(), ["there are no messages"])


# ---- costs ------------------------------------------------------------------------------------------------------------

NAN = float("nan")
BILLED = pd.DataFrame(
    {
        "campaign": ["a", "a", "a", "a", "b"],
        "carrier": ["China Mobile", "China Mobile", "China Unicom", "China Mobile", "China Mobile"],
        "status": ["delivered", "failed", "pending", "rejected", "failed"],
        "error_code": [None, EMPTY, None, None, OFF],
        "segments": pd.array([2, 1, 3, 9, None], dtype="Int64"),
    }
).astype({"error_code": "str"})


def test_costs_worked_by_hand() -> None:
    """Six segments at 5 fen, of which two arrived and one went to a number that does not exist."""
    found = analysis.costs(BILLED, 0.05, by="campaign")

    assert found.columns.tolist() == [
        "campaign", "accepted", "segments", "cost", "delivered", "cost_per_delivered", "cost_not_delivered",
        "cost_dead_numbers", "unpriced",
    ]  # fmt: skip
    assert found.iloc[0].tolist()[1:] == pytest.approx([3, 6, 0.30, 1, 0.30, 0.20, 0.05, 0])
    assert found.iloc[1].tolist()[1:] == pytest.approx([1, 0, NAN, 0, NAN, NAN, NAN, 1], nan_ok=True)
    assert found.attrs["notes"][0]["code"] == "no_segments"


MIXED = pd.DataFrame(
    {
        "campaign": ["text"] * 3 + ["template"] * 3,
        "status": ["delivered", "delivered", "failed", "delivered", "delivered", "failed"],
        "error_code": pd.Series([None, None, EMPTY, None, None, EMPTY], dtype="str"),
        "segments": pd.array([1, 1, 2, None, None, None], dtype="Int64"),
    }
)


def test_messages_of_unknown_length_are_in_no_cost() -> None:
    """Four segments at 5 fen bought the two texts that arrived, and not the two templates too."""
    total = analysis.costs(MIXED, 0.05)

    assert total.iloc[0].tolist() == pytest.approx([6, 4, 0.20, 4, 0.10, 0.10, 0.10, 3])
    assert total["unpriced"].dtype == "int64"
    assert notes_of(total)[0] == (
        "3 messages have no known length (templates, or sent by another system) and are in no cost"
    )


def test_where_no_length_is_known_no_cost_is_said() -> None:
    """NaN is not 0.00: the templates did cost something."""
    template, text = analysis.costs(MIXED, 0.05, by="campaign").itertuples(index=False)

    assert list(template)[1:] == pytest.approx([3, 0, NAN, 2, NAN, NAN, NAN, 3], nan_ok=True)
    assert list(text)[1:] == pytest.approx([3, 4, 0.20, 2, 0.10, 0.10, 0.10, 0])


def test_a_contract_for_what_arrived_prices_what_has_a_length() -> None:
    """Two segments were delivered and two deliveries priced; the templates are in neither."""
    found = analysis.costs(MIXED, 0.05, billed="delivered")

    assert found.iloc[0].tolist() == pytest.approx([6, 2, 0.10, 4, 0.05, 0, 0, 3])


def test_prices_and_contracts_differ() -> None:
    """A price a carrier, and contracts that bill only what arrived."""
    by_carrier = analysis.costs(BILLED, {"China Mobile": 0.04, "China Unicom": 0.06}).iloc[0]

    assert by_carrier["cost"] == pytest.approx(3 * 0.04 + 3 * 0.06)
    assert analysis.costs(BILLED, 0.05, billed="delivered")["cost"].tolist() == pytest.approx([0.10])
    with pytest.raises(InputError, match="no price for China Unicom"):
        analysis.costs(BILLED, {"China Mobile": 0.04})


@pytest.mark.parametrize("price", [-1, "x", None, float("nan"), float("inf"), [0.05]])
def test_what_is_no_price_is_refused(price: Any) -> None:
    """A price below 0, or none at all, is refused, alone and by carrier, where the carrier is named."""
    with pytest.raises(InputError, match="is not an amount of money"):
        analysis.costs(BILLED, price)
    with pytest.raises(InputError, match="of China Unicom is not an amount of money"):
        analysis.costs(BILLED, {"China Mobile": 0.04, "China Unicom": price})


def test_only_the_functions_are_offered() -> None:
    """What completion offers is what is meant for use, none of the modules behind it."""
    assert sorted(dir(analysis)) == sorted(analysis.__all__)
    assert "packing" not in dir(analysis)


# ---- replies ----------------------------------------------------------------------------------------------------------


def test_replies_worked_by_hand() -> None:
    """Of four delivered, two people answered (one twice), one opted out; a late reply and a stranger do not count."""
    at = pd.Timestamp("2026-01-31 09:00", tz="Asia/Shanghai")
    messages = pd.DataFrame(
        {
            "message_id": [1, 2, 3, 4, 5],
            "phone": ["1", "2", "3", "4", "5"],
            "campaign": ["a", "a", "a", "a", "b"],
            "status": ["delivered"] * 4 + ["pending"],
            "submitted_at": at,
        }
    )
    said = pd.DataFrame(
        {
            "message_id": pd.array([1, 1, 2, 3, None], dtype="Int64"),
            "phone": ["1", "1", "2", "3", "9"],
            "content": ["好的", "TD", " 好的 ", "收到", "?"],
            "sent_at": [at + pd.Timedelta(delay) for delay in ("60s", "90s", "120s", "8D", "5s")],
            "opt_out": [None, "opt_out", None, None, None],
        }
    )

    found = analysis.replies(messages, uplinks=said, keywords=["好的"])

    assert found["campaign"].tolist() == ["a", "b"]
    row = found.iloc[0]
    assert row[["delivered", "replies", "people", "opt_outs", "says_好的"]].tolist() == [4, 3, 2, 1, 2]
    assert row[["response_rate", "opt_out_rate", "p50_s", "p90_s"]].tolist() == pytest.approx([0.5, 0.25, 90, 114])
    assert (row["low"], row["high"]) == pytest.approx((0.150039, 0.849961), abs=1e-6)
    assert found.loc[1, "delivered"] == 0
    assert found["response_rate"].isna()[1]
    assert found.attrs["unmatched"] == 1


REPLIED_AT = pd.Timestamp("2026-01-31 09:00", tz="Asia/Shanghai")
SENT = pd.DataFrame(
    {
        "message_id": range(1, 10),
        "phone": [f"138{n:08d}" for n in range(1, 6)] + [f"186{n:08d}" for n in range(6, 10)],
        "campaign": "a",
        "content": "春节特惠",
        "status": ["delivered"] * 2 + ["pending"] * 7,
        "error_code": pd.Series([None] * 9, dtype="str"),
        "submitted_at": REPLIED_AT,
    }
)
SAID = pd.DataFrame(
    {
        "message_id": [1, 3, 4, 5, 6, 7],
        "phone": "x",
        "content": "TD",
        "sent_at": [REPLIED_AT + pd.Timedelta(f"{after}s") for after in (9, 8, 7, 6, 5, -3)],
        "opt_out": "opt_out",
    }
)


def test_rates_are_of_the_delivered_and_answers_come_after_the_message() -> None:
    """Two delivered, one of which answered, four more before their report: a rate of 1/2; one reply is older than its message."""
    found = analysis.replies(SENT, uplinks=SAID)

    row = found.iloc[0]
    assert row[["delivered", "replies", "people", "opt_outs", "response_rate", "opt_out_rate"]].tolist() == [
        2, 5, 5, 5, 0.5, 0.5,
    ]  # fmt: skip
    assert row[["answered_delivered", "opt_outs_delivered"]].tolist() == [1, 1]
    assert "4 more answered whose messages have no delivered report" in notes_of(found, "en")
    # Wilson, 1 of 2.
    bounds = pytest.approx([0.094531, 0.905469, 0.094531, 0.905469], abs=1e-6)
    assert row[["low", "high", "opt_out_low", "opt_out_high"]].tolist() == bounds
    assert row[["p50_s", "p90_s"]].tolist() == pytest.approx([7, 8.6])
    assert found.attrs["unmatched"] == 1
    assert "1 reply answers no known message (or is dated before it)" in notes_of(found, "en")


@settings(max_examples=examples(40), deadline=None)
@given(
    st.lists(st.sampled_from(["delivered", "pending", "failed", "unknown"]), min_size=1, max_size=8),
    st.lists(st.tuples(st.integers(1, 9), st.integers(-50, 900_000)), max_size=12),
)
def test_a_response_rate_is_a_rate(statuses: list[str], said: list[tuple[int, int]]) -> None:
    """Whatever was answered when, rates are within their interval and times are not negative."""
    messages = SENT.iloc[: len(statuses)].assign(status=statuses)
    texts = pd.DataFrame(said, columns=["message_id", "after"]).assign(phone="x", content="TD", opt_out="opt_out")
    texts["sent_at"] = REPLIED_AT + pd.to_timedelta(texts.pop("after"), unit="s")

    found = analysis.replies(messages, uplinks=texts.astype({"message_id": "int64"}))

    for rate, low, high in (("response_rate", "low", "high"), ("opt_out_rate", "opt_out_low", "opt_out_high")):
        rates = found[found[rate].notna()]
        assert ((rates[low] <= rates[rate]) & (rates[rate] <= rates[high])).all()
        assert rates[rate].between(0, 1).all()
    assert not (found[["p50_s", "p90_s"]] < 0).any(axis=None)


def test_replies_by_columns_that_uplinks_have_too() -> None:
    """The message's own content, phone and number are meant."""
    by_content = analysis.replies(SENT, "content", uplinks=SAID)
    by_phone = analysis.replies(SENT, "phone", uplinks=SAID)
    by_id = analysis.replies(SENT, "message_id", uplinks=SAID)

    assert by_content[["content", "people"]].values.tolist() == [["春节特惠", 5]]
    assert by_phone["people"].tolist() == by_id["people"].tolist() == [1, 0, 1, 1, 1, 1, 0, 0, 0]
    assert by_phone["phone"].tolist() == SENT["phone"].tolist()


@pytest.mark.parametrize(
    ("where", "people"),
    [
        ({"hour": 9}, [5]),
        ({"hour": 10}, []),
        ({"prefix": "186"}, [1]),
        ({"category": "delivered"}, [1]),
        ({"message_id": [3, 4, 9]}, [2]),
        ({"prefix": "138", "status": "pending"}, [3]),
    ],
)
def test_replies_are_narrowed_by_what_is_derived(where: dict[str, Any], people: list[int]) -> None:
    """By hour, prefix, category and the message's own number, as every other function is."""
    assert analysis.replies(SENT, uplinks=SAID, **where)["people"].tolist() == people


def test_replies_of_a_frame_need_the_uplinks() -> None:
    """A frame of messages alone cannot be asked for replies."""
    with pytest.raises(InputError, match="they are given as uplinks="):
        analysis.replies(
            pd.DataFrame(
                {"message_id": [1], "phone": ["1"], "status": ["delivered"], "submitted_at": [0], "campaign": "a"}
            )
        )


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"blocked_by": "blacklist"}, "blocked_by= is of type str: it must be several words"),
        ({"gone_by": ["invalid_numbr"]}, "category='invalid_numbr' is not one of invalid_number"),
        ({"dead_after": 0}, "dead_after=0: a whole number from 1"),
        ({"dead_after_any": 1.5}, "dead_after_any=1.5: a whole number from 1"),
        ({"dead_over_days": float("nan")}, "dead_over_days= is of type float: it must be a number from 0"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(parts: dict[str, Any], said: str) -> None:
    """Zero failures that make a number dead would be every number to one source, and those that failed to another."""
    with pytest.raises(InputError, match=said):
        HealthRule(**parts)


def test_a_rule_is_no_mapping() -> None:
    """It is named what it must be."""
    with pytest.raises(InputError, match="rule= is of type dict: it must be a rule, such as"):
        analysis.number_health(history(("1", "failed", EMPTY, "2026-01-01")), rule={"dead_after": 1})


def test_names_of_forgotten_people_are_told_apart_from_numbers() -> None:
    """What was sent to them since counts as another number's, which a note says; hashes of an export are nobody forgotten."""
    name, hashed = "138~" + "a" * 24, "138~" + "a" * 32
    found = analysis.number_health(
        history(("13900139000", "delivered", None, "2026-01-01"), (name, "failed", EMPTY, "2026-01-02"))
    )
    of_export = analysis.number_health(history((hashed, "delivered", None, "2026-01-01")))

    assert (
        "1 of 2 numbers are names of people who were forgotten: what was sent to them since counts as another number's"
        in notes_of(found)
    )
    assert not [note for note in notes_of(of_export) if "forgotten" in note]
