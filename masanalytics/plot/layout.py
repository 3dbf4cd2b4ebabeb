"""The space a chart has, and the type that fits into it.

A figure of the chart's own grows with its content; in an Axes that is given, the content is kept inside its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine, TightLayoutEngine
from matplotlib.ticker import FixedLocator, MaxNLocator
from matplotlib.transforms import Bbox, BboxTransform

from masanalytics.formatting import display_width
from masanalytics.plot.theme import dress, look, suit_page

__all__ = [
    "AROUND",
    "LINE_SHARE",
    "NARROW",
    "ROW_GID",
    "body",
    "canvas",
    "characters_across",
    "figure_height",
    "figure_width",
    "fit",
    "indent",
    "label_size",
    "points",
    "room_of",
    "row_names_width",
    "text_width",
]

AROUND = 2.2
"""Inches above and below a chart's Axes, for title, axis, legend and source line."""
LINE_SHARE = 0.76
"""How much of the height of a row its type may fill."""
ROW_GID = "masanalytics-row"
"""Marks what is written beside a row, so that its type follows the height of the row."""
NARROW = 7.5
"""Inches: in a chart that is narrower, what stands below begins under the names of the rows."""

_LETTER = 0.54
"""How wide a Latin letter is, as a share of the size of its type."""
_LEAST_LETTERS = 24
_AXIS_NUMBERS = 30
"""Points: what the numbers of a vertical axis and its title take."""
_DPI = 120
_LEAST_SIDE = 0.05
_BETWEEN = 0.2
_EDGE = 0.008
# A chart in less room than this is drawn in smaller type.
_FULL_WIDTH, _FULL_HEIGHT, _LEAST_SCALE = 5.5, 2.4, 0.5


@contextmanager
def canvas(ax: Axes | None, width: float = 9.0, height: float = 4.8, *, grows: bool = True) -> Iterator[Axes]:
    """Give the Axes to draw on, in the package's look, and leave matplotlib's settings as they were.

    Parameters
    ----------
    ax : Axes, optional
        Where the user wants the chart. Without one a figure of `width` x `height` inches is made, which grows where
        legend and source line need more than `AROUND`, if it `grows`. In a figure without a layout engine the Axes is made smaller
        until names, legend and source line fit into its place.
    """
    room = None
    others = [] if ax is None else [other for other in _axes_of(ax) if other is not ax]
    with look():
        if ax is None:
            with _own_axes(width, height) as axes:
                yield axes
                if grows:
                    _grow(axes, height - AROUND)
        else:
            axes = ax
            dress(axes, scale(axes))
            room = room_of(axes)
            yield axes
            if room is not None:
                fit([axes], room)
        _settle_rows(axes, settled=ax is None or room is not None)
        _scale_marks(axes)
        if (figure := axes.get_figure(root=True)) is not None:
            suit_page(figure, [drawn for drawn in _axes_of(axes) if drawn not in others])


def _axes_of(ax: Axes) -> list[Axes]:
    figure = ax.get_figure(root=True)
    return list(figure.axes) if figure is not None else [ax]


@contextmanager
def _own_axes(width: float, height: float) -> Iterator[Axes]:
    """Give the Axes of a new figure, which is closed again if drawing fails."""
    import matplotlib.pyplot as plt

    engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure, axes = plt.subplots(figsize=(width, height), layout=engine, dpi=_DPI)
    try:
        dress(axes)
        yield axes
    except BaseException:
        plt.close(figure)
        raise


