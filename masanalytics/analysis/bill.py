"""Reading a bill: how much was billed on which day, of which carrier, as the platform's or a salesman's sheet has it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Table
from masanalytics.errors import InputError, missing_columns
from masanalytics.i18n import Text
from masanalytics.text import fold
from masanalytics.vocabulary import carrier_of_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COUNT", "month_start", "read_bill"]

COUNT: Final = "count"
"""What the bill's column of counts is called, unless ``columns=`` says otherwise."""

_DAY = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?(?:[T ].*)?")
_MONTH = re.compile(r"(\d{4})[-/.年]?(\d{1,2})月?(?:[-/.]?\d{1,2}日?(?:[T ].*)?)?")
_HEADERS: Final = {
    "day": re.compile(r"日期|时间|date|day|time", re.IGNORECASE),
    "month": re.compile(r"月|month", re.IGNORECASE),
    "carrier": re.compile(r"运营商|通道|carrier|operator", re.IGNORECASE),
    COUNT: re.compile(r"条|数量|计费|count|segments|messages|quantity", re.IGNORECASE),
}
"""How bills head their columns: for a suggestion, never to read one by."""
_NOTHING: Final = re.compile(r"(?!)")
_CARRIER_SIGNS: Final = {
    "China Mobile": ("移动", "mobile", "cmcc"),
    "China Unicom": ("联通", "unicom", "cucc"),
    "China Telecom": ("电信", "telecom", "ctcc"),
    "China Broadnet": ("广电", "broadnet", "cbn"),
}


def read_bill(bill: Table, by: Sequence[str], columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the bill with the columns `by` as frames have them and the column ``bill``, one row each, in ascending order.

    Parameters
    ----------
    bill : DataFrame
        pandas or polars.
    by : sequence of str
        Our names: ``day``, ``month``, ``carrier`` or other columns of messages.
    columns : mapping of str to str
        Our names (and ``count``) -> the bill's.

    Raises
    ------
    InputError
        If a column is missing, or a day, a carrier or a count cannot be read, naming the row.
    """
    import narwhals as nw
    import pandas as pd

    native = nw.from_native(bill, pass_through=True)
    if not isinstance(native, nw.DataFrame):
        raise InputError("the bill is a {kind}: give a table with a row a day, say", kind=type(bill).__name__)
    frame = native.to_pandas().reset_index(drop=True)
    strange = sorted(set(columns) - {*by, COUNT})
    if strange:
        raise InputError(
            "columns= has {name!r}; it says what the bill calls {names}", name=strange[0], names=[COUNT, *by]
        )
    names = {name: columns.get(name, name) for name in (*by, COUNT)}
    _check_columns(names, [str(column) for column in frame.columns])
    readers = {"day": _day, "month": _month, "carrier": _carrier}
    read: dict[str, Any] = {}
    for name in by:
        column = frame[names[name]]
        cells = [_read(readers.get(name, str), cell, row, names[name]) for row, cell in enumerate(column)]
        read[name] = pd.Series(pd.to_datetime(cells) if name in ("day", "month") else pd.array(cells, dtype="str"))
    read["bill"] = pd.Series([_read(_count, cell, row, names[COUNT]) for row, cell in enumerate(frame[names[COUNT]])])
    table = pd.DataFrame(read)
    if not len(table):
        raise InputError("the bill has no rows")
    for name in ("day", "month"):
        if name in table:
            table[name] = table[name].astype("datetime64[s]")
    if not by:
        return pd.DataFrame({"bill": [float(table["bill"].sum())]})
    added: pd.DataFrame = table.groupby(list(by), sort=True)[["bill"]].sum().reset_index()
    return added.astype({"bill": float})


def _check_columns(names: Mapping[str, str], there: Sequence[str]) -> None:
    """Raise for columns that the bill does not have, with the call that reads it where its headers can be understood."""
    error = missing_columns(list(names.values()), there, frame=Text("the bill"))
    if error is None:
        return
    found: dict[str, str] = {}
    for name, column in names.items():
        free = [one for one in there if one not in found.values()]
        match = [one for one in free if one == column] or [
            one for one in free if _HEADERS.get(name, _NOTHING).search(one)
        ]
        if match:
            found[name] = match[0]
    if COUNT not in found or len(found) < 2:
        raise error
    by = [name for name in found if name != COUNT]
    raise InputError(
        "{error}. Perhaps: by={by}, columns={columns}",
        error=error.said,
        by=repr(by[0] if len(by) == 1 else by),
        columns=repr({name: column for name, column in found.items() if name != column}),
    )


def month_start(days: pd.Series) -> pd.Series:
    """Return the first day of the month of each day."""
    import pandas as pd

    return pd.Series(days.astype("datetime64[s]").dt.to_period("M").dt.to_timestamp()).astype("datetime64[s]")


def _read(reader: Any, cell: Any, row: int, column: str) -> Any:
    try:
        return reader(cell)
    except (ValueError, TypeError) as error:
        raise InputError(
            "row {row:,} of the bill: {column} {value!r} cannot be read", row=row + 1, column=column, value=cell
        ) from error


def _day(cell: Any) -> date:
    if isinstance(cell, date):
        return date(cell.year, cell.month, cell.day)
    written = _DAY.fullmatch(_plain(cell))
    if written is None:
        raise ValueError(cell)
    return date(*map(int, written.groups()))


def _month(cell: Any) -> date:
    if isinstance(cell, date):
        return date(cell.year, cell.month, 1)
    written = _MONTH.fullmatch(_plain(cell))
    if written is None:
        raise ValueError(cell)
    return date(int(written[1]), int(written[2]), 1)


def _plain(cell: Any) -> str:
    return fold(str(cell)).strip().removesuffix(".0")


def _carrier(cell: Any) -> str:
    text = fold(str(cell)).strip()
    known = carrier_of_name(text)
    if known != text or text in _CARRIER_SIGNS:
        return str(known)
    found = [name for name, signs in _CARRIER_SIGNS.items() if any(sign in text.lower() for sign in signs)]
    if len(found) != 1:
        raise ValueError(cell)
    return found[0]


def _count(cell: Any) -> float:
    number = float(fold(str(cell)).replace(",", "").strip())
    if not np.isfinite(number) or number < 0:
        raise ValueError(cell)
    return number
