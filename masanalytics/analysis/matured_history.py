"""The account's matured messages, from which the end of those still pending is forecast (see `stats.chain_ladder`).

A unit of the chain ladder is one campaign on one day (see `campaign_units`); carriers are its strata. What comes is compared
with units of its own kind, its own hours, or with all: whichever would have forecast its like best, had each of them been
left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from masanalytics.aliases import Booleans, Figures, Messages, Numbers
from masanalytics.analysis.campaign_units import Features, features_of, is_night, kind_like, unit_dimensions, units_of
from masanalytics.analysis.dimensions import NIGHT, as_days, as_hours, late_dimension, present
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.sources import MessageSource, RememberedMessages, as_source
from masanalytics.analysis.sources.base import BinsSeconds
from masanalytics.i18n import Text
from masanalytics.stats.chain_ladder import AGES, UNIT_MESSAGES, ChainLadder, LadderStep, ReferenceShare
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

    from masanalytics.aliases import Messages

__all__ = ["MaturedHistory", "history_of", "matured_counts", "matured_history"]


_LOOK_BACK_S = 31 * 86_400
_ENOUGH_MESSAGES = 400_000
_HALF_WEIGHT_DAYS = 21.0
_CLASS_UNITS = 6
_IS_TIMED: Final = late_dimension(-(10**12))
"""Whether the latency is known: later than any time before submission."""
_EDGES: Final = sorted({60, *(int(age) for age in AGES), 2**31})
"""Bins of seconds: the ages of the ladder, a minute (see `slow_median`), and all above."""
_BETTER = 0.95
_CLASSES: Final = (
    ("kind",), ("night",), ("hours",), ("long",), ("kind", "night"), ("kind", "long"), ("kind", "hours"),
)  # fmt: skip


@dataclass(frozen=True)
class MaturedHistory:
    """Matured messages, by unit and carrier.

    Attributes
    ----------
    carriers : DataFrame
        The strata of the ladder (one column ``carrier``, or none for a single stratum). One more stands for what the history
        has not seen.
    ladder : ChainLadder
        The arithmetic on them.
    features : list of Features
        What was known of each unit before it was sent.
    names : DataFrame
        ``campaign`` and ``day`` of each unit, as far as the messages have them; missing where several are taken together.
    """

    carriers: pd.DataFrame
    ladder: ChainLadder
    features: list[Features]
    names: pd.DataFrame
    _ladders: dict[bytes, ChainLadder] = field(default_factory=dict)
    _chosen_units: dict[tuple[float, Features], tuple[ChainLadder, LadderStep]] = field(default_factory=dict)
    _steps: dict[tuple[int, float], LadderStep] = field(default_factory=dict)
    _scores: dict[tuple[int, float, bytes], float] = field(default_factory=dict)
    _references: dict[tuple[int, float, bool], ReferenceShare] = field(default_factory=dict)

    def strata_of(self, keys: pd.DataFrame) -> Numbers:
        """Return the stratum of each of today's rows."""
        if not len(self.carriers.columns):
            return np.zeros(len(keys), dtype=np.int64)
        import pandas as pd

        of_row, distinct = pd.factorize(keys["carrier"], use_na_sentinel=False)
        known = {None if pd.isna(value) else value: number for number, value in enumerate(self.carriers["carrier"])}
        strata = [known.get(None if pd.isna(value) else value, len(known)) for value in distinct]
        return np.array(strata, dtype=np.int64)[of_row] if strata else of_row.astype(np.int64)

    def stratum_text(self, stratum: int) -> Text | str:
        """Return how a note names a stratum."""
        if not len(self.carriers.columns):
            return ""
        if stratum >= len(self.carriers):
            return Text(" for carriers it has not seen")
        return Text(" for {carrier}", carrier=Text(self.carriers["carrier"].iloc[stratum]))

    def step(self, age: float, features: Features) -> LadderStep:
        """Return what became of the messages that were pending at `age` in units like one with these `features`."""
        return self._chosen(age, features)[1]

    def reference(self, age: float, features: Features, *, at: float, delivered: bool) -> ReferenceShare:
        """Return the shares delivered (or reported) by `age` in the units that are chosen for forecasts made `at` an age."""
        ladder = self._chosen(at, features)[0]
        key = (id(ladder), age, delivered)
        if key not in self._references:
            self._references[key] = ladder.reference(age, delivered=delivered)
        return self._references[key]

    def slow_median(self) -> float:
        """Return how long half of the reports took that came after a minute (seconds); NaN where there are none."""
        slow = (self.ladder.status != Status.pending) & (self.ladder.seconds > 60)
        seconds, n = self.ladder.seconds[slow], self.ladder.n[slow]
        order = np.argsort(seconds)
        upto = np.cumsum(n[order])
        return float(seconds[order][np.searchsorted(upto, upto[-1] / 2)]) if len(upto) else float("nan")

    def without(self, unit: int) -> MaturedHistory:
        """Return the history as if this unit had not been."""
        kept = np.arange(self.ladder.units) != unit
        features = [each for each, stays in zip(self.features, kept, strict=True) if stays]
        return MaturedHistory(
            self.carriers, self.ladder.of_units(kept), features, self.names[kept].reset_index(drop=True)
        )

    def _chosen(self, age: float, features: Features) -> tuple[ChainLadder, LadderStep]:
        """Return the units by which one with these `features` is forecast at `age`, and what they say."""
        key = (age, features)
        if key not in self._chosen_units:
            classes = self._classes(features)
            every = np.ones(self.ladder.units, dtype=bool)
            judged = classes[-1] if classes else every
            best, least = every, self._score(every, age, judged) * _BETTER
            for inside in classes:
                if (judged & ~inside).any():
                    continue
                score = self._score(inside, age, judged)
                if score < least:
                    best, least = inside, score * _BETTER
            step = self._step(every, age)
            self._chosen_units[key] = (
                self._inside(best),
                self._step(best, age).drawn_to(step) if best is not every else step,
            )
        return self._chosen_units[key]

    # Units, and what they say at an age, are those of many features: each is worked out once.

    def _inside(self, units: Booleans) -> ChainLadder:
        key = units.tobytes()
        if key not in self._ladders:
            self._ladders[key] = self.ladder if units.all() else self.ladder.of_units(units)
        return self._ladders[key]

    def _step(self, units: Booleans, age: float) -> LadderStep:
        ladder = self._inside(units)
        key = (id(ladder), age)
        if key not in self._steps:
            self._steps[key] = ladder.step(age)
        return self._steps[key]

    def _score(self, units: Booleans, age: float, judged: Booleans) -> float:
        """Return how far the `judged` of these units were from what the others of them say at an age."""
        ladder = self._inside(units)
        key = (id(ladder), age, judged.tobytes())
        if key not in self._scores:
            self._scores[key] = ladder.open_at(age).score(judged[units])
        return self._scores[key]

    def _classes(self, features: Features) -> list[Booleans]:
        """Return sets of units that share some of the `features`, those with the most in common last."""
        like = features._replace(kind=kind_like(features.kind, self._kinds))
        large = self.ladder.size.sum(axis=1) >= UNIT_MESSAGES
        found: dict[bytes, Booleans] = {}
        for names in _CLASSES:
            wanted = [getattr(like, name) for name in names]
            if None in wanted:
                continue
            inside = np.array([[getattr(unit, name) for name in names] == wanted for unit in self.features], dtype=bool)
            if int((inside & large).sum()) >= _CLASS_UNITS and not inside.all():
                found.setdefault(inside.tobytes(), inside)
        return list(found.values())

    @cached_property
    def _kinds(self) -> set[str | None]:
        return {unit.kind for unit in self.features}


