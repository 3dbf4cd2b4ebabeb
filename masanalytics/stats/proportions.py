"""Intervals and tests for proportions, on arrays, with numpy alone.

Sources: E. B. Wilson (1927), JASA 22:209-212; R. G. Newcombe (1998), Statistics in Medicine 17:873-890 (method 10);
S. Holm (1979), Scandinavian Journal of Statistics 6:65-70; K. J. Rothman (1978), Journal of Chronic Diseases 31:557-560
(Wilson's interval at the effective sample size of a censored estimate); W. G. Cochran (1954), Biometrics 10:417-451 and
N. Mantel and W. Haenszel (1959), JNCI 22:719-748 (weights and test over strata); T. Sato (1989), Biometrics 45:1323-1324
(variance of the Mantel-Haenszel difference); Y. Benjamini and Y. Hochberg (1995), JRSS B 57:289-300 (false discoveries).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import erfc, exp, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from masanalytics.aliases import Figures

__all__ = [
    "Z95",
    "Difference",
    "Doubt",
    "benjamini_hochberg",
    "effective_wilson",
    "holm",
    "newcombe",
    "normal_p_value",
    "sato_variance",
    "share_p_value",
    "stratified_difference",
    "student_p_value",
    "student_quantile",
    "two_proportion_p_value",
    "wilson",
]


_ROUNDING = 1e-9

Z95 = NormalDist().inv_cdf(0.975)
"""The standard normal quantile of a two-sided 95 % interval."""


def wilson(successes: ArrayLike, trials: ArrayLike, z: ArrayLike = Z95) -> tuple[Figures, Figures]:
    """Return Wilson's score interval of a proportion, clipped to 0..1; NaN where there were no trials.

    Parameters
    ----------
    successes, trials : array_like of float
        Need not be whole numbers (see `effective_wilson`).
    z : array_like of float
        The standard normal quantile of the two-sided level (95 % by default).

    Examples
    --------
    >>> low, high = wilson([3, 0], [3, 10])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.439, 0.0], [1.0, 0.278])
    """
    k, n, z = (np.asarray(value, dtype=float) for value in (successes, trials, z))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = k / n
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(np.maximum(p * (1 - p), 0) / n + z * z / (4 * n * n))
    # The bounds at k = 0 and k = n are exactly 0 and 1; rounding would leave 2.8e-17.
    low = np.where(k <= 0, 0.0, np.clip(middle - half, 0, 1))
    high = np.where(k >= n, 1.0, np.clip(middle + half, 0, 1))
    no_trials = ~(n > 0) | np.isnan(k)
    return np.where(no_trials, np.nan, low), np.where(no_trials, np.nan, high)


def effective_wilson(
    rate: ArrayLike, variance: ArrayLike, fallback_n: ArrayLike, z: ArrayLike = Z95
) -> tuple[Figures, Figures]:
    """Return Wilson's interval at the effective sample size ``rate (1 - rate) / variance`` (Rothman 1978).

    Without censoring that size is the number of messages and the interval is exactly Wilson's. Where the estimate is 0
    or 1 its variance is 0, and `fallback_n`, the number of messages whose end is known, stands in.

    Examples
    --------
    >>> low, high = effective_wilson(0.9, 0.9 * 0.1 / 100, 100)
    >>> [round(float(bound), 4) for bound in (low, high)] == [round(float(b), 4) for b in wilson(90, 100)]
    True
    """
    p, v, n0 = (np.asarray(value, dtype=float) for value in (rate, variance, fallback_n))
    # A product of a thousand factors comes out as 1 - 1e-16 where it is 1.
    p = np.where(np.abs(p - np.round(p)) < _ROUNDING, np.round(p), p)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.where((v > 0) & (p > 0) & (p < 1), p * (1 - p) / v, n0)
    return wilson(p * n, n, z)


def newcombe(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, z: float = Z95) -> tuple[Figures, Figures]:
    """Return Newcombe's hybrid score interval of the difference ``k1/n1 - k2/n2`` of independent proportions.

    Examples
    --------
    >>> low, high = newcombe(56, 70, 48, 80)  # Newcombe 1998, table II, method 10, example (a)
    >>> round(float(low), 4), round(float(high), 4)
    (0.0524, 0.3339)
    """
    low1, high1 = wilson(k1, n1, z)
    low2, high2 = wilson(k2, n2, z)
    with np.errstate(divide="ignore", invalid="ignore"):
        p1 = np.asarray(k1, dtype=float) / np.asarray(n1, dtype=float)
        p2 = np.asarray(k2, dtype=float) / np.asarray(n2, dtype=float)
    low = p1 - p2 - np.sqrt((p1 - low1) ** 2 + (high2 - p2) ** 2)
    high = p1 - p2 + np.sqrt((high1 - p1) ** 2 + (p2 - low2) ** 2)
    return low, high


def two_proportion_p_value(k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike) -> Figures:
    """Return the two-sided p-value of the pooled two-proportion z-test (the chi-squared test without correction).

    Examples
    --------
    >>> round(float(two_proportion_p_value(56, 70, 48, 80)), 4)
    0.008
    """
    k1, n1, k2, n2 = (np.asarray(value, dtype=float) for value in (k1, n1, k2, n2))
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (k1 + k2) / (n1 + n2)
        z = (k1 / n1 - k2 / n2) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    same = (n1 > 0) & (n2 > 0) & ((pooled <= 0) | (pooled >= 1))
    return np.where(same, 1.0, normal_p_value(z))


def normal_p_value(z: ArrayLike) -> Figures:
    """Return the two-sided p-value of a standard normal statistic.

    Examples
    --------
    >>> round(float(normal_p_value(1.959964)), 6)
    0.05
    """
    values = np.asarray(z, dtype=float)
    flat = [np.nan if np.isnan(value) else erfc(abs(value) / sqrt(2)) for value in values.ravel()]
    return np.array(flat, dtype=float).reshape(values.shape)


def share_p_value(counts: Sequence[float], shares: Sequence[float]) -> float:
    """Return the p-value of Pearson's chi-squared test that counts fall into these shares; NaN where nothing was counted.

    Examples
    --------
    >>> round(share_p_value([3100, 2900], [0.5, 0.5]), 4), round(share_p_value([30, 50, 40], [0.25, 0.5, 0.25]), 4)
    (0.0098, 0.0821)
    """
    total = sum(counts)
    if not total:
        return float("nan")
    expected = [share / sum(shares) * total for share in shares]
    half = sum((count - meant) ** 2 / meant for count, meant in zip(counts, expected, strict=True)) / 2
    # The upper incomplete gamma function of whole and half numbers, one step from the one before.
    degrees = len(counts) - 1
    order, tail = (0.5, erfc(sqrt(half))) if degrees % 2 else (1.0, exp(-half))
    while order < degrees / 2:
        tail += exp(order * log(half) - half - lgamma(order + 1)) if half > 0 else 0.0
        order += 1
    return min(1.0, tail)


def holm(p_values: ArrayLike) -> Figures:
    """Return Holm's step-down adjusted p-values; NaN stays NaN and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, float("nan")]).round(3).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0) if len(order) else []
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> Figures:
    """Return q-values: calling all with q up to 0.05 found, at most 5 % of the found are expected to be false.

    NaN stays NaN and does not count (Benjamini and Hochberg 1995).

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03, float("nan"), 0.5]).round(3).tolist()
    [0.04, 0.053, 0.053, nan, 0.5]
    """
    p = np.asarray(p_values, dtype=float)
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    if len(order):
        scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
        q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


