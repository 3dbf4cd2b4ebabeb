"""Whose turn it is to poll: the platform's five seconds, kept in the file across threads, processes and restarts."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from masanalytics.clock import Clock
from masanalytics.store import lookups
from masanalytics.store.process_identity import is_alive, this_process

__all__ = ["Turn", "first_collection", "give_back", "take_turn"]

_HELD_AT_MOST_S = 300.0
_LOOK_AGAIN_S = 0.25
_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to poll once, or how long to wait for it.

    Attributes
    ----------
    poll_id : int
        The poll noted in the store; 0 where it is not our turn yet.
    wait_s : float
        Seconds until it is worth asking again.
    """

    poll_id: int
    wait_s: float


def take_turn(
    conn: sqlite3.Connection, account: str, endpoint: str, interval_s: float, clock: Clock, asker: str
) -> Turn:
    """Take the account's turn if the interval since the last poll has passed, and note the poll.

    `asker` names one poller of this process: a turn that it holds itself was never given back, and is over.

    The interval counts from the end of the last poll (its answer), by the monotonic clock where that can be compared, so a
    wall clock that jumps changes nothing; after a restart by the wall clock, and never for longer than one interval.
    """
    number = lookups.account_id(conn, account)
    process = this_process()
    me = f"{process}#{asker}"
    row = conn.execute("SELECT wall, monotonic, era, holder FROM pace WHERE account_id = ?", [number]).fetchone()
    if row is not None:
        holder = None if row[3] == me else row[3]
        wait = _wait((*row[:3], holder), interval_s, clock)
        if wait > 0:
            set_back = row[2] != clock.era and row[0] > clock.now()
            if set_back and holder is None:  # otherwise every asking would begin the interval anew
                _start_interval(conn, number, clock)
            return Turn(0, wait)
        if holder is not None:  # a poll was under way in a process that is gone: it may just have been sent
            _forget_holder(conn, number, clock)
            if interval_s > 0:
                return Turn(0, interval_s)
    conn.execute(
        "INSERT INTO pace (account_id, wall, monotonic, era, holder) VALUES (?, ?, ?, ?, ?) ON CONFLICT (account_id)"
        " DO UPDATE SET wall = excluded.wall, monotonic = excluded.monotonic, era = excluded.era,"
        " holder = excluded.holder",
        [number, clock.now(), clock.monotonic(), clock.era, me],
    )
    cursor = conn.execute(
        "INSERT INTO polls (account_id, endpoint, state, asked_at, process) VALUES (?, ?, 'asked', ?, ?)",
        [number, endpoint, int(clock.now()), process],
    )
    return Turn(cursor.lastrowid or 0, 0.0)


def give_back(conn: sqlite3.Connection, account: str, clock: Clock) -> None:
    """Note that the account's poll has ended: the interval starts now."""
    conn.execute(
        "UPDATE pace SET wall = ?, monotonic = ?, era = ?, holder = NULL WHERE account_id ="
        " (SELECT account_id FROM accounts WHERE account = ?)",
        [clock.now(), clock.monotonic(), clock.era, account],
    )


def first_collection(conn: sqlite3.Connection, account: str, now: float) -> bool:
    """Whether nobody has collected this account into this store before; from now on somebody has."""
    number = lookups.account_id(conn, account)
    if conn.execute("SELECT 1 FROM polls WHERE account_id = ? LIMIT 1", [number]).fetchone():
        return False
    conn.execute(
        "INSERT OR IGNORE INTO pace (account_id, wall, monotonic, era, first_collected_at) VALUES (?, 0, 0, '', ?)",
        [number, int(now)],
    )
    return True


def _wait(row: tuple[float, float, str, str | None], interval_s: float, clock: Clock) -> float:
    wall, monotonic, era, holder = row
    same_era = era == clock.era
    passed = clock.monotonic() - monotonic if same_era else clock.now() - wall
    if holder is not None and passed < _HELD_AT_MOST_S and is_alive(holder.partition("#")[0]):
        return max(_LOOK_AGAIN_S, interval_s / 4)
    if not same_era and passed < 0:  # the wall clock was set back while nobody looked
        passed = 0.0
    if holder is not None:
        return 0.0
    left = interval_s - passed
    return left if left > _ROUNDING_S else 0.0


def _forget_holder(conn: sqlite3.Connection, number: int, clock: Clock) -> None:
    conn.execute(
        "UPDATE polls SET state = 'lost', notice = 'the polling process ended before the answer was stored'"
        " WHERE account_id = ? AND state = 'asked'",
        [number],
    )
    _start_interval(conn, number, clock)


def _start_interval(conn: sqlite3.Connection, number: int, clock: Clock) -> None:
    conn.execute(
        "UPDATE pace SET wall = ?, monotonic = ?, era = ?, holder = NULL WHERE account_id = ?",
        [clock.now(), clock.monotonic(), clock.era, number],
    )
