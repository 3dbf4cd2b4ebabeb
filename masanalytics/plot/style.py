"""One look for all charts: colours, type, and the parts every chart has.

Colours are from Okabe and Ito's palette, which people with colour-blindness can tell apart, and no chart tells anything
by colour alone. Nothing is drawn in bold: Chinese fonts often come in one weight, and asking for another makes
matplotlib complain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Bbox, BboxTransform, ScaledTranslation

from masanalytics.language import choose, resolve_language
from masanalytics.plot.fonts import font_chain, printable
from masanalytics.plot.words import display_width, wrap

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "INK",
    "LINE",
    "MUTED",
    "ORANGE",
    "PALE",
    "SERIES",
    "SMALL_N",
    "VERMILION",
    "as_of_text",
    "canvas",
    "legend_below",
    "name_rows",
    "percent_axis",
    "row_height",
    "say_nothing_to_show",
    "source_line",
    "title",
]

BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
INK, MUTED, GREY, LINE, PALE = "#22272e", "#59636e", "#8b949e", "#d8dee4", "#f3f5f7"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
"""Colours of groups, in order; a chart with more groups than these tells them apart in another way."""

SMALL_N = 30
"""Fewer messages than this are drawn hollow or shaded: shown, and not to be leaned on."""

MOST_ROWS = 60
SOURCE_GID = "masanalytics-source"
# Said by the charts in their own way: hollow marks, the title, dotted lines.
_SAID_OTHERWISE = ("small_groups", "within", "unsettled", "still_pending")
_DPI = 120
_LEAST_SIDE = 0.05
_NARROW = 7.5
_ROOM_FOR_TWO = 22
_LABEL_WIDTH = 26


@contextmanager
def canvas(ax: Axes | None, width: float = 9.0, height: float = 4.8) -> Iterator[Axes]:
    """Give the Axes to draw on, in the package's look, and leave matplotlib's settings as they were.

    Parameters
    ----------
    ax : Axes, optional
        Where the user wants the chart. Without one a figure of `width` x `height` inches is made. In a figure without
        a layout engine the Axes is made smaller until names, legend and source line fit into its place.
    """
    given = ax
    with look():
        if ax is None:
            import matplotlib.pyplot as plt

            engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
            _, ax = plt.subplots(figsize=(width, height), layout=engine, dpi=_DPI)
        _dress(ax)
        room = None if given is None else room_of(given)
        yield ax
        if given is not None and room is not None:
            fit([given], room)


def loose_axes(width: float, height: float) -> Axes:
    """Return the Axes of a new figure that pyplot does not know of, for pictures that go straight into a file."""
    with look():
        return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)).subplots()


def room_of(ax: Axes) -> Bbox | None:
    """Return the part of the figure (0 to 1) an Axes of a grid may fill; None where a layout engine sees to it."""
    figure, spec = ax.get_figure(), ax.get_subplotspec()
    if not isinstance(figure, Figure) or figure.get_layout_engine() is not None or spec is None:
        return None
    grid = spec.get_gridspec()
    bottoms, tops, lefts, rights = grid.get_grid_positions(figure)
    row, column = spec.rowspan, spec.colspan
    left = 0.01 if column.start == 0 else (rights[column.start - 1] + lefts[column.start]) / 2
    right = 0.99 if column.stop == grid.ncols else (rights[column.stop - 1] + lefts[column.stop]) / 2
    top = 0.99 if row.start == 0 else (bottoms[row.start - 1] + tops[row.start]) / 2
    bottom = 0.01 if row.stop == grid.nrows else (bottoms[row.stop - 1] + tops[row.stop]) / 2
    return Bbox.from_extents(left, bottom, right, top)


def fit(axes: Sequence[Axes], room: Bbox) -> None:
    """Make `axes` together smaller until all that is drawn around them lies in `room` (figure fractions)."""
    figure = axes[0].get_figure(root=True)
    extents = [extent for ax in axes if (extent := ax.get_tightbbox()) is not None]
    if figure is None or not extents:
        return
    drawn = Bbox.union(extents).transformed(figure.transFigure.inverted())
    whole = Bbox.union([ax.get_position() for ax in axes])
    x0, y0 = whole.x0 + max(0.0, room.x0 - drawn.x0), whole.y0 + max(0.0, room.y0 - drawn.y0)
    x1, y1 = whole.x1 - max(0.0, drawn.x1 - room.x1), whole.y1 - max(0.0, drawn.y1 - room.y1)
    if x1 - x0 < _LEAST_SIDE or y1 - y0 < _LEAST_SIDE:
        return
    shrink = BboxTransform(whole, Bbox.from_extents(x0, y0, x1, y1))
    for ax in axes:
        ax.set_position(ax.get_position().transformed(shrink))


@contextmanager
def look() -> Iterator[None]:
    """Apply the package's look to what is created inside, and only there."""
    # A notebook's backend, loaded at the first figure, says that figures show themselves. That is a setting too, and must
    # outlive this block: with it put back, no later figure would be shown.
    showing = mpl.is_interactive()
    try:
        with mpl.rc_context(_settings()):  # type: ignore[arg-type]
            try:
                yield
            finally:
                showing = mpl.is_interactive()
    finally:
        mpl.interactive(showing)


