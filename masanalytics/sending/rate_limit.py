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
            raise InputError(f"rate={rate!r}: messages a second, more than 0", zh=f"rate={rate!r}：每秒条数须大于 0")
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
                f"window={window!r}: write two times of one day, such as ('08:00', '21:00'), the earlier first",
                zh=f"window={window!r}：请写同一天内的两个时间，如 ('08:00', '21:00')，早的在前",
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
        times = f"{format_instant(now)[11:16]} - {format_instant(now + seconds)[5:16]}"
        raise InputError(
            f"sending now would take from {times} (China time), outside the window {self}: send later, raise rate=, or "
            "widen window=. Nothing was sent",
            zh=f"现在发送预计时段 {times}（北京时间），超出允许时段 {self}：请稍后发送、提高 rate= 或放宽 window=。未发送任何短信",
        )

    @staticmethod
    def _same_day(first: float, last: float) -> bool:
        return format_instant(first)[:10] == format_instant(last)[:10]

    def __str__(self) -> str:
        return f"{self.start // 60:02d}:{self.start % 60:02d}-{self.end // 60:02d}:{self.end % 60:02d}"


def _minutes(text: str) -> int:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    return int(found[1]) * 60 + int(found[2])
