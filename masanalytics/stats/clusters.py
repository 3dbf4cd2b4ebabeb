"""Messages that fail together: how much less they tell than as many independent ones.

A lost batch or a bad day takes many messages with it, so that rates of batches (days) differ by more than chance. How much they
differ is seen from the clusters themselves, and an interval or a test is that of as many independent messages as tell the same:
their number divided by the design effect.

Sources: J. N. K. Rao and A. J. Scott (1992), Biometrics 48:577-585 (counts divided by the design effect go into the usual
formulas); H. D. Patterson and R. Thompson (1971), see `masanalytics.stats.variance_component` (how much clusters differ, which with
clusters of one size is as Rao and Scott have it, and holds with unequal ones too); R. M. Bell and D. F. McCaffrey (2002), Survey
Methodology 28:169-181 (where arms share clusters, each cluster's deviation is divided by 1 - its share); F. E. Satterthwaite (1946),
Biometrics Bulletin 2:110-114 (degrees of freedom); E. B. Wilson and M. M. Hilferty (1931), PNAS 17:684-688
(quantiles of chi-squared).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.stats.enough_clusters import LEAST_CLUSTERS, LEAST_EFFECTIVE, effective_clusters, is_enough
from masanalytics.stats.proportions import student_p_value, student_quantile
from masanalytics.stats.variance_component import Clustered, variance_component

__all__ = [
    "ClusteredPair",
    "DesignEffects",
    "between_clusters",
    "chi_squared_below",
    "clustered_pair",
    "design_effects",
    "log_odds",
    "log_odds_difference",
    "student_quantiles",
]

_OUTSIDE = 0.99865  # three standard errors of the normal distribution, on either side
_MAD_OF_NORMAL = 1.4826  # standard deviations in a median absolute deviation
_MAD_EFFICIENCY = 0.37  # degrees of freedom in a median absolute deviation, for each cluster but one
_LEAST_FREEDOM = 4.0  # with fewer, nobody can say how little clusters may differ by chance
_TWENTIETH = -1.6448536269514722  # the normal quantile that one of twenty values is below


class DesignEffects(NamedTuple):
    """How much less the messages of each group tell, because they fail together.

    Attributes
    ----------
    clusters : array of int
        How many clusters have messages.
    effect : array of float
        The variance of the rate, as its clusters tell it, over that of independent messages; 1 at least, NaN with fewer than
        five clusters, and where one outweighs the others so far that they do not tell.
    freedom : array of float
        Degrees of freedom of an interval with that variance: infinite where the effect is 1.
    """

    clusters: Numbers
    effect: Figures
    freedom: Figures


def design_effects(group: Numbers, groups: int, n: Figures, k: Figures) -> DesignEffects:
    """Return the design effect of each group, from one row a group and cluster.

    Parameters
    ----------
    group : array of int
        The rows' groups, 0 to `groups` - 1.
    n, k : array of float
        How many messages the cluster has in the group, and how many of them were delivered.

    Examples
    --------
    >>> n = np.full(6, 100.0)
    >>> found = design_effects(np.zeros(6, dtype=int), 1, n, np.array([95.0, 95, 95, 95, 95, 65]))
    >>> found.clusters.tolist(), found.effect.round(1).tolist(), found.freedom.round(1).tolist()
    ([6], [16.7], [5.3])
    """

    def total(values: Figures) -> Figures:
        return np.bincount(group, weights=values, minlength=groups).astype(float)

    group, n, k = group[n > 0], n[n > 0], k[n > 0]
    clusters = np.bincount(group, minlength=groups)
    all_n, all_k = total(n), total(k)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = all_k / all_n
        binomial = rate * (1 - rate) / all_n
        some = binomial[group] > 0
        group, n, k = group[some], n[some], k[some]
        chance = (rate * (1 - rate))[group] / n
        found = variance_component(Clustered(k / n, chance, group, group), groups)
        squares = total((n / all_n[group]) ** 2)
        beyond = np.where(found.value > 0, found.value * squares, 0.0)
        effect = np.where(binomial > 0, 1 + beyond / binomial, 1.0)
        own = np.maximum((binomial + beyond) ** 2 * found.information / squares**2, 1.0)
        freedom = np.where(beyond > 0, own * effect / (effect - 1), np.inf)
    # Clusters of which one outweighs the others may show that they differ; that they do not seem to says nothing.
    few = (clusters < LEAST_CLUSTERS) | ((squares > 1 / LEAST_EFFECTIVE) & ~(effect > 1))
    return DesignEffects(clusters, np.where(few, np.nan, effect), np.where(few, np.inf, freedom))


class ClusteredPair(NamedTuple):
    """The difference of two rates whose messages fail together.

    Attributes
    ----------
    clusters_a, clusters_b : int
        Clusters with messages of each.
    effect_a, effect_b : float
        By which the messages of each are to be divided; 1 where nothing is known of the clusters' differences.
    effect : float
        The same of the difference; NaN where nothing is known. Below 1 where clusters happen to differ less than chance makes them.
    freedom : float
        Degrees of freedom of interval and test.
    effective_a, effective_b : float
        As how many clusters of one size those of each count.
    """

    clusters_a: int
    clusters_b: int
    effect_a: float
    effect_b: float
    effect: float
    freedom: float
    effective_a: float = float("inf")
    effective_b: float = float("inf")

    @property
    def is_enough(self) -> bool:
        """Whether both have clusters enough to test by."""
        return is_enough(self.clusters_a, self.effective_a) and is_enough(self.clusters_b, self.effective_b)

    def quantile(self, level: float) -> float:
        """Return the quantile of the two-sided `level` (0.95)."""
        return student_quantile((1 + level) / 2, self.freedom)

    def p_value(self, statistic: float) -> float:
        """Return the two-sided p-value of a difference that is so many standard errors large."""
        return float("nan") if np.isnan(statistic) else student_p_value(statistic, self.freedom)


def clustered_pair(
    na: Figures,
    ka: Figures,
    nb: Figures,
    kb: Figures,
    *,
    stratum: Numbers | None = None,
    between: tuple[float, float] | None = None,
) -> ClusteredPair:
    """Return how much less two arms tell of their difference than as many independent messages.

    Arms of different clusters: the variance between clusters is estimated from both together, and each arm has the part that its
    own number of clusters leaves. Arms that share clusters (carriers within batches): the clusters' own differences count, so
    that what befalls both is no doubt about the difference.

    What the clusters tell is the whole variance, with Student's t of their own degrees of freedom. Were the variance of chance taken
    wherever clusters happen to differ less than that, the test would be wrong in less than the promised 5 % where they are alike, as in the
    other half of cases they happen to differ more. But chance makes clusters differ, so that a variance which one of twenty samples of
    independent messages would be below is not believed: that quantile is taken instead.

    Parameters
    ----------
    na, ka, nb, kb : array of float
        By cluster: messages and delivered of a and of b.
    stratum : array of int, optional
        Of each cluster: clusters are compared with those of the same stratum only (batches within their campaign).
    between : (float, float), optional
        The variance between clusters and its degrees of freedom, where they are known from elsewhere (`between_clusters`).

    Examples
    --------
    >>> n, none = np.full(6, 100.0), np.zeros(6)
    >>> even, odd = np.array([95.0, 94, 96, 95, 95, 95]), np.array([95.0, 95, 95, 95, 95, 65])
    >>> found = clustered_pair(*(np.concatenate(parts) for parts in ((n, none), (even, none), (none, n), (none, odd))))
    >>> found.clusters_a, found.clusters_b, round(found.effect, 1)
    (6, 6, 10.8)
    """
    found = _by_counts((na, ka, nb, kb), stratum, between)
    return found._replace(effective_a=effective_clusters(na), effective_b=effective_clusters(nb))


def _by_counts(
    counts: tuple[Figures, Figures, Figures, Figures], stratum: Numbers | None, between: tuple[float, float] | None
) -> ClusteredPair:
    """Return how much less two arms tell of their difference, from messages and delivered of a and of b."""
    na, ka, nb, kb = counts
    total_a, total_b = na.sum(), nb.sum()
    counted = int((na > 0).sum()), int((nb > 0).sum())
    if not total_a or not total_b:
        return ClusteredPair(*counted, 1.0, 1.0, float("nan"), float("inf"))
    pooled = (ka.sum() + kb.sum()) / (total_a + total_b)
    binomial_a, binomial_b = (pooled * (1 - pooled) / total for total in (total_a, total_b))
    if binomial_a <= 0:
        return ClusteredPair(*counted, 1.0, 1.0, 1.0, float("inf"))
    where = np.zeros(len(na), dtype=np.int64) if stratum is None else stratum
    are_shared = bool(((na > 0) & (nb > 0)).any())
    if between is None and min(counted) < 2:
        # What befalls a cluster that both are in befalls both.
        return ClusteredPair(*counted, 1.0, 1.0, 1.0 if are_shared else float("nan"), float("inf"))
    if between is None and are_shared:
        extra, freedom = _crossed(na, ka, nb, kb, where)
        extra_a = extra * binomial_a / (binomial_a + binomial_b)
        extra_b = extra - extra_a
    else:
        squares = [float(((n / n.sum()) ** 2).sum()) for n in (na, nb)]
        variance, freedom = between or _pooled([(na, ka), (nb, kb)], where, sum(squares), binomial_a + binomial_b)
        extra_a, extra_b = (variance * square for square in squares)
    is_own = between is None and min(counted) >= LEAST_CLUSTERS
    return _of_both(counted, (binomial_a, binomial_b), (extra_a, extra_b), freedom, is_own=is_own)


def _of_both(
    counted: tuple[int, int],
    binomial: tuple[float, float],
    extra: tuple[float, float],
    freedom: float,
    *,
    is_own: bool,
) -> ClusteredPair:
    """Return the pair of these variances by chance and beyond it; `is_own`: enough clusters of their own tell the latter."""
    chance, beyond = sum(binomial), sum(extra)
    degrees = freedom
    if is_own and np.isfinite(freedom):
        # Clusters of which one outweighs the others tell hardly anything, so that what they tell may be nothing by chance.
        least = chi_squared_below(freedom) / freedom if freedom >= _LEAST_FREEDOM else 1.0
        beyond = max((least - 1) * chance, beyond)
        if beyond <= 0:  # taken off both alike: of an arm of unequal clusters alone it might be more than there is
            extra = beyond * binomial[0] / chance, beyond * binomial[1] / chance
    else:
        # Chance is known, and what a few clusters, or days of other campaigns, tell is a part of the whole.
        extra, beyond = (extra, beyond) if beyond > 0 else ((0.0, 0.0), 0.0)
        degrees = freedom * (chance + beyond) / beyond if beyond > 0 else float("inf")
    effect_a, effect_b = (1 + more / by_chance for more, by_chance in zip(extra, binomial, strict=True))
    return ClusteredPair(*counted, float(effect_a), float(effect_b), float(1 + beyond / chance), float(degrees))


def chi_squared_below(freedom: float) -> float:
    """Return the value below which one of twenty chi-squared variables of so many degrees of freedom lies (Wilson and Hilferty).

    Examples
    --------
    >>> round(chi_squared_below(8), 2), round(chi_squared_below(58), 1)
    (2.72, 41.5)
    """
    part = 2 / (9 * freedom)
    return float(freedom * max(1 - part + _TWENTIETH * part**0.5, 0.0) ** 3)


def _deviations(n: Figures, k: Figures, stratum: Numbers) -> tuple[Figures, Figures, Figures]:
    """Return each cluster's deviation from its stratum's rate as a part of the arm's rate, and its share of arm and stratum."""
    strata = int(stratum.max(initial=0)) + 1
    all_n, all_k = (np.bincount(stratum, weights=values, minlength=strata) for values in (n, k))
    rate = np.where(all_n > 0, all_k / np.where(all_n > 0, all_n, 1), 0.0)[stratum]
    return (k - rate * n) / n.sum(), n / n.sum(), n / np.maximum(all_n[stratum], 1)


