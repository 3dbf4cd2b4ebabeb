"""The hours of the day, in China time, in which messages may go, and when a run that must stay in them can begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from masanalytics.errors import InputError
from masanalytics.timezone import CHINA, day_minutes, format_instant, format_near

__all__ = ["Window"]


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
            start, end = (day_minutes(text) for text in window)
        except (TypeError, ValueError, AttributeError):
            start = end = 0
        if not start < end <= 24 * 60:
            raise InputError(
                "window={window!r}: write two times of one day, such as ('08:00', '21:00'), the earlier first",
                window=window,
            )
        return cls(start, end)

    def narrowed(self, other: Window) -> Window:
        """Return the hours that lie in both.

        Raises
        ------
        InputError
            If none do.

        Examples
        --------
        >>> str(Window.parse(("09:00", "17:00")).narrowed(Window.parse(("08:00", "12:00"))))
        '09:00-12:00'
        """
        start, end = max(self.start, other.start), min(self.end, other.end)
        if start >= end:
            raise InputError(
                "window={window}, but the plan goes between {hours} (spread=), and these hours do not meet: plan it for those that you"
                " mean. Nothing was sent",
                window=str(other),
                hours=str(self),
            )
        return Window(start, end)

    def allows(self, instant: float) -> bool:
        """Whether a message may go at this instant."""
        local = datetime.fromtimestamp(instant, UTC).astimezone(CHINA)
        return self.start <= local.hour * 60 + local.minute < self.end

    def opens_in_s(self, instant: float) -> float:
        """Return how many seconds after this instant messages may go; 0 where they may."""
        if self.allows(instant):
            return 0.0
        return (self.start * 60 - _seconds_of_day(instant)) % 86_400

    def start_s(self, now: float, seconds: float) -> float:
        """Return in how many seconds a run of so many seconds can begin: 0 where now is as good, else when the hours next begin.

        Examples
        --------
        >>> nine = 1_767_229_200
        >>> hours = Window.parse(("09:00", "17:00"))
        >>> [hours.start_s(nine + later, 3600) / 3600 for later in (-1800, 0, 7.5 * 3600, 9 * 3600)]
        [0.5, 0.0, 16.5, 15.0]
        """
        if self._holds(now, seconds):
            return 0.0
        closed_s = self.opens_in_s(now)
        return closed_s or (self.start * 60 - _seconds_of_day(now)) % 86_400

    def check(self, now: float, seconds: float) -> None:
        """Refuse a run that would begin, or is estimated to end, outside the window.

        Raises
        ------
        InputError
            Naming the window, when it opens next, and the estimated end.
        """
        if self._holds(now, seconds):
            return
        opens = format_near(now + self.start_s(now, seconds), now)
        if not self.allows(now):
            raise InputError(
                "it is {now} (China time), outside the window {window}, which opens on {opens}: send then, or let it pause until then"
                " with wait=True (in the shell: --wait). Nothing was sent",
                now=format_near(now, now),
                window=str(self),
                opens=opens,
            )
        raise InputError(
            "sending now would take from {start} to {end} (China time), outside the window {window}: send when it opens next, on"
            " {opens}, raise rate=, widen window=, or let it pause while it is closed with wait=True (in the shell: --wait). Nothing was"
            " sent",
            start=format_near(now, now),
            end=format_near(now + seconds, now),
            window=str(self),
            opens=opens,
        )

    def _holds(self, now: float, seconds: float) -> bool:
        """Whether a run that begins now and takes so long stays within the hours of one day."""
        one_day = seconds < 86_400 and format_instant(now)[:10] == format_instant(now + seconds)[:10]
        return one_day and self.allows(now) and self.allows(now + seconds)

    def __str__(self) -> str:
        return f"{self.start // 60:02d}:{self.start % 60:02d}-{self.end // 60:02d}:{self.end % 60:02d}"


def _seconds_of_day(instant: float) -> float:
    """Return how many seconds of the day in China have passed."""
    local = datetime.fromtimestamp(instant, UTC).astimezone(CHINA)
    return (local.hour * 60 + local.minute) * 60 + local.second + local.microsecond / 1e6
