"""How far the account's reports have been fetched: the observation window of every statistic, and what monitoring asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from masanalytics.account import AccountKey
from masanalytics.protocol import FULL_PAGE
from masanalytics.store import lookups

__all__ = [
    "GAP_S",
    "CollectingHealth",
    "believed",
    "collecting_health",
    "covered_until",
    "disbelieve",
    "extend",
    "gaps",
    "intervals",
    "is_ahead",
    "is_of_later_time",
    "join",
    "polled_accounts",
]

GAP_S = 600
"""Longer than this between two drained polls counts as a gap in which nobody polled."""
_SKEW_S = 120
"""Two clocks that are both right, and an answer that was slow, differ by less."""
_STEP_BACK_S = 5
"""A clock is set back by so little all the time."""
_WHOSE = "(? IS NULL OR account_id = ?)"


@dataclass(frozen=True, slots=True)
class CollectingHealth:
    """How collecting of an account stands: instants in epoch seconds, None where it never happened; polls by kind.

    Attributes
    ----------
    covered_until : int or None
        Up to when everything was fetched.
    drained_at : int or None
        When the last poll was made that left nothing behind.
    last_poll_at : int or None
        When the last poll was made.
    polls, unparsed, lost : int
        All polls; those whose answer could not be read in full; those whose answer was lost.
    missing : int
        Of all polls, those whose answer, or a part of it, is missing from the numbers and not given up.
    """

    covered_until: int | None
    drained_at: int | None
    last_poll_at: int | None
    polls: int
    unparsed: int
    lost: int
    missing: int


def extend(conn: sqlite3.Connection, account_id: int, at: int) -> None:
    """Note that everything the platform had for the account at this instant was fetched.

    An answer that is taken in late closes the gap that was there without it.
    """
    spans = "SELECT started_at, ended_at FROM coverage WHERE account_id = ? AND started_at"
    before = conn.execute(f"{spans} <= ? ORDER BY started_at DESC LIMIT 1", [account_id, at]).fetchone()
    after = conn.execute(f"{spans} > ? ORDER BY started_at LIMIT 1", [account_id, at]).fetchone()
    if before is not None and at <= before[1]:
        return
    started_at, ended_at = at, at
    if before is not None and at - before[1] <= GAP_S:
        started_at = before[0]
    if after is not None and after[0] - at <= GAP_S:
        ended_at = after[1]
    conn.execute(
        "DELETE FROM coverage WHERE account_id = ? AND started_at BETWEEN ? AND ?", [account_id, started_at, ended_at]
    )
    conn.execute("INSERT INTO coverage VALUES (?, ?, ?)", [account_id, started_at, ended_at])


def join(conn: sqlite3.Connection, account_id: int, started_at: int, ended_at: int) -> None:
    """Note that from one instant to another everything was fetched as it came; what touches it becomes one interval with it."""
    touching = "FROM coverage WHERE account_id = ? AND started_at <= ? AND ended_at >= ?"
    limits = [account_id, ended_at + GAP_S, started_at - GAP_S]
    first, last = conn.execute(f"SELECT min(started_at), max(ended_at) {touching}", limits).fetchone()
    conn.execute(f"DELETE {touching}", limits)
    whole = (started_at, ended_at) if first is None else (min(first, started_at), max(last, ended_at))
    conn.execute("INSERT INTO coverage VALUES (?, ?, ?)", [account_id, *whole])


def believed(at: float, server_time: float | None) -> int:
    """Return the instant `at` as far as the platform's own time bears it out.

    Examples
    --------
    >>> believed(1000.0, None), believed(1000.0, 990.0), believed(8 * 3600.0, 10.0)
    (1000, 1000, 10)
    """
    ahead = server_time is not None and at - server_time > _SKEW_S
    return int(server_time if ahead and server_time is not None else at)


def is_ahead(conn: sqlite3.Connection, now: float, account_id: int | None = None) -> bool:
    """Whether a clock that was ahead has written what lies later than now."""
    limit = [account_id, account_id, int(now) + _STEP_BACK_S]
    return conn.execute(f"SELECT 1 FROM coverage WHERE {_WHOSE} AND ended_at > ? LIMIT 1", limit).fetchone() is not None


def is_of_later_time(conn: sqlite3.Connection, now: float) -> bool:
    """Whether most of what was sent is later than now as well, so that the whole file has a time of its own."""
    later, sent = conn.execute(
        "SELECT sum(messages) FILTER (WHERE requested_at > ?), sum(messages) FROM batches", [int(now) + _STEP_BACK_S]
    ).fetchone()
    return 2 * (later or 0) > (sent or 0)


def disbelieve(
    conn: sqlite3.Connection, now: float, account_id: int | None = None, *, by_platform: bool = False
) -> None:
    """Take back what a clock that was ahead wrote: no coverage lies later than now, and no hole where the platform says what is now.

    By our clock alone a hole is left as it is: that clock may be behind, and a hole that ends too early hides what it hid.
    """
    latest, whose = int(now), [account_id, account_id]
    if not by_platform and not is_ahead(conn, now, account_id):
        return
    conn.execute(f"DELETE FROM coverage WHERE {_WHOSE} AND started_at > ?", [*whose, latest])
    conn.execute(f"UPDATE coverage SET ended_at = ? WHERE {_WHOSE} AND ended_at > ?", [latest, *whose, latest])
    if not by_platform:
        return
    conn.execute(
        f"UPDATE holes SET until = ?, since = min(since, ?) WHERE {_WHOSE} AND until > ?",
        [latest, latest, *whose, latest],
    )


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


def collecting_health(conn: sqlite3.Connection, account: str | AccountKey) -> CollectingHealth:
    """Return how collecting of an account stands."""
    account_id = lookups.find_account(conn, account)
    row = conn.execute(
        "SELECT max(asked_at), count(*), coalesce(sum(state = 'unparsed'), 0), coalesce(sum(state = 'lost'), 0)"
        " FROM polls WHERE account_id = ?",
        [account_id],
    ).fetchone()
    covered = conn.execute("SELECT max(ended_at) FROM coverage WHERE account_id = ?", [account_id]).fetchone()[0]
    drained = conn.execute(
        "SELECT asked_at FROM polls WHERE account_id = ? AND endpoint = 'report'"
        f" AND state = 'parsed' AND records < {FULL_PAGE} ORDER BY poll_id DESC LIMIT 1",
        [account_id],
    ).fetchone()
    missing = conn.execute(
        "SELECT count(*) FROM holes WHERE account_id = ? AND given_up_at IS NULL",
        [account_id],
    ).fetchone()[0]
    return CollectingHealth(covered, drained and drained[0], row[0], row[1], row[2], row[3], missing)


def polled_accounts(conn: sqlite3.Connection) -> list[str]:
    """Return the accounts that were polled into this store, by name."""
    return [
        row[0] for row in conn.execute("SELECT account FROM accounts JOIN pace USING (account_id) ORDER BY account")
    ]
