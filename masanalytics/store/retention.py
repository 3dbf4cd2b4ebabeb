"""Making the file smaller, or forgetting people, when asked: never by itself."""

from __future__ import annotations

import sqlite3
import zlib

__all__ = ["compress_answers", "prune_answers"]

_AT_ONCE = 200
_PARSED = "state IN ('parsed', 'refused')"


def compress_answers(conn: sqlite3.Connection, before: int) -> int:
    """Compress some raw answers that were fully read before an instant; return how many (0 when none is left)."""
    rows = conn.execute(
        f"SELECT poll_id, raw FROM polls WHERE {_PARSED} AND packing IS NULL AND raw IS NOT NULL AND answered_at < ?"
        f" LIMIT {_AT_ONCE}",
        [before],
    ).fetchall()
    conn.executemany(
        "UPDATE polls SET raw = ?, packing = 'zlib' WHERE poll_id = ?",
        [(zlib.compress(bytes(raw), 6), poll_id) for poll_id, raw in rows],
    )
    return len(rows)


def prune_answers(conn: sqlite3.Connection, before: int) -> int:
    """Drop raw answers that were fully read before an instant; what they brought stays. Return how many.

    Answers with anything that could not be read are kept: they are the only record of it.
    """
    return conn.execute(
        f"UPDATE polls SET raw = NULL, packing = NULL WHERE {_PARSED} AND raw IS NOT NULL AND answered_at < ?", [before]
    ).rowcount