def _settings() -> dict[str, Any]:
    return {
        "font.family": list(font_chain()),
        "font.size": 11.5,
        "axes.unicode_minus": False,
        "axes.titlesize": 15,
        "axes.labelsize": 11.5,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": GREY,
        "axes.facecolor": "white",
        "figure.facecolor": "white",
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "legend.frameon": False,
        "legend.fontsize": 10.5,
        "hatch.linewidth": 0.6,
    }


def _dress(ax: Axes) -> None:
    """Make an Axes that was created elsewhere able to show Chinese, also in what its owner sets later."""
    chain = list(font_chain())
    ax.tick_params(labelfontfamily=chain)
    for text in (ax.title, ax.xaxis.label, ax.yaxis.label, ax.xaxis.offsetText, ax.yaxis.offsetText):
        text.set_fontfamily(chain)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)


def title(ax: Axes, en: str, zh: str, language: str | None) -> None:
    """Set the title, which the user's own ``ax.set_title`` replaces."""
    text = choose(en, zh, language)
    ax.set_title(printable_lines(wrap(text, _characters(ax, 15), 2)), pad=12, color=INK)


def percent_axis(axis: Any) -> None:
    """Let an axis of shares (0 to 1) read as percentages."""
    axis.set_major_locator(MaxNLocator(4 if figure_width(axis.axes) < _NARROW else 6, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 2):g}%"))


def figure_width(ax: Axes) -> float:
    """Return the inches a chart may take across: its column's share of the figure."""
    figure, spec = ax.get_figure(root=True), ax.get_subplotspec()
    whole = figure.get_figwidth() if isinstance(figure, Figure) else 8.0
    if spec is None:
        return whole
    spec = spec.get_topmost_subplotspec()
    return whole * len(spec.colspan) / spec.get_gridspec().ncols


def row_height(rows: int, lines: int = 1) -> float:
    """Return the height in inches of a chart with so many named rows, each `lines` lines high."""
    return 2.2 + max(rows, 1.5) * (0.36 if lines == 1 else 0.5)


def name_rows(ax: Axes, labels: Sequence[str], *, width: int = _LABEL_WIDTH) -> None:
    """Name the rows 0, 1, 2 … of a horizontal chart from the top, in type that fits the height of a row."""
    room = ax.get_window_extent().height / ax.figure.dpi * 72 / max(len(labels), 1)
    width, lines = _lines_for(room, width, narrow=figure_width(ax) < _NARROW)
    shown = [wrap(label, width, lines) for label in labels]
    deepest = max((label.count("\n") + 1 for label in shown), default=1)
    ax.set_yticks(range(len(labels)), [printable_lines(label) for label in shown])
    ax.set_ylim(len(labels) - 0.4, -0.6)
    size = max(5.0, min(12.0, 0.8 * room / deepest))
    ax.tick_params(axis="y", length=0, labelsize=size, labelcolor=INK)
    ax.spines["left"].set_visible(False)
    ax.set_ylabel("")


