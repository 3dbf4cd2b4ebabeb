"""Differences of proportions over strata: what remains when the mix is made equal.

Sources: W. G. Cochran (1954), Biometrics 10:417-451 and N. Mantel and W. Haenszel (1959), JNCI 22:719-748 (weights and
test); X. Yan and X. G. Su (2010), Statistics in Biopharmaceutical Research 2:329-335 (Newcombe's interval, stratified).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from masanalytics.stats.proportions import Z95, normal_p_value, wilson

__all__ = ["Difference", "stratified_difference"]

Floats = NDArray[np.float64]


class Difference(NamedTuple):
    """A difference of proportions with its 95 % interval and p-value."""

    difference: float
    low: float
    high: float
    p_value: float


def stratified_difference(ka: Floats, na: Floats, kb: Floats, nb: Floats) -> Difference:
    """Return the rate of b minus that of a within strata, averaged with Mantel-Haenszel weights.

    Strata in which one of the two has no messages do not count.

    Examples
    --------
    >>> ka, na, kb, nb = (np.array(x, dtype=float) for x in ([90, 10], [100, 20], [45, 60], [50, 100]))
    >>> found = stratified_difference(ka, na, kb, nb)
    >>> round(found.difference, 4), round(found.p_value, 4)
    (0.0333, 0.5318)
    """
    both = (na > 0) & (nb > 0)
    ka, na, kb, nb = ka[both], na[both], kb[both], nb[both]
    if not len(na):
        return Difference(*[float("nan")] * 4)
    weight = na * nb / (na + nb)
    share = weight / weight.sum()
    pa, pb = ka / na, kb / nb
    difference = float((share * (pb - pa)).sum())
    low_a, high_a = _weighted_wilson(pa, na, share)
    low_b, high_b = _weighted_wilson(pb, nb, share)
    mean_a, mean_b = float((share * pa).sum()), float((share * pb).sum())
    low = difference - np.hypot(mean_b - low_b, high_a - mean_a)
    high = difference + np.hypot(high_b - mean_b, mean_a - low_a)
    return Difference(difference, float(low), float(high), _cmh(ka, na, kb, nb))


def _weighted_wilson(p: Floats, n: Floats, share: Floats) -> tuple[float, float]:
    """Return the bounds of a weighted mean rate: the strata's Wilson bounds at a level shared out among them.

    Yan and Su: the strata's z is smaller than 1.96 by the factor that makes the half widths add up to that of the mean.
    """
    spread = np.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    z = Z95 * np.sqrt((share**2 * spread**2).sum()) / (share * spread).sum()
    low, high = wilson(p * n, n, z)
    return float((share * low).sum()), float((share * high).sum())


def _cmh(ka: Floats, na: Floats, kb: Floats, nb: Floats) -> float:
    n, k = na + nb, ka + kb
    some = n > 1
    variance = (na * nb * k * (n - k) / np.where(some, n**2 * (n - 1), 1))[some].sum()
    if variance <= 0:
        return 1.0
    return float(normal_p_value((ka - na * k / n)[some].sum() / np.sqrt(variance)))
