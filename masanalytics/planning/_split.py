"""Divide people at random into the arms of a comparison, and say what a comparison of these sizes can show."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Table
from masanalytics.argument_kinds import LENGTH, WHOLE, WORDS, check_kind, takes
from masanalytics.errors import InputError
from masanalytics.masking import shown_value
from masanalytics.near_names import named_arguments
from masanalytics.planning.columns import as_frame, check_names, labels_by_name, take_columns
from masanalytics.stats.power import LEVEL, POWER, detectable_difference
from masanalytics.text import plain_name

__all__ = ["split"]


@named_arguments
@takes(seed=WHOLE, base_rate=LENGTH)
def split(
    df: Table,
    arms: Sequence[str] | Mapping[str, float],
    *,
    by: Hashable | Sequence[Hashable] | None = None,
    silent: Sequence[str] | str = (),
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
    silent : str or sequence of str
        Arms that get nothing, such as ``["hold"]``: a plan leaves them out, and the store remembers them when it is sent.
    seed : int
        The same frame, rows in the same order, gives the same arms for the same seed. Index labels and other columns do not
        matter; another order of rows gives other arms.
    base_rate : float
        The rate that the detectable difference is counted from; 0.95 is a usual delivery rate.

    Returns
    -------
    DataFrame
        With ``arm`` (str) as its last column; where an arm is silent ``held_out`` (bool: gets nothing) behind it, by which a plan
        knows. In ``attrs``: ``detectable_difference`` (the smallest fall
        below `base_rate` that the two smallest arms show four times in five; NaN where they show none), ``base_rate``,
        ``power``, ``level``, ``seed``, and ``shares`` (arm -> its share, which `compare` takes as ``shares=``).

    Examples
    --------
    >>> people = pd.DataFrame({"城市": ["杭州"] * 6 + ["宁波"] * 4})
    >>> halves = split(people, ["A", "B"], by="城市", seed=7)
    >>> halves.groupby(["城市", "arm"]).size().tolist()
    [2, 2, 3, 3]
    >>> parts = split(people, {"A": 4, "B": 4, "hold": 2}, silent=["hold"], seed=7)
    >>> parts["held_out"].sum()
    np.int64(2)
    """
    frame = as_frame(df)
    names, shares = _shares(arms)
    mute = _silent(silent, names)
    if not 0 < base_rate < 1:
        raise InputError("base_rate={value} is not between 0 and 1", value=shown_value(base_rate))
    strata = _strata(frame, by)
    generator = np.random.default_rng(seed)
    assigned = _assign(strata, shares, generator)
    result = frame.copy()
    result["arm"] = pd.array(np.array(names, dtype=object)[assigned], dtype="str")
    if mute:
        result["held_out"] = result["arm"].isin(mute)
    first, second = sorted(np.bincount(assigned, minlength=len(names)).tolist())[:2]
    result.attrs.update(
        detectable_difference=detectable_difference(first, second, base_rate),
        base_rate=base_rate,
        power=POWER,
        level=LEVEL,
        seed=seed,
        shares=dict(zip(names, shares.tolist(), strict=True)),
    )
    return result


def _shares(arms: Sequence[str] | Mapping[str, float]) -> tuple[list[str], npt.NDArray[np.float64]]:
    given = list(arms) if isinstance(arms, Sequence | Mapping) and not isinstance(arms, str) else []
    names = [plain_name(name) if isinstance(name, str) else name for name in given]
    shares = [1.0] * len(names)
    if isinstance(arms, Mapping):
        shares = [float(share) if LENGTH.is_right(share) else -1.0 for share in arms.values()]
    good = len(names) >= 2 and len(set(names)) == len(names) and all(isinstance(name, str) and name for name in names)
    if not good or not all(0 < share < float("inf") for share in shares):
        raise InputError(
            "arms={arms}: give two or more different names, or each name's share above 0", arms=shown_value(arms)
        )
    return names, np.array(shares) / sum(shares)


def _silent(silent: Sequence[str] | str, names: list[str]) -> list[str]:
    """Return the arms that get nothing, as they are called.

    Raises
    ------
    InputError
        If one is no arm, or all are silent.
    """
    if not isinstance(silent, str):
        check_kind("silent", silent, WORDS)
    given = [silent] if isinstance(silent, str) else list(silent)
    mute = [plain_name(name) if isinstance(name, str) else name for name in given]
    unknown = [name for name in mute if name not in names]
    if unknown or len(set(mute)) == len(names):
        raise InputError(
            "silent={silent}: name arms that get nothing, among {names}, and leave one that gets a message",
            silent=repr(given),
            names=names,
        )
    return mute


def _strata(frame: pd.DataFrame, by: Hashable | Sequence[Hashable] | None) -> npt.NDArray[np.int64]:
    labels = labels_by_name(frame)
    several = isinstance(by, list) or (isinstance(by, tuple) and by not in labels)
    names: list[Any] = [] if by is None else list(by) if several else [by]  # type: ignore[call-overload]
    for name in names:
        check_names(by=name)
    strata = np.zeros(len(frame), dtype=np.int64)
    for column in take_columns(frame, labels, names).values():
        codes, values = pd.factorize(column, use_na_sentinel=False)
        strata = pd.factorize(strata * max(1, len(values)) + codes)[0]
    return strata


def _assign(
    strata: npt.NDArray[np.int64], shares: npt.NDArray[np.float64], generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return an arm for each row.

    Rows are put in random order within strata, strata in random order, and the arms dealt along that line in an even
    pattern that starts at a random place: every stretch of the line, so every stratum, has its shares.
    """
    count = len(strata)
    if not count:
        return np.zeros(0, dtype=np.int64)
    turn = generator.permutation(int(strata.max()) + 1)
    line = np.lexsort((generator.random(count), turn[strata]))
    order = generator.permutation(len(shares))
    pattern = np.roll(_pattern(count, shares[order]), int(generator.integers(count)))
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
