"""Counted times: exact quantiles, group by group, a rank test, and the difference of two medians.

Sources: H. B. Mann and D. R. Whitney (1947), Annals of Mathematical Statistics 18:50-60, with the correction for ties of
E. L. Lehmann (1975), Nonparametrics, section 1.4; W. R. Thompson (1936), Annals of Mathematical Statistics 7:122-128
(interval of a median from order statistics); R. S. Woodruff (1952), Journal of the American Statistical Association 47:635-646 (the same
of messages that are slow together); B. Rosner, R. J. Glynn and M.-L. T. Lee (2003), Biometrics 59:1089-1098 (rank tests of clusters); A.
Donner and G. Y. Zou (2012), Statistical Methods in Medical Research
21:347-359 (MOVER: the interval of a difference from those of its parts).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, hypot, sqrt

import numpy as np

from masanalytics.aliases import Figures, Numbers
from masanalytics.stats.clusters import ClusteredPair
from masanalytics.stats.proportions import Z95, normal_p_value

__all__ = ["CountedTimes", "counted_times", "median", "median_difference", "rank_test"]

Times = tuple[Figures, Numbers]
_EXACT_BELOW = 500


@dataclass(frozen=True)
class CountedTimes:
    """Sorted distinct times of each group with running counts.

    Attributes
    ----------
    group : array of int
        Each time's group.
    time : array of float
        Sorted within the group.
    n, upto : array of int
        How many messages at this time, and in the group up to and with it.
    total : array of int
        How many messages in each group.
    """

    group: Numbers
    time: Figures
    n: Numbers
    upto: Numbers
    total: Numbers

    def ranked(self, rank: Numbers) -> Figures:
        """Return the value at this rank (from 0) of each group; NaN where the group has no such rank."""
        ranked = np.full(len(self.total), np.nan)
        wanted = (rank >= 0) & (rank < self.total)
        before = np.concatenate([[0], np.cumsum(self.total)])[:-1]
        overall = np.repeat(before, np.bincount(self.group, minlength=len(self.total))) + self.upto
        place = np.searchsorted(overall, (before + rank)[wanted], side="right")
        ranked[wanted] = self.time[place]
        return ranked

    def quantile(self, level: float) -> Figures:
        """Return the quantile as numpy and pandas define it (between neighbours in proportion); NaN for no messages.

        Examples
        --------
        >>> times = counted_times(np.zeros(3, int), 1, np.array([1.0, 2, 9]), np.array([1, 2, 1]))
        >>> times.quantile(0.5).tolist(), times.quantile(0.9).round(9).tolist()
        ([2.0], [6.9])
        """
        place = np.maximum(self.total - 1, 0) * level
        below = np.floor(place + 1e-9).astype(np.int64)
        low, high = self.ranked(below), self.ranked(np.minimum(below + 1, self.total - 1))
        return low + (high - low) * np.clip(place - below, 0, 1)

    def mean(self) -> Figures:
        """Return the mean of each group; NaN for no messages."""
        summed = np.bincount(self.group, weights=self.time * self.n, minlength=len(self.total))
        return np.where(self.total > 0, summed / np.where(self.total > 0, self.total, 1), np.nan)


def counted_times(group: Numbers, groups: int, time: Figures, n: Numbers) -> CountedTimes:
    """Return the times of counted rows sorted within their groups; rows of unknown time are left out."""
    known = ~np.isnan(time)
    group, time, n = group[known], time[known], n[known]
    order = np.lexsort((time, group))
    group, time, n = group[order], time[order], n[order]
    total = np.bincount(group, weights=n, minlength=groups).astype(np.int64)
    before = np.concatenate([[0], np.cumsum(total)])[:-1]
    upto = np.cumsum(n) - before[group]
    return CountedTimes(group, time, n, upto.astype(np.int64), total)


def rank_test(a: Times, b: Times, clustered: ClusteredPair | None = None) -> float:
    """Return the two-sided p-value of the Mann-Whitney test on (times, counts), tie-corrected; NaN if one is empty.

    Parameters
    ----------
    a, b : (array of float, array of int)
        Times and how many messages had them.
    clustered : ClusteredPair, optional
        How many times as much ranks vary as those of independent messages, and by which Student's t they are tested.

    Examples
    --------
    >>> times = np.array([1.0, 2, 3, 4, 5, 6])
    >>> round(rank_test((times, np.ones(6, int)), (times + 3, np.ones(6, int))), 4)
    0.0364
    """
    m, n = int(a[1].sum()), int(b[1].sum())
    if not m or not n:
        return float("nan")
    values, place = np.unique(np.concatenate([a[0], b[0]]), return_inverse=True)
    in_a = np.bincount(place[: len(a[0])], weights=a[1], minlength=len(values))
    tied = in_a + np.bincount(place[len(a[0]) :], weights=b[1], minlength=len(values))
    below = np.cumsum(tied) - tied
    u = float((in_a * (below + (tied + 1) / 2)).sum()) - m * (m + 1) / 2
    ties = float((tied**3 - tied).sum()) / ((m + n) * (m + n - 1)) if m + n > 1 else 0.0
    variance = m * n / 12 * (m + n + 1 - ties)
    if variance <= 0:
        return 1.0
    away = max(abs(u - m * n / 2) - 0.5, 0.0)
    if clustered is not None:
        return clustered.p_value(away / sqrt(variance * clustered.effect))
    return float(normal_p_value(away / sqrt(variance)))


def median(time: Figures, n: Numbers) -> float:
    """Return the median of counted times; NaN for none."""
    return float(counted_times(np.zeros(len(n), dtype=np.int64), 1, time, n).quantile(0.5)[0])


def median_difference(a: Times, b: Times, clustered: ClusteredPair | None = None) -> tuple[float, float, float]:
    """Return the median of b minus that of a, with a 95 % interval (NaN for fewer than six times in one).

    Each median has its distribution-free interval, the two combined by MOVER, which stays honest where whole seconds tie.

    Parameters
    ----------
    a, b : (array of float, array of int)
        Times and how many messages had them.
    clustered : ClusteredPair, optional
        How many times as much ranks vary as those of independent messages: as many ranks farther apart are the bounds.

    Examples
    --------
    >>> a, b = np.arange(1.0, 102), np.arange(11.0, 112)
    >>> difference, low, high = median_difference((a, np.ones(101, int)), (b, np.ones(101, int)))
    >>> difference, round(low, 1), round(high, 1)
    (10.0, -4.1, 24.1)
    """
    (median_a, low_a, high_a), (median_b, low_b, high_b) = (
        _median(times, *reach) for times, reach in zip((a, b), _reaches(clustered), strict=True)
    )
    difference = median_b - median_a
    low = difference - hypot(median_b - low_b, high_a - median_a)
    return difference, low, difference + hypot(high_b - median_b, median_a - low_a)


def _reaches(clustered: ClusteredPair | None) -> list[tuple[float, float]]:
    """Return the effect and the quantile of each median's interval."""
    if clustered is None:
        return [(1.0, Z95), (1.0, Z95)]
    quantile = clustered.quantile(0.95)
    return [(max(effect, 1.0), quantile) for effect in (clustered.effect_a, clustered.effect_b)]


def _median(times: Times, effect: float, quantile: float) -> tuple[float, float, float]:
    """Return the median and the order statistics that enclose that of the distribution with at least 95 %."""
    time, n = times
    counted = counted_times(np.zeros(len(n), dtype=np.int64), 1, time, n)
    total = int(counted.total[0])
    middle = float(counted.quantile(0.5)[0])
    rank = _rank(total) if (effect, quantile) == (1.0, Z95) else int((total + 1 - quantile * sqrt(total * effect)) / 2)
    if rank < 1:
        return middle, float("nan"), float("nan")
    low, high = (float(counted.ranked(np.array([place]))[0]) for place in (rank - 1, total - rank))
    return middle, low, high


def _rank(total: int) -> int:
    """Return the largest rank (from 1) below which the median falls in at most 2.5 %; 0 if there is none."""
    if total >= _EXACT_BELOW:
        return int((total + 1 - Z95 * sqrt(total)) / 2)
    rank, below = 0, 0
    while rank < total and 40 * (below := below + comb(total, rank)) <= 2**total:
        rank += 1
    return rank
