"""Why a rate changed: which cells account for it, by their share (mix) and by their own rate.

Source: E. M. Kitagawa (1955), JASA 50:1168-1194. A cell's mix effect is its change in share times its mean rate's distance
from the overall mean rate, so that a cell that merely became smaller is blamed only if it was better than the others;
summed over the cells this is Kitagawa's composition effect. The contributions add up to the change exactly.

Their intervals are by the delta method, taken with one delivered and one failed message more in the cell on each side, as
A. Agresti and B. Caffo (2000), The American Statistician 54:280-288, do for the difference of two rates.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from masanalytics.aliases import Columns, Figures, Filter, Instant, Length, Messages, Numbers
from masanalytics.analysis.clusters import (
    UNCLUSTERED,
    Cluster,
    ClusterCounts,
    GroupClusters,
    cluster_counts,
    clustered_note,
    places_among,
)
from masanalytics.analysis.contributions import Side, clustered_variance, contribution_variance
from masanalytics.analysis.dimensions import as_names, late_dimension
from masanalytics.analysis.empty_answers import why_empty
from masanalytics.analysis.equal_age import (
    are_settled,
    common_age,
    equal_age_notes,
    waited_counts,
    with_exact_ages,
)
from masanalytics.analysis.filter_checks import OUTCOME_COLUMNS, outcome_notes
from masanalytics.analysis.filter_values import status_numbers
from masanalytics.analysis.filters import Filters, to_instant, to_seconds
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.results import finished, refuse_taken_names
from masanalytics.analysis.sources import as_source, asks_once
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments
from masanalytics.stats.clusters import clustered_pair, student_quantiles
from masanalytics.stats.enough_clusters import effective_clusters, is_enough
from masanalytics.stats.proportions import Z95, benjamini_hochberg, newcombe, student_p_value
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CHANGE_COLUMNS", "explain_change"]


CHANGE_COLUMNS = (
    "share_before", "share_after", "rate_before", "rate_after", "mix_effect", "rate_effect", "contribution", "low", "high",
    "p_value", "q_value", "clusters", "design_effect", "leading_codes",
)  # fmt: skip
_KINDS_OF_FAILURE = ("category", "error_code", "report_status")
_WORST_CELLS = 5
_FALSE_DISCOVERIES = 0.05
_LEADING_CODES = 3


@named_arguments
@asks_once
def explain_change(
    before: Messages,
    after: Messages | None = None,
    by: Columns = "carrier",
    *,
    at: Instant | None = None,
    within: Length | None = None,
    cluster: Cluster = "auto",
    **where: Filter,
) -> pd.DataFrame:
    """Return which cells account for the change of the delivery rate, most harmful first.

    Parameters
    ----------
    before, after : Store, or DataFrame of messages (pandas, polars, DuckDB, Spark)
        Need ``status, latency_s`` (or ``submitted_at, received_at``), ``waited_s`` and the columns of `by`;
        ``error_code`` where there is one. Without `after`, `before` is cut in two at `at`.
    by : str or sequence of str
        The dimensions of the cells, as for `delivery_rates`: ``["carrier", "province"]``, also ``"category"``.
    at : str, datetime or epoch seconds, optional
        The time of submission at which `before` is cut, China time: ``explain_change(store, at="2026-01-05")``.
    within : str, timedelta or number of seconds, optional
        The age to compare at; by default the shortest observed age of both sides (see `compare`).
    cluster : "auto", str, sequence of str or None
        What may fail together: as for `compare`, batches where all messages are of one campaign, else days of campaigns.
    **where
        As for `delivery_rates`; applies to both sides.

    Returns
    -------
    DataFrame
        One row a cell, the largest loss first. After `by`:

        - ``share_before, share_after``: of all accepted; ``rate_before, rate_after``: delivered / accepted (NaN where the
          cell has no messages)
        - ``mix_effect``: by the change of its share; ``rate_effect``: by the change of its own rate
        - ``contribution`` = both; ``low, high``: its 95 % interval (delta method, for few messages as Agresti and Caffo have
          it, wider by the ``design_effect`` of its ``clusters``). The contributions add up to the change
        - ``p_value``, and ``q_value`` over all cells (Benjamini and Hochberg): of the cells with ``q_value`` up to 0.05 at most
          5 % are expected to be chance. Both NaN with fewer than five clusters on a side
        - ``leading_codes`` (text): of the five worst cells, the error codes whose share grew most, in points

        ``.attrs["change"]``: ``rate_before, rate_after, change, low, high`` (Newcombe), ``design_effect`` and ``mix_effect,
        rate_effect``. A note says how many cells are beyond chance.

    Raises
    ------
    InputError
        If a column is missing, or there is nothing to compare with.

    Examples
    --------
    >>> import pandas as pd
    >>> def week(mobile, unicom):
    ...     parts = [("China Mobile", *mobile), ("China Unicom", *unicom)]
    ...     rows = [(c, s) for c, n, k in parts for s in ["delivered"] * k + ["failed"] * (n - k)]
    ...     return pd.DataFrame(rows, columns=["carrier", "status"]).assign(latency_s=5, waited_s=300_000)
    >>> found = explain_change(week((80, 76), (20, 18)), week((60, 57), (40, 28)))
    >>> found[["carrier", "mix_effect", "rate_effect", "contribution"]].round(3).values.tolist()
    [['China Unicom', -0.019, -0.06, -0.079], ['China Mobile', -0.011, 0.0, -0.011]]
    >>> round(found.attrs["change"]["change"], 3)
    -0.09
    """
    names = as_names(by)
    refuse_taken_names(names, CHANGE_COLUMNS)
    outcomes = [name for name in names if name in OUTCOME_COLUMNS and name not in _KINDS_OF_FAILURE]
    if outcomes:
        raise InputError(
            "by={by!r} is the outcome itself: explain by what was known before sending, such as 'carrier', or by 'category'",
            by=outcomes[0],
        )
    sides = _sides(before, after, at, Filters.parse(where))
    waited = _waited(sides, within)
    if after is None:
        _refuse_empty(waited, at)
    age = common_age(*waited) if within is None else float(to_seconds(within))
    # Asked first: without clusters the counts are the same, added up.
    clustered = _by_cluster(sides, names, age, cluster)
    counts = [_at_age(data, Question(names, (), filters), age) for data, filters in sides]
    cells, tables = _cells(counts, names)
    clusters = None if clustered is None else _side_clusters(clustered, names, cells)
    result, change = _decomposed(cells, *tables, clusters=clusters)
    order = np.argsort(result["contribution"].to_numpy(), kind="stable")
    contribution = result["contribution"].to_numpy()
    codes = _leading_codes([_failed_at_age(*side, names, age) for side in sides], tables, cells, order, contribution)
    result = result.assign(leading_codes=codes).iloc[order].reset_index(drop=True)
    source = as_source(sides[1][0])
    notes = [*equal_age_notes(age, *waited, asked=within is not None), *_cell_notes(result, cluster, clusters)]
    notes += [*outcome_notes(sides[1][1], ()), *_one_sided(sides, waited)]
    result = finished(result, source, where=sides[1][1], notes=notes)
    result.attrs["change"] = change
    result.attrs["within_s"] = age
    return result


def _sides(
    before: Messages, after: Messages | None, at: Instant | None, where: Filters
) -> list[tuple[Messages, Filters]]:
    if after is not None and at is None:
        return [(before, where), (after, where)]
    if after is None and at is not None:
        cut = to_instant(at)
        until = cut if where.until is None else min(cut, where.until)
        since = cut if where.since is None else max(cut, where.since)
        return [(before, replace(where, until=until)), (before, replace(where, since=since))]
    raise InputError(
        "say what to compare with: explain_change(before, after), or explain_change(data, at='2026-01-05')"
    )


def _waited(sides: list[tuple[Messages, Filters]], within: Length | None) -> list[Counts]:
    """Return both sides counted by waiting time, exactly where an age is read."""
    asked = None if within is None else float(to_seconds(within))
    questions = [(data, Question((), (), filters)) for data, filters in sides]
    waited = [waited_counts(data, question)[0] for data, question in questions]
    if asked is None and are_settled(*waited):
        return waited
    return [
        with_exact_ages(data, question, part, at=asked, has_youngest=asked is None)
        for (data, question), part in zip(questions, waited, strict=True)
    ]


def _refuse_empty(waited: list[Counts], at: Instant | None) -> None:
    """Raise if all messages were submitted on one side of the cut."""
    before, after = (int(part.n.sum()) for part in waited)
    if bool(before) == bool(after):
        return
    if before:
        raise InputError(
            "at={at!r}: all {count:,} messages were submitted before it, so there is nothing to compare",
            at=at,
            count=before,
        )
    raise InputError(
        "at={at!r}: no message was submitted before it and {count:,} were after, so there is nothing to compare",
        at=at,
        count=after,
    )


def _one_sided(sides: list[tuple[Messages, Filters]], waited: list[Counts]) -> list[Text]:
    """Return why there is nothing on one of the sides."""
    empty = [place for place, part in enumerate(waited) if not part.n.sum()]
    if len(empty) != 1:
        return []
    data, filters = sides[empty[0]]
    why = why_empty(as_source(data), filters)
    if empty[0]:
        return [Text("there is nothing to compare with afterwards: {why}", code="one_sided", why=why)]
    return [Text("there is nothing to compare with before: {why}", code="one_sided", why=why)]


def _at_age(data: Messages, question: Question, age: float | None) -> Counts:
    """Return the accepted messages as far as was known of each at the age; its seconds are not asked for."""
    where = replace(question.where, waited_at_least=None if age is None else int(age))
    lateness = [] if age is None else [late_dimension(int(age))]
    also = (*question.also, *lateness)
    counts, _ = count_messages(data, replace(question, also=also, where=where, seconds=None))
    counts = counts.taken(counts.accepted())
    if age is None:
        return counts
    # What is only known later than the age compared at is not known in either side.
    late = (counts.keys[lateness[0]].to_numpy(dtype=np.int64, na_value=0) == 1) & (counts.status != Status.pending)
    outcome = [name for name in counts.keys.columns if name in _KINDS_OF_FAILURE]
    keys = counts.keys.assign(**{name: counts.keys[name].mask(late) for name in outcome})
    return Counts(keys, np.where(late, int(Status.pending), counts.status), counts.seconds, counts.n, counts.by)


def _failed_at_age(data: Messages, filters: Filters, names: list[str], age: float | None) -> Counts | None:
    """Return the messages that had failed by the age, by error code; None where there are no codes."""
    source = as_source(data)
    if "error_code" not in source.message_columns():
        return None
    spelled = int(Status.failed) if source.column_kind("status") == "number" else Status.failed.name
    asked = filters.values.get("status")
    chosen = (spelled,) if asked is None or Status.failed in status_numbers(asked) else ()
    where = replace(filters, values={**filters.values, "status": chosen})
    counts = _at_age(data, Question(names, ("error_code",), where), age)
    return counts.taken(counts.status == Status.failed)


def _by_cluster(
    sides: list[tuple[Messages, Filters]], names: list[str], age: float | None, cluster: Cluster
) -> list[ClusterCounts] | None:
    """Return both sides counted by what may fail together; None where nothing tells."""
    counted = []
    for data, filters in sides:
        where = replace(filters, waited_at_least=None if age is None else int(age))
        found = cluster_counts(data, Question(names, (), where), cluster, age=age)
        if found is None:
            return None
        counted.append(found)
    return counted


def _side_clusters(counted: list[ClusterCounts], names: list[str], cells: pd.DataFrame) -> list[GroupClusters] | None:
    """Return both sides by cell and cluster: batches where all is one campaign, else days of campaigns; None where nothing tells."""
    import pandas as pd

    known = [part.counts.keys["campaign"] for part in counted if "campaign" in part.counts.keys]
    is_several = bool(known) and pd.concat(known).nunique(dropna=False) > 1
    result = []
    for part in counted:
        code = part.asked if part.asked is not None else part.unit if is_several else part.batch
        if code is None:
            return None
        keys = part.counts.keys[names]
        outcome = [name for name in names if name in _KINDS_OF_FAILURE]
        keys = keys.assign(**{name: keys[name].mask(part.late) for name in outcome})
        result.append(part.cells(places_among(cells[names], keys), code))
    return result


def _cell_notes(result: pd.DataFrame, cluster: Cluster, clusters: list[GroupClusters] | None) -> list[Text]:
    """Return how many cells are beyond chance, or why that is not told."""
    if not len(result) or result["contribution"].isna().all():
        return []
    notes = [UNCLUSTERED] if clusters is None and cluster is not None else []
    if result["q_value"].isna().all():
        return [
            *notes,
            Text(
                "fewer than five batches (or days of campaigns) on a side, or so unequal ones that they count as fewer, do not tell how "
                "much they differ without a cause: which cells are beyond chance is not said",
                code="few_clusters",
            ),
        ]
    beyond = int((result["q_value"] <= _FALSE_DISCOVERIES).sum())
    found = Text(
        "{count:,} of {total:,} cells is beyond chance",
        "{count:,} of {total:,} cells are beyond chance",
        code="beyond_chance",
        count=beyond,
        total=len(result),
    )
    if not beyond:
        found = Text("none of {total:,} cells is beyond chance", code="beyond_chance", total=len(result))
    return [*notes, *clustered_note(result["design_effect"].to_numpy(dtype=float)), found]


def _cells(counts: list[Counts], names: list[str]) -> tuple[pd.DataFrame, list[tuple[Figures, Figures]]]:
    """Return the cells of both sides, and each side's accepted and delivered by cell."""
    import pandas as pd

    both = pd.concat([part.keys[names] for part in counts], ignore_index=True)
    cell, cells = group_rows(both)
    places = np.split(cell, [len(counts[0].n)])
    tables = []
    for part, place in zip(counts, places, strict=True):
        arrived = part.status == Status.delivered
        accepted = np.bincount(place, weights=part.n, minlength=len(cells)).astype(float)
        delivered = np.bincount(place[arrived], weights=part.n[arrived], minlength=len(cells)).astype(float)
        tables.append((accepted, delivered))
    return cells, tables


