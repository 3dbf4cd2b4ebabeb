"""How unsure a difference within strata is, where messages fail together: leaving out one cluster at a time.

Sources: J. W. Tukey (1958), Annals of Mathematical Statistics 29:614 (the jackknife); F. E. Satterthwaite (1946), Biometrics Bulletin
2:110-114 (degrees of freedom of a sum); L. Kish (1965), Survey Sampling, section 11.2 (as how many unequal clusters count).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from masanalytics.aliases import Figures, Numbers
from masanalytics.stats.enough_clusters import effective_clusters

__all__ = ["Jackknife", "StratifiedCells", "jackknife"]


class StratifiedCells(NamedTuple):
    """Messages and delivered of two arms, one row a stratum and cluster."""

    stratum: Numbers
    cluster: Numbers
    na: Figures
    ka: Figures
    nb: Figures
    kb: Figures


class Jackknife(NamedTuple):
    """The variance of the Mantel-Haenszel difference and its degrees of freedom; NaN where there are too few clusters."""

    variance: float
    freedom: float


def jackknife(cells: StratifiedCells) -> Jackknife:
    """Return the variance of the Mantel-Haenszel difference by leaving out one cluster at a time.

    Clusters of one arm only are left out among their own; those of both arms among all. Unequal clusters leave the freedom of as many of
    one size as they count as, and arms of which one has few clusters little more than that one's.

    Examples
    --------
    >>> n, none = np.full(3, 100.0), np.zeros(3)
    >>> parts = ((n, none), ([95.0, 90, 94], none), (none, n), (none, [92.0, 93, 97]))
    >>> counts = [np.concatenate(part) for part in parts]
    >>> found = jackknife(StratifiedCells(np.zeros(6, dtype=int), np.arange(6), *counts))
    >>> round(found.variance ** 0.5, 4), round(found.freedom, 2)
    (0.0216, 4.0)
    """
    unknown = Jackknife(float("nan"), float("nan"))
    without = _without_each(cells)
    if without is None:
        return unknown
    size_a, size_b = (
        np.bincount(cells.cluster, weights=n, minlength=len(without)).astype(float) for n in (cells.na, cells.nb)
    )
    are_shared = bool(((size_a > 0) & (size_b > 0)).any())
    sizes = [size_a / size_a.sum() + size_b / size_b.sum()] if are_shared else [size_a, size_b]
    parts = [without[size > 0] for size in sizes]
    if any(len(part) < 2 for part in parts):
        return unknown
    squares = [1 / effective_clusters(size) for size in sizes]
    freedom = sum(squares) ** 2 / sum(square**2 / max(1 / square - 1, 1e-9) for square in squares)
    return Jackknife(float(sum((len(part) - 1) * np.var(part) for part in parts)), max(float(freedom), 1.0))


def _without_each(cells: StratifiedCells) -> Figures | None:
    """Return the difference without each cluster; None where a cluster is all there is."""
    strata, clusters = int(cells.stratum.max(initial=-1)) + 1, int(cells.cluster.max(initial=-1)) + 1
    counts = cells.na, cells.ka, cells.nb, cells.kb
    whole = [
        np.bincount(cells.stratum, weights=values, minlength=strata)[cells.stratum].astype(float) for values in counts
    ]
    _, first = np.unique(cells.stratum, return_index=True)
    top, weight = (part[first].sum() for part in _mantel_haenszel(*whole))
    less = _mantel_haenszel(*(all_of - own for all_of, own in zip(whole, counts, strict=True)))
    moved = [
        np.bincount(cells.cluster, weights=part - before, minlength=clusters)
        for part, before in zip(less, _mantel_haenszel(*whole), strict=True)
    ]
    if not weight > 0 or (weight + moved[1] <= 0).any():
        return None
    without: Figures = (top + moved[0]) / (weight + moved[1])
    return without


def _mantel_haenszel(na: Figures, ka: Figures, nb: Figures, kb: Figures) -> tuple[Figures, Figures]:
    """Return numerator and denominator of the difference, stratum by stratum."""
    n = np.maximum(na + nb, 1)
    both = (na > 0) & (nb > 0)
    return np.where(both, (na * kb - nb * ka) / n, 0.0), np.where(both, na * nb / n, 0.0)
