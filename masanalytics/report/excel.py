"""The report as an Excel file: the same figures as real numbers, with Excel's own charts."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from masanalytics.errors import MissingExtraError
from masanalytics.formatting import display_width, money
from masanalytics.i18n import Text, _
from masanalytics.report.contents import Contents, Section
from masanalytics.report.native_charts import Field, insert_chart
from masanalytics.report.tables import Column, plain
from masanalytics.timezone import CHINA

__all__ = ["excel", "need_library"]

Clean = Callable[[str], str]
"""Makes a text fit to be shown."""

# What people wrote stays text: no cell of the file is ever a formula or a link.
_OPTIONS = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
_FORMATS = {
    "count": "#,##0",
    "share": "0.0%",
    "points": "+0.00;-0.00;0.00",
    "seconds": "#,##0.0",
    "money": '"¥"#,##0.00',
    "price": '"¥"#,##0.000',
}
_BAD_IN_NAMES = re.compile(r"[\[\]:*?/\\']")
_WIDEST = 34
_NAMES_WIDE, _TEXTS_WIDE, _NUMBER_WIDE, _LINE = 40, 100, 11, 16
_ONE_PAGE = 45
_LONGEST_NAME = 31
_DIGITS = 9
_A4 = 9


def need_library() -> Any:
    """Return xlsxwriter.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingExtraError.of("excel", "xlsxwriter", Text("writing an .xlsx report")) from error
    return xlsxwriter


def excel(contents: Contents, clean: Clean) -> bytes:
    """Return the whole report as a workbook."""
    file = io.BytesIO()
    with need_library().Workbook(file, _OPTIONS) as book:
        formats = _formats(book)
        _summary(book.add_worksheet(_("Summary")), contents, clean, formats)
        names = {_("Summary").lower(), "history"}  # the second is Excel's own
        for section in contents.sections:
            _sheet(book, book.add_worksheet(_sheet_name(section.title, names)), section, clean, formats)
        book.set_properties({"title": contents.title})
    return file.getvalue()


def _formats(book: Any) -> dict[str, Any]:
    base = {"font_size": 11, "valign": "top"}
    head = {**base, "bold": True, "bottom": 1, "bg_color": "#F3F5F7", "text_wrap": True}
    return {
        "title": book.add_format({**base, "font_size": 16, "bold": True}),
        "head": book.add_format({**head, "align": "left", "indent": 1}),
        "head_number": book.add_format({**head, "align": "right"}),
        "text": book.add_format({**base, "text_wrap": True, "num_format": "@", "align": "left", "indent": 1}),
        "note": book.add_format({**base, "font_color": "#59636E", "text_wrap": True}),
        "day": book.add_format({**base, "num_format": "yyyy-mm-dd", "align": "left"}),
        "time": book.add_format({**base, "num_format": "yyyy-mm-dd hh:mm", "align": "left"}),
        **{kind: book.add_format({**base, "num_format": shape}) for kind, shape in _FORMATS.items()},
        **{
            f"beside_{kind}": book.add_format({**base, "num_format": shape, "align": "left"})
            for kind, shape in _FORMATS.items()
        },
    }


