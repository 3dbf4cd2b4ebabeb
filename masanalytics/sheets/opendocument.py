"""Workbooks of LibreOffice (``.ods``): number formats and what is hidden, which calamine does not tell.

The format styles of OpenDocument (part 3, section 16.27) are put into the language of number formats that Excel uses, so that one
module knows what a cell shows. A style that has no counterpart there is one that is not known.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

from masanalytics.sheets.appearance import Appearance, places_of_runs, with_part
from masanalytics.sheets.number_formats import GENERAL, NOT_KNOWN

__all__ = ["OpenDocumentLooks"]

_PARTS: Final = ("styles.xml", "content.xml")
_FORMAT_STYLES: Final = frozenset(
    {
        "number-style",
        "percentage-style",
        "currency-style",
        "date-style",
        "time-style",
        "text-style",
    }
)
_NUMERIC: Final = frozenset({"float", "percentage", "currency", "date", "time"})
_DATE_PARTS: Final = {
    # element -> (short, long)
    "year": ("yy", "yyyy"),
    "month": ("m", "mm"),
    "day": ("d", "dd"),
    "hours": ("h", "hh"),
    "minutes": ("m", "mm"),
    "seconds": ("s", "ss"),
    "day-of-week": ("aaa", "aaaa"),
}
_MOST_ROWS: Final = 1_048_576
_FEW_REPEATED: Final = 10_000
_ROOT = re.compile(rb"<([A-Za-z][\w:.-]*)[\s>]")
_BODY = re.compile(rb"<(?:\w+:)?body[\s>]")
_REPEATED = re.compile(rb"(number-rows-repeated=[\"'])\d+([\"'])")
_SEPARATOR: Final = "\n"  # between namespace and name, as expat gives them


class OpenDocumentLooks:
    """How the sheets of an ``.ods`` show their cells.

    Raises
    ------
    ValueError
        If the file is not built as such a file is.
    """

    from_1904 = False

    def __init__(self, file: Path) -> None:
        self._appearances: dict[str, Appearance] = {}
        try:
            with zipfile.ZipFile(file) as package:
                names = set(package.namelist())
                formats = _Styles()
                for part in _PARTS:
                    if part in names:
                        formats.add(package.read(part))
                reader = _TableReader(formats.of_cells())
                content = package.read("content.xml")
                reader.read(content)
        except (KeyError, expat.ExpatError, ET.ParseError) as error:
            raise ValueError(str(error)) from error
        self._appearances = reader.appearances
        self._lines = reader.lines
        self._packed = _packed(content, reader.shortened) if reader.shortened else None

    def packed(self, file: Path) -> io.BytesIO | None:
        """Return the document with its long runs of empty rows left out; None where there is none."""
        return None if self._packed is None else with_part(file, "content.xml", self._packed)

    def lines(self, name: str, count: int) -> Sequence[int]:
        """Return the line of each of the first `count` rows as its owner counts; empty rows that were left out have none."""
        known = self._lines.get(name)
        return range(1, count + 1) if known is None else known[:count]

    def appearance(self, name: str) -> Appearance:
        """Return how the sheet `name` shows its cells; ValueError where there is no such sheet."""
        if name not in self._appearances:
            raise ValueError(name)
        return self._appearances[name]


def _packed(content: bytes, shortened: Sequence[int]) -> bytes:
    """Return the XML with rows that begin at these places standing once, however often they are repeated."""
    parts, place = [], 0
    for start in shortened:
        end = content.index(b">", start)
        parts += [content[place:start], _REPEATED.sub(rb"\g<1>1\g<2>", content[start:end])]
        place = end
    return b"".join([*parts, content[place:]])


class _Styles:
    """The styles of both parts of a document: which format each style of cells has."""

    def __init__(self) -> None:
        self._formats: dict[str, ET.Element] = {}
        self._cells: dict[str, tuple[str | None, str | None]] = {}

    def add(self, xml: bytes) -> None:
        for element in _style_elements(xml):
            name = _attribute(element, "name")
            if name is None:
                continue
            kind = _local(element.tag)
            if kind in _FORMAT_STYLES:
                self._formats[name] = element
            elif kind == "style" and _attribute(element, "family") == "table-cell":
                self._cells[name] = (_attribute(element, "data-style-name"), _attribute(element, "parent-style-name"))

    def of_cells(self) -> dict[str, str]:
        """Return the number format of each style of cells, where it is not General."""
        written = {name: self._written(element) for name, element in self._formats.items()}
        found = {}
        for name in self._cells:
            own: str | None = name
            for _ in range(8):  # a style has what its parent has
                data, parent = self._cells.get(own or "", (None, None))
                if data is not None or parent is None:
                    break
                own = parent
            shown = written.get(data, NOT_KNOWN) if data is not None else GENERAL
            if shown != GENERAL:
                found[name] = shown
        return found

    def _written(self, element: ET.Element) -> str:
        maps = {
            _attribute(one, "condition"): _attribute(one, "apply-style-name") or ""
            for one in element
            if _local(one.tag) == "map"
        }
        own = _format_code(element)
        others = {
            condition: _format_code(self._formats[name]) for condition, name in maps.items() if name in self._formats
        }
        if len(others) != len(maps) or NOT_KNOWN in (own, *others.values()):
            return NOT_KNOWN
        if not maps:
            return own
        if set(maps) == {"value()>=0"}:
            return f"{others['value()>=0']};{own}"
        if set(maps) == {"value()>0", "value()<0"}:
            return f"{others['value()>0']};{others['value()<0']};{own}"
        return NOT_KNOWN


def _style_elements(xml: bytes) -> Iterator[ET.Element]:
    """Yield the styles of a part without reading the cells behind them."""
    root, body = _ROOT.search(xml), _BODY.search(xml)
    if root is not None and body is not None:  # what stands before the body, with the root closed again
        xml = xml[: body.start()] + b"</" + root[1] + b">"
    for group in ET.fromstring(xml):  # noqa: S314 - expat itself bounds what entities may become
        if _local(group.tag) in ("styles", "automatic-styles"):
            yield from group


def _format_code(style: ET.Element) -> str:
    """Return a format style in the language of number formats."""
    parts: list[str] = []
    is_percentage = _local(style.tag) == "percentage-style"
    if _local(style.tag) == "time-style" and _attribute(style, "truncate-on-overflow") == "false":
        return NOT_KNOWN  # hours beyond a day
    for element in style:
        kind = _local(element.tag)
        if kind in ("text", "currency-symbol"):
            text = element.text or ""
            # The sign of a percentage is a text like others, and the number is shown as hundredths because of its style.
            parts.append("%".join(map(_quoted, text.split("%"))) if is_percentage else _quoted(text))
        elif kind == "number":
            parts.append(_digits(element))
        elif kind == "text-content":
            parts.append("@")
        elif kind == "am-pm":
            parts.append("AM/PM")
        elif kind in _DATE_PARTS:
            parts.append(_date_part(element, kind))
        elif kind not in ("text-properties", "map", "fill-character"):
            return NOT_KNOWN
    return NOT_KNOWN if NOT_KNOWN in parts else "".join(parts) or GENERAL


def _digits(number: ET.Element) -> str:
    if (
        len(number)
        or _attribute(number, "display-factor") not in (None, "1", "1.0")
        or _attribute(number, "decimal-replacement")
    ):
        return NOT_KNOWN
    whole = int(_attribute(number, "min-integer-digits") or 0)
    places = _attribute(number, "decimal-places")
    grouped = _attribute(number, "grouping") == "true"
    if places is None:
        return GENERAL if whole <= 1 and not grouped else NOT_KNOWN
    least = int(_attribute(number, "min-decimal-places") or places)
    pattern = "0" * whole if whole else "#"
    if grouped:
        padded = pattern.rjust(4, "#")
        pattern = padded[:-3] + "," + padded[-3:] if whole <= 4 else NOT_KNOWN
    fraction = "0" * least + "#" * (int(places) - least)
    return f"{pattern}.{fraction}" if fraction else pattern


def _date_part(element: ET.Element, kind: str) -> str:
    if _attribute(element, "textual") == "true" or _attribute(element, "calendar") not in (None, "gregorian"):
        return NOT_KNOWN
    if int(_attribute(element, "decimal-places") or 0):
        return NOT_KNOWN
    return _DATE_PARTS[kind][_attribute(element, "style") == "long"]


def _quoted(text: str) -> str:
    return '"' + text + '"' if text and '"' not in text else "".join(f"\\{character}" for character in text)


@dataclass(slots=True)
class _Table:
    """What is gathered of one table while it is read."""

    name: str
    formats: dict[int, dict[int, str]] = field(default_factory=dict)
    hidden: list[int] = field(default_factory=list)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    column_styles: list[tuple[int, str]] = field(default_factory=list)
    row: int = 0
    line: int = 0
    lines: list[int] = field(default_factory=list)
    start: int = 0
    is_empty: bool = True
    column: int = 0
    columns: int = 0
    repeated: int = 1
    row_style: str = ""


class _TableReader:
    """Goes through the tables of ``content.xml`` element by element; what a cell shows is told by its style's name."""

    def __init__(self, formats: Mapping[str, str]) -> None:
        self._formats = formats
        self._tables: list[_Table] = []
        self._depth = 0
        self.appearances: dict[str, Appearance] = {}
        self.lines: dict[str, list[int]] = {}
        self.shortened: list[int] = []

    def read(self, xml: bytes) -> None:
        self._parser = parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.Parse(xml, True)

    def _begin(self, tag: str, attributes: dict[str, str]) -> None:
        kind = tag.rpartition(_SEPARATOR)[2]
        if kind == "table":
            self._depth += 1
            if self._depth == 1:
                self._tables.append(_Table(_value(attributes, "name")))
        if self._depth != 1:  # a table inside a cell
            return
        table = self._tables[-1]
        if kind == "table-column":
            self._column(table, attributes)
        elif kind == "table-row":
            table.column, table.is_empty, table.start = 0, True, self._parser.CurrentByteIndex
            table.repeated = _count(attributes, "number-rows-repeated")
            table.row_style = _value(attributes, "default-cell-style-name")
            if _value(attributes, "visibility") in ("collapse", "filter"):
                table.hidden += range(table.line + 1, table.line + 1 + min(table.repeated, _FEW_REPEATED))
        elif kind == "p":
            table.is_empty = False
        elif kind in ("table-cell", "covered-table-cell"):
            self._cell(table, attributes)

    def _column(self, table: _Table, attributes: dict[str, str]) -> None:
        first = table.columns
        table.columns += _count(attributes, "number-columns-repeated")
        if _value(attributes, "visibility") in ("collapse", "filter"):
            table.hidden_columns.append((first, table.columns - 1))
        table.column_styles.append((table.columns, _value(attributes, "default-cell-style-name")))

    def _cell(self, table: _Table, attributes: dict[str, str]) -> None:
        count = _count(attributes, "number-columns-repeated")
        if _value(attributes, "value-type") or _value(attributes, "formula"):
            table.is_empty = False
        if _value(attributes, "value-type") in _NUMERIC:
            own = _value(attributes, "style-name") or table.row_style
            for column in range(table.column, table.column + count):
                style = own or next((name for end, name in table.column_styles if column < end), "")
                shown = self._formats.get(style)
                if shown is not None:
                    column_formats = table.formats.setdefault(column, {})
                    for row in range(table.row, table.row + min(table.repeated, _FEW_REPEATED)):
                        column_formats[row] = shown
        table.column += count

    def _end_of_row(self, table: _Table) -> None:
        """Count a row as often as it is repeated; a long run of empty rows once, and then the whole document so."""
        count = table.repeated
        if table.is_empty and count > _FEW_REPEATED:
            self.shortened.append(table.start)
            count = 1
        table.lines += range(table.line + 1, table.line + 1 + count)
        table.row += count
        table.line += table.repeated

    def _end(self, tag: str) -> None:
        kind = tag.rpartition(_SEPARATOR)[2]
        if kind == "table-row" and self._depth == 1:
            self._end_of_row(self._tables[-1])
        elif kind == "table":
            if self._depth == 1:
                table = self._tables[-1]
                columns = places_of_runs(table.hidden_columns, max(table.columns, 1))
                self.lines[table.name] = table.lines
                self.appearances[table.name] = Appearance(table.formats, frozenset(table.hidden), columns)
            self._depth -= 1


def _value(attributes: Mapping[str, str], name: str) -> str:
    for key, value in attributes.items():
        if key.endswith(name) and key.rpartition(_SEPARATOR)[2] == name:
            return value
    return ""


def _count(attributes: Mapping[str, str], name: str) -> int:
    text = _value(attributes, name)
    return min(int(text), _MOST_ROWS) if text.isdigit() else 1


def _attribute(element: ET.Element, name: str) -> str | None:
    return next((value for key, value in element.attrib.items() if _local(key) == name), None)


def _local(tag: Any) -> str:
    return str(tag).rpartition("}")[2]
