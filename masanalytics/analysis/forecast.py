"""Where a rate will end: what was observed, carried on by history where that is not enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.analysis.grouped_count import Counts
from masanalytics.analysis.history import History
from masanalytics.formatting import duration_text
from masanalytics.i18n import N_, Text
from masanalytics.stats.chain_ladder import AGES, ReferenceShare
from masanalytics.stats.competing_risks import (
    LEAST_FOLLOW_UP,
    IncidenceCurves,
    cumulative_incidence,
    follow_up_reached,
    incidence_at,
    project,
)
from masanalytics.stats.proportions import effective_wilson, student_quantile, wilson
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REASONS", "Expectation", "expected_ends"]


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

_LEAST_EVENTS = 5
_DOUBTFUL_SCORE = 3.0


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

    rate: Figures
    low: Figures
    high: Figures
    horizon_s: Figures
    reason: list[str | None]
    notes: list[Text] = field(default_factory=list)

    def columns(self) -> dict[str, Figures]:
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
    matured, matured_delivered : array of int
        By group, of the messages with 72 h of coverage behind them.
    """

    group: Numbers
    status: Numbers
    seconds: Figures
    n: Numbers
    young: Booleans
    keys: pd.DataFrame
    accepted: Numbers
    delivered: Numbers
    matured: Numbers
    matured_delivered: Numbers

    @classmethod
    def of(cls, counts: Counts) -> _Rows:
        """Take the accepted rows of `counts`."""
        accepted, matured, delivered = counts.accepted(), counts.matured(), counts.status == Status.delivered
        status, seconds = counts.observed()
        return cls(
            counts.group[accepted], status[accepted], seconds[accepted], counts.n[accepted], ~matured[accepted],
            counts.keys[accepted], counts.tally(accepted), counts.tally(delivered), counts.tally(accepted & matured),
            counts.tally(delivered & matured),
        )  # fmt: skip

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.accepted)

    def has(self, rows: Booleans) -> Booleans:
        """Return which groups have messages among `rows`."""
        return np.bincount(self.group[rows], weights=self.n[rows], minlength=self.groups) > 0


def expected_ends(counts: Counts, history: Callable[[], History | None]) -> Expectation:
    """Estimate where each group's delivery rate will end; `history` is asked only if a group needs it.

    Where no message is pending any more the rate is final. Otherwise messages with 72 h of coverage behind them are taken as
    they ended, and the end of the younger ones is forecast by the history.
    """
    rows = _Rows.of(counts)
    some = rows.accepted > 0
    rate = np.where(some, rows.delivered / np.where(some, rows.accepted, 1), np.nan)
    low, high = wilson(rows.delivered, rows.accepted)
    is_pending = counts.tally((counts.status == Status.pending) & ~counts.unreported()) > 0
    settled = some & ~is_pending
    curves = cumulative_incidence(rows.group, rows.groups, rows.status, rows.seconds, rows.n)
    reason: list[str | None] = [None if there else "nothing" for there in some]
    rate, low, high = (np.where(settled, values, np.nan) for values in (rate, low, high))
    result = Expectation(rate, low, high, curves.last, reason)
    pending_groups = np.flatnonzero(some & is_pending)
    if len(pending_groups):
        _forecast(result, rows, curves, pending_groups, history)
    return result


def _forecast(
    result: Expectation,
    rows: _Rows,
    curves: IncidenceCurves,
    pending_groups: Numbers,
    history: Callable[[], History | None],
) -> None:
    """Fill in the groups with messages that are pending."""
    past = history()
    if past is None or not past.ladder.has_enough_units:
        _without_history(result, rows, curves, pending_groups, "no_history" if past is None else "thin_history")
        return
    young = rows.young
    today = cumulative_incidence(rows.group[young], rows.groups, rows.status[young], rows.seconds[young], rows.n[young])
    place = np.searchsorted(AGES, follow_up_reached(today, 0.5)[pending_groups], side="right") - 1
    _without_history(result, rows, curves, pending_groups[place < 0], "too_early")
    old_enough = place >= 0
    if old_enough.any():
        _forecast_by_history(result, rows, _today(rows, past, pending_groups[old_enough], place[old_enough]), past)


