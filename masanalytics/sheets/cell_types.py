"""Which dtype a column of cells gets: numbers and dates where nothing is lost by it, text everywhere else.

Whole numbers of up to ten digits become integers, decimals floats, dates ``datetime64``. Text stay: eleven digits and more (phones,
orders, identity cards), leading zeros, and columns of more than one kind. What the sheet shows of a number or a date is kept beside
the column as its number format, so that a text can hold what its reader saw.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pandas as pd

from masanalytics.sheets.number_formats import GENERAL, is_date_format, keeps_digits, shown

__all__ = ["TypedColumn", "typed_cells", "typed_texts"]

_MOST_DIGITS: Final = 10**10
_EXACT: Final = 10**15
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,9})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,9})?")
_DATES: Final = (
    ("yyyy-mm-dd", "%Y-%m-%d"),
    ("yyyy/m/d", "%Y/%m/%d"),
    ("yyyy/mm/dd", "%Y/%m/%d"),
    ("yyyy-mm-dd hh:mm:ss", "%Y-%m-%d %H:%M:%S"),
    ("yyyy/m/d h:mm", "%Y/%m/%d %H:%M"),
    ("yyyy/m/d h:mm:ss", "%Y/%m/%d %H:%M:%S"),
    ("yyyy-mm-dd hh:mm", "%Y-%m-%d %H:%M"),
    ('yyyy"年"m"月"d"日"', "%Y年%m月%d日"),
)
_LIKE_A_DATE = re.compile(r"\d{4}[-/年]\d{1,2}[-/月]\d{1,2}.{0,9}")


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """A column as a frame holds it.

    Attributes
    ----------
    values : ExtensionArray or ndarray
        The cells.
    formats : tuple of str
        The number formats the sheet shows them in, where that is not their digits; more than one where cells differ.
    """

    values: Any
    formats: tuple[str, ...] = ()


def typed_cells(cells: Sequence[Any], formats: Sequence[str] | None = None) -> TypedColumn:
    """Return the column for cells of a workbook.

    Parameters
    ----------
    cells : sequence
        Text, numbers, truth values, dates and times; None where blank.
    formats : sequence of str, optional
        The number format of each; by default General for all.

    Examples
    --------
    >>> typed_cells([12, 7], ["000000", "000000"]).values.tolist(), typed_cells([30, None]).values.dtype
    (['000012', '000007'], Int64Dtype())
    """
    if set(map(type, cells)) <= {str, type(None)}:
        return TypedColumn(_texts(cells))
    shown_as = [GENERAL] * len(cells) if formats is None else formats
    examples = dict(zip(zip(map(type, cells), shown_as, strict=True), cells, strict=True))
    kinds = {_kind(cell, one) for (_, one), cell in examples.items() if cell is not None}
    used = tuple(sorted({one for (_, one), cell in examples.items() if cell is not None}))
    if kinds == {"number"} and not _loses_digits(cells, shown_as):
        whole = all(cell is None or isinstance(cell, int) for cell in cells)
        plain = whole and all(map(keeps_digits, used))
        return TypedColumn(_numbers(cells, whole=whole), () if plain else used)
    if kinds == {"date"}:
        return TypedColumn(_dates(cells), used)
    if kinds in ({"time"}, {"duration"}):
        values = np.empty(len(cells), dtype=object)
        values[:] = list(cells)
        return TypedColumn(values, used)
    return TypedColumn(_texts(map(_as_text, cells, shown_as)))


def typed_texts(cells: Sequence[str | None]) -> TypedColumn:
    """Return the column for cells of a text file: a number or a date only where writing it again gives the same text.

    Examples
    --------
    >>> [typed_texts(one).values.dtype.name for one in (["3", "41"], ["12.50", "3.00"], ["007", "8"], ["13800138000"])]
    ['int64', 'float64', 'str', 'str']
    """
    filled = [cell for cell in cells if cell is not None]
    if not filled:
        return TypedColumn(_texts(cells))
    if _all(_WHOLE, filled):
        return TypedColumn(_numbers([None if cell is None else int(cell) for cell in cells], whole=True))
    if _all(_DECIMAL, filled):
        number_format = _decimal_format(filled)
        if number_format is not None:
            numbers = _numbers([None if cell is None else float(cell) for cell in cells], whole=False)
            return TypedColumn(numbers, (number_format,))
    if _all(_LIKE_A_DATE, filled):
        dated = _text_dates(cells, filled)
        if dated is not None:
            return dated
    return TypedColumn(_texts(cells))


def _kind(cell: Any, number_format: str) -> str:
    if isinstance(cell, (bool, str)):
        return "text"
    if isinstance(cell, date):
        return "date"
    if isinstance(cell, time):
        # A blank that a date format shows as 1900/1/0 is a zero, not midnight.
        return "text" if _has_day(number_format) else "time"
    return "duration" if isinstance(cell, timedelta) else "number"


def _has_day(number_format: str) -> bool:
    return is_date_format(number_format) and shown(time(9, 30), number_format) is None


def _loses_digits(cells: Sequence[Any], formats: Sequence[str]) -> bool:
    """Return whether a column of numbers must be text: long numbers, or zeros in front that the sheet shows."""
    if any(cell is not None and abs(cell) >= _MOST_DIGITS for cell in cells):
        return True
    padded = {
        one
        for one in set(formats)
        if not keeps_digits(one) and re.search("0[0#?]", re.sub(r"\"[^\"]*\"|\\\\.", "", one).partition(".")[0])
    }
    return any(
        one in padded and re.search(r"(?<!\d)(?<!\d[.,])0\d", shown(cell, one) or "")
        for cell, one in zip(cells, formats, strict=True)
        if cell is not None
    )


def _numbers(cells: Sequence[Any], *, whole: bool) -> Any:
    if not whole:
        return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    return pd.array(cells, dtype="Int64") if None in cells else np.array(cells, dtype=np.int64)


def _dates(cells: Sequence[Any]) -> Any:
    if set(map(type, cells)) <= {date, type(None)}:
        return pd.array(np.array(list(cells), dtype="datetime64[D]").astype("datetime64[us]"))
    moments = [
        None if cell is None else cell if isinstance(cell, datetime) else datetime.combine(cell, time())
        for cell in cells
    ]
    return pd.array(np.array(moments, dtype="datetime64[us]"))


def _texts(cells: Any) -> Any:
    return pd.array(list(cells), dtype="str")


def _as_text(cell: Any, number_format: str) -> str | None:
    """Return the text of a cell in a column of text: what the sheet shows, as far as that is known."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, time) and _has_day(number_format):
        return "1900/1/0"
    if isinstance(cell, (int, float)) and abs(cell) >= _EXACT:  # digits beyond the fifteenth are not the customer's
        mantissa, _, exponent = format(Decimal(cell), ".14E").partition("E")
        return f"{mantissa.rstrip('0').rstrip('.')}E{exponent}"
    if isinstance(cell, int) and keeps_digits(number_format):
        return str(cell)
    if isinstance(cell, timedelta):
        return str(cell)
    text = shown(cell, number_format)
    if text is not None:
        return text
    return cell.isoformat(sep=" ") if isinstance(cell, datetime) else str(cell)


def _all(pattern: re.Pattern[str], cells: Sequence[str]) -> bool:
    match: Callable[[str], Any] = pattern.fullmatch
    return all(map(match, cells))


def _decimal_format(cells: Sequence[str]) -> str | None:
    """Return the number format that gives every text back, or None."""
    places = {len(cell.partition(".")[2]) for cell in cells}
    if len(places) == 1:
        return "0." + "0" * places.pop()
    return GENERAL if all(shown(float(cell), GENERAL) == cell for cell in cells) else None


def _text_dates(cells: Sequence[str | None], filled: Sequence[str]) -> TypedColumn | None:
    for number_format, pattern in _DATES:
        moments: dict[str, datetime] = {}
        for cell in filled:
            if cell in moments:
                continue
            try:
                moment = datetime.strptime(cell, pattern)  # noqa: DTZ007 - a sheet's dates have no zone
            except ValueError:
                break
            if shown(moment, number_format) != cell:
                break
            moments[cell] = moment
        else:
            return TypedColumn(_dates([None if cell is None else moments[cell] for cell in cells]), (number_format,))
    return None
