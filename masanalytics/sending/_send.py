"""Carrying a plan out, so that running the same cell again sends only what was not sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from masanalytics.collecting import Collector
from masanalytics.collecting.notices import to_stderr
from masanalytics.errors import InputError
from masanalytics.i18n import choose, counted
from masanalytics.planning import Plan, PlannedBatch
from masanalytics.planning import plan as make_plan
from masanalytics.sending.canary import Canary
from masanalytics.sending.portions import portions
from masanalytics.sending.proof import send_proof
from masanalytics.sending.rate_limit import Pacer, Window
from masanalytics.sending.result import SendResult
from masanalytics.sending.sender import Options, Run
from masanalytics.sending.signals import deferred_interrupt
from masanalytics.store.sends import RunStart

if TYPE_CHECKING:
    from masanalytics.client import Client
    from masanalytics.store import Store

__all__ = ["send"]


def send(
    work: Plan | Any,
    client: Client,
    store: Store,
    *,
    confirm: int | None = None,
    workers: int = 2,
    rate: float | None = None,
    window: tuple[str, str] | None = None,
    canary: int | Canary | None = None,
    limit: int | None = None,
    to: list[str] | None = None,
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
        Messages a second, on average.
    window : (str, str), optional
        Hours in China time, such as ``("08:00", "21:00")``: a run that would end outside is refused, and one that reaches
        the edge stops there and says so.
    canary : int or Canary, optional
        Send so many first, wait for their reports, and go on only if they look normal.
    limit : int, optional
        Send at most so many messages of the plan.
    to : list of str, optional
        Send the plan's first message to these numbers instead, as a proof: the campaign's state is not touched.
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
    RefusedError
        If the platform refuses in a way that would hit every batch (wrong key, address not allowed, …).
    NetworkError, CertificateError
        If the platform cannot be reached.
    """
    _check_whole("workers", workers)
    _check_whole("limit", limit)
    plan = _as_plan(work, client, store, planning)
    size = len(plan)
    if confirm is not None and confirm != size:
        raise InputError(
            f"confirm={confirm:,}, but the plan is for {counted(size, 'message')}: look at the plan again. Nothing was sent",
            zh=f"confirm={confirm:,}，但计划为 {size:,} 条，请重新查看计划。未发送任何短信",
        )
    if to is not None:
        return send_proof(plan, client, store, to)
    hours = Window.parse(window)
    if hours is not None and size:
        hours.check(client.clock.now(), max(plan.seconds, size / rate if rate else 0.0))
    if collector is None and (collect or canary is not None):
        collector = Collector(client, store)
    between = collector.collect_if_due if collector is not None and collect is not False else _nothing
    test = Canary.of(canary)
    start = RunStart(plan.campaign, client.account.name, plan.round, plan.hash, client.account.add_serial)
    parts = portions(plan.iter_batches(), first=test.size if test else None, most=limit)
    with _bar(size if limit is None else min(size, limit), progress=progress) as advance:
        options = Options(workers, Pacer(rate, client.clock), hours, between, advance)
        run = Run(start, client, store, options)
        _carry_out(run, parts, lambda: test.check(run, collector) if test and collector else None, collector)
    if run.failure is not None:
        run.failure.add_note(run.result.text())
        raise run.failure
    return run.result


def _carry_out(
    run: Run, parts: Iterable[Iterable[PlannedBatch]], check: Callable[[], object], collector: Collector | None
) -> None:
    """Send part after part. An interrupt ends as KeyboardInterrupt, after it was said what had been done."""
    before = None if collector is None else deepcopy(collector.total)
    try:
        try:
            _send_parts(run, parts, check)
        finally:
            if collector is not None and before is not None:
                run.result.collected = collector.total.since(before)
            run.close()
    except KeyboardInterrupt:
        to_stderr(run.result.text())
        raise


def _send_parts(run: Run, parts: Iterable[Iterable[PlannedBatch]], check: Callable[[], object]) -> None:
    interrupted = choose("interrupted; run the same again to go on", "已中断；再次运行即可继续")
    with deferred_interrupt(lambda: run.stop(interrupted)):
        for number, part in enumerate(parts):
            if number > 0:
                check()
            if run.result.stopped_because:
                break
            run.send(part)


def _as_plan(work: Plan | Any, client: Client, store: Store, planning: dict[str, Any]) -> Plan:
    if isinstance(work, Plan):
        if planning:
            raise InputError(
                f"a plan is sent as it is: {', '.join(sorted(planning))} belong to mas.plan(...)",
                zh=f"计划会原样发送：{'、'.join(sorted(planning))} 应写在 mas.plan(...) 中",
            )
        return work
    return make_plan(work, store=store, account=client.account, **planning)


def _check_whole(name: str, value: int | None) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise InputError(f"{name}={value!r}: a whole number from 1", zh=f"{name}={value!r}：应为大于等于 1 的整数")


def _nothing() -> None:
    """Do nothing between requests."""


@contextmanager
def _bar(total: int, *, progress: bool) -> Iterator[Callable[[int], object]]:
    """Show a bar where there is something to send."""
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=choose("sent", "发送"), unit="", disable=not progress or not total) as bar:
        yield bar.update
