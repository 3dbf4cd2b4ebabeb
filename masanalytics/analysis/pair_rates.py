"""The difference of two arms: its interval and test, as sure as messages that fail together make it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan, nan, sqrt
from typing import Any

import numpy as np

from masanalytics.analysis.clustered_pairs import PairClusters
from masanalytics.stats.clusters import log_odds_difference
from masanalytics.stats.confidence_sequence import AlwaysValid, always_valid
from masanalytics.stats.jackknife import StratifiedCells, jackknife
from masanalytics.stats.power import LEVEL, detectable_difference
from masanalytics.stats.proportions import Z95, Doubt, newcombe, student_quantile, two_proportion_p_value

__all__ = ["PairRates"]


@dataclass(frozen=True)
class PairRates:
    """Counts of two arms and what their clusters tell.

    Attributes
    ----------
    delivered_a, accepted_a, delivered_b, accepted_b : int
        Counts.
    clusters : PairClusters or None
        None where messages count as independent.
    """

    delivered_a: int
    accepted_a: int
    delivered_b: int
    accepted_b: int
    clusters: PairClusters | None

    @property
    def naive_p_value(self) -> float:
        """The p-value of independent messages."""
        return float(two_proportion_p_value(self.delivered_b, self.accepted_b, self.delivered_a, self.accepted_a))

    @property
    def p_value(self) -> float:
        """The p-value; NaN with too few clusters."""
        if self.clusters is None:
            return self.naive_p_value
        if not self.clusters.is_tested or isnan(self.naive_p_value):
            return nan
        variance = self._pooled_variance(*self._effects)
        difference = self.delivered_b / self.accepted_b - self.delivered_a / self.accepted_a
        return self.clusters.found.p_value(difference / sqrt(variance)) if variance > 0 else 1.0

    def _pooled_variance(self, effect_a: float, effect_b: float) -> float:
        pooled = (self.delivered_a + self.delivered_b) / (self.accepted_a + self.accepted_b)
        return pooled * (1 - pooled) * (effect_a / self.accepted_a + effect_b / self.accepted_b)

    @property
    def _effects(self) -> tuple[float, float]:
        found = None if self.clusters is None else self.clusters.found
        return (1.0, 1.0) if found is None else (found.effect_a, found.effect_b)

    def _quantile(self, level: float) -> float:
        return (
            student_quantile((1 + level) / 2, float("inf"))
            if self.clusters is None
            else self.clusters.found.quantile(level)
        )

    def interval(self, level: float, p_adjusted: float) -> tuple[float, float]:
        """Return the bounds of the difference at this level, which hold 0 exactly where the corrected test shows nothing.

        Interval and test are not the same formula, and Holm's correction is finer than that of the interval: where they part,
        the test decides on which side of 0 the near bound lies.
        """
        if self.clusters is not None and self.clusters.others is not None:
            return self._interval_of_others(level)
        effect_a, effect_b = self._effects
        size_a, size_b = self.accepted_a / effect_a, self.accepted_b / effect_b
        bounds = newcombe(
            self.delivered_b / effect_b, size_b, self.delivered_a / effect_a, size_a, self._quantile(level)
        )
        low, high = (float(bound) for bound in bounds)
        if isnan(p_adjusted) or isnan(low):
            return low, high
        if p_adjusted >= LEVEL:
            return min(low, 0.0), max(high, 0.0)
        tiny = 1e-9
        if self.delivered_b * self.accepted_a > self.delivered_a * self.accepted_b:
            return max(low, tiny), max(high, tiny)
        return min(low, -tiny), min(high, -tiny)

    def _interval_of_others(self, level: float) -> tuple[float, float]:
        """Return the bounds where clusters of other campaigns say how much rates differ: they differ so on the log odds."""
        k, n = np.array([self.delivered_a, self.delivered_b]), np.array([self.accepted_a, self.accepted_b])
        share = k.sum() / n.sum()
        beyond = np.zeros(2) if share in (0, 1) else (np.array(self._effects) - 1) / (n * share * (1 - share))
        return log_odds_difference(k.astype(float), n.astype(float), beyond, self._quantile(level))

    def detectable(self, level: float) -> float:
        """Return the smallest difference that shows at this level; NaN where how much clusters differ is not known."""
        if self.clusters is not None and isnan(self.clusters.found.effect):
            return nan
        effect_a, effect_b = self._effects
        # Drawn towards one half as by Agresti and Coull (1998): where all or none arrived, the rate as it stands would promise
        # that the smallest difference shows.
        share = (self.delivered_a + self.delivered_b + Z95**2 / 2) / (self.accepted_a + self.accepted_b + Z95**2)
        return detectable_difference(
            self.accepted_a / effect_a,
            self.accepted_b / effect_b,
            share,
            direction="either",
            level_z=self._quantile(level),
        )

    def columns(self, level: float, p_adjusted: float) -> dict[str, Any]:
        """Return the columns of `compare` that are about rates, with an interval of this level."""
        rate_a, rate_b = (
            k / n if n else nan for k, n in ((self.delivered_a, self.accepted_a), (self.delivered_b, self.accepted_b))
        )
        low, high = self.interval(level, p_adjusted)
        found = None if self.clusters is None else self.clusters.found
        return {
            "accepted_a": self.accepted_a, "delivered_a": self.delivered_a, "rate_a": rate_a,
            "accepted_b": self.accepted_b, "delivered_b": self.delivered_b, "rate_b": rate_b,
            "difference": rate_b - rate_a, "low": low, "high": high,
            "p_value": self.p_value, "p_value_naive": self.naive_p_value,
            "clusters_a": found.clusters_a if found else 0, "clusters_b": found.clusters_b if found else 0,
            "design_effect": found.effect if found else nan, "detectable": self.detectable(level),
        }  # fmt: skip

    def always_valid(self, planned: float, level: float) -> AlwaysValid:
        """Return the difference as it may be read at any time; NaN where how much clusters differ is not known.

        Parameters
        ----------
        planned : float
            How many messages an arm is to have in the end.
        level : float
            The probability that the interval misses the truth at any look.
        """
        # At one of many looks batches will happen to differ less than chance makes them: that is not believed here.
        effect_a, effect_b = (max(effect, 1.0) for effect in self._effects)
        if isnan(self.p_value) or isnan(sum(self._effects)):
            return AlwaysValid(nan, nan, nan)
        return always_valid(
            (self.delivered_a / effect_a, self.accepted_a / effect_a),
            (self.delivered_b / effect_b, self.accepted_b / effect_b),
            planned / max(effect_a, effect_b),
            level=level,
        )

    def doubt(self, level: float, variance: float, cells: StratifiedCells | None) -> Doubt:
        """Return how unsure the difference within strata is, whose variance with independent messages is `variance`.

        Parameters
        ----------
        cells : StratifiedCells, optional
            By stratum and cluster.
        """
        if self.clusters is None or cells is None or isnan(variance):
            return Doubt(level=level)
        found = self.clusters.found
        if self.clusters.others is not None:
            beyond = self._pooled_variance(*self._effects) - self._pooled_variance(1.0, 1.0)
            return Doubt(variance + beyond, found.freedom, level)
        clustered, freedom = jackknife(cells)
        if isnan(clustered) or clustered <= variance:
            return Doubt(level=level)
        return Doubt(clustered, freedom * clustered / (clustered - variance), level)