def _decomposed(
    cells: pd.DataFrame,
    before: tuple[Figures, Figures],
    after: tuple[Figures, Figures],
    *,
    clusters: list[GroupClusters] | None = None,
) -> tuple[pd.DataFrame, dict[str, float]]:
    import pandas as pd

    share0, share1 = (_ratio(n, np.full(len(n), n.sum())) for n, _ in (before, after))
    rate0, rate1 = (_ratio(k, n) for n, k in (before, after))
    whole0, whole1 = (float(k.sum() / n.sum()) if n.sum() else np.nan for n, k in (before, after))
    middle = (whole0 + whole1) / 2
    # A cell that is new (or gone) has one rate only: all of its contribution is mix.
    there0, there1 = np.where(np.isnan(rate0), rate1, rate0), np.where(np.isnan(rate1), rate0, rate1)
    mix = (share1 - share0) * ((there0 + there1) / 2 - middle)
    own = (there1 - there0) * (share0 + share1) / 2
    sure = _sureness(before, after, clusters)
    columns = {
        "share_before": share0, "share_after": share1, "rate_before": rate0, "rate_after": rate1, "mix_effect": mix,
        "rate_effect": own, "contribution": mix + own, "low": np.minimum(sure.low, mix + own),
        "high": np.maximum(sure.high, mix + own), "p_value": sure.p_value, "q_value": benjamini_hochberg(sure.p_value),
        "clusters": sure.clusters, "design_effect": sure.effect,
    }  # fmt: skip
    change = {"rate_before": whole0, "rate_after": whole1, "change": whole1 - whole0} | _whole(before, after, clusters)
    change |= {"mix_effect": float(np.sum(mix)), "rate_effect": float(np.sum(own))}
    return pd.concat([cells, pd.DataFrame(columns, index=cells.index)], axis=1), change


