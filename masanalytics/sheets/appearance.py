"""How a sheet shows its cells, whatever kind of workbook it stands in: number formats, and what is hidden."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from masanalytics.sheets.number_formats import BUILT_IN, GENERAL, NOT_KNOWN, is_date_format

__all__ = [
    "FEW_ROWS",
    "SPARSE_BY",
    "Appearance",
    "PackedCells",
    "dates_under_their_formats",
    "format_of",
    "places_of_runs",
    "with_part",
]

SPARSE_BY: Final = 20
"""A sheet is called sparse where it has this many times more rows (or columns) than filled ones."""
FEW_ROWS: Final = 10_000

PackedCells = tuple[list[list[Any]], list[int], "Appearance"]
"""Rows without the empty ones between them, the line of each as its owner counts, and how they are shown."""

_LAST_BUILT_IN: Final = 163
_FIRST_SURE_DAY: Final = 61  # Excel counts a 29 February 1900 that was none


@dataclass(frozen=True, slots=True)
class Appearance:
    """How one sheet shows its cells.

    Attributes
    ----------
    formats : mapping
        Column -> row -> number format, both counted from 0, where it is not General.
    hidden : frozenset of int
        The lines that are hidden, by a filter, by hand or in an outline; counted from 1.
    hidden_columns : frozenset of int
        The columns that are hidden, counted from 0.
    valueless : int
        How many cells hold an error, or a formula whose value was not kept; they are read as blank.
    """

    formats: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    valueless: int = 0


def with_part(file: Path, part: str, content: bytes) -> io.BytesIO:
    """Return a workbook of zipped parts in which one part is another."""
    copy = io.BytesIO()
    with zipfile.ZipFile(file) as package, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        for name in package.namelist():
            target.writestr(name, content if name.lower() == part.lower() else package.read(name))
    copy.seek(0)
    return copy


def format_of(number: int, own: Mapping[int, str]) -> str:
    """Return the number format that a workbook of Excel's calls by a number.

    Examples
    --------
    >>> format_of(9, {}), format_of(164, {164: "000000"}), format_of(5, {})
    ('0%', '000000', '[?]')
    """
    return own.get(number, BUILT_IN.get(number, GENERAL if number > _LAST_BUILT_IN else NOT_KNOWN))


def places_of_runs(runs: Iterable[tuple[int, int]], most: int) -> frozenset[int]:
    """Return the numbers in runs of (first, last), as far as they lie below `most`: a run may reach to the end of the sheet.

    Examples
    --------
    >>> sorted(places_of_runs([(2, 3), (5, 16_384)], 7))
    [2, 3, 5, 6]
    """
    return frozenset(place for first, last in runs for place in range(first, min(last + 1, most)))


def dates_under_their_formats(
    rows: list[list[Any]], formats: Mapping[int, Mapping[int, str]], *, from_1904: bool
) -> None:
    """Turn numbers into dates where the format shows a date that calamine does not know, such as a weekday."""
    for column, shown in formats.items():
        if any(map(is_date_format, set(shown.values()))):
            for row, one in shown.items():
                cells = rows[row] if row < len(rows) else []
                if column < len(cells) and type(cells[column]) in (int, float) and is_date_format(one):
                    cells[column] = _date(cells[column], from_1904=from_1904)


def _date(serial: float, *, from_1904: bool) -> Any:
    """Return the moment that a serial number stands for (ECMA-376 part 1, 18.17.4.1); a number before March 1900 as it is."""
    if serial < _FIRST_SURE_DAY and not from_1904:
        return serial
    start = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 - sheets have no zones
    moment = start + timedelta(days=serial)
    return moment.replace(microsecond=0) + timedelta(seconds=round(moment.microsecond / 1e6))
