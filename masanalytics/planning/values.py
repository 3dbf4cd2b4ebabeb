"""How a cell is written into a text: by strict rules, each distinct value once.

Without a format, text is written as it is, an integer as its digits, an integral float without ``.0``. A decimal, a date or a
truth value without a format is an error that says how to write one, since no reader wants ``0.1 + 0.2`` or ``NaT到期``. With a
format the value is brought to what the format is for, so that ``{积分:,d}`` also takes the text ``1280`` and the float 1280.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in
from masanalytics.planning.content import Field

__all__ = ["MISSING", "UNFIT", "Factor", "factorise", "factorise_content"]

MISSING: Final = -1
"""The code of a row whose value is missing."""

UNFIT: Final = -2
"""The code of a row whose value cannot be written: it does not fit the format, or holds broken characters."""

_BLANK: Final = frozenset(
    {"", "nan", "NaN", "NAN", "NaT", "<NA>", "None", "null", "NULL", "#N/A", "#VALUE!", "#REF!", "#NAME?", "#DIV/0!", "#NULL!"}
)
_NUMBER_SPEC = re.compile(r"(?:.?[<>=^])?[+\- ]?z?#?0?\d*(?P<group>[,_])?(?P<precision>\.\d+)?(?P<type>[bcdeEfFgGnoxX%])?")
_DATE_TEXT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?|(\d{4})(\d{2})(\d{2})"
)
_WHOLE_TYPES: Final = "bcdoxX"
_CHUNK: Final = 50_000


@dataclass(frozen=True, slots=True)
class Factor:
    """A column as a text holds it: each distinct piece once.

    Attributes
    ----------
    codes : ndarray of int32
        For each row the position of its piece in `pieces`; `MISSING` or `UNFIT` where it has none.
    pieces : ndarray of object
        Distinct texts.
    """

    codes: npt.NDArray[np.int32]
    pieces: npt.NDArray[np.object_]


class _NeedsFormatError(Exception):
    """A value that is never written without a format."""


class _UnfitError(Exception):
    """A value that cannot be written as asked."""


def factorise(column: pd.Series[Any], field: Field) -> Factor:
    """Write every value of a column as `field` asks.

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
    >>> factor.codes.tolist(), factor.pieces.tolist()
    ([0, -1, 0], ['1,280'])
    """
    codes, values = _distinct(column)
    if not field.spec and (texts := _as_they_are(values)) is not None:
        return _factor_of_distinct(codes, texts)
    pieces, offender = _write_all(values, field.spec)
    if offender is not None:
        raise _needs_format(field, offender)
    if values and not any(piece is not None for piece in pieces) and not all(map(_is_blank, values)):
        raise _fits_nothing(field, next(value for value in values if not _is_blank(value)))
    return _factor(codes, values, pieces)


def factorise_content(column: pd.Series[Any]) -> Factor:
    """Take a column as whole texts; what is no text and no whole number is `UNFIT`.

    Examples
    --------
    >>> factorise_content(pd.Series(["你好", " ", "你好", None])).codes.tolist()
    [0, -1, 0, -1]
    """
    codes, values = _distinct(column)
    if (texts := _as_they_are(values)) is not None:
        return _factor_of_distinct(codes, texts)
    return _factor(codes, values, [_written(value, _plain) for value in values])


def _distinct(column: pd.Series[Any]) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Return a code for each row (-1 where missing) and the distinct values as Python objects."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = column.cat.remove_unused_categories()
        return used.cat.codes.to_numpy().astype(np.int64), pd.Series(used.cat.categories).astype(object).tolist()
    if column.dtype != object or pd.api.types.infer_dtype(column, skipna=True) == "string":
        found, uniques = pd.factorize(column)
        return found, pd.Series(uniques).astype(object).tolist()
    # 1, 1.0 and True are equal, but not the same to a reader.
    seen: dict[tuple[type, Hashable], int] = {}
    codes = np.empty(len(column), dtype=np.int64)
    values: list[Any] = []
    for place, value in enumerate(column.tolist()):
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
    return codes, values


def _as_they_are(values: list[Any]) -> list[str] | None:
    """Return the distinct texts of distinct values that need no rules: all text, or all integers; else None."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    return list(map(str, values)) if kinds == {int} else None


