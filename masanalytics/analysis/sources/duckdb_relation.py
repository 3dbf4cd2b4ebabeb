"""What DuckDB is asked in its own words, because narwhals has no words for it, or slow ones.

Nothing here is a statistic: times as epoch seconds, the files a relation reads, and queries that draw no progress bar.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from masanalytics.analysis.sources.damaged_files import state_of_exported, unreadable
from masanalytics.analysis.sources.numeric_times import NumberKind, as_epoch
from masanalytics.errors import StoreError

__all__ = [
    "draws_progress_bar",
    "epoch_name",
    "explaining_duckdb",
    "files_behind",
    "in_microseconds",
    "parquet_behind",
    "quoted",
    "repeated_ids",
    "with_epochs",
    "without_progress_bar",
]

_TIMES: Final = ("submitted_at", "received_at")
_VIEW: Final = "messages_of_masanalytics"
_NAME: Final = "'(?:[^']|'')*'"
_SCAN: Final = re.compile(
    rf"""\s*(?:SELECT\s+\*\s+)?FROM\s+(?:
        (?P<named>'(?:[^']|'')*\.parquet')  # which DuckDB reads as Parquet for its name
        | (?:parquet_scan|read_parquet)\(\s*(?:(?P<name>{_NAME})|\[(?P<names>{_NAME}(?:\s*,\s*{_NAME})*)\])(?:\s*,\s*[\w\ :=]+)*\s*\)
    )(?:\s+AS\s+"?\w+"?)?\s*;?\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_MOST_FILES: Final = 10_000
_FINER: Final = "TIMESTAMPTZ_NS"
_NAMED_FILE: Final = re.compile(r"""["']([^"'*?]+\.parquet)["']""")
_OF_PARQUET: Final = re.compile("parquet|thrift|magic bytes", re.IGNORECASE)


def epoch_name(name: str) -> str:
    """Return what the column of epoch seconds beside a column of times is called.

    Examples
    --------
    >>> epoch_name("submitted_at")
    '#epoch/submitted_at'
    """
    return f"#epoch/{name}"


def quoted(name: str) -> str:
    """Return the name of a column as SQL has it.

    Examples
    --------
    >>> print(quoted('my "own" column'))
    "my ""own"" column"
    """
    return '"' + name.replace('"', '""') + '"'


def in_microseconds(frame: Any) -> Any:
    """Return the relation with zoned times of nanoseconds, which neither narwhals nor DuckDB's own functions know, as of microseconds."""
    import narwhals as nw

    relation = frame.to_native()
    finer = [name for name, kind in zip(relation.columns, relation.types, strict=True) if str(kind) == _FINER]
    if not finer:
        return frame
    cast = ", ".join(f"CAST({name} AS TIMESTAMPTZ) AS {name}" for name in map(quoted, finer))
    return nw.from_native(relation.project(f"* REPLACE ({cast})"))


def with_epochs(frame: Any, kinds: Mapping[str, NumberKind]) -> Any:
    """Return the relation with its times as epoch seconds beside them, of whole numbers of these `kinds`; nothing is read that is not asked for.

    A time less 1970 is an interval, of which DuckDB takes the seconds ten times more slowly; and what makes a time of digits is long,
    so that it stands once, not wherever the time is asked for.
    """
    import narwhals as nw

    schema = frame.collect_schema()
    known = {name for name in _TIMES if name in schema and epoch_name(name) not in schema}
    digits = {epoch_name(name): as_epoch(nw.col(name), kinds[name]) for name in known if name in kinds}
    frame = frame.with_columns(**digits) if digits else frame
    times = [name for name in _TIMES if name in known and isinstance(schema[name], nw.Datetime)]
    if not times:
        return frame
    added = (f'epoch_us("{name}") // 1000000 AS "{epoch_name(name)}"' for name in times)
    return nw.from_native(frame.to_native().project(", ".join(["*", *added])))


