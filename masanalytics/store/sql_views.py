"""The views for whoever opens the file with SQL, Datasette or DB Browser: everything in words and in China time.

What people look for stands first: the number, the status, the code and what it means. Of a message only campaign and code are
joined, since people filter by them; the rest is looked up by subqueries, which SQLite leaves out where a query does not use them:
counting a million messages by status then reads one table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from masanalytics.codes import catalogue_version, describe_code

__all__ = ["INDEXES", "are_codes_explained", "explain_all_codes", "explain_codes", "make_views"]

_UNICOM: Final = "China Unicom"


def _china(column: str) -> str:
    """Return SQL that shows an epoch-second column in China time, under its own name."""
    return f"datetime({column} + 28800, 'unixepoch') AS {column.partition('.')[2]}"


def _code_of(column: str) -> str:
    """Return SQL for the code of a kept text, which becomes words only in Python."""
    return f"iif(json_valid({column}), json_extract({column}, '$.code'), {column}) AS {column.partition('.')[2]}"


def _of(table: str, column: str, key: str) -> str:
    """Return SQL that looks one column up in another table: not done at all where a query does not use it."""
    return f"(SELECT {column} FROM {table} WHERE {table}.{_key_of(table)} = {key}) AS {column.rpartition('.')[2]}"


def _key_of(table: str) -> str:
    """Return the column by which a table of names is looked up."""
    return {"batches": "batch_id", "code_meanings": "code_id", "kept": "kept_id"}.get(table, f"{table[:-1]}_id")


def _all_of(table: str, columns: str, key: str) -> str:
    return ", ".join(_of(table, column, key) for column in columns.split())


_ACCOUNT: Final = "LEFT JOIN accounts a USING (account_id)"
_CAMPAIGN: Final = "LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id"
_MEANING: Final = "meaning meaning_zh category"

_VIEWS: Final = {
    "messages_readable": f"""
SELECT m.message_id, m.phone, m.status, e.code AS error_code, {_all_of("code_meanings", _MEANING, "m.error_code_id")},
  c.campaign, {_of("rounds", "round", "m.round_id")}, {_china("m.submitted_at")}, {_china("m.received_at")},
  CASE WHEN m.status_id IN (5, 6) THEN m.received_at - m.submitted_at END AS latency_s, m.carrier,
  {_all_of("regions", "province city", "m.region_id")},
  coalesce(m.content, (SELECT content FROM batches WHERE batches.batch_id = m.batch_id)) AS content, m.segments,
  {_of("batches", "arm", "m.batch_id")}, nullif(m.key, '') AS key, {_of("kept", "kept", "m.kept_id")},
  (SELECT nullif(code, '') FROM codes WHERE codes.code_id = m.report_status_id) AS report_status, m.reports,
  {_of("accounts", "account", "m.account_id")}, m.batch_id, {_all_of("batches", "msg_group mode template_id params", "m.batch_id")}
FROM messages m {_CAMPAIGN} LEFT JOIN codes e ON e.code_id = m.error_code_id AND e.code <> ''""",
    "reports_readable": f"""
SELECT p.report_id, m.phone, s.code AS report_status, e.code AS error_code,
  {_all_of("code_meanings", _MEANING, "p.error_code_id")}, c.campaign, {_of("rounds", "round", "m.round_id")},
  {_china("p.submitted_at")}, {_china("p.received_at")}, p.submit_date, p.receive_date,
  {_of("accounts", "account", "m.account_id")}, {_of("batches", "msg_group", "m.batch_id")}, p.message_id, p.poll_id
FROM reports p LEFT JOIN messages m USING (message_id) {_CAMPAIGN} LEFT JOIN codes s ON s.code_id = p.report_status_id
LEFT JOIN codes e ON e.code_id = p.error_code_id AND e.code <> ''""",
    "uplinks_readable": f"""
SELECT u.uplink_id, u.phone, u.content, u.opt_out, {_china("u.sent_at")}, c.campaign, o.round, u.add_serial, u.send_time,
  a.account, u.message_id, u.poll_id
FROM uplinks u {_ACCOUNT} LEFT JOIN messages m ON m.message_id = u.message_id
LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id LEFT JOIN rounds o ON o.round_id = m.round_id""",
    "batches_readable": f"""
