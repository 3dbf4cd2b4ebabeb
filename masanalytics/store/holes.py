"""Holes in the coverage: answers that are known to be missing from the numbers.

The platform hands a report out once. An answer that was lost on the wire, waits in a spool file, or is kept but could not be read
may have held the reports of messages that were open at the time. Such messages are not called unreported until the answer is
taken in, or somebody gives it up. A hole reaches from the last instant before it up to which everything had been fetched to
the moment it was noticed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from masanalytics.analysis.known_holes import PAUSE
from masanalytics.protocol import FULL_PAGE
from masanalytics.store.platform_clock import seconds_behind

__all__ = [
    "Hole",
    "close",
    "close_read",
    "cutting",
    "give_up",
    "note",
    "open_holes",
    "open_unanswered",
    "pauses",
    "reach",
    "shift",
]

_UNDER_WAY_AT_MOST_S = 300
"""A request is answered within this time, or never: a hole that is noticed later reaches no further."""
_DAY_S = 86_400
_SKEW_S = 120
"""Two clocks that are both right differ by less."""
_ANY_NUMBER = 10**9
_STEP_S = 600
"""Where the poll before is not told by the coverage, it lies at most a gap's length back."""


class Hole(NamedTuple):
    """An answer that is known to be missing.

    Attributes
    ----------
    poll_id : int
        Its poll.
    account_id : int
        Whose.
    account : str
        The account's name.
    state : str
        The poll's: ``lost``, ``unparsed``, or ``asked`` and ``stored`` while it waits to be taken in; ``pause`` of a receiver.
    since : int or None
        The last instant before it up to which everything had been fetched; None where there was none.
    until : int
        When it was noticed.
    records : int
        How many records it can hold.
    cuts : bool
        Whether any message open at the time may be concerned; False where only single records were set aside.
    """

    poll_id: int
    account_id: int
    account: str
    state: str
    since: int | None
    until: int
    records: int
    cuts: bool


def note(conn: sqlite3.Connection, poll_id: int, now: float, *, records: int = FULL_PAGE, cuts: bool = True) -> None:
    """Note that a poll's answer, or so many of its records, are in no table; a second time only the number changes."""
    account_id, endpoint, asked_at = conn.execute(
        "SELECT account_id, endpoint, asked_at FROM polls WHERE poll_id = ?", [poll_id]
    ).fetchone()
    until = min(max(int(now), asked_at), asked_at + _UNDER_WAY_AT_MOST_S)
    until += seconds_behind(conn, account_id, asked_at)  # messages are dated by the platform's clock
    conn.execute(
        "INSERT INTO holes (poll_id, account_id, endpoint, since, until, records, cuts) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (poll_id) DO UPDATE SET records = excluded.records, cuts = excluded.cuts",
        [poll_id, account_id, endpoint, _covered_before(conn, account_id, asked_at), until, records, int(cuts)],
    )


def reach(conn: sqlite3.Connection, poll_id: int, ours: float, theirs: float) -> None:
    """Note that at our instant `ours`, in this poll, it was `theirs` on the platform: holes since the last such answer end then.

    Messages are dated by the platform's clock. By ours, where it was behind, or set back meanwhile, a hole would end before the
    messages that it concerns began.
    """
    row = conn.execute(
        "SELECT p.account_id, q.poll_id, q.asked_at FROM polls p LEFT JOIN polls q ON q.poll_id = (SELECT max(poll_id) FROM polls r"
        " WHERE r.account_id = p.account_id AND r.poll_id < p.poll_id AND r.server_time IS NOT NULL) WHERE p.poll_id = ?",
        [poll_id],
    ).fetchone()
    account_id, last, last_asked_at = row[0], row[1] or 0, row[2] or 0
    conn.execute(
        "UPDATE holes SET until = ? WHERE account_id = ? AND poll_id > ? AND poll_id < ? AND until < ? AND (? OR"
        " (SELECT asked_at FROM polls WHERE polls.poll_id = holes.poll_id) < ?)",
        [int(theirs), account_id, last, poll_id, int(theirs), theirs - ours > _SKEW_S, last_asked_at - _SKEW_S],
    )


