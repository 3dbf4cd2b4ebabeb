"""What a sheet shows and hides is known of every kind of workbook, and told before anything is sent."""

from __future__ import annotations

import shutil
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xlsxwriter

from masanalytics.errors import InputError
from masanalytics.planning import plan
from masanalytics.sheets import read_sheet
from masanalytics.sheets.receipt import receipt_lines
from tests.binary_sheets import xls, xlsb
from tests.sheet_shapes import ods

PHONES = [f"1380013800{row}" for row in range(4)]
ROWS: list[list[Any]] = [
    ["手机号", "码", "日", "率", "分"],
    *([phone, row + 6, 45761 + row, 0.125 * row, 1280] for row, phone in enumerate(PHONES)),
]
FORMATS = ["", "000000", 'yyyy"年"m"月"d"日"', "0.0%", "#,##0"]
TEXT = "取件码{码}，{日}，{率}，{分}分"
WORDS = [
    f"取件码00000{row + 6}，2025年4月{14 + row}日，{rate}，1,280分"
    for row, rate in enumerate(["0.0%", "12.5%", "25.0%", "37.5%"])
]

STYLES = """
<number:number-style style:name="N1"><number:number number:decimal-places="0" number:min-integer-digits="6"/></number:number-style>
<number:date-style style:name="N2"><number:year number:style="long"/><number:text>年</number:text><number:month/>
<number:text>月</number:text><number:day/><number:text>日</number:text></number:date-style>
<number:percentage-style style:name="N3"><number:number number:decimal-places="1" number:min-integer-digits="1"/>
<number:text>%</number:text></number:percentage-style>
<number:number-style style:name="N4"><number:number number:decimal-places="0" number:min-integer-digits="1" number:grouping="true"/>
</number:number-style>
<style:style style:name="c1" style:family="table-cell" style:data-style-name="N1"/>
<style:style style:name="c2" style:family="table-cell" style:data-style-name="N2"/>
<style:style style:name="p3" style:family="table-cell" style:data-style-name="N3"/>
<style:style style:name="c3" style:family="table-cell" style:parent-style-name="p3"/>
<style:style style:name="c4" style:family="table-cell" style:data-style-name="N4"/>
"""


def ods_cell(value: object, style: str = "", kind: str = "float") -> str:
    """Return the XML of one cell of an OpenDocument sheet."""
    shown = f' table:style-name="{style}"' if style else ""
    if kind == "string":
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'
    name = "date-value" if kind == "date" else "value"
    return f'<table:table-cell{shown} office:value-type="{kind}" office:{name}="{value}"/>'


def ods_rows(hidden: int, visibility: str = "collapse") -> str:
    """Return the rows of `ROWS` as LibreOffice writes them: the last column's format is the column's, one column is hidden."""
    columns = '<table:table-column table:number-columns-repeated="3"/><table:table-column table:visibility="collapse"/>'
    columns += '<table:table-column table:default-cell-style-name="c4"/>'
    head = "".join(ods_cell(one, kind="string") for one in ROWS[0])
    rows = f"<table:table-row>{head}</table:table-row>"
    for row, phone in enumerate(PHONES):
        cells = (
            ods_cell(phone, kind="string") + ods_cell(row + 6, "c1") + ods_cell(f"2025-04-{14 + row}", "c2", "date")
            + ods_cell(0.125 * row, "c3", "percentage") + ods_cell(1280)
        )  # fmt: skip
        away = f' table:visibility="{visibility}"' if row + 1 == hidden else ""
        rows += f"<table:table-row{away}>{cells}</table:table-row>"
    return f"{columns}<table:table-row-group>{rows}</table:table-row-group>"


def xlsx(path: Path) -> Path:
    """Write the sheet as an ``.xlsx``."""
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet("名单")
        shapes = [book.add_format({"num_format": one or "General"}) for one in FORMATS]
        for line, row in enumerate(ROWS):
            for place, value in enumerate(row):
                page.write(line, place, value, shapes[place])
        page.set_row(2, None, None, {"hidden": True})
        page.set_column(3, 3, None, None, {"hidden": True})
    return path


