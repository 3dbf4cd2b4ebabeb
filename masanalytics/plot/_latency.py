"""How long delivery takes: the curve of arrivals over all accepted messages, or quantiles where groups are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from masanalytics.i18n import choose
from masanalytics.plot import chart
from masanalytics.plot.inputs import by_columns, is_result, result_of
from masanalytics.plot.words import by_phrase, count, duration, group_label, percent

__all__ = ["latency"]

_RESULT = ("p50_s", "p90_s", "p95_s", "p99_s")
_CURVE = ("seconds", "share", "low", "high")
_TICKS = (1, 10, 60, 600, 3600, 86400, 259200)
_FINE_TICKS = (1, 2, 5, 10, 30, 60, 120, 300, 600)
_MARKS = (0.5, 0.9)


def latency(
    data: Any,
    *,
    by: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw how fast messages arrive: the share of all accepted that had arrived, over the time since submission.

    Messages still waiting for their report count as waiting, not as lost and not left out, so the curve of a young
    campaign ends where nothing more has been observed. More than six groups, or a result of ``latency``, are drawn as
    quantiles: a dot at the median of the delivered, a bar to the 90 %, a line to the 99 % quantile.

    Parameters
    ----------
    data : Store, DataFrame of messages, curve of arrivals, or result of ``latency``
        A curve needs ``seconds, share, low, high``, and may have ``accepted`` (how many it rests on); quantiles need ``p50_s, p90_s, p95_s, p99_s``, and show
        ``reached_50_s`` and ``reached_90_s`` (seconds until half and nine in ten of all accepted had arrived).
    by, **keywords
        Handed to the analysis when `data` holds messages.
    ax : Axes, optional
        Where to draw; by default a new figure.
    language : {"en", "zh"}, optional
        Of the texts; by default the user's own.

    Returns
    -------
    Axes

    Examples
    --------
    >>> curve = pd.DataFrame({"seconds": [2, 30], "share": [0.5, 0.9], "low": [0.45, 0.87], "high": [0.55, 0.93]})
    >>> ax = latency(curve, language="en")
    >>> ax.get_xscale(), ax.get_title()
    ('log', 'How fast messages arrive')
    """
    if is_result(data, _RESULT):
        return _quantiles(data, ax, language)
    if is_result(data, _CURVE):
        return _curves(data, ax, language)
    from masanalytics.analysis import arrivals

    # More lines than colours cannot be told apart.
    curve = arrivals(data, by, most_groups=len(chart.SERIES), **keywords)
    if curve is None:
        return _quantiles(result_of(data, "latency", _RESULT, by=by, **keywords), ax, language)
    return _curves(curve, ax, language)


def _curves(curve: pd.DataFrame, ax: Axes | None, language: str | None) -> Axes:
    columns = by_columns(curve, "seconds")
    with chart.canvas(ax, width=9, height=5.2) as axes:
        _entitle(axes, columns, language)
        if curve.empty:
            chart.say_nothing_to_show(axes, language)
        else:
            _draw_groups(axes, curve, columns, language)
            _time_axis(axes, float(curve["seconds"].max()), language)
            axes.set_ylim(0, 1.02)
            axes.grid(axis="y", color=chart.LINE, lw=0.8)
            chart.percent_axis(axes.yaxis)
            axes.set_ylabel(choose("share of all accepted", "占全部受理数的比例", language))
            axes.set_xlabel(choose("time since submission", "提交后经过的时间", language))
            accepted = curve["accepted"].iloc[0] if "accepted" in curve else None
            _legend(axes, grouped=bool(columns), accepted=accepted, language=language)
        chart.source_line(axes, curve.attrs, language)
    return axes


