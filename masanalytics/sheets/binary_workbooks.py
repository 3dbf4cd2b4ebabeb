"""Binary workbooks of Excel 2007 and later (``.xlsb``): number formats and what is hidden, which calamine does not tell.

A package of zipped parts, each a stream of records ([MS-XLSB]). Only the records that say how cells are shown are looked at; the
values are calamine's.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
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

__all__ = ["BinaryLooks"]

_ROW: Final = 0
_NUMBER_RECORDS: Final = frozenset({2, 5, 9})  # BrtCellRk, BrtCellReal, BrtFmlaNum
_CELL_RECORDS: Final = frozenset(range(1, 12))
_DIMENSIONS: Final = 148
_FORMAT, _STYLE, _COLUMNS, _PROPERTIES, _SHEET, _STYLES_BEGIN, _STYLES_END = 44, 47, 60, 153, 156, 617, 618
_MOST_COLUMNS: Final = 16_384


class BinaryLooks:
    """How the sheets of an ``.xlsb`` show their cells.

    Raises
    ------
    ValueError
        If the file is not built as such a file is.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.from_1904 = False
        self._parts: dict[str, str] = {}
        self._known: dict[str, Appearance] = {}
        self._rows: dict[str, tuple[int, int, int]] = {}
        try:
            with zipfile.ZipFile(file) as package:
                self._names = {name.lower(): name for name in package.namelist()}
                self._read_book(package)
                self._styles = self._read_styles(package)
        except (struct.error, IndexError, KeyError, UnicodeDecodeError, ET.ParseError) as error:
            raise ValueError(str(error)) from error

    def _part(self, package: zipfile.ZipFile, name: str) -> bytes:
        return package.read(self._names[name.lower()])

    def _read_book(self, package: zipfile.ZipFile) -> None:
        relations = ET.fromstring(self._part(package, "xl/_rels/workbook.bin.rels"))  # noqa: S314 - expat bounds entities
        targets = {one.get("Id"): one.get("Target", "") for one in relations}
        book = self._part(package, "xl/workbook.bin")
        for kind, place, _size in _records(book):
            if kind == _SHEET:
                identity, behind = _text(book, place + 8)
                name, _ = _text(book, behind)
                target = targets[identity]
                self._parts[name] = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            elif kind == _PROPERTIES:
                self.from_1904 = bool(struct.unpack_from("<I", book, place)[0] & 1)

    def _read_styles(self, package: zipfile.ZipFile) -> dict[int, str]:
        if "xl/styles.bin" not in self._names:
            return {}
        raw = self._part(package, "xl/styles.bin")
        own: dict[int, str] = {}
        numbers: list[int] = []
        of_cells = False
        for kind, place, _size in _records(raw):
            if kind == _FORMAT:
                own[struct.unpack_from("<H", raw, place)[0]] = _text(raw, place + 2)[0]
            elif kind in (_STYLES_BEGIN, _STYLES_END):
                of_cells = kind == _STYLES_BEGIN
            elif kind == _STYLE and of_cells:
                numbers.append(struct.unpack_from("<2xH", raw, place)[0])
        formats = [format_of(number, own) for number in numbers]
        return {number: shown for number, shown in enumerate(formats) if shown != GENERAL}

    def appearance(self, name: str) -> Appearance:
        """Return how the sheet `name` shows its cells; ValueError where its records are not whole."""
        if name not in self._known:
            self._known[name] = self._read(name)
        return self._known[name]

    def cells(self, name: str) -> int:
        """Return how many cells the grid of a sheet has, blank ones too: one cell far away makes it large."""
        self.appearance(name)
        rows, _count, width = self._rows[name]
        return rows * width

    def is_sparse(self, name: str) -> bool:
        """Return whether the sheet's grid is much higher than what is filled; not of a sheet that is not whole."""
        try:
            self.appearance(name)
        except ValueError:
            return False
        rows, count, _width = self._rows[name]
        return rows > FEW_ROWS + SPARSE_BY * count

    def packed_cells(self, name: str, workbook: Any) -> PackedCells:
        """Read a sparse sheet with its empty rows left out: memory follows what is filled."""
        with zipfile.ZipFile(self._file) as package:
            raw = bytearray(self._part(package, self._parts[name]))
        lines: list[int] = []
        dimensions = None
        for kind, place, _length in _records(bytes(raw)):
            if kind == _ROW:
                lines.append(struct.unpack_from("<I", raw, place)[0] + 1)
                struct.pack_into("<I", raw, place, len(lines) - 1)
            elif kind == _DIMENSIONS:
                dimensions = place
        if dimensions is not None:
            struct.pack_into("<II", raw, dimensions, 0, max(len(lines) - 1, 0))
        book = workbook.from_filelike(with_part(self._file, self._parts[name], bytes(raw)))
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        looks, _rows = self._appearance(bytes(raw))
        hidden = frozenset(lines[line - 1] for line in looks.hidden)
        return rows, lines[: len(rows)], Appearance(looks.formats, hidden, looks.hidden_columns)

    def _read(self, name: str) -> Appearance:
        try:
            with zipfile.ZipFile(self._file) as package:
                looks, self._rows[name] = self._appearance(self._part(package, self._parts[name]))
                return looks
        except (struct.error, IndexError, KeyError) as error:
            raise ValueError(str(error)) from error

    def _appearance(self, raw: bytes) -> tuple[Appearance, tuple[int, int, int]]:
        """Return how a sheet shows its cells, and its size: rows of the grid, rows that are written, columns."""
        formats: dict[int, dict[int, str]] = {}
        hidden: list[int] = []
        hidden_columns: list[tuple[int, int]] = []
        row = last = width = count = 0
        for kind, place, _size in _records(raw):
            if kind == _ROW:
                row, height, flags = struct.unpack_from("<I4xHxB", raw, place)
                last, count = max(last, row), count + 1
                if flags & 0x10 or (flags & 0x20 and not height):
                    hidden.append(row + 1)
            elif kind in _CELL_RECORDS:
                column, style = struct.unpack_from("<II", raw, place)
                width = max(width, column + 1)
                shown = self._styles.get(style & 0xFFFFFF)
                if shown is not None and kind in _NUMBER_RECORDS:
                    formats.setdefault(column, {})[row] = shown
            elif kind == _COLUMNS:
                begin, end, wide, flags = struct.unpack_from("<III4xH", raw, place)
                if flags & 1 or not wide:
                    hidden_columns.append((begin, end))
        looks = Appearance(formats, frozenset(hidden), places_of_runs(hidden_columns, _MOST_COLUMNS))
        return looks, (last + 1, count, width)


def _records(raw: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (kind, where its content begins, size) of each record; both numbers are written in bytes of seven bits."""
    place, end = 0, len(raw)
    while place < end:
        kind = raw[place]
        place += 1
        if kind & 0x80:
            kind = (kind & 0x7F) | (raw[place] & 0x7F) << 7
            place += 1
        size = shift = 0
        while True:
            byte = raw[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80 or shift == 28:
                break
        yield kind, place, size
        place += size


def _text(raw: bytes, place: int) -> tuple[str, int]:
    """Return a text with its length in front, and where it ends."""
    length = struct.unpack_from("<I", raw, place)[0]
    end = place + 4 + 2 * length
    if end > len(raw):
        raise IndexError("a text is longer than its part")
    return raw[place + 4 : end].decode("utf-16-le"), end
