"""Texts that are not written out until somebody needs them.

A plan of a million messages keeps one copy of each distinct piece and four bytes a row and placeholder. Lengths, parts and
equal texts are found from those; the text itself is put together batch by batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.planning.factors import Factor
from masanalytics.segments import ALONE, bracketed, count_segments, segments_of_units, utf16_units

__all__ = ["Texts"]

_CHUNK: Final = 50_000
_MOST_KEYS: Final = 2**62
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Texts:
    """One text a row: fixed parts with pieces between them.

    Attributes
    ----------
    literals : tuple of str
        One more than there are factors.
    factors : tuple of Factor
        The pieces, row by row.
    size : int
        How many rows.
    """

    literals: tuple[str, ...]
    factors: tuple[Factor, ...]
    size: int

    def problems(self) -> npt.NDArray[np.int32]:
        """Return for each row its worst code: 0 where the text is whole, else `MISSING` or `UNFIT`."""
        worst = np.zeros(self.size, dtype=np.int32)
        for factor in self.factors:
            np.minimum(worst, factor.codes, out=worst)
        return worst

    def take(self, rows: Ints) -> Texts:
        """Return the texts of `rows`, in that order."""
        factors = tuple(replace(factor, codes=factor.codes[rows]) for factor in self.factors)
        return Texts(self.literals, factors, len(rows))

    def render(self, start: int, stop: int) -> list[str]:
        """Write out the rows from `start` to `stop`; each must be whole."""
        if not self.factors:
            return [self.literals[0]] * (min(stop, self.size) - start)
        columns: list[Iterable[str]] = []
        for literal, factor in zip(self.literals, (*self.factors, None), strict=True):
            columns += [repeat(literal)] if literal else []
            columns += [] if factor is None else [factor.pieces.take(factor.codes[start:stop])]
        # Twice as fast as str.format, row by row.
        return list(map("".join, zip(*columns, strict=False)))

    def rendered(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (first row, texts) for stretches of rows."""
        for start in range(0, self.size, _CHUNK):
            yield start, self.render(start, min(start + _CHUNK, self.size))

    def units(self, signature: str = "") -> Ints:
        """Return how many UTF-16 units each row's text takes with `signature` in front; rows must be whole."""
        total = np.full(self.size, utf16_units(bracketed(signature)) + sum(map(utf16_units, self.literals)), np.int64)
        for factor in self.factors:
            total += _looked_up(factor.pieces.units, factor.codes)
        return total

    def segments(self, units: Ints, signature: str = "") -> npt.NDArray[np.int32]:
        """Return how many parts each row's text is billed as, given its `units`."""
        counts = segments_of_units(units)
        # Only a long text with a character of two units can lose a unit at a cut: those few are counted one by one.
        for row in np.flatnonzero((units > ALONE) & self._has_pairs(signature)).tolist():
            counts[row] = count_segments(self.render(row, row + 1)[0], signature)
        return counts

    def _has_pairs(self, signature: str) -> npt.NDArray[np.bool_]:
        fixed = any(utf16_units(text) != len(text) for text in (*self.literals, signature))
        found = np.full(self.size, fixed)
        for factor in self.factors:
            if factor.pieces.pairs.any():
                found |= _looked_up(factor.pieces.pairs, factor.codes)
        return found

    def groups(self) -> Ints:
        """Return a number for each row that equal texts share: 0, 1, 2 … in the order of first appearance."""
        if any(factor.all_differ for factor in self.factors):
            return np.arange(self.size)
        key, kinds = np.zeros(self.size, dtype=np.int64), 1
        for factor in self.factors:
            if kinds * len(factor.pieces) >= _MOST_KEYS:
                key, kinds = pd.factorize(key)[0], self.size
            key = key * len(factor.pieces) + factor.codes
            kinds *= len(factor.pieces)
        return pd.factorize(key)[0] if self.factors else key


def _looked_up(values: npt.NDArray[Any], codes: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
    return values[codes] if len(values) else np.zeros(len(codes), dtype=values.dtype)
