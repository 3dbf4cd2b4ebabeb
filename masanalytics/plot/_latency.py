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

from masanalytics.aliases import Columns, Messages
from masanalytics.analysis.results import MINUTES_ONLY, note_texts
from masanalytics.formatting import count, duration, group_label, percent
from masanalytics.i18n import N_, _, resolve_language, speaks, use_language
from masanalytics.plot.arguments import chart_arguments, regrouped, sorted_groups
from masanalytics.plot.chart import (
    Chart,
    Drawn,
    by_columns,
    group_labels,
    is_result,
    percent_axis,
    result_of,
    short_name,
    titled,
    within_note,
)
from masanalytics.plot.layout import NARROW, figure_width, points, text_width
from masanalytics.plot.named_rows import beside_rows, largest
from masanalytics.plot.theme import BLUE, DASHES, LINE, MUTED, ORANGE, SERIES
from masanalytics.stats.interval_censored import MINUTE_S

__all__ = ["latency"]

_RESULT = ("p50_s", "p90_s", "p95_s", "p99_s")
_CURVE = ("seconds", "share", "low", "high")
_TICKS = (1, 10, 60, 600, 3600, 86400, 259200)
_FINE_TICKS = (1, 2, 5, 10, 30, 60, 120, 300, 600)
_MARKS = (0.5, 0.9)
_START, _START_OF_MINUTES = 0.9, 30.0
"""Seconds at the left end of the axis: a log axis has no zero, and of less than a minute some reports say nothing."""
_AXIS_SHARE, _NARROW_SHARE = 0.85, 0.7
"""Roughly how much of its width a chart leaves to its Axes; a narrow one less, for what stands around it is as wide."""


