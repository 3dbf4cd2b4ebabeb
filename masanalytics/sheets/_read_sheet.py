"""Read a list of customers as offices have it: for sure, or not at all, with a receipt of what was read and what was not."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from masanalytics.aliases import PathName
from masanalytics.errors import InputError, MissingExtraError
from masanalytics.i18n import Text
from masanalytics.masking import mask_phones_in
from masanalytics.near_names import named_arguments
from masanalytics.paths import full_path
from masanalytics.sheets.appearance import Appearance
from masanalytics.sheets.delimited import read_text
from masanalytics.sheets.disguises import is_text, refuse_other_file
from masanalytics.sheets.encodings import decode
from masanalytics.sheets.grid import (
    Grid,
    Hidden,
    filled_cells,
    frame_of,
    header_place,
    kept_cell,
    kept_cells,
    kept_texts,
)
from masanalytics.sheets.number_formats import GENERAL
from masanalytics.sheets.values_as_read import mark_values
from masanalytics.sheets.workbooks import Workbook

__all__ = ["read_sheet"]

_WORKBOOKS: Final = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".et"})
_TEXTS: Final = frozenset({".csv", ".tsv", ".txt"})
_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the caller decided about a file, checked."""

    header: int | None
    separator: str | None
    encoding: str | None
    hidden: Hidden | None


@named_arguments
def read_sheet(
    path: PathName,
    *,
    sheet: str | int | Sequence[str | int] | None = None,
    header: int | None = None,
    sep: str | None = None,
    encoding: str | None = None,
    hidden: Hidden | None = None,
) -> pd.DataFrame:
    """Read a list of customers from a workbook, a text file or ``.parquet``.

    Parameters
    ----------
    path : str or Path
        A workbook (``.xlsx``, ``.xls``, ``.xlsm``, ``.xlsb``, ``.ods``, ``.et``; the extra ``excel``), a text file (``.csv``,
        ``.tsv``, ``.txt``), or ``.parquet`` (the extra ``parquet``).
    sheet : str, int, list of them or "all", optional
        Name or position of the sheet in a workbook; by default the first visible one that is not empty. A list, or ``"all"`` visible
        ones, gives one frame with a column ``sheet``.
    header : int, optional
        The line of the header, counted from 1; 0 where there is none. By default the first line that fills at least half as many
        cells (two at the least) as the fullest line; a line that holds a mobile number is no header.
    sep : str, optional
        The separator of a text file. By default the one of comma, tab, semicolon and bar that gives all lines the same width.
    encoding : str, optional
        The encoding of a text file. By default UTF-8, UTF-16, GB18030 or Big5, whichever fits every byte.
    hidden : {"skip", "keep"}, optional
        What to do with rows of a workbook that a filter or a hand has hidden. By default they are read, and the plan warns.

    Returns
    -------
    DataFrame
        One row a filled line, blank cells missing. Whole numbers are integers, decimals floats, dates ``datetime64``; text are
        numbers of eleven digits and more, leading zeros, and columns of several kinds. The index, ``row``, is the line number
        that the sheet's owner sees. ``.attrs["read"]`` says what was read and what was not. The number formats of the sheet go
        with its values: a column that is changed afterwards is written like any other.

    Raises
    ------
    InputError
        If the file is missing, empty, not what its name says, or cannot be read for sure: the message names the line.
    MissingExtraError
        If a library is needed that is not installed.
    """
    choice = _Choice(_checked_header(header), sep, encoding, _checked_hidden(hidden))
    file = full_path(path)
    kind = file.suffix.lower()
    if not file.is_file():
        raise InputError("there is no file {file}", file=file)
    if kind in _WORKBOOKS and not is_text(file):
        with _without_collecting():
            return _read_workbook(file, sheet, choice)
    if kind in _TEXTS or kind in _WORKBOOKS:
        with _without_collecting():
            return _read_text(file, choice)
    if kind in (".parquet", ".pq"):
        return _read_parquet(file)
    if not kind:
        raise InputError(
            "{file}: a file without an extension cannot be read; save it as .xlsx, .csv or .parquet", file=file.name
        )
    raise InputError("{file}: cannot read {kind}; save it as .xlsx, .csv or .parquet", file=file.name, kind=kind)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Make a million cells without looking for circles among them again and again, which takes a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _checked_header(header: int | None) -> int | None:
    if header is not None and (isinstance(header, bool) or not isinstance(header, (int, np.integer)) or header < 0):
        raise InputError(
            "header={header!r}: the line of the header, counted from 1, or 0 where there is none", header=header
        )
    return None if header is None else int(header)


