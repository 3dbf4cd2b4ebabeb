"""The week as a table of shades: delivery rate by weekday and hour of submission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from masanalytics.aliases import Messages
from masanalytics.errors import InputError
from masanalytics.formatting import column_name, group_label, percent
from masanalytics.i18n import _, speaks
from masanalytics.plot import shaded_table
from masanalytics.plot.arguments import chart_arguments
from masanalytics.plot.chart import SMALL_N, Chart, Drawn, by_columns, is_result, rate_title, result_of
from masanalytics.plot.fonts import printable_lines
from masanalytics.plot.named_rows import rows_that_fit
from masanalytics.plot.theme import CELL_GID, LINE, MUTED, PALE

__all__ = ["heatmap"]

_COLUMNS = ("accepted", "delivery_rate", "low", "high")
_MOST_LINES = 60


@speaks
@chart_arguments
def heatmap(
    data: Messages,
    *,
    by: Sequence[str] | None = None,
    sort: str | None = None,
    ax: Axes | None = None,
    title: str | None = None,
    figsize: tuple[float, float] | None = None,
    reveal: bool = False,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw the delivery rate of each weekday and hour of submission, with the number of messages in each cell.

    Cells of fewer than 30 messages are hatched. The chart names no best hour: what was sent when, and to whom, usually
    explains more than the hour.

    Parameters
    ----------
    data : Store or what else the analysis takes, or result of ``delivery_rates`` by two columns
        A result needs two columns of groups, then ``accepted, delivery_rate, low, high``.
    by : two column names, optional
        Rows and columns of the chart; by default ``("weekday", "hour")``.
    **keywords
        Handed to ``delivery_rates`` when `data` holds messages.
    sort : {"size", "rate", "name"}, optional
        The order of the rows: the largest first, the best first, or by name (as by default).
    ax : Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        In place of the chart's own; what it is narrowed to stands below in any case.
    figsize : (float, float), optional
        Width and height in inches, of a figure of the chart's own.
    reveal : bool, optional
        Whether phone numbers in names and titles are shown whole; by default their middle is hidden.
    language : {"en", "zh"}, optional
        Of the texts; by default the user's own.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        If the result is not grouped by two columns.

    Examples
    --------
    >>> result = pd.DataFrame({"weekday": [0, 1], "hour": [9, 9], "accepted": [400, 12], "delivered": [380, 12],
    ...                        "delivery_rate": [0.95, 1.0], "low": [0.92, 0.76], "high": [0.97, 1.0]})
    >>> heatmap(result, language="en").get_title()
    'Delivery rate by weekday and hour of submission'
    """
    asked = by or (None if is_result(data, _COLUMNS) else ("weekday", "hour"))
    result = result_of(data, "delivery_rates", _COLUMNS, by=asked, **keywords)
    columns = by_columns(result, "accepted")
    if len(columns) != 2:
        raise InputError(
            "a heat map needs a result grouped by two columns, and this one has {count}", count=len(columns)
        )
    down, down_notes = _shown(result, columns[0], rows_that_fit(ax, _MOST_LINES))
    down = _in_order(result, columns[0], down, sort)
    across, across_notes = _shown(result, columns[1], _MOST_LINES)

    def draw(axes: Axes) -> Drawn:
        has_numbers = _fill(axes, result, (columns, down, across))
        shaded_table.name_columns(axes, [_across(columns[1], value) for value in across])
        axes.set_xlabel(column_name(columns[1]))
        return Drawn(notes=[*_notes(columns, has_numbers=has_numbers), *down_notes, *across_notes])

    return Chart(
        result=result,
        title=rate_title(columns, result.attrs.get("within_s")),
        rows=[group_label([columns[0]], [value]) for value in down],
        draw=draw,
        width=3.2 + 0.44 * max(len(across), 8),
        height=2.3 + 0.52 * max(len(down), 2),
        nothing="" if down and across else _("No messages to show"),
    ).on(ax)


def _shown(result: pd.DataFrame, name: str, most: int) -> tuple[list[Any], list[str]]:
    """Return the values of a dimension to show, in order, and what to say of the others."""
    values = _whole(result[name], name)
    if len(values) <= most or name in ("hour", "weekday"):
        return values, []
    sizes = result.groupby(name, dropna=False)["accepted"].sum().sort_values(ascending=False, kind="stable")
    kept = {_key(value) for value in sizes.index[:most]}
    left_out = _(
        "the {shown} largest of {all:,} groups by {column}", shown=most, all=len(values), column=column_name(name)
    )
    return [value for value in values if _key(value) in kept], [left_out]


