"""Whole numbers as times: epoch seconds, the platform's fourteen digits (20260131090000), days in eight (20260131).

Which of them a column holds, its least and its greatest number tell; what can be none of them is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from masanalytics.errors import InputError
from masanalytics.timezone import CHINA_OFFSET_S

if TYPE_CHECKING:
    import narwhals as nw
    import pandas as pd

__all__ = ["NumberKind", "as_epoch", "kind_of_numbers", "kinds_of_columns"]

NumberKind = Literal["epoch", "digits", "days"]

_FIRST_DIGITS, _LAST_DIGITS = 19_700_101_000000, 21_000_101_000000
_FIRST_DAY, _LAST_DAY = 19_700_101, 21_001_231
_FIRST_SERIAL, _LAST_SERIAL = 36_526, 73_051
"""The days of 2000 to 2099 as a spreadsheet counts them."""
_LAST_EPOCH: Final = 2**40
_DAY: Final = 10**6
"""What makes eight digits of a day fourteen."""


def kind_of_numbers(name: str, least: float, most: float) -> NumberKind:
    """Return what the numbers of a column are, by the least and the greatest of them.

    Raises
    ------
    InputError
        If they are days of a spreadsheet, thousandths of seconds, or several kinds.

    Examples
    --------
    >>> kind_of_numbers("t", 20260131090000, 20260131090005), kind_of_numbers("t", 20260131, 20260201), kind_of_numbers("t", 0, 1.8e9)
    ('digits', 'days', 'epoch')
    """
    if least >= _FIRST_DAY and most <= _LAST_DAY:
        return "days"
    if least >= _FIRST_DIGITS and most < _LAST_DIGITS:
        return "digits"
    if least >= _FIRST_SERIAL and most < _LAST_SERIAL:
        raise InputError(
            "column {name!r} holds numbers such as {value:g}, which are days as a spreadsheet counts them: make them times "
            "(pandas.to_datetime(…, unit='D', origin='1899-12-30'))",
            name=name,
            value=float(least),
        )
    if max(abs(least), abs(most)) > _LAST_EPOCH:
        raise InputError(
            "column {name!r} holds numbers that are no times: give epoch seconds, or make them times", name=name
        )
    return "epoch"


def kinds_of_columns(
    frame: Any, names: Collection[str], collect: Callable[[Any], pd.DataFrame]
) -> Mapping[str, NumberKind]:
    """Return what the columns of whole numbers are that a frame of narwhals has under these names: one row is brought."""
    import narwhals as nw

    schema = frame.collect_schema()
    whole = [name for name in names if name in schema and schema[name].is_integer()]
    if not whole:
        return {}
    ends = {f"{end}/{name}": getattr(nw.col(name), end)() for name in whole for end in ("min", "max")}
    row = collect(frame.select(**ends)).iloc[0]
    known = [name for name in whole if row[f"min/{name}"] == row[f"min/{name}"]]  # not of nothing
    kinds = {name: kind_of_numbers(name, float(row[f"min/{name}"]), float(row[f"max/{name}"])) for name in known}
    return {**dict.fromkeys(whole, "epoch"), **kinds}


def as_epoch(numbers: nw.Expr, kind: NumberKind) -> nw.Expr:
    """Return whole numbers as epoch seconds; digits that are no time (20261331090000) are missing."""
    import narwhals as nw

    value = numbers.cast(nw.Int64)
    if kind == "epoch":
        return value
    value = value * _DAY if kind == "days" else value
    year, month, day = value // 10**10, value // 10**8 % 100, value // 10**6 % 100
    hour, minute, second = value // 10**4 % 100, value // 100 % 100, value % 100
    # Days since 1970 by H. Hinnant's arithmetic on a year that begins in March.
    shifted = nw.when(month <= 2).then(year - 1).otherwise(year)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    of_february = nw.when(is_leap).then(nw.lit(29)).otherwise(nw.lit(28))
    is_short = (month == 4) | (month == 6) | (month == 9) | (month == 11)
    last = nw.when(month == 2).then(of_february).otherwise(nw.when(is_short).then(nw.lit(30)).otherwise(nw.lit(31)))
    is_time = (month >= 1) & (month <= 12) & (day >= 1) & (day <= last) & (hour < 24) & (minute < 60) & (second < 60)
    return nw.when(is_time).then(days * 86_400 + hour * 3600 + minute * 60 + second - CHINA_OFFSET_S)
