"""Answers that could not be written to the store wait in files beside it, and are taken in once, at the next chance.

The platform hands a report out once. When the disk is full or the file locked just as an answer comes, the answer goes to
``<store>.spool/``; when even that fails, to the temporary folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masanalytics.account import AccountKey
from masanalytics.collecting.side_work import log_quietly
from masanalytics.errors import StoreError
from masanalytics.paths import BINARY, replace_file
from masanalytics.protocol import PollAnswer
from masanalytics.store.intake import Intake

__all__ = ["SpooledAnswer", "spool_folder", "spool_name", "spooled_answers", "take_in_spooled", "write_spool"]

_LOG = logging.getLogger(__name__)
_SUFFIX = ".answer"
_UNREADABLE = ".unreadable"
_FORM = 1
"""Of the head line; a file of a later form is left to whoever can read it."""
_LARGEST = 1 << 62


@dataclass(frozen=True, slots=True)
class SpooledAnswer:
    """One waiting answer and the file that holds it."""

    path: Path
    account: AccountKey
    poll_id: int
    answer: PollAnswer


def spool_folder(store_path: Path) -> Path:
    """Return the folder in which answers for this store wait."""
    return store_path.with_name(store_path.name + ".spool")


def _last_resort(store_path: Path) -> Path:
    """Return the folder for answers that cannot be written beside the store: in the temporary folder, for this store alone."""
    digest = hashlib.sha256(str(store_path.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"masanalytics-{store_path.stem}-{digest}.spool"


def spool_name(answer: PollAnswer) -> str:
    """Return a name for the file of an answer, by which it is taken in once."""
    return f"{int(answer.answered_at)}-{uuid.uuid4().hex}{_SUFFIX}"


def write_spool(store_path: Path, account: str | AccountKey, poll_id: int, answer: PollAnswer, name: str = "") -> Path:
    """Write an answer to a file that survives a power cut and only its owner can read; return the file.

    Raises
    ------
    StoreError
        If no file could be written anywhere.
    """
    key = AccountKey.of(account)
    head = {
        "form": _FORM,
        "account": key.name,
        "address": key.address,
        "poll_id": poll_id,
        "endpoint": answer.endpoint,
        "http_status": answer.status,
        "complete": answer.complete,
        "asked_at": answer.requested_at,
        "answered_at": answer.answered_at,
        "server_time": answer.server_time,
        "charset": answer.charset,
    }
    data = json.dumps(head, ensure_ascii=True).encode("ascii") + b"\n" + answer.raw
    name = name or spool_name(answer)
    reasons = []
    for folder in (spool_folder(store_path), _last_resort(store_path)):
        try:
            return _write(folder, name, data)
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror or error}")
    raise StoreError("an answer of the platform could be written nowhere: {reasons}", reasons="; ".join(reasons))


def _write(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_mine(folder):
        raise PermissionError(errno.EPERM, "the folder belongs to another user")
    draft = folder / (name + ".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o600)
    try:
        try:
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        final = folder / name
        replace_file(draft, final)
    except OSError:
        with contextlib.suppress(OSError):  # held open by somebody: a draft is no answer, and is left alone
            draft.unlink(missing_ok=True)
        raise
    with contextlib.suppress(OSError, AttributeError):  # Windows cannot sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    return final


def spooled_answers(store_path: Path) -> Iterator[SpooledAnswer]:
    """Return the answers that wait beside this store, oldest first; half-written files are left alone."""
    for folder in (spool_folder(store_path), _last_resort(store_path)):
        for path in sorted(folder.glob("*" + _SUFFIX)) if folder.is_dir() and _is_mine(folder) else []:
            answer = _read(path)
            if answer is not None:
                yield answer


def take_in_spooled(intake: Intake) -> list[int]:
    """Make the answers that wait beside a store durable in it; return their polls, which are still to be read."""
    poll_ids = []
    for waiting in spooled_answers(intake.path):
        poll_id = intake.keep_spooled(waiting.account, waiting.poll_id, waiting.answer, waiting.path.name)
        if poll_id is not None:
            poll_ids.append(poll_id)
        # What has been taken in is known by its name: a file that somebody holds open, or may not be removed, does no harm.
        with contextlib.suppress(OSError):
            waiting.path.unlink(missing_ok=True)
            waiting.path.parent.rmdir()
    return poll_ids


def _read(path: Path) -> SpooledAnswer | None:
    """Return the answer in a file; one that is none is put aside, so that it is not met again."""
    try:
        head, _, raw = path.read_bytes().partition(b"\n")
    except FileNotFoundError:  # another process was quicker
        return None
    except OSError as error:
        log_quietly(_LOG, "%s cannot be read now, and is tried again: %s", path, error.strerror or error)
        return None
    try:
        about = json.loads(head)
        if about.get("form", _FORM) > _FORM:
            log_quietly(_LOG, "%s was written by a newer masanalytics; it is left to that one", path)
            return None
        return _answer(path, about, raw)
    except (ValueError, KeyError, TypeError, AttributeError):
        aside = path.with_name(path.name + _UNREADABLE)
        with contextlib.suppress(OSError):
            path.replace(aside)
        log_quietly(_LOG, "%s is not an answer that was written here; it is put aside as %s", path, aside.name)
        return None


def _answer(path: Path, about: dict[str, Any], raw: bytes) -> SpooledAnswer:
    """Return the answer that a head line describes; ValueError or TypeError where it is not what is written here."""
    account, endpoint, complete = (about[name] for name in ("account", "endpoint", "complete"))
    if not isinstance(account, str) or endpoint not in ("report", "deliver") or not isinstance(complete, bool):
        raise ValueError(account)
    poll_id, status = (_number(about[name], whole=True) for name in ("poll_id", "http_status"))
    asked_at, answered_at = (_number(about[name]) for name in ("asked_at", "answered_at"))
    server_time = None if about.get("server_time") is None else _number(about["server_time"])
    charset, address = (about.get(name) or "" for name in ("charset", "address"))
    if not isinstance(charset, str) or not isinstance(address, str):
        raise TypeError(charset)
    answer = PollAnswer(endpoint, raw, int(status), complete, asked_at, answered_at, server_time, charset)
    return SpooledAnswer(path, AccountKey(account, address), int(poll_id), answer)


def _number(value: object, *, whole: bool = False) -> float:
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 <= value < _LARGEST:
        raise ValueError(value)
    return value


def _is_mine(folder: Path) -> bool:
    """Whether nobody else could have put files there: the temporary folder is everybody's."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
