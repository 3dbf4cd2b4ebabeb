"""Text files of separated cells, read for sure: every line has the header's width, every quote is closed, or it is an error."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in
from masanalytics.phones import holds_mobile

__all__ = ["TextRows", "read_text"]

_SEPARATORS: Final = (",", "\t", ";", "|")
_SAMPLE_LINES: Final = 2_000
_LONGEST_FIELD: Final = 131_072
_DECLARED = re.compile(r'"?sep=(.)"?\s*', re.I)
_SHOWN: Final = 60
_CONTROL_Z: Final = "\x1a"
_MARK: Final = "\ufeff"
_INNER_MARK = re.compile("([\r\n])\ufeff+")
_LINE_END = re.compile("\r\n|\r|\n")  # a form feed in a printed list ends no line
_DIGITS_OR_STARS = re.compile(r"\s*\+?[\d*-]{5,}\s*")
_ESCAPED = re.compile(r"(?:\\\\)*\\")

_Row = list[str]


@dataclass(frozen=True, slots=True)
class TextRows:
    """The rows of a text file.

    Attributes
    ----------
    rows : list of list of str
        Cells as they stand in the file, without quotes.
    lines : list of int
        The line each row begins in, counted from 1.
    separator : str
        What stands between cells.
    tall : list of int
        Which rows have a cell over several lines, as positions in `rows`.
    """

    rows: list[_Row]
    lines: list[int]
    separator: str
    tall: list[int]


def read_text(text: str, name: str, separator: str | None = None) -> TextRows:
    r"""Return the rows of a text.

    Parameters
    ----------
    text : str
        The whole file.
    name : str
        What the file is called, for an error.
    separator : str, optional
        One character; by default the one of comma, tab, semicolon and bar that gives every line the same number of cells.

    Raises
    ------
    InputError
        If a quote is not closed, a quoted cell over several lines holds what looks like rows, or a separator inside quotes cuts
        a cell in two.

    Examples
    --------
    >>> read_text("手机号,姓名\n13800138000,张三\n", "a.csv").rows
    [['手机号', '姓名'], ['13800138000', '张三']]
    """
    text = text.rstrip(_CONTROL_Z)
    if _MARK in text:  # files that were put together have a byte-order mark at each beginning
        text = _INNER_MARK.sub(r"\1", text).lstrip(_MARK)
    first_line = 1
    declared = (
        _DECLARED.fullmatch(text.split("\n", 1)[0].rstrip("\r"))
        if text[:6].lower().lstrip('"').startswith("sep=")
        else None
    )
    if declared is not None:
        separator, text, first_line = separator or declared[1], text.partition("\n")[2], 2
    if separator is None:
        separator = _most_regular(text)
    elif len(separator) != 1:
        raise InputError("sep={sep!r}: one character, such as ',' or '\\t'", sep=separator)
    return _parse(text, name, separator, first_line)


def _parse(text: str, name: str, separator: str, first_line: int) -> TextRows:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[_Row] = []
    lines: list[int] = []
    tall: list[int] = []
    begun = 0
    try:
        for row in reader:
            if reader.line_num - begun > 1:
                _refuse_swallowed(row, begun + first_line, name, separator)
                tall.append(len(rows))
            rows.append(row)
            lines.append(begun + first_line)
            begun = reader.line_num
    except csv.Error as error:
        raise _unclosed(text, begun, first_line, name, error) from None
    behind_space = (' "' in text or '\u3000"' in text) and _spaced_quote(separator).search(text) is not None
    if '\\"' in text or behind_space:
        # A line that is too wide is an error whatever made it so.
        usual = Counter(map(len, rows)).most_common(1)[0][0]
        for row, line in zip(rows, lines, strict=True):
            if len(row) <= usual:
                _refuse_split(row, line, name, separator)
    if text.find("\\\n") >= 0 or text.find("\\\r") >= 0:
        _refuse_escaped_ends(rows, lines, name)
    if tall:
        _refuse_rows_without_numbers(TextRows(rows, lines, separator, tall), name)
    return TextRows(rows, lines, separator, tall)


def _spaced_quote(separator: str) -> re.Pattern[str]:
    """Return what finds a quote behind a space at the beginning of a cell: there it is text, and a separator in it splits the cell."""
    return re.compile(rf"(?:^|{re.escape(separator)})[ \u3000]+\"", re.M)


def _refuse_split(row: Sequence[str], line: int, name: str, separator: str) -> None:
    """Raise where a cell ends inside quotes that another cell closes: the separator between them was part of the text."""
    opened = None
    for cell in row:
        if opened is not None and cell.rstrip().endswith('"'):
            raise InputError(
                "{file}, line {line:,}: what stands in quotes is cut in two at {separator!r} ({shown}): the quote stands behind a"
                " space, or is written with a backslash. Begin the cell with the quote and double the quotes inside it, or save the"
                " file as .xlsx",
                file=name,
                line=line,
                separator=separator,
                shown=mask_phones_in(f"{opened}{separator}{cell}"[:_SHOWN]),
            )
        begins = cell.lstrip(" \u3000")
        escaped = len(cell) > 1 and _ESCAPED.fullmatch(cell[len(cell.rstrip("\\")) :]) is not None
        if escaped or (begins is not cell and begins[:1] == '"' and begins.count('"') % 2):
            opened = cell


def _refuse_escaped_ends(rows: Sequence[_Row], lines: Sequence[int], name: str) -> None:
    """Raise where a database wrote a line break as a backslash and a line end: the rest of the row stands in the next line."""
    width = max(map(len, rows))
    for row, line in zip(rows, lines, strict=True):
        last = row[-1] if row else ""
        if len(row) < width and _ESCAPED.fullmatch(last[len(last.rstrip("\\")) :]):
            raise InputError(
                "{file}, line {line:,}: the line ends in a backslash, as databases write a line break inside a cell ({shown}). Export"
                " it with cells in quotes, or replace line breaks by spaces",
                file=name,
                line=line,
                shown=mask_phones_in(" | ".join(row)[-_SHOWN:]),
            )


def _refuse_swallowed(row: Sequence[str], line: int, name: str, separator: str) -> None:
    """Raise where a quoted cell over several lines holds rows: its quote was never closed where it should have been."""
    for cell in row:
        continued = _LINE_END.split(cell)[1:]
        for inner in continued:
            if holds_mobile(inner) or _is_like_a_row(inner, separator, len(row)):
                raise _swallowed(name, line, inner)
        line += len(continued)


def _swallowed(name: str, line: int, inner: str) -> InputError:
    return InputError(
        "{file}, line {line:,}: a quote opens here and is closed lines below, and what stands between looks like rows of"
        " the list ({shown}). Remove the quote, or double it if it belongs to the text",
        file=name,
        line=line,
        shown=mask_phones_in(inner[:_SHOWN]),
    )


def _refuse_rows_without_numbers(read: TextRows, name: str) -> None:
    """Raise where a cell over several lines is built as rows would be that a quote has swallowed, though no number stands in them.

    What remains of the row in which the quote opens, whole rows, and the beginning of the row in which it is closed have as many
    separators as they must have. A text over several lines may look so by chance: where most cells of a column are such, it does.
    """
    width = Counter(map(len, read.rows)).most_common(1)[0][0]
    counts = Counter(
        column for place in read.tall for column, cell in enumerate(read.rows[place]) if _LINE_END.search(cell)
    )
    for place in read.tall:
        line = read.lines[place]
        for column, cell in enumerate(read.rows[place]):
            first, *continued = (part.count(read.separator) for part in _LINE_END.split(cell))
            built = continued and first == width - 1 - column and continued[-1] >= max(column, 1 - first)
            if built and all(one == width - 1 for one in continued[:-1]) and 2 * counts[column] < len(read.rows):
                raise _swallowed(name, line, _LINE_END.split(cell)[1])
            line += len(continued)


def _is_like_a_row(inner: str, separator: str, width: int) -> bool:
    """Return whether a line inside a cell has the cells of a row; of two cells, where a comma is common, one must be a number."""
    cells = inner.split(separator)
    return 1 < width <= len(cells) and (width > 2 or any(map(_DIGITS_OR_STARS.fullmatch, cells)))


def _unclosed(text: str, begun: int, first_line: int, name: str, error: csv.Error) -> InputError:
    lines = _LINE_END.split(text)
    place = begun
    while place < len(lines) - 1 and '"' not in lines[place]:
        place += 1
    shown = mask_phones_in(lines[place][:_SHOWN]) if place < len(lines) else ""
    return InputError(
        "{file}, line {line:,}: a quote opens here and is not closed as it should be ({shown}). Remove it, or double it if it belongs"
        " to the text ({reason})",
        file=name,
        line=place + first_line,
        shown=shown,
        reason=str(error),
    )


def _most_regular(text: str) -> str:
    """Return the separator with which the lines, the first included, agree best on how many cells they have."""
    best = max(_SEPARATORS, key=lambda mark: _regularity(text, mark))
    return best if _regularity(text, best)[0] > 0 else ","


def _regularity(text: str, separator: str) -> tuple[float, int, int]:
    """Return (share of lines of the commonest width, cells free of other separators at their edges, width)."""
    widths: dict[int, int] = {}
    clean = 1
    first = 0
    for row in islice(_loose_rows(text, separator), _SAMPLE_LINES):
        filled = [cell for cell in row if cell.strip()]
        if not filled:
            continue
        # Separators at the end of a line are blank cells that a spreadsheet wrote.
        width = len(row) - next((i for i, cell in enumerate(reversed(row)) if cell.strip()), 0)
        first = first or width
        widths[width] = widths.get(width, 0) + 1
        others = "".join(mark for mark in _SEPARATORS if mark not in (separator, "\t"))
        if clean and any(cell.strip(" \t")[:1] in others or cell.strip(" \t")[-1:] in others for cell in filled):
            clean = 0
    wide = {width: count for width, count in widths.items() if width > 1}
    if not wide:
        return 0.0, 0, 0
    width = max(wide, key=lambda one: (wide[one], one))
    share = wide[width] / sum(widths.values())
    return share + (first == width), clean, width


def _loose_rows(text: str, separator: str) -> Iterator[list[str]]:
    """Yield rows as far as they can be read at all: a guess at the separator must not fail at a quote."""
    csv.field_size_limit(10 * _LONGEST_FIELD)
    lines = islice(io.StringIO(text, newline=""), 2 * _SAMPLE_LINES)
    try:
        yield from csv.reader(lines, delimiter=separator)
    except csv.Error:
        return
