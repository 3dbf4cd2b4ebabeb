"""Which messages may fail together: those of a batch within a campaign, those of a campaign's day between campaigns.

A second grouped count, without seconds, brings accepted and delivered by cluster; nothing but counts travels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from masanalytics.aliases import Booleans, Columns, Figures, Messages, Numbers
from masanalytics.analysis.dimensions import as_names, late_dimension
from masanalytics.analysis.filter_checks import OUTCOME_COLUMNS
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.stats.clusters import DesignEffects, design_effects, student_quantiles
from masanalytics.stats.proportions import wilson
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "UNCLUSTERED",
    "Cluster",
    "ClusterCounts",
    "cluster_columns",
    "cluster_counts",
    "clustered_note",
    "few_clusters_note",
    "places_among",
    "widened",
]

Cluster = Columns | Literal["auto"] | None
"""What may fail together: columns or dimensions, the default, or nothing."""

UNCLUSTERED: Final = Text(
    "there is no batch_id, so messages count as independent: where those of a batch fail together, differences are less sure "
    "than they look",
    code="unclustered",
)
_LARGE_EFFECT = 1.5
_TOLD_FROM = 30


class GroupClusters(NamedTuple):
    """Messages by group and cluster, a row each, both numbered from 0."""

    group: Numbers
    cluster: Numbers
    accepted: Figures
    delivered: Figures

    @property
    def clusters(self) -> int:
        """How many clusters have messages."""
        return int(self.cluster.max(initial=-1)) + 1

    def totals(self) -> tuple[Figures, Figures]:
        """Return accepted and delivered of each cluster."""
        n, k = (
            np.bincount(self.cluster, weights=values, minlength=self.clusters).astype(float)
            for values in (self.accepted, self.delivered)
        )
        return n, k


@dataclass(frozen=True)
class ClusterCounts:
    """Messages counted by what may fail together.

    Attributes
    ----------
    counts : Counts
        By the dimensions of the question, and the clusters'.
    accepted, delivered : array of float
        Of each row; as delivered count those delivered in time.
    late : array of bool
        Which rows' reports came later than the age asked for.
    campaign, unit, batch : array of int, optional
        Each row's campaign, its campaign's day and its batch, where the messages tell.
    asked : array of int, optional
        Each row's cluster, where the caller said what the clusters are.
    cuts : tuple of int
        The latencies by which the messages are counted too: how many of them theirs is beyond is a dimension of `counts`.
    """

    counts: Counts
    accepted: Figures
    delivered: Figures
    late: Booleans
    campaign: Numbers | None
    unit: Numbers | None
    batch: Numbers | None
    asked: Numbers | None
    cuts: tuple[int, ...] = ()

    def clusters_of(self, group: Numbers, groups: int) -> Numbers:
        """Return each row's cluster, -1 where nothing tells: batches in groups of one campaign, campaign days in others."""
        if self.asked is not None:
            return self.asked
        unknown = np.full(len(group), -1, dtype=np.int64)
        batch = unknown if self.batch is None else self.batch
        if self.campaign is None:
            return batch
        unit = (
            unknown
            if self.unit is None
            else self.unit + (self.batch.max(initial=0) + 1 if self.batch is not None else 0)
        )
        there = self.accepted > 0
        (of_group, _), _ = _distinct_pairs(group[there], self.campaign[there])
        campaigns = np.bincount(of_group, minlength=groups)
        return np.where(campaigns[group] > 1, unit, batch)

    def with_keys(self, keys: pd.DataFrame) -> ClusterCounts:
        """Return the same rows under other dimensions of the question."""
        counts = self.counts
        return replace(self, counts=Counts(keys, counts.status, counts.seconds, counts.n, list(keys.columns)))

    def effects(self, groups: pd.DataFrame) -> DesignEffects:
        """Return the design effect of each of `groups`: rows of the question's dimensions."""
        group = places_among(groups, self.counts.keys)
        inside = group >= 0
        cluster = self.clusters_of(np.maximum(group, 0), len(groups))
        group = np.where(inside & (cluster >= 0), group, -1)
        cells = self.cells(group, cluster)
        return design_effects(cells.group, len(groups), cells.accepted, cells.delivered)

    def cells(self, group: Numbers, cluster: Numbers) -> GroupClusters:
        """Return accepted and delivered by group and cluster, a row each; rows of group -1 are left out."""
        known = (group >= 0) & (self.accepted > 0)
        cell, place = _distinct_pairs(group[known], cluster[known])
        n, k = (
            np.bincount(place, weights=values[known], minlength=len(cell[0])).astype(float)
            for values in (self.accepted, self.delivered)
        )
        return GroupClusters(cell[0], np.unique(cell[1], return_inverse=True)[1].reshape(-1), n, k)


