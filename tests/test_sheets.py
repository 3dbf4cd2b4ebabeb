"""Sheets read without harm, and written so that they are safe to open."""

from __future__ import annotations

import csv
import datetime as dt
import re
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xlsxwriter

from masanalytics.errors import InputError, MissingExtraError
from masanalytics.sheets import read_sheet, write_sheet

CUSTOMERS = Path(__file__).parent.parent / "data" / "customers.xlsx"


def test_a_workbook_keeps_what_its_cells_are(tmp_path: Path) -> None:
    """Texts stay texts, blanks are missing, leading zeros stay; long numbers and columns of several kinds are text."""
    path = tmp_path / "名单.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        page.write_row(0, 0, ["编号", " 手机号\n", "积分", "到期日", "会员", "备注", "备注"])
        page.write_row(1, 0, ["007", 13800138000, 12.5, None, True, "a", "b"])
        page.write_datetime(1, 3, dt.date(2026, 1, 31), day)
        page.write_row(3, 0, ["008", "+86 139", 1e14, "x", None, "  ", "c"])
    df = read_sheet(path)
    expected = pd.DataFrame(
        {
            "编号": ["007", "008"],
            "手机号": ["13800138000", "+86 139"],
            "积分": ["12.5", "100000000000000"],
            "到期日": ["2026-01-31", "x"],
            "会员": ["TRUE", None],
            "备注": ["a", None],
            "备注.1": ["b", "c"],
        },
        index=pd.Index([2, 4], name="row"),
        dtype="str",
    )
    pd.testing.assert_frame_equal(df, expected)


def test_a_title_above_the_header_and_empty_columns(tmp_path: Path) -> None:
    """A title line is passed over, an empty column is dropped, a column without a name gets one."""
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet("空")
        page = book.add_worksheet("名单")
        page.write(0, 0, "2026年客户名单")
        page.write_row(2, 0, ["手机号", "姓名", None, None])
        page.write_row(3, 0, ["13800138000", "张三", None, "旁注"])
    df = read_sheet(path)
    assert df.to_dict("split") == {
        "index": [4],
        "columns": ["手机号", "姓名", "column 4"],
        "data": [["13800138000", "张三", "旁注"]],
    }
    assert read_sheet(path, sheet="名单").equals(df)
    assert read_sheet(path, sheet=1).equals(df)
    with pytest.raises(InputError, match="has no sheet '别的'; its sheets are: 空, 名单"):
        read_sheet(path, sheet="别的")
    with pytest.raises(InputError, match="is empty"):
        read_sheet(path, sheet="空")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_text_files_in_every_encoding_and_with_every_separator(tmp_path: Path, encoding: str, separator: str) -> None:
    """UTF-8 with or without mark, UTF-16 and GB18030, with comma, semicolon, tab or bar, give the same frame."""
    path = tmp_path / "a.csv"
    rows = [["手机号", "姓名", "代码"], ["013800138000", '张"三,;|', "007"], ["1.38E+10", "", "nan"]]
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    df = read_sheet(path)
    assert df.fillna("<missing>").values.tolist() == [
        ["013800138000", '张"三,;|', "007"],
        ["1.38E+10", "<missing>", "nan"],
    ]
    assert df.index.tolist() == [2, 3]
    assert (df.dtypes == "str").all()


