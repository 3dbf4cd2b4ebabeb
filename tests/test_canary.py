"""The canary is a state of the round: until its own reports look normal nothing else of the round leaves, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError
from masanalytics.planning import Limits
from masanalytics.sending import SendResult
from masanalytics.simulator import Scripted, Simulator, Style

SILENT = Scripted(default=None)
FAILING = Scripted(default=("MK:0001", 0.0))
NORMAL = Scripted(default=("DELIVRD", 0.0))
PEOPLE = pd.DataFrame({"p": [str(13_800_000_000 + n) for n in range(1000)]})
PLANNING: dict[str, Any] = {"phone": "p", "text": "hi", "campaign": "C", "limits": Limits(many_to_one=100)}
SOON = mas.Canary(50, timeout_s=0.2)


def platform(behaviour: Scripted = SILENT, **more: Any) -> Simulator:
    return Simulator(https=False, poll_interval=0, behaviour=behaviour, **more)


@pytest.fixture
def store() -> Iterator[mas.Store]:
    with mas.Store(":memory:") as kept:
        yield kept


def go(sim: Simulator, store: mas.Store, work: Any = PEOPLE, **more: Any) -> SendResult:
    given = {} if isinstance(work, mas.Plan) else PLANNING
    with sim.client() as client:
        return mas.send(work, client, store, progress=False, **(given | more))


@pytest.mark.parametrize(
    ("fault", "behaviour", "counted", "code"),
    [
        ("drop_after", SILENT, {"unknown": 50}, "canary_not_taken"),
        ("too_soon", SILENT, {"rejected": 50}, "canary_not_taken"),
        (None, SILENT, {"accepted": 50}, "canary_silent"),
        (None, FAILING, {"accepted": 50}, "canary_failed"),
    ],
)
def test_a_canary_that_is_not_normal_holds_the_rest_of_the_round(
    store: mas.Store, fault: str | None, behaviour: Scripted, counted: dict[str, int], code: str
) -> None:
    """Unknown, rejected, silent, failed: at most 50 leave, with a plan, a frame, without the argument, with a limit."""
    with platform(behaviour, style=Style(too_soon='{"rspcod":"InvalidMessage","success":false}')) as sim:
        plan = mas.plan(PEOPLE, store=store, **PLANNING)
        if fault is not None:
            sim.fault(fault, endpoint="submit", times=1)
        first = go(sim, store, plan, canary=SOON if behaviour is SILENT else 50)
        taken = sim.counts["accepted"]
        later = [go(sim, store, plan), go(sim, store), go(sim, store, limit=30), go(sim, store, plan, canary=1000)]

        assert {name: getattr(first, name) for name in counted} == counted
        assert (first.held_because, first.ok, first.stopped and first.stopped.code) == ({"canary": 950}, False, code)
        assert taken in (0, 50)
        assert sim.counts["accepted"] <= 50
        assert all(not result.ok and set(result.held_because) == {"canary"} for result in later)


def test_only_the_users_word_lets_the_rest_go(store: mas.Store) -> None:
    """The stop names the word; with it everybody gets the campaign once."""
    with platform(FAILING) as sim:
        stopped = go(sim, store, canary=50)
        released = go(sim, store, canary="go on")
        again = go(sim, store, canary="go on")

        assert "canary='go on'" in stopped.stopped_because
        assert (released.accepted, released.ok, again.planned) == (950, True, 0)
        assert set(sim.accepted.values()) == {1}


def test_the_word_may_be_said_to_the_store(store: mas.Store) -> None:
    """`Store.release` is the same word; a round that nobody knows is named."""
    with platform() as sim:
        go(sim, store, canary=SOON, round="2")

        with pytest.raises(InputError, match="no round ''"):
            store.release("C")
        assert [store.release("C", "2"), store.release("C", "2")] == [True, False]
        assert go(sim, store, round="2").accepted == 950


def test_a_normal_canary_lets_the_rest_go_at_once_and_for_ever(store: mas.Store) -> None:
    """Judged normal by its reports, in this call or a later one; people who come later need no other canary."""
    with platform(NORMAL) as sim:
        first = go(sim, store, PEOPLE.head(600), canary=50)
        later = go(sim, store)

        assert (first.accepted, first.ok, later.accepted) == (600, True, 400)
        assert store.batches()["canary"].sum() == 1


def test_a_canary_that_was_silent_is_judged_by_the_reports_that_came_since(store: mas.Store) -> None:
    """The reports were collected elsewhere: the next run needs neither argument nor waiting."""
    behaviour = Scripted(default=("DELIVRD", 1.0))
    with platform(behaviour) as sim, sim.client() as client:
        first = go(sim, store, canary=mas.Canary(50, timeout_s=0))
        mas.Collector(client, store, say=lambda _text: None).wait(until=1.0, timeout=30, progress=False)
        second = go(sim, store)

        assert (first.accepted, first.held, second.accepted, second.ok) == (50, 950, 950, True)


def test_a_rejected_canary_is_tried_again_before_all_others(store: mas.Store) -> None:
    """What was rejected may go again, as the canary it was: the text was mended, and its reports look normal."""
    with platform(NORMAL, style=Style(too_soon='{"rspcod":"InvalidMessage","success":false}')) as sim:
        sim.fault("too_soon", endpoint="submit", times=1)
        first = go(sim, store, canary=50)
        second = go(sim, store, canary=50, text="mended")

        assert (first.rejected, second.accepted, second.ok) == (50, 1000, True)
        assert store.batches().query("canary == 1")["content"].tolist() == ["hi", "mended"]


def test_a_canary_smaller_than_the_sheet_allows_is_filled_up_first(store: mas.Store) -> None:
    """A limit cuts the canary: the next calls complete it, and nothing else goes before."""
    with platform(SILENT) as sim:
        results = [go(sim, store, limit=20, canary=SOON) for _ in range(4)]

        assert [result.accepted for result in results] == [20, 20, 10, 0]
        assert sim.counts["accepted"] == 50


def test_whoever_had_registered_before_the_canary_claims_nothing_more(store: mas.Store) -> None:
    """A run at work when another begins a canary is held at its next claim."""
    with platform(SILENT) as sim, sim.client() as client:
        real = client.submit

        def submit(*given: Any, **more: Any) -> Any:
            del client.submit
            go(sim, store, canary=SOON)
            return real(*given, **more)

        client.submit = submit
        result = mas.send(PEOPLE, client, store, progress=False, workers=1, **PLANNING)

        assert (result.accepted, result.held_because) == (100, {"canary": 850})
        assert result.already_sent == 50
        assert sim.counts["accepted"] == 150


def test_the_store_knows_the_whole_round_before_the_canary_leaves(store: mas.Store) -> None:
    """Whatever is killed then: nobody who waits for the canary is forgotten."""
    with platform(SILENT) as sim, sim.client() as client:
        real, seen = client.submit, []

        def submit(*given: Any, **more: Any) -> Any:
            seen.append(store.messages("C")["status"].value_counts().to_dict())
            return real(*given, **more)

        client.submit = submit
        mas.send(PEOPLE, client, store, canary=SOON, progress=False, **PLANNING)

        assert seen == [{"planned": 950, "unknown": 50}]


def test_the_canary_of_an_http_account_is_judged_by_pushed_reports(store: mas.Store) -> None:
    """Nothing is polled: what a receiver has written into the store by then counts, and the user's word needs no reports."""
    with platform(SILENT) as sim, mas.Client(sim.account(protocol="http")) as client:
        held = mas.send(PEOPLE, client, store, canary=SOON, progress=False, **PLANNING)
        released = mas.send(PEOPLE, client, store, canary="go on", progress=False, **PLANNING)

        assert (held.accepted, held.held_because, held.stopped and held.stopped.code) == (
            50,
            {"canary": 950},
            "canary_silent",
        )
        assert (released.accepted, released.ok, set(sim.accepted.values())) == (950, True, {1})


