"""Collecting for as long as a machine runs: under systemd, cron or in a terminal, and telling monitoring whether it goes on."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masanalytics.errors import MasError
from masanalytics.i18n import _, ngettext, speaks
from masanalytics.paths import path_in_folder
from masanalytics.store.intake import CollectingHealth
from masanalytics.timezone import CHINA, format_instant

if TYPE_CHECKING:
    from masanalytics.collecting.collector import Collector
    from masanalytics.store import Store

__all__ = ["Standing", "collected_accounts", "ended_by_signals", "run_forever", "status", "write_health"]

_LINE_EVERY_S = 60.0
_LOOK_S = 0.2
_STEP_BACK_S = 5.0
"""A clock is set back by so little all the time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How collecting of one account stands."""

    account: str
    fresh: bool
    health: CollectingHealth

    def json(self) -> str:
        """Return one line of JSON; its instants in epoch seconds, and in China time beside them."""
        health = self.health
        readable = {"covered_until_time": _iso(health.covered_until), "last_poll_time": _iso(health.last_poll_at)}
        fields = {"account": self.account, "fresh": self.fresh, **asdict(health), **readable}
        return json.dumps(fields, ensure_ascii=False)

    @speaks
    def text(self, language: str | None = None) -> str:
        """Return a line for people."""
        health = self.health
        return _(
            "{account}: {state}; everything fetched until {covered_until}, last poll {last_poll}; {unparsed}, {lost:,} lost, {missing}",
            account=self.account,
            state=_("fresh") if self.fresh else _("STALE"),
            covered_until=format_instant(health.covered_until),
            last_poll=format_instant(health.last_poll_at),
            unparsed=ngettext("{count:,} answer to look at", "{count:,} answers to look at", health.unparsed),
            lost=health.lost,
            missing=ngettext(
                "{count:,} missing from the numbers", "{count:,} missing from the numbers", health.missing
            ),
        )


def _iso(instant: int | None) -> str | None:
    return None if instant is None else datetime.fromtimestamp(instant, UTC).astimezone(CHINA).isoformat()


def status(store: Store, account: str, *, stale_after_s: float = 600.0) -> Standing:
    """Return how collecting stands: fresh where the platform was drained not long ago, and not later than now."""
    health = store.intake.health(account)
    age = None if health.drained_at is None else store.clock.now() - health.drained_at
    return Standing(account, age is not None and -_STEP_BACK_S <= age <= stale_after_s, health)


def collected_accounts(store: Store) -> list[str]:
    """Return the accounts this store has collected, by name."""
    return store.intake.accounts()


def run_forever(
    collector: Collector, *, echo: Callable[[str], object], as_json: bool = False, health: Path | None = None
) -> int:
    """Collect until SIGTERM, SIGINT or an error that will not pass; return the exit code (0, or 3 after an error).

    Parameters
    ----------
    echo : callable
        Gets one line a minute.
    health : Path, optional
        Rewritten after every line's worth of polls, for monitoring by file age.
    """
    health = None if health is None else path_in_folder(health, "health")
    stop = threading.Event()
    clock = collector.clock
    with ended_by_signals(stop):
        collector.start()
        line_at = clock.monotonic() + _LINE_EVERY_S
        polls = -1
        while collector.running and not clock.wait(stop, _LOOK_S):
            if health is not None and collector.total.polls != polls:
                polls = collector.total.polls
                write_health(health, status(collector.store, collector.client.account.name).json())
            if clock.monotonic() >= line_at:
                line_at += _LINE_EVERY_S
                echo(_line(collector, as_json=as_json))
        try:
            collector.stop()
        except MasError as error:
            echo(json.dumps({"error": error.code, "text": error.message}) if as_json else f"{error.code}: {error}")
            return 3
    echo(_line(collector, as_json=as_json))
    return 0


def _line(collector: Collector, *, as_json: bool) -> str:
    return collector.total.json() if as_json else f"{format_instant(collector.clock.now())}  {collector.total.text()}"


def write_health(path: Path, text: str) -> None:
    """Rewrite a file for monitoring, whole at any moment."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text + "\n", encoding="utf-8")
    os.replace(draft, path)  # noqa: PTH105


@contextmanager
def ended_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the loop after the poll under way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {}
    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.signal(number, lambda *_: stop.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
