"""How sure a cell's contribution to a change is: the delta method, and what clusters add to it.

A message of a cell counts ``sign * (outcome - middle)`` of its side; every delivered one also moves the middle. The variance of the
contributions follows from the messages, or, where they fail together, from the sums of whole clusters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from masanalytics.aliases import Figures
from masanalytics.analysis.clusters import GroupClusters

__all__ = ["Side", "clustered_variance", "contribution_variance"]


class Side(NamedTuple):
    """One side as each cell sees it: its own messages, and all."""

    accepted: Figures
    delivered: Figures
    total: float
    all_delivered: float


def contribution_variance(moved: Figures, middle: float, side: Side, *, sign: int) -> Figures:
    """Return the variance of the contributions from one side's sampling: its messages are drawn with cell and outcome."""
    worth, mean = _worth(moved, middle, side, sign)
    arrived, missed = side.delivered / side.total, (side.accepted - side.delivered) / side.total
    elsewhere = (side.all_delivered - side.delivered) / side.total
    square = arrived * worth**2 + middle**2 * missed + (moved / 2) ** 2 * elsewhere
    variance: Figures = np.maximum(square - mean**2, 0) / side.total
    return variance


def _worth(moved: Figures, middle: float, side: Side, sign: int) -> tuple[Figures, Figures]:
    """Return what a delivered message of the cell counts, and what a message of the side counts on average."""
    worth = sign * (1 - middle) - moved / 2
    missed, elsewhere = side.accepted - side.delivered, side.all_delivered - side.delivered
    mean = (side.delivered * worth - sign * middle * missed - moved / 2 * elsewhere) / side.total
    return worth, mean


def clustered_variance(moved: Figures, middle: float, side: Side, clusters: GroupClusters, *, sign: int) -> Figures:
    """Return the same variance from whole clusters, each corrected by its share as in `masanalytics.stats.clusters`.

    Parameters
    ----------
    side : Side
        The counts that `clusters` add up to.
    """
    worth, mean = _worth(moved, middle, side, sign)
    n, k = clusters.totals()
    with np.errstate(divide="ignore"):
        factor = np.where(n > 0, 1 / (1 - n / side.total), 0.0)
    # A cluster's sum is that of its own rows of the cell, and of what each of its messages counts wherever it lies. The square
    # of the second part is the same arithmetic for all cells, so no table of cells by clusters is needed.
    everywhere = (
        moved**2 / 4 * (factor * k * k).sum() + moved * mean * (factor * k * n).sum() + mean**2 * (factor * n * n).sum()
    )
    own = (worth + moved / 2)[clusters.group] * clusters.delivered - sign * middle * (
        clusters.accepted - clusters.delivered
    )
    rest = -moved[clusters.group] / 2 * k[clusters.cluster] - mean[clusters.group] * n[clusters.cluster]
    here = np.bincount(
        clusters.group, weights=factor[clusters.cluster] * (2 * rest * own + own * own), minlength=len(moved)
    )
    variance: Figures = np.maximum(everywhere + here, 0) / side.total**2
    return variance
