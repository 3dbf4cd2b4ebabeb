"""From planned to replied: how many messages are left after each step."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from masanalytics.aliases import Filter, Messages
from masanalytics.formatting import count, percent
from masanalytics.i18n import N_, _, speaks
from masanalytics.plot.arguments import chart_arguments
from masanalytics.plot.chart import Chart, Drawn, result_of
from masanalytics.plot.named_rows import beside_rows, row_height
from masanalytics.plot.theme import BLUE, GREY, LINE

__all__ = ["funnel"]

_COLUMNS = ("step", "count")
_STEPS = {"planned": N_("Planned"), "accepted": N_("Accepted"), "delivered": N_("Delivered"), "replied": N_("Replied")}


@speaks
@chart_arguments
def funnel(
    data: Messages,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **where: Filter,
) -> Axes:
    """Draw how many messages were planned, accepted by the platform, delivered, and replied to.

    Beside each step stands its share of the step before. What is still pending is drawn lighter behind the delivered.

    Parameters
    ----------
    data : Store or what else the analysis takes, or frame of steps
        A frame of steps needs ``step`` (``planned``, ``accepted``, ``delivered``, ``replied`` or words of your own) and
        ``count``, and may have ``pending``. Of a frame of messages the first three steps are counted.
    ax : Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        In place of the chart's own; what it is narrowed to stands below in any case.
    figsize : (float, float), optional
        Width and height in inches, of a figure of the chart's own.
    reveal : bool, optional
        Whether phone numbers in names and titles are shown whole; by default their middle is hidden.
    language : {"en", "zh"}, optional
        Of the texts; by default the user's own.
    **where
        Which messages, as for ``delivery_rates``.

    Returns
    -------
    Axes

    Examples
    --------
    >>> steps = pd.DataFrame({"step": ["planned", "accepted", "delivered", "replied"], "count": [1000, 980, 930, 41]})
    >>> ax = funnel(steps, language="en")
    >>> [float(bar.get_width()) for bar in ax.patches]
    [1000.0, 980.0, 930.0, 41.0]
    """
    steps = result_of(data, "funnel", _COLUMNS, **where).reset_index(drop=True)
    words = [_word(str(step)) for step in steps["step"]]
    return Chart(
        result=steps,
        title=_("From plan to reply") if len(steps) > 3 else _("From plan to handset"),
        rows=words,
        draw=lambda axes: _draw(axes, steps, words),
        height=row_height(len(steps)) + 0.3,
        nothing=_("No messages to show") if steps.empty or not steps["count"].iloc[0] else "",
    ).on(ax)


def _word(step: str) -> str:
    return _(_STEPS[step]).lower() if step in _STEPS else step


def _draw(ax: Axes, steps: pd.DataFrame, words: list[str]) -> Drawn:
    counts, shares = [], []
    for row, step in enumerate(steps.to_dict("records")):
        number, pending = float(step["count"]), float(step.get("pending", 0) or 0)
        ax.barh(row, number, height=0.62, color=BLUE, alpha=1 - 0.18 * min(row, 3))
        share = _of_step_before(steps, words, row)
        if pending:
            ax.barh(row, pending, left=number, height=0.62, color="white", edgecolor=GREY, hatch="////", lw=0.5)
            share = _("{share}, {count} pending", share=share, count=count(pending))
        counts.append(count(number))
        shares.append(share)
    beside_rows(ax, [counts, shares], give_up=(1,))
    ax.set_xlim(0, float(steps["count"].iloc[0]) * 1.01)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.xaxis.set_major_formatter(lambda number, _tick: f"{number:,.0f}")
    ax.grid(axis="x", color=LINE, lw=0.8)
    ax.set_xlabel(_("messages"))
    return Drawn()


def _of_step_before(steps: pd.DataFrame, words: list[str], row: int) -> str:
    before = float(steps["count"].iloc[row - 1]) if row else 0.0
    if not before:
        return ""
    share = percent(float(steps["count"].iloc[row]) / before)
    return _("{share} of {step}", share=share, step=words[row - 1])
