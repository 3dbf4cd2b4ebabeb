"""Who would get more messages than a cap allows: counted over all campaigns of the store, and over the plan's own rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.account import FrequencyCap
from masanalytics.aliases import Numbers

if TYPE_CHECKING:
    from masanalytics.store import Store
    from masanalytics.store.sends import Contact

__all__ = ["CapRule", "CappedRows", "capped_rows"]

_CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class CapRule:
    """How often somebody may be written to.

    Attributes
    ----------
    cap : FrequencyCap or None
        None where nothing limits it.
    by : hashable
        The column of people, None where each number is somebody of their own.
    is_transactional : bool
        Whether the messages are held by no cap and count towards none.
    """

    cap: FrequencyCap | None = None
    by: Hashable | None = None
    is_transactional: bool = False


@dataclass(frozen=True, slots=True)
class CappedRows:
    """Which rows are over the cap, and what the people in them got last.

    Attributes
    ----------
    rows : ndarray of int64
        Positions of the rows.
    last_campaigns : tuple of (str or None)
        The campaign of the last message, row by row; None where the plan itself uses up what the cap allows.
    last_times : tuple of (int or None)
        When that was (epoch seconds).
    kin : mapping of str to tuple of str
        Number -> all numbers of the same person, for people who have several.
    """

    rows: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    last_campaigns: tuple[str | None, ...] = ()
    last_times: tuple[int | None, ...] = ()
    kin: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def capped_rows(
    numbers: Numbers,
    is_left: npt.NDArray[np.bool_],
    people: npt.NDArray[np.object_] | None,
    rule: CapRule,
    store: Store | None,
) -> CappedRows:
    """Return which of the rows that are left go beyond the cap; of one person the first rows keep their place.

    Parameters
    ----------
    numbers : ndarray of int64
        The number of each row, 0 where it has none.
    is_left : ndarray of bool
        Whether nothing else leaves the row out.
    people : ndarray of object or None
        Who each row is for, None where the cell is blank; None where each number is somebody of their own.
    """
    owners, kin = _people(numbers, people)
    if rule.cap is None:
        return CappedRows(kin=kin)
    rows = np.flatnonzero(is_left)
    got = _got(numbers[rows], kin, rule.cap, store)
    place = pd.Series(owners[rows]).groupby(owners[rows]).cumcount().to_numpy()
    own = [kin.get(number, (number,)) for number in map(str, numbers[rows].tolist())]
    before = np.array([sum(got[one].messages for one in many if one in got) for many in own], dtype=np.int64)
    over = np.flatnonzero(before + place >= rule.cap.most)
    last = [max((got[one] for one in own[at] if one in got), key=_time, default=None) for at in over.tolist()]
    return CappedRows(
        rows[over],
        tuple([None if one is None else one.campaign for one in last]),
        tuple([None if one is None else one.last_at for one in last]),
        kin,
    )


def _time(contact: Contact) -> int:
    return contact.last_at


def _people(
    numbers: Numbers, people: npt.NDArray[np.object_] | None
) -> tuple[npt.NDArray[Any], dict[str, tuple[str, ...]]]:
    """Return who each row is for, as small numbers, and number -> all numbers of a person with several."""
    if people is None:
        return numbers, {}
    named = np.flatnonzero(~pd.isna(people) & (numbers > 0))
    codes, _names = pd.factorize(people[named])
    owners = numbers.copy()
    owners[named] = -1 - codes  # below zero: no number is
    pairs = pd.DataFrame({"owner": owners[named], "number": numbers[named]}).drop_duplicates()
    several = pairs[pairs["owner"].duplicated(keep=False)]
    kin: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for group in several.groupby("owner")["number"].agg(list):
        own = list(map(str, group))
        for number in own:
            kin[number] |= dict.fromkeys(own)
    return owners, {number: tuple(own) for number, own in kin.items()}


def _got(
    numbers: Numbers, kin: Mapping[str, tuple[str, ...]], cap: FrequencyCap, store: Store | None
) -> dict[str, Contact]:
    """Return number -> what it got lately, for the numbers of these rows and of the same people."""
    if store is None:
        return {}
    asked = list(
        dict.fromkeys(one for number in map(str, np.unique(numbers).tolist()) for one in kin.get(number, (number,)))
    )
    now = store.clock.now()
    got: dict[str, Contact] = {}
    for start in range(0, len(asked), _CHUNK):
        got |= store.sends.contacts(asked[start : start + _CHUNK], cap.seconds, now)
    return got
