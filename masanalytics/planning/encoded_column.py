"""A column by dictionary encoding: each distinct text once, with what must be known of it, and for each row which one it is.

What is known of a distinct text is found for fifty thousand of them at a time: how long it is, and whether it is odd.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Booleans, Numbers
from masanalytics.planning.templates import Field
from masanalytics.planning.value_formats import (
    BLANK_STARTS,
    DIGITS_LOST,
    MISSING,
    UNFIT,
    has_lost_digits,
    is_blank,
    plain_texts,
    write_all,
)
from masanalytics.protocol import is_pairs
from masanalytics.segments import utf16_units
from masanalytics.sheets.values_as_read import formats_as_read

__all__ = [
    "DIGITS_LOST",
    "LONG_TEXT",
    "MISSING",
    "UNFIT",
    "Dictionary",
    "EncodedColumn",
    "encode_column",
    "encode_content",
    "encode_param",
]

LONG_TEXT: Final = 16
"""Texts longer than so many characters may always hold something that a carrier blocks."""

_CHUNK: Final = 50_000
_SAMPLED: Final = 2_000
_LONGEST_NUMBER: Final = 24
_DIGITS_IN_A_ROW: Final = 7
_SURROGATES = slice(0xD800, 0xE000)
_ODD: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.:<【】{}｛｝回电热致拨客咨详垂来服扣企微威薇加"
_DIGITS: Final = "0123456789 -"


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Distinct texts, with facts about each.

    Attributes
    ----------
    texts : ndarray of object, or a pandas string array
        The texts: as Python objects, or where pandas keeps them in less memory, there.
    units : ndarray of int32
        UTF-16 units of each.
    pairs : ndarray of bool
        Whether a text holds a character of two units.
    odd : ndarray of bool
        Whether a text may hold a link, a number, a contact or the like; for most names and numbers it cannot be.
    broken : ndarray of int64
        Positions of texts with half a character of two units: no encoding can carry them.
    doubtful : ndarray of int64
        Positions of texts that may be blank or have space around them.
    """

    texts: Any
    units: npt.NDArray[np.int32]
    pairs: Booleans
    odd: Booleans
    broken: Numbers
    doubtful: Numbers

    @classmethod
    def of(cls, texts: Any) -> Dictionary:
        """Look at each of `texts`: a list, an array of objects or a pandas string array."""
        if isinstance(texts, list):
            array = np.empty(len(texts), dtype=object)
            array[:] = texts
            texts = array
        units = np.zeros(len(texts), dtype=np.int32)
        pairs, odd, doubtful = np.zeros((3, len(texts)), dtype=bool)
        broken = []
        for start, chunk in _chunks(texts):
            part = slice(start, start + len(chunk))
            units[part], pairs[part], odd[part], doubtful[part] = _facts(chunk)
            if pairs[part].any():
                broken += [start + index for index in np.flatnonzero(pairs[part]).tolist() if _is_broken(chunk[index])]
        return cls(texts, units, pairs, odd, np.array(broken, dtype=np.int64), np.flatnonzero(doubtful))

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, codes: npt.NDArray[Any]) -> list[str]:
        """Return the texts at these positions."""
        return list(self.texts[codes].tolist())

    def chunks(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (position of the first, texts), some at a time."""
        return _chunks(self.texts)


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """A column as a text holds it.

    Attributes
    ----------
    codes : ndarray of int32
        For each row the position of its text in `dictionary`; `MISSING` or `UNFIT` where it has none.
    dictionary : Dictionary
        What is written, each once.
    all_differ : bool
        Whether it is known that no two rows share a text.
    """

    codes: npt.NDArray[np.int32]
    dictionary: Dictionary
    all_differ: bool = False


@dataclass(frozen=True, slots=True)
class _Distinct:
    """A column's codes (-1 where missing; none where row and value are one) and distinct values; whether all are text."""

    codes: Numbers | None
    values: Any
    all_text: bool

    def as_list(self) -> list[Any]:
        return list(self.values) if isinstance(self.values, list) else list(self.values.tolist())


def encode_column(column: pd.Series[Any], field: Field) -> EncodedColumn:
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
    >>> encoded = encode_column(pd.Series([1280.0, None, 1280.0]), Field("积分", ",d", found=True))
    >>> encoded.codes.tolist(), encoded.dictionary.texts.tolist()
    ([0, -1, 0], ['1,280'])
    """
    distinct = _distinct(column)
    if distinct.all_text and not field.spec:
        dictionary = Dictionary.of(distinct.values)
        if all(text == text.strip() for text in dictionary.take(dictionary.doubtful)):
            return _encoded_as_is(distinct, dictionary)
    values = [value.strip() if isinstance(value, str) else value for value in distinct.as_list()]
    number_formats = [] if field.spec else formats_as_read(column)
    if not field.spec and not number_formats and set(map(type, values)) == {int}:
        return _encoded_as_is(distinct, Dictionary.of(list(map(str, values))))
    return _encoded(distinct.codes, write_all(values, field, number_formats))


def encode_content(column: pd.Series[Any]) -> EncodedColumn:
    """Take a column as whole texts; what is no text and no whole number is `UNFIT`.

    So is a text that itself reads as numbers with a text each: the platform may send to these numbers instead.

    Examples
    --------
    >>> encode_content(pd.Series(["你好", " ", "你好", None])).codes.tolist()
    [0, -1, 0, -1]
    """
    distinct = _distinct(column)
    if distinct.all_text:
        return _without_pairs(_encoded_as_is(distinct, Dictionary.of(distinct.values)))
    return _without_pairs(_encoded(distinct.codes, plain_texts(distinct.as_list())))


def _without_pairs(column: EncodedColumn) -> EncodedColumn:
    pairs = [
        start + index
        for start, chunk in column.dictionary.chunks()
        for index, text in enumerate(chunk)
        if "{" in text[:2] and is_pairs(text)
    ]
    if not pairs:
        return column
    return replace(column, codes=np.where(np.isin(column.codes, pairs), UNFIT, column.codes))


def encode_param(column: pd.Series[Any], field: Field) -> EncodedColumn:
    r"""Write every value of a column as `field` asks, escaped as inside a JSON text.

    Examples
    --------
    >>> encode_param(pd.Series(['say "hi"']), Field("a", "", found=True)).dictionary.texts.tolist()
    ['say \\"hi\\"']
    """
    plain = encode_column(column, field)
    escaped = [json.dumps(text, ensure_ascii=False)[1:-1] for _, chunk in plain.dictionary.chunks() for text in chunk]
    return EncodedColumn(plain.codes, Dictionary.of(escaped))


def _distinct(column: pd.Series[Any]) -> _Distinct:
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = column.cat.remove_unused_categories().cat
        codes = used.codes.to_numpy().astype(np.int64)
        return _Distinct(codes, used.categories.astype(object).tolist(), all_text=False)
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
    if len(column) < _CHUNK or column.iloc[:: len(column) // _SAMPLED].duplicated().any():
        return False
    present = column.array[~column.isna().to_numpy()] if column.hasnans else column.array
    hashes = np.empty(len(present), dtype=np.uint64)
    for start in range(0, len(present), _CHUNK):
        chunk = np.asarray(present[start : start + _CHUNK], dtype=object)
        hashes[start : start + _CHUNK] = pd.util.hash_array(chunk, categorize=False)
    hashes.sort()
    return not (hashes[1:] == hashes[:-1]).any()


def _distinct_objects(cells: list[Any]) -> _Distinct:
    """Tell apart what is equal but not the same to a reader: 1, 1.0 and True."""
    seen: dict[tuple[type, Hashable], int] = {}
    codes = np.empty(len(cells), dtype=np.int64)
    values: list[Any] = []
    for row, value in enumerate(cells):
        if not isinstance(value, Hashable):
            codes[row] = len(values)
            values.append(value)
            continue
        if value is None or value is pd.NA or value is pd.NaT or value != value:
            codes[row] = -1
            continue
        code = seen.setdefault((type(value), value), len(values))
        if code == len(values):
            values.append(value)
        codes[row] = code
    return _Distinct(codes, values, all_text=False)


def _encoded_as_is(distinct: _Distinct, dictionary: Dictionary) -> EncodedColumn:
    """Encode texts that are known to differ, without looking each up."""
    table = np.arange(len(dictionary) + 1, dtype=np.int32)
    table[-1] = MISSING
    blank = [is_blank(text) for text in dictionary.take(dictionary.doubtful)]
    table[dictionary.doubtful[blank]] = MISSING
    table[dictionary.broken] = UNFIT
    short = np.flatnonzero(dictionary.odd & (dictionary.units <= _LONGEST_NUMBER))
    table[short[np.array([has_lost_digits(text) for text in dictionary.take(short)], dtype=bool)]] = DIGITS_LOST
    if distinct.codes is None:
        return EncodedColumn(table[:-1], dictionary, all_differ=True)
    return EncodedColumn(table[distinct.codes], dictionary)


def _encoded(codes: Numbers | None, written: list[str | int]) -> EncodedColumn:
    """Join what is written alike; what could not be written has its code already."""
    position: dict[str, int] = {}
    table = np.empty(len(written) + 1, dtype=np.int32)
    for index, text in enumerate(written):
        table[index] = position.setdefault(text, len(position)) if isinstance(text, str) else text
    table[-1] = MISSING
    dictionary = Dictionary.of(list(position))
    table[np.isin(table, dictionary.broken)] = UNFIT
    return EncodedColumn(table[:-1] if codes is None else table[codes], dictionary)


def _chunks(texts: Any) -> Iterator[tuple[int, list[str]]]:
    return ((start, texts[start : start + _CHUNK].tolist()) for start in range(0, len(texts), _CHUNK))


def _facts(texts: list[str]) -> tuple[npt.NDArray[np.int32], Booleans, Booleans, Booleans]:
    """Return units, pairs, oddness and doubt of some texts, laid end to end and looked at together."""
    lengths = np.fromiter(map(len, texts), dtype=np.int32, count=len(texts))
    joined = "\0".join(texts) + "\0"
    raw = np.frombuffer(joined.encode("utf-16-le", "surrogatepass"), dtype=np.uint16)
    units = lengths
    if len(raw) != len(joined):
        units = np.fromiter(map(utf16_units, texts), dtype=np.int32, count=len(texts))
    kinds = _unit_kinds()[raw]
    begins = np.cumsum(units + 1) - units - 1
    odd = _holding(begins, np.flatnonzero(kinds & 1)) | (units > LONG_TEXT)
    no_digits = np.flatnonzero(kinds & 2 == 0)
    gaps = np.diff(no_digits, prepend=-1, append=len(raw))
    runs = np.append(no_digits, len(raw))[gaps > _DIGITS_IN_A_ROW] - 1
    odd |= _holding(begins, runs)
    pairs = _holding(begins, np.flatnonzero(kinds & 4))
    doubtful = (kinds[begins] & 24 != 0) | (kinds[begins + np.maximum(units, 1) - 1] & 8 != 0) | (units == 0)
    return units, pairs, odd, doubtful


def _holding(begins: npt.NDArray[Any], positions: Numbers) -> Booleans:
    """Return which of the texts that begin at `begins` hold one of `positions`."""
    held = np.zeros(len(begins), dtype=bool)
    held[np.searchsorted(begins, positions, side="right") - 1] = True
    return held


@lru_cache(maxsize=1)
def _unit_kinds() -> npt.NDArray[np.uint8]:
    """Return a sum for each UTF-16 unit: 1 makes a text odd, 2 may be in a number, 4 in a pair, 8 is space, 16 may begin a blank."""
    kinds = np.zeros(0x1_0000, dtype=np.uint8)
    kinds[list(map(ord, _ODD))] |= 1
    kinds[list(map(ord, _DIGITS))] |= 2
    kinds[_SURROGATES] |= 5
    kinds[[unit for unit in range(0x1_0000) if chr(unit).isspace()]] |= 8
    kinds[list(map(ord, BLANK_STARTS))] |= 16
    kinds.flags.writeable = False
    return kinds


def _is_broken(text: str) -> bool:
    return text.encode("utf-8", "ignore").decode() != text
