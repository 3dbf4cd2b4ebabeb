"""Tables of shades: one colour a cell, its number inside, columns named below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.image import AxesImage

from masanalytics.plot import style
from masanalytics.plot.fonts import printable
from masanalytics.plot.words import display_width, wrap

__all__ = ["BLUES", "REDS", "name_columns", "shade_cells", "write_cell"]

# Light to dark in one hue: the order survives grey print and every colour vision.
BLUES = LinearSegmentedColormap.from_list("mas_blues", ["#e3eef7", "#8fbadd", "#2f7fb8", "#0b3c66"])
REDS = LinearSegmentedColormap.from_list("mas_reds", ["#fdf1e9", "#f9cdb2", "#ea8a57", "#a83c00"])
# From zero up, small shares must stay visible beside one large one.
_GAMMA = 0.5


def shade_cells(
    ax: Axes, table: npt.NDArray[np.float64], colours: LinearSegmentedColormap = REDS, *, least: float, most: float
) -> AxesImage:
    """Shade `table` (rows x columns, NaN stays grey) from `least` to `most`, with hairlines between the cells."""
    norm = PowerNorm(_GAMMA if least == 0 else 1, least, max(most, least + 1e-9))
    image = ax.imshow(table, cmap=colours.with_extremes(bad=style.PALE), norm=norm, aspect="auto")
    rows, columns = table.shape
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=1.5)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)
    return image


def write_cell(ax: Axes, image: AxesImage, place: tuple[int, int], text: str, *, size: float = 9) -> None:
    """Write `text` into the cell at `place` (row, column), in ink or white, whichever can be read there."""
    row, column = place
    value = np.asarray(image.get_array(), dtype=float)[row, column]
    red, green, blue, _ = image.cmap(image.norm(value)) if np.isfinite(value) else (1, 1, 1, 1)
    dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
    lines = "\n".join(printable(line) for line in text.split("\n"))
    colour = "white" if dark else style.INK
    ax.text(column, row, lines, ha="center", va="center", fontsize=size, color=colour, linespacing=1.25)


def name_columns(ax: Axes, labels: Sequence[str], *, width: int = 14) -> None:
    """Name the columns 0, 1, 2 … of a table, upright where there are many or the names are long."""
    figure = ax.get_figure(root=True)
    room = ax.get_window_extent().width / (figure.dpi if figure else 100) * 72 / max(len(labels), 1)
    upright = max((display_width(label) for label in labels), default=0) * 5.6 > room
    shown = [printable(wrap(label, 20 if upright else width, 1 if upright else 2)) for label in labels]
    ax.set_xticks(range(len(labels)), shown, rotation=90 if upright else 0)
    ax.tick_params(
        axis="x", length=0, labelsize=max(6.0, min(11.0, room / 1.25)) if upright else 11, labelcolor=style.INK
    )
