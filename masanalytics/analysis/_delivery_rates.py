"""Delivery rates: what arrived, what is still open, and where it will end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from masanalytics.aliases import Columns, Figures, Filter, Length, Messages, Numbers
from masanalytics.analysis.clusters import (
    Cluster,
    ClusterCounts,
    cluster_columns,
    cluster_counts,
    clustered_note,
    few_clusters_note,
    widened,
)
from masanalytics.analysis.dimensions import WINDOW, as_names
from masanalytics.analysis.expectation import Expectation
from masanalytics.analysis.filter_checks import outcome_notes
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.forecast import expected_ends
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.matured_history import MaturedHistory, matured_history
from masanalytics.analysis.results import MINUTES_ONLY, finished, refuse_taken_names
from masanalytics.analysis.sources import asks_once
from masanalytics.analysis.young_messages import young_messages
from masanalytics.errors import InputError
from masanalytics.formatting import duration_text, percent
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments
from masanalytics.paths import full_path
from masanalytics.stats.enough_clusters import LEAST_CLUSTERS
from masanalytics.stats.proportions import wilson
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RATE_COLUMNS", "delivery_rates", "rate_columns"]


RATE_COLUMNS = (
    "accepted", "delivered", "failed", "pending", "unreported", "delivery_rate", "low", "high", "most",
    "expected_rate", "expected_low", "expected_high", "horizon_s", "clusters", "design_effect",
)  # fmt: skip


@named_arguments
@asks_once
def delivery_rates(
    data: Messages,
    by: Columns | None = None,
    *,
    within: Length | None = None,
    history: Messages | Literal["auto"] | None = "auto",
    total: bool = False,
    cluster: Cluster = "auto",
    console: bool = False,
    **where: Filter,
) -> pd.DataFrame:
    """Return how much of what the platform accepted was delivered, and where that will end.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``status, latency_s`` (or ``submitted_at, received_at``), ``waited_s`` and the columns of `by`.
    by : str or sequence of str, optional
        Columns, or ``day``, ``hour``, ``weekday`` (of ``submitted_at``, China time), ``prefix``, ``category``. Without
        it the result is one row.
    within : str, timedelta or number of seconds, optional
        Such as ``"10min"``. Only messages observed that long count, and as delivered (failed) only those delivered
        (failed) within it: rates at equal age. What came later counts as ``pending`` at that age.
    history : "auto", Store, DataFrame, folder of an export, list of these, or None
        Matured messages of the same account, which carry ``expected_rate`` on beyond what was observed. ``"auto"``:
        those of `data` itself, whatever the filters leave of it; None: none.
    total : bool
        Append a row of all groups together; its text dimensions say ``total``, others are missing.
    cluster : "auto", str, sequence of str or None
        What may fail together, and so makes the interval of ``delivery_rate`` wider: ``"auto"`` is the batch in a group of
        one campaign, the campaign's day in a group of several; columns or dimensions of your own; None: each message by
        itself.
    console : bool
        Add ``reported`` (int: delivered + failed) and ``console_rate`` (delivered / reported; NaN where nothing was), which is
        the rate that the platform's own page shows, and a note that says why it is another.
    **where
        ``since=``, ``until=`` (of ``submitted_at``: from, before) and any column: ``campaign="spring"``,
        ``carrier=["China Mobile", "China Unicom"]``. Columns whose names are not Python names go into ``where={...}``.

    Returns
    -------
    DataFrame
        One row a group, in the order of its values, missing ones last; no rows if there are no messages. After `by`:

        - ``accepted`` (int) = ``delivered + failed + pending + unreported`` (no report after 72 h of coverage)
        - ``delivery_rate, low, high`` (float): delivered / accepted with Wilson's 95 % interval, at the number of
          messages divided by the ``design_effect``; NaN if none accepted
        - ``most``: the rate if all pending arrived (``delivery_rate`` is the one if none did); of messages that are pending
          only because an answer is known to be missing, as many as it can hold
        - ``expected_rate, expected_low, expected_high``: where the rate of messages like these ends, with a 95 % interval
          (Aalen-Johansen; beyond what was observed, chain ladder over past campaigns of the kind, of which this is taken as
          one more). Where neither reaches, the rate is NaN and the two others are bounds: all that is pending fails, or arrives
        - ``horizon_s``: seconds after submission up to which the messages themselves tell, seven days at most
        - ``clusters``: batches (or days of campaigns) with messages, 0 where nothing tells them; ``design_effect``: how
          many times as much their rates vary as those of independent messages would, 1 at least (Rao and Scott); NaN with
          fewer than five, or where one outweighs the others, which do not tell: the interval is then that of independent
          messages, and a note says so

        ``.attrs``: see `masanalytics.analysis.results`; ``expected_reason`` says, by index label, why an
        ``expected_rate`` is NaN.

    Raises
    ------
    InputError
        If a column is missing, naming it and the nearest names.

    Notes
    -----
    The interval of ``expected_rate`` is for the rate that messages like these have, as Wilson's is: with every report
    in, both are the same.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "status": ["delivered", "delivered", "failed", "pending"],
    ...     "latency_s": [3, 40, 9, None],
    ...     "waited_s": [900, 900, 900, 900],
    ... })
    >>> found = delivery_rates(messages)
    >>> found[["accepted", "delivered", "failed", "pending", "delivery_rate", "most"]].values.tolist()
    [[4.0, 2.0, 1.0, 1.0, 0.5, 0.75]]
    >>> delivery_rates(messages, within="10s")[["delivered", "failed", "pending"]].values.tolist()
    [[1, 1, 2]]
    """
    names = as_names(by)
    refuse_taken_names(names, [*RATE_COLUMNS, *(("reported", "console_rate") if console else ())])
    age = None if within is None else to_seconds(within)
    filters = Filters.parse(where, waited_at_least=age)
    question = Question(names, ("carrier", WINDOW), filters)
    counts, source = count_messages(data, question)
    past = _asked_once(history, data, counts, filters.values.get("account"))
    clusters = _clusters(data, Question(names, (), filters), cluster, counts, age)
    expected = partial(expected_ends, history=past, detail=young_messages(data, question, counts))
    groups, expectation = _rows(counts, expected, age, clusters)
    sizes = [len(groups)]
    if total and len(groups):
        import pandas as pd

        below, expected_below = _rows(counts.regrouped([]), expected, age, clusters)
        groups = pd.concat([groups, _labelled(below, groups, names)], ignore_index=True)
        expectation = expectation.followed_by(expected_below)
        sizes.append(1)
    chosen = outcome_notes(filters, names)
    forecast_notes = chosen or expectation.all_notes()
    result = finished(
        groups,
        source,
        where=filters,
        notes=[*_notes(counts, age), *_cluster_notes(groups), *forecast_notes],
        counted=groups["accepted"].tolist(),
    )
    if console:
        _add_console(result, sizes[0])
    result.attrs["within_s"] = age
    result.attrs["expected_reason"] = expectation.reasons()
    if chosen:  # of messages chosen by their outcome no end can be forecast
        _forget_expected(result, chosen[0].code, sizes[0] if chosen[0].code == "outcome_groups" else len(result))
    return result


def _forget_expected(result: pd.DataFrame, code: str, rows: int) -> None:
    """Say nothing of where the first `rows` will end, because of `code`."""
    result.loc[result.index[:rows], ["expected_rate", "expected_low", "expected_high"]] = np.nan
    result.attrs["expected_reason"] |= dict.fromkeys(map(str, result.index[:rows]), code)


def _cluster_notes(rows: pd.DataFrame) -> list[Text]:
    """Return where messages fail together, and where nothing tells whether they do."""
    effect = rows["design_effect"].to_numpy(dtype=float)
    clusters, accepted = (rows[name].to_numpy(dtype=np.int64) for name in ("clusters", "accepted"))
    return [*clustered_note(effect), *few_clusters_note(clusters, effect, accepted)]


def _add_console(result: pd.DataFrame, groups: int) -> None:
    """Add what the platform's page would show, and why that is not the rate; the first `groups` rows are all messages."""
    reported = result["delivered"] + result["failed"]
    result["reported"] = reported
    result["console_rate"] = np.where(reported > 0, result["delivered"] / reported.where(reported > 0, 1), np.nan)
    for note in console_notes(result.iloc[:groups]):
        result.attrs["notes"].append(note.as_json())


