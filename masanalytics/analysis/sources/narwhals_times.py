"""Times of messages as expressions of narwhals: digits as the platform writes them, and what counts as night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from masanalytics.analysis.dimensions import FIRST_HOUR, LAST_HOUR, TimePart
from masanalytics.timezone import CHINA_OFFSET_S

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["at_night", "digits_as_epoch"]

_HOUR: Final = TimePart(3600, 24)
_FIRST_DIGITS: Final = 19_700_101_000000
_FIRST_DAY, _LAST_DAY = 19_700_101, 21_001_231


def digits_as_epoch(digits: nw.Expr) -> nw.Expr:
    """Return whole numbers as epoch seconds, the platform's fourteen digits (20260131090000) and days (20260131) read as such."""
    import narwhals as nw

    value = digits.cast(nw.Int64)
    is_day = (value >= _FIRST_DAY) & (value <= _LAST_DAY)
    value = nw.when(is_day).then(value * 10**6).otherwise(value)
    year, month, day = value // 10**10, value // 10**8 % 100, value // 10**6 % 100
    # Days since 1970 by H. Hinnant's arithmetic on a year that begins in March.
    shifted = nw.when(month <= 2).then(year - 1).otherwise(year)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468
    clock = value // 10**4 % 100 * 3600 + value // 100 % 100 * 60 + value % 100
    return nw.when(value >= _FIRST_DIGITS).then(days * 86_400 + clock - CHINA_OFFSET_S).otherwise(value)


def at_night(epoch: nw.Expr) -> nw.Expr:
    """Return 1 for epoch seconds between 21:00 and 08:00 in China, else 0; missing where they are."""
    import narwhals as nw

    hour: nw.Expr = _HOUR.of(epoch)
    night = nw.when((hour < FIRST_HOUR) | (hour >= LAST_HOUR)).then(nw.lit(1)).otherwise(nw.lit(0))
    return nw.when(~epoch.is_null()).then(night)