def _pooled(
    arms: list[tuple[Figures, Figures]], stratum: Numbers, squares: float, chance: float
) -> tuple[float, float]:
    """Return the variance between clusters, of both arms together, and its degrees of freedom as a part of the whole.

    Parameters
    ----------
    arms : list of (array of float, array of float)
        Messages and delivered of each.
    squares, chance : float
        What the variance between clusters, and that of chance, is multiplied with (or adds) to the variance of the difference.
    """
    rate, by_chance, group = [], [], []
    # Of both arms the same: an arm that happens to fare better would seem to be more sure of its clusters.
    share = sum(k.sum() for _n, k in arms) / sum(n.sum() for n, _k in arms)
    for number, (n, k) in enumerate(arms):
        some = n > 0
        rate.append(k[some] / n[some])
        by_chance.append(share * (1 - share) / n[some])
        group.append(2 * stratum[some] + number)
    rates, groups = np.concatenate(rate), np.concatenate(group)
    found = variance_component(
        Clustered(rates, np.concatenate(by_chance), groups, np.zeros(len(rates), dtype=np.int64)), 1
    )
    value, information = float(found.value[0]), float(found.information[0])
    if not information > 0:
        return 0.0, float("inf")
    # Where clusters differ less than chance makes them, all of it is told by them as if they were alike.
    whole = chance + squares * max(value, 0.0)
    return value, max(whole**2 * information / squares**2, 1.0)


