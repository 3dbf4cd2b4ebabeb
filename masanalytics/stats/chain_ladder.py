"""A chain ladder over reporting delay: what past messages say about those that are still pending.

A campaign observed up to age h knows its delivered share D(h) and its pending share S(h). The past tells which part of the
messages pending at h was delivered later, q(h): the product of the ladder's age-to-age factors from h to the end, which for
matured messages is the ratio of sums ``delivered after h / pending at h``. The expected end is ``D(h) + S(h) q(h)``.

Sources: T. Mack (1993), ASTIN Bulletin 23:213-225 (chain ladder and its error, estimated from how much the past periods
differ); J. F. Lawless (1994), Canadian Journal of Statistics 22:15-31 (reporting delay); R. DerSimonian and N. Laird (1986),
Controlled Clinical Trials 7:177-188 (the variance between units beyond chance). A unit is one development period, such as a
campaign on a day: how much units differ is how much the next may differ.

The past is believed only while the present develops like it: delivered and reported shares at an age are compared with the
units' own (on the arcsine scale, the units' differences included), stratum by stratum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.stats.proportions import student_quantile
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

__all__ = ["AGES", "UNIT_MESSAGES", "ChainLadder", "LadderStep", "ReferenceShare"]


AGES = np.unique(np.rint(np.geomspace(30, UNREPORTED_AFTER_S, 120)))
"""The ages (seconds) at which the ladder can take over."""
UNIT_MESSAGES = 20
"""So many messages make a unit that says something of itself."""

_LEAST_UNITS = 3
_MISFIT_LEVEL = 0.0002


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
    """

    delivered_later: Figures
    sampling: Figures
    between: float
    units: float


@dataclass(frozen=True)
class ReferenceShare:
    """Which share had been delivered (or reported) at an age in the past, by stratum, and how much units differ in it.

    Attributes
    ----------
    share : array of float
        The units' share together; NaN where there are too few units to judge by.
    mean, variance : array of float
        Of the arcsine of its root: the mean, and the variance a new unit has beyond its own sampling.
    limit : array of float
        How many standard deviations from the mean do not happen by chance.
    """

    share: Figures
    mean: Figures
    variance: Figures
    limit: Figures

    def completed(self, together: ReferenceShare) -> ReferenceShare:
        """Return the same, with that of all strata together where a stratum has none."""
        none = np.isnan(self.share)
        names = ("share", "mean", "variance", "limit")
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
    """

    cell: Numbers
    status: Numbers
    seconds: Figures
    n: Numbers
    units: int
    strata: int

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
        pending = self._sum(~self._reported_by(age))
        later = self._sum((self.status == Status.delivered) & (self.seconds > age))
        # Half a message of each kind keeps the ratio off 0 and 1, where its variance would be nothing.
        overall = (later.sum() + 0.5) / (pending.sum() + 1)
        weight = pending.sum(axis=0) + 2
        delivered_later = (later.sum(axis=0) + 2 * overall) / weight
        between, units = _between_units(pending, later, delivered_later)
        return LadderStep(delivered_later, delivered_later * (1 - delivered_later) / (weight + 1), between, units)

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


def _between_units(pending: Figures, later: Figures, delivered_later: Figures) -> tuple[float, float]:
    """Return the variance of the probability between units beyond chance, and the number of units by their weight."""
    weight = pending.sum(axis=1)
    some = weight > 0
    weight = weight[some]
    if len(weight) < 2:
        return 0.0, float(len(weight))
    deviation = (later - delivered_later * pending)[some].sum(axis=1) / weight
    chance = (pending[some] * (delivered_later * (1 - delivered_later))).sum(axis=1) / weight**2
    return _beyond_chance(deviation, 1 / chance), float(weight.sum() ** 2 / (weight**2).sum())


def _reference(happened: Figures, size: Figures) -> ReferenceShare:
    strata = size.shape[1]
    share, mean, variance, limit = (np.full(strata, np.nan) for _ in range(4))
    for stratum in range(strata):
        large = size[:, stratum] >= UNIT_MESSAGES
        n, k = size[large, stratum], happened[large, stratum]
        if len(n) < _LEAST_UNITS:
            continue
        # Shares of small units say little each, and on the arcsine scale they lean to one side: they are compared as they
        # are, and only the outcome is transformed (by the delta method).
        p = (k.sum() + 0.5) / (n.sum() + 1)
        between = _beyond_chance(k / n - p, n / (p * (1 - p)))
        weight = 1 / (between + p * (1 - p) / n)
        share[stratum] = k.sum() / n.sum()
        mean[stratum] = np.arcsin(np.sqrt(np.clip(np.average(k / n, weights=weight), 0, 1)))
        variance[stratum] = (between + 1 / weight.sum()) / (4 * p * (1 - p))
        limit[stratum] = student_quantile(1 - _MISFIT_LEVEL / 2 / (4 * strata), len(n) - 1)
    return ReferenceShare(share, mean, variance, limit)


def _beyond_chance(deviation: Figures, weight: Figures) -> float:
    """Return the variance of the deviations from the mean beyond ``1 / weight`` (DerSimonian and Laird)."""
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    excess = float((weight * deviation**2).sum()) - (len(deviation) - 1)
    return max(0.0, excess / scale) if scale > 0 else 0.0
