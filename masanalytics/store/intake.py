"""What collecting asks of the store: a turn to poll, a place for the answer, what it brought, and how collecting stands."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from masanalytics.account import AccountKey
from masanalytics.clock import Clock
from masanalytics.errors import MasError
from masanalytics.i18n import Text
from masanalytics.protocol import Endpoint, PollAnswer
from masanalytics.store import (
    account_merging,
    coverage,
    doubts,
    holes,
    lookups,
    part_rules,
    parts,
    platform_clock,
    poll_ingestion,
    poll_log,
    progress,
    push_log,
)
from masanalytics.store.coverage import CollectingHealth
from masanalytics.store.database import Connections
from masanalytics.store.poll_ingestion import Received
from masanalytics.store.poll_log import Turn
from masanalytics.store.progress import CampaignProgress

__all__ = ["CampaignProgress", "CollectingHealth", "Intake", "Received", "Turn"]

_LOG = logging.getLogger(__name__)


class Intake:
    """The collecting side of a store; each method is a transaction of its own.

    Parameters
    ----------
    connections : Connections
        The store's.
    opt_out_words : collection of str or None
        The replies that mean "no more"; None for those of `masanalytics.opt_outs`.
    """

    def __init__(self, connections: Connections, opt_out_words: Collection[str] | None) -> None:
        self._connections = connections
        self._words = opt_out_words

    @property
    def path(self) -> Path:
        """The store's file."""
        return self._connections.path

    def close_thread(self) -> None:
        """Close this thread's connection only; the next use opens another."""
        self._connections.close_thread()

    def disbelieve(self, now: float) -> None:
        """Take back what a clock that was ahead wrote; nothing is written where there is nothing to take back.

        A file of a simulated platform, whose time runs faster, is opened by the machine's clock when its notebook starts anew: what
        was sent lies ahead as well there, and is judged by its own time until something is fetched by ours.
        """
        with self._connections.reading() as conn:
            wrong = coverage.is_ahead(conn, now) and not coverage.is_of_later_time(conn, now)
        if wrong:
            with self._connections.writing() as conn:
                coverage.disbelieve(conn, now)

    # ---- polls ------------------------------------------------------------------------------------------------------

    def take_turn(
        self, account: str | AccountKey, endpoint: Endpoint, interval_s: float, clock: Clock, asker: str
    ) -> Turn:
        """Take the account's turn, or learn how long to wait; `asker` names one poller of this process.

        Raises
        ------
        StoreError
            If nothing can be written: before anything was asked.
        """
        with self._connections.writing() as conn:
            return poll_log.take_turn(conn, account, endpoint, interval_s, clock, asker)

    def keep_answer(self, account: str | AccountKey, poll_id: int, answer: PollAnswer, clock: Clock) -> None:
        """Make the raw answer of a poll durable, and begin the account's next interval."""
        with self._connections.writing(durable=True) as conn:
            poll_log.keep_answer(conn, poll_id, answer)
            poll_log.give_back(conn, account, clock)
            if answer.server_time is not None:
                holes.reach(conn, poll_id, answer.answered_at, answer.server_time)
                platform_clock.note_offset(conn, answer.answered_at, answer.server_time)
            # What is written now is not later than now: an instant beyond it was written by a clock that was ahead.
            now = max(clock.now(), answer.server_time or 0.0)
            coverage.disbelieve(
                conn, now, poll_log.account_of(conn, poll_id), by_platform=answer.server_time is not None
            )

    def keep_spooled(self, account: str | AccountKey, poll_id: int, answer: PollAnswer, spool: str) -> int | None:
        """Make an answer durable that waited in the file `spool`; return its poll, None where it was taken in before."""
        with self._connections.writing(durable=True) as conn:
            return poll_log.keep_spooled(conn, account, poll_id, answer, spool)

    def note_no_answer(
        self, account: str | AccountKey, poll_id: int, notice: Text, clock: Clock, *, lost: bool
    ) -> None:
        """Note that a poll brought no answer (`lost`: one may have been handed out), and begin the next interval."""
        with self._connections.writing() as conn:
            poll_log.note_no_answer(conn, poll_id, notice, clock.now(), lost=lost)
            poll_log.give_back(conn, account, clock)

    def waiting_polls(self, now: float) -> list[int]:
        """Return the polls whose answers are durable but not parsed, and whose process no longer works on them."""
        with self._connections.reading() as conn:
            return poll_log.waiting_polls(conn, now)

    def begin_again(self, poll_id: int, now: float) -> bool:
        """Note that an answer is read that a process left behind; return False where that has failed too often."""
        with self._connections.writing() as conn:
            return poll_log.begin_again(conn, poll_id, now)

    def ingest(self, poll_id: int, answer: PollAnswer | None = None) -> Received:
        """Take in a durable answer, unless another process was quicker; `answer` spares reading it back.

        An answer that the reader fails on is kept for `replay`: it must not keep out all later ones.
        """
        try:
            with self._connections.writing() as conn:
                waiting = poll_log.is_waiting(conn, poll_id)
                found = (answer or poll_log.read_answer(conn, poll_id)) if waiting else None
                return poll_ingestion.ingest(conn, poll_id, found, self._words) if found else Received("records")
        except MasError:
            raise
        except Exception as error:  # noqa: BLE001 - a defect in reading one answer must not keep out all later ones
            _LOG.exception("the answer of poll %s could not be read; it is kept for replay()", poll_id)
            notice = Text("{error}", code="reader_failed", error=type(error).__name__)
            with self._connections.writing() as conn:
                poll_log.note_unreadable(conn, poll_id, notice)
            return Received("unreadable", notice=notice)

    def replay(self) -> int:
        """Rebuild reports, uplinks and message outcomes from the raw answers alone; return how many were read."""
        with self._connections.writing(durable=True) as conn:
            return poll_ingestion.replay(conn, self._words)

    def merge_accounts(self, account: str, into: str) -> None:
        """Make two accounts of the store one, and match the reports of both with the messages of both."""
        with self._connections.writing(durable=True) as conn:
            account_merging.merge(conn, account, into)
            poll_ingestion.replay(conn, self._words)

    def set_rule_of_parts(self, rule: str) -> None:
        """Say how the reports of long messages come; nothing is written where that is the file's rule already."""
        with self._connections.reading() as conn:
            is_same = part_rules.rule_of(conn) == rule
        if not is_same:
            with self._connections.writing() as conn:
                parts.set_rule(conn, rule)

    # ---- pushes -----------------------------------------------------------------------------------------------------

    def keep_pushes(self, account: str | AccountKey, pushes: Sequence[PollAnswer], since: float) -> list[int]:
        """Make pushed bodies durable, and note that they were listened for from `since` on; return the poll each is kept as."""
        with self._connections.writing(durable=True) as conn:
            poll_ids = push_log.keep(conn, account, pushes)
            push_log.note_receiving(conn, account, since, max(push.answered_at for push in pushes))
        return poll_ids

    def has_pushes(self, account: str | AccountKey) -> bool:
        """Whether anything was ever pushed for the account into this store."""
        with self._connections.writing() as conn:
            return push_log.has_pushes(conn, account)

    def note_receiving(self, account: str | AccountKey, since: float, until: float) -> None:
        """Note that a receiver has been listening without a pause from `since` to `until`: the account is covered so far."""
        with self._connections.writing() as conn:
            push_log.note_receiving(conn, account, since, until)

    # ---- how it stands ------------------------------------------------------------------------------------------------

    def is_first_collection(self, account: str | AccountKey, now: float) -> bool:
        """Whether nobody has collected this account into this store before; from now on somebody has."""
        with self._connections.writing() as conn:
            return poll_log.is_first_collection(conn, account, now)

    def known_address(self, account: AccountKey) -> str | None:
        """Return where the account is whose name this one has, if that is another account of the store; None otherwise."""
        with self._connections.reading() as conn:
            return lookups.known_address(conn, account)

    def progress(self, campaign: str | None) -> CampaignProgress:
        """Return a campaign's messages by status; of all messages where `campaign` is None."""
        with self._connections.reading() as conn:
            return progress.campaign_progress(conn, campaign)

    def under_reported(self, account: str | AccountKey) -> list[tuple[int, float, float]]:
        """Return batches whose reported share stays far below that of their campaign's others, with both shares."""
        with self._connections.reading() as conn:
            return doubts.under_reported(conn, account)

    def health(self, account: str | AccountKey) -> CollectingHealth:
        """Return how collecting of an account stands."""
        with self._connections.reading() as conn:
            return coverage.collecting_health(conn, account)

    def accounts(self) -> list[str]:
        """Return the accounts that were polled into this store, by name."""
        with self._connections.reading() as conn:
            return coverage.polled_accounts(conn)
