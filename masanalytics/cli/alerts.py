"""``masanalytics alerts``: what is unusual just now, for cron: lines or JSON, and an exit code of its own."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from masanalytics.cli.options import command, option, with_existing_store
from masanalytics.i18n import _

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ALERT", "alerts"]

ALERT: Final = 4
"""The exit code that says that something is unusual."""

_TIMES = ("time", "until")


@command
@with_existing_store
@option(
    "--by",
    multiple=True,
    default=("carrier",),
    show_default=True,
    help="What an alert can be narrowed to; can be given several times.",
)
@option("--freq", default="h", show_default=True, help="The width of a stretch of time: h, 6h, D.")
@option("--within", default="1h", show_default=True, help="The age at which messages are read.")
@option("--history", default="28d", show_default=True, help="How far back what is usual is learned.")
@option(
    "--recent",
    default="1d",
    show_default=True,
    help="Only what began or went on in this last time; 'all' for everything.",
)
@option("--at", help="As if it were then, as 2026-03-26 12:00; by default the end of coverage.")
@option("--json", "as_json", is_flag=True, help="One JSON document.")
def alerts(db: str, by: tuple[str, ...], *, recent: str, as_json: bool, **asked: Any) -> None:
    """Say what is unusual: which messages fare worse than they do otherwise, and since when.

    It alarms by itself in at most one of twenty months in which nothing is unusual. An alert goes on until its messages are as usual
    again. Meant for cron.

    Exit codes: 0 nothing unusual, 1 wrong settings, 4 something is.
    """
    from masanalytics.analysis import anomalies, notes_of
    from masanalytics.store import Store

    with Store(db) as store:
        found = anomalies(store, by=list(by), **{name: value for name, value in asked.items() if value is not None})
    lately = found if recent == "all" else _lately(found, recent, asked.get("at"))
    nothing = "" if len(lately) else _silence(found, notes_of(found))
    if as_json:
        document = {"as_of": found.attrs["as_of"], "alerts": _plain(lately), "notes": notes_of(found)}
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
    for line in [] if as_json else [*lately["sentence"], nothing]:
        if line:
            click.echo(line)
    sys.exit(ALERT if len(lately) else 0)


def _lately(found: pd.DataFrame, recent: str, at: Any) -> pd.DataFrame:
    """Return those that go on, or ended in the last time."""
    import pandas as pd

    from masanalytics.analysis.filters import to_instant
    from masanalytics.lengths import to_seconds

    length = to_seconds(recent)
    as_of = found.attrs["as_of"]
    if as_of == "-" or found.empty:
        return found
    now = to_instant(as_of) if at is None else min(to_instant(as_of), to_instant(at))
    edge = pd.Timestamp(now - length, unit="s", tz="UTC")
    chosen: pd.DataFrame = found[found["until"] >= edge]
    return chosen


def _silence(found: pd.DataFrame, notes: list[str]) -> str:
    """Return what to say where nothing is unusual lately."""
    return notes[0] if found.empty and notes else _("Nothing unusual lately.")


def _plain(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as JSON has them: times with their zone, nothing where a value is missing."""
    import pandas as pd

    shown = found.assign(**{name: [time.isoformat() for time in found[name]] for name in _TIMES})
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in shown.to_dict("records")
    ]
