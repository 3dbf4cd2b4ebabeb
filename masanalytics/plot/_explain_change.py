"""What changed between two times, cell by cell, from the rate before to the rate after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from masanalytics.aliases import Columns, Messages
from masanalytics.formatting import group_label, percent
from masanalytics.i18n import _, ngettext, speaks
from masanalytics.plot.arguments import chart_arguments
from masanalytics.plot.chart import Chart, Drawn, by_columns, group_labels, percent_axis, result_of, titled
from masanalytics.plot.named_rows import beside_rows, row_height, rows_that_fit
from masanalytics.plot.theme import BLUE, GREY, INK, LINE, MUTED, VERMILION

__all__ = ["explain_change"]

_COLUMNS = ("share_before", "share_after", "rate_before", "rate_after", "mix_effect", "rate_effect", "contribution")
_MOST_CELLS = 12
_LABEL_WIDTH = 30


@speaks
@chart_arguments
def explain_change(
    before: Messages,
    after: Messages | None = None,
    *,
    by: Columns | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw which cells account for a change of the delivery rate, as a waterfall from before to after.

    Cells follow by the size of their contribution, twelve of them; the others are one bar. Beside each: how its own rate
    and its share of the messages changed.

    Parameters
    ----------
    before, after : Store, DataFrame of messages
        The two sides; or `before` alone, a result of ``explain_change`` with ``share_before, share_after, rate_before,
        rate_after, mix_effect, rate_effect, contribution``; ``low, high, leading_codes`` are shown where it has them.
    by, **keywords
        Handed to ``explain_change``.
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
    >>> result = pd.DataFrame({"carrier": ["China Mobile", "China Unicom"], "share_before": [0.5, 0.5],
    ...                        "share_after": [0.5, 0.5], "rate_before": [0.9, 0.9], "rate_after": [0.8, 0.9],
    ...                        "mix_effect": [0.0, 0.0], "rate_effect": [-0.05, 0.0], "contribution": [-0.05, 0.0]})
    >>> ax = explain_change(result, language="en")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['before', 'China Mobile', 'China Unicom', 'after']
    """
    result = result_of(before, "explain_change", _COLUMNS, by=by, after=after, **keywords)
    columns = by_columns(result, "share_before")
    order = np.argsort(-result["contribution"].abs().to_numpy(dtype=float), kind="stable")
    most = max(rows_that_fit(ax, _MOST_CELLS + 3) - 3, 1)
    top, rest = result.iloc[np.sort(order[:most])], result.iloc[order[most:]]
    others = [ngettext("{count} other", "{count} others", len(rest))] if len(rest) else []
    rows = [_("before"), *group_labels(top, columns), *others, _("after")]
    return Chart(
        result=result,
        title=titled(_("What changed the delivery rate"), columns, comma=True),
        rows=rows,
        row_width=_LABEL_WIDTH,
        draw=lambda axes: _draw(axes, result, (top, rest)),
        width=10,
        height=row_height(len(rows)),
        nothing=_nothing(result),
        notes=_leading_codes(top, columns),
    ).on(ax)


def _nothing(result: pd.DataFrame) -> str:
    """Return what is missing to draw a change, nothing where both sides are there."""
    if result.empty:
        return _("No messages to show")
    both = pd.notna(_overall(result, "before")) and pd.notna(_overall(result, "after"))
    return "" if both else _("Messages of both times are needed to compare")


def _leading_codes(top: pd.DataFrame, columns: list[str]) -> list[str]:
    """Return which error codes grew most in the cell that lost most."""
    if "leading_codes" not in top or not len(top) or pd.isna(codes := top["leading_codes"].iloc[0]) or not codes:
        return []
    cell = group_label(columns, list(top[columns].iloc[0]))
    return [_("{cell}: more of {codes}", cell=cell, codes=codes)]


def _draw(ax: Axes, result: pd.DataFrame, cells: tuple[pd.DataFrame, pd.DataFrame]) -> Drawn:
    top, rest = cells
    steps = [*top["contribution"], *([rest["contribution"].sum()] if len(rest) else [])]
    levels = _overall(result, "before") + np.concatenate([[0.0], np.cumsum(steps)])
    last = len(steps) + 1
    for row, level in ((0, levels[0]), (last, levels[-1])):
        ax.barh(row, level, height=0.6, color=GREY)
    for row, (step, level) in enumerate(zip(steps, levels[:-1], strict=True), start=1):
        ax.barh(row, step, left=level, height=0.6, color=VERMILION if step < 0 else BLUE)
        ax.plot([level, level], [row - 0.7, row + 0.3], color=MUTED, lw=0.8)
    has_intervals = {"low", "high"} <= set(top)
    if has_intervals:
        for row, (low, high, level) in enumerate(zip(top["low"], top["high"], levels[:-1], strict=False), start=1):
            ax.plot([level + low, level + high], [row, row], color=INK, lw=1.2)
    ax.plot([levels[-1]] * 2, [last - 0.7, last + 0.3], color=MUTED, lw=0.8)
    changes = [percent(levels[0]), *(_points(step) for step in steps), percent(levels[-1])]
    beside_rows(ax, [changes, ["", *(_moved(cell) for cell in top.to_dict("records"))]], give_up=(1, 0))
    margin = max(0.15 * (levels.max() - levels.min()), 0.003)
    ax.set_xlim(max(0.0, levels.min() - margin), levels.max() + margin)
    percent_axis(ax.xaxis)
    ax.grid(axis="x", color=LINE, lw=0.8)
    ax.set_xlabel(_("delivered ÷ accepted (axis does not begin at 0)"))
    return Drawn(legend=_legend(has_intervals=has_intervals))


def _overall(result: pd.DataFrame, side: str) -> float:
    """Return the rate of all cells together: as the result says, else as its cells add up."""
    overall = (result.attrs.get("change") or {}).get(f"rate_{side}")
    return float(overall if overall is not None else (result[f"share_{side}"] * result[f"rate_{side}"].fillna(0)).sum())


def _points(change: float) -> str:
    number = f"{100 * change:+.2f}" if abs(change) < 0.00995 else f"{100 * change:+.1f}"
    return _("{number} points", number=number)


def _moved(cell: dict[Any, Any]) -> str:
    rates = f"{percent(cell['rate_before'])} → {percent(cell['rate_after'])}"
    shares = f"{percent(cell['share_before'])} → {percent(cell['share_after'])}"
    return _("rate {rates}, share {shares}", rates=rates, shares=shares)


def _legend(*, has_intervals: bool) -> list[tuple[Artist, str]]:
    entries: list[tuple[Artist, str]] = [
        (Patch(color=VERMILION), _("lowered the rate")),
        (Patch(color=BLUE), _("raised it")),
    ]
    if has_intervals:
        entries.append((Line2D([], [], color=INK, lw=1.2), _("95% interval")))
    return entries