SELECT b.batch_id, c.campaign, o.round, b.state, {_code_of("b.notice")}, b.messages, b.mode, b.content, b.template_id, b.params,
  b.arm, {_china("b.planned_at")}, {_china("b.requested_at")}, {_china("b.answered_at")}, b.msg_group, b.rspcod, b.add_serial,
  b.canary, b.inferred, a.account, b.run_id
FROM batches b {_ACCOUNT} LEFT JOIN campaigns c ON c.campaign_id = b.campaign_id LEFT JOIN rounds o ON o.round_id = b.round_id""",
    "runs_readable": f"""
SELECT x.run_id, c.campaign, {_china("x.started_at")}, {_china("x.ended_at")}, {_code_of("x.ended_because")},
  (SELECT sum(b.messages) FROM batches b WHERE b.run_id = x.run_id) AS messages, a.account, x.process
FROM runs x {_ACCOUNT} LEFT JOIN campaigns c ON c.campaign_id = x.campaign_id""",
    "polls_readable": f"""
SELECT p.poll_id, p.endpoint, p.state, {_china("p.asked_at")}, {_china("p.answered_at")}, p.records, p.set_aside, p.http_status,
  {_code_of("p.notice")}, length(p.raw) AS size_bytes, a.account
FROM polls p {_ACCOUNT}""",
    "coverage_readable": f"""
SELECT a.account, {_china("v.started_at")}, {_china("v.ended_at")},
  v.started_at - lag(v.ended_at) OVER (PARTITION BY v.account_id ORDER BY v.started_at) AS gap_before_s
FROM coverage v {_ACCOUNT}""",
    "opt_outs_readable": f"""
SELECT x.phone, {_china("x.since")}, {_china("x.until")}, x.reason, u.content, u.message_id, c.campaign
FROM opt_outs x LEFT JOIN uplinks u USING (uplink_id) LEFT JOIN messages m ON m.message_id = u.message_id
LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id""",
}

_HELD_OUT: Final = f"""
SELECT h.phone, c.campaign, o.round, h.arm, {_china("h.held_at")}, {_china("h.until")}
FROM held_out h JOIN rounds o USING (round_id) JOIN campaigns c ON c.campaign_id = o.campaign_id"""

INDEXES: Final = (
    "CREATE INDEX IF NOT EXISTS messages_by_campaign ON messages (campaign_id)",
    "CREATE INDEX IF NOT EXISTS messages_by_time ON messages (submitted_at)",
    "CREATE INDEX IF NOT EXISTS messages_by_error ON messages (error_code_id) WHERE error_code_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS batches_by_run ON batches (run_id)",
    "CREATE INDEX IF NOT EXISTS uplinks_by_message ON uplinks (message_id)",
)
"""Where people filter: by campaign, time, code; and what the views look up."""


def make_views(conn: sqlite3.Connection) -> None:
    """Make the views anew: that of silent arms where the file has come so far."""
    views = dict(_VIEWS)
    if conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'held_out'").fetchone():
        views["held_out_readable"] = _HELD_OUT
    for name, select in views.items():
        conn.execute(f"DROP VIEW IF EXISTS {name}")
        conn.execute(f"CREATE VIEW {name} AS {select}")


def explain_codes(conn: sqlite3.Connection, codes: Iterable[tuple[int, str]]) -> None:
    """Write what codes mean beside them, in both languages; a bare number as China Unicom means it."""
    conn.executemany(
        "INSERT OR REPLACE INTO code_meanings (code_id, category, meaning, meaning_zh) VALUES (?, ?, ?, ?)",
        [_explained(number, code) for number, code in codes if code],
    )


def are_codes_explained(conn: sqlite3.Connection) -> bool:
    """Return whether what the file says of its codes is what the catalogue of today says of them."""
    return bool(conn.execute("PRAGMA user_version").fetchone()[0] == catalogue_version())


def explain_all_codes(conn: sqlite3.Connection) -> None:
    """Write anew what the file's codes mean, and by which catalogue: that of the version which made the file may have been another."""
    explain_codes(conn, conn.execute("SELECT code_id, code FROM codes").fetchall())
    conn.execute(f"PRAGMA user_version={catalogue_version()}")


def _explained(number: int, code: str) -> tuple[int, str, str, str]:
    english, chinese = (describe_code(code, carrier=_UNICOM, language=language) for language in ("en", "zh"))
    return number, english.category, english.meaning, chinese.meaning
