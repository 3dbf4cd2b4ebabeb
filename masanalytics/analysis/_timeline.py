"""How the rate and the latency move in time, and which points are outside what chance does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Booleans, Columns, Figures, Filter, Length, Messages, Numbers
from masanalytics.analysis._delivery_rates import rate_columns
from masanalytics.analysis.clusters import Cluster, ClusterCounts, cluster_columns, cluster_counts
from masanalytics.analysis.delivery_times import delivery_times
from masanalytics.analysis.dimensions import DAY_S, as_names
from masanalytics.analysis.filter_checks import outcome_notes
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.results import MINUTES_ONLY, NO_RHYTHM, finished, refuse_taken_names
from masanalytics.analysis.sources import asks_once
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.near_names import named_arguments
from masanalytics.stats.control_chart import LEAST_POINTS, control_chart
from masanalytics.stats.rhythm import Rhythm, rhythm_of
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TIMELINE_COLUMNS", "timeline"]


TIMELINE_COLUMNS = (
    "time", "accepted", "delivered", "failed", "pending", "unreported", "delivery_rate", "low", "high", "p50_s",
    "p90_s", "limit_low", "limit_high", "outside", "clusters", "design_effect",
)  # fmt: skip
_UNITS = {"s": 1, "min": 60, "t": 60, "h": 3600, "d": DAY_S}
_WIDE_SPREAD = 1.2
_DAYS = {"W": 7, "M": 28}
_CALENDAR = {"w": "W", "week": "W", "m": "M", "me": "M", "ms": "M", "month": "M"}


@named_arguments
@asks_once
def timeline(
    data: Messages,
    freq: str = "h",
    *,
    by: Columns | None = None,
    within: Length | None = None,
    cluster: Cluster = "auto",
    **where: Filter,
) -> pd.DataFrame:
    """Return rate and latency by the time of submission, with control limits that show what is worth looking at.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages (pandas, polars, DuckDB, Spark), folder of an export, or list of these
        Needs ``submitted_at, status, latency_s`` (or ``received_at``), ``waited_s`` and the columns of `by`.
    freq : str
        The width of a bucket: ``"min"``, ``"15min"``, ``"h"``, ``"6h"``, ``"D"``, ``"W"`` (from Monday), ``"M"``
        (months), in China time.
    by : str or sequence of str, optional
        One line each, as for `delivery_rates`.
    within : str, timedelta or number of seconds, optional
        Rates at equal age, as for `delivery_rates`: without it the latest buckets look worse than they will be.
    cluster : "auto", str, sequence of str or None
        What may fail together, for ``low, high``: as for `delivery_rates`. The limits see by themselves how much buckets
        differ.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row a bucket with messages, oldest first. After `by`:

        - ``time`` (Asia/Shanghai): the start of the bucket
        - ``accepted`` (int) = ``delivered + failed + pending + unreported`` (no report after 72 h of coverage)
        - ``delivery_rate, low, high``: with Wilson's 95 % interval, as for `delivery_rates`
        - ``p50_s, p90_s`` (seconds): latency of the delivered; without seconds in the reports, the ends of minutes as in `latency`
        - ``limit_low, limit_high``: between them lie all buckets of 95 lines in 100 where nothing happens: chance, and how much
          buckets of the line differ anyway (Laney's p′ chart: from neighbours, or from buckets farther apart where the line drifts;
          buckets outside left out), three standard errors at least and as many more as the number of buckets asks for; NaN if
          fewer than eight are settled. They follow the line's own rhythm where it has one: of the week (known from three weeks on) and of
          the day (from four days on); notes say so
        - ``outside`` (bool): whether the rate lies outside, whatever becomes of the pending messages
        - ``clusters, design_effect``: as for `delivery_rates`

        ``.attrs["spread"]``: by line (text, its dimensions joined by a middle dot, a missing one as nothing), how many times as much its buckets differ as
        chance would make them.

    Raises
    ------
    InputError
        If a column is missing or `freq` cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({
    ...     "submitted_at": pd.to_datetime(["2026-01-31 09:05", "2026-01-31 09:50", "2026-01-31 10:10"]),
    ...     "status": ["delivered", "failed", "delivered"], "latency_s": [4, 5, 8], "waited_s": [9000, 9000, 9000],
    ... })
    >>> found = timeline(messages, "h")
    >>> [str(time) for time in found["time"]]
    ['2026-01-31 09:00:00+08:00', '2026-01-31 10:00:00+08:00']
    >>> found[["accepted", "delivered", "delivery_rate"]].values.tolist()
    [[2.0, 1.0, 0.5], [1.0, 1.0, 1.0]]
    """
    names = as_names(by)
    refuse_taken_names(names, TIMELINE_COLUMNS)
    age = None if within is None else to_seconds(within)
    width, calendar = _parse(freq)
    filters = Filters.parse(where, waited_at_least=age)
    counts, source = count_messages(data, Question([*names, f"time/{width}"], ("account",), filters))
    counts = _on_calendar(counts, names, f"time/{width}", calendar)
    clusters = cluster_counts(data, Question([*names, f"time/{width}"], (), filters), cluster, age=age)
    if clusters is not None:
        clusters = clusters.with_keys(_calendar_keys(clusters.counts.keys, f"time/{width}", calendar)[[*names, "time"]])
    bucket_s = width * _DAYS.get(calendar or "", 1)
    result, spreads, notes = _table(counts, names, age, clusters, bucket_s)
    notes += [*counts.without_status_notes(), *outcome_notes(filters, names)]
    notes += [MINUTES_ONLY] if counts.has_minutes_only() else []
    result = finished(result, source, where=filters, notes=notes, counted=result["accepted"].tolist())
    result.attrs["within_s"] = age
    result.attrs["freq"] = freq
    result.attrs["bucket_s"] = bucket_s
    result.attrs["spread"] = spreads
    return result


def _parse(freq: str) -> tuple[int, str | None]:
    """Return the width in seconds to count by, and W or M where buckets are weeks or months of days."""
    written = re.fullmatch(r"(\d*)\s*([A-Za-z]+)", str(freq).strip())
    times, unit = (int(written[1] or 1), written[2].lower()) if written else (0, "")
    if unit in _CALENDAR and times == 1:
        return DAY_S, _CALENDAR[unit]
    if unit in _UNITS and times > 0:
        return times * _UNITS[unit], None
    raise InputError("freq={freq!r}: write it as 'min', '15min', 'h', 'D', 'W' or 'M'", freq=freq)


def _on_calendar(counts: Counts, names: list[str], bucket: str, calendar: str | None) -> Counts:
    """Return the counts with the bucket called ``time``, those of unknown time left out."""
    keys = _calendar_keys(counts.keys, bucket, calendar)
    timed = keys["time"].notna().to_numpy()
    return Counts(keys, counts.status, counts.seconds, counts.n, [*names, "time"]).taken(timed)


def _calendar_keys(keys: pd.DataFrame, bucket: str, calendar: str | None) -> pd.DataFrame:
    """Return the dimensions with the bucket called ``time``, weeks and months made of their days."""
    keys = keys.rename(columns={bucket: "time"})
    if calendar is not None:
        day = keys["time"].dt.tz_localize(None)
        back = day.dt.day_of_week if calendar == "W" else day.dt.day - 1
        start = day - _days(back)
        keys["time"] = start.astype("datetime64[s]").dt.tz_localize("Asia/Shanghai")
    return keys


def _days(number: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_timedelta(number.fillna(0), unit="D")


def _table(
    counts: Counts, names: list[str], age: int | None, clusters: ClusterCounts | None, width: int
) -> tuple[pd.DataFrame, dict[str, float], list[Text]]:
    import pandas as pd

    rates = rate_columns(counts, age)
    unsettled = rates["pending"] if age is None else np.zeros_like(rates["pending"])
    delivered = counts.status == Status.delivered
    if age is not None:
        delivered &= ~(counts.seconds > age)
    groups = counts.groups
    times = delivery_times(counts, delivered)
    limits, spreads, rhythms = _limits(groups, names, rates, unsettled == 0, width)
    most = rates["delivery_rate"] if age is not None else rates["most"]
    outside = (rates["delivery_rate"] > limits[1]) | (most < limits[0])
    clustered = cluster_columns(clusters, groups, rates)
    shown = ("accepted", "delivered", "failed", "pending", "unreported", "delivery_rate")
    columns = {
        **{name: rates[name] for name in shown},
        "low": clustered.pop("low"),
        "high": clustered.pop("high"),
        "p50_s": times.quantile(0.5),
        "p90_s": times.quantile(0.9),
        "limit_low": limits[0],
        "limit_high": limits[1],
        "outside": outside,
        **clustered,
    }
    result = pd.concat([groups, pd.DataFrame(columns, index=groups.index)], axis=1)
    return result, spreads, [*_notes(result, unsettled, max(spreads.values(), default=1.0)), *_rhythm_notes(rhythms)]


def _limits(
    groups: pd.DataFrame, names: list[str], rates: dict[str, Any], settled: Booleans, width: int
) -> tuple[tuple[Figures, Figures], dict[str, float], list[Rhythm]]:
    """Return the limits of each bucket, from the settled buckets of its line in the order of time, the lines' spreads and rhythms."""
    import pandas as pd

    line, lines = group_rows(groups[names]) if names else (np.zeros(len(groups), dtype=np.int64), None)
    low, high = np.full(len(groups), np.nan), np.full(len(groups), np.nan)
    spreads: dict[str, float] = {}
    rhythms: list[Rhythm] = []
    starts = _local_seconds(groups["time"])
    counts, totals = (np.where(settled, rates[name], 0.0) for name in ("delivered", "accepted"))
    order = np.argsort(line, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(line[order])) + 1) if len(order) else []:
        rhythm = rhythm_of(counts[rows], totals[rows], starts[rows], width)
        chart = control_chart(counts[rows], totals[rows], rhythm)
        if chart is not None:
            rhythms.append(rhythm)
            low[rows], high[rows] = chart.limits(rates["accepted"][rows], rhythm.offsets)
            values = [] if lines is None else lines.iloc[int(line[rows[0]])].tolist()
            spreads[" · ".join("" if pd.isna(value) else str(value) for value in values)] = chart.spread
    return (low, high), spreads, rhythms


