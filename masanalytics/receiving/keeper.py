"""Makes pushes durable, many in one commit, and reads them afterwards: one thread, so that neither waits for the other's lock.

An answer must come within two seconds. A push that the store has not taken by then (another program holds it, the disk is
full) is written to a file beside it by the thread that answers, and taken in later.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from masanalytics.account import AccountKey
from masanalytics.clock import Clock
from masanalytics.collecting.result import Collected
from masanalytics.collecting.spool import take_in_spooled, write_spool
from masanalytics.errors import StoreError
from masanalytics.protocol import Endpoint, PollAnswer, read_push
from masanalytics.receiving.push_app import Request
from masanalytics.store.intake import Intake

__all__ = ["Keeper"]

_LOG = logging.getLogger(__name__)
_ANSWER_S: Final = 1.2
"""So long the store may take; the file beside it must be written within the rest of the two seconds."""
_ANSWER_WHILE_LOCKED_S: Final = 0.1
"""The same as long as it has been too slow: the pushes behind this one wait for the thread too."""
_AT_ONCE: Final = 900
_HEARTBEAT_S: Final = 5.0
_LOOK_S: Final = 0.05
_CATCH_UP_S: Final = 60.0
_STEP_S: Final = 4.0
"""A clock is set by less all the time, and a pause so short loses no push: the platform tries three times, two seconds apart."""


@dataclass
class _Waiting:
    request: Request
    kept: threading.Event = field(default_factory=threading.Event)
    failed: threading.Event = field(default_factory=threading.Event)
    elsewhere: bool = False


class Keeper:
    """Keeps what is pushed for one account.

    Parameters
    ----------
    intake : Intake
        Where pushes go.
    account : str
        Whose they are.
    clock : Clock
        The store's clock.
    monotonic : callable
        Real seconds, for when it is time to look around.
    """

    def __init__(self, intake: Intake, account: str | AccountKey, clock: Clock, monotonic: Callable[[], float]) -> None:
        self.total = Collected()
        self.spooled = 0
        self.pushes = 0
        self.last_push_at: float | None = None
        self.failing: StoreError | None = None
        self._intake, self._account, self._clock, self._monotonic = intake, account, clock, monotonic
        self._since = self._until = 0.0
        self._counted = 0.0, 0.0
        self._is_pushed_to = self._is_slow = False
        self._queue: queue.Queue[_Waiting] = queue.Queue()
        self._unread: deque[int] = deque()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._beat_at = self._catch_up_at = 0.0

    def start(self) -> None:
        """Begin to keep: what waits from before is read first.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """
        self.begin()
        if self._is_pushed_to:
            self._intake.note_receiving(self._account, self._since, self._since)
        self._thread = threading.Thread(target=self._run, name="masanalytics-keeper", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Listen from now on."""
        self._counted = self._clock.monotonic(), self._clock.monotonic()
        self._since = self._until = self._clock.now()
        self._is_pushed_to = self._intake.has_pushes(self._account)

    def _listened_since(self) -> float:
        """Return since when it was listened without a pause, as far as the clocks agree.

        Where the wall's clock has gone on by more or less than the seconds that have passed, it was set, or the machine has slept:
        what was before is then another interval, or none.
        """
        before, now, after = self._clock.monotonic(), self._clock.now(), self._clock.monotonic()
        least, most = before - self._counted[1], after - self._counted[0]
        if not least - _STEP_S <= now - self._until <= most + _STEP_S:
            self._since = now
        self._until, self._counted = now, (before, after)
        return self._since

    def stop(self) -> None:
        """Keep and read what has come, and end; until now everything was listened for."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def put(self, request: Request) -> bool:
        """Make a push durable, in the store or beside it; return whether it is."""
        waiting = _Waiting(request)
        self._queue.put(waiting)
        if waiting.kept.wait(_ANSWER_WHILE_LOCKED_S if self._is_slow else _ANSWER_S) and not waiting.failed.is_set():
            return True
        self._is_slow = True
        try:
            for part in _answers([request]):
                write_spool(self._intake.path, self._account, 0, part)
        except StoreError:
            _LOG.exception("a push could be kept nowhere; the platform is told so, and tries again")
            return False
        waiting.elsewhere = True
        self.spooled += 1
        return True

    def _run(self) -> None:
        try:
            while not (self._stop.is_set() and self._queue.empty() and not self._unread):
                self._keep_waiting()
                self._look_around()
                self._read_one()
            self._beat()
            self._catch_up()  # what had to wait in files meanwhile
            while self._unread and self.failing is None:
                self._read_one()
        finally:
            self._intake.close_thread()

    def _keep_waiting(self) -> None:
        """Write all pushes that wait, in one commit; wait a moment for one where there is nothing to read either."""
        waiting: list[_Waiting] = []
        try:
            waiting.append(self._queue.get(timeout=0.001 if self._unread else _LOOK_S))
            while len(waiting) < _AT_ONCE:
                waiting.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        if not waiting:
            return
        waiting = [one for one in waiting if not one.elsewhere]
        answers = _answers([one.request for one in waiting])
        try:
            self._unread += self._intake.keep_pushes(self._account, answers, self._listened_since()) if answers else []
            self.failing = None
        except StoreError as error:
            self.failing = error
            for one in waiting:
                one.failed.set()
        else:
            self._is_slow = False
            self._is_pushed_to = self._is_pushed_to or bool(answers)
            self.pushes += len(waiting)
            self.last_push_at = waiting[-1].request.received_at if waiting else self.last_push_at
        for one in waiting:
            one.kept.set()

    def _read_one(self) -> None:
        if self._unread:
            try:
                self.total.add(self._intake.ingest(self._unread[0]))
                self._unread.popleft()
            except StoreError as error:
                self.failing = error
                self._stop.wait(_LOOK_S)

    def _look_around(self) -> None:
        """Now and then note that somebody listens, and take in what waits in files or from a process that ended."""
        at = self._monotonic()
        if at >= self._beat_at:
            self._beat_at = at + _HEARTBEAT_S
            self._beat()
        if at >= self._catch_up_at or (self.spooled and self.failing is None and at >= self._catch_up_at - 50):
            self._catch_up_at = at + _CATCH_UP_S
            self._catch_up()

    def _beat(self) -> None:
        if not self._is_pushed_to:  # as long as nothing has come, nobody knows whether anything would
            return
        try:
            self._intake.note_receiving(self._account, self._listened_since(), self._until)
            self.failing = None
        except StoreError as error:
            self.failing = error

    def _catch_up(self) -> None:
        try:
            mine = set(self._unread)
            waiting = [*take_in_spooled(self._intake), *self._intake.waiting_polls(self._clock.now())]
            self._unread += [poll_id for poll_id in dict.fromkeys(waiting) if poll_id not in mine]
        except (StoreError, OSError) as error:
            _LOG.warning("what waits beside the store could not be taken in: %s", error)


def _answers(requests: Sequence[Request]) -> list[PollAnswer]:
    """Return pushes as answers of polls; objects of one kind stand together in a list, as in a page."""
    together: dict[Endpoint, list[bytes]] = {}
    times: dict[Endpoint, float] = {}
    alone: list[PollAnswer] = []
    for request in requests:
        for part in read_push(request.body, request.endpoint):
            if part.is_object:
                together.setdefault(part.endpoint, []).append(part.raw)
                times[part.endpoint] = request.received_at
            else:
                alone.append(_answer(part.endpoint, part.raw, request.received_at))
    return [*(_answer(kind, b"[" + b",".join(parts) + b"]", times[kind]) for kind, parts in together.items()), *alone]


def _answer(endpoint: Endpoint, raw: bytes, at: float) -> PollAnswer:
    return PollAnswer(endpoint, raw, 200, True, at, at)
