"""Aalen-Johansen cumulative incidence on counts: delivered and failed compete, pending messages are censored.

Sources: O. O. Aalen and S. Johansen (1978), Scandinavian Journal of Statistics 5:141-150 (the estimator); E. Marubini and
M. G. Valsecchi (1995), Analysing Survival Data from Clinical Trials and Observational Studies, section 10.2.2, and
J. J. Gaynor et al. (1993), JASA 88:400-409 (the Greenwood-type variance by the delta method). The variance is written
here as the sum over times of ``S(t-)^2 / Y`` times the variance of what the event is worth: 1 for a delivery, 0 for a
failure, and V, the probability that a message pending then is delivered later. With V taken on beyond the last observed
time it also covers a curve that is carried on by other knowledge; without that it equals the published formula, and
without censoring p (1 - p) / n. M. Schemper and T. L. Smith (1996), Controlled Clinical Trials 17:343-346 (the
follow-up time by the reverse Kaplan-Meier estimate).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from masanalytics.aliases import Figures, Numbers
from masanalytics.vocabulary import Status

__all__ = [
    "LEAST_FOLLOW_UP",
    "EventSteps",
    "IncidenceCurves",
    "Projection",
    "cumulative_incidence",
    "follow_up_reached",
    "incidence_at",
    "incidence_quantile",
    "project",
    "spread_unknown",
]

LEAST_FOLLOW_UP = 0.05
"""A curve is believed as long as this share of the messages is under observation: beyond, one report may move it anywhere."""

_GROUPS_AT_ONCE = 4096
_ROUNDING = 1e-9
_ALMOST_NOTHING = 1e-12


@dataclass(frozen=True)
class IncidenceCurves:
    """The event table of each group and its cumulative incidences, as steps sorted by group and time.

    Attributes
    ----------
    start : array of int
        Where each group's steps begin; one entry more than there are groups.
    time : array of float
        Seconds after submission.
    at_risk, delivered, failed : array of float
        The event table: messages at risk (under observation and without a report) just before the time, and the events
        observed at it.
    follow_up : array of float
        The estimated share of all messages that were under observation at least up to the time (the Kaplan-Meier estimate of
        the censoring times, Schemper and Smith 1996).
    survival_before, survival : array of float
        The estimated share without a report just before the time, and after it: S(t-) and S(t).
    delivered_incidence, failed_incidence : array of float
        The cumulative incidences: the estimated shares delivered, and failed, by the time.
    """

    start: Numbers
    time: Figures
    at_risk: Figures
    delivered: Figures
    failed: Figures
    follow_up: Figures
    survival_before: Figures
    survival: Figures
    delivered_incidence: Figures
    failed_incidence: Figures

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.start) - 1

    @property
    def group(self) -> Numbers:
        """Each step's group."""
        return np.repeat(np.arange(self.groups), np.diff(self.start))

    @property
    def last(self) -> Figures:
        """Up to when each group was observed: the time of its last step; NaN where it has none."""
        last_time = np.full(self.groups, np.nan)
        some = np.diff(self.start) > 0
        last_time[some] = self.time[self.start[1:][some] - 1]
        return last_time

    def at(self, time: Figures) -> Numbers:
        """Return the last step of each group at or before `time` (one entry a group); -1 where there is none."""
        inside = self.time <= np.asarray(time, dtype=float)[self.group]
        steps = np.bincount(self.group[inside], minlength=self.groups)
        return np.where(steps > 0, self.start[:-1] + steps - 1, -1)

    def with_events(self) -> IncidenceCurves:
        """Return the steps at which something was delivered or failed: between them the curves do not move.

        Where many messages are pending there are far fewer. `last` is then the time of the last event.
        """
        kept = (self.delivered > 0) | (self.failed > 0)
        start = np.concatenate([[0], np.cumsum(kept)])[self.start].astype(np.int64)
        return IncidenceCurves(
            start, *(getattr(self, column.name)[kept] for column in fields(self) if column.name != "start")
        )

    @staticmethod
    def read(values: Figures, at: Numbers, otherwise: float) -> Figures:
        """Return the values at the steps `at`, and `otherwise` where there is none."""
        read = np.full(len(at), otherwise)
        read[at >= 0] = values[at[at >= 0]]
        return read


