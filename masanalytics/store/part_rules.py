"""How reports of long messages are counted in a file: as was learned of each account, or as the user has said."""

from __future__ import annotations

import sqlite3
from typing import Final

from masanalytics.vocabulary import Status

__all__ = ["RULES", "by_part_accounts", "missing_sql", "rule_of"]

RULES: Final = ("auto", "any", "all")
"""As learned of each account; one report a message; one report a part."""


def rule_of(conn: sqlite3.Connection) -> str:
    """Return the file's rule."""
    row = conn.execute("SELECT rule FROM parts_rule").fetchone()
    return str(row[0]) if row else "auto"


def by_part_accounts(conn: sqlite3.Connection) -> frozenset[int]:
    """Return the accounts whose reports come one a part."""
    rule = rule_of(conn)
    if rule == "any":
        return frozenset()
    which = "accounts" if rule == "all" else "parts WHERE by_part"
    return frozenset(row[0] for row in conn.execute(f"SELECT account_id FROM {which}"))


def missing_sql(conn: sqlite3.Connection) -> str:
    """Return SQL for how many parts of a row of ``messages m`` are missing: of delivered long ones whose reports come by part."""
    accounts = ", ".join(map(str, sorted(by_part_accounts(conn))))
    if not accounts:
        return "NULL"
    return (
        f"CASE WHEN m.segments >= 2 AND m.status_id = {int(Status.delivered)} AND m.account_id IN ({accounts})"
        " THEN max(m.segments - m.reports, 0) END"
    )
