"""Ranges of numbers in a do-not-send list: both ends are written, and everybody between them is meant too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from masanalytics.aliases import Numbers
from masanalytics.text import MOBILE, fold

__all__ = ["WIDEST", "numbers_between", "ranges_between_columns", "ranges_in"]

WIDEST: Final = 100_000
"""How many numbers a range spans at the most; what spans more is likelier two numbers with a dash between them."""

_RANGE = re.compile(
    rf"(?:(?<!\d)86|(?<!\d))[ -]?({MOBILE})\s*(?:[-‐‑‒–—―−~_]+|至|到|\bto\b|\.{{2,}}|…+)\s*(?:\+?86[ -]?)?({MOBILE}|\d{{2,10}})(?!\d)",
    re.ASCII | re.I,
)
_SPACED = re.compile(r"(?<!\d)(1[3-9]\d)[ -](\d{4})[ -](\d{4})(?!\d)", re.ASCII)
_FIRST = re.compile(r"起|开始|首个|from|start|begin|first|最小|min", re.I)
_LAST = re.compile(r"止|结束|终|末|至$|to$|end|last|最大|max", re.I)


def ranges_in(text: str) -> list[tuple[int, int]]:
    """Return the ranges that stand in a cell, as (first, last); the last may be written with its last digits only.

    Examples
    --------
    >>> ranges_in("138 0013 8000-138 0013 8003"), ranges_in("13800138000～8003"), ranges_in("138-0013-8000")
    ([(13800138000, 13800138003)], [(13800138000, 13800138003)], [])
    """
    found = []
    for match in _RANGE.finditer(_SPACED.sub(r"\1\2\3", fold(text))):
        first, last = match.groups()
        end = int(first[: len(first) - len(last)] + last)
        if int(first) < end:
            found.append((int(first), end))
    return found


def ranges_between_columns(labels: Sequence[object], columns: Sequence[Numbers]) -> npt.NDArray[np.int64]:
    """Return the ranges of a list that has a column for the first number and one for the last: an array of (first, last).

    Parameters
    ----------
    labels : sequence
        What the columns are called.
    columns : sequence of ndarray of int64
        The number in each cell of each column, 0 where it holds none.

    Examples
    --------
    >>> ranges_between_columns(["起始号码", "结束号码"], [np.array([13800138000]), np.array([13800138003])]).tolist()
    [[13800138000, 13800138003]]
    """
    names = list(map(str, labels))
    firsts = [place for place, name in enumerate(names) if _FIRST.search(name)]
    lasts = [place for place, name in enumerate(names) if _LAST.search(name) and place not in firsts]
    if len(firsts) != 1 or len(lasts) != 1:
        return np.empty((0, 2), dtype=np.int64)
    pairs = np.stack([columns[firsts[0]], columns[lasts[0]]], axis=1)
    return pairs[(pairs[:, 0] > 0) & (pairs[:, 1] > pairs[:, 0])]


def numbers_between(ranges: Iterable[Any]) -> tuple[Numbers, int]:
    """Return every number of the ranges, ends included, and how many ranges are too wide: of those only the ends.

    Examples
    --------
    >>> numbers, wide = numbers_between([(13800138000, 13800138003), (13000000000, 13900000000)])
    >>> numbers.tolist(), wide
    ([13800138000, 13800138001, 13800138002, 13800138003, 13000000000, 13900000000], 1)
    """
    parts: list[Numbers] = [np.empty(0, dtype=np.int64)]
    wide = 0
    for first, last in dict.fromkeys((int(one[0]), int(one[1])) for one in ranges):
        if last - first >= WIDEST:
            wide += 1
            parts.append(np.array([first, last], dtype=np.int64))
        else:
            parts.append(np.arange(first, last + 1, dtype=np.int64))
    return np.concatenate(parts), wide
