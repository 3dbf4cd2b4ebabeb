"""Caps: how many messages somebody gets in how long, of all campaigns of a store; looked at when planned and when claimed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError
from masanalytics.sending import SendResult
from masanalytics.simulator import Scripted, Simulator

COUNTS = ("accepted", "rejected", "unknown", "not_sent", "already_sent", "opted_out", "left_to_another_run", "held")
DAY_S = 86_400
A, B, C, D = "13800138000", "13900139000", "13700137000", "13600136000"


def table(*phones: str, **columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({"p": list(phones), **columns})


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(https=False, clock=clock, behaviour=Scripted(default=None)) as platform:
        yield platform


def planned(store: mas.Store | None, df: pd.DataFrame, campaign: str, **more: Any) -> mas.Plan:
    return mas.plan(df, phone="p", text=campaign, campaign=campaign, store=store, **more)


def go(plan: mas.Plan, sim: Simulator, store: mas.Store, *, cap: Any = None, **more: Any) -> SendResult:
    with mas.Client(sim.account(cap=cap), clock=store.clock) as client:
        result = mas.send(plan, client, store, progress=False, **more)
    assert sum(getattr(result, name) for name in COUNTS) == result.planned
    return result


def got(sim: Simulator) -> list[tuple[str, str]]:
    return sorted((one.phone, one.content.partition("】")[2] or one.content) for one in sim.messages)


def test_who_has_had_enough_is_left_out_with_what_came_last(
    sim: Simulator, store: mas.Store, clock: ManualClock
) -> None:
    """All campaigns and rounds count, for so long; the plan says of which campaign the last one was, and when."""
    go(planned(store, table(A, B), "one"), sim, store)
    clock.sleep(DAY_S)
    go(planned(store, table(A), "two"), sim, store)
    made = planned(store, table(A, B, C), "three", cap=(2, "7d"))

    assert made.messages["phone"].tolist() == [B, C]
    [row] = made.excluded.to_dict("records")
    assert (row["phone"], row["reason"], row["last_campaign"]) == (A, "over_cap", "two")
    assert row["last_sent_at"] == pd.Timestamp("2026-01-02 08:00", tz="Asia/Shanghai")
    assert "cap: at most 2 in 7 d" in made.text()
    assert "已达到频次上限" in made.text("zh")
    clock.sleep(6 * DAY_S + 1)
    assert len(planned(store, table(A, B, C), "three", cap="2/7d")) == 3


def test_two_campaigns_planned_before_either_is_sent(sim: Simulator, store: mas.Store, clock: ManualClock) -> None:
    """The second send holds who got the first one meanwhile; sent again when that is long enough ago, it reaches them once."""
    first = planned(store, table(A, B), "one", cap=(1, "7d"))
    second = planned(store, table(B, C), "two", cap=(1, "7d"))
    assert (len(first), len(second), go(first, sim, store).accepted) == (2, 2, 2)

    held = go(second, sim, store)
    assert (held.accepted, dict(held.held_because), held.ok) == (1, {"cap": 1}, False)
    assert "1 message is held by the cap (at most 1 in 7 d)" in held.text()
    assert store.messages("two").set_index("phone")["status"].to_dict() == {B: "planned", C: "pending"}
    again = go(second, sim, store)
    assert (again.accepted, again.already_sent, again.held, again.requests) == (0, 1, 1, 0)
    clock.sleep(7 * DAY_S + 1)
    late = go(second, sim, store)
    assert (late.accepted, late.already_sent, late.held, late.ok) == (1, 1, 0, True)
    assert got(sim) == [(C, "two"), (A, "one"), (B, "one"), (B, "two")]


def test_what_may_have_been_taken_counts_and_what_was_not_does_not(sim: Simulator, store: mas.Store) -> None:
    """A lost answer counts; said to be not sent it does not."""
    sim.fault("drop_after", endpoint="submit", times=1)
    go(planned(store, table(A), "lost"), sim, store)
    assert len(planned(store, table(A), "next", cap=(1, "7d"))) == 0
    store.settle(int(store.batches(state="unknown")["batch_id"][0]), "not_sent")
    assert len(planned(store, table(A), "next", cap=(1, "7d"))) == 1


def test_a_plan_whose_cap_has_room_again_is_not_done(sim: Simulator, store: mas.Store, clock: ManualClock) -> None:
    """Who was over the cap when the plan was made, and is not any more, is named: planned again, they are reached."""
    go(planned(store, table(A), "one"), sim, store)
    made = planned(store, table(A, B), "two", cap=(1, "7d"))
    early = go(made, sim, store)
    clock.sleep(7 * DAY_S + 1)
    late = go(made, sim, store)

    assert (early.accepted, early.reopened, early.ok, early.left_out) == (1, 0, True, {"over_cap": 1})
    assert (late.accepted, late.reopened, late.ok) == (0, 1, False)
    assert go(planned(store, table(A, B), "two", cap=(1, "7d")), sim, store).ok


def test_transactional_messages_and_proofs_do_not_count(sim: Simulator, store: mas.Store) -> None:
    """A code that somebody waits for is held by no cap, the account's neither, and takes no place from a campaign."""
    go(planned(store, table(A), "code 1", transactional=True), sim, store)
    go(planned(store, table(A), "news"), sim, store, to=[A])
    assert len(planned(store, table(A), "news", cap=(1, "7d"))) == 1
    go(planned(store, table(A), "news", cap=(1, "7d")), sim, store)

    account = sim.account(cap=(1, "7d"))
    code = planned(store, table(A), "code 2", transactional=True, account=account)
    assert (len(code), go(code, sim, store, cap=(1, "7d")).ok) == (1, True)


