"""Exact quantiles of counted whole seconds, group by group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CountedTimes", "counted_times"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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

    group: Ints
    time: Floats
    n: Ints
    upto: Ints
    total: Ints

    def ranked(self, rank: Ints) -> Floats:
        """Return the value at this rank (from 0) of each group; NaN where the group has no such rank."""
        found = np.full(len(self.total), np.nan)
        wanted = (rank >= 0) & (rank < self.total)
        before = np.concatenate([[0], np.cumsum(self.total)])[:-1]
        overall = np.repeat(before, np.bincount(self.group, minlength=len(self.total))) + self.upto
        place = np.searchsorted(overall, (before + rank)[wanted], side="right")
        found[wanted] = self.time[place]
        return found

    def quantile(self, level: float) -> Floats:
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

    def mean(self) -> Floats:
        """Return the mean of each group; NaN for no messages."""
        summed = np.bincount(self.group, weights=self.time * self.n, minlength=len(self.total))
        return np.where(self.total > 0, summed / np.where(self.total > 0, self.total, 1), np.nan)


def counted_times(group: Ints, groups: int, time: Floats, n: Ints) -> CountedTimes:
    """Return the times of counted rows sorted within their groups; rows of unknown time are left out."""
    known = ~np.isnan(time)
    group, time, n = group[known], time[known], n[known]
    order = np.lexsort((time, group))
    group, time, n = group[order], time[order], n[order]
    total = np.bincount(group, weights=n, minlength=groups).astype(np.int64)
    before = np.concatenate([[0], np.cumsum(total)])[:-1]
    upto = np.cumsum(n) - before[group]
    return CountedTimes(group, time, n, upto.astype(np.int64), total)
