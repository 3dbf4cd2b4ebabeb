"""Reports of messages that are archived: kept in the file, and counted with the archive."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from masanalytics.protocol import outcome_of
from masanalytics.store.archived_rows import archived_messages, evidence
from masanalytics.store.forgetting import names_of
from masanalytics.store.message_outcomes import Evidence, fold
from masanalytics.store.observation import Observation
from masanalytics.store.part_rules import by_part_accounts
from masanalytics.timezone import CHINA
from masanalytics.vocabulary import Status

__all__ = ["Late", "amended", "late_count", "late_failures", "late_messages", "take_late"]

Late = tuple[int, str, str, int | None, int | None, str, str]
"""Of a report: its batch, number, the two codes are given apart; submitted, received, and both dates as the platform wrote them."""


def take_late(
    conn: sqlite3.Connection, poll_id: int, reports: Mapping[int, Late], codes: Mapping[int, tuple[int, int, str]]
) -> tuple[set[int], int]:
    """Keep those of `reports` that are of archived messages; return which, and how many of them are new.

    Parameters
    ----------
    reports : mapping of int to Late
        By their place on the page: batch, number, status text, times and dates.
    codes : mapping of int to tuple
        By place: status and error code as numbers, and the error code's text.
    """
    names = names_of(conn, [report[1] for report in reports.values()])
    keys = {place: (report[0], phone) for place, report in reports.items() for phone in [report[1]]}
    found = archived_messages(
        conn, list({*keys.values(), *((batch, names[phone]) for batch, phone in keys.values() if phone in names)})
    )
    late, new = set(), 0
    equal: Counter[tuple[int, int, int, str, str]] = Counter()
    for place, (batch_id, phone) in keys.items():
        message = found.get((batch_id, phone)) or found.get((batch_id, names.get(phone, phone)))
        if message is None:
            continue
        late.add(place)
        _, _, report_status, submitted_at, received_at, submit_date, receive_date = reports[place]
        status_id, error_id, error = codes[place]
        if evidence(submit_date, receive_date, report_status, error) in message.evidence.split(","):
            continue
        equal[message.message_id, status_id, error_id, submit_date, receive_date] += 1
        new += conn.execute(
            "INSERT OR IGNORE INTO late_reports (poll_id, message_id, report_status_id, error_code_id, submitted_at, received_at,"
            " submit_date, receive_date, batch_id, was_open, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                poll_id,
                message.message_id,
                status_id,
                error_id,
                submitted_at,
                received_at,
                submit_date,
                receive_date,
                batch_id,
                not message.evidence,
                message.outcome,
            ],
        ).rowcount
    conn.executemany(
        "UPDATE late_reports SET copies = max(copies, ?) WHERE message_id = ? AND report_status_id = ? AND error_code_id = ?"
        " AND submit_date = ? AND receive_date = ?",
        [(count, *key) for key, count in equal.items() if count > 1],
    )
    return late, new


def late_messages(conn: sqlite3.Connection) -> list[int]:
    """Return the archived messages that have late reports."""
    return [row[0] for row in conn.execute("SELECT DISTINCT message_id FROM late_reports ORDER BY message_id")]


def late_failures(conn: sqlite3.Connection) -> list[int]:
    """Return the archived messages of which a late report says that they failed."""
    rows = conn.execute(
        "SELECT DISTINCT l.message_id, s.code, e.code FROM late_reports l JOIN codes s ON s.code_id = l.report_status_id"
        " JOIN codes e ON e.code_id = l.error_code_id"
    )
    return sorted({message_id for message_id, status, error in rows if outcome_of(status, error) == Status.failed})


def late_count(conn: sqlite3.Connection) -> int:
    """Return how many reports of archived messages came late."""
    return int(conn.execute("SELECT count(*) FROM late_reports").fetchone()[0])


def amended(conn: sqlite3.Connection, rows: pd.DataFrame) -> pd.DataFrame:
    """Return archived messages, as a frame of messages, with what their late reports make of them."""
    numbers = dict(conn.execute("SELECT code, code_id FROM codes").fetchall())
    codes = {number: code for code, number in numbers.items()}
    late: dict[int, list[Evidence]] = defaultdict(list)
    for message_id, status_id, error_id, submitted_at, received_at, copies in conn.execute(
        "SELECT message_id, report_status_id, error_code_id, submitted_at, received_at, copies FROM late_reports"
    ):
        error = codes[error_id]
        status = outcome_of(codes[status_id], error)
        late[message_id].append(
            Evidence(status, status_id, error_id if error else None, submitted_at, received_at, copies)
        )
    ids = rows["message_id"].tolist()
    outcomes = [
        _outcome(row, late.get(number, []), numbers, codes)
        for number, row in zip(ids, rows.itertuples(index=False), strict=True)
    ]
    shown = pd.DataFrame(outcomes, index=rows.index)
    if not len(shown):
        return rows
    times = {name: _times(shown[name]) for name in ("submitted_at", "received_at")}
    return rows.assign(**{**{name: shown[name] for name in shown.columns}, **_computed(conn, rows, shown), **times})


def _computed(conn: sqlite3.Connection, rows: pd.DataFrame, shown: pd.DataFrame) -> dict[str, pd.Series]:
    """Return what follows from the time of submission and the number of reports that messages are `shown` with."""
    batches = json.dumps(rows["batch_id"].unique().tolist())
    accounts = dict(
        conn.execute(
            "SELECT batch_id, account_id FROM batches WHERE batch_id IN (SELECT value FROM json_each(?))", [batches]
        ).fetchall()
    )
    of_accounts = rows["batch_id"].map(accounts).fillna(-1).astype("int64")
    at, segments = shown["submitted_at"].astype("Int64"), rows["segments"].astype("Int64")
    seconds = np.asarray(at.fillna(0), np.int64)
    waited = np.maximum(Observation.of(conn).ends_of(np.asarray(of_accounts, np.int64), seconds) - seconds, 0)
    by_part = of_accounts.isin(by_part_accounts(conn)) & shown["status"].eq("delivered") & segments.ge(2).fillna(False)
    return {
        "waited_s": pd.Series(waited, index=rows.index).astype("Int64").where(at.notna()),
        "parts_missing": (segments - shown["reports"]).clip(lower=0).where(by_part),
    }


def _outcome(
    row: Any, late: Sequence[Evidence], numbers: Mapping[str, int], codes: Mapping[int, str]
) -> dict[str, Any]:
    status = Status[row.status]
    error = None if pd.isna(row.error_code) else str(row.error_code)
    known = 0 if pd.isna(row.reports) else int(row.reports)
    evidence_of_it = []
    if known and not pd.isna(row.report_status):
        evidence_of_it = [
            Evidence(status, numbers[row.report_status], numbers.get(error) if error else None, _epoch(row.submitted_at),
                     _epoch(row.received_at))
        ]  # fmt: skip
    segments = None if pd.isna(row.segments) else int(row.segments)
    outcome = fold([*evidence_of_it, *late], segments)
    submitted = outcome.submitted_at if outcome.submitted_at is not None else _epoch(row.submitted_at)
    final = outcome.status_id >= Status.delivered and outcome.received_at is not None and submitted is not None
    return {
        "status": Status(outcome.status_id).name,
        "report_status": codes[outcome.report_status_id],
        "error_code": None if outcome.error_code_id is None else codes[outcome.error_code_id],
        "submitted_at": submitted,
        "received_at": outcome.received_at,
        "latency_s": (outcome.received_at or 0) - (submitted or 0) if final else None,
        "reports": known + (sum(one.copies for one in late) if (segments or 0) > 1 else len(late)),
    }


def _epoch(time: Any) -> int | None:
    return None if pd.isna(time) else int(pd.Timestamp(time).timestamp())


def _times(seconds: pd.Series) -> Any:
    return (
        pd.to_datetime(seconds.astype("Int64").astype(object), unit="s", utc=True).dt.tz_convert(CHINA).dt.as_unit("s")
    )
