"""Control limits of a rate whose points differ by more than chance: Laney's p′ chart with a robust start.

The limits of a p-chart know chance alone. Where days differ anyway (campaigns, lists), on many messages nearly every point is
outside them. Laney's chart widens them by how much standardised neighbours differ, and the start from median and median moving
range keeps the few bad points from widening the limits that are to show them. A rhythm (weekends,
hours of the day) is taken off before; and where points far apart differ by more than neighbours do (a slow drift), the limits are as
much wider.

Three standard errors are wrong in one of 370 points, and so in more than one of twenty lines of a month, in nearly all of a month of
hours: the limits are as far out as the number of points asks for, so that a line without a cause has a point outside in 5 % of cases at
most. What points differ beyond chance is symmetric on the log-odds (the limit of a rate near 1 is farther below than above), as a bad
day without a cause may be ten points down where no good one can be ten points up.

Sources: D. B. Laney (2002), Quality Engineering 14:531-537 (p′ chart); W. A. Shewhart (1931) (limits, moving range); D. C.
Montgomery (2013), Introduction to Statistical Quality Control, 7th edition, sections 6.2 and 6.4 (phase I: points outside are
left out and the limits taken again); C. E. Bonferroni (1936) (limits that hold for all points together); F. E.
Satterthwaite (1946), Biometrics Bulletin 2:110-114 (degrees of freedom of a variance in two parts); E. A. Cornish and R. A. Fisher
(1938), Revue de l'Institut International de Statistique 5:307-320 (quantiles of a skewed distribution).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from masanalytics.aliases import Booleans, Figures
from masanalytics.stats.proportions import student_quantile
from masanalytics.stats.rhythm import Rhythm

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
_PARTS = 7
_BISECTIONS = 40


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
        return student_quantile(1 - self._beyond, self.degrees)

    @property
    def _beyond(self) -> float:
        """The probability of a point beyond either limit."""
        return min(_BEYOND, _FALSE_ALARMS / 2 / len(self.in_control))

    def expected(self, offsets: ArrayLike) -> Figures:
        """Return what is usual for points so far from the centre, in log-odds: never 0 or 1."""
        plain = float(np.clip(self.centre, self.variance / 2, 1 - self.variance / 2))
        return _moved(plain, self.variance, offsets)[0]

    def limits(self, totals: ArrayLike, offsets: ArrayLike = 0.0) -> tuple[Figures, Figures]:
        """Return the limits of points of so many messages, within 0..1, around the centre and its rhythm (`offsets`).

        Half a message is added on either side (the correction for continuity), without which every single failure at night
        would lie outside, and on the side of the long tail what its skewness asks for (Cornish and Fisher 1938).
        """
        return self._at(totals, self._beyond, offsets)

    def _at(self, totals: ArrayLike, probability: float, offsets: ArrayLike = 0.0) -> tuple[Figures, Figures]:
        """Return the rates below and above which a point lies with this probability each."""
        errors = student_quantile(1 - probability, self.degrees)
        n = np.asarray(totals, dtype=float)
        plain = float(np.clip(self.centre, self.variance / 2, 1 - self.variance / 2))
        usual, variance = _moved(plain, self.variance, offsets)
        centre = self.centre + (usual - plain)
        with np.errstate(divide="ignore", invalid="ignore"):  # without messages the limits are 0 and 1
            chance = errors * np.sqrt(variance / n)
            beyond = errors * np.sqrt((self.spread**2 - 1) / (n * variance))
            middle = np.log(usual / (1 - usual))
            low, high = (1 / (1 + np.exp(-(middle + side * beyond))) for side in (-1, 1))
            # A rate near 1 has its long tail below: by so many messages, whatever their number.
            tail = (student_quantile(1 - probability, float("inf")) ** 2 - 1) / 6 * (1 - 2 * usual)
            below = np.hypot(chance, usual - low) + (0.5 + np.maximum(-tail, 0)) / n
            above = np.hypot(chance, high - usual) + (0.5 + np.maximum(tail, 0)) / n
        return np.clip(centre - below, 0, 1), np.clip(centre + above, 0, 1)

    def outside(self, counts: ArrayLike, totals: ArrayLike, offsets: ArrayLike = 0.0) -> Booleans:
        """Return which points lie outside the limits."""
        return _are_outside(counts, totals, self.limits(totals, offsets))

    def usual(self, counts: ArrayLike, totals: ArrayLike, offsets: ArrayLike = 0.0) -> Booleans:
        """Return which points count for what is usual: a bad one that stays in widens the limits that are to show it."""
        return ~_are_outside(counts, totals, self._at(totals, _BEYOND, offsets))

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


def control_chart(counts: ArrayLike, totals: ArrayLike, rhythm: Rhythm | None = None) -> ControlChart | None:
    """Return what is usual for a rate, from points in the order of time; None where they are fewer than eight.

    It starts from the median rate and the median distance of neighbouring standardised points, or of points a seventh of the line apart
    if that is more: where a rate drifts slowly, neighbours are alike, and points farther apart differ by more than the moving
    range sees. What lies outside is left out, and the centre and the mean of these distances are taken of the others, until nothing
    changes.

    Parameters
    ----------
    counts, totals : array_like of float
        Of each point: how many of how many. Points without messages are left out.
    rhythm : Rhythm, optional
        How far each point usually is from the centre: points are compared with what is usual at their time.

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
    offsets = np.zeros(len(n)) if rhythm is None else rhythm.offsets
    points = _Points(k[some], n[some], offsets[some], 0.0 if rhythm is None else rhythm.parameters)
    chart = _started(points)
    for _ in range(_ROUNDS):
        again = _taken(points, chart.usual(points.k, points.n, points.offsets))
        settled = np.array_equal(again.in_control, chart.in_control)
        chart = again
        if settled:
            break
    within = np.zeros(len(some), dtype=bool)
    within[some] = chart.in_control
    return ControlChart(chart.centre, chart.variance, chart.spread, chart.degrees, within)