def student_p_value(t: float, df: float) -> float:
    """Return the two-sided p-value of Student's t with `df` degrees of freedom.

    Examples
    --------
    >>> round(student_p_value(2.228139, 10), 5), round(student_p_value(12.7062, 1), 5)
    (0.05, 0.05)
    """
    if not np.isfinite(df):
        return float(normal_p_value(t))
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t))


@cache
def student_quantile(level: float, df: float) -> float:
    """Return the `level` quantile (above one half) of Student's t with `df` degrees of freedom.

    Examples
    --------
    >>> round(student_quantile(0.975, 10), 4), round(student_quantile(0.975, float("inf")), 4)
    (2.2281, 1.96)
    """
    if not np.isfinite(df) or df > 1e6:
        return NormalDist().inv_cdf(level)
    level, df = float(level), float(df)  # of numpy's numbers each step takes several times as long
    # Newton's method for the logarithm of the p-value over that of t, which is concave: after one step it comes from above.
    target = 2 * (1 - level)
    t = NormalDist().inv_cdf(level)
    scale = exp(lgamma((df + 1) / 2) - lgamma(df / 2)) / sqrt(df * pi)
    for _ in range(100):
        p = student_p_value(t, df)
        density = scale * exp(-(df + 1) / 2 * log1p(t * t / df))
        step = p * log(p / target) / (2 * density * t)
        t *= exp(step)
        if abs(step) < 1e-9:  # the next one would be its square, which is less than rounding makes of it
            break
    return t


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function by its continued fraction (Abramowitz and Stegun 26.5.8)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a
    return 1 - front * _beta_fraction(b, a, 1 - x) / b


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function by Lentz's method."""
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 1000):
        for top in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                    -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):  # fmt: skip
            d = 1 / _off_zero(1 + top * d)
            c = _off_zero(1 + top / c)
            result *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return result


