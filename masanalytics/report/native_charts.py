"""The charts of the workbook: Excel's own, drawn from the cells beside them, so that they can be changed and copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from masanalytics.i18n import Text, _
from masanalytics.plot.theme import BLUE, GREY, ORANGE, VERMILION
from masanalytics.report.contents import Section
from masanalytics.report.tables import Column

__all__ = ["MOST_IN_CHART", "Field", "insert_chart"]

MOST_IN_CHART = 10
"""Groups in one chart; a course over time has all its points."""
_COLOURS = {
    "failed": VERMILION,
    "unreported": GREY,
    "pending": ORANGE,
    "opt_out_rate": VERMILION,
    "p90_s": ORANGE,
    "cost_not_delivered": VERMILION,
}
_WIDTH, _ROW, _AROUND, _COURSE_HIGH = 760, 34, 130, 380


@dataclass(frozen=True)
class Field:
    """One column of a sheet: a column of the table, or an end of its interval."""

    heading: str
    key: str
    column: Column

    @property
    def kind(self) -> str:
        """How it is written: a kind of number, or "text"."""
        return self.column.kind if self.column.is_number else "text"


@dataclass(frozen=True)
class _Shape:
    """What a section's chart shows.

    Attributes
    ----------
    kind : {"bar", "column"}
        Rows side by side, or a course over time.
    keys : sequence of str
        The columns it draws.
    axis : Text
        What the values are.
    line : str
        The column drawn as a line on an axis of its own.
    names : str
        The column that names the rows, where it is not all those before the first number.
    """

    kind: Literal["bar", "column"]
    keys: Sequence[str]
    axis: Text
    line: str = ""
    names: str = ""


_SHAPES = {
    "rates": _Shape("bar", ("delivery_rate",), Text("delivered ÷ accepted")),
    "course": _Shape("column", ("delivered", "failed", "unreported", "pending"), Text("messages"), "delivery_rate"),
    "codes": _Shape("bar", ("count",), Text("failed messages"), names="meaning"),
    "latency": _Shape("bar", ("p50_s", "p90_s"), Text("seconds since submission")),
    "money": _Shape("bar", ("cost", "cost_not_delivered"), Text("yuan")),
    "replies": _Shape("bar", ("response_rate", "opt_out_rate"), Text("of the delivered")),
    "health": _Shape("bar", ("numbers",), Text("numbers")),
}


@dataclass(frozen=True)
class _Cells:
    """Where a table stands: its fields from the first column on, its records from the second row on."""

    sheet: str
    fields: Sequence[Field]
    shown: int
    named_by: str

    def range_of(self, key: str) -> list[Any]:
        """Return the cells of a column, as xlsxwriter wants them."""
        column = [field.key for field in self.fields].index(key)
        return [self.sheet, 1, column, self.shown, column]

    def names(self) -> list[Any]:
        """Return the cells that name the rows: the columns before the first number."""
        if self.named_by:
            return self.range_of(self.named_by)
        first = next(place for place, field in enumerate(self.fields) if field.kind != "text")
        return [self.sheet, 1, 0, self.shown, max(first - 1, 0)]

    def heading(self, key: str) -> list[Any]:
        """Return the cell that names a column."""
        return [self.sheet, 0, [field.key for field in self.fields].index(key)]


def insert_chart(book: Any, sheet: Any, section: Section, fields: Sequence[Field], row: int) -> None:
    """Put the chart of a section below its table, at `row`; nothing where there is nothing to draw.

    Parameters
    ----------
    book, sheet : Workbook, Worksheet of xlsxwriter
        Where the table stands already.
    section : Section
        What is shown.
    fields : sequence of Field
        The columns of the sheet.
    row : int
        The row the chart begins at, from 0.
    """
    shape = _SHAPES.get(section.name.split("-", maxsplit=1)[0])
    there = {field.key for field in fields}
    keys = [key for key in shape.keys if key in there] if shape else []
    if shape is None or not keys or fields[0].kind != "text" or section.table.empty:
        return
    shown = len(section.table) if shape.line else min(len(section.table), MOST_IN_CHART)
    cells = _Cells(sheet.get_name(), fields, shown, shape.names)
    chart = book.add_chart({"type": shape.kind, **({"subtype": "stacked"} if shape.line else {})})
    for key in keys:
        chart.add_series(_series(section, cells, key, is_bar=not shape.line))
    if shape.line in there:
        chart.combine(_rate_line(book, cells, shape.line))
    _axes(chart, shape, cells.fields[[field.key for field in fields].index(keys[0])].kind)
    if shape.line:
        is_daily = all(time == time.normalize() for time in section.table["time"])
        chart.set_x_axis({"num_format": "mm-dd" if is_daily else "mm-dd hh:mm", "text_axis": True})
    chart.set_title({"name": section.title, "name_font": {"size": 13}, "overlay": False})
    chart.set_legend({"position": "bottom"} if len(keys) > 1 else {"none": True})
    high = _COURSE_HIGH if shape.line else _AROUND + _ROW * shown * len(keys)
    chart.set_size({"width": _WIDTH, "height": high})
    sheet.insert_chart(row, 0, chart, {"object_position": 2, "description": section.title})


def _series(section: Section, cells: _Cells, key: str, *, is_bar: bool) -> dict[str, Any]:
    field = next(field for field in cells.fields if field.key == key)
    series: dict[str, Any] = {
        "name": cells.heading(key),
        "categories": cells.names(),
        "values": cells.range_of(key),
        "fill": {"color": _COLOURS.get(key, BLUE)},
        "gap": 60,
    }
    if is_bar:
        series["data_labels"] = {"value": True, "position": "inside_base" if field.column.interval else "outside_end"}
    if is_bar and field.column.interval:
        low, high = (section.table[end].head(cells.shown) for end in field.column.interval)
        middle = section.table[key].head(cells.shown)
        series["data_labels"]["font"] = {"color": "#FFFFFF", "bold": True}
        series["y_error_bars"] = {
            "type": "custom",
            "plus_values": (high - middle).fillna(0).round(6).tolist(),
            "minus_values": (middle - low).fillna(0).round(6).tolist(),
        }
    return series


def _rate_line(book: Any, cells: _Cells, key: str) -> Any:
    """Return the line of the rate, with an axis of its own."""
    line = book.add_chart({"type": "line"})
    line.add_series(
        {
            "name": cells.heading(key),
            "categories": cells.names(),
            "values": cells.range_of(key),
            "y2_axis": True,
            "line": {"color": "#22272E", "width": 1.75},
            "marker": {"type": "circle", "size": 4, "fill": {"color": "#22272E"}, "border": {"none": True}},
        }
    )
    line.set_y2_axis({"name": _("delivered ÷ accepted"), "num_format": "0%", "min": 0, "max": 1})
    return line


def _axes(chart: Any, shape: _Shape, kind: str) -> None:
    """Name the axes; rows stand from the top as they do in the table."""
    values: dict[str, Any] = {"name": str(shape.axis), "name_font": {"bold": False}}
    if kind == "share":
        values |= {"num_format": "0%", "min": 0}
    if shape.keys == ("delivery_rate",):
        values["max"] = 1
    if kind == "seconds":
        values |= {"log_base": 10, "num_format": "#,##0"}
    if shape.kind == "bar":
        chart.set_x_axis(values)
        chart.set_y_axis({"reverse": True, "crossing": "max"})
    else:
        chart.set_y_axis(values)
