"""The store's simple frames: reports, replies, batches, polls, opt-outs and coverage, one query each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.store import coverage, doubts
from masanalytics.store.archived_counts import late_outcomes
from masanalytics.store.kept_texts import with_words
from masanalytics.text import plain_name
from masanalytics.timezone import CHINA
from masanalytics.vocabulary import BATCH_STATES, Status

__all__ = [
    "MISSING",
    "REPORTS",
    "china_times",
    "column_parts",
    "fetch_columns",
    "nullable",
    "read_batches",
    "read_coverage",
    "read_foreign_reports",
    "read_opt_outs",
    "read_polls",
    "read_reports",
    "read_view",
]

MISSING = np.iinfo(np.int64).min
"""What stands for a missing number while columns are arrays of int64."""
_ROWS_AT_ONCE = 50_000

REPORTS = (
    "SELECT p.report_id, p.poll_id, p.message_id, c.campaign, a.account, b.msg_group, m.phone, s.code AS report_status,"
    " nullif(e.code, '') AS error_code, p.submitted_at, p.received_at, p.submit_date, p.receive_date FROM reports p"
    " JOIN messages m USING (message_id) JOIN batches b USING (batch_id) JOIN accounts a ON a.account_id = m.account_id"
    " LEFT JOIN campaigns c ON c.campaign_id = m.campaign_id JOIN codes s ON s.code_id = p.report_status_id"
    " JOIN codes e ON e.code_id = p.error_code_id"
)
_OF_BATCH = "SELECT count(*) FROM messages m WHERE m.batch_id = b.batch_id AND m.status_id ="
_GONE = "SELECT {} FROM archived_batches h WHERE h.batch_id = b.batch_id"
_BATCHES = (
    "SELECT b.batch_id, c.campaign, r.round, a.account, b.mode, b.state, b.msg_group, b.rspcod, b.notice, b.inferred,"
    f" b.messages, ({_OF_BATCH} {int(Status.delivered)}) + ifnull(({_GONE.format('delivered')}), 0) AS delivered,"
    f" ({_OF_BATCH} {int(Status.failed)}) + ifnull(({_GONE.format('failed')}), 0) AS failed,"
    " b.template_id, b.params, b.content, b.add_serial, b.arm, b.canary, b.planned_at, b.requested_at, b.answered_at"
    " FROM batches b JOIN accounts a USING (account_id) LEFT JOIN campaigns c ON c.campaign_id = b.campaign_id"
    " LEFT JOIN rounds r ON r.round_id = b.round_id WHERE (? IS NULL OR c.campaign = ?) AND (? IS NULL OR b.state = ?) ORDER BY b.batch_id"
)
_POLLS = (
    "SELECT p.poll_id, a.account, p.endpoint, p.state, p.asked_at, p.answered_at, p.http_status, p.records, p.set_aside,"
    " p.notice, length(p.raw) AS size_bytes FROM polls p JOIN accounts a USING (account_id)"
    " WHERE ? IS NULL OR p.state = ? ORDER BY p.poll_id"
)
_MISSING = (
    "SELECT h.poll_id, a.account, h.endpoint, p.state, h.since, h.until, h.records FROM holes h JOIN polls p USING (poll_id)"
    " JOIN accounts a ON a.account_id = h.account_id WHERE h.given_up_at IS NULL ORDER BY h.poll_id"
)
_OPT_OUTS = (
    "SELECT o.phone, o.since, o.reason, u.content FROM opt_outs o LEFT JOIN uplinks u USING (uplink_id)"
    " WHERE o.until IS NULL ORDER BY o.since, o.phone"
)
_REPORT_TIMES = ("submitted_at", "received_at")
_REPORT_INTEGERS = ("report_id", "poll_id", "message_id")


def fetch_columns(cursor: sqlite3.Cursor, integers: Sequence[str]) -> dict[str, np.ndarray]:
    """Return a query's columns as arrays: the named ones int64 with -2**63 for missing, the others objects."""
    parts = list(column_parts(cursor, integers))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def column_parts(cursor: sqlite3.Cursor, integers: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Yield a query's columns as `fetch_columns` has them, some rows at a time; at least one part, of no row where there is none."""
    names = [column[0] for column in cursor.description]
    yield {name: np.array([], dtype=np.int64 if name in integers else object) for name in names}
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        part: dict[str, np.ndarray] = {}
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            if name in integers:
                part[name] = np.array([MISSING if value is None else value for value in values], dtype=np.int64)
            else:
                part[name] = np.array(values, dtype=object)
        yield part


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


def _plain(campaign: str | None) -> str | None:
    return None if campaign is None else plain_name(campaign)


def read_reports(conn: sqlite3.Connection, campaign: str | None) -> pd.DataFrame:
    """Return the reports of a campaign, or all."""
    sql = f"{REPORTS} WHERE ? IS NULL OR c.campaign = ? ORDER BY p.report_id"
    return read_view(conn, sql, [_plain(campaign)] * 2, times=_REPORT_TIMES, integers=_REPORT_INTEGERS)


def read_foreign_reports(conn: sqlite3.Connection) -> pd.DataFrame:
    """Return the reports of batches that this store did not send."""
    sql = f"{REPORTS} WHERE m.campaign_id IS NULL ORDER BY p.report_id"
    return read_view(conn, sql, [], times=_REPORT_TIMES, integers=_REPORT_INTEGERS)


def read_batches(conn: sqlite3.Connection, campaign: str | None, state: str | None) -> pd.DataFrame:
    """Return the batches of a campaign and a state, or all; of those of unknown outcome, what their silence says.

    Raises
    ------
    InputError
        If there is no such state.
    """
    if state is not None and state not in BATCH_STATES:
        raise InputError("state={state!r}: one of {states}", state=state, states=", ".join(BATCH_STATES))
    times = ("planned_at", "requested_at", "answered_at")
    integers = ("batch_id", "canary", "messages", "delivered", "failed", "inferred")
    batches = read_view(
        conn, _BATCHES, [_plain(campaign), _plain(campaign), state, state], times=times, integers=integers
    )
    for late in late_outcomes(conn, "1", []):
        for status, more in ((late.before, -1), (late.now, 1)):
            if status.name in batches.columns:
                batches.loc[batches["batch_id"] == late.batch_id, status.name] += more
    found = {doubt.batch_id: doubt for doubt in doubts.doubts(conn)}
    named = batches["batch_id"].map({batch_id: doubt.named for batch_id, doubt in found.items()})
    verdicts = batches["batch_id"].map({batch_id: str(doubt.verdict) for batch_id, doubt in found.items()})
    return with_words(batches, "notice").assign(named=named.astype("Int64"), verdict=verdicts.astype("str"))


def read_polls(conn: sqlite3.Connection, state: str | None) -> pd.DataFrame:
    """Return the polls of a state, or all."""
    times = ("asked_at", "answered_at")
    integers = ("poll_id", "http_status", "records", "set_aside", "size_bytes")
    return with_words(read_view(conn, _POLLS, [state, state], times=times, integers=integers), "notice")


def read_missing_answers(conn: sqlite3.Connection) -> pd.DataFrame:
    """Return the answers that are known to be missing."""
    return read_view(conn, _MISSING, [], times=("since", "until"), integers=("poll_id", "records"))


def read_opt_outs(conn: sqlite3.Connection) -> pd.DataFrame:
    """Return who has opted out."""
    return read_view(conn, _OPT_OUTS, [], times=("since",), integers=())


def read_coverage(conn: sqlite3.Connection, account: str | None) -> pd.DataFrame:
    """Return the intervals in which every report of an account, or of all, was fetched as it came."""
    frame = pd.DataFrame(coverage.intervals(conn, account), columns=["account", "started_at", "ended_at"])
    before = frame.groupby("account")["ended_at"].shift()
    frame["gap_before_s"] = (frame["started_at"] - before).astype("Int64")
    for column in ("started_at", "ended_at"):
        frame[column] = china_times(frame[column].to_numpy(dtype=np.int64))
    return frame.astype({"account": "str"})
