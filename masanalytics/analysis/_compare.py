"""Comparing campaigns, texts or the arms of a split, always at equal age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from masanalytics.aliases import Booleans, Columns, Length, Messages
from masanalytics.analysis.dimensions import as_names
from masanalytics.analysis.equal_age import common_age, equal_age_notes, waited_counts
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.results import MINUTES_ONLY, finished
from masanalytics.errors import InputError
from masanalytics.formatting import duration, duration_text
from masanalytics.i18n import Text, _, speaks
from masanalytics.stats.order_statistics import median, median_difference, rank_test
from masanalytics.stats.power import detectable_difference
from masanalytics.stats.proportions import Z95, holm, newcombe, stratified_difference, two_proportion_p_value
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COMPARE_COLUMNS", "compare"]


COMPARE_COLUMNS = (
    "a", "b", "within_s", "accepted_a", "delivered_a", "rate_a", "accepted_b", "delivered_b", "rate_b", "difference",
    "low", "high", "p_value", "p_adjusted", "detectable", "median_a_s", "median_b_s", "median_difference_s",
    "median_low_s", "median_high_s", "latency_p_value", "latency_p_adjusted", "sentence",
)  # fmt: skip
_ADJUSTED = ("adjusted_difference", "adjusted_low", "adjusted_high", "adjusted_p_value")
_OUTCOMES = ("category", "error_code", "report_status", "status", "received_at", "latency_s")
_ALL_PAIRS_OF = 12
_AGES_SAID = 2
_MINUTE_S = 60.0
_SIGNIFICANT = 0.05


@speaks
def compare(
    data: Messages,
    by: str,
    a: object = None,
    b: object = None,
    *,
    within: Length | None = None,
    adjust: Columns | None = None,
    language: str | None = None,
    **where: Any,
) -> pd.DataFrame:
    """Return whether b delivers more than a, at equal age, with an interval and in words.

    Parameters
    ----------
    data : Store, or DataFrame of messages (pandas, polars, DuckDB, Spark)
        Needs ``status, latency_s`` (or ``submitted_at, received_at``), ``waited_s``, `by` and the columns of `adjust`.
    by : str
        What tells the two apart: ``"campaign"``, ``"arm"``, ``"content"``, ``"template_id"``, or any dimension.
    a, b : object or list, optional
        Values of `by`. `b` may be a list: each is compared with `a`. Without `b`, `a` with every other value; without
        both, every pair.
    within : str, timedelta or number of seconds, optional
        The age to compare at, such as ``"10min"``: only messages observed that long, delivered within it. By default the
        shortest observed age of the two; where every report is in (or 72 h have passed) the final rates.
    adjust : str or sequence of str, optional
        Compare within these dimensions (``"carrier"``) and average: what remains when the mix is made equal. Only what
        was known before sending: within an error category there is no difference left to compare.
    language : {"en", "zh"}, optional
        Of ``sentence``; by default the user's own.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row a pair:

        - ``a, b``: the values; ``within_s``: the age compared at (NaN: final)
        - ``accepted_a, delivered_a, rate_a, accepted_b, delivered_b, rate_b``: counts and rates at that age
        - ``difference, low, high``: rate b - rate a with Newcombe's 95 % interval
        - ``p_value`` (pooled two-proportion z-test), ``p_adjusted`` (Holm, over the rows)
        - ``detectable``: the smallest change that these numbers show four times in five (80 % power), of either arm and in
          either direction, from the rate of both together (drawn towards one half as by Agresti and Coull, so that few
          messages never seem to show everything); NaN where they are too few to show any
        - ``median_a_s, median_b_s, median_difference_s, median_low_s, median_high_s``: latency of those delivered within
          the age, with the interval by MOVER from the two medians' order statistics;
          ``latency_p_value, latency_p_adjusted``: Mann-Whitney
          Where the reports carry no seconds the interval is a minute wider on either side, and medians less than a minute
          apart have no p-value
        - with `adjust` also ``adjusted_difference, adjusted_low, adjusted_high, adjusted_p_value`` (Mantel-Haenszel
          weights, Sato's variance, Cochran-Mantel-Haenszel test)
        - ``sentence``: the same in words

    Raises
    ------
    InputError
        If a column or a value is missing, or `adjust` names what is only known of the outcome.

    Notes
    -----
    Latencies are compared among the delivered only, cut at the same age in both arms; that a message arrives at all is
    the question of the rates.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "arm": ["A"] * 200 + ["B"] * 200,
    ...     "status": (["delivered"] * 160 + ["failed"] * 40) + (["delivered"] * 184 + ["failed"] * 16),
    ...     "latency_s": 5, "waited_s": 300_000,
    ... })
    >>> found = compare(messages, "arm", "A", "B", language="en")
    >>> print(found["sentence"][0])
    B delivers 12.0 points more than A (5.2 to 18.8), p = 0.0005.
    """
    names, strata = as_names(by), as_names(adjust)
    if len(names) != 1:
        raise InputError("by={by!r}: compare by one column", by=by)
    _refuse_outcomes(strata)
    filters = Filters.parse(where)
    waited, source = waited_counts(data, Question(names, (), filters))
    pairs = _pairs(waited.groups[names[0]], names[0], a, b)
    asked = None if within is None else float(to_seconds(within))
    arms = _Arms(data, Question(list(dict.fromkeys([*names, *strata])), (), filters), strata, waited)
    rows = [arms.compared(pair, asked) for pair in pairs]
    result = _table(rows, strata)
    notes = _age_notes(arms, asked=within is not None)
    notes += [MINUTES_ONLY] if any(counts.has_minutes_only() for counts in arms.at.values()) else []
    result = finished(result, source, where=filters, notes=notes)
    result.attrs["adjust"] = strata
    return result


def _refuse_outcomes(strata: Sequence[str]) -> None:
    known_later = [name for name in strata if name in _OUTCOMES]
    if known_later:
        raise InputError(
            "adjust={name!r} is part of the outcome, so that within it nothing is left to compare: adjust for what was "
            "known before sending, such as 'carrier' or 'province'",
            name=known_later[0],
        )


def _pairs(values: pd.Series, by: str, a: object, b: object) -> list[tuple[Any, Any]]:
    """Return the pairs of values to compare."""
    there = values.dropna().tolist()
    if a is None and b is None:
        if len(there) > _ALL_PAIRS_OF:
            raise InputError(
                "{by!r} has {count} values: say which to compare, as in compare(data, {by!r}, a, b)",
                by=by,
                count=len(there),
            )
        return list(combinations(there, 2))
    wanted = list(b) if isinstance(b, (list, tuple)) else [value for value in there if value != a] if b is None else [b]
    for value in [a, *wanted]:
        if value not in there:
            raise InputError(
                "no message has {by} = {value!r}; there are: {known}",
                by=by,
                value=value,
                known=there[:_ALL_PAIRS_OF] or "-",
            )
    return [(a, value) for value in wanted]


@dataclass
class _Arms:
    """The arms' counts; each age is counted once. `read_at` keeps which values were read at which age."""

    data: Messages
    question: Question
    strata: Sequence[str]
    waited: Counts
    at: dict[float | None, Counts] = field(default_factory=dict)
    read_at: dict[float | None, list[Any]] = field(default_factory=dict)

    def compared(self, pair: tuple[Any, Any], asked: float | None) -> dict[str, Any]:
        """Return one row of the result, without what depends on the other rows."""
        name = self.question.by[0]
        age = asked if asked is not None else common_age(*(self.of([value]) for value in pair))
        self.read_at.setdefault(age, []).extend(pair)
        counts = self._counted(age)
        chosen = [(counts.keys[name] == value).to_numpy(dtype=bool, na_value=False) for value in pair]
        row: dict[str, Any] = {"a": pair[0], "b": pair[1], "within_s": np.nan if age is None else age}
        return row | _rates(counts, chosen, age) | _latencies(counts, chosen, age) | self._adjusted(counts, chosen, age)

    def of(self, values: list[Any]) -> Counts:
        """Return the messages of these values, counted by waiting time."""
        return self.waited.taken(self.waited.keys[self.question.by[0]].isin(values).to_numpy(dtype=bool))

    def _counted(self, age: float | None) -> Counts:
        if age not in self.at:
            where = replace(self.question.where, waited_at_least=None if age is None else int(age))
            counts, _ = count_messages(self.data, replace(self.question, where=where))
            self.at[age] = counts.taken(counts.accepted())
        return self.at[age]

    def _adjusted(self, counts: Counts, chosen: list[Booleans], age: float | None) -> dict[str, Any]:
        if not self.strata:
            return {}
        stratum, strata = group_rows(counts.keys[list(self.strata)])
        arrived = _arrived(counts, age)
        (ka, na), (kb, nb) = (
            tuple(
                np.bincount(stratum[rows], weights=counts.n[rows], minlength=len(strata)).astype(float)
                for rows in (arm & arrived, arm)
            )
            for arm in chosen
        )
        return dict(zip(_ADJUSTED, stratified_difference(ka, na, kb, nb), strict=True))


