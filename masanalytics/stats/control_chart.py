"""Control limits of a rate whose points differ by more than chance: Laney's p′ chart with a robust start.

The limits of a p-chart know chance alone. Where days differ anyway (campaigns, lists), on many messages nearly every point is
outside them. Laney's chart widens them by how much standardised neighbours differ, and the start from median and median moving
range keeps the few bad points from widening the limits that are to show them.

Three standard errors are wrong in one of 370 points, and so in more than one of twenty lines of a month, in nearly all of a month of
hours: the limits are as far out as the number of points asks for, so that a line without a cause has a point outside in 5 % of cases at
most. What points differ beyond chance is symmetric on the log-odds (the limit of a rate near 1 is farther below than above), as a bad
day without a cause may be ten points down where no good one can be ten points up.

Sources: D. B. Laney (2002), Quality Engineering 14:531-537 (p′ chart); W. A. Shewhart (1931) (limits, moving range); D. C.
Montgomery (2013), Introduction to Statistical Quality Control, 7th edition, sections 6.2 and 6.4 (phase I: points outside are
left out and the limits taken again); C. E. Bonferroni (1936) (limits that hold for all points together).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from masanalytics.aliases import Booleans, Figures
from masanalytics.stats.proportions import student_quantile

__all__ = ["LEAST_POINTS", "ControlChart", "control_chart"]

LEAST_POINTS: Final = 8
"""Fewer points do not say how much points differ."""

_BEYOND = 0.00135  # of a normal distribution, farther than three standard errors on one side
_FALSE_ALARMS = 0.05
_MEDIAN_RANGE = 0.954  # the median distance of two standard normal values
_MEAN_RANGE = 1.128  # the mean distance of two standard normal values
_EFFICIENCY = 0.62  # degrees of freedom in a mean moving range, for each point but one
_ROUNDS = 10
_FEW_EXPECTED = 5


@dataclass(frozen=True)
class ControlChart:
    """What is usual for a rate.

    Attributes
    ----------
    centre : float
        The rate of the points in control, together.
    variance : float
        Of one message: ``centre (1 - centre)``, with half a message of each kind added so that it is never nothing.
    spread : float
        How many times as much points differ as chance alone makes them differ (Laney's σ_z); 1 at least.
    degrees : float
        Degrees of freedom of `spread`.
    in_control : array of bool
        Which of the points it was made from count for what is usual: those within three standard errors.
    """

    centre: float
    variance: float
    spread: float
    degrees: float
    in_control: Booleans

    @property
    def multiplier(self) -> float:
        """How many standard errors away the limits are: three at least, more for many points, or where `spread` rests on few."""
        return student_quantile(1 - min(_BEYOND, _FALSE_ALARMS / 2 / len(self.in_control)), self.degrees)

    def limits(self, totals: ArrayLike) -> tuple[Figures, Figures]:
        """Return the limits of points of so many messages, within 0..1.

        Half a message is added on either side (the correction for continuity), without which every single failure at night
        would lie outside.
        """
        return self._at(totals, self.multiplier)

    def _at(self, totals: ArrayLike, errors: float) -> tuple[Figures, Figures]:
        """Return the rates so many standard errors below and above the centre."""
        n = np.asarray(totals, dtype=float)
        usual = np.clip(self.centre, self.variance / 2, 1 - self.variance / 2)
        with np.errstate(divide="ignore"):
            chance = errors * np.sqrt(self.variance / n)
            beyond = errors * np.sqrt((self.spread**2 - 1) / (n * self.variance))
            middle = np.log(usual / (1 - usual))
            low, high = (1 / (1 + np.exp(-(middle + side * beyond))) for side in (-1, 1))
            below, above = np.hypot(chance, usual - low) + 0.5 / n, np.hypot(chance, high - usual) + 0.5 / n
        return np.clip(self.centre - below, 0, 1), np.clip(self.centre + above, 0, 1)

    def outside(self, counts: ArrayLike, totals: ArrayLike) -> Booleans:
        """Return which points lie outside the limits."""
        return _are_outside(counts, totals, self.limits(totals))

    def usual(self, counts: ArrayLike, totals: ArrayLike) -> Booleans:
        """Return which points count for what is usual: a bad one that stays in widens the limits that are to show it."""
        return ~_are_outside(counts, totals, self._at(totals, student_quantile(1 - _BEYOND, self.degrees)))

    def scores(self, counts: ArrayLike, totals: ArrayLike) -> Figures:
        """Return by how many standard errors each point lies above the centre (below: negative), half a message nearer to it.

        It is the signed root of the deviance, divided by `spread`: far out, where a rate near 1 has a long tail to one side, it is
        normal much more nearly than the difference over its standard error (McCullagh and Nelder 1989, section 2.4).
        """
        n, k = np.asarray(totals, dtype=float), np.asarray(counts, dtype=float)
        usual = np.clip(self.centre, self.variance / 2, 1 - self.variance / 2)
        away = k - n * usual
        rate = usual + np.sign(away) * np.maximum(np.abs(away) - 0.5, 0) / n
        with np.errstate(divide="ignore", invalid="ignore"):
            reached = np.where(rate > 0, rate * np.log(rate / usual), 0.0)
            missed = np.where(rate < 1, (1 - rate) * np.log((1 - rate) / (1 - usual)), 0.0)
        return np.asarray(np.sign(away) * np.sqrt(2 * n * np.maximum(reached + missed, 0)) / self.spread, dtype=float)


def _are_outside(counts: ArrayLike, totals: ArrayLike, limits: tuple[Figures, Figures]) -> Booleans:
    rate = np.asarray(counts, dtype=float) / np.asarray(totals, dtype=float)
    return np.asarray((rate < limits[0]) | (rate > limits[1]), dtype=bool)


def control_chart(counts: ArrayLike, totals: ArrayLike) -> ControlChart | None:
    """Return what is usual for a rate, from points in the order of time; None where they are fewer than eight.

    It starts from the median rate and the median distance of neighbouring standardised points. What lies outside is left out,
    and the centre and the mean moving range are taken of the others, until nothing changes.

    Parameters
    ----------
    counts, totals : array_like of float
        Of each point: how many of how many. Points without messages are left out.

    Returns
    -------
    ControlChart or None
        `in_control` has an entry for every point given (False for those without messages).

    Examples
    --------
    >>> chart = control_chart([950, 940, 955, 945, 800, 952, 948, 944, 951], [1000] * 9)
    >>> chart.in_control.tolist().index(False), round(chart.centre, 3), round(chart.spread, 2)
    (4, 0.948, 1.03)
    """
    k, n = (np.asarray(values, dtype=float) for values in (counts, totals))
    some = n > 0
    if some.sum() < LEAST_POINTS:
        return None
    k, n = k[some], n[some]
    chart = _started(k, n)
    for _ in range(_ROUNDS):
        again = _taken(k, n, chart.usual(k, n))
        settled = np.array_equal(again.in_control, chart.in_control)
        chart = again
        if settled:
            break
    within = np.zeros(len(some), dtype=bool)
    within[some] = chart.in_control
    return ControlChart(chart.centre, chart.variance, chart.spread, chart.degrees, within)


def _started(k: Figures, n: Figures) -> ControlChart:
    """Return the chart of the median rate and the median moving range, every point taken for in control."""
    rates = k / n
    middle = float(np.median(rates))
    chosen = np.ones(len(n), dtype=bool)
    if middle * (1 - middle) * np.median(n) < _FEW_EXPECTED:
        # The median of shares of few messages is 0 or 1 where the rate is neither: the middle half of the points together.
        order = np.argsort(rates, kind="stable")
        quarter = len(order) // 4
        half = order[quarter : len(order) - quarter]
        middle = float(k[half].sum() / n[half].sum())
    variance = _variance(middle * n.sum(), n.sum())
    ranges = np.abs(np.diff((k / n - middle) / np.sqrt(variance / n)))
    spread = max(1.0, float(np.median(ranges)) / _MEDIAN_RANGE)
    return ControlChart(middle, variance, spread, _EFFICIENCY * (len(n) - 1), chosen)


def _taken(k: Figures, n: Figures, chosen: Booleans) -> ControlChart:
    """Return the chart of the weighted mean and the mean moving range of the `chosen` points."""
    if chosen.sum() < LEAST_POINTS / 2:
        chosen = np.ones(len(n), dtype=bool)
    k, n = k[chosen], n[chosen]
    centre, variance = float(k.sum() / n.sum()), _variance(k.sum(), n.sum())
    ranges = np.abs(np.diff((k / n - centre) / np.sqrt(variance / n)))
    spread = max(1.0, float(ranges.mean()) / _MEAN_RANGE)
    return ControlChart(centre, variance, spread, _EFFICIENCY * (len(n) - 1), chosen)


def _variance(count: float, total: float) -> float:
    share = (count + 0.5) / (total + 1)
    return float(share * (1 - share))
