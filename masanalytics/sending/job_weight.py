"""Whether a job fits into what is left of the account's budget, weighed as a whole before its first request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from masanalytics.account import Budget, FrequencyCap, Period
from masanalytics.errors import BudgetError, InputError
from masanalytics.i18n import Text
from masanalytics.masking import shown_value
from masanalytics.store.sends import ClaimRules, Sends

if TYPE_CHECKING:
    from masanalytics.account import Account
    from masanalytics.planning import Plan

__all__ = ["JobWeight", "budget_spent", "check_over_budget", "check_proof", "claim_rules", "is_out", "weigh"]


@dataclass(frozen=True, slots=True)
class JobWeight:
    """How much of a plan may go.

    Attributes
    ----------
    messages : int or None
        How many messages of those that are left to send; None where all of them fit.
    short : Period or None
        The day or month that does not hold all of them, as it was before the first request.
    """

    messages: int | None = None
    short: Period | None = None


def check_over_budget(over_budget: str) -> None:
    """Raise InputError for a word that says nothing of what to do with a job that is too large."""
    if over_budget not in ("refuse", "hold"):
        raise InputError("over_budget={value}: 'refuse' or 'hold'. Nothing was sent", value=shown_value(over_budget))


def claim_rules(plan: Plan, account: Account) -> ClaimRules:
    """Return what is asked again whenever a batch of the plan is claimed."""
    rule, cap = plan.cap_rule, plan.cap_rule.cap
    if cap is None and not rule.is_transactional and isinstance(account.cap, FrequencyCap):
        cap = account.cap
    return ClaimRules(Budget.of(account), cap, plan.kin, outside_caps=rule.is_transactional)


def is_out(plan: Plan, sends: Sends, rules: ClaimRules, now: float) -> Callable[..., npt.NDArray[np.bool_]]:
    """Return what says, number by number, who gets nothing more of the plan: sent already, opted out, over the cap, in a silent arm."""

    def out(phones: Sequence[str], keys: Sequence[str] | None) -> npt.NDArray[np.bool_]:
        sent = sends.already_sent(plan.campaign, plan.round, phones, keys)
        held = sends.held_out(plan.campaign, plan.round, phones, now)
        silent = held.here if rules.outside_caps else held.here | held.elsewhere
        return sent | sends.opted_out(phones) | sends.over_cap(rules, phones, now) | silent

    return out


def weigh(
    plan: Plan, account: Account, sends: Sends, now: float, *, limit: int | None = None, over_budget: str = "refuse"
) -> JobWeight:
    """Weigh what is left to send of a plan, at most `limit` messages, against the account's budget.

    Raises
    ------
    BudgetError
        If it does not fit, and what does not is not to be held.
    InputError
        If the budget is in segments and those of a template are not known, or a message is more than a whole day's or month's.
    """
    check_over_budget(over_budget)
    budget = Budget.of(account)
    if budget is None or not len(plan):
        return JobWeight()
    if budget.unit == "segments":
        budget.check_known(plan.planned.segments)
    periods = sends.budget_periods(account.key, budget, now)
    tightest = min(periods, key=lambda period: (period.left, -period.end))
    if int(_weights(plan, budget).sum()) <= tightest.left:
        return JobWeight()
    weights = np.concatenate(list(_left_weights(plan, budget, sends, claim_rules(plan, account), now)))[:limit]
    total = int(weights.sum())
    if total <= tightest.left:
        return JobWeight()
    _refuse_never(weights, min(periods, key=lambda period: period.limit))
    if over_budget == "refuse":
        raise _too_large(total, tightest)
    return JobWeight(int((np.cumsum(weights) <= tightest.left).sum()), tightest)


def check_proof(account: Account, sends: Sends, now: float, *, segments: int | None, numbers: int) -> None:
    """Raise BudgetError where a proof to so many numbers, each of so many segments, does not fit."""
    budget = Budget.of(account)
    if budget is None:
        return
    budget.check_known(segments)
    weight = numbers * (segments if budget.unit == "segments" and segments else 1)
    for period in sends.budget_periods(account.key, budget, now):
        if weight > period.left:
            raise _too_large(weight, period)


def budget_spent(period: Period) -> Text:
    """Return why a run stops at the end of a budget, and when the rest can go."""
    return Text(
        "the budget is spent ({left}): the rest is held. It resets on {day} at 00:00 (China time): run the same again then",
        code="budget_spent",
        left=period.words(),
        day=period.resets_on,
    )


def _weights(plan: Plan, budget: Budget) -> npt.NDArray[np.int64]:
    """Return what each message of the plan weighs, in sending order."""
    segments = plan.planned.segments if budget.unit == "segments" else None
    return np.ones(len(plan), dtype=np.int64) if segments is None else segments.astype(np.int64)


def _left_weights(
    plan: Plan, budget: Budget, sends: Sends, rules: ClaimRules, now: float
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield what the messages weigh that are left to send, in sending order."""
    weights, out, start = _weights(plan, budget), is_out(plan, sends, rules, now), 0
    for phones, keys in plan.identities():
        yield weights[start : start + len(phones)][~out(phones, keys)]
        start += len(phones)


def _refuse_never(weights: npt.NDArray[np.int64], smallest: Period) -> None:
    """Raise InputError where a message is more than the whole budget: no reset would ever let it go."""
    heavy = weights[weights > smallest.limit]
    if len(heavy):
        raise InputError(
            "{count:,} message of up to {segments:,} segments is more than the whole budget ({left}), and could never go: raise the"
            " account's budget, or shorten the text. Nothing was sent",
            "{count:,} messages of up to {segments:,} segments are each more than the whole budget ({left}), and could never go: raise"
            " the account's budget, or shorten the text. Nothing was sent",
            count=len(heavy),
            segments=int(heavy.max()),
            left=smallest.words(),
        )


def _too_large(weight: int, period: Period) -> BudgetError:
    unit = {
        "segments": Text("{count:,} segment", "{count:,} segments", count=weight),
        "messages": Text("{count:,} message", "{count:,} messages", count=weight),
    }[period.unit]
    if weight > period.limit:
        return BudgetError(
            "the job is {weight}, more than the whole budget ({left}): raise the account's budget, or send what fits day by"
            " day with over_budget='hold'. Nothing was sent",
            weight=unit,
            left=period.words(),
        )
    return BudgetError(
        "the job is {weight}, and the budget does not hold it ({left}): that resets on {day} at 00:00 (China time). "
        "over_budget='hold' sends what fits and holds the rest. Nothing was sent",
        weight=unit,
        left=period.words(),
        day=period.resets_on,
    )
