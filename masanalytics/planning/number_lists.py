"""Lists of numbers that a user hands in: people who must not be written to, and the only ones who may.

Where sending must be sure to send, suppressing must be sure to suppress: of a do-not-send list every sheet, every column, every
number in a cell counts, and a label that is itself a number.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from masanalytics.aliases import Numbers, PathName, Phones, Table
from masanalytics.errors import InputError
from masanalytics.phones import REASONS, cell_text, mobiles_in, parse_phones, stood_for_mobile
from masanalytics.sheets import read_sheet
from masanalytics.sheets.receipt import receipt_of

__all__ = ["SuppressionList", "allowed_numbers", "suppression_list"]

_EMPTY = REASONS.index("empty_number")


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
    receipt : mapping or None
        What `read_sheet` read of the list's file and what it did not, where it was read by it.
    """

    numbers: Numbers
    entries: int
    unreadable: int
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
    receipt = receipt_of(frame)
    labels = [number for label in frame.columns for number in mobiles_in(str(label))]
    filled = np.zeros(len(frame), dtype=bool)
    readable = np.zeros(len(frame), dtype=bool)
    found = [np.array([int(number) for number in labels], dtype=np.int64)]
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        parsed, reasons = parse_phones(column)
        filled |= reasons != _EMPTY
        readable |= parsed > 0
        found.append(parsed[parsed > 0])
        unread = np.flatnonzero((reasons >= 0) & (reasons != _EMPTY))
        texts = [cell_text(cell) or "" for cell in column.iloc[unread].tolist()]
        inside = {text: mobiles_in(text) for text in set(texts)}
        if any(inside.values()):
            readable[unread[[bool(inside[text]) for text in texts]]] = True
            found.append(np.array([int(number) for each in inside.values() for number in each], dtype=np.int64))
    lost = sum(stood_for_mobile(str(label)) for label in frame.columns)
    entries = int(filled.sum()) + len(labels) + lost
    unreadable = int((filled & ~readable).sum()) + lost
    return SuppressionList(np.unique(np.concatenate(found)), entries, unreadable, receipt)


def _list_of_file(path: PathName) -> pd.DataFrame:
    file = Path(path).expanduser()
    if isinstance(path, str) and not file.is_file():
        raise InputError("suppress=: a list of numbers or the path of a file is needed, and there is no such file")
    first = read_sheet(file, sheet="all", hidden="keep")
    others = [other["sheet"] for other in receipt.get("sheets_not_read", ())] if (receipt := receipt_of(first)) else []
    # Whoever stands on a hidden sheet of a do-not-send list is not written to either: there the doubt goes this way.
    return pd.concat([first, read_sheet(file, sheet=others, hidden="keep")]) if others else first


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
