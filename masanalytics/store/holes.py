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

from masanalytics.protocol import FULL_PAGE

__all__ = ["Hole", "close", "close_read", "give_up", "note", "open_holes", "open_unanswered"]

_UNDER_WAY_AT_MOST_S = 300
"""A request is answered within this time, or never: a hole that is noticed later reaches no further."""
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
        The poll's: ``lost``, ``unparsed``, or ``asked`` and ``stored`` while it waits to be taken in.
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
    conn.execute(
        "INSERT INTO holes (poll_id, account_id, endpoint, since, until, records, cuts) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (poll_id) DO UPDATE SET records = excluded.records, cuts = excluded.cuts",
        [poll_id, account_id, endpoint, _covered_before(conn, account_id, asked_at), until, records, int(cuts)],
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