def _without_history(
    result: Expectation, rows: _Rows, curves: IncidenceCurves, pending_groups: Numbers, why: str
) -> None:
    """Estimate the end of groups from their own messages where enough were observed for 72 h; say `why` of the others.

    A survival that drops to zero because the one message left at risk was reported tells nothing.
    """
    pending = rows.status == Status.pending
    unreported = rows.has(pending & (rows.seconds >= UNREPORTED_AFTER_S))
    unobserved = rows.has(pending & np.isnan(rows.seconds))
    _, follow_up = incidence_at(curves, np.full(rows.groups, float(UNREPORTED_AFTER_S)), delivered=True)
    is_known = (unreported & ~unobserved & (follow_up >= LEAST_FOLLOW_UP))[pending_groups]
    own = project(curves, np.full(rows.groups, np.inf), np.zeros(rows.groups))
    ended = np.bincount(
        rows.group, weights=rows.n * (~pending | (rows.seconds >= UNREPORTED_AFTER_S)), minlength=rows.groups
    )
    low, high = effective_wilson(own.expected, own.variance, ended)
    for column, values in ((result.rate, own.expected), (result.low, low), (result.high, high)):
        column[pending_groups[is_known]] = values[pending_groups[is_known]]
    _because(result, pending_groups[~is_known], why)


@dataclass(frozen=True)
class _Today:
    """The groups with pending messages, by stratum of the history, each read at its own age.

    Attributes
    ----------
    group : array of int
        Their rows in the result.
    place : array of int
        Their ages: places in `AGES`.
    curves : IncidenceCurves
        One a group and stratum.
    size : array of float
        Messages, a row a group and a column a stratum.
    """

    group: Numbers
    place: Numbers
    curves: IncidenceCurves
    size: Figures

    def each(self, values: Figures) -> Figures:
        """Repeat a value a group for each of its strata, flat."""
        return np.repeat(values, self.size.shape[1])

    def table(self, values: Figures) -> Figures:
        """Return a value a group and stratum as a matrix."""
        return values.reshape(self.size.shape)


def _today(rows: _Rows, past: History, groups: Numbers, place: Numbers) -> _Today:
    number = np.full(rows.groups, -1)
    number[groups] = np.arange(len(groups))
    inside = (number[rows.group] >= 0) & rows.young
    strata = past.ladder.strata
    cell = number[rows.group[inside]] * strata + past.strata_of(rows.keys[inside])
    cells = len(groups) * strata
    curves = cumulative_incidence(cell, cells, rows.status[inside], rows.seconds[inside], rows.n[inside])
    size = np.bincount(cell, weights=rows.n[inside], minlength=cells).astype(float).reshape(-1, strata)
    return _Today(groups, place, curves, size)


def _forecast_by_history(result: Expectation, rows: _Rows, today: _Today, past: History) -> None:
    """Write the forecast rates and intervals into the result."""
    steps = {number: past.ladder.step(AGES[number]) for number in np.unique(today.place)}

    def of(name: str) -> Figures:
        return np.array([getattr(steps[number], name) for number in today.place], dtype=float)

    at_end = project(today.curves, today.each(AGES[today.place]), of("delivered_later").ravel())
    matured = rows.matured[today.group]
    every = today.size.sum(axis=1) + matured
    matured_rate = rows.matured_delivered[today.group] / np.where(matured > 0, matured, 1)
    share = today.size / every[:, None]
    pending = share * today.table(at_end.pending)
    rate = (share * today.table(at_end.expected)).sum(axis=1) + matured / every * matured_rate
    # One delivered and one failed message more, as Agresti and Coull (1998) add: a handful of messages of which none
    # has failed yet does not mean that none will.
    prior = (rate**2 + (1 - rate) ** 2) / (every * (every + 2))
    fits, doubt = _fits(result, today, past)
    between = pending.sum(axis=1) ** 2 * of("between") * (1 + 1 / of("units"))
    variance = (
        (share**2 * today.table(at_end.variance)).sum(axis=1)
        + matured * matured_rate * (1 - matured_rate) / every**2
        + (pending**2 * of("sampling")).sum(axis=1)
        + ((share * doubt) ** 2).sum(axis=1)
        + between
        + prior
    )
    low, high = effective_wilson(rate, variance, every, _quantiles(variance, between, of("units")))
    for column, values in ((result.rate, rate), (result.low, low), (result.high, high)):
        column[today.group[fits]] = values[fits]
    _because(result, today.group[~fits], "misfit")


