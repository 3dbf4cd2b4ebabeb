"""Carrying a plan out, so that running the same cell again sends only what was not sent."""

from __future__ import annotations

import dataclasses
import signal
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain
from math import isclose
from numbers import Integral, Real
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.account import Budget
from masanalytics.argument_kinds import CLIENT, STORE, TEXT, TRUTH, check_kind, takes, wrong_kind
from masanalytics.client import Client
from masanalytics.collecting import Collector
from masanalytics.collecting.notices import to_stderr
from masanalytics.errors import InputError, StoreError
from masanalytics.i18n import Text, _
from masanalytics.near_names import check_arguments, named_arguments
from masanalytics.phones import normalise_phones
from masanalytics.planning import Plan, PlannedBatch
from masanalytics.planning import plan as make_plan
from masanalytics.planning.arguments import GONE, check_gone
from masanalytics.planning.columns import as_frame
from masanalytics.planning.kept_columns import check_spelling
from masanalytics.planning.planned import SendingAccount
from masanalytics.planning.window import Window
from masanalytics.progress_bar import progress_bar
from masanalytics.sending.canary import Canary
from masanalytics.sending.job_weight import check_proof, claim_rules, is_out, weigh
from masanalytics.sending.rate_limit import Pacer
from masanalytics.sending.send_result import SendResult
from masanalytics.sending.sender import INTERRUPTED, Options, Sender
from masanalytics.store import Store
from masanalytics.store.sends import CanaryState, ClaimRules, RunStart
from masanalytics.vocabulary import PROOF

if TYPE_CHECKING:
    from masanalytics.aliases import Table

__all__ = ["check_hours", "deferred_interrupt", "portions", "send"]


@named_arguments
@takes(wait=TRUTH, collect=TRUTH, progress=TRUTH, over_budget=TEXT)
def send(
    work: Plan | Table,
    client: Client,
    store: Store,
    *,
    confirm: int | None = None,
    workers: int = 2,
    rate: float | None = None,
    window: tuple[str, str] | None = None,
    wait: bool = False,
    canary: int | str | Canary | None = None,
    limit: int | None = None,
    to: list[str] | None = None,
    over_budget: str = "refuse",
    collector: Collector | None = None,
    collect: bool | None = None,
    progress: bool = True,
    **planning: Any,
) -> SendResult:
    """Send what the plan shows: each number at most once, and everybody who should get it.

    Before a request leaves, the store says that it may have been sent. Whatever is interrupted, run the same again: what
    was taken stays taken, what was never sent is sent, and what may have been sent is left alone until its reports, or
    you, say what became of it.

    Parameters
    ----------
    work : Plan or DataFrame
        A plan, or a DataFrame together with the arguments of `masanalytics.plan` (``phone=``, ``text=``, ``campaign=``, …).
    client : Client
        The account to send with.
    store : Store
        Where everything is recorded.
    confirm : int, optional
        Refuse to run unless the plan is for exactly so many messages.
    workers : int, optional
        Requests under way at the same time.
    rate : float, optional
        The most messages a second, in every minute; for a DataFrame. A plan has its own (``mas.plan(rate=)``), to which requests
        were cut: another one is refused. The pace is the account's, between stores and processes of this user too.
    window : (str, str), optional
        Hours in China time, such as ``("08:00", "21:00")``: a run that would end outside is refused, and one that reaches
        the edge stops there and says so. Of a plan whose ``spread=`` named hours, only those that lie in both.
    wait : bool, optional
        Pause while the window is closed, collecting goes on, and send the rest when it opens. The process must live on.
    canary : int, Canary or "go on", optional
        Send so many first, wait for their reports, and go on only if they look normal. The canary is a state of the round,
        kept in the store: until it is judged normal by its own reports nothing else of the round goes, whoever asks.
        ``"go on"`` is your word that the rest may go all the same.
    limit : int, optional
        Send the next so many messages of the plan; the rest is held, and goes in later calls.
    to : list of str, optional
        Send the plan's first message to these numbers instead, as a proof: the campaign's state is not touched.
    over_budget : {"refuse", "hold"}, optional
        What becomes of a job that is more than is left of the account's budget (``Account(budget=)``): refused as a whole, or
        sent as far as it fits, and the rest is held until the budget resets. Other processes that send at the same time count.
    collector : Collector, optional
        Polls for reports in the idle time of sending (and for the canary).
    collect : bool, optional
        Whether to do so; by default where a collector is given.
    progress : bool, optional
        Whether to show a bar.
    **planning
        For a DataFrame: what `masanalytics.plan` takes.

    Returns
    -------
    SendResult
        What was sent, and what the store had found from earlier runs.

    Raises
    ------
    InputError
        If `confirm`, `window` or the plan does not allow it; nothing is sent.
    BudgetError
        If the job is more than is left of the account's budget; nothing is sent.
    RefusedError
        If the platform rejects a batch in a way that would hit every other (wrong key, address not allowed, …).
    NetworkError, CertificateError
        If the platform cannot be reached.
    """
    _check_places(client, store)
    confirm = _checked_whole("confirm", confirm, least=0)
    if (workers := _checked_whole("workers", workers)) is None:  # type: ignore[assignment]
        raise wrong_kind("workers", None, Text("a whole number from 1"))
    limit = _checked_whole("limit", limit)
    rules = Canary.of(canary)
    new_file = str(store.path) if store.is_new and store.sends.is_empty else ""
    plan = _as_plan(work, client, store, planning if rate is None else {**planning, "rate": rate})
    size = len(plan)
    if confirm is not None and confirm != size:
        raise InputError(
            "confirm={confirm:,}, but the plan is for {count:,} message: look at the plan again. Nothing was sent",
            "confirm={confirm:,}, but the plan is for {count:,} messages: look at the plan again. Nothing was sent",
            confirm=confirm,
            count=size,
        )
    if collector is not None and not hasattr(collector, "collect_if_due"):
        raise wrong_kind("collector", collector, Text("a collector, such as mas.Collector(client, store)"))
    if to is not None:
        return _send_proof(plan, client, store, to)
    hours = check_hours(plan, window, client.clock.now(), waits=wait)
    weight = weigh(plan, client.account, store.sends, client.clock.now(), limit=limit, over_budget=over_budget)
    limit = limit if weight.messages is None else weight.messages
    # Reports of an account of the HTTP flavour are pushed: a receiver writes them into the store.
    judges = rules is not None and not client.account.is_pushed
    if collector is None and (collect or judges):
        collector = Collector(client, store)
    between = collector.collect_if_due if collector is not None and collect is not False else _nothing
    with _bar(size if limit is None else min(size, limit), progress=progress) as advance:
        # A batch that is claimed and waits for a connection would be in doubt if the process ended now.
        workers = min(workers, client.network.connections)
        pacer = Pacer(plan.pace, client.clock, "{1} {0}".format(*client.account.key))
        options = Options(workers, pacer, hours, wait, between, advance, weight.short)
        sender = Sender(_start_of(plan, client), client, store.sends, options)
        if isinstance(canary, str):  # the user's word
            store.release(plan.campaign, plan.round)
        elif rules is not None and size:
            store.sends.begin_canary(sender.run, rules.rules())
        job = _Job(plan, sender, collector, limit, waits_for_canary=rules is not None, new_file=new_file)
        return job.carry_out()


