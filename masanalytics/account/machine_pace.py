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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from masanalytics.account.config import config_folder
from masanalytics.account.turn_rule import LastPoll, spaced, wait_for_turn
from masanalytics.paths import BINARY, locked
from masanalytics.process_identity import this_process

if TYPE_CHECKING:
    from masanalytics.account.account import Account
    from masanalytics.clock import Clock

__all__ = ["MachinePace", "own_turn", "with_turn"]

_LOG = logging.getLogger(__name__)
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
    while (wait_s := pace.take(spaced(account.poll_interval))) > 0:
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
        self._before: LastPoll | None = None
        self._is_told = False

    def take(self, interval_s: float) -> float:
        """Take the turn and return 0, or return how many seconds to wait before asking again."""
        try:
            with self._state() as (last, write):
                if last is not None:
                    wait = wait_for_turn(last, self._me, interval_s, self._clock)
                    if wait.begins_anew:
                        write(LastPoll.at(self._clock))
                    if wait.seconds > 0:
                        return wait.seconds
                self._before = last
                write(LastPoll.at(self._clock, self._me))
        except (OSError, ValueError, TypeError) as error:
            self._tell(error)
        return 0.0

    def give_back(self) -> None:
        """Give a turn back that was not used."""
        self._write(self._before)

    def note_end(self) -> None:
        """Note that a poll has ended: the interval begins now."""
        self._write(LastPoll.at(self._clock))

    @property
    def _me(self) -> str:
        return f"{this_process()}#{self._asker}"

    def _write(self, last: LastPoll | None) -> None:
        try:
            with self._state() as (_, write):
                write(last)
        except (OSError, ValueError, TypeError) as error:
            self._tell(error)

    @contextmanager
    def _state(self) -> Iterator[tuple[LastPoll | None, Callable[[LastPoll | None], None]]]:
        """Yield what the file says, and what writes it; nobody else reads or writes meanwhile."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | BINARY, 0o600)
        try:

            def write(last: LastPoll | None) -> None:
                data = json.dumps({} if last is None else last._asdict()).encode()
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


def _read(descriptor: int) -> LastPoll | None:
    """Return what the file says; None where it is new, or somebody died while writing it."""
    try:
        last = LastPoll(**json.loads(os.read(descriptor, _LARGEST_FILE)))
        return last._replace(wall=float(last.wall), monotonic=float(last.monotonic))
    except (ValueError, TypeError):
        return None
