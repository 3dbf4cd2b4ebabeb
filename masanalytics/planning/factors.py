"""A column as messages hold it: each distinct value written once, and for each row which one it is."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.planning.pieces import Pieces
from masanalytics.planning.templates import Field
from masanalytics.planning.value_formats import is_blank, plain_texts, write_all

__all__ = ["MISSING", "UNFIT", "Factor", "factorise", "factorise_content"]

MISSING: Final = -1
"""The code of a row whose value is missing."""

UNFIT: Final = -2
"""The code of a row whose value cannot be written: it does not fit the format, or holds broken characters."""

_CHUNK: Final = 50_000
_LOOKED_AT: Final = 2_000
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Factor:
    """A column as a text holds it.

    Attributes
    ----------
    codes : ndarray of int32
        For each row the position of its piece in `pieces`; `MISSING` or `UNFIT` where it has none.
    pieces : Pieces
        What is written, each once.
    all_differ : bool
        Whether it is known that no two rows share a piece.
    """

    codes: npt.NDArray[np.int32]
    pieces: Pieces
    all_differ: bool = False


@dataclass(frozen=True, slots=True)
class _Distinct:
    """A column's codes (-1 where missing; none where row and value are one) and distinct values; whether all are text."""

    codes: Codes | None
    values: Any
    all_text: bool

    def as_list(self) -> list[Any]:
        return list(self.values) if isinstance(self.values, list) else list(self.values.tolist())


def factorise(column: pd.Series[Any], field: Field) -> Factor:
    """Write every value of a column as `field` asks; the space around a text is left away.

    Parameters
    ----------
    column : Series
        Any dtype. Not changed.
    field : Field
        The placeholder: its format, and its name for errors.

    Raises
    ------
    InputError
        If a value needs a format and has none, or no value at all fits the format.

    Examples
    --------
    >>> factor = factorise(pd.Series([1280.0, None, 1280.0]), Field("积分", ",d", found=True))
    >>> factor.codes.tolist(), factor.pieces.texts.tolist()
    ([0, -1, 0], ['1,280'])
    """
    found = _distinct(column)
    if found.all_text and not field.spec:
        pieces = Pieces.of(found.values)
        if all(text == text.strip() for text in pieces.take(pieces.doubtful)):
            return _as_it_is(found, pieces)
    values = [value.strip() if isinstance(value, str) else value for value in found.as_list()]
    if not field.spec and set(map(type, values)) == {int}:
        return _as_it_is(found, Pieces.of(list(map(str, values))))
    return _joined(found.codes, values, write_all(values, field))


def factorise_content(column: pd.Series[Any]) -> Factor:
    """Take a column as whole texts; what is no text and no whole number is `UNFIT`.

    Examples
    --------
    >>> factorise_content(pd.Series(["你好", " ", "你好", None])).codes.tolist()
    [0, -1, 0, -1]
    """
    found = _distinct(column)
    if found.all_text:
        return _as_it_is(found, Pieces.of(found.values))
    values = found.as_list()
    return _joined(found.codes, values, plain_texts(values))


def _distinct(column: pd.Series[Any]) -> _Distinct:
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = column.cat.remove_unused_categories().cat
        return _Distinct(
            used.codes.to_numpy().astype(np.int64), used.categories.astype(object).tolist(), all_text=False
        )
    if isinstance(column.dtype, pd.StringDtype):
        # Kept by pyarrow, texts take a quarter of what they take as Python objects: then they stay there.
        compact = column.dtype.storage == "pyarrow"
        if compact and _all_differ(column):
            # A copy shares the text and not the changes that its owner makes to the column later.
            return _Distinct(None, column.fillna("").array.copy(), all_text=True)
        codes, uniques = pd.factorize(column)
        return _Distinct(codes, uniques.array if compact else uniques.to_numpy(dtype=object), all_text=True)
    if column.dtype != object:
        codes, uniques = pd.factorize(column)
        return _Distinct(codes, pd.Series(uniques).astype(object).tolist(), all_text=False)
    if pd.api.types.infer_dtype(column, skipna=True) == "string":
        codes, uniques = pd.factorize(column)
        return _Distinct(codes, np.asarray(uniques, dtype=object), all_text=True)
    return _distinct_objects(column.tolist())


def _all_differ(column: pd.Series[Any]) -> bool:
    """Return whether no two texts are equal for certain: where no two hashes are. A table of a million texts costs more."""
    if len(column) < _CHUNK or column.iloc[:: len(column) // _LOOKED_AT].duplicated().any():
        return False
    present = column.array[~column.isna().to_numpy()] if column.hasnans else column.array
    hashes = np.empty(len(present), dtype=np.uint64)
    for start in range(0, len(present), _CHUNK):
        part = np.asarray(present[start : start + _CHUNK], dtype=object)
        hashes[start : start + _CHUNK] = pd.util.hash_array(part, categorize=False)
    hashes.sort()
    return not (hashes[1:] == hashes[:-1]).any()


def _distinct_objects(cells: list[Any]) -> _Distinct:
    """Tell apart what is equal but not the same to a reader: 1, 1.0 and True."""
    seen: dict[tuple[type, Hashable], int] = {}
    codes = np.empty(len(cells), dtype=np.int64)
    values: list[Any] = []
    for place, value in enumerate(cells):
        if not isinstance(value, Hashable):
            codes[place] = len(values)
            values.append(value)
            continue
        if value is None or value is pd.NA or value is pd.NaT or value != value:
            codes[place] = -1
            continue
        code = seen.setdefault((type(value), value), len(values))
        if code == len(values):
            values.append(value)
        codes[place] = code
    return _Distinct(codes, values, all_text=False)


def _as_it_is(found: _Distinct, pieces: Pieces) -> Factor:
    """Make a factor of texts that are known to differ, without looking each up."""
    table = np.arange(len(pieces) + 1, dtype=np.int32)
    table[-1] = MISSING
    blank = [is_blank(text) for text in pieces.take(pieces.doubtful)]
    table[pieces.doubtful[blank]] = MISSING
    table[pieces.broken] = UNFIT
    if found.codes is None:
        return Factor(table[:-1], pieces, all_differ=True)
    return Factor(table[found.codes], pieces)


def _joined(codes: Codes | None, values: list[Any], written: list[str | None]) -> Factor:
    """Join what is written alike, and mark blank values and those that could not be written."""
    position: dict[str, int] = {}
    table = np.empty(len(values) + 1, dtype=np.int32)
    for index, piece in enumerate(written):
        if piece is None:
            table[index] = MISSING if is_blank(values[index]) else UNFIT
        elif is_blank(piece):
            table[index] = MISSING
        else:
            table[index] = position.setdefault(piece, len(position))
    table[-1] = MISSING
    pieces = Pieces.of(list(position))
    table[np.isin(table, pieces.broken)] = UNFIT
    return Factor(table[:-1] if codes is None else table[codes], pieces)
