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

__all__ = ["SHORT_AGE_S", "common_age", "equal_age_notes", "observed_by_all", "waited_counts"]

SHORT_AGE_S = 60
"""A shortest observed age below this says little: the age that nine in ten have reached is taken instead, the younger ones
left out."""

_NEARLY_ALL = 0.1
_TELLS_NOTHING = Text(
    "so short an age tells nothing: most messages have just been sent, or an answer of their time is missing (store.missing_answers())",
    code="age_tells_nothing",
)


def common_age(*parts: Counts) -> float | None:
    """Return the age (seconds) at which all of `parts` (counted by waiting time) can be compared; None if settled.

    Settled means that every message has its report or has waited 72 h: then the rates as they stand are final. Otherwise
    it is the shortest observed age of all; where that is below a minute, the age nine in ten of each part have reached.
    """
    if not any(_unsettled(part).any() for part in parts):
        return None
    return observed_by_all(*parts)


def observed_by_all(*parts: Counts) -> float:
    """Return the shortest observed age of all `parts`; where it is below a minute, the age nine in ten of each have reached."""
    youngest = min(_youngest(part, 0.0) for part in parts)
    return youngest if youngest >= SHORT_AGE_S else min(_youngest(part, _NEARLY_ALL) for part in parts)


def waited_counts(data: Messages, question: Question) -> tuple[Counts, MessageSource]:
    """Return the accepted messages counted by how long they have been observed, and where they came from."""
    counts, source = count_messages(data, replace(question, seconds="waited"))
    return counts.taken(counts.accepted()), source


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
