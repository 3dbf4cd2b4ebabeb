"""How long delivery takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from masanalytics.aliases import Columns, Filter, Length, Messages
from masanalytics.analysis.delivery_times import accepted_incidence, delivery_times
from masanalytics.analysis.dimensions import WINDOW, as_names
from masanalytics.analysis.filter_checks import outcome_notes
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.grouped_count import Counts, Question, count_messages
from masanalytics.analysis.results import MINUTES_ONLY, finished, refuse_taken_names
from masanalytics.analysis.sources import asks_once
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments
from masanalytics.stats.competing_risks import incidence_quantile
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LATENCY_COLUMNS", "latency"]

LATENCY_COLUMNS = (
    "delivered", "mean_s", "p50_s", "p90_s", "p95_s", "p99_s", "max_s", "reached_50_s", "reached_90_s",
)  # fmt: skip


@named_arguments
@asks_once
def latency(
    data: Messages, by: Columns | None = None, *, within: Length | None = None, **where: Filter
) -> pd.DataFrame:
    """Return how long delivery took, and when half and nine in ten of all accepted messages had arrived.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``status, latency_s`` (or ``submitted_at, received_at``), ``waited_s`` and the columns of `by`.
    by : str or sequence of str, optional
        As for `delivery_rates`.
    within : str, timedelta or number of seconds, optional
        Only messages observed that long, and of the delivered those delivered within it: comparable at different ages.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row a group; no rows if there are no messages. After `by`:

        - ``delivered`` (int)
        - ``mean_s, p50_s, p90_s, p95_s, p99_s, max_s`` (float, seconds): of the delivered whose latency is known, as
          pandas computes them. While reports are still coming these are too small: slow ones are missing
        - ``reached_50_s, reached_90_s`` (float, seconds): when half, and nine in ten, of all accepted had arrived, with
          pending messages as censored (Aalen-Johansen); NaN where that never happens, or has not happened yet

        Where an account's reports carry no seconds, which is told from its latencies, each time is an interval: one written as d
        seconds lies between d - 60 and d + 60. The distribution is then Turnbull's (1976) estimate from intervals (with
        `masanalytics.stats.interval_censored`): quantiles, ``reached_*`` and ``max_s`` are the ends of the minutes in which
        they were reached (60 is "within a minute"), ``mean_s`` takes the middles, and a note says so.

        ``.attrs["faults"]``: how many delivered or failed messages have a ``negative`` latency, one ``beyond_72h``, and
        how many a ``missing`` one. They are kept in the numbers (but for the missing).

    Raises
    ------
    InputError
        If a column is missing, naming it and the nearest names.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "status": ["delivered", "delivered", "delivered", "pending"],
    ...     "latency_s": [2, 4, 30, None],
    ...     "waited_s": [60, 60, 60, 60],
    ... })
    >>> latency(messages)[["delivered", "mean_s", "p50_s", "max_s", "reached_50_s", "reached_90_s"]].values.tolist()
    [[3.0, 12.0, 4.0, 30.0, 4.0, nan]]
    """
    names = as_names(by)
    refuse_taken_names(names, LATENCY_COLUMNS)
    age = None if within is None else to_seconds(within)
    filters = Filters.parse(where, waited_at_least=age)
    counts, source = count_messages(data, Question(names, (WINDOW, "account"), filters))
    faults = _faults(counts)
    result = _table(counts, age)
    result = finished(
        result,
        source,
        where=filters,
        notes=[*outcome_notes(filters, names), *_notes(counts, faults)],
        counted=result["delivered"].tolist(),
    )
    result.attrs["faults"] = faults
    result.attrs["within_s"] = age
    return result


def _table(counts: Counts, age: int | None) -> pd.DataFrame:
    import pandas as pd

    delivered = counts.status == Status.delivered
    if age is not None:
        delivered &= ~(counts.seconds > age)
    times = delivery_times(counts, delivered)
    curves = accepted_incidence(counts)
    taken = counts.accepted()
    # How long open messages have been open must be known.
    is_known = counts.tally(taken & (counts.status == Status.pending) & np.isnan(counts.seconds)) == 0
    columns = {
        "delivered": counts.tally(delivered),
        "mean_s": times.mean(),
        **{f"p{level}_s": times.quantile(level / 100) for level in (50, 90, 95, 99)},
        "max_s": times.longest(),
        "reached_50_s": np.where(is_known, incidence_quantile(curves, 0.5), np.nan),
        "reached_90_s": np.where(is_known, incidence_quantile(curves, 0.9), np.nan),
    }
    return pd.concat([counts.groups, pd.DataFrame(columns, index=counts.groups.index)], axis=1)


def _faults(counts: Counts) -> dict[str, int]:
    reported = (counts.status == Status.delivered) | (counts.status == Status.failed)
    kinds = {
        "negative": counts.seconds < 0,
        "beyond_72h": counts.seconds > UNREPORTED_AFTER_S,
        "missing": np.isnan(counts.seconds),
    }
    return {name: int(counts.n[reported & rows].sum()) for name, rows in kinds.items()}


_FAULT_NOTES = {
    "negative": Text(
        "{count:,} message was reported before it was submitted",
        "{count:,} messages were reported before they were submitted",
        count=0,
    ),
    "beyond_72h": Text(
        "{count:,} message was reported after more than 72 h",
        "{count:,} messages were reported after more than 72 h",
        count=0,
    ),
    "missing": Text(
        "{count:,} message was reported without a usable time",
        "{count:,} messages were reported without a usable time",
        count=0,
    ),
}


def _notes(counts: Counts, faults: dict[str, int]) -> list[Text]:
    notes = [
        Text(note.message, note.many, code=f"latency_{name}", count=faults[name])
        for name, note in _FAULT_NOTES.items()
        if faults[name]
    ]
    if counts.has_minutes_only():
        notes.insert(0, MINUTES_ONLY)
    pending = int(counts.n[(counts.status == Status.pending) & ~counts.unreported()].sum())
    if pending:
        notes.append(
            Text(
                "{count:,} message still pending: the times of those delivered so far are shorter than they will be in the end",
                "{count:,} messages still pending: the times of those delivered so far are shorter than they will be in the end",
                code="still_pending",
                count=pending,
            )
        )
    return notes