@dataclass(frozen=True)
class Projection:
    """Where the curves are at a time and where they will end, group by group, with the variance of the end.

    Attributes
    ----------
    delivered, failed, pending : array of float
        The estimated shares at that time: the cumulative incidences, and the survival.
    expected : array of float
        ``delivered + pending * delivered_later``.
    variance : array of float
        Of `expected`, with `delivered_later` taken as known.
    """

    delivered: Figures
    failed: Figures
    pending: Figures
    expected: Figures
    variance: Figures


@dataclass(frozen=True)
class EventSteps:
    """The distinct times of each group, at which the same rows can be counted with other weights again and again.

    Attributes
    ----------
    step : array of int
        Each row's step: its group and time.
    start : array of int
        Where each group's steps begin; one entry more than there are groups.
    """

    step: Numbers
    start: Numbers

    @classmethod
    def of(cls, group: Numbers, groups: int, seconds: Figures) -> EventSteps:
        """Return the steps of rows in any order; each row's time is known."""
        order = np.lexsort((seconds, group))
        first = np.ones(len(group), dtype=bool)
        first[1:] = (np.diff(group[order]) != 0) | (np.diff(seconds[order]) != 0)
        step = np.empty(len(group), dtype=np.int64)
        step[order] = np.cumsum(first) - 1
        return cls(step, np.searchsorted(group[order][first], np.arange(groups + 1)).astype(np.int64))

    def increments(self, status: Numbers, weight: Figures) -> Figures:
        """Return for each row what its kind of event adds to the cumulative incidence at its time (pending: of no use)."""
        steps = int(self.start[-1])
        delivered, failed, censored = (
            np.bincount(self.step[status == which], weights=weight[status == which], minlength=steps).astype(float)
            for which in (Status.delivered, Status.failed, Status.pending)
        )
        at_risk = _sum_from_here(delivered + failed + censored, self.start)
        # While weights change, what is nearly nothing may still follow the step at which nearly everything goes.
        left = np.log1p(-np.minimum(_ratio(delivered + failed, at_risk), 1 - _ALMOST_NOTHING))
        before = np.exp(_running(left, self.start) - left)
        came: Figures = np.where(
            status == Status.failed,
            (before * _ratio(failed, at_risk))[self.step],
            (before * _ratio(delivered, at_risk))[self.step],
        )
        return came


def cumulative_incidence(
    group: Numbers, groups: int, status: Numbers, seconds: Figures, n: Numbers | Figures
) -> IncidenceCurves:
    """Estimate the cumulative incidence of delivered and failed from counted messages.

    Parameters
    ----------
    group, status, seconds, n : array
        Counted rows: group number, `Status` (only accepted ones), latency or waiting time, messages. Pending messages
        with an unknown waiting time count as never observed. Reported ones with an unknown latency are spread like
        those of their group and status whose latency is known; where none is known they count from the start.
    groups : int
        How many groups there are; some may have no rows.

    Examples
    --------
    >>> status = np.array([5, 6, 4, 5])  # delivered after 10 s, failed after 20, pending at 25, delivered after 30
    >>> curves = cumulative_incidence(np.zeros(4, int), 1, status, np.array([10.0, 20, 25, 30]), np.ones(4, int))
    >>> curves.delivered_incidence.round(9).tolist(), curves.failed_incidence.round(9).tolist()
    ([0.25, 0.25, 0.25, 0.75], [0.0, 0.25, 0.25, 0.25])
    """
    weight, seconds = spread_unknown(group, groups, status, seconds, n)
    order = np.lexsort((seconds, group))
    group, seconds, status, weight = group[order], seconds[order], status[order], weight[order]
    first = np.ones(len(group), dtype=bool)
    first[1:] = (np.diff(group) != 0) | (np.diff(seconds) != 0)
    step = np.cumsum(first) - 1
    steps = int(first.sum())
    delivered, failed, censored = (
        np.bincount(step[status == which], weights=weight[status == which], minlength=steps).astype(float)
        for which in (Status.delivered, Status.failed, Status.pending)
    )
    group, time = group[first], seconds[first]
    start = np.searchsorted(group, np.arange(groups + 1)).astype(np.int64)
    at_risk = _sum_from_here(delivered + failed + censored, start)
    return _product_limit(start, time, at_risk, delivered, failed)