def _checked_hidden(hidden: Hidden | None) -> Hidden | None:
    if hidden not in (None, "skip", "keep"):
        raise InputError("hidden={hidden!r}: use 'skip' or 'keep'", hidden=hidden)
    return hidden


def _read_text(file: Path, choice: _Choice) -> pd.DataFrame:
    raw = file.read_bytes()
    refuse_other_file(raw, file.name)
    text, encoding = decode(raw, file.name, choice.encoding)
    found = read_text(text, file.name, choice.separator)
    receipt: dict[str, Any] = {"file": file.name, "encoding": encoding, "separator": found.separator}
    columns = [kept_texts(column) for column in zip_longest(*found.rows)]
    grid = Grid(columns, found.lines, filled_cells(columns, len(found.rows)), widths=list(map(len, found.rows)))
    frame = frame_of(grid, receipt, header=choice.header, hidden=choice.hidden)
    if found.tall:
        frame.attrs["read"]["several_lines"] = _over_several_lines(frame, {found.lines[place] for place in found.tall})
    return frame


def _over_several_lines(frame: pd.DataFrame, lines: set[int]) -> dict[str, list[int]]:
    """Return column -> lines where its cells hold line breaks, of columns that hold few of them: there a stray quote is likely."""
    odd: dict[str, list[int]] = {}
    tall = frame[frame.index.isin(lines)]
    for name in frame.columns:
        cells = zip(tall.index.tolist(), tall[name].tolist(), strict=True)
        found = [line for line, cell in cells if isinstance(cell, str) and ("\n" in cell or "\r" in cell)]
        if found and 2 * len(found) <= frame[name].notna().sum():
            odd[str(name)] = found
    return odd


def _read_workbook(file: Path, sheet: str | int | Sequence[str | int] | None, choice: _Choice) -> pd.DataFrame:
    book = Workbook(file)
    if sheet is None:
        name, frame = _firstfilled_cells(book, choice)
        names, frames = [name], [frame]
    else:
        names = _chosen_sheets(book, sheet)
        frames = [_sheet_frame(book, name, choice) for name in names]
    frame = (
        frames[0] if len(frames) == 1 and not isinstance(sheet, list) and sheet != "all" else _together(names, frames)
    )
    frame.attrs["read"]["sheets_not_read"] = _others(book, names)
    return frame


def _firstfilled_cells(book: Workbook, choice: _Choice) -> tuple[str, pd.DataFrame]:
    for name in book.visible:
        rows, lines = book.head(name, 1)
        if lines and (any(kept_cell(cell) is not None for row in rows for cell in row) or _is_filled(book, name)):
            return name, _sheet_frame(book, name, choice)
    filled = [name for name in book.names if name not in book.visible and _is_filled(book, name)]
    if filled:
        raise InputError(
            "{file}: only hidden sheets hold rows ({sheets}); say sheet={first!r} if that is meant",
            file=book.file.name,
            sheets=", ".join(filled),
            first=filled[0],
        )
    raise InputError("{file} is empty", file=book.file.name)


def _is_filled(book: Workbook, name: str) -> bool:
    return any(kept_cell(cell) is not None for row in book.cells(name).rows for cell in row)


