"""Accounts that were made part of another one after their messages were archived: read by the new name, and written by it next.

Merging notes which files name which account. Of files that are older than these notes nothing is noted; what their accounts are
called now follows from the batches of their messages, which merging has always moved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.damaged_files import naming_damaged
from masanalytics.analysis.sources.parquet_files import opened, read_through
from masanalytics.store.archived_rows import emptied_columns

__all__ = [
    "compare_older_files",
    "make_table",
    "note_merge",
    "note_older_files",
    "outdated_files",
    "renames_by_file",
    "renames_of",
]

_TABLE = """
CREATE TABLE archive_renames (
  archive_id INTEGER NOT NULL,
  account TEXT NOT NULL,
  is_now TEXT NOT NULL,
  PRIMARY KEY (archive_id, account)
) STRICT"""


def make_table(conn: sqlite3.Connection) -> None:
    """Make the table of which accounts in which files are called otherwise now."""
    conn.execute(_TABLE)


def note_older_files(conn: sqlite3.Connection) -> None:
    """Note that of the files which are there already nobody knows whether they name accounts as the store does."""
    conn.execute("CREATE TABLE archive_not_compared (archive_id INTEGER PRIMARY KEY) STRICT")
    conn.execute("INSERT INTO archive_not_compared SELECT archive_id FROM archive_runs")


def compare_older_files(conn: sqlite3.Connection, folder: Path) -> None:
    """Note what the accounts in files that nobody has compared yet are called now; a file that is missing waits.

    Raises
    ------
    StoreError
        If a file is damaged, naming it.
    """
    for archive_id, file, size in _not_compared(conn):
        path = folder / file
        if not path.exists() or path.stat().st_size != size:
            continue
        with naming_damaged([path], read_through, export=None):
            renames = _derived(conn, path)
        conn.execute("DELETE FROM archive_renames WHERE archive_id = ?", [archive_id])
        conn.executemany(
            "INSERT INTO archive_renames VALUES (?, ?, ?)", [(archive_id, *names) for names in renames.items()]
        )
        conn.execute("DELETE FROM archive_not_compared WHERE archive_id = ?", [archive_id])


def note_merge(conn: sqlite3.Connection, account_id: int, into_id: int) -> None:
    """Note which files name an account that is about to become part of another; later files may name a new one the same."""
    names = dict(conn.execute("SELECT account_id, account FROM accounts").fetchall())
    account, into = names[account_id], names[into_id]
    conn.execute("UPDATE archive_renames SET is_now = ? WHERE is_now = ?", [into, account])
    conn.execute(
        "INSERT OR REPLACE INTO archive_renames SELECT DISTINCT a.archive_id, ?, ? FROM archived a JOIN batches b USING (batch_id)"
        " WHERE b.account_id = ?",
        [account, into, account_id],
    )


def renames_by_file(conn: sqlite3.Connection, folder: Path) -> dict[str, dict[str, str]]:
    """Return what the accounts in files of the archive are called now, where that is not what the file says."""
    found: dict[str, dict[str, str]] = {}
    for file, account, is_now in conn.execute(
        "SELECT file, account, is_now FROM archive_renames JOIN archive_runs USING (archive_id) ORDER BY account"
    ):
        found.setdefault(file, {})[account] = is_now
    return {**found, **{file: _derived(conn, folder / file) for _, file, _ in _not_compared(conn)}}


def renames_of(conn: sqlite3.Connection, archive_id: int) -> dict[str, str]:
    """Return what the accounts in one file are called now, where that is not what the file says."""
    return dict(
        conn.execute("SELECT account, is_now FROM archive_renames WHERE archive_id = ?", [archive_id]).fetchall()
    )


def outdated_files(conn: sqlite3.Connection) -> list[tuple[int, dict[str, list[str]]]]:
    """Return the files that are to be written anew, each with the user's columns that are to be emptied of its messages."""
    found = conn.execute(
        "SELECT archive_id, ifnull(own_columns, '{}') FROM (SELECT archive_id FROM archive_erasures UNION SELECT archive_id FROM"
        " archive_renames) LEFT JOIN archive_erasures USING (archive_id) ORDER BY archive_id"
    )
    return [(archive_id, emptied_columns(columns)) for archive_id, columns in found]


def _not_compared(conn: sqlite3.Connection) -> Iterator[tuple[int, str, int]]:
    """Return the files that nobody has compared yet: their number, name and size."""
    rows = conn.execute(
        "SELECT archive_id, file, size_bytes FROM archive_not_compared JOIN archive_runs USING (archive_id) ORDER BY archive_id"
    )
    return iter(rows.fetchall())


def _derived(conn: sqlite3.Connection, path: Path) -> dict[str, str]:
    """Return what the accounts in a file are called now, by the batches of their messages, where the file says otherwise."""
    found = {}
    for account, batch_id in _accounts_in(path):
        row = conn.execute(
            "SELECT account FROM batches JOIN accounts USING (account_id) WHERE batch_id = ?", [batch_id]
        ).fetchone()
        if row is not None and row[0] != account:
            found[account] = row[0]
    return found


@lru_cache(maxsize=4096)  # no two files of an archive share a name, and none is ever changed in place
def _accounts_in(path: Path) -> tuple[tuple[str, int], ...]:
    """Return the accounts that a file names, each with one of its batches: all batches of an account move together."""
    rows = opened([path], own=()).message_rows(["account", "batch_id"], where=Filters()).drop_duplicates("account")
    return tuple(
        (str(account), int(batch_id)) for account, batch_id in zip(rows["account"], rows["batch_id"], strict=True)
    )
