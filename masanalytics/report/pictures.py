"""The charts of a report as SVG text, drawn without touching the user's own figures."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from masanalytics.plot.chart import SOURCE_GID
from masanalytics.plot.theme import look

__all__ = ["Picture"]

_WIDTH = 5.5
"""Inches: on the screen of a phone its letters are still ten pixels high, and on a page of A4 they are as large as drawn."""
_NO_METADATA: dict[str, Any] = {"Creator": None, "Date": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Picture:
    """A chart that can be drawn.

    Attributes
    ----------
    height : float
        In inches, of a chart 5.5 inches wide.
    draw : function
        Draws on the Axes it is given.
    note : str
        What the readers of the table beside it should know of it.
    """

    height: float
    draw: Callable[[Axes], Axes]
    note: str = ""

    def as_svg(self, *, name: str, label: str) -> str:
        """Return the chart as an ``<svg>`` element that grows and shrinks with its page.

        Parameters
        ----------
        name : str
            Keeps the ids inside apart from those of other charts on the page.
        label : str
            What a screen reader says; must be safe to put into an attribute.
        """
        figure, ax = self._drawn()
        # The page has title and source as text, which can be read aloud and copied.
        ax.set_title("")
        for line in figure.findobj(lambda artist: artist.get_gid() == SOURCE_GID):
            line.set_visible(False)
        buffer = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
            # Not savefig, which draws everything once more before, to learn what it takes.
            canvas: Any = FigureCanvasSVG(figure)
            canvas.print_svg(buffer, metadata=_NO_METADATA)
        # Joined, not substituted: a backslash of somebody's column name means nothing here.
        return f'<svg role="img" aria-label="{label}"' + _embedded(buffer.getvalue(), name).removeprefix("<svg")

    def _drawn(self) -> tuple[Figure, Axes]:
        """Draw on a figure that pyplot does not know of."""
        with look():
            figure = Figure(figsize=(_WIDTH, self.height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
            ax: Axes = figure.subplots()
        return figure, self.draw(ax)


def _embedded(svg: str, name: str) -> str:
    """Return the picture without a prolog or a size of its own, and with ids that no other chart of the page has."""
    svg = svg[svg.index("<svg") :]
    # Marks the charts put on their own parts would be ids that occur many times.
    svg = re.sub(r' id="masanalytics-[^"]*"', "", svg)
    # Ids such as axes_1 come back in every chart, and glyph outlines are looked up by id.
    svg = re.sub(r'(?<=id=")([^"]+)(?=")', rf"{name}-\1", svg)
    svg = re.sub(r'(?<=href="#)([^"]+)(?=")', rf"{name}-\1", svg)
    svg = re.sub(r"(?<=url\(#)([^)]+)(?=\))", rf"{name}-\1", svg)
    return re.sub(r'<svg([^>]*?) width="[^"]*"', r"<svg\1", svg, count=1)
