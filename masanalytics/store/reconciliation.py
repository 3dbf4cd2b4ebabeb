"""Bringing reports and batches together that did not find each other at once.

Reports may come before their batch's own answer is stored, or the answer may never come. Either way they wait as messages
of no campaign under their msgGroup. When the answer names that msgGroup, or when everything about the group says that it
is a batch whose outcome is unknown, the reports move to the messages they belong to.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from masanalytics.i18n import Text
from masanalytics.store.kept_texts import keep_text
from masanalytics.store.lookups import STATUS_OF_STATE
from masanalytics.store.message_outcomes import refresh
from masanalytics.timezone import to_platform_time
from masanalytics.vocabulary import Status

__all__ = ["adopt", "confirm", "infer", "look_again", "settle"]

_LEAST_SHARE = 20
"""A group must name one in so many of a batch's numbers: one message of another system to one customer proves nothing."""
_BEFORE_S = 120
_AFTER_S = 900
_SAME_GROUP_S = 30 * 86400
_SHOWN_BY_REPORTS = Text("accepted, as its reports show", code="shown_by_reports")
_SETTLED_BY_USER = Text("settled by the user", code="settled_by_user")


def adopt(conn: sqlite3.Connection, batch_id: int) -> int:
    """Move reports that waited under this batch's msgGroup to its messages; return how many messages they settled."""
    msg_group, account_id, requested_at = conn.execute(
        "SELECT msg_group, account_id, requested_at FROM batches WHERE batch_id = ?", [batch_id]
    ).fetchone()
    if not msg_group:
        return 0
    strangers = conn.execute(
        "SELECT batch_id FROM batches WHERE msg_group = ? AND account_id = ? AND campaign_id IS NULL"
        " AND abs(coalesce(requested_at, ?) - ?) <= ?",
        [msg_group, account_id, requested_at, requested_at, _SAME_GROUP_S],
    ).fetchall()
    return sum(_move(conn, stranger, batch_id) for (stranger,) in strangers)


def infer(conn: sqlite3.Connection, foreign: Iterable[int]) -> list[int]:
    """Settle batches of unknown outcome whose numbers, and the time, a group of reports names.

    A batch is taken to have been accepted under a msgGroup when the group belongs to the same account, its submit date
    and the time written in the msgGroup itself lie in the attempt, all its numbers are in the batch and enough of them to
    be no coincidence, and no other batch fits. Returns the groups that found their batch.
    """
    settled = []
    for group_id in foreign:
        row = conn.execute(
            "SELECT msg_group, account_id, requested_at FROM batches WHERE batch_id = ? AND campaign_id IS NULL",
            [group_id],
        ).fetchone()
        if row is None or row[2] is None or not row[0]:
            continue
        fitting = [batch for batch in _in_time(conn, *row) if _holds_all(conn, group_id, batch)]
        if len(fitting) != 1:
            continue
        conn.execute("UPDATE batches SET msg_group = ? WHERE batch_id = ?", [row[0], fitting[0]])
        _accept(conn, fitting[0])
        adopt(conn, fitting[0])
        settled.append(group_id)
    return settled


def look_again(conn: sqlite3.Connection, batch_ids: Iterable[int]) -> list[int]:
    """Settle batches that have just turned out to be of unknown outcome by reports that came before.

    Their reports may all have been fetched while the answer was still awaited. Returns the groups that found their batch.
    """
    windows = conn.execute(
        "SELECT account_id, min(requested_at), max(coalesce(answered_at, requested_at)) FROM batches"
        " WHERE batch_id IN (SELECT value FROM json_each(?)) AND state = 'unknown' GROUP BY account_id",
        [json.dumps(list(batch_ids))],
    ).fetchall()
    waiting: list[int] = []
    for account_id, first, last in windows:
        rows = conn.execute(
            "SELECT batch_id FROM batches WHERE campaign_id IS NULL AND account_id = ? AND requested_at BETWEEN ? AND ?",
            [account_id, first - _BEFORE_S, last + _AFTER_S],
        )
        waiting += [row[0] for row in rows.fetchall()]
    return infer(conn, waiting)


def confirm(conn: sqlite3.Connection, account_id: int) -> int:
    """Settle batches of unknown outcome whose msgGroup is known and named by reports; return how many.

    An answer that contradicts itself may still have named the msgGroup.
    """
    rows = conn.execute(
        "SELECT batch_id FROM batches WHERE account_id = ? AND state = 'unknown' AND msg_group IS NOT NULL AND EXISTS"
        " (SELECT 1 FROM messages m WHERE m.batch_id = batches.batch_id AND m.reports > 0)",
        [account_id],
    ).fetchall()
    for (batch_id,) in rows:
        _accept(conn, batch_id)
    return len(rows)


