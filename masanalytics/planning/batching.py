"""Cut messages into the fewest requests that are correct.

One request carries one text to up to 4,999 numbers (``many_to_one``), or up to 999 numbers with a text each
(``many_to_many``; 1,000 where the account is of the HTTP flavour), or one template with one set of parameters; a number stands in a request only once. Requests of the arms of a
comparison alternate, so that no arm is sent before another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.aliases import Numbers
from masanalytics.argument_kinds import LENGTH, WHOLE
from masanalytics.errors import InputError
from masanalytics.near_names import suggests_names
from masanalytics.vocabulary import MODES

__all__ = ["Cut", "Limits", "cut_by_arm", "cut_contents", "cut_templates", "interleave"]

_MODE: Final = {name: code for code, name in enumerate(MODES)}


@suggests_names
@dataclass(frozen=True, slots=True)
class Limits:
    """How large a request may be, and how fast requests are assumed to go.

    Parameters
    ----------
    many_to_one : int
        Numbers in a request with one text, or one template with one set of parameters. The document says at most 5,000 in its
        tables and fewer than 5,000 in a note; so the default is 4,999.
    many_to_many : int
        Numbers in a request with a text each: fewer than 1,000 in the HTTPS flavour, at most 1,000 in the HTTP flavour.
    requests_per_second : float
        For the estimate of the time only. 10 is an assumption, not a promise of the platform.

    Examples
    --------
    >>> Limits(many_to_many=500).many_to_many
    500
    """

    many_to_one: int = 4_999
    many_to_many: int = 999
    requests_per_second: float = 10.0

    def __post_init__(self) -> None:
        for name, most in (("many_to_one", 4_999), ("many_to_many", 1_000)):
            if not WHOLE.is_right(getattr(self, name)) or not 1 <= getattr(self, name) <= most:
                raise InputError(
                    "limits: {name}={value} is not between 1 and {most}",
                    name=name,
                    value=getattr(self, name),
                    most=most,
                )
        if not LENGTH.is_right(self.requests_per_second) or not self.requests_per_second:
            raise InputError("limits: requests_per_second must be above 0")


@dataclass(frozen=True, slots=True)
class Cut:
    """Messages in the order they are sent in, and where each request begins.

    Attributes
    ----------
    order : ndarray of int64
        Positions of messages.
    starts : ndarray of int64
        Where in `order` each request begins, and the end: one more than there are requests.
    modes : ndarray of int8
        The mode of each request, as a position in `masanalytics.vocabulary.MODES`.
    """

    order: Numbers
    starts: Numbers
    modes: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.modes)


def cut_by_arm(
    groups: Numbers,
    numbers: Numbers,
    arms: npt.NDArray[np.object_] | None,
    limits: Limits,
    *,
    templates: bool,
    repeated: bool = False,
) -> tuple[Cut, tuple[str | None, ...]]:
    """Cut each arm's messages into requests, and let the arms alternate; return the requests and the arm of each.

    Parameters
    ----------
    groups : ndarray of int64
        For each message, what it shares with those of the same text, or of the same parameters.
    numbers : ndarray of int64
        The number of each message.
    arms : ndarray of object, optional
        The arm of each message, None where it has none.
    limits : Limits
        How large a request may be.
    templates : bool
        Whether the platform's template is sent, not texts.
    repeated : bool
        Whether a number may have several messages.
    """
    names: list[str | None] = [None]
    members = [np.arange(len(groups))] if len(groups) else []
    if arms is not None:
        codes, values = pd.factorize(arms, use_na_sentinel=False)
        names = [None if name is None or name != name else str(name) for name in values]
        members = [np.flatnonzero(codes == code) for code in range(len(names))]
    cuts = []
    for messages in members:
        own = _renumbered(groups[messages])
        if repeated:
            own = _apart(own, numbers[messages])
        if templates:
            cuts.append(cut_templates(messages, own, limits))
        else:
            cuts.append(cut_contents(messages, own, numbers[messages], limits))
    cut, arm_of_request = interleave(cuts)
    return cut, tuple(names[arm] for arm in arm_of_request.tolist())


def _apart(groups: Numbers, numbers: Numbers) -> Numbers:
    """Return the groups, those parted in which a number stands several times: a number stands in a request only once.

    Examples
    --------
    >>> _apart(np.array([0, 0, 0, 1]), np.array([7, 7, 8, 7])).tolist()
    [0, 1, 0, 2]
    """
    order = np.lexsort((numbers, groups))
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (np.diff(groups[order]) == 0) & (np.diff(numbers[order]) == 0)
    if not same.any():
        return groups
    positions = np.arange(len(order))
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = positions - np.maximum.accumulate(np.where(same, 0, positions))
    return _renumbered(groups * (int(turn.max()) + 1) + turn)


def _renumbered(groups: Numbers) -> Numbers:
    """Return the groups numbered 0, 1, 2 … in the order of first appearance.

    Examples
    --------
    >>> _renumbered(np.array([5, 2, 5, 7])).tolist()
    [0, 1, 0, 2]
    """
    if not len(groups):
        return groups
    positions = np.arange(len(groups))
    first = np.empty(int(groups.max()) + 1, dtype=np.int64)
    first[groups[::-1]] = positions[::-1]
    opening = groups[first[groups] == positions]
    number = np.empty(len(first), dtype=np.int64)
    number[opening] = np.arange(len(opening))
    return np.asarray(number[groups])


def cut_templates(messages: Numbers, groups: Numbers, limits: Limits) -> Cut:
    """Cut template messages: one request for up to 4,999 numbers with the same parameters.

    Parameters
    ----------
    messages : ndarray of int64
        Positions of messages, ascending.
    groups : ndarray of int64
        For each of them, what it shares with those of the same parameters.
    limits : Limits
        How large a request may be.
    """
    order, starts = _runs(groups, limits.many_to_one)
    return _ordered(messages[order], starts, np.full(len(starts) - 1, _MODE["template"], dtype=np.int8))


def cut_contents(messages: Numbers, groups: Numbers, numbers: Numbers, limits: Limits) -> Cut:
    """Cut messages with texts into the fewest requests.

    A text for many numbers has requests of its own; all texts for few numbers share requests with a text each.
    A text goes where it costs fewer requests; where both cost the same, it has its own.

    Parameters
    ----------
    messages : ndarray of int64
        Positions of messages, ascending.
    groups : ndarray of int64
        For each of them, what it shares with those of the same text.
    numbers : ndarray of int64
        For each of them its number. In a group a number stands once.
    limits : Limits
        How large a request may be.

    Examples
    --------
    >>> three_texts = np.repeat([0, 1, 2], 3000)
    >>> len(cut_contents(np.arange(9000), three_texts, np.arange(9000), Limits()))
    3
    """
    shared = _shared(groups, limits)
    own_order, own_starts = _runs(groups[~shared], limits.many_to_one)
    pool, pool_starts = _deal(messages[shared], numbers[shared], limits.many_to_many)
    order = np.concatenate([messages[~shared][own_order], pool])
    starts = np.concatenate([own_starts, own_starts[-1] + pool_starts[1:]])
    modes = np.full(len(starts) - 1, _MODE["many_to_one"], dtype=np.int8)
    modes[len(own_starts) - 1 :] = _MODE["many_to_many"]
    modes[np.diff(starts) == 1] = _MODE["one_to_one"]
    return _ordered(order, starts, modes)


def _shared(groups: Numbers, limits: Limits) -> npt.NDArray[np.bool_]:
    """Return which messages share requests with other texts: the last ones of texts too few to fill a request."""
    sizes = np.bincount(groups)
    rests = sizes % limits.many_to_one
    ranked = np.argsort(-rests, kind="stable")
    # With the k largest rests in requests of their own: k of these, and the others in shared ones.
    pooled = rests.sum() - np.concatenate([[0], np.cumsum(rests[ranked])])
    requests = np.arange(len(pooled)) + -(-pooled // limits.many_to_many)
    sensible = np.concatenate([[True], rests[ranked] > min(1, len(groups) - 1)])
    requests[~sensible] = np.iinfo(np.int64).max
    alone = len(requests) - 1 - int(np.argmin(requests[::-1]))
    is_pooled = np.ones(len(sizes), dtype=bool)
    is_pooled[ranked[:alone]] = False
    filled = sizes - rests
    if not filled.any():
        return np.asarray(is_pooled[groups])
    return np.asarray(is_pooled[groups] & (_rank_in_group(groups) >= filled[groups]))


def _rank_in_group(groups: Numbers) -> Numbers:
    """Return for each message how many of its group stand before it."""
    order = np.argsort(groups, kind="stable")
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = _since_change(groups[order])
    return ranks


def _since_change(values: Numbers) -> Numbers:
    """Return for each element how many equal ones stand right before it.

    Examples
    --------
    >>> _since_change(np.array([7, 7, 7, 9, 9])).tolist()
    [0, 1, 2, 0, 1]
    """
    positions = np.arange(len(values))
    changed = np.concatenate([[True], values[1:] != values[:-1]]) if len(values) else np.zeros(0, dtype=bool)
    return np.asarray(positions - np.maximum.accumulate(np.where(changed, positions, 0)))


def _runs(groups: Numbers, most: int) -> tuple[Numbers, Numbers]:
    """Bring equal groups together and cut each into stretches of at most `most`: (order, starts)."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(_since_change(groups[order]) % most == 0)
    return order, np.append(starts, len(groups))


