"""From planned to replied: how many messages are left after each step."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from masanalytics.i18n import choose
from masanalytics.plot import chart
from masanalytics.plot.inputs import result_of
from masanalytics.plot.words import count, percent

__all__ = ["funnel"]

_COLUMNS = ("step", "count")
_STEPS = {
    "planned": ("planned", "计划"),
    "accepted": ("accepted", "受理"),
    "delivered": ("delivered", "送达"),
    "replied": ("replied", "回复"),
}


def funnel(data: Any, *, ax: Axes | None = None, language: str | None = None, **where: Any) -> Axes:
    """Draw how many messages were planned, accepted by the platform, delivered, and replied to.

    Beside each step stands its share of the step before. What is still pending is drawn lighter behind the delivered.

    Parameters
    ----------
    data : Store, DataFrame of messages, or frame of steps
        A frame of steps needs ``step`` (``planned``, ``accepted``, ``delivered``, ``replied`` or words of your own) and
        ``count``, and may have ``pending``. Of a frame of messages the first three steps are counted.
    ax : Axes, optional
        Where to draw; by default a new figure.
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
    steps = result_of(data, "steps", _COLUMNS, **where)
    with chart.canvas(ax, height=chart.row_height(len(steps)) + 0.3) as axes:
        chart.title(axes, "From plan to reply" if len(steps) > 3 else "From plan to handset", "从计划到送达", language)
        if steps.empty or not steps["count"].iloc[0]:
            chart.say_nothing_to_show(axes, language)
        else:
            words = [choose(*_STEPS.get(str(step), (str(step), str(step))), language) for step in steps["step"]]
            chart.name_rows(axes, words)
            _draw(axes, steps.reset_index(drop=True), words, language)
        chart.source_line(axes, steps.attrs, language)
    return axes


def _draw(ax: Axes, steps: pd.DataFrame, words: list[str], language: str | None) -> None:
    first = float(steps["count"].iloc[0])
    counts, shares = [], []
    for row, step in enumerate(steps.to_dict("records")):
        n, pending = float(step["count"]), float(step.get("pending", 0) or 0)
        ax.barh(row, n, height=0.62, color=chart.BLUE, alpha=1 - 0.18 * min(row, 3))
        said = _of_step_before(steps, words, row, language)
        if pending:
            ax.barh(row, pending, left=n, height=0.62, color="white", edgecolor=chart.GREY, hatch="////", lw=0.5)
            said += choose(f", {count(pending)} pending", f"，待回执 {count(pending)}", language)
        counts.append(count(n))
        shares.append(said)
    chart.beside_rows(ax, [counts, shares], give_up=(1,))
    ax.set_xlim(0, first * 1.01)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    ax.grid(axis="x", color=chart.LINE, lw=0.8)
    ax.set_xlabel(choose("messages", "短信数", language))


def _of_step_before(steps: pd.DataFrame, words: list[str], row: int, language: str | None) -> str:
    before = float(steps["count"].iloc[row - 1]) if row else 0.0
    if not before:
        return ""
    share = percent(float(steps["count"].iloc[row]) / before)
    return choose(f"{share} of {words[row - 1]}", f"占{words[row - 1]}的 {share}", language)