def _draw_groups(ax: Axes, curve: pd.DataFrame, columns: list[str], language: str | None) -> None:
    if not columns:
        _draw_curve(ax, curve, chart.BLUE)
        _write_marks(ax, curve, language)
        return
    parts = [part for _, part in curve.groupby(columns, sort=False, dropna=False)]
    for part, colour, dashes in zip(parts, chart.SERIES, chart.DASHES, strict=False):
        name = chart.short_name(ax, group_label(columns, list(part[columns].iloc[0]), language))
        n = f", n={count(part['accepted'].iloc[0])}" if "accepted" in part else ""
        _draw_curve(ax, part, colour, dashes, f"{name} {percent(float(part['share'].iloc[-1]))}{n}")


def _draw_curve(ax: Axes, part: pd.DataFrame, colour: str, dashes: Any = "-", name: str = "") -> None:
    # A log axis has no zero: what arrived within the first second is drawn at one second.
    seconds = part["seconds"].clip(lower=1).to_numpy(dtype=float)
    share = part["share"].to_numpy(dtype=float)
    ax.fill_between(seconds, part["low"], part["high"], step="post", color=colour, alpha=0.15, lw=0)
    ax.plot(seconds, share, drawstyle="steps-post", color=colour, lw=2, ls=dashes, label=name or None)
    for mark in _MARKS:
        reached = np.flatnonzero(share >= mark)
        if len(reached):
            ax.plot(seconds[reached[0]], mark, "o", ms=6, mfc="white", mec=colour, mew=1.6, zorder=3)


def _write_marks(ax: Axes, curve: pd.DataFrame, language: str | None) -> None:
    """Write beside a single curve when half and nine in ten had arrived, and how far it has come."""
    seconds, share = curve["seconds"].to_numpy(dtype=float), curve["share"].to_numpy(dtype=float)
    size = chart.points(ax, 11)
    # The curve goes no further than messages have been observed; its last value is written there.
    end = max(float(seconds[-1]), 1.0), float(share[-1])
    ax.annotate(percent(end[1]), end, xytext=(5, 0), textcoords="offset points", va="center", fontsize=size,
                color=chart.BLUE, annotation_clip=False)  # fmt: skip
    for mark in _MARKS:
        reached = np.flatnonzero(share >= mark)
        if not len(reached):
            continue
        at = float(seconds[reached[0]])
        text = choose(f"{mark:.0%} after {duration(at, 'en')}", f"{mark:.0%}：{duration(at, 'zh')}", language)
        if at < 1:
            text = choose(f"{mark:.0%} within 1 s", f"{mark:.0%}：1 秒内", language)
        ax.annotate(text, (max(at, 1), mark), xytext=(9, -5), textcoords="offset points", va="top", fontsize=size)


def _legend(ax: Axes, *, grouped: bool, accepted: float | None, language: str | None) -> None:
    handles, labels = ax.get_legend_handles_labels() if grouped else ([Line2D([], [], color=chart.BLUE, lw=2)], [""])
    if not grouped:
        n = f"{choose(', ', '，', language)}n={count(accepted)}" if accepted is not None else ""
        labels = [choose("delivered so far", "已送达", language) + n]
    parts: list[Artist] = [
        *handles,
        Patch(color=chart.MUTED if grouped else chart.BLUE, alpha=0.2, lw=0),
        Line2D([], [], marker="o", ms=6, mfc="white", mec=chart.MUTED, mew=1.6, lw=0),
    ]
    band, half = choose("95% interval", "95% 区间", language), choose("half, nine in ten", "达到 50%、90%", language)
    chart.legend_below(ax, parts, [*labels, band, half])


