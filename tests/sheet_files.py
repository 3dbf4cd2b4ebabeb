"""Workbooks and text files as tests need them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

Book = Callable[..., Path]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """Return what writes a workbook of {sheet: rows}; a cell may be (value, number format)."""

    def write(sheets: dict[str, list[list[Any]]], name: str = "book.xlsx", **options: Any) -> Path:
        path = tmp_path / name
        with xlsxwriter.Workbook(str(path), options) as workbook:
            for title, rows in sheets.items():
                page = workbook.add_worksheet(title)
                for line, row in enumerate(rows):
                    for place, cell in enumerate(row):
                        value, shape = cell if isinstance(cell, tuple) else (cell, None)
                        page.write(
                            line,
                            place,
                            value,
                            workbook.add_format({"num_format": shape}) if shape is not None else None,
                        )
        return path

    return write


def text_file(folder: Path, content: str | bytes, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
