"""The store's simple frames: the questions behind reports, uplinks, batches, polls and opt-outs, and how answers become frames."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from masanalytics.timezone import CHINA
from masanalytics.vocabulary import Status

__all__ = [
    "BATCHES",
    "FOREIGN",
    "MISSING",
    "OPT_OUTS",
    "POLLS",
    "REPORTS",
    "REPORT_INTEGERS",
    "UPLINKS",
    "china_times",
    "fetch_columns",
    "nullable",
    "read_view",
]

MISSING = np.iinfo(np.int64).min
"""What stands for a missing number while columns are arrays of int64."""
_ROWS_AT_ONCE = 50_000

_REPORT_COLUMNS = (
    "SELECT p.report_id, p.poll_id, p.message_id, c.campaign, a.account, b.msg_group, m.phone, s.code AS report_status,"
    " nullif(e.code, '') AS error_code, p.submitted_at, p.received_at, p.submit_date, p.receive_date FROM reports p"
    " JOIN messages m USING (message_id) JOIN batches b USING (batch_id) JOIN accounts a ON a.account_id = m.account_id"
    " LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id JOIN codes s ON s.code_id = p.report_status_id"
    " JOIN codes e ON e.code_id = p.error_code_id"
)
REPORTS = f"{_REPORT_COLUMNS} WHERE ? IS NULL OR c.campaign = ? ORDER BY p.report_id"
FOREIGN = f"{_REPORT_COLUMNS} WHERE m.campaign_id IS NULL ORDER BY p.report_id"
REPORT_INTEGERS = ("report_id", "poll_id", "message_id")
UPLINKS = (
    "SELECT u.uplink_id, u.poll_id, u.message_id, c.campaign, a.account, u.phone, u.content, u.add_serial, u.sent_at,"
    " u.send_time, u.opt_out FROM uplinks u JOIN accounts a USING (account_id) LEFT JOIN messages m USING (message_id)"
    " LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id WHERE ? IS NULL OR c.campaign = ? ORDER BY u.uplink_id"
)
BATCHES = (
    "SELECT b.batch_id, c.campaign, a.account, b.occasion, b.mode, b.state, b.msg_group, b.rspcod, b.notice, b.inferred,"
    f" b.messages, (SELECT count(*) FROM messages m WHERE m.batch_id = b.batch_id AND m.status_id = {int(Status.delivered)}) AS delivered,"
    f" (SELECT count(*) FROM messages m WHERE m.batch_id = b.batch_id AND m.status_id = {int(Status.failed)}) AS failed,"
    " b.template_id, b.params, b.content, b.add_serial, b.arm, b.planned_at, b.requested_at, b.answered_at"
    " FROM batches b JOIN accounts a USING (account_id) LEFT JOIN campaigns c USING (campaign_id)"
    " WHERE (? IS NULL OR c.campaign = ?) AND (? IS NULL OR b.state = ?) ORDER BY b.batch_id"
)
POLLS = (
    "SELECT p.poll_id, a.account, p.endpoint, p.state, p.asked_at, p.answered_at, p.http_status, p.records, p.set_aside,"
    " p.notice, length(p.raw) AS size_bytes FROM polls p JOIN accounts a USING (account_id)"
    " WHERE ? IS NULL OR p.state = ? ORDER BY p.poll_id"
)
OPT_OUTS = (
    "SELECT o.phone, o.since, o.reason, u.content FROM opt_outs o LEFT JOIN uplinks u USING (uplink_id)"
    " WHERE o.until IS NULL ORDER BY o.since, o.phone"
)


def fetch_columns(cursor: sqlite3.Cursor, integers: Sequence[str]) -> dict[str, np.ndarray]:
    """Return a query's columns as arrays: the named ones int64 with -2**63 for missing, the others objects."""
    names = [column[0] for column in cursor.description]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            if name in integers:
                filled = [MISSING if value is None else value for value in values]
                parts[name].append(np.array(filled, dtype=np.int64))
            else:
                parts[name].append(np.array(values, dtype=object))
    empty = {True: np.array([], dtype=np.int64), False: np.array([], dtype=object)}
    return {name: np.concatenate(part) if part else empty[name in integers] for name, part in parts.items()}


def china_times(seconds: np.ndarray) -> pd.DatetimeIndex:
    """Return epoch seconds (-2**63 for missing) as timestamps in China time."""
    return pd.DatetimeIndex(seconds.astype("datetime64[s]"), tz="UTC").tz_convert(CHINA)


def read_view(
    conn: sqlite3.Connection, sql: str, values: Sequence[object], *, times: Sequence[str], integers: Sequence[str]
) -> pd.DataFrame:
    """Return a query as a frame: `times` (epoch seconds) as China times, `integers` as Int64, the rest as text."""
    cursor = conn.execute(sql, list(values))
    fetched = fetch_columns(cursor, (*times, *integers))
    columns: dict[str, Any] = {}
    for name, column in fetched.items():
        if name in times:
            columns[name] = china_times(column)
        elif name in integers:
            columns[name] = nullable(column)
        else:
            columns[name] = pd.array(column, dtype="str")
    return pd.DataFrame(columns)


def nullable(values: np.ndarray) -> pd.arrays.IntegerArray:
    """Return numbers with `MISSING` among them as an array of Int64."""
    missing = values == MISSING
    return pd.arrays.IntegerArray(np.where(missing, 0, values), missing)