def _whole(
    before: tuple[Figures, Figures], after: tuple[Figures, Figures], clusters: list[GroupClusters] | None
) -> dict[str, float]:
    """Return the interval of the whole change and its design effect, by the clusters of both sides."""
    (n0, k0), (n1, k1) = ((float(n.sum()), float(k.sum())) for n, k in (before, after))
    effects, z, effect = (1.0, 1.0), Z95, np.nan
    if clusters is not None:
        (na, ka), (nb, kb) = (side.totals() for side in clusters)
        none_a, none_b = np.zeros(len(na)), np.zeros(len(nb))
        parts = ((na, none_b), (ka, none_b), (none_a, nb), (none_a, kb))
        found = clustered_pair(*(np.concatenate(part) for part in parts))
        effects, z, effect = (found.effect_a, found.effect_b), found.quantile(0.95), found.effect
    low, high = newcombe(k1 / effects[1], n1 / effects[1], k0 / effects[0], n0 / effects[0], z)
    return {"low": float(low), "high": float(high), "design_effect": effect}


def _ratio(part: Figures, whole: Figures) -> Figures:
    some = whole > 0
    return np.where(some, part / np.where(some, whole, 1), np.nan)


class _Sureness(NamedTuple):
    """How sure each cell's contribution is."""

    low: Figures
    high: Figures
    p_value: Figures
    effect: Figures
    clusters: Numbers


