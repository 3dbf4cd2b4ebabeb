"""How the rate and the latency move in time, and which points are outside what chance does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from masanalytics.aliases import Booleans, Columns, Figures, Length, Messages, Numbers
from masanalytics.analysis._delivery_rates import rate_columns
from masanalytics.analysis.dimensions import DAY_S, as_names
from masanalytics.analysis.filters import Filters, to_seconds
from masanalytics.analysis.grouped_count import Counts, Question, count_messages, group_rows
from masanalytics.analysis.results import MINUTES_ONLY, finished, refuse_taken_names
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.stats.order_statistics import counted_times
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TIMELINE_COLUMNS", "timeline"]


TIMELINE_COLUMNS = (
    "time", "accepted", "delivered", "failed", "pending", "unreported", "delivery_rate", "low", "high", "p50_s",
    "p90_s", "limit_low", "limit_high", "outside",
)  # fmt: skip
_UNITS = {"s": 1, "min": 60, "t": 60, "h": 3600, "d": DAY_S}
_CALENDAR = {"w": "W", "week": "W", "m": "M", "me": "M", "ms": "M", "month": "M"}


def timeline(
    data: Messages, freq: str = "h", *, by: Columns | None = None, within: Length | None = None, **where: Any
) -> pd.DataFrame:
    """Return rate and latency by the time of submission, with the control limits of a p-chart.

    Parameters
    ----------
    data : Store, or DataFrame of messages (pandas, polars, DuckDB, Spark)
        Needs ``submitted_at, status, latency_s`` (or ``received_at``), ``waited_s`` and the columns of `by`.
    freq : str
        The width of a bucket: ``"min"``, ``"15min"``, ``"h"``, ``"6h"``, ``"D"``, ``"W"`` (from Monday), ``"M"``
        (months), in China time.
    by : str or sequence of str, optional
        One line each, as for `delivery_rates`.
    within : str, timedelta or number of seconds, optional
        Rates at equal age, as for `delivery_rates`: without it the latest buckets look worse than they will be.
    **where
        As for `delivery_rates`.

    Returns
    -------
    DataFrame
        One row a bucket with messages, oldest first. After `by`:

        - ``time`` (Asia/Shanghai): the start of the bucket
        - ``accepted`` (int) = ``delivered + failed + pending + unreported`` (no report after 72 h of coverage)
        - ``delivery_rate, low, high``: with Wilson's 95 % interval
        - ``p50_s, p90_s`` (seconds): latency of the delivered
        - ``limit_low, limit_high``: the mean rate of the settled buckets ± 3 standard errors (Shewhart's p-chart); NaN if
          fewer than two are settled
        - ``outside`` (bool): whether the rate lies outside, whatever becomes of the pending messages

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
    counts, source = count_messages(data, Question([*names, f"time/{width}"], (), filters))
    counts = _on_calendar(counts, names, f"time/{width}", calendar)
    result, notes = _table(counts, names, age)
    notes += [MINUTES_ONLY] if counts.has_minutes_only() else []
    result = finished(result, source, where=filters, notes=notes, counted=result["accepted"].tolist())
    result.attrs["within_s"] = age
    result.attrs["freq"] = freq
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
    """Return the counts with the bucket called ``time``, weeks and months made of their days."""
    keys = counts.keys.rename(columns={bucket: "time"})
    if calendar is not None:
        day = keys["time"].dt.tz_localize(None)
        back = day.dt.day_of_week if calendar == "W" else day.dt.day - 1
        start = day - _days(back)
        keys["time"] = start.astype("datetime64[s]").dt.tz_localize("Asia/Shanghai")
    timed = keys["time"].notna().to_numpy()
    return Counts(keys, counts.status, counts.seconds, counts.n, [*names, "time"]).taken(timed)


def _days(number: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.to_timedelta(number.fillna(0), unit="D")


def _table(counts: Counts, names: list[str], age: int | None) -> tuple[pd.DataFrame, list[Text]]:
    import pandas as pd

    rates = rate_columns(counts, age)
    unsettled = rates["pending"] if age is None else np.zeros_like(rates["pending"])
    delivered = counts.status == Status.delivered
    if age is not None:
        delivered &= ~(counts.seconds > age)
    groups = counts.groups
    times = counted_times(counts.group[delivered], len(groups), counts.seconds[delivered], counts.n[delivered])
    line, _ = group_rows(groups[names]) if names else (np.zeros(len(groups), dtype=np.int64), None)
    low, high = _limits(line, rates["accepted"], rates["delivered"], unsettled == 0)
    most = rates["delivery_rate"] if age is not None else rates["most"]
    outside = (rates["delivery_rate"] > high) | (most < low)
    shown = ("accepted", "delivered", "failed", "pending", "unreported", "delivery_rate", "low", "high")
    columns = {
        **{name: rates[name] for name in shown},
        "p50_s": times.quantile(0.5),
        "p90_s": times.quantile(0.9),
        "limit_low": low,
        "limit_high": high,
        "outside": outside,
    }
    result = pd.concat([groups, pd.DataFrame(columns, index=groups.index)], axis=1)
    return result, _notes(result, unsettled)


def _limits(line: Numbers, accepted: Numbers, delivered: Numbers, settled: Booleans) -> tuple[Figures, Figures]:
    """Return the p-chart's limits of each bucket, from the settled buckets of its line."""
    settled = settled & (accepted > 0)
    lines = int(line.max(initial=-1)) + 1
    n, k, buckets = (
        np.bincount(line[settled], weights=weight[settled], minlength=lines)
        for weight in (accepted, delivered, np.ones(len(line)))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.where(buckets >= 2, k / n, np.nan)[line]
        half = 3 * np.sqrt(middle * (1 - middle) / accepted)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _notes(result: pd.DataFrame, unsettled: Numbers) -> list[Text]:
    notes = []
    outside, known = int(result["outside"].sum()), int(result["limit_low"].notna().sum())
    if outside:
        notes.append(
            Text("{count} of {total} points are outside the limits", code="outside", count=outside, total=known)
        )
    if outside > max(2, known / 5):
        notes.append(
            Text(
                "the buckets differ by more than chance throughout (campaigns, lists): single points outside say little",
                code="differ",
            )
        )
    if int(np.sum(unsettled)):
        notes.append(
            Text("the latest points are still waiting for reports and look worse than they will be", code="unsettled")
        )
    return notes
