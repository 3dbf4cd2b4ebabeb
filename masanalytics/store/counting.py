"""The grouped count on the store's own tables: the one question the analysis asks of them.

Every dimension is a small integer in ``messages``. SQLite packs them into one integer a row, which is streamed and counted
by numpy a chunk at a time: no text is built, no row becomes an object, and memory does not grow with the store. What is no
small integer (``phone``, ``content``) goes through SQLite's own GROUP BY.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from masanalytics.chinatime import format_instant
from masanalytics.frames import MESSAGE_COLUMNS, Status
from masanalytics.store.coverage import covered_until, intervals
from masanalytics.store.dimensions import Column, Narrowed, conditions, find_column, seconds_sql
from masanalytics.store.reading import fetch_columns

__all__ = ["CountsMessages"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Counted = tuple[pd.DataFrame, Ints, Floats, Ints]
_Rows = tuple[list[tuple[Any, Any]], Ints, Floats, Ints]

_ROWS_AT_ONCE = 2**18
_KEPT = 1_000_000
_SECONDS_ROOM = 2**33
_SECONDS_ZERO = 2**32
_SHORTEST, _LONGEST = 2 - _SECONDS_ZERO, _SECONDS_ROOM - 2 - _SECONDS_ZERO
_SECONDS_CAP = 2**62 - 2
_LARGEST = 2**63
_NO_NUMBER = np.iinfo(np.int64).min


class CountsMessages:
    """What makes a store a source of messages for the analysis functions."""

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Return a read transaction that sees one state of the file."""
        raise NotImplementedError

    def grouped_count(self, by: Sequence[str], *, where: Narrowed, seconds: str | None = "outcome") -> Counted:
        """Count messages by dimensions, status and whole seconds, as `masanalytics.analysis` asks.

        Parameters
        ----------
        by : sequence of str
            Columns of messages, ``prefix``, or parts of ``submitted_at``: ``hour, weekday, day, time/SECONDS``.
        where : Narrowed
            Which messages.
        seconds : {"outcome", "waited"}, optional
            ``outcome``: latency of delivered and failed, waiting time of pending; ``waited``: waiting time of all; None.

        Returns
        -------
        DataFrame, array of int, array of float, array of int
            The dimensions, the status (as `masanalytics.frames.Status`), the seconds (NaN: unknown), how many messages.
        """
        with self.reading() as conn:
            columns = [find_column(conn, name) for name in by]
            condition, values = conditions(conn, where)
            plan = _Plan(columns, seconds_sql(conn, seconds), condition, values, waited=seconds == "waited")
            dimensions, status, counted, n = plan.counted(conn)
        keys = {
            name: column.show(numbers, missing)
            for name, column, (numbers, missing) in zip(by, columns, dimensions, strict=True)
        }
        return pd.DataFrame(keys, index=pd.RangeIndex(len(n))), status, counted, n

    def message_rows(self, columns: Sequence[str], *, where: Narrowed) -> pd.DataFrame:
        """Return these columns of the messages, one row a message."""
        with self.reading() as conn:
            found = [find_column(conn, name) for name in columns]
            condition, values = conditions(conn, where)
            join = " JOIN batches b USING (batch_id)" if any(column.joined for column in found) else ""
            select = ", ".join(f"{column.sql} AS c{number}" for number, column in enumerate(found))
            cursor = conn.execute(f"SELECT {select} FROM messages m{join} WHERE {condition}", values)
            got = fetch_columns(cursor, [f"c{number}" for number, column in enumerate(found) if column.integer])
        shown = {}
        for name, column, raw in zip(columns, found, got.values(), strict=True):
            missing = raw == _NO_NUMBER if column.integer else np.array([value is None for value in raw], dtype=bool)
            shown[name] = column.show(np.where(missing, 0, raw) if column.integer else raw, missing)
        return pd.DataFrame(shown)

    def message_columns(self) -> Sequence[str]:
        """Return the columns messages have."""
        return list(MESSAGE_COLUMNS)

    def coverage_summary(self) -> Mapping[str, Any]:
        """Return the end of coverage (``as_of``, epoch seconds; ``end`` by account, text) and the ``gaps`` before it."""
        with self.reading() as conn:
            ends = covered_until(conn)
            spans = intervals(conn, None)
        last: dict[str, int] = {}
        gaps = []
        for account, start, end in spans:
            if account in last:
                gaps.append({"account": account, "from": format_instant(last[account]), "until": format_instant(start)})
            last[account] = end
        end_by_account = {account: format_instant(end) for account, end in last.items()}
        return {"as_of": max(ends.values(), default=None), "end": end_by_account, "gaps": gaps}


