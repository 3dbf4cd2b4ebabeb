"""From a file to a plan: what the sheet shows is what is said, nobody gets another row's text, no listed person is written to."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xlsxwriter

from masanalytics.errors import InputError
from masanalytics.planning import Plan, plan
from masanalytics.sheets import read_sheet
from tests.sheet_files import Book, book, text_file

__all__ = ["book"]

A, B, C = "13800138000", "13800138001", "13800138002"


def planned(frame: pd.DataFrame, text: str = "您好", **more: Any) -> Plan:
    return plan(frame, phone="手机号", campaign="x", signature="某店", text=text, **more)


def contents(made: Plan) -> list[str]:
    return list(made.messages["content"])


# ---- what the sheet shows


def test_a_text_says_what_the_sheet_shows(book: Book) -> None:
    """Leading zeros, weekdays, Chinese dates, thousands and percentages are written as Excel shows them."""
    rows: list[list[Any]] = [["手机号", "码", "周", "日", "分", "折", "价"]]
    rows.append([A, (12, "000000"), (45761, "aaaa"), (45761, 31), (1280, "#,##0"), (0.85, "0%"), (12.5, "¥0.00")])
    made = planned(read_sheet(book({"a": rows})), "{码} {周} {日} {分} {折} {价}")
    assert contents(made) == ["000012 星期一 2025年4月14日 1,280 85% ¥12.50"]


def test_what_the_sheet_shows_is_not_known(book: Book) -> None:
    """A row whose format is not understood is left out; with a format of the user's it is written."""
    frame = read_sheet(book({"a": [["手机号", "数"], [A, (0.5, "# ?/?")], [B, (0.25, "# ?/?")]]}))
    with pytest.raises(
        InputError, match=r"shows the column '数' as # \?/\?, which is not written here \(the first value is 0.5\)"
    ):
        planned(frame, "{数}")
    assert contents(planned(frame, "{数:.2f}")) == ["0.50", "0.25"]


def test_a_column_in_several_formats_needs_a_format(book: Book) -> None:
    """Which of them is meant is not guessed."""
    frame = read_sheet(book({"a": [["手机号", "价"], [A, (12.5, "0.00")], [B, (3, "0%")]]}))
    with pytest.raises(InputError, match=r"in several formats \(0%, 0\.00\)"):
        planned(frame, "{价}元")


def test_a_zero_under_a_date_is_left_out(book: Book) -> None:
    """A lookup of a blank cell never becomes 1 January 1900."""
    rows = [["手机号", "到期日"], *([f"1380013800{i}", (value, "yyyy/m/d")] for i, value in enumerate([45761, 0, -5]))]
    made = planned(read_sheet(book({"a": rows})), "{到期日:%Y年%m月%d日}到期")
    assert (contents(made), made.excluded["reason"].tolist()) == (["2025年04月14日到期"], ["missing_value"] * 2)


@pytest.mark.parametrize(
    "nothing",
    ["\\N", "########", "1900/1/0", "1900年1月0日", "1900-01-00 00:00:00", "0000-00-00", "0000-00-00 00:00:00",
     dt.date(1899, 12, 30), pd.Timestamp("1899-12-31")],
    ids=str,
)  # fmt: skip
def test_what_programs_write_for_nothing_is_in_no_text(nothing: Any) -> None:
    """A database's NULL, a cell too narrow for its date, the day zero: the row is left out with a reason."""
    frame = pd.DataFrame({"手机号": [A, B], "到期日": pd.Series([nothing, "2026-03-05"], dtype=object)})
    for text in ("{到期日}到期", "{到期日:%m月%d日}到期"):
        made = planned(frame, text)
        assert (made.messages["phone"].tolist(), made.excluded["reason"].tolist()) == ([B], ["missing_value"])