def _summary(sheet: Any, contents: Contents, clean: Clean, formats: dict[str, Any]) -> None:
    sheet.set_column(0, 0, _NAMES_WIDE)
    sheet.set_column(1, 1, _TEXTS_WIDE)
    sheet.hide_gridlines(2)
    sheet.write_string(0, 0, contents.title, formats["title"])
    for row, sentence in enumerate(contents.headline, 2):
        sheet.merge_range(row, 0, row, 1, "", formats["text"])
        sheet.write_string(row, 0, sentence, formats["text"])
        # No spreadsheet makes a row high enough for merged cells by itself.
        sheet.set_row(row, _LINE * (1 + display_width(sentence) // (_NAMES_WIDE + _TEXTS_WIDE - 8)))
    first_row = _figures(sheet, 3 + len(contents.headline), contents, clean, formats)
    parts = (
        (_("What this was computed from"), contents.sources),
        (_("What each figure means"), contents.definitions),
    )
    for heading, lines in parts:
        sheet.write_string(first_row, 0, heading, formats["head"])
        sheet.write_blank(first_row, 1, None, formats["head"])
        for row, (name, value) in enumerate(lines, first_row + 1):
            sheet.write_string(row, 0, name, formats["text"])
            sheet.write_string(row, 1, value, formats["text"])
            sheet.set_row(row, _LINE * (1 + display_width(value) // (_TEXTS_WIDE + 4)))
        first_row += len(lines) + 2
    _for_print(sheet)


def _figures(sheet: Any, first_row: int, contents: Contents, clean: Clean, formats: dict[str, Any]) -> int:
    """Write the figures of all messages together from `first_row` on, one a row, and return the next free row."""
    beside = {kind: formats[f"beside_{kind}"] for kind in _FORMATS}
    fields = _fields(contents.figures, clean)
    for record in contents.whole.to_dict("records"):
        for row, field in enumerate(fields, first_row):
            sheet.write_string(row, 0, field.heading, formats["text"])
            _write(sheet, (row, 1), record, field, clean, beside)
        first_row += len(fields) + 1
    return first_row


def _sheet(book: Any, sheet: Any, section: Section, clean: Clean, formats: dict[str, Any]) -> None:
    fields = _fields(section.columns, clean)
    records = section.table.to_dict("records")
    _table(sheet, fields, records, clean, formats)
    _source(sheet, len(records) + 2, section, len(fields), formats["note"])
    insert_chart(book, sheet, section, fields, len(records) + 4)
    _for_print(sheet, on_one_page=len(records) <= _ONE_PAGE)
    sheet.repeat_rows(0)


def _table(
    sheet: Any, fields: Sequence[Field], records: Sequence[dict[Any, Any]], clean: Clean, formats: dict[str, Any]
) -> None:
    lines = dict.fromkeys(range(len(records) + 1), 1) | {0: 2}
    for column, field in enumerate(fields):
        wide = _width(records, field, clean)
        sheet.set_column(column, column, wide)
        sheet.write_string(0, column, field.heading, formats["head" if field.kind == "text" else "head_number"])
        for row, record in enumerate(records, start=1):
            _write(sheet, (row, column), record, field, clean, formats)
            if field.kind == "text":
                lines[row] = max(lines[row], 1 + display_width(_text(record, field, clean)) // (wide - 1))
    for row, deep in lines.items():
        sheet.set_row(row, _LINE * deep)
    sheet.freeze_panes(1, 0)
    if records:
        sheet.autofilter(0, 0, len(records), len(fields) - 1)


def _source(sheet: Any, row: int, section: Section, columns: int, form: Any) -> None:
    """Write where a table comes from, no wider than the table: what sticks out would make the whole page print smaller."""
    if columns > 1:
        sheet.merge_range(row, 0, row, columns - 1, "", form)
    sheet.write_string(row, 0, section.source, form)
    sheet.set_row(row, _LINE * (1 + display_width(section.source) // (_NUMBER_WIDE * columns)))


def _width(records: Sequence[dict[Any, Any]], field: Field, clean: Clean) -> int:
    """Return how wide a column is; the heads of numbers break into two lines."""
    if field.kind != "text":
        return max(_NUMBER_WIDE, display_width(field.heading) // 2 + 3)
    texts = [field.heading, *(_text(record, field, clean) for record in records)]
    return min(max(map(display_width, texts)) + 2, _WIDEST)


def _fields(columns: Sequence[Column], clean: Clean) -> list[Field]:
    fields = []
    for column in columns:
        name = clean(str(column.heading))
        heading = _("{name} (s)", name=name) if column.kind == "seconds" else name
        fields.append(Field(heading, column.key, column))
        if column.interval:
            low, high = column.interval
            fields.append(Field(_("{name}: 95% from", name=name), low, column))
            fields.append(Field(_("{name}: 95% to", name=name), high, column))
    return fields


def _write(
    sheet: Any, cell: tuple[int, int], record: dict[Any, Any], field: Field, clean: Clean, formats: dict[str, Any]
) -> None:
    value = record[field.key]
    if isinstance(value, pd.Timestamp):
        # Excel knows no zones: a time is written as it reads in China.
        local = value if value.tzinfo is None else value.tz_convert(CHINA).tz_localize(None)
        sheet.write_datetime(*cell, local.to_pydatetime(), formats["day" if local == local.normalize() else "time"])
    elif field.kind == "text":
        sheet.write_string(*cell, _text(record, field, clean), formats["text"])
    elif pd.isna(value):
        sheet.write_blank(*cell, None, formats[field.kind])
    else:
        number = 100 * float(value) if field.kind == "points" else float(value)
        # Sums of tenths and hundredths end in digits that nobody wrote.
        sheet.write_number(*cell, round(number, _DIGITS), formats[_format_of(field, number)])


def _format_of(field: Field, number: float) -> str:
    """Return the format of a number: a price for one message has three digits behind the point, as on the page."""
    return "price" if field.kind == "money" and money(number) != f"¥{number:,.2f}" else field.kind


def _text(record: dict[Any, Any], field: Field, clean: Clean) -> str:
    return clean(plain(record[field.key], field.column))


def _for_print(sheet: Any, *, on_one_page: bool = True) -> None:
    sheet.set_paper(_A4)
    sheet.fit_to_pages(1, 1 if on_one_page else 0)


def _sheet_name(title: str, taken: set[str]) -> str:
    """Return `title` as a sheet may be called: no more than 31 letters, none of them special, each name once."""
    whole = _cut(_BAD_IN_NAMES.sub(" ", title), _LONGEST_NAME)
    name, number = whole, 1
    while name.lower() in taken:
        number += 1
        name = f"{_cut(whole, _LONGEST_NAME - 4)} {number}"
    taken.add(name.lower())
    return name


def _cut(name: str, longest: int) -> str:
    """Return the start of `name`, counted as Excel counts letters: those beyond the first 65,536 are two."""
    start = name.strip().encode("utf-16-le")[: 2 * longest]
    return start.decode("utf-16-le", "ignore").strip() or "-"
