"""Workbooks of Excel 2007 and later (``.xlsx``, ``.xlsm``), which are zipped XML: what calamine does not tell of them.

Number formats, hidden rows and columns, and where a stray cell far below would make the grid a million rows high.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from masanalytics.sheets.appearance import (
    FEW_ROWS,
    SPARSE_BY,
    Appearance,
    PackedCells,
    format_of,
    places_of_runs,
    with_part,
)
from masanalytics.sheets.number_formats import GENERAL

__all__ = ["OpenXmlLooks"]

_FEW_COLUMNS: Final = 200
_MOST_COLUMNS: Final = 16_384

_ROW = re.compile(rb"<(?:\w+:)?row\b([^>]*)>")
_ORDERED_CELL = re.compile(rb"<c r=\"([A-Z]{1,3})(\d+)\" s=\"(\d+)\"")
# What begins with a rare byte is found fastest, each on its own.
_AN_ERROR, _AN_ERROR_ELSE = re.compile(rb'="e"'), re.compile(rb"='e'")
_A_FORMULA, _A_FORMULA_ELSE = re.compile(rb"<f"), re.compile(rb":f")
_ERROR = re.compile(rb"<(?:\w+:)?c\b[^>]*\bt=[\"']e[\"']")
# A formula whose result is an empty text has the type str; one that was never calculated has no value, or an empty one.
_UNCALCULATED = re.compile(
    rb"<(?:\w+:)?c\b(?![^>]*\bt=[\"']str[\"'])[^>]*>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_STYLED_ROW = re.compile(rb"<row\b[^>]* s=\"")
_OTHER_CELLS_OF_A_LINE: Final = (re.compile(rb"<c (?!r=\")"), re.compile(rb":c "), re.compile(rb" s='"))
_OTHER_CELLS: Final = (
    *_OTHER_CELLS_OF_A_LINE,
    *map(re.compile, (rb"<c\n", rb"<c\r", rb"<c\t", rb"\ns=\"", rb"\ts=\"", rb"\rs=\"")),
)
_DECLARATION: Final = 200
_ROW_NUMBER = re.compile(rb"<(?:\w+:)?row\b[^>]*?\br=[\"'](\d+)[\"']")
_COLUMN = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]{1,3})\d+[\"']")
_WIDE_COLUMN = re.compile(rb" r=\"([A-Z]{2,3})\d+\"")
_NUMBER = re.compile(rb"\br=[\"'](\d+)[\"']")
_PLACE = re.compile(rb"\br=[\"']([A-Z]{1,3})(\d+)[\"']")
_HIDDEN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']|\bht=[\"']0(?:\.0*)?[\"']")
_STYLE = re.compile(rb"\bs=[\"'](\d+)[\"']")
_COLUMNS = re.compile(rb"<(?:\w+:)?cols\b.*?</(?:\w+:)?cols>", re.S)
_COLUMN_RUN = re.compile(rb"<(?:\w+:)?col\b([^>]*)>")
_HIDDEN_COLUMN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']|\bwidth=[\"']0(?:\.0*)?[\"']")
_FIRST = re.compile(rb"\bmin=[\"'](\d+)[\"']")
_LAST = re.compile(rb"\bmax=[\"'](\d+)[\"']")


class OpenXmlLooks:
    """How the sheets of an ``.xlsx`` or ``.xlsm`` show their cells, and how a sheet of few cells far apart is read."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._parts: dict[str, bytes] = {}
        with zipfile.ZipFile(file) as package:
            names = {name.lower(): name for name in package.namelist()}
            self._names = names
            book = _xml(package, names, "xl/workbook.xml")
            targets = {
                one.get("Id"): one.get("Target", "")
                for one in _xml(package, names, "xl/_rels/workbook.xml.rels").iter()
            }
            self._sheets: dict[str, str] = {}
            self._sparse: dict[str, bool] = {}
            self.from_1904 = any(
                _local(one.tag) == "workbookPr" and one.get("date1904") in ("1", "true") for one in book.iter()
            )
            for one in book.iter():
                if _local(one.tag) == "sheet":
                    identity = next((value for key, value in one.attrib.items() if key.endswith("}id")), None)
                    self._sheets[one.get("name", "")] = _part_name(targets.get(identity, ""))
            self._formats = _style_formats(_xml(package, names, "xl/styles.xml"))

    def _xml_of(self, name: str) -> bytes:
        part = self._sheets.get(name, "")
        if part not in self._parts:
            with zipfile.ZipFile(self._file) as package:
                known = self._names.get(part.lower())
                self._parts = {part: package.read(known) if known else b""}
        return self._parts[part]

    def is_sparse(self, name: str) -> bool:
        """Return whether the sheet's grid is much higher or wider than what is filled."""
        if name not in self._sparse:
            xml = self._xml_of(name)
            count = xml.count(b"<row ") + xml.count(b":row ")
            last = _ROW_NUMBER.search(xml, max(xml.rfind(b"<row "), xml.rfind(b":row "), 1) - 1)
            columns = set(_WIDE_COLUMN.findall(xml))
            widest = max(map(_column_number, columns), default=0)
            self._sparse[name] = (int(last[1]) if last else 0) > FEW_ROWS + SPARSE_BY * count or (
                widest > _FEW_COLUMNS + SPARSE_BY * len(columns)
            )
        return self._sparse[name]

    def appearance(self, name: str) -> Appearance:
        """Return how the sheet `name` shows its cells."""
        xml = self._xml_of(name)
        return Appearance(
            self._formats_of(xml), frozenset(_hidden_lines(xml)), _hidden_columns(xml), _valueless_cells(xml)
        )

    def packed_cells(self, name: str, workbook: Any) -> PackedCells:
        """Read a sparse sheet with its empty rows and columns left out: memory follows what is filled.

        Returns
        -------
        rows, lines, appearance
            Columns are counted as they are left, lines as Excel shows them.
        """
        xml = self._xml_of(name)
        lines = sorted({int(one) for one in _ROW_NUMBER.findall(xml)})
        names = set(_COLUMN.findall(xml))
        columns = {one: _column_name(place) for place, one in enumerate(sorted(names, key=_column_number), 1)}
        packed_line = {str(line).encode(): str(place).encode() for place, line in enumerate(lines, 1)}

        def renumber(match: re.Match[bytes]) -> bytes:
            return match[1] + columns.get(match[2], b"") + packed_line[match[3]]

        packed = re.sub(rb"(<(?:\w+:)?row\b[^>]*?\br=[\"'])()(\d+)", renumber, xml)
        packed = re.sub(rb"(<(?:\w+:)?c\b[^>]*?\br=[\"'])([A-Z]{1,3})(\d+)", renumber, packed)
        packed = re.sub(rb"<(?:\w+:)?dimension\b[^>]*?/>", b"", packed)
        book = workbook.from_filelike(with_part(self._file, self._sheets[name], packed))
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        away = _hidden_columns(xml)
        places = sorted(_column_number(one) - 1 for one in names)
        hidden_columns = frozenset(place for place, column in enumerate(places) if column in away)
        looks = Appearance(
            self._formats_of(packed), frozenset(_hidden_lines(xml)), hidden_columns, _valueless_cells(xml)
        )
        return rows, lines[: len(rows)], looks

    def _formats_of(self, xml: bytes) -> dict[int, dict[int, str]]:
        """Return column -> row -> number format of the cells whose format is not General."""
        styles = {number: shown for number, shown in enumerate(self._formats) if shown != GENERAL}
        if not styles:
            return {}
        places: dict[int, dict[int, str]] = {}
        found = _ORDERED_CELL.findall(xml) if _is_ordered(xml) else None
        if found is not None and len(found) == _styled_parts(xml):
            by_letters: dict[bytes, dict[int, str]] = {}
            names = {str(number).encode(): shown for number, shown in styles.items()}
            for letters, line, style in found:
                if style in names:
                    by_letters.setdefault(letters, {})[int(line) - 1] = names[style]
            return {_column_number(letters) - 1: shown for letters, shown in by_letters.items()}
        for row, column, shown in _formats_by_order(xml, styles):
            places.setdefault(column, {})[row] = shown
        return places


