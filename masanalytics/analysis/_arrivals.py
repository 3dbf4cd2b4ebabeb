"""The curve of arrivals: which share of all accepted had been delivered after which time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from masanalytics.aliases import Columns, Figures, Filter, Messages
from masanalytics.analysis.delivery_times import accepted_incidence
from masanalytics.analysis.dimensions import WINDOW, as_names
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.grouped_count import Question, count_messages
from masanalytics.analysis.results import MINUTES_ONLY, finished
from masanalytics.analysis.sources import asks_once
from masanalytics.stats.competing_risks import IncidenceCurves, project
from masanalytics.stats.interval_censored import MINUTE_S
from masanalytics.stats.proportions import effective_wilson
from masanalytics.vocabulary import UNREPORTED_AFTER_S

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["arrivals"]


_POINTS = 90
_SECONDS_EXACTLY = 12


@asks_once
def arrivals(
    data: Messages, by: Columns | None = None, *, most_groups: int | None = None, **where: Filter
) -> pd.DataFrame | None:
    """Return the share of all accepted messages delivered by each time since submission, pending ones censored.

    The Aalen-Johansen estimate behind `expected_rate`, read at times that a log axis can show: every second at first, then
    some eighty up to where messages have been observed, 72 h at most. `masanalytics.plot.latency` draws it. Where the reports
    carry no seconds it is read at the ends of minutes, from intervals (Turnbull 1976, see `latency`); the interval of 95 % then
    begins at the curve with every time a minute later than it is written, and ends at that with every time a minute earlier.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages, folder of an export, or list of these
        As ``latency`` takes it.
    by : str or sequence of str, optional
        As for ``latency``.
    most_groups : int, optional
        None is returned where there are more groups than this.
    **where
        As for ``latency``.

    Returns
    -------
    DataFrame or None
        After `by`: ``seconds`` (float), ``share, low, high`` (float, 0 to 1; a 95 % interval at each time), ``accepted``
        (int): how many messages the whole curve rests on.

    Examples
    --------
    >>> import pandas as pd
    >>> messages = pd.DataFrame({"status": ["delivered", "delivered", "pending"], "latency_s": [2, 4, None],
    ...                          "waited_s": [60, 60, 10]})
    >>> arrivals(messages)["share"].round(3).tolist()[:7]
    [0.0, 0.0, 0.333, 0.333, 0.667, 0.667, 0.667]
    """
    import pandas as pd

    filters = Filters.parse(where)
    counts, source = count_messages(data, Question(as_names(by), (WINDOW, "account"), filters))
    counts = counts.taken(counts.accepted())
    groups = counts.groups
    if most_groups is not None and len(groups) > most_groups:
        return None
    curves = accepted_incidence(counts)
    in_minutes = counts.has_minutes_only()
    accepted = np.bincount(counts.group, weights=counts.n, minlength=len(groups)).astype(float)
    last = curves.last
    # Each curve's own end is read too: there it says what became of all that was observed.
    times = np.unique(
        np.append(
            _times(float(curves.time.max(initial=0.0)), in_minutes=in_minutes),
            last[(last >= 0) & (last <= UNREPORTED_AFTER_S)],
        )
    )
    share, low, high = _read(curves, times, accepted)
    if in_minutes:
        low = np.minimum(low, _read(accepted_incidence(counts, shift_s=MINUTE_S), times, accepted)[1])
        high = np.maximum(high, _read(accepted_incidence(counts, shift_s=-MINUTE_S), times, accepted)[2])
    place, group = np.nonzero(times[:, None] <= last[None, :])
    order = np.lexsort((place, group))
    place, group = place[order], group[order]
    columns = {
        "seconds": times[place],
        "share": share[place, group],
        "low": low[place, group],
        "high": high[place, group],
        "accepted": accepted[group].astype(np.int64),
    }
    frame = pd.concat([groups.iloc[group].reset_index(drop=True), pd.DataFrame(columns)], axis=1)
    return finished(frame, source, where=filters, notes=[MINUTES_ONLY] if in_minutes else [])


def _times(last: float, *, in_minutes: bool) -> Figures:
    """Return the times to read the curves at: every second (or minute) at first, then ever further apart."""
    last = min(last, float(UNREPORTED_AFTER_S))
    if in_minutes:
        return MINUTE_S * _times(np.ceil(last / MINUTE_S), in_minutes=False)
    early = np.arange(min(last, _SECONDS_EXACTLY) + 1)
    if last <= _SECONDS_EXACTLY:
        return early
    return np.unique(np.append(early, np.round(np.geomspace(_SECONDS_EXACTLY, last, _POINTS))))


def _read(curves: IncidenceCurves, times: Figures, accepted: Figures) -> tuple[Figures, Figures, Figures]:
    """Return share and interval, one row a time and one column a group."""
    no_later, events = np.zeros(curves.groups), curves.with_events()
    at = [project(events, np.full(curves.groups, time), no_later) for time in times]
    share, variance = np.array([end.expected for end in at]), np.array([end.variance for end in at])
    low, high = effective_wilson(share, variance, np.broadcast_to(accepted, share.shape))
    return share, low, high