def test_an_accounts_cap_is_the_default(sim: Simulator, store: mas.Store) -> None:
    """A plan for the account has its cap, one made without it is held to it when it is sent; its own word wins."""
    go(planned(store, table(A), "one"), sim, store)
    account = sim.account(cap="1/7d")

    assert len(planned(store, table(A), "two", account=account)) == 0
    assert len(planned(store, table(A), "two", account=account, cap=(2, "7d"))) == 1
    assert dict(go(planned(None, table(A, B), "two"), sim, store, cap="1/7d").held_because) == {"cap": 1}


def test_all_numbers_of_a_person_count_together(sim: Simulator, store: mas.Store) -> None:
    """With cap_by= a second number gets nothing where the first one has had it, when planned and when sent."""
    go(planned(store, table(A, D), "one"), sim, store)
    df = table(A, B, C, D, who=["x", "x", None, " y"])
    made = planned(store, df, "two", cap=(1, "7d"), cap_by="who")

    assert made.messages["phone"].tolist() == [C]
    assert made.excluded[["phone", "reason", "last_campaign"]].to_numpy().tolist() == [
        [A, "over_cap", "one"], [B, "over_cap", "one"], [D, "over_cap", "one"],
    ]  # fmt: skip
    bare = planned(None, table(A, B, C, who=["x", "x", "z"]), "two", cap=(2, "7d"), cap_by="who")
    result = go(bare, sim, store)
    assert (len(bare), result.accepted, dict(result.held_because)) == (3, 2, {"cap": 1})
    assert [phone for phone, text in got(sim) if text == "two"] == [C, A]


def test_the_rows_of_a_plan_count_too(sim: Simulator, store: mas.Store) -> None:
    """With a key a number stands in several rows: the first ones have their place, the others none, and no earlier campaign."""
    df = table(A, A, A, B, order=["1", "2", "3", "4"])
    made = planned(store, df, "orders", key="order", cap=(2, "1d"))

    assert made.messages["key"].tolist() == ["1", "2", "4"]
    [row] = made.excluded.to_dict("records")
    assert (row["position"], row["reason"]) == (2, "over_cap")
    assert (pd.isna(row["last_campaign"]), pd.isna(row["last_sent_at"])) == (True, True)
    assert go(made, sim, store).ok


