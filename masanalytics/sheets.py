"""Sheets as offices have them, read without harm; and sheets that are safe to open, written.

Reading turns no text into a number: a phone column stays text, leading zeros stay, a cell with a whole number is its plain
digits. Only what a workbook itself holds as a decimal or a date stays one, so that a plan can ask how it is to be written.
Writing keeps text as text, so that no reply of a stranger ever runs as a formula.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from masanalytics.errors import InputError, MissingExtraError
from masanalytics.i18n import Text

__all__ = ["read_sheet", "sample_path", "write_sheet"]

_WORKBOOKS: Final = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".et"})
_TEXTS: Final = frozenset({".csv", ".tsv", ".txt"})
_ROWS_OF_A_SHEET: Final = 1_048_576
_LONGEST_CELL: Final = 32_767
_Cell = str | int | float | date | datetime | time | timedelta
_NUMBERS_AND_TIMES: Final = (float, date, time, timedelta)  # a datetime is a date
_PLAIN_NUMBER = re.compile(r"[+-]?\d[\d,]*(?:\.\d*)?(?:[eE][+-]?\d+)?")


def read_sheet(path: str | Path, *, sheet: str | int | None = None) -> pd.DataFrame:
    """Read a list of customers from ``.xlsx``, ``.csv`` or ``.parquet``.

    Parameters
    ----------
    path : str or Path
        A workbook (``.xlsx``, ``.xls``, ``.xlsm``, ``.xlsb``, ``.ods``; the extra ``excel``), a text file (``.csv``, ``.tsv``,
        ``.txt``: UTF-8 with or without a byte-order mark, UTF-16 with one, or GB18030; comma, semicolon, tab or bar), or
        ``.parquet`` (the extra ``parquet``).
    sheet : str or int, optional
        Name or position of the sheet in a workbook; by default the first that is not empty.

    Returns
    -------
    DataFrame
        Every column ``str``, blank cells missing, blank rows left out. A column of a workbook with decimals or dates among its
        cells is ``object``: each cell what the workbook holds, an ``int``, ``float``, ``date``, ``datetime``, ``time``,
        ``timedelta`` or text. A Parquet file keeps the types it has. The index, ``row``, is the line number that the sheet's
        owner sees. A title above the header is passed over: the header is the
        first line that fills at least half as many cells (two at the least) as the fullest line.

    Raises
    ------
    InputError
        If the file is missing, empty, or not what its name says.
    MissingExtraError
        If a library is needed that is not installed.
    """
    file = Path(path).expanduser()
    kind = file.suffix.lower()
    if not file.is_file():
        raise InputError("there is no file {file}", file=file)
    if kind in _WORKBOOKS:
        return _tidy(_workbook_rows(file, sheet), file)
    if kind in _TEXTS:
        return _tidy(_text_rows(file), file)
    if kind in (".parquet", ".pq"):
        return _read_parquet(file)
    raise InputError(
        "{name}: cannot read {extension}; save it as .xlsx, .csv or .parquet",
        name=file.name,
        extension=kind or Text("a file without an extension"),
    )


def _workbook_rows(file: Path, sheet: str | int | None) -> list[list[_Cell | None]]:
    try:
        import python_calamine
    except ImportError as error:
        raise MissingExtraError.of("excel", "python-calamine", Text("reading {kind}", kind=file.suffix)) from error
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(file))
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise InputError(
            "{name} is not a workbook that can be opened ({error}); is it protected by a password, or a .csv renamed?",
            name=file.name,
            error=str(error),
        ) from error
    names = book.sheet_names
    if sheet is None:
        for name in names:
            rows = _cells(book, name)
            if any(cell is not None for row in rows for cell in row):
                return rows
        return []
    if isinstance(sheet, int) and -len(names) <= sheet < len(names):
        return _cells(book, names[sheet])
    if sheet in names:
        return _cells(book, str(sheet))
    raise InputError(
        "{name} has no sheet {sheet!r}; its sheets are: {sheets}",
        name=file.name,
        sheet=sheet,
        sheets=names,
    )


def _cells(book: Any, name: str) -> list[list[_Cell | None]]:
    return [[_kept(cell) for cell in row] for row in book.get_sheet_by_name(name).to_python(skip_empty_area=False)]


def _kept(cell: Any) -> _Cell | None:
    """Return what a cell holds: whole numbers as integers, truth values as Excel shows them; None where it is blank."""
    if isinstance(cell, str):
        return cell if cell.strip() else None
    if cell is None:
        return None
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() else cell
    return cell if isinstance(cell, (int, *_NUMBERS_AND_TIMES)) else str(cell)


def _column(cells: Sequence[_Cell | None]) -> Any:
    """Return a column's cells: as text, unless decimals or times are among them, which lose what they are as text."""
    if not any(isinstance(cell, _NUMBERS_AND_TIMES) for cell in cells):
        return pd.array([None if cell is None else str(cell) for cell in cells], dtype="str")
    if any(isinstance(cell, datetime) for cell in cells):  # what is to be compared with a datetime must be one
        cells = [datetime.combine(cell, time()) if type(cell) is date else cell for cell in cells]
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


