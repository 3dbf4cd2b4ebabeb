"""Workbooks in the shapes that other programs write, which xlsxwriter does not: made of their XML by hand."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

__all__ = ["STRICT", "TRANSITIONAL", "cell", "ods", "package", "rows_xml"]

TRANSITIONAL: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT: Final = "http://purl.oclc.org/ooxml/spreadsheetml/main"
_RELATIONS: Final = {
    TRANSITIONAL: "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    STRICT: "http://purl.oclc.org/ooxml/officeDocument/relationships",
}
_TYPES: Final = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>
</Types>"""
_STYLES: Final = """<numFmts count="3"><numFmt numFmtId="164" formatCode="000000"/><numFmt numFmtId="165" formatCode="yyyy/m/d"/>
<numFmt numFmtId="166" formatCode="#,##0"/></numFmts><fonts count="1"><font/></fonts><fills count="1"><fill/></fills>
<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="4"><xf numFmtId="0"/>
<xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/></cellXfs>"""


def cell(value: str | float, *, style: int = 0, place: str = "", kind: str = "") -> str:
    """Return the XML of one cell: text inline, a number as it is."""
    where = f' r="{place}"' if place else ""
    styled = f' s="{style}"' if style else ""
    if isinstance(value, str) and not kind:
        return f'<c{where}{styled} t="inlineStr"><is><t>{value}</t></is></c>'
    typed = f' t="{kind}"' if kind else ""
    return f"<c{where}{styled}{typed}><v>{value}</v></c>"


def rows_xml(*rows: str) -> str:
    """Return rows of cells without places, as some programs write them."""
    return "".join(f"<row>{row}</row>" for row in rows)


def package(
    path: Path,
    rows: str,
    *,
    shared: str = "",
    around: tuple[str, str] = ("", ""),
    book: str = "",
    main: str = TRANSITIONAL,
) -> Path:
    """Write a workbook of one sheet.

    Parameters
    ----------
    path : Path
        Where to.
    rows : str
        The XML inside ``sheetData``.
    shared : str
        The XML of the shared strings.
    around : (str, str)
        What stands before and behind ``sheetData``, such as a dimension or merged cells.
    book : str
        What stands before the sheets in the workbook's XML.
    main : str
        The namespace: transitional, or strict as Excel's "Strict Open XML" writes it.
    """
    relations = _RELATIONS[main]
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{relations}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{relations}/styles" Target="styles.xml"/>'
        f'<Relationship Id="rId3" Type="{relations}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{relations}">{book}'
        '<sheets><sheet name="名单" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}">{_STYLES}</styleSheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{shared}</sst>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}" xmlns:r="{relations}">{around[0]}'
        f"<sheetData>{rows}</sheetData>{around[1]}</worksheet>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return path


def with_prefix(path: Path, prefix: str = "x") -> Path:
    """Rewrite a workbook of `package` so that every element carries a prefix, as some libraries write it."""
    with zipfile.ZipFile(path) as source:
        parts = {name: source.read(name).decode() for name in source.namelist()}
    for name in ("xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml", "xl/sharedStrings.xml"):
        opened = parts[name].replace("</", "\0").replace("<", f"<{prefix}:").replace("\0", f"</{prefix}:")
        parts[name] = opened.replace(' xmlns="', f' xmlns:{prefix}="')
    with zipfile.ZipFile(path, "w") as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return path


def ods(path: Path, sheets: dict[str, str], styles: str = "") -> Path:
    """Write an OpenDocument workbook of {sheet: XML of its rows}, with the XML of its automatic styles."""
    office = "urn:oasis:names:tc:opendocument:xmlns:"
    tables = "".join(f'<table:table table:name="{name}">{rows}</table:table>' for name, rows in sheets.items())
    content = (
        f'<office:document-content xmlns:office="{office}office:1.0" xmlns:table="{office}table:1.0"'
        f' xmlns:text="{office}text:1.0" xmlns:style="{office}style:1.0" xmlns:number="{office}datastyle:1.0">'
        f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        target.writestr("content.xml", content)
        target.writestr(
            "META-INF/manifest.xml",
            '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>',
        )
    return path