@speaks
@chart_arguments
def latency(
    data: Messages,
    *,
    by: Columns | None = None,
    sort: str | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw how fast messages arrive: the share of all accepted that had arrived, over the time since submission.

    Where the reports carry no seconds, the curve is known at the ends of minutes: its band reaches from every time a minute
    later to every time a minute earlier, and quantiles have a grey bar of a minute to either side.

    Messages still waiting for their report count as waiting, not as lost and not left out, so the curve of a young
    campaign ends where nothing more has been observed. More than six groups, or a result of ``latency``, are drawn as
    quantiles: a dot at the median of the delivered, a bar to the 90 %, a line to the 99 % quantile.

    Parameters
    ----------
    data : Store or what else the analysis takes, curve of arrivals, or result of ``latency``
        A curve needs ``seconds, share, low, high``, and may have ``accepted`` (how many it rests on); quantiles need ``p50_s, p90_s, p95_s, p99_s``, and show
        ``reached_50_s`` and ``reached_90_s`` (seconds until half and nine in ten of all accepted had arrived).
    by, **keywords
        Handed to the analysis when `data` holds messages.
    sort : {"size", "rate", "name"}, optional
        The order of quantiles of groups: the largest first (by default, unless they are days or hours), the slowest, or by name.
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
    >>> curve = pd.DataFrame({"seconds": [2, 30], "share": [0.5, 0.9], "low": [0.45, 0.87], "high": [0.55, 0.93]})
    >>> ax = latency(curve, language="en")
    >>> ax.get_xscale(), ax.get_title()
    ('log', 'How fast messages arrive')
    """
    if is_result(data, _RESULT):
        return _quantiles(data, ax, sort or "name").on(ax)
    if is_result(data, _CURVE):
        return _curves(_in_order(data, sort)).on(ax)
    from masanalytics.analysis import arrivals

    # More lines than colours cannot be told apart.
    curve = arrivals(data, by, most_groups=len(SERIES), **keywords)
    if curve is None:
        return _quantiles(result_of(data, "latency", _RESULT, by=by, **keywords), ax, sort).on(ax)
    return _curves(_in_order(curve, sort)).on(ax)


def _in_order(curve: pd.DataFrame, sort: str | None) -> pd.DataFrame:
    """Return the curves in the order that was asked for: by default as they come, the largest group first."""
    columns = by_columns(curve, "seconds")
    size = "accepted" if "accepted" in curve else "share"
    return regrouped(curve, columns, sort, lambda one: (float(one[size].iloc[0]), float(one["share"].iloc[-1])))


def _curves(curve: pd.DataFrame) -> Chart:
    columns = by_columns(curve, "seconds")
    return Chart(
        result=curve,
        title=titled(_("How fast messages arrive"), columns, comma=True),
        draw=lambda axes: _draw_curves(axes, curve, columns),
        width=9,
        height=5.2,
        nothing=_("No messages to show") if curve.empty else "",
    )


def _draw_curves(ax: Axes, curve: pd.DataFrame, columns: list[str]) -> Drawn:
    if columns:
        _draw_groups(ax, curve, columns)
    else:
        _draw_curve(ax, curve, BLUE)
        _write_marks(ax, curve)
    _draw_time_axis(ax, float(curve["seconds"].max()), in_minutes=_in_minutes(curve))
    ax.set_ylim(0, 1.02)
    ax.grid(axis="y", color=LINE, lw=0.8)
    percent_axis(ax.yaxis)
    ax.set_ylabel(_("share of all accepted"))
    ax.set_xlabel(_("time since submission"))
    accepted = curve["accepted"].iloc[0] if "accepted" in curve else None
    legend = _legend(ax, grouped=bool(columns), accepted=accepted)
    if _in_minutes(curve):
        legend[-2] = (legend[-2][0], _("95% interval, ±1 min"))
    return Drawn(legend=legend)


def _draw_groups(ax: Axes, curve: pd.DataFrame, columns: list[str]) -> None:
    groups = [group for _key, group in curve.groupby(columns, sort=False, dropna=False)]
    for group, colour, dashes in zip(groups, SERIES, DASHES, strict=False):
        name = short_name(ax, group_label(columns, list(group[columns].iloc[0])))
        size = f", n={count(group['accepted'].iloc[0])}" if "accepted" in group else ""
        _draw_curve(ax, group, colour, dashes, f"{name} {percent(float(group['share'].iloc[-1]))}{size}")


def _draw_curve(ax: Axes, curve: pd.DataFrame, colour: str, dashes: Any = "-", name: str = "") -> None:
    # A log axis has no zero: what arrived within the first second is drawn at one second.
    seconds = curve["seconds"].clip(lower=_START_OF_MINUTES if _in_minutes(curve) else 1).to_numpy(dtype=float)
    share = curve["share"].to_numpy(dtype=float)
    ax.fill_between(seconds, curve["low"], curve["high"], step="post", color=colour, alpha=0.15, lw=0)
    ax.plot(seconds, share, drawstyle="steps-post", color=colour, lw=2, ls=dashes, label=name or None)
    for mark in _MARKS:
        reached = np.flatnonzero(share >= mark)
        if len(reached):
            ax.plot(seconds[reached[0]], mark, "o", ms=6, mfc="white", mec=colour, mew=1.6, zorder=3)


def _write_marks(ax: Axes, curve: pd.DataFrame) -> None:
    """Write beside a single curve when half and nine in ten had arrived, and how far it has come."""
    seconds, share = curve["seconds"].to_numpy(dtype=float), curve["share"].to_numpy(dtype=float)
    size = points(ax, 11)
    # The curve goes no further than messages have been observed; its last value is written there.
    end = max(float(seconds[-1]), 1.0), float(share[-1])
    ax.annotate(percent(end[1]), end, xytext=(5, 0), textcoords="offset points", va="center", fontsize=size,
                color=BLUE, annotation_clip=False)  # fmt: skip
    for mark in _MARKS:
        reached = np.flatnonzero(share >= mark)
        if not len(reached):
            continue
        reached_s = float(seconds[reached[0]])
        text = _("{share:.0%} after {time}", share=mark, time=duration(reached_s))
        if reached_s < 1:
            text = _("{share:.0%} within 1 s", share=mark)
        elif _in_minutes(curve):
            text = _("{share:.0%} within {time}", share=mark, time=duration(reached_s))
        ax.annotate(
            text, (max(reached_s, 1), mark), xytext=(9, -5), textcoords="offset points", va="top", fontsize=size
        )


def _legend(ax: Axes, *, grouped: bool, accepted: float | None) -> list[tuple[Artist, str]]:
    if grouped:
        curves = list(zip(*ax.get_legend_handles_labels(), strict=True))
    else:
        name = _("delivered so far")
        if accepted is not None:
            name = _("delivered so far, n={count}", count=count(accepted))
        curves = [(Line2D([], [], color=BLUE, lw=2), name)]
    return [
        *curves,
        (Patch(color=MUTED if grouped else BLUE, alpha=0.2, lw=0), _("95% interval")),
        (Line2D([], [], marker="o", ms=6, mfc="white", mec=MUTED, mew=1.6, lw=0), _("half, nine in ten")),
    ]


def _quantiles(result: pd.DataFrame, ax: Axes | None, sort: str | None) -> Chart:
    columns = by_columns(result, "delivered")
    groups, left_out = largest(
        sorted_groups(result, columns, sort, size="delivered", rate="p50_s"), ax, size="delivered"
    )
    return Chart(
        result=result,
        title=titled(_("How fast messages arrive"), columns, comma=True),
        rows=group_labels(groups, columns),
        draw=lambda axes: _draw_quantiles(axes, groups, in_minutes=_in_minutes(result)),
        nothing=_("No messages to show") if groups.empty else "",
        notes=[*left_out, *_notes(result)],
    )


def _notes(result: pd.DataFrame) -> list[str]:
    notes = within_note(result.attrs)
    if any(note.code == "still_pending" for note in note_texts(result.attrs)):
        notes.append(_("reports are still coming: slow deliveries are missing"))
    return notes


def _in_minutes(result: pd.DataFrame) -> bool:
    """Whether the times of a result have no seconds."""
    return any(note.code == MINUTES_ONLY.code for note in note_texts(result.attrs))


def _draw_quantiles(ax: Axes, groups: pd.DataFrame, *, in_minutes: bool) -> Drawn:
    records = groups.to_dict("records")
    for row, group in enumerate(records):
        p50, p90, p95, p99 = (max(group[name], 1) if pd.notna(group[name]) else np.nan for name in _RESULT)
        if in_minutes:  # of each time a minute to either side
            ax.plot([max(p50 - MINUTE_S, 1), p99 + MINUTE_S], [row, row], color=MUTED, lw=12, alpha=0.2, zorder=0)
        ax.plot([p50, p99], [row, row], color=BLUE, lw=1.4, solid_capstyle="butt")
        ax.plot([p50, p90], [row, row], color=BLUE, lw=6, alpha=0.45, solid_capstyle="butt")
        ax.plot(p50, row, "o", ms=8, color=BLUE)
        ax.plot(p95, row, "|", ms=10, mew=1.6, color=BLUE)
        for name in ("reached_50_s", "reached_90_s"):
            if pd.notna(group.get(name)):
                ax.plot(max(group[name], 1), row + 0.24, "D", ms=5, mfc="white", mec=ORANGE, mew=1.3)
    median = N_("median within {time}") if in_minutes else N_("median {time}")
    medians = [_(median, time=duration(group["p50_s"])) for group in records]
    sizes = [f"n={count(group['delivered'])}" for group in records]
    beside_rows(ax, [medians, sizes], give_up=(0,))
    shown = [name for name in (*_RESULT, "reached_90_s") if name in groups]
    _draw_time_axis(ax, float(np.nanmax([groups[shown].max(axis=None), 60.0])), in_minutes=in_minutes)
    ax.set_xlabel(_("time since submission, of the delivered"))
    legend = _quantile_legend(reached="reached_50_s" in groups)
    if in_minutes:
        legend.append((Patch(color=MUTED, alpha=0.2, lw=0), _("±1 min")))
    return Drawn(legend=legend)


def _quantile_legend(*, reached: bool) -> list[tuple[Artist, str]]:
    entries: list[tuple[Artist, str]] = [
        (Line2D([], [], marker="o", ms=8, lw=0, color=BLUE), _("median")),
        (Line2D([], [], lw=6, alpha=0.45, color=BLUE), _("to 90%")),
        (Line2D([], [], marker="|", ms=10, mew=1.6, lw=1.4, color=BLUE), _("95%, to 99%")),
    ]
    if reached:
        diamond = Line2D([], [], marker="D", ms=5, mfc="white", mec=ORANGE, mew=1.3, lw=0)
        entries.append((diamond, _("half, nine in ten of all accepted")))
    return entries


def _draw_time_axis(ax: Axes, longest: float, *, in_minutes: bool) -> None:
    ax.set_xscale("log")
    start, end = (_START_OF_MINUTES, max(longest * 1.3, 180.0)) if in_minutes else (_START, max(longest * 1.3, 10))
    ax.set_xlim(start, end)
    ticks = [tick for tick in (_FINE_TICKS if longest < 300 else _TICKS) if tick > start]
    ax.xaxis.set_major_locator(FixedLocator(_ticks_that_fit(ax, ticks, start, end)))
    ax.xaxis.set_minor_locator(NullLocator())
    # The ticks are written whenever the figure is drawn, which may be after the call that chose the language.
    language = resolve_language()

    def written(seconds: float, _tick: int | None = None) -> str:
        with use_language(language):
            return duration(seconds)

    ax.xaxis.set_major_formatter(FuncFormatter(written))
    ax.grid(axis="x", color=LINE, lw=0.8)


def _ticks_that_fit(ax: Axes, ticks: Sequence[int], start: float, end: float) -> list[int]:
    """Return the ticks whose texts do not run into each other on a log axis from `start` to `end`."""
    share = _AXIS_SHARE if figure_width(ax) >= NARROW else _NARROW_SHARE
    width = share * figure_width(ax) * 72
    size = points(ax, 11.5)
    shown: list[int] = []
    free_from = -np.inf
    for seconds in ticks:
        centre = width * np.log(seconds / start) / np.log(end / start)
        half = text_width(duration(seconds), size) / 2
        if centre - half > free_from:
            shown.append(seconds)
            free_from = centre + half + text_width(" ", size)
    return shown