def check_hours(plan: Plan, window: tuple[str, str] | None, now: float, *, waits: bool) -> Window | None:
    """Return the hours of the day in which a plan goes, by the call and by its own; None where it may go at any time.

    Raises
    ------
    InputError
        If they are none, have none in common, or do not hold the plan from now on, and are not waited for.
    """
    hours, own = Window.parse(window), Window.parse(plan.window)
    if own is not None:
        hours = own if hours is None else own.narrowed(hours)
    if hours is not None and len(plan) and not waits:
        hours.check(now, plan.seconds)
    return hours


def _start_of(plan: Plan, client: Client) -> RunStart:
    account = client.account
    rules = claim_rules(plan, account)
    known = plan.template_id is not None and plan.template_text is not None
    template = (str(plan.template_id), str(plan.template_text)) if known else None
    return RunStart(
        plan.campaign, account.key, plan.round, plan.key, plan.hash, account.add_serial, rules, template, plan.held_out
    )


@dataclass(frozen=True, slots=True)
class _Job:
    """One call of `send`: the plan's messages in one portion, or the canary's before all others."""

    plan: Plan
    sender: Sender
    collector: Collector | None
    limit: int | None
    waits_for_canary: bool
    new_file: str

    def carry_out(self) -> SendResult:
        """Send part after part. An interrupt ends as KeyboardInterrupt, after it was said what had been done."""
        sender, collector = self.sender, self.collector
        before = None if collector is None else deepcopy(collector.total)

        def result() -> SendResult:
            collected = None if collector is None or before is None else collector.total.since(before)
            found = sender.result(self.plan.identities(), collected, self._reopened())
            left_out = self.plan.left_out.counts()
            silent = len(self.plan.held_out or ())
            return dataclasses.replace(found, new_file=self.new_file, silent=silent, left_out=left_out)

        try:
            try:
                self._send_parts()
            finally:
                sender.close()
        except KeyboardInterrupt:
            to_stderr(result().text())
            raise
        except StoreError as error:
            with suppress(StoreError):
                error.add_note(result().text())
            raise
        if sender.failure is not None:
            sender.failure.add_note(result().text())
            raise sender.failure
        return result()

    def _reopened(self) -> int:
        """Return how many messages that the plan left out, as sent already or over the cap, may go by what is known now."""
        sender, left_out = self.sender, self.plan.left_out
        is_still_out = is_out(self.plan, sender.sends, sender.run.rules, sender.clock.now())
        sent = sum(sender.sends.count_reopened(sender.run, *identities) for identities in left_out.already_sent())
        return sent + sum(int((~is_still_out(*identities)).sum()) for identities in left_out.over_cap())

    def _send_parts(self) -> None:
        sender = self.sender
        canary = sender.sends.canary_state(sender.run)
        unsent = self.plan.iter_batches()
        if canary.holds or self.limit is not None:
            unsent = _unsent(unsent, is_out(self.plan, sender.sends, sender.run.rules, sender.clock.now()))
        with deferred_interrupt(lambda: sender.stop(INTERRUPTED)):
            unsent, is_empty = _looked_into(unsent)
            if canary.holds and not canary.room and not is_empty:
                # The canary is out: who waits for it must not take over what another run keeps ready behind it.
                self._judge(canary, expected=int(canary.rules["size"]))
                canary = sender.sends.canary_state(sender.run)
                if sender.is_stopped:
                    return
            parts = portions(unsent, first=canary.room if canary.holds else None, most=self.limit)
            registered: list[list[int]] = []
            tried = 0
            for part in parts:  # before the canary leaves, the store knows of everybody who waits for it
                is_canary = canary.holds and not registered
                batches = list(part) if is_canary else part
                tried += sum(map(len, batches)) if isinstance(batches, list) else 0
                registered.append(sender.register(batches, canary=is_canary))
            for number, batch_ids in enumerate(registered):
                if number > 0:
                    size = int(canary.rules["size"])
                    self._judge(canary, expected=min(size, size - canary.room + tried))
                if sender.is_stopped:
                    break
                sender.send(batch_ids)
        if self.limit is not None:
            sender.keep_for_later()

    def _judge(self, canary: CanaryState, *, expected: int) -> None:
        """Let the rest go only if the canary's reports look normal; a call that asks for none waits for none."""
        Canary.of_rules(canary.rules).judge(self.sender, self.collector, expected=expected, waits=self.waits_for_canary)