def _sureness(
    before: tuple[Figures, Figures], after: tuple[Figures, Figures], clusters: list[GroupClusters] | None
) -> _Sureness:
    """Return bounds and p-value of each contribution, with one delivered and one failed message more on each side.

    20 of 20 are no proof of 100 %: the delta method by itself would call them one, and the interval a point.
    """
    cells = len(before[0])
    unknown, none = np.full(cells, np.nan), np.zeros(cells, dtype=np.int64)
    if not before[0].sum() or not after[0].sum():
        return _Sureness(unknown, unknown, unknown, unknown, none)
    sides = [Side(n + 2, k + 1, n.sum() + 2, k.sum() + 1) for n, k in (before, after)]
    middle = sum(side.all_delivered / side.total for side in sides) / 2
    moved = sides[1].accepted / sides[1].total - sides[0].accepted / sides[0].total
    there = [(side.delivered - middle * side.accepted) / side.total for side in sides]
    contribution = there[1] - there[0]
    plain = [contribution_variance(moved, middle, side, sign=sign) for side, sign in zip(sides, (-1, 1), strict=True)]
    independent = plain[0] + plain[1]
    variance, freedom, effect, is_told = independent, np.full(cells, np.inf), unknown, True
    if clusters is not None:
        none = np.bincount(np.concatenate([side.group for side in clusters]), minlength=cells)
        is_told = all(is_enough(side.clusters, effective_clusters(side.totals()[0])) for side in clusters)
    if clusters is not None and is_told:
        exact = [Side(n, k, n.sum(), k.sum()) for n, k in (before, after)]
        variance = np.zeros(cells)
        for own, side, part, sign in zip(plain, exact, clusters, (-1, 1), strict=True):
            of_messages = contribution_variance(moved, middle, side, sign=sign)
            of_clusters = clustered_variance(moved, middle, side, part, sign=sign)
            variance = variance + own * _times(of_messages, of_clusters)
        effect = variance / independent
        with np.errstate(divide="ignore"):
            more = np.where(effect > 1, effect / (effect - 1), np.inf)
        freedom = (sum(side.clusters for side in clusters) - 2) * more
    half = student_quantiles(0.975, freedom) * np.sqrt(variance)
    p_value = (
        unknown
        if not is_told
        else np.array([student_p_value(t, df) for t, df in zip(contribution / np.sqrt(variance), freedom, strict=True)])
    )
    return _Sureness(np.maximum(contribution - half, -1.0), np.minimum(contribution + half, 1.0), p_value, effect, none)


