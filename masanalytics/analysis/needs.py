"""Which columns a grouped count needs, so that a missing one is named before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence

from masanalytics.analysis.dimensions import WINDOW, missing_columns, time_part
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources import Seconds

__all__ = ["columns_needed"]


def columns_needed(by: Sequence[str], where: Filters, *, seconds: Seconds | None, available: Sequence[str]) -> set[str]:
    """Return the columns a frame must have to be counted this way.

    Raises
    ------
    InputError
        Naming all that are missing, with the nearest names.

    Examples
    --------
    >>> have = ["status", "submitted_at", "latency_s", "waited_s", "carrier"]
    >>> sorted(columns_needed(["carrier", "hour"], Filters(), seconds="outcome", available=have))
    ['carrier', 'latency_s', 'status', 'submitted_at', 'waited_s']
    """
    need = {"status", *where.values}
    for name in by:
        if name in available:
            need.add(name)
        elif name == WINDOW:
            need.add("waited_s")
        elif name == "prefix":
            need.add("phone")
        else:
            need.add("submitted_at" if time_part(name) is not None else name)
    if where.since is not None or where.until is not None:
        need.add("submitted_at")
    if where.waited_at_least is not None or seconds is not None:
        need.add("waited_s")
    if seconds == "outcome":
        told = "latency_s" in available or not {"received_at", "submitted_at"} <= set(available)
        need |= {"latency_s"} if told else {"received_at", "submitted_at"}
    error = missing_columns(sorted(need), available)
    if error is not None:
        raise error
    return need
