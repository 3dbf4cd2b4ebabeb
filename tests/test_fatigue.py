"""Opt-outs by messages received lately: by hand, and against a world in which they double with each."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

mpl.use("Agg")

import matplotlib.pyplot as plt

import masanalytics as mas
from tests.examples import examples
from tests.random_messages import as_arrow, as_duckdb, as_lazy_polars, as_polars


def sent(*messages: tuple[str, str, str], **columns: Any) -> pd.DataFrame:
    """Return delivered messages from (number, day of submission, campaign)."""
    found = pd.DataFrame(messages, columns=["phone", "submitted_at", "campaign"])
    found["submitted_at"] = pd.to_datetime(found["submitted_at"]).dt.tz_localize("Asia/Shanghai")
    return found.assign(**({"message_id": range(len(found)), "status": "delivered"} | columns))


def said(messages: pd.DataFrame, *answers: tuple[int, str | None]) -> pd.DataFrame:
    """Return replies a minute after the messages with these ids."""
    at = messages.set_index("message_id")["submitted_at"]
    rows = [(one, "x", "T", at[one] + pd.Timedelta("1min"), kind) for one, kind in answers]
    return pd.DataFrame(rows, columns=["message_id", "phone", "content", "sent_at", "opt_out"])


def test_what_a_number_had_in_the_window_before_is_counted() -> None:
    """Three messages in ten days and one five weeks later: 0, 1, 2 before, and 0 again; the same number in any form."""
    messages = sent(
        ("13800000001", "2026-01-01", "a"), ("+86 138 0000 0001", "2026-01-05", "b"), ("13800000001", "2026-01-10", "c"),
        ("13800000001", "2026-02-15", "d"),
    )  # fmt: skip
    found: Any = mas.fatigue(messages, uplinks=said(messages, (2, "opt_out"), (1, None)))

    columns = ["received", "messages", "delivered", "answered_delivered", "opt_outs"]
    assert found[columns].values.tolist() == [[0, 2, 2, 0, 0], [1, 1, 1, 1, 0], [2, 1, 1, 1, 1]]
    assert mas.fatigue(messages, "4d", uplinks=said(messages))["received"].tolist() == [0, 1]
    assert mas.fatigue(messages, max=1, uplinks=said(messages))["messages"].tolist() == [2, 2]


def test_a_filter_narrows_what_is_looked_at_and_not_what_came_before() -> None:
    """Campaign b alone: its only message had one before it."""
    messages = sent(("13800000001", "2026-01-01", "a"), ("13800000001", "2026-01-05", "b"))
    found: Any = mas.fatigue(messages, uplinks=said(messages), campaign="b")

    assert found[["received", "messages"]].values.tolist() == [[1, 1]]


def test_the_ratio_compares_within_campaigns() -> None:
    """Ten opt out of 100 in each cell of one campaign, twenty in another: a text that annoys is not fatigue, and the ratio is 1."""
    people = [f"138{number:08d}" for number in range(400)]
    first = sent(*((one, "2026-01-01", "warm-up") for one in people[:200]))
    rounds = [*((one, "2026-01-10", "mild") for one in [*people[:50], *people[200:350]])]
    rounds += [*((one, "2026-01-10", "harsh") for one in [*people[50:200], *people[350:]])]
    messages = pd.concat([first, sent(*rounds)], ignore_index=True).assign(message_id=range(600))
    # One in ten of "mild", one in five of "harsh", of those with a message before as of those without.
    out = [*range(200, 205), *range(250, 265), *range(400, 430), *range(550, 560)]
    found: Any = mas.fatigue(messages, uplinks=said(messages, *((one, "opt_out") for one in out))).set_index("received")

    assert found.loc[1, "opt_out_rate"] == pytest.approx(35 / 200)
    assert found.loc[1, "opt_out_ratio"] == pytest.approx(1.0)
    assert found.loc[1, "ratio_low"] < 1 < found.loc[1, "ratio_high"]
    assert np.isnan(found.loc[0, "opt_out_ratio"])


def test_a_world_in_which_opt_outs_double_is_recovered() -> None:
    """Each campaign goes to a random half; of each message 0.4 % times 2 to the power of those before opt out, and leave."""
    rng = np.random.default_rng(5)
    people, rows, out = np.arange(30_000), [], []
    received, gone = np.zeros(len(people), dtype=int), np.zeros(len(people), dtype=bool)
    for campaign in range(4):
        chosen = np.flatnonzero(~gone & (rng.random(len(people)) < 0.5))
        stops = rng.random(len(chosen)) < 0.004 * 2.0 ** received[chosen]
        rows.append(
            pd.DataFrame(
                {
                    "phone": [f"138{one:08d}" for one in chosen],
                    "campaign": f"c{campaign}",
                    "submitted_at": pd.Timestamp("2026-01-01", tz="Asia/Shanghai") + pd.Timedelta(days=campaign),
                }
            )
        )
        out.append(stops)
        received[chosen] += 1
        gone[chosen[stops]] = True
    messages = pd.concat(rows, ignore_index=True).assign(status="delivered", message_id=lambda frame: range(len(frame)))
    answers = said(messages, *((int(one), "opt_out") for one in np.flatnonzero(np.concatenate(out))))
    found: Any = mas.fatigue(messages, uplinks=answers).set_index("received")

    for before in (1, 2, 3):
        assert found.loc[before, "ratio_low"] < 2**before < found.loc[before, "ratio_high"]
    assert found.loc[2, "ratio_low"] > 2
    assert "who did not opt out" in mas.notes_of(found, "en")[0]


def test_nothing_and_nonsense() -> None:
    """No messages are no rows, and a chart that says so; a max that is none is refused."""
    messages = sent(("13800000001", "2026-01-01", "a"))
    nothing = mas.fatigue(messages.iloc[:0], uplinks=said(messages))
    ax = mas.plot.fatigue(nothing, language="en")

    assert len(nothing) == 0
    assert "No messages to show" in [text.get_text() for text in ax.texts]
    with pytest.raises(mas.InputError, match="whole number from 1 up"):
        mas.fatigue(messages, max=0, uplinks=said(messages))
    plt.close("all")


def test_open_messages_are_left_out() -> None:
    """A message pending for an hour is no row yet, and is said."""
    messages = sent(("13800000001", "2026-01-01", "a"), ("13800000002", "2026-01-01", "a"))
    messages = messages.assign(status=["delivered", "pending"], waited_s=3600)
    found: Any = mas.fatigue(messages, uplinks=said(messages))

    assert found["messages"].tolist() == [1]
    assert mas.notes_of(found, "en")[0] == "1 message is still open and left out"


ENGINES = [as_duckdb, as_lazy_polars, as_polars, as_arrow]
STATUSES = ["delivered", "delivered", "failed", "pending", "rejected", None]
SECONDS = [0, 0, 1, 59, 60, 61, 119, 120, 121, None]
"""Around the edges of a window of a minute; None is a message without a time."""
messages_of_few = st.lists(
    st.tuples(
        st.sampled_from(["13800000001", "13800000002", "138~kwx", None]), st.sampled_from(SECONDS), st.sampled_from(STATUSES),
        st.sampled_from(["a", "b", None]), st.sampled_from(["", "2", None]), st.sampled_from([60, 300_000, None]),
        st.sampled_from(["", "", "", "answered", "opt_out"]),
    ),
    min_size=1, max_size=25,
)  # fmt: skip


def history(rows: list[tuple[Any, ...]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return messages and replies from (number, second, status, campaign, round, waited, answer)."""
    texts = ("phone", "status", "campaign", "round")
    columns = dict(
        zip(("phone", "at", "status", "campaign", "round", "waited_s", "answer"), zip(*rows, strict=True), strict=True)
    )
    start, answers = pd.Timestamp("2026-01-01", tz="Asia/Shanghai"), columns["answer"]
    messages = pd.DataFrame({name: pd.Series(columns[name], dtype="str") for name in texts}).assign(
        message_id=range(len(rows)),
        submitted_at=start + pd.to_timedelta(pd.Series(columns["at"], dtype="float"), unit="s").dt.as_unit("ms"),
        waited_s=pd.array(columns["waited_s"], dtype="Int64"),
    )
    said = [
        (number, "x", "T", start + pd.Timedelta("1h"), "opt_out" if kind == "opt_out" else None)
        for number, kind in enumerate(answers)
        if kind and columns["at"][number] is not None
    ]
    return messages, pd.DataFrame(said, columns=["message_id", "phone", "content", "sent_at", "opt_out"])