def _quantiles(result: pd.DataFrame, ax: Axes | None, language: str | None) -> Axes:
    columns = by_columns(result, "delivered")
    frame, left_out = chart.largest(result, ax, language, size="delivered")
    labels = [group_label(columns, list(row), language) for row in frame[columns].itertuples(index=False)]
    with chart.canvas(ax, height=chart.row_height(len(frame), chart.lines_of(labels))) as axes:
        _entitle(axes, columns, language)
        if frame.empty:
            chart.say_nothing_to_show(axes, language)
        else:
            chart.name_rows(axes, labels)
            _draw_quantiles(axes, frame, language)
            shown = [name for name in (*_RESULT, "reached_90_s") if name in frame]
            _time_axis(axes, float(np.nanmax([frame[shown].max(axis=None), 60.0])), language)
            axes.set_xlabel(
                choose("time since submission, of the delivered", "提交后经过的时间（已送达短信）", language)
            )
            chart.legend_below(axes, *_quantile_legend(reached="reached_50_s" in frame, language=language))
        chart.source_line(axes, result.attrs, language, notes=[*left_out, *_notes(result, language)])
    return axes


def _notes(result: pd.DataFrame, language: str | None) -> list[str]:
    notes = chart.within_note(result.attrs, language)
    if any(note["code"] == "still_pending" for note in result.attrs.get("notes") or ()):
        notes.append(
            choose(
                "reports are still coming: slow deliveries are missing", "回执尚未到齐：较慢的送达尚未计入", language
            )
        )
    return notes


def _draw_quantiles(ax: Axes, frame: pd.DataFrame, language: str | None) -> None:
    groups = frame.to_dict("records")
    for row, group in enumerate(groups):
        p50, p90, p95, p99 = (max(group[name], 1) if pd.notna(group[name]) else np.nan for name in _RESULT)
        ax.plot([p50, p99], [row, row], color=chart.BLUE, lw=1.4, solid_capstyle="butt")
        ax.plot([p50, p90], [row, row], color=chart.BLUE, lw=6, alpha=0.45, solid_capstyle="butt")
        ax.plot(p50, row, "o", ms=8, color=chart.BLUE)
        ax.plot(p95, row, "|", ms=10, mew=1.6, color=chart.BLUE)
        for name in ("reached_50_s", "reached_90_s"):
            if pd.notna(group.get(name)):
                ax.plot(max(group[name], 1), row + 0.24, "D", ms=5, mfc="white", mec=chart.ORANGE, mew=1.3)
    medians = [duration(group["p50_s"], language) for group in groups]
    columns = [
        [choose(f"median {median}", f"中位数 {median}", language) for median in medians],
        [f"n={count(group['delivered'])}" for group in groups],
    ]
    chart.beside_rows(ax, columns, give_up=(0,))


def _quantile_legend(*, reached: bool, language: str | None) -> tuple[list[Artist], list[str]]:
    handles: list[Artist] = [
        Line2D([], [], marker="o", ms=8, lw=0, color=chart.BLUE),
        Line2D([], [], lw=6, alpha=0.45, color=chart.BLUE),
        Line2D([], [], marker="|", ms=10, mew=1.6, lw=1.4, color=chart.BLUE),
    ]
    labels = [
        choose("median", "中位数", language),
        choose("to 90%", "至 90%", language),
        choose("95%, to 99%", "95%，至 99%", language),
    ]
    if reached:
        handles.append(Line2D([], [], marker="D", ms=5, mfc="white", mec=chart.ORANGE, mew=1.3, lw=0))
        labels.append(choose("half, nine in ten of all accepted", "全部受理数的 50%、90% 送达", language))
    return handles, labels


def _entitle(ax: Axes, columns: Sequence[str], language: str | None) -> None:
    en, zh = by_phrase(columns, "en"), by_phrase(columns, "zh")
    chart.title(ax, f"How fast messages arrive{en and ','}{en}", f"送达速度{zh}", language)


def _time_axis(ax: Axes, longest: float, language: str | None) -> None:
    ax.set_xscale("log")
    ax.set_xlim(0.9, max(longest * 1.3, 10))
    ax.xaxis.set_major_locator(FixedLocator(_FINE_TICKS if longest < 300 else _TICKS))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: duration(seconds, language)))
    ax.grid(axis="x", color=chart.LINE, lw=0.8)
