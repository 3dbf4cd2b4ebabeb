"""Comparing means of amounts, most of which are 0: Student's t with the variance of both groups together.

Welch's t takes each group's variance from itself. Of 500 people of whom 25 bought something it is hardly known, and is small where the
mean happens to be small: where nothing differs, Welch's t finds a difference in 9 to 17 of a hundred such comparisons, Student's in 5.
"""

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
    """Return the mean of `second` less that of `first`, by Student's t.

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
    [2.75, -1.2302, 6.7302, 0.1419]
    """
    if min(len(first), len(second)) < 2:
        return MeanDifference(nan, nan, nan, nan)
    difference = float(second.mean() - first.mean())
    freedom = len(first) + len(second) - 2
    squares = sum(float(np.var(values)) * len(values) for values in (first, second))
    variance = squares / freedom * (1 / len(first) + 1 / len(second))
    if not variance > 0:
        return MeanDifference(difference, difference, difference, 1.0 if difference == 0 else nan)
    reach = student_quantile((1 + level) / 2, freedom) * sqrt(variance)
    p_value = student_p_value(difference / sqrt(variance), freedom)
    return MeanDifference(difference, difference - reach, difference + reach, p_value)
