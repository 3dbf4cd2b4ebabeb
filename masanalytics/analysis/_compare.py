"""Comparing campaigns, texts or the arms of a split, always at equal age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Booleans, Columns, Figures, Filter, Length, Messages
from masanalytics.analysis.clustered_pairs import FindOthers, other_campaigns, pair_clusters, stratified_cells
from masanalytics.analysis.clusters import UNCLUSTERED, Cluster, ClusterCounts, cluster_counts, clustered_note
from masanalytics.analysis.comparison_ages import age_notes
from masanalytics.analysis.comparison_latency import latency_columns, latency_cuts, slow_together
from masanalytics.analysis.comparison_outcome import ComparedOutcome, compared_outcome
from masanalytics.analysis.comparison_sentence import always_sentence, sentence
from masanalytics.analysis.dimensions import as_names
from masanalytics.analysis.equal_age import waited_counts
from masanalytics.analysis.filter_checks import OUTCOME_COLUMNS, outcome_notes
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.pair_rates import PairRates
from masanalytics.analysis.planned_people import HoldsSilentArms
from masanalytics.analysis.results import MINUTES_ONLY, finished
from masanalytics.analysis.sample_ratio import checked_sizes
from masanalytics.analysis.sources import MessageSource, asks_once
from masanalytics.errors import InputError
from masanalytics.formatting import column_name, group_label
from masanalytics.i18n import Text, speaks
from masanalytics.near_names import named_arguments
from masanalytics.stats.clusters import ClusteredPair
from masanalytics.stats.jackknife import StratifiedCells
from masanalytics.stats.proportions import holm, sato_variance, stratified_difference
from masanalytics.text import plain_name
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COMPARE_COLUMNS", "compare"]


COMPARE_COLUMNS = (
    "a", "b", "within_s", "accepted_a", "delivered_a", "rate_a", "accepted_b", "delivered_b", "rate_b", "difference",
    "low", "high", "p_value", "p_adjusted", "p_value_naive", "clusters_a", "clusters_b", "design_effect", "detectable", "median_a_s", "median_b_s", "median_difference_s",
    "median_low_s", "median_high_s", "latency_p_value", "latency_p_adjusted", "sentence",
)  # fmt: skip
_ADJUSTED = ("adjusted_difference", "adjusted_low", "adjusted_high", "adjusted_p_value", "compared_a", "compared_b")
_ALWAYS = ("always_low", "always_high", "always_p_value")
_USUAL_ARM = 10_000.0
_APART = Text(
    "one campaign was over before the other began: what changes slowly, such as a carrier's bad week, is in their difference, and "
    "days that are like those before them tell less than the interval and the p-value suppose",
    code="apart",
)
_ALL_PAIRS_OF = 12
_SIGNIFICANT = 0.05


@named_arguments
@asks_once
@speaks
def compare(
    data: Messages,
    by: str,
    a: object = None,
    b: object = None,
    *,
    outcome: str = "delivered",
    within: Length | None = None,
    uplinks: pd.DataFrame | None = None,
    adjust: Columns | None = None,
    cluster: Cluster = "auto",
    always_valid: bool | float = False,
    shares: Mapping[Any, float] | None = None,
    language: str | None = None,
    **where: Filter,
) -> pd.DataFrame:
    """Return whether b delivers more than a (or is answered more), at equal age, with an interval and in words.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``status, latency_s`` (or ``submitted_at, received_at``), ``waited_s``, `by` and the columns of `adjust`.
    by : str
        What tells the two apart: ``"campaign"``, ``"arm"``, ``"content"``, ``"template_id"``, or any dimension.
    a, b : object or list, optional
        Values of `by`. `b` may be a list: each is compared with `a`. Without `b`, `a` with every other value; without
        both, every pair.
    outcome : str
        What is compared: ``"delivered"``, the share of the accepted that arrived; ``"replied"`` or ``"opted_out"``, the share of the
        delivered that was answered, or answered with an opt-out (matched as `replies` does); or a column that says yes or no
        of each message (kept with ``plan(keep=)``, or of a frame), as a share of the accepted.
    within : str, timedelta or number of seconds, optional
        The age to compare at, such as ``"10min"``: only messages observed that long, delivered (or answered) within it. By
        default the shortest observed age of the two; where every report is in (or 72 h have passed) the final rates, and of
        replies at most 7 days. A column of your own has no age.
    uplinks : DataFrame, optional
        The replies, where `data` is a frame: as for `replies`.
    adjust : str or sequence of str, optional
        Compare within these dimensions (``"carrier"``) and average: what remains when the mix is made equal. Only what
        was known before sending: within an error category there is no difference left to compare.
    cluster : "auto", str, sequence of str or None
        What may fail together: a lost batch takes its messages with it, and days differ without a cause. ``"auto"`` is the
        batch where both are of one campaign, and the campaign's day between campaigns; columns or dimensions of your own;
        None: each message by itself.
    always_valid : bool or number
        Whether to add an interval and a p-value that hold however often they are read, such as every ten minutes while a campaign
        runs, to stop when they show something; the others are for one look. A number is how many messages you mean an arm to have
        in the end: there the interval is narrowest. True stands for 10,000. It must be the same at every look.
    shares : mapping, optional
        The share of the messages that each arm was meant to have, as `split` drew them (``.attrs["shares"]`` of its result); a store
        knows those of the plan that was sent. Where the accepted messages differ from it by more than chance does in one of a thousand cases, a note says so: who was left out
        differs between the arms.
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
        - ``difference, low, high``: rate b - rate a with Newcombe's interval, of as many messages as there are divided by
          their design effect; over all rows together it holds 95 times in 100 (Bonferroni), and holds 0 exactly where
          ``p_adjusted`` shows no difference
        - ``p_value`` (pooled two-proportion z-test, clustered: Student's t), NaN with fewer than five clusters in an arm, or so
          unequal ones that they count as fewer of one size (Kish: the square of the sum ÷ the sum of squares, below 4.5), which
          do not tell how much clusters differ; ``p_adjusted`` (Holm, over the rows)
        - ``p_value_naive``: what the p-value would be if every message stood for itself
        - ``clusters_a, clusters_b`` (0 where nothing tells them); ``design_effect``: how many times as much the difference
          varies as with independent messages (below 1 where batches happen to be more alike than chance makes them; NaN where
          nothing tells, as with one batch an arm: ``low, high`` leave it out, and ``sentence`` gives no verdict). Arms of different campaigns with fewer than five days each are read with how
          much the days of the other campaigns in `data` differ, and arms of fewer than five batches each with how much batches within
          these do: that is in the interval, and there is no p-value
        - ``detectable``: the smallest change that these numbers, divided by their design effect, show four times in five (80 %
          power) at the corrected level, of either arm and in either direction, from the rate of both together (drawn towards one half as by Agresti and Coull, so that few
          messages never seem to show everything); NaN where they are too few to show any
        - ``median_a_s, median_b_s, median_difference_s, median_low_s, median_high_s``: latency of those delivered within
          the age, with the interval by MOVER from the two medians' order statistics;
          ``latency_p_value, latency_p_adjusted``: Mann-Whitney, clustered: Student's t, NaN where clusters are too few or unequal, as above.
          Where an arm's reports carry no seconds, its median may be a minute earlier or later than it reads: the interval is so
          much wider on either side, and the test is made of the times moved by that minute towards the other arm's (the
          least that can be true); medians that this brings together have no p-value
        - with ``outcome="replied"`` the counts are ``delivered_a, replied_a, delivered_b, replied_b`` in place of ``accepted_…`` and
          ``delivered_…``, with ``"opted_out"`` ``opted_out_…``; with a column of your own ``accepted_a, yes_a, accepted_b, yes_b``.
          The medians are then of the seconds to the first reply, and missing for a column
        - with `adjust` also ``adjusted_difference, adjusted_low, adjusted_high, adjusted_p_value`` (Mantel-Haenszel
          weights, Sato's variance, clustered: jackknife; Cochran-Mantel-Haenszel test, not corrected for several rows, NaN where ``p_value`` is for want of clusters), and
          ``compared_a, compared_b``: the share of each arm in strata that the other has too
        - with `always_valid` also ``always_low, always_high, always_p_value``: interval of the difference and p-value that hold at all
          looks together (a confidence sequence: Robbins's normal mixture), shared among the rows (Bonferroni)
        - ``sentence``: the same in words

        ``.attrs["outcome"]`` says what was compared. Where shares are known, ``.attrs["sample_ratio"]`` has ``counts``, ``shares`` and ``p_value`` (chi-squared) of the arms' sizes.

    Raises
    ------
    InputError
        If a column or a value is missing, the messages have an arm that `shares` does not, `always_valid` is no number of messages, or `adjust` names what is only known of the outcome.

    Notes
    -----
    Latencies are compared among the delivered only, cut at the same age in both arms; that a message arrives at all is
    the question of the rates. Messages of a batch are slow together as they fail together: the same clusters count, and mean ranks of
    clusters are compared as their rates are (Rosner, Glynn and Lee 2003; the medians' intervals: Woodruff 1952).

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
    compared = compared_outcome(data, outcome, uplinks, within)
    if compared.is_delivery and names[0] in OUTCOME_COLUMNS:
        raise InputError(
            "by={by!r} is part of the outcome: compare by what was known before sending, such as 'arm' or 'campaign'",
            by=by,
        )
    question = Question(names, (), filters)
    waited, source = waited_counts(compared.messages, question)
    is_empty = not waited.n.sum()
    pairs = _pairs(waited.groups[names[0]], names[0], a, b, data)
    alone = [] if pairs or waited.groups.empty else [_nothing_beside(names[0], waited.groups[names[0]])]
    asked = None if within is None else float(to_seconds(within))
    if pairs:
        question, waited = _of_pairs(question, waited, pairs, source)
        waited = compared.with_exact_ages(waited, question, asked)
    by_all = replace(question, by=list(dict.fromkeys([*names, *strata])))
    arms = _Arms(compared, by_all, filters, waited, cluster, strata)
    rows = [arms.compared(pair, asked) for pair in pairs]
    result = compared.named(_table(rows, (names[0], strata), _planned(always_valid), compared))
    notes = age_notes(arms.read_at, arms.of, compared.age_notes, is_asked=within is not None)
    notes += _cluster_notes(rows, cluster)
    notes += _latency_notes(rows)
    if compared.is_delivery:
        notes += outcome_notes(filters, ())
        notes += [MINUTES_ONLY] if any(counts.has_minutes_only() for counts in arms.at.values()) else []
    ratio_notes, ratio = checked_sizes(data, names[0], filters, shares)
    result = finished(
        result, source, where=filters, denominator=compared.denominator, notes=[*alone, *ratio_notes, *notes],
        is_empty=is_empty,
    )  # fmt: skip
    result.attrs |= {"adjust": strata, "outcome": outcome} | ({} if ratio is None else {"sample_ratio": ratio})
    return result


def _planned(asked: float) -> float | None:
    """Return how many messages an arm is to have in the end; None where no reading at any time is asked for."""
    if isinstance(asked, bool):
        return _USUAL_ARM if asked else None
    if not isinstance(asked, Real) or not 0 < asked < float("inf"):
        raise InputError(
            "always_valid={value!r}: say True, or how many messages an arm is to have in the end", value=asked
        )
    return float(asked)


def _refuse_outcomes(strata: Sequence[str]) -> None:
    known_later = [name for name in strata if name in OUTCOME_COLUMNS]
    if known_later:
        raise InputError(
            "adjust={name!r} is part of the outcome, so that within it nothing is left to compare: adjust for what was "
            "known before sending, such as 'carrier' or 'province'",
            name=known_later[0],
        )


def _pairs(values: pd.Series, by: str, a: object, b: object, data: Messages) -> list[tuple[Any, Any]]:
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
    if a is None:
        raise InputError("b={b!r} says what to compare with: say a= too", b=b)
    a, *named = [_as_kept(value, there) for value in (a, *(b if isinstance(b, (list, tuple)) else [b]))]
    wanted = [value for value in there if value != a] if b is None else named
    for value in [a, *wanted]:
        if value not in there:
            _refuse_silent(by, value, data)
            raise InputError(
                "no message has {by} = {value!r}; there are: {known}",
                by=by,
                value=value,
                known=there[:_ALL_PAIRS_OF] or "-",
            )
    if a in wanted:
        raise InputError("{by} = {value!r} is to be compared with itself: say another", by=by, value=a)
    return [(a, value) for value in wanted]


def _of_pairs(
    question: Question, waited: Counts, pairs: list[tuple[Any, Any]], source: MessageSource
) -> tuple[Question, Counts]:
    """Return the question, and the counts, of the values that are compared: the others need not be counted again."""
    name = question.by[0]
    compared = list(dict.fromkeys(value for pair in pairs for value in pair))
    # Values that the question is narrowed to already may be spelled otherwise than they are kept.
    if len(compared) == len(waited.groups) or source.column_kind(name) != "text" or name in question.where.values:
        return question, waited
    of_pairs = waited.taken(waited.keys[name].isin(compared).to_numpy(dtype=bool))
    return replace(question, where=question.where.also_in(name, compared)), of_pairs


def _refuse_silent(by: str, value: Any, data: Messages) -> None:
    """Raise if the value is an arm whose people got nothing: that it has no messages is no mistake of spelling."""
    if by == "arm" and isinstance(data, HoldsSilentArms) and value in set(data.held_out()["arm"]):
        raise InputError(
            "{value!r} is a silent arm: its people got no message that could arrive. What the others did because of theirs is said by "
            "uplift(store, events, …)",
            value=value,
        )


def _nothing_beside(by: str, values: pd.Series) -> Text:
    """Return why there is no pair."""
    known = values.dropna().tolist()
    if not known:
        return Text("no message has a value of {by}: there is nothing to compare", code="one_value", by=by)
    return Text(
        "all messages have {by} = {value!r}: there is nothing to compare it with",
        code="one_value",
        by=by,
        value=known[0],
    )


def _as_kept(value: Any, there: list[Any]) -> Any:
    """Return a name as the store keeps it, where no value is written just so."""
    return plain_name(value) if isinstance(value, str) and value not in there else value


@dataclass
class _Arms:
    """The counts of the arms' messages, `where` of all; each age is counted once. `read_at` keeps which values were read at which age."""

    outcome: ComparedOutcome
    question: Question
    where: Filters
    waited: Counts
    cluster: Cluster
    strata: Sequence[str]
    at: dict[float | None, Counts] = field(default_factory=dict)
    clusters_at: dict[float | None, ClusterCounts | None] = field(default_factory=dict)
    others_at: dict[float | None, FindOthers] = field(default_factory=dict)
    read_at: dict[float | None, list[Any]] = field(default_factory=dict)

    def compared(self, pair: tuple[Any, Any], asked: float | None) -> _Pair:
        """Return one row of the result, without what depends on the other rows."""
        age = asked if asked is not None else self.outcome.common_age(*(self.of([value]) for value in pair))
        self.read_at.setdefault(age, []).extend(pair)
        counts = self._counted(age)
        chosen = self._chosen(counts, pair)
        (ka, na), (kb, nb) = (_tally(counts, arm, age) for arm in chosen)
        values: dict[str, Any] = {"a": pair[0], "b": pair[1], "within_s": np.nan if age is None else age}
        timed = _timed(counts, age)
        clustered = self.clusters_at[age]
        if clustered is None:
            values |= latency_columns(counts, chosen, timed, None)
            return _Pair(values, PairRates(ka, na, kb, nb, None), self._strata(counts, chosen, age), None)
        rows = self._chosen(clustered.counts, pair)
        clusters = pair_clusters(clustered, rows, self.others_at[age])
        slow = None if clusters is None else slow_together(clustered, rows, clusters)
        values |= latency_columns(counts, chosen, timed, slow)
        cells = None
        if self.strata and clusters is not None:
            cells = stratified_cells(clustered, rows, clusters.cluster, self.strata)
        return _Pair(values, PairRates(ka, na, kb, nb, clusters), self._strata(counts, chosen, age), cells, slow)

    def of(self, values: list[Any]) -> Counts:
        """Return the messages of these values, counted by waiting time."""
        return self.waited.taken(self.waited.keys[self.question.by[0]].isin(values).to_numpy(dtype=bool))

    def _chosen(self, counts: Counts, pair: tuple[Any, Any]) -> tuple[Booleans, Booleans]:
        """Return the rows of each arm."""
        keys = counts.keys[self.question.by[0]]
        a, b = ((keys == value).to_numpy(dtype=bool, na_value=False) for value in pair)
        return a, b

    def _counted(self, age: float | None) -> Counts:
        if age not in self.at:
            where = replace(self.question.where, waited_at_least=None if age is None else int(age))
            question = replace(self.question, where=where)
            messages = self.outcome.messages
            counts, _ = count_messages(messages, question)
            self.at[age] = counts.taken(counts.accepted())
            cuts = latency_cuts(self.at[age], _timed(self.at[age], age))
            self.clusters_at[age] = cluster_counts(messages, question, self.cluster, age=age, cuts=cuts)
            self.others_at[age] = other_campaigns(messages, self.where, self.cluster, age)
        return self.at[age]

    def _strata(self, counts: Counts, chosen: tuple[Booleans, Booleans], age: float | None) -> list[Figures]:
        """Return delivered and accepted of a, and of b, by stratum."""
        if not self.strata:
            return []
        stratum, strata = group_rows(counts.keys[list(self.strata)])
        arrived = _arrived(counts, age)
        return [
            np.bincount(stratum[rows], weights=counts.n[rows], minlength=len(strata)).astype(float)
            for arm in chosen
            for rows in (arm & arrived, arm)
        ]


@dataclass(frozen=True)
class _Pair:
    """One row: what is known of it by itself, and what its interval and adjusted difference are computed from.

    `slow` is how much less its latencies tell, because messages of a cluster are slow together.
    """

    values: dict[str, Any]
    rates: PairRates
    strata: list[Figures]
    cells: StratifiedCells | None
    slow: ClusteredPair | None = None

    def adjusted(self, level: float) -> tuple[float, ...]:
        """Return the difference within strata with its interval and p-value, and the share of each arm that it compares."""
        ka, na, kb, nb = self.strata
        found = stratified_difference(
            ka, na, kb, nb, doubt=self.rates.doubt(level, sato_variance(ka, na, kb, nb), self.cells)
        )
        if self.rates.clusters is not None and not self.rates.clusters.is_tested:
            found = found._replace(p_value=float("nan"))
        both = (na > 0) & (nb > 0)
        shares = [float(n[both].sum() / n.sum()) if n.sum() else float("nan") for n in (na, nb)]
        return *found, *shares


def _tally(counts: Counts, arm: Booleans, age: float | None) -> tuple[int, int]:
    """Return an arm's delivered and accepted."""
    return int(counts.n[arm & _arrived(counts, age)].sum()), int(counts.n[arm].sum())


def _latency_notes(rows: list[_Pair]) -> list[Text]:
    """Return why latencies have no p-value where rates have none."""
    few = [pair for pair in rows if pair.slow is not None and not pair.slow.is_enough]
    if not any(np.isfinite(pair.values["median_difference_s"]) for pair in few):
        return []
    return [
        Text(
            "latencies have no p-value: fewer than five batches (or days of campaigns) on a side, or so unequal ones that they count as "
            "fewer, do not tell how much these differ in speed",
            code="latency_few_clusters",
        )
    ]


def _cluster_notes(rows: list[_Pair], cluster: Cluster) -> list[Text]:
    """Return what to know of messages that fail together."""
    told = [pair.rates.clusters for pair in rows if pair.rates.clusters is not None]
    notes = clustered_note(np.array([clusters.found.effect for clusters in told]))
    if any(clusters.is_apart for clusters in told):
        notes.append(_APART)
    return notes if cluster is None or len(told) == len(rows) else [*notes, UNCLUSTERED]


def _arrived(counts: Counts, age: float | None) -> Booleans:
    delivered: Booleans = counts.status == Status.delivered
    return delivered if age is None else delivered & ~(counts.seconds > age)


def _timed(counts: Counts, age: float | None) -> Booleans:
    """Return the rows whose latency is compared."""
    return _arrived(counts, age) & ~np.isnan(counts.seconds)


def _table(
    rows: list[_Pair], asked: tuple[str, list[str]], planned: float | None, outcome: ComparedOutcome
) -> pd.DataFrame:
    """Return the rows with what depends on how many they are: the corrected p-values, and the intervals of the same level."""
    import pandas as pd

    by, strata = asked
    p_adjusted = holm(np.array([pair.rates.p_value for pair in rows], dtype=float))
    tested = int(np.sum(~np.isnan(p_adjusted))) or len(rows)
    level = 1 - _SIGNIFICANT / max(tested, 1)
    values: list[dict[str, Any]] = []
    for pair, p_value in zip(rows, p_adjusted, strict=True):
        row = {**pair.values, **pair.rates.columns(level, p_value), "p_adjusted": p_value}
        row |= dict(zip(_ADJUSTED, pair.adjusted(level), strict=True)) if strata else {}
        spoken = {side: group_label([by], [row[side]]) for side in ("a", "b")}
        said = sentence({**row, **spoken}, [column_name(one) for one in strata], pair.rates.clusters, outcome.words)
        if planned is not None:
            row |= dict(zip(_ALWAYS, pair.rates.always_valid(planned, 1 - level), strict=True))
            said = always_sentence(row, said)
        values.append({**row, "sentence": said})
    adjusted = [*(_ADJUSTED if strata else ()), *(_ALWAYS if planned is not None else ())]
    before, last = COMPARE_COLUMNS[:-1], COMPARE_COLUMNS[-1]
    table = pd.DataFrame(values, columns=[*before, *adjusted, last])
    table["latency_p_adjusted"] = holm(table["latency_p_value"].astype(float))
    return table.astype({last: "str"})
