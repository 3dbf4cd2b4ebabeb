"""Where a rate will end: what was observed, carried on by history where that is not enough."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.analysis.expectation import Expectation
from masanalytics.analysis.grouped_count import Counts
from masanalytics.analysis.matured_history import MaturedHistory
from masanalytics.analysis.misfit import development
from masanalytics.analysis.observed_rows import ObservedRows
from masanalytics.analysis.todays_units import TodaysUnits
from masanalytics.analysis.young_messages import aligned
from masanalytics.i18n import Text
from masanalytics.stats.chain_ladder import AGES
from masanalytics.stats.competing_risks import (
    LEAST_FOLLOW_UP,
    IncidenceCurves,
    cumulative_incidence,
    follow_up_reached,
    incidence_at,
    project,
)
from masanalytics.stats.proportions import effective_wilson, wilson
from masanalytics.stats.random_effects import student_quantiles
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

__all__ = ["expected_ends"]

_LEAST_COVERED = 0.8


def expected_ends(
    counts: Counts, history: Callable[[], MaturedHistory | None], detail: Callable[[], Counts] | None = None
) -> Expectation:
    """Estimate where each group's delivery rate will end.

    Where no message is pending any more the rate is final. Otherwise messages with 72 h of coverage behind them are taken as
    they ended, and the end of the younger ones is forecast by the history; where that cannot be, bounds stand for the interval.

    Parameters
    ----------
    counts : Counts
        What is asked about, by group, with carrier and window.
    history : callable
        Returns what is known of matured messages; asked only if a group needs it.
    detail : callable, optional
        Returns the young messages of `counts`, counted by what tells their campaigns too; asked only with a history.
    """
    rows = ObservedRows.of(counts)
    some = rows.accepted > 0
    rate = np.where(some, rows.delivered / np.where(some, rows.accepted, 1), np.nan)
    low, high = wilson(rows.delivered, rows.accepted)
    is_pending = rows.pending > 0
    settled = some & ~is_pending
    curves = cumulative_incidence(rows.group, rows.groups, rows.status, rows.seconds, rows.n)
    reason: list[str | None] = [None if there else "nothing" for there in some]
    rate, low, high = (np.where(settled, values, np.nan) for values in (rate, low, high))
    result = Expectation(rate, low, high, curves.last, reason)
    pending_groups = np.flatnonzero(some & is_pending)
    if len(pending_groups):
        past = history()
        if past is None or not past.ladder.has_enough_units:
            _without_history(result, rows, curves, pending_groups, "no_history" if past is None else "thin_history")
        else:
            detailed = counts if detail is None else aligned(detail(), counts)
            _forecast(result, rows, detailed, pending_groups, past)
        _bounded(result, rows)
    return result


def _forecast(
    result: Expectation, rows: ObservedRows, detailed: Counts, pending_groups: Numbers, past: MaturedHistory
) -> None:
    """Fill in the groups with messages that are pending by the history."""
    young = rows.young
    today = cumulative_incidence(rows.group[young], rows.groups, rows.status[young], rows.seconds[young], rows.n[young])
    reached = follow_up_reached(today, 0.5)[pending_groups]
    place = np.searchsorted(AGES, np.where(np.isnan(reached), -1.0, reached), side="right") - 1
    _because(result, pending_groups[place < 0], "too_early")
    old_enough = place >= 0
    if not old_enough.any():
        return
    units = TodaysUnits.of(ObservedRows.of(detailed), past, pending_groups[old_enough], place[old_enough])
    _forecast_by_history(result, rows, units, past)
    told = ~np.isnan(result.rate[units.group])
    if (units.age[told] < past.slow_median()).any():
        result.notes.append(
            Text(
                "some campaigns are so young that it would not be noticed yet if their reports were missing",
                code="early",
            )
        )


def _without_history(
    result: Expectation, rows: ObservedRows, curves: IncidenceCurves, pending_groups: Numbers, why: str
) -> None:
    """Estimate the end of groups from their own messages where enough were observed for 72 h; say `why` of the others.

    A survival that drops to zero because the one message left at risk was reported tells nothing.
    """
    pending = rows.status == Status.pending
    unreported = rows.has(pending & (rows.seconds >= UNREPORTED_AFTER_S))
    unobserved = rows.has(pending & np.isnan(rows.seconds))
    _, follow_up = incidence_at(curves, np.full(rows.groups, float(UNREPORTED_AFTER_S)), delivered=True)
    is_known = (unreported & ~unobserved & (follow_up >= LEAST_FOLLOW_UP))[pending_groups]
    own = project(curves, np.full(rows.groups, np.inf), np.zeros(rows.groups))
    ended = np.bincount(
        rows.group, weights=rows.n * (~pending | (rows.seconds >= UNREPORTED_AFTER_S)), minlength=rows.groups
    )
    low, high = effective_wilson(own.expected, own.variance, ended)
    for column, values in ((result.rate, own.expected), (result.low, low), (result.high, high)):
        column[pending_groups[is_known]] = values[pending_groups[is_known]]
    _because(result, pending_groups[~is_known], why)


def _forecast_by_history(result: Expectation, rows: ObservedRows, today: TodaysUnits, past: MaturedHistory) -> None:
    """Write the forecast rates and intervals into the result."""
    steps = {place: [past.step(AGES[place], one) for one in today.features] for place in np.unique(today.place)}

    def of(name: str) -> Figures:
        each = {place: np.stack([np.asarray(getattr(step, name)) for step in found]) for place, found in steps.items()}
        return np.array([each[place] for place in today.place], dtype=float)

    at_end = project(today.curves, today.each(today.age), of("delivered_later").ravel())
    matured = rows.matured[today.group]
    every = today.size.sum(axis=1) + matured
    matured_rate = rows.matured_delivered[today.group] / np.where(matured > 0, matured, 1)
    share = today.size / every[:, None]
    pending = share * today.table(at_end.pending)
    rate = (share * today.table(at_end.expected)).sum(axis=1) + matured / every * matured_rate
    # One delivered and one failed message more, as Agresti and Coull (1998) add: a handful of messages of which none
    # has failed yet does not mean that none will.
    prior = (rate**2 + (1 - rate) ** 2) / (every * (every + 2))
    found = development(today, past)
    result.notes.extend(found.notes)
    by_kind = today.by_kind(pending)
    # Of each kind the group is taken as one new unit; as much wider as past units have shown to be necessary.
    scale = by_kind**2 * of("factor") ** 2
    between = scale * of("between") * (1 + 1 / np.maximum(of("units"), 1))
    variance = (
        (share**2 * today.table(at_end.variance)).sum(axis=1)
        + matured * matured_rate * (1 - matured_rate) / every**2
        + (pending**2 * today.table(of("sampling"))).sum(axis=1)
        + ((share * found.doubt) ** 2).sum(axis=1)
        + between.sum(axis=1)
        + prior
    )
    low, high = effective_wilson(rate, variance, every, _quantiles(variance, scale, of("precision")))
    least, most = (bound[today.group] for bound in rows.bounds())
    is_right = _would_have_been_right(by_kind, of("covered"))
    shown = found.fits & is_right
    for column, values in (
        (result.rate, rate),
        (result.low, np.maximum(low, least)),
        (result.high, np.minimum(high, most)),
    ):
        column[today.group[shown]] = values[shown]
    _because(result, today.group[found.fits & ~is_right], "backtest")
    _because(result, today.group[~found.fits], "misfit")


def _would_have_been_right(pending: Figures, covered: Figures) -> Booleans:
    """Return for which groups the intervals of past units, each forecast from the others, held most of them."""
    total = np.maximum(pending.sum(axis=1), 1e-300)
    share = (pending * np.where(np.isnan(covered), 1.0, covered)).sum(axis=1) / total
    return np.asarray((share >= _LEAST_COVERED) | (pending.sum(axis=1) <= 0), dtype=bool)


def _quantiles(variance: Figures, scale: Figures, precision: Figures) -> Figures:
    """Return Student's quantiles: only the variances between units, times `scale`, are estimated from few of them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.where(scale > 0, scale**2 / precision, 0.0).sum(axis=1)
        freedom = np.where(apart > 0, variance**2 / apart, np.inf)
    return student_quantiles(freedom)


def _bounded(result: Expectation, rows: ObservedRows) -> None:
    """Fill in the bounds of the rates that have no estimate."""
    none = np.isnan(result.rate)
    for column, bound in zip((result.low, result.high), rows.bounds(), strict=True):
        column[none] = bound[none]


def _because(result: Expectation, rows: Numbers, why: str) -> None:
    for row in rows:
        result.reason[row] = why
