"""Colours and type of all charts, on light pages and dark ones.

Colours are from Okabe and Ito's palette, which people with colour-blindness can tell apart, and no chart tells anything
by colour alone: groups differ by dashes, marks or hatching too. Nothing is drawn in bold: Chinese fonts often come in
one weight, and asking for another makes matplotlib complain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from masanalytics.plot.fonts import font_chain

__all__ = ["dress", "ground_on", "ink_on", "look", "suit_page"]

BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"
INK, MUTED, GREY, LINE, PALE = "#22272e", "#59636e", "#8b949e", "#d8dee4", "#f3f5f7"
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
"""Colours of groups, in order; a chart with more groups than these tells them apart in another way."""
DASHES = ("-", (0, (7, 2)), (0, (2, 1.4)), (0, (7, 2, 1.5, 2)), (0, (4, 4)), (0, (7, 2, 1.5, 2, 1.5, 2)))
MARKS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "----")
"""What tells groups apart besides `SERIES`: of lines, of points, of areas."""

CELL_GID = "masanalytics-cell"
"""Marks what lies on a ground of its own, and keeps its colour on a dark page."""

# Bands that are faint on white vanish on black.
_FAINT, _BRIGHTER = 0.25, 2.4
_SUITED_GID = "masanalytics-suited"
_WHITE = "#ffffff"
_DARK_CELL = "#262c33"
_ON_DARK = {INK: "#e6e9ec", MUTED: "#b4bcc5", GREY: "#98a1ab", LINE: "#40474f"}


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
    # Who asked matplotlib for dark pages gets them.
    page = "white" if _is_light(mpl.rcParams["figure.facecolor"]) else mpl.rcParams["figure.facecolor"]
    return {
        "font.family": list(font_chain()),
        "font.size": 11.5,
        "axes.unicode_minus": False,
        "axes.titlesize": 15,
        "axes.labelsize": 11.5,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": GREY,
        "axes.facecolor": page,
        "figure.facecolor": page,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "legend.frameon": False,
        "legend.fontsize": 10.5,
        "hatch.linewidth": 0.6,
    }


def dress(ax: Axes, scale: float = 1.0) -> None:
    """Make an Axes that was created elsewhere able to show Chinese, also in what its owner sets later.

    With a `scale` under one its type is made smaller: the chart has little room.
    """
    chain = list(font_chain())
    ax.tick_params(labelfontfamily=chain)
    for text in (ax.title, ax.xaxis.label, ax.yaxis.label, ax.xaxis.offsetText, ax.yaxis.offsetText):
        text.set_fontfamily(chain)
    if scale < 1:
        ax.tick_params(labelsize=11.5 * scale, pad=3.5 * scale)
        for text in (ax.xaxis.label, ax.yaxis.label, ax.xaxis.offsetText, ax.yaxis.offsetText):
            text.set_fontsize(11.5 * scale)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)


def _is_light(colour: Any) -> bool:
    if isinstance(colour, str) and colour.lower() == "none":
        return True
    red, green, blue = to_rgb(colour)
    return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5


def ink_on(figure: Figure) -> str:
    """Return the colour of text on the page of `figure`."""
    return INK if _is_light(figure.get_facecolor()) else _ON_DARK[INK]


def ground_on(figure: Figure) -> tuple[str, str]:
    """Return the colour of an empty cell on the page of `figure`, and of the lines between cells."""
    return (PALE, _WHITE) if _is_light(figure.get_facecolor()) else (_DARK_CELL, to_hex(figure.get_facecolor()))


def suit_page(figure: Figure, axes: Iterable[Axes]) -> None:
    """Turn the ink of these Axes into chalk where the figure is dark."""
    page = figure.get_facecolor()
    if _is_light(page):
        return
    colours = {**_ON_DARK, _WHITE: to_hex(page)}
    for ax in axes:
        ax.tick_params(color=colours[GREY], labelcolor=colours[MUTED], grid_color=colours[LINE])
        for part in ax.findobj(match=lambda artist: artist.get_gid() not in (CELL_GID, _SUITED_GID)):
            _recolour(part, colours)
            if isinstance(part, Patch | Collection) and 0 < (part.get_alpha() or 1) < _FAINT:
                part.set(alpha=_BRIGHTER * (part.get_alpha() or 1), gid=part.get_gid() or _SUITED_GID)


def _recolour(part: Artist, colours: dict[str, str]) -> None:
    def suited(colour: Any, *, ink: bool = False) -> Any:
        named = isinstance(colour, str) and colour.lower() in ("none", "auto")
        # White is the ground inside a mark; white ink is what the owner of a dark page chose.
        return colour if named or (ink and to_hex(colour) == _WHITE) else colours.get(to_hex(colour), colour)

    if isinstance(part, Text):
        part.set_color(suited(part.get_color(), ink=True))
    elif isinstance(part, Line2D):
        part.set_color(suited(part.get_color(), ink=True))
        part.set_markerfacecolor(suited(part.get_markerfacecolor()))
        part.set_markeredgecolor(suited(part.get_markeredgecolor()))
    elif isinstance(part, Patch) and part.get_alpha() is None:
        clear = to_rgba(part.get_facecolor())[3] == 0
        part.set(facecolor="none" if clear else suited(part.get_facecolor()), edgecolor=suited(part.get_edgecolor()))