def console_notes(rates: pd.DataFrame) -> list[Text]:
    """Return what the platform's page would show of all these rows together, where that is another number; at most one note.

    Examples
    --------
    >>> import pandas as pd
    >>> print(*console_notes(pd.DataFrame({"accepted": [1000], "delivered": [918], "failed": [37]})))
    the platform's page would show 96.1% here; ours is 91.8%, because 4.5% have no report yet
    """
    accepted, delivered, failed = (int(rates[name].sum()) for name in ("accepted", "delivered", "failed"))
    if not delivered + failed or delivered + failed == accepted:
        return []
    return [
        Text(
            "the platform's page would show {shown} here; ours is {rate}, because {open} have no report yet",
            code="console",
            shown=percent(delivered / (delivered + failed)),
            rate=percent(delivered / accepted),
            open=percent((accepted - delivered - failed) / accepted),
        )
    ]


def rate_columns(counts: Counts, age: int | None = None) -> dict[str, Any]:
    """Return ``accepted`` to ``most`` of each group, at `age` seconds or as they stand."""
    in_time = np.ones(len(counts.n), dtype=bool) if age is None else ~(counts.seconds > age)
    delivered = counts.tally((counts.status == Status.delivered) & in_time)
    failed = counts.tally((counts.status == Status.failed) & in_time)
    accepted = counts.tally(counts.accepted())
    unreported = counts.tally(counts.unreported())
    pending = accepted - delivered - failed - unreported
    may_arrive = pending
    set_aside = np.minimum(unreported, counts.room[1])
    if age is None:
        hidden = counts.tally(counts.hidden())
        may_arrive = pending - hidden + np.minimum(hidden, counts.room[0]) + set_aside
    else:  # observed for so long without a hole: but for single records that could not be read, nothing is missing
        may_arrive = pending + set_aside
    low, high = wilson(delivered, accepted)
    some = accepted > 0
    of = np.where(some, accepted, 1)

    def rate(n: Numbers) -> Figures:
        return np.where(some, n / of, np.nan)

    return {
        "accepted": accepted, "delivered": delivered, "failed": failed, "pending": pending, "unreported": unreported,
        "delivery_rate": rate(delivered), "low": low, "high": high, "most": rate(delivered + may_arrive),
    }  # fmt: skip