def _quantiles(variance: Figures, between: Figures, units: Figures) -> Figures:
    """Return Student's quantiles: only the part between units is estimated from few of them (Satterthwaite)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(between > 0, (units - 1) * (variance / between) ** 2, np.inf)
    # A million groups have as many degrees of freedom; to three digits they have a few thousand.
    digits, place = np.unique(np.log10(np.maximum(freedom, 1)).round(3), return_inverse=True)
    return np.array([student_quantile(0.975, 10**digit) for digit in digits])[place]


def _fits(result: Expectation, today: _Today, past: History) -> tuple[Booleans, Figures]:
    """Return for which groups today's early development looks like the history's, and by how much it may be off.

    Clearly otherwise: the history is not believed, and a note says where. Somewhat otherwise: what is seen to be missing (or
    too much) may stay so, and makes the interval wider.
    """
    fits, doubt = np.ones(len(today.group), dtype=bool), np.zeros_like(today.size)
    early = np.searchsorted(AGES, AGES[today.place] / 8, side="right") - 1
    for places in (early, today.place):
        for delivered in (True, False):
            score, difference, limit = _compared(today, past, places, delivered=delivered)
            is_odd = score > limit
            fits &= ~is_odd.any(axis=1)
            if is_odd.any():
                result.notes.append(_misfit_note(today, past, places, is_odd, delivered=delivered))
            if places is today.place:
                doubt = np.maximum(doubt, np.where(score > _DOUBTFUL_SCORE, np.abs(difference), 0.0))
    return fits, doubt


def _compared(today: _Today, past: History, places: Numbers, *, delivered: bool) -> tuple[Figures, Figures, Figures]:
    """Return by how many standard deviations groups and strata differ from the history's units, by how much, and the limit.

    Those too small to tell do not differ.
    """
    references: dict[int, ReferenceShare] = {
        number: past.ladder.reference(AGES[number], delivered=delivered) for number in np.unique(places)
    }

    def of(name: str) -> Figures:
        return np.array([getattr(references[number], name) for number in places])

    incidence, follow_up = incidence_at(today.curves, today.each(AGES[places]), delivered=delivered)
    seen = today.table(incidence)
    share, n = of("share"), today.size * today.table(follow_up)
    deviation = np.arcsin(np.sqrt(np.clip(seen, 0, 1))) - of("mean")
    # Judged from a handful of events on, on either side: expected, or observed.
    events = n * np.minimum(np.maximum(share, seen), 1 - np.minimum(share, seen))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.abs(deviation) / np.sqrt(of("variance") + 1 / (4 * n))
    is_tellable = (events >= _LEAST_EVENTS) & (places >= 0)[:, None] & ~np.isnan(share)
    return np.where(is_tellable, score, 0.0), seen - share, of("limit")


def _misfit_note(today: _Today, past: History, places: Numbers, is_odd: Booleans, *, delivered: bool) -> Text:
    row, stratum = map(int, np.argwhere(is_odd)[0])
    age = AGES[places[row]]
    seen, _ = incidence_at(today.curves, today.each(AGES[places]), delivered=delivered)
    now, before = today.table(seen)[row, stratum], past.ladder.reference(age, delivered=delivered).share[stratum]
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


def _because(result: Expectation, rows: Numbers, why: str) -> None:
    for row in rows:
        result.reason[row] = why
