"""Where a rate will end: what was observed, carried on by history where that is not enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from masanalytics.analysis.counting import Counts
from masanalytics.analysis.history import AGES, History, Norm
from masanalytics.analysis.incidence import LEAST_WATCHED, Curves, cumulative_incidence, ends, share_by, watched_until
from masanalytics.analysis.intervals import effective_wilson, student_quantile
from masanalytics.analysis.results import Note, note
from masanalytics.frames import UNREPORTED_AFTER_S, Status

__all__ = ["REASONS", "Expectation", "expected_ends"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

REASONS = {
    "nothing": ("no message was accepted", "没有被接受的消息"),
    "no_history": (
        "messages are still open, hardly any was observed for 72 h, and there is no matured history to carry them on",
        "仍有消息未收到回执，几乎没有消息观察满 72 小时，也没有可用的历史数据",
    ),
    "thin_history": (
        "messages are still open, and the matured history has fewer than 3 campaign days: how much they differ is unknown",
        "仍有消息未收到回执，而历史数据不足 3 个活动日，无法判断差异有多大",
    ),
    "too_early": ("half of the messages have been observed for less than 30 s", "半数消息的观察时间不足 30 秒"),
    "misfit": ("today's reports do not develop as in the history", "今天的回执走势与历史不符"),
}
_ENOUGH_COUNTED = 5


@dataclass(frozen=True)
class Expectation:
    """The expected end of each group's rate.

    Attributes
    ----------
    rate, low, high, horizon_s : array of float
        The columns of the result.
    reason : list of str or None
        Why a rate is NaN: a key of `REASONS`.
    notes : list of Note
        What to mind.
    """

    rate: Floats
    low: Floats
    high: Floats
    horizon_s: Floats
    reason: list[str | None]
    notes: list[Note] = field(default_factory=list)

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

    def told(self) -> list[Note]:
        """Return what to mind: where the history did not fit, and why rates are missing."""
        found = list(self.notes)
        for why, (en, zh) in REASONS.items():
            rows = self.reason.count(why)
            if rows and why not in ("nothing", "misfit"):
                found.append(note(why, f"no expected_rate for {rows} rows: {en}", f"{rows} 行没有 expected_rate：{zh}"))
        return found

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


def expected_ends(counts: Counts, history: Callable[[], History | None]) -> Expectation:
    """Estimate where each group's delivery rate will end; `history` is asked only if a group needs it."""
    groups = len(counts.groups)
    taken = counts.accepted()
    group, status, seconds, n = counts.group[taken], counts.status[taken], counts.seconds[taken], counts.n[taken]
    curves = cumulative_incidence(group, groups, status, seconds, n)
    horizon = curves.last
    alone = ends(curves, np.full(groups, np.inf), np.zeros(groups))
    known = n * ((status != Status.pending) | (seconds >= UNREPORTED_AFTER_S))
    low, high = effective_wilson(alone.expected, alone.variance, np.bincount(group, weights=known, minlength=groups))
    complete = _ends_known(curves, group, status, seconds)
    some = ~np.isnan(horizon)
    reason: list[str | None] = [None if there else "nothing" for there in some]
    shown = complete & some
    rate, low, high = (np.where(shown, values, np.nan) for values in (alone.expected, low, high))
    result = Expectation(rate, low, high, horizon, reason)
    open_groups = np.flatnonzero(some & ~complete)
    return _carried_on(result, counts.taken(taken), curves, open_groups, history) if len(open_groups) else result


def _ends_known(curves: Curves, group: Ints, status: Ints, seconds: Floats) -> Bools:
    """Return which groups tell their own end: nothing is open, or enough was watched for all of 72 h.

    A curve that drops to nothing open because the one message left at risk was reported does not tell it.
    """
    pending, matured = status == Status.pending, seconds >= UNREPORTED_AFTER_S
    young = np.bincount(group[pending & ~matured], minlength=curves.groups) > 0
    unreported = np.bincount(group[pending & matured], minlength=curves.groups) > 0
    _, watched = share_by(curves, np.full(curves.groups, float(UNREPORTED_AFTER_S)), delivered=True)
    return ~young | (unreported & (watched >= LEAST_WATCHED))


def _carried_on(
    result: Expectation, counts: Counts, curves: Curves, open_groups: Ints, history: Callable[[], History | None]
) -> Expectation:
    """Fill in the groups whose end the messages themselves do not tell."""
    past = history()
    if past is None or not past.thick:
        _because(result, open_groups, "no_history" if past is None else "thin_history")
        return result
    place = np.searchsorted(AGES, watched_until(curves, 0.5)[open_groups], side="right") - 1
    _because(result, open_groups[place < 0], "too_early")
    old_enough = place >= 0
    if old_enough.any():
        _fill(result, _today(counts, past, open_groups[old_enough], place[old_enough]), past)
    return result


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


