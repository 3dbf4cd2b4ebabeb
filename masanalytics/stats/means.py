"""Comparing means: Welch's t, for amounts that vary differently in the two groups."""

from __future__ import annotations

from math import nan, sqrt
from typing import NamedTuple

import numpy as np

from masanalytics.aliases import Figures
from masanalytics.stats.proportions import student_p_value, student_quantile

__all__ = ["MeanDifference", "mean_difference"]


class MeanDifference(NamedTuple):
    """The difference of two means, its interval and two-sided p-value; NaN where a group has fewer than two."""

    difference: float
    low: float
    high: float
    p_value: float


def mean_difference(first: Figures, second: Figures, level: float = 0.95) -> MeanDifference:
    """Return the mean of `second` less that of `first`, by Welch's t with Satterthwaite's degrees of freedom.

    Parameters
    ----------
    first, second : array of float
        One value a person, 0 for those without any.
    level : float
        Of the interval.

    Examples
    --------
    >>> found = mean_difference(np.array([1.0, 2, 3, 4]), np.array([2.0, 4, 6, 9]))
    >>> [round(value, 4) for value in found]
    [2.75, -1.7299, 7.2299, 0.1647]
    """
    if min(len(first), len(second)) < 2:
        return MeanDifference(nan, nan, nan, nan)
    difference = float(second.mean() - first.mean())
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (first, second)]
    variance = sum(parts)
    if not variance > 0:
        return MeanDifference(difference, difference, difference, 1.0 if difference == 0 else nan)
    freedom = variance**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (first, second), strict=True)
    )
    reach = student_quantile((1 + level) / 2, freedom) * sqrt(variance)
    p_value = student_p_value(difference / sqrt(variance), freedom)
    return MeanDifference(difference, difference - reach, difference + reach, p_value)