def _crossed(na: Figures, ka: Figures, nb: Figures, kb: Figures, stratum: Numbers) -> tuple[float, float]:
    """Return the variance beyond chance of the difference where arms share clusters, and its degrees of freedom."""
    rest_a, share_a, within_a = _deviations(na, ka, stratum)
    rest_b, share_b, within_b = _deviations(nb, kb, stratum)
    within, share = (within_a + within_b) / 2, (share_a + share_b) / 2
    told = within < 1
    rates = ka.sum() / na.sum(), kb.sum() / nb.sum()
    chance = sum(rate * (1 - rate) / n.sum() for rate, n in zip(rates, (na, nb), strict=True))
    extra = float(((rest_b - rest_a)[told] ** 2 / (1 - within[told])).sum()) - chance
    squares, fourths = float((share[told] ** 2).sum()), float((share[told] ** 4).sum())
    freedom = squares**2 / fourths - len(np.unique(stratum[told])) if squares else 0.0
    return extra, max(freedom, 1.0)


def between_clusters(n: Figures, k: Figures, stratum: Numbers | None = None) -> tuple[float, float] | None:
    """Return the variance between the log odds of clusters beyond chance, and its degrees of freedom; None where these are below four.

    Clusters are compared with those of the same `stratum` (batches within their campaign); those that are alone in it tell nothing.

    Every cluster counts alike, as the next one will be one like them, whatever its size. Clusters that lie farther from the
    median than three standard errors (of the median absolute deviation) have a cause and are left out. On the log odds a rate near
    1 has no longer tail to one side, so that bad days without a cause are not taken for such.

    Examples
    --------
    >>> variance, freedom = between_clusters(np.full(6, 1000.0), np.array([950.0, 930, 960, 940, 955, 925]))
    >>> round(variance**0.5, 2), freedom
    (0.22, 5.0)
    """
    group = np.zeros(len(n), dtype=np.int64) if stratum is None else np.asarray(stratum)
    some: Booleans = (n > 0) & (np.bincount(group, weights=n > 0, minlength=int(group.max(initial=0)) + 1)[group] > 1)
    _, group = np.unique(group[some], return_inverse=True)
    size = np.bincount(group)
    if some.sum() - len(size) < LEAST_CLUSTERS - 1:
        return None
    odds, chance = log_odds(k[some], n[some])
    middle = np.array([np.median(odds[group == one]) for one in range(len(size))])
    away = np.abs(odds - middle[group])
    usual = max(_MAD_OF_NORMAL * _median_away(away, group, size), float(np.sqrt(np.median(chance))))
    kept = away <= student_quantile(_OUTSIDE, _MAD_EFFICIENCY * (len(odds) - len(size))) * usual
    odds, chance, group = odds[kept], chance[kept], group[kept]
    left = np.bincount(group, minlength=len(size))
    mean = np.bincount(group, weights=odds, minlength=len(size)) / np.maximum(left, 1)
    freedom = float(len(odds) - np.count_nonzero(left))
    if freedom < LEAST_CLUSTERS - 1:
        return None
    beyond = float(((odds - mean[group]) ** 2).sum()) / freedom - float(chance.mean())
    return max(beyond, 0.0), freedom


