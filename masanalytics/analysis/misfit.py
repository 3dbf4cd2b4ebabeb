"""Whether what is young develops like the history, stratum by stratum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.analysis.matured_history import MaturedHistory
from masanalytics.analysis.todays_units import TodaysUnits
from masanalytics.formatting import duration_text
from masanalytics.i18n import Text
from masanalytics.stats.chain_ladder import AGES
from masanalytics.stats.competing_risks import incidence_at

__all__ = ["Development", "development"]

_LEAST_EVENTS = 5
_DOUBTFUL_SCORE = 2.5
_EARLY, _RECENT, _CAUGHT_UP = 8, 0.75, 0.6
_NEARLY_ALL = 0.9


class Development(NamedTuple):
    """How the groups develop beside the history.

    Attributes
    ----------
    fits : array of bool
        Which groups develop like it.
    doubt : array of float
        By how much a group and stratum is off where it is somewhat odd, else 0.
    notes : list of Text
        Where the history does not fit.
    """

    fits: Booleans
    doubt: Figures
    notes: list[Text]


class _Compared(NamedTuple):
    """A share of the groups beside that of the history, by group and stratum."""

    share: Figures
    before: Figures
    is_tellable: Booleans
    score: Figures
    is_odd: Booleans


def development(today: TodaysUnits, past: MaturedHistory) -> Development:
    """Return for which groups today's early development looks like the history's, and by how much it may be off.

    Clearly otherwise: the history is not believed, and a note says where. Somewhat otherwise: what is seen to be missing (or
    too much) may stay so, and makes the interval wider. What began otherwise and has caught up since is
    forgiven.
    """
    now = {delivered: _compared(today, past, today.place, delivered=delivered) for delivered in (True, False)}
    early = np.searchsorted(AGES, AGES[today.place] / _EARLY, side="right") - 1
    then = {delivered: _compared(today, past, early, delivered=delivered) for delivered in (True, False)}
    if any(found.is_odd.any() for found in then.values()):
        forgiven = _caught_up(today, past, now)
        then = {delivered: found._replace(is_odd=found.is_odd & ~forgiven) for delivered, found in then.items()}
    odd = [
        (delivered, places, each[delivered])
        for delivered in (True, False)
        for places, each in ((early, then), (today.place, now))
    ]
    fits, notes = np.ones(len(today.group), dtype=bool), []
    for delivered, places, found in odd:
        fits &= ~found.is_odd.any(axis=1)
        if found.is_odd.any():
            notes.append(_note(past, places, found, delivered=delivered))
    doubts = [
        np.where(found.score > _DOUBTFUL_SCORE, np.abs(found.share - found.before), 0.0) for found in now.values()
    ]
    return Development(fits, np.maximum(*doubts), notes)


def _caught_up(today: TodaysUnits, past: MaturedHistory, now: dict[bool, _Compared]) -> Booleans:
    """Return where what began otherwise looks usual now, and was no more clearly odd at a good half of today's age.

    So what was held for hours has had as long again to come in: its open messages are those of the history.
    """
    caught_up = now[True].is_tellable & _nearly_all_observed(today)
    since = np.searchsorted(AGES, _CAUGHT_UP * AGES[today.place], side="right") - 1
    for delivered, found in now.items():
        recent = _compared(today, past, since, delivered=delivered)
        caught_up &= (found.score <= _DOUBTFUL_SCORE) & ~recent.is_odd
    return np.asarray(caught_up, dtype=bool)


def _nearly_all_observed(today: TodaysUnits) -> Booleans:
    """Return where nearly all messages are about as old as the group: none so young that it may be in trouble now."""
    _, follow_up = incidence_at(today.curves, today.each(_RECENT * today.age), delivered=True)
    return np.asarray(today.table(follow_up) >= _NEARLY_ALL, dtype=bool)


def _compared(today: TodaysUnits, past: MaturedHistory, places: Numbers, *, delivered: bool) -> _Compared:
    """Compare the shares of groups and strata at these ages with those of the history's units.

    Those too small to tell do not differ.
    """
    pairs, row = np.unique(np.stack([places, today.place]), axis=1, return_inverse=True)
    names = ("share", "mean", "variance", "most_variance", "limit")
    tables = {name: np.zeros((pairs.shape[1], today.size.shape[1])) for name in names}
    for pair, (place, at) in enumerate(pairs.T):
        each = [past.reference(AGES[place], one, at=AGES[at], delivered=delivered) for one in today.features]
        for name in names:
            tables[name][pair] = np.concatenate([getattr(reference, name) for reference in each])
    share, mean, variance, most_variance, limit = (tables[name][row.ravel()] for name in names)

    incidence, follow_up = incidence_at(today.curves, today.each(AGES[places]), delivered=delivered)
    seen = today.table(incidence)
    n = today.size * today.table(follow_up)
    deviation = np.abs(np.arcsin(np.sqrt(np.clip(seen, 0, 1))) - mean)
    # Judged from a handful of events on, on either side: expected, or observed.
    events = n * np.minimum(np.maximum(share, seen), 1 - np.minimum(share, seen))
    is_tellable = (events >= _LEAST_EVENTS) & (places >= 0)[:, None] & ~np.isnan(share)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(is_tellable, deviation / np.sqrt(variance + 1 / (4 * n)), 0.0)
        surely = np.where(is_tellable, deviation / np.sqrt(most_variance + 1 / (4 * n)), 0.0)
    return _Compared(seen, share, is_tellable, score, surely > limit)


def _note(past: MaturedHistory, places: Numbers, found: _Compared, *, delivered: bool) -> Text:
    row, stratum = map(int, np.argwhere(found.is_odd)[0])
    shares = {
        "who": past.stratum_text(stratum % past.ladder.strata), "age": duration_text(AGES[places[row]]),
        "now": float(found.share[row, stratum]), "before": float(found.before[row, stratum]),
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