def _text_rows(file: Path) -> list[list[str | None]]:
    text = _decoded(file)
    csv.field_size_limit(10_000_000)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), skipinitialspace=False)
    try:
        return [[cell if cell.strip() else None for cell in row] for row in reader]
    except csv.Error as error:
        raise InputError(
            "{name}, line {line}: {error}", name=file.name, line=reader.line_num, error=str(error)
        ) from error


def _decoded(file: Path) -> str:
    raw = file.read_bytes()
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError("{name} is neither UTF-8 nor GB18030 text; save it as CSV UTF-8", name=file.name)


def _separator(text: str) -> str:
    """Return the separator that the first filled lines use most, outside quotes."""
    head = [re.sub(r'"[^"]*"', "", line) for line in text.splitlines()[:20] if line.strip()]
    counts = {mark: sum(line.count(mark) for line in head) for mark in ",\t;|"}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else ","


def _tidy(rows: Sequence[Sequence[_Cell | None]], file: Path) -> pd.DataFrame:
    """Make a frame of raw rows: find the header, drop what is blank, name what has no name."""
    filled = [sum(cell is not None for cell in row) for row in rows]
    if not any(filled):
        raise InputError("{name} is empty", name=file.name)
    wanted = min(max(filled), max(2, (max(filled) + 1) // 2))
    top = next(index for index, count in enumerate(filled) if count >= wanted)
    width = max(len(row) for row in rows[top:])
    header = [*rows[top], *[None] * (width - len(rows[top]))]
    lines = [index for index in range(top + 1, len(rows)) if filled[index]]
    body = [[*rows[index], *[None] * (width - len(rows[index]))] for index in lines]
    keep = [place for place in range(width) if header[place] is not None or any(row[place] is not None for row in body)]
    names = _unique([f"column {place + 1}" if header[place] is None else str(header[place]) for place in keep])
    columns = {name: _column([row[place] for row in body]) for name, place in zip(names, keep, strict=True)}
    index = pd.Index(np.array(lines, dtype=np.int64) + 1, name="row")
    return pd.DataFrame(
        {name: pd.Series(cells, index=index, dtype=cells.dtype) for name, cells in columns.items()}, index
    )


def _unique(names: list[str]) -> list[str]:
    """Return column names with outer space and line breaks gone, and a number behind those that come again."""
    seen: dict[str, int] = {}
    result = []
    for raw in names:
        name = " ".join(raw.split())
        count = seen.get(name, 0)
        seen[name] = count + 1
        result.append(f"{name}.{count}" if count else name)
    return result


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(file)
    except ImportError as error:
        raise MissingExtraError.of("parquet", "pyarrow", Text("reading {kind}", kind=".parquet")) from error
    except (ValueError, OSError) as error:
        raise InputError("{name} is not a Parquet file: {error}", name=file.name, error=str(error)) from error


def write_sheet(df: pd.DataFrame, path: str | Path, *, sheet: str = "Sheet1") -> Path:
    """Write a frame to ``.xlsx``, ``.csv`` or ``.parquet`` so that it is safe to open.

    Parameters
    ----------
    df : DataFrame
        Its columns are written, its index is not. Text stays text: phones keep their digits, and a cell such as
        ``=HYPERLINK(...)`` is shown, not run. Timestamps with a zone are written as Asia/Shanghai wall time.
    path : str or Path
        Where to. ``.csv`` is UTF-8 with a byte-order mark, so that Excel shows Chinese.
    sheet : str
        The sheet's name, in a workbook.

    Returns
    -------
    Path
        The file written.
    """
    file = Path(path).expanduser()
    kind = file.suffix.lower()
    if kind == ".xlsx":
        _write_workbook(df, file, sheet)
    elif kind == ".csv":
        columns = [pd.Series([_defused(value) for value in _values(df.iloc[:, i])]) for i in range(df.shape[1])]
        frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=df.index)
        frame.columns = [str(_defused(str(name))) for name in df.columns]
        frame.to_csv(file, index=False, encoding="utf-8-sig")
    elif kind == ".parquet":
        try:
            df.to_parquet(file, index=False)
        except ImportError as error:
            raise MissingExtraError.of("parquet", "pyarrow", Text("writing {kind}", kind=".parquet")) from error
    else:
        raise InputError("{name}: name the file .xlsx, .csv or .parquet", name=file.name)
    return file


def _write_workbook(df: pd.DataFrame, file: Path, sheet: str) -> None:
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingExtraError.of("excel", "xlsxwriter", Text("writing {kind}", kind=".xlsx")) from error
    if len(df) + 1 > _ROWS_OF_A_SHEET:
        raise InputError(
            "a sheet holds {most:,} rows, these are {count:,}: write a .csv or .parquet",
            most=_ROWS_OF_A_SHEET - 1,
            count=len(df),
        )
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
    }
    with xlsxwriter.Workbook(str(file), options) as book:
        page = book.add_worksheet(sheet)
        head = book.add_format({"bold": True, "bottom": 1})
        for place, name in enumerate(df.columns):
            values = _values(df.iloc[:, place])
            page.write_string(0, place, str(name), head)
            for line, value in enumerate(values, start=1):
                _write_cell(page, line, place, value)
            shown = [str(name), *map(str, values[:200])]
            page.set_column(place, place, min(60, 2 + max(map(_width, shown))))
        page.freeze_panes(1, 0)
        if df.shape[1]:
            page.autofilter(0, 0, len(df), df.shape[1] - 1)


