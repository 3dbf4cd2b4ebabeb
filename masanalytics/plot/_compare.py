"""Comparisons: how much more the second delivers than the first, as intervals around nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from masanalytics.i18n import choose, duration
from masanalytics.plot import chart
from masanalytics.plot.inputs import result_of
from masanalytics.plot.words import count, group_label, percent, shorten

__all__ = ["compare"]

_COLUMNS = ("a", "b", "rate_a", "rate_b", "difference", "low", "high", "p_value")
_SENTENCES = 3
_SIGNIFICANT = 0.05
_ROOM_FOR_SENTENCES = 7.0


def compare(
    data: Any,
    by: str | None = None,
    a: Any = None,
    b: Any = None,
    *,
    ax: Axes | None = None,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw how much more the second of each pair delivers than the first, with its 95 % interval.

    A difference whose p-value (corrected where several pairs are compared) is not below 0.05 is grey and hollow: chance
    alone makes such. The intervals are each pair's own.

    Parameters
    ----------
    data : Store, DataFrame of messages, or result of ``compare``
        A result needs ``a, b, accepted_a, accepted_b, rate_a, rate_b, difference, low, high, p_value``;
        ``p_adjusted``, ``within_s`` and ``sentence`` are shown where it has them.
    by, a, b, **keywords
        Handed to ``compare`` when `data` holds messages.
    ax : Axes, optional
        Where to draw; by default a new figure.
    language : {"en", "zh"}, optional
        Of the texts; by default the user's own.

    Returns
    -------
    Axes

    Examples
    --------
    >>> result = pd.DataFrame({"a": ["A"], "b": ["B"], "accepted_a": [200], "accepted_b": [200], "rate_a": [0.8],
    ...                        "rate_b": [0.92], "difference": [0.12], "low": [0.052], "high": [0.187],
    ...                        "p_value": [0.0005]})
    >>> ax = compare(result, language="en")
    >>> ax.get_yticklabels()[0].get_text()
    'B against A'
    """
    given = {"by": by, "a": a, "b": b, **keywords}
    result = result_of(data, "compare", _COLUMNS, language=language, **given)
    frame = result.head(chart.rows_that_fit(ax))
    longest = 38 if ax is None else 28
    pairs = [_pair(row, by, longest, language) for row in frame.to_dict("records")]
    with chart.canvas(ax, width=10, height=chart.row_height(len(frame), 2)) as axes:
        chart.title(axes, *_title(frame), language)
        if frame.empty:
            chart.say_nothing_to_show(axes, language, "Nothing to compare", "没有可比较的组")
        else:
            chart.name_rows(axes, pairs, width=30)
            _draw(axes, frame, language)
            _axis(axes, frame, language)
            chart.legend_below(axes, *_legend(language))
        in_words = "sentence" in frame and len(frame) <= _SENTENCES and chart.figure_width(axes) > _ROOM_FOR_SENTENCES
        sentences = list(frame["sentence"]) if in_words else []
        notes = [str(text) for text in sentences]
        if len(result) > len(frame):
            left_out = f"first {len(frame)} of {len(result)} pairs", f"仅显示前 {len(frame)} 对，共 {len(result)} 对"
            notes.append(choose(*left_out, language))
        chart.source_line(axes, result.attrs, language, notes=notes)
    return axes


def _title(frame: pd.DataFrame) -> tuple[str, str]:
    ages: list[float] = list(frame["within_s"].unique()) if "within_s" in frame else []
    if len(ages) != 1 or pd.isna(ages[0]):  # pairs whose reports are all in are compared at no age
        return "Difference in delivery rate", "送达率差异"
    return (
        f"Difference in what was delivered within {duration(ages[0], 'en')}",
        f"提交后 {duration(ages[0], 'zh')}内送达率的差异",
    )


def _pair(row: dict[Any, Any], by: str | None, longest: int, language: str | None) -> str:
    one, other = (shorten(group_label([by or ""], [row[name]], language), longest) for name in ("a", "b"))
    return choose(f"{other} against {one}", f"{other} 相比 {one}", language)


def _draw(ax: Axes, frame: pd.DataFrame, language: str | None) -> None:
    p_values = frame["p_adjusted" if "p_adjusted" in frame else "p_value"]
    clear = (p_values < _SIGNIFICANT).tolist()
    rows = frame.to_dict("records")
    for place, (row, sure) in enumerate(zip(rows, clear, strict=True)):
        colour = chart.BLUE if sure else chart.GREY
        ax.plot([row["low"], row["high"]], [place, place], color=colour, lw=2.4, solid_capstyle="butt")
        ax.plot(row["difference"], place, "o", ms=8, color=colour, mfc=colour if sure else "white", mew=1.6)
    rates = [(percent(row["rate_b"]), percent(row["rate_a"])) for row in rows]
    columns = [
        [choose(f"{b} against {a}", f"{b} 相比 {a}", language) for b, a in rates],
        [f"n={count(row['accepted_b'])}, {count(row['accepted_a'])}" if "accepted_a" in row else "" for row in rows],
        [_p_text(p) for p in p_values],
    ]
    chart.beside_rows(ax, columns, muted=[not sure for sure in clear], give_up=(2, 0))


def _p_text(p: float) -> str:
    if pd.isna(p):
        return ""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}" if p < 0.01 else f"p = {p:.2f}"


def _axis(ax: Axes, frame: pd.DataFrame, language: str | None) -> None:
    largest = frame[["low", "high", "difference"]].to_numpy(dtype=float)
    reach = max(1.12 * float(np.nanmax(np.abs(largest))), 0.005) if np.isfinite(largest).any() else 0.05
    ax.set_xlim(-reach, reach)
    ax.axvline(0, color=chart.INK, lw=1)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 2):+g}" if share else "0"))
    ax.grid(axis="x", color=chart.LINE, lw=0.8)
    said = "percentage points; right of 0: the first named delivers more", "百分点；大于 0 表示前者送达率更高"
    if chart.figure_width(ax) < _ROOM_FOR_SENTENCES:
        said = "percentage points, first − second", "百分点（前者 − 后者）"
    ax.set_xlabel(choose(*said, language))


def _legend(language: str | None) -> tuple[list[Artist], list[str]]:
    handles: list[Artist] = [
        Line2D([], [], marker="o", ms=8, lw=2.4, color=chart.BLUE),
        Line2D([], [], marker="o", ms=8, lw=2.4, color=chart.GREY, mfc="white", mew=1.6),
    ]
    return handles, [
        choose("difference, 95% interval", "差异及 95% 区间", language),
        choose("no difference shown", "未显示出差异", language),
    ]
