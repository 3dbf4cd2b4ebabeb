"""Whether an account's reports come one a message or one a part of a long message: learned from its own messages.

Public sources say both of the platform. Where reports come by part, a long message of which one part is reported delivered may
still miss another. So it stays pending until all have come, or until no report can come any more.
"""

from __future__ import annotations

import sqlite3

from masanalytics.store import message_outcomes
from masanalytics.store.coverage import covered_until
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

__all__ = ["keep_up"]

_DAY_S = 86_400
_LEARN_FROM_S = 60 * _DAY_S
_FEWEST = 20
_SHARE = 0.9


def keep_up(conn: sqlite3.Connection, account_id: int) -> None:
    """Learn once a day how the account's reports come, and settle long messages that have waited long enough."""
    until = covered_until(conn).get(account_id)
    if until is None:
        return
    row = conn.execute(
        "SELECT by_part, learned_at, settled_to FROM parts WHERE account_id = ?", [account_id]
    ).fetchone()
    by_part, learned_at, settled_to = row or (0, None, 0)
    if learned_at is None or until - learned_at >= _DAY_S:
        by_part = _learn(conn, account_id, until, was=bool(by_part))
    if by_part:
        _settle(conn, account_id, settled_to, until - UNREPORTED_AFTER_S)


def _learn(conn: sqlite3.Connection, account_id: int, until: int, *, was: bool) -> bool:
    """Look at delivered long messages for which no report can come any more; return whether theirs come by part."""
    old = until - UNREPORTED_AFTER_S
    messages, complete = conn.execute(
        "SELECT count(*), coalesce(sum(reports >= segments), 0) FROM messages WHERE account_id = ? AND segments >= 2"
        " AND status_id = ? AND submitted_at BETWEEN ? AND ?",
        [account_id, int(Status.delivered), old - _LEARN_FROM_S, old],
    ).fetchone()
    by_part = complete >= _SHARE * messages if messages >= _FEWEST else was
    conn.execute(
        "INSERT INTO parts (account_id, by_part, messages, complete, learned_at, settled_to) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id) DO UPDATE SET by_part = excluded.by_part, messages = excluded.messages,"
        " complete = excluded.complete, learned_at = excluded.learned_at",
        [account_id, by_part, messages, complete, until, old],
    )
    if by_part != was:
        _refresh(conn, account_id, old, until, f"status_id IN ({int(Status.pending)}, {int(Status.delivered)})")
    return bool(by_part)


def _settle(conn: sqlite3.Connection, account_id: int, since: int, until: int) -> None:
    _refresh(conn, account_id, since, until, f"status_id = {int(Status.pending)}")
    conn.execute("UPDATE parts SET settled_to = max(settled_to, ?) WHERE account_id = ?", [until, account_id])


def _refresh(conn: sqlite3.Connection, account_id: int, since: int, until: int, which: str) -> None:
    rows = conn.execute(
        "SELECT message_id FROM messages WHERE account_id = ? AND segments >= 2 AND submitted_at BETWEEN ? AND ?"
        f" AND reports > 0 AND {which}",
        [account_id, since, until],
    )
    message_outcomes.refresh(conn, [row[0] for row in rows])
