"""Histories of collecting: answers cut and lost, clocks that are wrong, two stores, full disks; judged by what the platform knows.

A history of its own kind: one campaign after the other goes out without faults, and everything that can go wrong does so between
the platform and the store. `play` returns what must never be: a report that was handed out and is neither in a store nor in a known
hole, or a number that excludes the truth although the store knew that something was missing.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd

import masanalytics as mas
from masanalytics.client import Client
from masanalytics.clock import ManualClock
from masanalytics.errors import MasError
from masanalytics.protocol import PollAnswer
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store import poll_log
from masanalytics.store.store import Store

__all__ = ["play"]

_FATES: list[tuple[str, float] | None] = [
    ("DELIVRD", 1.0),
    ("DELIVRD", 30.0),
    ("MK:0001", 2.0),
    ("DELIVRD", 3600.0),
    None,
    ("DELIVRD", 90_000.0),
    ("MI:0011", 7200.0),
]
_FAULTS = ("drop_after", "drop_after", "drop_before", "garbage", "truncate", "half", "status", "html200", "too_soon", "broken_record",
           "torn_record", "invalid_utf8")  # fmt: skip
_SLACK_S = 2
_WITHIN_S = (60, 600, 7200, 86_400)


class _Killed(BaseException):
    """The process ends here, with an answer in its hands."""


class _Wall:
    """A clock that may be wrong by hours; its seconds are right."""

    def __init__(self, true: ManualClock) -> None:
        self._true, self.era, self.wrong_by = true, true.era, 0.0

    def now(self) -> float:
        return self._true.now() + self.wrong_by

    def monotonic(self) -> float:
        return self._true.monotonic()

    def sleep(self, seconds: float) -> None:
        self._true.sleep(seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return self._true.wait(event, seconds)


class _Undated(Client):
    """A client behind a proxy that takes the Date off answers."""

    def poll_reports(self) -> PollAnswer:
        answer = super().poll_reports()
        return PollAnswer(answer.endpoint, answer.raw, answer.status, answer.complete, answer.requested_at,
                          answer.answered_at, None, answer.charset)  # fmt: skip


class _History:
    """One history under way."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.true = ManualClock()
        self.wall = _Wall(self.true)
        people = {str(13800000000 + place): _FATES[place % len(_FATES)] for place in range(4000)}
        self.fates = people
        self.sim = Simulator(https=False, clock=self.true, poll_interval=0, behaviour=Scripted(people))
        self.kind = self.random.choice([Client, _Undated])
        self.folder = folder
        self.names = ["a", "a", "a", "b"] if self.random.random() < 0.3 else ["a"]
        self.sent = 0
        self.done: list[str] = []
        self.given_up = False

    @contextmanager
    def opened(self, name: str = "a") -> Iterator[tuple[Store, mas.Collector]]:
        """Open a store as a process does that begins now."""
        with (
            Store(self.folder / f"{name}.db", clock=self.wall) as store,
            self.kind(self.sim.account(), clock=self.wall) as client,
        ):
            yield store, mas.Collector(client, store, say=lambda _line: None)

    # ---- what happens -----------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let one thing happen."""
        happens: list[tuple[int, Callable[[], None]]] = [
            (2, self.send), (5, self.collect), (3, self.wait), (2, self.wrong), (1, self.clock), (1, self.full),
            (1, self.killed), (1, self.replay),
        ]  # fmt: skip
        what = self.random.choices([one for _, one in happens], [weight for weight, _ in happens])[0]
        self.done.append(what.__name__)
        what()

    def send(self) -> None:
        """Send a campaign, with nothing in its way."""
        size = self.random.choice([5, 60, 400, 1300])
        first = self.random.randrange(4000 - size)
        frame = pd.DataFrame({"p": [str(13800000000 + place) for place in range(first, first + size)]})
        self.sent += 1
        with self.opened() as (store, collector):
            mas.send(
                frame,
                collector.client,
                store,
                phone="p",
                text=f"您好{self.sent}",
                campaign=f"C{self.sent}",
                progress=False,
            )

    def collect(self) -> None:
        """Collect, once or until nothing is left."""
        with self.opened(self.random.choice(self.names)) as (_store, collector), suppress(MasError):
            collector.drain(timeout=60) if self.random.random() < 0.5 else collector.collect()

    def wait(self) -> None:
        """Let time pass, some of it watched."""
        for _ in range(self.random.choice([1, 1, 8])):
            self.true.sleep(self.random.choice([20, 90, 300, 300, 590, 4000, 40_000]))
            self.collect()

    def wrong(self) -> None:
        """Let the next answers of polls be lost, cut or damaged."""
        kind = self.random.choice(_FAULTS)
        self.done.append(kind)
        if self.random.random() < 0.7:
            self.send()
            self.true.sleep(self.random.choice([5, 60, 4000]))
        with (
            self.sim.fault(kind, endpoint="report", times=1),
            self.opened(self.random.choice(self.names)) as (_, collector),
        ):
            for _ in range(2):
                with suppress(MasError):
                    collector.collect()

    def clock(self) -> None:
        """Set our clock wrong, or right."""
        self.wall.wrong_by = self.random.choice([0.0, 0.0, 8 * 3600.0, -8 * 3600.0, 90.0, 86_400.0])
        self.done.append(f"{self.wall.wrong_by:+.0f}")
        if self.kind is _Undated:  # where answers have no Date, only a msgGroup can tell
            self.send()

    def full(self) -> None:
        """Collect while the disk is full: the store's, or every one."""
        everywhere = self.random.random() < 0.5
        with ExitStack() as stack:
            stack.enter_context(
                mock.patch.object(poll_log, "keep_answer", _raise(sqlite3.OperationalError("database or disk is full")))
            )
            if everywhere:
                stack.enter_context(
                    mock.patch(
                        "masanalytics.collecting.spool._write", _raise(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
                    )
                )
            with self.opened() as (_store, collector), suppress(MasError):
                collector.collect()

    def killed(self) -> None:
        """Collect, and be killed with an answer in hand."""
        with (
            mock.patch.object(poll_log, "keep_answer", _raise(_Killed())),
            suppress(_Killed, MasError),
            self.opened() as (_, collector),
        ):
            collector.collect()

    def replay(self) -> None:
        """Read all kept answers again."""
        with self.opened() as (store, _collector):
            store.replay()

    # ---- what must never be -----------------------------------------------------------------------------------------

    def faults(self) -> list[str]:
        """Return what is wrong now."""
        found = []
        with self.opened() as (store, _collector):
            found += self._excluded(store)
        found += self._gone()
        return found

    def _gone(self) -> list[str]:
        """Every report handed out is in a store, or in a known hole."""
        handed = Counter(
            (out.row["mobile"], out.row["msgGroup"])
            for out in self.sim.handed_out
            if out.kind == "report" and isinstance(out.row, dict)
        )
        room = 0
        for name in set(self.names):
            with self.opened(name) as (store, _collector):
                reports = store.reports()
                handed -= Counter(zip(reports["phone"], reports["msg_group"], strict=True))
                missing = store.missing_answers()
                room += int(missing[missing.endpoint == "report"].records.sum())
        left = sum(handed.values())
        return [f"gone: {left} reports, room for {room}"] if left > room else []

    def _excluded(self, store: Store) -> list[str]:
        """No message is called silent for longer than it was, and no bound lies below the truth."""
        messages = store.messages()
        messages = messages[messages.status.isin(["pending", "delivered", "failed"]) & messages.campaign.notna()]
        if messages.empty:
            return []
        found: list[str] = []
        fates = [self.fates[phone] or ("", float("inf")) for phone in messages.phone]
        latency = pd.Series([seconds for _, seconds in fates], index=messages.index)
        is_delivered = pd.Series([code == "DELIVRD" for code, _ in fates], index=messages.index)
        silent = messages.status.eq("pending") & (latency + _SLACK_S < messages.waited_s.astype("float64"))
        # Single records that could not be read hide one message each, which the notes say; they end nobody's watching.
        single = store.db.execute("SELECT coalesce(sum(records), 0) FROM holes WHERE NOT cuts").fetchone()[0]
        if silent.sum() > single and len(set(self.names)) == 1:
            one = messages[silent].iloc[0]
            found.append(
                f"silent: {int(silent.sum())}, one of {one.campaign} submitted {one.submitted_at}, watched {one.waited_s} s"
            )
        wrong = (messages.status.eq("delivered") & ~is_delivered) | (messages.status.eq("failed") & is_delivered)
        if wrong.any():
            found.append(f"wrong: {int(wrong.sum())}")
        if len(set(self.names)) == 1:  # what another store took is known to nobody here
            shares: Any = is_delivered.groupby(messages.campaign).mean()
            found += [f"most of {name}: {most:.3f} < {shares[name]:.3f}"
                      for name, most in _by_campaign(store)["most"].items() if most + 1e-9 < shares[name]]  # fmt: skip
            for within in _WITHIN_S:
                watched = messages.waited_s.astype("float64") >= within
                arrived: Any = (is_delivered & (latency <= within))[watched].groupby(messages.campaign[watched]).mean()
                rates = _by_campaign(store, within=f"{within} s")
                room: Any = single / messages.groupby("campaign").size()
                found += [f"within {within} s of {name}: {rates.low[name]:.3f} to {rates.high[name]:.3f}, not {share:.3f}"
                          for name, share in arrived.items()
                          if name not in rates.index or not rates.low[name] - 1e-9 <= share <= rates.high[name] + room[name] + 1e-9]  # fmt: skip
        return found


def _by_campaign(store: Store, **more: Any) -> Any:
    """Return the rates of campaigns, as a frame with their names for an index."""
    rates = mas.delivery_rates(store, by="campaign", **more)
    rates = rates if rates.index.name == "campaign" else rates.set_index("campaign")
    return rates[rates.index.notna()]


def _raise(error: BaseException) -> Callable[..., Any]:
    def raising(*_: Any, **__: Any) -> Any:
        raise error

    return raising


def play(seed: int, steps: int = 25) -> list[str]:
    """Play the history of a seed; return what must never be, after what had happened by then."""
    folder = Path(tempfile.mkdtemp(prefix="collecting-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    surroundings = {"MAS_CONFIG_DIR": str(folder / "config"), "MAS_LANGUAGE": "en"}
    try:
        with mock.patch.dict(os.environ, surroundings):
            history = _History(seed, folder)
            with history.sim:
                for place in range(steps):
                    history.step()
                    found = history.faults() if place % 3 == 2 else []
                    if found:
                        return [*found, " ".join(history.done)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return []