def by_hand(messages: pd.DataFrame, window: int) -> dict[int, int]:
    """Return how many messages have how many before them, each looked at by itself."""
    at = messages["submitted_at"]
    accepted = messages[
        messages["status"].isin(["delivered", "failed", "pending"]) & messages["phone"].notna() & at.notna()
    ]
    found: dict[int, int] = {}
    for _, one in accepted.iterrows():
        gap = (one["submitted_at"] - accepted["submitted_at"]).dt.total_seconds()
        before = min(int(((accepted["phone"] == one["phone"]) & (gap > 0) & (gap <= window)).sum()), 3)
        if one["status"] != "pending" or (pd.notna(one["waited_s"]) and one["waited_s"] >= 259_200):
            found[before] = found.get(before, 0) + 1
    return found


@settings(max_examples=examples(24), deadline=None)
@given(messages_of_few, st.sampled_from([{}, {"campaign": "a"}, {"round": ["2", None]}, {"since": "2026-01-01 00:01"}]))
def test_engines_count_as_one_counts_by_hand(rows: list[tuple[Any, ...]], where: dict[str, Any]) -> None:
    """Messages of the same second, at the very edges of the window, without a time, a campaign or a number."""
    one_of_each = ("13800000003", 0, "delivered", "a", "2", None, "")  # what nobody has cannot be asked for
    messages, answers = history([*rows, one_of_each])
    wanted: Any = mas.fatigue(messages, "1min", max=3, uplinks=answers, **where)
    if not where:
        assert dict(zip(wanted["received"], wanted["messages"], strict=True)) == by_hand(messages, 60)

    for made in (as_duckdb, as_lazy_polars):
        found = mas.fatigue(made(messages), "1min", max=3, uplinks=answers, **where)
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
        assert mas.notes_of(found) == mas.notes_of(wanted)


