"""Do-not-send lists as people keep them: ranges, hidden digits, lines that only look like a header, nothing at all."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xlsxwriter

from masanalytics.account import Account
from masanalytics.analysis import number_health
from masanalytics.errors import ConfigError
from masanalytics.planning import Plan, plan
from masanalytics.planning.number_lists import suppression_list
from masanalytics.sheets import read_sheet
from masanalytics.sheets.receipt import receipt_lines
from tests.sheet_files import Book, book, text_file

__all__ = ["book"]

PEOPLE = [f"1380013800{digit}" for digit in range(6)]


def kept_out(listed: Any) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the last digits of whom the list keeps out, and what the plan says of it."""
    made = planned(listed)
    out = sorted(set(PEOPLE) - set(made.messages["phone"]))
    return [phone[-1] for phone in out], [(one.code, one.rows) for one in made.warnings]


def planned(listed: Any) -> Plan:
    return plan(
        pd.DataFrame({"手机号": PEOPLE}), phone="手机号", text="好", campaign="x", signature="某店", suppress=listed
    )


@pytest.mark.parametrize(
    "entry",
    [
        "13800138001-13800138003",
        "13800138001~13800138003",
        "13800138001～13800138003",
        "13800138001—13800138003",
        "13800138001 至 13800138003",
        "13800138001到13800138003",
        "13800138001 to 13800138003",
        "13800138001-8003",
        "13800138001-003",
        "１３８００１３８００１－１３８００１３８００３",
        "+8613800138001-+8613800138003",
        "138 0013 8001 - 138 0013 8003",
        "138-0013-8001~138-0013-8003",
        "号段：13800138001-13800138003（投诉）",
    ],
)
@pytest.mark.parametrize("form", ["list", "a label", "text", "a line", "workbook"])
def test_a_range_keeps_out_both_ends_and_all_between(tmp_path: Path, book: Book, entry: str, form: str) -> None:
    listed = {
        "list": lambda: [entry],
        "a label": lambda: pd.DataFrame({entry: [None]}),
        "text": lambda: text_file(tmp_path, f"{entry}\n", "black.txt"),
        "a line": lambda: text_file(tmp_path, f"手机号,原因\n{entry},投诉\n"),
        "workbook": lambda: book({"a": [["手机号"], [entry]]}),
    }[form]()
    assert kept_out(listed) == (["1", "2", "3"], [])


@pytest.mark.parametrize(
    "header", [["起始号码", "结束号码"], ["起", "止"], ["from", "to"], ["号段开始", "号段结束"]], ids="-".join
)
def test_a_range_over_two_columns(book: Book, header: list[str]) -> None:
    """Cells that are no pair of numbers in order stand for themselves."""
    rows = [[PEOPLE[1], PEOPLE[3]], [PEOPLE[5], None], [PEOPLE[0], "长期"]]
    assert kept_out(book({"a": [header, *rows]})) == (["0", "1", "2", "3", "5"], [])


def test_dates_in_two_columns_are_no_range(book: Book) -> None:
    rows = [[PEOPLE[1], "20260301", "20260331"]]
    assert kept_out(book({"a": [["手机号", "开始时间", "结束时间"], *rows]})) == (["1"], [])


def test_two_numbers_far_apart_are_no_range() -> None:
    """A dash between strangers does not keep a million people out, and the plan says how it was read."""
    listed = suppression_list(["13800138001-13900138003"])
    assert (listed.numbers.tolist(), listed.wide) == ([13800138001, 13900138003], 1)
    assert kept_out(["13800138001-13900138003"]) == (["1"], [("wide_suppression", 1)])


def test_an_extension_is_no_range_backwards() -> None:
    assert kept_out(["13800138003-1", "13800138005-13800138001"])[0] == ["1", "3", "5"]


@pytest.mark.parametrize("hidden", ["138****8001", "138xxxx8001", "1.38E+10"])
def test_hidden_digits_are_told_apart(hidden: str) -> None:
    """Whom such an entry means cannot be told: the plan says so, beside what is no number at all."""
    assert kept_out([hidden, "张三", PEOPLE[0]]) == (["0"], [("unreadable_suppression", 1), ("hidden_suppression", 1)])


@pytest.mark.parametrize(
    "first", ["138001380011", "138OO138000", "1380013", "010-66668888", "5d41402abc4b2a76b9719d911017c592"]
)
def test_a_first_line_that_was_a_number_is_counted(tmp_path: Path, first: str) -> None:
    """What stands where a header would and cannot be read keeps nobody out, and is said."""
    made = planned(text_file(tmp_path, f"{first}\n{PEOPLE[0]}\n", "black.txt"))
    assert [(one.code, one.rows) for one in made.warnings] == [("unreadable_suppression", 1)]
    assert "suppression list: 2 entries, 1 number, 1 unreadable" in made.text("en")


@pytest.mark.parametrize("header", ["手机号", "截至20260305", "2026-03-05 退订", "号码2", "手机号（11位）"])
def test_a_header_is_no_entry(tmp_path: Path, header: str) -> None:
    assert kept_out(text_file(tmp_path, f"{header}\n{PEOPLE[0]}\n")) == (["0"], [])


def test_a_file_without_a_number_is_told(tmp_path: Path, book: Book) -> None:
    """A list that is empty on purpose is handed in as one."""
    for path in (text_file(tmp_path, "手机号\n"), book({"a": [["手机号", "原因"]]})):
        made = planned(path)
        assert [str(one) for one in made.warnings] == [
            f"the suppression list {path.name} holds no number: it keeps nobody out"
        ]
    assert kept_out([]) == ([], [])


