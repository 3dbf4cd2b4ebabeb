"""Which clusters a comparison of two rests on, and what those of other campaigns have shown where it has too few of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from masanalytics.aliases import Booleans, Figures, Messages, Numbers
from masanalytics.analysis.clusters import Cluster, ClusterCounts, cluster_counts
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Question, group_rows
from masanalytics.stats.clusters import ClusteredPair, between_clusters, clustered_pair
from masanalytics.stats.enough_clusters import LEAST_CLUSTERS, effective_clusters, is_enough
from masanalytics.stats.jackknife import StratifiedCells

__all__ = ["FindOthers", "Level", "Others", "PairClusters", "other_campaigns", "pair_clusters", "stratified_cells"]

Level = Literal["batch", "day", "asked"]
Others = tuple[float, float]
"""The variance between clusters of other campaigns beyond chance (of their log odds, or at a rate of their rates), its degrees of freedom."""

FindOthers = Callable[[list[Any], Level], "Others | None"]
"""From the campaigns compared, and what clusters are, to how much those of others differ."""

_UNIT_MESSAGES = 20


@dataclass(frozen=True)
class PairClusters:
    """What the clusters of two arms tell of their difference.

    Attributes
    ----------
    level : {"batch", "day", "asked"}
        What the clusters are.
    found : ClusteredPair
        How much less the messages tell.
    others : (float, float), optional
        How much clusters of other campaigns differ, at the rate of the two, where the two have too few of their own.
    cluster : array of int
        Of each row of the counts, from 0; -1 for those of neither arm.
    carrying : "a", "b" or None
        The arm of which a single cluster carries the difference: without it, less than half is left.
    strata : array of int, optional
        Of each cluster: it is compared with those of the same stratum only.
    is_apart : bool
        Whether the arms are campaigns of which one was over before the other began.
    """

    level: Level
    found: ClusteredPair
    others: Others | None
    cluster: Numbers
    carrying: Literal["a", "b"] | None
    strata: Numbers | None = None
    is_apart: bool = False

    @property
    def is_tested(self) -> bool:
        """Whether there are clusters enough of the arms' own for a p-value."""
        return self.found.is_enough and not np.isnan(self.found.effect)

    @property
    def is_left_out(self) -> bool:
        """Whether how much clusters differ is not in the interval: too few tell it, and no other campaigns do."""
        return bool(np.isnan(self.found.effect))


def pair_clusters(counts: ClusterCounts, rows: tuple[Booleans, Booleans], others: FindOthers) -> PairClusters | None:
    """Return the clusters that two arms are compared by, None where nothing tells any.

    Within one campaign they are batches; between campaigns they are days of campaigns. Arms that share several campaigns are
    compared by the days of those; where these are few, or one outweighs the others, by their batches, each with others of its campaign.
    Where their own are too few, those of other campaigns tell how much such clusters differ.

    Parameters
    ----------
    counts : ClusterCounts
        Of both.
    rows : pair of array of bool
        The rows of a, and of b.
    others : callable
        Finds how much clusters of other campaigns than those compared differ.
    """
    rows = (rows[0] & (counts.accepted > 0), rows[1] & (counts.accepted > 0))
    if counts.asked is not None:
        return _told(counts, rows, "asked", counts.asked)
    if counts.campaign is None:
        return None if counts.batch is None else _told(counts, rows, "batch", counts.batch)
    ours, theirs = (set(counts.campaign[row].tolist()) for row in rows)
    unit = counts.campaign if counts.unit is None else counts.unit
    if len(ours | theirs) > 1 and not ours & theirs:
        return _between(counts, rows, unit, others)
    if len(ours | theirs) > 1 and _are_enough(unit, counts.accepted, rows[0] | rows[1]):
        return _told(counts, rows, "day", unit)
    if counts.batch is None:
        return None
    own = _told(counts, rows, "batch", counts.batch, counts.campaign)
    are_shared = bool(set(counts.batch[rows[0]].tolist()) & set(counts.batch[rows[1]].tolist()))
    return own if own.is_tested or are_shared else _by_others(own, counts, rows, counts.batch, others) or own


def _are_enough(unit: Numbers, accepted: Figures, rows: Booleans) -> bool:
    """Whether the days of campaigns of these rows tell how much days differ."""
    days, place = np.unique(unit[rows], return_inverse=True)
    n = np.bincount(place.reshape(-1), weights=accepted[rows]).astype(float)
    return is_enough(len(days), effective_clusters(n))


def _between(counts: ClusterCounts, rows: tuple[Booleans, Booleans], unit: Numbers, others: FindOthers) -> PairClusters:
    """Return the clusters of arms of different campaigns: their days, or too few, what days of others have shown."""
    own = _told(counts, rows, "day", unit)
    if own.is_tested:
        return replace(own, is_apart=_are_apart(counts, rows))
    by_others = _by_others(own, counts, rows, unit, others)
    if by_others is not None:
        return by_others
    if counts.batch is None or not np.isnan(own.found.effect):
        return own
    # How much days differ is not known: batches tell the part of it that they see, and the whole stays unknown.
    batches = _told(counts, rows, "batch", counts.batch).found
    days_of = {name: getattr(own.found, name) for name in ("clusters_a", "clusters_b", "effective_a", "effective_b")}
    return replace(own, found=batches._replace(**days_of, effect=float("nan")))


