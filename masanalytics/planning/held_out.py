"""Silent arms: people who get nothing, so that those who get something can be compared with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from numbers import Real
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Booleans, Instant, Length, Numbers
from masanalytics.errors import InputError
from masanalytics.lengths import to_seconds
from masanalytics.masking import mask_phone
from masanalytics.phones import REASONS
from masanalytics.planning.columns import cell_texts
from masanalytics.planning.encoded_text import Arms
from masanalytics.planning.templates import ContentColumn, PlatformTemplate, Wording
from masanalytics.text import plain_name
from masanalytics.timezone import to_instant

__all__ = ["HELD_OUT", "HeldOut", "HoldRule", "SilentRows", "worded_arms"]


HELD_OUT: Final = "held_out"
"""The column in which `split` says who is in a silent arm, and the reason for which a plan leaves them out."""

_YES: Final = frozenset(("1", "true", "yes", "y", "是"))
_NO: Final = frozenset(("0", "false", "no", "n", "否"))


@dataclass(frozen=True, slots=True)
class HoldRule:
    """Until when people of a silent arm are kept out of other campaigns: so long after sending, or up to an instant."""

    seconds: int | None
    instant: int | None = None

    @classmethod
    def of(cls, until: Length | Instant) -> HoldRule:
        """Read ``plan(until=)``: a length of time, or a date or time.

        Examples
        --------
        >>> HoldRule.of("7d"), HoldRule.of("2026-04-01").instant
        (HoldRule(seconds=604800, instant=None), 1774972800)
        """
        is_number = isinstance(until, Real) and not isinstance(until, bool)
        if is_number or isinstance(until, timedelta):
            return cls(to_seconds(until))  # type: ignore[arg-type]
        try:
            return cls(to_seconds(until)) if isinstance(until, str) else cls(None, to_instant(until))
        except InputError:
            try:
                return cls(None, to_instant(until))
            except InputError:
                raise InputError(
                    "until={value!r}: say how long people are kept out of other campaigns, such as '7d', or until which day",
                    value=until,
                ) from None

    def end(self, now: float) -> int:
        """Return the instant at which it ends, where sending begins `now`."""
        return int(now) + self.seconds if self.instant is None and self.seconds is not None else int(self.instant or 0)


@dataclass(frozen=True, slots=True, repr=False)
class HeldOut:
    """The people of a plan's silent arms.

    Attributes
    ----------
    numbers : ndarray of int64
        Their numbers, in the order of the sheet.
    arms : ndarray of object
        The arm of each, None where there is no column of arms.
    rule : HoldRule
        Until when other campaigns leave them out.
    shares : mapping of str to float
        The share of the people that each arm was meant to have, silent ones included; empty where that is not known.
    """

    numbers: Numbers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    arms: npt.NDArray[np.object_] = field(default_factory=lambda: np.zeros(0, dtype=object))
    rule: HoldRule = field(default_factory=lambda: HoldRule(0))
    shares: Mapping[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    def __repr__(self) -> str:
        return f"HeldOut({len(self):,})"


@dataclass(frozen=True, slots=True, repr=False)
class SilentRows:
    """What a sheet says of silent arms.

    Attributes
    ----------
    rows : ndarray of bool
        Which rows are in one.
    rule : HoldRule
        Until when other campaigns leave their people out.
    shares : mapping of str to float
        The shares that the arms were meant to have.
    """

    rows: Booleans
    rule: HoldRule
    shares: Mapping[str, float]

    @classmethod
    def of(cls, frame: pd.DataFrame, column: pd.Series[Any] | None, arms: Arms, rule: HoldRule) -> SilentRows:
        """Read the column ``held_out`` of a sheet, and the shares that `split` left with it.

        Raises
        ------
        InputError
            If a cell of the column says nothing.
        """
        rows = held_rows(column, len(frame))
        return cls(rows, rule, meant_shares(frame.attrs, arms))

    def people(self, numbers: Numbers, arms: Arms, reasons: npt.NDArray[np.int8], labels: pd.Index[Any]) -> HeldOut:
        """Return who gets nothing by the sheet's own word: who was held out before is in the store already.

        Raises
        ------
        InputError
            If one person would be held out and told.
        """
        refuse_told_and_untold(numbers, reasons, labels)
        rows = np.flatnonzero(self.rows & (reasons == REASONS.index(HELD_OUT)))
        own = np.full(len(rows), None, dtype=object) if arms is None else arms[rows]
        return HeldOut(numbers[rows], own, self.rule, self.shares)


def held_rows(column: pd.Series[Any] | None, size: int) -> Booleans:
    """Return which rows the column ``held_out`` puts into a silent arm; a blank cell does not.

    Raises
    ------
    InputError
        If a cell says neither yes nor no, naming its row.

    Examples
    --------
    >>> held_rows(pd.Series([True, "否", "TRUE", None], dtype=object), 4).tolist()
    [True, False, True, False]
    """
    if column is None:
        return np.zeros(size, dtype=bool)
    words = [None if cell is None or not cell.strip() else cell.strip().casefold() for cell in cell_texts(column)]
    for row, word in enumerate(words):
        if word is not None and word not in _YES and word not in _NO:
            raise InputError(
                "row {row}: column 'held_out' holds {value!r}: it says who gets nothing, True or False",
                row=column.index[row],
                value=word,
            )
    return np.array([word in _YES for word in words], dtype=bool)


def worded_arms(wording: Wording, arms: Arms, held: Booleans) -> Arms:
    """Return the arms by which texts are written: who gets nothing is judged by the first text there is, as the others are.

    So a value that is missing leaves people out of silent arms too, and the arms stay alike.
    """
    if arms is None or isinstance(wording, (ContentColumn, PlatformTemplate)) or None in wording.by_arm:
        return arms
    wordless = held & ~np.isin(arms.astype(str), [str(arm) for arm in wording.by_arm])
    written = arms.copy()
    written[wordless] = next(iter(wording.by_arm))
    return written


def refuse_told_and_untold(numbers: Numbers, reasons: npt.NDArray[np.int8], labels: pd.Index[Any]) -> None:
    """Raise if a number is held out in one row and planned in another, as it can be where it gets several messages.

    Raises
    ------
    InputError
        Naming both rows.
    """
    held, planned = reasons == REASONS.index(HELD_OUT), reasons < 0
    both = planned & np.isin(numbers, numbers[held])
    if not both.any():
        return
    row = int(np.argmax(both))
    other = int(np.argmax(held & (numbers == numbers[row])))
    raise InputError(
        "{phone} is in a silent arm (row {other}) and gets a message (row {row}): give each person one arm, with split on one row"
        " a person",
        phone=mask_phone(int(numbers[row])),
        row=str(labels[row]),
        other=str(labels[other]),
    )


def meant_shares(attrs: Mapping[Any, Any], arms: Arms) -> dict[str, float]:
    """Return the shares that `split` left with the frame, where they are of the arms in its rows; else nothing."""
    kept = attrs.get("shares")
    if arms is None or not isinstance(kept, Mapping):
        return {}
    shares = {plain_name(str(arm)): float(share) for arm, share in kept.items() if isinstance(share, Real)}
    there = {arm for arm in arms.tolist() if arm is not None}
    return shares if there and there <= shares.keys() else {}
