"""How often whole numbers come together in the rows of messages, counted without a sort of SQLite's.

SQLite hands over the numbers of many rows as one text, which numpy reads: half the time of a row at a time. Memory is flat.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from masanalytics.store.message_columns import Condition

__all__ = ["BLOCK", "counted_keys", "distinct_rows", "first_and_last", "gathered_columns"]

_Ints = NDArray[np.int64]

BLOCK: Final = 256
"""So many neighbours are read where one message in so many is enough."""
_ROWS_AT_ONCE: Final = 2**18
_KEPT: Final = 1_000_000
_MISSING: Final = "(-9223372036854775807 - 1)"
_APART: Final = 31
"""The unit separator, which no number has."""


def counted_keys(conn: sqlite3.Connection, keys: Sequence[str], among: Condition) -> tuple[list[_Ints], _Ints, bool]:
    """Return the distinct combinations of integer expressions, how often each comes, and whether all were integers."""
    found = [np.zeros(0, dtype=np.int64) for _ in keys]
    n, complete = np.zeros(0, dtype=np.int64), True
    waiting: list[tuple[list[_Ints], _Ints]] = []
    for texts in _texts_of(conn, keys, among):
        whole = texts
        if any("." in text for text in texts):
            rows = [row for row in zip(*(text.split(",") for text in texts), strict=True) if "." not in "".join(row)]
            whole = [",".join(column) for column in zip(*rows, strict=True)] or [""] * len(keys)
            complete = False
        numbers = [np.fromstring(text, dtype=np.int64, sep=",") for text in whole]
        waiting.append(_together(numbers, None))
        if sum(len(counts) for _, counts in waiting) > max(_KEPT, len(n)):
            found, n = _merged([(found, n), *waiting])
            waiting = []
    return *_merged([(found, n), *waiting]), complete


def _texts_of(conn: sqlite3.Connection, keys: Sequence[str], among: Condition) -> Iterator[list[str]]:
    """Yield the values of each expression, separated by commas, some 100,000 rows at a time.

    Where one message in so many is enough, short blocks of neighbours are read: the others need not even be passed over.
    """
    low, high = first_and_last(conn)
    rows, step = (_ROWS_AT_ONCE, _ROWS_AT_ONCE) if among.every == 1 else (BLOCK, BLOCK * among.every)
    select = ", ".join(f"group_concat({key})" for key in keys)
    sql = f"SELECT {select} FROM messages m WHERE m.message_id BETWEEN ? AND ? AND {among.sql}"
    texts: list[tuple[str, ...]] = []
    for start in range(low, high + 1, step):
        text = conn.execute(sql, [start, start + rows - 1, *among.values]).fetchone()
        if text[0] is not None:
            texts.append(text)
        if len(texts) * rows >= _ROWS_AT_ONCE:
            yield [",".join(parts) for parts in zip(*texts, strict=True)]
            texts = []
    if texts:
        yield [",".join(parts) for parts in zip(*texts, strict=True)]


def gathered_columns(
    conn: sqlite3.Connection, integers: Sequence[str], texts: Sequence[str], source: str, values: Sequence[object]
) -> tuple[list[_Ints], list[list[str]]] | None:
    """Return integer expressions (-2**63 for missing) and texts of some 100,000 rows, half as slowly as row by row.

    None where one is not what it should be: a number that is no integer, a text that is missing or holds what parts them.

    Parameters
    ----------
    conn : sqlite3.Connection
        The store's.
    integers, texts : sequence of str
        SQL expressions.
    source : str
        ``FROM`` and what follows it.
    values : sequence
        Its parameters.
    """
    select = [f"group_concat(ifnull({one}, {_MISSING}))" for one in integers]
    select += [f"group_concat({one}, char({_APART}))" for one in texts]
    try:
        rows, *found = conn.execute(f"SELECT count(*), {', '.join(select)} {source}", list(values)).fetchone()
    except sqlite3.DataError:  # longer than SQLite lets a text be
        return None
    columns = [one or "" for one in found]
    if not rows or any("." in one for one in columns[: len(integers)]):
        return None
    numbers = [np.fromstring(one, dtype=np.int64, sep=",") for one in columns[: len(integers)]]
    words = [one.split(chr(_APART)) for one in columns[len(integers) :]]
    return (numbers, words) if all(len(one) == rows for one in (*numbers, *words)) else None


def _together(keys: list[_Ints], n: _Ints | None) -> tuple[list[_Ints], _Ints]:
    """Return the distinct combinations of numbers of the same place, and how often each comes, or what their `n` add up to."""
    first, counts = distinct_rows(keys, n)
    return [key[first] for key in keys], counts


def distinct_rows(keys: Sequence[_Ints], n: _Ints | None) -> tuple[_Ints, _Ints]:
    """Return where each combination of numbers of the same place comes first, and how often it comes, or what their `n` add up to."""
    number = keys[0] if len(keys) == 1 else _numbered(keys)
    if n is None:
        _, first, counts = np.unique(number, return_index=True, return_counts=True)
        return first, counts
    _, first, place = np.unique(number, return_index=True, return_inverse=True)
    return first, np.rint(np.bincount(place, weights=n, minlength=len(first))).astype(np.int64)


def _numbered(keys: Sequence[_Ints]) -> _Ints:
    """Return a number for each combination."""
    number = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        codes, distinct = pd.factorize(key)
        # Renumbered column by column, so that the numbers stay below rows squared.
        number = pd.factorize(number * max(len(distinct), 1) + codes)[0]
    return number


def _merged(parts: Sequence[tuple[list[_Ints], _Ints]]) -> tuple[list[_Ints], _Ints]:
    keys = [np.concatenate(columns) for columns in zip(*(part for part, _ in parts), strict=True)]
    return _together(keys, np.concatenate([counts for _, counts in parts]))


def first_and_last(conn: sqlite3.Connection) -> tuple[int, int]:
    """Return the least and the greatest message_id; (0, -1) where there is no message."""
    # Asked for both at once, SQLite would read the whole table.
    limits = "SELECT (SELECT min(message_id) FROM messages), (SELECT max(message_id) FROM messages)"
    low, high = conn.execute(limits).fetchone()
    return (0, -1) if low is None else (low, high)
