"""The messages of a file in parts, each of some numbers: found by the index that begins with the number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from masanalytics.store.message_columns import Condition

__all__ = ["number_parts"]

_AT_ONCE: Final = 250_000
"""About so many messages are a part: less is no quicker, more takes more memory."""


def number_parts(conn: sqlite3.Connection, among: Condition, expected: int) -> Iterator[Condition]:
    """Yield conditions that together pass the messages of `among`, of which about so many are `expected`; at least one.

    All messages of a number are in one part. Each part is a pass over the file in the order in which it lies on the disk, but for
    what lies between its messages: jumping from number to number would read every page anew for each message.
    """
    parts = -(-expected // _AT_ONCE)
    if parts < 2:
        yield among
        return
    total: int = conn.execute("SELECT count(*) FROM messages").fetchone()[0]
    first = "SELECT phone FROM messages WHERE phone > ? ORDER BY phone LIMIT 1 OFFSET ?"
    start: str | None = ""
    while start is not None:
        found = conn.execute(first, [start, total // parts]).fetchone()
        stop = None if found is None else found[0]
        within, limits = ("phone >= ?", [start]) if stop is None else ("phone >= ? AND phone < ?", [start, stop])
        yield among._replace(
            sql=f"({among.sql}) AND m.message_id IN (SELECT message_id FROM messages WHERE {within})",
            values=[*among.values, *limits],
        )
        start = stop
