"""The frame that every chart shares: what it is given, its title, its axes of shares, its legend and its source line.

A chart function asks `result_of` for the result to draw, describes itself as a `Chart` and returns ``chart.on(ax)``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import ScaledTranslation

from masanalytics.aliases import Messages
from masanalytics.analysis.results import note_texts
from masanalytics.errors import InputError
from masanalytics.formatting import by_phrase, column_name, display_width, duration, group_label, shorten, wrap
from masanalytics.i18n import _, ngettext
from masanalytics.plot.arguments import asked_size, asked_title
from masanalytics.plot.fonts import printable, printable_lines
from masanalytics.plot.layout import (
    canvas,
    characters_across,
    figure_height,
    figure_width,
    fit,
    indent,
    points,
    room_of,
)
from masanalytics.plot.masked import as_shown
from masanalytics.plot.named_rows import LABEL_WIDTH, lines_of, name_rows, row_height
from masanalytics.plot.theme import INK, MUTED

__all__ = [
    "SMALL_N",
    "SOURCE_GID",
    "Chart",
    "Drawn",
    "as_of_text",
    "by_columns",
    "filters_text",
    "group_labels",
    "is_result",
    "percent_axis",
    "rate_title",
    "result_of",
    "short_name",
    "source_parts",
    "titled",
    "within_note",
    "without_expectation",
]

SMALL_N = 30
"""Fewer messages than this are drawn hollow or hatched: shown, and not to be relied on."""
SOURCE_GID = "masanalytics-source"
"""Marks the source line below a chart."""

# Notes of a result that the charts show in their own way: hollow marks, the title, dotted lines, the band of what is pending.
_SHOWN_OTHERWISE = ("small_groups", "within", "unsettled", "still_pending", "bounds")
_MEDIUM, _NARROW = 7.5, 6.0
_MOST_VALUES, _LONGEST_FILTER = 6, 60
# In figures lower than so many inches, so many lines stand below: a chart is to be seen, and the notes are in its attrs.
_LINES_BELOW = ((3.6, 3), (4.6, 5))


@dataclass(frozen=True)
class Drawn:
    """What a drawing leaves to its frame.

    Attributes
    ----------
    legend : sequence of (Artist, str)
        What the legend shows, and its words.
    notes : sequence of str
        What is to be said in the source line, besides the notes of the chart.
    below : Axes, optional
        The lowest Axes, where a chart has more than one: legend and source line stand below it.
    """

    legend: Sequence[tuple[Artist, str]] = ()
    notes: Sequence[str] = ()
    below: Axes | None = None


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart before it is drawn.

    Attributes
    ----------
    result : DataFrame
        What it shows; its attrs tell the source line from what, and as of when, it was computed.
    title : str
        Which the user's own ``ax.set_title`` replaces.
    draw : function
        Draws on the Axes it is given, whose rows are named already.
    rows : sequence of str, optional
        The names of the rows, for a chart of named rows.
    row_width : int
        How many Latin letters wide the names may be before they are wrapped.
    width, height : float
        Inches of a figure of the chart's own; the height follows from `rows` where it is not given.
    nothing : str
        What is said instead of drawing; empty where there is something to draw.
    notes : sequence of str
        What is to be said in the source line.
    expected : bool
        Whether the expected end is drawn: otherwise the notes on it are left out.
    """

    result: pd.DataFrame
    title: str
    draw: Callable[[Axes], Drawn]
    rows: Sequence[str] | None = None
    row_width: int = LABEL_WIDTH
    width: float = 9.0
    height: float | None = None
    nothing: str = ""
    notes: Sequence[str] = ()
    expected: bool = False

    def on(self, ax: Axes | None) -> Axes:
        """Draw on `ax`, or on a new figure, and return the Axes."""
        size = asked_size()
        width, height = (self.width, self._figure_height()) if size is None else size
        with canvas(ax, width=width, height=height, grows=size is None) as axes:
            _set_title(axes, asked_title(self.title))
            space = room_of(axes)
            drawn = self._drawn(axes)
            below = drawn.below or axes
            _legend_below(below, drawn.legend)
            lines = None if ax is None and size is None else _lines_below(axes)
            _source_line(below, self._attrs(), [*self.notes, *drawn.notes], lines)
            if drawn.below is not None and ax is not None and space is not None:
                fit([axes, below], space)
        return axes

    def _attrs(self) -> Mapping[Any, Any]:
        return self.result.attrs if self.expected else without_expectation(self.result.attrs)

    def _drawn(self, axes: Axes) -> Drawn:
        if self.nothing:
            _say_nothing_to_show(axes, self.nothing)
            return Drawn()
        if self.rows is not None:
            name_rows(axes, [as_shown(name) for name in self.rows], width=self.row_width)
        return self.draw(axes)

    def _figure_height(self) -> float:
        if self.height is not None:
            return self.height
        return 4.8 if self.rows is None else row_height(len(self.rows), lines_of(self.rows))


