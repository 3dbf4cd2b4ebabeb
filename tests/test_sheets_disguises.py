"""Files whose bytes are not what they seem: UTF-16 without its mark, a zero among text, workbooks and PDFs under another name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from masanalytics.errors import InputError
from masanalytics.planning import plan
from masanalytics.sheets import read_sheet
from tests.sheet_files import text_file

CHINESE = "姓名,手机号\n张一,13800138000\n三　一,13800138001\n"  # 一 and the wide space have a zero on the other side


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("text", "names"),
    [(CHINESE, ["张一", "三　一"]), ("name,phone\nAnn,13800138000\nBob,13800138001\n", ["Ann", "Bob"])],
)
def test_utf16_without_its_mark_is_read(tmp_path: Path, encoding: str, text: str, names: list[str]) -> None:
    frame = read_sheet(text_file(tmp_path, text.encode(encoding)))
    assert (frame.iloc[:, 0].tolist(), frame.attrs["read"]["encoding"]) == (names, encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "ascii"])
@pytest.mark.parametrize("place", range(12))
def test_one_zero_among_text_is_damage(tmp_path: Path, encoding: str, place: int) -> None:
    """No single zero makes a file UTF-16: a do-not-send list would become one long name of a column, and keep nobody out."""
    text = (
        "phone\n13800138000\n13800138001\n"
        if encoding == "ascii"
        else "手机号,原因\n13800138000,投诉\n13800138001,退订\n"
    )
    raw = text.encode(encoding)
    place = len(raw) * place // 12
    with pytest.raises(InputError):
        read_sheet(text_file(tmp_path, raw[:place] + b"\0" + raw[place:]))


def test_utf16_that_was_cut_in_a_character_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="are not UTF-16-LE, which the rest of the file is"):
        read_sheet(text_file(tmp_path, CHINESE.encode("utf-16-le")[:-1]))


def test_an_encoding_that_was_said_is_named_as_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"are not UTF-8, which encoding= says\. Leave encoding= out, or say another"):
        read_sheet(text_file(tmp_path, CHINESE.encode("gb18030")), encoding="utf-8")


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"PK\x03\x04\x14\x00", "is a workbook under the name of a text file: .* or rename it to .xlsx"),
        (bytes.fromhex("d0cf11e0a1b11ae1"), "is a workbook under the name of a text file: .* or rename it to .xls,"),
        (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "is a PDF under the name of a sheet"),
        (b"\x1f\x8b\x08\x00", "is a packed file: unpack it"),
    ],
)
def test_what_a_text_file_is_instead(tmp_path: Path, start: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_sheet(text_file(tmp_path, start + b"\0" * 40))


def test_text_under_the_name_of_a_workbook(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no workbook but text under the name of one: rename it to \.csv"):
        read_sheet(text_file(tmp_path, CHINESE, "list.xlsx"))


@pytest.mark.parametrize("mark", ["，", "；", "、", "｜", " ", "^"])
def test_another_separator_is_named(tmp_path: Path, mark: str) -> None:
    """A file separated by full-width commas is read as one column: the error says what to write, and that reads it."""
    path = text_file(tmp_path, "姓名,手机号\n张三,13800138000\n李四,13800138001\n".replace(",", mark))
    with pytest.raises(InputError, match=re.escape(f"say sep={mark!r}")):
        plan(read_sheet(path), phone="手机号", text="{姓名}", campaign="x")
    made = plan(read_sheet(path, sep=mark), phone="手机号", text="{姓名}", campaign="x")
    assert made.messages["content"].tolist() == ["张三", "李四"]


def test_a_list_without_a_header_names_no_separator(tmp_path: Path) -> None:
    """The name that a column without one gets has a space in it, and is no header."""
    with pytest.raises(InputError, match=r"The first line of list\.csv holds a mobile number"):
        plan(read_sheet(text_file(tmp_path, "13800138000\n")), phone="手机号", text="好", campaign="x")


def test_a_header_that_was_denied_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"header=0 says that list\.csv has no header"):
        plan(read_sheet(text_file(tmp_path, "张三,13800138000\n"), header=0), phone="手机号", text="好", campaign="x")


def test_cells_below_a_comma_at_the_headers_end_are_a_text_cut_in_two(tmp_path: Path) -> None:
    """Half a sentence would be sent, the rest of it in a column without a name."""
    path = text_file(tmp_path, "手机号,短信,\n13800138000,您好,\n13800138001,您好,请查收\n13800138002,您好,\n")
    with pytest.raises(InputError, match=r"line 3: it has 3 cells, the header in line 1 has 2 .*\)\. A separator"):
        read_sheet(path)


def test_a_column_without_a_name_is_read(tmp_path: Path) -> None:
    path = text_file(tmp_path, "手机号,姓名,\n13800138000,张三,甲\n13800138001,李四,乙\n13800138002,王五,\n")
    assert read_sheet(path)["column 3"].tolist()[:2] == ["甲", "乙"]
