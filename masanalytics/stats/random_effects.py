"""Units that differ by more than chance, and what the next one may be: random effects, on arrays, with numpy alone.

A unit shows a deviation with a known sampling variance; the units' own means differ by a variance between them, which is
estimated so that Cochran's Q is what is expected of it (R. C. Paule and J. Mandel (1982), Journal of Research of the National
Bureau of Standards 87:377-385, solved by Newton's method as in R. DerSimonian and R. Kacker (2007), Contemporary Clinical Trials
28:105-114). Its upper bound is Q's profile (W. Viechtbauer (2007), Statistics in Medicine 26:37-52). A new unit lies within the
mean ± Student's quantile × √(variance between + error of the mean) (J. P. T. Higgins, S. G. Thompson and D. J. Spiegelhalter
(2009), JRSS A 172:137-159); the degrees of freedom are those of the variance between, whose own variance is two over the sum of
the squared weights (F. E. Satterthwaite (1946), Biometrics Bulletin 2:110-114). How right that is the units say themselves: each is predicted from the others, and where the
errors are larger than promised, the interval becomes as much wider as their quantile is above one (V. Vovk, A. Gammerman and
G. Shafer (2005), Algorithmic Learning in a Random World; the jackknife of R. F. Barber et al. (2021), Annals of Statistics
49:486-507).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil, exp, lgamma, log
from typing import Final

import numpy as np

from masanalytics.aliases import Booleans, Figures
from masanalytics.stats.proportions import Z95

__all__ = [
    "LEAST_FREEDOM",
    "LeftOut",
    "RandomEffects",
    "chi_square_quantile",
    "conformal_factor",
    "paule_mandel",
    "student_quantiles",
    "upper_variance",
]

LEVEL: Final = 0.95
"""Of the intervals."""

LEAST_FREEDOM: Final = 5.0
"""Degrees of freedom that are counted even where the variance between units is hardly known."""

_REFITTED = 150


@dataclass(frozen=True)
class RandomEffects:
    """The mean of units that differ, and how much a new one may differ from it.

    Attributes
    ----------
    mean : float
        Of the deviations, each unit weighing ``weight / (between + its variance)``.
    between : float
        The variance of the units' own means.
    sampling : float
        The part of the mean's variance that comes from the units' sampling.
    units : float
        How many units the mean rests on, counted by their weight.
    precision : float
        Two over the variance of `between` itself, which is estimated too.
    """

    mean: float
    between: float
    sampling: float
    units: float
    precision: float

    @classmethod
    def of(cls, deviation: Figures, variance: Figures, weight: Figures | None = None) -> RandomEffects:
        """Estimate them from the units' deviations, the variances of these, and how much each unit counts.

        Examples
        --------
        >>> found = RandomEffects.of(np.array([-1.0, 0.0, 1.0]), np.full(3, 0.25))
        >>> round(found.mean, 6), round(found.between, 6), round(found.units, 6)
        (0.0, 0.75, 3.0)
        """
        if not len(deviation):
            return cls(0.0, 0.0, 0.0, 0.0, 0.0)
        between = float(paule_mandel(deviation, variance))
        own = (np.ones(len(deviation)) if weight is None else weight) / (between + variance)
        total = own.sum()
        return cls(
            float((own * deviation).sum() / total),
            between,
            float((own**2 * variance).sum() / total**2),
            float(total**2 / (own**2).sum()),
            float(((between + variance) ** -2.0).sum()),
        )


@dataclass(frozen=True)
class LeftOut:
    """Each unit as the others predict it.

    Attributes
    ----------
    error : array of float
        Its deviation from the mean of the others.
    half_width : array of float
        Of the 95 % prediction interval, its own sampling included.
    """

    error: Figures
    half_width: Figures

    @classmethod
    def of(cls, deviation: Figures, variance: Figures, weight: Figures) -> LeftOut:
        """Predict each unit from the others; needs three.

        Examples
        --------
        >>> found = LeftOut.of(np.array([0.0, 0.0, 0.0, 4.0]), np.ones(4), np.ones(4))
        >>> found.error.round(3).tolist(), (np.abs(found.error) <= found.half_width).tolist()
        ([-1.333, -1.333, -1.333, 4.0], [True, True, True, False])
        """
        k = len(deviation)
        if k <= _REFITTED:
            kept = ~np.eye(k, dtype=bool)
            between = paule_mandel(np.tile(deviation, (k, 1)), np.tile(variance, (k, 1)), kept)
        else:  # one of many hardly moves the variance between
            between = np.full(k, float(paule_mandel(deviation, variance)))
        inverse = 1 / (between[:, None] + variance)
        inverse[np.arange(k), np.arange(k)] = 0.0
        each = weight * inverse
        total = each.sum(axis=1)
        mean = (each * deviation).sum(axis=1) / total
        of_mean = (each**2 * (variance + between[:, None])).sum(axis=1) / total**2
        whole = between + of_mean + variance
        quantiles = student_quantiles(whole**2 * (inverse**2).sum(axis=1))
        return cls(deviation - mean, quantiles * np.sqrt(whole))

    @property
    def ratio(self) -> Figures:
        """How many half widths each unit is off: at most one where the interval holds it."""
        return np.asarray(np.abs(self.error) / self.half_width)


def student_quantiles(freedom: Figures) -> Figures:
    """Return Student's quantile of the two-sided 95 % for each number of degrees of freedom, five at least.

    By its expansion in one over their number (Abramowitz and Stegun 26.7.5), right to 0.0002.

    Examples
    --------
    >>> student_quantiles(np.array([5.0, 10.0, np.inf])).round(3).tolist()
    [2.57, 2.228, 1.96]
    """
    z, per = Z95, 1 / np.maximum(freedom, LEAST_FREEDOM)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    fourth = (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160
    return np.asarray(z + per * (first + per * (second + per * (third + per * fourth))))


def paule_mandel(deviation: Figures, variance: Figures, kept: Booleans | None = None) -> Figures:
    """Return the variance between units beyond their sampling variances, along the last axis.

    Parameters
    ----------
    deviation, variance : array of float
        What each unit shows, and the sampling variance of it.
    kept : array of bool, optional
        Which units count.

    Examples
    --------
    >>> # Eight trials of Hine et al. (1989) on lidocaine show no variance beyond chance; three far apart do.
    >>> float(paule_mandel(np.array([0.1, 0.2, 0.15]), np.ones(3)))
    0.0
    >>> float(paule_mandel(np.array([1.0, 5.0, 9.0]), np.ones(3)).round(6))
    15.0
    """
    counted = np.ones(np.shape(deviation), dtype=bool) if kept is None else kept
    return _between_at(deviation, variance, counted, counted.sum(axis=-1) - 1.0)


def upper_variance(deviation: Figures, variance: Figures, level: float) -> float:
    """Return the upper bound of the variance between units: above it with probability ``1 - level``.

    Examples
    --------
    >>> deviation = np.array([1.0, 5.0, 9.0])
    >>> round(upper_variance(deviation, np.ones(3), 0.5), 2), round(upper_variance(deviation, np.ones(3), 0.95), 1)
    (22.08, 310.9)
    """
    if len(deviation) < 2:
        return 0.0
    target = chi_square_quantile(1 - level, len(deviation) - 1)
    return float(_between_at(deviation, variance, np.ones(len(deviation), dtype=bool), np.asarray(target)))


@cache
def chi_square_quantile(level: float, df: float) -> float:
    """Return the `level` quantile of the chi-squared distribution with `df` degrees of freedom.

    Examples
    --------
    >>> round(chi_square_quantile(0.05, 2), 4), round(chi_square_quantile(0.95, 10), 4)
    (0.1026, 18.307)
    """
    low, high = 0.0, 10 * df + 100.0
    for _ in range(200):
        middle = (low + high) / 2
        if _lower_gamma(df / 2, middle / 2) < level:
            low = middle
        else:
            high = middle
        if high - low < 1e-12 * max(high, 1.0):
            break
    return (low + high) / 2


def conformal_factor(ratio: Figures, level: float = LEVEL) -> float:
    """Return by how much intervals have to be wider so that they would have held the share `level` of what they predicted.

    `ratio` is how many half widths each was off. With fewer than 19, the largest counts.

    Examples
    --------
    >>> conformal_factor(np.array([0.1, 0.5, 2.0])), conformal_factor(np.linspace(0, 1, 40))
    (2.0, 1.0)
    """
    if not len(ratio):
        return 1.0
    place = min(ceil(level * (len(ratio) + 1)), len(ratio)) - 1
    return max(1.0, float(np.sort(ratio)[place]))


def _between_at(deviation: Figures, variance: Figures, kept: Booleans, target: Figures) -> Figures:
    """Return the variance between at which Cochran's Q is `target`; 0 where it is less already."""
    # Q falls and is convex in it: Newton's steps come from below and never pass the solution.
    between = np.zeros(np.shape(target))
    for _ in range(100):
        weight = np.where(kept, 1 / (between[..., None] + variance), 0.0)
        total = np.maximum(weight.sum(axis=-1, keepdims=True), 1e-300)
        error = (
            np.where(kept, deviation, 0.0)
            - (weight * np.where(kept, deviation, 0.0)).sum(axis=-1, keepdims=True) / total
        )
        over = (weight * error**2).sum(axis=-1) - target
        slope = (weight**2 * error**2).sum(axis=-1)
        step = np.divide(over, slope, out=np.zeros_like(over), where=(over > 0) & (slope > 0))
        between = between + step
        if (step <= 1e-10 * between).all():
            break
    return between


def _lower_gamma(a: float, x: float) -> float:
    """Return the regularised lower incomplete gamma function by its series, which converges for every x."""
    if x <= 0:
        return 0.0
    term = total = 1 / a
    n = a
    while term > total * 1e-16:
        n += 1
        term *= x / n
        total += term
    return total * exp(a * log(x) - x - lgamma(a))
