"""Files of an archive that no transaction has noted: an archiving was killed, or store or folder were put back from a copy.

They hold whole numbers, and nobody counts them. What an archiving left that was killed, and what the store holds all the same, is
removed. What a manifest has counted once is set aside under another name, since it may be all there is of its messages, and whoever
was forgotten leaves it like any other file. The store that knows it takes it back.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from masanalytics.analysis.sources.damaged_files import damaged
from masanalytics.errors import StoreError
from masanalytics.export_folder import aside_of
from masanalytics.paths import remove_file, replace_file
from masanalytics.store.archive_erasing import reports_of, rewrite
from masanalytics.store.archived_rows import EVERYBODY
from masanalytics.store.forgetting import names_of, names_of_time
from masanalytics.vocabulary import MESSAGE_COLUMNS

__all__ = ["forget_in_orphans", "settle_orphans", "take_back"]

_FOLDS: Final = ("month=*/*.parquet", "_reports/month=*/*.pq")


def take_back(conn: sqlite3.Connection, folder: Path) -> None:
    """Give the files of this store their names again that another copy of it, which did not know them, has set aside.

    Nothing is touched unless each file that the store has noted is there or can be taken back.

    Raises
    ------
    StoreError
        Naming a file that is missing or damaged.
    """
    runs = conn.execute("SELECT archive_id, file, size_bytes FROM archive_runs ORDER BY archive_id").fetchall()
    missing = []
    for archive_id, name, size in runs:
        file = folder / name
        if file.exists() and file.stat().st_size != size:
            raise damaged(file, export=None)
        for one, its_size in ((file, size), (reports_of(file), None)):
            if not one.exists():
                _check_aside(conn, one, archive_id, its_size)
                missing.append(one)
    for file in missing:
        replace_file(aside_of(file), file)


def _check_aside(conn: sqlite3.Connection, file: Path, archive_id: int, size: int | None) -> None:
    """Raise unless a missing file was set aside and holds what the store has noted; reports (no `size`) are of these messages."""
    aside = aside_of(file)
    if not aside.exists():
        raise damaged(file, export=None)
    sql = "SELECT message_id FROM archived WHERE archive_id = ? ORDER BY message_id"
    noted = [row[0] for row in conn.execute(sql, [archive_id])]
    rows = _read(aside, ["message_id"])
    there = [None] if rows is None else rows["message_id"]
    is_whole = set(there) <= set(noted) if size is None else sorted(there) == noted and aside.stat().st_size == size
    if not is_whole:
        raise StoreError(
            "{file} is missing from the archive, and {aside} does not hold what was archived: put the file back from a copy",
            file=str(file),
            aside=str(aside),
        )


def settle_orphans(conn: sqlite3.Connection, folder: Path, counted: Collection[str]) -> None:
    """Remove the files that nobody has noted, or set them aside, so that no program that lists the folder counts their messages.

    Parameters
    ----------
    counted : collection of str
        The files of messages that the folder's manifest counts.
    """
    known = {row[0] for row in conn.execute("SELECT file FROM archive_runs")}
    noted = {folder / name for name in known} | {reports_of(folder / name) for name in known}
    once = {folder / name for name in counted} | {reports_of(folder / name) for name in counted}
    orphans = [file for pattern in _FOLDS for file in folder.glob(pattern) if file not in noted]
    for file in orphans:
        if file not in once and _is_in_store(conn, file):
            remove_file(file)
        else:
            replace_file(file, aside_of(file))


def forget_in_orphans(conn: sqlite3.Connection, folder: Path) -> None:
    """Write the files that were set aside anew without the people who were forgotten, and remove what cannot be read."""
    if conn.execute("SELECT 1 FROM forgettings LIMIT 1").fetchone() is None:
        return
    import pyarrow.parquet as pq

    for pattern in _FOLDS:
        for file in folder.glob(aside_of(Path(pattern)).as_posix()):
            rows = _read(file, ["message_id", "phone", "submitted_at"])
            if rows is None:
                remove_file(file)
                continue
            names = _forgotten(conn, rows["phone"], rows["submitted_at"])
            gone = {
                number: names[phone]
                for number, phone in zip(rows["message_id"], rows["phone"], strict=True)
                if phone in names
            }
            if gone:
                there = pq.read_schema(file).names
                own = [name for name in there if name not in MESSAGE_COLUMNS] if pattern == _FOLDS[0] else []
                rewrite(file, file, gone, {EVERYBODY: own})


def _forgotten(conn: sqlite3.Connection, phones: Iterable[str], times: Iterable[object]) -> dict[str, str]:
    """Return the names of those that were forgotten, by their number or for the time of one of their messages."""
    (before,) = conn.execute("SELECT max(before) FROM forgettings").fetchone()
    pairs = [(phone, time) for phone, time in zip(phones, times, strict=True) if phone is not None and "~" not in phone]
    names = names_of(conn, list({phone for phone, _ in pairs}))
    if before is not None:
        old = {phone for phone, time in pairs if time is None or time.timestamp() < before}  # type: ignore[attr-defined]
        names |= names_of_time(conn, sorted(old))
    return names


def _is_in_store(conn: sqlite3.Connection, file: Path) -> bool:
    """Whether the store, or its archive, has every message of a file."""
    rows = _read(file, ["message_id", "phone"])
    if rows is None:
        return False
    names = names_of(conn, list({phone for phone in rows["phone"] if phone is not None}))
    among = json.dumps(list(set(rows["message_id"])))
    known = {
        pair
        for table in ("messages", "archived")
        for pair in conn.execute(
            f"SELECT message_id, phone FROM {table} WHERE message_id IN (SELECT value FROM json_each(?))", [among]
        )
    }
    return all(
        not known.isdisjoint({(number, phone), (number, names.get(phone, phone))})
        for number, phone in zip(rows["message_id"], rows["phone"], strict=True)
    )


def _read(file: Path, columns: Sequence[str]) -> dict[str, list[Any]] | None:
    """Return columns of a file; None where it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found: dict[str, list[Any]] = pq.read_table(file, partitioning=None, columns=list(columns)).to_pydict()
    except (pa.ArrowException, OSError):
        return None
    return found