def _values(column: pd.Series[Any]) -> list[Any]:
    """Return a column as Python values: missing ones None, zoned timestamps as China wall time."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("Asia/Shanghai").dt.tz_localize(None)
    values = column.astype(object)
    return values.where(values.notna(), None).tolist()


def _write_cell(page: Any, line: int, place: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, (bool, np.bool_)):
        page.write_boolean(line, place, bool(value))
    elif isinstance(value, (int, float, np.integer, np.floating)) and np.isfinite(value):
        page.write_number(line, place, value)
    elif isinstance(value, (datetime, date, time, timedelta)):
        page.write_datetime(line, place, _naive(value))
    else:
        page.write_string(line, place, str(value)[:_LONGEST_CELL])


def _naive(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        value = value.tz_convert("Asia/Shanghai").tz_localize(None) if value.tzinfo else value
        return value.to_pydatetime(warn=False)
    return value.to_pytimedelta() if isinstance(value, pd.Timedelta) else value


def _width(text: str) -> int:
    """Return about how wide a text is shown: a Chinese character takes two places."""
    return sum(2 if character > "\u2e7f" else 1 for character in text)


def _defused(value: Any) -> Any:
    """Return text that a spreadsheet would run as a formula with an apostrophe in front.

    Examples
    --------
    >>> _defused("=1+1"), _defused("-5"), _defused("+8613800138000"), _defused("你好")
    ("'=1+1", '-5', '+8613800138000', '你好')
    """
    if not isinstance(value, str) or not value.lstrip() or _PLAIN_NUMBER.fullmatch(value):
        return value
    return f"'{value}" if value.lstrip()[0] in "=+-@＝＋－＠" or value[0] in "\t\r\n" else value


def sample_path(name: str = "customers.xlsx") -> Path:
    """Return where a sample file lies, in the installed package or in a checkout.

    Parameters
    ----------
    name : str
        ``customers.xlsx``: 2,000 invented customers, with phones as a real sheet has them.

    Raises
    ------
    InputError
        If there is no such sample.

    Examples
    --------
    >>> sample_path("customers.xlsx").name
    'customers.xlsx'
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / name).is_file():
            return folder / name
    raise InputError("there is no sample file {name!r}", name=name)