def written(folder: Path, kind: str) -> Path:
    """Write the sheet as a file of this kind, with its third line and its fourth column hidden."""
    path = folder / f"list.{kind.partition(' ')[0]}"
    if kind.endswith("small"):
        return xls(path, {"名单": ROWS[:4]}, FORMATS, hidden=[2], hidden_columns=[3], small=True)
    if kind in ("xls", "et"):
        return xls(path, {"旧": [["x"]], "名单": ROWS}, FORMATS, hidden=[2], hidden_columns=[3])
    if kind == "xlsb":
        return xlsb(path, ROWS, FORMATS, hidden=[2], hidden_columns=[3])
    return ods(path, {"名单": ods_rows(2)}, STYLES) if kind == "ods" else xlsx(path)


KINDS = ["xlsx", "xlsm", "xlsb", "xls", "et", "ods"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_holds_what_the_sheet_shows(tmp_path: Path, kind: str) -> None:
    """Zeros in front, dates, percentages and thousands, in every kind of workbook."""
    frame = read_sheet(written(tmp_path, kind), sheet="名单", hidden="keep")
    made = plan(frame, phone="手机号", text=TEXT, campaign="c", signature="某店")
    assert (made.messages["phone"].tolist(), made.messages["content"].tolist()) == (PHONES, WORDS)
    assert {one.code for one in made.warnings} <= {"sheet_not_read"}


@pytest.mark.parametrize("kind", [*KINDS, "xls small"])
def test_hidden_rows_and_columns_are_told(tmp_path: Path, kind: str) -> None:
    """By default the plan warns of rows; skip leaves them out; columns are read and named in the receipt."""
    path = written(tmp_path, kind)
    frame = read_sheet(path, sheet="名单")
    made = plan(frame, phone="手机号", text="好", campaign="c", signature="某店")
    assert [(one.code, one.rows) for one in made.warnings if one.code != "sheet_not_read"] == [("hidden_rows", 1)]
    skipped = read_sheet(path, sheet="名单", hidden="skip")
    assert skipped["手机号"].tolist() == [phone for phone in frame["手机号"] if phone != PHONES[1]]
    assert frame.attrs["read"]["hidden_columns"] == ["率"]
    assert "hidden columns, read like the others: 率" in receipt_lines(frame.attrs["read"])


def test_rows_that_a_filter_of_libreoffice_hides(tmp_path: Path) -> None:
    """A filter says so in another word than a hand."""
    frame = read_sheet(ods(tmp_path / "a.ods", {"名单": ods_rows(3, "filter")}, STYLES), hidden="skip")
    assert frame["手机号"].tolist() == [PHONES[0], PHONES[1], PHONES[3]]


def test_a_list_of_numbers_counts_with_what_is_hidden(tmp_path: Path) -> None:
    """Where suppressing must be sure, a hidden row suppresses."""
    people = pd.DataFrame({"手机号": [*PHONES, "13900139000"]})
    for kind in KINDS:
        made = plan(people, phone="手机号", text="好", campaign="c", suppress=written(tmp_path, kind))
        assert made.messages["phone"].tolist() == ["13900139000"]


CODES = {
    # XML inside a number style -> what 1234.5 shows; None where that is not known
    '<number:number number:decimal-places="2" number:min-integer-digits="1"/>': "1234.50",
    '<number:number number:decimal-places="2" number:min-decimal-places="0" number:min-integer-digits="1"/>': "1234.5",
    '<number:number number:min-integer-digits="1"/>': "1234.5",
    '<number:currency-symbol>¥</number:currency-symbol><number:number number:decimal-places="2" number:min-integer-digits="1"'
    ' number:grouping="true"/>': "¥1,234.50",
    '<number:text>NO.</number:text><number:number number:decimal-places="0" number:min-integer-digits="8"/>': "NO.00001235",
    '<number:text>"</number:text><number:number number:decimal-places="0" number:min-integer-digits="1"/>': '"1235',
    '<number:number number:decimal-places="0" number:min-integer-digits="6" number:grouping="true"/>': None,
    '<number:number number:decimal-places="1" number:display-factor="1000"/>': None,
    '<number:scientific-number number:decimal-places="2" number:min-exponent-digits="2"/>': None,
    '<number:fraction number:min-numerator-digits="1"/>': None,
    '<number:number number:decimal-places="0" number:min-integer-digits="7"><number:embedded-text number:position="4">-'
    "</number:embedded-text></number:number>": None,
}  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_number_styles_of_opendocument(tmp_path: Path, code: str) -> None:
    """A style without a counterpart is not guessed: the row's text cannot be written without a format of the user's."""
    styles = (
        f'<number:number-style style:name="N1">{code}</number:number-style>'
        '<style:style style:name="c" style:family="table-cell" style:data-style-name="N1"/>'
    )
    assert one_text(ods(tmp_path / "a.ods", {"a": a_value(1234.5)}, styles)) == CODES[code]


MAPS = {
    ("value()&gt;=0",): ["12", "-12(赤)", "0"],
    ("value()&gt;0", "value()&lt;0"): ["12", "12", "0(赤)"],
    ("value()&gt;100",): [None, None, None],
}


@pytest.mark.parametrize("conditions", MAPS)
def test_styles_with_conditions(tmp_path: Path, conditions: tuple[str, ...]) -> None:
    """Positive, negative and zero as LibreOffice writes them become the sections of a format."""
    number = '<number:number number:decimal-places="0" number:min-integer-digits="1"/>'
    maps = "".join(f'<style:map style:condition="{one}" style:apply-style-name="P"/>' for one in conditions)
    minus = "<number:text>-</number:text>" if len(conditions) == 1 else ""
    styles = (
        f'<number:number-style style:name="P">{number}</number:number-style><number:number-style style:name="N1">{minus}{number}'
        f"<number:text>(赤)</number:text>{maps}</number:number-style>"
        '<style:style style:name="c" style:family="table-cell" style:data-style-name="N1"/>'
    )
    path = tmp_path / "a.ods"
    assert [one_text(ods(path, {"a": a_value(one)}, styles)) for one in (12, -12, 0)] == MAPS[conditions]


def a_value(value: float) -> str:
    """Return the rows of a sheet with one number, of style c."""
    head = ods_cell("手机号", kind="string") + ods_cell("v", kind="string")
    return f"<table:table-row>{head}</table:table-row><table:table-row>{ods_cell(PHONES[0], kind='string')}{ods_cell(value, 'c')}</table:table-row>"


def one_text(path: Path) -> Any:
    """Return what a text says of the number, None where it cannot be written."""
    try:
        return plan(read_sheet(path), phone="手机号", text="{v}", campaign="c").messages["content"].tolist()[0]
    except InputError as error:
        assert "which is not written here" in str(error)  # noqa: PT017 - refused in one case, read in another
        return None


def test_what_is_not_known_of_a_workbook_is_told(tmp_path: Path) -> None:
    """Of Excel 95 neither formats nor hidden rows are read: the plan says so, and hidden rows cannot be skipped."""
    path = xls(tmp_path / "old.xls", {"a": [[13800138000], [13800138001]]}, version=0x0500)
    frame = read_sheet(path)
    made = plan(frame, phone="column 1", text="好", campaign="c", signature="某店")
    assert [(one.code, one.rows) for one in made.warnings] == [("formats_not_read", 2)]
    with pytest.raises(InputError, match="which rows are hidden is not known of this workbook"):
        read_sheet(path, hidden="skip")


def test_a_workbook_under_another_workbook_s_name(tmp_path: Path) -> None:
    """Web systems call .xlsx files .xls: the content says what it is."""
    source = xlsx(tmp_path / "a.xlsx")
    for name in ("b.xls", "b.et", "b.xlsb"):
        frame = read_sheet(shutil.copy(source, tmp_path / name))
        assert (frame["手机号"].tolist(), frame.attrs["read"]["hidden"]) == (PHONES, 1)
    old = xls(tmp_path / "c.xls", {"名单": ROWS}, FORMATS)
    assert read_sheet(shutil.copy(old, tmp_path / "c.xlsx"))["码"].tolist() == ["000006", "000007", "000008", "000009"]


@pytest.mark.parametrize("kind", ["xls", "xls small", "xlsb", "ods"])
def test_a_damaged_workbook_of_another_kind(tmp_path: Path, kind: str) -> None:
    """Changed anywhere it is read or refused, cut it is whole or refused: it never breaks otherwise."""
    path = written(tmp_path, kind)
    raw = path.read_bytes()
    whole = len(read_sheet(path, sheet="名单"))
    cut = [raw[:place] for place in range(0, len(raw), max(1, len(raw) // 60))]
    changed = [
        raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :] for place in range(0, len(raw), 1 + len(raw) // 200)
    ]
    for content in cut + changed:
        path.write_bytes(content)
        try:
            frame = read_sheet(path, sheet="名单")
        except InputError:
            continue
        assert len(frame) == whole or content in changed


@pytest.mark.parametrize("columns", [1, 1_000])
@pytest.mark.parametrize("kind", ["xlsb", "ods"])
def test_a_cell_in_the_last_row_costs_nothing(tmp_path: Path, kind: str, columns: int) -> None:
    """Empty rows between are not made: neither a grid of a million rows nor one of a thousand columns beside them."""
    path = tmp_path / f"a.{kind}"
    if kind == "xlsb":
        rows: list[list[Any]] = [["手机号", "码"], [PHONES[0], 7], [None] * (columns - 1) + ["x"]]
        xlsb(path, rows, ["", "0000"], lines=[0, 1, 1_048_575], hidden=[1, 1_048_575])
    else:
        _ods_with_a_last_row(path, columns)
    tracemalloc.start()
    frame = read_sheet(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (frame.index.tolist(), frame["手机号"].iloc[0], frame["码"].iloc[0]) == ([2, 1_048_576], PHONES[0], "0007")
    assert frame.attrs["read"]["hidden"] == 2
    assert peak < 20_000_000


def _ods_with_a_last_row(path: Path, columns: int) -> None:
    """Write two rows, a million empty ones, and a cell in the last row; the last two rows with cells are hidden."""

    def text(value: str) -> str:
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'

    number = '<table:table-cell table:style-name="c" office:value-type="float" office:value="7"/>'
    before = f'<table:table-cell table:number-columns-repeated="{columns - 1}"/>' if columns > 1 else ""
    rows = (
        f"<table:table-row>{text('手机号')}{text('码')}</table:table-row>"
        f'<table:table-row table:visibility="filter">{text(PHONES[0])}{number}</table:table-row>'
        '<table:table-row table:number-rows-repeated="1048573">'
        f'<table:table-cell table:number-columns-repeated="{columns}"/></table:table-row>'
        f'<table:table-row table:visibility="collapse">{before}{text("x")}</table:table-row>'
    )
    styles = (
        '<number:number-style style:name="N1"><number:number number:decimal-places="0" number:min-integer-digits="4"/>'
        '</number:number-style><style:style style:name="c" style:family="table-cell" style:data-style-name="N1"/>'
    )
    ods(path, {"a": rows}, styles)


def test_wide_columns_of_a_binary_workbook_are_no_grid(tmp_path: Path) -> None:
    """The width of a hidden column (2,304 of 1/256 characters) is no count of columns: 20,000 rows are no 46 million cells."""
    rows: list[list[Any]] = [["手机号", "旧"], *([PHONES[0], "x"] for _ in range(20_000))]
    frame = read_sheet(xlsb(tmp_path / "a.xlsb", rows, hidden_columns=[1]))
    assert (len(frame), frame.attrs["read"]["hidden_columns"]) == (20_000, ["旧"])


def test_parts_of_a_package_that_are_missing(tmp_path: Path) -> None:
    """Without its styles nothing is known of formats, and the plan says so or shows plain numbers."""
    whole = written(tmp_path, "xlsb")
    path = tmp_path / "b.xlsb"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if name != "xl/styles.bin":
                target.writestr(name, source.read(name))
    assert read_sheet(path)["码"].tolist() == [6, 7, 8, 9]
