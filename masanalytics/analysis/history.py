"""What the account's matured messages say about those still open: a chain ladder over reporting delay.

A campaign observed up to age h knows its delivered share D(h) and its open share S(h). The history tells which part of the
messages still open at h ended delivered, q(h): the product of the ladder's age-to-age factors from h to the end, which
for matured messages is the ratio of sums ``delivered after h / open at h``. The expected end is ``D(h) + S(h) q(h)``.

Sources: T. Mack (1993), ASTIN Bulletin 23:213-225 (chain ladder and its error, estimated from how much the past periods
differ); J. F. Lawless (1994), Canadian Journal of Statistics 22:15-31 (reporting delay); R. DerSimonian and N. Laird (1986),
Controlled Clinical Trials 7:177-188 (the variance between units beyond chance). A unit is one campaign on one day: how
much units differ is how much today may differ. Campaigns of fewer than 20 messages are taken together by day.

The history is believed only while today's early development looks like it: delivered and reported shares at two ages are
compared with the units' own (on the arcsine scale, units' differences included), carrier by carrier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.sources import as_source
from masanalytics.i18n import Text
from masanalytics.stats.proportions import student_quantile
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AGES", "History", "Ladder", "matured_history"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AGES = np.unique(np.rint(np.geomspace(30, UNREPORTED_AFTER_S, 120)))
"""The ages (seconds) at which the history can take over."""

_LOOK_BACK_S = 31 * 86_400
_ENOUGH_MESSAGES = 400_000
_UNIT_MESSAGES = 20
_MIN_UNITS = 3
_MISFIT_LEVEL = 0.0002


@dataclass(frozen=True)
class Ladder:
    """What the history says at one age.

    Attributes
    ----------
    carried : array of float
        By stratum: the probability that a message open at this age ends delivered.
    sampling : array of float
        By stratum: the variance of `carried` from how few messages it rests on. A stratum that the history has hardly
        seen goes by all together, with the weight of two messages only: nearly anything may become of it.
    between : float
        The variance of `carried` between units beyond chance.
    units : float
        How many units it rests on, counted by their weight.
    """

    carried: Floats
    sampling: Floats
    between: float
    units: float


@dataclass(frozen=True)
class Norm:
    """What share had been delivered (or reported) at an age in the history, on the arcsine scale, by stratum.

    Attributes
    ----------
    share : array of float
        The units' share together; NaN where there are too few units to judge by.
    middle, variance : array of float
        Of the arcsine of its root: the mean, and the variance a new unit has beyond its own sampling.
    limit : array of float
        How many standard deviations from the mean do not happen by chance.
    """

    share: Floats
    middle: Floats
    variance: Floats
    limit: Floats

    def completed(self, together: Norm) -> Norm:
        """Return the same, with the norm of all strata together where a stratum has none."""
        none = np.isnan(self.share)
        names = ("share", "middle", "variance", "limit")
        return Norm(*(np.where(none, getattr(together, name), getattr(self, name)) for name in names))


@dataclass(frozen=True)
class History:
    """Matured messages, by unit and stratum.

    Attributes
    ----------
    strata : DataFrame
        The strata (one column ``carrier``, or none for a single stratum).
    cell : array of int
        Of each counted row: its unit times (1 + number of strata) plus its stratum. The last stratum is empty: it stands
        for what the history has not seen.
    status, seconds, n : array
        The counted rows.
    units : int
        How many units there are.
    """

    strata: pd.DataFrame
    cell: Ints
    status: Ints
    seconds: Floats
    n: Ints
    units: int

    @cached_property
    def size(self) -> Floats:
        """Messages by unit and stratum."""
        return self._sum(np.ones(len(self.n), dtype=bool))

    @cached_property
    def thick(self) -> bool:
        """Whether there are enough units to know how much they differ."""
        return int((self.size.sum(axis=1) >= _UNIT_MESSAGES).sum()) >= _MIN_UNITS

    def ladder(self, age: float) -> Ladder:
        """Return what became of the messages that were open at `age`."""
        still_open = self._sum(~self._reported_by(age))
        later = self._sum((self.status == Status.delivered) & (self.seconds > age))
        # Half a message of each kind keeps the ratio off 0 and 1, where its variance would be nothing.
        every = (later.sum() + 0.5) / (still_open.sum() + 1)
        exposed = still_open.sum(axis=0) + 2
        carried = (later.sum(axis=0) + 2 * every) / exposed
        between, units = self._between(still_open, later, carried)
        return Ladder(carried, carried * (1 - carried) / (exposed + 1), between, units)

    @staticmethod
    def _between(still_open: Floats, later: Floats, carried: Floats) -> tuple[float, float]:
        """Return the variance of the carried probability between units beyond chance, and the number of units."""
        exposed = still_open.sum(axis=1)
        some = exposed > 0
        exposed = exposed[some]
        if len(exposed) < 2:
            return 0.0, float(len(exposed))
        miss = (later - carried * still_open)[some].sum(axis=1) / exposed
        chance = (still_open[some] * (carried * (1 - carried))).sum(axis=1) / exposed**2
        return _beyond_chance(miss, 1 / chance), float(exposed.sum() ** 2 / (exposed**2).sum())

    def norm(self, age: float, *, delivered: bool) -> Norm:
        """Return the share delivered (or reported at all) by `age` in the units, stratum by stratum."""
        happened = self._reported_by(age)
        if delivered:
            happened &= self.status == Status.delivered
        times = self._sum(happened)
        own = _norm(times, self.size)
        if not np.isnan(own.share).any():
            return own
        # What says too little of itself is compared with all together.
        together = _norm(times.sum(axis=1, keepdims=True), self.size.sum(axis=1, keepdims=True))
        return own.completed(together)

    def _reported_by(self, age: float) -> NDArray[np.bool_]:
        reported: NDArray[np.bool_] = (self.status != Status.pending) & (self.seconds <= age)
        return reported

    def _sum(self, chosen: NDArray[np.bool_]) -> Floats:
        strata = len(self.strata) + 1
        summed = np.bincount(self.cell[chosen], weights=self.n[chosen], minlength=self.units * strata)
        return summed.astype(float).reshape(self.units, strata)

    def strata_of(self, keys: pd.DataFrame) -> Ints:
        """Return the stratum of each of today's rows."""
        if not len(self.strata.columns):
            return np.zeros(len(keys), dtype=np.int64)
        known = {None if missing else value: number for number, (value, missing) in enumerate(_values(self.strata))}
        found = [known.get(None if missing else value, len(known)) for value, missing in _values(keys)]
        return np.array(found, dtype=np.int64)

    def stratum_text(self, stratum: int) -> Text | str:
        """Return how a note names a stratum."""
        if not len(self.strata.columns):
            return ""
        if stratum >= len(self.strata):
            return Text(" for carriers it has not seen")
        return Text(" for {carrier}", carrier=Text(self.strata["carrier"].iloc[stratum]))


