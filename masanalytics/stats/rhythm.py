"""The rhythm of a rate: how much weekends, weekdays and hours of the day differ steadily, learned from the line itself.

A Saturday is compared with Saturdays, and nine o'clock with nine o'clock, only if they differ from the others more than chance and days
by themselves make them: a rank test decides (one of a hundred lines without a rhythm is given one). How far a weekday or an hour is from the
others is the median of its repetitions, so that a bad one among them does not hide itself, drawn to nothing as far as it is uncertain.

Sources: W. H. Kruskal and W. A. Wallis (1952), JASA 47:583-621 (the rank test); E. B. Wilson and M. M. Hilferty (1931), PNAS
17:684-688 (quantiles of chi-squared); A. Buja, T. Hastie and R. Tibshirani (1989), Annals of Statistics 17:453-510 (hours and days by
turns); B. Efron and C. Morris (1975), JASA 70:311-319 (drawing to the mean).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from masanalytics.aliases import Booleans, Figures, Numbers

__all__ = ["LEAST_DAYS", "LEAST_WEEKS", "Rhythm", "rhythm_of"]

LEAST_WEEKS: Final = 3
"""Weekends and weekdays of fewer weeks tell no rhythm of the week."""

LEAST_DAYS: Final = 4
"""An hour of fewer days, or a weekday of fewer weeks, tells no rhythm."""

_DAY_S, _HOUR_S = 86_400, 3600
_MONDAY = 3  # 1 January 1970 was a Thursday
_SATURDAY = 5
_FEW_EXPECTED = 5
_QUANTILE = 2.326  # of a normal distribution, beyond which one in a hundred lies
_MAD = 1.4826
_MEDIAN_VARIANCE = np.pi / 2  # of a median, as a multiple of that of a mean
_TURNS = 3


@dataclass(frozen=True)
class Rhythm:
    """How the points of a line move with the day of the week and the hour of the day.

    Attributes
    ----------
    offsets : array of float
        Of each point: how far it is usually from the centre, in log-odds. 0 where no rhythm is known.
    parameters : float
        How many numbers were learned from the line for it.
    week, day : bool
        Whether there is a rhythm of the week; of the day.
    weeks_known : bool
        False if weekends and weekdays are both there, but too few to tell a rhythm.
    """

    offsets: Figures
    parameters: float
    week: bool
    day: bool
    weeks_known: bool

    def taken(self, chosen: Booleans) -> Rhythm:
        """Return the rhythm of the `chosen` points, which cost their part of what was learned."""
        part = float(chosen.mean()) if len(chosen) else 0.0
        return replace(self, offsets=self.offsets[chosen], parameters=self.parameters * part)


def rhythm_of(
    counts: ArrayLike, totals: ArrayLike, starts: ArrayLike, width: int, given: Rhythm | None = None
) -> Rhythm:
    """Return the rhythm of a line.

    Parameters
    ----------
    counts, totals : array_like of float
        Of each point: how many of how many.
    starts : array_like of int
        When each point begins, in seconds of local time.
    width : int
        How long each lasts, in seconds. Points longer than a day have no rhythm.
    given : Rhythm, optional
        What is known already (of all lines together): the line's own comes on top.

    Examples
    --------
    >>> days = np.arange(28)
    >>> delivered = np.where(days % 7 < 2, 8500, 9500) + days * 13 % 11
    >>> found = rhythm_of(delivered, np.full(28, 10_000), (days + 2) * 86_400, 86_400)  # from a Saturday
    >>> found.week, (found.offsets[:3] - found.offsets[2]).round(1).tolist()
    (True, [-1.2, -1.2, 0.0])
    """
    k, n = (np.asarray(values, dtype=float) for values in (counts, totals))
    at = np.asarray(starts, dtype=np.int64)
    known = given or Rhythm(np.zeros(len(n)), 0.0, False, False, True)
    share = (k.sum() + 0.5) / (n.sum() + 1)
    enough = n * share * (1 - share) >= _FEW_EXPECTED
    if width > _DAY_S or not enough.any():
        return known
    odds = np.log((k[enough] + 0.5) / (n[enough] - k[enough] + 0.5)) - known.offsets[enough]
    days, day = np.unique(at // _DAY_S, return_inverse=True)
    slot = at % _DAY_S // max(width, _HOUR_S)
    weekend = (days + _MONDAY) % 7 >= _SATURDAY
    hours, hour_parameters = np.zeros(len(n)), 0.0
    if width < _DAY_S:
        hours, hour_parameters = _hours(odds, day, slot, enough)
    level = _day_levels(odds - hours[enough], day[enough], len(days))
    week, week_parameters = _week(level, days, weekend)
    if width < _DAY_S:
        rest = odds - hours[enough] - level[day[enough]]
        both = slot + 2 * _DAY_S * weekend[day]
        more, parameters = _steady(rest, both[enough], both, LEAST_DAYS + 1)
        hours, hour_parameters = hours + more, hour_parameters + parameters
    sent = np.bincount(day, weights=n) > 0
    return Rhythm(
        known.offsets + hours + week[day],
        known.parameters + hour_parameters + week_parameters,
        known.week or week_parameters > 0,
        known.day or hour_parameters > 0,
        _kinds_of_days(sent, weekend) or not ((sent & weekend).any() and (sent & ~weekend).any()),
    )


def _hours(odds: Figures, day: Numbers, slot: Numbers, enough: Booleans) -> tuple[Figures, float]:
    """Return how far each hour of the day is from the others of its day: days and hours by turns."""
    hours, parameters = np.zeros(len(day)), 0.0
    for _ in range(_TURNS):
        level = _day_levels(odds - hours[enough], day[enough], int(day.max()) + 1)
        hours, parameters = _steady(odds - level[day[enough]], slot[enough], slot, LEAST_DAYS)
        if not parameters:
            break
    return hours, parameters


def _day_levels(odds: Figures, day: Numbers, days: int) -> Figures:
    """Return the median of each day; NaN of days without points that tell."""
    levels = np.full(days, np.nan)
    there, middle = _medians(odds, day)
    levels[there] = middle
    return levels


def _kinds_of_days(there: Booleans, weekend: Booleans) -> bool:
    """Return whether there are days enough of both kinds, one of each lacking at most."""
    ends, others = int((there & weekend).sum()), int((there & ~weekend).sum())
    return ends >= 2 * LEAST_WEEKS - 1 and others >= 5 * LEAST_WEEKS - 2


def _week(level: Figures, days: Numbers, weekend: Booleans) -> tuple[Figures, float]:
    """Return how far each day is for its kind: weekends from other days, and each weekday from its kind where four weeks tell."""
    there = ~np.isnan(level)
    found, parameters = np.zeros(len(days)), 0.0
    if _kinds_of_days(there, weekend):
        found, parameters = _steady(level[there], weekend[there].astype(np.int64), weekend.astype(np.int64), LEAST_DAYS)
    weekday = (days + _MONDAY) % 7
    more, several = _steady((level - found)[there], weekday[there], weekday, LEAST_DAYS)
    return found + more, parameters + several


def _steady(values: Figures, groups: Numbers, wanted: Numbers, least: int) -> tuple[Figures, float]:
    """Return how far the group of each `wanted` is from the others, and how many numbers that took; nothing where ranks show nothing."""
    found = np.zeros(len(wanted))
    _distinct, place, size = np.unique(groups, return_inverse=True, return_counts=True)
    some = size >= least
    kept = some[place] if len(values) else np.zeros(0, dtype=bool)
    if some.sum() < 2 or not _differ(values[kept], groups[kept]):
        return found, 0.0
    names, middle = _medians(values[kept], groups[kept])
    size = size[some]
    away = values[kept] - middle[np.searchsorted(names, groups[kept])]
    scale = _MAD * float(np.median(np.abs(away))) * np.sqrt(size.mean() / (size.mean() - 1))
    noise = _MEDIAN_VARIANCE * scale**2 / size
    between = max(0.0, float(middle.var(ddof=1) - noise.mean()))
    if not between:
        return found, 0.0
    effects = (middle - np.average(middle, weights=size)) * between / (between + noise)
    effects = dict(zip(names.tolist(), effects.tolist(), strict=True))
    return np.array([effects.get(one, 0.0) for one in wanted.tolist()]), float(len(names) - 1)


def _medians(values: Figures, groups: Numbers) -> tuple[Numbers, Figures]:
    """Return the groups, in order, and the median of each."""
    order = np.lexsort((values, groups))
    names, first, size = np.unique(groups[order], return_index=True, return_counts=True)
    sorted_values = values[order]
    return names, (sorted_values[first + (size - 1) // 2] + sorted_values[first + size // 2]) / 2


def _differ(values: Figures, groups: Numbers) -> bool:
    """Return whether the ranks of groups differ beyond chance (Kruskal and Wallis), at one in a hundred."""
    _distinct, place, ties = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]
    _names, group, size = np.unique(groups, return_inverse=True, return_counts=True)
    total, degrees = len(values), len(size) - 1
    alike = 1 - float((ties**3 - ties).sum()) / (total**3 - total)
    if alike <= 0:
        return False
    sums = np.bincount(group, weights=ranks - (total + 1) / 2)
    statistic = 12 / (total * (total + 1)) * float((sums**2 / size).sum()) / alike
    part = 2 / (9 * degrees)
    return bool(statistic > degrees * (1 - part + _QUANTILE * np.sqrt(part)) ** 3)
