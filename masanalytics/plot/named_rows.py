"""Charts of named rows: how many fit, their names on the left, their numbers on the right."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

import pandas as pd
from matplotlib.axes import Axes

from masanalytics.formatting import display_width, shorten, wrap
from masanalytics.i18n import _
from masanalytics.plot.fonts import printable_lines
from masanalytics.plot.layout import (
    AROUND,
    LINE_SHARE,
    NARROW,
    ROW_GID,
    body,
    figure_width,
    label_size,
    points,
    row_names_width,
    text_width,
)
from masanalytics.plot.theme import INK, MUTED

__all__ = [
    "LABEL_WIDTH",
    "beside_rows",
    "largest",
    "lines_of",
    "name_rows",
    "row_height",
    "rows_that_fit",
    "wrapped_apart",
]

MOST_ROWS = 60
_LEAST_ROW = 11
"""Points: rows closer than this cannot be read."""
LABEL_WIDTH = 26
"""Latin letters: how wide the names of rows may be before they are wrapped."""
_ROOM_FOR_TWO, _ROOM_FOR_THREE = 22, 34
_FEW_ROWS = 15
_LARGER_SHARE = 0.44
"""Of the width, for names that say more than what draws them."""
_LEAST_TYPE = 7.5
"""Points: names in smaller type are cut rather than wrapped once more."""
_LEAST_AXES = 0.34
"""The share of its width that a chart keeps for what it draws, whatever stands beside the rows."""


def row_height(rows: int, lines: int = 1) -> float:
    """Return the height in inches of a chart with so many named rows, each `lines` lines high."""
    return AROUND + max(rows, 1.5) * (0.36 if lines == 1 else 0.5)


def lines_of(labels: Sequence[str], width: int = LABEL_WIDTH) -> int:
    """Return 2 where few rows have names so long that they need three lines, otherwise 1, as `row_height` takes it."""
    long = any(display_width(label) > 2 * width for label in labels)
    return 2 if long and len(labels) <= _FEW_ROWS else 1


def rows_that_fit(ax: Axes | None, most: int = MOST_ROWS) -> int:
    """Return how many rows can be read in the room of `ax`; `most` in a figure of the chart's own."""
    return most if ax is None else max(3, min(most, int(body(ax) * 72 / _LEAST_ROW)))


def largest(result: pd.DataFrame, ax: Axes | None, *, size: str = "accepted") -> tuple[pd.DataFrame, list[str]]:
    """Return the groups that can be shown, the largest in the order they have, and what to say of the others."""
    most = rows_that_fit(ax)
    if len(result) <= most:
        return result, []
    kept = result[size].astype(float).fillna(0).rank(method="first", ascending=False) <= most
    left_out = _("the {shown} largest of {all:,} groups", shown=most, all=len(result))
    return result[kept.to_numpy()], [left_out]


def name_rows(ax: Axes, labels: Sequence[str], *, width: int = LABEL_WIDTH) -> None:
    """Name the rows 0, 1, 2 … of a horizontal chart from the top, in type that fits the height of a row."""
    room = body(ax) * 72 / max(len(labels), 1.5)
    width, lines = _lines_for(room / points(ax, 1), width, len(labels), narrow=figure_width(ax) < NARROW)
    while lines > 1 and LINE_SHARE * room / lines < _LEAST_TYPE:
        lines -= 1
    size = points(ax, 12)
    share = 0.36 if width <= 2 * LABEL_WIDTH - 12 else _LARGER_SHARE
    width = max(10, min(width, int(share * figure_width(ax) * 72 / text_width("x", min(size, LINE_SHARE * room)))))
    shown = wrapped_apart(labels, width, lines)
    deepest = max((label.count("\n") + 1 for label in shown), default=1)
    ax.set_yticks(range(len(labels)), [printable_lines(label) for label in shown])
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, labelsize=min(size, LINE_SHARE * room / deepest), labelcolor=INK)
    ax.spines["left"].set_visible(False)
    ax.set_ylabel("")


def wrapped_apart(labels: Sequence[str], width: int, lines: int) -> list[str]:
    """Wrap names; where cutting their ends would make two alike, cut the middle instead, or the start they share.

    Examples
    --------
    >>> wrapped_apart(["spring sale north", "spring sale south"], 10, 1)
    ['spri…rth', 'spri…uth']
    >>> wrapped_apart(["会员活动第1批华东大区", "会员活动第2批华东大区"], 8, 1)
    ['…1批华…', '…2批华…']
    """
    shown = [wrap(label, width, lines) for label in labels]
    if len(set(shown)) == len(set(labels)):
        return shown
    cut = [label.endswith("…") and not name.endswith("…") for label, name in zip(shown, labels, strict=True)]
    shown = [
        wrap(shorten(name, width * lines - 2 * lines), width, lines) if is_cut else label
        for label, name, is_cut in zip(shown, labels, cut, strict=True)
    ]
    alike: dict[str, list[str]] = {}
    for label, name in zip(shown, labels, strict=True):
        alike.setdefault(label, []).append(name)
    return [_unlike(label, name, alike[label], width, lines) for label, name in zip(shown, labels, strict=True)]


def _unlike(label: str, name: str, others: Sequence[str], width: int, lines: int) -> str:
    shared = len(list(takewhile(lambda letters: len(set(letters)) == 1, zip(*others, strict=False))))
    return label if len(set(others)) == 1 else wrap(f"…{name[shared:]}", width, lines)


def _lines_for(room: float, width: int, rows: int, *, narrow: bool) -> tuple[int, int]:
    """Return how wide and how deep the name of a row may be that is `room` points high."""
    if room < _ROOM_FOR_TWO:
        return (width + 8 if width > LABEL_WIDTH else width), 1
    deep = 3 if room >= _ROOM_FOR_THREE and rows <= _FEW_ROWS else 2
    return (min(width, 24), 3) if narrow and width > LABEL_WIDTH else (width, deep)


def beside_rows(
    ax: Axes, columns: Sequence[Sequence[str]], *, muted: Sequence[bool] = (), give_up: Sequence[int] = ()
) -> None:
    """Write columns of texts to the right of rows 0, 1, 2 …, outside the Axes, each as wide as its widest text.

    Where that would leave too little of the chart, the columns of `give_up` are left out, in that order.
    """
    size = min(points(ax, 11.5), label_size(ax))
    widths = [max((text_width(text, size) for text in column), default=0.0) for column in columns]
    gap = 1.1 * size
    room = (1 - _LEAST_AXES) * figure_width(ax) * 72 - row_names_width(ax)
    kept = list(range(len(columns)))
    for column in give_up:
        if sum(widths[index] + gap for index in kept) <= room:
            break
        kept.remove(column)
    start = 0.9 * size
    for index in kept:
        for row, text in enumerate(columns[index]):
            pale = bool(index) or (row < len(muted) and muted[row])
            _write_beside(ax, (row, start), text, size, MUTED if pale else INK)
        start += widths[index] + gap


def _write_beside(ax: Axes, place: tuple[float, float], text: str, size: float, colour: str) -> None:
    if not text:
        return
    ax.annotate(
        printable_lines(text),
        (1, place[0]),
        xycoords=ax.get_yaxis_transform(),
        xytext=(place[1], 0),
        textcoords="offset points",
        va="center",
        fontsize=size,
        color=colour,
        annotation_clip=False,
        gid=ROW_GID,
    )