def _today(counts: Counts, past: History, groups: Ints, place: Ints) -> _Today:
    number = np.full(len(counts.groups), -1)
    number[groups] = np.arange(len(groups))
    inside = number[counts.group] >= 0
    strata = past.size.shape[1]
    cell = (number[counts.group] * strata + past.strata_of(counts.keys))[inside]
    cells = len(groups) * strata
    curves = cumulative_incidence(cell, cells, counts.status[inside], counts.seconds[inside], counts.n[inside])
    size = np.bincount(cell, weights=counts.n[inside], minlength=cells).astype(float).reshape(-1, strata)
    return _Today(groups, place, curves, size)


def _fill(result: Expectation, today: _Today, past: History) -> None:
    """Write the carried-on rates and intervals of the open groups into the result."""
    ladders = {number: past.ladder(AGES[number]) for number in np.unique(today.place)}

    def of(name: str) -> Floats:
        return np.array([getattr(ladders[number], name) for number in today.place], dtype=float)

    found = ends(today.curves, today.each(AGES[today.place]), of("carried").ravel())
    share = today.size / today.size.sum(axis=1, keepdims=True)
    still_open = share * today.table(found.still_open)
    rate = (share * today.table(found.expected)).sum(axis=1)
    rich = of("rich").astype(bool)
    from_history = (np.where(rich, still_open, 0) ** 2 * of("sampling")).sum(axis=1)
    from_history += np.where(rich, 0, still_open * np.sqrt(of("sampling"))).sum(axis=1) ** 2
    between = still_open.sum(axis=1) ** 2 * of("between") * (1 + 1 / of("units"))
    n = today.size.sum(axis=1)
    # One delivered and one failed message more, as Agresti and Coull (1998) add: a handful of messages of which none
    # has failed yet does not mean that none will.
    unseen = (rate**2 + (1 - rate) ** 2) / (n * (n + 2))
    variance = (share**2 * today.table(found.variance)).sum(axis=1) + from_history + between + unseen
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(between > 0, (of("units") - 1) * (variance / between) ** 2, np.inf)
    # A million groups have as many degrees of freedom; to three digits they have a few thousand.
    digits, place = np.unique(np.log10(np.maximum(freedom, 1)).round(3), return_inverse=True)
    z = np.array([student_quantile(0.975, 10**digit) for digit in digits])[place]
    low, high = effective_wilson(rate, variance, n, z)
    fits = _fits(result, today, past)
    for column, values in ((result.rate, rate), (result.low, low), (result.high, high)):
        column[today.group[fits]] = values[fits]
    _because(result, today.group[~fits], "misfit")


def _fits(result: Expectation, today: _Today, past: History) -> Bools:
    """Return for which groups today's early development looks like the history's, and note where it does not."""
    fits = np.ones(len(today.group), dtype=bool)
    early = np.searchsorted(AGES, AGES[today.place] / 8, side="right") - 1
    for places in (early, today.place):
        for delivered in (True, False):
            odd = _odd(today, past, places, delivered=delivered)
            fits &= ~odd.any(axis=1)
            if odd.any():
                result.notes.append(_misfit_note(today, past, places, odd, delivered=delivered))
    return fits


def _odd(today: _Today, past: History, places: Ints, *, delivered: bool) -> Bools:
    """Return which groups and strata develop otherwise than the history's units; those too small to tell do not."""
    norms: dict[int, Norm] = {number: past.norm(AGES[number], delivered=delivered) for number in np.unique(places)}

    def of(name: str) -> Floats:
        return np.array([getattr(norms[number], name) for number in places])

    seen, watched = share_by(today.curves, today.each(AGES[places]), delivered=delivered)
    seen = today.table(seen)
    share, n = of("share"), today.size * today.table(watched)
    away = np.arcsin(np.sqrt(np.clip(seen, 0, 1))) - of("middle")
    # Counted from a handful on, on either side: expected, or there.
    counted = n * np.minimum(np.maximum(share, seen), 1 - np.minimum(share, seen))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.abs(away) / np.sqrt(of("variance") + 1 / (4 * n))
        tellable = (counted >= _ENOUGH_COUNTED) & (places >= 0)[:, None]
    return np.asarray(tellable & (score > of("limit")), dtype=bool)


def _misfit_note(today: _Today, past: History, places: Ints, odd: Bools, *, delivered: bool) -> Note:
    row, stratum = map(int, np.argwhere(odd)[0])
    age = AGES[places[row]]
    seen, _ = share_by(today.curves, today.each(AGES[places]), delivered=delivered)
    now, before = today.table(seen)[row, stratum], past.norm(age, delivered=delivered).share[stratum]
    who, who_zh = past.stratum_name(stratum)
    what, what_zh = ("delivered", "送达") if delivered else ("reported", "有回执")
    return note(
        "misfit",
        f"history no longer fits{who}: {now:.1%} {what} within {age:.0f} s, {before:.1%} in the history; "
        "expected_rate is withheld, least and most bound it",
        f"历史不再适用{who_zh}：{age:.0f} 秒内{what_zh} {now:.1%}，历史为 {before:.1%}；不给出 expected_rate，请看 least 与 most",
    )


def _because(result: Expectation, rows: Ints, why: str) -> None:
    for row in rows:
        result.reason[row] = why