def _median_away(away: Figures, group: Numbers, size: Numbers) -> float:
    """Return the median distance from the middle of a group, as of groups without end.

    Of an odd number the middle one is no distance away by nature, and few are nearer to their own middle than to that of all.
    """
    order = np.lexsort((away, group))
    first = np.cumsum(size) - size
    counted = np.ones(len(away), dtype=bool)
    counted[order[first[size % 2 == 1]]] = False
    even = np.where(
        size == 2, np.sqrt(2), 1 + 1.55 / size
    )  # by simulation of normal values: 1.39 of four, 1.28 of six, 1.15 of ten
    by_size = np.where(size % 2 == 0, even, 1.0)
    return float(np.median((away * by_size[group])[counted]))


def log_odds(k: Figures, n: Figures) -> tuple[Figures, Figures]:
    """Return the log odds of each rate ``k / n`` and their binomial variance, half a message of each kind added.

    Source: J. B. S. Haldane (1956) and F. J. Anscombe (1956), Annals of Human Genetics 20 and Biometrika 43.

    Examples
    --------
    >>> odds, variance = log_odds(np.array([90.0]), np.array([100.0]))
    >>> odds.round(3).tolist(), variance.round(4).tolist()
    ([2.154], [0.1063])
    """
    arrived, missed = k + 0.5, n - k + 0.5
    return np.log(arrived / missed), 1 / arrived + 1 / missed


