"""How far the account's reports have been heard: the observation window of every statistic."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import pairwise

__all__ = ["GAP_S", "between", "covered_until", "extend", "intervals"]

GAP_S = 600
"""Longer than this between two drained polls counts as a gap in which nobody polled."""


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


def between(spans: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Return the gaps (account, start, end) between an account's covered intervals, in the order of `intervals`.

    Examples
    --------
    >>> between([("ours", 0, 100), ("ours", 900, 1000), ("theirs", 50, 60)])
    [('ours', 100, 900)]
    """
    return [(one[0], one[2], other[1]) for one, other in pairwise(spans) if one[0] == other[0]]
