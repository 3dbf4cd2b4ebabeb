"""Opening the SQLite file: one connection a thread, short write transactions, errors in plain words."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from sqlite_utils import Database

from masanalytics.errors import StoreError
from masanalytics.i18n import N_
from masanalytics.store import changed_days, ledger_copies, sql_views
from masanalytics.store.file_version import check_not_newer
from masanalytics.store.schema import migrations

__all__ = ["Connections", "as_store_error"]

_OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
_TRY_AGAIN_S = 0.01
_OF_THE_FILE: Final = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG,
)  # fmt: skip
_T = TypeVar("_T")


class Connections:
    """The store's connections: one a thread, because a SQLite connection belongs to the thread that made it.

    Parameters
    ----------
    path : Path
        The file, absolute; made, with its tables, where it does not exist. Its folder must be there.
    busy_s : float
        How long to wait for somebody else's write before giving up.

    Attributes
    ----------
    is_new : bool
        Whether this object made the tables: nothing was in the file before.
    is_gone : bool
        Whether the file was temporary, and was removed when it was closed.
    deferred : list of callable
        What could not be written when it was known: the next transaction that commits writes it first.
    """

    def __init__(self, path: Path, *, busy_s: float) -> None:
        self.path = path
        self.busy_s = busy_s
        self.deferred: list[Callable[[sqlite3.Connection], object]] = []
        self._local = threading.local()
        self.is_new = False
        self.is_gone = False
        self._file: tuple[int, int] | None = None
        self._migrated = False
        self._open: dict[tuple[int, int], Database] = {}
        weakref.finalize(self, _close_all, self._open)
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreError(
                "SQLite {version} is too old: the store needs 3.37 or newer; use a newer Python",
                version=sqlite3.sqlite_version,
            )
        try:
            with as_store_error(path):
                self._migrate()
                self._migrated = True
        except BaseException:
            self.close()
            raise

    @property
    def db(self) -> Database:
        """The connection of this thread, as a sqlite-utils database."""
        held: tuple[int, Database] | None = getattr(self._local, "held", None)
        if held is None or held[0] != os.getpid():  # after a fork, the parent's connection must not be used
            held = (os.getpid(), self._connect())
            self._local.held = held
        return held[1]

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Run one short write transaction; wait for other writers at its start, never in its middle.

        Parameters
        ----------
        durable : bool
            Whether the commit must also survive a power cut (``synchronous=FULL``): so for what is about to be sent, and
            for what the platform will not hand out again.
        """
        with as_store_error(self.path):
            conn = self.db.conn
            conn.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            conn.execute("BEGIN IMMEDIATE")
            late = list(self.deferred)
            try:
                self.check_in_place()
                for write in late:
                    write(conn)
                yield conn
            except BaseException:
                conn.rollback()
                raise
            try:
                conn.execute("COMMIT")
            except BaseException:
                conn.rollback()
                raise
            self.deferred[: len(late)] = []

    def erase(self, work: Callable[[sqlite3.Connection], _T], *, dry_run: bool = False) -> _T:
        """Run work that erases, so that no page of the file holds what was there; with `dry_run` nothing of it stays."""
        with as_store_error(self.path):
            conn = self.db.conn
            conn.execute("BEGIN IMMEDIATE")
            try:
                self.check_in_place()
                done = work(conn)
                conn.execute("ROLLBACK" if dry_run else "COMMIT")
            except BaseException:
                conn.rollback()
                raise
            if not dry_run:
                conn.execute("VACUUM")
                conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return done

    @contextmanager
    def reading(self, *, sorts_all: bool = False) -> Iterator[sqlite3.Connection]:
        """Run queries that see one state of the file.

        Parameters
        ----------
        sorts_all : bool
            Whether they sort all messages, which may be more than memory holds: then what is sorted goes through temporary files.
            All else, sending above all, needs no temporary folder.
        """
        with as_store_error(self.path):
            conn = self.db.conn
            if conn.in_transaction:
                yield conn
                return
            if sorts_all:
                conn.execute("PRAGMA temp_store=FILE")
            conn.execute("BEGIN")
            try:
                yield conn
            finally:
                conn.rollback()
                if sorts_all:
                    conn.execute("PRAGMA temp_store=MEMORY")

    def check_in_place(self) -> None:
        """Refuse to go on with a file that is not at its path any more: whoever opens the path next would not see what is written.

        A system keeps a file that was deleted or replaced for as long as it is open, so that writing to it does not fail.

        Raises
        ------
        StoreError
            If another file, or none, is at the path now.
        """
        if self._file is None or _which(self.path) == self._file:
            return
        raise StoreError(
            "{path} was moved, deleted or replaced while it was open: who opens it next would not know what is written now. Put the"
            " file back, or open the store anew, mas.Store(path), and look whether it is the newest one. Nothing more is written or sent",
            path=str(self.path),
            code="store_moved",
        )

    def close_thread(self) -> None:
        """Close this thread's connection; the next use opens another."""
        held: tuple[int, Database] | None = getattr(self._local, "held", None)
        self._local.held = None
        if held is not None and held[0] == os.getpid():
            self._open.pop(_here(), None)
            held[1].close()

    def close(self) -> None:
        """Close the connections of all threads."""
        self._local = threading.local()
        _close_all(self._open)
        self._file = None

    def _connect(self) -> Database:
        if self.is_gone:
            raise StoreError("this temporary store was closed, and so it is gone: open another, mas.Store(':memory:')")
        with as_store_error(self.path):
            self.check_in_place()
            # Each connection is used by the thread that made it; any thread may close it, when that one is gone.
            # A file that was there and is gone is not made anew: an empty ledger would know nobody.
            mode = "rw" if self._migrated else "rwc"
            address = f"{self.path.as_uri()}?mode={mode}"
            conn = sqlite3.connect(address, timeout=self.busy_s, check_same_thread=False, uri=True)
            before = self._open.pop(_here(), None)  # of a thread that has ended: its number is used again
            if before is not None:
                before.close()
            self._file = _which(self.path) if self._file is None else self._file
            self._open[_here()] = Database(conn)
            conn.execute("PRAGMA foreign_keys=OFF")  # checked by tests; enforcing would cost a look-up a row
            conn.execute("PRAGMA temp_store=MEMORY")
            conn.execute("PRAGMA cache_size=-65536")
            return self._open[_here()]

    def _migrate(self) -> None:
        if self.path.is_dir():
            raise StoreError(
                "{path} is a folder: the store is a file, such as {example}", path=str(self.path), example="mas.db"
            )
        created = not self.path.exists()
        if created:
            # The file holds phone numbers and replies: nobody else on the machine is to read it.
            self.path.touch(mode=0o600)
        db = self.db
        tables = set(db.table_names())
        if tables and "_sqlite_migrations" not in tables:
            raise StoreError(
                "{name} is a SQLite file of another program: choose another path for the store", name=self.path.name
            )
        check_not_newer(db.conn, self.path.name)
        if not created and not os.access(self.path, os.W_OK):
            self._check_readable(db)
            return
        self._enable_wal(db)
        if not migrations.pending(db):
            self._explain_codes(db)
            return
        with self.writing(durable=True):  # two processes may open a new file at once: the second finds nothing to do
            self.is_new = not tables
            if not db.table_names():
                for statement in _tables_of_a_new_file():
                    db.conn.execute(statement)
                ledger_copies.name_new(db.conn)
                changed_days.rename(db.conn)
            else:
                migrations.apply(db)
            sql_views.explain_all_codes(db.conn)

    def _explain_codes(self, db: Database) -> None:
        """Bring up to date what codes mean, where the catalogue is another now; where that cannot be written, another opening does it."""
        if not sql_views.are_codes_explained(db.conn):
            with suppress(StoreError), self.writing() as conn:
                sql_views.explain_all_codes(conn)

    def _check_readable(self, db: Database) -> None:
        if migrations.applied(db) and migrations.pending(db):
            raise StoreError(
                "{name} was written by an earlier version and must be brought up to date, but cannot be written: copy it, or "
                "make it writable",
                name=self.path.name,
            )

    def _enable_wal(self, db: Database) -> None:
        """Switch to WAL mode where it is not on; SQLite itself does not wait for others here, so that it is tried again."""
        end = time.monotonic() + self.busy_s
        while True:
            try:
                db.enable_wal()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() >= end:
                    raise
                time.sleep(_TRY_AGAIN_S)
            else:
                return


