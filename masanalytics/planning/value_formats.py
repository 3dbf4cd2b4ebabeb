"""How a value is written into a text: by strict rules.

Without a format, text is written as it is, without the space around it; an integer as its digits, an integral float without ``.0``. A decimal, a date or a
truth value without a format is an error that says how to write one, since no reader wants ``0.1 + 0.2`` or ``NaT到期``. With a
format the value is brought to what the format is for, so that ``{积分:,d}`` also takes the text ``1280`` and the float 1280.0.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.masking import mask_phones_in
from masanalytics.planning.templates import Field
from masanalytics.sheets.number_formats import NOT_KNOWN, is_date_format, shown
from masanalytics.text import BLANK_WORDS, INVISIBLE

__all__ = ["BLANK_STARTS", "DIGITS_LOST", "MISSING", "UNFIT", "has_lost_digits", "is_blank", "plain_texts", "write_all"]

MISSING: Final = -1
"""What stands for a value that is missing."""

UNFIT: Final = -2
"""What stands for a value that cannot be written: it does not fit the format, or holds broken characters."""

DIGITS_LOST: Final = -3
"""What stands for a number whose last digits are gone: 2.31E+17, or a float that cannot hold them."""

_UNSEEN: Final = dict.fromkeys(INVISIBLE)

BLANK_STARTS: Final = frozenset(
    [
        *(text[:1] for text in BLANK_WORDS if text),
        *(text[:1].upper() for text in BLANK_WORDS if text),
        *map(chr, INVISIBLE),
    ]
)
"""What a blank text begins with, where it does not begin with space."""

_NUMBER_SPEC = re.compile(
    r"(?:.?[<>=^])?[+\- ]?z?#?0?\d*(?P<group>[,_])?(?P<precision>\.\d+)?(?P<type>[bcdeEfFgGnoxX%])?"
)
_DATE_TEXT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?|(\d{4})(\d{2})(\d{2})"
)
_WHOLE_TYPES: Final = "bcdoxX"
_SCIENTIFIC = re.compile(r"[+-]?\d(?:\.\d+)?E\+?\d{2,3}", re.I)
_MOST_EXACT: Final = 2**53
_YEAR_OF_ZERO: Final = 1899
_DAYS_OF_ZERO: Final = ((12, 30), (12, 31))
"""The day that a spreadsheet makes of a zero, which is what a lookup of a blank cell gives."""
_DIRECTIVE = re.compile(r"%([-#]?)([A-Za-z%])")
_DAY_PARTS = re.compile(r"%[-_0^#]?[aAbBcdDeFGgjmuUVwWxyYhC]")
_TIME_PARTS = re.compile(r"%[-_0^#]?[cfHIklMpPrRsSTXz]")


class _NeedsFormatError(Exception):
    """A value that is never written without a format."""


class _UnfitError(Exception):
    """A value that cannot be written as asked."""


class _DigitsLostError(Exception):
    """A number that is not what it was."""


def is_blank(value: Any) -> bool:
    r"""Return whether a cell holds nothing that could be written: no more than space, or what programs write for a gap.

    Examples
    --------
    >>> [is_blank(value) for value in (" \u200b", "#NUM!", "N/A", None, "0", "Nana")]
    [True, True, True, True, False, False]
    """
    if isinstance(value, str):
        # Of a million texts nearly all are told by how they begin.
        if value and value[0] not in BLANK_STARTS and not value[0].isspace():
            return False
        return value.translate(_UNSEEN).strip().casefold() in BLANK_WORDS
    if isinstance(value, date):
        return value is pd.NaT or (value.year == _YEAR_OF_ZERO and (value.month, value.day) in _DAYS_OF_ZERO)
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def has_lost_digits(text: str) -> bool:
    """Return whether a text is a number in scientific notation, as spreadsheets write what is too long for them.

    Examples
    --------
    >>> has_lost_digits("2.31E+17"), has_lost_digits("E10"), has_lost_digits("1280")
    (True, False, False)
    """
    return _SCIENTIFIC.fullmatch(text) is not None


def write_all(values: Sequence[Any], field: Field, number_formats: Sequence[str] = ()) -> list[str | int]:
    """Return each value as `field` asks for it to be written; `MISSING` where it is blank, `UNFIT` where it does not fit.

    Where `field` has no format and the sheet shows the column in one (`number_formats`), a value is written as the sheet shows it,
    and what that is not known of is `UNFIT`. `DIGITS_LOST` stands for a number whose last digits are gone.

    Raises
    ------
    InputError
        If a value needs a format and has none, or no value at all fits the format.

    Examples
    --------
    >>> write_all([1280.0, None, "2500", "?"], Field("积分", ",d", found=True))
    ['1,280', -1, '2,500', -2]
    """
    spec = field.spec
    if not spec and len(number_formats) > 1:
        raise _several_formats(field, number_formats)
    only_dates = "%" in spec and _TIME_PARTS.search(spec) is not None and all(map(_is_midnight, values))
    writer: Callable[[Any], str] = {
        "none": _as_shown(number_formats[0]) if number_formats else _plain,
        "number": _number_writer(spec),
        "date": _no_time if only_dates else lambda value: _date(value, spec),
        "other": lambda value: _other(value, spec),
    }[_kind(spec)]
    texts: list[str | int | None] = []
    for value in values:
        try:
            texts.append(_written(value, writer))
        except _NeedsFormatError as error:
            raise _needs_format(field, value) from error
    if texts and all(text is None for text in texts):
        misfit = next((value for value in values if not is_blank(value)), None)
        if misfit is not None:
            raise (
                _fits_nothing(field, misfit)
                if spec or not number_formats
                else _not_imitated(field, misfit, number_formats[0])
            )
    return list(map(_text_or_code, values, texts))


def plain_texts(values: Sequence[Any]) -> list[str | int]:
    """Return each value as it is written without a format; `MISSING` where it is blank, `UNFIT` where it never is.

    Examples
    --------
    >>> plain_texts(["您好", 5.0, 0.5, None])
    ['您好', '5', -2, -1]
    """
    texts: list[str | int | None] = []
    for value in values:
        try:
            texts.append(_written(value, _plain))
        except _NeedsFormatError:
            texts.append(None)
    return list(map(_text_or_code, values, texts))


def _text_or_code(value: Any, text: str | int | None) -> str | int:
    if isinstance(text, int):
        return text
    if text is None:
        return MISSING if is_blank(value) else UNFIT
    return MISSING if is_blank(text) else text


def _written(value: Any, writer: Callable[[Any], str]) -> str | int | None:
    if is_blank(value):
        return None
    try:
        return writer(value)
    except _DigitsLostError:
        return DIGITS_LOST
    except (_UnfitError, ValueError, TypeError, OverflowError, InvalidOperation):
        return None


def _kind(spec: str) -> str:
    if not spec:
        return "none"
    match = _NUMBER_SPEC.fullmatch(spec)
    if match and (match["type"] or match["group"]):
        return "number"
    return "date" if "%" in spec else "other"


def _as_shown(number_format: str) -> Callable[[Any], str]:
    """Return what writes values as a sheet shows them."""

    def write(value: Any) -> str:
        if isinstance(value, (np.integer, np.floating)):
            value = value.item()
        text = _plain(value) if isinstance(value, str) else shown(value, number_format)
        if text is None:
            raise _UnfitError
        return text

    return write


def _is_midnight(value: Any) -> bool:
    return is_blank(value) or (isinstance(value, datetime) and value.time() == time())


def _no_time(_value: Any) -> str:
    """Refuse a date under a format for a time of day: nobody wrote 00:00."""
    raise _UnfitError


def _plain(value: Any) -> str:
    if isinstance(value, str):
        if has_lost_digits(value):
            raise _DigitsLostError
        return value
    if isinstance(value, (bool, np.bool_, datetime, date, time, timedelta, np.datetime64, np.timedelta64, pd.Period)):
        raise _NeedsFormatError
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating, Decimal)):
        whole = _whole(value)
        if whole is None:
            raise _NeedsFormatError
        if not isinstance(value, Decimal) and abs(whole) >= _MOST_EXACT:
            raise _DigitsLostError
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
    match = _NUMBER_SPEC.fullmatch(spec)
    kind = match["type"] if match else None
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
    if isinstance(value, time) and _DAY_PARTS.search(spec):
        raise _UnfitError
    if isinstance(value, date) and not isinstance(value, datetime) and _TIME_PARTS.search(spec):
        raise _UnfitError
    return _strftime(value, spec)


def _strftime(value: Any, spec: str) -> str:
    """Write a date the same way on every system.

    Windows can, before Python 3.12.8, not encode 月 in a spec, has ``#`` for glibc's ``-`` (no leading zero), and refuses what it
    does not know. So it gets one directive after the other.
    """
    if sys.platform != "win32" and "%#" not in spec:
        return str(value.strftime(spec))
    return _DIRECTIVE.sub(lambda one: _directive(value, *one.groups()), spec)


def _directive(value: Any, flag: str, letter: str) -> str:
    written = str(value.strftime(f"%{letter}"))
    return (written.lstrip("0") or "0") if flag and written.isdecimal() else written


def _to_date(text: str) -> date:
    match = _DATE_TEXT.fullmatch(text.strip())
    if match is None:
        raise _UnfitError
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if not year:
        year, month, day = map(int, match.groups()[6:9])
    if match[4] is None:
        return date(year, month, day)
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
    name, shown = repr(field.column), mask_phones_in(str(value))
    if isinstance(value, (bool, np.bool_)):
        return InputError(
            "the column {name} holds {value}: make it a text such as 是 / 否 before planning", name=name, value=shown
        )
    if isinstance(value, (float, np.floating, Decimal)):
        return InputError(
            "the column {name} holds decimals ({value}): say how to write them, such as {format}",
            name=name,
            value=shown,
            format=f"{{{field.column}:.2f}}",
        )
    if isinstance(value, (timedelta, np.timedelta64)):
        return InputError(
            "the column {name} holds durations ({value}), for which there is no format: make them a text or a number"
            " before planning, such as days with df[{name}].dt.days",
            name=name,
            value=shown,
        )
    return InputError(
        "the column {name} holds dates or times ({value}): say how to write them, such as {format}",
        name=name,
        value=shown,
        format=f"{{{field.column}:%H:%M}}" if isinstance(value, time) else f"{{{field.column}:%Y年%m月%d日}}",
    )


def _several_formats(field: Field, number_formats: Sequence[str]) -> InputError:
    return InputError(
        "the sheet shows the column {name} in several formats ({formats}): say how to write it, such as {example}",
        name=repr(field.column),
        formats=", ".join(number_formats),
        example=f"{{{field.column}:%Y年%m月%d日}}"
        if any(map(is_date_format, number_formats))
        else f"{{{field.column}:,.2f}}",
    )


def _not_imitated(field: Field, value: Any, number_format: str) -> InputError:
    """Return the error of a column that the sheet shows in a way that is not written here."""
    if isinstance(value, timedelta):
        return _needs_format(field, value)
    return InputError(
        "the sheet shows the column {name} as {format}, which is not written here (the first value is {value}): say how to write it,"
        " such as {example}",
        name=repr(field.column),
        format=Text("a format that is not known here") if number_format == NOT_KNOWN else number_format,
        value=mask_phones_in(str(value)),
        example=f"{{{field.column}:%Y年%m月%d日}}" if isinstance(value, date) else f"{{{field.column}:,.2f}}",
    )


def _fits_nothing(field: Field, value: Any) -> InputError:
    return InputError(
        "the format in {placeholder} fits no value of the column {name}; the first is {value}."
        " Formats are Python's: ,d or .2f for numbers, %m月%d日 for dates",
        placeholder=field.source,
        name=repr(field.column),
        value=mask_phones_in(repr(value)),
    )
