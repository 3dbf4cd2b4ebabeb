"""The delivery rate over time with its control limits, and how much was sent below it."""

from __future__ import annotations

from typing import Any, Literal

import matplotlib.dates as mdates
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from masanalytics.aliases import Columns, Messages
from masanalytics.formatting import count, duration, group_label
from masanalytics.i18n import N_, _, ngettext, speaks
from masanalytics.plot.arguments import chart_arguments, regrouped
from masanalytics.plot.chart import SMALL_N, Chart, Drawn, by_columns, percent_axis, result_of, short_name, titled
from masanalytics.plot.layout import body, figure_height, figure_width, points
from masanalytics.plot.theme import BLUE, GREY, HATCHES, LINE, MARKS, MUTED, SERIES, VERMILION, dress
from masanalytics.timezone import CHINA

__all__ = ["timeline"]

_COLUMNS = ("time", "accepted", "delivered", "failed", "pending", "delivery_rate", "low", "high")
_LIMITS = ("limit_low", "limit_high")
_GAP = 1.5
_MANY = 80
# Lower than this, names of the axes would run into each other; the legend says what is drawn.
_ROOM_FOR_LABELS = 2.6
_ROOM_FOR_CENTRE = 6.0
# A point of which more than this share is pending will still rise: it is drawn lighter.
_LOW = 3.6
_UNSETTLED = 0.05
# Light, dark and hatched: told apart in grey print too.
_STACK = (
    (N_("delivered"), "#7fb8d8", ""),
    (N_("failed"), VERMILION, ""),
    (N_("unreported"), GREY, ""),
    (N_("pending"), "white", "////"),
)


_EDGE = 0.012
"""Of the time shown: so much is left free at either end, so that the first mark and the last are whole."""
_LEAST_BAR = 1.0
"""Points: no bar is thinner."""
_VOLUME_SHARE, _ROOM_FOR_A_NUMBER = 0.3, 0.22
"""Of the height, for the volume; and the inches from one of its numbers to the next."""