def _by_others(
    own: PairClusters, counts: ClusterCounts, rows: tuple[Booleans, Booleans], code: Numbers, others: FindOthers
) -> PairClusters | None:
    """Return the same arms with how much clusters of other campaigns differ; None where there are too few of these too."""
    both = rows[0] | rows[1]
    found = others(counts.counts.keys["campaign"][both].unique().tolist(), own.level)
    if found is None:
        return None
    rate = float(counts.delivered[both].sum() / counts.accepted[both].sum())
    at_rate = found[0] * (rate * (1 - rate)) ** 2, found[1]
    return replace(_told(counts, rows, own.level, code, between=at_rate), others=at_rate)


def _are_apart(counts: ClusterCounts, rows: tuple[Booleans, Booleans]) -> bool:
    """Whether the last day of one arm is before the first of the other."""
    keys = counts.counts.keys
    if "day" not in keys.columns:
        return False
    a, b = (keys["day"][row].dropna() for row in rows)
    return bool(len(a) and len(b) and (a.max() < b.min() or b.max() < a.min()))


def _told(
    counts: ClusterCounts,
    rows: tuple[Booleans, Booleans],
    level: Level,
    code: Numbers,
    stratum: Numbers | None = None,
    between: Others | None = None,
) -> PairClusters:
    both = rows[0] | rows[1]
    distinct, place = np.unique(code[both], return_inverse=True)
    cluster = np.full(len(code), -1, dtype=np.int64)
    cluster[both] = place.reshape(-1)

    def by_cluster(row: Booleans, values: Figures) -> Figures:
        return np.bincount(cluster[row], weights=values[row], minlength=len(distinct)).astype(float)

    na, ka, nb, kb = (by_cluster(row, values) for row in rows for values in (counts.accepted, counts.delivered))
    strata = None
    if stratum is not None:
        strata = np.zeros(len(distinct), dtype=np.int64)
        strata[cluster[both]] = np.unique(stratum[both], return_inverse=True)[1].reshape(-1)
    found = clustered_pair(na, ka, nb, kb, stratum=strata, between=between)
    return PairClusters(level, found, None, cluster, _carrying(na, ka, nb, kb), strata)


def _carrying(na: Figures, ka: Figures, nb: Figures, kb: Figures) -> Literal["a", "b"] | None:
    """Return the arm of which one cluster carries the difference: without it, less than half of it is left."""
    if min((na > 0).sum(), (nb > 0).sum()) < LEAST_CLUSTERS:
        return None
    rate_a, rate_b = ka.sum() / na.sum(), kb.sum() / nb.sum()
    difference = rate_b - rate_a
    left = {
        "a": rate_b - (ka.sum() - ka) / (na.sum() - na),
        "b": (kb.sum() - kb) / (nb.sum() - nb) - rate_a,
    }
    least = {arm: float(np.min(np.abs(values))) for arm, values in left.items()}
    arm: Literal["a", "b"] = "a" if least["a"] < least["b"] else "b"
    return arm if least[arm] < abs(difference) / 2 else None


def other_campaigns(data: Messages, where: Filters, cluster: Cluster, age: float | None) -> FindOthers:
    """Return what finds how much the log odds of other campaigns' days, or batches within them, differ; messages are counted once."""
    known: list[ClusterCounts | None] = []

    def find(campaigns: list[Any], level: Level) -> Others | None:
        if not known:
            values = {name: options for name, options in where.values.items() if name != "campaign"}
            aged = replace(where, values=values, waited_at_least=None if age is None else int(age))
            known.append(cluster_counts(data, Question((), (), aged), cluster, age=age))
        counts = known[0]
        if counts is None or counts.campaign is None or (counts.batch if level == "batch" else counts.unit) is None:
            return None
        keys = counts.counts.keys
        rows = ~keys["campaign"].isin(campaigns).to_numpy(dtype=bool) & keys["campaign"].notna().to_numpy(dtype=bool)
        wanted = ("campaign", "batch_id") if level == "batch" else ("day", "campaign")
        unit, units = group_rows(keys.loc[rows, [name for name in wanted if name in keys.columns]])
        n, k = (np.bincount(unit, weights=values[rows]).astype(float) for values in (counts.accepted, counts.delivered))
        some = n >= _UNIT_MESSAGES
        stratum = group_rows(units[["campaign"]])[0][some] if level == "batch" else None
        return between_clusters(n[some], k[some], stratum)

    return find


def stratified_cells(
    counts: ClusterCounts, rows: tuple[Booleans, Booleans], cluster: Numbers, strata: Sequence[str]
) -> StratifiedCells:
    """Return the messages of two arms by stratum and cluster.

    Parameters
    ----------
    cluster : array of int
        Of each row, -1 for those of neither arm.
    """
    stratum, _ = group_rows(counts.counts.keys[list(strata)])
    known = cluster >= 0
    cell, place = np.unique(np.stack([stratum[known], cluster[known]]), axis=1, return_inverse=True)
    place = place.reshape(-1)
    na, ka, nb, kb = (
        np.bincount(place, weights=np.where(row, values, 0.0)[known], minlength=cell.shape[1]).astype(float)
        for row in rows
        for values in (counts.accepted, counts.delivered)
    )
    return StratifiedCells(cell[0], cell[1], na, ka, nb, kb)
