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

from masanalytics.analysis.sources.damaged_files import checked_table, damaged
from masanalytics.errors import StoreError
from masanalytics.export_folder import aside_of, checksum_of, name_beside
from masanalytics.paths import remove_file, replace_file
from masanalytics.store.archive_erasing import reports_of, rewrite
from masanalytics.store.archive_place import stand_ins
from masanalytics.store.archived_rows import EVERYBODY
from masanalytics.store.database import Connections
from masanalytics.store.forgetting import names_of, names_of_time
from masanalytics.vocabulary import MESSAGE_COLUMNS

__all__ = ["forget_in_orphans", "settle_orphans", "take_back"]

_FOLDS: Final = ("month=*/*.parquet", "_reports/month=*/*.pq")


def take_back(connections: Connections, folder: Path) -> None:
    """Give this store its files again that another copy of it, which did not know them, has set aside, or has written anew.

    Whoever was forgotten by the other copy meanwhile stays forgotten in these files. Nothing is touched unless each file that the
    store has noted is there or can be taken back.

    Raises
    ------
    StoreError
        Naming a file that is missing or damaged.
    """
    with connections.reading() as conn:
        moves, noted = _to_take_back(conn, folder)
    if noted:  # first, so that whoever is killed now finds what is noted where it was set aside
        with connections.writing(durable=True) as conn:
            conn.executemany(
                "UPDATE archive_runs SET file = ?, size_bytes = ?, checksum = ? WHERE archive_id = ?", noted
            )
    for aside, file in moves:
        replace_file(aside, file)


def _to_take_back(
    conn: sqlite3.Connection, folder: Path
) -> tuple[list[tuple[Path, Path]], list[tuple[str, int, int, int]]]:
    """Return which files get their names again, from where, and what is to be noted of those that were written anew."""
    runs = conn.execute("SELECT archive_id, file, size_bytes FROM archive_runs ORDER BY archive_id").fetchall()
    moves, noted = [], []
    for archive_id, name, size in runs:
        file = folder / name
        if file.exists() and file.stat().st_size != size:
            raise damaged(file, export=None)
        if not file.exists():
            found = _found_again(conn, file, archive_id, size)
            if found != (place := name_beside(found)):
                moves.append((found, place))
            if place != file or found.stat().st_size != size:
                shown = place.relative_to(folder).as_posix()
                noted.append((shown, found.stat().st_size, checksum_of(found), archive_id))
            file = place
        if not (reports := reports_of(file)).exists():
            _check_reports(conn, reports, archive_id)
            moves.append((aside_of(reports), reports))
    return moves, noted


def _found_again(conn: sqlite3.Connection, file: Path, archive_id: int, size: int) -> Path:
    """Return where the messages of a missing file are.

    Not in a file in whose place it was written: that one still has the numbers of whoever was forgotten since.

    Raises
    ------
    StoreError
        If no file holds what the store has noted.
    """
    older = {file.parent.parent / name for (name,) in conn.execute("SELECT file FROM archive_old_files")}
    others = [other for other in stand_ins(file) if name_beside(other) not in older]
    for other in others:
        if _holds(conn, other, archive_id, is_as_written=other == aside_of(file) and other.stat().st_size == size):
            return other
    raise _not_held(file, others[0]) if others else damaged(file, export=None)


def _holds(conn: sqlite3.Connection, file: Path, archive_id: int, *, is_as_written: bool) -> bool:
    """Whether a file has all messages that the store has noted and no other.

    Forgotten people may have their names in it already; by their numbers they are in it only while it is to be written anew.
    """
    sql = "SELECT message_id, phone FROM archived WHERE archive_id = ?"
    noted = dict(conn.execute(sql, [archive_id]).fetchall())
    is_outdated = conn.execute("SELECT 1 FROM archive_erasures WHERE archive_id = ?", [archive_id]).fetchone()
    names = ["message_id", "phone"]
    try:
        rows = checked_table(file, names if is_as_written else None).select(names).to_pydict()
    except StoreError:
        return False
    there = dict(zip(rows["message_id"], rows["phone"], strict=True))
    if len(rows["phone"]) != len(noted) or there.keys() != noted.keys():
        return False
    is_pending = is_as_written or is_outdated is not None
    return all(
        phone == noted[number] or "~" in (phone or "") or (is_pending and "~" in noted[number])
        for number, phone in there.items()
    )


def _check_reports(conn: sqlite3.Connection, file: Path, archive_id: int) -> None:
    """Raise unless missing reports were set aside, and are of messages that the store has noted."""
    aside = aside_of(file)
    if not aside.exists():
        raise damaged(file, export=None)
    noted = {row[0] for row in conn.execute("SELECT message_id FROM archived WHERE archive_id = ?", [archive_id])}
    rows = _read(aside, ["message_id"])
    if rows is None or not set(rows["message_id"]) <= noted:
        raise _not_held(file, aside)


def _not_held(file: Path, other: Path) -> StoreError:
    return StoreError(
        "{file} is missing from the archive, and {aside} does not hold what was archived: put the file back from a copy",
        file=str(file),
        aside=str(other),
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
