"""One run of sending: claim, send, record, until nothing is left or something says stop.

The claim is committed before the request leaves and the answer after it came; both happen in one transaction a turn of the
loop, so that several workers share a commit. No transaction is open while a request is under way.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from masanalytics.client.outcomes import SubmitResult, failed_submit
from masanalytics.clock import is_simulated
from masanalytics.errors import MasError, NetworkError, RefusedError
from masanalytics.i18n import choose
from masanalytics.sending.rate_limit import Pacer, Window
from masanalytics.sending.result import SendResult
from masanalytics.store import reconciliation, sends
from masanalytics.store.progress import campaign_progress
from masanalytics.store.sends import Answered, Claimed, RunStart, SendableBatch

if TYPE_CHECKING:
    from masanalytics.client import Client
    from masanalytics.store import Store

__all__ = ["Options", "Run"]

_LOG = logging.getLogger(__name__)
_REGISTER_AT_ONCE = 20_000
_UNKNOWN_IN_A_ROW = 10
_UNKNOWN_FROM_THE_START = 4
_NOT_SENT_IN_A_ROW = 5
_IDLE_S = 0.05


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes about it.

    Attributes
    ----------
    workers : int
        Requests under way at the same time.
    pacer, window : Pacer, Window or None
        How fast, and when.
    between : callable
        Other work, looked after while requests are under way.
    advance : callable
        Gets the number of messages settled, for a progress bar.
    """

    workers: int
    pacer: Pacer
    window: Window | None
    between: Callable[[], object]
    advance: Callable[[int], object]