def _age_notes(arms: _Arms, *, asked: bool) -> list[Text]:
    """Return what to know about the ages; where the pairs were read at several, of how many pairs each holds."""
    pairs = sum(len(values) for values in arms.read_at.values()) // 2
    ages = [age for age in arms.read_at if age is not None]
    notes: list[Text] = []
    for age, values in arms.read_at.items():
        if age is not None and len(ages) > _AGES_SAID:
            continue
        about_age = equal_age_notes(age, arms.of(values), asked=asked)
        if len(arms.read_at) > 1:
            count = len(values) // 2
            about_age = [
                Text("{count:,} of {pairs:,} pairs: {note}", code=note.code, count=count, pairs=pairs, note=note)
                for note in about_age
            ]
        notes += about_age
    return [*notes, _many_ages_note(arms, ages, pairs)] if len(ages) > _AGES_SAID else notes


def _many_ages_note(arms: _Arms, ages: list[float], pairs: int) -> Text:
    """Return what to know where the pairs were read at many ages: between which, and at whose cost."""
    young_pairs = sum(
        len(arms.read_at[age]) // 2
        for age in ages
        if any(note.code == "left_out" for note in equal_age_notes(age, arms.of(arms.read_at[age]), asked=False))
    )
    compared = Text(
        "{count:,} of {pairs:,} pairs: compared at equal age, each pair at its own (within_s): delivered within {first} to "
        "{last}",
        code="equal_age",
        count=sum(len(arms.read_at[age]) for age in ages) // 2,
        pairs=pairs,
        first=duration_text(min(ages)),
        last=duration_text(max(ages)),
    )
    if not young_pairs:
        return compared
    return Text(
        "{compared}; younger messages are left out of {count:,} of them",
        code="equal_age",
        compared=compared,
        count=young_pairs,
    )


