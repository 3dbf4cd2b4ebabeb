"""How far the account's reports have been fetched: the observation window of every statistic, and what monitoring asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

__all__ = [
    "GAP_S",
    "CollectingHealth",
    "collecting_health",
    "covered_until",
    "extend",
    "gaps",
    "intervals",
    "polled_accounts",
]

GAP_S = 600
"""Longer than this between two drained polls counts as a gap in which nobody polled."""


@dataclass(frozen=True, slots=True)
class CollectingHealth:
    """How collecting of an account stands: instants in epoch seconds, None where it never happened; polls by kind."""

    covered_until: int | None
    last_poll_at: int | None
    polls: int
    unparsed: int
    lost: int


def extend(conn: sqlite3.Connection, account_id: int, at: int) -> None:
    """Note that everything the platform had for the account at this instant was fetched."""
    last = conn.execute(
        "SELECT started_at, ended_at FROM coverage WHERE account_id = ? ORDER BY started_at DESC LIMIT 1", [account_id]
    ).fetchone()
    if last is not None and at <= last[1]:  # the wall clock was set back, or an answer was taken in late
        return
    if last is not None and at - last[1] <= GAP_S:
        conn.execute(
            "UPDATE coverage SET ended_at = ? WHERE account_id = ? AND started_at = ?", [at, account_id, last[0]]
        )
    else:
        conn.execute("INSERT INTO coverage VALUES (?, ?, ?)", [account_id, at, at])


def covered_until(conn: sqlite3.Connection) -> dict[int, int]:
    """Return, account by account, the last instant up to which every report was fetched."""
    return dict(conn.execute("SELECT account_id, max(ended_at) FROM coverage GROUP BY account_id").fetchall())


def intervals(conn: sqlite3.Connection, account: str | None) -> list[tuple[str, int, int]]:
    """Return the covered intervals (account, start, end), oldest first."""
    return conn.execute(
        "SELECT account, started_at, ended_at FROM coverage JOIN accounts USING (account_id)"
        " WHERE ? IS NULL OR account = ? ORDER BY account, started_at",
        [account, account],
    ).fetchall()


def gaps(spans: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Return the gaps (account, start, end) between an account's covered intervals, in the order of `intervals`.

    Examples
    --------
    >>> gaps([("ours", 0, 100), ("ours", 900, 1000), ("theirs", 50, 60)])
    [('ours', 100, 900)]
    """
    return [(one[0], one[2], other[1]) for one, other in pairwise(spans) if one[0] == other[0]]


def collecting_health(conn: sqlite3.Connection, account: str) -> CollectingHealth:
    """Return how collecting of an account stands."""
    row = conn.execute(
        "SELECT max(asked_at), count(*), coalesce(sum(state = 'unparsed'), 0), coalesce(sum(state = 'lost'), 0)"
        " FROM polls JOIN accounts USING (account_id) WHERE account = ?",
        [account],
    ).fetchone()
    covered = conn.execute(
        "SELECT max(ended_at) FROM coverage JOIN accounts USING (account_id) WHERE account = ?", [account]
    ).fetchone()[0]
    return CollectingHealth(covered, row[0], row[1], row[2], row[3])


def polled_accounts(conn: sqlite3.Connection) -> list[str]:
    """Return the accounts that were polled into this store, by name."""
    return [
        row[0] for row in conn.execute("SELECT account FROM accounts JOIN pace USING (account_id) ORDER BY account")
    ]
