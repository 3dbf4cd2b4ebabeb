"""Messages as a frame, and the one filter: which of them a question is narrowed to."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from masanalytics.analysis.filter_values import as_kept, no_filter, options_within, status_numbers
from masanalytics.store import kept_columns
from masanalytics.store.coverage import covered_until
from masanalytics.store.frames import MISSING, china_times, fetch_columns, nullable
from masanalytics.store.message_columns import (
    BATCH_TEXTS,
    CODES,
    Condition,
    find_column,
    no_column,
    waited_between,
)
from masanalytics.store.observation import Observation
from masanalytics.store.part_rules import missing_sql
from masanalytics.vocabulary import CARRIERS, MESSAGE_COLUMNS, SMALL_NUMBERS, Status

if TYPE_CHECKING:
    from masanalytics.analysis.filters import Filters

__all__ = ["conditions", "message_range", "read_messages"]

_NUMBERS = ("message_id", "batch_id", "campaign_id", "account_id", "region_id", "submitted_at", "status_id", "report_status_id",
            "error_code_id", "received_at", "carrier_id", "round_id", "kept_id", *SMALL_NUMBERS)  # fmt: skip
_SELECT = (
    f"SELECT {', '.join(f'm.{name}' for name in _NUMBERS)}, m.phone, m.content, nullif(m.key, '') AS key, {{missing}} AS parts_missing"
    " FROM messages m"
)


# ---- the filter ------------------------------------------------------------------------------------------------------


def conditions(conn: sqlite3.Connection, where: Filters) -> Condition:
    """Return which messages `where` asks for.

    Raises
    ------
    InputError
        If messages have no such column, or it cannot be narrowed by value.
    """
    tests: list[str] = []
    values: list[Any] = []
    own = kept_columns.column_names(conn)
    for name, options in where.values.items():
        if name in own:
            tests.append(f"ifnull(m.kept_id, 0) IN {_CHOSEN}")
            values.append(json.dumps(kept_columns.numbers_with(conn, name, options)))
            continue
        there = [option for option in options if option is not None]
        test = f"({_one_of(conn, name)}{f' OR {_is_missing(conn, name)}' if None in options else ''})"
        tests.append(test)
        values.append(json.dumps(_as_kept(name, there), default=str))
    for text, limit in (("m.submitted_at >= ?", where.since), ("m.submitted_at < ?", where.until)):
        if limit is not None:
            tests.append(text)
            values.append(int(limit))
    ends = [] if where.until is None else [int(where.until) - 1]
    if where.waited_at_least is not None:
        least = int(where.waited_at_least)
        tests.append(waited_between(conn, least))
        if least > 0:  # what was submitted after the end of coverage has waited 0
            ends.append(max(covered_until(conn).values(), default=0) - least)
    if where.waited_in is not None:
        inside = [waited_between(conn, int(start), int(end)) for start, end in where.waited_in]
        tests.append(f"({' OR '.join(inside) or '0'})")
    since = None if where.since is None else int(where.since)
    return Condition(" AND ".join(tests) or "1", values, since, min(ends, default=None), where.every)


_CHOSEN = "(SELECT value FROM json_each(?))"
_THROUGH_BATCHES = {
    "campaign": f"campaign_id IN (SELECT campaign_id FROM campaigns WHERE campaign IN {_CHOSEN})",
    "round": f"round_id IN (SELECT round_id FROM rounds WHERE round IN {_CHOSEN})",
    **{name: f"{name} IN {_CHOSEN}" for name in BATCH_TEXTS},
}


def _one_of(conn: sqlite3.Connection, name: str) -> str:
    """Return the test that a column has one of the values of a JSON list."""
    if name in _THROUGH_BATCHES:  # whose messages are found by an index
        batches = _THROUGH_BATCHES[name]
        return f"m.batch_id IN (SELECT batch_id FROM batches WHERE {batches})"
    if name == "account":
        return f"m.account_id IN (SELECT account_id FROM accounts WHERE account IN {_CHOSEN})"
    if name in ("province", "city"):
        return f"m.region_id IN (SELECT region_id FROM regions WHERE {name} IN {_CHOSEN})"
    if name in CODES:
        return f"m.{CODES[name]} IN (SELECT code_id FROM codes WHERE code IN {_CHOSEN})"
    if name in ("status", "carrier"):
        return f"m.{name}_id IN {_CHOSEN}"
    if name in ("phone", "key", "message_id", "batch_id", *SMALL_NUMBERS):
        return f"m.{name} IN {_CHOSEN}"
    if name == "parts_missing":
        return f"({missing_sql(conn)}) IN {_CHOSEN}"
    if name == "content":
        return f"coalesce(m.content, (SELECT content FROM batches c WHERE c.batch_id = m.batch_id)) IN {_CHOSEN}"
    if name not in MESSAGE_COLUMNS:
        raise no_column(conn, name)
    raise no_filter(name)


def _is_missing(conn: sqlite3.Connection, name: str) -> str:
    column = find_column(conn, name)
    if name in BATCH_TEXTS:
        return f"m.batch_id IN (SELECT batch_id FROM batches WHERE {name} IS NULL OR {name} = '')"
    if name in ("province", "city"):
        return f"(m.region_id IS NULL OR m.region_id IN (SELECT region_id FROM regions WHERE {name} = ''))"
    if name in CODES:
        return f"(m.{CODES[name]} IS NULL OR m.{CODES[name]} IN (SELECT code_id FROM codes WHERE code = ''))"
    return f"{'m.content' if column.joined else column.sql} IS NULL"


def _as_kept(name: str, options: list[Any]) -> list[Any]:
    """Return the values as the store keeps them."""
    if name == "carrier":
        return [CARRIERS.index(option) for option in options if option in CARRIERS]
    if name == "status":
        return status_numbers(options)
    return options_within(option.item() if hasattr(option, "item") else option for option in as_kept(name, options))


def message_range(start: int, stop: int) -> Condition:
    """Return the condition that passes the messages numbered from `start` to before `stop`."""
    return Condition("m.message_id >= ? AND m.message_id < ?", (start, stop))


# ---- the frame -------------------------------------------------------------------------------------------------------


def read_messages(conn: sqlite3.Connection, among: Condition) -> pd.DataFrame:
    """Return messages as a frame with the columns of `masanalytics.vocabulary.MESSAGE_COLUMNS`, and the user's own that were kept."""
    cursor = conn.execute(
        f"{_SELECT.format(missing=missing_sql(conn))} WHERE {among.sql} ORDER BY m.message_id", list(among.values)
    )
    got = fetch_columns(cursor, (*_NUMBERS, "parts_missing"))
    batches = _batches(conn, got["batch_id"])
    status = pd.Series(got["status_id"])
    columns: dict[str, Any] = {
        "message_id": got["message_id"],
        "batch_id": got["batch_id"],
        "phone": got["phone"],
        "key": got["key"],
        "content": _coalesce(got["content"], batches["content"]),
        "carrier": np.array(CARRIERS, dtype=object)[got["carrier_id"]],
        "submitted_at": china_times(got["submitted_at"]),
        "received_at": china_times(got["received_at"]),
        "status": np.array([one.name for one in Status], dtype=object)[got["status_id"]],
        "latency_s": nullable(np.where(status.isin([5, 6]), _minus(got["received_at"], got["submitted_at"]), MISSING)),
        "waited_s": nullable(_waited(conn, got)),
        **{name: nullable(got[name]) for name in (*SMALL_NUMBERS, "parts_missing")},
    }
    columns |= {name: batches[name] for name in ("msg_group", "mode", "template_id", "params", "arm")}
    for name, table, key in (
        ("campaign", "campaigns", "campaign_id"),
        ("account", "accounts", "account_id"),
        ("round", "rounds", "round_id"),
        ("report_status", "codes", "report_status_id"),
        ("error_code", "codes", "error_code_id"),
    ):
        names = dict(conn.execute(f"SELECT {table[:-1]}_id, {table[:-1]} FROM {table}").fetchall())
        columns[name] = _names(got[key], names)
    places = conn.execute("SELECT region_id, province, city FROM regions").fetchall()
    columns["province"] = _names(got["region_id"], {row[0]: row[1] or None for row in places})
    columns["city"] = _names(got["region_id"], {row[0]: row[2] or None for row in places})
    kinds = {**MESSAGE_COLUMNS, **dict.fromkeys(own := kept_columns.column_names(conn), "str")}
    kept_ids = np.where(got["kept_id"] == MISSING, kept_columns.NOTHING, got["kept_id"])
    columns |= {name: _names(kept_ids, kept_columns.values_of(conn, name)) for name in own}
    return pd.DataFrame({name: _typed(columns[name], kind) for name, kind in kinds.items()})


def _typed(column: Any, kind: str) -> Any:
    """Return a column by itself: pandas' astype of a whole frame takes five times as long where there are few rows."""
    return pd.array(column, dtype="str") if kind == "str" else column


def _waited(conn: sqlite3.Connection, got: dict[str, np.ndarray]) -> np.ndarray:
    """Return how long it has been possible to hear of each message the platform took."""
    end = Observation.of(conn).ends_of(got["account_id"], got["submitted_at"])
    waited = np.maximum(_minus(end, got["submitted_at"]), 0)
    heard_of = (got["status_id"] >= Status.pending) & (got["submitted_at"] != MISSING)
    return np.where(heard_of, waited, MISSING)


def _minus(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    known = (left != MISSING) & (right != MISSING)
    difference: np.ndarray = np.where(known, np.where(known, left, 0) - np.where(known, right, 0), MISSING)
    return difference


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
