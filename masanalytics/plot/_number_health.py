"""How many numbers of a list are good, doubtful, dead or blocked."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from masanalytics.aliases import Messages
from masanalytics.formatting import count, percent
from masanalytics.i18n import _, speaks
from masanalytics.plot.arguments import chart_arguments
from masanalytics.plot.chart import Chart, Drawn, result_of
from masanalytics.plot.named_rows import beside_rows
from masanalytics.plot.theme import BLUE, GREY, INK, LINE, ORANGE, VERMILION
from masanalytics.vocabulary import VERDICT_WORDS

__all__ = ["number_health"]

_COLUMNS = ("phone", "verdict")
_COLOURS = {"good": BLUE, "doubtful": ORANGE, "dead": VERMILION, "blocked": INK}


@speaks
@chart_arguments
def number_health(
    data: Messages,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw how many numbers have which verdict. No number itself is shown.

    Parameters
    ----------
    data : Store or what else the analysis takes, or result of ``number_health``
        A result needs ``phone`` and ``verdict``.
    **keywords
        Handed to ``number_health`` when `data` holds messages.
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

    Returns
    -------
    Axes

    Examples
    --------
    >>> import pandas as pd
    >>> ax = number_health(pd.DataFrame({"phone": ["13800138000"], "verdict": ["good"]}), language="en")
    >>> [float(bar.get_width()) for bar in ax.patches]
    [1.0, 0.0, 0.0, 0.0]
    """
    result = result_of(data, "number_health", _COLUMNS, **keywords)
    numbers: dict[Any, int] = result.attrs.get("verdicts") or result["verdict"].value_counts().to_dict()
    verdicts = [*_COLOURS, *(str(verdict) for verdict in numbers if verdict not in _COLOURS)]
    counts = {verdict: int(numbers.get(verdict, 0)) for verdict in verdicts}
    return Chart(
        result=result,
        title=_("State of the numbers"),
        rows=[_(VERDICT_WORDS[verdict]) if verdict in VERDICT_WORDS else verdict for verdict in verdicts],
        draw=lambda axes: _draw(axes, counts, len(result)),
        nothing=_("No numbers to show") if result.empty else "",
    ).on(ax)


def _draw(ax: Axes, counts: dict[str, int], total: int) -> Drawn:
    colours = [_COLOURS.get(verdict, GREY) for verdict in counts]
    ax.barh(range(len(counts)), list(counts.values()), height=0.6, color=colours)
    shares = [percent(number / total) for number in counts.values()]
    beside_rows(ax, [[count(number) for number in counts.values()], shares], give_up=(1,))
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.set_xlim(0, max(counts.values()) * 1.02)
    ax.xaxis.set_major_formatter(lambda number, _tick: f"{number:,.0f}")
    ax.grid(axis="x", color=LINE, lw=0.8)
    ax.set_xlabel(_("numbers (of {total:,})", total=total))
    return Drawn()
