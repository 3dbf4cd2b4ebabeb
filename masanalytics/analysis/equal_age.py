"""The equal age at which messages sent at different times can be compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.results import Note, note
from masanalytics.analysis.sources import MessageSource
from masanalytics.i18n import duration
from masanalytics.vocabulary import Status

__all__ = ["SHORT_AGE_S", "common_age", "equal_age_notes", "waited_counts"]

SHORT_AGE_S = 60
"""A shortest observed age below this says little: the age that nine in ten have reached is taken instead, the younger ones
left out."""

_NEARLY_ALL = 0.1


def common_age(*parts: Counts) -> float | None:
    """Return the age (seconds) at which all of `parts` (counted by waiting time) can be compared; None if settled.

    Settled means that every message has its report or has waited 72 h: then the rates as they stand are final. Otherwise
    it is the shortest observed age of all; where that is below a minute, the age nine in ten of each part have reached.
    """
    if not any(_unsettled(part).any() for part in parts):
        return None
    youngest = min(_youngest(part, 0.0) for part in parts)
    return youngest if youngest >= SHORT_AGE_S else min(_youngest(part, _NEARLY_ALL) for part in parts)


def waited_counts(data: Any, question: Question) -> tuple[Counts, MessageSource]:
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


def equal_age_notes(age: float | None, *parts: Counts, asked: bool) -> list[Note]:
    """Return what to know about the age at which `parts` (counted by waiting time) were compared; nothing of no messages."""
    if not parts or not all(part.n.sum() for part in parts):
        return []
    if age is None:
        return [_settled_note(*parts)]
    # Where the waiting time is unknown nothing says that the message has been observed so long.
    younger = sum(int(part.n[~(part.seconds >= int(age))].sum()) for part in parts)
    total = sum(int(part.n.sum()) for part in parts)
    how, how_zh = ("the shortest observed age", "取最短观察时长")
    if asked:
        how, how_zh = ("as asked", "按指定")
    elif younger:
        how, how_zh = ("what nine in ten have reached", "九成短信已达到的时长")
    length, length_zh = duration(age, "en"), duration(age, "zh")
    found = note(
        "equal_age",
        f"compared at equal age: delivered within {length} ({how})",
        f"在相同观察时长下比较：{length_zh}内送达（{how_zh}）",
    )
    left_out = note(
        "left_out",
        f"left out: {younger:,} of {total:,} messages, observed for less than {length}",
        f"{total:,} 条消息中有 {younger:,} 条观察不足 {length_zh}，未计入",
    )
    return [found, left_out] if younger else [found]


def _settled_note(*parts: Counts) -> Note:
    if any(part.unreported().any() for part in parts):
        return note(
            "settled",
            "every message has its report or has waited 72 h: the rates are final",
            "每条消息或已有回执，或已等满 72 小时：比例为最终值",
        )
    return note("settled", "all reports are in: the rates are final", "回执均已到齐：比例为最终值")
