"""Which points of a rate are unusual for the worse, with few false alarms over many points and many lines.

Each line (a carrier, say) is judged by itself, each band of the day by itself where there are points enough. A point's score is
its distance from the usual rate of its weekday and hour in standard errors: chance, and how much points differ anyway. What a day does to all is no doubt about
one line: as far as the line has gone with all others before, its usual rate moves with theirs. An alarm is a point, or a few in
a row taken together, whose score is beyond what all points of all lines reach by chance.

Sources: D. B. Laney (2002), see `masanalytics.stats.control_chart` (the usual rate); P. McCullagh and J. A. Nelder (1989),
Generalized Linear Models, sections 2.4 and 4.5 (deviance; what differs beyond chance, on the scale of log-odds); P. J. Huber
(1981), Robust Statistics, chapter 5 (a scale that a few bad points do not widen); C. E. Bonferroni (1936); S. A. Stouffer et
al. (1949) (scores in a row: their sum over the root of their number).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.stats.control_chart import LEAST_POINTS, control_chart
from masanalytics.stats.proportions import student_p_value, student_quantile
from masanalytics.stats.rhythm import Rhythm

__all__ = ["BACK_WITHIN", "Line", "alarms", "beside", "line_of", "tail_probability", "threshold", "usual_range"]

BACK_WITHIN: Final = 2.0
"""So many standard errors from the centre an alarm is over: it begins far out and does not flicker."""

_MAD = 1.4826  # the standard deviation of a normal distribution whose median distance from its median is one
_TRIM, _TRIMMED = 3.0, 0.9866  # a normal distribution cut at three standard deviations has this standard deviation
_FAR = 5.0  # standard deviations beyond which a day of all others is no longer expected of a line
_EFFICIENCY = 0.85
_LEAST_IN_BAND = 2 * LEAST_POINTS
_BISECTIONS = 22  # of 8, to two millionths
_MOST_SPREAD = 8.0
_HALVINGS = 30  # of 1, to a billionth


@dataclass(frozen=True)
class Line:
    """The points of one line, judged.

    Attributes
    ----------
    centre : array of float
        Of each point: the usual rate.
    spread : array of float
        How much points differ without a cause: a standard deviation of log-odds.
    scores : array of float
        Standard errors from the centre; positive is worse. NaN where nobody can say.
    degrees : array of float
        Degrees of freedom of `spread`: of as many units (days) as the points are worth.
    """

    centre: Figures
    spread: Figures
    scores: Figures
    degrees: Figures


def line_of(
    counts: Figures,
    totals: Figures,
    *,
    worse: int,
    band: Numbers | None = None,
    day: Numbers | None = None,
    others: Figures | None = None,
    rhythm: Rhythm | None = None,
) -> Line | None:
    """Return the points of a line, judged by the line itself; None where it has fewer than eight.

    Parameters
    ----------
    counts, totals : array of float
        Of each point, in the order of time: how many of how many. Points without messages are not judged.
    worse : {-1, 1}
        Whether a fall or a rise of the rate is for the worse.
    band : array of int, optional
        The part of the day of each point. A band of sixteen points and more has a centre of its own.
    day : array of int, optional
        The day of each point: points of one day rise and fall together.
    others : array of float, optional
        How far all other messages were from their usual rate on the day of each point (`beside`).
    rhythm : Rhythm, optional
        How far each point usually is from the others by its weekday and hour.

    Examples
    --------
    >>> line = line_of(np.array([950.0, 940, 955, 945, 800, 952, 948, 944, 951]), np.full(9, 1000.0), worse=-1)
    >>> int(np.argmax(line.scores)), bool(line.scores.max() > 10)
    (4, True)
    """
    size = len(totals)
    if (totals > 0).sum() < LEAST_POINTS:
        return None
    parts = np.zeros(size, dtype=np.int64) if band is None else band
    days = np.arange(size) if day is None else day
    centre, spread, scores, degrees = (np.full(size, np.nan) for _ in range(4))
    own = [part for part in np.unique(parts) if ((parts == part) & (totals > 0)).sum() >= _LEAST_IN_BAND]
    groups = [parts == part for part in own] if len(own) > 1 else []
    rest = ~np.any(groups, axis=0) if groups else np.ones(size, dtype=bool)
    for chosen in (*groups, rest):
        judged = chosen & (totals > 0)
        own_rhythm = None if rhythm is None else rhythm.taken(judged)
        chart = control_chart(counts[judged], totals[judged], own_rhythm)
        if chart is None:
            continue
        usual = chart.expected(np.zeros(int(judged.sum())) if own_rhythm is None else own_rhythm.offsets)
        by_chance, away = _deviations(counts[judged], totals[judged], usual)
        if others is not None:
            moved = _slope(away, others[judged], days[judged]) * others[judged]
            moved += np.median(away - moved)
            usual = 1 / (1 + (1 / usual - 1) * np.exp(-moved))
            by_chance, away = _deviations(counts[judged], totals[judged], usual)
        width = _spread(*_deviations(counts[judged], totals[judged], usual, by=0.0))
        found = _scores(by_chance, away, width)
        centre[judged], spread[judged], scores[judged] = usual, width, worse * found
        learned = 1.0 if own_rhythm is None else 1.0 + own_rhythm.parameters
        degrees[judged] = max(_EFFICIENCY * (_independent(found, days[judged]) - learned), 1.0)
    return None if np.isnan(scores).all() else Line(centre, spread, scores, degrees)


def beside(
    counts: Figures, totals: Figures, day: Numbers, least: float, rhythm: Rhythm | None = None
) -> Figures | None:
    """Return how far these messages were from their usual rate on the day of each point, in log-odds; None of fewer than eight days.

    What the `rhythm` expects of a day is taken off. Days of fewer than `least` messages are as usual; and a day farther out than five standard deviations is taken to be no
    farther, so that what befalls some is not expected of all.

    Examples
    --------
    >>> k, n = np.array([950.0, 940, 960, 950, 945, 955, 950, 500]), np.full(8, 1000.0)
    >>> beside(k, n, np.arange(8), 200).round(2).tolist()
    [0.0, -0.19, 0.23, 0.0, -0.1, 0.11, 0.0, -0.78]
    """
    _distinct, place = np.unique(day, return_inverse=True)
    k, n = (np.bincount(place, weights=values) for values in (counts, totals))
    some = n >= least
    if some.sum() < LEAST_POINTS:
        return None
    odds = np.log((k + 0.5) / (n - k + 0.5))
    if rhythm is not None:
        odds -= np.bincount(place, weights=totals * rhythm.offsets) / np.maximum(n, 1)
    away = odds - np.median(odds[some])
    most = _FAR * _MAD * float(np.median(np.abs(away[some])))
    return np.asarray(np.where(some, np.clip(away, -most, most), 0.0)[place], dtype=float)


def _slope(away: Figures, others: Figures, day: Numbers) -> float:
    """Return how far the points of a day go with those of all others: 0 not at all, 1 as far; far days count as three deviations."""
    _distinct, place = np.unique(day, return_inverse=True)
    size = np.bincount(place)
    own, their = (np.bincount(place, weights=values) / size for values in (away, others))
    most = _TRIM * _MAD * float(np.median(np.abs(own - np.median(own))))
    own = np.clip(own - np.median(own), -most, most)
    squares = float(their @ their)
    return float(np.clip(own @ their / squares, 0.0, 1.0)) if squares > 0 else 0.0


def _deviations(counts: Figures, totals: Figures, usual: Figures, *, by: float = 0.5) -> tuple[Figures, Figures]:
    """Return each point's signed root of the deviance, and its distance from `usual` in log-odds, half a message nearer.

    Nearer is what a point is tested by (the correction for continuity); how much points differ is seen from them as they are.
    """
    away = counts - totals * usual
    nearer = usual + np.sign(away) * np.maximum(np.abs(away) - by, 0) / totals
    rate = np.clip(nearer, 0.25 / totals, 1 - 0.25 / totals)
    deviance = rate * np.log(rate / usual) + (1 - rate) * np.log((1 - rate) / (1 - usual))
    root = np.sign(away) * np.sqrt(2 * totals * np.maximum(deviance, 0))
    odds = np.log(rate / (1 - rate)) - np.log(usual / (1 - usual))
    return root, np.where(root == 0, 0.0, odds)


def _scores(by_chance: Figures, away: Figures, spread: float) -> Figures:
    """Return the scores: by chance alone the root of the deviance; of very many messages the log-odds over `spread`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt((away / by_chance) ** 2 + spread**2)
        return np.where(by_chance == 0, 0.0, away / error)


