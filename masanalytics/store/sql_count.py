"""The grouped count on the store's own tables: the one question the analysis asks of them.

Every dimension is a small integer in ``messages``. SQLite packs them into one integer a row, or a few, which are streamed and
counted a chunk at a time: no row becomes an object, and memory does not grow with the store. What is no small integer (``phone``, ``content``) goes through SQLite's own GROUP BY.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from masanalytics.analysis.sources.coverage import Submitted, concerning
from masanalytics.analysis.sources.coverage import within as submitted_within
from masanalytics.analysis.sources.rows_by_number import ASKED, Bounds
from masanalytics.i18n import Text
from masanalytics.store import held_out, kept_columns, parts
from masanalytics.store.archived_rows import archived_words, refuse_archived
from masanalytics.store.coverage import covered_until, gaps, intervals
from masanalytics.store.database import Connections, as_store_error
from masanalytics.store.frames import MISSING, fetch_columns
from masanalytics.store.holes import open_holes, pauses
from masanalytics.store.ledger_copies import ledger_of
from masanalytics.store.message_columns import Column, Condition, find_column, seconds_sql
from masanalytics.store.messages import conditions
from masanalytics.store.number_parts import number_bounds, within
from masanalytics.store.number_totals import number_totals
from masanalytics.store.packed_counts import BLOCK, counted_keys, distinct_rows, first_and_last, gathered_columns
from masanalytics.text import plain_name
from masanalytics.timezone import format_instant
from masanalytics.vocabulary import MESSAGE_COLUMNS, PROOF, Status

if TYPE_CHECKING:
    from masanalytics.analysis.filters import Filters
    from masanalytics.analysis.sources.base import Seconds
    from masanalytics.analysis.sources.ledger_parts import LedgerPart
    from masanalytics.analysis.sources.number_totals import NumberTotals

__all__ = ["StoredMessages", "failed_before_words"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Counted = tuple[pd.DataFrame, Ints, Floats, Ints]
_Rows = tuple[list[tuple[Any, Any]], Ints, Floats, Ints]

_From = tuple[str, Sequence[object]]
_Fetched = dict[str, Any]
_Fetch = Callable[[sqlite3.Connection, Mapping[str, str], Sequence[str], _From], _Fetched]

_PHONE = "m.phone"
_SAMPLE = 2_000
_SECONDS_ROOM = 2**26
_SECONDS_CAP = 2**62 - 2
_LARGEST = 2**63


class StoredMessages:
    """A store as a source of messages for the analysis functions (`masanalytics.analysis.sources.MessageSource`).

    Parameters
    ----------
    connections : Connections
        The store's.
    """

    numbers_are_plain = True

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def state(self) -> Hashable | None:
        """Return what is equal as long as nothing in the file changes; None inside a transaction, which may be taken back."""
        conn = self._connections.db.conn
        with as_store_error(self._connections.path):
            if conn.in_transaction:
                return None
            others, tables = (
                conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("data_version", "schema_version")
            )
        return (conn, conn.total_changes, others, tables)

    def ledger_part(self) -> LedgerPart:
        """Return which store it is."""
        from masanalytics.analysis.sources.ledger_parts import LedgerPart

        with self._connections.reading() as conn:
            return LedgerPart(ledger_of(conn), str(self._connections.path), "live")

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> Counted:
        """Count messages by dimensions, status and whole seconds, as `masanalytics.analysis` asks.

        Parameters
        ----------
        by : sequence of str
            Columns of messages, ``prefix``, or parts of ``submitted_at``: ``hour, weekday, day, time/SECONDS``.
        where : Filters
            Which messages.
        seconds : {"outcome", "waited", "waited_hours"}, optional
            ``outcome``: latency of delivered and failed, waiting time of pending; ``waited``: waiting time of all, or its full hours;
            None.

        Returns
        -------
        DataFrame, array of int, array of float, array of int
            The dimensions, the status (as `masanalytics.vocabulary.Status`), the seconds (NaN: unknown), how many messages.
        """
        with self._connections.reading() as conn:
            among = _asked(conn, where)
            columns = _with_bounds([find_column(conn, name, among) for name in by], has_seconds=seconds is not None)
            plan = _Plan(columns, seconds_sql(conn, seconds), among, waited=seconds == "waited")
            dimensions, status, counted, n = plan.counted(conn)
        keys = {
            name: column.show(numbers, missing)
            for name, column, (numbers, missing) in zip(by, columns, dimensions, strict=True)
        }
        return pd.DataFrame(keys, index=pd.RangeIndex(len(n))), status, counted, n

    def message_rows(self, columns: Sequence[str], *, where: Filters) -> pd.DataFrame:
        """Return these columns of the messages, one row a message."""
        with self._connections.reading() as conn:
            return _rows(conn, columns, _asked(conn, where))

    def one_state(self) -> AbstractContextManager[object]:
        """Let all that is read meanwhile be of one state of the file."""
        return self._connections.reading(sorts_all=True)

    def number_bounds(self, where: Filters) -> Sequence[str]:
        """Return the numbers at which to cut the messages that pass `where`, so that a part is small."""
        with self._connections.reading() as conn:
            return number_bounds(conn, self.estimated_count(where))

    def rows_between(self, columns: Sequence[str], bounds: Bounds, *, where: Filters, asked: Filters) -> pd.DataFrame:
        """Return these columns of messages to numbers within the bounds, and ``#asked``: whether each passes `asked` too."""
        with self._connections.reading() as conn:
            among = within(_asked(conn, where), bounds)
            marked = None if asked == where else _asked(conn, asked)
            found = _rows(conn, columns, among, marked, fetch=_by_column)
            return found.assign(**{ASKED: True}) if marked is None else found

    def number_totals(self, where: Filters, among: Sequence[str] | None) -> NumberTotals | None:
        """Return the accepted messages of each number, added up."""
        with self._connections.reading(sorts_all=among is None) as conn:
            return number_totals(conn, _asked(conn, where), among)

    def estimated_count(self, where: Filters) -> int:
        """Return about how many messages pass `where`, from a sample of them."""
        with self._connections.reading() as conn:
            among = _asked(conn, where)
            low, high = first_and_last(conn)
            step = max(1, (high - low) // _SAMPLE)
            sql = (
                "WITH RECURSIVE picked(message_id) AS (SELECT ? UNION ALL SELECT message_id + ? FROM picked WHERE"
                " message_id + ? <= ?) SELECT count(*) FROM picked CROSS JOIN messages m USING (message_id)"
                f" WHERE {among.sql}"
            )
            sampled: int = conn.execute(sql, [low, step, step, high, *among.values]).fetchone()[0]
        return sampled * step

    def message_columns(self) -> Sequence[str]:
        """Return the columns messages have, the user's own that are kept with them last."""
        with self._connections.reading() as conn:
            return [*MESSAGE_COLUMNS, *kept_columns.column_names(conn)]

    def column_kind(self, name: str) -> Literal["text", "number", "boolean"] | None:
        """Return what a column holds."""
        if name in MESSAGE_COLUMNS:
            return "text" if MESSAGE_COLUMNS[name] == "str" else "number" if "nt64" in MESSAGE_COLUMNS[name] else None
        return "text" if name in self.message_columns() else None

    def meant_shares(self, where: Filters) -> Mapping[str, float]:
        """Return the shares that the arms were meant to have, as their plans kept them; empty where rounds differ in it."""
        with self._connections.reading() as conn:
            return held_out.meant_shares(conn, where.values)

    def refuse_archived(self, campaign: str) -> None:
        """Raise if messages of a campaign are archived."""
        with self._connections.reading() as conn:
            refuse_archived(conn, campaign)

    def repeated_messages(self) -> int:
        """Return 0: a store has each message once."""
        return 0

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        """Return how far and when reports were fetched.

        Returns
        -------
        mapping
            The end of coverage (``as_of``, epoch seconds; ``end`` by account, text), the ``gaps`` in which reports of
            the messages asked about could come (from their first submission until 72 h after their last), the ``holes``
            of that time: answers known to be missing, and ``notes`` on how reports of long messages come.
        """
        with self._connections.reading() as conn:
            ends = covered_until(conn)
            spans = intervals(conn, None)
            missing = [*open_holes(conn), *pauses(conn)]
            asked = _submitted(conn, where)
            by_part = parts.learned(conn, asked.first, asked.last)
            retried = _failed_before(conn, where)
            archived = archived_words(conn)
        holes = [
            {
                "account": hole.account,
                "state": hole.state,
                "from": None if hole.since is None else format_instant(hole.since),
                "until": format_instant(hole.until),
                "records": hole.records,
                "cuts": hole.cuts,
            }
            for hole in missing
        ]
        open_gaps = [
            {"account": account, "from": format_instant(start), "until": format_instant(end)}
            for account, start, end in gaps(spans)
        ]
        notes = [*(parts.words(known) for known in by_part), *([failed_before_words(retried)] if retried else [])]
        notes += [archived] if archived is not None else []
        end_by_account = {account: format_instant(end) for account, _, end in spans}
        as_of = max(ends.values(), default=None)
        whole = {"as_of": as_of, "end": end_by_account, "gaps": open_gaps, "holes": holes, "notes": notes}
        return concerning(whole, asked)


def _failed_before(conn: sqlite3.Connection, where: Filters) -> int:
    """Return how many of the messages asked about were delivered after a report had called them failed."""
    among = conditions(conn, where)
    sql = "SELECT count(*) FROM messages m INDEXED BY messages_failed_before WHERE m.first_failed = 1 AND"
    found: int = conn.execute(f"{sql} {among.sql}", list(among.values)).fetchone()[0]
    return found


def failed_before_words(count: int) -> Text:
    """Return in words how many messages were delivered after a report had called them failed."""
    return Text(
        "{count:,} delivered message had been reported as failed before: a later attempt succeeded",
        "{count:,} delivered messages had been reported as failed before: a later attempt succeeded",
        code="failed_before",
        count=count,
    )


def _rows(
    conn: sqlite3.Connection,
    columns: Sequence[str],
    among: Condition,
    marked: Condition | None = None,
    *,
    fetch: _Fetch | None = None,
) -> pd.DataFrame:
    """Return these columns of the messages that pass `among` and, where given, as ``#asked`` whether each is `marked` too."""
    found = [find_column(conn, name, among) for name in columns]
    join = " JOIN batches b USING (batch_id)" if any(column.joined for column in found) else ""
    select = {f"c{number}": column.sql for number, column in enumerate(found)}
    integers = [f"c{number}" for number, column in enumerate(found) if column.integer]
    values = [*among.values]
    if marked is not None:
        select["marked"], values = f"ifnull({marked.sql}, 0)", [*marked.values, *values]
        integers.append("marked")
    got = (fetch or _by_row)(conn, select, integers, (f"FROM messages m{join} WHERE {among.sql}", values))
    is_marked = got.pop("marked", None)
    shown = {}
    for name, column, raw in zip(columns, found, got.values(), strict=True):
        missing = raw == MISSING if column.integer else np.array([value is None for value in raw], dtype=bool)
        shown[name] = column.show(np.where(missing, 0, raw) if column.integer else raw, missing)
    return pd.DataFrame(shown if is_marked is None else {**shown, ASKED: is_marked == 1})


def _by_row(conn: sqlite3.Connection, select: Mapping[str, str], integers: Sequence[str], source: _From) -> _Fetched:
    """Return columns by name: numbers with `MISSING` among them, and others."""
    named = ", ".join(f"{sql} AS {name}" for name, sql in select.items())
    return fetch_columns(conn.execute(f"SELECT {named} {source[0]}", list(source[1])), integers)


def _by_column(conn: sqlite3.Connection, select: Mapping[str, str], integers: Sequence[str], source: _From) -> _Fetched:
    """Return the same of as many rows as a part has, quicker where all are numbers but for those that people have."""
    texts = [name for name in select if name not in integers]
    if all(select[name] == _PHONE for name in texts):
        found = gathered_columns(conn, [select[name] for name in integers], [select[name] for name in texts], *source)
        if found is not None:
            by_name = dict(zip([*integers, *texts], [*found[0], *found[1]], strict=True))
            return {name: by_name[name] for name in select}
    return _by_row(conn, select, integers, source)


def _asked(conn: sqlite3.Connection, where: Filters) -> Condition:
    """Return which messages `where` asks for; proofs only where they are named."""
    among = conditions(conn, where)
    # Read a stretch of messages at a time: an index on the time would be gone through anew for each.
    among = among._replace(sql=among.sql.replace("m.submitted_at", "+m.submitted_at"))
    if not where.is_without_proofs:
        return among
    proofs = [
        row[0] for row in conn.execute("SELECT round_id FROM rounds WHERE round = ? AND key_column = ?", [PROOF, PROOF])
    ]
    if not proofs:
        return among
    return among._replace(sql=f"({among.sql}) AND ifnull(m.round_id, 0) NOT IN ({', '.join(map(str, proofs))})")


def _submitted(conn: sqlite3.Connection, where: Filters) -> Submitted:
    """Return between which instants the messages asked about were submitted, as far as campaigns and times tell."""
    first, last = -inf, inf
    names = [None if name is None else plain_name(str(name)) for name in where.values.get("campaign", (None,))]
    if None not in names:
        told = conn.execute(
            "SELECT min(ifnull(answered_at, requested_at)), max(ifnull(answered_at, requested_at)) FROM batches"
            " JOIN campaigns USING (campaign_id) WHERE campaign IN (SELECT value FROM json_each(?))",
            [json.dumps(names, default=str)],
        ).fetchone()
        if told[0] is not None:
            first, last = told
    return submitted_within(where, first, last)


def _with_bounds(columns: Sequence[Column], *, has_seconds: bool) -> list[Column]:
    """Return the columns so that they can be packed: above all others one can be without bounds, where no seconds are."""
    found: list[Column] = []
    above = has_seconds
    for column in columns:
        found.append(column.bounded() if column.bounded is not None and above else column)
        above |= column.bounded is not None
    return found


@dataclass(frozen=True)
class _Plan:
    """One grouped count as SQL."""

    columns: Sequence[Column]
    seconds: str
    among: Condition
    waited: bool

    def counted(self, conn: sqlite3.Connection) -> _Rows:
        """Count by packed integers where columns pack, and by GROUP BY the rest."""
        if any(column.size is None and column.room is None for column in self.columns):
            return self.grouped(conn)
        rows, complete = self.packed(conn)
        if complete:
            return rows
        rest = replace(self, among=self.among._replace(sql=f"{self.among.sql} AND ({self._outside})")).grouped(conn)
        dimensions = [
            (np.concatenate([a, c]), np.concatenate([b, d])) for (a, b), (c, d) in zip(rows[0], rest[0], strict=True)
        ]
        status, seconds, n = (np.concatenate(pair) for pair in zip(rows[1:], rest[1:], strict=True))
        return dimensions, status, seconds, n

    @cached_property
    def _unbounded(self) -> int | None:
        """Which column is packed above all others, as seconds are: it may be any number."""
        return next((place for place, column in enumerate(self.columns) if column.size is None), None)

    @property
    def _above(self) -> tuple[str | None, int]:
        """SQL of what is packed above all others, and how many numbers it usually can be."""
        if self._unbounded is not None:
            column = self.columns[self._unbounded]
            return column.sql, column.room or 1
        return (None, 1) if self.seconds == "NULL" else (self.seconds, _SECONDS_ROOM)

    @cached_property
    def _shares(self) -> list[list[int]]:
        """Which columns go into which integer: as many into one as have room, status and what is above all into the first."""
        room = _LARGEST // (len(Status) * self._above[1])
        shares: list[list[int]] = [[]]
        for place, column in enumerate(self.columns):
            if place == self._unbounded:
                continue
            size = column.packed[1]
            if size >= room:
                shares.append([])
                room = _LARGEST
            shares[-1].append(place)
            room //= size
        return shares

    @cached_property
    def cells(self) -> int:
        """How many combinations of status and the columns of the first integer there can be."""
        return prod(self.columns[place].packed[1] for place in self._shares[0]) * len(Status)

    @property
    def _unknown(self) -> int:
        """What stands for a number above all others that is not known."""
        return -(_LARGEST // 2 // self.cells)

    @property
    def _keys(self) -> list[str]:
        """SQL that packs a row into integers, seconds or time first: an absurd date then falls into no other cell.

        Where they have no room at all, SQLite goes on in floating point, which is recognized.
        """
        packed = [[self.columns[place].packed for place in share] for share in self._shares]
        cell, *others = (
            _cell([*part, ("m.status_id", len(Status))] if not place else part) for place, part in enumerate(packed)
        )
        above, _ = self._above
        if above is None:
            return [cell, *others]
        return [f"ifnull({above} * {self.cells}, {self._unknown * self.cells}) + {cell}", *others]

    @property
    def _outside(self) -> str:
        """SQL that is true for the rows whose numbers have no room in a packed integer."""
        wide = [f"{column.sql} >= {column.size - 1}" for column in self.columns if column.size and column.open_end]
        return " OR ".join([f"typeof({self._keys[0]}) = 'real'", *wide])

    def packed(self, conn: sqlite3.Connection) -> tuple[_Rows, bool]:
        """Count by packed integers; return whether that was all."""
        (first, *others), n, complete = counted_keys(conn, self._keys, self.among)
        above, rest = np.divmod(first, self.cells)
        rest, status = np.divmod(rest, len(Status))
        fitting = np.ones(len(n), dtype=bool)
        values: dict[int, Ints] = {}
        for share, packed in zip(self._shares, [rest, *others], strict=True):
            for place in reversed(share):
                column = self.columns[place]
                packed, values[place] = np.divmod(packed, column.packed[1])  # noqa: PLW2901 - what is left of it
                if column.open_end:
                    fitting &= values[place] < column.packed[1] - 1
        above, status, n = above[fitting], status[fitting], n[fitting]
        unknown = above == self._unknown
        dimensions = [
            (np.where(unknown, 0, above), unknown)
            if place == self._unbounded
            else column.unpacked(values[place][fitting])
            for place, column in enumerate(self.columns)
        ]
        if any(column.alike is not None for column in self.columns):
            keys = [np.asarray(part, dtype=np.int64) for pair in dimensions for part in pair]
            first, n = distinct_rows([*keys, above, status], n)
            dimensions = [(number[first], missing[first]) for number, missing in dimensions]
            above, status, unknown = above[first], status[first], unknown[first]
        seconds = np.where(unknown | (self.seconds == "NULL"), np.nan, above.astype(float))
        rows = (dimensions, status, _waited_from_0(seconds, status, self.waited), n)
        return rows, complete and bool(fitting.all())

    def grouped(self, conn: sqlite3.Connection) -> _Rows:
        """Count by SQLite's GROUP BY, where a dimension does not pack."""
        names = [f"c{number}" for number in range(len(self.columns))]
        join = " JOIN batches b USING (batch_id)" if any(column.joined for column in self.columns) else ""
        # Beyond int64 SQLite goes on in floating point.
        held = f"min(max({self.seconds}, -{_SECONDS_CAP}), {_SECONDS_CAP})"
        parts = [*(column.sql for column in self.columns), "m.status_id", held]
        low, _ = first_and_last(conn)
        sampled = f"(m.message_id - {low}) / {BLOCK} % {self.among.every} = 0" if self.among.every > 1 else "1"
        select = ", ".join(f"{sql} AS {name}" for sql, name in zip(parts, [*names, "status", "seconds"], strict=True))
        groups = ", ".join(map(str, range(1, len(parts) + 1)))
        narrowed = f"{sampled} AND {self.among.sql}"
        sql = f"SELECT {select}, count(*) AS n FROM messages m{join} WHERE {narrowed} GROUP BY {groups}"
        integers = [name for name, column in zip(names, self.columns, strict=True) if column.integer]
        got = fetch_columns(conn.execute(sql, list(self.among.values)), [*integers, "status", "seconds", "n"])
        dimensions = []
        for name in names:
            raw = got[name]
            missing = raw == MISSING if name in integers else np.array([value is None for value in raw], dtype=bool)
            dimensions.append((np.where(missing, 0, raw) if name in integers else raw, missing))
        seconds = np.where(got["seconds"] == MISSING, np.nan, got["seconds"].astype(float))
        return dimensions, got["status"], _waited_from_0(seconds, got["status"], self.waited), got["n"]


def _waited_from_0(seconds: Floats, status: Ints, waited: bool) -> Floats:  # noqa: FBT001
    """Return the seconds with waiting times below 0 (submitted after the last poll) as 0."""
    return np.where((seconds < 0) & (waited | (status == Status.pending)), 0.0, seconds)


def _cell(packed: Sequence[tuple[str, int]]) -> str:
    """Return SQL that numbers the combinations of columns from 0."""
    number = ""
    for sql, size in packed:
        number = f"({number} * {size} + {sql})" if number else sql
    return number or "0"
