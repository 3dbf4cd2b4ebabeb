"""Silent arms: people who get nothing, who are remembered, and who are left out of other campaigns for a while."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import masanalytics as mas
from masanalytics.analysis import notes_of
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError
from masanalytics.simulator import Scripted, Simulator

DAY = 86_400


def people(count: int, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"p": [f"138{n:08d}" for n in range(count)]}).assign(**columns)


def split_of(count: int, **columns: Any) -> pd.DataFrame:
    return mas.split(people(count, **columns), {"A": 0.4, "B": 0.4, "hold": 0.2}, silent=["hold"], seed=4)


def asked(campaign: str = "c", **more: Any) -> dict[str, Any]:
    return {"phone": "p", "text": "您好", "campaign": campaign} | more


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(https=False, clock=clock, behaviour=Scripted(default=None)) as platform:
        yield platform


def go(sim: Simulator, store: mas.Store, plan: mas.Plan, **more: Any) -> mas.SendResult:
    with mas.Client(sim.account(), clock=store.clock) as client:
        return mas.send(plan, client, store, progress=False, **more)


def reasons(plan: mas.Plan) -> dict[str, int]:
    return dict(Counter(plan.excluded["reason"].tolist()))


def closed(result: mas.SendResult) -> int:
    """Return the sum of everything that can have become of a planned message."""
    return (
        result.accepted + result.rejected + result.unknown + result.not_sent + result.already_sent + result.opted_out
        + result.held_out + result.left_to_another_run + result.held
    )  # fmt: skip


def test_a_split_says_who_gets_nothing() -> None:
    """A column that survives every file, and the shares of all arms."""
    arms = split_of(100)

    assert arms.loc[arms["held_out"], "arm"].tolist() == ["hold"] * 20
    assert list(arms.columns) == ["p", "arm", "held_out"]
    assert arms.attrs["shares"] == pytest.approx({"A": 0.4, "B": 0.4, "hold": 0.2})
    assert "held_out" not in mas.split(people(10), ["A", "B"], seed=1)
    for wrong in (["C"], ["A", "B"]):
        with pytest.raises(InputError, match="silent="):
            mas.split(people(10), ["A", "B"], silent=wrong, seed=1)


@pytest.mark.parametrize("words", [(True, False), ("TRUE", "FALSE"), ("是", "否"), (1.0, 0.0), ("1", None)])
def test_a_plan_leaves_silent_arms_out_however_the_sheet_says_it(words: tuple[Any, Any]) -> None:
    """The column may come back from a file; a word that is neither is refused with its row."""
    arms = split_of(50)
    told = arms.assign(held_out=pd.Series([words[0] if one else words[1] for one in arms["held_out"]], dtype=object))

    plan = mas.plan(told, **asked(text={"A": "甲", "B": "乙"}))

    assert (len(plan), reasons(plan), len(plan.held_out or ())) == (40, {"held_out": 10}, 10)
    assert set(plan.batches["arm"]) == {"A", "B"}
    assert "10 people get nothing, and nothing of other campaigns for 7 d after sending" in plan.text("en")
    with pytest.raises(InputError, match="row 3: column 'held_out' holds 'maybe'"):
        mas.plan(told.assign(held_out=[*"111", "maybe", *["0"] * 46]), **asked(text={"A": "甲", "B": "乙"}))


def test_polars_frames_keep_their_silent_arm() -> None:
    """The column goes along where attributes do not."""
    plan = mas.plan(pl.from_pandas(split_of(50)), **asked())

    assert (len(plan), reasons(plan)) == (40, {"held_out": 10})
    assert plan.held_out is not None
    assert plan.held_out.shares == {}


def test_who_would_not_have_got_it_is_in_no_arm() -> None:
    """A missing value, a landline, an opt-out and a double leave people out of the silent arm as of the others."""
    arms = pd.DataFrame(
        {
            "p": ["13800000001", "13800000002", "010-66668888", "13800000003", "13800000003"],
            "name": ["甲", None, "丙", "丁", "丁"],
            "arm": ["hold"] * 4 + ["A"],
            "held_out": [True] * 4 + [False],
        }
    )
    with mas.Store(":memory:") as store:
        store.opt_out(["13800000001"])
        plan = mas.plan(arms, **asked(text={"A": "{name}，您好"}, store=store))

    assert reasons(plan) == {"opted_out": 1, "missing_value": 1, "landline": 1, "held_out": 1, "duplicate": 1}
    assert plan.held_out is not None
    assert plan.held_out.numbers.tolist() == [13800000003]


def test_one_person_is_in_one_arm() -> None:
    """Two orders of one customer, one of them held out, would be told all the same."""
    arms = people(1).loc[[0, 0]].assign(order=["1", "2"], arm=["A", "hold"], held_out=[False, True])

    with pytest.raises(InputError, match=r"138\*\*\*\*0000 is in a silent arm \(row 0\) and gets a message"):
        mas.plan(arms, **asked(key="order"))


def test_silent_people_are_remembered_and_never_written_to(sim: Simulator, store: mas.Store) -> None:
    """The account of every run is closed; the same cell again, and a plan that has lost the column, tell nobody."""
    plan = mas.plan(split_of(100), **asked(store=store))

    first = go(sim, store, plan)
    again = go(sim, store, plan)

    assert (first.planned, first.accepted, closed(first), first.silent, first.ok) == (80, 80, 80, 20, True)
    assert (again.already_sent, closed(again), again.ok) == (80, 80, True)
    held = store.held_out("c")
    assert held["arm"].tolist() == ["hold"] * 20
    assert (held["until"] - held["held_at"]).dt.total_seconds().tolist() == [7 * DAY] * 20
    lost = mas.plan(people(100), **asked(store=store))
    assert reasons(lost) == {"already_sent": 80, "held_out": 20}
    blind = go(sim, store, mas.plan(people(100), **asked()))
    assert (blind.already_sent, blind.held_out, closed(blind)) == (80, 20, 100)
    assert set(held["phone"]).isdisjoint(store.messages()["phone"])
    rows = mas.outcomes(people(100), store, phone="p", campaign="c", language="en")
    assert rows["excluded_because"].value_counts().tolist() == [20]
    assert "in a silent arm of c" in store.history(held["phone"][0]).text("en")


def test_other_campaigns_leave_them_out_for_a_while(sim: Simulator, store: mas.Store) -> None:
    """A plan says how many; codes and orders go to everybody; after `until` everybody is written to again."""
    go(sim, store, mas.plan(split_of(50), **asked(store=store, until="2d")))

    assert reasons(mas.plan(people(50), **asked("d", store=store))) == {"held_elsewhere": 10}
    assert reasons(mas.plan(people(50), **asked("codes", store=store, transactional=True))) == {}
    before = mas.plan(people(50), **asked("planned before"))
    result = go(sim, store, before)
    assert (result.planned, result.accepted, result.held_out, closed(result), result.ok) == (50, 40, 10, 50, True)
    assert "10 in a silent arm of another campaign" in result.text("en")
    store.clock.sleep(2 * DAY + 1)
    assert reasons(mas.plan(people(50), **asked("e", store=store))) == {}
    assert go(sim, store, before).accepted == 10


def test_a_limit_counts_those_who_can_get_it(sim: Simulator, store: mas.Store) -> None:
    """Of 50 planned, 10 are held elsewhere: the first 20 that can go do, then the other 20."""
    go(sim, store, mas.plan(split_of(50), **asked(store=store)))
    other = mas.plan(people(50), **asked("d"))

    parts = [go(sim, store, other, limit=20) for _ in range(2)]

    assert [(part.accepted, part.already_sent, part.held_out, part.held, closed(part)) for part in parts] == [
        (20, 0, 10, 20, 50), (20, 20, 10, 0, 50),
    ]  # fmt: skip


def test_until_is_a_length_or_a_day() -> None:
    """What is neither is refused."""
    day = mas.plan(split_of(10), **asked(until="2026-04-01"))

    assert "until 2026-04-01 00:00" in day.text("en")
    with pytest.raises(InputError, match="until='soon'"):
        mas.plan(split_of(10), **asked(until="soon"))
    with pytest.raises(InputError, match="until='soon'"):  # also where nobody is held out
        mas.plan(pd.DataFrame({"phone": ["13800138000"]}), phone="phone", text="x", campaign="c", until="soon")


def test_a_store_knows_what_shares_the_arms_were_meant_to_have(sim: Simulator, store: mas.Store) -> None:
    """A third of arm A lost before planning is noted by `compare` and `replies` without shares=."""
    arms = split_of(3000)
    kept = arms.drop(arms[arms["arm"] == "A"].index[::3])
    go(sim, store, mas.plan(kept, **asked(store=store)))

    compared = mas.compare(store, "arm", "A", "B")
    answered = mas.replies(store, "arm")

    for found in (compared, answered):
        assert found.attrs["sample_ratio"]["counts"] == {"A": 800, "B": 1200}
        assert found.attrs["sample_ratio"]["shares"] == {"A": 0.5, "B": 0.5}
        assert any(note.startswith("A has 800 of 2,000 messages where ") for note in notes_of(found, "en"))
    go(sim, store, mas.plan(people(10, arm=["A", "B"] * 5), **asked("other")))
    assert "sample_ratio" not in mas.compare(store, "arm", "A", "B").attrs
    assert "sample_ratio" in mas.compare(store, "arm", "A", "B", campaign="c").attrs


def test_forgetting_leaves_no_number_of_a_silent_arm(tmp_path: Path, sim: Simulator, clock: ManualClock) -> None:
    """By age, and by wish; who was forgotten still gets nothing of the round."""
    path = tmp_path / "mas.db"
    with mas.Store(path, clock=clock) as store:
        go(sim, store, mas.plan(split_of(50), **asked(store=store)))
        numbers = store.held_out()["phone"].tolist()
        store.forget(phones=numbers[:1], force=True)
        assert store.held_out()["phone"].str.contains("~").sum() == 1
        store.clock.sleep(8 * DAY)
        store.forget(before="1h", force=True)
        assert store.held_out()["phone"].str.contains("~").all()
        assert reasons(mas.plan(people(50), **asked(store=store))) == {
            "already_sent": 40,
            "held_out": 9,
            "opted_out": 1,
        }
    content = path.read_bytes()
    assert not [number for number in numbers if number.encode() in content]


def test_a_proof_holds_nobody_out(sim: Simulator, store: mas.Store) -> None:
    """It is sent to numbers of one's own, and the campaign has not begun."""
    go(sim, store, mas.plan(split_of(10), **asked(store=store)), to=["13900000000"])

    assert store.held_out().empty