def _scale(scores: Figures) -> float:
    """Return the standard deviation of the scores around 0, those far out left out."""
    rough = _MAD * float(np.median(np.abs(scores)))
    kept = np.abs(scores) <= _TRIM * max(rough, 0.5)
    return float(np.sqrt(np.mean(scores[kept] ** 2))) / _TRIMMED if kept.any() else rough


def _spread(by_chance: Figures, away: Figures) -> float:
    """Return how much points differ beyond chance: with it, the scores have the scale 1."""
    if _scale(by_chance) <= 1:
        return 0.0
    low, high = 0.0, _MOST_SPREAD
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _scale(_scores(by_chance, away, middle)) > 1 else (low, middle)
    return high


def _independent(scores: Figures, days: Numbers) -> float:
    """Return of how many independent points the scores tell as much: fewer where those of a day go together."""
    _distinct, place = np.unique(days, return_inverse=True)
    kept = np.clip(scores, -_TRIM, _TRIM)
    size = np.bincount(place).astype(float)
    sums = np.bincount(place, weights=kept - kept.mean())
    effect = float((sums**2).sum()) / max(float(((kept - kept.mean()) ** 2).sum()), 1e-12)
    return len(scores) / max(1.0, effect) if len(size) < len(scores) else float(len(scores))


