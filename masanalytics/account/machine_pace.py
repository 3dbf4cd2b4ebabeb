"""The account's pace on this machine: one request in an interval, whichever store asks.

The turn that a store keeps binds whoever polls into that store. Two stores on one account know nothing of each other, so whose turn it is
stands in a small file of the user's config folder too, one for each address and account. Where that folder cannot be written,
each store keeps its own pace, as before.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from masanalytics.account.config import config_folder
from masanalytics.paths import BINARY, locked
from masanalytics.process_identity import is_alive, this_process

if TYPE_CHECKING:
    from masanalytics.account.account import Account
    from masanalytics.clock import Clock

__all__ = ["MachinePace", "own_turn", "with_turn"]

_LOG = logging.getLogger(__name__)
_HELD_AT_MOST_S = 300.0
_LOOK_AGAIN_S = 0.25
_ROUNDING_S = 1e-6
_LARGEST_FILE = 4096
_HAS_TURN: ContextVar[bool] = ContextVar("has_turn", default=False)


@contextmanager
def with_turn() -> Iterator[None]:
    """Say that the caller has the account's turn already: a poll within does not wait for it."""
    token = _HAS_TURN.set(True)
    try:
        yield
    finally:
        _HAS_TURN.reset(token)


@contextmanager
def own_turn(account: Account, clock: Clock) -> Iterator[None]:
    """Wait until the account may be asked on this machine, and let its interval begin at the end; with a turn, do neither."""
    if _HAS_TURN.get() or not account.poll_interval:
        yield
        return
    pace = MachinePace(account, clock, uuid.uuid4().hex[:12])
    while (wait_s := pace.take(account.poll_interval)) > 0:
        clock.sleep(wait_s)
    try:
        yield
    finally:
        pace.note_end()


class MachinePace:
    """Whose turn it is to poll an account, among all stores of this machine.

    Parameters
    ----------
    account : Account
        Whose polls are paced; its address and name together.
    clock : Clock
        Where time comes from.
    asker : str
        Names one poller of this process.
    """

    def __init__(self, account: Account, clock: Clock, asker: str) -> None:
        self.path = config_folder() / "pace" / f"{account.key.digest}.json"
        self._clock = clock
        self._asker = asker
        self._before: dict[str, Any] = {}
        self._is_told = False

    def take(self, interval_s: float) -> float:
        """Take the turn and return 0, or return how many seconds to wait before asking again."""
        try:
            with self._state() as (state, write):
                wait_s, begins_anew = self._wait_s(state, interval_s)
                if begins_anew:
                    write(self._now(None))
                if wait_s > 0:
                    return wait_s
                self._before = state
                write(self._now(self._me))
        except (OSError, ValueError, TypeError) as error:
            self._tell(error)
        return 0.0

    def give_back(self) -> None:
        """Give a turn back that was not used."""
        self._write(self._before)

    def note_end(self) -> None:
        """Note that a poll has ended: the interval begins now."""
        self._write(self._now(None))

    @property
    def _me(self) -> str:
        return f"{this_process()}#{self._asker}"

    def _now(self, holder: str | None) -> dict[str, Any]:
        clock = self._clock
        return {"wall": clock.now(), "monotonic": clock.monotonic(), "era": clock.era, "holder": holder}

    def _wait_s(self, state: dict[str, Any], interval_s: float) -> tuple[float, bool]:
        """Return how long to wait, and whether the interval begins anew: a poller is gone, or the clock was set back."""
        if not state:
            return 0.0, False
        holder = None if state["holder"] == self._me else state["holder"]
        clock = self._clock
        same_era = state["era"] == clock.era
        passed_s = clock.monotonic() - float(state["monotonic"]) if same_era else clock.now() - float(state["wall"])
        if passed_s < 0:
            return interval_s, True
        if holder is not None and passed_s < _HELD_AT_MOST_S and is_alive(str(holder).partition("#")[0]):
            return max(_LOOK_AGAIN_S, interval_s / 4), False
        if holder is not None:
            return interval_s, True
        left_s = interval_s - passed_s
        return (left_s if left_s > _ROUNDING_S else 0.0), False

    def _write(self, state: dict[str, Any]) -> None:
        try:
            with self._state() as (_, write):
                write(state)
        except (OSError, ValueError, TypeError) as error:
            self._tell(error)

    @contextmanager
    def _state(self) -> Iterator[tuple[dict[str, Any], Any]]:
        """Yield what the file says, and what writes it; nobody else reads or writes meanwhile."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | BINARY, 0o600)
        try:

            def write(state: dict[str, Any]) -> None:
                data = json.dumps(state).encode()
                os.lseek(descriptor, 0, os.SEEK_SET)
                os.write(descriptor, data)
                os.ftruncate(descriptor, len(data))

            with locked(descriptor, at=_LARGEST_FILE):
                yield _read(descriptor), write
        finally:
            os.close(descriptor)

    def _tell(self, error: Exception) -> None:
        if not self._is_told:
            self._is_told = True
            with contextlib.suppress(Exception):  # a handler that fails is no reason not to poll
                _LOG.warning("the pace of the account cannot be kept among several stores (%s): %s", self.path, error)


def _read(descriptor: int) -> dict[str, Any]:
    """Return what the file says; nothing where it is new, or somebody died while writing it."""
    try:
        state = json.loads(os.read(descriptor, _LARGEST_FILE) or b"{}")
    except ValueError:
        return {}
    return state if isinstance(state, dict) and {"wall", "monotonic", "era", "holder"} <= set(state) else {}