def _as_plan(work: Plan | Table, client: Client, store: Store, planning: dict[str, Any]) -> Plan:
    if isinstance(work, Plan):
        _check_rate(work, planning.pop("rate", None))
        check_gone({name: value for name, value in planning.items() if name in GONE})
        if planning:
            names = ", ".join(sorted(planning))
            raise InputError("a plan is sent as it is: {names} is for mas.plan(...). Nothing was sent", names=names)
        _check_account(work, client)
        if work.planned.kept is not None:
            check_spelling(work.planned.kept.names, store)
        return work
    if twice := sorted({"store", "account"} & set(planning)):
        raise InputError(
            "{names}: send(work, client, store) has the store as it is, and the account from its client. Nothing was sent",
            names=", ".join(f"{name}=" for name in twice),
        )
    as_frame(work)
    check_gone({name: value for name, value in planning.items() if name in GONE})
    check_arguments(make_plan, planning)
    if missing := [name for name in ("phone", "campaign") if name not in planning]:
        raise InputError(
            "a frame is planned first, as mas.plan(...) does it: say {names} too. Nothing was sent",
            names=", ".join(f"{name}=" for name in missing),
        )
    return make_plan(work, store=store, account=client.account, **planning)


def _check_account(plan: Plan, client: Client) -> None:
    """Refuse a plan that was made for an account which sends under another signature or extension."""
    sender = SendingAccount.of(client.account)
    if plan.account is not None and plan.account != sender:
        raise InputError(
            "the plan was made for {planned}, and this client sends as {sender}: make it again with account=client.account. Nothing"
            " was sent",
            planned=plan.account.words(),
            sender=sender.words(),
        )


def _check_rate(plan: Plan, rate: object) -> None:
    """Refuse a rate that is not the plan's: its requests were cut to its own, or to none."""
    if rate is None or (plan.rate is not None and isinstance(rate, Real) and isclose(rate, plan.rate)):
        return
    raise InputError(
        "rate={rate!r}: requests are cut when the plan is made, so the rate belongs there: mas.plan(..., rate={rate!r}). "
        "Nothing was sent",
        rate=rate,
    )


def _check_places(client: object, store: object) -> None:
    if isinstance(client, Store) or isinstance(store, Client):
        raise InputError("send(work, client, store): the client comes before the store. Nothing was sent")
    check_kind("client", client, CLIENT)
    check_kind("store", store, STORE)


