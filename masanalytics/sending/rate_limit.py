"""How fast: messages a second, in every minute, for everybody who sends with the account."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from masanalytics.account import state_folder
from masanalytics.clock import Clock
from masanalytics.paths import alone_with, replace_file
from masanalytics.planning.pace import MINUTE_S, Pace, pace_of_rate

__all__ = ["Pacer", "pace_of_rate"]


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
