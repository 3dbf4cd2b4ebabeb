"""Whether clusters are enough to tell how much clusters differ: five, and not so unequal that they count as fewer of one size.

Where one outweighs the others, an estimate is nearly its rate alone; the small ones, which chance moves far more, hardly tell how much
one like it differs, and a test by them finds nothing (or, where clusters differ very much, too much).

Source: L. Kish (1965), Survey Sampling, section 11.2 (as how many of one weight those of unequal weights count).
"""

from __future__ import annotations

from typing import Final

from masanalytics.aliases import Figures

__all__ = ["LEAST_CLUSTERS", "LEAST_EFFECTIVE", "effective_clusters", "is_enough"]

LEAST_CLUSTERS: Final = 5
"""Fewer clusters do not tell how much clusters differ."""

LEAST_EFFECTIVE: Final = 4.5
"""The same of clusters of one size: four full batches and half a batch are five."""


def effective_clusters(n: Figures) -> float:
    """Return as how many clusters of one size these count: a rate weighs each by its messages, `n`.

    Examples
    --------
    >>> import numpy as np
    >>> [round(effective_clusters(np.array(n)), 2) for n in ([999.0] * 5, [999.0] * 4 + [504], [5000.0] + [50] * 5)]
    [5.0, 4.77, 1.1]
    """
    squares = float((n**2).sum())
    return float(n.sum()) ** 2 / squares if squares else 0.0


def is_enough(clusters: int, effective: float) -> bool:
    """Whether so many clusters, which count as so many of one size, tell how much clusters differ.

    Examples
    --------
    >>> is_enough(5, 4.77), is_enough(6, 1.1), is_enough(4, 4.0)
    (True, False, False)
    """
    return clusters >= LEAST_CLUSTERS and effective >= LEAST_EFFECTIVE
