"""What DuckDB is asked in its own words: times, repeated messages, no progress bar, the files behind a relation."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import pandas as pd
import pytest

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources import as_source
from masanalytics.analysis.sources.duckdb_relation import (
    explaining_duckdb,
    files_behind,
    parquet_behind,
    without_progress_bar,
)
from masanalytics.errors import StoreError
from tests.random_messages import as_lazy_polars

duckdb = pytest.importorskip("duckdb")

ONE_DAY = pd.DataFrame(
    {
        "message_id": [1, 2, 62, 63, 2, None],
        "account": ["a", "a", "a", "a", "a", "a"],
        "status": "delivered",
        "submitted_at": pd.to_datetime(["2026-01-31 23:59:59", *["2026-02-01 00:00:00"] * 5]).tz_localize(
            "Asia/Shanghai"
        ),
        "latency_s": 5,
        "waited_s": 300_000,
    }
)


def relation(frame: pd.DataFrame, connection: Any = duckdb) -> Any:
    return connection.from_df(frame)


def lazy(frame: pd.DataFrame) -> Any:
    return as_lazy_polars(frame.astype({"message_id": "Int64"}))


@pytest.mark.parametrize("make", [relation, lazy])
def test_a_message_shown_twice_is_counted_among_its_neighbours(make: Callable[[pd.DataFrame], Any]) -> None:
    """Ids 2 and 2 are one message; 62 and 63, which stand in another set of bits, are not."""
    assert as_source(make(ONE_DAY)).repeated_messages() == 1


@pytest.mark.parametrize("make", [relation, lazy])
def test_the_same_id_of_two_accounts_is_two_messages(make: Callable[[pd.DataFrame], Any]) -> None:
    """As stores of two accounts have them."""
    two = ONE_DAY.assign(account=["a", "b", "a", "a", "a", "a"])

    assert as_source(make(two)).repeated_messages() == 0


@pytest.mark.parametrize("make", [relation, lazy])
def test_ids_below_zero_are_counted_one_by_one(make: Callable[[pd.DataFrame], Any]) -> None:
    """-1 and 1 are in one set of bits, but not one message; -1 and -1 are."""
    odd = ONE_DAY.assign(message_id=pd.Series([-1, 1, -1, 61, 0, None]))

    assert as_source(make(odd)).repeated_messages() == 1


@pytest.mark.parametrize("type_of_time", ["TIMESTAMPTZ", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"])
def test_times_of_any_precision_are_compared_as_instants(type_of_time: str) -> None:
    """From midnight on are five messages, before it one; times without a zone are China time."""
    from masanalytics import analysis

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'America/New_York'")
    frame = (
        ONE_DAY
        if type_of_time == "TIMESTAMPTZ"
        else ONE_DAY.assign(submitted_at=ONE_DAY["submitted_at"].dt.tz_localize(None))
    )
    data = relation(frame, connection).project(f"* REPLACE (submitted_at::{type_of_time} AS submitted_at)")

    found = analysis.delivery_rates(data, "day", since="2026-02-01")
    before = analysis.delivery_rates(data, "day", until="2026-02-01")

    assert found[["day", "accepted"]].values.tolist() == [[pd.Timestamp("2026-02-01"), 5]]
    assert before[["day", "accepted"]].values.tolist() == [[pd.Timestamp("2026-01-31"), 1]]


def test_the_progress_bar_is_off_while_we_ask_and_then_as_the_user_has_it() -> None:
    """Also after an error."""
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = true")
    data = nw.from_native(relation(ONE_DAY, connection))

    def shown() -> bool:
        return bool(connection.sql("SELECT current_setting('enable_progress_bar')").fetchall()[0][0])

    with without_progress_bar(data, drawn=True):
        assert not shown()
    assert shown()
    with pytest.raises(ZeroDivisionError), without_progress_bar(data, drawn=True):
        raise ZeroDivisionError
    assert shown()


def test_the_files_behind_a_relation_tell_when_one_changes(tmp_path: Path) -> None:
    """A file rewritten, or one more, is another state; what is no file has none."""
    pytest.importorskip("pyarrow")

    def seen() -> Any:
        return files_behind(nw.from_native(duckdb.read_parquet(str(tmp_path / "*.parquet"))))

    ONE_DAY.to_parquet(tmp_path / "it's.parquet")
    first = seen()
    assert first == seen() is not None
    ONE_DAY.to_parquet(tmp_path / "it's.parquet")
    second = seen()
    ONE_DAY.to_parquet(tmp_path / "more.parquet")

    assert len({first, second, seen()}) == 3
    assert files_behind(nw.from_native(relation(ONE_DAY))) is None
    assert (
        files_behind(nw.from_native(duckdb.read_parquet(str(tmp_path / "more.parquet")).filter("latency_s > 3")))
        is None
    )


@pytest.mark.parametrize(
    ("query", "is_known"),
    [
        ("FROM '{files}'", True),
        ("select * from '{files}';", True),
        ("SELECT *\nFROM read_parquet('{files}', union_by_name = true) AS m", True),
        ("SELECT * FROM read_parquet(['{files}', '{files}'])", True),
        ("FROM '{files}' WHERE latency_s > 3", False),
        ("FROM '{files}' LIMIT 1", False),
        ("SELECT DISTINCT * FROM '{files}'", False),
        ("SELECT * EXCLUDE (latency_s) FROM '{files}'", False),
        ("FROM '{files}' UNION ALL FROM '{files}'", False),
        ("FROM '{files}' USING SAMPLE 1 ROWS", False),
    ],
)
def test_the_files_behind_a_query_are_known_where_it_reads_all_of_them(
    tmp_path: Path, query: str, is_known: bool
) -> None:
    """Whoever writes SQL is told of damage and coverage as who calls `read_parquet` is; a query of a part is one of other messages."""
    pytest.importorskip("pyarrow")
    (tmp_path / "it's").mkdir()
    ONE_DAY.to_parquet(file := tmp_path / "it's" / "a.parquet")
    files = str(file.with_name("*.parquet")).replace("'", "''")

    found = parquet_behind(nw.from_native(duckdb.sql(query.format(files=files))))

    assert found is not None and set(found) == {file} if is_known else found is None


def counted(folder: Path) -> tuple[int, int, int]:
    """Return as of when the messages of a folder are, how many are there twice, and how many queries that took."""
    source: Any = as_source(duckdb.read_parquet(str(folder / "*" / "*.parquet")))
    asked: list[Any] = []
    ask = source._taken

    def spied(query: Any) -> pd.DataFrame:
        asked.append(query)
        found: pd.DataFrame = ask(query)
        return found

    source._taken = spied
    return source.coverage_summary(Filters())["as_of"], source.repeated_messages(), len(asked)


def test_what_a_manifest_knows_is_not_counted_again(lake: Path, tmp_path: Path) -> None:
    """As of when, that no message is there twice, and that no two accounts have the same ids: of the same files without their manifest all of it is counted."""
    shutil.copytree(lake, tmp_path / "others", ignore=shutil.ignore_patterns("_*"))

    as_of, twice, queries = counted(tmp_path / "others")

    assert queries == 3
    assert counted(lake) == (as_of, twice, 0)


def test_a_file_more_or_another_one_is_counted(lake: Path) -> None:
    """Somebody's copy of a month shows its messages twice; a month that somebody wrote anew is no file of the manifest."""
    file = min(lake.glob("*/*.parquet"))
    rows = len(pd.read_parquet(file))
    shutil.copy(file, file.with_name("copy.parquet"))
    assert counted(lake)[1:] == (rows, 3)

    file.with_name("copy.parquet").unlink()
    pd.concat([pd.read_parquet(file)] * 2).to_parquet(file)
    assert counted(lake)[1:] == (rows, 3)


