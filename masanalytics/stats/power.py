"""The smallest change of a rate that two groups of given sizes can show.

Source: J. L. Fleiss, B. Levin and M. C. Paik (2003), Statistical Methods for Rates and Proportions, 3rd edition, section 4.2
(without continuity correction).
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from masanalytics.stats.proportions import Z95

__all__ = ["detectable_change"]

_POWER_Z = NormalDist().inv_cdf(0.8)
_STEPS = 60


def detectable_change(na: int, nb: int, rate: float) -> float:
    """Return the smallest change from `rate` that shows four times in five at 5 %, in either group and either direction.

    The worse of the two directions that are possible at all is what counts; NaN where no change could be shown.

    Examples
    --------
    >>> round(detectable_change(10_000, 10_000, 0.955), 4)  # down to 94.64 %; up, 0.79 points would do
    0.0086
    >>> detectable_change(2, 2, 0.5)
    nan
    """
    # A rise is a fall of what does not arrive.
    falls = [_fall(*sizes, start) for sizes in ((na, nb), (nb, na)) for start in (rate, 1 - rate)]
    return max((fall for fall in falls if fall is not None), default=float("nan"))


def _fall(n_first: int, n_second: int, rate: float) -> float | None:
    """Return the smallest fall of the second group below `rate` that shows; None if not even one to 0 does."""
    if min(n_first, n_second) < 1 or _gap(rate, n_first, n_second, rate) < 0:
        return None
    low, high = 0.0, rate
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if _gap(middle, n_first, n_second, rate) >= 0 else (middle, high)
    return high


def _gap(fall: float, n_first: int, n_second: int, rate: float) -> float:
    """Return by how much `fall` exceeds what can be shown; it grows with `fall`."""
    other = rate - fall
    mean = (n_first * rate + n_second * other) / (n_first + n_second)
    null = mean * (1 - mean) * (1 / n_first + 1 / n_second)
    true = rate * (1 - rate) / n_first + other * (1 - other) / n_second
    return fall - Z95 * sqrt(max(null, 0.0)) - _POWER_Z * sqrt(max(true, 0.0))
