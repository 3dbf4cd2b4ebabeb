"""The parts every chart has: title, axes that read well, legend, source line; and what its own parts are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import ScaledTranslation

from masanalytics.i18n import choose, duration, resolve_language
from masanalytics.plot.fonts import printable, printable_lines
from masanalytics.plot.room import canvas, figure_width, fit, label_size, loose_axes, points, room_of
from masanalytics.plot.rows import (
    beside_rows,
    largest,
    lines_of,
    name_rows,
    row_height,
    rows_that_fit,
    wrapped_apart,
)
from masanalytics.plot.theme import (
    BLUE,
    CELL_GID,
    DASHES,
    GREEN,
    GREY,
    HATCHES,
    INK,
    LINE,
    MARKS,
    MUTED,
    ORANGE,
    PALE,
    SERIES,
    VERMILION,
    look,
)
from masanalytics.plot.words import display_width, shorten, wrap

__all__ = [
    "BLUE",
    "CELL_GID",
    "DASHES",
    "GREEN",
    "GREY",
    "HATCHES",
    "INK",
    "LINE",
    "MARKS",
    "MUTED",
    "ORANGE",
    "PALE",
    "SERIES",
    "SMALL_N",
    "VERMILION",
    "as_of_text",
    "beside_rows",
    "canvas",
    "figure_width",
    "fit",
    "largest",
    "legend_below",
    "lines_of",
    "look",
    "loose_axes",
    "name_rows",
    "pending_text",
    "percent_axis",
    "points",
    "room_of",
    "row_height",
    "rows_that_fit",
    "say_nothing_to_show",
    "short_name",
    "source_line",
    "title",
    "within_note",
    "wrapped_apart",
]

SMALL_N = 30
"""Fewer messages than this are drawn hollow or shaded: shown, and not to be leaned on."""

SOURCE_GID = "masanalytics-source"
# Said by the charts in their own way: hollow marks, the title, dotted lines.
_SAID_OTHERWISE = ("small_groups", "within", "unsettled", "still_pending")
_NARROW, _QUITE_NARROW = 7.5, 6.0
_LEAST_LETTERS = 24


def title(ax: Axes, en: str, zh: str, language: str | None) -> None:
    """Set the title, which the user's own ``ax.set_title`` replaces."""
    text = choose(en, zh, language)
    size = points(ax, 15)
    ax.set_title(printable_lines(wrap(text, _characters(ax, size), 2)), pad=0.8 * size, color=INK, fontsize=size)


def percent_axis(axis: Any) -> None:
    """Let an axis of shares (0 to 1) read as percentages."""
    many = 6
    if axis.axis_name == "x":
        many = 3 if figure_width(axis.axes) < _QUITE_NARROW else 4 if figure_width(axis.axes) < _NARROW else 6
    elif (figure := axis.axes.get_figure(root=True)) is not None:
        many = max(2, min(6, int(axis.axes.get_window_extent().height / figure.dpi / 0.35)))
    axis.set_major_locator(_Shares(many, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 2):g}%"))


class _Shares(MaxNLocator):
    """Ticks of shares: there is nothing beyond all."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        return np.array([tick for tick in super().tick_values(vmin, vmax) if -1e-9 < tick < 1 + 1e-9])


def legend_below(ax: Axes, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Put the legend below the axis of `ax`, so that neither data nor the user's own title meets it."""
    figure = ax.get_figure(root=True)
    if figure is None or not handles:
        return
    size, below = points(ax, 10.5), points(ax, 44)
    room = _characters(ax, size)
    labels = [shorten(label, room - 6) for label in labels]
    ax.legend(
        handles,
        [printable(label) for label in labels],
        fontsize=size,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + ScaledTranslation(_indent(ax) / 72, -below / 72, figure.dpi_scale_trans),
        borderaxespad=0,
        borderpad=0,
        ncols=_legend_columns([display_width(label) + 8 for label in labels], room),
        handlelength=1.8,
        columnspacing=1.6,
    )


def short_name(ax: Axes, name: str) -> str:
    """Return the name of a group as it fits into a legend beside its numbers."""
    return shorten(name, max(12, _characters(ax, points(ax, 10.5)) - 26))


def _legend_columns(widths: Sequence[int], room: int) -> int:
    """Return the most columns whose widest entries fit into `room` side by side, filled as matplotlib fills them."""
    for columns in range(len(widths), 1, -1):
        parts = [part for part in np.array_split(widths, columns) if len(part)]
        if sum(int(part.max()) for part in parts) <= room:
            return columns
    return 1


