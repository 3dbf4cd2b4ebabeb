"""Messages that were moved from a batch which may have left into one that has not, and the way back.

The user has said of a batch that it was not sent, or the platform has rejected it, and a later run has taken its messages
over. If the platform's own word then says that it has them, whatever has not left again goes back: nobody gets it twice.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from masanalytics.store.lookups import RESENDABLE

__all__ = ["NUMBERS_OF_BATCH", "may_come_back", "note_moves", "pull_back"]

_MAY_BE_OUT: Final = (
    "(b.state = 'rejected' OR (b.state = 'not_sent' AND b.settled_by_user)) AND b.requested_at IS NOT NULL"
)
_BACK: Final = f"SELECT v.message_id FROM moved v JOIN messages n USING (message_id) WHERE v.batch_id = ? AND n.status_id {RESENDABLE}"
NUMBERS_OF_BATCH: Final = (
    "SELECT phone FROM messages WHERE batch_id = ?1 UNION SELECT n.phone FROM moved v JOIN messages n USING (message_id)"
    f" WHERE v.batch_id = ?1 AND n.status_id {RESENDABLE}"
)
"""The numbers of a batch, with those that were moved from it and have not left since; the batch is parameter 1."""


def may_come_back(conn: sqlite3.Connection, round_id: int) -> bool:
    """Whether the round has a batch that may have been taken although it is not counted so."""
    sql = f"SELECT 1 FROM batches b WHERE b.round_id = ? AND {_MAY_BE_OUT} LIMIT 1"
    return conn.execute(sql, [round_id]).fetchone() is not None


def note_moves(conn: sqlite3.Connection, round_id: int) -> None:
    """Note which messages of the table ``asked`` are about to leave a batch that may have been taken after all."""
    conn.execute(
        "INSERT OR REPLACE INTO moved (message_id, batch_id, content, segments) SELECT m.message_id, m.batch_id, m.content,"
        " m.segments FROM asked JOIN messages m ON m.phone = asked.phone AND m.round_id = ? AND m.key = asked.key"
        f" JOIN batches b ON b.batch_id = m.batch_id WHERE m.status_id {RESENDABLE} AND {_MAY_BE_OUT}",
        [round_id],
    )
    conn.execute("DELETE FROM asked")


def pull_back(conn: sqlite3.Connection, batch_id: int) -> int:
    """Bring back what was moved from a batch and has not left since; return how many messages."""
    moved = conn.execute(_BACK, [batch_id]).fetchall()
    if not moved:
        return 0
    others = conn.execute(
        f"SELECT DISTINCT batch_id FROM messages WHERE message_id IN ({_BACK}) AND batch_id <> ?", [batch_id, batch_id]
    ).fetchall()
    conn.executemany(
        "UPDATE messages SET (batch_id, account_id, content, segments, submitted_at) = (SELECT v.batch_id, b.account_id,"
        " v.content, v.segments, b.requested_at FROM moved v JOIN batches b USING (batch_id) WHERE v.batch_id = ? AND"
        " v.message_id = messages.message_id) WHERE message_id = ?",
        [(batch_id, message_id) for (message_id,) in moved],
    )
    conn.executemany(
        "UPDATE batches SET (messages, segments) = (SELECT count(*), sum(coalesce(m.segments, 1)) FROM messages m"
        " WHERE m.batch_id = batches.batch_id) WHERE batch_id = ?",
        [(batch_id,), *others],
    )
    conn.execute("DELETE FROM moved WHERE batch_id = ?", [batch_id])
    return len(moved)
