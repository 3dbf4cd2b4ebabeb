"""The week as a table of shades: delivery rate by weekday and hour of submission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from masanalytics.errors import InputError
from masanalytics.language import choose
from masanalytics.plot import cells, style
from masanalytics.plot.fonts import printable
from masanalytics.plot.inputs import by_columns, is_result, result_of
from masanalytics.plot.words import by_phrase, column_name, group_label, percent

__all__ = ["heatmap"]

_COLUMNS = ("accepted", "delivery_rate", "low", "high")


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
    rows, across = (_whole(result[name], name) for name in columns)
    with style.canvas(ax, width=3.2 + 0.44 * max(len(across), 8), height=2.3 + 0.52 * max(len(rows), 2)) as axes:
        en, zh = by_phrase(columns, "en"), by_phrase(columns, "zh")
        style.title(axes, f"Delivery rate{en}", f"送达率{zh}", language)
        if result.empty:
            style.say_nothing_to_show(axes, language)
        else:
            _fill(axes, result, columns, rows, across)
            style.name_rows(axes, [group_label([columns[0]], [value], language) for value in rows])
            names = [_across(columns[1], value, language) for value in across]
            cells.name_columns(axes, names)
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_xlabel(column_name(columns[1], language))
        style.source_line(axes, result.attrs, language, notes=_notes(language))
    return axes


def _whole(values: pd.Series, name: str) -> list[Any]:
    """Return every weekday or hour between the first and the last, so that gaps show; else what there is."""
    there = [value for value in values.drop_duplicates() if pd.notna(value)]
    if name == "weekday" and all(isinstance(value, int | np.integer) for value in there):
        return list(range(7)) if there else []
    if name == "hour" and there:
        return list(range(int(min(there)), int(max(there)) + 1))
    return sorted(there)


def _across(name: str, value: Any, language: str | None) -> str:
    return f"{int(value)}" if name == "hour" else group_label([name], [value], language)


def _fill(ax: Axes, result: pd.DataFrame, columns: list[str], rows: list[Any], across: list[Any]) -> None:
    table = np.full((len(rows), len(across)), np.nan)
    found: dict[tuple[int, int], int] = {}
    for row, column, rate, accepted in result[[*columns, "delivery_rate", "accepted"]].itertuples(index=False):
        if pd.isna(row) or pd.isna(column) or not accepted:
            continue
        place = rows.index(row), across.index(column)
        table[place], found[place] = rate, int(accepted)
    enough = [table[place] for place, accepted in found.items() if accepted >= style.SMALL_N] or list(
        table[np.isfinite(table)]
    )
    least, most = (min(enough), max(enough)) if enough else (0.0, 1.0)
    image = cells.shade_cells(ax, table, cells.BLUES, least=max(min(least, most - 0.02), 1e-6), most=most)
    for place, accepted in found.items():
        if accepted < style.SMALL_N:
            ax.add_patch(
                Rectangle((place[1] - 0.5, place[0] - 0.5), 1, 1, fc=style.PALE, ec=style.LINE, hatch="////", lw=0)
            )
        _write(ax, image, place, table[place], accepted)
    if isinstance(figure := ax.get_figure(root=True), Figure):
        bar = figure.colorbar(image, ax=ax, fraction=0.025, pad=0.01, extend="neither")
        style.percent_axis(bar.ax.yaxis)
        bar.outline.set_visible(False)


def _write(ax: Axes, image: AxesImage, place: tuple[int, int], rate: float, accepted: int) -> None:
    number = f"{accepted:,}" if accepted < 10_000 else f"{accepted / 1000:.0f}k"
    shown = percent(rate, 0).removesuffix("%")
    if accepted < style.SMALL_N:
        text = printable(shown) + "\n" + number
        ax.text(place[1], place[0], text, ha="center", va="center", fontsize=8.5, color=style.MUTED, linespacing=1.25)
    else:
        cells.write_cell(ax, image, place, f"{shown}\n{number}", size=8.5)


def _notes(language: str | None) -> list[str]:
    return [
        choose("in each cell: rate in %, and messages below it", "每格：送达率（%），下方为短信数", language),
        choose(f"hatched: fewer than {style.SMALL_N} messages", f"斜线：不足 {style.SMALL_N} 条", language),
        choose(
            "hours differ also by what was sent and to whom: no cell is a recommendation",
            "各时段的内容与对象也不同，并不说明哪个时段更好",
            language,
        ),
    ]