def test_a_wrong_word_is_named(store: mas.Store) -> None:
    """Neither a number nor the word: nothing is sent."""
    with platform() as sim, pytest.raises(InputError, match="how many messages go first, or 'go on'"):
        go(sim, store, canary="yes")


def test_whoever_asks_while_the_canary_is_out_takes_over_nothing(clock: ManualClock) -> None:
    """A second run that is held leaves the round to the first, which waits for the reports and sends the rest."""
    behaviour = Scripted(default=("DELIVRD", 30.0))
    with platform(behaviour, clock=clock) as sim, sim.client() as client, mas.Store(":memory:", clock=clock) as store:
        collector, said = mas.Collector(client, store, say=lambda _text: None), list[SendResult]()
        real = collector.collect_if_due

        def collect_if_due() -> Any:
            if not said and len(store.messages(status="pending")):
                said.append(go(sim, store))
            return real()

        collector.collect_if_due = collect_if_due
        first = mas.send(PEOPLE, client, store, canary=50, collector=collector, progress=False, **PLANNING)

        assert [(one.held_because, one.stopped and one.stopped.code) for one in said] == [
            ({"canary": 950}, "canary_not_reported")
        ]
        assert (first.accepted, first.ok, set(sim.accepted.values())) == (1000, True, {1})


def test_who_does_not_wait_says_only_what_is_reported(store: mas.Store) -> None:
    """A run without canary= has waited for nothing, and claims no ten minutes."""
    with platform(SILENT) as sim:
        go(sim, store, canary=SOON)
        later = go(sim, store)

        assert "0 of 50 are reported by now" in later.stopped_because
        assert "after" not in later.stopped_because


def test_a_second_run_waits_for_the_canary_that_the_first_has_on_the_wire(
    store: mas.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is awaited: the run that begins meanwhile does not call it not taken, and takes over nothing."""
    with platform(NORMAL) as sim, sim.client() as client:
        submit, said = client.submit, list[SendResult]()

        def slow(*args: Any, **more: Any) -> Any:
            if not said:
                said.append(go(sim, store))
            return submit(*args, **more)

        monkeypatch.setattr(client, "submit", slow)
        first = mas.send(PEOPLE, client, store, canary=50, progress=False, **PLANNING)

        assert [(one.held_because, one.stopped and one.stopped.code) for one in said] == [
            ({"canary": 950}, "canary_under_way")
        ]
        assert (first.accepted, first.ok, set(sim.accepted.values())) == (1000, True, {1})


def test_a_canary_judged_by_no_report_is_refused() -> None:
    """Until it is judged normal by its own reports nothing else goes, so some report is needed."""
    with pytest.raises(InputError, match="a share above 0"):
        mas.Canary(50, reported=0)