@pytest.mark.parametrize("day", ["1900-01-01", "0001-01-01", "1970/1/1", "9999年12月31日"])
def test_a_day_that_stands_for_none_is_told(day: str) -> None:
    made = planned(pd.DataFrame({"手机号": [A, B], "到期日": [day, "2026-03-05"]}), "将于{到期日}到期")
    assert [(warning.code, warning.rows) for warning in made.warnings] == [("filler", 1)]


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (dt.time(9, 30), "%H:%M", "09:30"), (dt.time(9, 30), "%m月%d日", None), (dt.date(2025, 4, 14), "%H:%M", None),
        (dt.date(2025, 4, 14), "%m月%d日", "04月14日"), ("2025-04-14", "%H:%M", None), ("2025-04-14 09:30", "%H:%M", "09:30"),
        (pd.Timestamp("2025-04-14"), "%H:%M", None), (pd.Timestamp("2025-04-14 09:30"), "%H:%M", "09:30"),
    ],
)  # fmt: skip
def test_a_part_that_a_value_does_not_have(value: object, spec: str, text: str | None) -> None:
    """A time of day has no date, a date no time: neither is made up."""
    frame = pd.DataFrame(
        {"手机号": [A], "t": pd.Series([value], dtype=None if isinstance(value, pd.Timestamp) else object)}
    )
    if text is None:
        with pytest.raises(InputError, match="fits no value"):
            planned(frame, "{t:" + spec + "}")
    else:
        assert contents(planned(frame, "{t:" + spec + "}")) == [text]


@pytest.mark.parametrize("value", ["2.31E+17", "2.31e17", 231101123456789012.0, "-1.2E+15"])
def test_a_number_whose_digits_are_lost_is_left_out(value: object) -> None:
    """An order number in scientific notation, or one that a float cannot hold, is in nobody's text."""
    frame = pd.DataFrame({"手机号": [A, B], "订单号": pd.Series([value, "A1"], dtype=object)})
    made = planned(frame, "订单{订单号}已发货")
    assert (contents(made), made.excluded["reason"].tolist()) == (["订单A1已发货"], ["lossy_scientific"])


# ---- no text holds another row


def test_a_text_that_holds_another_row_stops_the_plan() -> None:
    """Whatever swallowed a row, the row is named and nothing is planned."""
    for cell in (f"客9\n{B},客10\n{C},客11", f"客9 {B}", "客9\n138 0013 8001 客10", f"客9,{B},客10"):
        frame = pd.DataFrame(
            {"手机号": [A, B, C], "姓名": [cell, "客10", "客11"]}, index=pd.Index([2, 3, 4], name="row")
        )
        with pytest.raises(InputError, match="row 2: the text holds the number of another row") as caught:
            planned(frame, "{姓名}您好")
        assert B not in str(caught.value) + caught.value.zh
        with pytest.raises(InputError, match="row 2"):
            plan(frame, phone="手机号", content="姓名", campaign="x")
        with pytest.raises(InputError, match="row 2"):
            plan(frame, phone="手机号", template_id="t", params=["姓名"], campaign="x")
        assert len(planned(frame)) == 3


def test_numbers_that_are_meant_to_be_in_a_text() -> None:
    """A hotline, a manager who is a customer too, one's own number and a column of numbers are no foreign rows."""
    managers = pd.DataFrame(
        {"手机号": [A, B, C], "经理": [f"李{C}", f"李{C}", "王"], "推荐人": [B, C, A], "自己": [f"您{A}", "x", "y"]}
    )
    assert len(planned(managers, "经理{经理}，推荐人{推荐人}，{自己}，客服13900139000")) == 3


def test_a_value_many_times_longer_than_its_neighbours_stops_the_plan() -> None:
    """A cell that swallowed a file is refused even where it holds no number of the list."""
    frame = pd.DataFrame({"手机号": [A, B, C], "姓名": ["张三", "名" * 5000, "李四"]})
    with pytest.raises(InputError, match=r"row 1: a value of 5,000 characters, where the others have about 2"):
        planned(frame, "{姓名}您好")


def test_a_preview_is_bounded() -> None:
    """A long text is cut in what a plan prints, with the number of characters left out."""
    made = planned(pd.DataFrame({"手机号": [A], "正文": ["长" * 3000]}), "{正文}")
    assert "(2,004 characters more)" in made.text("en")
    assert len(made.text("en")) < 2_500


# ---- lists of numbers


@pytest.mark.parametrize(
    "listed",
    [
        pd.DataFrame({A: [B]}),
        pd.DataFrame({"备注": [f"{A}/{B}", "无"]}),
        pd.DataFrame({"姓名": ["张三", "李四"], "电话1": [A, None], "电话2": [None, f"+86 {B}"]}),
        [A, f"请勿打扰 {B}"],
        pd.Series([13800138000.0, 13800138001.0]),
    ],
    ids=["a label", "two in a cell", "two columns", "beside words", "floats"],
)
def test_every_number_of_a_suppression_list_counts(listed: Any) -> None:
    """Whoever is on the list in any form is not written to."""
    made = planned(pd.DataFrame({"手机号": [A, B, C]}), suppress=listed)
    assert made.messages["phone"].tolist() == [C]