def _lines_for(room: float, width: int, *, narrow: bool) -> tuple[int, int]:
    """Return how wide and how deep the name of a row may be that is `room` points high."""
    if width > _LABEL_WIDTH and room < _ROOM_FOR_TWO:
        return width + 8, 1
    return (min(width, 24), 3) if narrow and width > _LABEL_WIDTH else (width, 2)


def beside_row(ax: Axes, row: float, texts: Sequence[tuple[str, float]], *, muted: bool = False) -> None:
    """Write texts to the right of a row, outside the axes, each so many points from its edge."""
    for place, (text, points) in enumerate(texts):
        ax.annotate(
            printable(text),
            (1, row),
            xycoords=ax.get_yaxis_transform(),
            xytext=(points, 0),
            textcoords="offset points",
            va="center",
            fontsize=min(11.5, ax.yaxis.get_tick_params().get("labelsize", 11.5)),
            color=MUTED if muted or place else INK,
            annotation_clip=False,
        )


def legend_below(ax: Axes, handles: Sequence[Artist], labels: Sequence[str], *, points: float = 44) -> None:
    """Put the legend `points` below the axes, so that neither data nor the user's own title meets it."""
    figure = ax.get_figure(root=True)
    if figure is None or not handles:
        return
    ax.legend(
        handles,
        [printable(label) for label in labels],
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + ScaledTranslation(0, -points / 72, figure.dpi_scale_trans),
        borderaxespad=0,
        borderpad=0,
        ncols=_legend_columns([display_width(label) + 8 for label in labels], _characters(ax, 10.5)),
        handlelength=1.8,
        columnspacing=1.6,
    )


def _legend_columns(widths: Sequence[int], room: int) -> int:
    """Return the most columns whose widest entries fit into `room` side by side, filled as matplotlib fills them."""
    for columns in range(len(widths), 1, -1):
        parts = [part for part in np.array_split(widths, columns) if len(part)]
        if sum(int(part.max()) for part in parts) <= room:
            return columns
    return 1


def source_line(ax: Axes, attrs: Mapping[Any, Any], language: str | None, *, notes: Sequence[str] = ()) -> None:
    """Say below the chart what it was computed from: as-of time, coverage gaps, notes of the result, `notes`."""
    parts = [part for part in source_parts(attrs, language, notes) if part]
    if not parts:
        return
    below: Any = ax.get_legend() or ax.xaxis.label
    ax.annotate(
        printable_lines(_joined(parts, _characters(ax, 9))),
        (0, 0),
        xycoords=(ax.transAxes, below),
        xytext=(0, -7),
        textcoords="offset points",
        va="top",
        ha="left",
        fontsize=9,
        linespacing=1.4,
        color=MUTED,
        annotation_clip=False,
        gid=SOURCE_GID,
    )


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
    """Return "as of …" from a result's attrs, nothing where they do not say."""
    as_of = attrs.get("as_of")
    if not as_of or as_of == "-":
        return ""
    return choose(f"As of {as_of} (China time)", f"数据截至 {as_of}（北京时间）", language)


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
        choose(en, zh, language),
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=13,
        color=GREY,
    )


def printable_lines(text: str) -> str:
    """Make each line of `text` drawable."""
    return "\n".join(printable(line) for line in text.split("\n"))


def out_of(accepted: float, pending: float, language: str | None) -> str:
    """Return a denominator, and how many of it are still pending."""
    text = f"n={int(accepted):,}"
    return text + (choose(f", {int(pending):,} pending", f"，待回执 {int(pending):,}", language) if pending else "")


def _characters(ax: Axes, size: float) -> int:
    """Return roughly how many Latin letters of `size` points fit between the row names and the figure's edge."""
    figure, width = ax.get_figure(root=True), figure_width(ax)
    names = [line for label in ax.get_yticklabels() for line in label.get_text().split("\n")]
    type_size = float(ax.yaxis.get_tick_params().get("labelsize", 11) or 11)
    taken = max((display_width(name) for name in names), default=0) * 0.53 * type_size / 72 + 0.4
    # Beside a column with long names a layout engine leaves less than an even share.
    spare = 1.0 if isinstance(figure, Figure) and width == figure.get_figwidth() else 0.78
    return max(24, int((width * spare - taken) * 72 / (0.54 * size)))
