"""What the platform's clock said while ours said something else: the offset, learned from the account's own batches and polls.

The msgGroup of an accepted batch begins with the platform's time, to the second, and the batch was asked for and answered at
ours. So our clock, wrong as it may be, is compared with theirs before a time of theirs is held against one of ours.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Final, NamedTuple

from masanalytics.timezone import CHINA_OFFSET_S, parse_platform_time

__all__ = [
    "Offset",
    "correct_day",
    "date_messages",
    "earliest_now",
    "group_time",
    "note_offset",
    "offsets_near",
    "seconds_behind",
    "time_told_at",
]

_NEIGHBOURS: Final = 4
_NEAR_S: Final = 86_400
_NOTED_AGAIN_S: Final = 3600
_UNLEARNED_S: Final = 120
"""How far our clock may be off where nothing tells."""


class Offset(NamedTuple):
    """By how many seconds the platform's clock was ahead of ours: at least `low`, at most `high`."""

    low: int
    high: int


def group_time(msg_group: str, near: float | None) -> int | None:
    """Return the time a msgGroup begins with, in the year that is nearest to `near`; None where it has no such form.

    Examples
    --------
    >>> group_time("0101080000000000000001", 1767225600 - 40 * 86400), group_time("abc", 0)
    (1767225600, None)
    """
    if len(msg_group) != 22 or not msg_group.isdigit() or near is None:
        return None
    year = datetime.fromtimestamp(near + CHINA_OFFSET_S, UTC).year
    found = [parse_platform_time(f"{one:04d}{msg_group[:10]}") for one in (year - 1, year, year + 1)]
    return min((time for time in found if time is not None), key=lambda time: abs(time - near), default=None)


def date_messages(conn: sqlite3.Connection, batch_id: int) -> int | None:
    """Give the batch's messages that have no report yet the time at which the platform took them, where its msgGroup tells.

    Reports tell submission by the platform's clock. By ours, which may be hours off, those still pending would have waited
    longer or shorter than the reported ones of the same request, and rates at equal age would leave one kind out.
    """
    taken_at = _taken_at(conn, batch_id)
    if taken_at is not None:
        conn.execute(
            "UPDATE messages SET submitted_at = ? WHERE batch_id = ? AND reports = 0 AND campaign_id IS NOT NULL",
            [taken_at, batch_id],
        )
    return taken_at


def correct_day(conn: sqlite3.Connection, batch_id: int, behind_s: int) -> bool:
    """Date a request by the platform's clock where ours is days off; return whether it is.

    A msgGroup has no year. Where our clock said another one, reports of the batch would be taken for those of a stranger's, and a
    batch dated long ago would seem to have been silent ever since. What our clock said stays in ``claimed_at``: as long as it is
    wrong, budgets and repetitions are counted by it.
    """
    if abs(behind_s) <= _NEAR_S:
        return False
    requested_at, answered_at = conn.execute(
        "SELECT requested_at, coalesce(answered_at, requested_at) FROM batches WHERE batch_id = ?", [batch_id]
    ).fetchone()
    time = answered_at + behind_s
    # The clock may have been set while the request was under way: only the answer's time is off then, or only the question's.
    asked_at = min(requested_at, requested_at + behind_s, key=lambda one: abs(one - time))
    if abs(asked_at - time) > _NEAR_S:
        asked_at = time
    conn.execute(
        "UPDATE batches SET claimed_at = coalesce(claimed_at, nullif(requested_at, ?1)), requested_at = ?1, answered_at = ?2"
        " WHERE batch_id = ?3",
        [asked_at, time, batch_id],
    )
    conn.execute(
        "UPDATE messages SET submitted_at = (SELECT requested_at FROM batches WHERE batches.batch_id = ?1) WHERE batch_id = ?1"
        " AND reports = 0",
        [batch_id],
    )
    return True


def note_offset(conn: sqlite3.Connection, answered_at: float, server_time: float | None) -> None:
    """Keep by how much our clock is off, as the last answer of the platform tells; nothing is written where it is right."""
    if server_time is None:
        return
    ours, behind_s = int(answered_at), int(server_time - answered_at)
    row = conn.execute("SELECT ours, behind_s FROM clock_offset").fetchone()
    if abs(behind_s) <= _UNLEARNED_S:
        if row is not None:
            conn.execute("DELETE FROM clock_offset")
    elif row is None or abs(row[1] - behind_s) > _UNLEARNED_S or not 0 <= ours - row[0] <= _NOTED_AGAIN_S:
        conn.execute("INSERT OR REPLACE INTO clock_offset (id, ours, behind_s) VALUES (1, ?, ?)", [ours, behind_s])


def earliest_now(conn: sqlite3.Connection, now: float) -> float:
    """Return the earliest that it may be on the platform while our clock says `now`.

    What a clock said before a day, or says later than now, tells nothing: it may have been set since.
    """
    row = conn.execute("SELECT ours, behind_s FROM clock_offset").fetchone()
    is_of_now = row is not None and 0 <= now - row[0] <= _NEAR_S
    return now + min(0, row[1]) if is_of_now else now