def test_a_suppression_list_is_counted(tmp_path: Path, book: Book) -> None:
    """The plan says how many entries it took and how many it could not read; a file counts with all its sheets."""
    path = book({"1月": [["手机号"], [A], ["10086"]], "2月": [["手机号"], [B]]})
    made = planned(pd.DataFrame({"手机号": [A, B, C]}), suppress=path)
    assert made.messages["phone"].tolist() == [C]
    assert "suppression list: 3 entries, 2 numbers, 1 unreadable" in made.text("en")
    listed = text_file(tmp_path, f"{A}\n{B}\n", "black.txt")
    assert planned(pd.DataFrame({"手机号": [A, B, C]}), suppress=str(listed)).messages["phone"].tolist() == [C]


def test_a_column_called_by_a_number_is_no_header() -> None:
    """A frame read with its first person as header stops, with the number masked."""
    with pytest.raises(InputError, match=r"phone='138\*{4}8000': that is itself a number"):
        plan(pd.DataFrame({A: [B]}), phone=A, text="好", campaign="x")


# ---- the receipt


def test_a_plan_begins_with_what_was_read(tmp_path: Path) -> None:
    """File, sheet, header and rows in one line, what was not read in the next, and a warning for what should be looked at."""
    path = tmp_path / "b.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        page, more = workbook.add_worksheet("名单"), workbook.add_worksheet("2月")
        page.write_column(0, 0, ["2026年客户", None, "手机号", A, None, B])
        page.set_row(5, None, None, {"hidden": True})
        page.write_column(2, 1, ["姓名", "张三", None, "李四"])
        more.write_column(0, 0, ["手机号", C])
    made = planned(read_sheet(path))
    assert [line.strip() for line in made.text("en").splitlines()[1:3]] == [
        "read: b.xlsx, sheet 名单, header in line 3: 2 rows",
        "read: not read: 1 line above the header; 1 blank row; sheet 2月 (1 row)",
    ]
    assert [warning.code for warning in made.warnings] == ["hidden_rows", "sheet_not_read"]


def test_fillers_are_told(book: Book) -> None:
    """What sheets write for a blank is a warning with the number of rows."""
    made = planned(read_sheet(book({"a": [["手机号", "姓名"], [A, "-"], [B, "无"], [C, "张三"]]})), "尊敬的{姓名}")
    assert [(warning.code, warning.rows) for warning in made.warnings] == [("filler", 2)]


# ---- numbers whose digits are lost, and blanks that look like numbers


@pytest.mark.parametrize(
    "orders",
    [["2.31E+17", "2.31E+17"], [2.31e17, 2.31e17 + 1], ["A", "-2.3e+17"]],
    ids=["text", "floats", "one of two"],
)
def test_a_key_without_its_last_digits_is_refused(orders: list[Any]) -> None:
    """Two orders would be one, and the second customer would get nothing."""
    frame = pd.DataFrame({"手机号": [A, A], "订单号": orders})
    with pytest.raises(InputError, match=r"'订单号' ha(s|ve) lost (its|their) last digits \(row [01]: -?2\.3"):
        planned(frame, key="订单号")
    assert len(planned(frame.assign(订单号=["5E10", "6E10"]), key="订单号").messages) == 2


def test_the_first_entry_of_a_list_is_told_when_its_digits_are_lost(tmp_path: Path) -> None:
    """What a spreadsheet or a mask made of a number is an entry that keeps nobody out, never a header without a word."""
    people = pd.DataFrame({"手机号": [A, C]})
    for first in ("1.38E+10", "138****8001", "+1.38E+10"):
        path = text_file(tmp_path, f"{first}\n{C}\n", "list.txt")
        made = planned(people, suppress=path)
        assert (made.messages["phone"].tolist(), [(one.code, one.rows) for one in made.warnings]) == (
            [A],
            [("hidden_suppression", 1)],
        )
        framed = planned(people, suppress=pd.DataFrame({first: [C]}))
        assert [(one.code, one.rows) for one in framed.warnings] == [("hidden_suppression", 1)]


def test_a_zero_among_names_is_told() -> None:
    """A lookup that found nothing gives 0; among numbers it is a number like others."""
    frame = pd.DataFrame({"手机号": [A, B], "姓名": ["0", "王芳"], "积分": ["0", "12"]})
    made = planned(frame, "尊敬的{姓名}")
    assert [(one.code, one.rows) for one in made.warnings] == [("filler", 1)]
    assert planned(frame, "您有{积分}分").warnings == ()
