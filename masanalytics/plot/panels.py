"""A campaign on one page: rates, speed, failures and course."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.layout_engine import ConstrainedLayoutEngine

from masanalytics.language import choose
from masanalytics.plot import style
from masanalytics.plot.arrival import latency
from masanalytics.plot.course import timeline
from masanalytics.plot.fonts import printable
from masanalytics.plot.look import ink_on
from masanalytics.plot.pareto import error_codes
from masanalytics.plot.rates import delivery_rates

__all__ = ["overview"]

_MOST_CODES = 7


def overview(
    data: Any,
    *,
    by: str | Sequence[str] | None = "carrier",
    freq: str = "h",
    language: str | None = None,
    **where: Any,
) -> npt.NDArray[np.object_]:
    """Draw a campaign on one page of four panels: delivery rates, arrival, failures and the course over time.

    Parameters
    ----------
    data : Store, or DataFrame of messages
        As the analysis takes it.
    by : str or sequence of str, optional
        What rates and arrival are grouped by; None for all together.
    freq : str
        The buckets of the course, as for ``timeline``.
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

    with style.look():
        engine = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15)
        figure, axes = plt.subplots(2, 2, figsize=(16, 10), layout=engine, squeeze=False)
        campaign = where.get("campaign")
        name = campaign if isinstance(campaign, str) else choose("Overview", "总览", language)
        figure.suptitle(printable(name), fontsize=19, color=ink_on(figure))
    delivery_rates(data, by=by, ax=axes[0, 0], language=language, **where)
    latency(data, by=by, ax=axes[0, 1], language=language, **where)
    error_codes(data, top=_MOST_CODES, ax=axes[1, 0], language=language, **where)
    timeline(data, freq=freq, ax=axes[1, 1], language=language, **where)
    return axes
