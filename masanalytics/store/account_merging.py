"""Two accounts of a store that are one: the platform has moved, and what it answers now is of the same messages."""

from __future__ import annotations

import sqlite3
from typing import Final

from masanalytics.errors import InputError
from masanalytics.store import archive_renames, coverage, lookups

__all__ = ["merge"]

_MOVED: Final = ("runs", "batches", "messages", "polls", "holes", "account_addresses")
_OF_ONE_KIND: Final = ("coverage", "pace", "parts")


def merge(conn: sqlite3.Connection, account: str, into: str) -> None:
    """Move all that is of `account` to `into`.

    Raises
    ------
    InputError
        If the store does not know one of them, or both are the same.
    """
    one, other = (_number(conn, name) for name in (account, into))
    if one == other:
        raise InputError("{account} is that account already", account=account)
    archive_renames.note_merge(conn, one, other)
    for table in _MOVED:
        conn.execute(f"UPDATE {table} SET account_id = ? WHERE account_id = ?", [other, one])
    _merge_template_texts(conn, one, other)
    conn.execute("UPDATE OR IGNORE uplinks SET account_id = ? WHERE account_id = ?", [other, one])
    conn.execute("DELETE FROM uplinks WHERE account_id = ?", [one])
    spans = conn.execute("SELECT started_at, ended_at FROM coverage WHERE account_id = ?", [one]).fetchall()
    for table in _OF_ONE_KIND:
        conn.execute(f"DELETE FROM {table} WHERE account_id = ?", [one])
    for started_at, ended_at in spans:
        coverage.join(conn, other, started_at, ended_at)
    conn.execute("DELETE FROM accounts WHERE account_id = ?", [one])


def _merge_template_texts(conn: sqlite3.Connection, one: int, other: int) -> None:
    """Move the texts of templates; one that both accounts have is used from the earlier to the later time."""
    conn.execute(
        "INSERT INTO template_texts (account_id, template_id, text, first_used, last_used)"
        " SELECT ?, template_id, text, first_used, last_used FROM template_texts WHERE account_id = ?"
        " ON CONFLICT (account_id, template_id, text) DO UPDATE SET first_used = min(first_used, excluded.first_used),"
        " last_used = max(last_used, excluded.last_used)",
        [other, one],
    )
    conn.execute(
        "UPDATE runs SET text_id = (SELECT kept.text_id FROM template_texts kept JOIN template_texts old"
        " ON old.template_id = kept.template_id AND old.text = kept.text WHERE kept.account_id = ? AND old.text_id = runs.text_id)"
        " WHERE text_id IN (SELECT text_id FROM template_texts WHERE account_id = ?)",
        [other, one],
    )
    conn.execute("DELETE FROM template_texts WHERE account_id = ?", [one])


def _number(conn: sqlite3.Connection, account: str) -> int:
    number = lookups.find_account(conn, account)
    if number is None:
        known = ", ".join(name for (name,) in conn.execute("SELECT account FROM accounts ORDER BY account"))
        raise InputError(
            "there is no account {account!r} in this store; it has {known}", account=account, known=known or "-"
        )
    return number
