"""Collecting for as long as a machine runs: under systemd, cron or in a terminal, and telling monitoring whether it goes on."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masanalytics.account import AccountKey
from masanalytics.collecting.side_work import do_quietly
from masanalytics.errors import CertificateError, ConfigError, InputError, MasError, RefusedError
from masanalytics.i18n import _, ngettext, speaks
from masanalytics.paths import path_in_folder, replace_file
from masanalytics.store.intake import CollectingHealth
from masanalytics.timezone import CHINA, format_instant

if TYPE_CHECKING:
    from masanalytics.collecting.collector import Collector
    from masanalytics.store import Store

__all__ = ["Standing", "collected_accounts", "ended_by_signals", "run_forever", "status", "write_health"]

_LINE_EVERY_S = 60.0
_LOOK_S = 0.2
_ENDS_WITHIN_S = 80.0
"""Less than service managers wait before they kill (TimeoutStopSec of the documented unit)."""
_ENDING = ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK")
_FOR_A_PERSON = (ConfigError, InputError, CertificateError, RefusedError)
_NOT_TO_BE_RESTARTED, _TO_BE_RESTARTED = 1, 3
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


def status(store: Store, account: str | AccountKey, *, stale_after_s: float = 600.0) -> Standing:
    """Return how collecting stands: fresh where everything was fetched not long ago, and not later than now.

    Up to when, the end of coverage tells, which no clock that was ahead has written: by the time of the last poll alone, a
    collector that died while the clock was eight hours ahead would be fresh again eight hours later.
    """
    health = store.intake.health(account)
    ages = [None if at is None else store.clock.now() - at for at in (health.drained_at, health.covered_until)]
    fresh = all(age is not None and -_STEP_BACK_S <= age <= stale_after_s for age in ages)
    return Standing(AccountKey.of(account).name, fresh, health)


def collected_accounts(store: Store) -> list[str]:
    """Return the accounts this store has collected, by name."""
    return store.intake.accounts()


def run_forever(
    collector: Collector, *, echo: Callable[[str], object], as_json: bool = False, health: Path | None = None
) -> int:
    """Collect until a signal asks for the end, or an error that will not pass; return the exit code.

    A line or a health file that cannot be written is logged and tried again at the next: collecting goes on.

    Parameters
    ----------
    echo : callable
        Gets one line a minute.
    health : Path, optional
        Rewritten after every line's worth of polls, for monitoring by file age.

    Returns
    -------
    int
        0 where it was asked to end; 1 after an error that only a person mends (settings, a refusal, a changed certificate), which a
        restart would meet again; 3 after any other.
    """
    health = None if health is None else path_in_folder(health, "health")
    stop = threading.Event()
    clock = collector.clock
    with ended_by_signals(stop):
        collector.start()
        try:
            line_at = clock.monotonic() + _LINE_EVERY_S
            polls = -1
            while collector.running and not clock.wait(stop, _LOOK_S):
                if health is not None and collector.total.polls != polls:
                    polls = collector.total.polls
                    do_quietly(partial(_tell_health, health, collector), "the health file")
                if clock.monotonic() >= line_at:
                    line_at += _LINE_EVERY_S
                    do_quietly(lambda: echo(_line(collector, as_json=as_json)), "a line")
        finally:
            error = _ended(collector)
    if error is not None:
        do_quietly(lambda: echo(_failure(error, as_json=as_json)), "a line")
        return _NOT_TO_BE_RESTARTED if isinstance(error, _FOR_A_PERSON) else _TO_BE_RESTARTED
    do_quietly(lambda: echo(_line(collector, as_json=as_json)), "a line")
    return 0


def _tell_health(path: Path, collector: Collector) -> None:
    write_health(path, status(collector.store, collector.client.account.key).json())


def _ended(collector: Collector) -> Exception | None:
    """End collecting after the poll under way; return what had ended it before."""
    try:
        collector.stop(_ENDS_WITHIN_S)
    except Exception as error:  # noqa: BLE001 - told by the exit code
        return error
    return None


def _failure(error: Exception, *, as_json: bool) -> str:
    code = error.code if isinstance(error, MasError) else "unexpected"
    text = error.message if isinstance(error, MasError) else f"{type(error).__name__}: {error}"
    return json.dumps({"error": code, "text": text}) if as_json else f"{code}: {text}"


def _line(collector: Collector, *, as_json: bool) -> str:
    return collector.total.json() if as_json else f"{format_instant(collector.clock.now())}  {collector.total.text()}"


def write_health(path: Path, text: str) -> None:
    """Rewrite a file for monitoring, whole at any moment."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text + "\n", encoding="utf-8")
    replace_file(draft, path)


@contextmanager
def ended_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let a signal, or the end of the terminal, end the loop after the poll under way."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {}
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is None or (signal.getsignal(number) == signal.SIG_IGN and name == "SIGHUP"):  # nohup asks for that
            continue
        before[number] = signal.signal(number, lambda *_: stop.set())
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
