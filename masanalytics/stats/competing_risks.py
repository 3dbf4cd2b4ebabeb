"""Aalen-Johansen cumulative incidence on counts: delivered and failed compete, pending messages are censored.

Sources: O. O. Aalen and S. Johansen (1978), Scandinavian Journal of Statistics 5:141-150 (the estimator); E. Marubini and
M. G. Valsecchi (1995), Analysing Survival Data from Clinical Trials and Observational Studies, section 10.2.2, and
J. J. Gaynor et al. (1993), JASA 88:400-409 (the Greenwood-type variance by the delta method). The variance is written
here as the sum over times of ``S(t-)^2 / Y`` times the variance of what the event is worth: 1 for a delivery, 0 for a
failure, and V, the probability that a message still open then ends delivered. With V taken on beyond the last observed
time it also covers a curve that is carried on by other knowledge; without that it equals the published formula, and
without censoring p (1 - p) / n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from masanalytics.vocabulary import Status

__all__ = [
    "LEAST_WATCHED",
    "Curves",
    "Ends",
    "cumulative_incidence",
    "ends",
    "reached",
    "share_by",
    "watched_until",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST_WATCHED = 0.05
"""A curve is believed as far as this share of the messages has been watched: beyond, one report may move it anywhere."""

_GROUPS_AT_ONCE = 4096
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Curves:
    """One curve a group, as steps sorted by group and time.

    Attributes
    ----------
    start : array of int
        Where each group's steps begin; one entry more than there are groups.
    time : array of float
        Seconds after submission.
    at_risk, delivered, failed : array of float
        Messages without a report just before the time, and those whose report came at it.
    watched : array of float
        The estimated share of all messages that have been observed at least up to the time.
    open_before, open_after : array of float
        The estimated share without a report just before and just after.
    delivered_by, failed_by : array of float
        The estimated share delivered, and failed, by then (the cumulative incidences).
    """

    start: Ints
    time: Floats
    at_risk: Floats
    delivered: Floats
    failed: Floats
    watched: Floats
    open_before: Floats
    open_after: Floats
    delivered_by: Floats
    failed_by: Floats

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.start) - 1

    @property
    def group(self) -> Ints:
        """Each step's group."""
        return np.repeat(np.arange(self.groups), np.diff(self.start))

    @property
    def last(self) -> Floats:
        """Up to when each group was observed: the time of its last step; NaN where it has none."""
        found = np.full(self.groups, np.nan)
        some = np.diff(self.start) > 0
        found[some] = self.time[self.start[1:][some] - 1]
        return found

    def at(self, time: Floats) -> Ints:
        """Return the last step of each group at or before `time` (one entry a group); -1 where there is none."""
        inside = self.time <= np.asarray(time, dtype=float)[self.group]
        steps = np.bincount(self.group[inside], minlength=self.groups)
        return np.where(steps > 0, self.start[:-1] + steps - 1, -1)

    @staticmethod
    def read(values: Floats, at: Ints, otherwise: float) -> Floats:
        """Return the values at the steps `at`, and `otherwise` where there is none."""
        found = np.full(len(at), otherwise)
        found[at >= 0] = values[at[at >= 0]]
        return found


@dataclass(frozen=True)
class Ends:
    """Where the curves are at a time, group by group, and how sure that is.

    Attributes
    ----------
    delivered, failed, still_open : array of float
        The estimated shares at that time.
    expected : array of float
        ``delivered + still_open * carried``.
    variance : array of float
        Of `expected`, the carried probability taken as known.
    """

    delivered: Floats
    failed: Floats
    still_open: Floats
    expected: Floats
    variance: Floats


