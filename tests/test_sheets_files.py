"""Files as they come, read for sure or refused with the line in doubt."""

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
from masanalytics.sheets.number_formats import BUILT_IN, shown
from tests.sheet_files import Book, book, text_file

__all__ = ["book"]


def customers(count: int = 1000) -> list[str]:
    return [f"{13800100000 + i},客{i}" for i in range(count)]


# ---- quotes and separators of text files


@pytest.mark.parametrize(
    ("second", "cell"),
    [(None, None), (509, '"客509'), (509, '客"'), (509, '""'), (509, '5" 屏')],
    ids=["never closed", "another one opens", "closed at a line's end", "closed and opened", "closed inside a cell"],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_an_unclosed_quote_is_an_error_with_its_line(
    tmp_path: Path, separator: str, second: int | None, cell: str | None
) -> None:
    """However the rest of the file closes it, a stray quote names the line where it opens, and nothing is read."""
    rows = customers()
    rows[9] = '13800100009,"客9'
    if second is not None:
        rows[second] = f"13800100509,{cell}"
    path = text_file(tmp_path, "\n".join(["手机号,姓名", *rows]).replace(",", separator))
    with pytest.raises(InputError, match=r"list\.csv, line 11: a quote opens here") as caught:
        read_sheet(path)
    assert "13800100010" not in str(caught.value) + caught.value.zh


SWALLOWED = {
    "a row without a number": '{0},"张三,北京\n,李四,上海\n{1},王五",天津\n',
    "its last cell": '{0},张三,"北京\n,李四,上海\n,王五,天津"\n',
    "two columns": '{0},"张三\n,李四"\n{1},王五\n{2},赵六\n',
    "the first cell": '"无,张三\n无",李四\n{1},王五\n{2},赵六\n',
}


@pytest.mark.parametrize("name", SWALLOWED)
def test_rows_without_a_number_that_a_quote_swallows(tmp_path: Path, name: str) -> None:
    """Built as rows are, in a column whose other cells have one line: refused, though no number shows it."""
    body = SWALLOWED[name].format("13800138000", "13800138001", "13800138002")
    rest = "13800138003,孙七" + ",广州" * (body.split("\n")[0].count(",") - 1) + "\n"
    header = "手机号,姓名,城市\n" if rest.count(",") == 2 else "手机号,姓名\n"
    with pytest.raises(InputError, match=r"line 2: a quote opens here and is closed lines below"):
        read_sheet(text_file(tmp_path, header + body + rest * 3))


def test_cells_over_several_lines_are_told_where_they_are_few(tmp_path: Path) -> None:
    """A short row that a quote swallows cannot be told from an address: the plan names the line. A column of texts has no such word."""
    rest = "".join(f"1380013800{row},客,路\n" for row in range(1, 4))
    frame = read_sheet(text_file(tmp_path, f'手机号,姓名,地址\n13800138000,客,"北京\n朝阳"\n{rest}'))
    made = plan(frame, phone="手机号", text="好", campaign="c", signature="某店")
    assert [(one.code, one.rows) for one in made.warnings] == [("several_lines", 1)]
    assert "line 2 of the file" in str(made.warnings[0])
    texts = "".join(f'1380013800{row},"您好,客{row}\n积分,明天到期"\n' for row in range(4))
    frame = read_sheet(text_file(tmp_path, f"手机号,短信内容\n{texts}", "b.csv"))
    assert plan(frame, phone="手机号", content="短信内容", campaign="c", signature="某店").warnings == ()


def test_quotes_that_are_right_are_read(tmp_path: Path) -> None:
    """A line break in an address, doubled quotes and quotes inside a cell are text."""
    content = '手机号,地址\n13800138000,"北京\n朝阳区"\n13800138001,5" 屏\n13800138002,"a ""b"" c"\n'
    frame = read_sheet(text_file(tmp_path, content))
    assert frame.to_dict("split") == {
        "index": [2, 4, 5],
        "columns": ["手机号", "地址"],
        "data": [["13800138000", "北京\n朝阳区"], ["13800138001", '5" 屏'], ["13800138002", 'a "b" c']],
    }


def test_a_line_wider_than_the_header_is_an_error(tmp_path: Path) -> None:
    """An unquoted comma shifts cells: the first such line is named, the others are counted; blank cells at the end are none."""
    content = '手机号,短信内容\n13800138000,您好，您的积分1,280分\n13800138001,您好\n13800138002, "您好,积分8分"\n'
    with pytest.raises(
        InputError,
        match=r"line 2: it has 3 cells, the header in line 1 has 2 \(138\*{4}8000 .*\. 1 more line is like it\.",
    ):
        read_sheet(text_file(tmp_path, content))
    assert read_sheet(text_file(tmp_path, "手机号,姓名\n13800138000,张三,,\n13800138001\n")).fillna(
        "-"
    ).values.tolist() == [
        ["13800138000", "张三"],
        ["13800138001", "-"],
    ]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("手机号,短信内容\n" + "13800138000,您好;账单已出;请查收\n" * 5, ["13800138000", "您好;账单已出;请查收"]),
        ("手机号,订单号\n" + "13800138000\t,231101123456789012\t\n" * 5, ["13800138000", "231101123456789012"]),
        ("手机号\t,姓名\t\n" + "13800138000\t,客\t\n" * 5, ["13800138000", "客"]),
        ("手机号\t内容\n" + "13800138000\t您,好,啊,是\n" * 5, ["13800138000", "您,好,啊,是"]),
        ("sep=;\n手机号;内容\n" + "13800138000;a,b\n" * 5, ["13800138000", "a,b"]),
    ],
    ids=["semicolons in texts", "tabs behind numbers", "tabs behind all cells", "commas in texts", "a sep= line"],
)
def test_the_separator_is_what_all_lines_agree_on(tmp_path: Path, content: str, rows: list[str]) -> None:
    """The separator that gives every line the same number of cells wins, however often another stands in the texts."""
    assert read_sheet(text_file(tmp_path, content)).values.tolist() == [rows] * 5


