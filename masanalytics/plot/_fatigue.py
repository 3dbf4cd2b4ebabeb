"""How often people opt out by how many messages they had had lately."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from masanalytics.aliases import Length, Messages
from masanalytics.analysis.results import note_texts
from masanalytics.formatting import count, percent
from masanalytics.i18n import _, ngettext, speaks
from masanalytics.plot.arguments import chart_arguments
from masanalytics.plot.chart import Chart, Drawn, is_result, percent_axis, result_of
from masanalytics.plot.named_rows import beside_rows, rows_that_fit
from masanalytics.plot.theme import LINE, VERMILION

__all__ = ["fatigue"]

_COLUMNS = ("received", "delivered", "opt_outs", "opt_out_rate", "opt_out_low", "opt_out_high", "opt_out_ratio")
_USUAL_MAX = 8
"""As `fatigue` has it by default."""


@speaks
@chart_arguments
def fatigue(
    data: Messages,
    window: Length | None = None,
    *,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw the opt-out rate by how many messages people had had lately, with how many times that of the first row it is.

    Parameters
    ----------
    data : Store or what else the analysis takes, or result of ``fatigue``
        A result needs ``received, delivered, opt_outs, opt_out_rate, opt_out_low, opt_out_high, opt_out_ratio``.
    window, **keywords
        Handed to ``fatigue`` when `data` holds messages.
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
    >>> result = pd.DataFrame({"received": [0, 1], "delivered": [1000, 800], "opt_outs": [5, 8], "opt_out_rate": [0.005, 0.01],
    ...                        "opt_out_low": [0.002, 0.005], "opt_out_high": [0.012, 0.02], "opt_out_ratio": [None, 2.0]})
    >>> ax = fatigue(result, language="en")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['none before', '1 before']
    """
    if ax is not None and not is_result(data, _COLUMNS) and rows_that_fit(ax) <= _USUAL_MAX:
        keywords = {"max": rows_that_fit(ax) - 1, **keywords}  # fewer rows, in type that can be read
    result = result_of(data, "fatigue", _COLUMNS, window=window, **keywords)
    return Chart(
        result=result,
        title=_("Opt-outs by messages received lately"),
        rows=_names(result),
        draw=lambda axes: _draw(axes, result),
        nothing="" if result["delivered"].sum() else _("No messages to show"),
        notes=[str(note) for note in note_texts(result.attrs) if note.code == "no_strata"],
    ).on(ax)


def _names(result: pd.DataFrame) -> list[str]:
    levels = [int(level) for level in result["received"]]
    names = [ngettext("{count:,} before", "{count:,} before", level) if level else _("none before") for level in levels]
    if levels and levels[-1] == result.attrs.get("max"):
        names[-1] = _("{count} before or more", count=count(levels[-1]))
    return names


def _draw(ax: Axes, result: pd.DataFrame) -> Drawn:
    records = result.to_dict("records")
    for row, level in enumerate(records):
        ax.plot([level["opt_out_low"], level["opt_out_high"]], [row, row], color=VERMILION, lw=2, solid_capstyle="butt")
        ax.plot(level["opt_out_rate"], row, "o", ms=7, color=VERMILION)
    rates = [percent(level["opt_out_rate"], 2) for level in records]
    numbers = [
        _("{part} of {whole}", part=count(level["opt_outs"]), whole=count(level["delivered"])) for level in records
    ]
    times = ["" if pd.isna(level["opt_out_ratio"]) else f"×{level['opt_out_ratio']:.1f}" for level in records]
    beside_rows(ax, [rates, numbers, times], give_up=(1, 2))
    most = result[["opt_out_high", "opt_out_rate"]].max().max()
    ax.set_xlim(0, min(1.05 * most, 1.01) if most > 0 else 0.01)
    percent_axis(ax.xaxis)
    ax.grid(axis="x", color=LINE, lw=0.8)
    ax.set_xlabel(_("opted out ÷ delivered"))
    dot = Line2D([], [], marker="o", ms=7, lw=2, color=VERMILION)
    legend: list[tuple[Any, str]] = [(dot, _("opted out, 95% interval"))]
    if any(times):
        blank = Line2D([], [], lw=0)
        legend.append((blank, _("×: as often as in the first row, of the same campaign")))
    return Drawn(legend=legend)
