"""How much later the messages of one arm arrive than those of the other, where messages of a batch are slow together."""

from __future__ import annotations

from typing import Any

import numpy as np

from masanalytics.aliases import Booleans, Figures
from masanalytics.analysis.clustered_pairs import PairClusters
from masanalytics.analysis.clusters import ClusterCounts
from masanalytics.analysis.delivery_times import delivery_times
from masanalytics.analysis.dimensions import late_dimension
from masanalytics.analysis.grouped_count import Counts
from masanalytics.stats.clusters import ClusteredPair, clustered_pair
from masanalytics.stats.interval_censored import MINUTE_S
from masanalytics.stats.order_statistics import median, median_difference, rank_test

__all__ = ["latency_columns", "latency_cuts", "slow_together"]

_STEPS = 16


def latency_cuts(counts: Counts, timed: Booleans) -> tuple[int, ...]:
    """Return the latencies by which clusters are counted, so that a sixteenth of the `timed` messages lies between two.

    The first is -1, beyond which every known latency lies.
    """
    if not timed.any():
        return ()
    seconds, n = counts.seconds[timed], counts.n[timed]
    order = np.argsort(seconds, kind="stable")
    upto = np.cumsum(n[order])
    places = np.searchsorted(upto, upto[-1] * np.arange(1, _STEPS) / _STEPS)
    return (-1, *np.unique(seconds[order][places].astype(np.int64)).tolist())


def slow_together(
    counts: ClusterCounts, rows: tuple[Booleans, Booleans], clusters: PairClusters
) -> ClusteredPair | None:
    """Return how much less the latencies of two arms tell of their difference than those of as many independent messages.

    Ranks are compared as rates are: the mean rank of each cluster, among the messages of both arms, differs by chance and beyond it.
    None where there are no latencies.

    Parameters
    ----------
    counts : ClusterCounts
        Counted by `latency_cuts`.
    rows : pair of array of bool
        The rows of a, and of b.
    clusters : PairClusters
        By which their rates are compared.
    """
    if not counts.cuts:
        return None
    step = counts.counts.keys[late_dimension(*counts.cuts)].to_numpy(dtype=np.int64, na_value=0)
    n = np.where((counts.delivered > 0) & (step > 0), counts.accepted, 0.0)
    both = rows[0] | rows[1]
    of_step = np.bincount(step[both], weights=n[both], minlength=len(counts.cuts) + 1)
    total = of_step.sum()
    rank = np.cumsum(of_step) - of_step / 2
    spread = float(np.sqrt((of_step * (rank - total / 2) ** 2).sum() / total)) if total else 0.0
    if not spread > 0:
        return None
    # A mean of one half and a variance of one quarter, as a rate of one half has.
    score = 0.5 + (rank - total / 2) / (2 * spread)
    size = int(clusters.cluster.max(initial=-1)) + 1

    def by_cluster(row: Booleans, values: Figures) -> Figures:
        return np.bincount(clusters.cluster[row], weights=values[row], minlength=size).astype(float)

    parts = [by_cluster(row, values) for row in rows for values in (n, n * score[step])]
    return clustered_pair(*parts, stratum=clusters.strata)


def latency_columns(
    counts: Counts, arms: tuple[Booleans, Booleans], timed: Booleans, clustered: ClusteredPair | None
) -> dict[str, Any]:
    """Return the columns of `compare` that are about latencies.

    Parameters
    ----------
    counts : Counts
        The messages of both arms, at the age they are compared at.
    arms : pair of array of bool
        The rows of each.
    timed : array of bool
        The rows whose latency is compared.
    clustered : ClusteredPair, optional
        How much less they tell; None where messages count as independent.
    """
    a, b = ((counts.seconds[arm & timed], counts.n[arm & timed]) for arm in arms)
    known = clustered if clustered is not None and not np.isnan(clustered.effect) else None
    difference, low, high = median_difference(a, b, known)
    medians = [median(*a), median(*b)]
    is_minute = counts.minute_rows()
    doubt = [MINUTE_S if (is_minute & arm & timed).any() else 0.0 for arm in arms]
    low, high = low - sum(doubt), high + sum(doubt)
    if any(doubt):  # as `latency` has them: the ends of minutes
        medians = [float(delivery_times(counts.regrouped([]), arm & timed).quantile(0.5)[0]) for arm in arms]
    if abs(difference) <= sum(doubt) > 0 or (clustered is not None and not (known and known.is_enough)):
        p_value = np.nan
    else:  # as near to each other as they can be in truth
        towards = np.sign(difference)
        p_value = rank_test((a[0] + towards * doubt[0], a[1]), (b[0] - towards * doubt[1], b[1]), known)
    return {
        "median_a_s": medians[0], "median_b_s": medians[1], "median_difference_s": medians[1] - medians[0],
        "median_low_s": low, "median_high_s": high, "latency_p_value": p_value,
    }  # fmt: skip