def test_the_user_decides(tmp_path: Path) -> None:
    """sep=, encoding= and header= are taken as they are said."""
    content = "说明,填写\n手机号;姓名\n13800138000;张三\n".encode("gb18030")
    path = text_file(tmp_path, content)
    assert read_sheet(path, sep=";", encoding="gb18030", header=2).values.tolist() == [["13800138000", "张三"]]
    assert read_sheet(path, sep=";", header=0).iloc[2].tolist() == ["13800138000", "张三"]
    with pytest.raises(InputError, match=r"list\.csv has no line 9"):
        read_sheet(path, sep=";", header=9)
    with pytest.raises(InputError, match="one character"):
        read_sheet(path, sep="ab")
    with pytest.raises(InputError, match="is not known"):
        read_sheet(path, encoding="utf-9")


# ---- encodings


@pytest.mark.parametrize(
    ("tail", "line"),
    [(b"13800138002,O\x92Neil\n", 4), ("13800138002,赵敏".encode()[:-2], 4), (b"\xff\xff\xff\n", 4)],
    ids=["a byte of another code page", "cut inside a character", "no text at all"],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_one_bad_byte_names_its_line(tmp_path: Path, tail: bytes, line: int, mark: bytes) -> None:
    """A UTF-8 file with a fault is not read as another encoding: the line is named and what the rest is."""
    path = text_file(tmp_path, mark + "phone,name\n13800138000,王芳\n13800138001,李娜\n".encode() + tail)
    with pytest.raises(
        InputError, match=rf"list\.csv, line {line}: the bytes .* are not UTF-8, which the rest of the file is"
    ):
        read_sheet(path)


def test_a_gb18030_file_with_a_bad_byte_names_its_line(tmp_path: Path) -> None:
    """The fault is not a reason to try a third encoding."""
    path = text_file(tmp_path, "手机号,姓名\n13800138000,王芳\n".encode("gb18030") + b"13800138001,\xff\xff\n")
    with pytest.raises(InputError, match=r"line 3: .* are not GB18030"):
        read_sheet(path)


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("gb18030", ["王芳", "镕喆"]),
        ("big5", ["王小芳", "陳大文"]),
        ("utf-16-le", ["王芳", "李娜"]),
        ("utf-16", ["王芳", "李娜"]),
    ],
)
def test_chinese_in_other_encodings(tmp_path: Path, encoding: str, names: list[str]) -> None:
    """GB18030 with rare characters, Big5, and UTF-16 with and without a mark are told apart by all their bytes."""
    heads = ("手機號", "姓名") if encoding == "big5" else ("手机号", "姓名")
    content = f"{heads[0]},{heads[1]}\n13800138000,{names[0]}\n13800138001,{names[1]}\n".encode(encoding)
    assert read_sheet(text_file(tmp_path, content))["姓名"].tolist() == names


def test_an_ascii_file_with_a_western_quote_is_refused(tmp_path: Path) -> None:
    """Nothing says what the byte is: it is not made a Chinese character."""
    with pytest.raises(InputError, match=r"line 2: .* neither UTF-8 nor GB18030 nor Big5 for sure"):
        read_sheet(text_file(tmp_path, b"phone,name\n13800138002,O\x92Neil\n"))


# ---- workbooks: which sheets and rows


