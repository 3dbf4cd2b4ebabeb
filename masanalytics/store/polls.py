"""The raw answer of every poll: durable before it is parsed, kept for good, readable again at any time."""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import dataclass

from masanalytics.protocol import Endpoint
from masanalytics.store import lookups
from masanalytics.store.process_identity import is_alive

__all__ = ["RawPoll", "is_waiting", "keep_raw", "keep_spooled", "mark_lost", "put_off", "read_raw", "waiting_polls"]

_BUSY_AT_MOST_S = 120


@dataclass(frozen=True, slots=True)
class RawPoll:
    """One answer as it came over the wire."""

    poll_id: int
    account_id: int
    endpoint: Endpoint
    raw: bytes
    http_status: int
    complete: bool
    answered_at: int
    asked_at: int


def keep_raw(conn: sqlite3.Connection, poll: RawPoll) -> None:
    """Write the answer of a poll that `take_turn` has noted."""
    conn.execute(
        "UPDATE polls SET state = 'stored', answered_at = ?, http_status = ?, complete = ?, raw = ? WHERE poll_id = ?",
        [poll.answered_at, poll.http_status, int(poll.complete), poll.raw, poll.poll_id],
    )


def keep_spooled(conn: sqlite3.Connection, account: str, poll: RawPoll, spool: str) -> int | None:
    """Write an answer that had to wait in a spool file; return its poll, or None where it was taken in before."""
    if conn.execute("SELECT 1 FROM polls WHERE spool = ?", [spool]).fetchone():
        return None
    number = lookups.account_id(conn, account)
    waiting = conn.execute(
        "SELECT poll_id FROM polls WHERE poll_id = ? AND account_id = ? AND endpoint = ? AND asked_at = ? AND raw IS NULL",
        [poll.poll_id, number, poll.endpoint, poll.asked_at],
    ).fetchone()
    if waiting is None:
        cursor = conn.execute(
            "INSERT INTO polls (account_id, endpoint, state, asked_at) VALUES (?, ?, 'asked', ?)",
            [number, poll.endpoint, poll.asked_at],
        )
        poll_id = cursor.lastrowid or 0
    else:
        poll_id = waiting[0]
    conn.execute(
        "UPDATE polls SET state = 'stored', answered_at = ?, http_status = ?, complete = ?, raw = ?, spool = ?"
        " WHERE poll_id = ?",
        [poll.answered_at, poll.http_status, int(poll.complete), poll.raw, spool, poll_id],
    )
    return poll_id


def mark_lost(conn: sqlite3.Connection, poll_id: int, state: str, notice: str, now: float) -> None:
    """Note that a poll brought no answer: ``lost`` (it may have been handed out) or ``failed`` (it never left)."""
    conn.execute(
        "UPDATE polls SET state = ?, notice = ?, answered_at = ? WHERE poll_id = ?", [state, notice, int(now), poll_id]
    )


def put_off(conn: sqlite3.Connection, poll_id: int, notice: str) -> None:
    """Note that an answer could not be read now; it stays for `replay`."""
    conn.execute(
        "UPDATE polls SET state = 'unparsed', notice = ? WHERE poll_id = ? AND state = 'stored'", [notice, poll_id]
    )


def waiting_polls(conn: sqlite3.Connection, now: float) -> list[int]:
    """Return the polls whose answers are durable but not parsed, and whose process no longer works on them."""
    rows = conn.execute(
        "SELECT poll_id, process, asked_at FROM polls WHERE state = 'stored' ORDER BY poll_id"
    ).fetchall()
    return [row[0] for row in rows if abs(now - row[2]) > _BUSY_AT_MOST_S or not is_alive(row[1])]


def is_waiting(conn: sqlite3.Connection, poll_id: int) -> bool:
    """Whether the poll's answer is durable but not parsed."""
    return conn.execute("SELECT 1 FROM polls WHERE poll_id = ? AND state = 'stored'", [poll_id]).fetchone() is not None


def read_raw(conn: sqlite3.Connection, poll_id: int) -> RawPoll | None:
    """Return a stored answer, unpacked; None where the poll has none (lost, or pruned)."""
    row = conn.execute(
        "SELECT account_id, endpoint, raw, http_status, complete, answered_at, asked_at, packing FROM polls"
        " WHERE poll_id = ? AND raw IS NOT NULL",
        [poll_id],
    ).fetchone()
    if row is None:
        return None
    raw = zlib.decompress(row[2]) if row[7] == "zlib" else bytes(row[2])
    return RawPoll(poll_id, row[0], row[1], raw, row[3] or 0, bool(row[4]), row[5], row[6])
