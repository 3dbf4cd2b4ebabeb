"""Lists of numbers that a user hands in: people who must not be written to, and the only ones who may.

Where sending must be sure to send, suppressing must be sure to suppress: of a do-not-send list every sheet, every column, every
number in a cell counts, and a label that is itself a number.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Numbers, PathName, Phones, Table
from masanalytics.errors import InputError
from masanalytics.phones import REASONS, cell_text, mobiles_in, parse_phones, stood_for_mobile
from masanalytics.planning.number_ranges import numbers_between, ranges_between_columns, ranges_in
from masanalytics.sheets import read_sheet
from masanalytics.sheets.receipt import receipt_of

__all__ = ["SuppressionList", "allowed_numbers", "suppression_list"]

_EMPTY = REASONS.index("empty_number")
_LIKE_A_NUMBER: Final = 7
"""A label with so many digits was a number, though none that can be read; a name of a column has fewer."""
_DATED = re.compile(r"(?<!\d)20\d\d[-/.年]?[01]?\d[-/.月]?[0-3]?\d(?!\d)")


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """Who must not be written to.

    Attributes
    ----------
    numbers : ndarray of int64
        The mobile numbers of the list, each once.
    entries : int
        Rows (or items) of the list that hold anything.
    unreadable : int
        Those in which no mobile number was found.
    hidden : int
        Of those, the ones whose digits are hidden or lost: ``138****0001``, ``1.38E+10``.
    wide : int
        Ranges too wide to be taken for one: only their ends count.
    receipt : mapping or None
        What `read_sheet` read of the list's file and what it did not, where it was read by it.
    """

    numbers: Numbers
    entries: int
    unreadable: int
    hidden: int = 0
    wide: int = 0
    receipt: Mapping[str, Any] | None = None


def suppression_list(numbers: Phones | Table | PathName) -> SuppressionList:
    """Read a do-not-send list in any form.

    Parameters
    ----------
    numbers : DataFrame, Series, iterable, or path of a file
        A file is read with all its sheets, hidden ones too, and with the rows that a filter hides.

    Examples
    --------
    >>> listed = suppression_list(pd.DataFrame({"13800138000": ["13900139000/13700137000", "10086"]}))
    >>> listed.numbers.tolist(), listed.entries, listed.unreadable
    ([13700137000, 13800138000, 13900139000], 3, 1)
    """
    if isinstance(numbers, (str, PathLike)):
        numbers = _list_of_file(numbers)
    frame = _as_frame(numbers)
    labels = [_cell_of(str(label)) for label in frame.columns]
    columns = [_read_column(frame.iloc[:, place]) for place in range(frame.shape[1])]
    filled, readable, hidden = np.zeros((3, len(frame)), dtype=bool)
    for column in columns:
        filled |= column.filled
        readable |= column.numbers > 0
        readable[list(column.inside)] = True
        hidden[column.hidden] = True
    cells = [*(cell for column in columns for cell in column.inside.values()), *filter(None, labels)]
    pairs = ranges_between_columns(list(frame.columns), [column.numbers for column in columns])
    spanned, wide = numbers_between([*(one for cell in cells for one in cell.ranges), *pairs.tolist()])
    found = [spanned, *(column.numbers[column.numbers > 0] for column in columns)]
    found.append(np.array([int(number) for cell in cells for number in cell.numbers], dtype=np.int64))
    unread = filled & ~readable
    lost = [cell for cell in labels if cell is not None and not cell.numbers]
    return SuppressionList(
        numbers=np.unique(np.concatenate(found)),
        entries=int(filled.sum()) + sum(cell is not None for cell in labels),
        unreadable=int(unread.sum()) + len(lost),
        hidden=int((unread & hidden).sum()) + sum(cell.hidden for cell in lost),
        wide=wide,
        receipt=receipt_of(frame),
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    """What a cell holds that is not one plain number: several numbers, ranges, or one with its digits hidden."""

    numbers: Sequence[str]
    ranges: Sequence[tuple[int, int]]
    hidden: bool


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of a list: the number of each cell (0 where it is not one), which are filled, and what else they hold, by place."""

    numbers: Numbers
    filled: npt.NDArray[np.bool_]
    inside: Mapping[int, _Cell]
    hidden: Sequence[int]


