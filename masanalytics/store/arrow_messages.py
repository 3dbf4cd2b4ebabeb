"""Messages as Arrow tables, column by column: what repeats as numbers with a list of texts, no Python object for a row."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from masanalytics.own_columns import name_in_files
from masanalytics.store import kept_columns
from masanalytics.store.frames import MISSING
from masanalytics.store.observation import Observation
from masanalytics.store.packed_rows import Rows
from masanalytics.store.part_rules import by_part_accounts
from masanalytics.store.phone_styles import PhoneStyle
from masanalytics.vocabulary import CARRIERS, MESSAGE_COLUMNS, SMALL_NUMBERS, Status

__all__ = ["ArrowMessages", "BatchTexts", "described"]

Ints = NDArray[np.int64]
BatchTexts = dict[str, tuple[Ints, list[str | None]]]
"""Of each text of batches: which of the texts each row has, and the texts."""

_OF_BATCHES: Final = ("msg_group", "mode", "template_id", "params", "arm", "content")
_PLAIN_TEXTS: Final = ("phone", "content", "key")
_NAMES: Final = {
    "campaign": "campaigns",
    "account": "accounts",
    "round": "rounds",
    "report_status": "codes",
    "error_code": "codes",
}
_SHOWN_AS_THEY_ARE: Final = ("phone", "msg_group", "status", "carrier", "mode")


class ArrowMessages:
    """Turns stretches of messages into tables with the columns of `masanalytics.vocabulary.MESSAGE_COLUMNS`, and the user's own.

    Parameters
    ----------
    conn : Connection
        The file, from which all names are read here, once.
    style : PhoneStyle
        How numbers are shown, also those in texts.
    """

    def __init__(self, conn: sqlite3.Connection, style: PhoneStyle) -> None:
        import pyarrow as pa

        self._pa = pa
        self._style = style
        self._seen = Observation.of(conn)
        self._by_part = sorted(by_part_accounts(conn))
        self.own = kept_columns.column_names(conn)
        self._labels: dict[str, tuple[str, list[str | None]]] = {
            name: (f"{name}_id", self._listed(name, conn.execute(f"SELECT {key}_id, {key} FROM {table}").fetchall()))
            for name, table in _NAMES.items()
            for key in [table[:-1]]
        }
        for name in ("province", "city"):
            rows = conn.execute(f"SELECT region_id, {name} FROM regions").fetchall()
            self._labels[name] = ("region_id", self._listed(name, rows))
        for name in self.own:
            values = kept_columns.values_of(conn, name)
            self._labels[name_in_files(name)] = ("kept_id", self._listed(name, values.items()))
        self._labels["status"] = ("status_id", [one.name for one in Status])
        self._labels["carrier"] = ("carrier_id", list(CARRIERS))
        coded = pa.dictionary(pa.int32(), pa.string())
        kinds = {"int64": pa.int64(), "Int64": pa.int64(), "str": coded}
        times = pa.timestamp("s", tz="Asia/Shanghai")
        columns = {**MESSAGE_COLUMNS, **dict.fromkeys(map(name_in_files, self.own), "str")}
        self.schema = pa.schema(
            [(name, pa.string() if name in _PLAIN_TEXTS else kinds.get(kind, times)) for name, kind in columns.items()]
        )
        self.coded = [one.name for one in self.schema if one.type == coded] + ["content", "key"]

    def _listed(self, name: str, rows: Any) -> list[str | None]:
        """Return the texts by their number, numbers hidden in them; nothing at 0 unless something has that number."""
        texts = {number: (text or None) if name != "round" else text for number, text in rows}
        hide = name not in _SHOWN_AS_THEY_ARE
        found = [texts.get(number) for number in range(max(texts, default=0) + 1)]
        return [self._style.text(text) for text in found] if hide else found

    def texts_of_batches(self, conn: sqlite3.Connection, rows: Rows) -> BatchTexts:
        """Return the texts that rows have of their batches; asked by the thread that reads the file."""
        place, numbers = pd.factorize(rows.numbers["batch_id"])
        found = conn.execute(
            f"SELECT batch_id, {', '.join(_OF_BATCHES)} FROM batches WHERE batch_id IN (SELECT value FROM json_each(?))",
            [json.dumps(numbers.tolist())],
        ).fetchall()
        by_number = {row[0]: row[1:] for row in found}
        kept = [by_number[number] for number in numbers.tolist()]
        return {
            name: (place, [self._batch_text(name, row[column]) for row in kept])
            for column, name in enumerate(_OF_BATCHES)
        }

    def _batch_text(self, name: str, text: str | None) -> str | None:
        return text if name in _SHOWN_AS_THEY_ARE else self._style.text(text)

    def table(self, rows: Rows, texts: BatchTexts) -> Any:
        """Return a table of these rows."""
        pa, numbers = self._pa, rows.numbers
        columns: dict[str, Any] = {
            name: self._coded(np.maximum(numbers[key], 0), labels) for name, (key, labels) in self._labels.items()
        }
        columns |= {name: self._coded(*texts[name]) for name in _OF_BATCHES if name != "content"}
        columns["content"] = self._own_texts(self._coded(*texts["content"]).cast(pa.string()), rows, 0)
        columns["key"] = self._own_texts(pa.nulls(len(rows), pa.string()), rows, 1)
        columns["phone"] = self._phones(rows.phones)
        for name in ("message_id", "batch_id", *SMALL_NUMBERS):
            columns[name] = self._numbers(numbers[name])
        for name in ("submitted_at", "received_at"):
            columns[name] = self._numbers(numbers[name]).cast(self.schema.field(name).type)
        columns |= {name: self._numbers(column) for name, column in self._computed(numbers).items()}
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)

    def last_end(self, rows: Rows) -> int | None:
        """Return the latest end of a waiting time; None where no message has waited."""
        numbers = rows.numbers
        at, ends = numbers["submitted_at"], self._seen.ends_of(numbers["account_id"], numbers["submitted_at"])
        waiting = (numbers["status_id"] >= Status.pending) & (at != MISSING) & (ends > at)
        return int(ends[waiting].max()) if waiting.any() else None

    def _computed(self, numbers: dict[str, Ints]) -> dict[str, Ints]:
        status, at = numbers["status_id"], numbers["submitted_at"]
        known = (at != MISSING) & (numbers["received_at"] != MISSING) & (status >= Status.delivered)
        waited = np.maximum(self._seen.ends_of(numbers["account_id"], at) - at, 0)
        missing = np.full(len(at), MISSING)
        if self._by_part:
            segments, reports = numbers["segments"], numbers["reports"]
            long = (segments >= 2) & (status == Status.delivered) & np.isin(numbers["account_id"], self._by_part)
            missing = np.where(long, np.maximum(segments - reports, 0), MISSING)
        return {
            "latency_s": np.where(known, numbers["received_at"] - at, MISSING),
            "waited_s": np.where((status >= Status.pending) & (at != MISSING), waited, MISSING),
            "parts_missing": missing,
        }

    def _numbers(self, values: Ints) -> Any:
        return self._pa.array(values, mask=values == MISSING)

    def _coded(self, place: Ints, labels: Sequence[str | None]) -> Any:
        """Return a column of texts as numbers with the list of the distinct ones."""
        codes, distinct = pd.factorize(np.array([*labels, None], dtype=object))
        of_rows = codes[np.where(place < len(labels), place, len(labels))].astype(np.int32)
        indices = self._pa.array(of_rows, mask=of_rows < 0)
        return self._pa.DictionaryArray.from_arrays(indices, self._pa.array(distinct.tolist(), self._pa.string()))

    def _own_texts(self, shared: Any, rows: Rows, part: int) -> Any:
        """Return a column of texts with those of single messages in place of what their batch has."""
        own = {row: texts[part] for row, texts in rows.texts.items() if texts[part] is not None}
        if not own:
            return shared
        found = shared.to_pylist()
        for row, text in own.items():
            found[row] = self._style.text(text)
        return self._pa.array(found, self._pa.string())

    def _phones(self, phones: Any) -> Any:
        pa, shown = self._pa, self._style.numbers(phones)
        if not isinstance(shown, np.ndarray):
            return pa.array(shown, pa.string())
        count, width = shown.shape
        starts = np.arange(0, (count + 1) * width, width, dtype=np.int32)
        data = np.ascontiguousarray(shown)
        return pa.StringArray.from_buffers(count, pa.py_buffer(starts), pa.py_buffer(data))


def described(schema: Any, **more: str) -> dict[str, str]:
    """Return the metadata of a file: which types its columns have where Parquet knows none, and what else is to be known.

    Columns of repeated texts are told as plain texts, which every program reads.
    """
    import pyarrow as pa

    plain = pa.schema([(one.name, pa.string() if pa.types.is_dictionary(one.type) else one.type) for one in schema])
    return {"ARROW:schema": base64.b64encode(plain.serialize().to_pybytes()).decode(), **more}