def matured_history(
    history: Messages | Literal["auto"] | None,
    data: Messages,
    *,
    by_carrier: bool,
    account: tuple[Any, ...] | None = None,
) -> MaturedHistory | None:
    """Return the matured messages that `history` names, or None where there are none.

    Of very many, a part of a few hundred thousand is read.

    Parameters
    ----------
    history : "auto", Store, DataFrame, folder, list of these, or None
        ``"auto"`` stands for `data` itself, whatever it is narrowed to.
    by_carrier : bool
        Whether to keep carriers apart.
    account : tuple of str, optional
        Only of these accounts, where the messages say whose they are.
    """
    if history is None:
        return None
    source = as_source(data if isinstance(history, str) and history == "auto" else history)

    def find() -> MaturedHistory | None:
        plain = source.plain if isinstance(source, RememberedMessages) else source
        columns = set(source.message_columns())
        can_bin = {"submitted_at", "waited_s"} <= columns and not columns & {"day", "hour"}
        if isinstance(plain, BinsSeconds) and can_bin:
            return _binned_history(source, plain, "carrier" if by_carrier else None, account)
        counts = matured_counts(source, by_carrier=by_carrier, account=account)
        return None if counts is None else history_of(counts)

    return source.once(("history", by_carrier, account), find) if isinstance(source, RememberedMessages) else find()


def matured_counts(
    data: Messages, *, by_carrier: bool, account: tuple[Any, ...] | None = None, where: Filters | None = None
) -> Counts | None:
    """Return the matured messages of `data` that can be a history, counted by unit, carrier, status and seconds; None of none.

    `where` narrows them; without a ``since`` of its own the last month counts.
    """
    source = as_source(data)
    columns = set(source.message_columns())
    if "waited_s" not in columns:
        return None
    also = ("carrier",) if by_carrier else ()
    question = Question(unit_dimensions(columns), also, _last_month(source, columns, account, where or Filters()))
    counts, _ = count_messages(source, question)
    usable = _usable(counts, ~np.isnan(counts.seconds))
    return counts.taken(usable) if usable.any() else None