def _arrived(counts: Counts, age: float | None) -> Booleans:
    delivered: Booleans = counts.status == Status.delivered
    return delivered if age is None else delivered & ~(counts.seconds > age)


def _rates(counts: Counts, chosen: list[Booleans], age: float | None) -> dict[str, Any]:
    arrived = _arrived(counts, age)
    (ka, na), (kb, nb) = ((int(counts.n[arm & arrived].sum()), int(counts.n[arm].sum())) for arm in chosen)
    low, high = newcombe(kb, nb, ka, na)
    rate_a, rate_b = (k / n if n else np.nan for k, n in ((ka, na), (kb, nb)))
    # Drawn towards one half as by Agresti and Coull (1998): where all or none arrived, the rate as it stands would promise
    # that the smallest difference shows.
    share = (ka + kb + Z95**2 / 2) / (na + nb + Z95**2)
    return {
        "accepted_a": na, "delivered_a": ka, "rate_a": rate_a, "accepted_b": nb, "delivered_b": kb, "rate_b": rate_b,
        "difference": rate_b - rate_a, "low": float(low), "high": float(high),
        "p_value": float(two_proportion_p_value(kb, nb, ka, na)), "detectable": detectable_difference(na, nb, share, direction="either"),
    }  # fmt: skip


def _latencies(counts: Counts, chosen: list[Booleans], age: float | None) -> dict[str, Any]:
    timed = _arrived(counts, age) & ~np.isnan(counts.seconds)
    a, b = ((counts.seconds[arm & timed], counts.n[arm & timed]) for arm in chosen)
    difference, low, high = median_difference(a, b)
    p_value = rank_test(a, b)
    if counts.has_minutes_only():  # each median is true to a minute only: what is finer is no difference
        low, high = low - _MINUTE_S, high + _MINUTE_S
        p_value = p_value if abs(difference) >= _MINUTE_S else np.nan
    return {
        "median_a_s": median(*a), "median_b_s": median(*b), "median_difference_s": difference,
        "median_low_s": low, "median_high_s": high, "latency_p_value": p_value,
    }  # fmt: skip


