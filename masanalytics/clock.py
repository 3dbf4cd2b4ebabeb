"""Time as an argument: the system's clock, a fast one, and one that only moves when told.

Everything that asks what time it is or waits takes a `Clock`, so that a test never waits and a simulated day can pass in
a second. Instants are seconds since 1970 in UTC.
"""

from __future__ import annotations

import sys
import threading
import time
import uuid
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Clock", "FastClock", "ManualClock", "SystemClock", "is_simulated"]

_WITHOUT_CTRL_C_S = 0.25


class Clock(Protocol):
    """What the package needs to know of time."""

    @property
    def era(self) -> str:
        """Name what `monotonic` counts from: two readings compare only where this is the same."""
        ...

    def now(self) -> float:
        """Return the wall-clock instant in seconds since 1970 (UTC). It may jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds that only ever go forward, from an unknown start."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set, at most `seconds`; return whether it is set."""
        ...


class SystemClock:
    """The machine's own clock.

    On Linux every process since the last boot shares one monotonic clock, so its era is the boot's identity; elsewhere it
    is this process's alone.
    """

    @cached_property
    def era(self) -> str:
        """Name the boot of this machine, or this clock where the system does not tell."""
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return uuid.uuid4().hex

    def now(self) -> float:
        """Return the wall-clock instant."""
        return time.time()

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(0.0, seconds))

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set, at most `seconds`."""
        return _wait(event, seconds)


def _wait(event: threading.Event, seconds: float) -> bool:
    """Wait for `event` so that Ctrl-C ends it: on Windows that waits for the end of the call, so each call is short."""
    if sys.platform != "win32":
        return event.wait(max(0.0, seconds))
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > _WITHOUT_CTRL_C_S:
        if event.wait(_WITHOUT_CTRL_C_S):
            return True
    return event.wait(max(0.0, left))


def is_simulated(clock: Clock) -> bool:
    """Whether the clock's seconds are not the machine's, so that whoever reads a length of time must be told.

    Examples
    --------
    >>> is_simulated(SystemClock()), is_simulated(FastClock(speed=60))
    (False, True)
    """
    return not isinstance(clock, SystemClock)


class FastClock:
    """A clock that runs `speed` times as fast as the machine's.

    Parameters
    ----------
    speed : float
        How many of its seconds pass in one real second.
    start : float, optional
        Its first instant (seconds since 1970); by default now.

    Examples
    --------
    >>> clock = FastClock(speed=3600, start=0)
    >>> clock.sleep(36)  # a hundredth of a real second
    >>> clock.now() >= 36
    True
    """

    def __init__(self, speed: float, start: float | None = None) -> None:
        self.speed = speed
        self.era = uuid.uuid4().hex
        self._origin = time.monotonic()
        self._start = time.time() if start is None else start

    def monotonic(self) -> float:
        """Return this clock's seconds since it was made."""
        return (time.monotonic() - self._origin) * self.speed

    def now(self) -> float:
        """Return this clock's instant."""
        return self._start + self.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait `seconds` of this clock."""
        time.sleep(max(0.0, seconds) / self.speed)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Wait until `event` is set, at most `seconds` of this clock."""
        return event.wait(max(0.0, seconds) / self.speed)


class ManualClock:
    """A clock that stands still until somebody sleeps on it or moves it.

    Sleeping returns at once and moves the clock, so an hour of polling takes no time in a test.

    Examples
    --------
    >>> clock = ManualClock(start=1000.0)
    >>> clock.sleep(5)
    >>> clock.now()
    1005.0
    >>> clock.jump(-3600)  # somebody sets the wall clock back; monotonic time goes on
    >>> clock.now(), clock.monotonic()
    (-2595.0, 5.0)
    """

    def __init__(self, start: float = 1_767_225_600.0) -> None:
        self.era = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._start = start
        self._elapsed = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep where it stands: a copy goes on from there by itself."""
        return _standing_at, (self._start, self._elapsed)

    def now(self) -> float:
        """Return this clock's instant."""
        with self._lock:
            return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return the seconds slept so far."""
        with self._lock:
            return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Move the clock by `seconds` and return at once."""
        with self._lock:
            self._elapsed += max(0.0, seconds)

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Return at once if `event` is set, otherwise move the clock by `seconds`."""
        if not event.is_set():
            self.sleep(seconds)
        return event.is_set()

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back without any time passing."""
        with self._lock:
            self._start += seconds


def _standing_at(start: float, elapsed: float) -> ManualClock:
    """Return a manual clock that stands where another did."""
    clock = ManualClock(start)
    clock.sleep(elapsed)
    return clock
