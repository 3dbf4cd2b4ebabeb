"""The equal age at which messages sent at different times can be compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from masanalytics.aliases import Messages
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.sources import MessageSource
from masanalytics.formatting import duration_text
from masanalytics.i18n import Text
from masanalytics.vocabulary import Status

__all__ = [
    "SHORT_AGE_S",
    "are_settled",
    "common_age",
    "equal_age_notes",
    "observed_by_all",
    "waited_counts",
    "with_exact_ages",
]

SHORT_AGE_S = 60
"""A shortest observed age below this says little: the age that nine in ten have reached is taken instead, the younger ones
left out."""

_NEARLY_ALL = 0.1
_HOUR_S = 3_600
_TELLS_NOTHING = Text(
    "so short an age tells nothing: most messages have just been sent, or an answer of their time is missing (store.missing_answers())",
    code="age_tells_nothing",
)


def common_age(*parts: Counts) -> float | None:
    """Return the age (seconds) at which all of `parts` (counted by waiting time) can be compared; None if settled.

    Settled means that every message has its report or has waited 72 h: then the rates as they stand are final. Otherwise
    it is the shortest observed age of all; where that is below a minute, the age nine in ten of each part have reached.
    """
    return None if are_settled(*parts) else observed_by_all(*parts)


def are_settled(*parts: Counts) -> bool:
    """Return whether every message has its report or has waited 72 h."""
    return not any(_unsettled(part).any() for part in parts)


def observed_by_all(*parts: Counts) -> float:
    """Return the shortest observed age of all `parts`; where it is below a minute, the age nine in ten of each have reached."""
    youngest = min(_youngest(part, 0.0) for part in parts)
    return youngest if youngest >= SHORT_AGE_S else min(_youngest(part, _NEARLY_ALL) for part in parts)


def waited_counts(data: Messages, question: Question) -> tuple[Counts, MessageSource]:
    """Return the accepted messages counted by the full hours they have been observed (in seconds), and where they came from.

    By the second there would be as many rows as seconds: `with_exact_ages` has them where an age is read.
    """
    counts, source = count_messages(data, replace(question, seconds="waited_hours"))
    return counts.taken(counts.accepted()), source


def with_exact_ages(
    data: Messages, question: Question, waited: Counts, *, at: float | None = None, has_youngest: bool = True
) -> Counts:
    """Return `waited` with whole seconds in the hours where an age is read.

    Parameters
    ----------
    data, question
        Which messages were counted.
    waited : Counts
        By full hours: see `waited_counts`.
    at : float, optional
        An age that they are compared at.
    has_youngest : bool
        Whether the age is read that all of each group have reached, and the one that nine in ten have.
    """
    hours = {int(at) // _HOUR_S} if at is not None and int(at) % _HOUR_S else set()
    if has_youngest:
        hours |= _hours_of_youngest(waited)
    if not hours:
        return waited
    ranges = tuple((hour * _HOUR_S, (hour + 1) * _HOUR_S) for hour in sorted(hours))
    where = replace(question.where, waited_in=ranges)
    exact, _ = count_messages(data, replace(question, where=where, seconds="waited"))
    exact = exact.taken(exact.accepted())
    coarse = waited.taken(~np.isin(waited.seconds, [start for start, _ in ranges]))
    return _together(coarse, exact)


def _hours_of_youngest(waited: Counts) -> set[int]:
    """Return the hours in which the youngest of each group are, and those that nine in ten have reached."""
    if not len(waited.n):
        return set()
    seconds = np.where(np.isnan(waited.seconds), 0.0, waited.seconds)
    order = np.lexsort((seconds, waited.group))
    upto = np.cumsum(waited.n[order])
    total = np.bincount(waited.group, weights=waited.n).astype(np.int64)
    before = np.cumsum(total) - total
    places = [
        np.searchsorted(upto, before + (share * total).astype(np.int64), side="right") for share in (0, _NEARLY_ALL)
    ]
    return {int(second // _HOUR_S) for second in seconds[order][np.concatenate(places)]}


def _together(*parts: Counts) -> Counts:
    import pandas as pd

    filled = [part for part in parts if len(part.n)] or list(parts[:1])
    keys = pd.concat([part.keys for part in filled], ignore_index=True)
    status, seconds, n = (
        np.concatenate(columns)
        for columns in zip(*((part.status, part.seconds, part.n) for part in filled), strict=True)
    )
    return Counts(keys, status, seconds, n, parts[0].by, parts[0].room)


def _unsettled(part: Counts) -> Any:
    return (part.status == Status.pending) & ~part.unreported()


def _youngest(part: Counts, share: float) -> float:
    """Return the age that all but `share` of the messages have reached; inf for no messages, 0 if unknown."""
    if not len(part.n):
        return float("inf")
    seconds = np.where(np.isnan(part.seconds), 0.0, part.seconds)
    order = np.argsort(seconds, kind="stable")
    upto = np.cumsum(part.n[order])
    return float(seconds[order][np.searchsorted(upto, int(share * upto[-1]), side="right")])


def equal_age_notes(age: float | None, *parts: Counts, asked: bool, reply_window: float | None = None) -> list[Text]:
    """Return what to know about the age at which `parts` (counted by waiting time) were compared; nothing of no messages.

    Parameters
    ----------
    age : float, optional
        The age; None where everything is settled.
    *parts : Counts
        The messages.
    asked : bool
        Whether the age was asked for.
    reply_window : float, optional
        Where replies were compared: the age after which none counts.
    """
    if not parts or not all(part.n.sum() for part in parts):
        return []
    if age is None:
        return [_settled_note(*parts)]
    # Where the waiting time is unknown nothing says that the message has been observed so long.
    younger = sum(int(part.n[~(part.seconds >= int(age))].sum()) for part in parts)
    total = sum(int(part.n.sum()) for part in parts)
    chosen = Text("the shortest observed age")
    if asked:
        chosen = Text("as asked")
    elif younger:
        chosen = Text("what nine in ten have reached")
    elif age == reply_window:
        chosen = Text("after which no reply counts")
    length = duration_text(age)
    values = {"age": length, "chosen": chosen}
    equal_age = Text("compared at equal age: delivered within {age} ({chosen})", code="equal_age", **values)
    if reply_window is not None:
        equal_age = Text("compared at equal age: answered within {age} ({chosen})", code="equal_age", **values)
    left_out = Text(
        "left out: {count:,} of {total:,} messages, observed for less than {age}",
        code="left_out",
        count=younger,
        total=total,
        age=length,
    )
    too_short = [_TELLS_NOTHING] if age < SHORT_AGE_S and not asked else []
    return [equal_age, *([left_out] if younger else []), *too_short]


def _settled_note(*parts: Counts) -> Text:
    if any(part.unreported().any() for part in parts):
        return Text("every message has its report or has waited 72 h: the rates are final", code="settled")
    return Text("all reports are in: the rates are final", code="settled")