def many_to_few(n: int) -> pd.DataFrame:
    """Messages of eight campaigns in forty days to a hundred numbers, several in the same second."""
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "message_id": range(n),
            "phone": pd.Series([f"138{one:08d}" for one in rng.integers(0, 100, n)], dtype="str"),
            "status": pd.Series(rng.choice(["delivered", "failed"], n, p=[0.9, 0.1]), dtype="str"),
            "campaign": pd.Series(rng.choice(list("abcdefgh"), n), dtype="str"),
            "submitted_at": pd.Timestamp("2026-01-01", tz="Asia/Shanghai")
            + pd.to_timedelta(rng.integers(0, 40, n), unit="D"),
        }
    )


@pytest.mark.parametrize("made", ENGINES)
def test_engines_count_where_the_data_is(made: Any, travelled: list[int]) -> None:
    """A row a number of messages before travels, one a round, and the answered messages, but no other; Arrow has no windows."""
    messages = many_to_few(3_000)
    answers = said(messages, *((one, "opt_out" if one % 3 else None) for one in range(0, 3_000, 40)))
    found = mas.fatigue(made(messages), "10d", uplinks=answers)

    pd.testing.assert_frame_equal(found, mas.fatigue(messages, "10d", uplinks=answers), check_exact=True)
    assert found["opt_out_ratio"].notna().any()
    assert (max(travelled) < 100) == (made is not as_arrow)


def test_numbers_spelled_in_several_ways_are_one_person() -> None:
    """As in pandas: the engine does not know, so its messages are read one by one; masked ones are refused."""
    messages = sent(("13800000001", "2026-01-01", "a"), ("+86 138 0000 0001", "2026-01-05", "b"))

    assert mas.fatigue(as_lazy_polars(messages), uplinks=said(messages))["received"].tolist() == [0, 1]
    with pytest.raises(mas.InputError, match="masked"):
        mas.fatigue(as_duckdb(messages.assign(phone="138****0001")), uplinks=said(messages))
