"""Delivery rates as dots with their intervals, the bounds that pending messages leave, and the expected end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from masanalytics.i18n import choose, duration
from masanalytics.plot import chart
from masanalytics.plot.inputs import by_columns, result_of
from masanalytics.plot.words import by_phrase, count, group_label, percent

__all__ = ["delivery_rates"]

_COLUMNS = ("accepted", "delivered", "delivery_rate", "low", "high")
_OPEN = ("pending", "least", "most", "expected_rate", "expected_low", "expected_high")


def delivery_rates(
    data: Any,
    *,
    by: str | Sequence[str] | None = None,
    within: str | float | None = None,
    ax: Axes | None = None,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw the delivery rate of each group: a dot with its 95 % interval.

    The light band reaches from the rate if every pending message failed to the rate if every one arrived; the hollow
    diamond is where the rate is expected to end. Groups of fewer than 30 messages are hollow.

    Parameters
    ----------
    data : Store, DataFrame of messages, or result of ``delivery_rates``
        A result needs ``accepted, delivered, delivery_rate, low, high``; ``least, most, pending, expected_rate,
        expected_low, expected_high`` are drawn where it has them. Rates are shares, 0 to 1.
    by, within, **keywords
        Handed to ``delivery_rates`` when `data` holds messages.
    ax : Axes, optional
        Where to draw; by default a new figure, as high as the groups need.
    language : {"en", "zh"}, optional
        Of the texts; by default the user's own.

    Returns
    -------
    Axes

    Examples
    --------
    >>> result = pd.DataFrame({"carrier": ["China Mobile"], "accepted": [200], "delivered": [190],
    ...                        "delivery_rate": [0.95], "low": [0.910], "high": [0.973]})
    >>> ax = delivery_rates(result, language="en")
    >>> ax.get_title()
    'Delivery rate by carrier'
    """
    result = result_of(data, "delivery_rates", _COLUMNS, by=by, within=within, **keywords)
    columns = by_columns(result, "accepted")
    # At equal age "pending" means later than that age: there is nothing to wait for, and no end to expect.
    frame, left_out = chart.largest(result, ax, language)
    if result.attrs.get("within_s") is not None:
        frame = frame.drop(columns=[name for name in _OPEN if name in frame])
    labels = [group_label(columns, list(row), language) for row in frame[columns].itertuples(index=False)]
    with chart.canvas(ax, height=chart.row_height(len(frame), chart.lines_of(labels))) as axes:
        _entitle(axes, columns, result.attrs.get("within_s"), language)
        if frame.empty:
            chart.say_nothing_to_show(axes, language)
        else:
            chart.name_rows(axes, labels)
            _draw_rows(axes, frame, language)
            _axis(axes, frame, language)
            chart.legend_below(axes, *_legend(frame, language))
        notes = [*left_out, *_small(frame, language)]
        chart.source_line(axes, result.attrs, language, notes=notes, expected="expected_rate" in frame)
    return axes


def _entitle(ax: Axes, columns: Sequence[str], within_s: float | None, language: str | None) -> None:
    en, zh = by_phrase(columns, "en"), by_phrase(columns, "zh")
    if within_s is None:
        chart.title(ax, f"Delivery rate{en}", f"送达率{zh}", language)
        return
    ages = duration(within_s, "en"), duration(within_s, "zh")
    chart.title(ax, f"Delivered within {ages[0]}{en and ','}{en}", f"提交后 {ages[1]}内的送达率{zh}", language)


def _draw_rows(ax: Axes, frame: pd.DataFrame, language: str | None) -> None:
    groups = frame.to_dict("records")
    for row, group in enumerate(groups):
        small = group["accepted"] < chart.SMALL_N
        if group.get("most", 0) > group.get("least", 0):
            ax.barh(row, group["most"] - group["least"], left=group["least"], height=0.5, color=chart.BLUE, alpha=0.15)
        ax.plot([group["low"], group["high"]], [row, row], color=chart.BLUE, lw=2, solid_capstyle="butt")
        ax.plot(group["delivery_rate"], row, "o", ms=7, color=chart.BLUE, mfc="white" if small else chart.BLUE, mew=1.5)
        if pd.notna(group.get("expected_rate")) and group.get("pending", 0):
            _draw_expected(ax, row, group)
    rates = [percent(group["delivery_rate"]) for group in groups]
    sizes = [f"n={count(group['accepted'])}" for group in groups]
    waiting = [chart.pending_text(group.get("pending", 0), language) for group in groups]
    muted = [group["accepted"] < chart.SMALL_N for group in groups]
    chart.beside_rows(ax, [rates, sizes, waiting], muted=muted, give_up=(2, 0))


def _draw_expected(ax: Axes, row: int, group: dict[Any, Any]) -> None:
    if pd.notna(group.get("expected_low")) and pd.notna(group.get("expected_high")):
        ax.plot([group["expected_low"], group["expected_high"]], [row + 0.2] * 2, color=chart.ORANGE, lw=1.2, alpha=0.8)
    ax.plot(group["expected_rate"], row + 0.2, "D", ms=5, mfc="white", mec=chart.ORANGE, mew=1.3)


def _axis(ax: Axes, frame: pd.DataFrame, language: str | None) -> None:
    shown = [name for name in ("low", "high", "least", "most", "delivery_rate", "expected_rate") if name in frame]
    least, most = frame[shown].min().min(), frame[shown].max().max()
    if pd.isna(least):
        least, most = 0.0, 1.0
    margin = max(0.06 * (most - least), 0.005)
    ax.set_xlim(max(least - margin, -0.01), min(most + margin, 1.01))
    chart.percent_axis(ax.xaxis)
    ax.grid(axis="x", color=chart.LINE, lw=0.8)
    ax.set_xlabel(choose("delivered ÷ accepted", "送达数 ÷ 受理数", language))


def _legend(frame: pd.DataFrame, language: str | None) -> tuple[list[Artist], list[str]]:
    handles: list[Artist] = [Line2D([], [], marker="o", ms=7, lw=2, color=chart.BLUE)]
    labels = [choose("delivered so far, 95% interval", "目前送达率及 95% 区间", language)]
    if {"least", "most"} <= set(frame) and (frame["most"] > frame["least"]).any():
        handles.append(Patch(color=chart.BLUE, alpha=0.15, lw=0))
        labels.append(choose("if all pending fail … all arrive", "待回执全部失败 … 全部送达", language))
    if (
        "expected_rate" in frame
        and "pending" in frame
        and (frame["expected_rate"].notna() & (frame["pending"] > 0)).any()
    ):
        handles.append(
            Line2D([], [], marker="D", ms=5, mfc="white", mec=chart.ORANGE, mew=1.3, color=chart.ORANGE, lw=1.2)
        )
        labels.append(choose("expected in the end", "预计最终送达率", language))
    return handles, labels


def _small(frame: pd.DataFrame, language: str | None) -> list[str]:
    if not (frame["accepted"] < chart.SMALL_N).any():
        return []
    return [choose(f"hollow: fewer than {chart.SMALL_N} messages", f"空心：不足 {chart.SMALL_N} 条", language)]