@pytest.mark.parametrize("without", [b"", b"<v></v>", b"<v />", b"<v/>"])
def test_cells_without_a_value_are_told(tmp_path: Path, without: bytes) -> None:
    """An error, or a formula that no program has calculated, is no blank row of a list."""
    path = tmp_path / "black.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        page = workbook.add_worksheet()
        page.write_column(0, 0, ["手机号", PEOPLE[0]])
        page.write_formula(2, 0, '="1380013"&"8001"', None, "#N/A")
        page.write_formula(3, 0, '="1380013"&"8002"', None, PEOPLE[2])
        page.write_formula(4, 0, '=IF(1,"","")', None, "")
        page.write_formula(5, 0, '="1380013"&"8003"', None, "to be taken out")
    _without(path, b' t="str"><f>"1380013"&amp;"8003"</f><v>to be taken out</v>', without)
    out, said = kept_out(path)
    assert (out, said) == (["0", "2"], [("valueless_suppression", 2)])
    people = read_sheet(path)
    assert "2 cells with an error or a formula that was not calculated" in receipt_lines(people.attrs["read"])[1]


def _without(path: Path, part: bytes, value: bytes) -> None:
    """Write a formula's cell with another value, as programs do that calculate nothing."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    assert part in parts["xl/worksheets/sheet1.xml"]
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            # An empty text that Excel has calculated says that it is a text.
            typed = content.replace(b'<c r="A5"><f>', b'<c r="A5" t="str"><f>')
            package.writestr(name, typed.replace(part, b'><f>"1380013"&amp;"8003"</f>' + value))


def test_hidden_sheets_of_a_list_are_read_with_their_receipt(tmp_path: Path) -> None:
    path = tmp_path / "black.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        workbook.add_worksheet("a").write_column(0, 0, ["手机号", PEOPLE[0]])
        hidden = workbook.add_worksheet("b")
        hidden.write_column(0, 0, [PEOPLE[1]])
        hidden.hide()
    listed = suppression_list(path)
    assert listed.numbers.tolist() == [13800138000, 13800138001]
    assert listed.receipt is not None
    assert listed.receipt["sheet"] == ["a", "b"]


# ---- the other lists: who alone may be written to, and whose health is asked for

AS_FILES_HAVE_THEM: list[Any] = [
    "138 0013 8000", "+86 13800138001", 13800138002.0, "１３８００１３８００３", "008613800138004", "13800138005.0",
]  # fmt: skip


def account(allowed: Any) -> Account:
    return Account(
        url="https://127.0.0.1:1", ec_name="e", ap_id="a", secret_key="k", sign="DWItALe3A", signature="某店",
        allow_only=allowed,
    )  # fmt: skip


@pytest.mark.parametrize("form", ["list", "column", "workbook"])
def test_only_the_allowed_are_planned_however_their_numbers_are_written(book: Book, form: str) -> None:
    forms: dict[str, Callable[[], Any]] = {
        "list": lambda: AS_FILES_HAVE_THEM[:4],
        "column": lambda: pd.Series(AS_FILES_HAVE_THEM[:4], dtype=object),
        "workbook": lambda: read_sheet(book({"a": [["手机号"], *([one] for one in AS_FILES_HAVE_THEM[:4])]}))["手机号"],
    }
    allowed = forms[form]()
    people = pd.DataFrame({"手机号": AS_FILES_HAVE_THEM})
    made = plan(people, phone="手机号", text="好", campaign="x", account=account(allowed))
    assert made.messages["phone"].tolist() == PEOPLE[:4]
    assert made.excluded["reason"].tolist() == ["not_allowed", "not_allowed"]


@pytest.mark.parametrize("allowed", [13800138000, 13800138000.0, "１３８ ００１３ ８０００"])
def test_one_allowed_number(allowed: Any) -> None:
    assert account(allowed).allow_only == ("13800138000",)


@pytest.mark.parametrize(
    "entry", ["138****8000", "1.38E+10", "13800138000/13800138001", "13800138000-13800138003", float("nan"), "手机号"]
)
def test_an_allowed_entry_that_is_no_number_is_an_error(entry: Any) -> None:
    """Whom it means cannot be told: nobody is allowed by guessing, and nothing is planned."""
    with pytest.raises(ConfigError, match="which is not a mobile number of 11 digits"):
        account(["13800138000", entry])


def test_the_health_of_a_sheets_numbers(tmp_path: Path) -> None:
    """Each cell gets its verdict, in the order of the sheet; a label that is a number is its first person."""
    messages = pd.DataFrame({
        "phone": PEOPLE, "status": "delivered", "submitted_at": pd.Timestamp("2026-01-01", tz="Asia/Shanghai"),
        "error_code": None,
    })  # fmt: skip
    path = text_file(
        tmp_path, "号码\n138 0013 8000\n+86-13800138001\n13800138002.0\n１３８００１３８００３\n13900139000\n无\n"
    )
    found = number_health(messages, phones=read_sheet(path)["号码"])
    assert found["phone"].tolist() == [*PEOPLE[:4], "13900139000", "无"]
    assert found["sent"].tolist() == [1, 1, 1, 1, 0, 0]
    without_header = number_health(messages, phones=pd.Series(["138-0013-8001"], name="13800138000"))
    assert without_header[["phone", "sent"]].values.tolist() == [["13800138000", 1], ["13800138001", 1]]
