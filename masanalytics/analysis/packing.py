"""Counting combinations of small integers: packed into one integer key, counted once, unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["count_combinations", "factorize"]

Ints = NDArray[np.int64]
_LARGEST_KEY = 2**62
_DENSE_ROOM = 2**20
_WIDE = 2**36


def factorize(values: pd.Series) -> tuple[Ints, pd.Series]:
    """Return each value's number (missing ones have the last) and the distinct values, a missing one at the end."""
    import pandas as pd

    codes, distinct = pd.factorize(values, use_na_sentinel=True)
    codes = codes.astype(np.int64, copy=False)
    codes[codes < 0] = len(distinct)
    # Reindexing adds a missing value and keeps the dtype wherever it can hold one.
    return codes, pd.Series(distinct).reset_index(drop=True).reindex(range(len(distinct) + 1))


def count_combinations(columns: Sequence[Ints], sizes: Sequence[int]) -> tuple[list[Ints], Ints]:
    """Count the distinct rows of `columns`, whose values lie in ``0..size-1``.

    Returns
    -------
    list of array, array
        The distinct rows, column by column, and how often each occurs.

    Examples
    --------
    >>> rows, n = count_combinations([np.array([0, 1, 1]), np.array([2, 0, 0])], [2, 3])
    >>> [row.tolist() for row in rows], n.tolist()
    ([[0, 1], [2, 0]], [1, 2])
    """
    wide = next((place for place, size in enumerate(sizes) if size > _WIDE and size > len(columns[place])), None)
    if wide is not None:  # one absurd value makes a column wide: its distinct values are few
        distinct, numbers = np.unique(columns[wide], return_inverse=True)
        narrow = [*columns[:wide], numbers.astype(np.int64), *columns[wide + 1 :]]
        rows, counts = count_combinations(narrow, [*sizes[:wide], len(distinct), *sizes[wide + 1 :]])
        return [*rows[:wide], distinct[rows[wide]], *rows[wide + 1 :]], counts
    fitting = next((k for k in range(len(sizes), 0, -1) if prod(sizes[:k]) <= _LARGEST_KEY), 1)
    if fitting < len(sizes):
        keys, numbers = np.unique(_pack(columns[:fitting], sizes[:fitting]), return_inverse=True)
        rest, counts = count_combinations([numbers, *columns[fitting:]], [len(keys), *sizes[fitting:]])
        return [column[rest[0]] for column in _unpack(keys, sizes[:fitting])] + rest[1:], counts
    keys, counts = _count_keys(_pack(columns, sizes), prod(sizes))
    return _unpack(keys, sizes), counts


def _pack(columns: Sequence[Ints], sizes: Sequence[int]) -> Ints:
    key = columns[0].astype(np.int64, copy=True)
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        key *= size
        key += column
    return key


def _unpack(keys: Ints, sizes: Sequence[int]) -> list[Ints]:
    columns: list[Ints] = []
    for size in reversed(sizes[1:]):
        keys, column = np.divmod(keys, size)
        columns.append(column)
    return [keys, *reversed(columns)]


def _count_keys(key: Ints, span: int) -> tuple[Ints, Ints]:
    if span <= max(_DENSE_ROOM, len(key)):
        dense = np.bincount(key, minlength=0)
        keys = np.flatnonzero(dense).astype(np.int64)
        return keys, np.asarray(dense[keys], dtype=np.int64)
    keys, counts = np.unique(key, return_counts=True)
    return keys, counts.astype(np.int64)