def _times(plain: Figures, clustered: Figures) -> Figures:
    """Return by how much clusters make a variance larger, 1 at least."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(plain > 0, np.maximum(clustered / plain, 1.0), 1.0)


def _leading_codes(
    failed: list[Counts | None],
    tables: list[tuple[Figures, Figures]],
    cells: pd.DataFrame,
    order: Numbers,
    contribution: Figures,
) -> pd.Series:
    """Return, for the worst cells, the error codes whose share of the cell grew most."""
    import pandas as pd

    texts: list[str | None] = [None] * len(cells)
    known = [part for part in failed if part is not None]
    if len(known) < len(failed):
        return pd.Series(texts, dtype="str")
    wanted = [int(cell) for cell in order[:_WORST_CELLS] if contribution[cell] < 0]
    shares = [_code_shares(part, accepted, cells) for part, (accepted, _) in zip(known, tables, strict=True)]
    for cell in wanted:
        grown = {
            code: share - shares[0].get((cell, code), 0.0) for (at, code), share in shares[1].items() if at == cell
        }
        top = sorted(grown.items(), key=lambda item: (-item[1], item[0]))[:_LEADING_CODES]
        texts[cell] = ", ".join(f"{code} {100 * share:+.1f}" for code, share in top if share > 0) or None
    return pd.Series(texts, dtype="str")


def _code_shares(failed: Counts, accepted: Figures, cells: pd.DataFrame) -> dict[tuple[int, str], float]:
    """Return (cell, error code) -> share of the cell's `accepted` messages that failed with it."""
    cell = places_among(cells, failed.keys)
    codes = failed.keys["error_code"].astype("str").fillna("-")
    shares: dict[tuple[int, str], float] = {}
    for at, code, n in zip(cell.tolist(), codes.tolist(), failed.n.tolist(), strict=True):
        if at >= 0:
            shares[at, code] = shares.get((at, code), 0.0) + n / accepted[at]
    return shares