def repeated_ids(relation: Any, account: str | None) -> Any:
    """Return a relation of one row: the least ``message_id``, and how many rows have one that another row has.

    Numbers of neighbours share a set of bits, so that there are few groups where a distinct count has one a message. Of numbers below
    0 the count is wrong.
    """
    bit = "1::UBIGINT << (message_id & 63)::UBIGINT"
    sets = relation.filter("message_id IS NOT NULL").aggregate(
        f"min(message_id) AS least, count(*) AS n, bit_or({bit}) AS bits",
        f"{account}, message_id >> 6" if account else "message_id >> 6",
    )
    return sets.aggregate("min(least) AS least, sum(n - bit_count(bits)) AS repeated")


def _asked(frame: Any, sql: str) -> list[Any]:
    """Run a query of a relation's connection, in which the relation is called `_VIEW`."""
    answer = frame.to_native().query(_VIEW, sql)
    return [] if answer is None else list(answer.fetchall())


def draws_progress_bar(frame: Any) -> bool:
    """Return whether the relation's own connection draws a progress bar."""
    ((shown,),) = _asked(frame, "SELECT current_setting('enable_progress_bar')")
    return bool(shown)


@contextmanager
def without_progress_bar(frame: Any, *, drawn: bool) -> Iterator[None]:
    """Let the relation's own connection draw no progress bar meanwhile, where one is `drawn`; afterwards it is as it was."""
    if not drawn:
        yield
        return
    _asked(frame, "SET enable_progress_bar = false")
    try:
        yield
    finally:
        _asked(frame, "SET enable_progress_bar = true")


def parquet_behind(frame: Any) -> list[Path] | None:
    """Return the Parquet files that a relation reads, if it reads nothing else and all of every file; else None."""
    from duckdb import Error

    found = _SCAN.fullmatch(frame.to_native().sql_query())
    if found is None:
        return None
    names = found["named"] or found["name"] or found["names"]
    try:
        files = [Path(name) for (name,) in _asked(frame, f"SELECT file FROM glob([{names}]) ORDER BY file")]
    except Error:  # such as one of them gone, which the question itself is told
        return None
    return files if files and len(files) <= _MOST_FILES else None


@contextmanager
def explaining_duckdb() -> Iterator[None]:
    """Say in our words what DuckDB complains of: it looks at files, memory and its connection at every step of a question.

    Raises
    ------
    StoreError
        With the file that DuckDB names, and what brings it back where an export or archive is known to have it; or with what to do
        where memory does not suffice, or something else asks by the same connection.
    """
    try:
        yield
    except Exception as error:
        found = _explained(error)
        if found is None:
            raise
        raise found from error


def _explained(error: Exception) -> StoreError | None:
    duckdb, said = sys.modules.get("duckdb"), str(error)
    if duckdb is None:  # who has not used it has no errors of it
        return None
    in_use = getattr(duckdb, "ResourceInUseException", ())
    if isinstance(error, in_use):
        return StoreError(
            "the DuckDB connection of the relation is in use: fetch what it was asked before, or give each thread a cursor of its own"
            " (connection.cursor())",
            retryable=True,
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return StoreError("DuckDB has too little memory: ask about fewer messages (since=, campaign=): {why}", why=said)
    is_damaged = isinstance(error, duckdb.InvalidInputException) and _OF_PARQUET.search(said)
    if type(error) is duckdb.Error:  # a page of Parquet that is none: of a file that was replaced while it was read
        return StoreError(
            "DuckDB cannot read what the relation is of: {why}. If a file was written anew meanwhile, ask again; else one is damaged",
            why=said,
            retryable=True,
        )
    if not isinstance(error, duckdb.IOException) and not is_damaged:
        return None
    named = _NAMED_FILE.search(said)
    if named is not None:
        return unreadable(Path(named[1]))
    return StoreError("DuckDB cannot read what the relation is of: {why}", why=said, retryable=True)


def files_behind(frame: Any) -> Hashable | None:
    """Return what a relation reads, if that is Parquet files and nothing else: its query, and each file as it is now.

    None where it reads something else, or files that are not on this machine: whether they change is not known.
    """
    files = parquet_behind(frame)
    if files is None:
        return None
    seen = state_of_exported(files)
    if seen is None:
        return None
    return (re.sub(r' AS "\w+"$', "", frame.to_native().sql_query()), str(Path.cwd()), seen)
