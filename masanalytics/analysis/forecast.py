"""Where a rate will end: what was observed, carried on by history where that is not enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from masanalytics.analysis.grouped_count import Counts
from masanalytics.analysis.history import AGES, History, Norm
from masanalytics.formatting import duration_text
from masanalytics.i18n import N_, Text
from masanalytics.stats.competing_risks import (
    LEAST_WATCHED,
    Curves,
    cumulative_incidence,
    ends,
    share_by,
    watched_until,
)
from masanalytics.stats.proportions import effective_wilson, student_quantile, wilson
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REASONS", "Expectation", "expected_ends"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

REASONS: Final = {
    "nothing": N_("no message was accepted"),
    "no_history": N_(
        "messages are still open, hardly any was observed for 72 h, and there is no matured history to carry them on"
    ),
    "thin_history": N_(
        "messages are still open, and the matured history has fewer than 3 days with 20 messages: how much days differ is"
        " unknown"
    ),
    "too_early": N_("half of the messages have been observed for less than 30 s"),
    "misfit": N_("today's reports do not develop as in the history"),
}
"""Why a row has no forecast."""

_ENOUGH_COUNTED = 5
_DOUBTFUL = 3.0


@dataclass(frozen=True)
class Expectation:
    """The expected end of each group's rate.

    Attributes
    ----------
    rate, low, high, horizon_s : array of float
        The columns of the result.
    reason : list of str or None
        Why a rate is NaN: a key of `REASONS`.
    notes : list of Text
        What to mind.
    """

    rate: Floats
    low: Floats
    high: Floats
    horizon_s: Floats
    reason: list[str | None]
    notes: list[Text] = field(default_factory=list)

    def columns(self) -> dict[str, Floats]:
        """Return the columns of the result."""
        return {
            "expected_rate": self.rate,
            "expected_low": self.low,
            "expected_high": self.high,
            "horizon_s": self.horizon_s,
        }

    def reasons(self) -> dict[str, str]:
        """Return why a rate is NaN, by row."""
        return {str(row): why for row, why in enumerate(self.reason) if why is not None}

    def all_notes(self) -> list[Text]:
        """Return what to mind: where the history did not fit, and why rates are missing."""
        missing = [
            Text(
                "no forecast for {count:,} row: {reason}",
                "no forecast for {count:,} rows: {reason}",
                code=reason,
                count=self.reason.count(reason),
                reason=Text(words),
            )
            for reason, words in REASONS.items()
            if reason in self.reason and reason not in ("nothing", "misfit")
        ]
        return [*self.notes, *missing]

    def followed_by(self, other: Expectation) -> Expectation:
        """Return these groups and then those of `other`."""
        return Expectation(
            np.concatenate([self.rate, other.rate]),
            np.concatenate([self.low, other.low]),
            np.concatenate([self.high, other.high]),
            np.concatenate([self.horizon_s, other.horizon_s]),
            [*self.reason, *other.reason],
            self.notes + [item for item in other.notes if item not in self.notes],
        )


@dataclass(frozen=True)
class _Rows:
    """The counted rows of accepted messages, as far as coverage reaches, and what is known of their groups.

    Attributes
    ----------
    group, status, seconds, n : array
        As `cumulative_incidence` takes them.
    young : array of bool
        Which rows have less than 72 h of coverage behind them.
    keys : DataFrame
        The dimensions of the rows.
    accepted, delivered : array of int
        By group, all reports that came.
    old, old_delivered : array of int
        By group, of the messages with 72 h of coverage behind them.
    """

    group: Ints
    status: Ints
    seconds: Floats
    n: Ints
    young: Bools
    keys: pd.DataFrame
    accepted: Ints
    delivered: Ints
    old: Ints
    old_delivered: Ints

    @classmethod
    def of(cls, counts: Counts) -> _Rows:
        """Take the accepted rows of `counts`."""
        taken, old, arrived = counts.accepted(), counts.matured(), counts.status == Status.delivered
        status, seconds = counts.observed()
        return cls(
            counts.group[taken], status[taken], seconds[taken], counts.n[taken], ~old[taken], counts.keys[taken],
            counts.tally(taken), counts.tally(arrived), counts.tally(taken & old), counts.tally(arrived & old),
        )  # fmt: skip

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.accepted)

    def has(self, rows: Bools) -> Bools:
        """Return which groups have messages among `rows`."""
        return np.bincount(self.group[rows], weights=self.n[rows], minlength=self.groups) > 0


def expected_ends(counts: Counts, history: Callable[[], History | None]) -> Expectation:
    """Estimate where each group's delivery rate will end; `history` is asked only if a group needs it.

    Where no message is open any more the rate is final. Otherwise messages with 72 h of coverage behind them are taken as
    they ended, and the younger ones are carried on by the history.
    """
    rows = _Rows.of(counts)
    some = rows.accepted > 0
    rate = np.where(some, rows.delivered / np.where(some, rows.accepted, 1), np.nan)
    low, high = wilson(rows.delivered, rows.accepted)
    still_open = counts.tally((counts.status == Status.pending) & ~counts.unreported()) > 0
    settled = some & ~still_open
    curves = cumulative_incidence(rows.group, rows.groups, rows.status, rows.seconds, rows.n)
    reason: list[str | None] = [None if there else "nothing" for there in some]
    rate, low, high = (np.where(settled, values, np.nan) for values in (rate, low, high))
    result = Expectation(rate, low, high, curves.last, reason)
    open_groups = np.flatnonzero(some & still_open)
    if len(open_groups):
        _carry_on(result, rows, curves, open_groups, history)
    return result


def _carry_on(
    result: Expectation, rows: _Rows, curves: Curves, open_groups: Ints, history: Callable[[], History | None]
) -> None:
    """Fill in the groups with messages that are still open."""
    past = history()
    if past is None or not past.thick:
        _by_themselves(result, rows, curves, open_groups, "no_history" if past is None else "thin_history")
        return
    young = rows.young
    today = cumulative_incidence(rows.group[young], rows.groups, rows.status[young], rows.seconds[young], rows.n[young])
    place = np.searchsorted(AGES, watched_until(today, 0.5)[open_groups], side="right") - 1
    _by_themselves(result, rows, curves, open_groups[place < 0], "too_early")
    old_enough = place >= 0
    if old_enough.any():
        _fill(result, rows, _today(rows, past, open_groups[old_enough], place[old_enough]), past)


def _by_themselves(result: Expectation, rows: _Rows, curves: Curves, open_groups: Ints, why: str) -> None:
    """Let groups tell their own end where enough of them was watched for 72 h; say `why` of the others.

    A curve that drops to nothing open because the one message left at risk was reported does not tell it.
    """
    pending = rows.status == Status.pending
    unreported = rows.has(pending & (rows.seconds >= UNREPORTED_AFTER_S))
    unwatched = rows.has(pending & np.isnan(rows.seconds))
    _, watched = share_by(curves, np.full(rows.groups, float(UNREPORTED_AFTER_S)), delivered=True)
    told = (unreported & ~unwatched & (watched >= LEAST_WATCHED))[open_groups]
    alone = ends(curves, np.full(rows.groups, np.inf), np.zeros(rows.groups))
    known = np.bincount(
        rows.group, weights=rows.n * (~pending | (rows.seconds >= UNREPORTED_AFTER_S)), minlength=rows.groups
    )
    low, high = effective_wilson(alone.expected, alone.variance, known)
    for column, values in ((result.rate, alone.expected), (result.low, low), (result.high, high)):
        column[open_groups[told]] = values[open_groups[told]]
    _because(result, open_groups[~told], why)


@dataclass(frozen=True)
class _Today:
    """The open groups, by stratum of the history, each read at its own age.

    Attributes
    ----------
    group : array of int
        Their rows in the result.
    place : array of int
        Their ages: places in `AGES`.
    curves : Curves
        One a group and stratum.
    size : array of float
        Messages, a row a group and a column a stratum.
    """

    group: Ints
    place: Ints
    curves: Curves
    size: Floats

    def each(self, values: Floats) -> Floats:
        """Repeat a value a group for each of its strata, flat."""
        return np.repeat(values, self.size.shape[1])

    def table(self, values: Floats) -> Floats:
        """Return a value a group and stratum as a matrix."""
        return values.reshape(self.size.shape)


def _today(rows: _Rows, past: History, groups: Ints, place: Ints) -> _Today:
    number = np.full(rows.groups, -1)
    number[groups] = np.arange(len(groups))
    inside = (number[rows.group] >= 0) & rows.young
    strata = past.size.shape[1]
    cell = number[rows.group[inside]] * strata + past.strata_of(rows.keys[inside])
    cells = len(groups) * strata
    curves = cumulative_incidence(cell, cells, rows.status[inside], rows.seconds[inside], rows.n[inside])
    size = np.bincount(cell, weights=rows.n[inside], minlength=cells).astype(float).reshape(-1, strata)
    return _Today(groups, place, curves, size)


def _fill(result: Expectation, rows: _Rows, today: _Today, past: History) -> None:
    """Write the carried-on rates and intervals of the open groups into the result."""
    ladders = {number: past.ladder(AGES[number]) for number in np.unique(today.place)}

    def of(name: str) -> Floats:
        return np.array([getattr(ladders[number], name) for number in today.place], dtype=float)

    found = ends(today.curves, today.each(AGES[today.place]), of("carried").ravel())
    young, old = today.size.sum(axis=1), rows.old[today.group]
    every = young + old
    old_rate = rows.old_delivered[today.group] / np.where(old > 0, old, 1)
    share = today.size / every[:, None]
    still_open = share * today.table(found.still_open)
    rate = (share * today.table(found.expected)).sum(axis=1) + old / every * old_rate
    # One delivered and one failed message more, as Agresti and Coull (1998) add: a handful of messages of which none
    # has failed yet does not mean that none will.
    unseen = (rate**2 + (1 - rate) ** 2) / (every * (every + 2))
    fits, doubt = _fits(result, today, past)
    between = still_open.sum(axis=1) ** 2 * of("between") * (1 + 1 / of("units"))
    variance = (
        (share**2 * today.table(found.variance)).sum(axis=1)
        + old * old_rate * (1 - old_rate) / every**2
        + (still_open**2 * of("sampling")).sum(axis=1)
        + ((share * doubt) ** 2).sum(axis=1)
        + between
        + unseen
    )
    low, high = effective_wilson(rate, variance, every, _quantiles(variance, between, of("units")))
    for column, values in ((result.rate, rate), (result.low, low), (result.high, high)):
        column[today.group[fits]] = values[fits]
    _because(result, today.group[~fits], "misfit")


def _quantiles(variance: Floats, between: Floats, units: Floats) -> Floats:
    """Return Student's quantiles: only the part between units is estimated from few of them (Satterthwaite)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(between > 0, (units - 1) * (variance / between) ** 2, np.inf)
    # A million groups have as many degrees of freedom; to three digits they have a few thousand.
    digits, place = np.unique(np.log10(np.maximum(freedom, 1)).round(3), return_inverse=True)
    return np.array([student_quantile(0.975, 10**digit) for digit in digits])[place]