class Run:
    """One call of `send`: sends batches of a plan and keeps the store true about them."""

    def __init__(self, start: RunStart, client: Client, store: Store, options: Options) -> None:
        self.client = client
        self.store = store
        self.options = options
        self.clock = client.clock
        self.result = SendResult(start.campaign, platform_time=is_simulated(self.clock))
        self._began = self.clock.monotonic()
        self._in_flight: dict[Future[SubmitResult], Claimed] = {}
        self._sizes: dict[int, int] = {}
        self.batch_ids: list[int] = []
        self._unknown_in_a_row = 0
        self._not_sent_in_a_row = 0
        self._hold_until = 0.0
        self._error: MasError | None = None
        with store.writing(durable=True) as conn:
            reconciliation.look_again(conn, sends.release_stale(conn, self.clock.now(), beginning=True))
            self.result.before = campaign_progress(conn, start.campaign).counts
            self.record = sends.start_run(conn, start, self.clock.now())

    def close(self) -> None:
        """Note in the store that the run has ended, and why."""
        self.result.seconds = self.clock.monotonic() - self._began
        with self.store.writing() as conn:
            sends.end_run(conn, self.record, self.result.stopped_because or "done", self.clock.now())

    def send(self, batches: Iterable[SendableBatch]) -> None:
        """Register batches and send them until all are done or something says stop; `result` and `failure` tell."""
        waiting = deque(self._register(batches))
        done: list[tuple[Claimed, SubmitResult]] = []
        with ThreadPoolExecutor(self.options.workers, thread_name_prefix="masanalytics-send") as pool:
            try:
                while waiting or self._in_flight or done:
                    for claimed, result in done:  # judged first: a refusal that hits every batch claims no other
                        self._count(claimed, result, waiting)
                    next_ids = [waiting.popleft() for _ in range(self._room(waiting))]
                    for claimed in self._turn(done, next_ids):
                        self._in_flight[pool.submit(self._submit, claimed)] = claimed
                    done = self._finished(waiting)
            except BaseException:
                self._wind_up(done)
                raise

    def _register(self, batches: Iterable[SendableBatch]) -> list[int]:
        """Write batches to the store, a part at a time, so that nobody else waits long."""
        planned = 0
        registered: dict[int, int] = {}
        for part in _parts(batches):
            planned += sum(len(batch.phones) for batch in part)
            with self.store.writing() as conn:
                registered |= sends.register(conn, self.record, part, self.clock.now())
        with self.store.writing() as conn:
            sends.drop_emptied(conn, self.record)
        self._sizes |= registered
        self.batch_ids += registered
        self.result.planned += planned
        self._skip(planned - sum(registered.values()))
        return list(registered)

    def _skip(self, messages: int) -> None:
        self.result.skipped += messages
        self.options.advance(messages)

    @property
    def failure(self) -> MasError | None:
        """What stopped the run, where it was an error."""
        return self._error

    def stop(self, because: str, error: MasError | None = None) -> None:
        """Claim nothing more; requests in flight are waited for."""
        if not self.result.stopped_because:
            self.result.stopped_because = because
            self._error = error

    # ---- one turn of the loop ---------------------------------------------------------------------------------------

    def _room(self, waiting: deque[int]) -> int:
        if not waiting:
            return 0
        if self.result.stopped_because:
            waiting.clear()
            return 0
        if self.options.window is not None and not self.options.window.allows(self.clock.now()):
            self.stop(
                choose(
                    f"the window {self.options.window} (China time) has ended; run it again within the window to go on",
                    f"已到允许时段 {self.options.window}（北京时间）之外；在时段内再次运行即可继续",
                )
            )
            waiting.clear()
            return 0
        if self._pause_s() > 0:
            return 0
        free = self.options.workers - len(self._in_flight)
        return min(free, len(waiting), 1 if self.options.pacer.limits else free)

    def _pause_s(self) -> float:
        return max(self.options.pacer.wait_s, self._hold_until - self.clock.monotonic())

    def _turn(self, done: list[tuple[Claimed, SubmitResult]], next_ids: list[int]) -> list[Claimed]:
        """Record what came back and claim what goes next, in one durable commit."""
        if not done and not next_ids:
            return []
        answers = [_answered(claimed, result) for claimed, result in done]
        with self.store.writing(durable=True) as conn:
            sends.record_answers(conn, answers)
            for answer in answers:
                if answer.state == "accepted":
                    reconciliation.adopt(conn, answer.batch_id)
            reconciliation.look_again(conn, [answer.batch_id for answer in answers if answer.state == "unknown"])
            claims = sends.claim(conn, self.record, next_ids, self.clock.now())
        done.clear()
        self._skip(sum(self._sizes[one] for one in next_ids) - sum(len(claimed.phones) for claimed in claims))
        for claimed in claims:
            self._sizes[claimed.batch_id] = len(claimed.phones)
            self.options.pacer.spend(len(claimed.phones))
        return claims

    def _finished(self, waiting: deque[int]) -> list[tuple[Claimed, SubmitResult]]:
        """Wait for a request to end (or for the pace), looking after other work meanwhile."""
        self.options.between()
        if not self._in_flight:
            pause = self._pause_s()
            if waiting and pause > 0:
                self.clock.sleep(min(pause, 1.0))
            return []
        may_claim_more = bool(waiting) and len(self._in_flight) < self.options.workers and self._pause_s() <= 0
        timeout = 0 if may_claim_more else _IDLE_S
        finished, _ = wait(self._in_flight, timeout=timeout, return_when=FIRST_COMPLETED)
        return [(self._in_flight.pop(future), future.result()) for future in finished]

    def _submit(self, claimed: Claimed) -> SubmitResult:
        """Run in a worker: one request. What the client refuses by itself (a number not allowed) surely never left."""
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
        self.result.requests += 1
        if result.outcome == "not_sent":
            self._not_sent(claimed, result, waiting)
            return
        self._not_sent_in_a_row = 0
        self._unknown_in_a_row = self._unknown_in_a_row + 1 if result.outcome == "unknown" else 0
        setattr(self.result, result.outcome, getattr(self.result, result.outcome) + size)
        self.options.advance(size)
        if result.outcome != "accepted" and _in_words(result) not in self.result.notices:
            self.result.notices.append(_in_words(result))
        most = _UNKNOWN_IN_A_ROW if self.result.accepted else _UNKNOWN_FROM_THE_START
        if result.fatal or self._unknown_in_a_row >= most:
            self._stop_for(result)

    def _not_sent(self, claimed: Claimed, result: SubmitResult, waiting: deque[int]) -> None:
        """Only what surely never left is tried again, later and later."""
        self._not_sent_in_a_row += 1
        if result.fatal or self._not_sent_in_a_row >= _NOT_SENT_IN_A_ROW or self.result.stopped_because:
            self.result.not_sent += len(claimed.phones)
            self._stop_for(result)
            return
        waiting.appendleft(claimed.batch_id)
        delay = 2.0 ** (self._not_sent_in_a_row - 1)
        self._hold_until = self.clock.monotonic() + delay
        _LOG.warning("a batch was not sent (%s); trying again in %.0f s", result.message, delay)

    def _stop_for(self, result: SubmitResult) -> None:
        text = _in_words(result)
        if result.outcome == "rejected":
            self.stop(text, RefusedError(text, rspcod=result.rspcod))
        elif result.error is not None:
            self.stop(text, result.error)
        else:
            self.stop(text, NetworkError(text, sent=result.outcome == "unknown", retryable=not result.fatal))

    def _wind_up(self, done: list[tuple[Claimed, SubmitResult]]) -> None:
        """After an error: wait for the requests in flight and record them, so that no more is in doubt than must be."""
        self.stop(choose("interrupted; run the same again to go on", "已中断；再次运行即可继续"))
        wait(self._in_flight)
        ended = [(claimed, future.result()) for future, claimed in self._in_flight.items() if not future.exception()]
        self._in_flight.clear()
        for claimed, result in ended:
            self._count(claimed, result, deque())
        self._turn([*done, *ended], [])


def _in_words(result: SubmitResult) -> str:
    parts = [part.rstrip(".。") for part in (result.message, result.advice) if part]
    return choose(". ", "。").join(parts)


def _answered(claimed: Claimed, result: SubmitResult) -> Answered:
    return Answered(
        claimed.batch_id, result.outcome, result.msg_group, result.rspcod, result.message, int(result.answered_at)
    )


def _parts(batches: Iterable[SendableBatch]) -> Iterator[list[SendableBatch]]:
    """Cut a stream of batches into parts of some twenty thousand messages."""
    stream = iter(batches)
    while first := list(islice(stream, 1)):
        part, size = first, len(first[0].phones)
        for batch in stream:
            part.append(batch)
            size += len(batch.phones)
            if size >= _REGISTER_AT_ONCE:
                break
        yield part
