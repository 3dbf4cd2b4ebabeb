"""The texts of templates, as their owner said them: remembered by account, each with when it was used."""

from __future__ import annotations

import sqlite3

import pandas as pd

from masanalytics.account import AccountKey
from masanalytics.planning.platform_texts import placeholders
from masanalytics.store import lookups

__all__ = ["read_templates", "recall", "remember"]

_TEMPLATES = """
SELECT account, template_id, text, first_used, last_used, messages FROM (
  SELECT t.account_id, t.template_id, t.text, t.first_used, t.last_used,
    (SELECT coalesce(sum(b.messages), 0) FROM batches b JOIN runs r ON r.run_id = b.run_id
     WHERE r.text_id = t.text_id AND b.template_id = t.template_id AND b.state = 'accepted') AS messages
  FROM template_texts t
  UNION ALL
  SELECT b.account_id, b.template_id, NULL, min(b.requested_at), max(b.requested_at),
    coalesce(sum(CASE WHEN b.state = 'accepted' THEN b.messages END), 0)
  FROM batches b LEFT JOIN runs r ON r.run_id = b.run_id
  WHERE b.template_id IS NOT NULL AND r.text_id IS NULL GROUP BY b.account_id, b.template_id
) JOIN accounts USING (account_id) ORDER BY account, template_id, last_used
"""


def remember(conn: sqlite3.Connection, run_id: int, account_id: int, template: tuple[str, str], now: float) -> None:
    """Keep what the text of a template is said to be, and that a run has used it."""
    row = (account_id, *template)
    conn.execute(
        "INSERT INTO template_texts (account_id, template_id, text, first_used, last_used) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id, template_id, text) DO UPDATE SET last_used = excluded.last_used",
        [*row, int(now), int(now)],
    )
    conn.execute(
        "UPDATE runs SET text_id = (SELECT text_id FROM template_texts WHERE account_id = ? AND template_id = ? AND text = ?)"
        " WHERE run_id = ?",
        [*row, run_id],
    )


def recall(conn: sqlite3.Connection, account: AccountKey, template_id: str) -> str | None:
    """Return the text that a template of an account was last used with; None where none was ever said."""
    account_id = lookups.find_account(conn, account)
    row = conn.execute(
        "SELECT text FROM template_texts WHERE account_id = ? AND template_id = ? ORDER BY last_used DESC, text_id DESC",
        [account_id, template_id],
    ).fetchone()
    return None if row is None else str(row[0])


def read_templates(conn: sqlite3.Connection) -> pd.DataFrame:
    """Return the frame that `Store.templates` describes."""
    rows = conn.execute(_TEMPLATES).fetchall()
    frame = pd.DataFrame(rows, columns=["account", "template_id", "text", "first_used", "last_used", "messages"])
    counts = [None if text is None else len({place for _whole, place in placeholders(text)}) for text in frame["text"]]
    frame.insert(3, "placeholders", pd.Series(counts, dtype="Int64", index=frame.index))
    for name in ("first_used", "last_used"):
        moments = pd.to_datetime(frame[name].astype("Int64"), unit="s", utc=True)
        frame[name] = moments.dt.tz_convert("Asia/Shanghai").dt.as_unit("s")
    return frame.astype({"account": "str", "template_id": "str", "text": "str", "messages": "int64"})