def _factor_of_distinct(codes: npt.NDArray[np.int64], texts: list[str]) -> Factor:
    """Make a factor of texts that are known to differ, without looking each up."""
    table = np.arange(len(texts) + 1, dtype=np.int32)
    table[-1] = MISSING
    blank = _BLANK.intersection(texts) | set(filter(str.isspace, texts))
    table[[index for index, text in enumerate(texts) if text in blank] if blank else []] = MISSING
    pieces = np.empty(len(texts), dtype=object)
    pieces[:] = texts
    _mark_broken(pieces, table)
    return Factor(table[codes], pieces)


def _factor(codes: npt.NDArray[np.int64], values: list[Any], pieces: list[str | None]) -> Factor:
    """Join what is written alike, and mark blank values and those that could not be written."""
    position: dict[str, int] = {}
    table = np.empty(len(values) + 1, dtype=np.int32)
    for index, piece in enumerate(pieces):
        if piece is None:
            table[index] = MISSING if _is_blank(values[index]) else UNFIT
        elif piece in _BLANK or piece.isspace():
            table[index] = MISSING
        else:
            table[index] = position.setdefault(piece, len(position))
    table[-1] = MISSING
    distinct = np.empty(len(position), dtype=object)
    distinct[:] = list(position)
    _mark_broken(distinct, table)
    return Factor(table[codes], distinct)


def _mark_broken(pieces: npt.NDArray[np.object_], table: npt.NDArray[np.int32]) -> None:
    """Mark pieces with half a surrogate pair as `UNFIT`: no encoding can carry them."""
    for start in range(0, len(pieces), _CHUNK):
        part = pieces[start : start + _CHUNK]
        try:
            "".join(part).encode("utf-8")
        except UnicodeEncodeError:
            broken = [start + code for code, piece in enumerate(part) if piece.encode("utf-8", "ignore").decode() != piece]
            table[np.isin(table, broken)] = UNFIT


def _is_blank(value: Any) -> bool:
    if isinstance(value, str):
        return value in _BLANK or value.isspace()
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def _write_all(values: list[Any], spec: str) -> tuple[list[str | None], Any]:
    """Return each value written (None where it cannot be) and the first one that needs a format, if any."""
    kind = _kind(spec)
    writer: Callable[[Any], str] = {
        "none": _plain,
        "number": _number_writer(spec),
        "date": lambda value: _date(value, spec),
        "other": lambda value: _other(value, spec),
    }[kind]
    pieces = []
    for value in values:
        try:
            pieces.append(_written(value, writer, strict=True))
        except _NeedsFormatError:
            return [], value
    return pieces, None


def _written(value: Any, writer: Callable[[Any], str], *, strict: bool = False) -> str | None:
    """Return `value` as `writer` writes it, or None."""
    if _is_blank(value):
        return None
    try:
        return writer(value)
    except _NeedsFormatError:
        if strict:
            raise
        return None
    except (_UnfitError, ValueError, TypeError, OverflowError, InvalidOperation):
        return None


def _kind(spec: str) -> str:
    if not spec:
        return "none"
    found = _NUMBER_SPEC.fullmatch(spec)
    if found and (found["type"] or found["group"]):
        return "number"
    return "date" if "%" in spec else "other"


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_, datetime, date, time, timedelta, np.datetime64, np.timedelta64, pd.Period)):
        raise _NeedsFormatError
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating, Decimal)):
        whole = _whole(value)
        if whole is None:
            raise _NeedsFormatError
        return str(whole)
    raise _UnfitError