def _chosen_sheets(book: Workbook, sheet: str | int | Sequence[str | int]) -> list[str]:
    names = book.names
    if sheet == "all" and "all" not in names:
        return [name for name in book.visible if _is_filled(book, name)] or book.visible[:1]
    chosen = []
    for one in [sheet] if isinstance(sheet, (str, int)) else sheet:
        if isinstance(one, int) and not isinstance(one, bool) and -len(names) <= one < len(names):
            chosen.append(names[one])
        elif one in names:
            chosen.append(str(one))
        else:
            raise InputError(
                "{file} has no sheet {sheet!r}; its sheets are: {sheets}",
                file=book.file.name,
                sheet=one,
                sheets=", ".join(names),
            )
    if not chosen:
        raise InputError("sheet=[]: name at least one sheet of {file}", file=book.file.name)
    return chosen


def _sheet_frame(book: Workbook, name: str, choice: _Choice) -> pd.DataFrame:
    cells = book.cells(name)
    columns = [kept_cells(column) for column in zip_longest(*cells.rows)]
    grid = Grid(columns, cells.lines, filled_cells(columns, len(cells.rows)), cells.appearance or Appearance())
    receipt: dict[str, Any] = {"file": book.file.name, "sheet": name}
    if cells.appearance is None:
        receipt["formats_known"] = False
        if choice.hidden == "skip":
            raise InputError(
                "{file}: which rows are hidden is not known of this workbook, so hidden='skip' cannot be done; save it as .xlsx",
                file=book.file.name,
            )
    return frame_of(grid, receipt, header=choice.header, hidden=choice.hidden)


def _together(names: Sequence[str], frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of several sheets, one below the other, with the sheet's name beside each."""
    receipts = [frame.attrs["read"] for frame in frames]
    parts = [
        frame.assign(sheet=name) if "sheet" not in frame else frame for name, frame in zip(names, frames, strict=True)
    ]
    for part in parts:
        part.attrs = {}
    whole = pd.concat(parts)
    shared = {key: [receipt.get(key) for receipt in receipts] for key in ("sheet", "header_line")}
    away = sorted({column for receipt in receipts for column in receipt["hidden_columns"]})
    totals = {
        key: sum(receipt[key] for receipt in receipts) for key in ("rows", "blank", "hidden", "above", "valueless")
    }
    kinds = [receipt["hidden_rows"] for receipt in receipts]
    formats: dict[str, list[str]] = {}
    for receipt in receipts:
        for column in {column for one in receipts for column in one["formats"]} & set(receipt["dtypes"]):
            # Where another sheet shows the column in a format, plain numbers of this one are shown in another: General.
            plain = [] if receipt["dtypes"][column] in ("str", "object") else [GENERAL]
            formats[column] = sorted({*formats.get(column, ()), *receipt["formats"].get(column, plain)})
    dtypes = {str(column): str(dtype) for column, dtype in whole.dtypes.items()}
    whole.attrs["read"] = {
        **receipts[0],
        **shared,
        **totals,
        "hidden_rows": next((kind for kind in kinds if kind != "none"), "none"),
        "hidden_columns": away,
        "formats_known": all(receipt.get("formats_known", True) for receipt in receipts),
        "formats": formats,
        "dtypes": dtypes,
    }
    mark_values(whole)
    return whole


def _others(book: Workbook, read: Sequence[str]) -> list[dict[str, Any]]:
    """Return the sheets that hold rows and were not read, with what their columns are called."""
    left = []
    visible_names = book.visible
    for name in book.names:
        if name in read:
            continue
        rows, count = book.head(name)
        cells = [[kept_cell(cell) for cell in row] for row in rows]
        filled = [sum(cell is not None for cell in row) for row in cells]
        if any(filled):
            top = header_place(filled)
            columns = [mask_phones_in(str(cell)) for cell in cells[top] if cell is not None]
            kind = "visible" if name in visible_names else "hidden"
            left.append({"sheet": name, "kind": kind, "rows": max(1, count - top - 1), "columns": columns})
    return left


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(file)
    except ImportError as error:
        raise MissingExtraError.of("parquet", "pyarrow", Text("reading {kind}", kind=".parquet")) from error
    except (ValueError, OSError) as error:
        raise InputError("{file} is not a Parquet file: {error}", file=file.name, error=str(error)) from error
    frame.attrs = {"read": {"file": file.name, "rows": len(frame), "columns": frame.shape[1]}}
    return frame
