"""What `anomalies` judges: cells (a carrier, a carrier in a province) by stretches of time, and which of them explain the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.analysis.grouped_count import Counts, group_rows
from masanalytics.stats.alarms import BACK_WITHIN, Line, alarms, beside, line_of
from masanalytics.stats.rhythm import Rhythm, rhythm_of
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cells", "Finding", "Measure", "Rules", "findings"]

DAY_S: Final = 86_400
_BAND_S = 6 * 3600
_MOST_CODES = 6
_CODE_SHARE = 0.001
_MUCH_WORSE = 2.0
_MOSTLY = 0.8


@dataclass(frozen=True)
class Rules:
    """How cells are judged: the age, the width of a stretch, the fewest messages, points in a row, the level."""

    age: int
    width: int
    least: int
    runs: int
    level: float


@dataclass(frozen=True)
class Measure:
    """A share that is judged.

    Attributes
    ----------
    name : {"delivered", "reported", "slow", "code"}
        What it is.
    worse : {-1, 1}
        Whether a fall or a rise is for the worse.
    code : str, optional
        The error code whose share it is.
    """

    name: str
    worse: int
    code: str | None = None


@dataclass(frozen=True)
class Finding:
    """A stretch of time in which a measure of a cell is unusual.

    Attributes
    ----------
    cell : tuple of (str, object)
        The dimensions and values that narrow it; empty for all messages.
    measure : Measure
        What is unusual.
    first, last : int
        The first and last stretch.
    going_on : bool
        Whether the last stretch is the latest that the cell has.
    count, total : float
        Of how many messages how many.
    centre, spread : float
        What is usual (see `stats.alarms`), at the farthest point.
    points : int
        How many stretches with messages enough.
    score, p_value : float
        How far out, in standard errors, and how likely by chance, before the number of tests is counted.
    threshold_s : float
        Slower than this is slow; NaN for other measures.
    """

    cell: tuple[tuple[str, Any], ...]
    measure: Measure
    first: int
    last: int
    going_on: bool
    count: float
    total: float
    centre: float
    spread: float
    points: int
    score: float
    p_value: float
    threshold_s: float


@dataclass(frozen=True)
class Cells:
    """Counted messages, to be cut into cells and stretches of time.

    Attributes
    ----------
    counts : Counts
        Accepted messages observed for the age, by the dimensions and the error code.
    bucket : array of int
        The stretch of each row, from 0.
    start : int
        Epoch second of the first stretch.
    rules : Rules
        How they are judged.
    """

    counts: Counts
    bucket: Numbers
    start: int
    rules: Rules

    @cached_property
    def buckets(self) -> int:
        """How many stretches there are."""
        return int(self.bucket.max(initial=-1)) + 1

    @cached_property
    def reported(self) -> Booleans:
        """Which rows had their report by the age."""
        pending = self.counts.status == Status.pending
        return np.asarray(~pending & ~(self.counts.seconds > self.rules.age), dtype=bool)

    @cached_property
    def delivered(self) -> Booleans:
        """Which rows were delivered by the age."""
        return np.asarray(self.reported & (self.counts.status == Status.delivered), dtype=bool)

    @cached_property
    def codes(self) -> pd.Series:
        """The error code of each row that failed by the age."""
        failed = self.reported & (self.counts.status == Status.failed)
        return self.counts.keys["error_code"].where(failed)

    @cached_property
    def _numbers_of_codes(self) -> tuple[Numbers, dict[str, int]]:
        """The number of each row's code (-1 for none), and of each code: compared again and again, numbers are quicker."""
        import pandas as pd

        numbers, distinct = pd.factorize(self.codes, use_na_sentinel=True)
        return numbers.astype(np.int64), {str(code): number for number, code in enumerate(distinct)}

    @cached_property
    def measures(self) -> list[Measure]:
        """What is judged: three shares, and those of the most frequent error codes."""
        common = [Measure("delivered", -1), Measure("reported", -1)]
        common += [Measure("slow", 1)] if not self.counts.has_minutes_only() else []
        if "error_code" not in self.counts.keys.columns:
            return common
        frequent = self.codes.to_frame("code").assign(n=self.counts.n).groupby("code")["n"].sum()
        frequent = frequent[frequent >= _CODE_SHARE * self.counts.n.sum()].sort_values(ascending=False)
        return [*common, *(Measure("code", 1, str(code)) for code in frequent.index[:_MOST_CODES])]

    def subjects(self, names: Sequence[str]) -> list[tuple[tuple[tuple[str, Any], ...], Booleans]]:
        """Return all messages, every value of each dimension and of each two, that have messages enough, with their rows."""
        found: list[tuple[tuple[tuple[str, Any], ...], Booleans]] = [((), np.ones(len(self.counts.n), dtype=bool))]
        for several in (1, 2):
            for chosen in combinations(names, several):
                group, groups = group_rows(self.counts.keys[list(chosen)])
                total = np.bincount(group, weights=self.counts.n, minlength=len(groups))
                for place in np.flatnonzero(total >= self.rules.least):
                    values = groups.iloc[int(place)].tolist()
                    found.append((tuple(zip(chosen, values, strict=True)), group == place))
        return found

    def rows_of(self, cell: Sequence[tuple[str, Any]]) -> Booleans:
        """Return which rows are of a cell."""
        import pandas as pd

        rows = np.ones(len(self.counts.n), dtype=bool)
        for name, value in cell:
            column = self.counts.keys[name]
            is_missing = bool(column.isna().any()) and (value is None or value is pd.NA or value != value)
            rows &= (column.isna() if is_missing else column == value).to_numpy(dtype=bool, na_value=False)
        return rows

    def mostly_in(
        self, finding: Finding, inside: Booleans, names: Sequence[str]
    ) -> tuple[tuple[tuple[str, Any], ...], float] | None:
        """Return the smallest part of a finding's cell that has most of its code's messages `inside` its time, and their share."""
        rows = self.rows_of(finding.cell) & inside
        failed = rows & (self.codes == finding.measure.code).to_numpy(dtype=bool, na_value=False)
        others, parts = [name for name in names if name not in dict(finding.cell)], []
        for chosen in (one for several in range(1, len(others) + 1) for one in combinations(others, several)):
            group, groups = group_rows(self.counts.keys[list(chosen)])
            hit, sent = (np.bincount(group, self.counts.n * part, minlength=len(groups)) for part in (failed, rows))
            most = int(np.argmax(hit))
            if hit[most] >= _MOSTLY * hit.sum() and sent[most] < _MOSTLY * sent.sum():
                cell = tuple(zip(chosen, groups.iloc[most].tolist(), strict=True))
                parts.append((float(sent[most]), cell, float(hit[most] / hit.sum())))
        return min(parts, key=lambda part: part[0])[1:] if parts else None

    def threshold(self, rows: Booleans) -> float:
        """Return the latency that nine in ten delivered messages of these rows had at most."""
        chosen = rows & self.delivered & ~np.isnan(self.counts.seconds)
        seconds, n = self.counts.seconds[chosen], self.counts.n[chosen]
        if not len(n):
            return float("nan")
        order = np.argsort(seconds, kind="stable")
        return float(seconds[order][np.searchsorted(np.cumsum(n[order]), 0.9 * n.sum())])

    def points(self, rows: Booleans, measure: Measure, slow_s: float) -> tuple[Figures, Figures]:
        """Return of each stretch how many of how many; nothing of stretches with fewer messages than asked for."""
        return self._with_enough(*self._points(rows, measure, slow_s))

    def _with_enough(self, counts: Figures, totals: Figures) -> tuple[Figures, Figures]:
        enough = totals >= self.rules.least
        return np.where(enough, counts, 0.0), np.where(enough, totals, 0.0)

    def _all_points(self, measure: Measure, slow_s: float) -> tuple[Figures, Figures]:
        """Return the points of all messages; those beside a cell are these less its own."""
        key = measure, None if np.isnan(slow_s) else slow_s
        if key not in self._known_points:
            self._known_points[key] = self._points(np.ones(len(self.counts.n), dtype=bool), measure, slow_s)
        return self._known_points[key]

    @cached_property
    def _known_points(self) -> dict[tuple[Measure, float | None], tuple[Figures, Figures]]:
        return {}

    def _points(self, rows: Booleans, measure: Measure, slow_s: float) -> tuple[Figures, Figures]:
        base = np.flatnonzero(rows & self.delivered if measure.name == "slow" else rows)
        if measure.name == "slow":
            happened = self.counts.seconds > slow_s
        elif measure.name == "code":
            numbers, number_of = self._numbers_of_codes
            happened = np.equal(numbers, number_of.get(str(measure.code), -2))
        else:
            happened = self.delivered if measure.name == "delivered" else self.reported
        totals, counts = (
            np.bincount(self.bucket[chosen], weights=self.counts.n[chosen], minlength=self.buckets).astype(float)
            for chosen in (base, base[happened[base]])
        )
        return counts, totals

    def judged(self, rows: Booleans, measure: Measure, slow_s: float) -> tuple[Figures, Figures, Line | None]:
        """Return the points of these rows, and the line that judges them."""
        own, every = self._points(rows, measure, slow_s), self._all_points(measure, slow_s)
        counts, totals = self._with_enough(*own)
        at = self.start + 8 * 3600 + np.arange(self.buckets) * self.rules.width
        band, day = (at % DAY_S) // _BAND_S if self.rules.width < DAY_S else None, at // DAY_S
        # A small cell has the rhythm of all messages until its own departs from that.
        whole = self._rhythm_of_all(measure, slow_s, at)
        rhythm = rhythm_of(counts, totals, at, self.rules.width, given=whole)
        others = beside(every[0] - own[0], every[1] - own[1], day, self.rules.least, whole)
        line = line_of(counts, totals, worse=measure.worse, band=band, day=day, others=others, rhythm=rhythm)
        return counts, totals, line

    def _rhythm_of_all(self, measure: Measure, slow_s: float, at: Numbers) -> Rhythm:
        known = self._rhythms
        key = measure, None if np.isnan(slow_s) else slow_s
        if key not in known:
            known[key] = rhythm_of(*self._with_enough(*self._all_points(measure, slow_s)), at, self.rules.width)
        return known[key]

    @cached_property
    def _rhythms(self) -> dict[tuple[Measure, float | None], Rhythm]:
        """The rhythm of all messages by what is judged: the same for every cell."""
        return {}

    def knows_weeks(self) -> bool:
        """Return whether there are weeks enough to tell a rhythm of all messages, or no weekends to need one."""
        at = self.start + 8 * 3600 + np.arange(self.buckets) * self.rules.width
        totals = self.points(np.ones(len(self.counts.n), dtype=bool), Measure("delivered", -1), float("nan"))[1]
        return rhythm_of(totals / 2, totals, at, self.rules.width).weeks_known


