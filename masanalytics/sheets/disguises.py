"""What a file is that its name calls something else: web systems export pages under the names of sheets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from masanalytics.errors import InputError

__all__ = ["damaged", "is_text", "not_a_workbook", "refuse_page"]

_HEAD: Final = 1024
_WORKBOOK_STARTS: Final = (b"PK", b"\xd0\xcf\x11\xe0", b"\x09\x08", b"\x09\x04", b"\x09\x02", b"\x09\x00")
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
        refuse_page(content.read(_HEAD), file.name)
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