@speaks
@chart_arguments
def timeline(
    data: Messages,
    *,
    freq: str | None = None,
    by: Columns | None = None,
    sort: str | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw the delivery rate over the time of submission, with the number of messages below it.

    The band around the line is each point's 95 % interval. Where the result has control limits they are drawn as grey
    steps, and points outside them are ringed. Where more than 5 % is still pending the line is dotted: it will rise.
    Volume is stacked: delivered, failed, pending. With groups each of the six largest has a line of its own colour and
    marks, and volume is stacked by group.

    Parameters
    ----------
    data : Store or what else the analysis takes, or result of ``timeline``
        A result needs ``time, accepted, delivered, failed, pending, delivery_rate, low, high``; ``limit_low,
        limit_high`` and ``outside`` are drawn where it has them.
    freq, by, **keywords
        Handed to ``timeline`` when `data` holds messages.
    sort : {"size", "rate", "name"}, optional
        The order of the groups: the largest first, the best rate first, or by name. By default the largest first.
    ax : Axes, optional
        Where to draw; it is divided in two. By default a new figure.
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
        That of the rate; the volume's is the next one in its figure.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-01-03 09:00", "2026-01-03 10:00"]).tz_localize("Asia/Shanghai")
    >>> result = pd.DataFrame({"time": times, "accepted": [100, 50], "delivered": [95, 40], "failed": [5, 2],
    ...                        "pending": [0, 8], "delivery_rate": [0.95, 0.8], "low": [0.89, 0.67], "high": [0.98, 0.89]})
    >>> timeline(result, language="en").get_title()
    'Delivery rate over time'
    """
    result = result_of(data, "timeline", _COLUMNS, freq=freq, by=by, **keywords)
    columns = by_columns(result, "time")
    result = regrouped(result, columns, sort or "size", _worth)
    return Chart(
        result=result,
        title=_title(columns, result.attrs.get("within_s")),
        draw=lambda axes: _draw(axes, result, columns),
        width=10,
        height=5.8,
        nothing=_("No messages to show") if result.empty else "",
    ).on(ax)


def _worth(group: pd.DataFrame) -> tuple[float, float]:
    accepted = float(group["accepted"].sum())
    return accepted, float(group["delivered"].sum()) / accepted if accepted else 0.0


def _title(columns: list[str], within_s: float | None) -> str:
    if within_s is None:
        return titled(_("Delivery rate over time"), columns, comma=True)
    return titled(_("Delivered within {age}, over time", age=duration(within_s)), columns, comma=True)


def _draw(ax: Axes, result: pd.DataFrame, columns: list[str]) -> Drawn:
    volume = _part_below(ax)
    width = _bucket(result)
    if columns:
        shown, notes = _draw_groups((ax, volume), result, columns, width)
    else:
        shown, notes = result, []
        _draw_rate(ax, result, width, (BLUE, MARKS[0]))
        _draw_volume(volume, result, width * 0.9)
    moments = _moments(result["time"])
    edge = max(0.75 * width, _EDGE * (moments.max() - moments.min()))
    ax.set_xlim(moments.min() - edge, moments.max() + edge)
    _rate_axis(ax, shown)
    _volume_axis(volume)
    legend = _group_legend(ax) if columns else _legend(shown, is_low=figure_height(ax) < _LOW)
    return Drawn(legend=legend, notes=notes, below=volume)


def _draw_groups(
    axes: tuple[Axes, Axes], result: pd.DataFrame, columns: list[str], width: float
) -> tuple[pd.DataFrame, list[str]]:
    """Draw one line a group, the largest six; return what was drawn and what to say of the rest."""
    ax, volume = axes
    groups = [(key, group) for key, group in result.groupby(columns, sort=False, dropna=False)]
    # The largest have the colours, in the order that was asked for; the others follow.
    largest = sorted(range(len(groups)), key=lambda place: -groups[place][1]["accepted"].sum())[: len(SERIES)]
    groups = [groups[place] for place in sorted(range(len(groups)), key=lambda place: place not in largest)]
    base: dict[float, float] = {}
    for place, (key, group) in enumerate(groups):
        colour = SERIES[place] if place < len(SERIES) else LINE
        if place < len(SERIES):
            name = group_label(columns, list(key) if isinstance(key, tuple) else [key])
            size = f" n={count(group['accepted'].sum())}"
            _draw_rate(ax, group, width, (colour, MARKS[place]), short_name(ax, name) + size)
        _stack(volume, group, base, (width, colour, HATCHES[place] if place < len(HATCHES) else ""))
    drawn = pd.concat([group for _key, group in groups[: len(SERIES)]])
    left = len(groups) - len(SERIES)
    if left <= 0:
        return drawn, []
    left_out = ngettext(
        "light grey: {count} smaller group, in the volume only",
        "light grey: {count} smaller groups, in the volume only",
        left,
    )
    return drawn, [left_out]


def _stack(ax: Axes, part: pd.DataFrame, base: dict[float, float], drawn: tuple[float, str, str]) -> None:
    """Stack the volume of one group on `base`, which is kept up."""
    width, colour, hatch = drawn
    moments = _moments(part["time"])
    below = np.array([base.get(moment, 0.0) for moment in moments])
    ax.bar(moments, part["accepted"], width * 0.9, bottom=below, fc=colour, ec="white", hatch=hatch, lw=0)
    base.update(zip(moments, below + part["accepted"].to_numpy(dtype=float), strict=True))


def _bucket(result: pd.DataFrame) -> float:
    """Return the width of a bucket in days: as the result says, so that one day alone is a day; else the shortest step."""
    known = result.attrs.get("bucket_s")
    if known:
        return float(known) / 86_400
    steps = np.diff(np.unique(_moments(result["time"])))
    return float(steps.min()) if len(steps) else 1 / 24


def _moments(times: pd.Series) -> npt.NDArray[np.float64]:
    """Return times as matplotlib counts them, in China time: charts know no zones."""
    local = times if times.dt.tz is None else times.dt.tz_convert(CHINA).dt.tz_localize(None)
    numbers: npt.NDArray[np.float64] = mdates.date2num(local)  # type: ignore[no-untyped-call]
    return numbers


def _part_below(ax: Axes) -> Axes:
    """Divide the place of `ax` in two and return the lower Axes, which shares its time."""
    figure = ax.get_figure()
    spec = ax.get_subplotspec()
    if figure is None:
        raise ValueError("ax belongs to no figure")
    if spec is None:
        place = ax.get_position()
        ax.set_position((place.x0, place.y0 + 0.36 * place.height, place.width, 0.64 * place.height))
        lower = figure.add_axes((place.x0, place.y0, place.width, 0.28 * place.height), sharex=ax)
    else:
        parts = spec.subgridspec(2, 1, height_ratios=[2, 1], hspace=0.08)
        ax.set_subplotspec(parts[0])
        lower = figure.add_subplot(parts[1], sharex=ax)
    dress(lower, points(ax, 1))
    ax.tick_params(labelbottom=False)
    figure.align_ylabels([ax, lower])
    return lower


def _draw_rate(ax: Axes, part: pd.DataFrame, width: float, drawn: tuple[str, str], name: str = "") -> None:
    colour, shape = drawn
    moments = _moments(part["time"])
    rate, low, high = (part[column].to_numpy(dtype=float) for column in ("delivery_rate", "low", "high"))
    if not name and set(_LIMITS) <= set(part):
        for limit in _LIMITS:
            ax.plot(moments, part[limit], color=GREY, lw=1, ls=(0, (4, 3)), drawstyle="steps-mid")
    # No line and no band across a time in which nothing was sent.
    breaks = np.flatnonzero(np.diff(moments) > _GAP * width) + 1
    for piece in np.split(np.arange(len(moments)), breaks):
        if len(piece) == 1:
            ax.vlines(moments[piece], low[piece], high[piece], color=colour, lw=1.5, alpha=0.6)
        ax.fill_between(moments[piece], low[piece], high[piece], color=colour, alpha=0.13, lw=0)
    still_open = (part["pending"] > _UNSETTLED * part["accepted"]).to_numpy()
    ax.plot(*_apart(moments, rate, breaks), ":", color=colour, lw=1.4, alpha=0.6)
    ax.plot(moments[still_open], rate[still_open], shape, color=colour, ms=4, alpha=0.35, mew=0)
    settled = np.where(still_open, np.nan, rate)
    many = len(part) >= _MANY
    # Among many points, marks at some of them are enough to tell lines apart.
    size, every = (4.5, len(part) // 10) if many and name else (1.5 if many else 4.5, None)
    ax.plot(*_apart(moments, settled, breaks), color=colour, lw=1.8, marker=shape, ms=size, markevery=every,
            label=name or None)  # fmt: skip
    thin = (part["accepted"] < SMALL_N).to_numpy()
    ax.plot(moments[thin], rate[thin], shape, ms=5 if len(part) < _MANY else 3, mfc="white", mec=colour, mew=1.2)
    if not name and "outside" in part:
        out = part["outside"].fillna(value=False).to_numpy(dtype=bool)
        ax.plot(moments[out], rate[out], "o", ms=11, mfc="none", mec=VERMILION, mew=1.8)


def _apart(
    moments: npt.NDArray[np.float64], values: npt.NDArray[np.float64], breaks: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return np.insert(moments, breaks, np.nan), np.insert(values, breaks, np.nan)


def _draw_volume(ax: Axes, result: pd.DataFrame, width: float) -> None:
    moments, base = _moments(result["time"]), np.zeros(len(result))
    span = float(moments.max() - moments.min()) + width
    # A bar thinner than the screen's dots comes out pale or not at all.
    edge_width = 0.4 if figure_width(ax) * 72 * width / span > _LEAST_BAR else _LEAST_BAR
    for status, colour, hatch in _stacked(result):
        heights = result[status].to_numpy(dtype=float)
        edge = GREY if hatch else colour
        look: dict[str, Any] = {"facecolor": colour, "hatch": hatch, "edgecolor": edge, "lw": edge_width}
        for moment, bottom, height in zip(moments, base, heights, strict=True):
            bar = Rectangle((moment - width / 2, bottom), width, height, **look)
            bar.sticky_edges.y.append(bottom)
            # Unlike Axes.bar, which looks anew with each bar how far the axes have to reach.
            ax.add_artist(bar)
        base += heights
    ax.update_datalim([(moments.min() - width / 2, 0.0), (moments.max() + width / 2, base.max())])
    ax.autoscale_view()


def _stacked(result: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return what the volume consists of; messages without a report in 72 hours only where there are any."""
    is_silent = "unreported" in result and bool((result["unreported"] > 0).any())
    return [part for part in _STACK if part[0] != "unreported" or is_silent]


def _volume_axis(ax: Axes) -> None:
    ax.yaxis.set_major_locator(
        MaxNLocator(max(1, min(3, int(_VOLUME_SHARE * body(ax) / _ROOM_FOR_A_NUMBER))), integer=True)
    )
    ax.yaxis.set_major_formatter(lambda number, _tick: f"{number:,.0f}")
    if body(ax) > _ROOM_FOR_LABELS:
        ax.set_ylabel(_("messages"))
    # Where there is little room, the year and month at the right end would run into the middle.
    place: Literal["left", "center"] = "left" if figure_width(ax) < _ROOM_FOR_CENTRE else "center"
    ax.set_xlabel(_("time of submission (China time)"), loc=place)
    locator = _Dates(max(3, min(8, int(figure_width(ax) / 1.1))))
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(_dates(locator))
    ax.grid(axis="y", color=LINE, lw=0.8)


class _Dates(mdates.AutoDateLocator):
    """Ticks at round times, every second or third of them where there is room for no more than `most`."""

    def __init__(self, most: int) -> None:
        super().__init__(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
        self._most = most

    def __call__(self) -> list[float]:
        axis: Any = self.axis
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in super().__call__() if low <= tick <= high]  # type: ignore[no-untyped-call]
        return ticks[:: -(-len(ticks) // self._most) or 1]


def _dates(locator: mdates.AutoDateLocator) -> mdates.ConciseDateFormatter:
    # Numbers only: month names would need a language.
    formats = ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%H:%M:%S"]
    zero = ["", "%Y", "%m-%d", "%m-%d", "%H:%M", "%H:%M"]
    offset = ["", "%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d"]
    return mdates.ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator, formats=formats, zero_formats=zero, offset_formats=offset
    )


def _rate_axis(ax: Axes, result: pd.DataFrame) -> None:
    shown = result[["low", "high", *(limit for limit in _LIMITS if limit in result)]].to_numpy(dtype=float)
    least, most = (float(np.nanmin(shown)), float(np.nanmax(shown))) if np.isfinite(shown).any() else (0.0, 1.0)
    margin = max(0.08 * (most - least), 0.005)
    # Points at nothing and at all are shown whole.
    ax.set_ylim(max(-0.03 * (most - least), least - margin), min(1 + 0.03 * (most - least) + 0.001, most + margin))
    percent_axis(ax.yaxis)
    if body(ax) > _ROOM_FOR_LABELS:
        ax.set_ylabel(_("delivered ÷ accepted"))
    ax.grid(axis="y", color=LINE, lw=0.8)


def _group_legend(ax: Axes) -> list[tuple[Artist, str]]:
    lines = zip(*ax.get_legend_handles_labels(), strict=True)
    return [*lines, (Patch(color=MUTED, alpha=0.2, lw=0), _("95% interval"))]


def _legend(result: pd.DataFrame, *, is_low: bool) -> list[tuple[Artist, str]]:
    """Return what the legend says; in a low figure only what the chart cannot be read without."""
    entries: list[tuple[Artist, str]] = [(Line2D([], [], marker="o", ms=4, lw=1.8, color=BLUE), _("delivery rate"))]
    if not is_low:
        entries += _finer_points(result)
    if "outside" in result and result["outside"].any():
        ring = Line2D([], [], marker="o", ms=10, lw=0, mfc="none", mec=VERMILION, mew=1.8)
        entries.append((ring, _("outside the control limits") if is_low else _("outside them")))
    for status, colour, hatch in _stacked(result):
        patch = Patch(fc=colour, ec=GREY if hatch else colour, hatch=hatch)
        if not is_low or result[status].sum():
            entries.append((patch, _(status)))
    return entries


def _finer_points(result: pd.DataFrame) -> list[tuple[Artist, str]]:
    entries: list[tuple[Artist, str]] = [(Patch(color=BLUE, alpha=0.13, lw=0), _("95% interval"))]
    if (result["pending"] > _UNSETTLED * result["accepted"]).any():
        light = Line2D([], [], marker="o", ms=4, mew=0, ls=":", lw=1.4, color=BLUE, alpha=0.5)
        entries.append((light, _("still rising (reports pending)")))
    if set(_LIMITS) <= set(result) and result[list(_LIMITS)].notna().any(axis=None):
        entries.append((Line2D([], [], color=GREY, lw=1, ls=(0, (4, 3))), _("control limits")))
    return entries