def settle(conn: sqlite3.Connection, batch_id: int, state: str) -> bool:
    """Set a batch of unknown outcome to what the user says: ``accepted`` or ``not_sent``; return whether it was one."""
    changed = conn.execute(
        "UPDATE batches SET state = ?, notice = ? WHERE batch_id = ? AND state = 'unknown'",
        [state, keep_text(_SETTLED_BY_USER), batch_id],
    ).rowcount
    if changed:
        _settle_messages(conn, batch_id, STATUS_OF_STATE[state])
    return bool(changed)


def _accept(conn: sqlite3.Connection, batch_id: int) -> None:
    conn.execute(
        "UPDATE batches SET state = 'accepted', inferred = 1, notice = ? WHERE batch_id = ?",
        [keep_text(_SHOWN_BY_REPORTS), batch_id],
    )
    _settle_messages(conn, batch_id, Status.pending)


def _settle_messages(conn: sqlite3.Connection, batch_id: int, status: Status) -> None:
    conn.execute(
        "UPDATE messages SET status_id = ? WHERE batch_id = ? AND status_id = ?",
        [int(status), batch_id, int(Status.unknown)],
    )


def _in_time(conn: sqlite3.Connection, msg_group: str, account_id: int, submitted_at: int) -> list[int]:
    rows = conn.execute(
        "SELECT batch_id, requested_at, coalesce(answered_at, requested_at) FROM batches WHERE state = 'unknown'"
        " AND account_id = ? AND requested_at BETWEEN ? AND ? AND campaign_id IS NOT NULL AND msg_group IS NULL",
        [account_id, submitted_at - _AFTER_S, submitted_at + _BEFORE_S],
    ).fetchall()
    stamp = msg_group[:10]  # MMddHHmmss, the platform's own clock
    return [
        batch_id
        for batch_id, requested_at, answered_at in rows
        if not (len(msg_group) == 22 and msg_group.isdigit())
        or to_platform_time(requested_at - _BEFORE_S)[4:] <= stamp <= to_platform_time(answered_at + _AFTER_S)[4:]
        or to_platform_time(requested_at - _BEFORE_S)[:4] != to_platform_time(answered_at + _AFTER_S)[:4]
    ]


def _holds_all(conn: sqlite3.Connection, group_id: int, batch_id: int) -> bool:
    missing = conn.execute(
        "SELECT 1 FROM messages g WHERE g.batch_id = ? AND NOT EXISTS"
        " (SELECT 1 FROM messages m WHERE m.batch_id = ? AND m.phone = g.phone) LIMIT 1",
        [group_id, batch_id],
    ).fetchone()
    if missing is not None:
        return False
    named, size = (
        conn.execute("SELECT count(*) FROM messages WHERE batch_id = ?", [one]).fetchone()[0]
        for one in (group_id, batch_id)
    )
    return bool(named * _LEAST_SHARE >= size)


def _move(conn: sqlite3.Connection, stranger: int, batch_id: int) -> int:
    pairs = conn.execute(
        "SELECT g.message_id, m.message_id FROM messages g JOIN messages m ON m.batch_id = ? AND m.phone = g.phone"
        " WHERE g.batch_id = ?",
        [batch_id, stranger],
    ).fetchall()
    conn.executemany(
        "UPDATE OR IGNORE reports SET message_id = ? WHERE message_id = ?", [(mine, theirs) for theirs, mine in pairs]
    )
    conn.executemany("DELETE FROM reports WHERE message_id = ?", [(theirs,) for theirs, _ in pairs])
    conn.executemany(
        "UPDATE uplinks SET message_id = ? WHERE message_id = ?", [(mine, theirs) for theirs, mine in pairs]
    )
    conn.executemany("DELETE FROM messages WHERE message_id = ?", [(theirs,) for theirs, _ in pairs])
    left = conn.execute("SELECT count(*) FROM messages WHERE batch_id = ?", [stranger]).fetchone()[0]
    if left:
        conn.execute("UPDATE batches SET messages = ? WHERE batch_id = ?", [left, stranger])
    else:
        conn.execute("DELETE FROM batches WHERE batch_id = ?", [stranger])
    refresh(conn, [mine for _, mine in pairs])
    return len(pairs)