@dataclass(frozen=True)
class _Candidate:
    cell: tuple[tuple[str, Any], ...]
    rows: Booleans
    measure: Measure
    slow_s: float
    counts: Figures
    totals: Figures
    line: Line


def findings(cells: Cells, names: Sequence[str]) -> tuple[list[Finding], list[tuple[Any, ...]], int]:
    """Return what is unusual, by cell; what each cell's latest stretch looks like; and how many points were judged.

    Returns
    -------
    list of Finding
        The smallest cells that explain the rest, the farthest out first.
    list of (cell, latest place, centre, spread, messages, degrees)
        Of the delivered share of each judged cell, to say what would have been seen.
    int
        The number of tests.
    """
    candidates = _candidates(cells, names)
    tests = cells.rules.runs * sum(int((~np.isnan(one.line.scores)).sum()) for one in candidates)
    found: list[tuple[Finding, _Candidate]] = []
    for candidate in candidates:
        for first, last, p_value in alarms(candidate.line, tests=tests, level=cells.rules.level, runs=cells.rules.runs):
            found.append((_finding(candidate, first, last, p_value), candidate))
    latest = [_latest(one) for one in candidates if one.measure.name == "delivered"]
    return _explained(cells, found), latest, tests


def _candidates(cells: Cells, names: Sequence[str]) -> list[_Candidate]:
    made = []
    for cell, rows in cells.subjects(names):
        slow_s = cells.threshold(rows)
        for measure in cells.measures:
            if measure.name == "code" and len(cell) > 1:
                continue
            counts, totals, line = cells.judged(rows, measure, slow_s)
            if line is not None:
                made.append(_Candidate(cell, rows, measure, slow_s, counts, totals, line))
    return made