def spread_unknown(
    group: Numbers, groups: int, status: Numbers, seconds: Figures, n: Numbers | Figures
) -> tuple[Figures, Figures]:
    """Return weights and times without an unknown one: such rows are spread like those of their group and status."""
    weight, known = n.astype(float), ~np.isnan(seconds)
    if known.all():
        return weight, seconds
    cell = group * len(Status) + status
    size = groups * len(Status)
    total = np.bincount(cell, weights=weight, minlength=size)
    timed = np.bincount(cell[known], weights=weight[known], minlength=size)
    spread = (status != Status.pending) & (timed[cell] > 0)
    factor = np.where(timed[cell] > 0, total[cell] / np.where(timed[cell] > 0, timed[cell], 1), 1.0)
    return np.where(spread, np.where(known, weight * factor, 0.0), weight), np.where(known, seconds, 0.0)


def _sum_from_here(values: Figures, start: Numbers) -> Figures:
    """Return, within each group, the sum of the values from each step on."""
    if not len(values):
        return values
    running = np.concatenate([[0.0], np.cumsum(values)])
    ends_at = np.repeat(running[start[1:]], np.diff(start))
    left: Figures = ends_at - running[:-1]
    return left


def _product_limit(
    start: Numbers, time: Figures, at_risk: Figures, delivered: Figures, failed: Figures
) -> IncidenceCurves:
    survival_before, survival, delivered_incidence, failed_incidence, follow_up = (
        np.empty_like(time) for _ in range(5)
    )
    # Those at risk at the group's next step, and none after its last: the rest was censored.
    following = np.append(at_risk[1:], 0.0)[: len(at_risk)]
    following[start[1:][np.diff(start) > 0] - 1] = 0.0
    censored = at_risk - delivered - failed - following
    for low in range(0, len(start) - 1, _GROUPS_AT_ONCE):
        bounds = start[low : low + _GROUPS_AT_ONCE + 1]
        part = slice(bounds[0], bounds[-1])
        risk, reported = at_risk[part], delivered[part] + failed[part]
        before, survival[part] = _survival(_ratio(reported, risk), bounds - bounds[0])
        # The reverse Kaplan-Meier estimate: here the report censors and the end of observation is the event.
        follow_up[part], _ = _survival(_ratio(censored[part], risk - reported), bounds - bounds[0])
        survival_before[part] = before
        delivered_incidence[part] = _running(before * _ratio(delivered[part], risk), bounds - bounds[0])
        failed_incidence[part] = _running(before * _ratio(failed[part], risk), bounds - bounds[0])
    return IncidenceCurves(
        start,
        time,
        at_risk,
        delivered,
        failed,
        follow_up,
        survival_before,
        survival,
        delivered_incidence,
        failed_incidence,
    )


def _ratio(part: Figures, whole: Figures) -> Figures:
    some = whole > _ROUNDING
    return np.where(some, part / np.where(some, whole, 1.0), 0.0)


def _survival(share: Figures, bounds: Numbers) -> tuple[Figures, Figures]:
    """Return the share left before and after each step of each group, where `share` of it goes at each step."""
    # Where everything goes at once nothing follows in the group: that step is set by hand.
    last = share >= 1 - _ROUNDING
    gone = np.where(last, 0.0, np.maximum(share, 0.0))
    after = np.exp(_running(np.log1p(-gone), bounds))
    return after / (1 - gone), np.where(last, 0.0, after)


def _running(values: Figures, bounds: Numbers) -> Figures:
    """Return the running sum within each group."""
    total = np.cumsum(values)
    before = np.concatenate([[0.0], total])[bounds[:-1]]
    running: Figures = total - np.repeat(before, np.diff(bounds))
    return running