def _checked_whole(name: str, value: int | None, *, least: int = 1) -> int | None:
    """Return a whole number from 1 (or `least`), numpy's own too."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, Integral) or value < least):
        raise InputError("{name}={value!r}: a whole number from {least}", name=name, value=value, least=least)
    return None if value is None else int(value)


def _nothing(_messages: int = 0) -> None:
    """Show nothing, and do nothing between requests."""


@contextmanager
def _bar(total: int, *, progress: bool) -> Iterator[Callable[[int], object]]:
    """Show a bar where there is something to send."""
    with progress_bar(total, title=_("sent"), shown=progress and bool(total)) as bar:
        yield bar.update


# ---- cutting the plan ------------------------------------------------------------------------------------------------


def portions(
    batches: Iterable[PlannedBatch], *, first: int | None, most: int | None
) -> Iterator[Iterable[PlannedBatch]]:
    """Yield the batches in one portion, or in two.

    Parameters
    ----------
    first : int, optional
        How many messages make a portion of their own, sent before the others.
    most : int, optional
        Leave out what comes after so many messages.

    Yields
    ------
    iterable of PlannedBatch
        A batch that lies on a border is cut. The second portion comes only where there is something in it.
    """
    stream = iter(batches) if most is None else iter(_take(iter(batches), most)[0])
    if first is None:
        yield stream
        return
    head, left = _take(stream, first)
    yield head
    following = next(stream, None) if left is None else left
    if following is not None:
        yield chain([following], stream)


def _looked_into(batches: Iterable[PlannedBatch]) -> tuple[Iterator[PlannedBatch], bool]:
    """Return the batches, and whether there are none."""
    stream = iter(batches)
    first = next(stream, None)
    return iter(()) if first is None else chain([first], stream), first is None


def _take(stream: Iterator[PlannedBatch], size: int) -> tuple[list[PlannedBatch], PlannedBatch | None]:
    """Take `size` messages off the stream; return their batches, and the rest of the one on the border."""
    head: list[PlannedBatch] = []
    while size > 0:
        batch = next(stream, None)
        if batch is None:
            break
        if len(batch) > size:
            return [*head, batch.only(range(size))], batch.only(range(size, len(batch)))
        head.append(batch)
        size -= len(batch)
    return head, None


def _unsent(batches: Iterable[PlannedBatch], out: Callable[..., npt.NDArray[np.bool_]]) -> Iterator[PlannedBatch]:
    """Yield the messages that are left to send: what a limit, a canary or a budget counts."""
    for batch in batches:
        places = np.flatnonzero(~out(batch.phones, batch.keys)).tolist()
        if len(places) == len(batch):
            yield batch
        elif places:
            yield batch.only(places)


# ---- a proof ---------------------------------------------------------------------------------------------------------


def _send_proof(plan: Plan, client: Client, store: Store, to: list[str]) -> SendResult:
    """Send the first message of a plan to the given numbers, recorded as the campaign ``NAME (proof)``.

    The campaign itself is not touched, and the proof's reports are known to be ours.
    """
    numbers = list(to) if isinstance(to, Iterable) and not isinstance(to, str) else [to]
    phones = normalise_phones(pd.Series(numbers, dtype=object))["phone"]
    if phones.isna().any() or not len(phones):
        raise InputError("to=: give mobile numbers, as a list of texts")
    if not len(plan):
        raise InputError("the plan has no message to show")
    first, own = plan.batch(0), list(dict.fromkeys(phones))
    now, segments = client.clock.now(), first.segments[0]
    check_proof(client.account, store.sends, now, segments=segments, numbers=len(own))
    rules = ClaimRules(Budget.of(client.account), outside_caps=True)
    start = dataclasses.replace(
        _start_of(plan, client),
        campaign=f"{plan.campaign} ({PROOF})",
        round=PROOF,
        key=PROOF,
        rules=rules,
        held_out=None,
    )
    sender = Sender(start, client, store.sends, Options(1, Pacer(None, client.clock), None, False, _nothing, _nothing))
    # A proof may be sent as often as it is asked for: each has a key of its own.
    batch = first.first_to(own, uuid.uuid4().hex)
    try:
        sender.send(sender.register([batch]))
    finally:
        sender.close()
    if sender.failure is not None:
        raise sender.failure
    return sender.result([(batch.phones, batch.keys)])


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------


@contextmanager
def deferred_interrupt(on_first: Callable[[], None]) -> Iterator[None]:
    """Call `on_first` at the first Ctrl-C (or interrupted kernel) and raise KeyboardInterrupt only at the end.

    An exception raised in the middle of a run could fall between a claim and its request. A second Ctrl-C interrupts at
    once all the same. Outside the main thread, where Python delivers no signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Any = signal.getsignal(signal.SIGINT)
    interrupted = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True
        on_first()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupted:
        raise KeyboardInterrupt