def _valueless_cells(xml: bytes) -> int:
    """Return how many cells hold an error, or a formula that no program has calculated."""
    count = len(_ERROR.findall(xml)) if _AN_ERROR.search(xml) or _AN_ERROR_ELSE.search(xml) else 0
    return count + (len(_UNCALCULATED.findall(xml)) if _A_FORMULA.search(xml) or _A_FORMULA_ELSE.search(xml) else 0)


def _is_ordered(xml: bytes) -> bool:
    """Return whether all cells have their place first and no prefix, as nearly all programs write them: they are read faster."""
    broken = any(xml.find(mark, _DECLARATION) >= 0 for mark in (b"\n", b"\r", b"\t"))  # else no tag is over two lines
    others = _OTHER_CELLS if broken else _OTHER_CELLS_OF_A_LINE
    return not any(one.search(xml) for one in others)


def _styled_parts(xml: bytes) -> int:
    """Return how many cells should have a style: what has one, but for rows."""
    styled = xml.count(b' s="')
    return styled - len(_STYLED_ROW.findall(xml)) if styled else 0


def _formats_by_order(xml: bytes, styles: Mapping[int, str]) -> Iterator[tuple[int, int, str]]:
    """Yield the formats where cells are written in an unusual way: without places, or with a prefix."""
    row = column = -1
    for match in re.finditer(rb"<(?:\w+:)?(row|c)\b([^>]*)>", xml):
        attributes = match[2]
        if match[1] == b"row":
            number = _NUMBER.search(attributes)
            row, column = int(number[1]) - 1 if number else row + 1, -1
            continue
        place = _PLACE.search(attributes)
        row, column = (int(place[2]) - 1, _column_number(place[1]) - 1) if place else (row, column + 1)
        style = _STYLE.search(attributes)
        if style and int(style[1]) in styles:
            yield row, column, styles[int(style[1])]