def cumulative_incidence(group: Ints, groups: int, status: Ints, seconds: Floats, n: Ints) -> Curves:
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
    >>> curves.delivered_by.round(9).tolist(), curves.failed_by.round(9).tolist()
    ([0.25, 0.25, 0.25, 0.75], [0.0, 0.25, 0.25, 0.25])
    """
    weight, seconds = _spread_unknown(group, groups, status, seconds, n)
    order = np.lexsort((seconds, group))
    group, seconds, status, weight = group[order], seconds[order], status[order], weight[order]
    first = np.ones(len(group), dtype=bool)
    first[1:] = (np.diff(group) != 0) | (np.diff(seconds) != 0)
    step = np.cumsum(first) - 1
    steps = int(first.sum())
    delivered, failed, left = (
        np.bincount(step[status == which], weights=weight[status == which], minlength=steps).astype(float)
        for which in (Status.delivered, Status.failed, Status.pending)
    )
    group, time = group[first], seconds[first]
    start = np.searchsorted(group, np.arange(groups + 1)).astype(np.int64)
    at_risk = _sum_from_here(delivered + failed + left, start)
    return _product_limit(start, time, at_risk, delivered, failed)


def _spread_unknown(group: Ints, groups: int, status: Ints, seconds: Floats, n: Ints) -> tuple[Floats, Floats]:
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


def _sum_from_here(values: Floats, start: Ints) -> Floats:
    """Return, within each group, the sum of the values from each step on."""
    if not len(values):
        return values
    running = np.concatenate([[0.0], np.cumsum(values)])
    ends_at = np.repeat(running[start[1:]], np.diff(start))
    left: Floats = ends_at - running[:-1]
    return left


def _product_limit(start: Ints, time: Floats, at_risk: Floats, delivered: Floats, failed: Floats) -> Curves:
    open_before, open_after, delivered_by, failed_by, watched = (np.empty_like(time) for _ in range(5))
    # Those at risk at the group's next step, and none after its last.
    following = np.append(at_risk[1:], 0.0)[: len(at_risk)]
    following[start[1:][np.diff(start) > 0] - 1] = 0.0
    left = at_risk - delivered - failed - following
    for low in range(0, len(start) - 1, _GROUPS_AT_ONCE):
        bounds = start[low : low + _GROUPS_AT_ONCE + 1]
        part = slice(bounds[0], bounds[-1])
        risk, reported = at_risk[part], delivered[part] + failed[part]
        before, open_after[part] = _survival(_ratio(reported, risk), bounds - bounds[0])
        # The times of observation themselves, with the parts exchanged: a report ends what can be seen of them.
        watched[part], _ = _survival(_ratio(left[part], risk - reported), bounds - bounds[0])
        open_before[part] = before
        delivered_by[part] = _running(before * _ratio(delivered[part], risk), bounds - bounds[0])
        failed_by[part] = _running(before * _ratio(failed[part], risk), bounds - bounds[0])
    return Curves(start, time, at_risk, delivered, failed, watched, open_before, open_after, delivered_by, failed_by)


def _ratio(part: Floats, whole: Floats) -> Floats:
    some = whole > _ROUNDING
    return np.where(some, part / np.where(some, whole, 1.0), 0.0)


def _survival(share: Floats, bounds: Ints) -> tuple[Floats, Floats]:
    """Return the share left before and after each step of each group, where `share` of it goes at each step."""
    # Where everything goes at once nothing follows in the group: that step is set by hand.
    last = share >= 1 - _ROUNDING
    gone = np.where(last, 0.0, np.maximum(share, 0.0))
    after = np.exp(_running(np.log1p(-gone), bounds))
    return after / (1 - gone), np.where(last, 0.0, after)


def _running(values: Floats, bounds: Ints) -> Floats:
    """Return the running sum within each group."""
    total = np.cumsum(values)
    before = np.concatenate([[0.0], total])[bounds[:-1]]
    running: Floats = total - np.repeat(before, np.diff(bounds))
    return running


def ends(curves: Curves, until: Floats, carried: Floats) -> Ends:
    """Return the curves' values at `until`, carried on by the probability that an open message ends delivered.

    Parameters
    ----------
    until : array of float
        One time a group; inf for the whole curve.
    carried : array of float
        One probability a group (0 for none).

    Examples
    --------
    >>> status, seconds = np.array([5, 6, 4]), np.array([10.0, 20, 25])
    >>> curves = cumulative_incidence(np.zeros(3, int), 1, status, seconds, np.array([80, 10, 10]))
    >>> found = ends(curves, np.array([np.inf]), np.array([0.5]))
    >>> found.expected.round(3).tolist(), (found.variance * 100).round(4).tolist()
    ([0.85], [0.1025])
    """
    at = curves.at(until)
    delivered = curves.read(curves.delivered_by, at, 0.0)
    failed = curves.read(curves.failed_by, at, 0.0)
    still_open = curves.read(curves.open_after, at, 1.0)
    expected = delivered + still_open * carried
    group = curves.group
    inside = np.arange(len(group)) <= at[group]
    worth = _worth_of_open(curves, expected[group])
    risk = np.where(curves.at_risk > 0, curves.at_risk, 1)
    to_delivered, to_failed = curves.delivered / risk, curves.failed / risk
    mean = to_delivered * (1 - worth) - to_failed * worth
    spread = to_delivered * (1 - worth) ** 2 + to_failed * worth**2 - mean**2
    terms = np.where(inside, curves.open_before**2 / risk * np.maximum(spread, 0), 0.0)
    variance = np.bincount(group, weights=terms, minlength=curves.groups).astype(float)
    return Ends(delivered, failed, still_open, expected, variance)


def _worth_of_open(curves: Curves, expected: Floats) -> Floats:
    """Return the probability that a message still open after each step ends delivered."""
    some = curves.open_after > _ROUNDING
    value = (expected - curves.delivered_by) / np.where(some, curves.open_after, 1.0)
    return np.where(some, np.clip(value, 0, 1), 0.0)


def reached(curves: Curves, share: float) -> Floats:
    """Return when `share` of all accepted had been delivered, group by group; NaN where the curve never gets there.

    What fewer than `LEAST_WATCHED` of the messages have been watched for does not count.

    Examples
    --------
    >>> status, seconds = np.array([5, 5, 4]), np.array([10.0, 20, 25])
    >>> curves = cumulative_incidence(np.zeros(3, int), 1, status, seconds, np.array([40, 30, 30]))
    >>> reached(curves, 0.5).tolist(), reached(curves, 0.9).tolist()
    ([20.0], [nan])
    """
    believed = curves.watched >= LEAST_WATCHED
    there = np.flatnonzero((curves.delivered_by >= share - _ROUNDING) & believed)
    found = np.full(curves.groups, np.nan)
    groups, first = np.unique(curves.group[there], return_index=True)
    found[groups] = curves.time[there[first]]
    return found


def watched_until(curves: Curves, share: float) -> Floats:
    """Return the age that this share of each group's messages have been observed for; NaN for no messages.

    Examples
    --------
    >>> status, seconds = np.array([5, 4, 4]), np.array([10.0, 300, 900])
    >>> curves = cumulative_incidence(np.zeros(3, int), 1, status, seconds, np.array([50, 30, 20]))
    >>> watched_until(curves, 0.5).tolist(), watched_until(curves, 0.3).tolist()
    ([300.0], [900.0])
    """
    steps = np.bincount(curves.group[curves.watched >= share - _ROUNDING], minlength=curves.groups)
    return curves.read(curves.time, np.where(steps > 0, curves.start[:-1] + steps - 1, -1), np.nan)


def share_by(curves: Curves, time: Floats, *, delivered: bool) -> tuple[Floats, Floats]:
    """Return the estimated share delivered (or reported at all) by `time`, and the share of messages observed so long."""
    at = curves.at(time)
    seen = curves.delivered_by if delivered else 1 - curves.open_after
    return curves.read(seen, at, 0.0), curves.read(curves.watched, at, 1.0)