def project(curves: IncidenceCurves, until: Figures, delivered_later: Figures) -> Projection:
    """Return the curves' values at `until`, and their end, given the probability that a message pending then is delivered later.

    Parameters
    ----------
    until : array of float
        One time a group; inf for the whole curve.
    delivered_later : array of float
        That probability, one a group (0: what was observed is all).

    Examples
    --------
    >>> status, seconds = np.array([5, 6, 4]), np.array([10.0, 20, 25])
    >>> curves = cumulative_incidence(np.zeros(3, int), 1, status, seconds, np.array([80, 10, 10]))
    >>> at_end = project(curves, np.array([np.inf]), np.array([0.5]))
    >>> at_end.expected.round(3).tolist(), (at_end.variance * 100).round(4).tolist()
    ([0.85], [0.1025])
    """
    at = curves.at(until)
    delivered = curves.read(curves.delivered_incidence, at, 0.0)
    failed = curves.read(curves.failed_incidence, at, 0.0)
    pending = curves.read(curves.survival, at, 1.0)
    expected = delivered + pending * delivered_later
    group = curves.group
    inside = np.arange(len(group)) <= at[group]
    later = _delivered_later(curves, expected[group])
    risk = np.where(curves.at_risk > 0, curves.at_risk, 1)
    to_delivered, to_failed = curves.delivered / risk, curves.failed / risk
    mean = to_delivered * (1 - later) - to_failed * later
    spread = to_delivered * (1 - later) ** 2 + to_failed * later**2 - mean**2
    terms = np.where(inside, curves.survival_before**2 / risk * np.maximum(spread, 0), 0.0)
    variance = np.bincount(group, weights=terms, minlength=curves.groups).astype(float)
    return Projection(delivered, failed, pending, expected, variance)


def _delivered_later(curves: IncidenceCurves, expected: Figures) -> Figures:
    """Return the probability that a message pending after each step is delivered later."""
    some = curves.survival > _ROUNDING
    value = (expected - curves.delivered_incidence) / np.where(some, curves.survival, 1.0)
    return np.where(some, np.clip(value, 0, 1), 0.0)


def incidence_quantile(curves: IncidenceCurves, share: float) -> Figures:
    """Return when `share` of all accepted had been delivered, group by group; NaN where the curve never gets there.

    Times for which fewer than `LEAST_FOLLOW_UP` of the messages were under observation do not count.

    Examples
    --------
    >>> status, seconds = np.array([5, 5, 4]), np.array([10.0, 20, 25])
    >>> curves = cumulative_incidence(np.zeros(3, int), 1, status, seconds, np.array([40, 30, 30]))
    >>> incidence_quantile(curves, 0.5).tolist(), incidence_quantile(curves, 0.9).tolist()
    ([20.0], [nan])
    """
    believed = curves.follow_up >= LEAST_FOLLOW_UP
    there = np.flatnonzero((curves.delivered_incidence >= share - _ROUNDING) & believed)
    quantile = np.full(curves.groups, np.nan)
    groups, first = np.unique(curves.group[there], return_index=True)
    quantile[groups] = curves.time[there[first]]
    return quantile


def follow_up_reached(curves: IncidenceCurves, share: float) -> Figures:
    """Return up to which age this share of each group's messages was under observation; NaN for no messages.

    Examples
    --------
    >>> status, seconds = np.array([5, 4, 4]), np.array([10.0, 300, 900])
    >>> curves = cumulative_incidence(np.zeros(3, int), 1, status, seconds, np.array([50, 30, 20]))
    >>> follow_up_reached(curves, 0.5).tolist(), follow_up_reached(curves, 0.3).tolist()
    ([300.0], [900.0])
    """
    steps = np.bincount(curves.group[curves.follow_up >= share - _ROUNDING], minlength=curves.groups)
    return curves.read(curves.time, np.where(steps > 0, curves.start[:-1] + steps - 1, -1), np.nan)


def incidence_at(curves: IncidenceCurves, time: Figures, *, delivered: bool) -> tuple[Figures, Figures]:
    """Return the estimated share delivered (or reported at all) by `time`, and the share under observation so long."""
    at = curves.at(time)
    incidence = curves.delivered_incidence if delivered else 1 - curves.survival
    return curves.read(incidence, at, 0.0), curves.read(curves.follow_up, at, 1.0)