def matured_history(
    history: Any, data: Any, *, by_carrier: bool, account: tuple[Any, ...] | None = None
) -> History | None:
    """Return the matured messages that `history` names, or None where there are none.

    Of very many, a part of a few hundred thousand is read.

    Parameters
    ----------
    history : "auto", Store, DataFrame or None
        ``"auto"`` stands for `data` itself, whatever it is narrowed to.
    by_carrier : bool
        Whether to keep carriers apart.
    account : tuple of str, optional
        Only of these accounts, where the messages say whose they are.
    """
    if history is None:
        return None
    source = as_source(data if isinstance(history, str) else history)
    columns = set(source.message_columns())
    if "waited_s" not in columns:
        return None
    as_of = source.coverage_summary(Filters()).get("as_of")
    dated = "submitted_at" in columns
    where = Filters(
        values={"account": account} if account and "account" in columns else {},
        since=as_of - _LOOK_BACK_S if dated and as_of is not None else None,
        waited_at_least=UNREPORTED_AFTER_S,
    )
    where = replace(where, every=max(1, source.estimated_count(where) // _ENOUGH_MESSAGES))
    unit = [name for name in ("campaign", "day") if name in columns or (name == "day" and dated)]
    counts, _ = count_messages(source, Question(unit, ("carrier",) if by_carrier else (), where))
    taken = counts.accepted() & ~(np.isnan(counts.seconds) & (counts.status != Status.pending))
    if "campaign" in columns and counts.keys["campaign"].notna().any():
        # Messages of no campaign are known through their reports only: they never stay open.
        taken &= counts.keys["campaign"].notna().to_numpy(dtype=bool)
    return _history(counts.taken(taken)) if taken.any() else None


def _history(counts: Counts) -> History:
    stratum, strata = group_rows(counts.keys[[name for name in ("carrier",) if name in counts.keys.columns]])
    unit = _units(counts)
    cell = unit * (len(strata) + 1) + stratum
    return History(strata, cell, counts.status, counts.seconds, counts.n, int(unit.max()) + 1)


def _units(counts: Counts) -> Ints:
    """Return the unit of each row: its campaign and day, or all small campaigns of its day together, or all the rest."""
    unit = counts.group.copy()
    for coarser in ([name for name in ("day",) if name in counts.by], []):
        small = np.bincount(unit, weights=counts.n)[unit] < _UNIT_MESSAGES
        together, _ = group_rows(counts.keys[coarser]) if coarser else (np.zeros(len(unit), dtype=np.int64), None)
        unit = np.unique(np.where(small, unit.max() + 1 + together, unit), return_inverse=True)[1]
    return unit


def _values(keys: pd.DataFrame) -> Iterator[tuple[Any, bool]]:
    return zip(keys["carrier"].tolist(), keys["carrier"].isna().tolist(), strict=True)


def _norm(happened: Floats, size: Floats) -> Norm:
    strata = size.shape[1]
    share, middle, variance, limit = (np.full(strata, np.nan) for _ in range(4))
    for stratum in range(strata):
        big = size[:, stratum] >= _UNIT_MESSAGES
        n, k = size[big, stratum], happened[big, stratum]
        if len(n) < _MIN_UNITS:
            continue
        # Shares of small units say little each, and on the arcsine scale they lean to one side: they are compared as they
        # are, and only the outcome is carried over (by the delta method).
        p = (k.sum() + 0.5) / (n.sum() + 1)
        between = _beyond_chance(k / n - p, n / (p * (1 - p)))
        weight = 1 / (between + p * (1 - p) / n)
        share[stratum] = k.sum() / n.sum()
        mean = np.clip(np.average(k / n, weights=weight), 0, 1)
        middle[stratum] = np.arcsin(np.sqrt(mean))
        variance[stratum] = (between + 1 / weight.sum()) / (4 * p * (1 - p))
        limit[stratum] = student_quantile(1 - _MISFIT_LEVEL / 2 / (4 * strata), len(n) - 1)
    return Norm(share, middle, variance, limit)


def _beyond_chance(miss: Floats, weight: Floats) -> float:
    """Return the variance of `miss` (deviations from the mean) beyond ``1 / weight`` (DerSimonian and Laird)."""
    room = weight.sum() - (weight**2).sum() / weight.sum()
    excess = float((weight * miss**2).sum()) - (len(miss) - 1)
    return max(0.0, excess / room) if room > 0 else 0.0
