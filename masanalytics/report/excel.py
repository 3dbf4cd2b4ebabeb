"""The report as an Excel file: the same figures as real numbers, the charts as pictures."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from masanalytics.chinatime import CHINA
from masanalytics.errors import MissingExtraError
from masanalytics.plot.words import display_width
from masanalytics.report.contents import Contents
from masanalytics.report.pictures import as_png
from masanalytics.report.sections import Request, Section
from masanalytics.report.tables import Column, plain
from masanalytics.report.words import definitions

__all__ = ["write_excel"]

# What people wrote stays text: no cell of the file is ever a formula or a link.
_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
_FORMATS = {"count": "#,##0", "share": "0.0%", "seconds": "#,##0.0"}
_BAD_IN_NAMES = re.compile(r"[\[\]:*?/\\']")
_WIDEST = 60
_LONGEST_NAME = 31
_A4 = 9


def write_excel(contents: Contents, request: Request, path: Path) -> None:
    """Write the whole report to `path`.

    Raises
    ------
    MissingExtraError
        If xlsxwriter is not installed.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingExtraError.of("excel", "xlsxwriter", "writing an .xlsx report", "写入 .xlsx 报告") from error

    with xlsxwriter.Workbook(str(path), _OPTIONS) as book:
        formats = _formats(book)
        _summary(book.add_worksheet(request.say("Summary", "概要")), contents, request, formats)
        taken = {request.say("Summary", "概要").lower()}
        for section in contents.sections:
            _sheet(book.add_worksheet(_sheet_name(section.title, taken)), section, request, formats)
        book.set_properties({"title": contents.title})


def _formats(book: Any) -> dict[str, Any]:
    base = {"font_size": 11, "valign": "top"}
    return {
        "title": book.add_format({**base, "font_size": 16, "bold": True}),
        "head": book.add_format({**base, "bold": True, "bottom": 1, "bg_color": "#F3F5F7", "text_wrap": True}),
        "text": book.add_format({**base, "text_wrap": True, "num_format": "@"}),
        "note": book.add_format({**base, "font_color": "#59636E"}),
        "day": book.add_format({**base, "num_format": "yyyy-mm-dd", "align": "left"}),
        "time": book.add_format({**base, "num_format": "yyyy-mm-dd hh:mm", "align": "left"}),
        **{kind: book.add_format({**base, "num_format": shape}) for kind, shape in _FORMATS.items()},
    }


def _summary(sheet: Any, contents: Contents, request: Request, formats: dict[str, Any]) -> None:
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 100)
    sheet.hide_gridlines(2)
    sheet.write_string(0, 0, contents.title, formats["title"])
    row = 2
    for sentence in contents.headline:
        sheet.merge_range(row, 0, row, 1, "", formats["text"])
        sheet.write_string(row, 0, sentence, formats["text"])
        row += 1
    parts = (
        (request.say("What this was computed from", "数据与口径"), contents.sources),
        (request.say("What each figure means", "各项指标的含义"), definitions(request.language)),
    )
    for heading, lines in parts:
        row += 1
        sheet.write_string(row, 0, heading, formats["head"])
        sheet.write_blank(row, 1, None, formats["head"])
        for name, value in lines:
            row += 1
            sheet.write_string(row, 0, name, formats["text"])
            sheet.write_string(row, 1, value, formats["text"])
        row += 1
    _for_print(sheet)


@dataclass(frozen=True)
class _Field:
    """One column of a sheet: a column of the table, or an end of its interval."""

    heading: str
    key: str
    column: Column

    @property
    def kind(self) -> str:
        return self.column.kind if self.column.is_number else "text"


def _sheet(sheet: Any, section: Section, request: Request, formats: dict[str, Any]) -> None:
    fields = _fields(section.columns, request)
    records = section.table.to_dict("records")
    for place, field in enumerate(fields):
        sheet.write_string(0, place, field.heading, formats["head"])
        texts = [_text(record, field, request) for record in records] if field.kind == "text" else ["000,000.0"]
        widest = max(map(display_width, [field.heading, *texts]), default=0)
        sheet.set_column(place, place, min(widest + 2, _WIDEST))
        for row, record in enumerate(records, start=1):
            _write(sheet, (row, place), record, field, request, formats)
    sheet.freeze_panes(1, 0)
    if records:
        sheet.autofilter(0, 0, len(records), len(fields) - 1)
    sheet.write_string(len(records) + 2, 0, section.source, formats["note"])
    if section.draw is not None:
        picture = {"image_data": io.BytesIO(as_png(section.draw, height=section.height)), "description": section.title}
        sheet.insert_image(len(records) + 4, 0, "chart.png", picture)
    _for_print(sheet)
    sheet.repeat_rows(0)


def _fields(columns: Sequence[Column], request: Request) -> list[_Field]:
    fields = []
    for column in columns:
        name = column.name(request.language)
        unit = request.say(" (s)", "（秒）") if column.kind == "seconds" else ""
        fields.append(_Field(name + unit, column.key, column))
        if column.interval:
            low, high = column.interval
            fields.append(_Field(request.say(f"{name}: 95% from", f"{name}：95% 区间下限"), low, column))
            fields.append(_Field(request.say(f"{name}: 95% to", f"{name}：95% 区间上限"), high, column))
    return fields


def _write(
    sheet: Any, place: tuple[int, int], record: dict[Any, Any], field: _Field, request: Request, formats: dict[str, Any]
) -> None:
    value = record[field.key]
    if isinstance(value, pd.Timestamp):
        # Excel knows no zones: a time is written as it reads in China.
        local = value if value.tzinfo is None else value.tz_convert(CHINA).tz_localize(None)
        sheet.write_datetime(*place, local.to_pydatetime(), formats["day" if local == local.normalize() else "time"])
    elif field.kind == "text":
        sheet.write_string(*place, _text(record, field, request), formats["text"])
    elif pd.isna(value):
        sheet.write_blank(*place, None, formats[field.kind])
    else:
        sheet.write_number(*place, float(value), formats[field.kind])


def _text(record: dict[Any, Any], field: _Field, request: Request) -> str:
    return request.clean(plain(record[field.key], field.column, request.language))


def _for_print(sheet: Any) -> None:
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.fit_to_pages(1, 0)


def _sheet_name(title: str, taken: set[str]) -> str:
    """Return `title` as a sheet may be called: no more than 31 letters, none of them special, each name once."""
    name = _BAD_IN_NAMES.sub(" ", title).strip()[:_LONGEST_NAME] or "-"
    number = 1
    while name.lower() in taken:
        number += 1
        name = f"{name[: _LONGEST_NAME - 4]} {number}"
    taken.add(name.lower())
    return name
