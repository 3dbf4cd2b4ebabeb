"""The groups whose messages are pending, by the strata of the history and by what is known of their campaigns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from masanalytics.aliases import Figures, Numbers
from masanalytics.analysis.campaign_units import Features, features_of, units_of
from masanalytics.analysis.matured_history import MaturedHistory
from masanalytics.analysis.observed_rows import ObservedRows
from masanalytics.stats.chain_ladder import AGES
from masanalytics.stats.competing_risks import IncidenceCurves, cumulative_incidence

__all__ = ["TodaysUnits"]


@dataclass(frozen=True)
class TodaysUnits:
    """The groups with pending messages, by kind of unit and stratum of the history, each read at its own age.

    Attributes
    ----------
    group : array of int
        Their rows in the result.
    place : array of int
        Their ages: places in `AGES`.
    features : list of Features
        The kinds of units there are among them.
    curves : IncidenceCurves
        One a group, kind and stratum.
    size : array of float
        Messages, a row a group and a column a kind and stratum.
    """

    group: Numbers
    place: Numbers
    features: list[Features]
    curves: IncidenceCurves
    size: Figures

    @classmethod
    def of(cls, rows: ObservedRows, past: MaturedHistory, groups: Numbers, place: Numbers) -> TodaysUnits:
        """Take `groups` of the rows, read at these places of `AGES`."""
        number = np.full(rows.groups, -1)
        number[groups] = np.arange(len(groups))
        inside = (number[rows.group] >= 0) & rows.young
        keys, n = rows.keys[inside].reset_index(drop=True), rows.n[inside]
        unit = units_of(keys, n, least=1)
        each = features_of(keys, n, unit)
        features = list(dict.fromkeys(each))
        kind = np.array([features.index(one) for one in each], dtype=np.int64)[unit]
        strata = len(features) * past.ladder.strata
        cell = number[rows.group[inside]] * strata + kind * past.ladder.strata + past.strata_of(keys)
        cells = len(groups) * strata
        curves = cumulative_incidence(cell, cells, rows.status[inside], rows.seconds[inside], n)
        size = np.bincount(cell, weights=n, minlength=cells).astype(float).reshape(-1, strata)
        return cls(groups, place, features, curves, size)

    @property
    def age(self) -> Figures:
        """The age of each group (seconds)."""
        return np.asarray(AGES[self.place], dtype=float)

    def each(self, values: Figures) -> Figures:
        """Repeat a value a group for each of its strata, flat."""
        return np.repeat(values, self.size.shape[1])

    def table(self, values: Figures) -> Figures:
        """Return a value a group and stratum as a matrix."""
        return values.reshape(self.size.shape)

    def by_kind(self, values: Figures) -> Figures:
        """Return the sum over strata of each group and kind of unit."""
        return np.asarray(values.reshape(len(self.group), len(self.features), -1).sum(axis=2))
