"""Receiving for as long as a machine runs: under systemd or in a terminal, and telling monitoring whether it goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from masanalytics.collecting.service import ended_by_signals, write_health
from masanalytics.i18n import _, ngettext
from masanalytics.timezone import format_instant

if TYPE_CHECKING:
    from masanalytics.receiving.receiver import Receiver

__all__ = ["receive_forever"]

_LINE_EVERY_S: Final = 60.0
_HEALTH_EVERY_S: Final = 5.0
_LOOK_S: Final = 0.2
_FAILED: Final = 3


def receive_forever(
    receiver: Receiver, *, echo: Callable[[str], object], as_json: bool = False, health: Path | None = None
) -> int:
    """Listen until SIGTERM or SIGINT; return the exit code (0, or 3 where the listening itself ended).

    Parameters
    ----------
    echo : callable
        Gets one line a minute.
    health : Path, optional
        Rewritten every five seconds, for monitoring by file age.
    """
    stop, clock = threading.Event(), receiver.clock
    with ended_by_signals(stop):
        receiver.start()
        line_at, health_at = clock.monotonic() + _LINE_EVERY_S, clock.monotonic()
        while receiver.running and not clock.wait(stop, _LOOK_S):
            now = clock.monotonic()
            if health is not None and now >= health_at:
                health_at = now + _HEALTH_EVERY_S
                write_health(health, json.dumps(receiver.health(), ensure_ascii=False))
            if now >= line_at:
                line_at += _LINE_EVERY_S
                echo(_line(receiver, as_json=as_json))
        code = 0 if receiver.running else _FAILED
        receiver.stop()
    echo(_line(receiver, as_json=as_json))
    return code


def _line(receiver: Receiver, *, as_json: bool) -> str:
    figures = receiver.health()
    if as_json:
        return json.dumps(figures, ensure_ascii=False)
    line = _(
        "{time}  {pushes}: {reports} and {replies}",
        time=format_instant(receiver.clock.now()),
        pushes=ngettext("{count:,} push", "{count:,} pushes", figures["pushes"]),
        reports=ngettext("{count:,} report", "{count:,} reports", figures["reports"]),
        replies=ngettext("{count:,} reply", "{count:,} replies", figures["replies"]),
    )
    if figures["not_read"]:
        line += _("; ") + _("{count:,} could not be read and are kept", count=figures["not_read"])
    if figures["turned_away"] or figures["refused"]:
        line += _("; ") + _("{count:,} turned away", count=figures["turned_away"] + figures["refused"])
    return f"{line}  {figures['problem']}" if figures["problem"] else line
