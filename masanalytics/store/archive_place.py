"""Where the archive of a store is: one folder, which may move, and never two of which each holds a part."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from masanalytics.errors import StoreError
from masanalytics.export_folder import aside_of, read_manifest

__all__ = ["check_place", "make_table", "note_place", "stand_ins"]

_TABLE = "CREATE TABLE archive_place (id INTEGER PRIMARY KEY CHECK (id = 1), folder TEXT NOT NULL) STRICT"


def make_table(conn: sqlite3.Connection) -> None:
    """Make the table that says where the archive is."""
    conn.execute(_TABLE)


def check_place(conn: sqlite3.Connection, folder: Path, *, to_write: bool = False) -> None:
    """Raise if a folder is not where this store's archive is.

    A folder that was moved is known by the files that are in it. A copy has them too: it may be read, but not be written while the
    archive is where it was, since then each of them would hold a part.

    Raises
    ------
    StoreError
        Naming the folder that it is in.
    """
    files = [row[0] for row in conn.execute("SELECT file FROM archive_runs ORDER BY archive_id")]
    if not files:
        _refuse_another(conn, folder)
        return
    row = conn.execute("SELECT folder FROM archive_place").fetchone()
    noted = None if row is None else Path(row[0])
    is_here = _holds_one(folder, files) or _holds_stand_in(conn, folder, files)
    if is_here and not (to_write and noted is not None and not _is_same(folder, noted) and _holds_one(noted, files)):
        return
    if is_here:
        raise StoreError(
            "{folder} is a copy of the archive of this store, which is in {known}: give that one; if the copy is to take its place,"
            " move {known} away first",
            folder=str(folder),
            known=str(noted),
            code="other_archive",
        )
    if noted is None or _is_same(folder, noted):
        if not to_write:
            return  # each file that is missing is named by whoever opens it
        raise StoreError(
            "{folder} holds none of the {count:,} files of this store's archive: give the folder that they are in, or put them back",
            folder=str(folder),
            count=len(files),
            code="archive_gone",
        )
    raise StoreError(
        "{folder} is not the archive of this store, which is in {known}: give that one, or, if it was moved, the folder that holds"
        " its files now",
        folder=str(folder),
        known=str(noted),
        code="other_archive",
    )


def _refuse_another(conn: sqlite3.Connection, folder: Path) -> None:
    """Raise if a folder is the archive of another store than this one, from which nothing was archived."""
    manifest = read_manifest(folder)
    (ledger,) = conn.execute("SELECT ledger_id FROM ledger").fetchone()
    if manifest is not None and manifest.settings.get("archive") and manifest.settings["store"] != ledger:
        raise StoreError(
            "{folder} is the archive of another store: give the store that its messages were archived from",
            folder=str(folder),
            code="other_archive",
        )


def note_place(conn: sqlite3.Connection, folder: Path) -> None:
    """Note where the archive is, so that an error can name it."""
    conn.execute(
        "INSERT INTO archive_place VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET folder = excluded.folder", [str(folder)]
    )


def _holds_one(folder: Path, files: list[str]) -> bool:
    """Whether a folder has one of these files, also one that was set aside."""
    return any((folder / file).exists() or aside_of(folder / file).exists() for file in files)


def _holds_stand_in(conn: sqlite3.Connection, folder: Path, files: list[str]) -> bool:
    """Whether a folder is this store's archive, and another copy of the store has written one of the files anew."""
    manifest = read_manifest(folder)
    (ledger,) = conn.execute("SELECT ledger_id FROM ledger").fetchone()
    is_ours = manifest is not None and manifest.settings.get("archive") and manifest.settings["store"] == ledger
    return bool(is_ours) and any(stand_ins(folder / file) for file in files)


def stand_ins(file: Path) -> list[Path]:
    """Return the files that may hold the messages of one that is missing: set aside, or written anew by another copy of the store."""
    same = f"{file.name.split('-')[0]}-*{file.suffix}"
    others = [*file.parent.glob(same), *file.parent.glob(aside_of(Path(same)).name)]
    return sorted({one for one in others if one != file}, key=lambda one: (one != aside_of(file), one.name))


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths are the same folder, also by a link."""
    try:
        return one == other or one.samefile(other)
    except OSError:
        return False
