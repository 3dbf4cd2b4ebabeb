"""The week as a table of shades: delivery rate by weekday and hour of submission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from masanalytics.errors import InputError
from masanalytics.i18n import choose, duration
from masanalytics.plot import chart, shaded_table
from masanalytics.plot.fonts import printable_lines
from masanalytics.plot.inputs import by_columns, is_result, result_of
from masanalytics.plot.words import by_phrase, column_name, group_label, percent

__all__ = ["heatmap"]

_COLUMNS = ("accepted", "delivery_rate", "low", "high")
_MOST_LINES = 60


def heatmap(
    data: Any,
    *,
    by: Sequence[str] | None = None,
    ax: Axes | None = None,
    language: str | None = None,
    **keywords: Any,
) -> Axes:
    """Draw the delivery rate of each weekday and hour of submission, with the number of messages in each cell.

    Cells of fewer than 30 messages are hatched. The chart names no best hour: what was sent when, and to whom, usually
    explains more than the hour.

    Parameters
    ----------
    data : Store, DataFrame of messages, or result of ``delivery_rates`` by two columns
        A result needs two columns of groups, then ``accepted, delivery_rate, low, high``.
    by : two column names, optional
        Rows and columns of the chart; by default ``("weekday", "hour")``.
    **keywords
        Handed to ``delivery_rates`` when `data` holds messages.
    ax : Axes, optional
        Where to draw; by default a new figure.
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
            f"a heat map needs a result grouped by two columns, and this one has {len(columns)}",
            zh=f"热力图需要按两列分组的结果，而这里有 {len(columns)} 列",
        )
    rows, row_notes = _shown(result, columns[0], chart.rows_that_fit(ax, _MOST_LINES), language)
    across, column_notes = _shown(result, columns[1], _MOST_LINES, language)
    width, height = 3.2 + 0.44 * max(len(across), 8), 2.3 + 0.52 * max(len(rows), 2)
    with chart.canvas(ax, width=width, height=height) as axes:
        _entitle(axes, columns, result.attrs.get("within_s"), language)
        notes = []
        if not rows or not across:
            chart.say_nothing_to_show(axes, language)
        else:
            chart.name_rows(axes, [group_label([columns[0]], [value], language) for value in rows])
            written = _fill(axes, result, columns, rows, across)
            shaded_table.name_columns(axes, [_across(columns[1], value, language) for value in across])
            axes.set_xlabel(column_name(columns[1], language))
            notes = [*_notes(columns, language, written=written), *row_notes, *column_notes]
        chart.source_line(axes, result.attrs, language, notes=notes)
    return axes


def _entitle(ax: Axes, columns: Sequence[str], within_s: float | None, language: str | None) -> None:
    en, zh = by_phrase(columns, "en"), by_phrase(columns, "zh")
    if within_s is None:
        chart.title(ax, f"Delivery rate{en}", f"送达率{zh}", language)
        return
    ages = duration(within_s, "en"), duration(within_s, "zh")
    chart.title(ax, f"Delivered within {ages[0]},{en}", f"提交后 {ages[1]}内的送达率{zh}", language)


def _shown(result: pd.DataFrame, name: str, most: int, language: str | None) -> tuple[list[Any], list[str]]:
    """Return the values of a dimension to show, in order, and what to say of the others."""
    values = _whole(result[name], name)
    if len(values) <= most or name in ("hour", "weekday"):
        return values, []
    sizes = result.groupby(name, dropna=False)["accepted"].sum().sort_values(ascending=False, kind="stable")
    kept = {_key(value) for value in sizes.index[:most]}
    what = column_name(name, "en"), column_name(name, "zh")
    said = (
        f"the {most} largest of {len(values):,} groups by {what[0]}",
        f"{what[1]}：仅显示最大的 {most} 组，共 {len(values):,} 组",
    )
    return [value for value in values if _key(value) in kept], [choose(*said, language)]