def _local_seconds(times: pd.Series) -> Numbers:
    """Return the times as seconds of China time."""
    return np.asarray(times.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64))


def _rhythm_notes(rhythms: list[Rhythm]) -> list[Text]:
    """Return which rhythm the limits follow, and whether weeks are too few to tell one."""
    notes = []
    if any(rhythm.week for rhythm in rhythms):
        notes.append(Text("the limits follow a rhythm of the week", code="rhythm_of_week"))
    if any(rhythm.day for rhythm in rhythms):
        notes.append(Text("the limits follow a rhythm of the day", code="rhythm_of_day"))
    return notes if all(rhythm.weeks_known for rhythm in rhythms) else [*notes, NO_RHYTHM]


def _notes(result: pd.DataFrame, unsettled: Numbers, spread: float) -> list[Text]:
    notes = []
    outside, known = int(result["outside"].sum()), int(result["limit_low"].notna().sum())
    if outside:
        notes.append(
            Text("{count} of {total} points are outside the limits", code="outside", count=outside, total=known)
        )
    if spread >= _WIDE_SPREAD:
        notes.append(
            Text(
                "the buckets differ up to {times:.1f} times as much as chance makes them: the limits are as much wider",
                code="differ",
                times=spread,
            )
        )
    if len(result) and not known:
        notes.append(
            Text(
                "fewer than {least} settled points do not say how much points differ: there are no limits",
                code="no_limits",
                least=LEAST_POINTS,
            )
        )
    if int(np.sum(unsettled)):
        notes.append(
            Text("the latest points are still waiting for reports and look worse than they will be", code="unsettled")
        )
    return notes
