"""One run of sending: claim, send, record, until nothing is left or something says stop.

The claim is committed before the request leaves and the answer after it came; both happen in one transaction a turn of the
loop, so that several workers share a commit. No transaction is open while a request is under way.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

from masanalytics.account import AccountKey, Period
from masanalytics.client.outcomes import SubmitResult, failed_submit
from masanalytics.clock import is_simulated
from masanalytics.collecting.notices import to_stderr
from masanalytics.errors import MasError, NetworkError, RefusedError, StoreError
from masanalytics.formatting import duration
from masanalytics.i18n import N_, Text, _
from masanalytics.sending.job_weight import budget_spent
from masanalytics.sending.rate_limit import Pacer
from masanalytics.sending.send_result import SendResult
from masanalytics.store.sends import Claimed, RunStart, Sends
from masanalytics.timezone import format_instant, format_near

if TYPE_CHECKING:
    from masanalytics.client import Client
    from masanalytics.collecting import Collected
    from masanalytics.planning import PlannedBatch
    from masanalytics.planning.window import Window

__all__ = ["CANARY_HOLDS", "INTERRUPTED", "Options", "Sender"]

_LOG = logging.getLogger(__name__)
_REGISTER_AT_ONCE: Final = 20_000
_UNKNOWN_IN_A_ROW: Final = 10
_UNKNOWN_FROM_THE_START: Final = 4
_NOT_SENT_IN_A_ROW: Final = 5
_IDLE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0  # a pause of hours is cut, so that collecting goes on and Ctrl-C is met

Identities: TypeAlias = "tuple[Sequence[str], Sequence[str] | None]"
"""Whom messages are for: numbers, and keys where there are any."""

INTERRUPTED: Final = Text("interrupted; run the same again to go on", code="interrupted")
CANARY_HOLDS: Final = Text(
    "the canary of this round has not been judged normal: until then, or until canary='go on', nothing else of it goes",
    code="canary_holds",
)
_WINDOW_ENDED: Final = N_("the window {window} (China time) has ended; run it again within the window to go on")
_DONE: Final = Text("the run came to its end", code="done")


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes about it.

    Attributes
    ----------
    workers : int
        Requests under way at the same time.
    pacer, window : Pacer, Window or None
        How fast, and when.
    waits : bool
        Whether to pause outside the window, and go on when it opens.
    between : callable
        Other work, looked after while requests are under way.
    advance : callable
        Gets the number of messages settled, for a progress bar.
    short : Period or None
        The day or month of the account's budget that does not hold all of the job.
    """

    workers: int
    pacer: Pacer
    window: Window | None
    waits: bool
    between: Callable[[], object]
    advance: Callable[[int], object]
    short: Period | None = None


