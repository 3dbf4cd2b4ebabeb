"""The platform's times: text without a zone, meant in China time (UTC+8, no daylight saving)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from masanalytics.aliases import Instant
from masanalytics.argument_kinds import is_number
from masanalytics.errors import InputError

__all__ = [
    "CHINA",
    "CHINA_OFFSET_S",
    "day_minutes",
    "format_instant",
    "format_near",
    "parse_platform_time",
    "to_instant",
    "to_platform_time",
]

CHINA = ZoneInfo("Asia/Shanghai")
CHINA_OFFSET_S = 8 * 3600
# All platform times lie after 1991, when China last had daylight saving: a fixed offset is exact, and 20 x faster.
_FIXED = timezone(timedelta(hours=8))
_FIRST_YEAR, _LAST_YEAR = 2000, 2089
_FIRST_EPOCH, _LAST_EPOCH = 946_684_800, 3_786_912_000  # of those years
_DAY_DIGITS = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])((?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?)?")
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


def format_near(instant: float, now: float) -> str:
    """Return an instant as day and minute in China time, with its year where that is not the present one.

    Examples
    --------
    >>> format_near(1767258000, now=1767225600), format_near(1798794000, now=1767225600)
    ('01-01 17:00', '2027-01-01 17:00')
    """
    text = format_instant(instant)[:16]
    return text if text[:4] != format_instant(now)[:4] else text[5:]


def to_instant(value: Instant) -> int:
    """Return epoch seconds for a text, a date, a datetime (without a zone: China time) or epoch seconds of 2000 to 2089.

    Raises
    ------
    InputError
        If it cannot be read as a time, or is a number that counts no such seconds, such as a day written as digits.

    Examples
    --------
    >>> from datetime import date
    >>> to_instant("2026-01-01"), to_instant(date(2026, 1, 1)), to_instant(1767196800)
    (1767196800, 1767196800, 1767196800)
    """
    import pandas as pd

    if is_number(value):
        return _plausible(value)
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise _no_time(value) from error
    if not isinstance(stamp, datetime) or pd.isna(stamp):
        raise _no_time(value)
    if stamp.tzinfo is None:
        return int(stamp.tz_localize("UTC").timestamp()) - CHINA_OFFSET_S
    return int(stamp.timestamp())


def _plausible(value: float) -> int:
    """Return epoch seconds of the platform's years."""
    seconds = float(value)
    if _FIRST_EPOCH <= seconds < _LAST_EPOCH:
        return int(seconds)
    written = _DAY_DIGITS.fullmatch(f"{seconds:.15g}")
    if written is not None:
        day, clock = "-".join(written.groups()[:3]), written[4] or ""
        meant = f"{day} {clock[:2]}:{clock[2:4]}" if clock else day
        raise InputError(
            "{value:.15g} is a day written as digits, and a number means seconds since 1970: write '{meant}' (China time)",
            value=seconds,
            meant=meant,
        )
    if _FIRST_EPOCH <= seconds / 1000 < _LAST_EPOCH:
        raise InputError(
            "{value:.15g} counts milliseconds, and a number means seconds since 1970: divide it by 1000", value=seconds
        )
    raise _no_time(value)


def _no_time(value: object) -> InputError:
    return InputError(
        "{value!r} is not a time: write it as '2026-01-31' or '2026-01-31 09:00' (China time)",
        value=value,
    )
