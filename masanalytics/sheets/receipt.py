"""What was read of a file and what was not, in two or three plain lines: the receipt in ``.attrs["read"]``, put into words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from masanalytics.i18n import N_, Text, _, ngettext

__all__ = ["receipt_lines", "receipt_of", "receipt_warnings"]

_SEPARATORS: Final = {",": N_("comma"), "\t": N_("tab"), ";": N_("semicolon"), "|": N_("bar")}


def receipt_of(frame: Any) -> Mapping[str, Any] | None:
    """Return the receipt that a frame carries; None where it was not read by `read_sheet`."""
    receipt = getattr(frame, "attrs", {}).get("read")
    return receipt if isinstance(receipt, Mapping) and "file" in receipt else None


def receipt_lines(receipt: Mapping[str, Any]) -> list[str]:
    """Return what was read, and what was not, in words.

    Examples
    --------
    >>> from masanalytics.i18n import use_language
    >>> receipt = {"file": "a.csv", "encoding": "utf-8", "separator": ",", "header_line": 1, "rows": 2, "blank": 1}
    >>> with use_language("en"):
    ...     receipt_lines(receipt)
    ['a.csv (utf-8, comma), header in line 1: 2 rows', 'not read: 1 blank row']
    """
    rows = ngettext("{count:,} row", "{count:,} rows", receipt.get("rows", 0))
    lines = [
        _(
            "{file}{details}{header}: {rows}",
            file=_file(receipt),
            details=_details(receipt),
            header=_header(receipt),
            rows=rows,
        )
    ]
    hidden = receipt.get("hidden_columns")
    if hidden:
        lines.append(_("hidden columns, read like the others: {list}", list=_(", ").join(map(str, hidden))))
    left = _left(receipt)
    if left:
        lines.append(_("not read: {list}", list=_("; ").join(left)))
    return lines


def _file(receipt: Mapping[str, Any]) -> str:
    sheet = receipt.get("sheet")
    if not sheet:
        return str(receipt["file"])
    return _(
        "{file}, sheet {sheet}", file=receipt["file"], sheet=sheet if isinstance(sheet, str) else _(", ").join(sheet)
    )


def _details(receipt: Mapping[str, Any]) -> str:
    if "encoding" not in receipt:
        return ""
    separator = receipt["separator"]
    return _(
        " ({encoding}, {separator})",
        encoding=receipt["encoding"].removesuffix("-sig"),
        separator=_(_SEPARATORS[separator]) if separator in _SEPARATORS else repr(separator),
    )


def _header(receipt: Mapping[str, Any]) -> str:
    if "header_line" not in receipt:
        return ""
    line = receipt["header_line"]
    if line is None:
        return _(", no header")
    return _(", header in line {line}", line=line if isinstance(line, int) else _(", ").join(map(str, line)))


def _left(receipt: Mapping[str, Any]) -> list[str]:
    left = []
    if receipt.get("above"):
        left.append(ngettext("{count:,} line above the header", "{count:,} lines above the header", receipt["above"]))
    if receipt.get("blank"):
        left.append(ngettext("{count:,} blank row", "{count:,} blank rows", receipt["blank"]))
    if receipt.get("hidden") and receipt.get("hidden_rows") == "skip":
        left.append(ngettext("{count:,} hidden row", "{count:,} hidden rows", receipt["hidden"]))
    if receipt.get("valueless"):
        left.append(
            ngettext(
                "{count:,} cell with an error or a formula that was not calculated",
                "{count:,} cells with an error or a formula that was not calculated",
                receipt["valueless"],
            )
        )
    for other in receipt.get("sheets_not_read", ()):
        sentence = N_("sheet {sheet} ({rows})") if other["kind"] == "visible" else N_("hidden sheet {sheet} ({rows})")
        rows = ngettext("{count:,} row", "{count:,} rows", other["rows"])
        left.append(_(sentence, sheet=other["sheet"], rows=rows))
    return left


def receipt_warnings(receipt: Mapping[str, Any]) -> list[tuple[int, Text]]:
    """Return what the owner of a sheet should look at before it is used: (how many rows it concerns, what it is)."""
    warnings = []
    if receipt.get("hidden") and receipt.get("hidden_rows") == "kept":
        warnings.append((receipt["hidden"], _hidden(receipt["hidden"])))
    visible = [other for other in receipt.get("sheets_not_read", ()) if other["kind"] == "visible"]
    warnings += [(other["rows"], _sheet_not_read(other["rows"], other["sheet"])) for other in visible]
    for column, lines in receipt.get("several_lines", {}).items():
        warnings.append((len(lines), _several_lines(column, lines)))
    if not receipt.get("formats_known", True):
        warnings.append((receipt["rows"], _formats_not_read(receipt["rows"], receipt["file"])))
    return warnings + [(receipt["rows"], _doubled(name)) for name in receipt.get("doubled_names", ())]


def _hidden(count: int) -> Text:
    return Text(
        "{count:,} row of the sheet is hidden by a filter and is included: hidden='skip' leaves it out, hidden='keep' says that it is"
        " meant",
        "{count:,} rows of the sheet are hidden by a filter and are included: hidden='skip' leaves them out, hidden='keep' says that"
        " they are meant",
        code="hidden_rows",
        count=count,
    )


def _sheet_not_read(count: int, sheet: str) -> Text:
    return Text(
        "{count:,} row of the sheet {sheet} was not read: sheet='all' reads every visible sheet",
        "{count:,} rows of the sheet {sheet} were not read: sheet='all' reads every visible sheet",
        code="sheet_not_read",
        count=count,
        sheet=sheet,
    )


def _formats_not_read(count: int, file: str) -> Text:
    return Text(
        "{count:,} row of {file}: how the sheet shows its numbers (000012, 15%) and which rows are hidden could not be read; look at"
        " numbers in the texts, or save it as .xlsx",
        "{count:,} rows of {file}: how the sheet shows its numbers (000012, 15%) and which rows are hidden could not be read; look at"
        " numbers in the texts, or save it as .xlsx",
        code="formats_not_read",
        count=count,
        file=file,
    )


def _several_lines(column: str, lines: Sequence[int]) -> Text:
    return Text(
        "{count:,} cell of {column} holds line breaks (line {line:,} of the file): where a quote too many has swallowed a row, that row"
        " is missing",
        "{count:,} cells of {column} hold line breaks (the first in line {line:,} of the file): where a quote too many has swallowed a"
        " row, that row is missing",
        code="several_lines",
        count=len(lines),
        column=column,
        line=lines[0],
    )


def _doubled(name: str) -> Text:
    return Text(
        "two columns of the sheet are called {name}: the second is {second} here",
        code="doubled_name",
        name=name,
        second=f"{name}.1",
    )
