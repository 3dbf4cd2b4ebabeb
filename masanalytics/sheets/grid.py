"""From the cells of a sheet to a frame: where the header stands, what columns are called, which rows are left out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.masking import mask_phones_in
from masanalytics.phones import holds_mobile, is_example, parse_phones, stood_for_mobile
from masanalytics.sheets.appearance import Appearance
from masanalytics.sheets.cell_types import TypedColumn, typed_cells, typed_texts
from masanalytics.sheets.number_formats import GENERAL
from masanalytics.sheets.values_as_read import mark_values
from masanalytics.text import plain_name

__all__ = ["Grid", "Hidden", "filled_cells", "frame_of", "header_place", "kept_cell", "kept_cells", "kept_texts"]

_SHOWN: Final = 60
_OWNER = re.compile(r"(?:账号|账户|帐号|帐户|客服|热线|操作员|导出人|制表)[^:：]{0,8}[:：\[【]")
_FORMULA_OF_TEXT = re.compile(r'\A\s*="((?:[^"]|"")*)"\s*\Z')

Hidden = Literal["skip", "keep"]
"""What is done with hidden rows: left out, or read without a warning."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of one sheet before its header is known.

    Attributes
    ----------
    columns : list of list
        Cells of each column, None where blank.
    lines : sequence of int
        The line of each row as its owner counts.
    filled : ndarray of int
        How many cells of each row are not blank.
    appearance : Appearance
        Number formats, hidden lines and hidden columns.
    widths : sequence of int, optional
        Of a text file: how many cells each line has. A line wider than the header is then an error, since a separator too many
        has shifted its cells.
    """

    columns: list[list[Any]]
    lines: Sequence[int]
    filled: npt.NDArray[np.int64]
    appearance: Appearance = field(default_factory=Appearance)
    widths: Sequence[int] | None = None

    def row(self, place: int) -> list[Any]:
        """Return the cells of one row."""
        return [column[place] for column in self.columns]


def kept_texts(column: Sequence[str | None]) -> list[str | None]:
    """Return cells of text, None where blank. A tab beside a long number keeps Excel from showing it as 2.3E+17: it is no part of it."""
    whole = "".join(filter(None, column))  # what no cell holds is seen at once
    if "\t" in whole:
        column = [cell and cell.strip("\t") for cell in column]
    if '="' in whole:  # written so that a spreadsheet shows the zeros in front
        column = [_FORMULA_OF_TEXT.sub(_inner_text, cell) if cell else cell for cell in column]
    if len(whole.split(None, 1)) < 2 and not whole[:1].isspace() and not whole[-1:].isspace() and "" not in column:
        return list(column)  # no space, so no cell of nothing else
    return [cell if cell and not cell.isspace() else None for cell in column]


def _inner_text(formula: re.Match[str]) -> str:
    return formula[1].replace('""', '"')


def kept_cells(column: Sequence[Any]) -> list[Any]:
    """Return cells of a workbook: whole numbers as integers, None where blank."""
    kinds = set(map(type, column))
    if kinds == {str}:
        return kept_texts(column)
    if not kinds & {str, float}:
        return list(column)
    return [(int(cell) if cell.is_integer() else cell) if type(cell) is float else kept_cell(cell) for cell in column]


def filled_cells(columns: Sequence[Sequence[Any]], rows: int) -> npt.NDArray[np.int64]:
    """Return how many cells of each row are not blank."""
    counts = np.zeros(rows, dtype=np.int64)
    for column in columns:
        cells = np.empty(rows, dtype=object)
        cells[:] = column
        counts += cells != None  # noqa: E711 - compared cell by cell
    return counts


def kept_cell(cell: Any) -> Any:
    """Return what a cell holds: whole numbers as integers; None where it is blank."""
    if isinstance(cell, str):
        return cell if cell and not cell.isspace() else None
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() else cell
    return cell


def header_place(filled: Sequence[int] | npt.NDArray[np.int64]) -> int:
    """Return the first row that fills at least half as many cells (two at the least) as the fullest."""
    wanted = min(max(filled), max(2, (max(filled) + 1) // 2))
    return next(place for place, count in enumerate(filled) if count >= wanted)


def frame_of(grid: Grid, receipt: dict[str, Any], *, header: int | None, hidden: Hidden | None) -> pd.DataFrame:
    """Make a frame of a grid: find the header, drop what is blank, name what has no name, give each column its dtype."""
    file = receipt["file"]
    if not grid.filled.any():
        raise InputError("{file} is empty", file=f"{file}, {receipt['sheet']}" if "sheet" in receipt else file)
    top = _top(grid, file, header)
    first = 0 if top is None else top + 1
    if top is not None:
        _refuse_wide(grid, top, file)
    filled = np.flatnonzero(grid.filled[first:]) + first
    is_hidden = np.fromiter((grid.lines[place] in grid.appearance.hidden for place in filled.tolist()), dtype=np.bool_)
    kept = filled[~is_hidden] if hidden == "skip" else filled
    columns, hidden_columns = _columns(grid, top, kept)
    index = pd.Index(np.array([grid.lines[place] for place in kept], dtype=np.int64), name="row")
    frame = pd.DataFrame({name: pd.Series(one.values, index=index) for name, one in columns.items()}, index)
    frame.attrs["read"] = receipt | {
        "header_line": None if top is None else grid.lines[top],
        "header_given": header is not None,
        "rows": len(kept),
        "columns": len(columns),
        "blank": len(grid.filled) - first - len(filled),
        "above": 0 if top is None else int((grid.filled[:top] > 0).sum()),
        "hidden": int(is_hidden.sum()),
        "hidden_rows": hidden or ("kept" if is_hidden.any() else "none"),
        "hidden_columns": hidden_columns,
        "valueless": grid.appearance.valueless,
        "doubled_names": sorted({name.rpartition(".")[0] for name in columns if _is_doubled(name, columns)}),
        "formats": {name: list(one.formats) for name, one in columns.items() if one.formats},
        "dtypes": {name: str(frame[name].dtype) for name in columns},
        "sheets_not_read": [],
    }
    mark_values(frame)
    return frame


def _top(grid: Grid, file: str, header: int | None) -> int | None:
    """Return which row is the header; None where there is none."""
    if header == 0:
        return None
    if header is not None:
        if header not in grid.lines:
            raise InputError("{file} has no line {line:,}: header= names a line of the sheet", file=file, line=header)
        return list(grid.lines).index(header)
    top = header_place(grid.filled)
    first = int(np.flatnonzero(grid.filled)[0])
    # Above a header there are titles, never customers: a wide line further down is a row like the others. The number of the owner
    # of a statement (账号:[13800138000]) is a title.
    above = [place for place in range(first, top) if _holds_number(grid, place)]
    if _holds_number(grid, top) or not all(_is_of_the_owner(grid, place) for place in above):
        top = first if above else top
    return None if _holds_number(grid, top) else top


def _is_of_the_owner(grid: Grid, place: int) -> bool:
    labels = [str(cell) for cell in grid.row(place) if cell is not None]
    return len(labels) == 1 and _OWNER.search(labels[0]) is not None


def _holds_number(grid: Grid, place: int) -> bool:
    labels = [str(cell) for cell in grid.row(place) if cell is not None]
    numbers, _ = parse_phones(pd.Series(labels, dtype=object))
    if (numbers > 0).any() or any(map(stood_for_mobile, labels)):
        return True
    return any(holds_mobile(label) for label in labels if not is_example(label))


def _named_width(grid: Grid, top: int) -> int:
    """Return how many cells the header of a text file has, without blank ones at its end.

    A comma at the end of the header names no column: what stands below it in some lines comes of a separator inside a cell. Where it
    stands in most, the column is only without a name.
    """
    width = len(grid.row(top)) if grid.widths is None else grid.widths[top]
    named = max((place + 1 for place, cell in enumerate(grid.row(top)) if cell is not None), default=width)
    below = filled_cells(grid.columns[named:width], len(grid.lines))[top + 1 :]
    return named if 2 * np.count_nonzero(below) < np.count_nonzero(grid.filled[top + 1 :]) else width


def _refuse_wide(grid: Grid, top: int, file: str) -> None:
    """Raise where a line of a text file has more filled cells than the header: a separator stands in one of its cells."""
    if grid.widths is None:
        return
    width = _named_width(grid, top)
    beyond = filled_cells(grid.columns[width:], len(grid.lines))[top + 1 :]
    wide = np.flatnonzero(beyond) + top + 1
    if not len(wide):
        return
    place = int(wide[0])
    more = Text("{count:,} more line is like it. ", "{count:,} more lines are like it. ", count=len(wide) - 1)
    raise InputError(
        "{file}, line {line:,}: it has {cells} cells, the header in line {header:,} has {width} ({shown}). {more}A separator stands"
        " inside a cell: put the cell in quotes where the file comes from, or save it as .xlsx. Where the header is another line, say"
        " header=",
        file=file,
        line=grid.lines[place],
        cells=grid.widths[place],
        header=grid.lines[top],
        width=width,
        shown=mask_phones_in(" | ".join(cell or "" for cell in grid.row(place)[: grid.widths[place]])[:_SHOWN]),
        more=more if len(wide) > 1 else "",
    )


def _columns(grid: Grid, top: int | None, kept: npt.NDArray[np.int64]) -> tuple[dict[str, TypedColumn], list[str]]:
    """Return the columns that hold anything, by their names, and which of them are hidden."""
    header = [None] * len(grid.columns) if top is None else grid.row(top)
    places = kept.tolist()
    whole = places == list(range(places[0], len(grid.lines))) if places else False
    bodies = [column[places[0] :] if whole else [column[place] for place in places] for column in grid.columns]
    used = [
        place
        for place, body in enumerate(bodies)
        if header[place] is not None or any(cell is not None for cell in body)
    ]
    labels = _unique([f"column {place + 1}" if header[place] is None else str(header[place]) for place in used])
    typed = {}
    for label, place in zip(labels, used, strict=True):
        shown = grid.appearance.formats.get(place)
        if grid.widths is not None:
            typed[label] = typed_texts(bodies[place])
        else:
            typed[label] = typed_cells(bodies[place], [shown.get(row, GENERAL) for row in places] if shown else None)
    hidden = [label for label, place in zip(labels, used, strict=True) if place in grid.appearance.hidden_columns]
    return typed, hidden


def _unique(names: Sequence[str]) -> list[str]:
    """Return column names without invisible characters and outer space, and a number behind those that come again."""
    seen: dict[str, int] = {}
    unique: list[str] = []
    folded = list(map(plain_name, names))
    for name in folded:
        count = seen.get(name, 0)
        # A name that a column has of its own is not given to another one.
        while count and f"{name}.{count}" in folded:
            count += 1
        seen[name] = count + 1
        unique.append(f"{name}.{count}" if count else name)
    return unique


def _is_doubled(name: str, columns: Mapping[str, Any]) -> bool:
    front, dot, number = name.rpartition(".")
    return bool(dot) and number.isdigit() and front in columns
