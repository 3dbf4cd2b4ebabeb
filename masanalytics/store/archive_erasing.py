"""Writing files of an archive anew: without people who were forgotten, and with the accounts that others were made part of."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from masanalytics.analysis.sources.damaged_files import checked_table
from masanalytics.export_folder import checksum_of, draft_of
from masanalytics.paths import replace_file
from masanalytics.store.archive_renames import renames_of
from masanalytics.store.archived_rows import EVERYBODY, emptied_columns
from masanalytics.store.database import Connections
from masanalytics.store.partition_writers import parquet_writer
from masanalytics.vocabulary import NOT_KEPT

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "erase",
    "erased_rows",
    "has_old_files",
    "not_yet_erased",
    "remove_old_files",
    "reports_of",
    "rewrite",
    "texts_of_forgotten",
]

_TEXTS: Final = ("content", "params")
_NO_TEXTS: Final = (None, None)


def erase(connections: Connections, folder: Path, archive_id: int, emptied: Mapping[str, Sequence[str]]) -> None:
    """Write one file, and that of its reports, anew: the forgotten by their names, without texts and `emptied_columns` of the user's.

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
        texts = texts_of_forgotten(conn, names)
        rewrite(folder / old, folder / month / f"{new}.parquet", names, emptied, texts=texts, accounts=accounts)
        reports = reports_of(folder / old)
        rewrite(reports, reports.with_name(f"{new}.pq"), names, accounts=accounts)
        file = folder / month / f"{new}.parquet"
        conn.execute(
            "UPDATE archive_runs SET file = ?, size_bytes = ?, checksum = ? WHERE archive_id = ?",
            [f"{month}/{new}.parquet", file.stat().st_size, checksum_of(file), archive_id],
        )
        conn.execute("INSERT INTO archive_old_files VALUES (?)", [old])
        for table in ("archive_erasures", "archive_renames"):
            conn.execute(f"DELETE FROM {table} WHERE archive_id = ?", [archive_id])


def not_yet_erased(conn: sqlite3.Connection) -> tuple[dict[int, str], dict[str, list[str]]]:
    """Return the messages of people who were forgotten since their file was written, by the names they have; and `emptied_columns`."""
    kept = [emptied_columns(columns) for (columns,) in conn.execute("SELECT own_columns FROM archive_erasures")]
    if not kept:  # most of the time, and `archived` is long
        return {}, {}
    names = conn.execute(
        "SELECT a.message_id, a.phone FROM archived a JOIN archive_erasures USING (archive_id) WHERE a.phone LIKE '%~%'"
    )
    emptied: dict[str, list[str]] = {}
    for columns in kept:
        for number, own in columns.items():
            emptied[number] = sorted({*emptied.get(number, ()), *own})
    return dict(names.fetchall()), emptied


def texts_of_forgotten(conn: sqlite3.Connection, names: Mapping[int, str]) -> dict[int, tuple[str | None, ...]]:
    """Return content and params of messages whose people were forgotten: what they share with others of their batch, as in the store."""
    rows = conn.execute(
        f"SELECT message_id, {', '.join(f'b.{name}' for name in _TEXTS)} FROM archived JOIN batches b USING (batch_id)"
        " WHERE message_id IN (SELECT value FROM json_each(?))",
        [json.dumps(list(names))],
    )
    return {number: tuple(texts) for number, *texts in rows}


def erased_rows(
    rows: pd.DataFrame,
    names: Mapping[int, str],
    emptied: Mapping[str, Sequence[str]],
    texts: Mapping[int, tuple[str | None, ...]],
) -> pd.DataFrame:
    """Return rows of messages as `erase` will write them."""
    name = rows["message_id"].map(names)
    gone = name.notna()
    fresh = gone & ~rows["phone"].fillna("").str.contains("~", regex=False)
    shown = {}
    for place, column in enumerate(_TEXTS):
        if column in rows:
            shared = rows["message_id"].map({number: each[place] for number, each in texts.items()})
            shown[column] = rows[column].where(~gone, shared.astype("str"))
    for column, ids in _messages_by_column(emptied, set(rows.loc[fresh, "message_id"])).items():
        if column in rows:
            shown[column] = rows[column].mask(rows["message_id"].isin(ids) & (rows[column] != NOT_KEPT))
    return rows.assign(phone=rows["phone"].where(~fresh, name.astype("str")), **shown)


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
    old: Path,
    new: Path,
    names: Mapping[int, str],
    emptied: Mapping[str, Sequence[str]] | None = None,
    *,
    texts: Mapping[int, tuple[str | None, ...]] | None = None,
    accounts: Mapping[str, str] | None = None,
) -> None:
    """Write a file anew with the numbers of some messages replaced and some of their columns empty (`emptied_columns`); "not kept" stays.

    Who has a name in the file already was forgotten before.

    `texts` are the content and the params that these messages have from now on, nothing of those that are not among them;
    `accounts` are called by the names that they map to.
    """
    table = checked_table(old)
    ids, phones = table.column("message_id").to_pylist(), table.column("phone").to_pylist()
    fresh = {number for number, phone in zip(ids, phones, strict=True) if number in names and "~" not in (phone or "")}
    table = _with_column(
        table,
        "phone",
        [names[number] if number in fresh else phone for number, phone in zip(ids, phones, strict=True)],
    )
    for name, those in _messages_by_column(emptied or {}, fresh).items():
        if name in table.column_names:
            values = zip(ids, table.column(name).to_pylist(), strict=True)
            table = _with_column(
                table, name, [None if number in those and value != NOT_KEPT else value for number, value in values]
            )
    shared = texts or {}
    for place, name in enumerate(_TEXTS):
        if name in table.column_names:
            values = zip(ids, table.column(name).to_pylist(), strict=True)
            shown = [shared.get(number, _NO_TEXTS)[place] if number in names else value for number, value in values]
            table = _with_column(table, name, shown)
    if accounts:
        called = [accounts.get(name, name) for name in table.column("account").to_pylist()]
        table = _with_column(table, "account", called)
    coded = [one.name for one in table.schema if str(one.type) == "string" and one.name != "phone"]
    with parquet_writer(draft_of(new), table.schema, coded=coded, private=True) as writer:
        writer.write_table(table.replace_schema_metadata())
    replace_file(draft_of(new), new)


def _messages_by_column(emptied: Mapping[str, Sequence[str]], fresh: Collection[int]) -> dict[str, set[int]]:
    """Return, of each of the user's columns that is emptied, of which messages; `fresh` are those that leave now."""
    found: dict[str, set[int]] = {}
    for number, columns in emptied.items():
        for name in columns:
            found.setdefault(name, set()).update(fresh if number == EVERYBODY else [int(number)])
    return found


def _with_column(table: Any, name: str, values: Sequence[Any]) -> Any:
    import pyarrow as pa

    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(values, pa.string()))