def _fits(result: Expectation, today: _Today, past: History) -> tuple[Bools, Floats]:
    """Return for which groups today's early development looks like the history's, and by how much it may be off.

    Clearly otherwise: the history is not believed, and a note says where. Somewhat otherwise: what is seen to be missing (or
    too much) may stay so, and makes the interval wider.
    """
    fits, doubt = np.ones(len(today.group), dtype=bool), np.zeros_like(today.size)
    early = np.searchsorted(AGES, AGES[today.place] / 8, side="right") - 1
    for places in (early, today.place):
        for delivered in (True, False):
            score, off, limit = _compared(today, past, places, delivered=delivered)
            odd = score > limit
            fits &= ~odd.any(axis=1)
            if odd.any():
                result.notes.append(_misfit_note(today, past, places, odd, delivered=delivered))
            if places is today.place:
                doubt = np.maximum(doubt, np.where(score > _DOUBTFUL, np.abs(off), 0.0))
    return fits, doubt


def _compared(today: _Today, past: History, places: Ints, *, delivered: bool) -> tuple[Floats, Floats, Floats]:
    """Return by how many standard deviations groups and strata differ from the history's units, by how much, and the limit.

    Those too small to tell do not differ.
    """
    norms: dict[int, Norm] = {number: past.norm(AGES[number], delivered=delivered) for number in np.unique(places)}

    def of(name: str) -> Floats:
        return np.array([getattr(norms[number], name) for number in places])

    shares, watched = share_by(today.curves, today.each(AGES[places]), delivered=delivered)
    seen = today.table(shares)
    share, n = of("share"), today.size * today.table(watched)
    away = np.arcsin(np.sqrt(np.clip(seen, 0, 1))) - of("middle")
    # Counted from a handful on, on either side: expected, or there.
    several = n * np.minimum(np.maximum(share, seen), 1 - np.minimum(share, seen))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.abs(away) / np.sqrt(of("variance") + 1 / (4 * n))
    tellable = (several >= _ENOUGH_COUNTED) & (places >= 0)[:, None] & ~np.isnan(share)
    return np.where(tellable, score, 0.0), seen - share, of("limit")


def _misfit_note(today: _Today, past: History, places: Ints, odd: Bools, *, delivered: bool) -> Text:
    row, stratum = map(int, np.argwhere(odd)[0])
    age = AGES[places[row]]
    seen, _ = share_by(today.curves, today.each(AGES[places]), delivered=delivered)
    now, before = today.table(seen)[row, stratum], past.norm(age, delivered=delivered).share[stratum]
    shares = {
        "who": past.stratum_text(stratum), "age": duration_text(age), "now": float(now), "before": float(before),
    }  # fmt: skip
    if delivered:
        return Text(
            "history no longer fits{who}: {now:.1%} delivered within {age}, {before:.1%} in the history; something has "
            "changed, so no forecast is given",
            code="misfit",
            **shares,
        )
    return Text(
        "history no longer fits{who}: {now:.1%} reported within {age}, {before:.1%} in the history; something has changed, "
        "so no forecast is given",
        code="misfit",
        **shares,
    )


def _because(result: Expectation, rows: Ints, why: str) -> None:
    for row in rows:
        result.reason[row] = why
