"""Names as small integers: campaigns, accounts, codes and regions, each kept once, and the statuses of messages.

The statuses stand here as conditions of SQL, so that a query says which ones it means and not their numbers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Final

from masanalytics.account import AccountKey
from masanalytics.store import sql_views
from masanalytics.text import plain_name
from masanalytics.vocabulary import Status

__all__ = [
    "ACCEPTED",
    "MAY_BE_OUT",
    "REPORTED",
    "RESENDABLE",
    "STATUS_OF_STATE",
    "STILL_TO_SEND",
    "account_id",
    "campaign_id",
    "code_ids",
    "find_account",
    "find_campaign",
    "known_address",
    "region_ids",
]

# Conditions on a message's status_id; its order is that of Status. A comparison is quicker than IN on millions of rows.
RESENDABLE: Final = f"< {int(Status.unknown)}"
"""Surely not taken by the platform: planned, not_sent, rejected. A later run may send it."""
STILL_TO_SEND: Final = f"< {int(Status.rejected)}"
"""Planned, or tried in vain: not_sent."""
MAY_BE_OUT: Final = f">= {int(Status.unknown)}"
"""Taken by the platform, or possibly: somebody may have got it, and may answer."""
ACCEPTED: Final = f">= {int(Status.pending)}"
"""Taken by the platform: pending, delivered, failed."""
REPORTED: Final = f">= {int(Status.delivered)}"
"""Known by a final report: delivered, failed."""

STATUS_OF_STATE: Final = {
    "planned": Status.planned,
    "submitting": Status.unknown,
    "accepted": Status.pending,
    "rejected": Status.rejected,
    "not_sent": Status.not_sent,
    "unknown": Status.unknown,
}
"""What a batch's state makes of its messages, as long as no report says more."""


def account_id(conn: sqlite3.Connection, account: str | AccountKey) -> int:
    """Return the account's number, giving it one where it has none.

    The first address under a name has that name alone in the frames, and so has an account of an older store, which gets the address
    it is first used with. Every other address is an account of its own, which shows it behind the name.
    """
    key = AccountKey.of(account)
    number = find_account(conn, key)
    if number is None:
        is_taken = find_account(conn, key.name) is not None
        number = _number(conn, "accounts", "account", key.shown_apart if is_taken else key.name)
    if key.address:
        conn.execute(
            "INSERT OR IGNORE INTO account_addresses (name, address, account_id) VALUES (?, ?, ?)", [*key, number]
        )
    return number


def find_account(conn: sqlite3.Connection, account: str | AccountKey) -> int | None:
    """Return the account's number, or None where the store does not know it."""
    key = AccountKey.of(account)
    if key.address:
        row = conn.execute(
            "SELECT account_id FROM account_addresses WHERE name = ?1 AND address = ?2 UNION ALL SELECT account_id FROM accounts a"
            " WHERE account = ?1 AND NOT EXISTS (SELECT 1 FROM account_addresses b WHERE b.account_id = a.account_id) LIMIT 1",
            list(key),
        ).fetchone()
    else:
        row = conn.execute("SELECT account_id FROM accounts WHERE account = ?", [key.name]).fetchone()
    return row[0] if row else None


def known_address(conn: sqlite3.Connection, account: AccountKey) -> str | None:
    """Return where the account is whose name this one has, if that is another account of the store; None otherwise."""
    row = conn.execute(
        "SELECT b.address FROM accounts a JOIN account_addresses b USING (account_id) WHERE a.account = ? AND a.account_id <> ?"
        " ORDER BY b.rowid DESC LIMIT 1",
        [account.name, find_account(conn, account)],
    ).fetchone()
    return row[0] if row else None


def campaign_id(conn: sqlite3.Connection, campaign: str) -> int:
    """Return the campaign's number, giving it one where it has none."""
    return _number(conn, "campaigns", "campaign", plain_name(campaign))


def find_campaign(conn: sqlite3.Connection, campaign: str) -> int | None:
    """Return the campaign's number, or None where the store does not know it."""
    row = conn.execute("SELECT campaign_id FROM campaigns WHERE campaign = ?", [plain_name(campaign)]).fetchone()
    return row[0] if row else None


def code_ids(conn: sqlite3.Connection, codes: Iterable[str]) -> dict[str, int]:
    """Return code -> number for each of `codes`; what a new one means is written beside it."""
    numbers = {code: _number(conn, "codes", "code", code) for code in set(codes)}
    explained = conn.execute(
        "SELECT code_id FROM code_meanings WHERE code_id IN (SELECT value FROM json_each(?))",
        [json.dumps([*numbers.values()])],
    )
    fresh = set(numbers.values()) - {row[0] for row in explained}
    if fresh:
        sql_views.explain_codes(conn, [(number, code) for code, number in numbers.items() if number in fresh])
    return numbers


def region_ids(conn: sqlite3.Connection, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return (province, city) -> number for each of `places`."""
    numbers = {}
    for province, city in set(places):
        conn.execute("INSERT OR IGNORE INTO regions (province, city) VALUES (?, ?)", [province, city])
        row = conn.execute("SELECT region_id FROM regions WHERE province = ? AND city = ?", [province, city])
        numbers[province, city] = row.fetchone()[0]
    return numbers


def _number(conn: sqlite3.Connection, table: str, column: str, value: str) -> int:
    key = table[:-1] + "_id"
    row = conn.execute(f"SELECT {key} FROM {table} WHERE {column} = ?", [value]).fetchone()
    if row is None:
        conn.execute(f"INSERT INTO {table} ({column}) VALUES (?)", [value])
        return _number(conn, table, column, value)
    number: int = row[0]
    return number
