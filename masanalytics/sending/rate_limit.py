"""How fast and when: messages a second, and hours of the day in China time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from masanalytics.clock import Clock
from masanalytics.errors import InputError
from masanalytics.timezone import CHINA, format_instant

__all__ = ["Pacer", "Window"]

_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


class Pacer:
    """Lets so many messages a second go, on average, a batch at a time.

    Examples
    --------
    >>> from masanalytics.clock import ManualClock
    >>> clock = ManualClock()
    >>> pacer = Pacer(rate=100.0, clock=clock)
    >>> pacer.wait_s
    0.0
    >>> pacer.spend(500)
    >>> pacer.wait_s
    5.0
    """

    def __init__(self, rate: float | None, clock: Clock) -> None:
        if rate is not None and not rate > 0:
            raise InputError("rate={rate!r}: messages a second, more than 0", rate=rate)
        self._rate = rate
        self._clock = clock
        self._next_at = clock.monotonic()

    @property
    def limits(self) -> bool:
        """Whether there is a rate at all."""
        return self._rate is not None

    @property
    def wait_s(self) -> float:
        """Seconds until the next batch may go."""
        return max(0.0, self._next_at - self._clock.monotonic())

    def spend(self, messages: int) -> None:
        """Count messages that go now."""
        if self._rate is not None:
            self._next_at = max(self._next_at, self._clock.monotonic()) + messages / self._rate


@dataclass(frozen=True, slots=True)
class Window:
    """The hours in which messages may go, in China time: from `start` until just before `end` (minutes of the day)."""

    start: int
    end: int

    @classmethod
    def parse(cls, window: tuple[str, str] | None) -> Window | None:
        """Read ``("08:00", "21:00")``.

        Examples
        --------
        >>> Window.parse(("08:00", "21:00"))
        Window(start=480, end=1260)
        """
        if window is None:
            return None
        try:
            start, end = (_minutes(text) for text in window)
        except (TypeError, ValueError):
            start = end = 0
        if not start < end <= 24 * 60:
            raise InputError(
                "window={window!r}: write two times of one day, such as ('08:00', '21:00'), the earlier first",
                window=window,
            )
        return cls(start, end)

    def allows(self, instant: float) -> bool:
        """Whether a message may go at this instant."""
        local = datetime.fromtimestamp(instant, UTC).astimezone(CHINA)
        return self.start <= local.hour * 60 + local.minute < self.end

    def check(self, now: float, seconds: float) -> None:
        """Refuse a run that would begin, or is estimated to end, outside the window.

        Raises
        ------
        InputError
            Naming the window and the estimated end.
        """
        one_day = seconds < 86400 and self._same_day(now, now + seconds)
        if self.allows(now) and self.allows(now + seconds) and one_day:
            return
        raise InputError(
            "sending now would take from {start} to {end} (China time), outside the window {window}: send later, raise "
            "rate=, or widen window=. Nothing was sent",
            start=format_instant(now)[11:16],
            end=format_instant(now + seconds)[5:16],
            window=str(self),
        )

    @staticmethod
    def _same_day(first: float, last: float) -> bool:
        return format_instant(first)[:10] == format_instant(last)[:10]

    def __str__(self) -> str:
        return f"{self.start // 60:02d}:{self.start % 60:02d}-{self.end // 60:02d}:{self.end % 60:02d}"


def _minutes(text: str) -> int:
    time = _TIME.fullmatch(text.strip())
    if time is None:
        raise ValueError(text)
    return int(time[1]) * 60 + int(time[2])
