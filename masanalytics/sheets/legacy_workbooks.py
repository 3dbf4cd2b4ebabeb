"""Workbooks of Excel 97 to 2003 (``.xls``) and of WPS (``.et``): number formats and what is hidden, which calamine does not tell.

A workbook is a stream of records ([MS-XLS]) inside a file of chained sectors ([MS-CFB]). Only the records that say how cells are
shown are looked at; the values are calamine's.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from masanalytics.sheets.appearance import Appearance, format_of, places_of_runs
from masanalytics.sheets.number_formats import GENERAL

__all__ = ["LegacyLooks"]

_FREE: Final = 0xFFFFFFFA
"""Sector numbers from here on are marks: end of a chain, free, part of the table."""
_BIFF8: Final = 0x0600
_NUMBER_RECORDS: Final = frozenset({0x0203, 0x027E, 0x0006})  # NUMBER, RK, FORMULA
_MOST_COLUMNS: Final = 256


@dataclass(slots=True)
class _Globals:
    sheets: list[tuple[str, int]] = field(default_factory=list)
    own_formats: dict[int, str] = field(default_factory=dict)
    style_numbers: list[int] = field(default_factory=list)
    from_1904: bool = False


class LegacyLooks:
    """How the sheets of an ``.xls`` or ``.et`` show their cells.

    Raises
    ------
    ValueError
        If the file is not of Excel 97 or later, or not built as such a file is.
    EOFError
        If it is cut off.
    """

    def __init__(self, file: Path) -> None:
        try:
            self._stream = _workbook_stream(file.read_bytes())
            found = self._globals()
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise ValueError(str(error)) from error
        self.from_1904 = found.from_1904
        self._starts = dict(found.sheets)
        formats = [format_of(number, found.own_formats) for number in found.style_numbers]
        self._styles = {number: shown for number, shown in enumerate(formats) if shown != GENERAL}

    def appearance(self, name: str) -> Appearance:
        """Return how the sheet `name` shows its cells; ValueError where its records are not whole."""
        try:
            return self._appearance(self._starts[name])
        except (struct.error, IndexError, KeyError) as error:
            raise ValueError(str(error)) from error

    def _globals(self) -> _Globals:
        found = _Globals()
        for kind, place, size in _records(self._stream, 0):
            body = self._stream[place : place + size]
            if kind == 0x0809 and struct.unpack_from("<H", body)[0] != _BIFF8:
                raise ValueError("older than Excel 97")
            if kind == 0x0085:
                start, length, wide = struct.unpack_from("<I2xBB", body)
                found.sheets.append((_characters(body[8:], length, wide=wide & 1), start))
            elif kind == 0x041E:
                number, length, wide = struct.unpack_from("<HHB", body)
                found.own_formats[number] = _characters(body[5:], length, wide=wide & 1)
            elif kind == 0x00E0:
                found.style_numbers.append(struct.unpack_from("<2xH", body)[0])
            elif kind == 0x0022:
                found.from_1904 = bool(struct.unpack_from("<H", body)[0])
        return found

    def _appearance(self, start: int) -> Appearance:
        stream = self._stream
        formats: dict[int, dict[int, str]] = {}
        hidden: list[int] = []
        hidden_columns: list[tuple[int, int]] = []
        for kind, place, size in _records(stream, start):
            if kind in _NUMBER_RECORDS:
                self._add_formats(formats, place, 1)
            elif kind == 0x00BD:  # several RK cells of one row
                self._add_formats(formats, place, (size - 6) // 6)
            elif kind == 0x0208:
                row, height, flags = struct.unpack_from("<H4xH4xB", stream, place)
                if flags & 0x20 or (flags & 0x40 and not height):
                    hidden.append(row + 1)
            elif kind == 0x007D:
                first, last, width, flags = struct.unpack_from("<HHH2xH", stream, place)
                if flags & 1 or not width:
                    hidden_columns.append((first, last))
        return Appearance(formats, frozenset(hidden), places_of_runs(hidden_columns, _MOST_COLUMNS))

    def _add_formats(self, formats: dict[int, dict[int, str]], place: int, count: int) -> None:
        """Note the formats of `count` cells side by side; a style and four bytes stand for each."""
        row, first = struct.unpack_from("<HH", self._stream, place)
        for column in range(first, first + count):
            style = struct.unpack_from("<H", self._stream, place + 4 + 6 * (column - first))[0]
            if style in self._styles:
                formats.setdefault(column, {})[row] = self._styles[style]


def _records(stream: bytes, place: int) -> Iterator[tuple[int, int, int]]:
    """Yield (kind, where its content begins, size) of each record of one part of the stream; charts inside it are passed over."""
    depth = 0
    while place + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, place)
        place += 4
        if kind == 0x0809:
            depth += 1
        elif kind == 0x000A:
            depth -= 1
            if depth <= 0:
                return
        if depth == 1:
            yield kind, place, size
        place += size
    raise IndexError("a part of the workbook has no end")


def _characters(content: bytes, length: int, *, wide: int) -> str:
    return content[: 2 * length].decode("utf-16-le") if wide else content[:length].decode("latin-1")


def _workbook_stream(raw: bytes) -> bytes:
    """Return the stream called Workbook of a compound file."""
    sector = 1 << struct.unpack_from("<H", raw, 30)[0]
    table = _sector_table(raw, sector)
    directory = _chained(raw, struct.unpack_from("<I", raw, 48)[0], table, sector, sector)
    entries = [directory[place : place + 128] for place in range(0, len(directory) - 127, 128)]
    named = {_entry_name(entry): struct.unpack_from("<II", entry, 116) for entry in entries}
    first, size = named["Workbook"] if "Workbook" in named else _missing(named)
    if size >= struct.unpack_from("<I", raw, 56)[0]:
        return _whole(_chained(raw, first, table, sector, sector), size)
    small = 1 << struct.unpack_from("<H", raw, 32)[0]
    packed = _chained(raw, struct.unpack_from("<I", entries[0], 116)[0], table, sector, sector)
    small_table = _numbers(_chained(raw, struct.unpack_from("<I", raw, 60)[0], table, sector, sector))
    return _whole(_chained(packed, first, small_table, small, 0), size)


def _whole(stream: bytes, size: int) -> bytes:
    if len(stream) < size:
        raise EOFError("its end is missing")
    return stream[:size]


def _missing(named: object) -> tuple[int, int]:
    raise IndexError(f"no stream called Workbook among {named}")


def _entry_name(entry: bytes) -> str:
    length = struct.unpack_from("<H", entry, 64)[0]
    return entry[: max(0, length - 2)].decode("utf-16-le", errors="replace")


def _sector_table(raw: bytes, sector: int) -> list[int]:
    listed = list(struct.unpack_from("<109I", raw, 76))
    following = struct.unpack_from("<I", raw, 68)[0]
    visited = 0
    while following < _FREE and visited * sector < len(raw):
        more = _numbers(raw[sector * (following + 1) : sector * (following + 2)])
        listed += more[:-1]
        following = more[-1]
        visited += 1
    table: list[int] = []
    for one in listed:
        if one < _FREE:
            table += _numbers(raw[sector * (one + 1) : sector * (one + 2)])
    return table


def _numbers(raw: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(raw) // 4}I", raw[: len(raw) // 4 * 4]))


def _chained(raw: bytes, first: int, table: list[int], sector: int, offset: int) -> bytes:
    """Return the sectors of one chain put together; a chain that runs in a circle ends."""
    parts: list[bytes] = []
    place = first
    while place < _FREE and len(parts) <= len(table):
        parts.append(raw[offset + sector * place : offset + sector * (place + 1)])
        if place >= len(table):
            break
        place = table[place]
    return b"".join(parts)