def _finding(candidate: _Candidate, first: int, last: int, p_value: float) -> Finding:
    inside = slice(first, last + 1)
    scores = candidate.line.scores[inside]
    far = first + int(np.nanargmax(scores))
    return Finding(
        cell=candidate.cell, measure=candidate.measure, first=first, last=last,
        going_on=bool(last == np.flatnonzero(~np.isnan(candidate.line.scores))[-1]),
        count=float(candidate.counts[inside].sum()), total=float(candidate.totals[inside].sum()),
        centre=float(candidate.line.centre[far]), spread=float(candidate.line.spread[far]),
        points=int((candidate.totals[inside] > 0).sum()), score=float(np.nanmax(scores)), p_value=p_value,
        threshold_s=candidate.slow_s if candidate.measure.name == "slow" else float("nan"),
    )  # fmt: skip


def _latest(candidate: _Candidate) -> tuple[Any, ...]:
    line = candidate.line
    place = int(np.flatnonzero(~np.isnan(line.scores))[-1])
    return candidate.cell, place, line.centre[place], line.spread[place], candidate.totals[place], line.degrees[place]


def _explained(cells: Cells, found: list[tuple[Finding, _Candidate]]) -> list[Finding]:
    """Return the findings that no other explains: the farthest out first, then what is still unusual without its messages.

    A cell that lost much is farther out than all of which it is a part, and than its own parts. What is left of another cell
    without its messages (and of another measure, in the same stretch) is judged anew, and drops out where it is as usual.
    """
    kept: list[tuple[Finding, _Candidate]] = []
    # A code, a delay or a missing report is what a fall of the delivered share comes from: the fall is said first.
    order = sorted(found, key=lambda pair: (pair[0].measure.name != "delivered", -pair[0].score))
    for finding, candidate in order:
        inside = (cells.bucket >= finding.first) & (cells.bucket <= finding.last)
        explained = np.zeros(len(cells.bucket), dtype=bool)
        for other, its in kept:
            same = other.measure.name == finding.measure.name == "code" and other.measure.code != finding.measure.code
            if not same:
                explained |= its.rows & (cells.bucket >= other.first) & (cells.bucket <= other.last)
        left = candidate.rows & inside & ~explained
        if not (explained & candidate.rows & inside).any() or _still_out(cells, candidate, left):
            kept.append((finding, candidate))
    return _without_parts([finding for finding, _candidate in kept])


def _without_parts(found: list[Finding]) -> list[Finding]:
    """Return the findings without parts of a cell that fared no worse than all of it, in the same time and measure."""

    def is_said(part: Finding, whole: Finding) -> bool:
        inside = set(whole.cell) < set(part.cell) and part.first <= whole.last and whole.first <= part.last
        return inside and part.measure == whole.measure and _gap(part) < _MUCH_WORSE * _gap(whole)

    return [part for part in found if not any(is_said(part, whole) for whole in found)]


def _gap(finding: Finding) -> float:
    return finding.measure.worse * (finding.count / finding.total - finding.centre)


def _still_out(cells: Cells, candidate: _Candidate, rows: Booleans) -> bool:
    """Return whether these rows of a cell are far from what is usual for it: as one point."""
    counts, totals = cells.points(rows, candidate.measure, candidate.slow_s)
    there = totals > 0
    if not there.any():
        return False
    usual, n = candidate.line.centre[there], totals[there]
    variance = n * usual * (1 - usual)
    gap = candidate.measure.worse * (counts[there] - n * usual)
    error = variance + (candidate.line.spread[there] * variance) ** 2
    return float(gap.sum()) > 2 * BACK_WITHIN * float(np.sqrt(error.sum()))
