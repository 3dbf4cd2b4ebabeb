"""What a file is that its name calls something else: web systems export pages under the names of sheets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from masanalytics.errors import InputError

__all__ = ["damaged", "is_text", "not_a_workbook", "refuse_other_file", "refuse_page"]

_HEAD: Final = 1024
_COMPOUND: Final = b"\xd0\xcf\x11\xe0"
_WORKBOOK_STARTS: Final = (b"PK", _COMPOUND, b"\x09\x08", b"\x09\x04", b"\x09\x02", b"\x09\x00")
_PACKED: Final = (b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"BZh")
_PAGES: Final = ("<html", "<!doctype", "<table", "<meta", "<head", "<div", "<body", "<style", "mime-version:")


def refuse_page(raw: bytes, name: str) -> None:
    """Raise where the bytes are a web page or XML, in UTF-8, UTF-16 or any encoding that keeps ASCII.

    Examples
    --------
    >>> try:
    ...     refuse_page(b"<html><body>login</body></html>", "list.csv")
    ... except InputError as error:
    ...     print(error.text("en")[:28])
    list.csv is a web page under
    """
    start = raw[:_HEAD].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").decode("latin-1").lower()
    if start.startswith(_PAGES) or (start.startswith("<?xml") and "<html" in start):
        raise InputError(
            "{file} is a web page under the name of a sheet, as web systems export it (or show where a login has run out): open it in"
            " Excel, save it as .xlsx, and read that",
            file=name,
        )
    if start.startswith("<?xml"):
        raise InputError(
            "{file} is XML under the name of a sheet: open it in Excel, save it as .xlsx, and read that", file=name
        )


def refuse_other_file(raw: bytes, name: str) -> None:
    r"""Raise where what is called a text file is a workbook, a PDF, an archive or a web page.

    Examples
    --------
    >>> try:
    ...     refuse_other_file(b"PK\x03\x04", "list.csv")
    ... except InputError as error:
    ...     print(error.text("en")[:44])
    list.csv is a workbook under the name of a t
    """
    if raw.startswith((b"PK\x03\x04", _COMPOUND)):
        raise InputError(
            "{file} is a workbook under the name of a text file: open it in Excel and save it as .xlsx, or rename it to {kind}, and"
            " read that",
            file=name,
            kind=".xls" if raw.startswith(_COMPOUND) else ".xlsx",
        )
    if raw.startswith(b"%PDF"):
        raise InputError(
            "{file} is a PDF under the name of a sheet: get the list as .xlsx or .csv where it comes from", file=name
        )
    if raw.startswith(_PACKED):
        raise InputError("{file} is a packed file: unpack it, and read what is in it", file=name)
    refuse_page(raw, name)


def is_text(file: Path) -> bool:
    """Return whether a file that is called ``.xls`` is plain text, as many web systems write it; raise where it is a web page."""
    with file.open("rb") as content:
        start = content.read(_HEAD)
    if not start or start.startswith(_WORKBOOK_STARTS) or file.suffix.lower() != ".xls":
        return False
    refuse_page(start, file.name)
    return b"\t" in start or b"," in start


def not_a_workbook(file: Path, error: BaseException) -> InputError:
    """Return the error of a file that cannot be opened as the workbook its name says; raise what it is instead, if that is seen."""
    with file.open("rb") as content:
        start = content.read(_HEAD)
    refuse_page(start, file.name)
    if start and b"\0" not in start and not start.startswith(_WORKBOOK_STARTS):
        return InputError(
            "{file} is no workbook but text under the name of one: rename it to .csv, and read that", file=file.name
        )
    return InputError(
        "{file} is not a workbook that can be opened ({error}); is it protected by a password, or a .csv renamed?",
        file=file.name,
        error=str(error),
    )


def damaged(file: Path, error: BaseException) -> InputError:
    """Return the error of a workbook that opens, and of which a part cannot be read: it was cut off or changed on its way."""
    return InputError(
        "{file} is damaged ({error}): part of it was cut off or changed on its way. Open it in Excel, look whether all rows are"
        " there, and save it again",
        file=file.name,
        error=str(error),
    )
