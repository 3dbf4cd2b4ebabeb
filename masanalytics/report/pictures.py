"""The charts of a report as SVG text or PNG bytes, drawn without touching the user's own figures."""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.axes import Axes

from masanalytics.plot.chart import SOURCE_GID
from masanalytics.plot.layout import loose_axes

__all__ = ["as_png", "as_svg"]

_WIDTH = 6.8
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def as_svg(draw: Callable[[Axes], Axes], *, name: str, label: str, height: float) -> str:
    """Return a chart as an ``<svg>`` element that grows and shrinks with its page.

    Parameters
    ----------
    draw : function
        Draws on the Axes it is given.
    name : str
        Keeps the ids inside apart from those of other charts on the page.
    label : str
        What a screen reader says; must be safe to put into an attribute.
    height : float
        In inches, of a chart 6.8 inches wide.
    """
    ax = loose_axes(_WIDTH, height)
    draw(ax)
    figure = ax.get_figure(root=True)
    # The page has title and source as text, which can be read aloud and copied.
    ax.set_title("")
    for part in ax.figure.findobj(lambda artist: artist.get_gid() == SOURCE_GID):
        part.set_visible(False)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        if figure is not None:
            figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # Marks the charts put on their own parts would be ids that occur many times.
    svg = re.sub(r' id="masanalytics-[^"]*"', "", svg)
    # Ids such as axes_1 come back in every chart, and glyph outlines are looked up by id.
    svg = re.sub(r'(?<=id=")([^"]+)(?=")', rf"{name}-\1", svg)
    svg = re.sub(r'(?<=href="#)([^"]+)(?=")', rf"{name}-\1", svg)
    svg = re.sub(r"(?<=url\(#)([^)]+)(?=\))", rf"{name}-\1", svg)
    svg = re.sub(r'<svg([^>]*?) width="[^"]*"', r"<svg\1", svg, count=1)
    # Joined, not substituted: a backslash of somebody's column name means nothing here.
    return f'<svg role="img" aria-label="{label}"' + svg.removeprefix("<svg")


def as_png(draw: Callable[[Axes], Axes], *, height: float, dpi: int = 110) -> bytes:
    """Return a chart as a PNG picture."""
    ax = loose_axes(_WIDTH, height)
    draw(ax)
    figure = ax.get_figure(root=True)
    buffer = io.BytesIO()
    if figure is not None:
        figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()