def test_one_column_files_and_ragged_lines(tmp_path: Path) -> None:
    """A file of one column is one column; short lines are filled."""
    path = tmp_path / "a.txt"
    path.write_text("手机号\n13800138000\n\n13900139000\n", encoding="utf-8")
    assert read_sheet(path)["手机号"].tolist() == ["13800138000", "13900139000"]
    path.write_text("a,b\nx\nx,y\n", encoding="utf-8")
    assert read_sheet(path).fillna("-").values.tolist() == [["x", "-"], ["x", "y"]]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    """A Parquet file is typed by whoever wrote it, and is read as it is."""
    df = pd.DataFrame({"手机号": ["013"], "积分": [5], "日": pd.to_datetime(["2026-01-31"])})
    path = write_sheet(df, tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read_sheet(path), df)
    path.write_bytes(b"no parquet")
    with pytest.raises(InputError, match="is not a Parquet file"):
        read_sheet(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xlsx", b"not a zip", "is no workbook but text under the name of one"),
        ("a.xlsx", b"PK\0", "is not a workbook that can be opened"),
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n \n,,\n", "is empty"),
        ("a.csv", b"\x81", "neither UTF-8 nor GB18030"),
        ("a.docx", b"", "save it as .xlsx, .csv or .parquet"),
        ("a", b"", "a file without an extension"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    """What is not what its name says, or empty, is refused in one sentence that says what to do."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        read_sheet(path)
    assert caught.value.zh
    with pytest.raises(InputError, match="there is no file"):
        read_sheet(tmp_path / "missing.csv")


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error names the extra to install."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(
        MissingExtraError, match=r'reading .xlsx needs python-calamine: pip install "masanalytics\[excel\]"'
    ):
        read_sheet(CUSTOMERS)
    with pytest.raises(MissingExtraError, match=r'writing .xlsx needs xlsxwriter: pip install "masanalytics\[excel\]"'):
        write_sheet(pd.DataFrame({"a": [1]}), tmp_path / "a.xlsx")


def test_a_written_workbook_runs_nothing(tmp_path: Path) -> None:
    """Text stays text: no formula, no link, no phone turned into a number."""
    df = pd.DataFrame(
        {
            "号码": ["013800138000", "+8613800138000", None],
            "回复": ['=HYPERLINK("http://x")', "http://a.cn", "@SUM(1)"],
            "数": [1.5, np.nan, np.inf],
            "整数": pd.array([1, None, 3], dtype="Int64"),
            "时间": pd.to_datetime(["2026-01-31 08:00", None, "2026-02-01 00:00"]).tz_localize("Asia/Shanghai"),
            "是": [True, False, None],
            "金额": [Decimal("1.10"), None, None],
        }
    )
    path = write_sheet(df, tmp_path / "a.xlsx", sheet="回复")
    with zipfile.ZipFile(path) as file:
        page = file.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in page
    assert "hyperlink" not in page
    read = read_sheet(path, sheet="回复").astype(object)
    assert read.where(read.notna(), "-").values.tolist() == [
        ["013800138000", '=HYPERLINK("http://x")', "1.5", 1, pd.Timestamp("2026-01-31 08:00"), "TRUE", "1.10"],
        ["+8613800138000", "http://a.cn", "-", "-", "-", "FALSE", "-"],
        ["-", "@SUM(1)", "inf", 3, pd.Timestamp("2026-02-01"), "-", "-"],
    ]


def test_a_written_text_file_runs_nothing(tmp_path: Path) -> None:
    """In a CSV what a spreadsheet would run gets an apostrophe; numbers and plain text do not; Excel sees UTF-8."""
    df = pd.DataFrame({"=a": ["=1+1", "-5", "@x", "+8613800138000", "好", None, "\t=1", "-x"]})
    path = write_sheet(df, tmp_path / "a.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert [row[0] if row else "" for row in csv.reader(file)] == [
            "'=a", "'=1+1", "-5", "'@x", "+8613800138000", "好", "", "'\t=1", "'-x",
        ]  # fmt: skip


def test_writing_under_another_name(tmp_path: Path) -> None:
    """An extension that is not known is refused, and so are more rows than a sheet holds."""
    with pytest.raises(InputError, match=r"name the file \.xlsx, \.csv or \.parquet"):
        write_sheet(pd.DataFrame({"a": [1]}), tmp_path / "a.doc")
    with pytest.raises(InputError, match="a sheet holds 1,048,575 rows"):
        write_sheet(pd.DataFrame({"a": range(1_048_576)}), tmp_path / "a.xlsx")


def test_the_sample_sheet_is_what_its_script_makes(tmp_path: Path) -> None:
    """The shipped customers are exactly those that the script makes, and as messy as promised."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("make_customers", CUSTOMERS.with_name("make_customers.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make_customers(tmp_path / "customers.xlsx")
    made, shipped = read_sheet(tmp_path / "customers.xlsx"), read_sheet(CUSTOMERS)
    pd.testing.assert_frame_equal(made, shipped)
    assert list(shipped.columns) == ["客户编号", "姓名", "手机号", "城市", "会员等级", "积分", "到期日"]
    assert len(shipped) == 2_000
