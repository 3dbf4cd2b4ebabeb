"""The store's tables as DataFrames, with the columns every frame shares."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.store.coverage import covered_until
from masanalytics.timezone import CHINA
from masanalytics.vocabulary import CARRIERS, MESSAGE_COLUMNS, Status

__all__ = ["as_instant", "china_times", "fetch_columns", "read_messages", "read_view", "where_clause"]

_CHUNK = 50_000
_INTEGERS = ("batch_id", "campaign_id", "account_id", "region_id", "segments", "submitted_at", "status_id",
             "report_status_id", "error_code_id", "received_at", "reports", "carrier_id")  # fmt: skip
_SELECT = (
    "SELECT m.message_id, m.batch_id, m.campaign_id, m.account_id, m.region_id, m.segments, m.submitted_at, m.status_id,"
    " m.report_status_id, m.error_code_id, m.received_at, m.reports, m.carrier_id, m.phone, m.content FROM messages m"
)


def as_instant(value: object) -> int:
    """Return epoch seconds for a timestamp, date or text; without a zone it is meant in China time.

    Examples
    --------
    >>> as_instant("2026-01-31")
    1769788800
    """
    if isinstance(value, int | float | np.integer) and not isinstance(value, bool):
        return int(value)
    try:
        stamp = pd.Timestamp(value)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{value!r} is not a time: write 2026-01-31 or 2026-01-31 08:00",
            zh=f"{value!r} 不是时间，请写成 2026-01-31",
        ) from error
    return int((stamp.tz_localize(CHINA) if stamp.tzinfo is None else stamp).timestamp())


def where_clause(filters: Mapping[str, object]) -> tuple[str, list[object]]:
    """Return SQL conditions on messages ``m`` (joined by AND, possibly empty) and their parameters.

    Parameters
    ----------
    filters : mapping
        ``campaign``, ``account``, ``status``, ``phone`` (one value or several), ``batch_id``, ``since`` and ``until``
        (of ``submitted_at``; `until` itself is left out), ``message_id`` (a range). None means any.
    """
    conditions: list[str] = []
    values: list[object] = []
    for name, wanted in filters.items():
        if wanted is None:
            continue
        if name in ("since", "until"):
            conditions.append(f"m.submitted_at {'>=' if name == 'since' else '<'} ?")
            values.append(as_instant(wanted))
            continue
        if isinstance(wanted, range):
            conditions.append("m.message_id >= ? AND m.message_id < ?")
            values.extend([wanted.start, wanted.stop])
            continue
        options = _several(wanted)
        marks = ",".join("?" * len(options))
        conditions.append(_CONDITIONS[name].format(marks=marks))
        values.extend(map(_status_number, options) if name == "status" else options)
    return " AND ".join(conditions), values


_CONDITIONS = {
    "campaign": "m.batch_id IN (SELECT batch_id FROM batches WHERE campaign_id IN"
    " (SELECT campaign_id FROM campaigns WHERE campaign IN ({marks})))",
    "account": "m.account_id IN (SELECT account_id FROM accounts WHERE account IN ({marks}))",
    "status": "m.status_id IN ({marks})",
    "phone": "m.phone IN ({marks})",
    "batch_id": "m.batch_id IN ({marks})",
}


def _status_number(name: object) -> int:
    try:
        return int(Status[str(name)])
    except KeyError:
        listed = ", ".join(status.name for status in Status)
        raise InputError(f"status={name!r}: one of {listed}", zh=f"status={name!r}：可用 {listed}") from None


def _several(wanted: object) -> list[object]:
    if isinstance(wanted, str | bytes | int | date | datetime) or not isinstance(wanted, Iterable):
        return [wanted]
    return list(wanted)


def fetch_columns(cursor: sqlite3.Cursor, integers: Sequence[str]) -> dict[str, np.ndarray]:
    """Return a query's columns as arrays: the named ones int64 with -2**63 for missing, the others objects."""
    names = [column[0] for column in cursor.description]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in names}
    missing = np.iinfo(np.int64).min
    while rows := cursor.fetchmany(_CHUNK):
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            if name in integers:
                filled = [missing if value is None else value for value in values]
                parts[name].append(np.array(filled, dtype=np.int64))
            else:
                parts[name].append(np.array(values, dtype=object))
    empty = {True: np.array([], dtype=np.int64), False: np.array([], dtype=object)}
    return {name: np.concatenate(part) if part else empty[name in integers] for name, part in parts.items()}


def china_times(seconds: np.ndarray) -> pd.DatetimeIndex:
    """Return epoch seconds (-2**63 for missing) as timestamps in China time."""
    return pd.DatetimeIndex(seconds.astype("datetime64[s]"), tz="UTC").tz_convert(CHINA)


