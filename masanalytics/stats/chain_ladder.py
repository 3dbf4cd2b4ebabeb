"""A chain ladder over reporting delay: what past messages say about those that are still pending.

A campaign observed up to age h knows its delivered share D(h) and its pending share S(h). The past tells which part of the
messages pending at h was delivered later, q(h): the product of the ladder's age-to-age factors from h to the end, which for
matured messages is the ratio of sums ``delivered after h / pending at h``. The expected end is ``D(h) + S(h) q(h)``.

Sources: T. Mack (1993), ASTIN Bulletin 23:213-225 (chain ladder and its error, estimated from how much the past periods
differ); J. F. Lawless (1994), Canadian Journal of Statistics 22:15-31 (reporting delay); for units that differ see
`stats.random_effects`. A unit is one development period, such as a campaign on a day: the next one is predicted as one more of
them, recent ones weighing more, and each of them is predicted from the others to see how right that would have been.

The past is believed only while the present develops like it: delivered and reported shares at an age are compared with the
units' own (on the arcsine scale, the units' differences included, as large as they may well be), stratum by stratum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.stats.proportions import student_quantile
from masanalytics.stats.random_effects import LeftOut, RandomEffects, conformal_factor, upper_variance
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

__all__ = ["AGES", "UNIT_MESSAGES", "ChainLadder", "LadderStep", "OpenShares", "ReferenceShare"]


AGES = np.unique(np.rint(np.geomspace(30, UNREPORTED_AFTER_S, 120)))
"""The ages (seconds) at which the ladder can take over."""
UNIT_MESSAGES = 20
"""So many messages make a unit that says something of itself."""

_LEAST_UNITS = 3
_MISFIT_LEVEL = 0.0002
_MOST_LEVEL = 0.98


@dataclass(frozen=True)
class OpenShares:
    """What became of the messages that were pending at one age, by unit and stratum.

    Attributes
    ----------
    pending, later : array of float
        How many were pending, and how many of these were delivered later; a row a unit, a column a stratum.
    size : array of float
        Messages by unit.
    weight : array of float
        How much each unit counts.
    """

    pending: Figures
    later: Figures
    size: Figures
    weight: Figures

    @cached_property
    def delivered_later(self) -> Figures:
        """By stratum: the probability of being delivered later, that of all together where a stratum says little."""
        # Half a message of each kind keeps the ratio off 0 and 1, where its variance would be nothing.
        overall = (self.later.sum() + 0.5) / (self.pending.sum() + 1)
        return np.asarray((self.later.sum(axis=0) + 2 * overall) / (self.pending.sum(axis=0) + 2))

    @cached_property
    def open_units(self) -> Booleans:
        """Which units had a message pending."""
        return np.asarray(self.pending.sum(axis=1) > 0, dtype=bool)

    @cached_property
    def deviations(self) -> tuple[Figures, Figures, Figures]:
        """Of the open units: how far each is from what its strata let expect, its sampling variance, how much it counts."""
        some = self.open_units
        pending, later = self.pending[some], self.later[some]
        every, chance = pending.sum(axis=1), self.delivered_later * (1 - self.delivered_later)
        totals = self.pending.sum(axis=0)
        plain = self.later.sum(axis=0) / np.where(totals > 0, totals, 1)
        deviation = (later - plain * pending).sum(axis=1) / every
        return deviation, (pending * chance).sum(axis=1) / every**2, self.weight[some]

    @cached_property
    def left_out(self) -> LeftOut | None:
        """The open units, each predicted from the others; None where there are too few."""
        return LeftOut.of(*self.deviations) if int(self.open_units.sum()) >= _LEAST_UNITS else None

    def score(self, judged: Booleans) -> float:
        """Return the mean interval score of the `judged` units' predicted rates (Gneiting and Raftery 2007): less is better."""
        judged_open = judged[self.open_units]
        if self.left_out is None or not judged_open.any():
            return float("inf")
        share = (self.pending.sum(axis=1) / np.maximum(self.size, 1))[self.open_units]
        missed = np.maximum(np.abs(self.left_out.error) - self.left_out.half_width, 0)
        return float((share * (2 * self.left_out.half_width + 40 * missed))[judged_open].sum() / max(judged.sum(), 1))


