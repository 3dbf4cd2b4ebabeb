"""Bringing an older file along: numbered rounds get names, and campaigns whose names look alike become one."""

from __future__ import annotations

from typing import Final

from sqlite_utils import Database

from masanalytics.text import plain_name

__all__ = ["bring_along", "run_script"]

_ROUNDS: Final = """
CREATE TABLE rounds (
  round_id INTEGER PRIMARY KEY,
  campaign_id INTEGER NOT NULL REFERENCES campaigns,
  round TEXT NOT NULL,
  key_column TEXT,
  canary_state TEXT,
  canary_size INTEGER,
  canary TEXT,
  canary_notice TEXT,
  canary_at INTEGER,
  UNIQUE (campaign_id, round)
) STRICT;
INSERT INTO rounds (campaign_id, round, key_column)
  SELECT campaign_id, CASE round WHEN 0 THEN '' ELSE CAST(round + 1 AS TEXT) END, CASE WHEN max(variant) > 0 THEN '' END
  FROM (
    SELECT campaign_id, round, variant FROM messages WHERE campaign_id IS NOT NULL
    UNION ALL SELECT campaign_id, round, 0 FROM batches WHERE campaign_id IS NOT NULL
  ) GROUP BY campaign_id, round;
ALTER TABLE batches ADD COLUMN round_id INTEGER REFERENCES rounds;
ALTER TABLE batches ADD COLUMN canary INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN round_id INTEGER REFERENCES rounds;
ALTER TABLE messages ADD COLUMN key TEXT NOT NULL DEFAULT '';
UPDATE batches SET round_id = (SELECT round_id FROM rounds r WHERE r.campaign_id = batches.campaign_id
  AND r.round = CASE batches.round WHEN 0 THEN '' ELSE CAST(batches.round + 1 AS TEXT) END) WHERE campaign_id IS NOT NULL;
UPDATE messages SET key = CASE variant WHEN 0 THEN '' ELSE CAST(variant AS TEXT) END,
  round_id = (SELECT round_id FROM rounds r WHERE r.campaign_id = messages.campaign_id
  AND r.round = CASE messages.round WHEN 0 THEN '' ELSE CAST(messages.round + 1 AS TEXT) END) WHERE campaign_id IS NOT NULL;
DROP INDEX messages_once_a_campaign;
DROP INDEX batches_by_campaign;
ALTER TABLE batches DROP COLUMN round;
ALTER TABLE messages DROP COLUMN round;
ALTER TABLE messages DROP COLUMN variant;
"""

_ROUNDS_INDEXED: Final = """
CREATE UNIQUE INDEX messages_once_a_round ON messages (phone, round_id, key);
CREATE INDEX batches_by_campaign ON batches (campaign_id, round_id);
"""


def run_script(db: Database, script: str) -> None:
    """Run the statements of a script one by one, in the transaction that is open."""
    for statement in script.split(";\n"):
        if statement.strip():
            db.execute(statement)


def bring_along(db: Database, readable: str) -> None:
    """Give an older file rounds with names; `readable` is what the view of messages selected."""
    db.execute("DROP VIEW messages_readable")
    run_script(db, _ROUNDS)
    _merge_names(db)
    run_script(db, _ROUNDS_INDEXED)
    select = readable.replace("c.campaign, a.account", "c.campaign, o.round, nullif(m.key, '') AS key, a.account")
    select = select.replace("LEFT JOIN regions r", "LEFT JOIN rounds o ON o.round_id = m.round_id LEFT JOIN regions r")
    db.execute(f"CREATE VIEW messages_readable AS {select}")


def _merge_names(db: Database) -> None:
    """Write the names of campaigns as they are kept now, and make those that look alike one campaign.

    Where two of them had reached the same number, one message keeps the place, and the others get a key of their own.
    """
    first: dict[str, int] = {}
    merged = False
    for campaign_id, name in db.execute("SELECT campaign_id, campaign FROM campaigns ORDER BY campaign_id").fetchall():
        plain = plain_name(name) or name
        if plain not in first:
            first[plain] = campaign_id
            continue
        merged = True
        _merge_campaign(db, campaign_id, first[plain])
    for plain, campaign_id in first.items():
        db.execute("UPDATE campaigns SET campaign = ? WHERE campaign_id = ?", [plain, campaign_id])
    if merged:
        db.execute(
            "WITH placed AS (SELECT message_id, row_number() OVER (PARTITION BY phone, round_id, key ORDER BY"
            " status_id >= 3 DESC, message_id) AS place FROM messages WHERE round_id IS NOT NULL)"
            " UPDATE messages SET key = trim(key || ' #' || message_id) WHERE message_id IN"
            " (SELECT message_id FROM placed WHERE place > 1)"
        )


def _merge_campaign(db: Database, twin: int, campaign_id: int) -> None:
    """Hand everything of the campaign `twin` over to the other, round by round."""
    db.execute(
        "INSERT OR IGNORE INTO rounds (campaign_id, round, key_column) SELECT ?, round, key_column FROM rounds"
        " WHERE campaign_id = ?",
        [campaign_id, twin],
    )
    for old, new in db.execute(
        "SELECT t.round_id, r.round_id FROM rounds t JOIN rounds r ON r.round = t.round AND r.campaign_id = ?"
        " WHERE t.campaign_id = ?",
        [campaign_id, twin],
    ).fetchall():
        for table in ("batches", "messages"):
            db.execute(f"UPDATE {table} SET round_id = ? WHERE round_id = ?", [new, old])
        db.execute(
            "UPDATE rounds SET key_column = '' WHERE round_id = ? AND EXISTS"
            " (SELECT 1 FROM rounds t WHERE t.round_id = ? AND t.key_column = '')",
            [new, old],
        )
    for table in ("batches", "messages", "runs"):
        db.execute(f"UPDATE {table} SET campaign_id = ? WHERE campaign_id = ?", [campaign_id, twin])
    db.execute("DELETE FROM rounds WHERE campaign_id = ?", [twin])
    db.execute("DELETE FROM campaigns WHERE campaign_id = ?", [twin])