def _clusters(
    data: Messages, question: Question, cluster: Cluster, counts: Counts, age: int | None
) -> ClusterCounts | None:
    """Return the messages counted by cluster, where a group is large enough for its clusters to tell something."""
    largest = int(counts.tally(counts.accepted()).max(initial=0))
    if cluster == "auto" and largest < LEAST_CLUSTERS:
        return None
    return cluster_counts(data, question, cluster, age=age)


def _rows(
    counts: Counts, ends: Callable[[Counts], Expectation], age: int | None, clusters: ClusterCounts | None
) -> tuple[pd.DataFrame, Expectation]:
    import pandas as pd

    expectation = ends(counts)
    rates = rate_columns(counts, age)
    expected, clustered = expectation.columns(), cluster_columns(clusters, counts.groups, rates)
    if age is not None and counts.room[1]:  # whose report could not be read may have had it in time
        silent = rates["accepted"] - rates["delivered"] - rates["failed"]
        at_most = {**rates, "delivered": rates["delivered"] + np.minimum(silent, counts.room[1])}
        clustered["high"] = cluster_columns(clusters, counts.groups, at_most)["high"]
    bounds = widened(clustered["low"], clustered["high"], expected, rates)
    columns = {**rates, **expected, **bounds, **clustered}
    return pd.concat([counts.groups, pd.DataFrame(columns, index=counts.groups.index)], axis=1), expectation


def _asked_once(
    history: Messages | Literal["auto"] | None, data: Messages, counts: Counts, account: tuple[Any, ...] | None
) -> Callable[[], MaturedHistory | None]:
    """Return what finds the history when a group needs it: looking for it costs a second count."""
    if isinstance(history, str) and history != "auto" and not full_path(history, "history").is_dir():
        raise InputError(
            "history={history!r}: give 'auto', None, or a Store, frame or folder of matured messages",
            history=history,
        )

    @cache
    def find() -> MaturedHistory | None:
        by_carrier = "carrier" in counts.keys.columns
        return matured_history(history, data, by_carrier=by_carrier, account=account)

    return find


def _labelled(row: pd.DataFrame, groups: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the total row with its dimensions said to be ``total``, or missing where they are not text."""
    import pandas as pd

    labels = {}
    for name in names:
        dtype = groups[name].dtype
        if isinstance(dtype, pd.CategoricalDtype):
            dtype = dtype.categories.dtype
        is_object = pd.api.types.is_object_dtype(dtype)
        text = (
            groups[name].map(lambda value: isinstance(value, str)).any()
            if is_object
            else pd.api.types.is_string_dtype(dtype)
        )
        kind: Any = dtype
        if not text and isinstance(dtype, np.dtype):  # which can be missing
            kind = {"i": "Int64", "u": "UInt64", "b": "boolean"}.get(dtype.kind, dtype)
        labels[name] = pd.Series(["total" if text else None]).astype(kind)
    return pd.concat([pd.DataFrame(labels, index=row.index), row], axis=1)


def _notes(counts: Counts, age: int | None) -> list[Text]:
    notes = counts.without_status_notes()
    if age is not None:
        notes.append(
            Text(
                "only messages observed for at least {age}; delivered and failed within that time",
                code="within",
                age=duration_text(age),
            )
        )
        notes += [MINUTES_ONLY] if counts.has_minutes_only() else []
    if "campaign" in counts.by and (counts.keys["campaign"].isna() & (counts.n > 0)).any():
        notes.append(
            Text(
                "messages of no campaign are known through their reports only: those without a report are not seen",
                code="no_campaign",
            )
        )
    without = [name for name in ("province", "city") if name in counts.by and counts.keys[name].isna().all()]
    if without and len(counts.n):
        notes.append(
            Text(
                "no message has a {column}: it is set when a campaign is planned with masanalytics[regions] installed",
                code="no_regions",
                column=without[0],
            )
        )
    return notes
