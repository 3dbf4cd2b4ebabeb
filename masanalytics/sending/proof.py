"""Sending a plan's first message to oneself: the same path, without touching the campaign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from masanalytics.errors import InputError, NetworkError, RefusedError
from masanalytics.phones import normalise_phones
from masanalytics.sending.result import SendResult

if TYPE_CHECKING:
    from masanalytics.client import Client
    from masanalytics.planning import Plan

__all__ = ["send_proof"]


def send_proof(plan: Plan, client: Client, to: list[str]) -> SendResult:
    """Send the first message of a plan to the given numbers; nothing is written to the store.

    Raises
    ------
    InputError
        If a number is not a mobile number, or the plan is empty.
    RefusedError, NetworkError
        If the platform refuses or is not reached.
    """
    phones = normalise_phones(pd.Series(list(to), dtype=object))["phone"]
    if phones.isna().any() or not len(phones):
        raise InputError(
            "to=: give mobile numbers, such as ['13800138000']", zh="to=：请给出手机号，如 ['13800138000']"
        )
    first = next(iter(plan.iter_batches()), None)
    if first is None:
        raise InputError("the plan has no message to show", zh="计划中没有可发送的短信")
    serial = first.add_serial
    if first.template_id is not None:
        result = client.submit_template(list(phones), first.template_id, first.params or (), add_serial=serial)
    else:
        text = first.content if first.content is not None else (first.contents or [""])[0]
        result = client.submit(list(phones), text, add_serial=serial)
    done = SendResult(plan.campaign, planned=len(phones), requests=1, seconds=result.answered_at - result.requested_at)
    setattr(done, result.outcome, len(phones))
    text = f"{result.message} {result.advice}".strip()
    if result.outcome == "rejected":
        raise RefusedError(text, rspcod=result.rspcod)
    if result.outcome == "not_sent":
        raise NetworkError(text)
    return done
