"""Whose turn it is to poll an account, and how long the others wait: one rule for the file of a store and for the machine.

The interval counts from the end of the last poll (its answer), by the monotonic clock where that can be compared, so that a wall clock
that jumps changes nothing; after a restart by the wall clock, and never for longer than one interval.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from masanalytics.clock import Clock
from masanalytics.process_identity import is_alive

__all__ = ["LastPoll", "Wait", "spaced", "wait_for_turn"]

_MARGIN: Final = 0.02
_HELD_AT_MOST_S: Final = 300.0
_LOOK_AGAIN_S: Final = 0.25
_LOOK_AGAIN_SHARE: Final = 0.1
"""Of how long a poll has been under way: whoever waits for one that hangs asks the file seldom."""
_ROUNDING_S: Final = 1e-6


class LastPoll(NamedTuple):
    """What is known of an account's last poll.

    Attributes
    ----------
    wall, monotonic : float
        When it ended, or began if it is under way, by both clocks.
    era : str
        Of the monotonic clock.
    holder : str or None
        ``process#asker`` of whoever is at it; None where it has ended.
    """

    wall: float
    monotonic: float
    era: str
    holder: str | None = None

    @classmethod
    def at(cls, clock: Clock, holder: str | None = None) -> LastPoll:
        """Return a poll that has ended now, or was begun now by `holder`."""
        return cls(clock.now(), clock.monotonic(), clock.era, holder)


class Wait(NamedTuple):
    """How long to wait for a turn.

    Attributes
    ----------
    seconds : float
        Until it is worth asking again; 0 where it is the asker's turn.
    begins_anew : bool
        Whether the interval begins now: a poller is gone, whose poll may just have been sent, or the clock was set back.
    is_left : bool
        Whether a poll was under way in a process that is gone.
    """

    seconds: float
    begins_anew: bool = False
    is_left: bool = False


def spaced(interval_s: float, margin_s: float | None = None) -> float:
    """Return the interval with its margin, by default 2 %: a quick network must not bring two polls too close.

    Examples
    --------
    >>> spaced(5.0), spaced(5.0, margin_s=0.5)
    (5.1, 5.5)
    """
    return interval_s + (interval_s * _MARGIN if margin_s is None else margin_s)


def wait_for_turn(last: LastPoll, me: str, interval_s: float, clock: Clock) -> Wait:
    """Return how long `me` (``process#asker``) waits; a turn that it holds itself was never given back, and is over."""
    passed_s = clock.monotonic() - last.monotonic if last.era == clock.era else clock.now() - last.wall
    if last.holder not in (None, me):
        if passed_s < _HELD_AT_MOST_S and is_alive(str(last.holder).partition("#")[0]):
            return Wait(max(_LOOK_AGAIN_S, interval_s / 4, passed_s * _LOOK_AGAIN_SHARE))
        return Wait(interval_s, begins_anew=True, is_left=True)
    if passed_s < 0:
        return Wait(interval_s, begins_anew=True)
    left_s = interval_s - passed_s
    return Wait(left_s if left_s > _ROUNDING_S else 0.0)
