"""Workbooks that are not XML, written record by record: ``.xls`` ([MS-XLS] in [MS-CFB]) and ``.xlsb`` ([MS-XLSB])."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["xls", "xlsb"]

Cells = Sequence[Sequence[str | float | None]]
_END: Final = 0xFFFFFFFE
_FREE: Final = 0xFFFFFFFF
_SECTOR: Final = 512


def xls(
    path: Path,
    sheets: Mapping[str, Cells],
    formats: Sequence[str] = (),
    *,
    hidden: Sequence[int] = (),
    hidden_columns: Sequence[int] = (),
    small: bool = False,
    version: int = 0x0600,
) -> Path:
    """Write an ``.xls``; a number in column n is shown in the n-th format, where there is one.

    Parameters
    ----------
    path : Path
        Where to.
    sheets : mapping
        Sheet -> rows; each sheet hides the same.
    formats : sequence of str
        A number format a column; an empty one is General.
    hidden, hidden_columns : sequence of int
        Rows and columns that are hidden, counted from 0.
    small : bool
        Whether the stream lies in the small sectors, as of a file below 4 KB.
    version : int
        Of the records; 0x0500 is Excel 95.
    """
    begin = _record(0x0809, struct.pack("<HHHHII", version, 0x0005, 0, 0, 0, 0))
    shapes = b"".join(
        _record(0x041E, struct.pack("<HHB", 164 + n, len(one), 1) + one.encode("utf-16-le"))
        for n, one in enumerate(formats)
    )
    styles = _record(0x00E0, struct.pack("<HH", 0, 0) + bytes(16)) + b"".join(
        _record(0x00E0, struct.pack("<HH", 0, 164 + n if one else 0) + bytes(16)) for n, one in enumerate(formats)
    )
    parts = [_sheet_of_xls(rows, formats, hidden, hidden_columns, version) for rows in sheets.values()]
    front = begin + _record(0x0042, struct.pack("<H", 1200)) + shapes + styles
    bounds = sum(4 + 8 + 2 * len(name) for name in sheets)
    start = len(front) + bounds + 4
    for name, part in zip(sheets, parts, strict=True):
        front += _record(0x0085, struct.pack("<IBBBB", start, 0, 0, len(name), 1) + name.encode("utf-16-le"))
        start += len(part)
    stream = front + _record(0x000A, b"") + b"".join(parts)
    path.write_bytes(_compound(stream if small else stream.ljust(4096, b"\0"), small=small))
    return path


def _sheet_of_xls(
    rows: Cells, formats: Sequence[str], hidden: Sequence[int], hidden_columns: Sequence[int], version: int
) -> bytes:
    records = [_record(0x0809, struct.pack("<HHHHII", version, 0x0010, 0, 0, 0, 0))]
    records += [_record(0x007D, struct.pack("<HHHHHH", n, n, 2304, 0, 1, 0)) for n in hidden_columns]
    for line, row in enumerate(rows):
        flags = 0x0120 if line in hidden else 0x0100
        records.append(_record(0x0208, struct.pack("<HHHHHHI", line, 0, len(row), 255, 0, 0, flags)))
        for column, value in enumerate(row):
            style = column + 1 if column < len(formats) else 0
            if isinstance(value, str):
                text = struct.pack("<HB", len(value), 1) + value.encode("utf-16-le")
                records.append(_record(0x0204, struct.pack("<HHH", line, column, 0) + text))
            elif isinstance(value, int) and value < 2**28 and line % 2:  # two ways to write one: RK, several RK
                packed = struct.pack("<HI", style, value << 2 | 2)
                records.append(_record(0x00BD, struct.pack("<HH", line, column) + packed + struct.pack("<H", column)))
            elif value is not None:
                records.append(_record(0x0203, struct.pack("<HHHd", line, column, style, value)))
    return b"".join(records) + _record(0x000A, b"")


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def _compound(stream: bytes, *, small: bool) -> bytes:
    """Return a compound file of one stream: sector 0 is the table, 1 the directory, 2 the table of small sectors."""
    sectors = -(-len(stream) // _SECTOR)
    table = [0xFFFFFFFD, _END, _END, *range(4, 3 + sectors), _END]
    small_sectors = -(-len(stream) // 64)
    small_table = [*range(1, small_sectors), _END] if small else []
    root = _entry("Root Entry", 5, child=1, start=3 if small else _END, size=len(stream) if small else 0)
    book = _entry("Workbook", 2, child=_FREE, start=0 if small else 3, size=len(stream))
    header = struct.pack("<8s16xHHHHH6xIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0,
                         4096, 2 if small else _END, int(small), _END, 0, 0)  # fmt: skip
    return (
        header.ljust(_SECTOR, b"\xff")
        + _numbers(table)
        + (root + book).ljust(_SECTOR, b"\0")
        + _numbers(small_table)
        + stream.ljust(sectors * _SECTOR, b"\0")
    )


def _numbers(values: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(values)}I", *values).ljust(_SECTOR, b"\xff")


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    written = name.encode("utf-16-le")
    links = struct.pack("<HBBIII", len(written) + 2, kind, 1, _FREE, _FREE, child)
    return written.ljust(64, b"\0") + links + bytes(36) + struct.pack("<III", start, size, 0)


def xlsb(
    path: Path,
    rows: Cells,
    formats: Sequence[str] = (),
    *,
    hidden: Sequence[int] = (),
    hidden_columns: Sequence[int] = (),
    lines: Sequence[int] | None = None,
) -> Path:
    """Write an ``.xlsb`` of one sheet called 名单, with the arguments of `xls`, its rows in these lines, counted from 0."""
    office = "http://schemas.openxmlformats.org"
    relations = f'<Relationships xmlns="{office}/package/2006/relationships">'
    kind = f"{office}/officeDocument/2006/relationships"
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{office}/package/2006/content-types">'
        '<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/></Types>',
        "_rels/.rels": f'{relations}<Relationship Id="rId1" Type="{kind}/officeDocument" Target="xl/workbook.bin"/></Relationships>',
        "xl/_rels/workbook.bin.rels": f'{relations}<Relationship Id="rId1" Type="{kind}/worksheet" Target="worksheets/sheet1.bin"/>'
        f'<Relationship Id="rId2" Type="{kind}/styles" Target="styles.bin"/></Relationships>',
        "xl/workbook.bin": _part((131, b""), (143, b""), (156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide("名单")),
                                 (144, b""), (132, b"")),
        "xl/styles.bin": _part(
            (278, b""), (615, struct.pack("<I", len(formats))),
            *((44, struct.pack("<H", 164 + n) + _wide(one)) for n, one in enumerate(formats)), (616, b""),
            (617, struct.pack("<I", len(formats) + 1)), (47, bytes(16)),
            *((47, struct.pack("<HH", 0, 164 + n if one else 0) + bytes(12)) for n, one in enumerate(formats)),
            (618, b""), (279, b""),
        ),
        "xl/worksheets/sheet1.bin": _sheet_of_xlsb(rows, formats, hidden, hidden_columns, lines or range(len(rows))),
    }  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return path


def _sheet_of_xlsb(
    rows: Cells, formats: Sequence[str], hidden: Sequence[int], hidden_columns: Sequence[int], lines: Sequence[int]
) -> bytes:
    records = [(129, b""), (148, struct.pack("<IIII", 0, lines[-1], 0, max(map(len, rows)) - 1)), (390, b"")]
    records += [(60, struct.pack("<IIIIH", n, n, 2304, 0, 1)) for n in hidden_columns]
    records += [(391, b""), (145, b"")]
    for line, row in zip(lines, rows, strict=True):
        records.append((0, struct.pack("<IIHBBBI", line, 0, 300, 0, 0x10 if line in hidden else 0, 0, 0)))
        for column, value in enumerate(row):
            front = struct.pack("<II", column, column + 1 if column < len(formats) else 0)
            if isinstance(value, str):
                records.append((6, struct.pack("<II", column, 0) + _wide(value)))
            elif isinstance(value, int) and value < 2**28:
                records.append((2, front + struct.pack("<I", value << 2 | 2)))
            elif value is not None:
                records.append((5, front + struct.pack("<d", value)))
    return _part(*records, (146, b""), (130, b""))


def _part(*records: tuple[int, bytes]) -> bytes:
    written = b""
    for kind, body in records:
        number = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
        size = len(body)
        length = b""
        while size >= 128:
            length += bytes([size & 0x7F | 0x80])
            size >>= 7
        written += number + length + bytes([size]) + body
    return written


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")
