"""How right the forecast would have been: each past campaign forecast from the others, at several ages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Filter, Length, Messages
from masanalytics.analysis.dimensions import WINDOW, YOUNG
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.forecast import expected_ends
from masanalytics.analysis.grouped_count import Counts
from masanalytics.analysis.matured_history import MaturedHistory, history_of, matured_counts
from masanalytics.analysis.results import finished
from masanalytics.analysis.sources import as_source, asks_once
from masanalytics.argument_kinds import WHOLE, check_kind
from masanalytics.errors import InputError
from masanalytics.formatting import duration_text
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments
from masanalytics.stats.chain_ladder import UNIT_MESSAGES
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BACKTEST_COLUMNS", "backtest"]

BACKTEST_COLUMNS = (
    "campaign", "day", "accepted", "age_s", "delivery_rate", "expected_rate", "expected_low", "expected_high",
    "final_rate", "covered", "error", "naive_error", "reason",
)  # fmt: skip


@named_arguments
@asks_once
def backtest(
    data: Messages, ages: Sequence[Length] = ("10min", "2h", "1d"), *, campaigns: int = 60, **where: Filter
) -> pd.DataFrame:
    """Return how right ``expected_rate`` would have been for past campaigns, at several ages.

    Each campaign of the last month whose 72 hours are over is looked at as it was at each age, and forecast from all the
    others, by what `delivery_rates` does: with its notes of a misfit, its widening, and its bounds where no rate can be said.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``status, latency_s`` (or ``submitted_at, received_at``) and ``waited_s``; ``campaign``, ``submitted_at``,
        ``carrier``, ``template_id`` and ``segments`` are used where they are there.
    ages : sequence of str, timedelta or number of seconds
        Such as ``"2h"``: below 72 h.
    campaigns : int
        At most so many, the latest; of 20 messages and more.
    **where
        ``since=``, ``until=`` and any column, as for `delivery_rates`. Without ``since`` the last month counts.

    Returns
    -------
    DataFrame
        One row a campaign (on a day, what was submitted at night apart) and age, in the order of days:

        - ``campaign, day``: which; missing where small campaigns were taken together
        - ``accepted`` (int): its messages
        - ``age_s`` (int, seconds), ``delivery_rate``: how old it was, and delivered ÷ accepted by then
        - ``expected_rate, expected_low, expected_high``: what the forecast would have been
        - ``final_rate``: what became of it after 72 h
        - ``covered`` (bool): whether that lies between the two ends
        - ``error, naive_error``: expected less final rate, and delivery rate by then less final rate
        - ``reason``: why there was no ``expected_rate`` (then the two ends are bounds); else missing

        Its notes say, age by age, how many intervals held the final rate, the mean error and the mean width.

    Raises
    ------
    InputError
        If an age is not below 72 h, or a column is missing.

    Notes
    -----
    An ``expected_rate`` is the rate that messages like these have; what became of these messages is nearer to it than its
    interval allows for, so more than 95 % are held.

    Examples
    --------
    >>> import pandas as pd
    >>> day = pd.DataFrame({"status": ["delivered"] * 95 + ["failed"] * 5, "latency_s": [5] * 80 + [3600] * 20})
    >>> past = pd.concat([day.assign(campaign=f"offer {n}", waited_s=300_000) for n in range(8)])
    >>> found = backtest(past, ages=["10min"])
    >>> found[["campaign", "delivery_rate", "final_rate", "covered"]].head(2).values.tolist()
    [['offer 0', 0.8, 0.95, True], ['offer 1', 0.8, 0.95, True]]
    """
    import pandas as pd

    seconds = [_age(age) for age in ([ages] if isinstance(ages, (str, int, float)) else ages)]
    check_kind("campaigns", campaigns, WHOLE)
    filters = Filters.parse(where)
    source = as_source(data)
    counts = matured_counts(source, by_carrier="carrier" in source.message_columns(), where=filters)
    records: list[dict[str, Any]] = []
    if counts is not None:
        past = history_of(counts)
        for unit in _latest(past, campaigns):
            records += _unit_records(counts, past, unit, seconds)
    frame = pd.DataFrame(records, columns=list(BACKTEST_COLUMNS))
    dtypes = {"accepted": "int64", "age_s": "int64", "covered": "bool", "campaign": "str", "reason": "str"}
    frame = frame.astype(
        {**dtypes, **{name: "float64" for name in BACKTEST_COLUMNS if "rate" in name or "error" in name}}
    )
    return finished(
        frame,
        source,
        where=filters,
        notes=_summaries(frame) or [_NONE],
        is_empty=counts is None,
        counted=frame["accepted"].tolist(),
    )


def _age(value: Length) -> int:
    age = to_seconds(value)
    if not 0 < age < UNREPORTED_AFTER_S:
        raise InputError("ages={value!r}: after 72 h nothing is forecast any more; give ages below", value=value)
    return age


def _latest(past: MaturedHistory, most: int) -> list[int]:
    """Return the latest units that say something of themselves, in the order of their days and names."""
    large = np.flatnonzero(past.ladder.size.sum(axis=1) >= UNIT_MESSAGES)
    names = past.names.iloc[large]
    ordered = names.sort_values(list(reversed(names.columns))) if len(names.columns) else names
    return [int(unit) for unit in ordered.index][-most:]


def _unit_records(counts: Counts, past: MaturedHistory, unit: int, ages: Sequence[int]) -> list[dict[str, Any]]:
    """Return the row of a unit at each age."""
    own, others = counts.taken(past.ladder.unit == unit), past.without(unit)
    name = past.names.iloc[unit]
    accepted = int(own.n.sum())
    final = int(own.n[own.status == Status.delivered].sum()) / accepted
    records = []
    for age in ages:
        then = _as_it_was(own, age)
        found = expected_ends(then, lambda: others)
        rate = int(then.n[then.status == Status.delivered].sum()) / accepted
        expected, low, high = float(found.rate[0]), float(found.low[0]), float(found.high[0])
        records.append(
            {
                "campaign": name.get("campaign"), "day": name.get("day"), "accepted": accepted, "age_s": age,
                "delivery_rate": rate, "expected_rate": expected, "expected_low": low, "expected_high": high,
                "final_rate": final, "covered": low <= final <= high, "error": expected - final,
                "naive_error": rate - final, "reason": found.reason[0],
            }
        )  # fmt: skip
    return records


def _as_it_was(own: Counts, age: int) -> Counts:
    """Return the messages as they were at `age`: what was reported later is still open."""
    later = (own.status == Status.pending) | (own.seconds > age)
    keys = own.keys.assign(**{WINDOW: YOUNG})
    status, seconds = np.where(later, int(Status.pending), own.status), np.where(later, float(age), own.seconds)
    return Counts(keys, status, seconds, own.n, [])


_NONE = Text(
    "no campaign has messages enough with 72 h behind them: there is nothing to look back on", code="no_campaigns"
)


def _summaries(frame: pd.DataFrame) -> list[Text]:
    """Return, age by age, how right the forecast was."""
    notes = []
    for age in frame["age_s"].unique().tolist():
        rows = frame[frame["age_s"] == age]
        told = rows["expected_rate"].notna()
        notes.append(
            Text(
                "after {age}: {held:,} of {count:,} intervals held the final rate, {width:.1f} points wide, off by {error:.1f} on"
                " average (delivered ÷ accepted: {naive:.1f}); {none:,} without an expected rate",
                code="backtest",
                age=duration_text(age),
                held=int(rows["covered"].sum()),
                count=len(rows),
                width=100 * float((rows["expected_high"] - rows["expected_low"]).mean()),
                error=100 * float(rows["error"][told].abs().mean()) if told.any() else 0.0,
                naive=100 * float(rows["naive_error"].abs().mean()),
                none=int((~told).sum()),
            )
        )
    return notes