def _hidden_lines(xml: bytes) -> list[int]:
    if b"hidden=" not in xml and b' ht="0' not in xml:
        return []
    lines, line = [], 0
    for match in _ROW.finditer(xml):
        number = _NUMBER.search(match[1])
        line = int(number[1]) if number else line + 1
        if _HIDDEN.search(match[1]):
            lines.append(line)
    return lines


def _hidden_columns(xml: bytes) -> frozenset[int]:
    """Return the columns that are hidden, counted from 0."""
    columns = _COLUMNS.search(xml, 0, max(xml.find(b"sheetData"), 0))
    if columns is None:
        return frozenset()
    runs = []
    for match in _COLUMN_RUN.finditer(columns[0]):
        first, last = _FIRST.search(match[1]), _LAST.search(match[1])
        if first and last and _HIDDEN_COLUMN.search(match[1]):
            runs.append((int(first[1]) - 1, int(last[1]) - 1))
    return places_of_runs(runs, _MOST_COLUMNS)


def _style_formats(styles: ET.Element) -> list[str]:
    """Return the number format of each cell style, by its number."""
    own = {}
    formats = []
    for part in styles:
        if _local(part.tag) == "numFmts":
            own = {int(one.get("numFmtId", 0)): one.get("formatCode", GENERAL) for one in part}
        elif _local(part.tag) == "cellXfs":
            formats = [int(one.get("numFmtId", 0)) for one in part]
    return [format_of(number, own) for number in formats]


def _xml(package: zipfile.ZipFile, names: Mapping[str, str], part: str) -> ET.Element:
    known = names.get(part)
    if known is None:
        return ET.Element("none")
    try:
        return ET.fromstring(package.read(known))  # noqa: S314 - expat itself bounds what entities may become
    except ET.ParseError:
        return ET.Element("none")


def _part_name(target: str) -> str:
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _column_number(name: bytes) -> int:
    number = 0
    for letter in name:
        number = number * 26 + letter - 64
    return number


def _column_name(number: int) -> bytes:
    name = b""
    while number:
        number, letter = divmod(number - 1, 26)
        name = bytes([65 + letter]) + name
    return name
