"""How fast and when: messages a second, and hours of the day in China time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from masanalytics.account import state_folder
from masanalytics.clock import Clock
from masanalytics.errors import InputError
from masanalytics.paths import alone_with, replace_file
from masanalytics.planning.pace import MINUTE_S, Pace, pace_of_rate
from masanalytics.timezone import CHINA, day_minutes, format_instant

__all__ = ["Pacer", "Window", "pace_of_rate"]


class Pacer:
    """Lets requests go at the pace of a plan. It is the account's: other stores and processes of this user keep to it too.

    When requests left stands in a small file in the user's state folder; where that cannot be written, this run keeps its own
    pace.

    Parameters
    ----------
    pace : Pace or None
        None where requests may go as fast as they can.
    clock : Clock
        What time it is.
    account : str
        Whose pace it is.

    Examples
    --------
    >>> from masanalytics.clock import ManualClock
    >>> clock = ManualClock()
    >>> pacer = Pacer(pace_of_rate(100, most=4999), clock)
    >>> pacer.take(3000), pacer.take(3000)
    (0.0, 30.0)
    >>> clock.sleep(30)
    >>> pacer.take(3000)
    0.0
    """

    def __init__(self, pace: Pace | None, clock: Clock, account: str = "") -> None:
        self._pace = pace
        self._clock = clock
        self._own: list[tuple[str, float, float, int]] = []
        self._file: Path | None = None
        if pace is not None and account:
            digest = hashlib.sha256(account.encode()).hexdigest()[:16]
            self._file = state_folder() / "pace" / f"{digest}.json"

    @property
    def limits(self) -> bool:
        """Whether there is a pace at all."""
        return self._pace is not None

    def wait_s(self, size: int) -> float:
        """Return how many seconds a request of so many messages has to wait."""
        return 0.0 if self._pace is None else self._wait_s(self._pace, self._read(), size)

    def take(self, size: int) -> float:
        """Count a request that leaves now and return 0, or return how many seconds it has to wait."""
        if self._pace is None:
            return 0.0
        with self._alone():
            left = self._read()
            wait_s = self._wait_s(self._pace, left, size)
            if not wait_s:
                now = (self._clock.era, self._clock.monotonic(), self._clock.now(), size)
                horizon_s = max(MINUTE_S, self._pace.gap_s)
                self._write([*(one for one in left if self._age_s(one) <= horizon_s), now])
            return wait_s

    def _wait_s(self, pace: Pace, left: list[tuple[str, float, float, int]], size: int) -> float:
        ages = sorted((self._age_s(one), one[3]) for one in left)
        return pace.wait_s([(-age, count) for age, count in reversed(ages)], 0.0, size)

    def _age_s(self, request: tuple[str, float, float, int]) -> float:
        """Return how long ago a request left; by the wall clock, which may jump, only across a restart of the machine."""
        era, monotonic, wall, _size = request
        return self._clock.monotonic() - monotonic if era == self._clock.era else max(0.0, self._clock.now() - wall)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with contextlib.ExitStack() as held:
            if self._file is not None:
                try:
                    self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    held.enter_context(alone_with(self._file))
                except OSError:
                    self._file = None
            yield

    def _read(self) -> list[tuple[str, float, float, int]]:
        if self._file is None:
            return self._own
        try:
            return [
                (str(era), float(at), float(wall), int(size))
                for era, at, wall, size in json.loads(self._file.read_text(encoding="utf-8"))
            ]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError):
            return self._own

    def _write(self, requests: list[tuple[str, float, float, int]]) -> None:
        self._own = requests
        if self._file is None:
            return
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(requests), encoding="utf-8")
            replace_file(draft, self._file)


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

    def allows(self, instant: float) -> bool:
        """Whether a message may go at this instant."""
        local = datetime.fromtimestamp(instant, UTC).astimezone(CHINA)
        return self.start <= local.hour * 60 + local.minute < self.end

    def opens_in_s(self, instant: float) -> float:
        """Return how many seconds after this instant messages may go; 0 where they may."""
        if self.allows(instant):
            return 0.0
        local = datetime.fromtimestamp(instant, UTC).astimezone(CHINA)
        passed = (local.hour * 60 + local.minute) * 60 + local.second + local.microsecond / 1e6
        return (self.start * 60 - passed) % 86_400

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