def _table(rows: list[dict[str, Any]], strata: list[str]) -> pd.DataFrame:
    import pandas as pd

    adjusted = list(_ADJUSTED) if strata else []
    before, last = COMPARE_COLUMNS[:-1], COMPARE_COLUMNS[-1]
    table = pd.DataFrame(rows, columns=[*before, *adjusted])
    table["p_adjusted"] = holm(table["p_value"].astype(float))
    table["latency_p_adjusted"] = holm(table["latency_p_value"].astype(float))
    texts = [sentence(cast("dict[str, Any]", row), strata) for row in table.to_dict("records")]
    return table.assign(**{last: pd.Series(texts, dtype="str", index=table.index)})


def sentence(row: Mapping[str, Any], strata: Sequence[str] = ()) -> str:
    """Return what one row of `compare` says.

    Examples
    --------
    >>> row = dict(a="A", b="B", within_s=600.0, accepted_a=5000, accepted_b=5000, difference=0.018, low=0.009, high=0.027,
    ...            p_adjusted=0.0001, detectable=0.013)
    >>> sentence(row)
    'B delivers 1.8 points more than A within 10 min (0.9 to 2.7), p = 0.0001.'
    """
    names = {"a": row["a"], "b": row["b"]}
    if not row["accepted_a"] or not row["accepted_b"]:
        return _("{a} and {b} cannot be compared: one has no messages observed that long.", **names)
    age = "" if np.isnan(row["within_s"]) else _(" within {age}", age=duration(row["within_s"]))
    said = _difference(row, names, age) if row["p_adjusted"] < _SIGNIFICANT else _no_difference(row, names, age)
    mix = _mix(row, strata) if strata else ""
    return _("{difference}{mix}.", difference=said, mix=mix)


def _difference(row: Mapping[str, Any], names: dict[str, Any], age: str) -> str:
    low, high, difference = (100 * row[name] for name in ("low", "high", "difference"))
    if low * high > 0:
        low, high = sorted((abs(low), abs(high)))
    values = {**names, "age": age, "size": abs(difference), "low": low, "high": high, "p": _p(row["p_adjusted"])}
    if difference > 0:
        return _("{b} delivers {size:.1f} points more than {a}{age} ({low:.1f} to {high:.1f}), {p}", **values)
    return _("{b} delivers {size:.1f} points less than {a}{age} ({low:.1f} to {high:.1f}), {p}", **values)


def _no_difference(row: Mapping[str, Any], names: dict[str, Any], age: str) -> str:
    detectable = 100 * row["detectable"]
    power = _("these numbers would show {detectable:.1f} points or more", detectable=detectable)
    if np.isnan(detectable):
        power = _("these numbers are too few to show any")
    return _(
        "No difference shown between {a} and {b}{age} ({low:+.1f} to {high:+.1f} points), {p}; {power}",
        **names,
        age=age,
        low=100 * row["low"],
        high=100 * row["high"],
        p=_p(row["p_adjusted"]),
        power=power,
    )


def _p(p: float) -> str:
    if np.isnan(p):
        return _("p unknown")
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}" if p < 0.01 else f"p = {p:.2f}"


def _mix(row: Mapping[str, Any], strata: Sequence[str]) -> str:
    """Say whether the mix of the strata explains the difference."""
    difference, low, high = (100 * row[f"adjusted_{part}"] for part in ("difference", "low", "high"))
    values = {"names": list(strata), "difference": difference, "low": low, "high": high}
    if np.isnan(difference):
        return _("; the two share no {names}", names=list(strata))
    if not row["p_adjusted"] < _SIGNIFICANT:
        return _("; with equal {names} mix {difference:+.1f} ({low:+.1f} to {high:+.1f})", **values)
    if row["adjusted_p_value"] < _SIGNIFICANT and difference * row["difference"] > 0:
        return _(
            "; not explained by {names} mix: {difference:+.1f} ({low:+.1f} to {high:+.1f}) with it equal", **values
        )
    return _("; explained by {names} mix: {difference:+.1f} ({low:+.1f} to {high:+.1f}) with it equal", **values)