def _whole(value: Any) -> int | None:
    """Return `value` as an integer, or None where it has a fraction; infinite values cannot be written at all."""
    if isinstance(value, (int, np.integer)):
        return int(value)
    if not (value.is_finite() if isinstance(value, Decimal) else np.isfinite(value)):
        raise _UnfitError
    return int(value) if value == int(value) else None


def _number_writer(spec: str) -> Callable[[Any], str]:
    """Return what writes numbers with `spec`: as integers, where they are, unless it asks for decimals."""
    found = _NUMBER_SPEC.fullmatch(spec)
    kind = found["type"] if found else None
    must_be_whole = kind is not None and kind in _WHOLE_TYPES
    may_be_whole = must_be_whole or kind is None or kind == "n"

    def write(value: Any) -> str:
        number = value if type(value) in (int, float) else _to_number(value)
        whole = _whole(number)
        whole = whole if may_be_whole else None
        if whole is None and must_be_whole:
            raise _UnfitError
        return format(number if whole is None else whole, spec)

    return write


def _to_number(value: Any) -> int | float | Decimal:
    if isinstance(value, str):
        # A sheet read as text has numbers as text; Decimal keeps every digit of them.
        number = Decimal(value.strip().replace(",", ""))
        return int(number) if number == number.to_integral_value() else number
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, Decimal, np.integer, np.floating)):
        raise _UnfitError
    if isinstance(value, (float, np.floating)):
        return float(value)
    return value if isinstance(value, Decimal) else int(value)


def _date(value: Any, spec: str) -> str:
    if isinstance(value, str):
        value = _to_date(value)
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if not isinstance(value, (datetime, date, time, pd.Period)):
        raise _UnfitError
    return value.strftime(spec)


def _to_date(text: str) -> datetime:
    found = _DATE_TEXT.fullmatch(text.strip())
    if found is None:
        raise _UnfitError
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    if not year:
        year, month, day = map(int, found.groups()[6:9])
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001


def _other(value: Any, spec: str) -> str:
    """Write with a format that is neither a number's nor a date's: width, alignment, precision of a text."""
    if isinstance(value, (datetime, date, time, timedelta, pd.Period, bool, np.bool_)):
        raise _NeedsFormatError
    if isinstance(value, str):
        return format(value, spec)
    number = _to_number(value)
    whole = None if "." in spec else _whole(number)
    return format(number if whole is None else whole, spec)


def _needs_format(field: Field, value: Any) -> InputError:
    name = field.column
    shown = mask_phones_in(str(value))
    if isinstance(value, (bool, np.bool_)):
        return InputError(
            f"the column {name!r} holds {shown}: make it a text such as 是 / 否 before planning",
            zh=f"列 {name!r} 中是 {shown}：请先转换为“是/否”等文字",
        )
    if isinstance(value, (float, np.floating, Decimal)):
        how = f"{{{name}:.2f}}"
        return InputError(
            f"the column {name!r} holds decimals ({shown}): say how to write them, such as {how}",
            zh=f"列 {name!r} 中有小数（{shown}）：请写明格式，例如 {how}",
        )
    how = f"{{{name}:%H:%M}}" if isinstance(value, time) else f"{{{name}:%Y年%m月%d日}}"
    return InputError(
        f"the column {name!r} holds dates or times ({shown}): say how to write them, such as {how}",
        zh=f"列 {name!r} 中是日期或时间（{shown}）：请写明格式，例如 {how}",
    )


def _fits_nothing(field: Field, value: Any) -> InputError:
    shown = mask_phones_in(repr(value))
    return InputError(
        f"the format in {field.source} fits no value of the column {field.column!r}; the first is {shown}."
        " Formats are Python's: ,d or .2f for numbers, %m月%d日 for dates",
        zh=f"{field.source} 的格式与列 {field.column!r} 的任何值都不符，例如第一个值 {shown}。"
        "格式与 Python 相同：数字用 ,d 或 .2f，日期用 %m月%d日",
    )