def _which(path: Path) -> tuple[int, int] | None:
    """Return which file is at a path; None where there is none, or the system gives files no numbers."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino) if found.st_ino else None


@cache
def _tables_of_a_new_file() -> tuple[str, ...]:
    """Return the statements that make what all migrations, one after the other, make of an empty file: a few in place of hundreds."""
    empty = Database(memory=True)
    migrations.apply(empty)
    _begin, *statements, _commit = empty.conn.iterdump()
    empty.close()
    return tuple(statements)


def _here() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def _close_all(connections: dict[tuple[int, int], Database]) -> None:
    for key in list(connections):
        database = connections.pop(key)
        if key[0] == os.getpid():
            database.close()


@contextmanager
def as_store_error(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk complain of into a `StoreError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explain(path, str(error)) from error
    except OSError as error:
        if error.errno in _OF_THE_FILE:
            raise _explain(path, error.strerror or str(error)) from error
        raise


_ADVICE: Final = (
    (
        ("locked", "busy"),
        N_(
            "{name} is locked by another program: close whatever holds it open for writing (DB Browser?), then run this again"
        ),
        True,
    ),
    (
        ("full", "no space", "quota"),
        N_("the disk that holds {name}, or the temporary folder, is full: free some space, then run this again"),
        True,
    ),
    (
        ("readonly", "read-only", "permission", "denied", "not permitted", "unable to open"),
        N_(
            "{name} cannot be written: check that its folder exists, that you may write there and that it is not read-only"
        ),
        False,
    ),
    (
        ("not a database", "malformed", "corrupt"),
        N_("{name} is not a SQLite file, or is damaged: restore a copy, or choose another path"),
        False,
    ),
)
"""Words in what SQLite and the system say -> what it means, and whether doing the same later can succeed."""


def _explain(path: Path, reason: str) -> StoreError:
    for words, advice, retryable in _ADVICE:
        if any(word in reason.lower() for word in words):
            return StoreError(advice, name=path.name, retryable=retryable)
    return StoreError("{name}: SQLite says: {reason}", name=path.name, reason=reason)