def test_the_visible_sheet_is_read(tmp_path: Path) -> None:
    """A hidden sheet in front is passed over and named; by name it is read; only hidden ones are an error."""
    path = tmp_path / "b.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        old, new = workbook.add_worksheet("旧名单"), workbook.add_worksheet("本月名单")
        old.hide()
        new.activate()
        new.set_first_sheet()
        old.write_column(0, 0, ["手机号", "13900000001"])
        new.write_column(0, 0, ["手机号", "13800138000"])
    frame = read_sheet(path)
    assert frame["手机号"].tolist() == ["13800138000"]
    assert frame.attrs["read"]["sheets_not_read"] == [
        {"sheet": "旧名单", "kind": "hidden", "rows": 1, "columns": ["手机号"]}
    ]
    assert read_sheet(path, sheet="旧名单")["手机号"].tolist() == ["13900000001"]
    assert read_sheet(path, sheet="all")["手机号"].tolist() == ["13800138000"]


def test_rows_hidden_by_a_filter(tmp_path: Path) -> None:
    """They are counted; hidden="skip" leaves them out, "keep" takes them in."""
    path = tmp_path / "b.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        page = workbook.add_worksheet()
        page.write_row(0, 0, ["手机号", "城市"])
        page.autofilter("A1:B5")
        page.filter_column("B", "x == 北京")
        for line, city in enumerate(["北京", "上海", "北京", "上海"], 1):
            page.write_row(line, 0, [f"1380013800{line}", city])
            if city == "上海":
                page.set_row(line, None, None, {"hidden": True})
    read = {hidden: read_sheet(path, hidden=hidden) for hidden in (None, "skip", "keep")}
    assert {hidden: frame.index.tolist() for hidden, frame in read.items()} == {
        None: [2, 3, 4, 5],
        "skip": [2, 4],
        "keep": [2, 3, 4, 5],
    }
    assert [(frame.attrs["read"]["hidden"], frame.attrs["read"]["hidden_rows"]) for frame in read.values()] == [
        (2, "kept"),
        (2, "skip"),
        (2, "keep"),
    ]
    with pytest.raises(InputError, match="use 'skip' or 'keep'"):
        read_sheet(path, hidden="no")  # type: ignore[arg-type]


def test_several_sheets(book: Book) -> None:
    """What was not read is named; sheet="all" or a list gives one frame that says where each row stood."""
    path = book({"1月": [["手机号"], ["13800138000"]], "2月": [["手机号", "城市"], ["13800138001", "北京"]]})
    assert read_sheet(path).attrs["read"]["sheets_not_read"] == [
        {"sheet": "2月", "kind": "visible", "rows": 1, "columns": ["手机号", "城市"]}
    ]
    frame = read_sheet(path, sheet="all")
    assert frame[["手机号", "sheet"]].values.tolist() == [["13800138000", "1月"], ["13800138001", "2月"]]
    assert frame.attrs["read"]["sheet"] == ["1月", "2月"]
    assert read_sheet(path, sheet=[1])["城市"].tolist() == ["北京"]


def test_a_stray_cell_far_away_costs_nothing(tmp_path: Path) -> None:
    """A space in the last cell of the grid neither fills memory nor takes time; lines keep their numbers."""
    path = tmp_path / "stray.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        page = workbook.add_worksheet()
        page.write_row(0, 0, ["手机号", "姓名"])
        page.write_row(1, 0, ["13800138000", "张三"])
        page.write_row(500_000, 0, ["13800138001", "李四"])
        page.write(1_048_575, 16_383, " ")
    begun = time.process_time()
    frame = read_sheet(path)
    assert time.process_time() - begun < 5
    assert (frame.index.tolist(), frame["姓名"].tolist()) == ([2, 500_001], ["张三", "李四"])


# ---- headers


@pytest.mark.parametrize(
    "cells", [["13800138000", "13800138001"], ["+86 138 0013 8000", "13800138001"], [13800138000, 13800138001]]
)
def test_a_list_without_a_header_loses_nobody(tmp_path: Path, book: Book, cells: list[Any]) -> None:
    """A label that is itself a mobile number belongs to the list."""
    files = [book({"a": [[cell] for cell in cells]}), text_file(tmp_path, "\n".join(map(str, cells)), "black.txt")]
    for path in files:
        frame = read_sheet(path)
        assert (list(frame), len(frame), frame.attrs["read"]["header_line"]) == (["column 1"], 2, None)


def test_names_of_columns_are_folded(tmp_path: Path) -> None:
    """Invisible characters, a second byte-order mark and outer space are no part of a name; a name that comes twice is told."""
    frame = read_sheet(
        text_file(tmp_path, "\ufeff\ufeff\u200b手机号, 姓\u3000名 ,手机号\n13800138000,张三,x\n".encode())
    )
    assert list(frame) == ["手机号", "姓 名", "手机号.1"]
    assert frame.attrs["read"]["doubled_names"] == ["手机号"]


# ---- what a cell holds, and what it shows


