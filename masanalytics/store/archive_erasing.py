"""Writing files of an archive anew: without people who were forgotten, and with the accounts that others were made part of."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from masanalytics.analysis.sources.damaged_files import checked_table
from masanalytics.export_folder import checksum_of, draft_of
from masanalytics.paths import replace_file
from masanalytics.store.archive_renames import renames_of
from masanalytics.store.database import Connections
from masanalytics.store.partition_writers import parquet_writer
from masanalytics.vocabulary import NOT_KEPT

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["erase", "erased_rows", "has_old_files", "not_yet_erased", "remove_old_files", "reports_of", "rewrite"]

_TEXTS: Final = ("content", "params")


def erase(connections: Connections, folder: Path, archive_id: int, own_columns: Sequence[str]) -> None:
    """Write one file, and that of its reports, anew: the forgotten by their names, without texts and these columns of the user's.

    Accounts that were made part of others are called what these are. The new files count from the transaction on that notes them;
    the old ones are removed after it.
    """
    with connections.writing(durable=True) as conn:
        (old,) = conn.execute("SELECT file FROM archive_runs WHERE archive_id = ?", [archive_id]).fetchone()
        names = dict(
            conn.execute(
                "SELECT message_id, phone FROM archived WHERE archive_id = ? AND phone LIKE '%~%'", [archive_id]
            ).fetchall()
        )
        accounts = renames_of(conn, archive_id)
        month, new = old.split("/")[0], f"{archive_id:06d}-{secrets.token_hex(4)}"
        rewrite(folder / old, folder / month / f"{new}.parquet", names, [*_TEXTS, *own_columns], accounts)
        reports = reports_of(folder / old)
        rewrite(reports, reports.with_name(f"{new}.pq"), names, [], accounts)
        file = folder / month / f"{new}.parquet"
        conn.execute(
            "UPDATE archive_runs SET file = ?, size_bytes = ?, checksum = ? WHERE archive_id = ?",
            [f"{month}/{new}.parquet", file.stat().st_size, checksum_of(file), archive_id],
        )
        conn.execute("INSERT INTO archive_old_files VALUES (?)", [old])
        for table in ("archive_erasures", "archive_renames"):
            conn.execute(f"DELETE FROM {table} WHERE archive_id = ?", [archive_id])


def not_yet_erased(conn: sqlite3.Connection) -> tuple[dict[int, str], list[str]]:
    """Return the messages of people who were forgotten since their file was written, by the names they have; and their own columns."""
    columns = [json.loads(kept) for (kept,) in conn.execute("SELECT own_columns FROM archive_erasures")]
    if not columns:  # most of the time, and `archived` is long
        return {}, []
    names = conn.execute(
        "SELECT a.message_id, a.phone FROM archived a JOIN archive_erasures USING (archive_id) WHERE a.phone LIKE '%~%'"
    )
    return dict(names.fetchall()), sorted({name for kept in columns for name in kept})


def erased_rows(rows: pd.DataFrame, names: Mapping[int, str], own_columns: Sequence[str]) -> pd.DataFrame:
    """Return rows of messages as `erase` will write them."""
    name = rows["message_id"].map(names)
    before = rows["phone"].fillna("").str.contains("~", regex=False)
    fresh = name.notna() & ~before
    empty = {column: rows[column].mask(fresh | before) for column in _TEXTS if column in rows}
    empty |= {column: rows[column].mask(fresh & (rows[column] != NOT_KEPT)) for column in own_columns if column in rows}
    return rows.assign(phone=rows["phone"].where(~fresh, name.astype("str")), **empty)


def has_old_files(connections: Connections) -> bool:
    """Whether files are left in whose place others were written."""
    with connections.reading() as conn:
        return conn.execute("SELECT 1 FROM archive_old_files LIMIT 1").fetchone() is not None


def remove_old_files(connections: Connections, folder: Path) -> None:
    """Remove the files in whose place others were written."""
    with connections.reading() as conn:
        old = [row[0] for row in conn.execute("SELECT file FROM archive_old_files")]
    for name in old:
        (folder / name).unlink(missing_ok=True)
        reports_of(folder / name).unlink(missing_ok=True)
        _forget_file(connections, name)


def _forget_file(connections: Connections, name: str) -> None:
    with connections.writing() as conn:
        conn.execute("DELETE FROM archive_old_files WHERE file = ?", [name])


def reports_of(file: Path) -> Path:
    """Return the file with the reports of the messages in `file`."""
    return file.parent.parent / "_reports" / file.parent.name / f"{file.stem}.pq"


def rewrite(
    old: Path, new: Path, names: Mapping[int, str], emptied: Sequence[str], accounts: Mapping[str, str] | None = None
) -> None:
    """Write a file anew with the numbers of some messages replaced and some of their columns empty; "not kept" stays.

    Who has a name in the file already was forgotten before, with the columns that were named then; no text of theirs stays.

    `accounts` are called by the names that they map to.
    """
    table = checked_table(old)
    ids, phones = table.column("message_id").to_pylist(), table.column("phone").to_pylist()
    before = {number for number, phone in zip(ids, phones, strict=True) if "~" in (phone or "")}
    fresh = {number for number in ids if number in names and number not in before}
    for name in ("phone", *(name for name in emptied if name in table.column_names)):
        values, gone = table.column(name).to_pylist(), fresh | before if name in _TEXTS else fresh
        shown = [
            (names[number] if name == "phone" else None) if number in gone and value != NOT_KEPT else value
            for number, value in zip(ids, values, strict=True)
        ]
        table = _with_column(table, name, shown)
    if accounts:
        called = [accounts.get(name, name) for name in table.column("account").to_pylist()]
        table = _with_column(table, "account", called)
    coded = [one.name for one in table.schema if str(one.type) == "string" and one.name != "phone"]
    with parquet_writer(draft_of(new), table.schema, coded=coded, private=True) as writer:
        writer.write_table(table.replace_schema_metadata())
    replace_file(draft_of(new), new)


def _with_column(table: Any, name: str, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(values, pa.string()))
