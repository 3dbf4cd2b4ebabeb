"""One poll that loses nothing: the turn is noted, the answer is durable, then it is parsed."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

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
        self.account = client.account.name
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
            answer = self.client.poll_reports() if endpoint == "report" else self.client.poll_uplinks()
        except MasError as error:
            self._note_no_answer(poll_id, error)
            raise
        finally:
            self._schedule.note_end()
        try:
            self._intake.keep_answer(self.account, poll_id, answer, self.clock)
        except StoreError as error:
            raise self._spool(poll_id, answer, error) from error
        return self._ingest(poll_id, answer)

    def catch_up(self) -> list[Received]:
        """Take in answers that wait: spooled beside the store, or durable but not yet parsed when a process ended."""
        self._not_ingested.update(take_in_spooled(self._intake))
        poll_ids = {*self._intake.waiting_polls(self.clock.now()), *self._not_ingested}
        return [self._ingest(poll_id) for poll_id in sorted(poll_ids) if self._intake.begin_again(poll_id)]

    def _ingest(self, poll_id: int, answer: PollAnswer | None = None) -> Received:
        self._not_ingested.add(poll_id)
        received = self._intake.ingest(poll_id, answer)
        self._not_ingested.discard(poll_id)
        return received

    def _note_no_answer(self, poll_id: int, error: MasError) -> None:
        lost = isinstance(error, NetworkError) and error.sent
        with contextlib.suppress(StoreError):
            self._intake.note_no_answer(self.account, poll_id, error.said, self.clock, lost=lost)

    def _spool(self, poll_id: int, answer: PollAnswer, error: StoreError) -> StoreError:
        path = write_spool(self._intake.path, self.account, poll_id, answer)
        _LOG.warning("an answer waits in %s because the store could not be written", path)
        return StoreError(
            "{why}. The platform's answer is safe in {path} and is taken in at the next collect()",
            why=error.said,
            path=str(path),
            retryable=True,
        )
