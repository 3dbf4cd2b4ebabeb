"""Accounts that were made part of another one after their messages were archived: read by the new name, and written by it next."""

from __future__ import annotations

import json
import sqlite3

__all__ = ["make_table", "note_merge", "outdated_files", "renames_by_file", "renames_of"]

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


def renames_by_file(conn: sqlite3.Connection) -> dict[str, dict[str, str]]:
    """Return what the accounts in files of the archive are called now, where that is not what the file says."""
    found: dict[str, dict[str, str]] = {}
    for file, account, is_now in conn.execute(
        "SELECT file, account, is_now FROM archive_renames JOIN archive_runs USING (archive_id) ORDER BY account"
    ):
        found.setdefault(file, {})[account] = is_now
    return found


def renames_of(conn: sqlite3.Connection, archive_id: int) -> dict[str, str]:
    """Return what the accounts in one file are called now, where that is not what the file says."""
    return dict(
        conn.execute("SELECT account, is_now FROM archive_renames WHERE archive_id = ?", [archive_id]).fetchall()
    )


def outdated_files(conn: sqlite3.Connection) -> list[tuple[int, list[str]]]:
    """Return the files that are to be written anew, each with the user's columns that are to be emptied for the forgotten."""
    found = conn.execute(
        "SELECT archive_id, ifnull(own_columns, '[]') FROM (SELECT archive_id FROM archive_erasures UNION SELECT archive_id FROM"
        " archive_renames) LEFT JOIN archive_erasures USING (archive_id) ORDER BY archive_id"
    )
    return [(archive_id, json.loads(columns)) for archive_id, columns in found]