@dataclass(frozen=True)
class LadderStep:
    """What the past says at one age.

    Attributes
    ----------
    delivered_later : array of float
        By stratum: the probability that a message pending at this age is delivered later.
    sampling : array of float
        By stratum: the variance of `delivered_later` from how few messages it rests on. A stratum that the past has hardly
        seen goes by all together, with the weight of two messages only: nearly anything may become of it.
    between : float
        The variance of `delivered_later` between units beyond chance.
    units : float
        How many units it rests on, counted by their weight.
    precision : float
        Two over the variance of `between` itself.
    mean_error : float
        The variance of the units' mean, sampling included.
    covered : float
        The share of units whose own end the others' interval held; NaN where there are too few to say.
    factor : float
        By how much intervals have to be wider so that 95 % were held; at least one.
    """

    delivered_later: Figures
    sampling: Figures
    between: float
    units: float
    precision: float = 0.0
    mean_error: float = 0.0
    covered: float = np.nan
    factor: float = 1.0

    @classmethod
    def of(cls, shares: OpenShares) -> LadderStep:
        """Predict a new unit."""
        q, weight = shares.delivered_later, shares.pending.sum(axis=0) + 2
        deviation, variance, counted = shares.deviations
        effects = RandomEffects.of(deviation, variance, counted)
        every = shares.pending.sum(axis=0)
        middle = float((every * q).sum() / every.sum()) if every.sum() else float(q.mean())
        ratio = shares.left_out.ratio if shares.left_out is not None else np.array([])
        return cls(
            _moved(q, middle, effects.mean),
            q * (1 - q) / (weight + 1),
            effects.between,
            effects.units,
            effects.precision,
            effects.sampling + effects.between / max(effects.units, 1.0),
            float((ratio <= 1).mean()) if len(ratio) else np.nan,
            conformal_factor(ratio),
        )

    def drawn_to(self, whole: LadderStep) -> LadderStep:
        """Return these units' own step, drawn to that of all where the two differ by no more than chance (Stein)."""
        difference = float((self.delivered_later - whole.delivered_later).mean())
        pull = min(1.0, self.mean_error / difference**2) if difference else 1.0
        drawn = (1 - pull) * self.delivered_later + pull * whole.delivered_later
        return replace(self, delivered_later=drawn)


def _moved(q: Figures, middle: float, shift: float) -> Figures:
    """Return probabilities moved so that their `middle` moves by `shift` and none leaves 0..1."""
    if shift == 0:
        return q
    moved = q * (1 + shift / middle) if shift < 0 else 1 - (1 - q) * (1 - shift / (1 - middle))
    return np.clip(moved, 0.0, 1.0)


@dataclass(frozen=True)
class ReferenceShare:
    """Which share had been delivered (or reported) at an age in the past, by stratum, and how much units differ in it.

    Attributes
    ----------
    share : array of float
        The units' share together; NaN where there are too few units to judge by.
    mean, variance : array of float
        Of the arcsine of its root: the mean, and the variance a new unit has beyond its own sampling.
    most_variance : array of float
        The same variance, as large as it may well be.
    limit : array of float
        How many standard deviations from the mean do not happen by chance.
    """

    share: Figures
    mean: Figures
    variance: Figures
    most_variance: Figures
    limit: Figures

    def completed(self, together: ReferenceShare) -> ReferenceShare:
        """Return the same, with that of all strata together where a stratum has none."""
        none = np.isnan(self.share)
        names = ("share", "mean", "variance", "most_variance", "limit")
        return ReferenceShare(*(np.where(none, getattr(together, name), getattr(self, name)) for name in names))


