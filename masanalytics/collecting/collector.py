"""Fetching reports and replies: once, until nothing is left, until a campaign is heard of, or in the background."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, TypeVar

from masanalytics.argument_kinds import CLIENT, LENGTH, NAME, STORE, TRUTH, takes
from masanalytics.clock import is_simulated
from masanalytics.collecting import notices
from masanalytics.collecting.poll_schedule import PollSchedule
from masanalytics.collecting.poller import Poller
from masanalytics.collecting.result import Collected
from masanalytics.collecting.side_work import do_quietly, log_quietly
from masanalytics.collecting.wait_progress import WaitProgress
from masanalytics.errors import InputError, MasError, NetworkError, RefusedError, StoreError
from masanalytics.formatting import card
from masanalytics.i18n import Text, _, resolve_language, use_language
from masanalytics.near_names import suggests_names
from masanalytics.protocol import FATAL, Endpoint, describe_rspcod
from masanalytics.store.intake import Received
from masanalytics.timezone import format_instant

if TYPE_CHECKING:
    from masanalytics.client import Client
    from masanalytics.clock import Clock
    from masanalytics.store import Store

__all__ = ["Collector"]

_LOG = logging.getLogger(__name__)
_GIVE_UP_AFTER = 12
_CATCH_UP_EVERY_S = 5.0
_LOOK_AROUND_EVERY_S = 60.0
_ENDS_WITHIN_S = 330.0
"""A poll under way has its answer within this time, or none."""
_PASSING = frozenset({"NOT_WHITE_IP"})
"""Refusals that pass while somebody sees to them at the console."""
_T = TypeVar("_T")


@suggests_names
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

    @takes(client=CLIENT, store=STORE, idle_s=LENGTH, margin_s=LENGTH)
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
        self._failure: Exception | None = None
        self._pid = os.getpid()
        self._silent_since: float | None = None
        self._silence: Text | str = ""
        self._not_data: set[Endpoint] = set()
        self._told_of: set[str] = set()
        self._look_around_at = 0.0
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

    @takes(campaign=NAME, until=LENGTH, timeout=LENGTH, progress=TRUTH)
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
            awaited.tell(collected)
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
        """Collect in the background until `stop`; returns itself. Starting twice is the same as once.

        A platform that is not reached is asked on, less often. When the process ends, the poll under way is waited for.
        """
        self._after_fork()
        if not self.running:
            self._stop.clear()
            self._failure = None
            self._thread = threading.Thread(target=self._run, name="masanalytics-collector", daemon=True)
            self._thread.start()
            atexit.unregister(self._end_with_the_process)
            atexit.register(self._end_with_the_process)
        return self

    def stop(self, timeout: float = 60.0) -> None:
        """Stop collecting in the background, after the poll under way; raise what had stopped it earlier, if anything."""
        self._after_fork()
        self._stop.set()
        atexit.unregister(self._end_with_the_process)
        thread = self._thread
        if thread is not None:
            thread.join(timeout)
            if not thread.is_alive():
                self._thread = None
        if self.poller.is_holding:  # there may be room by now, and nobody else asks before the process ends
            do_quietly(self._catch_up, "an answer held in memory")
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
        thread = self._thread
        return self._pid == os.getpid() and thread is not None and thread.is_alive()

    def __repr__(self) -> str:
        with use_language(self._language):
            return f"Collector({self.client.account.name}, {self._state()}: {self.total.text()})"

    def _repr_html_(self) -> str:
        with use_language(self._language):
            title = _("Collector of {account}: {state}", account=self.client.account.name, state=self._state())
            return card(title, self.total.figures(), [self.total.text()])

    def _state(self) -> str:
        state = _("running") if self.running else _("idle")
        if self._failure is not None:
            why = self._failure if isinstance(self._failure, MasError) else type(self._failure).__name__
            return _("stopped by an error: {why}", why=str(why))
        if self._silent_since is None:
            return state
        since = format_instant(self._silent_since)
        return _("{state}, no answer since {since}: {why}", state=state, since=since, why=str(self._silence))

    def _after_fork(self) -> None:
        """Begin anew in a forked process: threads, and locks that they hold, stay behind with the parent."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._lock, self._stop = threading.RLock(), threading.Event()
            self._thread = self._helper = None

    def _end_with_the_process(self) -> None:
        """Wait for the poll under way, so that its answer is stored; begin no other."""
        self._stop.set()
        thread = self._thread
        if self.running and thread is not None:
            thread.join(_ENDS_WITHIN_S)

    # ---- how it works ---------------------------------------------------------------------------------------------

    def _check_wait(self, campaign: str | None, until: float) -> None:
        if not 0 <= until <= 1:
            raise InputError("until={until!r}: a share from 0 to 1, such as 0.99", until=until)
        if campaign is not None:
            self.store.sends.check_campaign(campaign)

    def _begin(self) -> Collected:
        self._after_fork()
        if not self.running:
            self._stop.clear()  # an earlier stop() does not keep a later call from collecting
        collected = self._catch_up()
        do_quietly(self._greet, "the greeting")
        do_quietly(self._look_around, "the note for other stores")
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
        account = self.client.account
        if self._intake.is_first_collection(account.key, self.clock.now()):
            self._tell(notices.first_collection(account.name))
            known = self._intake.known_address(account.key)
            if known is not None:
                self._tell(notices.another_address(account, known))

    def _look_around(self) -> None:
        """Leave word that this store collects the account, and say, once each, which others do."""
        now = self.clock.monotonic()
        if now < self._look_around_at:
            return
        self._look_around_at = now + _LOOK_AROUND_EVERY_S
        other = notices.other_store(self.client.account, self.store.path, self.clock.now())
        if other is not None and other not in self._told_of:
            self._told_of.add(other)
            self._tell(notices.shared_account(self.client.account.name, other))

    def _tell(self, notice: Text) -> None:
        do_quietly(lambda: self._say(notice.text(self._language)), "a line")

    def _look_for_absent_reports(self) -> None:
        """Say, once a batch, that its reports stay away although its neighbours' came."""
        for batch_id, share, others_share in self._intake.under_reported(self.client.account.key):
            if batch_id not in self._suspected:
                self._suspected.add(batch_id)
                self._tell(notices.reports_stay_away(batch_id, share, others_share))

    def _turns(self, timeout: float | None, *, for_good: bool = False) -> Iterator[Received]:
        """Poll again and again; a platform out of reach is asked less and less often, and given up unless `for_good`."""
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
                do_quietly(self._look_around, "the note for other stores")
                yield self._turn(self.schedule.next_endpoint())
            except NetworkError as error:
                self._note_failure(error)
                if not error.retryable or (not for_good and self.schedule.failures_in_a_row >= _GIVE_UP_AFTER):
                    raise
            except RefusedError as error:
                if not for_good or error.rspcod not in _PASSING:
                    raise
                self._note_silence(error)

    def _note_failure(self, error: NetworkError) -> None:
        self.schedule.note_failure()
        self._note_silence(error)
        log_quietly(_LOG, "poll without an answer (%s in a row): %s", self.schedule.failures_in_a_row, error.message)

    def _note_silence(self, error: MasError) -> None:
        self._silence = error.said
        if self._silent_since is None:
            self._silent_since = self.clock.now()

    def _turn(self, endpoint: Endpoint) -> Received:
        """Wait for the account's turn and poll once; nothing is asked for while an answer has no room."""
        if self.poller.is_holding:
            self._catch_up()
        while True:
            turn = self._shielded(lambda: self.schedule.take_turn(endpoint))
            if turn.poll_id:
                return self._poll(turn.poll_id, endpoint)
            if self.clock.wait(self._stop, turn.wait_s):
                return Received("records")

    def _poll(self, poll_id: int, endpoint: Endpoint) -> Received:
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
        self._silent_since = None
        if received.kind == "records":
            self._not_data.discard(endpoint)
            return received
        if not self._not_data:  # said once, however often and in whichever queue it comes again
            self._tell(notices.no_data(received.notice, unreadable=received.kind == "unreadable"))
        self._not_data.add(endpoint)
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
                    for _ in self._turns(None, for_good=True):
                        pass
                except StoreError as error:
                    if not (error.retryable or self.poller.is_holding):
                        raise
                    self._note_silence(error)
                    log_quietly(_LOG, "%s", error.message)
                    self.clock.wait(self._stop, _CATCH_UP_EVERY_S)
        except Exception as error:  # noqa: BLE001 - raised by stop(), so that nothing ends collecting unnoticed
            self._failure = error
            log_quietly(_LOG, "collecting stopped", trace=True)
            unexpected = Text("{kind}: {error}", code="unexpected", kind=type(error).__name__, error=str(error))
            self._tell(error.said if isinstance(error, MasError) else unexpected)
        finally:
            self._intake.close_thread()
