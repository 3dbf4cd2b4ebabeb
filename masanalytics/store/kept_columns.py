"""The user's own columns in the file: each combination of values once, and a number with each message."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from masanalytics.own_columns import own_text
from masanalytics.vocabulary import NOT_KEPT

__all__ = ["NOTHING", "column_names", "forget_columns", "numbers_of", "numbers_with", "values_of"]

NOTHING = 0
"""The number of messages with which nothing was kept, as questions count it; the file has NULL."""


def numbers_of(conn: sqlite3.Connection, rows: Sequence[str]) -> list[int | None]:
    """Return the number of each combination (a JSON object; empty: nothing was kept), giving it one where it has none."""
    distinct = {row for row in rows if row}
    if not distinct:
        return [None] * len(rows)
    known = _known(conn, distinct)
    fresh = distinct - known.keys()
    if fresh:
        names = dict.fromkeys(name for row in fresh for name in json.loads(row))
        conn.executemany("INSERT OR IGNORE INTO kept_columns (name) VALUES (?)", [(name,) for name in names])
        conn.executemany("INSERT INTO kept (kept) VALUES (?)", [(row,) for row in sorted(fresh)])
        known |= _known(conn, fresh)
    return [known.get(row) for row in rows]


def _known(conn: sqlite3.Connection, rows: Iterable[str]) -> dict[str, int]:
    listed = json.dumps(list(rows), ensure_ascii=False)
    found = conn.execute("SELECT kept, kept_id FROM kept WHERE kept IN (SELECT value FROM json_each(?))", [listed])
    return dict(found.fetchall())


def column_names(conn: sqlite3.Connection) -> list[str]:
    """Return the columns that any plan kept, in the order in which they came."""
    return [row[0] for row in conn.execute("SELECT name FROM kept_columns ORDER BY column_id")]


def values_of(conn: sqlite3.Connection, name: str) -> dict[int, str | None]:
    """Return what each combination has in a column: its text, None where it is missing, or that it was not kept."""
    rows = conn.execute("SELECT kept_id, kept FROM kept").fetchall()
    return {NOTHING: NOT_KEPT, **{number: json.loads(kept).get(name, NOT_KEPT) for number, kept in rows}}


def numbers_with(conn: sqlite3.Connection, name: str, options: Iterable[object]) -> list[int]:
    """Return the combinations that have one of these values in a column; None asks for what is missing, and no text is blank."""
    asked = list(options)
    wanted = {text for option in asked if (text := own_text(option)) is not None} | {None} & set(asked)
    return [number for number, value in values_of(conn, name).items() if value in wanted]


def forget_columns(conn: sqlite3.Connection, names: Sequence[str], picked: str) -> None:
    """Erase what messages have in some columns; `picked` is SQL for their numbers."""
    used = conn.execute(
        f"SELECT DISTINCT kept_id, kept FROM messages JOIN kept USING (kept_id) WHERE message_id IN ({picked})"
    )
    for number, kept in used.fetchall():
        row = json.loads(kept)
        emptied = json.dumps(
            {**row, **dict.fromkeys(row.keys() & set(names))}, ensure_ascii=False, separators=(",", ":")
        )
        conn.execute(
            f"UPDATE messages SET kept_id = ? WHERE kept_id = ? AND message_id IN ({picked})",
            [numbers_of(conn, [emptied])[0], number],
        )
    conn.execute("DELETE FROM kept WHERE kept_id NOT IN (SELECT kept_id FROM messages WHERE kept_id IS NOT NULL)")
