"""What planning and sending ask of the store; each method is a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from masanalytics.account import AccountKey, Budget, Period
from masanalytics.errors import InputError, StoreError, unknown_name
from masanalytics.i18n import Text
from masanalytics.store import (
    archived_rows,
    claim_rules,
    contacts,
    doubts,
    forgetting,
    held_out,
    ledger_copies,
    moved_messages,
    progress,
    reconciliation,
    rounds,
    send_log,
    spending,
    template_texts,
    uplink_ingestion,
)
from masanalytics.store.claim_rules import ClaimRules
from masanalytics.store.contacts import Contact
from masanalytics.store.database import Connections
from masanalytics.store.held_out import Held
from masanalytics.store.progress import CampaignProgress
from masanalytics.store.rounds import CanaryState
from masanalytics.store.send_log import Claimed, Claims, RunRecord, RunStart
from masanalytics.text import plain_name

if TYPE_CHECKING:
    from masanalytics.analysis.filters import Filters
    from masanalytics.client import SubmitResult
    from masanalytics.planning import PlannedBatch

__all__ = [
    "CampaignProgress",
    "CanaryState",
    "ClaimRules",
    "Claimed",
    "Claims",
    "Contact",
    "Held",
    "RunRecord",
    "RunStart",
    "Sends",
]


class Sends:
    """The sending side of a store.

    Parameters
    ----------
    connections : Connections
        The store's.
    is_kept : bool
        Whether the file outlives the process, so that a copy of it can be put back.
    """

    def __init__(self, connections: Connections, *, is_kept: bool = True) -> None:
        self._connections = connections
        self._is_kept = is_kept

    @property
    def is_empty(self) -> bool:
        """Whether no run has begun with this file."""
        with self._connections.reading() as conn:
            return conn.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is None

    # ---- what a plan asks -------------------------------------------------------------------------------------------

    def check_round(self, campaign: str, label: str, key: str | None) -> tuple[str | None, str | None]:
        """Return a known campaign, and a round of this one, whose name is nearly the same.

        Raises
        ------
        InputError
            If the round tells messages to one number apart by something else than the column `key`.
        """
        with self._connections.reading() as conn:
            rounds.check_rule(conn, campaign, label, key)
            return rounds.near_names(conn, campaign, label)

    def already_sent(
        self, campaign: str, label: str, phones: Sequence[str], keys: Sequence[str] | None = None
    ) -> npt.NDArray[np.bool_]:
        """Return, number by number, whether this round of the campaign was sent, or may have been sent, to it."""
        with self._connections.reading() as conn:
            return send_log.already_sent(conn, campaign, label, phones, keys)

    def opted_out(self, phones: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return, number by number, whether it has opted out."""
        with self._connections.reading() as conn:
            listed = forgetting.is_listed(conn, uplink_ingestion.opted_out(conn), phones)
        return np.array(listed, dtype=bool)

    def held_out(self, campaign: str, label: str, phones: Sequence[str], now: float) -> Held:
        """Return, number by number, whether it is in a silent arm of this round, or of another one that is not over."""
        with self._connections.reading() as conn:
            here, elsewhere = held_out.listed(conn, campaign, label, now)
            return Held(
                np.array(forgetting.is_listed(conn, here, phones), dtype=bool),
                np.array(forgetting.is_listed(conn, elsewhere, phones), dtype=bool),
            )

    def contacts(self, phones: Sequence[str], seconds: float, now: float) -> dict[str, Contact]:
        """Return number -> how many messages it got in the last `seconds`, of all campaigns, for those that got any."""
        with self._connections.reading() as conn:
            return contacts.contacts(conn, phones, seconds, now)

    def over_cap(self, rules: ClaimRules, phones: Sequence[str], now: float) -> npt.NDArray[np.bool_]:
        """Return, number by number, whether the cap of these rules is reached by now; False where there is none."""
        if rules.cap is None:
            return np.zeros(len(phones), dtype=bool)
        with self._connections.reading() as conn:
            return np.array(contacts.over_cap(conn, rules.cap, rules.kin, phones, now), dtype=bool)

    def budget_periods(self, account: AccountKey, budget: Budget, now: float) -> list[Period]:
        """Return the day and the month of an account's budget, those that have a limit, with what is spent of each."""
        with self._connections.reading() as conn:
            return spending.account_periods(conn, account, budget, now)

    def template_text(self, account: AccountKey, template_id: str) -> str | None:
        """Return what a template of an account said when it was last used; None where nobody has said it."""
        with self._connections.reading() as conn:
            return template_texts.recall(conn, account, template_id)

    def check_campaign(self, campaign: str) -> None:
        """Raise InputError if nothing was ever planned or sent under this name, naming those that are near."""
        with self._connections.reading() as conn:
            campaigns = progress.campaigns(conn)
        if plain_name(campaign) not in campaigns:
            raise unknown_name(Text("campaign"), campaign, campaigns)

    def check_campaigns(self, where: Filters) -> None:
        """Raise InputError if messages are narrowed to a campaign that there never was."""
        for name in where.values.get("campaign", ()):
            if name is not None:
                self.check_campaign(str(name))

    def refuse_archived(self, campaign: str) -> None:
        """Raise InputError if messages of this campaign are archived, so that the file alone does not know what became of them."""
        with self._connections.reading() as conn:
            archived_rows.refuse_archived(conn, plain_name(campaign))

    # ---- a run ------------------------------------------------------------------------------------------------------

    def start_run(self, start: RunStart, now: float) -> RunRecord:
        """Note that a `send` begins in this process; what an earlier one left in flight is given up first.

        Raises
        ------
        StoreError
            If the file is an older copy of one that this machine has sent with.
        """
        with self._connections.writing(durable=True) as conn:
            turn = ledger_copies.next_turn(conn)
            if self._is_kept:
                ledger_copies.check_newest(turn, self._connections.path)
            run = send_log.start_run(conn, start, now)
        if self._is_kept:
            ledger_copies.remember(turn)
        return run

    def end_run(self, run: RunRecord, because: Text, now: float) -> None:
        """Note that a `send` ended, and why."""
        with self._connections.writing() as conn:
            send_log.end_run(conn, run, because, now)
            turn = ledger_copies.next_turn(conn)
        if self._is_kept:
            ledger_copies.remember(turn)

    def begin_own_ledger(self) -> None:
        """Make the file a ledger of its own, whatever this machine remembers of others; its copies do not know what it sends."""
        with self._connections.writing(durable=True) as conn:
            of_copies = ledger_copies.rename(conn)
        if self._is_kept:
            ledger_copies.remember(of_copies)

    def register(
        self, run: RunRecord, batches: Iterable[PlannedBatch], now: float, *, canary: bool = False
    ) -> dict[int, int]:
        """Write planned batches, the round's canary or not; return batch -> how many messages it has to send, none left out."""
        with self._connections.writing() as conn:
            return send_log.register(conn, run, batches, now, canary=canary)

    def drop_emptied(self, run: RunRecord) -> None:
        """Correct the batches of earlier runs whose messages have moved into batches of this run."""
        with self._connections.writing() as conn:
            send_log.drop_emptied(conn, run)

    def claim(
        self, run: RunRecord, batch_ids: Sequence[int], now: float, *, answers: Sequence[tuple[int, SubmitResult]] = ()
    ) -> Claims:
        """Record `answers`, then take batches for sending, in one durable commit: several workers share it.

        From this commit on the batches count as possibly sent. Those that another run has taken, and messages of people
        who opted out meanwhile or have reached the cap, and what a canary or the budget holds back are left out; what would
        repeat itself within a minute is named, and has to wait.
        """
        with self._connections.writing(durable=True) as conn:
            send_log.record_answers(conn, answers)
            return send_log.claim(conn, run, batch_ids, now)

    def put_back(self, batch_ids: Sequence[int]) -> None:
        """Take claims back whose requests surely have not left."""
        with self._connections.writing(durable=True) as conn:
            claim_rules.put_back(conn, batch_ids)

    def record_answers(self, answers: Sequence[tuple[int, SubmitResult]]) -> None:
        """Write what became of requests, durably, and let reports that came before find their batches."""
        with self._connections.writing(durable=True) as conn:
            send_log.record_answers(conn, answers)

    def record_when_possible(self, answers: Sequence[tuple[int, SubmitResult]]) -> None:
        """Write answers now, or, where the disk is full or the file locked, with the next transaction that commits.

        Raises
        ------
        StoreError
            If they could not be written yet; they are not lost while the process lives.
        """
        try:
            self.record_answers(answers)
        except StoreError:
            kept = list(answers)
            self._connections.deferred.append(lambda conn: send_log.record_answers(conn, kept))
            raise

    # ---- the canary of a round ---------------------------------------------------------------------------------------

    def begin_canary(self, run: RunRecord, rules: Mapping[str, Any]) -> None:
        """Let the run's round wait for a canary, unless it has one already."""
        with self._connections.writing(durable=True) as conn:
            rounds.begin_canary(conn, run.round_id, rules)

    def canary_state(self, run: RunRecord) -> CanaryState:
        """Return how the canary of the run's round stands."""
        with self._connections.reading() as conn:
            return rounds.canary_state(conn, run.round_id)

    def canary_of(self, campaign: str, label: str) -> CanaryState | None:
        """Return how the canary of a round stands; None where the round is not known."""
        with self._connections.reading() as conn:
            round_id = rounds.find_round(conn, campaign, label)
            return None if round_id is None else rounds.canary_state(conn, round_id)

    def judge_canary(self, run: RunRecord, because: Text | None, now: float) -> bool:
        """Note that the canary looks normal, or why not; return whether the rest may go."""
        with self._connections.writing(durable=True) as conn:
            return rounds.judge_canary(conn, run.round_id, because, now)

    def release(self, campaign: str, label: str, now: float) -> bool:
        """Let the rest of a round go by the user's word; return whether a canary had held it back."""
        with self._connections.writing(durable=True) as conn:
            return rounds.release(conn, campaign, label, now)

    # ---- how it stands ----------------------------------------------------------------------------------------------

    def count_planned(
        self, run: RunRecord, phones: Sequence[str], keys: Sequence[str] | None, now: float
    ) -> dict[str, int]:
        """Return what has become of planned messages, as counts: each is in exactly one (see `send_log.count_planned`)."""
        with self._connections.reading() as conn:
            return send_log.count_planned(conn, run, phones, keys, now)

    def count_reopened(self, run: RunRecord, phones: Sequence[str], keys: Sequence[str] | None = None) -> int:
        """Return how many messages that a plan left out as sent already are known by now not to have been."""
        with self._connections.reading() as conn:
            return send_log.count_reopened(conn, run, phones, keys)

    def round_progress(self, run: RunRecord) -> CampaignProgress:
        """Return the messages of the run's round by status."""
        with self._connections.reading() as conn:
            return progress.round_progress(conn, run.round_id)

    def progress(self, batch_ids: Sequence[int]) -> CampaignProgress:
        """Return the messages of some batches by status."""
        with self._connections.reading() as conn:
            return progress.batches_progress(conn, batch_ids)

    def codes_of_failed(self, batch_ids: Sequence[int], most: int) -> list[tuple[str, int]]:
        """Return the commonest error codes of the failed messages of some batches, with counts."""
        with self._connections.reading() as conn:
            return progress.codes_of_failed(conn, batch_ids, most)

    def verdicts(self) -> dict[int, Text]:
        """Return batch -> what its silence says, for the batches of unknown outcome."""
        with self._connections.reading() as conn:
            return {doubt.batch_id: doubt.verdict for doubt in doubts.doubts(conn)}

    def settle(self, batch_id: int, state: Literal["accepted", "not_sent"]) -> None:
        """Set a batch of unknown outcome to what the user says.

        Raises
        ------
        InputError
            If there is no such batch of unknown outcome.
        """
        if state not in ("accepted", "not_sent"):
            raise InputError("{state!r}: say 'accepted' or 'not_sent'", state=state)
        with self._connections.writing(durable=True) as conn:
            is_empty = conn.execute("SELECT 1 FROM messages WHERE batch_id = ? LIMIT 1", [batch_id]).fetchone() is None
            again = moved_messages.sent_again(conn, batch_id) if state == "accepted" and is_empty else 0
            settled = again == 0 and reconciliation.settle(conn, batch_id, state)
            is_known = conn.execute("SELECT 1 FROM batches WHERE batch_id = ?", [batch_id]).fetchone() is not None
        if again:
            raise InputError(
                "{count:,} message of batch {batch_id} was sent again meanwhile, since it was said not to have been sent: what became of"
                " it, that batch tells",
                "{count:,} messages of batch {batch_id} were sent again meanwhile, since it was said not to have been sent: what became"
                " of them, those batches tell",
                count=again,
                batch_id=batch_id,
            )
        if not is_known:
            raise InputError(
                "there is no batch {batch_id}: store.batches(state='unknown') lists those of unknown outcome",
                batch_id=batch_id,
            )
        if not settled:
            raise InputError(
                "batch {batch_id} is not of unknown outcome: see store.batches(state='unknown')", batch_id=batch_id
            )