def shift(conn: sqlite3.Connection, account_id: int, ours: float, theirs: float) -> None:
    """Note that our clock is behind the platform's: so were the ends of the holes of this day."""
    if theirs - ours > _SKEW_S:
        end = "(SELECT coalesce(answered_at, asked_at) FROM polls WHERE polls.poll_id = holes.poll_id)"
        conn.execute(
            f"UPDATE holes SET until = max(until, {end} + ?) WHERE account_id = ? AND {end} BETWEEN ? AND ?",
            [int(theirs - ours), account_id, int(ours) - _DAY_S, int(ours)],
        )


def open_unanswered(conn: sqlite3.Connection, account_id: int, now: float) -> None:
    """Note that the account's earlier polls have no answer that was taken in, as the next one begins."""
    for (poll_id,) in conn.execute(
        "SELECT poll_id FROM polls WHERE state IN ('asked', 'stored') AND account_id = ?", [account_id]
    ).fetchall():
        note(conn, poll_id, now)


def close(conn: sqlite3.Connection, poll_id: int) -> None:
    """Note that nothing of a poll's answer is missing any more."""
    conn.execute("DELETE FROM holes WHERE poll_id = ?", [poll_id])


def close_read(conn: sqlite3.Connection, poll_id: int, now: float, *, unread: int, set_aside: int) -> None:
    """Note how much of an answer that was read is missing: `unread` records of a page cut off, and those set aside."""
    if unread or set_aside:
        note(conn, poll_id, now, records=unread + set_aside, cuts=unread > 0)
    else:
        close(conn, poll_id)


def give_up(conn: sqlite3.Connection, poll_ids: Iterable[int] | None, now: float) -> int:
    """Note that nobody waits for these answers any more (all of them where None); return how many were waited for."""
    chosen = None if poll_ids is None else json.dumps([int(poll_id) for poll_id in poll_ids])
    return conn.execute(
        "UPDATE holes SET given_up_at = ? WHERE given_up_at IS NULL"
        " AND (? IS NULL OR poll_id IN (SELECT value FROM json_each(?)))",
        [int(now), chosen, chosen or "[]"],
    ).rowcount


def open_holes(conn: sqlite3.Connection, endpoint: str = "report") -> list[Hole]:
    """Return the holes that nobody has given up, in the order of their polls."""
    rows = conn.execute(
        "SELECT h.poll_id, h.account_id, a.account, p.state, h.since, h.until, h.records, h.cuts FROM holes h"
        " JOIN polls p USING (poll_id) JOIN accounts a ON a.account_id = h.account_id"
        " WHERE h.given_up_at IS NULL AND h.endpoint = ? ORDER BY h.poll_id",
        [endpoint],
    ).fetchall()
    return [Hole._make((*row[:-1], bool(row[-1]))) for row in rows]


def cutting(conn: sqlite3.Connection) -> list[Hole]:
    """Return the holes that may concern any message open at the time, with those of accounts whose reports are pushed.

    What is pushed while no receiver listens is dropped, where a queue would have kept it for the next poll: so every pause of a
    receiver is such a hole, and all the time before the first began to listen.
    """
    return [*(hole for hole in open_holes(conn) if hole.cuts), *pauses(conn)]


def pauses(conn: sqlite3.Connection) -> list[Hole]:
    """Return the times in which no receiver listened for an account that is pushed to, up to when one did again."""
    rows = conn.execute(
        "SELECT c.account_id, a.account, lag(c.ended_at) OVER (PARTITION BY c.account_id ORDER BY c.started_at), c.started_at"
        " FROM coverage c JOIN pace p USING (account_id) JOIN accounts a USING (account_id) WHERE p.era = ''"
        " ORDER BY c.account_id, c.started_at"
    ).fetchall()
    return [
        Hole(0, account_id, name, PAUSE, since, until, _ANY_NUMBER, True) for account_id, name, since, until in rows
    ]


def _covered_before(conn: sqlite3.Connection, account_id: int, at: int) -> int | None:
    """Return the last instant before `at` up to which everything had been fetched."""
    span = conn.execute(
        "SELECT started_at, ended_at FROM coverage WHERE account_id = ? AND started_at <= ?"
        " ORDER BY started_at DESC LIMIT 1",
        [account_id, at],
    ).fetchone()
    if span is None:
        return None
    started_at, ended_at = span
    return int(ended_at if ended_at <= at else max(started_at, at - _STEP_S))
