"""Tables of shades: one colour a cell, its number inside, columns named below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from masanalytics.formatting import display_width
from masanalytics.plot.chart import percent_axis
from masanalytics.plot.fonts import printable_lines
from masanalytics.plot.layout import body, figure_width, points, row_names_width, text_width
from masanalytics.plot.named_rows import wrapped_apart
from masanalytics.plot.theme import CELL_GID, INK, PALE, dress, ground_on

__all__ = [
    "BLUES",
    "REDS",
    "height_for_names",
    "name_columns",
    "scale_beside",
    "shade_cells",
    "type_size",
    "write_cell",
]

# Light to dark in one hue: the order survives grey print and every colour vision.
BLUES = LinearSegmentedColormap.from_list("mas_blues", ["#e3eef7", "#8fbadd", "#2f7fb8", "#0b3c66"])
REDS = LinearSegmentedColormap.from_list("mas_reds", ["#fdf1e9", "#f9cdb2", "#ea8a57", "#a83c00"])
# From zero up, small shares must stay visible beside one large one.
_GAMMA = 0.5
_CELL_TYPE, _LEAST_TYPE = 10.0, 5.0
_LEAST_ACROSS = 8
_SHARED = 0.5
_UPRIGHT_SHARE, _TWO_LINES = 0.33, 2.4
# What a text leaves free of the width of its cell.
_CELL_MARGIN = 1.15


def shade_cells(
    ax: Axes, table: npt.NDArray[np.float64], colours: LinearSegmentedColormap = REDS, *, least: float, most: float
) -> AxesImage:
    """Shade `table` (rows x columns, NaN stays grey) from `least` to `most`, with hairlines between the cells."""
    norm = PowerNorm(_GAMMA if least == 0 else 1, least, max(most, least + 1e-9))
    figure = ax.get_figure(root=True)
    empty, between = (PALE, "white") if figure is None else ground_on(figure)
    image = ax.imshow(table, cmap=colours.with_extremes(bad=empty), norm=norm, aspect="auto")
    rows, columns = table.shape
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    ax.grid(which="minor", color=between, lw=1.5)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)
    return image


def scale_beside(ax: Axes, image: AxesImage) -> None:
    """Draw the scale of shades to the right of the table."""
    if not isinstance(figure := ax.get_figure(root=True), Figure):
        return
    bar = figure.colorbar(image, ax=ax, fraction=0.025, pad=0.01, extend="neither")
    dress(bar.ax, points(ax, 1))
    bar.ax.tick_params(labelsize=points(ax, 10.5))
    percent_axis(bar.ax.yaxis)
    bar.outline.set_visible(False)


def type_size(ax: Axes, shape: tuple[int, int], texts: Iterable[str]) -> float:
    """Return the size of type in which every text fits into a cell of a table, 0 where none could be read."""
    rows, columns = shape
    widest = max((text_width(text, 1) for text in texts), default=text_width("x", 1))
    across, down = _inches(ax)
    room = min(across * 72 / columns / (_CELL_MARGIN * widest), down * 72 / rows / 2.7)
    return min(_CELL_TYPE, room) if room >= _LEAST_TYPE else 0.0


def _inches(ax: Axes) -> tuple[float, float]:
    """Return the width and height a table will have once its rows are named."""
    taken = row_names_width(ax) / 72
    width, height = max(0.94 * figure_width(ax) - taken - points(ax, 0.7), 0.5), body(ax)
    figure, spec = ax.get_figure(root=True), ax.get_subplotspec()
    shared = isinstance(figure, Figure) and figure.get_layout_engine() is not None and spec is not None
    if shared and spec is not None and spec.get_gridspec().nrows * spec.get_gridspec().ncols > 1:
        # A layout engine takes from this chart what its neighbours need.
        return _SHARED * width, _SHARED * height
    return width, height


def write_cell(ax: Axes, image: AxesImage, cell: tuple[int, int], text: str, *, size: float = 9) -> None:
    """Write `text` into `cell` (row, column), in ink or white, whichever can be read there."""
    row, column = cell
    value = np.asarray(image.get_array(), dtype=float)[row, column]
    red, green, blue, _ = image.cmap(image.norm(value)) if np.isfinite(value) else (1, 1, 1, 1)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
    colour = "white" if dark else INK
    lines = printable_lines(text)
    ax.text(column, row, lines, ha="center", va="center", fontsize=size, color=colour, linespacing=1.2, gid=CELL_GID)


def height_for_names(labels: Sequence[str]) -> float:
    """Return how many inches high a table must be for the names of its columns to be read upright, on two lines."""
    widest = max((display_width(label) for label in labels), default=0)
    return min(widest / 2 + 2, 16) * text_width("x", 11) / 72 / _UPRIGHT_SHARE


def name_columns(ax: Axes, labels: Sequence[str]) -> None:
    """Name the columns 0, 1, 2 … of a table, upright where there are many or the names are long.

    Where they are too many to be read, only every second or third is named.
    """
    room = _inches(ax)[0] * 72 / max(len(labels), 1)
    size = points(ax, 11)
    widest = max((display_width(label) for label in labels), default=0)
    across = int(room / text_width("x", size))
    upright = widest > across and (across < _LEAST_ACROSS or widest > 2 * across)
    size = max(_LEAST_TYPE, min(size, room / 1.25)) if upright else size
    # Upright names take from the height of the table: a third of it at most.
    long = min(24, max(10, int(_UPRIGHT_SHARE * body(ax) * 72 / text_width("x", size))))
    lines = 1 if upright and room < _TWO_LINES * size else 2
    shown = wrapped_apart(labels, long if upright else max(across, 1), lines)
    step = max(1, int(np.ceil(1.15 * size / room))) if upright else 1
    ax.set_xticks(
        range(0, len(labels), step), [printable_lines(label) for label in shown[::step]], rotation=90 if upright else 0
    )
    ax.tick_params(axis="x", length=0, labelsize=size, labelcolor=INK)
