"""An older copy of the file, put back, has forgotten who was sent to since; on the machine that wrote the newer one it is noticed.

The file counts the beginnings and ends of runs, and the user's state folder remembers how far the count has come. Where the
folder cannot be written, or the copy is opened on another machine, nothing is noticed.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final, NamedTuple

from masanalytics.account import state_folder
from masanalytics.errors import StoreError

__all__ = ["LedgerTurn", "check_newest", "ledger_of", "name_new", "next_turn", "remember", "rename"]

_LARGEST: Final = 65_536


class LedgerTurn(NamedTuple):
    """Which file it is, whatever its name, and how many beginnings and ends of runs it has seen."""

    ledger_id: str
    number: int


def ledger_of(conn: sqlite3.Connection) -> str:
    """Return which store a file is, whatever its name: its copies, exports and archive say the same."""
    return str(conn.execute("SELECT ledger_id FROM ledger").fetchone()[0])


def next_turn(conn: sqlite3.Connection) -> LedgerTurn:
    """Count one more beginning or end of a run."""
    conn.execute("UPDATE ledger SET turns = turns + 1")
    return LedgerTurn(*conn.execute("SELECT ledger_id, turns FROM ledger").fetchone())


def name_new(conn: sqlite3.Connection) -> None:
    """Give a new file an identity of its own: all that a process makes begin as one and the same."""
    conn.execute("UPDATE ledger SET ledger_id = lower(hex(randomblob(16))), turns = 0")


def rename(conn: sqlite3.Connection) -> LedgerTurn:
    """Give the file another identity, of which nothing is remembered; return the turn by which all its copies are older ones.

    The first half of it stays: messages of before are in both, and must not count twice.
    """
    ledger_id, turns = conn.execute("SELECT ledger_id, turns FROM ledger").fetchone()
    conn.execute("UPDATE ledger SET ledger_id = substr(ledger_id, 1, 16) || lower(hex(randomblob(8))), turns = 0")
    return LedgerTurn(ledger_id, max(turns, _remembered(ledger_id)) + 1)


def check_newest(turn: LedgerTurn, path: Path) -> None:
    """Raise StoreError if this machine remembers a later turn of the file than the one before `turn`."""
    missing = _remembered(turn.ledger_id) - (turn.number - 1)
    if missing > 0:
        raise StoreError(
            "{path} is an older copy: this machine has sent with another one since. Who got messages meanwhile is not known in "
            "it, and would get them again. Put the newer file back; or, if you are sure, say store.accept_older_copy() (in the "
            "shell: --older-copy) and send again. Nothing was sent",
            path=str(path),
        )


def remember(turn: LedgerTurn) -> None:
    """Note in the user's state folder how far the count has come.

    Only after the commit: a note of what was never committed would call the newest file an old one. A line is added, so that
    two processes need no lock; the largest one holds.
    """
    file = _memory(turn.ledger_id)
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.exists() and file.stat().st_size > _LARGEST:
            draft = file.with_name(f"{file.name}.{os.getpid()}")
            draft.write_text(f"{max(turn.number, _remembered(turn.ledger_id))}\n", encoding="ascii")
            draft.replace(file)
            return
        with file.open("a", encoding="ascii") as lines:
            lines.write(f"{turn.number}\n")


def _remembered(ledger_id: str) -> int:
    try:
        lines = _memory(ledger_id).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return max((int(line) for line in lines if line.isdigit()), default=0)


def _memory(ledger_id: str) -> Path:
    return state_folder() / "ledgers" / f"{ledger_id}.turns"
