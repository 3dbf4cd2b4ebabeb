"""Random histories of users, machines and the platform, judged by the platform's own ledger."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.histories.actions import Action, Collect, Fate, Send, Wait
from tests.histories.chance import history
from tests.histories.known import KNOWN
from tests.histories.shrinking import script, shrink
from tests.histories.world import Violation, replay

# The whole measure is MAS_HISTORIES=10000; MAS_HISTORIES_FIRST begins with another seed. As many of them as half run over HTTP.
HISTORIES = int(os.environ.get("MAS_HISTORIES", "100"))
FIRST = int(os.environ.get("MAS_HISTORIES_FIRST", "0"))
BLOCK = 5


def _blocks(count: int) -> list[Any]:
    """Return where the blocks of so many histories begin; all but the first are slow."""
    later = range(FIRST + BLOCK, FIRST + count, BLOCK)
    return [FIRST, *(pytest.param(first, marks=pytest.mark.slow) for first in later)]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Histories go wrong on purpose: what is logged about it would fill the screen."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _judge(seeds: range, *, http: bool) -> None:
    for seed in seeds:
        actions = history(seed, http=http)
        found = replay(actions)
        if found:
            short = shrink(actions, found[0])
            pytest.fail(script(short, replay(short), seed), pytrace=False)


@pytest.mark.parametrize("first", _blocks(HISTORIES))
def test_no_history_shows_what_must_never_be(first: int) -> None:
    _judge(range(first, min(first + BLOCK, FIRST + HISTORIES)), http=False)


@pytest.mark.parametrize("first", _blocks(HISTORIES // 2))
def test_no_history_over_http_and_pushes_does(first: int) -> None:
    """The same with an account of the HTTP flavour, whose reports are pushed to a receiver that may not be there."""
    _judge(range(first, min(first + BLOCK, FIRST + HISTORIES // 2)), http=True)


@pytest.mark.parametrize("name", KNOWN)
def test_a_history_that_once_showed_a_fault(name: str) -> None:
    found = replay(KNOWN[name])
    assert found == [], script(KNOWN[name], found)


@pytest.mark.slow
def test_a_history_is_the_same_each_time() -> None:
    assert [replay(history(seed)) for seed in (3, 4, 5)] == [replay(history(seed)) for seed in (3, 4, 5)]


def test_a_failing_history_is_shrunk_to_what_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    def replayed(actions: Sequence[Action]) -> list[Violation]:
        return [Violation("twice", "")] if any(isinstance(one, Send) and one.round for one in actions) else []

    monkeypatch.setattr("tests.histories.shrinking.replay", replayed)
    whole: list[Action] = [Fate("silent"), Send(people=3), Wait(), Send(round="2", limit=3, workers=2), Collect()]

    assert shrink(whole, Violation("twice", "")) == [Send(round="2")]


def test_a_printed_history_can_be_played_again(capsys: pytest.CaptureFixture[str]) -> None:
    exec(script([Fate("silent"), Send(people=3, kill=20), Send(people=3)], [], seed=7), {})

    assert capsys.readouterr().out == "[]\n"


# ---- a machine that finds nothing proves nothing: faults put back into the package, and what must be seen of them -----------

PUT_BACK: dict[str, tuple[str, dict[str, Any], list[Action]]] = {
    "what may have been sent is sent again": (
        "twice",
        {"store.send_log.RESENDABLE": "<= 3", "store.send_log.MAY_BE_OUT": "> 3", "store.rounds.MAY_BE_OUT": "> 3"},
        KNOWN["an interrupted repeat goes out again"],
    ),
    "a canary holds nothing": ("canary", {"store.rounds.HOLDING": ()}, KNOWN["the canary's answer is lost"]),
    "names are told apart by what nobody sees": (
        "twice",
        {f"{module}.plain_name": str for module in ("store.rounds", "store.lookups", "planning.arguments")},
        KNOWN["a name that looks the same"],
    ),
    "a budget is weighed and not claimed": (
        "budget", {"store.claim_rules.hold_over_budget": lambda *_: None}, KNOWN["two runs share a budget"],
    ),
    "a cap is asked only when planning": (
        "cap", {"store.claim_rules.hold_over_cap": lambda *_: None}, KNOWN["two campaigns planned before either is sent"],
    ),
    "a cap looks back by our clock alone": (
        "cap", {"store.contacts.earliest_now": lambda _conn, now: now}, KNOWN["a cap while the clock is weeks ahead"],
    ),
    "what was claimed leaves on any day": (
        "budget",
        {"sending.sender.Sender._may_leave": lambda *_: True},
        KNOWN["the clock is set between two requests that were claimed together"],
    ),
    "silence is judged message by message": (
        "verdict",
        {"store.doubts._silent_batches": lambda *_: 0.0},
        KNOWN["a batch is as silent as another among those that are heard of"],
    ),
    "silence is judged by other days": (
        "verdict", {"store.doubts._NEIGHBOUR_S": 10**9}, KNOWN["a night without reports makes a verdict"],
    ),
    "a run is always ok": ("ok_with_left", {"sending.send_result.SendResult.ok": True}, [Send(faults=((1, "refused"),))]),
    "what is held is not counted": ("sums", {"sending.send_result.SendResult.held": 0}, [Send(limit=5)]),
    "reports are read and not kept": (
        "report_gone",
        {"store.report_ingestion.take_reports": lambda *_: ({}, 0)},
        [Send(), Wait(), Collect()],
    ),
    "an answer that is lost leaves no hole": (
        "report_gone",
        {"store.holes.note": lambda *_, **__: None},
        [Send(), Wait(), Collect(faults=((1, "drop_after"),))],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUT_BACK)
def test_a_fault_put_back_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, changes, actions = PUT_BACK[name]
    for place, value in changes.items():
        monkeypatch.setattr(f"masanalytics.{place}", value)
    found = replay(actions)

    assert [one.name.removesuffix("_by_limit") for one in found] == [kind]
