"""One poll that loses nothing: the turn is noted, the answer is durable, then it is parsed."""

from __future__ import annotations

import contextlib
import logging
import uuid
from typing import TYPE_CHECKING

from masanalytics.collecting.spool import spooled, write_spool
from masanalytics.errors import MasError, NetworkError, StoreError
from masanalytics.protocol import Endpoint
from masanalytics.store.poll_ingestion import Received, receive
from masanalytics.store.polls import (
    RawPoll,
    is_waiting,
    keep_raw,
    keep_spooled,
    mark_lost,
    put_off,
    read_raw,
    waiting_polls,
)
from masanalytics.store.turns import Turn, give_back, take_turn

if TYPE_CHECKING:
    from masanalytics.client import Client, PollAnswer
    from masanalytics.clock import Clock
    from masanalytics.store import Store

__all__ = ["Poller"]

_LOG = logging.getLogger(__name__)


class Poller:
    """Polls one account into one store.

    Parameters
    ----------
    client : Client
        Whose account is polled.
    store : Store
        Where answers go.
    interval_s : float
        Seconds between two polls of the account, for both queues together.
    clock : Clock
        Where time comes from.
    """

    def __init__(self, client: Client, store: Store, *, interval_s: float, clock: Clock) -> None:
        self.client = client
        self.store = store
        self.interval_s = interval_s
        self.clock = clock
        self.account = client.account.name
        self._name = uuid.uuid4().hex[:12]
        self._left: set[int] = set()
        self._rests_until = 0.0

    def take_turn(self, endpoint: Endpoint) -> Turn:
        """Take the account's turn, or learn how long to wait. Fails, before anything is asked, if nothing can be written."""
        rest = self._rests_until - self.clock.monotonic()
        if rest > 0:  # where the end of the last poll could not be written down, it counts all the same
            return Turn(0, rest)
        with self.store.writing() as conn:
            return take_turn(conn, self.account, endpoint, self.interval_s, self.clock, self._name)

    def poll(self, poll_id: int, endpoint: Endpoint) -> Received:
        """Ask the platform, make the answer durable, and take it in.

        Raises
        ------
        NetworkError
            If no answer came; ``error.sent`` tells whether one may have been handed out and lost.
        StoreError
            If the answer had to be spooled (its text says where), or could be stored nowhere.
        """
        try:
            answer = self.client.poll_reports() if endpoint == "report" else self.client.poll_uplinks()
        except MasError as error:
            self._note_lost(poll_id, error)
            raise
        finally:
            self._rests_until = self.clock.monotonic() + self.interval_s
        poll = _as_raw(poll_id, endpoint, answer)
        try:
            with self.store.writing(durable=True) as conn:
                keep_raw(conn, poll)
                give_back(conn, self.account, self.clock)
        except StoreError as error:
            raise self._spool(poll, error) from error
        return self._take_in(poll_id)

    def catch_up(self) -> list[Received]:
        """Take in answers that wait: spooled beside the store, or durable but not yet parsed when a process ended."""
        received: list[Received] = []
        for waiting in spooled(self.store.path):
            with self.store.writing(durable=True) as conn:
                poll_id = keep_spooled(conn, waiting.account, waiting.poll, waiting.path.name)
            if poll_id is not None:
                self._left.add(poll_id)
            waiting.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # not empty yet, or another process was quicker
                waiting.path.parent.rmdir()
        with self.store.reading() as conn:
            poll_ids = sorted({*waiting_polls(conn, self.clock.now()), *self._left})
        received.extend(self._take_in(poll_id) for poll_id in poll_ids)
        return received

    def _take_in(self, poll_id: int) -> Received:
        self._left.add(poll_id)
        try:
            with self.store.writing() as conn:
                poll = read_raw(conn, poll_id) if is_waiting(conn, poll_id) else None
                received = receive(conn, poll, self.store.opt_out_words) if poll else Received("records")
        except MasError:
            raise
        except Exception as error:  # noqa: BLE001 - a defect in reading one answer must not keep out all later ones
            _LOG.exception("the answer of poll %s could not be read; it is kept for replay()", poll_id)
            received = Received("unreadable", notice=type(error).__name__)
            with self.store.writing() as conn:
                put_off(conn, poll_id, received.notice)
        self._left.discard(poll_id)
        return received

    def _note_lost(self, poll_id: int, error: MasError) -> None:
        lost = isinstance(error, NetworkError) and error.sent
        with contextlib.suppress(StoreError), self.store.writing() as conn:
            mark_lost(conn, poll_id, "lost" if lost else "failed", error.message, self.clock.now())
            give_back(conn, self.account, self.clock)

    def _spool(self, poll: RawPoll, error: StoreError) -> StoreError:
        path = write_spool(self.store.path, self.account, poll)
        _LOG.warning("an answer waits in %s because the store could not be written", path)
        return StoreError(
            f"{error.message}. The platform's answer is safe in {path} and is taken in at the next collect()",
            zh=f"{error.zh or error.message}。平台的应答已安全保存在 {path}，下次 collect() 时自动入库",
            retryable=True,
        )


def _as_raw(poll_id: int, endpoint: Endpoint, answer: PollAnswer) -> RawPoll:
    return RawPoll(
        poll_id,
        0,
        endpoint,
        answer.raw,
        answer.status,
        answer.complete,
        int(answer.answered_at),
        int(answer.requested_at),
    )
