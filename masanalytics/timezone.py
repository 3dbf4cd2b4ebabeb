"""The platform's times: text without a zone, meant in China time (UTC+8, no daylight saving)."""

from __future__ import annotations

import numbers
import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from masanalytics.aliases import Instant
from masanalytics.errors import InputError

__all__ = [
    "CHINA",
    "CHINA_OFFSET_S",
    "day_minutes",
    "format_instant",
    "parse_platform_time",
    "to_instant",
    "to_platform_time",
]

CHINA = ZoneInfo("Asia/Shanghai")
CHINA_OFFSET_S = 8 * 3600
# All platform times lie after 1991, when China last had daylight saving: a fixed offset is exact, and 20 x faster.
_FIXED = timezone(timedelta(hours=8))
_FIRST_YEAR, _LAST_YEAR = 2000, 2089
_LARGEST = 2.0**62
_DAY_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")
_SHAPE = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})[T ]?(\d{2}):?(\d{2}):?(\d{2})(?:\.\d+)?")


def parse_platform_time(text: str) -> int | None:
    """Return the instant (epoch seconds, UTC) a platform time means, or None where it means none.

    Both written forms are read (``yyyyMMddHHmmss``, ``yyyy-MM-dd HH:mm:ss``), and hour 24, which the platform has been
    seen to write, as midnight of the next day. A date that the platform cannot mean stands for none: 0001, 1970 and 9999 are
    what programs write there.

    Examples
    --------
    >>> parse_platform_time("20210906144506")
    1630910706
    >>> parse_platform_time("2021-09-06 14:45:06")
    1630910706
    >>> parse_platform_time("20210906244506") - parse_platform_time("20210907004506")
    0
    >>> parse_platform_time("soon") is None, parse_platform_time("00010101000000") is None
    (True, True)
    """
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        start = datetime(year, month, day, tzinfo=_FIXED)
    except ValueError:
        return None
    if hour > 24 or minute > 59 or second > 60:
        return None
    return int(start.timestamp()) + hour * 3600 + minute * 60 + second


def to_platform_time(instant: float) -> str:
    """Return `instant` (epoch seconds) as the platform writes it: ``yyyyMMddHHmmss`` in China time.

    Examples
    --------
    >>> to_platform_time(1630910706)
    '20210906144506'
    """
    return datetime.fromtimestamp(instant, _FIXED).strftime("%Y%m%d%H%M%S")


def day_minutes(time: str) -> int:
    """Return the minutes of the day that ``HH:MM`` means; raise ValueError where it means none.

    Examples
    --------
    >>> day_minutes("08:30")
    510
    """
    written = _DAY_TIME.fullmatch(time.strip())
    if written is None:
        raise ValueError(time)
    return int(written[1]) * 60 + int(written[2])


def format_instant(instant: float | None) -> str:
    """Return `instant` (epoch seconds) for people, in China time; a dash for none.

    Examples
    --------
    >>> format_instant(1630910706)
    '2021-09-06 14:45:06'
    >>> format_instant(None)
    '-'
    """
    if instant is None:
        return "-"
    return datetime.fromtimestamp(instant, UTC).astimezone(_FIXED).strftime("%Y-%m-%d %H:%M:%S")


def to_instant(value: Instant) -> int:
    """Return epoch seconds for a text, a date, a datetime (without a zone: China time) or epoch seconds.

    Raises
    ------
    InputError
        If it cannot be read as a time.

    Examples
    --------
    >>> from datetime import date
    >>> to_instant("2026-01-01"), to_instant(date(2026, 1, 1)), to_instant(1767196800)
    (1767196800, 1767196800, 1767196800)
    """
    import pandas as pd

    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        if not abs(float(value)) < _LARGEST:
            raise _no_time(value)
        return int(float(value))
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise _no_time(value) from error
    if not isinstance(stamp, datetime) or pd.isna(stamp):
        raise _no_time(value)
    if stamp.tzinfo is None:
        return int(stamp.tz_localize("UTC").timestamp()) - CHINA_OFFSET_S
    return int(stamp.timestamp())


def _no_time(value: object) -> InputError:
    return InputError(
        "{value!r} is not a time: write it as '2026-01-31' or '2026-01-31 09:00' (China time)",
        value=value,
    )
