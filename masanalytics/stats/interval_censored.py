"""Times of which only the minute is known: each event is somewhere within an interval, and is shared out over its minutes.

Where both times of a report are cut to the minute, a latency written as d seconds lies between d - 60 and d + 60, and one written
as 0 between 0 and 60: it is interval-censored. Its event is shared out over the minutes of the interval as the estimated
distribution has them, and the distribution is estimated from the shares, until neither changes.

Sources: B. W. Turnbull (1976), The empirical distribution function with arbitrarily grouped, censored and truncated data, JRSS B
38:290-295 (the self-consistent estimate, here with the product limit for what is pending); M. G. Hudgens, G. A. Satten and I. M.
Longini (2001), Biometrics 57:74-80 (the same with competing risks). The estimate says at the end of each minute what had happened
by then; within a minute nothing is known. It supposes that the second at which a message is submitted has nothing to do with how
long it takes, which holds over many batches; whatever holds, it differs from the truth by no more than 60 s either way.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.stats.competing_risks import EventSteps, IncidenceCurves, cumulative_incidence, spread_unknown
from masanalytics.vocabulary import Status

__all__ = ["MINUTE_S", "Shared", "interval_incidence", "shared_out"]

MINUTE_S: Final = 60.0
_STEPS_IN_ALL: Final = 20_000_000
_FEWEST, _MOST = 40, 1000
_SETTLED: Final = 1e-9
_NOTHING: Final = 1e-6


class Shared(NamedTuple):
    """Counted rows after sharing out: group, status, seconds, messages (which may be parts of one), and the middle of the minute."""

    group: Numbers
    status: Numbers
    seconds: Figures
    n: Figures
    middle: Figures


def interval_incidence(
    group: Numbers, groups: int, status: Numbers, seconds: Figures, n: Numbers, is_minute: Booleans
) -> IncidenceCurves:
    """Estimate the cumulative incidences as `cumulative_incidence` does, where the times of some rows have no seconds.

    Parameters
    ----------
    group, groups, status, seconds, n
        As for `cumulative_incidence`.
    is_minute : array of bool
        Whose times are of whole minutes; of the others they are believed to the second.

    Examples
    --------
    Two of three are written as 0 s, one as 60 s: all can have come within the first minute, and that is most likely.

    >>> status, seconds, n = np.array([5, 5]), np.array([0.0, 60.0]), np.array([2, 1])
    >>> curves = interval_incidence(np.zeros(2, int), 1, status, seconds, n, np.array([True, True]))
    >>> curves.time.tolist(), curves.delivered_incidence.round(6).tolist()
    ([60.0], [1.0])
    """
    shared = shared_out(group, groups, status, seconds, n, is_minute)
    return cumulative_incidence(shared.group, groups, shared.status, shared.seconds, shared.n)


def shared_out(
    group: Numbers, groups: int, status: Numbers, seconds: Figures, n: Numbers, is_minute: Booleans
) -> Shared:
    """Return the rows with each event of unknown second at the ends of the minutes that it may have been in.

    Examples
    --------
    >>> status, seconds, n = np.array([5, 5]), np.array([60.0, 240.0]), np.array([1, 1])
    >>> shared = shared_out(np.zeros(2, int), 1, status, seconds, n, np.array([True, True]))
    >>> shared.seconds.tolist(), shared.n.round(6).tolist()
    ([60.0, 240.0, 120.0, 300.0], [0.5, 0.5, 0.5, 0.5])
    """
    weight, known = spread_unknown(group, groups, status, seconds, n)
    coarse = is_minute & (status != Status.pending) & ~np.isnan(seconds)
    first = np.where(coarse, np.ceil(known / MINUTE_S) * MINUTE_S, known)
    # Before its submission nothing is delivered: what is written as 0 s came within the first minute.
    first = np.where(coarse & (known == 0), MINUTE_S, first)
    two = np.flatnonzero(coarse & (known % MINUTE_S == 0) & (known != 0))
    rows = Shared(
        np.concatenate([group, group[two]]),
        np.concatenate([status, status[two]]),
        np.concatenate([first, first[two] + MINUTE_S]),
        np.concatenate([weight, np.zeros(len(two))]),
        np.concatenate(
            [np.where(coarse & (known % MINUTE_S == 0), first - MINUTE_S / 2, known), first[two] + MINUTE_S / 2]
        ),
    )
    if len(two):
        _share_out(rows, groups, two)
    some = (rows.n > 0) | (rows.status == Status.pending)
    return Shared(*(column[some] for column in rows))


def _share_out(rows: Shared, groups: int, two: Numbers) -> None:
    """Fill in `rows.n` what of each event of the rows `two` is in its first minute, and what in the second (the last rows)."""
    steps = EventSteps.of(rows.group, groups, rows.seconds)
    whole, second = rows.n[two].copy(), slice(len(rows.n) - len(two), None)
    part = np.full(len(two), 0.5)
    for _ in range(int(np.clip(_STEPS_IN_ALL / max(len(steps.step), 1), _FEWEST, _MOST))):
        rows.n[two], rows.n[second] = whole * part, whole * (1 - part)
        came = steps.increments(rows.status, rows.n)
        both = came[two] + came[second]
        new = np.where(both > 0, came[two] / np.where(both > 0, both, 1.0), part)
        change, part = float((whole * np.abs(new - part)).max()), new
        if change <= _SETTLED * float(whole.sum()):
            break
    part = np.where(part < _NOTHING, 0.0, np.where(part > 1 - _NOTHING, 1.0, part))
    rows.n[two], rows.n[second] = whole * part, whole * (1 - part)