def result_of(data: Messages, name: str, columns: Collection[str], **keywords: Any) -> pd.DataFrame:
    """Return `data` if it is a result of ``analysis.<name>`` already, otherwise that function's answer.

    Parameters
    ----------
    data : Store, DataFrame, or anything the analysis takes
        Messages, or a result.
    name : str
        The analysis function.
    columns : collection of str
        The columns by which its result is known.
    **keywords
        Handed to the function (``by=``, ``within=`` …); None is left out.

    Raises
    ------
    InputError
        If keywords are given for a result, which is computed already.
    """
    options = {key: value for key, value in keywords.items() if value is not None}
    if not is_result(data, columns):
        # Drawing a result needs no analysis: what counts messages is loaded only where messages are given.
        from masanalytics import analysis

        compute: Callable[..., pd.DataFrame] = getattr(analysis, name)
        return _without_lists_of_rows(compute(data, **options))
    if options:
        raise InputError(
            "this frame is a result of {name} already, so {options} can no longer be applied: "
            "give {name}({options}…) the messages and draw its result",
            name=name,
            options=", ".join(f"{key}=" for key in options),
        )
    return _without_lists_of_rows(data)


def _without_lists_of_rows(result: pd.DataFrame) -> pd.DataFrame:
    """Return a result whose attrs do not grow with its rows: pandas copies them at each step of a chart."""
    attrs, drawn = result.attrs, result.copy(deep=False)
    drawn.attrs = {name: value for name, value in attrs.items() if name != "small_groups"}
    if reasons := attrs.get("expected_reason"):  # only which there are is asked for
        drawn.attrs["expected_reason"] = {code: code for code in reasons.values()}
    return drawn


def is_result(data: object, columns: Collection[str]) -> TypeGuard[pd.DataFrame]:
    """Say whether `data` is a result with these columns, and not a frame of messages."""
    return isinstance(data, pd.DataFrame) and set(columns) <= set(data.columns) and "message_id" not in data.columns


def by_columns(result: pd.DataFrame, first: str) -> list[str]:
    """Return the columns a result is grouped by: those before `first`, the first one every result has."""
    return [str(column) for column in result.columns[: list(result.columns).index(first)]]