class Sender:
    """One call of `send`: sends batches of a plan and keeps the store true about them.

    Parameters
    ----------
    start : RunStart
        What is sent, and as whom.
    client : Client
        Makes the requests.
    sends : Sends
        Where everything is recorded.
    options : Options
        How fast, when, and with how many workers.
    """

    def __init__(self, start: RunStart, client: Client, sends: Sends, options: Options) -> None:
        self.client = client
        self.sends = sends
        self.options = options
        self.clock = client.clock
        self.campaign = start.campaign
        self._round = start.round
        self._account = AccountKey.of(start.account)
        self.batch_ids: list[int] = []
        self._began = self.clock.monotonic()
        self._in_flight: dict[Future[SubmitResult | None], Claimed] = {}
        self._claimed_at: dict[int, float] = {}
        self._sizes: dict[int, int] = {}
        self._outcomes: Counter[str] = Counter()
        self._requests = 0
        self._held_for = ""
        self._notices: list[Text] = []
        self._unknown_in_a_row = 0
        self._not_sent_in_a_row = 0
        self._hold_until = 0.0
        self._is_paused = False
        self._said_repeated = False
        self._short: Period | None = None
        self._stopped: Text | None = None
        self._error: MasError | None = None
        self.run = sends.start_run(start, self.clock.now())
        self._seconds: float | None = None

    def close(self) -> None:
        """Note in the store that the run has ended, and why."""
        self._seconds = self.clock.monotonic() - self._began
        self.sends.end_run(self.run, self._stopped or _DONE, self.clock.now())

    def result(
        self,
        identities: Iterable[Identities],
        collected: Collected | None = None,
        reopened: int = 0,
    ) -> SendResult:
        """Return what has become of every planned message, as the store has it.

        Parameters
        ----------
        identities : iterable of (phones, keys)
            The planned messages.
        collected : Collected, optional
            What a collector fetched meanwhile.
        reopened : int, optional
            How many messages that the plan left out may go by now.
        """
        counts: Counter[str] = Counter()
        planned, now = 0, self.clock.now()
        for phones, keys in identities:
            planned += len(phones)
            counts.update(self.sends.count_planned(self.run, phones, keys, now))
        left, taken_over, over_cap = (counts.pop(what, 0) for what in ("left", "taken_over", "over_cap"))
        if self._held_for == "canary":  # the round's canary holds whoever has them
            left += taken_over
        else:
            counts["left_to_another_run"] += taken_over
        if not self._held_for:
            counts["not_sent"] += left  # the run stopped before them
        held = {"cap": over_cap, self._held_for: left if self._held_for else 0}
        held = {why: count for why, count in held.items() if count}
        return SendResult(
            self.campaign,
            round=self._round,
            planned=planned,
            accepted=counts["accepted"],
            rejected=counts["rejected"],
            unknown=counts["unknown"],
            not_sent=counts["not_sent"],
            already_sent=counts["already_sent"],
            opted_out=counts["opted_out"],
            held_out=counts["held_out"],
            left_to_another_run=counts["left_to_another_run"],
            held_because=held,
            reopened=reopened,
            in_doubt=self.sends.round_progress(self.run).counts.get("unknown", 0),
            requests=self._requests,
            seconds=self.clock.monotonic() - self._began if self._seconds is None else self._seconds,
            platform_time=is_simulated(self.clock),
            collected=collected,
            stopped=self._stopped,
            before=self.run.before,
            notices=(*self._notices, *self._cap_notice(over_cap)),
        )

    def send(self, batch_ids: Iterable[int]) -> None:
        """Send registered batches until all are done or something says stop; `result` and `failure` tell.

        Parameters
        ----------
        batch_ids : iterable of int
            What `register` returned.
        """
        waiting = deque(batch_ids)
        done: list[tuple[Claimed, SubmitResult]] = []
        with ThreadPoolExecutor(self.options.workers, thread_name_prefix="masanalytics-send") as pool:
            try:
                while waiting or self._in_flight or done:
                    for claimed, result in done:  # judged first: a "no" that hits every batch claims no other
                        self._count(claimed, result, waiting)
                    next_ids = [waiting.popleft() for _place in range(self._free_workers(waiting))]
                    for claimed in self._leaving(self._record_and_claim(done, next_ids, waiting), waiting):
                        self._in_flight[pool.submit(self._submit, claimed)] = claimed
                    done = self._finished(waiting)
            except BaseException:
                self._wind_up(done)
                raise

    @property
    def failure(self) -> MasError | None:
        """What stopped the run, where it was an error."""
        return self._error

    @property
    def is_stopped(self) -> bool:
        """Whether the run claims nothing more."""
        return self._stopped is not None

    def stop(self, because: Text, error: MasError | None = None) -> None:
        """Claim nothing more; requests in flight are waited for."""
        if self._stopped is None:
            self._stopped = because
            self._error = error

    def hold(self, why: str, because: Text) -> None:
        """Claim nothing more: what is left is held back (``canary``, ``window``, ``limit``, ``budget``, ``cap``)."""
        if self._stopped is None:
            self._held_for = why
        self.stop(because)

    def keep_for_later(self) -> None:
        """Count what is left, where nothing stopped the run, as held by the budget that is spent, or else by the limit."""
        if self._stopped is None and self.options.short is not None:
            self.hold("budget", budget_spent(self._as_it_is(self.options.short)))
        elif self._stopped is None:
            self._held_for = "limit"

    def _as_it_is(self, period: Period) -> Period:
        """Return the day or month of the budget with what is spent of it by now; as it was, where the next one has begun."""
        budget = self.run.rules.budget
        found = [] if budget is None else self.sends.budget_periods(self._account, budget, self.clock.now())
        return next((one for one in found if (one.name, one.start) == (period.name, period.start)), period)

    def _cap_notice(self, count: int) -> list[Text]:
        """Say what the cap holds back, where it does."""
        cap = self.run.rules.cap
        if not count or cap is None:
            return []
        return [
            Text(
                "{count:,} message is held by the cap ({cap}): run the same again later, or plan anew to see what was sent last",
                "{count:,} messages are held by the cap ({cap}): run the same again later, or plan anew to see what was sent last",
                code="over_cap",
                count=count,
                cap=cap.words(),
            )
        ]

    def register(self, batches: Iterable[PlannedBatch], *, canary: bool = False) -> list[int]:
        """Write batches to the store, a part at a time, so that nobody else waits long; return which have something to send.

        Parameters
        ----------
        batches : iterable of PlannedBatch
            What is to be sent.
        canary : bool, optional
            Whether they are the canary of their round.
        """
        planned = 0
        registered: dict[int, int] = {}
        for part in _parts(batches):
            planned += sum(len(batch) for batch in part)
            registered |= self.sends.register(self.run, part, self.clock.now(), canary=canary)
        self.sends.drop_emptied(self.run)
        self._sizes |= registered
        self.batch_ids += registered
        self.options.advance(planned - sum(registered.values()))
        return list(registered)

    # ---- one turn of the loop ---------------------------------------------------------------------------------------

    def _free_workers(self, waiting: deque[int]) -> int:
        """Return how many batches may be claimed now."""
        if not waiting:
            return 0
        self._mind_window()
        if self.is_stopped:
            waiting.clear()
            return 0
        if self._pause_s(waiting) > 0:
            return 0
        free = self.options.workers - len(self._in_flight)
        return min(free, len(waiting), 1 if self.options.pacer.limits else free)

    def _mind_window(self) -> None:
        """Where the window is closed, hold what is left, or say once until when it is waited for."""
        window, now = self.options.window, self.clock.now()
        closed_s = 0.0 if window is None or self.is_stopped else window.opens_in_s(now)
        if window is None or not closed_s:
            self._is_paused = False
        elif not self.options.waits:
            self.hold("window", Text(_WINDOW_ENDED, code="window_ended", window=str(window)))
        elif not self._is_paused:
            self._is_paused = True
            to_stderr(_("paused until {time} (China time)", time=format_near(now + closed_s, now)))

    def _pause_s(self, waiting: deque[int]) -> float:
        """Return how long the next request has to wait: for the pace, after requests that did not leave, for the window."""
        window = self.options.window
        closed_s = window.opens_in_s(self.clock.now()) if window is not None and self.options.waits else 0.0
        paced_s = self.options.pacer.wait_s(self._sizes[waiting[0]]) if waiting else 0.0
        return max(paced_s, closed_s, self._hold_until - self.clock.monotonic())

    def _leaving(self, claims: list[Claimed], waiting: deque[int]) -> list[Claimed]:
        """Return the claimed batches that may leave at this moment; the others are put back.

        Asked after the commit, which may have waited long for another program: the hour and the pace count when a request
        leaves, not when it was decided on.
        """
        leaving = [
            batch
            for batch in claims
            if self._may_leave(batch) and not self.is_stopped and not self.options.pacer.take(len(batch.phones))
        ]
        if self._short is not None:
            self.hold("budget", budget_spent(self._short))
        self._put_back([batch for batch in claims if batch not in leaving], waiting)
        return leaving

    def _may_leave(self, batch: Claimed) -> bool:
        """Whether the window is open now, and it is still the day in which the claim is counted by every budget."""
        now, window = self.clock.now(), self.options.window
        if window is not None and not window.allows(now):
            return False
        return format_instant(now)[:10] == format_instant(self._claimed_at[batch.batch_id])[:10]

    def _put_back(self, batches: Sequence[Claimed], waiting: deque[int]) -> None:
        """Take back claims whose requests have not left, to be claimed anew."""
        back = [batch.batch_id for batch in batches]
        if back:
            self.sends.put_back(back)
            waiting.extendleft(reversed(back))

    def _record_and_claim(
        self, done: list[tuple[Claimed, SubmitResult]], next_ids: list[int], waiting: deque[int]
    ) -> list[Claimed]:
        """Record what came back and claim what goes next, in one durable commit.

        What the platform would take for a repetition, and refuse, waits, and everything behind it.
        """
        if not done and not next_ids:
            return []
        answers = [(claimed.batch_id, result) for claimed, result in done]
        now = self.clock.now()
        claims, short, later, wait_s = self.sends.claim(self.run, next_ids, now, answers=answers)
        done.clear()
        waiting.extendleft(reversed(later))
        self._hold_until = max(self._hold_until, self.clock.monotonic() + wait_s) if later else self._hold_until
        self._tell_of_repeats(wait_s if later else 0.0)
        next_ids = [batch_id for batch_id in next_ids if batch_id not in later]
        missing = sum(self._sizes[batch_id] for batch_id in next_ids) - sum(len(batch.phones) for batch in claims)
        self.options.advance(missing)
        if missing and len(claims) < len(next_ids) and self.sends.canary_state(self.run).holds:
            self.hold("canary", CANARY_HOLDS)
        self._short = short
        for batch in claims:
            self._sizes[batch.batch_id], self._claimed_at[batch.batch_id] = len(batch.phones), now
        return claims

    def _tell_of_repeats(self, wait_s: float) -> None:
        """Say once why nothing happens for up to a minute."""
        if wait_s > _LONGEST_PAUSE_S and not self._said_repeated:
            self._said_repeated = True
            to_stderr(
                _(
                    "waiting {time}: the platform rejects the same text to the same number within a minute",
                    time=duration(wait_s, platform_time=is_simulated(self.clock)),
                )
            )

    def _finished(self, waiting: deque[int]) -> list[tuple[Claimed, SubmitResult]]:
        """Wait for a request to end (or for the pace), looking after other work meanwhile."""
        self.options.between()
        if not self._in_flight:
            pause = self._pause_s(waiting)
            if waiting and pause > 0:
                self.clock.sleep(min(pause, _LONGEST_PAUSE_S))
            return []
        may_claim_more = bool(waiting) and len(self._in_flight) < self.options.workers and self._pause_s(waiting) <= 0
        timeout = 0 if may_claim_more else _IDLE_S
        finished, _unfinished = wait(self._in_flight, timeout=timeout, return_when=FIRST_COMPLETED)
        ended = [(self._in_flight.pop(future), future.result()) for future in finished]
        self._put_back([claimed for claimed, result in ended if result is None], waiting)
        return [(claimed, result) for claimed, result in ended if result is not None]

    def _wind_up(self, done: list[tuple[Claimed, SubmitResult]]) -> None:
        """After an error: wait for the requests in flight and record them, so that no more is in doubt than must be."""
        self.stop(INTERRUPTED)
        wait(self._in_flight)
        ended = [(claimed, future.result()) for future, claimed in self._in_flight.items() if not future.exception()]
        self._in_flight.clear()
        answered = [(claimed, result) for claimed, result in ended if result is not None]
        for claimed, result in answered:
            self._count(claimed, result, deque())
        self.sends.record_when_possible([(claimed.batch_id, result) for claimed, result in [*done, *answered]])
        with suppress(StoreError):  # what cannot be taken back stays in doubt
            self._put_back([claimed for claimed, result in ended if result is None], deque())

    # ---- one request ------------------------------------------------------------------------------------------------

    def _submit(self, claimed: Claimed) -> SubmitResult | None:
        """Run in a worker: one request, or None where it may not leave any more: the clock may have been set since the claim.

        What the client refuses by itself (a number not allowed) surely never left.
        """
        if not self._may_leave(claimed):
            return None
        asked_at = self.clock.now()
        try:
            return self._request(claimed)
        except MasError as error:
            return failed_submit(error, asked_at, self.clock.now(), fatal=True)

    def _request(self, claimed: Claimed) -> SubmitResult:
        """Make the request exactly as the store has it."""
        serial = claimed.add_serial
        if claimed.template_id is not None:
            params = json.loads(claimed.params or "[]")
            return self.client.submit_template(claimed.phones, claimed.template_id, params, add_serial=serial)
        if claimed.content is not None:
            return self.client.submit(claimed.phones, claimed.content, add_serial=serial)
        if len(claimed.phones) == 1:
            return self.client.submit(claimed.phones, claimed.contents[0], add_serial=serial)
        contents = dict(zip(claimed.phones, claimed.contents, strict=True))
        return self.client.submit_each(contents, add_serial=serial)

    def _count(self, claimed: Claimed, result: SubmitResult, waiting: deque[int]) -> None:
        size = len(claimed.phones)
        self._requests += 1
        if result.outcome == "not_sent":
            self._count_not_sent(claimed, result, waiting)
            return
        self._not_sent_in_a_row = 0
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if result.outcome == "unknown" else 0
        self._outcomes[result.outcome] += size
        self.options.advance(size)
        if result.outcome != "accepted" and (reason := _reason(result)) not in self._notices:
            self._notices.append(reason)
        most = _UNKNOWN_IN_A_ROW if self._outcomes["accepted"] else _UNKNOWN_FROM_THE_START
        if result.fatal or self._unknown_in_a_row >= most:
            self._stop_for(result)

    def _count_not_sent(self, claimed: Claimed, result: SubmitResult, waiting: deque[int]) -> None:
        """Only what surely never left is tried again, later and later."""
        if self.clock.monotonic() < self._hold_until and not result.fatal and not self.is_stopped:
            waiting.appendleft(claimed.batch_id)  # another worker's request of the same try
            return
        self._not_sent_in_a_row += 1
        if result.fatal or self._not_sent_in_a_row >= _NOT_SENT_IN_A_ROW or self.is_stopped:
            self._stop_for(result)
            return
        waiting.appendleft(claimed.batch_id)
        delay = 2.0 ** (self._not_sent_in_a_row - 1)
        self._hold_until = self.clock.monotonic() + delay
        _LOG.warning("a batch was not sent (%s); trying again in %.0f s", result.message, delay)

    def _stop_for(self, result: SubmitResult) -> None:
        reason = _reason(result)
        if result.outcome == "rejected":
            self.stop(reason, RefusedError(reason, rspcod=result.rspcod))
        elif result.error is not None:
            self.stop(reason, result.error)
        else:
            self.stop(reason, NetworkError(reason, sent=result.outcome == "unknown", retryable=not result.fatal))


def _reason(result: SubmitResult) -> Text:
    """Return why a request was not accepted, and what to do about it."""
    why, what_to_do = result.why or Text("no reason was given", code="no_reason"), result.what_to_do
    if what_to_do is None:
        return why
    if why.text("en").endswith("."):
        return Text("{why} {what_to_do}", code=why.code, why=why, what_to_do=what_to_do)
    return Text("{why}. {what_to_do}", code=why.code, why=why, what_to_do=what_to_do)


def _parts(batches: Iterable[PlannedBatch]) -> Iterator[list[PlannedBatch]]:
    """Cut a stream of batches into parts of some twenty thousand messages."""
    stream = iter(batches)
    while first := list(islice(stream, 1)):
        part, size = first, len(first[0])
        for batch in stream:
            part.append(batch)
            size += len(batch)
            if size >= _REGISTER_AT_ONCE:
                break
        yield part