def usual_range(centre: float, spread: float, total: float, errors: float) -> tuple[float, float]:
    """Return between which rates a point of so many messages lies whose score is `errors` standard errors at most, either way.

    Examples
    --------
    >>> [round(end, 3) for end in usual_range(0.95, 0.0, 1000, 2)], [round(end, 3) for end in usual_range(0.95, 0.2, 1e9, 2)]
    ([0.935, 0.964], [0.927, 0.966])
    """
    usual, of = np.full(2, centre), np.full(2, total)
    inside, outside = usual.copy(), np.array([0.0, 1.0])
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        is_inside = np.abs(_scores(*_deviations(middle * of, of, usual), spread)) <= errors
        inside, outside = np.where(is_inside, middle, inside), np.where(is_inside, outside, middle)
    return float(inside[0]), float(inside[1])


def threshold(degrees: float, tests: int, level: float) -> float:
    """Return the score beyond which one of so many `tests` lies by chance with probability `level`.

    Examples
    --------
    >>> round(threshold(float("inf"), 1000, 0.05), 2)
    3.89
    """
    return student_quantile(1 - level / max(tests, 1), degrees)


def tail_probability(score: float, degrees: float) -> float:
    """Return how likely a score this far out or farther is by chance.

    Examples
    --------
    >>> round(tail_probability(1.6449, float("inf")), 3)
    0.05
    """
    return student_p_value(score, degrees) / 2 if score > 0 else 1 - student_p_value(-score, degrees) / 2


def alarms(line: Line, *, tests: int, level: float, runs: int) -> list[tuple[int, int, float]]:
    """Return the stretches of a line that are unusual: first and last point, and the probability of the farthest score.

    Parameters
    ----------
    line : Line
        The points, judged.
    tests : int
        How many points and rows of points are judged in all, in this line and all others.
    level : float
        The probability of an alarm anywhere among them where nothing is unusual.
    runs : int
        How many points in a row are also taken together, at most.

    Examples
    --------
    >>> line = line_of(np.array([950.0, 940, 955, 945, 800, 952, 948, 944, 951]), np.full(9, 1000.0), worse=-1)
    >>> [(first, last) for first, last, _p in alarms(line, tests=9, level=0.05, runs=1)]
    [(4, 4)]
    """
    judged = np.flatnonzero(~np.isnan(line.scores))
    scores, degrees = line.scores[judged], line.degrees[judged]
    limits = {float(one): threshold(float(one), tests, level) for one in np.unique(degrees)}
    limit = np.array([limits[float(one)] for one in degrees])
    out = np.zeros(len(scores), dtype=bool)
    strongest = np.full(len(scores), -np.inf)
    for length in range(1, min(runs, len(scores)) + 1):
        together = np.convolve(scores, np.ones(length), "valid") / np.sqrt(length)
        # Neighbours that rise and fall together differ more as a row.
        together /= max(1.0, _scale(together))
        # A row is unusual as a row only if each of its points is away from what is usual.
        least = np.min(np.lib.stride_tricks.sliding_window_view(scores, length), axis=1)
        for start in np.flatnonzero((together >= limit[length - 1 :]) & (least > BACK_WITHIN)):
            row = slice(start, start + length)
            out[row] = True
            strongest[row] = np.maximum(strongest[row], together[start])
    found = []
    for first, last in _stretches(out, scores > BACK_WITHIN):
        best = first + int(np.argmax(strongest[first : last + 1]))
        found.append((int(judged[first]), int(judged[last]), tail_probability(strongest[best], degrees[best])))
    return found


def _stretches(out: Booleans, still: Booleans) -> list[tuple[int, int]]:
    """Return the stretches of points that are `out`, each carried on to both sides while points are `still` away."""
    reached = out.copy()
    for place in range(1, len(out)):
        reached[place] |= reached[place - 1] and still[place]
    for place in range(len(out) - 2, -1, -1):
        reached[place] |= reached[place + 1] and still[place]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], reached, [False]]).astype(np.int8)))
    return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]
