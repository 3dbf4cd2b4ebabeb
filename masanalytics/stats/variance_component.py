"""How much clusters differ beyond chance, from clusters of any sizes: restricted maximum likelihood.

Deviations from the rate of all, weighted by size, hardly see a cluster that makes up most of the messages: the rate of all is nearly its
own. Each cluster's weight has to follow how much it varies itself, by chance and beyond it; where clusters differ much a small one tells
as much as a large one.

Sources: H. D. Patterson and R. Thompson (1971), Biometrika 58:545-554 (restricted maximum likelihood, here by its equations of
moments); S. W. Raudenbush (2009) in The Handbook of Research Synthesis, chapter 16 (its information); C. R. Rao (1971), Journal of
Multivariate Analysis 1:445-456 (at 0 and below, the weights of independent messages).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from masanalytics.aliases import Figures, Numbers

__all__ = ["Clustered", "VarianceComponent", "variance_component"]

_ROUNDS = 50
_SETTLED = 1e-6
_FEW = 0.7


class Clustered(NamedTuple):
    """Rates of clusters, a row each.

    Attributes
    ----------
    rate : array of float
        Of the cluster.
    chance : array of float
        Its variance by chance.
    group : array of int
        Clusters of a group have one mean in common.
    family : array of int
        Groups of a family have one variance between clusters in common.
    """

    rate: Figures
    chance: Figures
    group: Numbers
    family: Numbers


class VarianceComponent(NamedTuple):
    """Of each family: the variance between clusters beyond chance, and how sure it is.

    Attributes
    ----------
    value : array of float
        Below 0 where clusters happen to differ less than chance makes them; NaN where no group has two clusters.
    information : array of float
        Two over the variance of `value`.
    """

    value: Figures
    information: Figures


def variance_component(clusters: Clustered, families: int) -> VarianceComponent:
    """Return how much the clusters of each family differ beyond chance.

    Examples
    --------
    >>> rate, none = np.array([0.9, 0.8, 0.95, 0.85]), np.zeros(4, dtype=int)
    >>> found = variance_component(Clustered(rate, np.full(4, 0.001), none, none), 1)
    >>> found.value.round(5).tolist(), round(float((2 / found.information[0]) ** 0.5), 5)
    ([0.00317], 0.0034)
    """
    value, left = np.zeros(families), clusters
    for _ in range(_ROUNDS):
        again = _moments(left, np.maximum(value, 0.0), families).value
        is_open = np.abs(np.maximum(again, 0) - np.maximum(value, 0)) > _SETTLED * np.maximum(again, 0)
        of_left = np.bincount(left.family, minlength=families) > 0
        value = np.where(of_left, np.where(np.isnan(again), 0.0, again), value)
        if not is_open.any():
            break
        # Most families settle in a few rounds; a few take many.
        going_on = is_open[left.family]
        if going_on.mean() < _FEW:
            left = Clustered(*(values[going_on] for values in left))
            left = left._replace(group=np.unique(left.group, return_inverse=True)[1])
    return _moments(clusters, np.maximum(value, 0.0), families)


def _moments(clusters: Clustered, value: Figures, families: int) -> VarianceComponent:
    """Return the component whose expected sum of squares, with the weights of `value`, is the one there is."""
    rate, chance, group, family = clusters
    groups = int(group.max(initial=-1)) + 1
    weight = 1 / (chance + value[family])

    def of_group(values: Figures) -> Figures:
        return np.bincount(group, weights=values, minlength=groups).astype(float)[group]

    whole = of_group(weight)
    away = rate - of_group(weight * rate) / whole
    # Row by row, the squares of the matrix that takes the mean of its group off a weighted cluster.
    squares = np.maximum(weight**2 - 2 * weight**3 / whole + weight**2 * of_group(weight**2) / whole**2, 0.0)
    squares = np.where(of_group(np.ones(len(rate))) > 1, squares, 0.0)
    seen, by_chance, information = (
        np.bincount(family, weights=values, minlength=families).astype(float)
        for values in ((weight * away) ** 2, chance * squares, squares)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return VarianceComponent(np.where(information > 0, (seen - by_chance) / information, np.nan), information)