def read_messages(conn: sqlite3.Connection, filters: Mapping[str, object]) -> pd.DataFrame:
    """Return messages as a frame with the columns of `masanalytics.vocabulary.MESSAGE_COLUMNS`."""
    condition, values = where_clause(filters)
    cursor = conn.execute(f"{_SELECT}{' WHERE ' + condition if condition else ''} ORDER BY m.message_id", values)
    got = fetch_columns(cursor, ("message_id", *_INTEGERS))
    batches = _batches(conn, got["batch_id"])
    status = pd.Series(got["status_id"])
    columns: dict[str, Any] = {
        "message_id": got["message_id"],
        "batch_id": got["batch_id"],
        "phone": got["phone"],
        "content": _coalesce(got["content"], batches["content"]),
        "segments": _nullable(got["segments"]),
        "carrier": np.array(CARRIERS, dtype=object)[got["carrier_id"]],
        "submitted_at": china_times(got["submitted_at"]),
        "received_at": china_times(got["received_at"]),
        "status": np.array([one.name for one in Status], dtype=object)[got["status_id"]],
        "latency_s": _nullable(np.where(status.isin([5, 6]), _minus(got["received_at"], got["submitted_at"]), _NONE)),
        "waited_s": _nullable(_waited(conn, got)),
        "reports": _nullable(got["reports"]),
    }
    columns |= {name: batches[name] for name in ("msg_group", "mode", "template_id", "params", "arm")}
    for name, table, key in (
        ("campaign", "campaigns", "campaign_id"),
        ("account", "accounts", "account_id"),
        ("report_status", "codes", "report_status_id"),
        ("error_code", "codes", "error_code_id"),
    ):
        names = dict(conn.execute(f"SELECT {table[:-1]}_id, {table[:-1]} FROM {table}").fetchall())
        columns[name] = _names(got[key], names)
    places = conn.execute("SELECT region_id, province, city FROM regions").fetchall()
    columns["province"] = _names(got["region_id"], {row[0]: row[1] or None for row in places})
    columns["city"] = _names(got["region_id"], {row[0]: row[2] or None for row in places})
    frame = pd.DataFrame({name: columns[name] for name in MESSAGE_COLUMNS})
    return frame.astype({name: kind for name, kind in MESSAGE_COLUMNS.items() if kind == "str"})


_NONE = np.iinfo(np.int64).min


def _waited(conn: sqlite3.Connection, got: dict[str, np.ndarray]) -> np.ndarray:
    """Return how long it has been possible to hear of each message the platform took."""
    ends = covered_until(conn)
    end = np.array([ends.get(int(number), 0) for number in got["account_id"]], dtype=np.int64)
    waited = np.maximum(_minus(end, got["submitted_at"]), 0)
    heard_of = (got["status_id"] >= Status.pending) & (got["submitted_at"] != _NONE)
    return np.where(heard_of, waited, _NONE)


def _minus(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    known = (left != _NONE) & (right != _NONE)
    difference: np.ndarray = np.where(known, np.where(known, left, 0) - np.where(known, right, 0), _NONE)
    return difference


def _nullable(values: np.ndarray) -> pd.arrays.IntegerArray:
    missing = values == _NONE
    return pd.arrays.IntegerArray(np.where(missing, 0, values), missing)


def _names(numbers: np.ndarray, names: Mapping[int, str | None]) -> np.ndarray:
    unique, inverse = np.unique(numbers, return_inverse=True)
    found: np.ndarray = np.array([names.get(int(number)) for number in unique], dtype=object)[inverse]
    return found


def _coalesce(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    merged: np.ndarray = np.where(pd.isna(first), second, first)
    return merged


def _batches(conn: sqlite3.Connection, batch_ids: np.ndarray) -> dict[str, np.ndarray]:
    names = ("content", "msg_group", "mode", "template_id", "params", "arm")
    unique, inverse = np.unique(batch_ids, return_inverse=True)
    if not len(unique):
        return {name: np.array([], dtype=object) for name in names}
    low, high = int(unique[0]), int(unique[-1])
    rows = conn.execute(
        f"SELECT batch_id, {', '.join(names)} FROM batches WHERE batch_id BETWEEN ? AND ?", [low, high]
    ).fetchall()
    by_id = {row[0]: row[1:] for row in rows}
    table = [by_id[int(batch_id)] for batch_id in unique]
    return {name: np.array([row[i] for row in table], dtype=object)[inverse] for i, name in enumerate(names)}


def read_view(
    conn: sqlite3.Connection, sql: str, values: Sequence[object], *, times: Sequence[str], integers: Sequence[str]
) -> pd.DataFrame:
    """Return a query as a frame: `times` (epoch seconds) as China times, `integers` as Int64, the rest as text."""
    cursor = conn.execute(sql, list(values))
    got = fetch_columns(cursor, (*times, *integers))
    columns: dict[str, Any] = {}
    for name, column in got.items():
        if name in times:
            columns[name] = china_times(column)
        elif name in integers:
            columns[name] = _nullable(column)
        else:
            columns[name] = pd.array(column, dtype="str")
    return pd.DataFrame(columns)
