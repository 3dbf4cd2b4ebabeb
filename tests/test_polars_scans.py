"""Which files a polars scan reads: its answers are kept as long as they are the same, and what their manifest knows is not counted."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources import as_source
from tests.random_messages import random_messages

polars = pytest.importorskip("polars")
pytest.importorskip("pyarrow")


def scan(folder: Path) -> Any:
    return polars.scan_parquet(str(folder / "month=*" / "*.parquet"))


def state(frame: Any) -> Any:
    source: Any = as_source(frame)
    return source.state()


def counted(frame: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, int]:
    """Return as of when messages are, how many are there twice, and how many queries that took."""
    queries = [0]
    collect = polars.LazyFrame.collect

    def spied(*args: Any, **options: Any) -> Any:
        queries[0] += 1
        return collect(*args, **options)

    source = as_source(frame)
    with monkeypatch.context() as patched:
        patched.setattr(polars.LazyFrame, "collect", spied)
        return source.coverage_summary(Filters())["as_of"], source.repeated_messages(), queries[0]


def test_only_a_scan_of_whole_files_can_tell_whether_they_change(lake: Path) -> None:
    """A part of the rows or columns, or a column of the reader's own, is a question of its own, and so is a frame in memory."""
    whole = scan(lake)

    assert state(whole) == state(scan(lake)) is not None
    assert [
        state(other)
        for other in (
            whole.filter(polars.col("status") == "delivered"),
            whole.head(3),
            whole.drop("content"),
            polars.concat([whole, whole]),
            polars.scan_parquet(lake / "month=*" / "*.parquet", row_index_name="row"),
            polars.scan_parquet(lake / "month=*" / "*.parquet", n_rows=2),
            polars.scan_parquet(lake / "month=*" / "*.parquet", include_file_paths="file"),
            whole.collect(),
        )
    ] == [None] * 8


def test_what_a_manifest_knows_is_not_counted_again(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of when, that no message is there twice, and that no two accounts have the same ids: of the same files without their manifest all of it is counted."""
    shutil.copytree(lake, tmp_path / "others", ignore=shutil.ignore_patterns("_*"))

    as_of, twice, queries = counted(scan(tmp_path / "others"), monkeypatch)

    assert queries == 3
    assert counted(scan(lake), monkeypatch) == (as_of, twice, 0)


def test_a_file_more_is_counted(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody's copy of a month shows its messages twice, of one account too."""
    file = min(lake.glob("month=*/*.parquet"))
    shutil.copy(file, file.with_name("copy.parquet"))

    assert counted(scan(lake), monkeypatch)[1:] == (len(pd.read_parquet(file)), 4)


def test_files_that_have_changed_are_read_again(tmp_path: Path) -> None:
    """The same path, another file behind it: polars reads it by another frame only."""
    messages = random_messages(100, seed=6)
    path = tmp_path / "messages.parquet"
    messages.to_parquet(path)

    def delivered() -> int:
        return int(mas.delivery_rates(polars.scan_parquet(path))["delivered"].iloc[0])

    first, again = delivered(), delivered()
    messages.head(50).to_parquet(path)

    assert first == again == int((messages["status"] == "delivered").sum())
    assert delivered() == int((messages.head(50)["status"] == "delivered").sum())


@pytest.mark.parametrize("size", [100, 20_000])
def test_a_scan_of_before_the_files_were_written_anew_is_to_be_made_again(tmp_path: Path, size: int) -> None:
    """Polars keeps what a file was when it was scanned: the error says what to do, and not what Thrift or a panic is."""
    messages = random_messages(size, seed=6)
    messages.to_parquet(tmp_path / "messages.parquet")
    frame = polars.scan_parquet(tmp_path / "messages.parquet")
    mas.delivery_rates(frame)
    messages.head(40).to_parquet(tmp_path / "messages.parquet")

    with pytest.raises(mas.MasError, match=r"messages\.parquet, or another file of the scan, was written anew"):
        mas.delivery_rates(frame)


def test_a_polars_that_does_not_say_what_it_reads_answers_all_the_same(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tells the files is of polars' inside; without it everything is asked anew."""
    expected = mas.delivery_rates(scan(lake))

    def gone(*_args: Any, **_options: Any) -> str:
        raise AttributeError("explain")

    monkeypatch.setattr(polars.LazyFrame, "explain", gone)

    assert state(scan(lake)) is None
    pd.testing.assert_frame_equal(mas.delivery_rates(scan(lake)), expected)


@pytest.mark.parametrize("place", [-1, -6, -400])
@pytest.mark.parametrize("files", ["messages*.parquet", "messages.parquet"])
def test_a_file_whose_end_is_damaged_is_an_error_of_ours(tmp_path: Path, place: int, files: str) -> None:
    """Polars reads the end first, and names no file."""
    for name in ("messages.parquet", "messages-2.parquet"):
        random_messages(100, seed=6).to_parquet(tmp_path / name)
    damaged = tmp_path / "messages.parquet"
    whole = bytearray(damaged.read_bytes())
    whole[place] ^= 1
    damaged.write_bytes(whole)
    with pytest.raises(
        mas.MasError, match=str(damaged) if "*" in files else "a Parquet file of the scan cannot be read"
    ):
        mas.delivery_rates(polars.scan_parquet(tmp_path / files))
