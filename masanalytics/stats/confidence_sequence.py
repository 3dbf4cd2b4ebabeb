"""The difference of two rates, read as often as one likes: an interval and a p-value that hold at all looks together.

A 95 % interval holds the truth in 95 of 100 cases if it is read once. Read every ten minutes, and believed the first time that it
shows a difference, it is wrong in one case of four and more. A confidence sequence holds at every look at once.

Sources: H. Robbins (1970), Annals of Mathematical Statistics 41:1397-1409 (normal mixture); S. R. Howard, A. Ramdas, J. McAuliffe
and J. Sekhon (2021), Annals of Statistics 49:1055-1080 (the mixture tuned to a time); R. Johari, P. Koomen, L. Pekelis and
D. Walsh (2022), Operations Research 70:1806-1821 (always valid p-values).
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Final, NamedTuple

__all__ = ["AlwaysValid", "always_valid"]

_LEVEL: Final = 0.05


class AlwaysValid(NamedTuple):
    """A difference as it may be read at any time.

    Attributes
    ----------
    low, high : float
        The interval that holds at all looks together.
    p_value : float
        The probability of a difference that looks so large at any look, where there is none.
    """

    low: float
    high: float
    p_value: float


def always_valid(
    a: tuple[float, float], b: tuple[float, float], planned: float, *, design_effect: float = 1.0, level: float = _LEVEL
) -> AlwaysValid:
    """Return the difference of b's rate from a's with an interval and a p-value that hold however often they are read.

    With information I (one over the variance of the difference) the interval is

        δ ± √((I + φ)/I² · ln((I + φ)/(φ α²))),  φ = I* / (ln α⁻² + ln(ln α⁻² + 1)),

    narrowest at I*, the information of so many messages as are `planned`.

    Parameters
    ----------
    a, b : (float, float)
        Delivered and accepted of each arm, so far.
    planned : float
        How many messages an arm is to have in the end: fixed beforehand. Any number is valid.
    design_effect : float
        How many times as much the difference varies as with independent messages.
    level : float
        The probability that the interval misses the truth at any look.

    Examples
    --------
    >>> found = always_valid((4700, 5000), (4800, 5000), 5000)
    >>> [round(float(one), 4) for one in found]
    [0.0068, 0.0332, 0.0003]
    """
    (ka, na), (kb, nb) = a, b
    if not na or not nb:
        return AlwaysValid(float("nan"), float("nan"), float("nan"))
    difference = kb / nb - ka / na
    # Half a message of each kind keeps the variance off nothing.
    first, second, both = (_spread(k, n) for k, n in ((ka, na), (kb, nb), (ka + kb, na + nb)))
    information = 1 / (design_effect * (first / na + second / nb))
    tuned = planned / (2 * both * design_effect)
    odds = log(level**-2)
    mixing = tuned / (odds + log(odds + 1))
    half = sqrt((information + mixing) / information**2 * log((information + mixing) / (mixing * level**2)))
    p_value = sqrt((information + mixing) / mixing) * exp(
        -(information**2) * difference**2 / (2 * (information + mixing))
    )
    return AlwaysValid(difference - half, difference + half, min(1.0, p_value))


def _spread(count: float, total: float) -> float:
    share = (count + 0.5) / (total + 1)
    return share * (1 - share)
