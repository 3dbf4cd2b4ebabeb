"""Fetching reports and replies: once, until nothing is left, until a campaign is heard of, or in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, TypeVar

from masanalytics.clock import is_simulated
from masanalytics.collecting import notices
from masanalytics.collecting.neighbours import other_store
from masanalytics.collecting.poll_schedule import Rhythm
from masanalytics.collecting.poller import Poller
from masanalytics.collecting.result import Collected
from masanalytics.collecting.wait_progress import Awaited
from masanalytics.errors import InputError, MasError, NetworkError, RefusedError, StoreError
from masanalytics.formatting import card
from masanalytics.i18n import choose
from masanalytics.protocol import FATAL, Endpoint, describe_rspcod
from masanalytics.store.doubts import under_reported
from masanalytics.store.poll_ingestion import Received
from masanalytics.store.turns import first_collection

if TYPE_CHECKING:
    from masanalytics.client import Client
    from masanalytics.clock import Clock
    from masanalytics.store import Store

__all__ = ["Collector"]

_LOG = logging.getLogger(__name__)
_GIVE_UP_AFTER = 12
_LOOK_EVERY_S = 5.0
_T = TypeVar("_T")


class Collector:
    """Polls an account, paced, and never loses what was handed out.

    Parameters
    ----------
    client : Client
        Whose account is polled.
    store : Store
        Where reports and replies go.
    idle_s : float, optional
        The longest pause between polls of an account that has nothing, in seconds.
    margin_s : float, optional
        Added to the account's ``poll_interval``, so that a quick network does not bring two polls too close.
    say : callable, optional
        Gets the few lines a person must see (the first collection of an account, a platform that refuses); by default
        they go to stderr.
    language : {"en", "zh"}, optional
        Language of those lines.

    Examples
    --------
    >>> import masanalytics as mas
    >>> with mas.Simulator(https=False, speed=3600) as sim, mas.Store(":memory:", clock=sim.clock) as store:
    ...     client = sim.client()
    ...     answer = client.submit(["13800138000"], "您好")
    ...     collected = mas.Collector(client, store, say=print, language="en").collect()
    First collection ... are kept and listed by store.foreign_reports().
    >>> collected.refused
    0
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        *,
        idle_s: float = 60.0,
        margin_s: float | None = None,
        say: Callable[[str], object] = notices.to_stderr,
        language: str | None = None,
    ) -> None:
        interval = client.account.poll_interval
        self.client = client
        self.store = store
        self.clock: Clock = client.clock
        self.rhythm = Rhythm(interval_s=interval, idle_s=idle_s)
        self.total = Collected()
        self._say = say
        self._language = language
        interval += interval * 0.02 if margin_s is None else margin_s
        self._poller = Poller(client, store, interval_s=interval, clock=self.clock)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: MasError | None = None
        self._lock = threading.RLock()
        self._hand: ThreadPoolExecutor | None = None
        self._greeted = False
        self._suspected: set[int] = set()
        self._due_at = self._look_at = 0.0

    # ---- the ways to run ------------------------------------------------------------------------------------------

    def collect(self) -> Collected:
        """Ask each queue once (reports, then replies) and store what came.

        Returns
        -------
        Collected
            What the two polls brought.

        Raises
        ------
        NetworkError
            If the platform was not reached or its answer was lost.
        StoreError
            If an answer could not be stored; its text says where it waits.
        """
        both: tuple[Endpoint, Endpoint] = ("report", "deliver")
        with self._told_if_interrupted():
            collected = self._begin()
            for endpoint in both:
                collected.add(self._turn(endpoint))
            collected.drained = self.rhythm.drained
        return collected

    def drain(self, timeout: float | None = None) -> Collected:
        """Poll until both queues are empty (or `timeout` seconds have passed).

        Returns
        -------
        Collected
            ``drained`` tells whether the queues were empty at the end, ``gave_up_s`` whether the timeout ended it.
        """
        with self._told_if_interrupted():
            collected = self._begin()
            self.rhythm.start_over()
            for received in self._turns(timeout):
                collected.add(received)
                if self.rhythm.drained:
                    break
            collected.drained = self.rhythm.drained
            self._note_time_up(collected, timeout, enough=collected.drained)
            self._look_for_absent_reports()
        return collected

    def wait(
        self, campaign: str | None = None, until: float = 0.99, timeout: float | None = None, *, progress: bool = True
    ) -> Collected:
        """Poll until a share of the campaign's accepted messages has been reported.

        Parameters
        ----------
        campaign : str, optional
            The campaign waited for; by default all messages of the store.
        until : float, optional
            The share, 0 to 1.
        timeout : float, optional
            Give up after this many seconds. Reports trickle in for up to 72 hours, so some never reach 100 %.
        progress : bool, optional
            Whether to show a bar.

        Returns
        -------
        Collected
            ``reached`` is the share at the end; falling short of `until` is not an error, and ``gave_up_s`` says so.
        """
        self._check_wait(campaign, until)
        with self._told_if_interrupted():
            collected = self._begin()
            awaited = Awaited(self.store, campaign, until, self.clock)
            collected.reported_before = awaited.progress.reported
            if not awaited.is_enough:
                with awaited.bar(self._language, progress=progress) as show:
                    for received in self._turns(timeout):
                        collected.add(received)
                        awaited.note(received)
                        show()
                        if awaited.is_enough:
                            break
                    awaited.count()
                    show()
            collected.accepted, collected.reported = awaited.progress.accepted, awaited.progress.reported
            collected.reached = awaited.progress.share_reported
            collected.drained = self.rhythm.drained
            self._note_time_up(collected, timeout, enough=awaited.is_enough)
            self._look_for_absent_reports()
        return collected

    def collect_if_due(self) -> Collected:
        """Poll once if it is this collector's turn now, otherwise return at once: for loops that have other work too.

        A poll without an answer is noted and logged, not raised: the other work goes on.
        """
        if self.clock.monotonic() < self._due_at:
            return Collected()
        collected = self._begin()
        endpoint = self.rhythm.next_endpoint()
        turn = self._poller.take_turn(endpoint)
        if not turn.poll_id:
            self._due_at = self.clock.monotonic() + turn.wait_s
            return collected
        try:
            collected.add(self._poll(turn.poll_id, endpoint))
        except NetworkError as error:
            self._note_failure(error)
        return collected

    def start(self) -> Collector:
        """Collect in the background until `stop`; returns itself. Starting twice is the same as once."""
        if self._thread is None or not self._thread.is_alive():
            self._stop.clear()
            self._failure = None
            self._thread = threading.Thread(target=self._run, name="masanalytics-collector", daemon=True)
            self._thread.start()
        return self

    def stop(self, timeout: float = 60.0) -> None:
        """Stop collecting in the background, after the poll under way; raise what had stopped it earlier, if anything."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)
            self._thread = None
        if self._hand is not None:
            self._hand.shutdown(wait=False)
            self._hand = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def __enter__(self) -> Collector:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it collects in the background now."""
        return self._thread is not None and self._thread.is_alive()

    def __repr__(self) -> str:
        return f"Collector({self.client.account.name}, {self._state()}: {self.total.text(self._language)})"

    def _repr_html_(self) -> str:
        name = self.client.account.name
        title = choose(f"Collector of {name}: ", f"采集 {name}：", self._language)
        return card(title + self._state(), self.total.figures(self._language), [self.total.text(self._language)])

    def _state(self) -> str:
        return choose(*(("running", "运行中") if self.running else ("idle", "未运行")), self._language)

    # ---- how it works ---------------------------------------------------------------------------------------------

    def _check_wait(self, campaign: str | None, until: float) -> None:
        if not 0 <= until <= 1:
            raise InputError(
                f"until={until!r}: a share from 0 to 1, such as 0.99", zh=f"until={until!r}：应为 0 到 1 之间"
            )
        if campaign is not None:
            self.store.check_campaign(campaign)

    def _begin(self) -> Collected:
        if not self.running:
            self._stop.clear()  # an earlier stop() does not keep a later call from collecting
        collected = self._catch_up()
        self._greet()
        return collected

    def _catch_up(self) -> Collected:
        """Take in answers that wait, of this process or of one that is gone."""
        collected = Collected(platform_time=is_simulated(self.clock))
        self._look_at = self.clock.monotonic() + _LOOK_EVERY_S
        for received in self._shielded(self._poller.catch_up):
            for count in (collected, self.total):
                count.add(received)
                count.polls -= 1
        return collected

    @contextmanager
    def _told_if_interrupted(self) -> Iterator[None]:
        """Say what a call had done when Ctrl-C, or the notebook's stop button, ended it."""
        before = deepcopy(self.total)
        try:
            yield
        except KeyboardInterrupt:
            self._tell(notices.INTERRUPTED, done=self.total.since(before).text(self._language))
            raise

    def _note_time_up(self, collected: Collected, timeout: float | None, *, enough: bool) -> None:
        if timeout is not None and not enough and not self._stop.is_set():
            collected.gave_up_s = timeout

    def _greet(self) -> None:
        if self._greeted:
            return
        self._greeted = True
        account = self.client.account.name
        with self.store.writing() as conn:
            first = first_collection(conn, account, self.clock.now())
        if first:
            self._tell(notices.FIRST_COLLECTION, account=account)
        other = other_store(self.client.account, self.store.path, self.clock.now())
        if other is not None:
            self._tell(notices.OTHER_STORE, account=account, other=other)

    def _tell(self, texts: tuple[str, str], /, **facts: object) -> None:
        self._say(choose(*texts, self._language).format(**facts))

    def _look_for_absent_reports(self) -> None:
        """Say, once a batch, that its reports stay away although its neighbours' came."""
        with self.store.reading() as conn:
            found = under_reported(conn, self.client.account.name)
        for batch_id, share, others in found:
            if batch_id not in self._suspected:
                self._suspected.add(batch_id)
                self._tell(notices.REPORTS_STAY_AWAY, batch=batch_id, share=share, others=others)

    def _turns(self, timeout: float | None) -> Iterator[Received]:
        """Poll again and again; a platform out of reach is asked less and less often, then given up."""
        end = None if timeout is None else self.clock.monotonic() + timeout
        while not self._stop.is_set():
            pause = self._due_at - self.clock.monotonic()
            if end is not None and self.clock.monotonic() + max(0.0, pause) > end:
                return
            if pause > 0 and self.clock.wait(self._stop, pause):
                return
            try:
                if self.clock.monotonic() >= self._look_at:
                    self._catch_up()
                yield self._turn(self.rhythm.next_endpoint())
            except NetworkError as error:
                self._note_failure(error)
                if not error.retryable or self.rhythm.refused >= _GIVE_UP_AFTER:
                    raise

    def _note_failure(self, error: NetworkError) -> None:
        self.rhythm.note_failure()
        self._due_at = self.clock.monotonic() + self.rhythm.pause_s
        _LOG.warning("poll without an answer (%s in a row): %s", self.rhythm.refused, error.message)

    def _turn(self, endpoint: Endpoint) -> Received:
        """Wait for the account's turn and poll once."""
        while True:
            turn = self._shielded(lambda: self._poller.take_turn(endpoint))
            if turn.poll_id:
                return self._poll(turn.poll_id, endpoint)
            if self.clock.wait(self._stop, turn.wait_s):
                return Received("records")

    def _poll(self, poll_id: int, endpoint: Endpoint) -> Received:
        refused_before = self.rhythm.refused
        received = self._shielded(lambda: self._asked(poll_id, endpoint))
        if received.kind == "refused" and received.notice in FATAL:
            meaning, advice = describe_rspcod(received.notice)
            raise RefusedError(f"{meaning} ({received.notice}). {advice}", rspcod=received.notice)
        if received.kind != "records" and not refused_before:
            self._tell(notices.NOT_DATA, notice=received.notice or "-")
        return received

    def _asked(self, poll_id: int, endpoint: Endpoint) -> Received:
        """Poll, and count what came before anybody can interrupt."""
        received = self._poller.poll(poll_id, endpoint)
        with self._lock:
            self.total.add(received)
            self.rhythm.note(endpoint, received)
            self._due_at = self.clock.monotonic() + self.rhythm.pause_s
        return received

    def _shielded(self, work: Callable[[], _T]) -> _T:
        """Run `work` where Ctrl-C cannot strike between an answer and its storing, and wait for it."""
        if threading.current_thread() is not threading.main_thread():
            return work()
        if self._hand is None:
            self._hand = ThreadPoolExecutor(1, thread_name_prefix="masanalytics-poll")
        future: Future[_T] = self._hand.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.exception()
            raise

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._begin()
                    for _ in self._turns(None):
                        pass
                except StoreError as error:
                    if not error.retryable:
                        raise
                    _LOG.warning("%s", error.message)
                    self.clock.wait(self._stop, 5.0)
        except MasError as error:
            self._failure = error
            _LOG.exception("collecting stopped")
            self._say(str(error))
        finally:
            self.store.close_thread()