def log_odds_difference(k: Figures, n: Figures, beyond: Figures, quantile: float) -> tuple[float, float]:
    """Return the interval of the difference of two rates, second less first, that vary by `beyond` on the log odds besides chance.

    Each rate has its interval on the log odds, and the two are put together by how far each reaches (MOVER).

    Parameters
    ----------
    k, n, beyond : array of float, shape (2,)
        Delivered and messages of either, and the variance of its log odds beyond chance.
    quantile : float
        Of the wanted level.

    Notes
    -----
    Source: A. Donner and G. Y. Zou (2012), Statistical Methods in Medical Research 21:347-359.

    Examples
    --------
    >>> low, high = log_odds_difference(np.array([950.0, 930]), np.array([1000.0, 1000]), np.array([0.01, 0.01]), 1.96)
    >>> round(low, 3), round(high, 3)
    (-0.047, 0.006)
    """
    rate = k / n
    odds, chance = log_odds(k, n)
    reach = quantile * np.sqrt(chance + beyond)
    low, high = (1 / (1 + np.exp(-(odds + side * reach))) for side in (-1, 1))
    low, high = np.where(k > 0, np.minimum(low, rate), 0.0), np.where(k < n, np.maximum(high, rate), 1.0)
    difference = float(rate[1] - rate[0])
    below, above = np.hypot(rate[1] - low[1], high[0] - rate[0]), np.hypot(high[1] - rate[1], rate[0] - low[0])
    return difference - float(below), difference + float(above)


def student_quantiles(level: float, freedom: Figures) -> Figures:
    """Return Student's quantile for each number of degrees of freedom, to three digits of its logarithm.

    Examples
    --------
    >>> student_quantiles(0.975, np.array([10.0, np.inf])).round(2).tolist()
    [2.23, 1.96]
    """
    with np.errstate(divide="ignore"):
        digits, place = np.unique(np.minimum(np.log10(np.maximum(freedom, 1)), 7).round(3), return_inverse=True)
    return np.array([student_quantile(level, 10**digit if digit < 7 else float("inf")) for digit in digits])[place]
