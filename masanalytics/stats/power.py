"""The smallest difference of two rates that groups of given sizes can show, and the sizes that a difference needs.

Source: J. L. Fleiss, B. Levin and M. C. Paik (2003), Statistical Methods for Rates and Proportions, 3rd edition, section 4.2
(without continuity correction).
"""

from __future__ import annotations

from math import isnan, sqrt
from statistics import NormalDist
from typing import Final, Literal

__all__ = ["LEVEL", "POWER", "detectable_difference", "needed_size"]

POWER: Final = 0.8
"""The chance that a true difference of the size named is found."""

LEVEL: Final = 0.05
"""The chance that one is found where there is none (two-sided)."""

_LEVEL_Z = NormalDist().inv_cdf(1 - LEVEL / 2)
_POWER_Z = NormalDist().inv_cdf(POWER)
_BISECTIONS = 60


def detectable_difference(
    n_first: float,
    n_second: float,
    base_rate: float,
    *,
    direction: Literal["fall", "either"] = "fall",
    level_z: float = _LEVEL_Z,
) -> float:
    """Return the smallest difference from `base_rate` that groups of these sizes show four times in five, at 5 %.

    A true difference of this size is found with 80 % power by a two-sided test at 5 %. A fall is the least d with

        d ≥ z₀.₉₇₅ √(p̄ (1 − p̄) (1/n₁ + 1/n₂)) + z₀.₈ √(p₁ (1 − p₁)/n₁ + p₂ (1 − p₂)/n₂),

    p₁ = `base_rate`, p₂ = p₁ − d, p̄ the mean of both weighted with n (Fleiss, Levin & Paik, *Statistical Methods for Rates and
    Proportions*, 3rd edition, 2003, section 4.2, without continuity correction).

    Parameters
    ----------
    n_first, n_second : float
        Sizes of the groups: the one with the base rate, and the other. Need not be whole (effective sizes).
    base_rate : float
        The rate of the first group, between 0 and 1.
    direction : {"fall", "either"}
        ``"fall"``: of the second group below the first. ``"either"``: a fall or a rise, of either group; the worst of those
        that can be shown at all is what counts.
    level_z : float
        The quantile of the two-sided level of the test, 5 % by default.

    Returns
    -------
    float
        A difference of rates; NaN where none could be shown.

    Examples
    --------
    >>> round(detectable_difference(10_000, 10_000, 0.955), 4)
    0.0086
    >>> round(detectable_difference(10_000, 10_000, 0.1), 4), detectable_difference(2, 2, 0.5)
    (0.0116, nan)
    >>> round(detectable_difference(10_000, 10_000, 0.1, direction="either"), 4)
    0.0122
    """
    if direction == "fall":
        return _fall(n_first, n_second, base_rate, level_z)
    # A rise is a fall of the rate of what does not arrive.
    falls = [
        _fall(*sizes, rate, level_z)
        for sizes in ((n_first, n_second), (n_second, n_first))
        for rate in (base_rate, 1 - base_rate)
    ]
    return max((fall for fall in falls if not isnan(fall)), default=float("nan"))


def needed_size(rate: float, other: float, *, power: float = POWER, level: float = LEVEL) -> float:
    """Return how many messages each of two groups needs to show that their rates differ.

    Where `detectable_difference` gives the difference of two sizes, this is the size of a difference, by the same formula:

        n = (z₁₋ₗ⸝₂ √(2 p̄ (1 − p̄)) + z_power √(p₁ (1 − p₁) + p₂ (1 − p₂)))² / (p₁ − p₂)²

    Parameters
    ----------
    rate, other : float
        The rates of the groups, different, between 0 and 1.
    power : float
        The chance that the difference is found.
    level : float
        The chance that one is found where there is none (two-sided).

    Examples
    --------
    >>> round(needed_size(0.5, 0.75, power=0.9), 1)  # R: power.prop.test(p1 = .50, p2 = .75, power = .90) has 76.7
    76.7
    """
    mean = (rate + other) / 2
    null = NormalDist().inv_cdf(1 - level / 2) * sqrt(2 * mean * (1 - mean))
    true = NormalDist().inv_cdf(power) * sqrt(rate * (1 - rate) + other * (1 - other))
    return ((null + true) / (rate - other)) ** 2


def _fall(n_first: float, n_second: float, rate: float, level_z: float) -> float:
    """Return the smallest fall of the second group below `rate` that shows; NaN if not even one to 0 does."""
    if min(n_first, n_second) < 1 or _excess(rate, (n_first, n_second), rate, level_z) < 0:
        return float("nan")
    low, high = 0.0, rate
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if _excess(middle, (n_first, n_second), rate, level_z) >= 0 else (middle, high)
    return high


def _excess(fall: float, sizes: tuple[float, float], rate: float, level_z: float) -> float:
    """Return by how much `fall` exceeds what can be shown; it grows with `fall`."""
    n_first, n_second = sizes
    other = rate - fall
    mean = (n_first * rate + n_second * other) / (n_first + n_second)
    null_variance = mean * (1 - mean) * (1 / n_first + 1 / n_second)
    true_variance = rate * (1 - rate) / n_first + other * (1 - other) / n_second
    return fall - level_z * sqrt(max(null_variance, 0.0)) - _POWER_Z * sqrt(max(true_variance, 0.0))
