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

from masanalytics.errors import StoreError
from masanalytics.protocol import PollAnswer
from masanalytics.store.intake import Intake

__all__ = ["SpooledAnswer", "spool_folder", "spooled_answers", "take_in_spooled", "write_spool"]

_LOG = logging.getLogger(__name__)
_SUFFIX = ".answer"


@dataclass(frozen=True, slots=True)
class SpooledAnswer:
    """One waiting answer and the file that holds it."""

    path: Path
    account: str
    poll_id: int
    answer: PollAnswer


def spool_folder(store_path: Path) -> Path:
    """Return the folder in which answers for this store wait."""
    return store_path.with_name(store_path.name + ".spool")


def _last_resort(store_path: Path) -> Path:
    """Return the folder for answers that cannot be written beside the store: in the temporary folder, for this store alone."""
    digest = hashlib.sha256(str(store_path.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"masanalytics-{store_path.stem}-{digest}.spool"


def write_spool(store_path: Path, account: str, poll_id: int, answer: PollAnswer) -> Path:
    """Write an answer to a file that survives a power cut and only its owner can read; return the file.

    Raises
    ------
    StoreError
        If no file could be written anywhere; the answer is then lost, and the error says so.
    """
    head = {
        "account": account,
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
    name = f"{int(answer.answered_at)}-{uuid.uuid4().hex}{_SUFFIX}"
    reasons = []
    for folder in (spool_folder(store_path), _last_resort(store_path)):
        try:
            return _write(folder, name, data)
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror or error}")
    raise StoreError(
        "an answer of the platform could be written nowhere and is lost: {reasons}", reasons="; ".join(reasons)
    )


def _write(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_mine(folder):
        raise PermissionError(errno.EPERM, "the folder belongs to another user")
    draft = folder / (name + ".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        final = folder / name
        draft.replace(final)
    except OSError:
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
            with contextlib.suppress(FileNotFoundError):  # another process was quicker
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
        waiting.path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty yet, or another process was quicker
            waiting.path.parent.rmdir()
    return poll_ids


def _read(path: Path) -> SpooledAnswer | None:
    head, _, raw = path.read_bytes().partition(b"\n")
    try:
        about = json.loads(head)
        answer = PollAnswer(
            about["endpoint"],
            raw,
            about["http_status"],
            about["complete"],
            about["asked_at"],
            about["answered_at"],
            server_time=about.get("server_time"),
            charset=about.get("charset", ""),
        )
        return SpooledAnswer(path, about["account"], about["poll_id"], answer)
    except (ValueError, KeyError, TypeError):
        _LOG.warning("%s is not an answer that was written here; it is left where it is", path)
        return None


def _is_mine(folder: Path) -> bool:
    """Whether nobody else could have put files there: the temporary folder is everybody's."""
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
