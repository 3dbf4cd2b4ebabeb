"""What late reports make of archived messages, as Parquet files beside the archive's: who reads the folder alone counts them too.

Each stands for the messages of one file of the archive and is written anew, under another name, when one of these messages has been
reported again or that file was. Listings of ``*.parquet`` do not show it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd

from masanalytics.analysis.sources.damaged_files import checked_table
from masanalytics.export_folder import Partition, checksum_of, draft_of, read_manifest
from masanalytics.paths import remove_file, replace_file
from masanalytics.store.late_reports import amended
from masanalytics.store.partition_writers import parquet_writer

__all__ = ["remove_late", "write_late"]

_CHANGED: Final = (
    "status",
    "report_status",
    "error_code",
    "submitted_at",
    "received_at",
    "latency_s",
    "reports",
    "waited_s",
    "parts_missing",
)
_READ: Final = ("message_id", "batch_id", "segments", *_CHANGED)


class _Late(NamedTuple):
    """The file that is to say what became of messages, the one they are in, and their numbers."""

    partition: Partition
    source: Path
    message_ids: Sequence[int]


def write_late(conn: sqlite3.Connection, folder: Path) -> list[Partition]:
    """Write the files that are not there yet; return all that count."""
    reports = {
        message_id: (count, newest)
        for message_id, count, newest in conn.execute(
            "SELECT message_id, sum(copies), max(report_id) FROM late_reports GROUP BY message_id"
        )
    }
    if not reports:
        return []
    manifest = read_manifest(folder)
    known = {one.file: one for one in manifest.partitions if one.kind == "late"} if manifest is not None else {}
    kept, todo = [], []
    for run in conn.execute("SELECT archive_id, month, file FROM archive_runs ORDER BY archive_id").fetchall():
        found = _late_of(folder, run, reports)
        if found is None:
            continue
        before = known.get(found.partition.file)
        if before is not None and (folder / before.file).exists():
            kept.append(before)
        else:
            todo.append(found)
    return [*kept, *_written(conn, folder, todo)]


def remove_late(folder: Path, counted: Sequence[Partition]) -> None:
    """Remove the files that count no more."""
    names = {folder / one.file for one in counted}
    for file in folder.glob("_late/month=*/*"):
        if file not in names:
            remove_file(file)


def _late_of(folder: Path, run: tuple[int, str, str], reports: Mapping[int, tuple[int, int]]) -> _Late | None:
    """Return the messages of a file that have late reports; None where it has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    archive_id, month, file = run
    ids = checked_table(folder / file, ["message_id"]).column("message_id")
    late = ids.filter(pc.is_in(ids, value_set=pa.array(list(reports), pa.int64()))).to_pylist()
    if not late:
        return None
    count, newest = sum(reports[number][0] for number in late), max(reports[number][1] for number in late)
    name = f"_late/month={month}/{Path(file).stem}-{count}-{newest}.pq"
    return _Late(Partition("late", "", month, name, len(late), 0, archive_id), folder / file, late)


def _written(conn: sqlite3.Connection, folder: Path, todo: Sequence[_Late]) -> list[Partition]:
    if not todo:
        return []
    tables = [checked_table(each.source, filters=[("message_id", "in", each.message_ids)]) for each in todo]
    rows = pd.concat([_frame(table) for table in tables], ignore_index=True)
    shown, done, first = amended(conn, rows), [], 0
    for each, table in zip(todo, tables, strict=True):
        last = first + table.num_rows
        path = folder / each.partition.file
        _write(path, table, shown.iloc[first:last])
        done.append(replace(each.partition, size_bytes=path.stat().st_size, checksum=checksum_of(path)))
        first = last
    return done


def _frame(table: Any) -> pd.DataFrame:
    there = [name for name in _READ if name in table.column_names]
    frame: pd.DataFrame = table.select(there).to_pandas()
    return frame.reindex(columns=list(_READ))


def _write(path: Path, table: Any, shown: pd.DataFrame) -> None:
    import pyarrow as pa

    for name in _CHANGED:
        place = table.schema.get_field_index(name)
        if place >= 0:
            kind = table.schema.field(name).type
            values = shown[name].astype("Int64") if pa.types.is_integer(kind) else shown[name]
            table = table.set_column(place, name, pa.array(values, kind, from_pandas=True))
    coded = [one.name for one in table.schema if str(one.type) == "string" and one.name != "phone"]
    with parquet_writer(draft_of(path), table.schema, coded=coded, private=True) as writer:
        writer.write_table(table.replace_schema_metadata())
    replace_file(draft_of(path), path)
