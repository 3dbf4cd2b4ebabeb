"""The messages of a file in parts, each of some numbers: found by the index that begins with the number."""

from __future__ import annotations

import sqlite3
from typing import Final

from masanalytics.analysis.sources.rows_by_number import Bounds
from masanalytics.store.message_columns import Condition

__all__ = ["number_bounds", "within"]

_AT_ONCE: Final = 250_000
"""About so many messages are a part: less is no quicker, more takes more memory."""


def number_bounds(conn: sqlite3.Connection, expected: int) -> list[str]:
    """Return the numbers at which to cut messages of which about so many are `expected`; none where they are one part."""
    parts = -(-expected // _AT_ONCE)
    bounds: list[str] = []
    if parts < 2:
        return bounds
    total: int = conn.execute("SELECT count(*) FROM messages").fetchone()[0]
    following = "SELECT phone FROM messages WHERE phone > ? ORDER BY phone LIMIT 1 OFFSET ?"
    while found := conn.execute(following, [bounds[-1] if bounds else "", total // parts]).fetchone():
        bounds.append(found[0])
    return bounds


def within(among: Condition, bounds: Bounds) -> Condition:
    """Return the same of messages to numbers within the bounds.

    They are read in the order in which they lie on the disk: jumping from number to number would read a page for each message.
    """
    start, stop = bounds
    tests = {"phone >= ?": start, "phone < ?": stop}
    limits = {test: value for test, value in tests.items() if value}
    if not limits:
        return among
    chosen = f"SELECT message_id FROM messages WHERE {' AND '.join(limits)}"
    return among._replace(sql=f"({among.sql}) AND m.message_id IN ({chosen})", values=[*among.values, *limits.values()])
