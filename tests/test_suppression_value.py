"""What dropping numbers buys: by hand, and against `number_health` asked anew before each message."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.vocabulary import CARRIERS
from tests.random_messages import as_arrow, as_duckdb, as_lazy_polars, random_messages

EMPTY, OFF, BLACK = "MK:0001", "MN:0090", "DB:0141"


def history(*messages: tuple[str, str, str | None, str], **columns: Any) -> pd.DataFrame:
    """Return messages from (phone, status, error code, day of submission)."""
    found = pd.DataFrame(messages, columns=["phone", "status", "error_code", "submitted_at"])
    found["submitted_at"] = pd.to_datetime(found["submitted_at"]).dt.tz_localize("Asia/Shanghai")
    return found.assign(**({"segments": 1} | columns))


def test_a_number_dropped_when_dead_loses_what_arrived_later() -> None:
    dead = [("13800000001", "failed", EMPTY, f"2026-01-0{day}") for day in (1, 2, 3, 4)]
    found: Any = mas.suppression_value(
        history(
            *dead, ("13800000001", "delivered", None, "2026-01-05"), ("13800000001", "delivered", None, "2026-01-06")
        ),
        0.05,
    ).set_index("verdict")

    # Sent as dead: the messages of the 4th and the 5th. Dropped on the 4th, the two deliveries that came would be lost.
    columns = [
        "numbers",
        "sent",
        "delivered",
        "cost",
        "lost_deliveries_if_dropped",
        "saved_cost_if_dropped",
        "saved_per_lost",
    ]
    assert found.loc["dead", columns].tolist() == [1, 2, 1, 0.1, 2, pytest.approx(0.15), pytest.approx(0.075)]
    assert found.loc["unseen", ["sent", "delivered"]].tolist() == [1, 0]
    assert found.loc["good", ["sent", "delivered"]].tolist() == [1, 1]
    assert list(found.index) == ["unseen", "good", "doubtful", "dead"]


def test_a_report_that_came_later_is_not_known_before() -> None:
    messages = history(
        ("13800000001", "failed", BLACK, "2026-01-01"),
        ("13800000001", "failed", BLACK, "2026-01-02"),
        ("13800000001", "failed", BLACK, "2026-01-04"),
        received_at=pd.to_datetime(["2026-01-03"] * 2 + ["2026-01-04"]).tz_localize("Asia/Shanghai"),
    )
    found = mas.suppression_value(messages, 1)
    # The second left before the first one's report: a number written to, of which nothing bad is known.
    assert found[["verdict", "sent"]].values.tolist() == [["unseen", 1], ["good", 1], ["blocked", 1]]


@pytest.mark.slow
def test_verdicts_are_those_that_number_health_gave_before_each_message() -> None:
    rng = np.random.default_rng(7)
    n = 400
    status = rng.choice(["delivered", "failed"], n, p=[0.3, 0.7])
    messages = history(
        *(
            (f"1380000000{phone}", one, None if one == "delivered" else code, f"2026-{1 + day // 28:02d}-{1 + day % 28:02d}")
            for phone, one, code, day in zip(
                rng.integers(0, 8, n), status, rng.choice([EMPTY, OFF, BLACK, "REJECT:content"], n, p=[0.5, 0.3, 0.1, 0.1]),
                np.arange(n) // 8, strict=True,
            )
        )
    )  # fmt: skip
    messages = messages.drop_duplicates(["phone", "submitted_at"]).reset_index(drop=True)
    expected = []
    for _, row in messages.iterrows():
        before = messages[(messages["submitted_at"] < row["submitted_at"]) & (messages["phone"] == row["phone"])]
        expected.append("unseen" if before.empty else mas.number_health(before)["verdict"][0])
    found = mas.suppression_value(messages, 0.05).set_index("verdict")["sent"].to_dict()

    assert found == pd.Series(expected).value_counts().to_dict()
    assert set(found) == {"unseen", "good", "doubtful", "dead", "blocked"}


def test_states_can_be_told_apart_further() -> None:
    messages = history(
        ("13800000001", "delivered", None, "2026-01-01"),
        ("13800000001", "failed", EMPTY, "2026-02-15"),
        ("13800000001", "failed", EMPTY, "2026-03-20"),
    )
    found = mas.suppression_value(messages, 1, by=["failed_in_a_row", "months_since_alive", "last_category"])

    assert found.iloc[:, :4].astype(object).where(found.iloc[:, :4].notna(), None).values.tolist() == [
        [0, 1, None, 1],
        [0, None, None, 1],
        [1, 2, "invalid_number", 1],
    ]


def test_messages_still_open_and_of_unknown_length_are_counted_in_notes() -> None:
    messages = history(
        ("13800000001", "pending", None, "2026-01-01"),
        ("13800000002", "delivered", None, "2026-01-01"),
        waited_s=[60, 60],
        segments=[1, None],
    )
    found = mas.suppression_value(messages, 1)

    assert found[["verdict", "sent", "cost"]].values.tolist() == [["unseen", 1, 0.0]]
    assert [note["code"] for note in found.attrs["notes"]] == ["open", "no_segments", "small_groups"]


def test_a_price_for_each_carrier() -> None:
    messages = history(("13800000001", "delivered", None, "2026-01-01"), carrier="China Mobile", segments=3)
    assert mas.suppression_value(messages, {"China Mobile": 0.04})["cost"].tolist() == [pytest.approx(0.12)]
    with pytest.raises(mas.InputError, match="no price for China Mobile"):
        mas.suppression_value(messages, {"China Unicom": 0.04})


def test_messages_of_one_number_do_not_count_as_many_people() -> None:
    one_each = history(*((f"138{i:08d}", "delivered" if i % 2 else "failed", None, "2026-01-01") for i in range(100)))
    found = mas.suppression_value(one_each, 1)
    low, high = found["low"][0], found["high"][0]
    # Ten numbers of ten messages that all share their fate: as wide as ten messages are.
    few = history(
        *(
            (
                f"138{i // 10:08d}",
                "delivered" if i // 10 % 2 else "failed",
                "ZZ:0001",
                "2026-01-01",
            )
            for i in range(100)
        )
    )
    wide = mas.suppression_value(few, 1, by="failed_in_a_row")
    assert wide["high"][0] - wide["low"][0] > 2.5 * (high - low)


def test_a_store_answers_as_its_frame_does(sim: mas.Simulator, client: mas.Client, store: mas.Store) -> None:
    people = pd.DataFrame({"phone": [f"138001380{i:02d}" for i in range(20)]})
    for campaign in "abc":
        mas.send(people, client, store, phone="phone", text="hi", campaign=campaign, progress=False)
    pd.testing.assert_frame_equal(mas.suppression_value(store, 0.05), mas.suppression_value(store.messages(), 0.05))


def test_what_cannot_be_is_refused() -> None:
    messages = history(("138****0001", "delivered", None, "2026-01-01"))
    with pytest.raises(mas.InputError, match="masked"):
        mas.suppression_value(messages, 1)
    with pytest.raises(mas.InputError, match="by='carrier': what was known of a number is one of verdict"):
        mas.suppression_value(messages, 1, by="carrier")
    with pytest.raises(mas.InputError, match="price -1"):
        mas.suppression_value(messages, -1)


def test_no_messages_give_no_rows_and_the_sentence_is_in_both_languages() -> None:
    messages = history(("13800000001", "delivered", None, "2026-01-01"))
    assert len(mas.suppression_value(messages[:0], 1)) == 0
    assert mas.suppression_value(messages, 0.05, language="en")["sentence"][0] == (
        "never written to: 100% of what was sent arrived (20.7% to 100%). Had they been dropped: 0.05 saved, deliveries lost: 1."
    )
    assert "送达" in mas.suppression_value(messages, 0.05, language="zh")["sentence"][0]


def many_to_few(n: int = 3_000) -> pd.DataFrame:
    """Random messages to 150 numbers, several in the same second, of every code and carrier, some not billed."""
    rng = np.random.default_rng(5)
    found = random_messages(n, seed=5)
    number = rng.integers(0, 150, n)
    gone = number % 10 == 0  # numbers that do not exist fail alike
    codes = pd.Series(np.where(gone, EMPTY, rng.choice([EMPTY, OFF, BLACK, "weird"], n)), dtype="str")
    found["status"] = found["status"].mask(gone & (found["status"] == "delivered"), "failed")
    return found.assign(
        phone=pd.Series([f"138{one:08d}" for one in number], dtype="str"),
        received_at=found["submitted_at"] + pd.to_timedelta(found["latency_s"].astype("float"), unit="s"),
        submitted_at=found["submitted_at"].dt.floor("12h"), message_id=range(n),
        error_code=codes.where(found["status"] == "failed"), segments=found["segments"].mask(rng.random(n) < 0.05),
    )  # fmt: skip


STATES = ["verdict", "last_category", "failed_in_a_row", "months_since_alive"]


@pytest.mark.parametrize("made", [as_duckdb, as_lazy_polars])
@pytest.mark.parametrize("by", ["verdict", STATES])
def test_engines_count_where_the_data_is(made: Any, by: Any, travelled: list[int]) -> None:
    """The same as of the messages in Python; a row a state travels, and one a kind of message, but no message."""
    messages = many_to_few()
    if by != "verdict":  # hashes as an export writes them, each of one person
        messages["phone"] = "138~" + messages["phone"].str[5:].str.translate(str.maketrans("0123456789", "abcdefghij"))
    data = made(messages)
    found: Any = mas.suppression_value(data, {"unknown": 0.04, **dict.fromkeys(CARRIERS, 0.05)}, by)
    wanted: Any = mas.suppression_value(messages, {"unknown": 0.04, **dict.fromkeys(CARRIERS, 0.05)}, by)

    pd.testing.assert_frame_equal(found, wanted)
    assert mas.notes_of(found) == mas.notes_of(wanted)
    assert set(wanted["verdict"]) >= {"unseen", "good", "doubtful", "dead", "blocked"}
    assert max(travelled) < 300


def test_numbers_spelled_in_several_ways_are_read_one_by_one() -> None:
    """+86 and spaces are the same person: the dead number is known as such."""
    messages = history(*[(phone, "failed", EMPTY, f"2026-01-0{day}") for day, phone in enumerate(
        ["13800000001", "+86 138 0000 0001", "13800000001", "138-0000-0001"], 1)])  # fmt: skip

    found = mas.suppression_value(as_lazy_polars(messages), 1)

    assert found[["verdict", "sent"]].values.tolist() == [["unseen", 1], ["doubtful", 2], ["dead", 1]]


def test_masked_numbers_of_an_engine_are_refused() -> None:
    with pytest.raises(mas.InputError, match="masked"):
        mas.suppression_value(as_duckdb(history(("138****0001", "failed", EMPTY, "2026-01-01"))), 1)


def test_an_engine_without_windows_is_asked_for_its_rows() -> None:
    messages = many_to_few(300)
    pd.testing.assert_frame_equal(mas.suppression_value(as_arrow(messages), 1), mas.suppression_value(messages, 1))
