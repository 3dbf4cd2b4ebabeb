"""A campaign on one page: rates, speed, failures and course."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine

from masanalytics.aliases import Columns, Filter, Messages
from masanalytics.analysis import timeline as timeline_table
from masanalytics.i18n import _, speaks
from masanalytics.plot._delivery_rates import delivery_rates
from masanalytics.plot._error_codes import error_codes
from masanalytics.plot._funnel import funnel
from masanalytics.plot._latency import latency
from masanalytics.plot._timeline import timeline
from masanalytics.plot.arguments import asked_size, asked_title, chart_arguments
from masanalytics.plot.fonts import printable
from masanalytics.plot.masked import as_shown
from masanalytics.plot.theme import ink_on, look

__all__ = ["overview"]

_MOST_CODES = 7


@speaks
@chart_arguments
def overview(
    data: Messages,
    *,
    by: Columns | None = "carrier",
    freq: str | None = None,
    sort: str | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **where: Filter,
) -> npt.NDArray[np.object_]:
    """Draw a campaign on one page of four panels: delivery rates, arrival, failures and the course over time.

    Parameters
    ----------
    data : Store, Archive, DataFrame of messages, folder of an export, or list of these
        As the analysis takes it.
    by : str or sequence of str, optional
        What rates and arrival are grouped by; None for all together.
    freq : str, optional
        The buckets of the course, as for ``timeline``; by default hours, or minutes for what was sent within one hour.
        Where all was sent in one bucket there is no course: how far the messages came is drawn instead.
    sort : {"size", "rate", "name"}, optional
        The order of the groups of rates and arrival, as for ``plot.delivery_rates``.
    title : str, optional
        In place of the chart's own; what it is narrowed to stands below in any case.
    figsize : (float, float), optional
        Width and height in inches, of a figure of the chart's own.
    reveal : bool, optional
        Whether phone numbers in names and titles are shown whole; by default their middle is hidden.
    language : {"en", "zh"}, optional
        Of the texts; by default the user's own.
    **where
        Which messages, as for ``delivery_rates``: ``campaign="spring"``.

    Returns
    -------
    array of Axes
        Rates, arrival, failures, course, as ``plt.subplots(2, 2)`` arranges them.
    """
    import matplotlib.pyplot as plt

    with look():
        engine = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15)
        figure, axes = plt.subplots(2, 2, figsize=asked_size() or (16, 10), layout=engine, squeeze=False)
        campaign = where.get("campaign")
        name = campaign if isinstance(campaign, str) else _("Overview")
        figure.suptitle(printable(as_shown(asked_title(name))), fontsize=19, color=ink_on(figure))
    delivery_rates(data, by=by, sort=sort, ax=axes[0, 0], **where)
    latency(data, by=by, sort=sort, ax=axes[0, 1], **where)
    error_codes(data, top=_MOST_CODES, ax=axes[1, 0], **where)
    _course(data, freq, axes[1, 1], where)
    return axes


def _course(data: Messages, freq: str | None, ax: Axes, where: Mapping[str, Any]) -> None:
    """Draw the course over time, or the steps from plan to handset where one bucket holds everything."""
    for buckets in (freq,) if freq else ("h", "min"):
        times = timeline_table(data, buckets, **where)
        if len(times) != 1:
            timeline(times, ax=ax)
            return
    funnel(data, ax=ax, **where)
