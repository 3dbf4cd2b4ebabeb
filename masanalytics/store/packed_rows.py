"""Columns of millions of messages out of SQLite, quickly: whole numbers packed into few, numbers of phones as one text.

Python makes an object of every value that a query returns, which takes longer than SQLite takes to find it. So a stretch of rows is
asked for as one text of numbers, which numpy reads; several small numbers of a row share one of 62 bits. What does not fit into
its share (a time before 1970, 300 reports of one message) and texts of a message's own are asked for row by row: they are few.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masanalytics.store.frames import MISSING
from masanalytics.vocabulary import CARRIERS, SMALL_NUMBERS, Status

__all__ = ["PackedRows", "Rows", "Stretch", "as_texts", "stretches"]

Ints = NDArray[np.int64]

AT_ONCE: Final = 131_072
_ROOM: Final = 2**62
_TIMES: Final = 2**33
_SMALL: Final = 256
_PHONE: Final = 11
_SPARSE: Final = 3
_NUMBERED: Final = {
    "batch_id": "batches", "campaign_id": "campaigns", "account_id": "accounts", "round_id": "rounds", "region_id": "regions",
    "report_status_id": "codes", "error_code_id": "codes", "kept_id": "kept",
}  # fmt: skip


class Stretch(NamedTuple):
    """A test on ``messages m`` that passes some 100,000 rows, with its parameters."""

    sql: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class Rows:
    """A stretch of messages.

    Attributes
    ----------
    numbers : mapping of str to array
        The columns that hold whole numbers; `MISSING` where there is none.
    phones : array of uint8, or list of str
        A row of eleven digits each; as texts where some are not.
    texts : dict of int to tuple
        Own content and key of the rows (by place) that have any.
    """

    numbers: dict[str, Ints]
    phones: Any
    texts: dict[int, tuple[str | None, str | None]]

    def __len__(self) -> int:
        return len(self.numbers["message_id"])

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """Return several stretches as one."""
        if len(parts) == 1:
            return parts[0]
        numbers = {name: np.concatenate([part.numbers[name] for part in parts]) for name in parts[0].numbers}
        packed = all(isinstance(part.phones, np.ndarray) for part in parts)
        phones = (
            np.concatenate([part.phones for part in parts])
            if packed
            else [p for part in parts for p in as_texts(part.phones)]
        )
        starts = np.cumsum([0, *(len(part) for part in parts)])
        texts = {
            int(start) + row: text
            for start, part in zip(starts, parts, strict=False)
            for row, text in part.texts.items()
        }
        return cls(numbers, phones, texts)

    def taken(self, chosen: Ints) -> Rows:
        """Return the rows at these places."""
        place = {int(row): number for number, row in enumerate(chosen)} if self.texts else {}
        phones = self.phones[chosen] if isinstance(self.phones, np.ndarray) else [self.phones[row] for row in chosen]
        return Rows(
            {name: column[chosen] for name, column in self.numbers.items()},
            phones,
            {place[row]: text for row, text in self.texts.items() if row in place},
        )


def as_texts(phones: Any) -> list[str]:
    """Return the numbers of `Rows.phones` as texts."""
    if not isinstance(phones, np.ndarray):
        return list(phones)
    whole = phones.tobytes().decode("ascii")
    return [whole[start : start + _PHONE] for start in range(0, len(whole), _PHONE)]


class PackedRows:
    """How the messages of a file are packed: as many numbers of a row into one as its tables have room for."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        last = conn.execute("SELECT max(message_id) FROM messages").fetchone()[0] or 0
        sizes = {"message_id": last + 1, "status_id": len(Status), "carrier_id": len(CARRIERS)}
        for name, table in _NUMBERED.items():
            key = "kept_id" if table == "kept" else f"{table[:-2] if table == 'batches' else table[:-1]}_id"
            sizes[name] = (conn.execute(f"SELECT max({key}) FROM {table}").fetchone()[0] or 0) + 1
        sizes |= dict.fromkeys(SMALL_NUMBERS, _SMALL) | {"submitted_at": _TIMES, "received_at": _TIMES}
        self._bins: list[list[tuple[str, int]]] = []
        room: list[int] = []
        for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
            width = size + 2  # 0 is missing, the last does not fit
            place = next((number for number, left in enumerate(room) if left >= width), len(room))
            if place == len(room):
                self._bins.append([])
                room.append(_ROOM)
            self._bins[place].append((name, size))
            room[place] //= width
        self._sql = ", ".join(f"group_concat({_packed(columns)})" for columns in self._bins)

    def read(self, stretch: Stretch) -> Rows:
        """Return the rows of a stretch, in the order in which they are found."""
        # The order of the rows within the texts is that in which they are found: the same for all, in one query.
        *texts, phones = self._conn.execute(
            f"SELECT {self._sql}, group_concat(m.phone, char(10)) FROM messages m WHERE {stretch.sql}", stretch.values
        ).fetchone()
        if texts[0] is None:
            return Rows(
                dict.fromkeys((name for columns in self._bins for name, _ in columns), np.zeros(0, np.int64)), [], {}
            )
        numbers: dict[str, Ints] = {}
        odd = np.zeros(texts[0].count(",") + 1, dtype=bool)
        for text, columns in zip(texts, self._bins, strict=True):
            rest = np.fromstring(text, dtype=np.int64, sep=",")
            for place, (name, size) in enumerate(reversed(columns)):
                if place < len(columns) - 1:
                    rest, value = np.divmod(rest, size + 2)
                else:
                    value = rest
                odd |= value == size + 1
                numbers[name] = np.where(value == 0, MISSING, value - 1)
        self._patch(numbers, np.flatnonzero(odd))
        return Rows(numbers, self._phones(phones, numbers["message_id"]), self._texts(stretch, numbers["message_id"]))

    def _patch(self, numbers: dict[str, Ints], places: Ints) -> None:
        """Ask again, row by row, for what has no room."""
        names = [*numbers]
        select = f"SELECT {', '.join(f'm.{name}' for name in names)} FROM messages m WHERE m.message_id = ?"
        for place in places.tolist():
            row = self._conn.execute(select, [int(numbers["message_id"][place])]).fetchone()
            for name, value in zip(names, row, strict=True):
                numbers[name][place] = MISSING if value is None else value

    def _phones(self, text: str, ids: Ints) -> Any:
        line = _PHONE + 1
        if len(text) == line * len(ids) - 1 and text.isascii():
            raw = np.frombuffer(text.encode() + b"\n", dtype=np.uint8).reshape(-1, line)
            digits = raw[:, :_PHONE]
            if bool((raw[:, _PHONE] == ord("\n")).all() and ((digits >= ord("0")) & (digits <= ord("9"))).all()):
                return digits
        phones = text.split("\n")
        if len(phones) == len(ids):
            return phones
        select = "SELECT phone FROM messages WHERE message_id = ?"  # a foreign number with a line break in it
        return [self._conn.execute(select, [number]).fetchone()[0] for number in ids.tolist()]

    def _texts(self, stretch: Stretch, ids: Ints) -> dict[int, tuple[str | None, str | None]]:
        found = self._conn.execute(
            f"SELECT m.message_id, m.content, nullif(m.key, '') FROM messages m WHERE {stretch.sql}"
            " AND (m.content IS NOT NULL OR m.key <> '')",
            stretch.values,
        ).fetchall()
        if not found:
            return {}
        place = {number: row for row, number in enumerate(ids.tolist())}
        return {place[number]: (content, key) for number, content, key in found}