def test_numbers_of_more_than_32_bits_and_times_before_1970_are_grouped_as_they_are() -> None:
    """A latency of 3,000,000,000 seconds; a minute before 1970 in China is the day before."""
    odd = ONE_DAY.assign(
        latency_s=3_000_000_000, submitted_at=pd.to_datetime(["1969-12-31 15:59:00"] * 6).tz_localize("UTC")
    )

    keys, _, seconds, n = as_source(relation(odd)).grouped_count(["day", "hour"], where=Filters())

    assert keys.to_numpy().tolist() == [[-86_400 - 8 * 3600, 23]]
    assert (seconds.tolist(), n.tolist()) == ([3e9], [6])


@pytest.mark.parametrize(
    ("error", "said", "retryable"),
    [
        (
            duckdb.OutOfMemoryException("failed to allocate"),
            "DuckDB has too little memory: ask about fewer messages",
            False,
        ),
        (
            duckdb.IOException("Could not read from s3"),
            "DuckDB cannot read what the relation is of: Could not read",
            True,
        ),
        (duckdb.Error("don't know what type: \x0f"), "If a file was written anew meanwhile, ask again", True),
        (getattr(duckdb, "ResourceInUseException", duckdb.IOException)("busy"), "DuckDB", True),
        (
            duckdb.InvalidInputException("No magic bytes found at end of file '/lake/a.parquet'"),
            r"/lake/a\.parquet is missing",
            True,
        ),
    ],
)
def test_what_duckdb_complains_of_is_said_in_our_words(error: Exception, said: str, retryable: bool) -> None:
    """Files, memory, a connection that somebody else asks by; what is a fault of a query stays what it is."""
    with pytest.raises(StoreError, match=said) as told, explaining_duckdb():
        raise error
    assert told.value.retryable is retryable
    with pytest.raises(duckdb.BinderException), explaining_duckdb():
        raise duckdb.BinderException("no such column")
