"""How collecting stands, for monitoring."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

__all__ = ["CollectingHealth", "collecting_health", "polled_accounts"]


@dataclass(frozen=True, slots=True)
class CollectingHealth:
    """Instants in epoch seconds; None where it never happened."""

    covered_until: int | None
    last_poll_at: int | None
    polls: int
    unparsed: int
    lost: int


def collecting_health(conn: sqlite3.Connection, account: str) -> CollectingHealth:
    """Return how collecting of an account stands."""
    row = conn.execute(
        "SELECT max(asked_at), count(*), coalesce(sum(state = 'unparsed'), 0), coalesce(sum(state = 'lost'), 0)"
        " FROM polls JOIN accounts USING (account_id) WHERE account = ?",
        [account],
    ).fetchone()
    covered = conn.execute(
        "SELECT max(ended_at) FROM coverage JOIN accounts USING (account_id) WHERE account = ?", [account]
    ).fetchone()[0]
    return CollectingHealth(covered, row[0], row[1], row[2], row[3])


def polled_accounts(conn: sqlite3.Connection) -> list[str]:
    """Return the accounts that were polled into this store, by name."""
    return [
        row[0] for row in conn.execute("SELECT account FROM accounts JOIN pace USING (account_id) ORDER BY account")
    ]
