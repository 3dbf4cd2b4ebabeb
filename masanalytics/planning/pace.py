"""How many messages may leave in a minute, and so how large a request may be and when the next one may go.

A rate holds in every minute, not on average: whatever sixty seconds one looks at, no more than sixty times the rate is in them.
So requests are cut to fit, and the gap between two of them follows from their size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil, floor
from typing import Final

from masanalytics.aliases import Length
from masanalytics.errors import InputError
from masanalytics.lengths import to_seconds
from masanalytics.planning.batching import Limits
from masanalytics.timezone import CHINA, day_minutes

__all__ = ["MINUTE_S", "Pace", "pace_of", "pace_of_rate", "pace_of_spread", "spread_seconds"]

MINUTE_S: Final = 60.5
"""The minute, and what two requests may gain on each other on their way to the platform."""
_NOTHING_S: Final = 1e-3
"""A shorter wait is none: it is what is left over by rounding."""
_LATE: Final = 0.95
"""Of hours of the day so much is used: the plan is sent some minutes after it was made."""


@dataclass(frozen=True, slots=True)
class Pace:
    """So many messages a minute, in requests of so many.

    Attributes
    ----------
    per_minute : int
        The most messages in any sixty seconds.
    request : int
        The most messages in one request.
    gap_s : float
        Seconds from such a request to the next; after a smaller one less, in proportion.

    Examples
    --------
    >>> pace = pace_of_rate(10, most=4999)
    >>> pace.per_minute, pace.request, pace.gap_s
    (600, 600, 60.0)
    >>> pace.wait_s([(0.0, 600)], now=20.0, size=600)
    40.5
    """

    per_minute: int
    request: int
    gap_s: float

    @property
    def rate(self) -> float:
        """Messages a second, on average."""
        return self.request / self.gap_s

    def wait_s(self, sent: Iterable[tuple[float, int]], now: float, size: int) -> float:
        """Return how many seconds a request of so many messages has still to wait.

        Parameters
        ----------
        sent : iterable of (float, int)
            When requests left, in ascending order, and how many messages each had.
        now : float
            The instant, by the same clock.
        size : int
            Messages of the next request.
        """
        recent = [(at, count) for at, count in sent if at > now - max(MINUTE_S, self.gap_s)]
        if not recent:
            return 0.0
        last_at, last_size = recent[-1]
        earliest = last_at + self.gap_s * min(1.0, last_size / self.request)
        within = sum(count for at, count in recent if at > now - MINUTE_S)
        for at, count in recent:
            if within + size <= self.per_minute:
                break
            if at > now - MINUTE_S:
                within -= count
                earliest = max(earliest, at + MINUTE_S)
        wait_s = earliest - now
        return wait_s if wait_s > _NOTHING_S else 0.0

    def seconds(self, sizes: Sequence[int]) -> float:
        """Return when the last of these requests leaves, if the first leaves now."""
        now = 0.0
        recent: deque[tuple[float, int]] = deque()
        for size in sizes:
            now += self.wait_s(recent, now, size)
            recent.append((now, size))
            while recent[0][0] <= now - max(MINUTE_S, self.gap_s):
                recent.popleft()
        return now

    def limits(self, limits: Limits) -> Limits:
        """Return how large requests may be with this pace."""
        return replace(
            limits,
            many_to_one=min(self.request, _fitting(self.per_minute, limits.many_to_one)),
            many_to_many=min(self.request, _fitting(self.per_minute, limits.many_to_many)),
        )


def _fitting(per_minute: int, most: int) -> int:
    """Return the largest request, of at most `most`, of which whole ones fill a minute."""
    return per_minute // ceil(per_minute / most)


def pace_of(rate: float | None, seconds: float | None, count: int, limits: Limits) -> Pace | None:
    """Return how fast so many messages are to go: at a rate, or within so many seconds; None where neither was said."""
    most = max(limits.many_to_one, limits.many_to_many)
    if rate is not None:
        return pace_of_rate(rate, most)
    return None if seconds is None or not count else pace_of_spread(count, seconds, most)


def pace_of_rate(rate: float, most: int) -> Pace:
    """Return the pace of so many messages a second; a request holds at most `most`.

    Examples
    --------
    >>> pace_of_rate(100, most=999)
    Pace(per_minute=6000, request=857, gap_s=8.57)
    >>> pace_of_rate(0.01, most=999)
    Pace(per_minute=1, request=1, gap_s=100.0)
    """
    per_minute = max(1, floor(60 * rate + 1e-9))
    request = _fitting(per_minute, most)
    return Pace(per_minute, request, request / rate)


def pace_of_spread(count: int, seconds: float, most: int) -> Pace:
    """Return the pace at which so many messages take so many seconds, evenly.

    Examples
    --------
    >>> pace_of_spread(3000, 4 * 3600, most=4999)  # thirteen messages a little more than a minute apart
    Pace(per_minute=13, request=13, gap_s=62.33766233766234)
    """
    a_minute = count * 60 / seconds
    requests_a_minute = max(1, ceil(a_minute / most))
    request = max(1, ceil(a_minute / requests_a_minute))
    requests = max(1, ceil(count / request))
    return Pace(request * requests_a_minute, request, seconds / requests)


def spread_seconds(spread: Length | tuple[str, str], now: float) -> tuple[float, tuple[str, str] | None]:
    """Return how many seconds a plan is to take, and the hours of the day it must stay in, where it names them.

    Parameters
    ----------
    spread : str, float, timedelta or (str, str)
        A length of time such as ``"4h"``, or hours of the day in China time such as ``("09:00", "17:00")``. Of the hours what is
        left counts, where they have begun.
    now : float
        The instant of planning.

    Examples
    --------
    >>> spread_seconds("4h", 0)
    (14400, None)
    >>> seconds, hours = spread_seconds(("09:00", "17:00"), 1_767_229_200)  # at nine
    >>> round(seconds / 3600, 1), hours
    (7.6, ('09:00', '17:00'))
    """
    if not isinstance(spread, tuple | list):
        seconds = to_seconds(spread)
        if not seconds:
            raise InputError("spread={value!r} is no time at all: write it as '4h'", value=spread)
        return seconds, None
    try:
        start, end = (day_minutes(text) for text in spread)
    except (TypeError, ValueError, AttributeError):
        start = end = 0
    if not start < end:
        raise InputError(
            "spread={value!r}: write a length of time such as '4h', or two times of one day such as ('09:00', '17:00')",
            value=spread,
        )
    local = datetime.fromtimestamp(now, CHINA)
    passed = local.hour * 60 + local.minute
    begin = passed if start <= passed < end else start
    return (end - begin) * 60 * _LATE, (spread[0], spread[1])
