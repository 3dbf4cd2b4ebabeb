"""A history of a seed: what one user does with one or two campaigns, and what goes wrong meanwhile."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.histories.actions import (
    Action,
    Clock,
    Collect,
    Disk,
    During,
    Fate,
    Foreign,
    ForeignPoll,
    Http,
    OptOut,
    Reopen,
    Reply,
    Send,
    Settle,
    SettleWrongly,
    Wait,
)
from tests.histories.wire import POLL_FAULTS, SUBMIT_FAULTS

__all__ = ["history"]

_PEOPLE = (3, 12, 20, 40, 60)
_BATCHES = (3, 5, 10, 20, 60)
_WAITS = (3.0, 3.0, 60.0, 900.0, 3700.0, 90_000.0, 300_000.0)
_JUMPS = (180.0, -180.0, 8 * 3600.0, -8 * 3600.0, 40 * 86400.0)
_FATES = ("quick", "quick", "silent", "failed", "slow", "mixed", "late_first")
_FEATURES = {
    "rounds": 0.3, "limit": 0.3, "canary": 0.3, "key": 0.3, "mixed key": 0.2, "names": 0.1, "bare": 0.3, "clock": 0.4,
    "kill": 0.5, "during": 0.6, "wrong user": 0.4, "disk": 0.3, "foreign": 0.5, "faults": 0.8,
}  # fmt: skip
_PROCESSES = ("q", "q", "far")
_BUDGETS = (0, 0, 0, 4, 15, 45)
_CAPS = (0, 0, 0, 1, 2)


class _Chance:
    """Draws the actions of one history."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        # Each history does without some of what can happen, so that the commonest does not hide the rest.
        self.used = {name for name, share in _FEATURES.items() if self._now(share)}
        people, batch = self.draw.choice(_PEOPLE), self.draw.choice(_BATCHES)
        self.cell = Send(
            people=people,
            batch=batch,
            canary=self.draw.choice((2, 5)) if self._use("canary", 0.6) else None,
            key=self._use("key", 0.5),
            own=self._now(0.2),
            via=self.draw.choice(("frame", "frame", "plan", "kept")),
            workers=self.draw.choice((1, 1, 2, 3)),
        )
        limits = random.Random(f"limits {seed}")
        self.cell = replace(
            self.cell,
            budget=limits.choice(_BUDGETS),
            hold=limits.choice((True, True, False)),
            cap=limits.choice(_CAPS),
        )
        self.round = ""

    def actions(self) -> list[Action]:
        """Return the whole history."""
        chosen: list[Action] = [Fate(self.draw.choice(_FATES))]
        if self._use("clock", 0.4):
            chosen.append(Clock(self.draw.choice(_JUMPS)))
        chosen.append(self._send())
        kinds: dict[Callable[[], Action], float] = {
            self._send: 6, self._collect: 4, self._wait: 3, Settle: 1, SettleWrongly: self._weight("wrong user", 1),
            self._opt_out: 0.4, self._foreign: self._weight("foreign", 1.5), self._clock: self._weight("clock", 1),
            self._disk: self._weight("disk", 1), self._reply: 0.7, self._fate: 0.4,
            ForeignPoll: self._weight("foreign", 0.5), Reopen: 0.3,
        }  # fmt: skip
        size = self.draw.randint(2, 7)
        chosen += [kind() for kind in self.draw.choices(list(kinds), list(kinds.values()), k=size)]
        return chosen

    def _now(self, probability: float) -> bool:
        return self.draw.random() < probability

    def _use(self, feature: str, probability: float) -> bool:
        return (not feature or feature in self.used) and self._now(probability)

    def _weight(self, feature: str, weight: float) -> float:
        return weight if feature in self.used else 0.0

    def _send(self, *, inside: bool = False) -> Send:
        """Return the user's usual call with some things otherwise; `inside` another's request nothing more is nested."""
        if self._use("rounds", 0.4):
            self.round = self.draw.choice(("2", "2", "3", ""))
        sent = replace(self.cell, round=self.round)
        changes: list[tuple[str, float, Callable[[], dict[str, Any]]]] = [
            ("", 0.15, lambda: {"campaign": "B"}),
            ("names", 0.3, lambda: {"campaign": "A\u200b"}),
            ("limit", 0.5, lambda: {"limit": self.draw.choice((1, 5, 10))}),
            ("", 0.2, lambda: {"version": 2}),
            ("mixed key", 0.3, lambda: {"key": not sent.key}),
            ("canary", 0.3, lambda: {"canary": None if sent.canary else 3}),
            ("canary", 0.1, lambda: {"go_on": True}),
            ("", 0.15, lambda: {"people": self.draw.choice(_PEOPLE), "first": self.draw.choice((0, 0, 5))}),
            ("", 0.2, lambda: {"via": self.draw.choice(("frame", "plan", "kept"))}),
            ("bare", 0.5, lambda: {"via": "bare"}),
            ("", 0.2, lambda: {"collecting": True}),
            ("faults", 0.55, lambda: {"faults": self._faults(tuple(SUBMIT_FAULTS), most=4)}),
        ]
        if not inside:
            changes += [
                ("", 0.15, lambda: {"process": "q"}),
                ("kill", 0.3, lambda: {"kill": self.draw.randint(1, 150)}),
                ("during", 0.4, lambda: {"during": self._during()}),
            ]
        for feature, probability, change in changes:
            if self._use(feature, probability):
                sent = replace(sent, **change())
        return sent

    def _during(self) -> During:
        process = self.draw.choice(_PROCESSES)
        chosen: list[Action] = [Wait(3)] if self._now(0.5) else []
        kind = self.draw.random()
        if kind < 0.45:
            chosen.append(replace(self._send(inside=True), process=process))
        elif kind < 0.8:
            chosen.append(Collect(process=process))
        elif kind < 0.9 or "clock" not in self.used:
            chosen.append(self._opt_out())
        else:
            chosen.append(self._clock())
        if self._use("wrong user", 0.5):
            chosen.append(SettleWrongly(process=process))
        return During(self.draw.randint(1, 3), self._now(0.7), tuple(chosen))

    def _faults(self, kinds: tuple[str, ...], most: int) -> tuple[tuple[int, str], ...]:
        wanted = self.draw.choice((1, 1, 1, 2))
        requests = sorted(self.draw.sample(range(1, most + 1), wanted))
        usual = tuple(kind for kind in kinds if kind.startswith("drop"))
        return tuple((number, self.draw.choice(usual if self._now(0.5) else kinds)) for number in requests)

    def _collect(self) -> Collect:
        collected = Collect(drain=self._now(0.7))
        if self._use("faults", 0.4):
            collected = replace(collected, faults=self._faults(tuple(POLL_FAULTS), most=3))
        if self._use("kill", 0.2):
            collected = replace(collected, kill=self.draw.randint(1, 60))
        if self._now(0.15):
            collected = replace(collected, process="q")
        return collected

    def _wait(self) -> Wait:
        return Wait(self.draw.choice(_WAITS))

    def _clock(self) -> Clock:
        return Clock(self.draw.choice(_JUMPS))

    def _disk(self) -> Disk:
        return Disk(self.draw.choice(("store", "all", "", "")))

    def _fate(self) -> Fate:
        return Fate(self.draw.choice(_FATES))

    def _opt_out(self) -> OptOut:
        return OptOut(self.draw.randint(0, 12))

    def _reply(self) -> Reply:
        return Reply(self.draw.randint(0, 12))

    def _foreign(self) -> Foreign:
        return Foreign(self.draw.randint(0, 10), self.draw.choice((1, 1, 3, 20)))


def history(seed: int, *, http: bool = False) -> list[Action]:
    """Return the history of a seed; in the HTTP flavour a receiver listens from the beginning in three of four."""
    actions = _Chance(seed).actions()
    if not http:
        return actions
    return [Http(), *([Collect()] if seed % 4 else []), *actions]
