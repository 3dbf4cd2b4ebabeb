"""Answers that could be written nowhere: they are held in memory, and tried again, as long as the process lives.

The platform hands a report out once. Where neither the store nor its spool folder nor the temporary folder takes an answer, it
stays here, for whatever collector of this process comes next; meanwhile nothing more is asked for, since that could not be kept either.
"""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from masanalytics.account import AccountKey
from masanalytics.collecting.spool import spool_name, write_spool
from masanalytics.errors import StoreError
from masanalytics.i18n import Text
from masanalytics.protocol import PollAnswer

__all__ = ["HeldAnswer", "held_answers", "hold", "no_room", "place"]


@dataclass(frozen=True, slots=True)
class HeldAnswer:
    """One answer in memory, with the name that its file would have, by which it is taken in once."""

    name: str
    account: AccountKey
    poll_id: int
    answer: PollAnswer


_LOCK = threading.Lock()
_HELD: dict[Path, list[HeldAnswer]] = {}


def hold(store_path: Path, account: AccountKey, poll_id: int, answer: PollAnswer) -> None:
    """Keep an answer in memory."""
    with _LOCK:
        if not _HELD:
            atexit.unregister(_write_at_exit)
            atexit.register(_write_at_exit)
        _HELD.setdefault(store_path.resolve(), []).append(HeldAnswer(spool_name(answer), account, poll_id, answer))


def held_answers(store_path: Path) -> list[HeldAnswer]:
    """Return the answers that are held for a store, oldest first."""
    with _LOCK:
        return list(_HELD.get(store_path.resolve(), ()))


def place(store_path: Path, keep: Callable[[HeldAnswer], object]) -> None:
    """Hand the held answers of a store to `keep`, one by one; who is kept, or written to the spool, is held no more.

    Raises
    ------
    StoreError
        If there is still no room.
    """
    for held in held_answers(store_path):
        try:
            keep(held)
        except StoreError as error:
            if not _spooled(store_path, held):
                raise no_room(store_path, error) from error
        with _LOCK:
            _HELD[store_path.resolve()].remove(held)


def no_room(store_path: Path, error: StoreError) -> StoreError:
    """Return the error that says how much room is needed before anything more is asked for."""
    waiting = held_answers(store_path)
    return StoreError(
        "{why}. {count:,} answer of the platform is held in memory: make {kilobytes:,} kB of room and keep this process running;"
        " nothing more is asked for until then",
        "{why}. {count:,} answers of the platform are held in memory: make {kilobytes:,} kB of room and keep this process"
        " running; nothing more is asked for until then",
        why=error.said,
        count=len(waiting),
        kilobytes=sum(len(held.answer.raw) for held in waiting) // 250
        + 100,  # the store's log of changes takes as much again
        retryable=True,
    )


def _spooled(store_path: Path, held: HeldAnswer) -> bool:
    try:
        write_spool(store_path, held.account, held.poll_id, held.answer, held.name)
    except StoreError:
        return False
    return True


def _write_at_exit() -> None:
    """Try the last time, as the process ends; say what is lost."""
    for path, waiting in list(_HELD.items()):
        lost = [held for held in waiting if not _spooled(path, held)]
        if lost and sys.stderr is not None:
            said = Text(
                "{count:,} answer of the platform is lost: there was no room for it beside {name} to the end",
                "{count:,} answers of the platform are lost: there was no room for them beside {name} to the end",
                count=len(lost),
                name=path.name,
            )
            print(said, file=sys.stderr)  # noqa: T201
