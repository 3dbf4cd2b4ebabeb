"""How long delivered messages took, group by group: exact where the reports have seconds, by the minute where they have none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from masanalytics.aliases import Booleans, Figures
from masanalytics.analysis.grouped_count import Counts
from masanalytics.stats.competing_risks import IncidenceCurves, cumulative_incidence, incidence_quantile
from masanalytics.stats.interval_censored import interval_incidence, shared_out
from masanalytics.stats.order_statistics import CountedTimes, counted_times
from masanalytics.vocabulary import Status

__all__ = ["DeliveryTimes", "accepted_incidence", "delivery_times"]


@dataclass(frozen=True)
class DeliveryTimes:
    """The latencies of each group.

    Attributes
    ----------
    exact : CountedTimes
        As they are written.
    by_minute : IncidenceCurves or None
        Their distribution at the ends of minutes, where some have no seconds.
    has_minutes : array of bool
        Which groups have such.
    middle : array of float
        The mean with each of unknown second in the middle of its minute, where a group has such.
    """

    exact: CountedTimes
    by_minute: IncidenceCurves | None
    has_minutes: Booleans
    middle: Figures

    def quantile(self, level: float) -> Figures:
        """Return the quantile of each group, NaN for no messages; without seconds, the end of the minute it was reached in."""
        exact = self.exact.quantile(level)
        if self.by_minute is None:
            return exact
        return np.where(self.has_minutes, incidence_quantile(self.by_minute, level), exact)

    def mean(self) -> Figures:
        """Return the mean of each group; NaN for no messages."""
        return np.where(self.has_minutes, self.middle, self.exact.mean())

    def longest(self) -> Figures:
        """Return the longest of each group; NaN for no messages."""
        exact = self.exact.ranked(self.exact.total - 1)
        return exact if self.by_minute is None else np.where(self.has_minutes, self.by_minute.last, exact)


def delivery_times(counts: Counts, delivered: Booleans) -> DeliveryTimes:
    """Return the latencies of the `delivered` rows whose time is known."""
    rows = delivered & ~np.isnan(counts.seconds)
    groups, group, seconds, n = len(counts.groups), counts.group[rows], counts.seconds[rows], counts.n[rows]
    exact = counted_times(group, groups, seconds, n)
    is_minute = counts.minute_rows()[rows]
    has_minutes = np.bincount(group[is_minute], minlength=groups) > 0
    if not has_minutes.any():
        return DeliveryTimes(exact, None, has_minutes, np.full(groups, np.nan))
    shared = shared_out(group, groups, counts.status[rows], seconds, n, is_minute)
    total = np.bincount(shared.group, weights=shared.n, minlength=groups)
    summed = np.bincount(shared.group, weights=shared.n * shared.middle, minlength=groups)
    middle = np.where(total > 0, summed / np.where(total > 0, total, 1.0), np.nan)
    curves = cumulative_incidence(shared.group, groups, shared.status, shared.seconds, shared.n)
    return DeliveryTimes(exact, curves, has_minutes, middle)


def accepted_incidence(counts: Counts, *, shift_s: float | None = None) -> IncidenceCurves:
    """Return the cumulative incidences of the accepted messages, as far as they have been observed.

    Parameters
    ----------
    shift_s : float, optional
        Seconds by which every time without seconds is taken as later (earlier where negative, but never before submission) than
        it is written, instead of where it most likely was.
    """
    taken = counts.accepted()
    status, seconds = counts.observed()
    is_minute = counts.minute_rows()[taken]
    group, status, seconds, n = counts.group[taken], status[taken], seconds[taken], counts.n[taken]
    groups = len(counts.groups)
    if shift_s is None:
        return interval_incidence(group, groups, status, seconds, n, is_minute)
    moved = is_minute & (status != Status.pending)
    seconds = np.where(moved, np.maximum(seconds + shift_s, np.minimum(seconds, 0.0)), seconds)
    return cumulative_incidence(group, groups, status, seconds, n)