@dataclass(frozen=True)
class _Points:
    k: Figures
    n: Figures
    offsets: Figures
    parameters: float

    def taken(self, chosen: Booleans) -> _Points:
        return _Points(self.k[chosen], self.n[chosen], self.offsets[chosen], self.parameters)

    def standardised(self, centre: float, variance: float) -> Figures:
        """Return by how many standard errors of chance each point is away from the centre and its rhythm."""
        if not self.offsets.any():
            return np.asarray((self.k / self.n - centre) / np.sqrt(variance / self.n))
        plain = float(np.clip(centre, variance / 2, 1 - variance / 2))
        usual, own = _moved(plain, variance, self.offsets)
        return np.asarray((self.k / self.n - usual) / np.sqrt(own / self.n))

    def centre(self) -> float:
        """Return the rate that has as many in all, with each point moved by its rhythm."""
        centre = float(self.k.sum() / self.n.sum())
        if not self.offsets.any() or not 0 < centre < 1:
            return centre
        low, high = 0.0, 1.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            expected = float((self.n * _moved(middle, 1.0, self.offsets)[0]).sum())
            low, high = (middle, high) if expected < self.k.sum() else (low, middle)
        return (low + high) / 2

    @property
    def lost(self) -> float:
        """How much smaller the points' deviations are because their rhythm was fitted to them."""
        return float(np.sqrt(len(self.n) / max(len(self.n) - self.parameters, len(self.n) / 2)))

    @property
    def degrees(self) -> float:
        """Degrees of freedom of a mean distance of neighbours."""
        return max(_EFFICIENCY * (len(self.n) - 1 - self.parameters), 2.0)


def _moved(centre: float, variance: float, offsets: ArrayLike) -> tuple[Figures, Figures]:
    """Return the rates so far from the centre in log-odds, and the variances of a message there."""
    away = np.asarray(offsets, dtype=float)
    usual = np.asarray(centre / (centre + (1 - centre) * np.exp(-away)))
    return usual, np.asarray(variance * usual * (1 - usual) / (centre * (1 - centre)))


def _started(points: _Points) -> ControlChart:
    """Return the chart of the median rate and the median distances, every point taken for in control."""
    k, n = points.k, points.n
    with np.errstate(divide="ignore"):
        rates = 1 / (1 + (n / np.maximum(k, 1e-300) - 1) * np.exp(points.offsets)) if points.offsets.any() else k / n
    middle = float(np.median(rates))
    chosen = np.ones(len(n), dtype=bool)
    if middle * (1 - middle) * np.median(n) < _FEW_EXPECTED:
        # The median of shares of few messages is 0 or 1 where the rate is neither: the middle half of the points together.
        order = np.argsort(rates, kind="stable")
        quarter = len(order) // 4
        half = order[quarter : len(order) - quarter]
        middle = float(k[half].sum() / n[half].sum())
    variance = _variance(middle * n.sum(), n.sum())
    away = points.standardised(middle, variance)
    spread = max(float(np.median(_ranges(away, lag))) for lag in (1, _far(len(away)))) / _MEDIAN_RANGE
    return ControlChart(middle, variance, max(1.0, points.lost * spread), points.degrees, chosen)


def _far(points: int) -> int:
    """Return how many points apart those are whose distance sees a slow drift: a seventh of the line."""
    return max(1, points // _PARTS)


def _ranges(away: Figures, lag: int) -> Figures:
    return np.asarray(np.abs(away[lag:] - away[:-lag]), dtype=float)


def _taken(points: _Points, chosen: Booleans) -> ControlChart:
    """Return the chart of the weighted mean and the mean distance of neighbours, or of points farther apart, of those `chosen`."""
    if chosen.sum() < LEAST_POINTS / 2:
        chosen = np.ones(len(points.n), dtype=bool)
    points = points.taken(chosen)
    centre = points.centre()
    variance = _variance(centre * points.n.sum(), points.n.sum())
    away = points.standardised(centre, variance)
    near = float(_ranges(away, 1).mean()) / _MEAN_RANGE
    lag = _far(len(away))
    far = max(near, float(_ranges(away, lag).mean()) / _MEAN_RANGE)
    degrees = points.degrees
    if far > near:
        # Neighbours tell the one part of the variance; of what comes on top the line holds a few repetitions only.
        degrees = far**4 / (near**4 / degrees + (far**2 - near**2) ** 2 / (2 * len(away) / lag))
    return ControlChart(centre, variance, max(1.0, points.lost * far), degrees, chosen)


def _variance(count: float, total: float) -> float:
    share = (count + 0.5) / (total + 1)
    return float(share * (1 - share))
