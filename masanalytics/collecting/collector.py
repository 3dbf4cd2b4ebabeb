"""Fetching reports and replies: once, until nothing is left, until a campaign is heard of, or in the background."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, TypeVar

from masanalytics.clock import is_simulated
from masanalytics.collecting import notices
from masanalytics.collecting.poll_schedule import PollSchedule
from masanalytics.collecting.poller import Poller
from masanalytics.collecting.result import Collected
from masanalytics.collecting.wait_progress import WaitProgress
from masanalytics.errors import InputError, MasError, NetworkError, RefusedError, StoreError
from masanalytics.formatting import card
from masanalytics.i18n import Text, _, resolve_language, use_language
from masanalytics.protocol import FATAL, Endpoint, describe_rspcod
from masanalytics.store.intake import Received

if TYPE_CHECKING:
    from masanalytics.client import Client
    from masanalytics.clock import Clock
    from masanalytics.store import Store

__all__ = ["Collector"]

_LOG = logging.getLogger(__name__)
_GIVE_UP_AFTER = 12
_CATCH_UP_EVERY_S = 5.0
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
    >>> collected.rejected
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
        client.check_polling()
        self.client = client
        self.store = store
        self.clock: Clock = client.clock
        self.schedule = PollSchedule.of_account(
            client.account,
            store.intake,
            client.clock,
            asker=uuid.uuid4().hex[:12],
            idle_s=idle_s,
            margin_s=margin_s,
        )
        self.poller = Poller(client, store.intake, self.schedule)
        self.total = Collected()
        self._say = say
        self._language = resolve_language(language)  # a thread of its own does not know the caller's choice
        self._intake = store.intake
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: MasError | None = None
        self._lock = threading.RLock()
        self._helper: ThreadPoolExecutor | None = None
        self._greeted = False
        self._suspected: set[int] = set()
        self._catch_up_at = 0.0

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
        with self._saying_if_interrupted():
            collected = self._begin()
            for endpoint in both:
                collected.add(self._turn(endpoint))
            collected.drained = self.schedule.drained
        return collected

    def drain(self, timeout: float | None = None) -> Collected:
        """Poll until both queues are empty (or `timeout` seconds have passed).

        Returns
        -------
        Collected
            ``drained`` tells whether the queues were empty at the end, ``gave_up_s`` whether the timeout ended it.
        """
        with self._saying_if_interrupted():
            collected = self._begin()
            self.schedule.start_over()
            for received in self._turns(timeout):
                collected.add(received)
                if self.schedule.drained:
                    break
            collected.drained = self.schedule.drained
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
        with self._saying_if_interrupted():
            collected = self._begin()
            awaited = WaitProgress(self._intake, campaign, until, self.clock)
            collected.reported_before = awaited.progress.reported
            self._poll_until_enough(awaited, collected, timeout, shown=progress)
            collected.accepted, collected.reported = awaited.progress.accepted, awaited.progress.reported
            collected.reached = awaited.progress.share_reported
            collected.drained = self.schedule.drained
            self._note_time_up(collected, timeout, enough=awaited.is_enough)
            self._look_for_absent_reports()
        return collected

    def _poll_until_enough(
        self, awaited: WaitProgress, collected: Collected, timeout: float | None, *, shown: bool
    ) -> None:
        if awaited.is_enough:
            return
        with use_language(self._language), awaited.bar(shown=shown) as show:
            for received in self._turns(timeout):
                collected.add(received)
                awaited.note(received)
                show()
                if awaited.is_enough:
                    break
            awaited.count()
            show()

    def collect_if_due(self) -> Collected:
        """Poll once if it is this collector's turn now, otherwise return at once: for loops that have other work too.

        A poll without an answer is noted and logged, not raised: the other work goes on.
        """
        if self.schedule.due_in_s > 0:
            return Collected()
        collected = self._begin()
        endpoint = self.schedule.next_endpoint()
        turn = self.schedule.take_turn(endpoint)
        if not turn.poll_id:
            self.schedule.note_wait(turn.wait_s)
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
        if self._helper is not None:
            self._helper.shutdown(wait=False)
            self._helper = None
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
        with use_language(self._language):
            return f"Collector({self.client.account.name}, {self._state()}: {self.total.text()})"

    def _repr_html_(self) -> str:
        with use_language(self._language):
            title = _("Collector of {account}: {state}", account=self.client.account.name, state=self._state())
            return card(title, self.total.figures(), [self.total.text()])

    def _state(self) -> str:
        return _("running") if self.running else _("idle")

    # ---- how it works ---------------------------------------------------------------------------------------------

    def _check_wait(self, campaign: str | None, until: float) -> None:
        if not 0 <= until <= 1:
            raise InputError("until={until!r}: a share from 0 to 1, such as 0.99", until=until)
        if campaign is not None:
            self.store.sends.check_campaign(campaign)

    def _begin(self) -> Collected:
        if not self.running:
            self._stop.clear()  # an earlier stop() does not keep a later call from collecting
        collected = self._catch_up()
        self._greet()
        return collected

    def _catch_up(self) -> Collected:
        """Take in answers that wait, of this process or of one that is gone."""
        collected = Collected(platform_time=is_simulated(self.clock))
        self._catch_up_at = self.clock.monotonic() + _CATCH_UP_EVERY_S
        for received in self._shielded(self.poller.catch_up):
            for count in (collected, self.total):
                count.add(received)
                count.polls -= 1
        return collected

    @contextmanager
    def _saying_if_interrupted(self) -> Iterator[None]:
        """Say what a call had done when Ctrl-C, or the notebook's stop button, ended it."""
        before = deepcopy(self.total)
        try:
            yield
        except KeyboardInterrupt:
            self._tell(notices.interrupted(self.total.since(before).text(self._language)))
            raise

    def _note_time_up(self, collected: Collected, timeout: float | None, *, enough: bool) -> None:
        if timeout is not None and not enough and not self._stop.is_set():
            collected.gave_up_s = timeout

    def _greet(self) -> None:
        if self._greeted:
            return
        self._greeted = True
        account = self.client.account.name
        if self._intake.is_first_collection(account, self.clock.now()):
            self._tell(notices.first_collection(account))
        other = notices.other_store(self.client.account, self.store.path, self.clock.now())
        if other is not None:
            self._tell(notices.shared_account(account, other))

    def _tell(self, notice: Text) -> None:
        self._say(notice.text(self._language))

    def _look_for_absent_reports(self) -> None:
        """Say, once a batch, that its reports stay away although its neighbours' came."""
        for batch_id, share, others_share in self._intake.under_reported(self.client.account.name):
            if batch_id not in self._suspected:
                self._suspected.add(batch_id)
                self._tell(notices.reports_stay_away(batch_id, share, others_share))

    def _turns(self, timeout: float | None) -> Iterator[Received]:
        """Poll again and again; a platform out of reach is asked less and less often, then given up."""
        end = None if timeout is None else self.clock.monotonic() + timeout
        while not self._stop.is_set():
            pause = self.schedule.due_in_s
            if end is not None and self.clock.monotonic() + max(0.0, pause) > end:
                return
            if pause > 0 and self.clock.wait(self._stop, pause):
                return
            try:
                if self.clock.monotonic() >= self._catch_up_at:
                    self._catch_up()
                yield self._turn(self.schedule.next_endpoint())
            except NetworkError as error:
                self._note_failure(error)
                if not error.retryable or self.schedule.failures_in_a_row >= _GIVE_UP_AFTER:
                    raise

    def _note_failure(self, error: NetworkError) -> None:
        self.schedule.note_failure()
        _LOG.warning("poll without an answer (%s in a row): %s", self.schedule.failures_in_a_row, error.message)

    def _turn(self, endpoint: Endpoint) -> Received:
        """Wait for the account's turn and poll once."""
        while True:
            turn = self._shielded(lambda: self.schedule.take_turn(endpoint))
            if turn.poll_id:
                return self._poll(turn.poll_id, endpoint)
            if self.clock.wait(self._stop, turn.wait_s):
                return Received("records")

    def _poll(self, poll_id: int, endpoint: Endpoint) -> Received:
        failures_before = self.schedule.failures_in_a_row
        received = self._shielded(lambda: self._poll_and_count(poll_id, endpoint))
        if received.rspcod in FATAL:
            meaning, advice = describe_rspcod(received.rspcod)
            raise RefusedError(
                "{meaning} ({word}). {advice}",
                meaning=meaning,
                word=received.rspcod,
                advice=advice,
                rspcod=received.rspcod,
            )
        if received.kind != "records" and not failures_before:
            self._tell(notices.no_data(received.notice))
        return received

    def _poll_and_count(self, poll_id: int, endpoint: Endpoint) -> Received:
        """Poll, and count what came before anybody can interrupt."""
        received = self.poller.poll(poll_id, endpoint)
        with self._lock:
            self.total.add(received)
            self.schedule.note(endpoint, received)
        return received

    def _shielded(self, work: Callable[[], _T]) -> _T:
        """Run `work` where Ctrl-C cannot strike between an answer and its storing, and wait for it."""
        if threading.current_thread() is not threading.main_thread():
            return work()
        if self._helper is None:
            self._helper = ThreadPoolExecutor(1, thread_name_prefix="masanalytics-poll")
        future: Future[_T] = self._helper.submit(work)
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
            self._say(error.text(self._language))
        finally:
            self._intake.close_thread()