def source_line(
    ax: Axes, attrs: Mapping[Any, Any], language: str | None, *, notes: Sequence[str] = (), expected: bool = False
) -> None:
    """Say below the chart what it was computed from: as-of time, coverage gaps, notes of the result, `notes`.

    Notes on the expected end are left out where the chart does not show it.
    """
    shown = attrs if expected else {**attrs, "notes": _without_expectation(attrs)}
    parts = [part for part in source_parts(shown, language, notes) if part]
    if not parts:
        return
    below: Any = ax.get_legend() or ax.xaxis.label
    size = points(ax, 9)
    ax.annotate(
        printable_lines(_joined(parts, _characters(ax, size))),
        (0, 0),
        xycoords=(below if ax.get_legend() else ax.transAxes, below),
        # A legend is indented already.
        xytext=(0 if ax.get_legend() else _indent(ax), -0.8 * size),
        textcoords="offset points",
        va="top",
        ha="left",
        fontsize=size,
        linespacing=1.4,
        color=MUTED,
        annotation_clip=False,
        gid=SOURCE_GID,
    )


def _without_expectation(attrs: Mapping[Any, Any]) -> list[Any]:
    about = set((attrs.get("expected_reason") or {}).values())
    return [note for note in attrs.get("notes") or () if note["code"] not in about]


def _joined(parts: Sequence[str], width: int) -> str:
    """Join with dots, breaking lines between the parts where that can be."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if lines[-1] and display_width(longer) > width:
            lines.append(part)
        else:
            lines[-1] = longer
    return "\n".join(wrap(line, width, 3) for line in lines)


def source_parts(attrs: Mapping[Any, Any], language: str | None, notes: Sequence[str] = ()) -> list[str]:
    """Return what is to be said of where a result comes from, the as-of time first."""
    stored = {note["code"]: note for note in reversed(attrs.get("notes") or ()) if note["code"] not in _SAID_OTHERWISE}
    gaps = (attrs.get("coverage") or {}).get("gaps") or ()
    said = (
        choose(f"{len(gaps)} gap{'s' if len(gaps) > 1 else ''} in coverage", f"回执采集有 {len(gaps)} 处中断", language)
        if gaps
        else ""
    )
    return [
        as_of_text(attrs, language),
        said,
        *notes,
        *(note[resolve_language(language)] for note in reversed(stored.values())),
    ]


def as_of_text(attrs: Mapping[Any, Any], language: str | None) -> str:
    """Return what a result was computed from, and as of when, from its attrs; nothing where they do not say."""
    as_of = attrs.get("as_of")
    if not as_of or as_of == "-":
        return ""
    return choose(f"State reports as of {as_of} (China time)", f"回执数据截至 {as_of}（北京时间）", language)


def within_note(attrs: Mapping[Any, Any], language: str | None) -> list[str]:
    """Return the age a result is restricted to, for charts that do not say it in their title."""
    if (age := attrs.get("within_s")) is None:
        return []
    lengths = duration(age, "en"), duration(age, "zh")
    return [choose(f"within {lengths[0]} of submission", f"提交后 {lengths[1]}内", language)]


def say_nothing_to_show(
    ax: Axes, language: str | None, en: str = "No messages to show", zh: str = "没有可显示的短信"
) -> None:
    """Say in the chart that there is nothing to show."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.text(
        0.5,
        0.5,
        printable_lines(wrap(choose(en, zh, language), _characters(ax, points(ax, 13)), 3)),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=points(ax, 13),
        color=MUTED,
    )


def pending_text(pending: float, language: str | None) -> str:
    """Return how many messages are still pending, nothing where none is."""
    return choose(f"{int(pending):,} pending", f"待回执 {int(pending):,}", language) if pending else ""


def _characters(ax: Axes, size: float) -> int:
    """Return roughly how many Latin letters of `size` points fit between the row names and the figure's edge.

    In a narrow chart what stands below begins under the row names.
    """
    figure, width = ax.get_figure(root=True), figure_width(ax)
    taken = (0.0 if _is_narrow(ax) else _names_width(ax) / 72) + 0.4
    # Beside a column with long names a layout engine leaves less than an even share.
    alone = isinstance(figure, Figure) and width == figure.get_figwidth()
    spare = 1.0 if alone else 0.92 if room_of(ax) is not None else 0.78
    return max(_LEAST_LETTERS, int((width * spare - taken) * 72 / (0.54 * size)))


def _is_narrow(ax: Axes) -> bool:
    return figure_width(ax) < _NARROW


def _names_width(ax: Axes) -> float:
    """Return how many points the names of the rows take across; axes of numbers count for nothing."""
    lines = [line for label in ax.get_yticklabels() for line in label.get_text().split("\n")]
    named = ax.yaxis.get_tick_params().get("length") == 0
    return max((display_width(line) for line in lines), default=0) * 0.53 * label_size(ax) if named else 0.0


def _indent(ax: Axes) -> float:
    """Return how far to the left of the Axes, in points, what stands below begins."""
    return -_names_width(ax) if _is_narrow(ax) else 0.0
