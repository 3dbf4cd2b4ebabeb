"""Expressions of narwhals: columns, tests of their values, what became of a message, what counts as night."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, cast

from masanalytics.analysis.dimensions import BEYOND, FIRST_HOUR, HIDDEN, LAST_HOUR, MATURED, YOUNG, TimePart
from masanalytics.analysis.filter_values import spelled_options
from masanalytics.analysis.sources.lent_rows import DELIVERED, FAILED, OPEN, UNREPORTED
from masanalytics.errors import InputError
from masanalytics.timezone import CHINA_OFFSET_S
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

if TYPE_CHECKING:
    import narwhals as nw

__all__ = [
    "as_time",
    "at_night",
    "column",
    "first_edge",
    "has_status",
    "one_of",
    "outcome",
    "parts_missing",
    "whole",
    "window",
]

_HOUR: Final = TimePart(3600, 24)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def as_time(at: int, dtype: Any) -> nw.Expr | None:
    """Return an instant as a column of these times has it, without a zone as China time; None where no time is so far away."""
    import narwhals as nw

    try:
        time = _EPOCH + timedelta(seconds=at + (CHINA_OFFSET_S if dtype.time_zone is None else 0))
    except OverflowError:
        return None
    return nw.lit(time if dtype.time_zone is not None else time.replace(tzinfo=None))


def at_night(epoch: nw.Expr) -> nw.Expr:
    """Return 1 for epoch seconds between 21:00 and 08:00 in China, else 0; missing where they are."""
    import narwhals as nw

    hour: nw.Expr = _HOUR.of(epoch)
    night = nw.when((hour < FIRST_HOUR) | (hour >= LAST_HOUR)).then(nw.lit(1)).otherwise(nw.lit(0))
    return nw.when(~epoch.is_null()).then(night)


def column(name: str, *, is_spark: bool = False) -> nw.Expr:
    """Return a column by its name; Spark takes a dot for a field of a column, and a backtick for the end of a name."""
    import narwhals as nw

    is_odd = is_spark and ("." in name or "`" in name)
    return nw.col("`" + name.replace("`", "``") + "`" if is_odd else name)


def first_edge(seconds: Any, edges: Sequence[int]) -> Any:
    """Return the first of the ascending `edges` that is no less than `seconds`, the last one of more, in a few comparisons."""
    import narwhals as nw

    if len(edges) == 1:
        return nw.lit(int(edges[0]), nw.Int64)
    half = len(edges) // 2
    below, above = first_edge(seconds, edges[:half]), first_edge(seconds, edges[half:])
    return nw.when(seconds <= int(edges[half - 1])).then(below).otherwise(above)


def one_of(values: Any, options: Sequence[Any]) -> Any:
    """Return the test that a value is one of the `options`; None asks for what is missing."""
    known = [option for option in options if option is not None]
    # A list of nothing is of no kind, which Arrow compares with nothing.
    chosen = values.is_in(known) if known else values.is_null() & ~values.is_null()
    return chosen | values.is_null() if None in options else chosen


def has_status(statuses: Sequence[Status], dtype: Any) -> nw.Expr:
    """Return the test that ``status``, of this type, is one of the `statuses`: their names, or their numbers."""
    import narwhals as nw

    status, options = nw.col("status"), spelled_options(statuses, as_numbers=dtype.is_numeric())
    if dtype.is_float():  # whole numbers among which one is missing
        return reduce(operator.or_, [status == float(option) for option in options])
    # Where nothing is, there is no type either.
    return (status.cast(nw.String) if isinstance(dtype, nw.Unknown) else status).is_in(options)


def outcome(waited_s: nw.Expr | None, status: Any) -> nw.Expr:
    """Return what became of an accepted message, by its status, of this type, and how long it has waited; null of others."""
    import narwhals as nw

    pending: Any = nw.lit(UNREPORTED)
    if waited_s is not None:
        pending = nw.when(waited_s >= UNREPORTED_AFTER_S).then(pending).otherwise(nw.lit(OPEN))
    found: Any = None
    for one, number in (
        (Status.pending, pending), (Status.failed, nw.lit(FAILED)), (Status.delivered, nw.lit(DELIVERED)),
    ):  # fmt: skip
        is_one = nw.when(has_status([one], status)).then(number)
        found = is_one if found is None else is_one.otherwise(found)
    return cast("nw.Expr", found)


def whole(name: str, dtype: Any) -> nw.Expr:
    """Return a column of numbers, or of lengths of time, as whole seconds.

    Raises
    ------
    InputError
        If it is neither.
    """
    import narwhals as nw

    if dtype.is_integer():
        return nw.col(name)
    if isinstance(dtype, nw.Duration):
        return nw.col(name).dt.total_seconds()
    if isinstance(dtype, (nw.String, nw.Boolean)):
        raise InputError(
            "column {name!r} does not hold numbers but {dtype}: make it a column of numbers first",
            name=name,
            dtype=str(dtype),
        )
    known = nw.when(nw.col(name).is_finite()).then(nw.col(name)) if dtype.is_float() else nw.col(name)
    return (known + 0.5).floor().cast(nw.Int64)


def window(waited_s: nw.Expr, latency_s: nw.Expr, submitted_at: Any, hidden_before: Mapping[str, int]) -> nw.Expr:
    """Return how far messages have been watched, as the analysis counts it; `hidden_before` as `WatchedUntil` has it."""
    import narwhals as nw

    young: Any = nw.lit(YOUNG)
    for account, latest in hidden_before.items():
        is_hidden = (nw.col("account") == account) & (submitted_at <= latest)
        young = nw.when(is_hidden).then(nw.lit(HIDDEN)).otherwise(young)
    beyond = nw.when(latency_s > waited_s).then(nw.max_horizontal(waited_s, nw.lit(0)) + BEYOND)
    return nw.when(waited_s >= UNREPORTED_AFTER_S).then(nw.lit(MATURED)).otherwise(beyond.otherwise(young))


def parts_missing(accounts: Collection[str]) -> nw.Expr:
    """Return how many parts of a long delivered message have no report, of `accounts` whose reports come one a part; else nothing."""
    import narwhals as nw

    segments, missing = nw.col("segments"), nw.col("segments") - nw.col("reports")
    by_part = nw.col("account").is_in(list(accounts)) if accounts else nw.lit(value=False)
    some = nw.when(missing > 0).then(missing).otherwise(nw.lit(0))
    return nw.when(by_part & (nw.col("status") == "delivered") & (segments >= 2)).then(some).cast(nw.Int64)
