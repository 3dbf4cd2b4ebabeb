"""One poll that loses nothing: the turn is noted, the answer is durable, then it is parsed."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from masanalytics.account.machine_pace import with_turn
from masanalytics.collecting.held_answers import HeldAnswer, held_answers, hold, no_room, place
from masanalytics.collecting.side_work import log_quietly
from masanalytics.collecting.spool import take_in_spooled, write_spool
from masanalytics.errors import MasError, NetworkError, StoreError
from masanalytics.protocol import Endpoint, PollAnswer
from masanalytics.store.intake import Intake, Received

if TYPE_CHECKING:
    from masanalytics.client import Client
    from masanalytics.collecting.poll_schedule import PollSchedule

__all__ = ["Poller"]

_LOG = logging.getLogger(__name__)


class Poller:
    """Polls one account into one store.

    Parameters
    ----------
    client : Client
        Whose account is polled.
    intake : Intake
        Where answers go.
    schedule : PollSchedule
        Learns when a poll has ended.
    """

    def __init__(self, client: Client, intake: Intake, schedule: PollSchedule) -> None:
        self.client = client
        self.account = client.account.key
        self.clock = client.clock
        self._intake = intake
        self._schedule = schedule
        self._not_ingested: set[int] = set()

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
            with with_turn():
                answer = self.client.poll_reports() if endpoint == "report" else self.client.poll_uplinks()
        except MasError as error:
            self._note_no_answer(poll_id, error)
            raise
        finally:
            self._schedule.note_end()
        try:
            self._intake.keep_answer(self.account, poll_id, answer, self.clock)
        except Exception as error:
            raise self._put_somewhere(poll_id, answer, error) from error
        return self._ingest(poll_id, answer)

    def catch_up(self) -> list[Received]:
        """Take in answers that wait: in memory, spooled beside the store, or durable but not parsed when a process ended.

        Raises
        ------
        StoreError
            If there is still no room for what is held in memory: nothing more must be asked for.
        """
        place(self._intake.path, self._keep_held)
        self._not_ingested.update(take_in_spooled(self._intake))
        poll_ids = {*self._intake.waiting_polls(self.clock.now()), *self._not_ingested}
        return [
            self._ingest(poll_id) for poll_id in sorted(poll_ids) if self._intake.begin_again(poll_id, self.clock.now())
        ]

    @property
    def is_holding(self) -> bool:
        """Whether answers are held in memory because there is no room for them."""
        return bool(held_answers(self._intake.path))

    def _keep_held(self, held: HeldAnswer) -> None:
        poll_id = self._intake.keep_spooled(held.account, held.poll_id, held.answer, held.name)
        if poll_id is not None:
            self._not_ingested.add(poll_id)

    def _ingest(self, poll_id: int, answer: PollAnswer | None = None) -> Received:
        self._not_ingested.add(poll_id)
        received = self._intake.ingest(poll_id, answer)
        self._not_ingested.discard(poll_id)
        return received

    def _note_no_answer(self, poll_id: int, error: MasError) -> None:
        lost = isinstance(error, NetworkError) and error.sent
        with contextlib.suppress(StoreError):
            self._intake.note_no_answer(self.account, poll_id, error.said, self.clock, lost=lost)

    def _put_somewhere(self, poll_id: int, answer: PollAnswer, error: Exception) -> StoreError:
        """Keep an answer that the store did not take, and return the error that says where it is."""
        if not isinstance(error, StoreError):
            error = StoreError("the store failed: {kind}: {error}", kind=type(error).__name__, error=str(error))
        try:
            path = write_spool(self._intake.path, self.account, poll_id, answer)
        except Exception as failure:  # noqa: BLE001 - whatever keeps it out of a file, it is not thrown away
            hold(self._intake.path, self.account, poll_id, answer)
            log_quietly(_LOG, "an answer is held in memory because nothing can be written: %s", failure)
            return no_room(self._intake.path, error)
        log_quietly(_LOG, "an answer waits in %s because the store could not be written", path)
        return StoreError(
            "{why}. The platform's answer is safe in {path} and is taken in at the next collect()",
            why=error.said,
            path=str(path),
            retryable=True,
        )