def room_of(ax: Axes) -> Bbox | None:
    """Return the part of the figure (0 to 1) an Axes of a grid may fill; None where a layout engine sees to it."""
    figure, spec = ax.get_figure(), ax.get_subplotspec()
    if not isinstance(figure, Figure) or figure.get_layout_engine() is not None or spec is None:
        return None
    grid = spec.get_gridspec()
    bottoms, tops, lefts, rights = grid.get_grid_positions(figure)
    row, column = spec.rowspan, spec.colspan
    left = 0 if column.start == 0 else (rights[column.start - 1] + lefts[column.start]) / 2
    right = 1 if column.stop == grid.ncols else (rights[column.stop - 1] + lefts[column.stop]) / 2
    top = 1 if row.start == 0 else (bottoms[row.start - 1] + tops[row.start]) / 2
    bottom = 0 if row.stop == grid.nrows else (bottoms[row.stop - 1] + tops[row.stop]) / 2
    return Bbox.from_extents(left + _EDGE, bottom + _EDGE, right - _EDGE, top - _EDGE)


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
    # Where there is too little room across, there may still be enough up and down.
    if x1 - x0 < _LEAST_SIDE:
        x0, x1 = whole.x0, whole.x1
    if y1 - y0 < _LEAST_SIDE:
        y0, y1 = whole.y0, whole.y1
    shrink = BboxTransform(whole, Bbox.from_extents(x0, y0, x1, y1))
    for ax in axes:
        ax.set_position(ax.get_position().transformed(shrink))
        ax.set_in_layout(True)
        # Whoever lays the figure out again, as tight_layout does, has to know what stands around it.
        ax.get_tightbbox = partial(_around, ax, tuple(axes))  # type: ignore[method-assign]


def _around(ax: Axes, together: Sequence[Axes], *arguments: Any, **options: Any) -> Bbox | None:
    """Return what an Axes and all around it takes, as ``Axes.get_tightbbox`` does.

    ``tight_layout`` takes an Axes to lie where its grid says, and sees only what stands out beyond that: so much stands out of
    one that was made smaller as well.
    """
    drawn: Bbox | None = type(ax).get_tightbbox(ax, *arguments, **options)
    figure, spec = ax.get_figure(root=True), ax.get_subplotspec()
    if drawn is None or figure is None or spec is None or not options.get("for_layout_only"):
        return drawn
    if not isinstance(figure.get_layout_engine(), TightLayoutEngine):
        return drawn
    place = spec.get_topmost_subplotspec().get_position(figure).transformed(figure.transFigure)
    whole = Bbox.union([one.get_position() for one in together]).transformed(figure.transFigure)
    return Bbox(drawn.get_points() + place.get_points() - whole.get_points())


def _grow(ax: Axes, least: float) -> None:
    """Make a figure higher until its Axes are `least` inches high together, or as high as they can be."""
    figure = ax.get_figure(root=True)
    engine = figure.get_layout_engine() if isinstance(figure, Figure) else None
    if not isinstance(figure, Figure) or engine is None:
        return
    for _ in range(3):
        engine.execute(figure)
        whole = Bbox.union([axes.get_position() for axes in figure.axes])
        missing = least - whole.height * figure.get_figheight()
        if missing < _LEAST_SIDE:
            return
        figure.set_figheight(figure.get_figheight() + missing)


def _height(ax: Axes, *, settled: bool) -> float:
    """Return how many inches high an Axes is, or will be once a layout engine has made room around it."""
    figure = ax.get_figure(root=True)
    dpi = figure.dpi if figure else 100
    inside, drawn = ax.get_window_extent().height, ax.get_tightbbox()
    if settled or drawn is None:
        return inside / dpi
    return max(_share(ax)[1] - (drawn.height - inside) / dpi - _BETWEEN, 0.1 * _share(ax)[1])


def _settle_rows(ax: Axes, *, settled: bool) -> None:
    """Make the type of named rows smaller where they came out lower than planned."""
    if ax.yaxis.get_tick_params().get("length") != 0 or not isinstance(ax.yaxis.get_major_locator(), FixedLocator):
        return
    labels = [label.get_text() for label in ax.get_yticklabels()]
    deepest = max((label.count("\n") + 1 for label in labels), default=1)
    bottom, top = ax.get_ylim()
    height = _height(ax, settled=settled) * 72
    size = LINE_SHARE * height / max(abs(bottom - top), 1) / deepest
    if size < label_size(ax):
        ax.tick_params(axis="y", labelsize=size)
    for text in ax.texts:
        if text.get_gid() == ROW_GID:
            lines = text.get_text().count("\n") + 1
            text.set_fontsize(min(float(text.get_fontsize()), size * deepest / lines))