def _off_zero(value: float) -> float:
    return value if abs(value) > 1e-300 else 1e-300


class Difference(NamedTuple):
    """A difference of proportions with its 95 % interval and p-value."""

    difference: float
    low: float
    high: float
    p_value: float


class Doubt(NamedTuple):
    """What is known of a difference beyond its messages.

    Attributes
    ----------
    variance : float
        Its variance at least; that of independent messages where it is larger.
    freedom : float
        The degrees of freedom of that variance.
    level : float
        The two-sided level of the interval.
    """

    variance: float = 0.0
    freedom: float = float("inf")
    level: float = 0.95


def stratified_difference(
    ka: Figures, na: Figures, kb: Figures, nb: Figures, *, doubt: Doubt | None = None
) -> Difference:
    """Return the rate of b minus that of a within strata, averaged with Mantel-Haenszel weights.

    Strata in which one of the two has no messages do not count. The interval is the difference ± Student's quantile times the
    standard error, by Sato's variance or by that of `doubt` where it is larger; with a single stratum it is Newcombe's, of as
    many messages as have such a variance.

    Examples
    --------
    >>> ka, na, kb, nb = (np.array(x, dtype=float) for x in ([90, 10], [100, 20], [45, 60], [50, 100]))
    >>> found = stratified_difference(ka, na, kb, nb)
    >>> round(found.difference, 4), round(found.p_value, 4)
    (0.0333, 0.5318)
    >>> round(found.low, 4), round(found.high, 4)
    (-0.0704, 0.1371)
    """
    doubt = doubt or Doubt()
    both = (na > 0) & (nb > 0)
    ka, na, kb, nb = ka[both], na[both], kb[both], nb[both]
    if not len(na):
        return Difference(*[float("nan")] * 4)
    weight = na * nb / (na + nb)
    share = weight / weight.sum()
    pa, pb = ka / na, kb / nb
    difference = float((share * (pb - pa)).sum())
    variance = sato_variance(ka, na, kb, nb)
    effect = max(doubt.variance / variance, 1.0) if variance > 0 else 1.0
    freedom = doubt.freedom if effect > 1 else float("inf")
    z = student_quantile((1 + doubt.level) / 2, freedom)
    p_value = student_p_value(_cmh(ka, na, kb, nb) / sqrt(effect), freedom)
    if variance > 0 and len(na) > 1:
        half = z * sqrt(variance * effect)
        return Difference(difference, max(difference - half, -1.0), min(difference + half, 1.0), p_value)
    # With one stratum, and where every stratum is wholly delivered or wholly not: the counts alone say how far the rates may
    # be from it.
    mean_a, mean_b = float((share * pa).sum()), float((share * pb).sum())
    size_a, size_b = na.sum() / effect, nb.sum() / effect
    low, high = (float(bound) for bound in newcombe(mean_b * size_b, size_b, mean_a * size_a, size_a, z))
    return Difference(difference, low, high, p_value)


def sato_variance(ka: Figures, na: Figures, kb: Figures, nb: Figures) -> float:
    """Return the variance of the Mantel-Haenszel difference, for few large strata as for many small ones (Sato 1989).

    Examples
    --------
    >>> ka, na, kb, nb = (np.array(x, dtype=float) for x in ([90, 10], [100, 20], [45, 60], [50, 100]))
    >>> round(sato_variance(ka, na, kb, nb) ** 0.5, 4)
    0.053
    """
    both = (na > 0) & (nb > 0)
    ka, na, kb, nb = ka[both], na[both], kb[both], nb[both]
    if not len(na):
        return float("nan")
    n = na + nb
    weight = (na * nb / n).sum()
    difference = float(((na * kb - nb * ka) / n).sum() / weight)
    p = (nb**2 * ka - na**2 * kb + na * nb * (na - nb) / 2) / n**2
    q = (kb * (na - ka) + ka * (nb - kb)) / (2 * n)
    return float((difference * p.sum() + q.sum()) / weight**2)


def _cmh(ka: Figures, na: Figures, kb: Figures, nb: Figures) -> float:
    """Return the statistic of the Cochran-Mantel-Haenszel test, standard normal; 0 where it has no variance."""
    n, k = na + nb, ka + kb
    some = n > 1
    variance = (na * nb * k * (n - k) / np.where(some, n**2 * (n - 1), 1))[some].sum()
    if variance <= 0:
        return 0.0
    return float((ka - na * k / n)[some].sum() / np.sqrt(variance))
