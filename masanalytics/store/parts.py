"""Whether an account's reports come one a message or one a part of a long message: learned from its own messages, or said.

Public sources say both of the platform. Where reports come by part, a long message of which one part is reported delivered may
still miss another. So it stays pending until all have come, or until no report can come any more.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.store import message_outcomes
from masanalytics.store.coverage import covered_until
from masanalytics.store.part_rules import RULES, by_part_accounts, rule_of
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

__all__ = ["check_rule", "keep_up", "learned", "set_rule", "words"]

_DAY_S = 86_400
_LEARN_FROM_S = 60 * _DAY_S
_FEWEST = 20
_SHARE = 0.9
_OPEN_OR_DELIVERED: Final = f"status_id IN ({int(Status.pending)}, {int(Status.delivered)})"


def set_rule(conn: sqlite3.Connection, rule: str) -> None:
    """Say how reports come, for this file: ``auto`` as learned, ``any`` one a message, ``all`` one a part."""
    if rule_of(conn) == rule:
        return
    conn.execute("DELETE FROM parts_rule")
    conn.execute("INSERT INTO parts_rule (rule) VALUES (?)", [rule])
    rows = conn.execute(f"SELECT message_id FROM messages WHERE segments >= 2 AND reports > 0 AND {_OPEN_OR_DELIVERED}")
    message_outcomes.refresh(conn, [row[0] for row in rows])


def check_rule(rule: str | None) -> None:
    """Raise where there is no such rule."""
    if rule is not None and rule not in RULES:
        raise InputError("parts={rule!r}: one of {rules}", rule=rule, rules=", ".join(RULES))


def keep_up(conn: sqlite3.Connection, account_id: int) -> None:
    """Learn once a day how the account's reports come, and settle long messages that have waited long enough."""
    until = covered_until(conn).get(account_id)
    if until is None:
        return
    row = conn.execute(
        "SELECT by_part, learned_at, settled_to FROM parts WHERE account_id = ?", [account_id]
    ).fetchone()
    by_part, learned_at, settled_to = row or (0, None, 0)
    if learned_at is None or until - learned_at >= _DAY_S:
        _learn(conn, account_id, until, was=bool(by_part))
    if account_id in by_part_accounts(conn):
        _settle(conn, account_id, settled_to, until - UNREPORTED_AFTER_S)


def learned(conn: sqlite3.Connection, first: float = 0, last: float = 1 << 40) -> list[dict[str, Any]]:
    """Return what is known of each account whose reports come by part, and has long messages between two instants."""
    rows = conn.execute(
        "SELECT p.account_id, a.account, p.messages, p.complete FROM parts p JOIN accounts a USING (account_id) ORDER BY account"
    ).fetchall()
    limits = [int(max(first, 0)), int(min(last, 1 << 40))]
    return [
        {"account": account, "messages": messages, "complete": complete}
        for account_id, account, messages, complete in rows
        if account_id in by_part_accounts(conn)
        and conn.execute(
            "SELECT 1 FROM messages WHERE account_id = ?1 AND segments >= 2 AND submitted_at BETWEEN ?2 AND ?3 UNION ALL"
            " SELECT 1 FROM archived_batches h JOIN batches b USING (batch_id) WHERE h.long AND b.account_id = ?1"
            " AND b.requested_at BETWEEN ?2 AND ?3 LIMIT 1",
            [account_id, *limits],
        ).fetchone()
    ]


def words(known: dict[str, Any]) -> Text:
    """Return what was learned of an account in a sentence."""
    return Text(
        "{account} reports each part of a long message: of {messages:,} delivered ones older than 72 hours {complete:,} had all."
        " One that misses a part is pending for 72 hours, then delivered, with parts_missing",
        code="parts",
        **known,
    )


def _learn(conn: sqlite3.Connection, account_id: int, until: int, *, was: bool) -> None:
    """Look at delivered long messages for which no report can come any more: whether theirs come by part."""
    old = until - UNREPORTED_AFTER_S
    messages, complete = conn.execute(
        "SELECT count(*), coalesce(sum(reports >= segments), 0) FROM messages WHERE account_id = ? AND segments >= 2"
        " AND status_id = ? AND submitted_at BETWEEN ? AND ?",
        [account_id, int(Status.delivered), old - _LEARN_FROM_S, old],
    ).fetchone()
    by_part = complete >= _SHARE * messages if messages >= _FEWEST else was
    conn.execute(
        "INSERT INTO parts (account_id, by_part, messages, complete, learned_at, settled_to) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id) DO UPDATE SET by_part = excluded.by_part, messages = excluded.messages,"
        " complete = excluded.complete, learned_at = excluded.learned_at",
        [account_id, by_part, messages, complete, until, old],
    )
    if by_part != was:
        _refresh(conn, account_id, old, until, _OPEN_OR_DELIVERED)


def _settle(conn: sqlite3.Connection, account_id: int, since: int, until: int) -> None:
    _refresh(conn, account_id, since, until, f"status_id = {int(Status.pending)}")
    conn.execute("UPDATE parts SET settled_to = max(settled_to, ?) WHERE account_id = ?", [until, account_id])


def _refresh(conn: sqlite3.Connection, account_id: int, since: int, until: int, which: str) -> None:
    rows = conn.execute(
        "SELECT message_id FROM messages WHERE account_id = ? AND segments >= 2 AND submitted_at BETWEEN ? AND ?"
        f" AND reports > 0 AND {which}",
        [account_id, since, until],
    )
    message_outcomes.refresh(conn, [row[0] for row in rows])