def _deal(messages: Numbers, numbers: Numbers, most: int) -> tuple[Numbers, Numbers]:
    """Cut messages into requests of at most `most`, each number once in each: (messages, starts)."""
    count = -(-len(messages) // most)
    order = np.argsort(numbers, kind="stable")
    again = _since_change(numbers[order])
    if not len(messages) or not again.any():
        return messages, np.append(np.arange(0, len(messages), most), len(messages))
    # The messages of one number lie side by side, and are dealt like cards: two never fall into one request.
    count = max(count, int(again.max()) + 1)
    hand = np.arange(len(messages)) % count
    dealt = order[np.lexsort((messages[order], hand))]
    return messages[dealt], np.append(0, np.cumsum(np.bincount(hand, minlength=count)))


def _ordered(order: Numbers, starts: Numbers, modes: npt.NDArray[np.int8]) -> Cut:
    """Put requests in the order of the first message each holds."""
    first = order[starts[:-1]]
    return _rearranged(Cut(order, starts, modes), np.argsort(first, kind="stable"))


def _rearranged(cut: Cut, requests: Numbers) -> Cut:
    lengths = np.diff(cut.starts)[requests]
    starts = np.append(0, np.cumsum(lengths))
    moved = np.repeat(cut.starts[:-1][requests] - starts[:-1], lengths) + np.arange(starts[-1])
    return Cut(cut.order[moved], starts, cut.modes[requests])


def interleave(cuts: list[Cut]) -> tuple[Cut, Numbers]:
    """Lay the requests of several arms into one another, evenly; return them and the arm of each request.

    Examples
    --------
    >>> def requests(count):
    ...     return Cut(np.arange(count), np.arange(count + 1), np.zeros(count, dtype=np.int8))
    >>> interleave([requests(4), requests(2)])[1].tolist()
    [0, 1, 0, 0, 1, 0]
    """
    if not cuts:
        return Cut(np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(0, np.int8)), np.zeros(0, dtype=np.int64)
    arms = np.concatenate([np.full(len(cut), arm) for arm, cut in enumerate(cuts)])
    moments = np.concatenate([(np.arange(len(cut)) + 0.5) / max(1, len(cut)) for cut in cuts])
    offsets = np.cumsum([0, *(len(cut.order) for cut in cuts)])
    starts = [cut.starts[:-1] + offset for cut, offset in zip(cuts, offsets, strict=False)]
    joined = Cut(
        np.concatenate([cut.order for cut in cuts]),
        np.append(np.concatenate(starts), offsets[-1]),
        np.concatenate([cut.modes for cut in cuts]),
    )
    turn = np.lexsort((arms, moments))
    return _rearranged(joined, turn), arms[turn]
