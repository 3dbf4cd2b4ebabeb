"""Parquet files of a month, one an account, written by a thread of their own while the next rows are read."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from masanalytics.export_folder import SCHEMA_VERSION, sync_file
from masanalytics.paths import private_file
from masanalytics.store.arrow_messages import ArrowMessages, BatchTexts, described
from masanalytics.store.frames import MISSING
from masanalytics.store.packed_rows import Rows

__all__ = ["PartitionWriters", "parquet_writer"]

_ROW_GROUP: Final = 131_072
_WAITING: Final = 4 * _ROW_GROUP
_AHEAD: Final = 2
_SYNCED_AT_ONCE: Final = 16


@contextmanager
def parquet_writer(
    path: Path, schema: Any, *, coded: list[str], private: bool, is_synced: bool = True
) -> Iterator[Any]:
    """Write a Parquet file that, `is_synced`, is on the disk afterwards; `coded` are the columns whose values repeat."""
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    if private:
        private_file(path)
    how: dict[str, Any] = {"compression": "zstd", "store_schema": False, "write_page_checksum": True}
    with pq.ParquetWriter(path, schema, use_dictionary=coded, **how) as writer:
        writer.add_key_value_metadata(described(schema, **{"masanalytics.schema_version": str(SCHEMA_VERSION)}))
        yield writer
    if is_synced:
        sync_file(path)


class Written(NamedTuple):
    """What a file holds: rows, the first and the last time of submission, and up to when any message had been watched."""

    rows: int
    first: int | None
    last: int | None
    as_of: int | None


class _File:
    """One file in the making."""

    def __init__(self) -> None:
        self.parts: list[Rows] = []
        self.waiting = 0
        self.rows = 0
        self.first: int | None = None
        self.last: int | None = None
        self.as_of: int | None = None
        self.open: Any = None
        self.writer: Any = None

    def add(self, rows: Rows) -> None:
        self.parts.append(rows)
        self.waiting += len(rows)
        self.rows += len(rows)
        at = rows.numbers["submitted_at"]
        known = at[at != MISSING]
        if len(known):
            self.first = int(min(known.min(), known[0] if self.first is None else self.first))
            self.last = int(max(known.max(), known[0] if self.last is None else self.last))


class PartitionWriters:
    """The files of one month, by account.

    Rows wait until there are enough of an account for a group of rows, so that accounts which take turns in the file do not make
    thousands of small ones; how many wait altogether is limited, and so is memory.

    Parameters
    ----------
    conn : Connection
        The file, used by the thread that calls.
    tables : ArrowMessages
        What makes tables of rows.
    paths : mapping of int to Path
        Where each account's file is written.
    private : bool
        Whether only their owner can read the files.
    """

    def __init__(
        self, conn: sqlite3.Connection, tables: ArrowMessages, paths: dict[int, Path], *, private: bool
    ) -> None:
        self._conn, self._tables, self._paths, self._private = conn, tables, paths, private
        self._files: dict[int, _File] = {}
        self._pool = ThreadPoolExecutor(1)
        self._ahead: deque[Future[None]] = deque()

    def write(self, stretches: Iterable[Rows]) -> dict[int, Written]:
        """Write all rows; return what was written of each account that has any."""
        try:
            for rows in stretches:
                for account_id, part in self._by_account(rows):
                    self._files.setdefault(account_id, _File()).add(part)
                self._flush()
            self._flush(everything=True)
            while self._ahead:
                self._ahead.popleft().result()
        finally:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._close()
        return {
            account_id: Written(file.rows, file.first, file.last, file.as_of)
            for account_id, file in self._files.items()
        }

    def _by_account(self, rows: Rows) -> Iterator[tuple[int, Rows]]:
        accounts = rows.numbers["account_id"]
        for account_id in np.unique(accounts).tolist():
            if account_id in self._paths:
                chosen = np.flatnonzero(accounts == account_id)
                yield account_id, rows if len(chosen) == len(rows) else rows.taken(chosen)

    def _flush(self, *, everything: bool = False) -> None:
        """Hand on what is enough for a group of rows, and the largest while too much waits."""
        waiting = sorted(self._files.items(), key=lambda item: -item[1].waiting)
        total = sum(file.waiting for _, file in waiting)
        for account_id, file in waiting:
            if file.waiting and (everything or file.waiting >= _ROW_GROUP or total > _WAITING):
                rows = Rows.joined(file.parts)
                total -= file.waiting
                file.parts, file.waiting = [], 0
                texts = self._tables.texts_of_batches(self._conn, rows)
                self._ahead.append(self._pool.submit(self._put, account_id, rows, texts))
                while len(self._ahead) > _AHEAD:
                    self._ahead.popleft().result()

    def _put(self, account_id: int, rows: Rows, texts: BatchTexts) -> None:
        file = self._files[account_id]
        if file.writer is None:
            file.open = parquet_writer(
                self._paths[account_id],
                self._tables.schema,
                coded=self._tables.coded,
                private=self._private,
                is_synced=False,
            )
            file.writer = file.open.__enter__()
        file.writer.write_table(self._tables.table(rows, texts), row_group_size=_ROW_GROUP)
        ends = [end for end in (file.as_of, self._tables.last_end(rows)) if end is not None]
        file.as_of = max(ends, default=None)

    def _close(self) -> None:
        """Finish the files, and wait until all are on the disk, which takes little longer for many than for one."""
        written = []
        for account_id, file in self._files.items():
            if file.writer is not None:
                file.writer = None
                file.open.__exit__(None, None, None)
                written.append(self._paths[account_id])
        with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
            list(pool.map(sync_file, written))