def _usable(counts: Counts, timed: Booleans) -> Booleans:
    """Return which rows can be a history: accepted, and pending or of known latency (`timed`)."""
    usable: Booleans = counts.accepted() & (timed | (counts.status == Status.pending))
    if "campaign" in counts.keys and counts.keys["campaign"].notna().any():
        # Messages of no campaign are known through their reports only: they never stay pending.
        usable &= counts.keys["campaign"].notna().to_numpy(dtype=bool)
    return usable


def _binned_history(
    source: MessageSource, plain: BinsSeconds, carrier: str | None, account: tuple[Any, ...] | None
) -> MaturedHistory | None:
    """Return the history from two small counts instead of a large one: units with their features, and their reports by bins.

    The ladder asks only what had come by one of `AGES` (and which reports took more than a minute), so that bins between these say
    all; hours are features of a unit, and need no reports.
    """
    import pandas as pd

    columns = set(source.message_columns())
    where = _last_month(source, columns, account, Filters())
    units, _ = count_messages(source, Question([*unit_dimensions(columns), _IS_TIMED], (), where, None))
    units = units.taken(_usable(units, (units.keys[_IS_TIMED] == 1).to_numpy(dtype=bool)))
    if not len(units.n):
        return None
    same = [name for name in ("campaign", "template_id") if name in columns]
    by = [*same, "day", NIGHT, *([carrier] if carrier else [])]
    keys, status, seconds, n = plain.binned_count(by, where=where, edges=_EDGES)
    reports = Counts(keys.assign(day=present("day", keys["day"])), status, seconds, n, by)
    reports = reports.taken(_usable(reports, ~np.isnan(seconds)))
    unit = units_of(units.keys, units.n, UNIT_MESSAGES)
    nights = units.keys[[*same, "day"]].assign(**{NIGHT: is_night(as_hours(units.keys["hour"])).astype("Int64")})
    together = pd.concat([nights, reports.keys[list(nights.columns)].astype({NIGHT: "Int64"})], ignore_index=True)
    number, _ = group_rows(together)
    unit_of_number = np.zeros(int(number.max()) + 1, dtype=np.int64)
    unit_of_number[number[: len(nights)]] = unit
    return _history(reports, unit_of_number[number[len(nights) :]], units, unit)


def _last_month(source: MessageSource, columns: set[str], account: tuple[Any, ...] | None, asked: Filters) -> Filters:
    """Return which messages count as history: matured, of the last month, and of very many a part."""
    as_of = source.coverage_summary(Filters()).get("as_of")
    since = as_of - _LOOK_BACK_S if "submitted_at" in columns and as_of is not None else None
    accounts = {"account": account} if account and "account" in columns else {}
    where = replace(
        asked,
        values={**accounts, **asked.values},
        since=since if asked.since is None else asked.since,
        waited_at_least=UNREPORTED_AFTER_S,
    )
    expected = source.estimated_count(where.of_columns(source.message_columns()))
    return replace(where, every=max(1, expected // _ENOUGH_MESSAGES))


def history_of(counts: Counts) -> MaturedHistory:
    """Return the history that counted matured messages are; each of their rows is in the unit ``ladder.unit``."""
    unit = units_of(counts.keys, counts.n, UNIT_MESSAGES)
    return _history(counts, unit, counts, unit)


def _history(counts: Counts, unit: Numbers, featured: Counts, unit_of_featured: Numbers) -> MaturedHistory:
    """Return the history of counted reports, each row in its unit, and of the counts that tell the units' features."""
    stratum, carriers = group_rows(counts.keys[[name for name in ("carrier",) if name in counts.keys.columns]])
    strata, keys = len(carriers) + 1, featured.keys
    units = int(unit_of_featured.max()) + 1
    ladder = ChainLadder(
        unit * strata + stratum,
        counts.status,
        counts.seconds,
        counts.n,
        units,
        strata,
        _weights(keys, unit_of_featured),
    )
    return MaturedHistory(
        carriers, ladder, features_of(keys, featured.n, unit_of_featured), _names(keys, unit_of_featured)
    )


def _weights(keys: pd.DataFrame, unit: Numbers) -> Figures | None:
    """Return how much each unit counts: half as much three weeks before the last one."""
    if "day" not in keys or (days := as_days(keys["day"])).isna().any():
        return None
    day = days.to_numpy(dtype="datetime64[s]").astype(np.int64) / 86_400
    started = np.full(int(unit.max()) + 1, np.inf)
    np.minimum.at(started, unit, day)
    return np.asarray(0.5 ** ((started.max() - started) / _HALF_WEIGHT_DAYS))


def _names(keys: pd.DataFrame, unit: Numbers) -> pd.DataFrame:
    """Return what all rows of each unit have in common of campaign and day."""
    import pandas as pd

    grouped = keys[[name for name in ("campaign", "day") if name in keys]].groupby(unit, sort=True)
    units = int(unit.max()) + 1
    if not len(grouped.obj.columns):
        return pd.DataFrame(index=pd.RangeIndex(units))
    first, several = grouped.first(), grouped.nunique(dropna=False) > 1
    return first.mask(several).reset_index(drop=True)