def _scale_marks(ax: Axes) -> None:
    """Make points and lines smaller, and ticks fewer, in a chart that has little room."""
    factor = max(scale(ax), 0.65)
    if factor == 1:
        return
    legend = ax.get_legend()
    for line in [*ax.lines, *(legend.get_lines() if legend else ())]:
        line.set(markersize=line.get_markersize() * factor, linewidth=line.get_linewidth() * factor)
    ticks = ax.xaxis.get_major_locator()
    if isinstance(ticks, MaxNLocator):
        ticks.set_params(nbins=3)


def label_size(ax: Axes) -> float:
    """Return the size of the type in which the rows of a chart are named."""
    size: Any = ax.yaxis.get_tick_params().get("labelsize", 11.5)
    return float(size) if isinstance(size, int | float) else 11.5


def figure_height(ax: Axes) -> float:
    """Return the height in inches of the part of the figure that belongs to the Axes."""
    return _share(ax)[1]


def figure_width(ax: Axes) -> float:
    """Return the inches a chart may take across: its column's share of the figure."""
    return _share(ax)[0]


def _share(ax: Axes) -> tuple[float, float]:
    """Return the width and height in inches of a chart's share of the figure."""
    figure, spec = ax.get_figure(root=True), ax.get_subplotspec()
    width, height = figure.get_size_inches() if isinstance(figure, Figure) else (8.0, 6.0)
    if spec is None:
        place = ax.get_position()
        return min(width, width * place.width / 0.75), min(height, height * place.height / 0.75)
    spec = spec.get_topmost_subplotspec()
    grid = spec.get_gridspec()
    return width * len(spec.colspan) / grid.ncols, height * len(spec.rowspan) / grid.nrows


def scale(ax: Axes) -> float:
    """Return how large type may be in the chart's room: 1 where there is enough of it."""
    width, height = _share(ax)
    return max(_LEAST_SCALE, min(1.0, width / _FULL_WIDTH, height / _FULL_HEIGHT))


def points(ax: Axes, size: float) -> float:
    """Return the size of type, or a distance, of `size` points in a chart that has room."""
    return size * scale(ax)


def body(ax: Axes) -> float:
    """Return how many inches high the Axes will be when all that stands around it has its place."""
    height = _share(ax)[1]
    return max(height - AROUND * scale(ax), 0.3 * height)


def text_width(text: str, size: float) -> float:
    """Return how many points the widest line of `text` takes across in type of `size` points.

    A measure before anything is drawn: letters of the average width, Chinese ones twice as wide.

    Examples
    --------
    >>> text_width("送达率", 10) == 2 * text_width("abc", 10)
    True
    """
    return max(display_width(line) for line in text.split("\n")) * _LETTER * size


def _has_named_rows(ax: Axes) -> bool:
    return bool(ax.yaxis.get_tick_params().get("length") == 0)


def row_names_width(ax: Axes) -> float:
    """Return how many points the names of the rows take across; axes of numbers count for nothing."""
    names = [label.get_text() for label in ax.get_yticklabels()] if _has_named_rows(ax) else []
    return max((text_width(name, label_size(ax)) for name in names), default=0.0)


def characters_across(ax: Axes, size: float, *, is_below: bool = False) -> int:
    """Return roughly how many Latin letters of `size` points fit between the row names and the figure's edge.

    What `is_below` begins at the axis, with the numbers of a vertical one to its left.
    """
    figure, width = ax.get_figure(root=True), figure_width(ax)
    taken = (0.0 if width < NARROW else row_names_width(ax) / 72) + 0.4
    if is_below and not _has_named_rows(ax):
        taken += points(ax, _AXIS_NUMBERS) / 72
    # Beside a column with long names a layout engine leaves less than an even share.
    alone = isinstance(figure, Figure) and width == figure.get_figwidth()
    spare = 1.0 if alone else 0.86 if room_of(ax) is not None else 0.78
    return max(_LEAST_LETTERS, int((width * spare - taken) * 72 / text_width("x", size)))


def indent(ax: Axes) -> float:
    """Return how far from the left edge of the Axes, in points, what stands below begins: at the row names, or at the axis."""
    return -row_names_width(ax) if figure_width(ax) < NARROW else 0.0