def test_opt_outs_and_caps_are_each_called_what_they_are(sim: Simulator, store: mas.Store) -> None:
    """Who opted out is so called, cap or not; who has had this round is called so before the cap is asked."""
    go(planned(store, table(A, B), "one"), sim, store)
    store.opt_out([A])
    made = planned(store, table(A, B, C), "one", cap=(1, "7d"))
    other = planned(store, table(A, B, C), "two", cap=(1, "7d"))
    assert made.excluded["reason"].tolist() == ["opted_out", "already_sent"]
    assert other.excluded["reason"].tolist() == ["opted_out", "over_cap"]


def test_a_forgotten_person_is_still_protected(sim: Simulator, store: mas.Store) -> None:
    """What somebody got before being forgotten counts, by the salted hash of the number."""
    go(planned(store, table(A, B), "one"), sim, store)
    store.forget(before="2027-01-01", force=True)
    assert planned(store, table(A, C), "two", cap=(1, "7d")).excluded["reason"].tolist() == ["over_cap"]


def test_a_limit_counts_those_that_may_go(sim: Simulator, store: mas.Store) -> None:
    """Who is over the cap takes no place of a limit."""
    go(planned(store, table(A, B), "one"), sim, store)
    result = go(planned(None, table(A, B, C, D), "two", cap=(1, "7d")), sim, store, limit=1)
    assert (result.accepted, dict(result.held_because)) == (1, {"cap": 2, "limit": 1})


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"cap": (2, "soon")}, "'soon' is not a length of time"),
        ({"cap": (2, "7")}, "a length of time without a unit"),
        ({"cap": 2}, "cap=2: say how many messages in how long"),
        ({"cap": (0, "7d")}, "cap="),
        ({"cap": (2, "7d"), "cap_by": "persn"}, "no column 'persn'"),
        ({"cap_by": "who"}, "there is no cap"),
        ({"cap": (2, "7d"), "transactional": True}, "held by no cap"),
        ({"transactional": "yes"}, "transactional='yes'"),
    ],
)
def test_what_makes_no_sense_is_named(more: dict[str, Any], why: str) -> None:
    """Each wrong argument is an error before a row is looked at."""
    with pytest.raises(InputError, match=why):
        planned(None, table(A, who=["x"]), "c", **more)


def test_the_list_for_its_owner_says_what_came_last(sim: Simulator, store: mas.Store, tmp_path: Path) -> None:
    """The sheet of rows left out has the two columns where somebody is over the cap, and not otherwise."""
    go(planned(store, table(A), "one"), sim, store)
    without = planned(store, table("x"), "two").excluded_to_excel(tmp_path / "a.csv")
    with_cap = planned(store, table(A), "two", cap=(1, "7d")).excluded_to_excel(tmp_path / "b.csv")
    assert list(mas.read_sheet(without).columns) == ["row", "position", "phone", "reason", "meaning"]
    assert list(mas.read_sheet(with_cap).columns)[5:] == ["last campaign", "last sent at"]


@pytest.mark.parametrize("polls", [True, False])
def test_a_clock_that_is_weeks_ahead_lets_nobody_get_more(
    sim: Simulator, store: mas.Store, clock: ManualClock, polls: bool
) -> None:
    """Once the platform has said what time it is, what was sent yesterday was sent yesterday."""
    go(planned(store, table(A, B), "one"), sim, store)
    clock.sleep(DAY_S)
    ahead = ManualClock(start=clock.now() + 40 * DAY_S)
    with mas.Store(store.path, clock=ahead) as late, mas.Client(sim.account(), clock=ahead) as client:
        if polls:
            mas.Collector(client, late, say=lambda _text: None).collect()
        else:
            mas.send(planned(late, table(D), "warm-up"), client, late, progress=False)
        made = planned(late, table(A, B, C), "two", cap=(1, "7d"))
        assert made.messages["phone"].tolist() == [C]
        assert mas.send(made, client, late, progress=False).accepted == 1
        assert planned(late, table(C), "three", cap=(1, "7d")).excluded["reason"].tolist() == ["over_cap"]
    with mas.Store(store.path, clock=clock) as right:  # the clock is set right: only what was sent lately counts
        clock.sleep(7 * DAY_S + 1)
        assert len(planned(right, table(A, B, C), "four", cap=(1, "7d"))) == 3
