"""What a user does to a frame between reading and planning: the formats of the sheet belong to its values, not to a name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from masanalytics.errors import InputError
from masanalytics.planning import plan
from masanalytics.sheets import read_sheet, write_sheet
from tests.sheet_files import Book, book

__all__ = ["book"]

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture
def sheet(book: Book) -> pd.DataFrame:
    rows = [
        [f"1380013800{row}", (rate, "0%"), (amount, "#,##0.00"), (dt.date(2026, 3, 5 + row), 'm"月"d"日"')]
        for row, (rate, amount) in enumerate([(0.25, 1234.5), (0.5, 99), (0.75, 20000)])
    ]
    return read_sheet(book({"a": [["手机号", "率", "额", "日"], *rows]}))


def texts(frame: pd.DataFrame, text: str = "{率} {额} {日}") -> list[str]:
    made = plan(frame, phone="手机号", text=text, campaign="x", signature="某店")
    return [str(content) for content in made.messages["content"]]


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame[frame["额"] > 1000],
        lambda frame: frame.sort_values("额", ascending=False).iloc[:2].sort_index(),
        lambda frame: frame.drop_duplicates("率").loc[[2, 4]],
        lambda frame: frame.assign(店="甲").drop(columns="店").iloc[[0, 2]],
        lambda frame: frame.assign(率=frame["率"].astype("Float64")).iloc[[0, 2]],
    ],
    ids=["filtered", "sorted", "taken", "another column", "another dtype"],
)
def test_rows_as_they_were_read_keep_their_formats(sheet: pd.DataFrame, change: Change) -> None:
    assert texts(change(sheet)) == ["25% 1,234.50 3月5日", "75% 20,000.00 3月7日"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda frame: frame.assign(率=frame["率"] * 100 + 0.5), "{率}"),
        (lambda frame: frame.assign(率=1.1 - frame["率"]), "{率}"),
        (lambda frame: frame.assign(额=frame["额"] / 10_000), "{额}"),
        (lambda frame: frame.rename(columns={"率": "额", "额": "率"}), "{额}"),
        (lambda frame: frame.assign(日=frame["日"] + pd.Timedelta(days=400)), "{日}"),
    ],
    ids=["times 100", "what is left", "in ten thousands", "names changed places", "another day"],
)
def test_a_changed_column_asks_how_it_is_written(sheet: pd.DataFrame, change: Change, text: str) -> None:
    """2500% is what the sheet's format would make of a rate that was multiplied by a hundred."""
    with pytest.raises(InputError, match="say how to write them"):
        texts(change(sheet), text)


def test_whole_numbers_of_a_changed_column_are_digits(sheet: pd.DataFrame) -> None:
    assert texts(sheet.assign(率=(sheet["率"] * 100).astype(int)), "{率}%") == ["25%", "50%", "75%"]


def test_a_changed_column_is_written_without_the_old_format(sheet: pd.DataFrame, tmp_path: Path) -> None:
    path = write_sheet(sheet.assign(率=sheet["率"] * 100), tmp_path / "out.xlsx")
    again = read_sheet(path)
    assert again.attrs["read"]["formats"] == {"额": ["#,##0.00"], "日": ['m"月"d"日"']}
    assert again["率"].tolist() == [25, 50, 75]


def test_a_frame_of_another_process_keeps_its_formats(sheet: pd.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    sheet.to_parquet(tmp_path / "a.parquet")
    assert texts(pd.read_parquet(tmp_path / "a.parquet"))[0] == "25% 1,234.50 3月5日"
