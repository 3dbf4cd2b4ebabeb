"""Which days of which accounts have changed, and since which export: what an export need not write again.

Triggers note the account and the day of submission (China time) of every message that is written, and of every reply by the time it
was sent, each with the *turn* it was written in. An export begins a new turn, reads one state of the file, and remembers the
turn: what is noted with that one or a later one is not in it. Turns have names drawn by chance, so that a folder written by a newer
copy of the file is told from one that this file has written.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from masanalytics.timezone import CHINA_OFFSET_S

__all__ = [
    "MESSAGES",
    "NEVER",
    "UPLINKS",
    "Month",
    "Turn",
    "changed_months",
    "latest_turn",
    "make_triggers",
    "new_turn",
    "rename",
]

MESSAGES: Final = 0
UPLINKS: Final = 1
NEVER: Final = "unsent"
"""The month of what was never submitted."""
_NO_DAY = -1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TABLES = """
CREATE TABLE changed_days (
  kind INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  day INTEGER NOT NULL,
  turn INTEGER NOT NULL,
  lost_in INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, account_id, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE export_turns (turn INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT;
"""


class Turn(NamedTuple):
    """A stretch of the file's history: its number and the name by which it is known."""

    number: int
    name: str


@dataclass(frozen=True)
class Month:
    """The messages, or replies, of one account and month.

    Attributes
    ----------
    kind : int
        `MESSAGES` or `UPLINKS`.
    account_id : int
        Whose.
    month : str
        ``YYYY-MM`` in China time; `NEVER` for messages that were not submitted.
    """

    kind: int
    account_id: int
    month: str

    @property
    def limits(self) -> tuple[int, int] | None:
        """The epoch seconds it begins and ends at; None for `NEVER`."""
        if self.month == NEVER:
            return None
        year, month = (int(part) for part in self.month.split("-"))
        following = (year + 1, 1) if month == 12 else (year, month + 1)
        first, last = (datetime(*pair, 1, tzinfo=UTC) for pair in ((year, month), following))
        return int(first.timestamp()) - CHINA_OFFSET_S, int(last.timestamp()) - CHINA_OFFSET_S


def rename(conn: sqlite3.Connection) -> None:
    """Give the turns of a file that has had none another name than those of the file that it was made like."""
    conn.execute("UPDATE export_turns SET name = ?", [secrets.token_hex(8)])


def make_triggers(conn: sqlite3.Connection) -> None:
    """Make the tables and triggers, and note everything that is there as changed in the first turn."""
    for statement in _TABLES.split(";")[:-1]:
        conn.execute(statement)
    conn.execute("INSERT INTO export_turns VALUES (1, ?)", [secrets.token_hex(8)])
    for kind, table, time in ((MESSAGES, "messages", "submitted_at"), (UPLINKS, "uplinks", "sent_at")):
        day = _day(f"x.{time}")
        conn.execute(
            f"INSERT INTO changed_days SELECT DISTINCT {kind}, x.account_id, {day}, 1, 0 FROM {table} x WHERE true"
        )
        new, old = (_noted(kind, row, time) for row in ("NEW", "OLD"))
        other_day = f"{_day(f'OLD.{time}')} <> {_day(f'NEW.{time}')}"
        other_month = " <> ".join(f"{_month_sql(f'{row}.{time}')}" for row in ("OLD", "NEW"))
        moved = f"OLD.account_id <> NEW.account_id OR ({other_day} AND {other_month})"
        # Asked first, by far the commonest row, of a day that is noted already, costs one look-up.
        noted = f"SELECT turn FROM changed_days WHERE kind = {kind} AND account_id = NEW.account_id AND day = {_day(f'NEW.{time}')}"
        fresh = f"ifnull(({noted}), 0) < (SELECT max(turn) FROM export_turns)"
        conn.execute(f"CREATE TRIGGER {table}_added AFTER INSERT ON {table} WHEN {fresh} BEGIN {new}; END")
        conn.execute(f"CREATE TRIGGER {table}_written AFTER UPDATE ON {table} WHEN {fresh} BEGIN {new}; END")
        conn.execute(f"CREATE TRIGGER {table}_moved_on AFTER UPDATE ON {table} WHEN {moved} BEGIN {old}; END")
        conn.execute(f"CREATE TRIGGER {table}_taken_out AFTER DELETE ON {table} BEGIN {old}; END")


def _day(column: str) -> str:
    return f"ifnull(({column} + {CHINA_OFFSET_S}) / 86400, {_NO_DAY})"


def _month_sql(column: str) -> str:
    return f"ifnull(strftime('%Y-%m', {column} + {CHINA_OFFSET_S}, 'unixepoch'), '')"


def _noted(kind: int, row: str, time: str) -> str:
    """Return SQL that notes the day of a row; of an old one, that it has lost something."""
    lost = "turn" if row == "OLD" else "0"
    update = "turn = excluded.turn, lost_in = max(lost_in, excluded.lost_in)"
    return (
        f"INSERT INTO changed_days SELECT {kind}, {row}.account_id, {_day(f'{row}.{time}')}, turn, {lost} FROM"
        " (SELECT max(turn) AS turn FROM export_turns) WHERE true ON CONFLICT (kind, account_id, day) DO UPDATE SET"
        f" {update} WHERE turn < excluded.turn OR lost_in < excluded.lost_in"
    )


def latest_turn(conn: sqlite3.Connection) -> Turn:
    """Return the turn in which something that is written now is noted."""
    return Turn(*conn.execute("SELECT turn, name FROM export_turns ORDER BY turn DESC LIMIT 1").fetchone())


def new_turn(conn: sqlite3.Connection) -> Turn:
    """Begin a new turn where something was noted in the latest one; return the latest."""
    latest = latest_turn(conn)
    used = conn.execute("SELECT 1 FROM changed_days WHERE turn >= ? LIMIT 1", [latest.number]).fetchone()
    if used is not None:
        conn.execute("INSERT INTO export_turns VALUES (?, ?)", [latest.number + 1, secrets.token_hex(8)])
    return latest_turn(conn)


def changed_months(conn: sqlite3.Connection, since: Turn | None) -> dict[Month, tuple[bool, bool]]:
    """Return every month that holds or held something: whether it has changed since a turn, and whether it lost something.

    Of a turn that is not of this file's history, and of None, everything has changed.
    """
    known = since is not None and (
        conn.execute("SELECT 1 FROM export_turns WHERE turn = ? AND name = ?", list(since)).fetchone() is not None
    )
    limit = since.number if known and since is not None else 0
    found: dict[Month, tuple[bool, bool]] = defaultdict(lambda: (False, False))
    for kind, account_id, day, turn, lost_in in conn.execute(
        "SELECT kind, account_id, day, turn, lost_in FROM changed_days ORDER BY kind, account_id, day"
    ):
        month = Month(kind, account_id, _month(day))
        changed, lost = found[month]
        found[month] = (changed or turn >= limit, lost or lost_in >= max(limit, 1))
    return dict(found)


def _month(day: int) -> str:
    return NEVER if day == _NO_DAY else f"{_EPOCH + timedelta(days=day):%Y-%m}"
