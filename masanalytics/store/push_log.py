"""The log of pushes: what an HTTP account's receiver was given, kept beside the answers of polls and read as they are.

A push is kept as the answer of a poll that nobody made, so that reading, settling, opt-outs and reading again are the same for
both. While a receiver runs, the account is covered; what is pushed while none runs is dropped by the platform after three
tries, so every pause that these do not bridge is a gap.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from masanalytics.account import AccountKey
from masanalytics.process_identity import this_process
from masanalytics.protocol import PollAnswer
from masanalytics.store import coverage, lookups, platform_clock

__all__ = ["BRIDGED_S", "has_pushes", "keep", "note_receiving"]

BRIDGED_S: Final = 4
"""A pause shorter than this loses nothing: the platform tries three times, two seconds apart."""


def keep(conn: sqlite3.Connection, account: str | AccountKey, pushes: Sequence[PollAnswer]) -> list[int]:
    """Write pushed bodies; return the poll that each is kept as."""
    account_id, process = lookups.account_id(conn, account), this_process()
    return [
        conn.execute(
            "INSERT INTO polls (account_id, endpoint, state, asked_at, answered_at, http_status, complete, raw, process)"
            " VALUES (?, ?, 'stored', ?, ?, 200, 1, ?, ?)",
            [account_id, push.endpoint, int(push.requested_at), int(push.answered_at), push.raw, process],
        ).lastrowid
        or 0
        for push in pushes
    ]


def has_pushes(conn: sqlite3.Connection, account: str | AccountKey) -> bool:
    """Whether anything was ever pushed (or polled) for the account into this store."""
    account_id = lookups.account_id(conn, account)
    return conn.execute("SELECT 1 FROM polls WHERE account_id = ? LIMIT 1", [account_id]).fetchone() is not None


def note_receiving(conn: sqlite3.Connection, account: str | AccountKey, since: float, until: float) -> None:
    """Note that a receiver has been listening without a pause from `since` to `until`.

    Pushes do not tell what time it is on the platform; the account's accepted batches do, where our clock is ahead.
    """
    account_id = lookups.account_id(conn, account)
    ahead = until - coverage.believed(until, platform_clock.time_told_at(conn, account_id, until))
    since, until = since - ahead, until - ahead
    conn.execute(
        "INSERT OR IGNORE INTO pace (account_id, wall, monotonic, era, first_collected_at) VALUES (?, 0, 0, '', ?)",
        [account_id, int(since)],
    )
    last = conn.execute(
        "SELECT started_at, ended_at FROM coverage WHERE account_id = ? ORDER BY started_at DESC LIMIT 1", [account_id]
    ).fetchone()
    if last is not None and since <= last[1] + BRIDGED_S:
        conn.execute(
            "UPDATE coverage SET ended_at = max(ended_at, ?) WHERE account_id = ? AND started_at = ?",
            [int(until), account_id, last[0]],
        )
    else:
        conn.execute("INSERT INTO coverage VALUES (?, ?, ?)", [account_id, int(since), int(max(since, until))])
