"""Workbooks: the cells of a sheet with the formats they are shown in, and which sheets and rows are hidden.

python-calamine reads the values. Of ``.xlsx`` and ``.xlsm`` files, which are zipped XML, this module reads what calamine does not
tell: number formats, hidden rows, and where a stray cell far below would make the grid a million rows high.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar
from xml.etree import ElementTree as ET

from masanalytics.errors import MissingExtraError
from masanalytics.i18n import Text
from masanalytics.sheets.disguises import damaged, not_a_workbook
from masanalytics.sheets.number_formats import BUILT_IN, GENERAL, NOT_KNOWN, is_date_format

__all__ = ["SheetCells", "Workbook"]

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")

_PACKAGES: Final = (".xlsx", ".xlsm")
_SPARSE_BY: Final = 20
"""A sheet is called sparse where it has this many times more rows (or columns) than filled ones."""
_FEW_ROWS: Final = 10_000
_FEW_COLUMNS: Final = 200
_LAST_BUILT_IN: Final = 163
_FIRST_SURE_DAY: Final = 61  # Excel counts a 29 February 1900 that was none

_ROW = re.compile(rb"<(?:\w+:)?row\b([^>]*)>")
_CELL_START = re.compile(rb"<(?:\w+:)?c\s")
_ROW_NUMBER = re.compile(rb"<(?:\w+:)?row\b[^>]*?\br=[\"'](\d+)[\"']")
_COLUMN = re.compile(rb"<(?:\w+:)?c\b[^>]*?\br=[\"']([A-Z]{1,3})\d+[\"']")
_WIDE_COLUMN = re.compile(rb" r=\"([A-Z]{2,3})\d+\"")
_UNUSUAL_CELL = re.compile(rb"<c\s r=|<c r=\"\w+\"\s+(?!s=\"|t=\"\w+\"\s*/?>)")
_NUMBER = re.compile(rb"\br=[\"'](\d+)[\"']")
_PLACE = re.compile(rb"\br=[\"']([A-Z]{1,3})(\d+)[\"']")
_HIDDEN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']|\bht=[\"']0(?:\.0*)?[\"']")
_STYLE = re.compile(rb"\bs=[\"'](\d+)[\"']")


@dataclass(frozen=True, slots=True)
class SheetCells:
    """What a sheet holds.

    Attributes
    ----------
    rows : list of list
        Values as calamine gives them; a number under a date's format is a date.
    lines : sequence of int
        The number of each row as Excel shows it.
    formats : mapping
        Column -> row -> number format, both counted from 0, where it is not General.
    hidden : frozenset of int
        The lines that are hidden, by a filter or by hand.
    """

    rows: list[list[Any]]
    lines: Sequence[int]
    formats: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()


class Workbook:
    """An open workbook.

    Raises
    ------
    InputError
        If it cannot be opened; the message says what the file is instead.
    MissingExtraError
        If python-calamine is not installed.
    """

    def __init__(self, file: Path) -> None:
        try:
            import python_calamine
        except ImportError as error:
            raise MissingExtraError.of("excel", "python-calamine", Text("reading {kind}", kind=file.suffix)) from error
        self.file = file
        self._calamine = python_calamine
        try:
            self._book = python_calamine.CalamineWorkbook.from_path(str(file))
        except (python_calamine.CalamineError, OSError, ValueError) as error:
            raise not_a_workbook(file, error) from error
        self._read: dict[str, Any] = {}
        self._package = self._sure(_Package, file) if file.suffix.lower() in _PACKAGES else None

    @property
    def tells_formats(self) -> bool:
        """Whether number formats and hidden rows of this kind of workbook are known."""
        return self._package is not None

    @property
    def names(self) -> list[str]:
        """The sheets in their order, hidden ones too."""
        return list(self._book.sheet_names)

    @property
    def visible(self) -> list[str]:
        """The sheets that are not hidden."""
        shown = self._calamine.SheetVisibleEnum.Visible
        kept = self._calamine.SheetTypeEnum.WorkSheet
        return [one.name for one in self._book.sheets_metadata if one.visible == shown and one.typ == kept]

    def cells(self, name: str) -> SheetCells:
        """Return what the sheet `name` holds."""
        return self._sure(self._cells, name)

    def _cells(self, name: str) -> SheetCells:
        if self._package is not None and self._package.is_sparse(name):
            return self._package.packed_cells(name, self._calamine.CalamineWorkbook)
        rows = self._sheet(name).to_python(skip_empty_area=False)
        lines = range(1, len(rows) + 1)
        return SheetCells(rows, lines) if self._package is None else self._package.with_formats(name, rows, lines)

    def _sure(self, read: Callable[[_Argument], _Result], argument: _Argument) -> _Result:
        """Return what `read` reads; a part of the file that is not whole is an error of the file."""
        broken = (self._calamine.CalamineError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
        try:
            return read(argument)
        except broken as error:
            raise damaged(self.file, error) from error

    def head(self, name: str, count: int = 30) -> tuple[list[list[Any]], int]:
        """Return the first rows of a sheet and about how many rows it has."""
        if self._package is not None and self._sure(self._package.is_sparse, name):
            rows = self.cells(name).rows
            return rows[:count], len(rows)
        sheet = self._sure(self._sheet, name)
        return sheet.to_python(skip_empty_area=False, nrows=count), sheet.total_height

    def _sheet(self, name: str) -> Any:
        """Return a sheet as calamine read it; the last one is kept, since its first rows are looked at first."""
        if name not in self._read:
            self._read = {name: self._book.get_sheet_by_name(name)}
        return self._read[name]


class _Package:
    """The parts of an .xlsx file that calamine does not tell of."""

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
            self._from_1904 = any(
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
            self._sparse[name] = (int(last[1]) if last else 0) > _FEW_ROWS + _SPARSE_BY * count or (
                widest > _FEW_COLUMNS + _SPARSE_BY * len(columns)
            )
        return self._sparse[name]

    def with_formats(self, name: str, rows: list[list[Any]], lines: Sequence[int]) -> SheetCells:
        """Return `rows` with what the sheet's XML tells besides."""
        xml = self._xml_of(name)
        formats = self._formats_of(xml)
        self._dates_under_their_formats(rows, formats)
        return SheetCells(rows, lines, formats, frozenset(_hidden_lines(xml)))

    def packed_cells(self, name: str, workbook: Any) -> SheetCells:
        """Read a sparse sheet with its empty rows and columns left out: memory follows what is filled."""
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
        book = workbook.from_filelike(self._with_part(self._sheets[name], packed))
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        formats = self._formats_of(packed)
        self._dates_under_their_formats(rows, formats)
        return SheetCells(rows, lines[: len(rows)], formats, frozenset(_hidden_lines(xml)))

    def _dates_under_their_formats(self, rows: list[list[Any]], formats: Mapping[int, Mapping[int, str]]) -> None:
        """Turn numbers into dates where the format shows a date that calamine does not know, such as a weekday."""
        for column, shown in formats.items():
            if any(map(is_date_format, set(shown.values()))):
                for row, one in shown.items():
                    cells = rows[row] if row < len(rows) else []
                    if column < len(cells) and type(cells[column]) in (int, float) and is_date_format(one):
                        cells[column] = self._date(cells[column])

    def _date(self, serial: float) -> Any:
        """Return the moment that a serial number stands for (ECMA-376 part 1, 18.17.4.1); a number before March 1900 as it is."""
        if serial < _FIRST_SURE_DAY and not self._from_1904:
            return serial
        start = datetime(1904, 1, 1) if self._from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 - sheets have no zones
        moment = start + timedelta(days=serial)
        return moment.replace(microsecond=0) + timedelta(seconds=round(moment.microsecond / 1e6))

    def _with_part(self, part: str, content: bytes) -> io.BytesIO:
        copy = io.BytesIO()
        with zipfile.ZipFile(self._file) as package, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
            for name in package.namelist():
                target.writestr(name, content if name.lower() == part.lower() else package.read(name))
        copy.seek(0)
        return copy

    def _formats_of(self, xml: bytes) -> dict[int, dict[int, str]]:
        """Return column -> row -> number format of the cells whose format is not General."""
        styles = {number: shown for number, shown in enumerate(self._formats) if shown != GENERAL}
        if not styles:
            return {}
        listed = b"|".join(str(number).encode() for number in styles)
        ordered = re.compile(rb"<c r=\"([A-Z]{1,3})(\d+)\" s=\"(" + listed + rb")\"")
        places: dict[int, dict[int, str]] = {}
        if len(_CELL_START.findall(xml)) == xml.count(b'<c r="') and not _UNUSUAL_CELL.search(xml):
            by_letters: dict[bytes, dict[int, str]] = {}
            names = {str(number).encode(): shown for number, shown in styles.items()}
            for letters, line, style in ordered.findall(xml):
                by_letters.setdefault(letters, {})[int(line) - 1] = names[style]
            return {_column_number(letters) - 1: shown for letters, shown in by_letters.items()}
        for row, column, shown in _formats_by_order(xml, styles):
            places.setdefault(column, {})[row] = shown
        return places


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


def _style_formats(styles: ET.Element) -> list[str]:
    """Return the number format of each cell style, by its number."""
    own = {}
    formats = []
    for part in styles:
        if _local(part.tag) == "numFmts":
            own = {int(one.get("numFmtId", 0)): one.get("formatCode", GENERAL) for one in part}
        elif _local(part.tag) == "cellXfs":
            formats = [int(one.get("numFmtId", 0)) for one in part]
    return [
        own.get(number, BUILT_IN.get(number, GENERAL if number > _LAST_BUILT_IN else NOT_KNOWN)) for number in formats
    ]


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
