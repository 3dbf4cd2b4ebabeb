"""The columns of messages, and the parts of time, as SQL on the small integers the store keeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from masanalytics.analysis.dimensions import (
    BEYOND,
    HIDDEN,
    MATURED,
    YOUNG,
    how_many_below,
    late_after,
    missing_in_messages,
)
from masanalytics.errors import InputError
from masanalytics.store import kept_columns
from masanalytics.store.frames import MISSING, china_times
from masanalytics.store.lookups import ACCEPTED, REPORTED
from masanalytics.store.observation import Observation
from masanalytics.store.part_rules import missing_sql
from masanalytics.timezone import CHINA_OFFSET_S
from masanalytics.vocabulary import CARRIERS, MESSAGE_COLUMNS, SMALL_NUMBERS, UNREPORTED_AFTER_S, Status

__all__ = [
    "BATCH_TEXTS",
    "CODES",
    "EVERYTHING",
    "Column",
    "Condition",
    "find_column",
    "no_column",
    "seconds_sql",
    "waited_between",
    "waited_sql",
]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Condition(NamedTuple):
    """Which messages pass.

    Attributes
    ----------
    sql : str
        A test on ``messages m``.
    values : sequence
        Its parameters.
    earliest, latest : int, optional
        Their first and last ``submitted_at``, where the test tells.
    every : int
        One in so many is enough.
    """

    sql: str
    values: Sequence[Any] = ()
    earliest: int | None = None
    latest: int | None = None
    every: int = 1


EVERYTHING = Condition("1")

_LATENCY_SQL = f"CASE WHEN m.status_id {REPORTED} THEN m.received_at - m.submitted_at END"
BATCH_TEXTS = ("msg_group", "mode", "template_id", "params", "arm")
CODES = {"report_status": "report_status_id", "error_code": "error_code_id"}
_SMALL_SIZE = 4096
_DAY_S = 86_400
_HOUR_S = 3_600
_FAR_S = 2**38
"""No instant is so long before or after 1970 (8,700 years)."""


@dataclass(frozen=True)
class Column:
    """One column of messages as SQL.

    Attributes
    ----------
    sql : str
        An expression on ``messages m`` and, where `joined`, ``batches b``; NULL where missing.
    show : callable
        From its values and which of them are missing to what the frame shows.
    size : int, optional
        If the expression is a whole number from 0 to below this, it can be packed.
    integer : bool
        Whether its values are whole numbers.
    joined : bool
        Whether it needs the batches.
    always : bool
        Whether it is never NULL.
    open_end : bool
        Whether its numbers, though rarely, are as large as `size` and larger; packed, all from ``size - 1`` on are that.
    packed_sql : str, optional
        A simpler expression for packing, with an open end already.
    room : int, optional
        About how many numbers it can be, where nobody has looked: packed above all others, it may be any.
    bounded : callable, optional
        Looks, and returns the column with its `size`.
    alike : array of int, optional
        Of each of its numbers the first one that is shown as the same, where several are: batches of one template, cities of a
        province.
    """

    sql: str
    show: Callable[[Any, Bools], pd.Series]
    size: int | None = None
    integer: bool = True
    joined: bool = False
    always: bool = False
    open_end: bool = False
    packed_sql: str | None = None
    room: int | None = None
    bounded: Callable[[], Column] | None = None
    alike: Ints | None = None

    @property
    def packed(self) -> tuple[str, int]:
        """SQL that is 0 where the value is missing, and how many numbers it can be."""
        size = self.size or 0
        sql = self.packed_sql or (f"min({self.sql}, {size - 1})" if self.open_end else self.sql)
        return (sql if self.always else f"ifnull({sql} + 1, 0)"), size + (not self.always)

    def unpacked(self, numbers: Ints) -> tuple[Ints, Bools]:
        """Return the values that `packed` stands for, the first of those that are shown alike, and which are missing."""
        missing = np.zeros(len(numbers), dtype=bool) if self.always else numbers == 0
        values = numbers if self.always else np.maximum(numbers - 1, 0)
        return values if self.alike is None else self.alike[values], missing


def find_column(conn: sqlite3.Connection, name: str, among: Condition = EVERYTHING) -> Column:
    """Return how the column or part of time `name` is got from the messages that pass `among`.

    Raises
    ------
    InputError
        If messages have no such column.
    """
    if name in _FIXED:
        return _FIXED[name]
    if name in _LOOKUPS:
        return _labelled(_LOOKUPS[name][0], dict(conn.execute(_LOOKUPS[name][1]).fetchall()))
    if name == "round":  # the first one is called "", which is not missing
        names = dict(conn.execute("SELECT round_id, round FROM rounds").fetchall())
        return Column("m.round_id", _names(names), max(names, default=0) + 1)
    if name in CODES:
        return _labelled(f"m.{CODES[name]}", dict(conn.execute("SELECT code_id, code FROM codes").fetchall()))
    if name in BATCH_TEXTS:
        return _labelled("m.batch_id", dict(conn.execute(f"SELECT batch_id, {name} FROM batches").fetchall()))
    if name == "batch_id":
        return Column("m.batch_id", _integers(), _after_last(conn, "batches", "batch_id"))
    if name in _COMPUTED:
        return _COMPUTED[name](conn)
    if name in kept_columns.column_names(conn):
        values = kept_columns.values_of(conn, name)
        return Column("ifnull(m.kept_id, 0)", _texts(values), max(values) + 1, always=True)
    return _time_column(conn, name, among)


def _after_last(conn: sqlite3.Connection, table: str, number: str) -> int:
    """Return the first whole number above all in a column."""
    last: int | None = conn.execute(f"SELECT max({number}) FROM {table}").fetchone()[0]
    return (last or 0) + 1


def _time_column(conn: sqlite3.Connection, name: str, among: Condition) -> Column:
    """Return how a part of ``submitted_at`` is got, or whether the report came late."""
    late = late_after(name)
    if late is not None:
        below = how_many_below(late, "m.received_at - m.submitted_at")
        return Column(f"({below})", _integers(), len(late) + 1, always=True)
    if name in ("hour", "weekday"):
        width, modulo, offset = (3600, 24, 0) if name == "hour" else (_DAY_S, 7, 3)  # 1970-01-01 was a Thursday
        # The remainder is taken first and made positive: SQLite's % and / round towards 0, also before 1970.
        within = f"((m.submitted_at + {CHINA_OFFSET_S + offset * width}) % {width * modulo} + {width * modulo})"
        return Column(f"({within} % {width * modulo} / {width})", _integers(), modulo)
    kind, _, text = name.partition("/")
    width = _DAY_S if name == "day" else int(text) if kind == "time" and text.isdigit() else 0
    if not width:
        raise no_column(conn, name)
    if among.earliest is not None and among.latest is not None:
        return _buckets(width, among.earliest, among.latest)

    def bounded() -> Column:
        limits = f"SELECT min(m.submitted_at), max(m.submitted_at) FROM messages m WHERE {among.sql}"
        return _buckets(width, *conn.execute(limits, among.values).fetchone())

    return replace(_buckets(width, -_FAR_S, _FAR_S), size=None, room=_FAR_S // width, bounded=bounded)


def _buckets(width: int, low: int | None, high: int | None) -> Column:
    """Return buckets of time between two instants; counted from the first of them, the numbers are small."""
    first, last = (((value or 0) + CHINA_OFFSET_S) // width for value in (low, high))
    start = first * width - CHINA_OFFSET_S
    return Column(f"((m.submitted_at - ({start})) / {width})", _integers(scale=width, offset=start), last - first + 1)


def _window(conn: sqlite3.Connection) -> Column:
    """Return how far a message has been watched, as the analysis counts it (`masanalytics.analysis.dimensions`)."""
    seen = Observation.of(conn)
    end = seen.end_sql
    hidden = f" WHEN m.submitted_at <= {seen.coverage_sql} - {UNREPORTED_AFTER_S} THEN {HIDDEN}" if seen.cut else ""
    kind = (
        f"CASE WHEN m.submitted_at <= {end} - {UNREPORTED_AFTER_S} THEN {MATURED}"
        f" WHEN m.received_at > max({end}, m.submitted_at) THEN {BEYOND} {{}}{hidden} ELSE {YOUNG} END"
    )
    # Reports beyond the end of coverage are there only while somebody catches up, or after a hole: those rows are counted
    # apart.
    sql, packed = kind.format(f"+ max({end} - m.submitted_at, 0)"), kind.format("")
    return Column(f"({sql})", _integers(), BEYOND + 1, always=True, open_end=True, packed_sql=f"({packed})")


_COMPUTED: dict[str, Callable[[sqlite3.Connection], Column]] = {
    "#window": _window,
    "waited_s": lambda conn: Column(waited_sql(conn), _integers()),
    "parts_missing": lambda conn: Column(missing_sql(conn), _integers(), _SMALL_SIZE, open_end=True),
}


def waited_sql(conn: sqlite3.Connection) -> str:
    """Return SQL for how long it has been possible to hear of a message the platform took; NULL for others."""
    taken = f"m.status_id {ACCEPTED} AND m.submitted_at IS NOT NULL"
    return f"CASE WHEN {taken} THEN max({Observation.of(conn).end_sql} - m.submitted_at, 0) END"


def waited_between(conn: sqlite3.Connection, least: int, below: int | None = None) -> str:
    """Return SQL that is true for what has waited so long, as `waited_sql` has it: of few comparisons, for it is asked of every row."""
    end = Observation.of(conn).end_sql
    tests = [
        f"m.status_id {ACCEPTED}",
        f"m.submitted_at <= {end} - {least}" if least > 0 else "m.submitted_at IS NOT NULL",
    ]
    if below is not None:
        tests.append(f"m.submitted_at > {end} - {below}" if below > 0 else "0")
    return f"({' AND '.join(tests)})"


def seconds_sql(conn: sqlite3.Connection, seconds: str | None) -> str:
    """Return SQL for the seconds a count asks for, in few steps; waiting times may come out below 0 and mean 0."""
    pending, delivered, failed = (int(status) for status in (Status.pending, Status.delivered, Status.failed))
    if seconds is None:
        return "NULL"
    end = Observation.of(conn).end_sql
    if seconds == "waited":
        return f"CASE WHEN m.status_id {ACCEPTED} THEN {end} - m.submitted_at END"
    if seconds == "waited_hours":
        hours = f"max({end} - m.submitted_at, 0) / {_HOUR_S} * {_HOUR_S}"
        return f"CASE WHEN m.status_id {ACCEPTED} THEN {hours} END"
    outcome = f"WHEN {delivered} THEN m.received_at WHEN {failed} THEN m.received_at WHEN {pending} THEN {end}"
    return f"(CASE m.status_id {outcome} END - m.submitted_at)"


def no_column(conn: sqlite3.Connection, name: str) -> InputError:
    """Return the error that messages have no such column, naming what comes near and what can be done about it."""
    missing = missing_in_messages([name], [*MESSAGE_COLUMNS, *kept_columns.column_names(conn)])
    if missing is None:
        return InputError("messages have no column {name!r}", name=name)
    return InputError(
        "{missing}. A column of your own sheet is kept with plan(..., keep=[…]); what was sent without it can be asked by it through"
        " the rows of outcomes()",
        missing=missing.said,
    )


def _labelled(sql: str, names: Mapping[int, str | None]) -> Column:
    """Return a column of numbers that are shown by these names, of which several may be one."""
    size = max(names, default=0) + 1
    shown = pd.Series([names.get(number) or None for number in range(size)], dtype=object)
    codes, distinct = pd.factorize(shown, use_na_sentinel=False)
    first = np.unique(codes, return_index=True)[1]
    return Column(sql, _texts(names), size, alike=first[codes] if len(distinct) < size else None)


def _names(names: Mapping[int, str]) -> Callable[[Any, Bools], pd.Series]:
    def show(numbers: Any, missing: Bools) -> pd.Series:
        distinct, place = np.unique(numbers, return_inverse=True)
        labels = np.array([names.get(int(number)) for number in distinct], dtype=object)
        return pd.Series(labels[place] if len(labels) else labels, dtype="str").mask(missing)

    return show


def _texts(names: Mapping[int, str | None]) -> Callable[[Any, Bools], pd.Series]:
    def show(numbers: Any, missing: Bools) -> pd.Series:
        distinct, place = np.unique(numbers, return_inverse=True)
        # An empty text is a missing one.
        labels = np.array([names.get(int(number)) or None for number in distinct], dtype=object)
        found = labels[place] if len(labels) else np.zeros(0, dtype=object)
        return pd.Series(found, dtype="str").mask(missing)

    return show


def _integers(*, scale: int = 1, offset: int = 0) -> Callable[[Any, Bools], pd.Series]:
    def show(numbers: Any, missing: Bools) -> pd.Series:
        return pd.Series(pd.arrays.IntegerArray(np.asarray(numbers, dtype=np.int64) * scale + offset, missing.copy()))

    return show


def _times(numbers: Any, missing: Bools) -> pd.Series:
    return pd.Series(china_times(np.where(missing, MISSING, numbers).astype(np.int64)))


def _plain_texts(values: Any, missing: Bools) -> pd.Series:
    return pd.Series(np.asarray(values, dtype=object), dtype="str").mask(missing)


def _prefixes(numbers: Any, missing: Bools) -> pd.Series:
    return _plain_texts(np.array([f"{int(number):03d}" for number in numbers], dtype=object), missing)


_LOOKUPS = {
    **{name: (f"m.{name}_id", f"SELECT {name}_id, {name} FROM {name}s") for name in ("campaign", "account")},
    **{name: ("m.region_id", f"SELECT region_id, {name} FROM regions") for name in ("province", "city")},
}
_FIXED = {
    "message_id": Column("m.message_id", _integers()),
    "phone": Column("m.phone", _plain_texts, integer=False),
    "key": Column("nullif(m.key, '')", _plain_texts, integer=False),
    "content": Column("coalesce(m.content, b.content)", _plain_texts, integer=False, joined=True),
    "carrier": Column("m.carrier_id", _texts(dict(enumerate(CARRIERS))), len(CARRIERS), always=True),
    "status": Column("m.status_id", _texts({int(one): one.name for one in Status}), len(Status), always=True),
    "submitted_at": Column("m.submitted_at", _times),
    "received_at": Column("m.received_at", _times),
    "latency_s": Column(_LATENCY_SQL, _integers()),
    "prefix": Column(
        "CASE WHEN m.phone GLOB '[0-9][0-9][0-9]*' THEN CAST(substr(m.phone, 1, 3) AS INTEGER) END", _prefixes, 1000
    ),
    **{name: Column(f"m.{name}", _integers(), _SMALL_SIZE, open_end=True) for name in SMALL_NUMBERS},
}