@dataclass(frozen=True)
class ChainLadder:
    """Matured messages, counted by unit and stratum.

    Attributes
    ----------
    cell : array of int
        Of each counted row: its unit times `strata` plus its stratum.
    status, seconds, n : array
        The counted rows: `Status`, latency (seconds; NaN while pending), messages.
    units, strata : int
        How many there are. A stratum without messages stands for what the past has not seen.
    weight : array of float, optional
        How much each unit counts; all the same by default.
    """

    cell: Numbers
    status: Numbers
    seconds: Figures
    n: Numbers
    units: int
    strata: int
    weight: Figures | None = None

    @property
    def unit(self) -> Numbers:
        """The unit of each counted row."""
        return np.asarray(self.cell // self.strata, dtype=np.int64)

    @cached_property
    def size(self) -> Figures:
        """Messages by unit and stratum."""
        return self._sum(np.ones(len(self.n), dtype=bool))

    @cached_property
    def has_enough_units(self) -> bool:
        """Whether there are enough units to know how much they differ."""
        return int((self.size.sum(axis=1) >= UNIT_MESSAGES).sum()) >= _LEAST_UNITS

    def step(self, age: float) -> LadderStep:
        """Return what became of the messages that were pending at `age` (seconds).

        Examples
        --------
        >>> ladder = ChainLadder(np.zeros(3, int), np.array([5, 5, 6]), np.array([10.0, 90, 90]), np.array([80, 14, 4]), 1, 1)
        >>> ladder.step(60.0).delivered_later.round(3).tolist()  # 14 of the 18 that were pending after a minute
        [0.776]
        """
        return LadderStep.of(self.open_at(age))

    def open_at(self, age: float) -> OpenShares:
        """Return what became of the messages that were pending at `age` (seconds), by unit and stratum."""
        pending = self._sum(~self._reported_by(age))
        later = self._sum((self.status == Status.delivered) & (self.seconds > age))
        weight = np.ones(self.units) if self.weight is None else self.weight
        return OpenShares(pending, later, self.size.sum(axis=1), weight)

    def of_units(self, chosen: Booleans) -> ChainLadder:
        """Return the `chosen` units only."""
        unit, stratum = np.divmod(self.cell, self.strata)
        rows, number = chosen[unit], np.cumsum(chosen) - 1
        weight = None if self.weight is None else self.weight[chosen]
        return ChainLadder(
            number[unit[rows]] * self.strata + stratum[rows], self.status[rows], self.seconds[rows], self.n[rows],
            int(chosen.sum()), self.strata, weight,
        )  # fmt: skip

    def reference(self, age: float, *, delivered: bool) -> ReferenceShare:
        """Return the share delivered (or reported at all) by `age` (seconds) in the units, stratum by stratum."""
        happened = self._reported_by(age)
        if delivered:
            happened &= self.status == Status.delivered
        times = self._sum(happened)
        own = _reference(times, self.size)
        if not np.isnan(own.share).any():
            return own
        # What says too little of itself is compared with all together.
        together = _reference(times.sum(axis=1, keepdims=True), self.size.sum(axis=1, keepdims=True))
        return own.completed(together)

    def _reported_by(self, age: float) -> Booleans:
        reported: Booleans = (self.status != Status.pending) & (self.seconds <= age)
        return reported

    def _sum(self, chosen: Booleans) -> Figures:
        summed = np.bincount(self.cell[chosen], weights=self.n[chosen], minlength=self.units * self.strata)
        return summed.astype(float).reshape(self.units, self.strata)


def _reference(happened: Figures, size: Figures) -> ReferenceShare:
    strata = size.shape[1]
    share, mean, variance, most_variance, limit = (np.full(strata, np.nan) for _ in range(5))
    for stratum in range(strata):
        large = size[:, stratum] >= UNIT_MESSAGES
        n, k = size[large, stratum], happened[large, stratum]
        if len(n) < _LEAST_UNITS:
            continue
        # Shares of small units say little each, and on the arcsine scale they lean to one side: they are compared as they
        # are, and only the outcome is transformed (by the delta method).
        p = (k.sum() + 0.5) / (n.sum() + 1)
        chance = p * (1 - p) / n
        effects = RandomEffects.of(k / n - p, chance)
        most = max(upper_variance(k / n - p, chance, _MOST_LEVEL), effects.between)
        share[stratum] = k.sum() / n.sum()
        mean[stratum] = np.arcsin(np.sqrt(np.clip(p + effects.mean, 0, 1)))
        of_mean = effects.sampling + effects.between / effects.units
        variance[stratum] = (effects.between + of_mean) / (4 * p * (1 - p))
        most_variance[stratum] = (most + of_mean) / (4 * p * (1 - p))
        limit[stratum] = student_quantile(1 - _MISFIT_LEVEL / 2 / (4 * strata), len(n) - 1)
    return ReferenceShare(share, mean, variance, most_variance, limit)
