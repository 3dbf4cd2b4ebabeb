"""Parquet files of messages, and messages in memory, as sources of one engine: DuckDB where it is installed, else polars or Arrow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import get_ident
from typing import TYPE_CHECKING, Any, cast

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.duckdb import DuckDBMessages
from masanalytics.analysis.sources.narwhals import NarwhalsMessages
from masanalytics.analysis.sources.polars import PolarsMessages
from masanalytics.errors import MissingExtraError
from masanalytics.i18n import Text
from masanalytics.own_columns import names_in_files
from masanalytics.vocabulary import MESSAGE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["in_memory", "opened", "read_through"]


class _OwnRelation(DuckDBMessages):
    """A relation of a connection of ours, which draws no progress bar."""

    @property
    def _draws(self) -> bool:
        return False


def opened(files: Sequence[Path], *, own: Sequence[str] = (), are_alike: bool = False) -> NarwhalsMessages:
    """Return Parquet files of messages, at least one, as a source: by DuckDB where it is installed, else by polars or Arrow.

    A column that a file does not have, since it was written before there was one, is missing in its messages.

    Parameters
    ----------
    own : sequence of str
        The user's own columns in them: names that differ in capitals only are one to DuckDB, which is not asked then.
    are_alike : bool
        Whether all are known to have the same columns, as those of one export: then not each is opened to find out.

    Raises
    ------
    MissingExtraError
        If none of them is.
    """
    import narwhals as nw

    names = [str(file) for file in files]
    if (connection := _duckdb_for(own)) is not None:
        relation = connection.read_parquet(names, hive_partitioning=False, union_by_name=not are_alike)
        if empty := _lacking(relation.columns):
            nulls = (
                f'CAST(NULL AS {"VARCHAR" if kind == "str" else "BIGINT"}) AS "{name}"' for name, kind in empty.items()
            )
            relation = relation.project(", ".join(["*", *nulls]))
        return _OwnRelation(_renamed(nw.from_native(relation)), shifts={})
    try:
        import polars as pl
    except ImportError:
        pass
    else:
        if are_alike:
            return PolarsMessages(
                _completed(nw.from_native(pl.scan_parquet(names, hive_partitioning=False))), shifts={}
            )
        scans = [pl.scan_parquet(name, hive_partitioning=False) for name in names]
        return PolarsMessages(_completed(nw.from_native(pl.concat(scans, how="diagonal"))), shifts={})
    try:
        from pyarrow import concat_tables
        from pyarrow.parquet import read_table
    except ImportError as error:
        raise MissingExtraError.of("duckdb", "duckdb", Text("reading {kind}", kind=".parquet")) from error
    tables = [read_table(name, partitioning=None) for name in names]
    return NarwhalsMessages(_completed(nw.from_native(concat_tables(tables, promote_options="default"))), shifts={})


def in_memory(rows: pd.DataFrame) -> NarwhalsMessages | None:
    """Return rows of messages as a source that can be asked together with files that were `opened`; None where no engine is installed."""
    import narwhals as nw

    with suppress(ImportError):
        # By Arrow, which knows of what kind a column is that is missing everywhere.
        import pyarrow as pa

        table = pa.Table.from_pandas(rows, preserve_index=False)
        if (connection := _duckdb_for(table.column_names)) is not None:
            return _OwnRelation(nw.from_native(connection.from_arrow(table)), shifts={})
        from polars import from_arrow

        return PolarsMessages(nw.from_native(cast("pl.DataFrame", from_arrow(table)).lazy()), shifts={})
    return None


def read_through(file: Path) -> None:
    """Read a file of messages from end to end, as questions read it."""
    source = opened([file])
    source.message_rows(source.message_columns(), where=Filters())


def _duckdb_for(columns: Sequence[str]) -> Any:
    """Return a connection of DuckDB; None where it is not installed, or would take two of the columns for one."""
    try:
        import duckdb  # noqa: F401
    except ImportError:
        return None
    if len({name.casefold() for name in columns}) < len(columns):
        return None
    connection = _connection(os.getpid(), get_ident())
    connection.execute("SET enable_progress_bar = false")
    return connection


@cache
def _database(process: int) -> Any:  # noqa: ARG001 - a forked process needs one of its own
    """Return the empty database that a process reads files through: making one takes longer than counting a month of a small account."""
    import duckdb

    return duckdb.connect()


@cache
def _connection(process: int, thread: int) -> Any:  # noqa: ARG001 - threads do not share one
    """Return the connection through which a thread reads: what is read through one can be asked together."""
    return _database(process).cursor()


def _lacking(there: Sequence[str]) -> dict[str, str]:
    """Return the columns of messages that files do not have, with their kinds: no version has left out a time."""
    return {
        name: kind for name, kind in MESSAGE_COLUMNS.items() if name not in there and not kind.startswith("datetime")
    }


def _completed(frame: Any) -> Any:
    """Return the frame with empty columns in place of those that its files do not have."""
    import narwhals as nw

    empty = _lacking(frame.collect_schema().names())
    nulls = [
        nw.lit(None).cast(nw.String() if kind == "str" else nw.Int64()).alias(name) for name, kind in empty.items()
    ]
    return _renamed(frame.with_columns(*nulls) if nulls else frame)


def _renamed(frame: Any) -> Any:
    """Return the frame with its columns called as messages know them."""
    names = names_in_files(frame.collect_schema().names())
    return frame.rename(names) if names else frame
