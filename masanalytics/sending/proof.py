"""Sending a plan's first message to oneself: the same path, without touching the campaign."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pandas as pd

from masanalytics.carriers import carriers_of
from masanalytics.errors import InputError
from masanalytics.phones import normalise_phones
from masanalytics.sending.rate_limit import Pacer
from masanalytics.sending.result import SendResult
from masanalytics.sending.sender import Options, Run
from masanalytics.store.sends import RunStart

if TYPE_CHECKING:
    from masanalytics.client import Client
    from masanalytics.planning import Plan, PlannedBatch
    from masanalytics.store import Store

__all__ = ["send_proof"]


def send_proof(plan: Plan, client: Client, store: Store, to: list[str]) -> SendResult:
    """Send the first message of a plan to the given numbers, recorded as the campaign ``NAME (proof)``.

    The campaign itself is not touched, and the proof's reports are known to be ours.

    Raises
    ------
    InputError
        If a number is not a mobile number, or the plan is empty.
    RefusedError, NetworkError
        If the platform refuses or is not reached.
    """
    asked = [to] if isinstance(to, str) else list(to)
    phones = normalise_phones(pd.Series(asked, dtype=object))["phone"]
    if phones.isna().any() or not len(phones):
        raise InputError(
            "to=: give mobile numbers, such as ['13800138000']", zh="to=：请给出手机号，如 ['13800138000']"
        )
    if not len(plan):
        raise InputError("the plan has no message to show", zh="计划中没有可发送的短信")
    name = f"{plan.campaign} (proof)"
    start = RunStart(
        name, client.account.name, store.open_round(name, again=True), plan.hash, client.account.add_serial
    )
    options = Options(1, Pacer(None, client.clock), None, _nothing, _nothing)
    run = Run(start, client, store, options)
    try:
        run.send([_first_message(plan.batch(0), list(dict.fromkeys(phones)))])
    finally:
        run.close()
    if run.failure is not None:
        raise run.failure
    return run.result


def _first_message(first: PlannedBatch, phones: list[str]) -> PlannedBatch:
    """Return a batch that sends the first message of `first` to other numbers."""
    text = first.contents[0] if first.content is None and first.contents else first.content
    shape = "template" if first.template_id is not None else "one_to_one" if len(phones) == 1 else "many_to_one"
    return dataclasses.replace(
        first,
        mode=shape,
        phones=phones,
        contents=None,
        content=text,
        segments=first.segments[:1] * len(phones),
        carriers=carriers_of(phones).codes.tolist(),
        regions=[("", "")] * len(phones),
        variants=[0] * len(phones),
    )


def _nothing(_messages: int = 0) -> None:
    """Show nothing and do nothing else."""
