"""What changed between two times, cell by cell, from the rate before to the rate after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from masanalytics.i18n import choose
from masanalytics.plot import chart
from masanalytics.plot.inputs import by_columns, result_of
from masanalytics.plot.words import by_phrase, group_label, percent

__all__ = ["explain_change"]

_COLUMNS = ("share_before", "share_after", "rate_before", "rate_after", "mix_effect", "rate_effect", "contribution")
_MOST_CELLS = 12


def explain_change(
    before: Any,
    after: Any = None,
    *,
    by: str | Sequence[str] | None = None,
    ax: Axes | None = None,
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
    given = {} if after is None else {"after": after}
    result = result_of(before, "explain_change", _COLUMNS, by=by, **given, **keywords)
    columns = by_columns(result, "share_before")
    order = np.argsort(-result["contribution"].abs().to_numpy(dtype=float), kind="stable")
    most = chart.rows_that_fit(ax, _MOST_CELLS + 3) - 3
    top, rest = result.iloc[np.sort(order[: max(most, 1)])], result.iloc[order[max(most, 1) :]]
    bars = len(top) + 2 + bool(len(rest))
    with chart.canvas(ax, width=10, height=chart.row_height(bars)) as axes:
        en, zh = by_phrase(columns, "en"), by_phrase(columns, "zh")
        chart.title(axes, f"What changed the delivery rate{en and ','}{en}", f"送达率变化的原因{zh}", language)
        if result.empty or pd.isna(_overall(result, "before")) or pd.isna(_overall(result, "after")):
            both = "Messages of both times are needed to compare", "两段时间都要有短信才能比较"
            chart.say_nothing_to_show(axes, language, *(() if result.empty else both))
        else:
            labels = [group_label(columns, list(cell), language) for cell in top[columns].itertuples(index=False)]
            others = [choose(f"{len(rest)} others", f"其他 {len(rest)} 项", language)] if len(rest) else []
            ends = choose("before", "之前", language), choose("after", "之后", language)
            chart.name_rows(axes, [ends[0], *labels, *others, ends[1]], width=30)
            _draw(axes, result, (top, rest), language)
            chart.legend_below(axes, *_legend(language, intervals={"low", "high"} <= set(top)))
        chart.source_line(axes, result.attrs, language, notes=_codes(top, columns, language))
    return axes


def _codes(top: pd.DataFrame, columns: list[str], language: str | None) -> list[str]:
    """Return which error codes grew most in the cell that lost most."""
    if "leading_codes" not in top or not len(top) or pd.isna(code := top["leading_codes"].iloc[0]) or not code:
        return []
    cell = group_label(columns, list(top[columns].iloc[0]), language)
    return [choose(f"{cell}: more of {code}", f"{cell}：增加最多的错误码 {code}", language)]


def _draw(ax: Axes, result: pd.DataFrame, cells: tuple[pd.DataFrame, pd.DataFrame], language: str | None) -> None:
    top, rest = cells
    start = _overall(result, "before")
    steps = [*top["contribution"], *([rest["contribution"].sum()] if len(rest) else [])]
    levels = start + np.concatenate([[0.0], np.cumsum(steps)])
    last = len(steps) + 1
    for row, level in ((0, levels[0]), (last, levels[-1])):
        ax.barh(row, level, height=0.6, color=chart.GREY)
    for row, (step, level) in enumerate(zip(steps, levels[:-1], strict=True), start=1):
        ax.barh(row, step, left=level, height=0.6, color=chart.VERMILION if step < 0 else chart.BLUE)
        ax.plot([level, level], [row - 0.7, row + 0.3], color=chart.MUTED, lw=0.8)
    if {"low", "high"} <= set(top):
        for row, (low, high, level) in enumerate(zip(top["low"], top["high"], levels[:-1], strict=False), start=1):
            ax.plot([level + low, level + high], [row, row], color=chart.INK, lw=1.2)
    ax.plot([levels[-1]] * 2, [last - 0.7, last + 0.3], color=chart.MUTED, lw=0.8)
    cells_moved = [_moved(cell, language) for cell in top.to_dict("records")]
    changes = [percent(levels[0]), *(_points(step) for step in steps), percent(levels[-1])]
    chart.beside_rows(ax, [changes, ["", *cells_moved]], give_up=(1, 0))
    margin = max(0.15 * (levels.max() - levels.min()), 0.003)
    ax.set_xlim(max(0.0, levels.min() - margin), levels.max() + margin)
    chart.percent_axis(ax.xaxis)
    ax.grid(axis="x", color=chart.LINE, lw=0.8)
    ax.set_xlabel(
        choose("delivered ÷ accepted (axis does not begin at 0)", "送达数 ÷ 受理数（坐标轴不从 0 开始）", language)
    )


def _overall(result: pd.DataFrame, side: str) -> float:
    """Return the rate of all cells together: as the result says, else as its cells add up."""
    said = (result.attrs.get("change") or {}).get(f"rate_{side}")
    return float(said if said is not None else (result[f"share_{side}"] * result[f"rate_{side}"].fillna(0)).sum())


def _points(change: float) -> str:
    return f"{100 * change:+.2f}" if abs(change) < 0.00995 else f"{100 * change:+.1f}"


def _moved(cell: dict[Any, Any], language: str | None) -> str:
    rates = f"{percent(cell['rate_before'])} → {percent(cell['rate_after'])}"
    shares = f"{percent(cell['share_before'])} → {percent(cell['share_after'])}"
    return choose(f"rate {rates}, share {shares}", f"送达率 {rates}，占比 {shares}", language)


def _legend(language: str | None, *, intervals: bool) -> tuple[list[Artist], list[str]]:
    parts: list[tuple[Artist, str]] = [
        (
            Patch(color=chart.VERMILION),
            choose("lowered the rate (percentage points)", "拉低送达率（百分点）", language),
        ),
        (Patch(color=chart.BLUE), choose("raised it", "拉高送达率", language)),
    ]
    if intervals:
        parts.append((Line2D([], [], color=chart.INK, lw=1.2), choose("95% interval", "95% 区间", language)))
    return [handle for handle, _ in parts], [label for _, label in parts]