def _in_order(result: pd.DataFrame, name: str, values: list[Any], sort: str | None) -> list[Any]:
    """Return the values of the rows in the order that was asked for."""
    if sort not in (None, "size", "rate", "name"):
        raise InputError("sort={sort!r}: say 'size', 'rate' or 'name'", sort=sort)
    if sort in (None, "name"):
        return values
    arrived = result.assign(arrived=result["accepted"] * result["delivery_rate"].fillna(0.0))
    sums = arrived.groupby(name, dropna=False)[["accepted", "arrived"]].sum()
    worth = sums["accepted"] if sort == "size" else sums["arrived"] / sums["accepted"].where(sums["accepted"] > 0)
    place = {_key(value): number for value, number in worth.items()}
    return sorted(values, key=lambda value: -float(place.get(_key(value), 0) or 0))


def _whole(values: pd.Series, name: str) -> list[Any]:
    """Return every weekday or hour between the first and the last, so that gaps show; else what there is.

    What is missing comes last.
    """
    values_present = [value for value in values.drop_duplicates() if pd.notna(value)]
    missing = [None] if values.isna().any() else []
    # A frame may have a column of its own of this name.
    are_numbers = bool(values_present) and all(isinstance(value, int | float | np.number) for value in values_present)
    if name == "weekday" and are_numbers:
        return [*range(7), *missing]
    if name == "hour" and are_numbers:
        return [*range(int(min(values_present)), int(max(values_present)) + 1), *missing]
    return [*sorted(values_present), *missing]


def _key(value: Any) -> Any:
    """Return what stands for `value` in a look-up, where nothing equals NaN."""
    return None if pd.isna(value) else value


def _across(name: str, value: Any) -> str:
    is_hour = name == "hour" and isinstance(value, int | float | np.number)
    return f"{int(value)}" if is_hour else group_label([name], [value])


def _fill(ax: Axes, result: pd.DataFrame, shown: tuple[list[str], list[Any], list[Any]]) -> bool:
    """Shade and write the cells; return whether they had room for their numbers."""
    columns, down, across = shown
    rates = np.full((len(down), len(across)), np.nan)
    sizes: dict[tuple[int, int], int] = {}
    row_of, column_of = ({_key(value): place for place, value in enumerate(values)} for values in (down, across))
    for row_value, column_value, rate, accepted in result[[*columns, "delivery_rate", "accepted"]].itertuples(
        index=False
    ):
        row, column = row_of.get(_key(row_value)), column_of.get(_key(column_value))
        if row is not None and column is not None and accepted:
            rates[row, column], sizes[row, column] = rate, int(accepted)
    solid = [rates[cell] for cell, accepted in sizes.items() if accepted >= SMALL_N]
    least, most = (min(solid), max(solid)) if solid else (0.0, 1.0)
    image = shaded_table.shade_cells(ax, rates, shaded_table.BLUES, least=max(min(least, most - 0.02), 1e-6), most=most)
    texts = {cell: _text(rates[cell], accepted) for cell, accepted in sizes.items()}
    type_size = shaded_table.type_size(ax, rates.shape, texts.values())
    for cell, accepted in sizes.items():
        _draw_cell(ax, image, cell, (texts[cell], type_size), thin=accepted < SMALL_N)
    if solid:
        shaded_table.scale_beside(ax, image)
    return type_size > 0


def _text(rate: float, accepted: int) -> str:
    number = f"{accepted:,}" if accepted < 10_000 else f"{accepted / 1000:.0f}k"
    return f"{percent(rate, 0).removesuffix('%')}\n{number}"


def _draw_cell(ax: Axes, image: AxesImage, cell: tuple[int, int], written: tuple[str, float], *, thin: bool) -> None:
    text, size = written
    row, column = cell
    if thin:
        corner = column - 0.5, row - 0.5
        ax.add_patch(Rectangle(corner, 1, 1, fc=PALE, ec=LINE, hatch="////", lw=0, gid=CELL_GID))
    if not size:
        return
    if thin:
        ax.text(column, row, printable_lines(text), ha="center", va="center", fontsize=size, color=MUTED,
                linespacing=1.2, gid=CELL_GID)  # fmt: skip
    else:
        shaded_table.write_cell(ax, image, cell, text, size=size)


def _notes(columns: Sequence[str], *, has_numbers: bool) -> list[str]:
    notes = [_("hatched: fewer than {count} messages", count=SMALL_N)]
    if has_numbers:
        notes.insert(0, _("in each cell: rate in %, and messages below it"))
    if {"hour", "weekday"} & set(columns):
        notes.append(_("hours differ also by what was sent and to whom: no cell is a recommendation"))
    return notes
