"""Workbooks: the cells of a sheet with the formats they are shown in, and which sheets, rows and columns are hidden.

python-calamine reads the values. How they are shown is read by a module for each kind of file, told by its content.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from masanalytics.errors import InputError, MissingExtraError
from masanalytics.i18n import Text
from masanalytics.sheets.appearance import Appearance, dates_under_their_formats
from masanalytics.sheets.binary_workbooks import BinaryLooks
from masanalytics.sheets.disguises import damaged, not_a_workbook
from masanalytics.sheets.legacy_workbooks import LegacyLooks
from masanalytics.sheets.open_xml import OpenXmlLooks
from masanalytics.sheets.opendocument import OpenDocumentLooks

__all__ = ["SheetCells", "Workbook"]

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")
_MOST_CELLS: Final = 30_000_000
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class SheetCells:
    """What a sheet holds.

    Attributes
    ----------
    rows : list of list
        Values as calamine gives them; a number under a date's format is a date.
    lines : sequence of int
        The number of each row as Excel shows it.
    appearance : Appearance or None
        How the sheet shows them; None where that is not known.
    """

    rows: list[list[Any]]
    lines: Sequence[int]
    appearance: Appearance | None


class _Looks(Protocol):
    """What the module of each kind of workbook offers."""

    from_1904: bool

    def appearance(self, name: str) -> Appearance: ...


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
        self._read: dict[str, Any] = {}
        self._looks = self._sure(_looks, file)
        self._book = self._opened()

    def _opened(self) -> Any:
        """Return the workbook as calamine opens it: by its name, else by its content (web systems call .xlsx files .xls)."""
        opened = self._calamine.CalamineWorkbook
        try:
            # calamine reads all sheets of such a document at once, so empty rows are left out before.
            packed = self._looks.packed(self.file) if isinstance(self._looks, OpenDocumentLooks) else None
            if packed is not None:
                return opened.from_filelike(packed)
            return opened.from_path(str(self.file))
        except BaseException as error:
            if not self._is_of_the_file(error):
                raise
            try:
                return opened.from_filelike(io.BytesIO(self.file.read_bytes()))
            except BaseException as other:
                if not self._is_of_the_file(other):
                    raise
                raise not_a_workbook(self.file, error) from error

    def _is_of_the_file(self, error: BaseException) -> bool:
        """Return whether calamine says that a file is not whole: by an error, or, of old workbooks, by giving up."""
        broken = (self._calamine.CalamineError, OSError, ValueError, *_BROKEN)
        return isinstance(error, broken) or type(error).__name__ == "PanicException"

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
        looks = self._looks
        if isinstance(looks, (OpenXmlLooks, BinaryLooks)) and looks.is_sparse(name):
            rows, packed_lines, appearance = looks.packed_cells(name, self._calamine.CalamineWorkbook)
            dates_under_their_formats(rows, appearance.formats, from_1904=looks.from_1904)
            return SheetCells(rows, packed_lines, appearance)
        rows = self._sheet(name).to_python(skip_empty_area=False)
        known = None
        if looks is not None:
            try:
                known = looks.appearance(name)
            except ValueError:  # the plan says that it is not known
                return SheetCells(rows, range(1, len(rows) + 1), None)
            dates_under_their_formats(rows, known.formats, from_1904=looks.from_1904)
        lines: Sequence[int] = range(1, len(rows) + 1)
        if isinstance(looks, OpenDocumentLooks):
            lines = looks.lines(name, len(rows))
        return SheetCells(rows, lines, known)

    def _sure(self, read: Callable[[_Argument], _Result], argument: _Argument) -> _Result:
        """Return what `read` reads; a part of the file that is not whole is an error of the file."""
        try:
            return read(argument)
        except InputError:
            raise
        except BaseException as error:
            if not self._is_of_the_file(error):
                raise
            raise damaged(self.file, error) from error

    def head(self, name: str, count: int = 30) -> tuple[list[list[Any]], int]:
        """Return the first rows of a sheet and about how many rows it has."""
        if isinstance(self._looks, (OpenXmlLooks, BinaryLooks)) and self._sure(self._looks.is_sparse, name):
            rows = self.cells(name).rows
            return rows[:count], len(rows)
        sheet = self._sure(self._sheet, name)
        return sheet.to_python(skip_empty_area=False, nrows=count), sheet.total_height

    def _sheet(self, name: str) -> Any:
        """Return a sheet as calamine read it; the last one is kept, since its first rows are looked at first."""
        if name not in self._read:
            self._refuse_large(name)
            self._read = {name: self._book.get_sheet_by_name(name)}
        return self._read[name]

    def _refuse_large(self, name: str) -> None:
        """Raise for a sheet whose grid would not fit into memory; the sheets of .xlsx are read without what is empty."""
        if isinstance(self._looks, BinaryLooks):
            try:
                cells = self._looks.cells(name)
            except ValueError:
                return
            if cells > _MOST_CELLS:
                raise InputError(
                    "{file}, sheet {sheet}: a cell stands so far away that the sheet has {cells:,} cells, nearly all of them empty;"
                    " save it as .xlsx",
                    file=self.file.name,
                    sheet=name,
                    cells=cells,
                )


def _looks(file: Path) -> _Looks | None:
    """Return what tells how a workbook shows its cells, by its content; None where that cannot be read."""
    try:
        if not zipfile.is_zipfile(file):
            return LegacyLooks(file)
        with zipfile.ZipFile(file) as package:
            names = {name.lower() for name in package.namelist()}
        if "xl/workbook.bin" in names:
            return BinaryLooks(file)
        return OpenDocumentLooks(file) if "content.xml" in names else OpenXmlLooks(file)
    except ValueError:
        return None
