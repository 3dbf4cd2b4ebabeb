"""Comparing two sets of counted times: a rank test and the difference of medians.

Sources: H. B. Mann and D. R. Whitney (1947), Annals of Mathematical Statistics 18:50-60, with the correction for ties of
E. L. Lehmann (1975), Nonparametrics, section 1.4; R. M. Price and D. G. Bonett (2002), Journal of Statistical Computation
and Simulation 72:119-124 (interval of a difference of medians).
"""

from __future__ import annotations

from math import comb, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from masanalytics.analysis.intervals import Z95, normal_p_value
from masanalytics.analysis.quantiles import counted_times

__all__ = ["median", "median_difference", "rank_test"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Times = tuple[Floats, Ints]
_EXACT_BELOW = 500


def rank_test(a: Times, b: Times) -> float:
    """Return the two-sided p-value of the Mann-Whitney test on (times, counts), tie-corrected; NaN if one is empty.

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
    return float(normal_p_value(away / sqrt(variance)))


def median(time: Floats, n: Ints) -> float:
    """Return the median of counted times; NaN for none."""
    return float(counted_times(np.zeros(len(n), dtype=np.int64), 1, time, n).quantile(0.5)[0])


def median_difference(a: Times, b: Times) -> tuple[float, float, float]:
    """Return the median of b minus that of a, with a 95 % interval (NaN for fewer than five times in one).

    Examples
    --------
    >>> a, b = np.arange(1.0, 102), np.arange(11.0, 112)
    >>> difference, low, high = median_difference((a, np.ones(101, int)), (b, np.ones(101, int)))
    >>> difference, round(low, 1), round(high, 1)
    (10.0, -3.9, 23.9)
    """
    medians, variances = zip(*(_median(*times) for times in (a, b)), strict=True)
    difference, half = medians[1] - medians[0], Z95 * sqrt(sum(variances))
    return difference, difference - half, difference + half


def _median(time: Floats, n: Ints) -> tuple[float, float]:
    """Return the median and the variance of its estimate, from the order statistics around it."""
    counted = counted_times(np.zeros(len(n), dtype=np.int64), 1, time, n)
    total = int(counted.total[0])
    median = float(counted.quantile(0.5)[0])
    if total < 5:
        return median, float("nan")
    rank = max(1, round((total + 1) / 2 - sqrt(total)))
    low, high = (float(counted.ranked(np.array([place]))[0]) for place in (rank - 1, total - rank))
    return median, ((high - low) / (2 * _quantile_of(rank, total))) ** 2


def _quantile_of(rank: int, total: int) -> float:
    """Return the normal quantile of the level that the order statistics `rank` and total + 1 - rank enclose."""
    if total < _EXACT_BELOW:
        tail = sum(comb(total, i) for i in range(rank)) / 2**total
    else:
        tail = NormalDist().cdf((rank - 0.5 - total / 2) / (sqrt(total) / 2))
    return -NormalDist().inv_cdf(tail)
