"""No text holds another row: what a reader swallowed, a join doubled or a cell was pasted over must not reach a customer."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, Final

import numpy as np
import pandas as pd

from masanalytics.aliases import Numbers
from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in
from masanalytics.phones import mobiles_in
from masanalytics.planning.encoded_column import EncodedColumn
from masanalytics.planning.encoded_text import EncodedText
from masanalytics.text import MOBILE

__all__ = ["refuse_other_rows"]

_NUMBER = re.compile(rf"(?<!\d){MOBILE}(?!\d)")
_BREAK = re.compile(r"\n|\r|\\n")  # in a template's parameters a line break is written as in JSON
_SHOWN: Final = 60
_CHUNK: Final = 50_000
_TIMES_LONGER: Final = 10
_LONG: Final = 1_000


def refuse_other_rows(texts: EncodedText, rows: Numbers, numbers: Numbers, labels: pd.Index[Any]) -> None:
    """Raise where a text holds the number of another row, or is many times longer than its neighbours.

    A number that stands alone in its cell, or in the texts of several rows, is a contact that is meant to be there.

    Parameters
    ----------
    texts : EncodedText
        The planned messages.
    rows : ndarray of int64
        The row of the frame of each.
    numbers : ndarray of int64
        The number of every row of the frame, 0 where it has none.
    labels : Index
        The label of every row of the frame.

    Raises
    ------
    InputError
        Naming the first such row.
    """
    if not texts.size:
        return
    own = numbers[rows]
    for column in texts.columns:
        codes, inside = _numbers_in_values(column)
        holders = np.bincount(column.codes, minlength=len(column.dictionary.texts))
        foreign = (holders[codes] == 1) & np.isin(inside, numbers)
        if foreign.any():
            row_of = np.zeros(len(column.dictionary.texts), dtype=np.int64)
            row_of[column.codes] = np.arange(texts.size)
            foreign &= own[row_of[codes]] != inside
        if foreign.any():
            code = codes[int(np.argmax(foreign))]
            raise _another_row(column.dictionary.take(codes[codes == code][:1])[0], labels[rows[row_of[code]]])
        _refuse_long(column, rows, labels)


def _numbers_in_values(column: EncodedColumn) -> tuple[Numbers, Numbers]:
    """Return the mobile numbers that stand beside something else in one value only: the value's code, and the number."""
    codes: list[int] = []
    inside: list[int] = []
    for start in range(0, len(column.dictionary.texts), _CHUNK):
        chunk = column.dictionary.texts[start : start + _CHUNK].tolist()
        joined = "\0".join(chunk)
        if not (_NUMBER.search(joined) or _BREAK.search(joined)):
            continue
        for index, text in enumerate(chunk):
            if _BREAK.search(text):
                found = {number for line in _BREAK.split(text) for number in mobiles_in(line)}
            else:
                found = set(_NUMBER.findall(text))
            if found and text.strip() not in found:
                codes += [start + index] * len(found)
                inside += map(int, found)
    numbers = np.array(inside, dtype=np.int64)
    _, places, times = np.unique(numbers, return_inverse=True, return_counts=True)
    once = times[places] == 1
    return np.array(codes, dtype=np.int64)[once], numbers[once]


def _refuse_long(column: EncodedColumn, rows: Numbers, labels: pd.Index[Any]) -> None:
    units = column.dictionary.units
    if not len(units) or int(units.max()) <= _LONG:
        return
    usual = float(np.median(units[column.codes]))
    long = np.flatnonzero(units[column.codes] > max(_LONG, _TIMES_LONGER * usual))
    if not len(long):
        return
    row = int(long[0])
    text = column.dictionary.take(column.codes[row : row + 1])[0]
    raise InputError(
        "row {row}: a value of {length:,} characters, where the others have about {usual:,.0f} ({shown}…). It looks like more than one"
        " cell: mend it where the sheet comes from",
        row=_label(labels[rows[row]]),
        length=len(text),
        usual=usual,
        shown=mask_phones_in(" ".join(text[:_SHOWN].split())),
    )


def _another_row(text: str, label: Hashable) -> InputError:
    place = next((match.start() for match in _NUMBER.finditer(text)), 0)
    shown = " ".join(text[max(0, place - _SHOWN // 2) : place + _SHOWN].split())
    return InputError(
        "row {row}: the text holds the number of another row ({shown}): it looks like a cell that swallowed other cells, and somebody"
        " would be sent another customer's number. Mend the sheet; a number that is meant to be there belongs in a column of its own",
        row=_label(label),
        shown=mask_phones_in(shown),
    )


def _label(label: Hashable) -> str:
    return mask_phones_in(str(label))
