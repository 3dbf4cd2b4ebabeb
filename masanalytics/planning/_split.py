"""Divide people at random into the arms of a comparison, and say what a comparison of these sizes can show."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from statistics import NormalDist
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.planning.columns import as_frame, find_column, missing_columns

__all__ = ["detectable_difference", "split"]

POWER: Final = 0.8
"""The chance that a true difference of the size named is found."""

LEVEL: Final = 0.05
"""The chance that one is found where there is none (two-sided)."""


def split(
    df: Any,
    arms: Sequence[str] | Mapping[str, float],
    *,
    by: Hashable | Sequence[Hashable] | None = None,
    seed: int,
    base_rate: float = 0.95,
) -> pd.DataFrame:
    """Return a copy of `df` with a column ``arm``: each row's arm, drawn at random.

    Parameters
    ----------
    df : DataFrame
        pandas or polars. Not changed.
    arms : sequence of str, or mapping from str to share
        Names of at least two arms, of equal size; or each arm's share (any positive numbers: ``{"A": 9, "B": 1}``).
    by : hashable or sequence of hashables, optional
        Columns to stratify by: within each of their combinations (missing values are one of their own) the arms have their
        shares, up to one row or so.
    seed : int
        The same frame, rows in the same order, gives the same arms for the same seed. Index labels and other columns do not
        matter; another order of rows gives other arms.
    base_rate : float
        The rate that the detectable difference is counted from; 0.95 is a usual delivery rate.

    Returns
    -------
    DataFrame
        With ``arm`` (str) as its last column, and in ``attrs``: ``detectable_difference`` (see `detectable_difference`, for the
        two smallest arms), ``base_rate``, ``power``, ``level`` and ``seed``.

    Examples
    --------
    >>> people = pd.DataFrame({"城市": ["杭州"] * 6 + ["宁波"] * 4})
    >>> halves = split(people, ["A", "B"], by="城市", seed=7)
    >>> halves.groupby(["城市", "arm"]).size().tolist()
    [2, 2, 3, 3]
    """
    frame = as_frame(df)
    names, shares = _shares(arms)
    if not 0 < base_rate < 1:
        raise InputError(
            f"base_rate={base_rate!r} is not between 0 and 1", zh=f"base_rate={base_rate!r} 不在 0 和 1 之间"
        )
    strata = _strata(frame, by)
    chance = np.random.default_rng(seed)
    assigned = _assign(strata, shares, chance)
    result = frame.copy()
    result["arm"] = pd.array(np.array(names, dtype=object)[assigned], dtype="str")
    first, second = sorted(np.bincount(assigned, minlength=len(names)).tolist())[:2]
    result.attrs.update(
        detectable_difference=detectable_difference(first, second, base_rate),
        base_rate=base_rate,
        power=POWER,
        level=LEVEL,
        seed=seed,
    )
    return result


def detectable_difference(n_first: int, n_second: int, base_rate: float) -> float:
    """Return the smallest fall below `base_rate` that arms of these sizes can show.

    A true difference of this size is found four times in five (80 % power) by a two-sided test at 5 %. It is the least d with

        d ≥ z₀.₉₇₅ √(p̄ (1 − p̄) (1/n₁ + 1/n₂)) + z₀.₈ √(p₁ (1 − p₁)/n₁ + p₂ (1 − p₂)/n₂),

    p₁ = `base_rate`, p₂ = p₁ − d, p̄ the mean of both weighted with n (Fleiss, Levin & Paik, *Statistical Methods for Rates and
    Proportions*, 3rd edition, 2003, section 4.2, without continuity correction).

    Parameters
    ----------
    n_first, n_second : int
        Sizes of the arms: the one with the base rate, and the other.
    base_rate : float
        The rate of the first arm, between 0 and 1.

    Returns
    -------
    float
        A difference of rates; NaN where no fall, even to 0, could be shown.

    Examples
    --------
    >>> round(detectable_difference(10_000, 10_000, 0.955), 4)
    0.0086
    """
    if min(n_first, n_second) < 1 or _gap(base_rate, n_first, n_second, base_rate) < 0:
        return float("nan")
    low, high = 0.0, base_rate
    for _ in range(60):
        middle = (low + high) / 2
        if _gap(middle, n_first, n_second, base_rate) >= 0:
            high = middle
        else:
            low = middle
    return high


def _gap(difference: float, n_first: int, n_second: int, rate: float) -> float:
    """Return by how much `difference` exceeds what can be shown; it grows with `difference`."""
    other = rate - difference
    mean = (n_first * rate + n_second * other) / (n_first + n_second)
    null = mean * (1 - mean) * (1 / n_first + 1 / n_second)
    true = rate * (1 - rate) / n_first + other * (1 - other) / n_second
    z_level, z_power = NormalDist().inv_cdf(1 - LEVEL / 2), NormalDist().inv_cdf(POWER)
    return float(difference - z_level * np.sqrt(max(null, 0.0)) - z_power * np.sqrt(max(true, 0.0)))


def _shares(arms: Sequence[str] | Mapping[str, float]) -> tuple[list[str], npt.NDArray[np.float64]]:
    names = [] if isinstance(arms, str) else list(arms)
    shares = [float(share) for share in arms.values()] if isinstance(arms, Mapping) else [1.0] * len(names)
    good = len(names) >= 2 and len(set(names)) == len(names) and all(isinstance(name, str) and name for name in names)
    if not good or not all(0 < share < float("inf") for share in shares):
        raise InputError(
            f"arms={arms!r}: give two or more different names, or each name's share above 0",
            zh=f"arms={arms!r}：请给出两个以上不同的组名，或每组大于 0 的比例",
        )
    return names, np.array(shares) / sum(shares)


def _strata(frame: pd.DataFrame, by: Hashable | Sequence[Hashable] | None) -> npt.NDArray[np.int64]:
    several = isinstance(by, list) or (isinstance(by, tuple) and find_column(frame.columns, by) is None)
    names: list[Any] = [] if by is None else list(by) if several else [by]  # type: ignore[call-overload]
    error = missing_columns(frame.columns, names)
    if error is not None:
        raise error
    strata = np.zeros(len(frame), dtype=np.int64)
    for name in names:
        codes, values = pd.factorize(frame[find_column(frame.columns, name)], use_na_sentinel=False)
        strata = pd.factorize(strata * max(1, len(values)) + codes)[0]
    return strata


def _assign(
    strata: npt.NDArray[np.int64], shares: npt.NDArray[np.float64], chance: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return an arm for each row.

    Rows are put in random order within strata, strata in random order, and the arms dealt along that line in an even
    pattern that starts at a random place: every stretch of the line, so every stratum, has its shares.
    """
    count = len(strata)
    if not count:
        return np.zeros(0, dtype=np.int64)
    turn = chance.permutation(int(strata.max()) + 1)
    line = np.lexsort((chance.random(count), turn[strata]))
    order = chance.permutation(len(shares))
    pattern = np.roll(_pattern(count, shares[order]), int(chance.integers(count)))
    assigned = np.empty(count, dtype=np.int64)
    assigned[line] = order[pattern]
    return assigned


def _pattern(count: int, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return `count` arms in exact shares (largest remainders), each spread evenly over the whole."""
    sizes = np.floor(count * shares).astype(np.int64)
    rest = count * shares - sizes
    sizes[np.argsort(-rest, kind="stable")[: count - int(sizes.sum())]] += 1
    arms = np.repeat(np.arange(len(shares)), sizes)
    moments = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes.tolist() if size])
    return arms[np.lexsort((arms, moments))]
