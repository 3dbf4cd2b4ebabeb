"""Messages that were moved from a batch which may have left into one that has not, and the way back.

The user has said of a batch that it was not sent, or the platform has rejected it, and a later run has taken its messages
over. If the platform's own word then says that it has them, whatever has not left again goes back: nobody gets it twice.
Somebody who has opted out meanwhile stands where she may have been taken: forgotten, she could not be counted if she was,
and would get it again if she changed her mind.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from masanalytics.store.lookups import MAY_BE_OUT, RESENDABLE, STATUS_OF_STATE, STILL_TO_SEND

__all__ = ["NUMBERS_OF_BATCH", "may_come_back", "note_moves", "pull_back", "return_taken", "sent_again", "withdraw"]

_MAY_BE_OUT: Final = (
    "(b.state = 'rejected' OR (b.state = 'not_sent' AND b.settled_by_user)) AND b.requested_at IS NOT NULL"
)
_BACK: Final = f"SELECT v.message_id FROM moved v JOIN messages n USING (message_id) WHERE v.batch_id = ? AND n.status_id {RESENDABLE}"
NUMBERS_OF_BATCH: Final = (
    "SELECT phone FROM messages WHERE batch_id = ?1 UNION SELECT n.phone FROM moved v JOIN messages n USING (message_id)"
    " WHERE v.batch_id = ?1"
)
"""The numbers that a batch was asked for with: those that stand in it, and those that were moved from it; it is parameter 1."""
_OPTED_OUT: Final = "m.phone IN (SELECT phone FROM opt_outs WHERE until IS NULL)"


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
    return len(_go_back(conn, "v.batch_id = ? AND m.batch_id <> v.batch_id", batch_id, f"m.status_id {RESENDABLE}"))


def sent_again(conn: sqlite3.Connection, batch_id: int) -> int:
    """Return how many messages that were moved from a batch have left since, or may have."""
    count: int = conn.execute(
        "SELECT count(*) FROM moved v JOIN messages n USING (message_id) WHERE v.batch_id = ? AND n.batch_id <> v.batch_id"
        f" AND n.status_id {MAY_BE_OUT}",
        [batch_id],
    ).fetchone()[0]
    return count


def return_taken(conn: sqlite3.Connection, batch_id: int) -> set[int]:
    """Take out of a batch about to leave who stood in another one that is known by now to be accepted; return those batches."""
    return _go_back(conn, "m.batch_id = ?", batch_id, "b.state = 'accepted'")


def withdraw(
    conn: sqlite3.Connection, *, round_id: int | None = None, batch_id: int | None = None, whose: str = _OPTED_OUT
) -> None:
    """Take back what is still to be sent to people who have opted out (or others), in a round or in a batch about to leave.

    Who was moved from a batch that may have been taken goes back there; who was in no such batch is not kept.
    """
    where, value = ("m.round_id = ?", round_id) if batch_id is None else ("m.batch_id = ?", batch_id)
    still = f"{whose} AND m.status_id {STILL_TO_SEND}"
    _go_back(conn, where, value, f"{still} AND {_MAY_BE_OUT}")
    conn.execute(
        "DELETE FROM messages WHERE message_id IN (SELECT m.message_id FROM messages m JOIN batches b USING (batch_id)"
        f" WHERE {where} AND {still} AND NOT ({_MAY_BE_OUT}))",
        [value],
    )


def _go_back(conn: sqlite3.Connection, where: str, value: int | None, which: str) -> set[int]:
    """Move messages back into the batches (``b``) that they were moved from, the latest first; return these batches."""
    rows = conn.execute(
        "SELECT m.message_id, m.batch_id, b.batch_id, b.state, max(b.batch_id) FROM messages m JOIN moved v USING (message_id)"
        f" JOIN batches b ON b.batch_id = v.batch_id WHERE {where} AND {which} GROUP BY m.message_id",
        [value],
    ).fetchall()
    conn.executemany(
        "UPDATE messages SET batch_id = ?1, status_id = ?2, (account_id, content, segments, submitted_at) = (SELECT"
        " b.account_id, v.content, v.segments, b.requested_at FROM moved v JOIN batches b USING (batch_id) WHERE"
        " v.batch_id = ?1 AND v.message_id = ?3) WHERE message_id = ?3",
        [(home, int(STATUS_OF_STATE[state]), message_id) for message_id, _, home, state, _ in rows],
    )
    conn.executemany("DELETE FROM moved WHERE batch_id = ? AND message_id = ?", [(row[2], row[0]) for row in rows])
    conn.executemany(
        "UPDATE batches SET (messages, segments) = (SELECT count(*), sum(coalesce(m.segments, 1)) FROM messages m"
        " WHERE m.batch_id = batches.batch_id) WHERE batch_id = ?",
        [(batch_id,) for batch_id in {row[place] for row in rows for place in (1, 2)}],
    )
    return {row[2] for row in rows}
