"""Files in the shapes that programs write them: what must come out of each, row by row."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xlsxwriter

from masanalytics.errors import InputError
from masanalytics.planning import plan
from masanalytics.sheets import read_sheet
from tests.sheet_files import Book, book, text_file
from tests.sheet_shapes import STRICT, cell, ods, package, rows_xml, with_prefix

__all__ = ["book"]

A, B, C = "13800138000", "13800138001", "13800138002"
TWO = [[A, "张三"], [B, "李四"]]
HEAD = ["手机号", "姓名"]
NA = None


def read(path: Path, **options: Any) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and the rows of a file, None where a cell is missing."""
    frame = read_sheet(path, **options)
    return list(map(str, frame)), [
        [None if pd.isna(one) else one for one in row] for row in frame.astype(object).values.tolist()
    ]


# ---- text files that are read

TEXTS: dict[str, tuple[bytes, list[str], list[list[Any]]]] = {
    "excel csv in gbk": ("手机号,姓名\r\n13800138000,张三\r\n13800138001,李四\r\n".encode("gbk"), HEAD, TWO),
    "excel csv utf-8 with a mark": ("\ufeff手机号,姓名\r\n13800138000,张三\r\n13800138001,李四\r\n".encode(), HEAD, TWO),
    "excel unicode text": ("手机号\t姓名\r\n13800138000\t张三\r\n13800138001\t李四\r\n".encode("utf-16"), HEAD, TWO),
    "utf-16 big-endian, no mark": ("手机号\t姓名\n13800138000\t张三\n13800138001\t李四\n".encode("utf-16-be"), HEAD, TWO),
    "utf-32 with a mark": ("手机号,姓名\n13800138000,张三\n13800138001,李四\n".encode("utf-32"), HEAD, TWO),
    "digits alone in utf-16, no mark": (f"{A}\n{B}\n".encode("utf-16-le"), ["column 1"], [[A], [B]]),
    "gb18030 with rare names": (
        "手机号,姓名\n13800138000,王㐂\n13800138001,李䶮\n13800138002,陈堃\n".encode("gb18030"),
        HEAD,
        [[A, "王㐂"], [B, "李䶮"], [C, "陈堃"]],
    ),
    "big5 of Taiwan": (
        "手機號,姓名,地址\n13800138000,陳大文,臺北市信義區\n".encode("big5"),
        ["手機號", "姓名", "地址"],
        [[A, "陳大文", "臺北市信義區"]],
    ),
    "wps, semicolons declared": ("sep=;\n手机号;姓名\n13800138000;张三\n13800138001;李四\n".encode(), HEAD, TWO),
    "old Mac line ends": ("手机号,姓名\r13800138000,张三\r13800138001,李四\r".encode(), HEAD, TWO),
    "line ends of three kinds": ("手机号,姓名\r\n13800138000,张三\n13800138001,李四\r".encode(), HEAD, TWO),
    "line ends doubled by a text mode": ("手机号,姓名\r\r\n13800138000,张三\r\r\n13800138001,李四\r\r\n".encode(), HEAD, TWO),
    "Ctrl-Z at the end": ("手机号,姓名\r\n13800138000,张三\r\n13800138001,李四\r\n\x1a".encode(), HEAD, TWO),
    "no line end at the end": ("手机号,姓名\n13800138000,张三\n13800138001,李四".encode(), HEAD, TWO),
    "pandas, every cell quoted": ('"手机号","姓名"\n"13800138000","张三"\n"13800138001","李四"\n'.encode(), HEAD, TWO),
    "two files put together": (
        f"\ufeff手机号,姓名\n{A},张三\n\ufeff手机号,姓名\n{B},李四\n".encode(),
        HEAD,
        [[A, "张三"], HEAD, [B, "李四"]],
    ),
    "mysql dump with tabs and \\N": (
        f"手机号\t姓名\t城市\n{A}\t\\N\t北京\n{B}\t李\\t四\t\\N\n".encode(),
        [*HEAD, "城市"],
        [[A, "\\N", "北京"], [B, "李\\t四", "\\N"]],
    ),
    "psql, aligned with bars": (
        f"   手机号    | 姓名 \n-------------+------\n {A} | 张三\n(1 row)\n".encode(),
        HEAD,
        [["-------------+------", NA], [f" {A} ", " 张三"], ["(1 row)", NA]],
    ),
    "a shop, text as formulas": (
        f'手机号,取件码\n="{A}",="000012"\n"=""{B}""","=""000013"""\n'.encode(),
        ["手机号", "取件码"],
        [[A, "000012"], [B, "000013"]],
    ),
    "a shop, tabs behind numbers": (f"手机号,单号\n{A}\t,230123456789012345\t\n".encode(), ["手机号", "单号"], [[A, "230123456789012345"]]),
    "a shop, an address over two lines": (
        f'手机号,姓名,地址\r\n{A},张三,"北京市\r\n朝阳区 1 号"\r\n{B},李四,上海\r\n'.encode("gbk"),
        [*HEAD, "地址"],
        [[A, "张三", "北京市\r\n朝阳区 1 号"], [B, "李四", "上海"]],
    ),
    "a text over two lines with commas": (
        f'手机号,短信内容\n{A},"您好,张三\n积分,明天到期"\n'.encode(),
        ["手机号", "短信内容"],
        [[A, "您好,张三\n积分,明天到期"]],
    ),
    "a bank, six lines before the header and a footer": (
        "交易记录明细查询\n账号:[13800138009]\n起始日期:[2025-01-01]\n终止日期:[2025-02-01]\n\n--------明细列表--------\n"
        f"交易号   ,手机号  ,金额（元）,\n20190101220014\t,{A}\t,12.50,\n20190101220015\t,{B}\t,3.00,\n共2笔记录\n".encode("gbk"),
        ["交易号", "手机号", "金额（元）"],
        [["20190101220014", A, 12.5], ["20190101220015", B, 3.0], ["共2笔记录", NA, NA]],
    ),
    "a printed list, headers again and a page's foot": (
        f"客户名单,,\n手机号,姓名,城市\n{A},张三,北京\n第1页,,\n\x0c手机号,姓名,城市\n{B},李四,上海\n合计,2,\n".encode(),
        [*HEAD, "城市"],
        [[A, "张三", "北京"], ["第1页", NA, NA], ["\x0c手机号", "姓名", "城市"], [B, "李四", "上海"], ["合计", "2", NA]],
    ),
    "short rows, blank lines, blank cells in front": (
        f",,\n\n,手机号,姓名\n,,\n,{A}\n,{B},李四\n".encode(),
        HEAD,
        [[A, NA], [B, "李四"]],
    ),
    "a header that shows an example": (
        f"手机号（如13800138000）,姓名\n{B},李四\n".encode(),
        ["手机号（如13800138000）", "姓名"],
        [[B, "李四"]],
    ),
    "a name that another column has for its second": (
        f"手机号,a,a,a.1\n{A},1,2,3\n".encode(),
        ["手机号", "a", "a.2", "a.1"],
        [[A, 1, 2, 3]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_file_is_read(tmp_path: Path, name: str) -> None:
    """Each shape gives these columns and these rows."""
    raw, columns, rows = TEXTS[name]
    assert read(text_file(tmp_path, raw)) == (columns, rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("separator", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_with_every_separator(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    """What a program can choose of the three, it may choose."""
    text = end.join(separator.join(row) for row in [HEAD, *TWO]) + end
    assert read(text_file(tmp_path, text.encode(encoding))) == (HEAD, TWO)


# ---- text files that are refused

REFUSED: dict[str, tuple[bytes, str]] = {
    "a gbk file with a line of utf-8": ("手机号,姓名\n13800138000,王芳\n".encode("gbk") * 9 + f"{B},李娜\n".encode(), "line 19: .* not GB18030"),
    "a utf-8 file with a line of gbk": ("手机号,姓名\n13800138000,王芳\n".encode() * 9 + f"{B},李娜\n".encode("gbk"), "line 19: .* not UTF-8"),
    "a big5 file with a line of utf-8": ("手機號,姓名\n13800138000,陳大文\n".encode("big5") * 9 + f"{B},李娜\n".encode(), "line 19: the bytes"),
    "a file filled up with zeros": (f"手机号,姓名\n{A},张三\n".encode() + b"\0" * 64, "line 3: a zero byte"),
    "a quote written with a backslash": (f'手机号,姓名,城市\n{A},"张\\",三"\n{B},李四,北京\n'.encode(), "line 2: what stands in quotes is cut"),
    "a quote behind a space": (f'手机号,姓名,城市\n{A}, "张,三"\n{B},李四,北京\n'.encode(), "line 2: what stands in quotes is cut"),
    "a line break written with a backslash": (f"手机号\t姓名\t城市\n{A}\t张\\\n三\t北京\n".encode(), "line 2: the line ends in a backslash"),
    "a page of a web system": (b"<!DOCTYPE html>\n<html><body>login, please</body></html>", "is a web page"),
    "a page with a mark": (b"\xef\xbb\xbf<html><table>\t,</table></html>", "is a web page"),
    "a page saved with its pictures": (b'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="-"\t,\n', "is a web page"),
    "cut inside a character": (f"手机号,姓名\n{A},张三\n{B},李".encode()[:-1], "line 3: .* not UTF-8"),
    "cut inside a character of gbk": (f"手机号,姓名\n{A},张三\n{B},李".encode("gbk")[:-1], "line 3: .* not GB18030"),
    "cut inside quotes": (f'手机号,姓名\n{A},"张'.encode(), "line 2: a quote opens here"),
    "latin letters of another code page": ("phone,name\n13800138000,Zoë\n".encode("latin-1"), "line 2: the bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("suffix", [".csv", ".xls"])
def test_a_text_file_is_refused(tmp_path: Path, name: str, suffix: str) -> None:
    """Nothing is guessed: the line is named, and no whole number stands in the message."""
    raw, words = REFUSED[name]
    with pytest.raises(InputError, match=words) as caught:
        read_sheet(text_file(tmp_path, raw, f"list{suffix}"))
    assert A not in str(caught.value) + caught.value.zh
    assert B not in str(caught.value) + caught.value.zh


# ---- workbooks


def test_workbooks_without_places_and_with_a_wrong_dimension(tmp_path: Path) -> None:
    """Cells without r=, a dimension that is wrong or missing, and a prefix before every element change nothing."""
    rows = rows_xml(cell("手机号") + cell("码"), cell(A) + cell(12, style=1), cell(B) + cell(7, style=1))
    expected = (["手机号", "码"], [[A, "000012"], [B, "000007"]])
    for dimension in ("", '<dimension ref="A1"/>', '<dimension ref="A1:XFD1048576"/>'):
        path = package(tmp_path / "a.xlsx", rows, around=(dimension, ""))
        assert read(path) == expected
        assert read(with_prefix(path)) == expected


@pytest.mark.parametrize(
    "attributes", ['r="B2" t="n" s="1"', 'r="B2"  s="1"', "r='B2' s='1'", 's="1" r="B2"', '\nr="B2"\ns="1"']
)
def test_attributes_in_any_order(tmp_path: Path, attributes: str) -> None:
    """A cell's format is found however its attributes are written."""
    rows = f'<row r="1">{cell("码", place="B1")}</row><row r="2"><c {attributes}><v>12</v></c></row>'
    assert read(package(tmp_path / "a.xlsx", rows)) == (["码"], [["000012"]])


def test_strict_open_xml_with_iso_dates(tmp_path: Path) -> None:
    """Excel's strict form has other namespaces, and dates as text."""
    rows = rows_xml(cell("手机号") + cell("日"), cell(A) + cell("2025-04-14", style=2, kind="d"))
    path = package(tmp_path / "a.xlsx", rows, main=STRICT)
    assert read(path) == (["手机号", "日"], [[A, pd.Timestamp("2025-04-14")]])


def test_rich_text_phonetics_and_escapes(tmp_path: Path) -> None:
    """Runs are put together, what is printed above characters is left out, _x000D_ is a line end."""
    shared = (
        "<si><t>手机号</t></si><si><t>姓名</t></si><si><r><t>张</t></r><r><rPr><b/></rPr><t>三</t></r></si>"
        '<si><t>李四</t><rPh sb="0" eb="2"><t>Li Si</t></rPh></si><si><t xml:space="preserve">甲_x000D_\n乙</t></si>'
    )
    rows = rows_xml(
        *(cell(f"{one}", kind="s") + cell(f"{two}", kind="s") for one, two in [(0, 1)]),
        *(cell(phone) + cell(f"{name}", kind="s") for phone, name in [(A, 2), (B, 3), (C, 4)]),
    )
    assert read(package(tmp_path / "a.xlsx", rows, shared=shared)) == (
        HEAD,
        [[A, "张三"], [B, "李四"], [C, "甲\r\n乙"]],
    )


@pytest.mark.parametrize("book_xml", ['<workbookPr date1904="1"/>', '<workbookPr/><workbookPr date1904="true"/>'])
def test_dates_that_count_from_1904(tmp_path: Path, book_xml: str) -> None:
    """Workbooks of old Macs count days from 1904."""
    path = package(tmp_path / "a.xlsx", rows_xml(cell("日"), cell(44299, style=2)), book=book_xml)
    assert read(path) == (["日"], [[pd.Timestamp("2025-04-14")]])


def test_formulas_and_errors(tmp_path: Path) -> None:
    """A formula has the value that was kept beside it, or none; an error cell is blank to a plan."""
    rows = rows_xml(
        cell("手机号") + cell("分"), cell(A) + "<c><f>1+1</f><v>2</v></c>", cell(B) + "<c><f>1+1</f></c>",
        cell(C) + '<c t="e"><f>1/0</f><v>#DIV/0!</v></c>',
    )  # fmt: skip
    made = plan(read_sheet(package(tmp_path / "a.xlsx", rows)), phone="手机号", text="{分}分", campaign="c")
    assert (made.messages["content"].tolist(), made.excluded["reason"].tolist()) == (["2分"], ["missing_value"] * 2)


@pytest.mark.parametrize(
    "hidden", ['hidden="1"', "hidden='true'", 'ht="0" customHeight="1"', 'hidden="1" outlineLevel="1"']
)
def test_rows_hidden_in_any_way(tmp_path: Path, hidden: str) -> None:
    """By a filter, folded into an outline, or no height at all."""
    rows = f"<row>{cell('手机号')}</row><row {hidden}>{cell(A)}</row><row>{cell(B)}</row>"
    path = package(tmp_path / "a.xlsx", rows)
    assert read_sheet(path).attrs["read"]["hidden"] == 1
    assert read(path, hidden="skip") == (["手机号"], [[B]])
    assert read(with_prefix(path), hidden="skip") == (["手机号"], [[B]])


def test_cells_merged_downwards_and_header_over_two_lines(tmp_path: Path) -> None:
    """The upper cell holds the value; of two header lines the user names the lower, and the error says which was taken."""
    path = tmp_path / "m.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        page = workbook.add_worksheet()
        page.merge_range("A1:B1", "基本信息")
        page.merge_range("C1:D1", "联系方式")
        page.write_row(1, 0, ["姓名", "门店", "手机号", "城市"])
        page.merge_range("B3:B4", "一店")
        page.write_row(2, 2, [A, "北京"])
        page.write_row(3, 2, [B, "上海"])
        page.write_column(2, 0, ["张三", "李四"])
    with pytest.raises(InputError, match=r"no column '手机号' .*\. The header was taken from line 1 of m\.xlsx"):
        plan(read_sheet(path), phone="手机号", text="好", campaign="c")
    assert read(path, header=2) == (
        ["姓名", "门店", "手机号", "城市"],
        [["张三", "一店", A, "北京"], ["李四", NA, B, "上海"]],
    )


def test_blank_styled_rows_cost_little(tmp_path: Path) -> None:
    """300,000 coloured rows below the list are no customers."""
    path = tmp_path / "s.xlsx"
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as workbook:
        page, colour = workbook.add_worksheet(), workbook.add_format({"bg_color": "yellow"})
        page.write_row(0, 0, HEAD)
        page.write_row(1, 0, [A, "张三"])
        for line in range(2, 60_000):
            page.write_blank(line, 0, None, colour)
    begun = time.process_time()
    assert read(path) == (HEAD, [[A, "张三"]])
    assert time.process_time() - begun < 5


def test_macros_links_and_more_columns_than_names(tmp_path: Path) -> None:
    """An .xlsm is read like an .xlsx; a link is its text; a column without a name is called by its place."""
    path = tmp_path / "m.xlsm"
    with xlsxwriter.Workbook(str(path)) as workbook:
        page = workbook.add_worksheet()
        page.write_row(0, 0, HEAD)
        page.write_row(1, 0, [A, "", "x"])
        page.write_url(1, 1, "https://example.com", string="张三")
    assert read(path) == ([*HEAD, "column 3"], [[A, "张三", "x"]])


def test_dates_and_times_of_a_workbook(book: Book) -> None:
    """Dates are datetime64, times of day stay times, a column of both is what the sheet shows."""
    rows = [
        ["日", "时", "混"],
        [(45761, "yyyy/m/d"), (0.375, "h:mm"), (45761, "yyyy/m/d")],
        [(45762, "yyyy/m/d"), (0.5, "h:mm"), "待定"],
    ]
    assert read(book({"a": rows})) == (
        ["日", "时", "混"],
        [[pd.Timestamp("2025-04-14"), dt.time(9), "2025/4/14"], [pd.Timestamp("2025-04-15"), dt.time(12), "待定"]],
    )  # fmt: skip


@pytest.mark.parametrize("number", [5, 7, 42, 44, 59])
def test_a_format_that_differs_between_countries_is_not_guessed(book: Book, number: int) -> None:
    """A currency named by number alone is ¥ here and $ there: without a format of the user's nothing is written."""
    frame = read_sheet(book({"a": [["手机号", "金额"], [A, (1280, number)]]}))
    with pytest.raises(InputError, match="as a format that is not known here, which is not written here"):
        plan(frame, phone="手机号", text="{金额}", campaign="c")
    assert plan(frame, phone="手机号", text="{金额:,d}元", campaign="c").messages["content"].tolist() == ["1,280元"]


def test_sheets_that_show_a_column_differently(book: Book) -> None:
    """1280 in one sheet and 1,280 in another need a format, in whichever order they come."""
    sheets = {"1": [["手机号", "分"], [A, (1280, "#,##0")]], "2": [["手机号", "分"], [B, 1280]]}
    for path in (book(sheets), book(dict(reversed(sheets.items())), "b.xlsx")):
        with pytest.raises(InputError, match="in several formats"):
            plan(read_sheet(path, sheet="all"), phone="手机号", text="{分}", campaign="c")


def test_an_opendocument_workbook(tmp_path: Path) -> None:
    """Cells repeated, rows repeated to the end of the sheet; every sheet of a list counts."""

    def text(value: str) -> str:
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'

    def row(cells: str) -> str:
        return f"<table:table-row>{cells}</table:table-row>"

    number = '<table:table-cell office:value-type="float" office:value="{}" table:number-columns-repeated="2"/>'
    path = ods(
        tmp_path / "a.ods",
        {
            "1月": row(text("手机号") + text("a") + text("b")) + row(text(A) + number.format(5))
            + '<table:table-row table:number-rows-repeated="1048574"><table:table-cell/></table:table-row>',
            "2月": row(text("手机号")) + row(text(B)),
        },
    )  # fmt: skip
    assert read(path) == (["手机号", "a", "b"], [[A, 5, 5]])
    made = plan(read_sheet(path), phone="手机号", text="{a}", campaign="c")
    assert [warning.code for warning in made.warnings if warning.code != "signature_unknown"] == ["sheet_not_read"]
    people = pd.DataFrame({"手机号": [A, B, C]})
    assert plan(people, phone="手机号", text="好", campaign="c", suppress=path).messages["phone"].tolist() == [C]


# ---- files that are damaged, or not what they are called


def test_a_damaged_workbook_is_refused(book: Book) -> None:
    """Cut at any place, or changed in any byte, it is read whole or refused: it never breaks otherwise and never loses a row."""
    whole = book({"a": [HEAD, *([f"138001380{i:02d}", f"客{i}"] for i in range(50))]})
    raw = whole.read_bytes()
    rows = read(whole)
    damaged = [raw[:place] for place in range(0, len(raw), 97)]
    damaged += [raw[:place] + bytes([raw[place] ^ 0x55]) + raw[place + 1 :] for place in range(0, len(raw), 41)]
    refused = 0
    for content in damaged:
        whole.write_bytes(content)
        try:
            assert read(whole) == rows
        except InputError:
            refused += 1
    assert refused > len(damaged) / 2


def test_files_under_another_name_are_refused(tmp_path: Path, book: Book) -> None:
    """A workbook that is called .csv, and the reverse."""
    renamed = book({"a": [HEAD, *TWO]}).rename(tmp_path / "b.csv")
    with pytest.raises(InputError):
        read_sheet(renamed)
    with pytest.raises(InputError, match="is no workbook but text"):
        read_sheet(text_file(tmp_path, f"手机号\n{A}\n", "c.xlsx"))


# ---- lists of numbers


def test_a_frame_of_one_sheet_of_a_suppression_list_is_told(book: Book) -> None:
    """The other sheets keep nobody out, and the plan says so; the file itself counts with hidden sheets too."""
    path = book({"1月": [["手机号"], [A]], "2月": [["手机号"], [B]]})
    people = pd.DataFrame({"手机号": [A, B, C]})
    made = plan(people, phone="手机号", text="好", campaign="c", signature="x", suppress=read_sheet(path))
    assert [(one.code, one.rows) for one in made.warnings] == [("suppression_sheet_not_read", 1)]
    with xlsxwriter.Workbook(str(path)) as workbook:
        page, old = workbook.add_worksheet("新"), workbook.add_worksheet("旧")
        page.write_column(0, 0, ["手机号", A])
        old.write_column(0, 0, ["手机号", B])
        old.hide()
    assert plan(people, phone="手机号", text="好", campaign="c", suppress=path).messages["phone"].tolist() == [C]


def test_the_sheet_that_has_the_column_is_named(book: Book) -> None:
    """A cover sheet in front of the list: the error says which sheet is meant."""
    path = book({"填写说明": [["请按格式填写"], ["谢谢"]], "名单": [["手机号"], [A]]})
    with pytest.raises(
        InputError, match=r"The sheet 名单 of book\.xlsx, which was not read, has '手机号': say sheet='名单'"
    ):
        plan(read_sheet(path), phone="手机号", text="好", campaign="c")


def test_a_column_that_is_there_twice_is_an_error_when_used(tmp_path: Path) -> None:
    """Which of the two is meant is not guessed; without the other it is clear."""
    frame = read_sheet(text_file(tmp_path, f"手机号,手机号,姓名\n{A},{B},张三\n"))
    with pytest.raises(InputError, match="more than one column is called '手机号'"):
        plan(frame, phone="手机号", text="好", campaign="c")
    assert plan(frame.drop(columns="手机号.1"), phone="手机号", text="好", campaign="c").messages["phone"].tolist() == [
        A
    ]