def _taken_at(conn: sqlite3.Connection, batch_id: int) -> int | None:
    """Return when the platform took a batch, by its own clock; None where nothing tells.

    A time far from ours is believed only where the polls show that our clock is as wrong as that: a msgGroup of another form may
    look like a time.
    """
    row = conn.execute(
        "SELECT msg_group, account_id, requested_at FROM batches WHERE batch_id = ?", [batch_id]
    ).fetchone()
    if row is None or not row[0] or row[2] is None:
        return None
    msg_group, account_id, requested_at = row
    for offset in (0, *(one.low for one in _offsets_of_polls(conn, account_id, requested_at))):
        time = group_time(msg_group, requested_at + offset)
        if time is not None and abs(time - requested_at - offset) <= _NEAR_S:
            return time
    return None


def time_told_at(conn: sqlite3.Connection, account_id: int, at: float) -> float | None:
    """Return the earliest time that it can have been on the platform at our instant `at`, as the last accepted batch before tells.

    A batch of another day tells nothing: the clock may have been set since.
    """
    row = conn.execute(
        "SELECT batch_id, max(requested_at, answered_at) FROM batches WHERE account_id = ? AND state = 'accepted' AND inferred = 0"
        " AND campaign_id IS NOT NULL AND msg_group IS NOT NULL AND answered_at IS NOT NULL AND requested_at <= ?"
        " ORDER BY batch_id DESC LIMIT 1",
        [account_id, int(at)],
    ).fetchone()
    taken_at = None if row is None or row[1] < at - _NEAR_S else _taken_at(conn, row[0])
    return None if taken_at is None else at + taken_at - row[1]


def seconds_behind(conn: sqlite3.Connection, account_id: int, at: float) -> int:
    """Return by how much our clock was behind the platform's at our instant `at`, as the nearest poll or batch before tells."""
    polls = conn.execute(
        "SELECT abs(asked_at - ?1), server_time - asked_at FROM polls WHERE account_id = ?2 AND server_time IS NOT NULL AND"
        " asked_at BETWEEN ?1 - ?3 AND ?1 ORDER BY poll_id DESC LIMIT 1",
        [int(at), account_id, _NEAR_S],
    ).fetchall()
    batches = conn.execute(
        "SELECT abs(requested_at - ?1), batch_id, requested_at FROM batches WHERE account_id = ?2 AND state = 'accepted' AND"
        " campaign_id IS NOT NULL AND msg_group IS NOT NULL AND requested_at BETWEEN ?1 - ?3 AND ?1 ORDER BY batch_id DESC LIMIT 1",
        [int(at), account_id, _NEAR_S],
    ).fetchall()
    told = [(far, _taken_at(conn, batch_id), asked) for far, batch_id, asked in batches]
    known = [*polls, *((far, time - asked) for far, time, asked in told if time is not None)]
    return max(0, min(known, default=(0, 0))[1])


def offsets_near(conn: sqlite3.Connection, batch_id: int, account_id: int, requested_at: int) -> list[Offset]:
    """Return what the batches accepted just before and after this one, or else the polls about then, tell of the offset.

    A clock may have been set between two requests: each neighbour tells for itself, and any of them may be right.
    """
    found = []
    for side, order in (("<", "DESC"), (">", "ASC")):
        rows = conn.execute(
            "SELECT msg_group, requested_at, answered_at FROM batches WHERE account_id = ? AND state = 'accepted' AND"
            " inferred = 0 AND campaign_id IS NOT NULL AND msg_group IS NOT NULL AND requested_at IS NOT NULL AND"
            f" answered_at IS NOT NULL AND batch_id {side} ? ORDER BY batch_id {order} LIMIT {_NEIGHBOURS}",
            [account_id, batch_id],
        ).fetchall()
        for msg_group, asked, answered in rows:
            time = group_time(msg_group, asked)
            if time is not None and abs(asked - requested_at) <= _NEAR_S:
                found.append(Offset(time - max(asked, answered) - 1, time - asked + 1))
    return found or _offsets_of_polls(conn, account_id, requested_at) or [Offset(-_UNLEARNED_S, _UNLEARNED_S)]


def _offsets_of_polls(conn: sqlite3.Connection, account_id: int, requested_at: int) -> list[Offset]:
    polls = conn.execute(
        "SELECT server_time, asked_at, answered_at FROM polls WHERE account_id = ? AND server_time IS NOT NULL AND answered_at"
        " IS NOT NULL AND asked_at BETWEEN ? AND ? ORDER BY abs(asked_at - ?) LIMIT 1",
        [account_id, requested_at - _NEAR_S, requested_at + _NEAR_S, requested_at],
    ).fetchall()
    return [Offset(time - max(asked, answered) - 1, time - asked + 1) for time, asked, answered in polls]
