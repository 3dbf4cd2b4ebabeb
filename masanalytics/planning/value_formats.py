"""How a value is written into a text: by strict rules.

Without a format, text is written as it is, without the space around it; an integer as its digits, an integral float without ``.0``. A decimal, a date or a
truth value without a format is an error that says how to write one, since no reader wants ``0.1 + 0.2`` or ``NaT到期``. With a
format the value is brought to what the format is for, so that ``{积分:,d}`` also takes the text ``1280`` and the float 1280.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in
from masanalytics.planning.templates import Field
from masanalytics.text import BLANK_WORDS, INVISIBLE

__all__ = ["BLANK_STARTS", "MISSING", "UNFIT", "is_blank", "plain_texts", "write_all"]

MISSING: Final = -1
"""What stands for a value that is missing."""

UNFIT: Final = -2
"""What stands for a value that cannot be written: it does not fit the format, or holds broken characters."""

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


class _NeedsFormatError(Exception):
    """A value that is never written without a format."""


class _UnfitError(Exception):
    """A value that cannot be written as asked."""


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
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def write_all(values: Sequence[Any], field: Field) -> list[str | int]:
    """Return each value as `field` asks for it to be written; `MISSING` where it is blank, `UNFIT` where it does not fit.

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
    writer: Callable[[Any], str] = {
        "none": _plain,
        "number": _number_writer(spec),
        "date": lambda value: _date(value, spec),
        "other": lambda value: _other(value, spec),
    }[_kind(spec)]
    texts = []
    for value in values:
        try:
            texts.append(_written(value, writer))
        except _NeedsFormatError as error:
            raise _needs_format(field, value) from error
    if texts and all(text is None for text in texts):
        misfit = next((value for value in values if not is_blank(value)), None)
        if misfit is not None:
            raise _fits_nothing(field, misfit)
    return list(map(_text_or_code, values, texts))


def plain_texts(values: Sequence[Any]) -> list[str | int]:
    """Return each value as it is written without a format; `MISSING` where it is blank, `UNFIT` where it never is.

    Examples
    --------
    >>> plain_texts(["您好", 5.0, 0.5, None])
    ['您好', '5', -2, -1]
    """
    texts = []
    for value in values:
        try:
            texts.append(_written(value, _plain))
        except _NeedsFormatError:
            texts.append(None)
    return list(map(_text_or_code, values, texts))


def _text_or_code(value: Any, text: str | None) -> str | int:
    if text is None:
        return MISSING if is_blank(value) else UNFIT
    return MISSING if is_blank(text) else text


def _written(value: Any, writer: Callable[[Any], str]) -> str | None:
    if is_blank(value):
        return None
    try:
        return writer(value)
    except (_UnfitError, ValueError, TypeError, OverflowError, InvalidOperation):
        return None


def _kind(spec: str) -> str:
    if not spec:
        return "none"
    match = _NUMBER_SPEC.fullmatch(spec)
    if match and (match["type"] or match["group"]):
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
    return value.strftime(spec)


def _to_date(text: str) -> datetime:
    match = _DATE_TEXT.fullmatch(text.strip())
    if match is None:
        raise _UnfitError
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    if not year:
        year, month, day = map(int, match.groups()[6:9])
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


def _fits_nothing(field: Field, value: Any) -> InputError:
    return InputError(
        "the format in {placeholder} fits no value of the column {name}; the first is {value}."
        " Formats are Python's: ,d or .2f for numbers, %m月%d日 for dates",
        placeholder=field.source,
        name=repr(field.column),
        value=mask_phones_in(repr(value)),
    )
