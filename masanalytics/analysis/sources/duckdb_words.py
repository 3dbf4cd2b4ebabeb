"""Dimensions and seconds of messages as SQL of DuckDB, for columns of the kinds that exports have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from masanalytics.analysis.dimensions import (
    BEYOND,
    FIRST_HOUR,
    HIDDEN,
    LAST_HOUR,
    MATURED,
    NIGHT,
    PREFIX_DIGITS,
    WINDOW,
    YOUNG,
    TimePart,
    how_many_below,
    late_after,
    time_part,
)
from masanalytics.analysis.sources.base import Seconds
from masanalytics.analysis.sources.duckdb_relation import epoch_name, quoted
from masanalytics.timezone import CHINA_OFFSET_S
from masanalytics.vocabulary import UNREPORTED_AFTER_S, Status

__all__ = ["MANY", "DuckDBWords", "Grouping", "first_edge", "grouped_by", "one_of_many"]

MANY: Final = 100
"""From so many values on a list of them is slow: it took 30 s where one text takes 1.5 (460,000 names of 50 million messages)."""

_FAR_BACK_S: Final = 10**12
"""Thousands of years ago: counted from there, whole numbers are divided towards the past, as elsewhere."""
_US: Final = 10**6
_HOUR: Final = TimePart(3600, 24)


class Grouping(NamedTuple):
    """What messages are grouped by, and what is shown of each group: an expression of the former.

    Whole numbers are grouped by 32 bits, which takes a quarter less than by 64; where one does not fit, DuckDB says so.
    """

    key: str
    shown: str


class DuckDBWords:
    """What DuckDB is asked by, as text.

    Parameters
    ----------
    schema : mapping
        The columns of the relation, as narwhals calls their types; beside its times stand columns of epoch seconds.
    hidden_before : mapping of str to int
        As `WatchedUntil` has it.
    """

    def __init__(self, schema: Mapping[str, Any], hidden_before: Mapping[str, int]) -> None:
        self._schema = schema
        self._hidden_before = hidden_before

    def dimension(self, name: str) -> str | None:
        """Return a source dimension; None where it follows from columns of a kind that is not spoken of here."""
        if name in self._schema:
            return quoted(name)
        if name == "prefix":
            return f"substr({quoted('phone')}::VARCHAR, 1, {PREFIX_DIGITS})"
        if name == WINDOW:
            return self._window()
        if name == NIGHT:
            hour = self._time_part(_HOUR)
            return (
                hour and f"CASE WHEN {hour} < {FIRST_HOUR} OR {hour} >= {LAST_HOUR} THEN 1 WHEN {hour} >= 0 THEN 0 END"
            )
        late, part = late_after(name), time_part(name)
        if late is not None:
            latency = self._latency()
            return latency and how_many_below(late, latency)
        return None if part is None else self._time_part(part)

    def grouping(self, name: str, *, narrow: bool) -> Grouping | None:
        """Return what a source dimension is grouped by, `narrow`: by 32 bits where it is a whole number; None as `dimension`."""
        part = None if name in self._schema else time_part(name)
        if part is not None and part.modulo is None:
            index = self._time_index(part)
            if index is None:
                return None
            key = grouped_by(index, narrow=narrow).key
            return Grouping(key, f"CAST({key} AS BIGINT) * {part.width} - {part.shift}")
        sql = self.dimension(name)
        return None if sql is None else grouped_by(sql, narrow=narrow and self._is_whole(name))

    def _is_whole(self, name: str) -> bool:
        if name in self._schema:
            return bool(self._schema[name].__class__.__name__ == "Int64")
        return name != "prefix"

    def seconds(self, kind: Seconds) -> str | None:
        """Return the seconds asked for; None where their columns are of another kind."""
        waited = self._whole("waited_s")
        if kind == "waited":
            return waited
        if kind == "waited_hours":  # what is left of an hour, also of one below 0
            return waited and f"({waited} - ({waited} % {_HOUR.width} + {_HOUR.width}) % {_HOUR.width})"
        latency, status = self._latency(), self._schema["status"]
        names = status.__class__.__name__ == "String"
        if waited is None or latency is None or not (names or status.is_integer()):
            return None
        delivered, failed, pending = (
            f"'{one.name}'" if names else str(int(one)) for one in (Status.delivered, Status.failed, Status.pending)
        )
        reported = f"{quoted('status')} IN ({delivered}, {failed})"
        return f"CASE WHEN {reported} THEN {latency} WHEN {quoted('status')} = {pending} THEN {waited} END"

    def as_of(self) -> str | None:
        """Return the latest end of a waiting time, as an aggregate: what has waited 0 does not tell."""
        epoch, waited = self._epoch("submitted_at"), self._whole("waited_s")
        return None if epoch is None or waited is None else f"max({epoch} + {waited}) FILTER ({waited} > 0)"

    def _window(self) -> str | None:
        waited, latency = self._whole("waited_s"), self._latency()
        if waited is None or latency is None:
            return None
        epoch = self._epoch("submitted_at") if self._hidden_before else None
        hidden = "".join(
            f" WHEN {quoted('account')} = {_text(account)} AND {epoch} <= {latest} THEN {HIDDEN}"
            for account, latest in self._hidden_before.items()
        )
        return (
            f"CASE WHEN {waited} >= {UNREPORTED_AFTER_S} THEN {MATURED}"
            f" WHEN {latency} > {waited} THEN greatest({waited}, 0) + {BEYOND}{hidden} ELSE {YOUNG} END"
        )

    def _latency(self) -> str | None:
        if "latency_s" in self._schema:
            return self._whole("latency_s")
        received, submitted = self._epoch("received_at"), self._epoch("submitted_at")
        return None if received is None or submitted is None else f"({received} - {submitted})"

    def _whole(self, name: str) -> str | None:
        return quoted(name) if self._schema[name].is_integer() else None

    def _epoch(self, name: str) -> str | None:
        kind, epoch = self._schema.get(name), quoted(epoch_name(name))
        if kind is None or kind.__class__.__name__ != "Datetime":
            return None
        return epoch if kind.time_zone is not None else f"({epoch} - {CHINA_OFFSET_S})"

    def _time_part(self, part: TimePart) -> str | None:
        index = self._time_index(part)
        if index is None:
            return None
        if part.modulo is None:
            return f"({index} * {part.width} - {part.shift})"
        return f"(({index} + {part.offset + _rounds(part)}) % {part.modulo})"

    def _time_index(self, part: TimePart) -> str | None:
        """Return which stretch of this width a time of submission is in: one division of microseconds."""
        kind = self._schema.get("submitted_at")
        if kind is None or kind.__class__.__name__ != "Datetime":
            return None
        shift = part.shift if kind.time_zone is not None else part.shift - CHINA_OFFSET_S
        before = _rounds(part)
        since = (before * part.width + shift) * _US
        return f"((epoch_us({quoted('submitted_at')}) + {since}) // {part.width * _US} - {before})"


def _rounds(part: TimePart) -> int:
    """Return so many stretches before 1970 as make whole rounds, and reach far back."""
    rounds = part.modulo or 1
    return -(-_FAR_BACK_S // (part.width * rounds)) * rounds


def grouped_by(sql: str, *, narrow: bool) -> Grouping:
    """Return what groups by an expression."""
    key = f"CAST({sql} AS INTEGER)" if narrow else sql
    return Grouping(key, f"CAST({key} AS BIGINT)" if narrow else key)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def one_of_many(column: str, values: Sequence[Any]) -> str | None:
    """Return the test that a column has one of these texts, or whole numbers; None of other values.

    They are handed over as one text, which is read at once.

    Examples
    --------
    >>> print(one_of_many("message_id", [3, 4]))
    "message_id" IN (SELECT TRY_CAST(unnest(string_split('3,4', ',')) AS BIGINT))
    """
    kinds = {type(value) for value in values}
    if kinds not in ({int}, {str}):
        return None
    for mark in (",", "\x1f"):
        text = mark.join(map(str, values))
        if text.count(mark) == len(values) - 1:
            kind = "BIGINT" if kinds == {int} else "VARCHAR"
            return f"{quoted(column)} IN (SELECT TRY_CAST(unnest(string_split({_text(text)}, '{mark}')) AS {kind}))"
    return None


def first_edge(seconds: str, edges: Sequence[int]) -> str:
    """Return SQL for the first of the ascending `edges` that is no less than `seconds`, the last one of more.

    Examples
    --------
    >>> first_edge("s", [1, 5])
    'CASE WHEN s <= 1 THEN 1 ELSE 5 END'
    """
    if len(edges) == 1:
        return str(int(edges[0]))
    half = len(edges) // 2
    below, above = first_edge(seconds, edges[:half]), first_edge(seconds, edges[half:])
    return f"CASE WHEN {seconds} <= {int(edges[half - 1])} THEN {below} ELSE {above} END"
