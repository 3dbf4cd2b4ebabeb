"""What becomes of accepted messages: the question a platform asks of the world, and the plainest answers to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from masanalytics.simulator.random_keys import Floats, Ints, Keys

__all__ = ["ACCEPTD", "DELIVRD", "Behaviour", "Draw", "Fates", "Reply", "Scripted"]

DELIVRD = "DELIVRD"
ACCEPTD = "ACCEPTD"


@dataclass(frozen=True)
class Draw:
    """The messages of one accepted request whose fate is asked for; all arrays have one entry a message.

    Attributes
    ----------
    phones : int64
        The numbers; negative where the text given was no number.
    keys : uint64
        Keys for `masanalytics.simulator.random_keys`, one a message.
    numbers : uint64
        The same, one a number: equal in every campaign.
    instant : float
        When the platform took the request (seconds since 1970).
    """

    phones: Ints
    keys: Keys
    numbers: Keys
    instant: float


class Reply(NamedTuple):
    """What somebody writes back: to which message of the draw, how long after it was submitted, and the text."""

    message: int
    after: float
    text: str


@dataclass(frozen=True)
class Fates:
    """What becomes of each message of a `Draw`.

    Attributes
    ----------
    codes : tuple of str
        The codes that can occur; the first is ``DELIVRD``.
    code : int64
        Position in `codes`.
    latency : float64
        Seconds from submission to ``receiveDate``; infinite where no report ever comes.
    lag : float64
        Seconds from ``receiveDate`` until the report can be fetched.
    replies : tuple of Reply
        What people write back.
    """

    codes: tuple[str, ...]
    code: Ints
    latency: Floats
    lag: Floats
    replies: tuple[Reply, ...] = ()


class Behaviour(Protocol):
    """Decides what becomes of messages. Called from several threads at once; must answer by the draw alone."""

    def draw(self, batch: Draw) -> Fates:
        """Return the fate of each message of `batch`."""
        ...


@dataclass(frozen=True)
class Scripted:
    """A behaviour where everything is laid down beforehand, for tests.

    Parameters
    ----------
    outcomes : mapping of str to (code, seconds) or None
        What becomes of messages to a number: the code and the seconds until it is reported, or None for never.
    default : (code, seconds) or None
        What becomes of messages to every other number.
    replies : mapping of str to (seconds, text)
        What a number writes back to each message it gets, and when.

    Examples
    --------
    >>> behaviour = Scripted({"13800138001": ("MK:0001", 3), "13800138002": None})
    >>> phones = np.array([13800138000, 13800138001, 13800138002])
    >>> keys = phones.astype(np.uint64)
    >>> fates = behaviour.draw(Draw(phones, keys, keys, instant=0.0))
    >>> [fates.codes[i] for i in fates.code], fates.latency.tolist()
    (['DELIVRD', 'MK:0001', 'DELIVRD'], [1.0, 3.0, inf])
    """

    outcomes: Mapping[str, tuple[str, float] | None] = field(default_factory=dict)
    default: tuple[str, float] | None = (DELIVRD, 1.0)
    replies: Mapping[str, tuple[float, str]] = field(default_factory=dict)

    def draw(self, batch: Draw) -> Fates:
        """Return what the script says of each number."""
        codes = {DELIVRD: 0}
        usual = self.default or (DELIVRD, np.inf)
        code = np.full(len(batch.phones), codes.setdefault(usual[0], len(codes)), dtype=np.int64)
        latency = np.full(len(batch.phones), float(usual[1]))
        named = sorted({int(phone) for phone in (*self.outcomes, *self.replies)})
        replies = []
        for index in np.flatnonzero(np.isin(batch.phones, named)).tolist():
            phone = str(batch.phones[index])
            outcome = self.outcomes.get(phone, self.default) or (DELIVRD, np.inf)
            code[index], latency[index] = codes.setdefault(outcome[0], len(codes)), outcome[1]
            if phone in self.replies:
                replies.append(Reply(index, *self.replies[phone]))
        return Fates(tuple(codes), code, latency, np.zeros(len(code)), tuple(replies))