def _distinct_pairs(first: Numbers, second: Numbers) -> tuple[tuple[Numbers, Numbers], Numbers]:
    """Return the distinct pairs of two columns, in order, and each row's place among them; the second begins at -1."""
    width = int(second.max(initial=-1)) + 2
    pair, place = np.unique(first * width + (second + 1), return_inverse=True)
    return (pair // width, pair % width - 1), place.reshape(-1).astype(np.int64)


def places_among(groups: pd.DataFrame, keys: pd.DataFrame) -> Numbers:
    """Return each row's place among `groups`, -1 for what came in since they were counted."""
    import pandas as pd

    if not len(groups.columns):
        return np.zeros(len(keys), dtype=np.int64)
    number, _ = group_rows(pd.concat([groups, keys[list(groups.columns)]], ignore_index=True))
    place = np.full(int(number.max(initial=-1)) + 1, -1, dtype=np.int64)
    place[number[: len(groups)]] = np.arange(len(groups))
    return place[number[len(groups) :]]


def cluster_columns(clusters: ClusterCounts | None, groups: pd.DataFrame, rates: dict[str, Any]) -> dict[str, Any]:
    """Return ``clusters, design_effect`` of `groups`, and ``low, high`` of their `rates` at the effective size."""
    if clusters is None:
        nothing = np.zeros(len(groups), dtype=np.int64)
        found = DesignEffects(nothing, np.full(len(groups), np.nan), np.full(len(groups), np.inf))
    else:
        found = clusters.effects(groups)
    by = np.where(np.isnan(found.effect), 1.0, found.effect)
    low, high = wilson(rates["delivered"] / by, rates["accepted"] / by, student_quantiles(0.975, found.freedom))
    return {
        "low": low,
        "high": high,
        "clusters": found.clusters.astype(np.int64),
        "design_effect": found.effect,
    }


def widened(low: Figures, high: Figures, expected: dict[str, Any], rates: dict[str, Any]) -> dict[str, Any]:
    """Return the bounds of an expected end, wider by what clusters add to those of the rate so far.

    Parameters
    ----------
    low, high : array of float
        The bounds of the rate with its clusters.
    expected, rates : dict
        ``expected_rate, expected_low, expected_high``, and ``delivery_rate, low, high, most`` of independent messages.
    """
    rate = rates["delivery_rate"]

    def bound(name: str, clustered: Figures, sign: int) -> Any:
        # Without an end the two are bounds: if all that is pending failed, and if all arrived.
        bounded = rate if sign < 0 else rates["most"]
        end = np.where(np.isnan(expected["expected_rate"]), bounded, expected["expected_rate"])
        more = np.maximum((clustered - rate) ** 2 - (rates[name] - rate) ** 2, 0)
        whole = np.sqrt((expected[f"expected_{name}"] - end) ** 2 + more)
        # Where nothing is added, not even rounding is.
        return np.where(more > 0, np.clip(end + sign * whole, 0, 1), expected[f"expected_{name}"])

    return {"expected_low": bound("low", low, -1), "expected_high": bound("high", high, 1)}


def cluster_counts(
    data: Messages, question: Question, cluster: Cluster, *, age: float | None = None, cuts: tuple[int, ...] = ()
) -> ClusterCounts | None:
    """Count the messages of `question` by what may fail together; None where nothing tells, or nothing is to be told.

    As delivered count those that were within `age`. With `cuts` they are also counted by how many of these latencies theirs is beyond.

    Raises
    ------
    InputError
        If `cluster` names a column that is not there.
    """
    names = _asked_for(cluster)
    if names is None:
        return None
    late = [] if age is None else [late_dimension(int(age))]
    wanted = names or ["campaign", "day", "batch_id"]
    by = list(dict.fromkeys([*question.by, *names]))
    also = [*question.also, *wanted, *late, *([late_dimension(*cuts)] if cuts else [])]
    counts, _ = count_messages(data, replace(question, by=by, also=list(dict.fromkeys(also)), seconds=None))
    there = [name for name in wanted if name in counts.keys.columns]
    if not names and not {"campaign", "batch_id"} & set(there):
        return None
    counts = counts.taken(counts.accepted()).regrouped(question.by)
    is_late = (
        counts.keys[late[0]].to_numpy(dtype=float, na_value=np.nan) == 1
        if late
        else np.zeros(len(counts.n), dtype=bool)
    )
    accepted = counts.n.astype(float)
    delivered = np.where((counts.status == Status.delivered) & ~is_late, accepted, 0.0)

    def numbered(columns: Sequence[str]) -> Numbers:
        return group_rows(counts.keys[list(columns)])[0]

    if names:
        return ClusterCounts(counts, accepted, delivered, is_late, None, None, None, numbered(names), cuts)
    return ClusterCounts(
        counts,
        accepted,
        delivered,
        is_late,
        numbered(["campaign"]) if "campaign" in there else None,
        numbered([name for name in ("campaign", "day") if name in there]) if "campaign" in there else None,
        _batches(counts) if "batch_id" in there else None,
        None,
        cuts,
    )


def _batches(counts: Counts) -> Numbers:
    """Return each row's batch; messages of no batch are each other's, as nothing is known of them."""
    return group_rows(counts.keys[["batch_id"]])[0]


def _asked_for(cluster: Cluster) -> list[str] | None:
    """Return the columns of `cluster`, none for the default, None for no clusters at all."""
    if cluster is None:
        return None
    if isinstance(cluster, str) and cluster == "auto":
        return []
    if isinstance(cluster, bool) or not isinstance(cluster, (str, list, tuple)):
        raise InputError(
            "cluster={cluster!r}: give the names of columns, 'auto' (batches, or campaign days), or None",
            cluster=cluster,
        )
    names = as_names(cluster)
    if not names:
        raise InputError("cluster={cluster!r}: name a column, or give None for none", cluster=cluster)
    outcomes = [name for name in names if name in OUTCOME_COLUMNS]
    if outcomes:
        raise InputError(
            "cluster={cluster!r} is part of the outcome: name what was known before sending, such as 'batch_id' or 'day'",
            cluster=outcomes[0],
        )
    return names


def clustered_note(effect: Figures) -> list[Text]:
    """Return what to know where messages fail together so much that it widens an interval by a fifth."""
    largest = float(np.nanmax(effect, initial=1.0)) if len(effect) else 1.0
    if not largest > _LARGE_EFFECT:
        return []
    return [
        Text(
            "messages fail together (batches, or days of campaigns, differ by more than chance): the intervals are up to "
            "{times:.1f} times as wide as those of independent messages",
            code="clustered",
            times=largest**0.5,
        )
    ]


def few_clusters_note(clusters: Numbers, effect: Figures, accepted: Numbers) -> list[Text]:
    """Return in how many rows nothing tells how much clusters differ, so that their intervals are those of independent messages.

    Rows of fewer than 30 messages have a note of their own.
    """
    rows = accepted >= _TOLD_FROM
    few = int((rows & (clusters > 0) & np.isnan(effect)).sum())
    if not few:
        return []
    return [
        Text(
            "{count:,} of {total:,} rows rests on fewer than five batches (or days of campaigns), or on one that outweighs the others: "
            "how much these differ is not known, and the intervals hold for messages that fail one by one",
            "{count:,} of {total:,} rows rest on fewer than five batches (or days of campaigns), or on one that outweighs the others: "
            "how much these differ is not known, and the intervals hold for messages that fail one by one",
            code="few_clusters",
            count=few,
            total=len(accepted),
        )
    ]