def _read_column(column: pd.Series[Any]) -> _Column:
    parsed, reasons = parse_phones(column)
    unread = np.flatnonzero((reasons >= 0) & (reasons != _EMPTY)).tolist()
    texts = [cell_text(cell) or "" for cell in column.iloc[unread].tolist()]
    cells = {text: _held(text) for text in set(texts)}
    held = {place: cells[text] for place, text in zip(unread, texts, strict=True)}
    inside = {place: cell for place, cell in held.items() if cell.numbers}
    return _Column(parsed, reasons != _EMPTY, inside, [place for place, cell in held.items() if cell.hidden])


def _held(text: str) -> _Cell:
    ranges = ranges_in(text)
    ends = (str(end) for one in ranges for end in one)
    return _Cell(list(dict.fromkeys([*mobiles_in(text), *ends])), ranges, stood_for_mobile(text))


def _cell_of(label: str) -> _Cell | None:
    """Return what a label holds where it is an entry of the list, whole or broken; None where it is the name of a column."""
    cell = _held(label)
    if cell.numbers or cell.hidden:
        return cell
    digits = sum(map(str.isdigit, label))
    return cell if digits >= _LIKE_A_NUMBER and not _DATED.search(label) else None


def _list_of_file(path: PathName) -> pd.DataFrame:
    file = Path(path).expanduser()
    if isinstance(path, str) and not file.is_file():
        raise InputError("suppress=: a list of numbers or the path of a file is needed, and there is no such file")
    first = read_sheet(file, sheet="all", hidden="keep")
    receipt = receipt_of(first) or {}
    others = [other["sheet"] for other in receipt.get("sheets_not_read", ())]
    if not others:
        return first
    # Whoever stands on a hidden sheet of a do-not-send list is not written to either: there the doubt goes this way.
    read = receipt["sheet"] if isinstance(receipt["sheet"], list) else [receipt["sheet"]]
    return read_sheet(file, sheet=[*read, *others], hidden="keep")


def _as_frame(numbers: Phones | Table) -> pd.DataFrame:
    if hasattr(numbers, "to_pandas"):  # polars
        numbers = numbers.to_pandas()
    if isinstance(numbers, pd.DataFrame):
        return numbers
    if isinstance(numbers, pd.Series):
        return pd.DataFrame({"" if numbers.name is None else numbers.name: numbers})
    return pd.DataFrame({"": pd.Series(_items(numbers), dtype=object)})


def allowed_numbers(numbers: Phones | Table, phone: Hashable) -> Numbers:
    """Return the numbers that alone may be written to: one a cell, from the column of that name.

    Examples
    --------
    >>> allowed_numbers(["+86 138 0013 8000", "10086"], "手机号").tolist()
    [13800138000]
    """
    if hasattr(numbers, "to_pandas"):  # polars
        numbers = numbers.to_pandas()
    if isinstance(numbers, pd.DataFrame):
        numbers = _column_of_numbers(numbers, phone)
    if isinstance(numbers, pd.Series) and (labels := mobiles_in(str(numbers.name))):
        numbers = [*numbers.tolist(), *labels]  # a label that is a number is the first of a list without a header
    column = numbers if isinstance(numbers, pd.Series) else pd.Series(_items(numbers), dtype=object)
    parsed, _ = parse_phones(column)
    return np.unique(parsed[parsed > 0])


def _items(numbers: Any) -> list[object]:
    if isinstance(numbers, (str, bytes)):
        raise InputError("a list of numbers is needed, not one text")
    if not isinstance(numbers, Iterable):
        raise InputError(
            "a list of numbers is needed (a DataFrame, a Series or a list), this is one {kind}",
            kind=type(numbers).__name__,
        )
    return list(cast("Iterable[object]", numbers))


def _column_of_numbers(frame: pd.DataFrame, phone: Hashable) -> pd.Series[Any]:
    names = [name for name in (phone, "phone") if name in frame.columns]
    if not names and frame.shape[1] == 1:
        names = [frame.columns[0]]
    if not names:
        raise InputError(
            "which column of the list has the numbers? Name it {phone} or 'phone'; its columns are: {columns}",
            phone=repr(phone),
            columns=", ".join(map(repr, frame.columns)),
        )
    column: pd.Series[Any] = frame[names[0]]
    return column
