"""Which version made a file: what a newer one made is left alone."""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database

from masanalytics.errors import StoreError
from masanalytics.store.schema import migrations

__all__ = ["check_not_newer"]


def check_not_newer(conn: sqlite3.Connection, name: str) -> None:
    """Refuse, before anything is written, what a newer version made: it may mean something else by the same columns.

    Parameters
    ----------
    conn : sqlite3.Connection
        The open file.
    name : str
        What the file is called, for the error.

    Raises
    ------
    StoreError
        If a later version has changed the file (code ``newer_store``).
    """
    if conn.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone() is None:
        return
    applied = conn.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", [migrations.name]).fetchall()
    known = {migration.name for migration in migrations.pending(Database(memory=True))}
    newer = [name for (name,) in applied if name not in known]
    if newer:
        raise StoreError(
            "{name} was made by a newer masanalytics ({newer}), and nothing was changed in it: update this one (pip install "
            "-U masanalytics), or choose another file",
            name=name,
            newer=newer[0],
            code="newer_store",
        )