def _whole(values: pd.Series, name: str) -> list[Any]:
    """Return every weekday or hour between the first and the last, so that gaps show; else what there is.

    What is missing comes last.
    """
    there = [value for value in values.drop_duplicates() if pd.notna(value)]
    missing = [None] if values.isna().any() else []
    if name == "weekday" and there and all(isinstance(value, int | float | np.number) for value in there):
        return [*range(7), *missing]
    if name == "hour" and there:
        return [*range(int(min(there)), int(max(there)) + 1), *missing]
    return [*sorted(there), *missing]


def _key(value: Any) -> Any:
    """Return what stands for `value` in a look-up, where nothing equals NaN."""
    return None if pd.isna(value) else value


def _across(name: str, value: Any, language: str | None) -> str:
    return f"{int(value)}" if name == "hour" and value is not None else group_label([name], [value], language)


def _fill(ax: Axes, result: pd.DataFrame, columns: list[str], rows: list[Any], across: list[Any]) -> bool:
    """Shade and write the cells; return whether they had room for their numbers."""
    table = np.full((len(rows), len(across)), np.nan)
    found: dict[tuple[int, int], int] = {}
    row_of, column_of = ({_key(value): place for place, value in enumerate(values)} for values in (rows, across))
    for row, column, rate, accepted in result[[*columns, "delivery_rate", "accepted"]].itertuples(index=False):
        place = row_of.get(_key(row)), column_of.get(_key(column))
        if place[0] is None or place[1] is None or not accepted:
            continue
        table[place], found[place[0], place[1]] = rate, int(accepted)
    solid = [table[place] for place, accepted in found.items() if accepted >= chart.SMALL_N]
    least, most = (min(solid), max(solid)) if solid else (0.0, 1.0)
    image = shaded_table.shade_cells(ax, table, shaded_table.BLUES, least=max(min(least, most - 0.02), 1e-6), most=most)
    texts = {place: _text(table[place], accepted) for place, accepted in found.items()}
    size = shaded_table.type_size(ax, table.shape, texts.values())
    for place, accepted in found.items():
        _draw_cell(ax, image, place, (texts[place], size), thin=accepted < chart.SMALL_N)
    if solid:
        shaded_table.scale_beside(ax, image)
    return size > 0


def _text(rate: float, accepted: int) -> str:
    number = f"{accepted:,}" if accepted < 10_000 else f"{accepted / 1000:.0f}k"
    return f"{percent(rate, 0).removesuffix('%')}\n{number}"


def _draw_cell(ax: Axes, image: AxesImage, place: tuple[int, int], written: tuple[str, float], *, thin: bool) -> None:
    text, size = written
    if thin:
        corner = place[1] - 0.5, place[0] - 0.5
        ax.add_patch(Rectangle(corner, 1, 1, fc=chart.PALE, ec=chart.LINE, hatch="////", lw=0, gid=chart.CELL_GID))
    if not size:
        return
    if thin:
        ax.text(place[1], place[0], printable_lines(text), ha="center", va="center", fontsize=size, color=chart.MUTED,
                linespacing=1.2, gid=chart.CELL_GID)  # fmt: skip
    else:
        shaded_table.write_cell(ax, image, place, text, size=size)


def _notes(columns: Sequence[str], language: str | None, *, written: bool) -> list[str]:
    notes = [choose(f"hatched: fewer than {chart.SMALL_N} messages", f"斜线：不足 {chart.SMALL_N} 条", language)]
    if written:
        notes.insert(
            0, choose("in each cell: rate in %, and messages below it", "每格：送达率（%），下方为短信数", language)
        )
    if {"hour", "weekday"} & set(columns):
        caution = (
            "hours differ also by what was sent and to whom: no cell is a recommendation",
            "各时段的内容与对象也不同，并不说明哪个时段更好",
        )
        notes.append(choose(*caution, language))
    return notes
