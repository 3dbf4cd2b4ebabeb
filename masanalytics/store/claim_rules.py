"""What is asked once more when batches are claimed, and how a claim is taken back before its request leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from masanalytics.store.lookups import MAY_BE_OUT
from masanalytics.vocabulary import Status

__all__ = ["put_back", "seconds_to_repeat"]

REPEAT_S: Final = 60
"""The platform refuses the same text to the same number within so many seconds."""


def put_back(conn: sqlite3.Connection, batch_ids: Sequence[int]) -> None:
    """Take claims back whose requests surely have not left: the hour or the pace did not allow it any more."""
    for batch_id in batch_ids:
        conn.execute(
            "UPDATE batches SET state = 'planned', process = NULL, requested_at = NULL"
            " WHERE batch_id = ? AND state = 'submitting'",
            [batch_id],
        )
        conn.execute(
            "UPDATE messages SET status_id = ?, submitted_at = NULL WHERE batch_id = ? AND status_id = ?",
            [int(Status.planned), batch_id, int(Status.unknown)],
        )


def seconds_to_repeat(conn: sqlite3.Connection, batch_ids: Sequence[int], now: float) -> float:
    """Return how long these batches have to wait, because a number in them was sent the very same within the last minute.

    By whatever campaign, round or proof. A clock set back is no reason to wait: what lies in the future does not count.
    """
    latest = 0
    for batch_id in batch_ids:
        found = conn.execute(
            "SELECT max(c.requested_at) FROM messages m JOIN batches b ON b.batch_id = m.batch_id"
            " JOIN messages o ON o.phone = m.phone AND o.message_id <> m.message_id"
            f" AND o.status_id {MAY_BE_OUT}"
            " JOIN batches c ON c.batch_id = o.batch_id AND c.requested_at > ? AND c.requested_at <= ?"
            " WHERE m.batch_id = ? AND c.template_id IS b.template_id AND c.params IS b.params"
            " AND coalesce(o.content, c.content) IS coalesce(m.content, b.content)"
            " AND c.mode <> 'foreign'",
            [int(now) - REPEAT_S, int(now), batch_id],
        ).fetchone()[0]
        latest = max(latest, found or 0)
    return max(0.0, latest + REPEAT_S + 1 - now) if latest else 0.0