def _packed(columns: Sequence[tuple[str, int]]) -> str:
    """Return SQL that packs columns into one number: each shifted by one, 0 where it is missing, the largest where it has no room."""
    number = ""
    for name, size in columns:
        if name in ("submitted_at", "received_at", *SMALL_NUMBERS):
            fits = f"WHEN m.{name} BETWEEN 0 AND {size - 1} THEN m.{name} + 1"
            one = f"CASE WHEN m.{name} IS NULL THEN 0 {fits} ELSE {size + 1} END"
        else:
            one = f"ifnull(m.{name} + 1, 0)"
        number = f"({number} * {size + 2} + {one})" if number else one
    return number


def stretches(conn: sqlite3.Connection, limits: tuple[int, int] | None) -> Iterator[Stretch]:
    """Yield stretches that together are the messages submitted from one instant to before another, or never.

    Neighbours in the file are read one after the other; where a month lies scattered over the file, it is looked up by its times.
    """
    within, values = (
        ("submitted_at IS NULL", ()) if limits is None else ("submitted_at >= ? AND submitted_at < ?", limits)
    )
    low, high, count = conn.execute(
        f"SELECT min(message_id), max(message_id), count(*) FROM messages WHERE {within}", values
    ).fetchone()
    if low is None:
        return
    if high - low < _SPARSE * count + AT_ONCE:
        within = within.replace("submitted_at", "+m.submitted_at")
        for start in range(low, high + 1, AT_ONCE):
            yield Stretch(f"m.message_id BETWEEN ? AND ? AND {within}", (start, start + AT_ONCE - 1, *values))
    elif limits is None:
        ids = [row[0] for row in conn.execute(f"SELECT message_id FROM messages WHERE {within} ORDER BY message_id")]
        for start in range(0, len(ids), AT_ONCE):
            part = ids[start : start + AT_ONCE]
            yield Stretch(f"+m.message_id BETWEEN ? AND ? AND m.{within}", (part[0], part[-1]))
    else:
        yield from _by_time(conn, *limits)


def _by_time(conn: sqlite3.Connection, start: int, stop: int) -> Iterator[Stretch]:
    within = "m.submitted_at >= ? AND m.submitted_at < ?"
    count = conn.execute(f"SELECT count(*) FROM messages m WHERE {within}", [start, stop]).fetchone()[0]
    if count > AT_ONCE and stop - start > 1:
        middle = (start + stop) // 2
        yield from _by_time(conn, start, middle)
        yield from _by_time(conn, middle, stop)
    elif count:
        yield Stretch(within, (start, stop))