def group_labels(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return the name of the group of each row.

    Examples
    --------
    >>> group_labels(pd.DataFrame({"carrier": ["China Unicom"], "accepted": [2]}), ["carrier"])
    ['China Unicom']
    >>> group_labels(pd.DataFrame({"accepted": [2]}), [])
    ['all']
    """
    # Not itertuples: of a frame without columns pandas 3.0 gives no rows.
    return [group_label(columns, values) for values in frame[list(columns)].astype(object).to_numpy().tolist()]


def titled(title: str, columns: Sequence[str], *, comma: bool = False) -> str:
    """Return `title` with what the chart is grouped by; in English a title that is a clause is followed by a comma.

    Examples
    --------
    >>> titled("Delivery rate", ["carrier"]), titled("Delivered within 1 h", ["carrier"], comma=True)
    ('Delivery rate by carrier', 'Delivered within 1 h, by carrier')
    """
    by = by_phrase(columns)
    return _("{title},{by}", title=title, by=by) if comma and by else title + by


def rate_title(columns: Sequence[str], within_s: float | None) -> str:
    """Return the title of a chart of delivery rates: of all there are, or of those within an age."""
    if within_s is None:
        return titled(_("Delivery rate"), columns)
    return titled(_("Delivered within {age}", age=duration(within_s)), columns, comma=True)


def _set_title(ax: Axes, text: str) -> None:
    size = points(ax, 15)
    ax.set_title(
        printable_lines(wrap(as_shown(text), characters_across(ax, size), 2)), pad=0.8 * size, color=INK, fontsize=size
    )


def percent_axis(axis: Any) -> None:
    """Let an axis of shares (0 to 1) read as percentages."""
    many = 6
    if axis.axis_name == "x":
        many = 3 if figure_width(axis.axes) < _NARROW else 4 if figure_width(axis.axes) < _MEDIUM else 6
    elif (figure := axis.axes.get_figure(root=True)) is not None:
        many = max(2, min(6, int(axis.axes.get_window_extent().height / figure.dpi / 0.35)))
    axis.set_major_locator(_Shares(many, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda share, _tick: f"{round(100 * share, 2):g}%"))


class _Shares(MaxNLocator):
    """Ticks of shares: there is nothing beyond all."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        return np.array([tick for tick in super().tick_values(vmin, vmax) if -1e-9 < tick < 1 + 1e-9])


def _legend_below(ax: Axes, entries: Sequence[tuple[Artist, str]]) -> None:
    """Put the legend below the axis of `ax`, so that neither data nor the user's own title meets it."""
    figure = ax.get_figure(root=True)
    if figure is None or not entries:
        return
    size, below = points(ax, 10.5), points(ax, 44)
    room = characters_across(ax, size, is_below=True)
    labels = [shorten(as_shown(label), room - 6) for _artist, label in entries]
    ax.legend(
        [artist for artist, _label in entries],
        [printable(label) for label in labels],
        fontsize=size,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + ScaledTranslation(indent(ax) / 72, -below / 72, figure.dpi_scale_trans),
        borderaxespad=0,
        borderpad=0,
        ncols=_legend_columns([display_width(label) + 8 for label in labels], room),
        handlelength=1.8,
        columnspacing=1.6,
    )


def short_name(ax: Axes, name: str) -> str:
    """Return the name of a group as it fits into a legend beside its numbers."""
    return shorten(as_shown(name), max(12, characters_across(ax, points(ax, 10.5)) - 26))


def _legend_columns(widths: Sequence[int], room: int) -> int:
    """Return the most columns whose widest entries fit into `room` side by side, filled as matplotlib fills them."""
    for columns in range(len(widths), 1, -1):
        parts = [part for part in np.array_split(widths, columns) if len(part)]
        if sum(int(part.max()) for part in parts) <= room:
            return columns
    return 1


def _source_line(ax: Axes, attrs: Mapping[Any, Any], notes: Sequence[str], most: int | None) -> None:
    """Say below the chart what it was computed from: as-of time, coverage gaps, notes of the result, `notes`."""
    parts = [as_shown(part) for part in source_parts(attrs, notes) if part]
    if not parts:
        return
    below: Any = ax.get_legend() or ax.xaxis.label
    size = points(ax, 9)
    ax.annotate(
        printable_lines(_cut(_joined(parts, characters_across(ax, size, is_below=True)), most)),
        (0, 0),
        xycoords=(below if ax.get_legend() else ax.transAxes, below),
        # A legend is indented already.
        xytext=(0 if ax.get_legend() else indent(ax), -0.8 * size),
        textcoords="offset points",
        va="top",
        ha="left",
        fontsize=size,
        linespacing=1.4,
        color=MUTED,
        annotation_clip=False,
        gid=SOURCE_GID,
    )


def _lines_below(ax: Axes) -> int | None:
    """Return how many lines of notes a figure that does not grow has room for; None for any number."""
    return next((lines for inches, lines in _LINES_BELOW if figure_height(ax) < inches), None)


def _cut(text: str, most: int | None) -> str:
    """Return as many lines as there is room for: what it is narrowed to and as of when come first."""
    kept = text.split("\n")[:most]
    return "\n".join(kept) + (" …" if len(kept) < text.count("\n") + 1 else "")


def without_expectation(attrs: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the attrs of a result without the notes on why nothing is expected of some rows."""
    about = set((attrs.get("expected_reason") or {}).values())
    return {**attrs, "notes": [note.as_json() for note in note_texts(attrs) if note.code not in about]}


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


def source_parts(attrs: Mapping[Any, Any], notes: Sequence[str] = ()) -> list[str]:
    """Return what is to be said of where a result comes from, the as-of time first."""
    first_of_code = {note.code: note for note in reversed(note_texts(attrs))}
    kept = [note for code, note in reversed(first_of_code.items()) if code not in _SHOWN_OTHERWISE]
    gaps = len((attrs.get("coverage") or {}).get("gaps") or ())
    coverage = ngettext("{count} gap in coverage", "{count} gaps in coverage", gaps) if gaps else ""
    return [filters_text(attrs), as_of_text(attrs), coverage, *notes, *map(str, kept)]


def filters_text(attrs: Mapping[Any, Any]) -> str:
    """Return which messages a result is of, from its attrs; nothing where it is of all.

    Examples
    --------
    >>> filters_text({"filters": {"campaign": ["spring"], "carrier": ["China Mobile", "China Unicom"], "since": "2026-03-01 00:00:00"}})
    'campaign spring; carrier China Mobile, China Unicom; from 2026-03-01'
    """
    parts = []
    for name, value in (attrs.get("filters") or {}).items():
        if name in ("since", "until"):
            time = str(value).removesuffix(":00").removesuffix(" 00:00")
            parts.append(_("from {time}", time=time) if name == "since" else _("before {time}", time=time))
            continue
        values = [value] if isinstance(value, str) or value is None else list(value)
        shown = [group_label([name], [one]) for one in values[:_MOST_VALUES]] + ["…"] * (len(values) > _MOST_VALUES)
        words = shorten(_(", ").join(shown) if len(shown) > 1 else "".join(shown), _LONGEST_FILTER)
        parts.append(_("{column} {values}", column=column_name(name), values=words))
    return _("; ").join(parts)


def as_of_text(attrs: Mapping[Any, Any]) -> str:
    """Return what a result was computed from, and as of when, from its attrs; nothing where they do not say."""
    as_of = attrs.get("as_of")
    if not as_of or as_of == "-":
        return ""
    return _("State reports as of {time} (China time)", time=as_of)


def within_note(attrs: Mapping[Any, Any]) -> list[str]:
    """Return the age a result is restricted to, for charts that do not say it in their title."""
    if (age := attrs.get("within_s")) is None:
        return []
    return [_("within {age} of submission", age=duration(age))]


def _say_nothing_to_show(ax: Axes, text: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    size = points(ax, 13)
    lines = printable_lines(wrap(text, characters_across(ax, size), 3))
    ax.text(0.5, 0.5, lines, transform=ax.transAxes, ha="center", va="center", fontsize=size, color=MUTED)