@dataclass(frozen=True)
class _Plan:
    """One grouped count as SQL."""

    columns: Sequence[Column]
    seconds: str
    condition: str
    values: Sequence[Any]
    waited: bool

    @property
    def fits(self) -> bool:
        """Whether a whole row packs into one integer."""
        packable = all(column.size is not None for column in self.columns)
        return packable and prod(column.packed[1] for column in self.columns) * len(Status) * _SECONDS_ROOM < _LARGEST

    def counted(self, conn: sqlite3.Connection) -> _Rows:
        """Count by packed integers where a row packs, and by GROUP BY the rest."""
        if not self.fits:
            return self.grouped(conn)
        rows, complete = self.packed(conn)
        if complete:
            return rows
        rest = replace(self, condition=f"{self.condition} AND ({self._outside})").grouped(conn)
        dimensions = [
            (np.concatenate([a, c]), np.concatenate([b, d])) for (a, b), (c, d) in zip(rows[0], rest[0], strict=True)
        ]
        status, seconds, n = (np.concatenate(pair) for pair in zip(rows[1:], rest[1:], strict=True))
        return dimensions, status, seconds, n

    @property
    def _outside(self) -> str:
        """SQL that is true for the rows whose numbers have no room in a packed integer."""
        wide = [f"{column.sql} >= {column.size - 1}" for column in self.columns if column.size and column.open_end]
        return " OR ".join([f"{self.seconds} NOT BETWEEN {_SHORTEST} AND {_LONGEST}", *wide])

    def packed(self, conn: sqlite3.Connection) -> tuple[_Rows, bool]:
        """Count by one packed integer a row; return whether that was all.

        One absurd date of the platform must not spill over into its neighbours in the integer: what has no room there
        is held at the edge, where it is recognized, and left out.
        """
        key = ""
        for sql, size in (column.packed for column in self.columns):
            key = f"({key} * {size} + {sql})" if key else sql
        key = f"({key} * {len(Status)} + m.status_id)" if key else "m.status_id"
        if self.seconds != "NULL":
            held = f"min(max({self.seconds}, {_SHORTEST - 1}), {_LONGEST + 1})"
            key = f"{key} * {_SECONDS_ROOM} + ifnull({held} + {_SECONDS_ZERO}, 0)"
        else:
            key = f"({key}) * {_SECONDS_ROOM}"
        keys, n = _counted(conn, key, self.condition, self.values)
        rest, seconds = np.divmod(keys, _SECONDS_ROOM)
        rest, status = np.divmod(rest, len(Status))
        fitting = (seconds == 0) | ((seconds >= _SHORTEST + _SECONDS_ZERO) & (seconds <= _LONGEST + _SECONDS_ZERO))
        parts = []
        for column in reversed(self.columns):
            rest, part = np.divmod(rest, column.packed[1])
            parts.append((column, part))
            if column.open_end:
                fitting &= part < column.packed[1] - 1
        dimensions = [column.unpacked(part[fitting]) for column, part in reversed(parts)]
        seconds, status = seconds[fitting], status[fitting]
        known = np.where(seconds > 0, seconds - float(_SECONDS_ZERO), np.nan)
        return (dimensions, status, _waited_from_0(known, status, self.waited), n[fitting]), bool(fitting.all())

    def grouped(self, conn: sqlite3.Connection) -> _Rows:
        """Count by SQLite's GROUP BY, where a dimension does not pack."""
        names = [f"c{number}" for number in range(len(self.columns))]
        join = " JOIN batches b USING (batch_id)" if any(column.joined for column in self.columns) else ""
        # Beyond int64 SQLite goes on in floating point.
        held = f"min(max({self.seconds}, -{_SECONDS_CAP}), {_SECONDS_CAP})"
        parts = [*(column.sql for column in self.columns), "m.status_id", held]
        select = ", ".join(f"{sql} AS {name}" for sql, name in zip(parts, [*names, "status", "seconds"], strict=True))
        sql = f"SELECT {select}, count(*) AS n FROM messages m{join} WHERE {self.condition} GROUP BY {', '.join(map(str, range(1, len(parts) + 1)))}"
        integers = [name for name, column in zip(names, self.columns, strict=True) if column.integer]
        got = fetch_columns(conn.execute(sql, list(self.values)), [*integers, "status", "seconds", "n"])
        dimensions = []
        for name in names:
            raw = got[name]
            missing = raw == _NO_NUMBER if name in integers else np.array([value is None for value in raw], dtype=bool)
            dimensions.append((np.where(missing, 0, raw) if name in integers else raw, missing))
        seconds = np.where(got["seconds"] == _NO_NUMBER, np.nan, got["seconds"].astype(float))
        return dimensions, got["status"], _waited_from_0(seconds, got["status"], self.waited), got["n"]


def _waited_from_0(seconds: Floats, status: Ints, waited: bool) -> Floats:  # noqa: FBT001
    """Return the seconds with waiting times below 0 (submitted after the last poll) as 0."""
    return np.where((seconds < 0) & (waited | (status == Status.pending)), 0.0, seconds)


def _counted(conn: sqlite3.Connection, key: str, condition: str, values: Sequence[Any]) -> tuple[Ints, Ints]:
    """Return the distinct values of an integer expression and how often each comes, in flat memory.

    SQLite hands over the numbers of many rows as one text, which numpy reads: half the time of a row at a time.
    """
    low, high = conn.execute("SELECT min(message_id), max(message_id) FROM messages").fetchone()
    keys, n = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if low is None:
        return keys, n
    waiting: list[tuple[Ints, Ints]] = []
    sql = f"SELECT group_concat({key}) FROM messages m WHERE m.message_id BETWEEN ? AND ? AND {condition}"
    for start in range(low, high + 1, _ROWS_AT_ONCE):
        text = conn.execute(sql, [start, start + _ROWS_AT_ONCE - 1, *values]).fetchone()[0]
        if text is None:
            continue
        waiting.append(np.unique(np.fromstring(text, dtype=np.int64, sep=","), return_counts=True))
        if sum(len(part) for part, _ in waiting) > max(_KEPT, len(keys)):
            keys, n = _merged([(keys, n), *waiting])
            waiting = []
    return _merged([(keys, n), *waiting])


def _merged(parts: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    keys, place = np.unique(np.concatenate([part for part, _ in parts]), return_inverse=True)
    n = np.bincount(place, weights=np.concatenate([counts for _, counts in parts]), minlength=len(keys))
    return keys, np.rint(n).astype(np.int64)