def test_numbers_are_numbers_unless_digits_could_be_lost(book: Book, tmp_path: Path) -> None:
    """Integers, floats and dates get their dtypes; eleven digits, leading zeros and mixed cells stay text."""
    rows = [["电话", "年龄", "缺", "价", "编号", "混", "日"], [13800138000, 30, 1, 1.5, "007", 5, (46000, "yyyy/m/d")]]
    frame = read_sheet(book({"a": [*rows, [13900139000, 41, None, 2, "8", "x", (46001, "yyyy/m/d")]]}))
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        "电话": "str", "年龄": "int64", "缺": "Int64", "价": "float64", "编号": "str", "混": "str", "日": "datetime64[us]",
    }  # fmt: skip
    assert frame["年龄"].sum() == 71
    assert frame["混"].tolist() == ["5", "x"]
    text = read_sheet(text_file(tmp_path, "年龄,价,编号,日\n30,12.50,007,2025-04-14\n41,3.00,8,2025-04-15\n"))
    assert text.dtypes.astype(str).tolist() == ["int64", "float64", "str", "datetime64[us]"]
    assert text.attrs["read"]["formats"] == {"价": ["0.00"], "日": ["yyyy-mm-dd"]}


def test_what_a_zero_under_a_date_shows_is_no_date(book: Book) -> None:
    """A blank lookup shown as 1900/1/0 stays text beside dates; it never becomes 1 January 1900."""
    rows = [["到期日"], *([(value, "yyyy/m/d")] for value in (45761, 0))]
    assert read_sheet(book({"a": rows}))["到期日"].tolist() == ["2025/4/14", "1900/1/0"]


def test_leading_zeros_and_weekdays_of_number_formats(book: Book) -> None:
    """000012 is text as it is shown; a weekday is a date that knows how it is shown."""
    rows = [["取件码", "单号", "星期"], [(12, "000000"), (7, '"NO."0000'), (45761, "[$-804]aaaa")]]
    frame = read_sheet(book({"a": rows}))
    assert frame.values.tolist() == [["000012", "NO.0007", pd.Timestamp("2025-04-14")]]
    assert frame.attrs["read"]["formats"] == {"星期": ["[$-804]aaaa"]}


def test_digits_beyond_the_fifteenth_are_not_made_up(book: Book) -> None:
    """A long number in a numeric cell is text that says that its digits are lost."""
    frame = read_sheet(book({"a": [["订单号"], [231101123456789012], [123456789012]]}))
    assert frame["订单号"].tolist() == ["2.31101123456789E+17", "123456789012"]


@pytest.mark.parametrize("number", sorted(set(range(27, 37)) | set(range(50, 59))))
def test_chinese_date_formats_of_excel_are_dates(book: Book, number: int) -> None:
    """Every built-in format that Chinese Excel calls a date is read as one, never as digits of a serial number."""
    frame = read_sheet(book({"a": [["日"], [(45761.5, number)]]}))
    value = frame["日"].iloc[0]
    assert isinstance(value, dt.datetime | dt.time)
    assert shown(value, BUILT_IN[number]) is not None


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (1280, "#,##0", "1,280"), (12.5, "0.00", "12.50"), (0.125, "0%", "13%"), (1234.5, "¥#,##0.00", "¥1,234.50"),
        (-5, "#,##0;(#,##0)", "(5)"), (0, '0;-0;"-"', "-"), (3, '0"元"', "3元"), (12, "[红色]0", "12"), (0.3, "General", "0.3"),
        (0.1 + 0.2, "General", "0.3"), (5, "# ?/?", None), (5, "0.00E+00", None), (5, "[>3]0", None), (1 / 3, "General", None),
        (pd.Timestamp("2025-04-14 09:05"), "yyyy-mm-dd hh:mm", "2025-04-14 09:05"), (dt.date(2025, 4, 14), "[$-804]aaaa", "星期一"),
        (dt.date(2025, 4, 14), "[$-F800]dddd", None), (dt.time(9, 5), "h:mm", "9:05"), (dt.time(9, 5), "yyyy/m/d", None),
    ],
)  # fmt: skip
def test_a_format_shows_what_excel_shows_or_nothing(value: object, number_format: str, text: str | None) -> None:
    """What is not understood is None, never a guess."""
    assert shown(value, number_format) == text


# ---- files under another name


def test_a_workbook_that_is_a_web_page_says_so(tmp_path: Path) -> None:
    """Web systems export tables under the name .xls; text under that name is read."""
    page = text_file(tmp_path, b"<html><table><tr><td>1</td></tr></table></html>", "a.xls")
    with pytest.raises(InputError, match="is a web page under the name of a sheet"):
        read_sheet(page)
    text = text_file(tmp_path, "手机号\t姓名\n13800138000\t张三\n".encode("gb18030"), "b.xls")
    assert read_sheet(text).values.tolist() == [["13800138000", "张三"]]
