"""Paths as they are given: ``~`` is the home folder, and a path means the same file for as long as it is used.

A notebook changes its working folder between two cells, and a thread opens a file later than its name was given. So every
path is made absolute where it is taken.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import Final

from masanalytics.errors import InputError

__all__ = [
    "BINARY",
    "alone_with",
    "folder_in_folder",
    "full_path",
    "is_on_network",
    "locked",
    "path_in_folder",
    "private_file",
    "remove_file",
    "replace_file",
]

_TRIES: Final = 20
_TRY_AGAIN_S: Final = 0.05
_LOCK_WAITS_S: Final = 60.0
_REMOTE: Final = 4  # DRIVE_REMOTE in winbase.h
_NETWORK_KINDS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.glusterfs"}
)
BINARY: Final[int] = getattr(os, "O_BINARY", 0)
"""To be said to ``os.open`` before ``os.write``: Windows else writes a carriage return before every line feed."""


def full_path(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Return a path that was given, absolute, with ``~`` as the home folder; `name` is the argument, for the error.

    Raises
    ------
    InputError
        If it is no path, or names the home folder of a user who is not known.

    Examples
    --------
    >>> full_path("~/mas.db") == Path.home() / "mas.db"
    True
    >>> full_path("mas.db") == Path.cwd() / "mas.db"
    True
    """
    if isinstance(path, str | os.PathLike) and not str(path).strip():
        raise InputError("{name}= is an empty path", name=name)
    if isinstance(path, str | os.PathLike) and any(mark == "\0" or "\ud800" <= mark <= "\udbff" for mark in str(path)):
        raise InputError("{name}= holds a character that no path can have", name=name)
    if not isinstance(path, str | os.PathLike):
        kind = type(path).__name__
        raise InputError("{name}= is the path of a file, as text or a Path, not {kind}", name=name, kind=kind)
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:
        raise InputError("{name}={path!r}: there is no such user", name=name, path=str(path)) from None
    # Not resolved: a symbolic link may be changed on purpose. But "..", which os.path.abspath takes out, hides the folder.
    return Path(os.path.abspath(expanded))  # noqa: PTH100


def folder_in_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path of a folder that will be written, and made where it is not there, absolute.

    Raises
    ------
    InputError
        If it is no path, or a file, or in a folder that does not exist.
    """
    folder = path_in_folder(path, "folder")
    _refuse_file(folder)
    return folder


def _refuse_file(folder: Path) -> None:
    if folder.is_file():
        raise InputError("{folder} is a file: give a folder", folder=str(folder))


def path_in_folder(path: str | os.PathLike[str], name: str = "path") -> Path:
    """Return a path that will be written, absolute; its folder must be there.

    A mistyped folder that was made without a word would hold a file that nobody finds.

    Raises
    ------
    InputError
        If it is no path, or its folder does not exist.
    """
    file = full_path(path, name)
    _refuse_file(file.parent)
    if not file.parent.is_dir():
        raise InputError("there is no folder {folder}: make it, or check the path", folder=str(file.parent))
    return file


def replace_file(draft: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Put a finished draft in the place of `target`, in one step.

    On Windows that is refused while somebody else has the target open: a virus scanner or an indexer for a moment, for which it
    is tried again, a program for as long as it shows the file.

    Raises
    ------
    OSError
        If it stays refused; the draft is left.
    """
    _until_let_go(lambda: os.replace(draft, target), Path(target))  # noqa: PTH105


def remove_file(path: str | os.PathLike[str]) -> None:
    """Remove a file, if it is there; on Windows again and again while somebody else has it open for a moment.

    Raises
    ------
    OSError
        If it stays refused.
    """
    _until_let_go(lambda: Path(path).unlink(missing_ok=True), Path(path))


def _until_let_go(work: Callable[[], object], target: Path) -> None:
    for tries_left in range(_TRIES - 1, -1, -1):
        try:
            work()
        except PermissionError:
            if not tries_left or target.is_dir():
                raise
            time.sleep(_TRY_AGAIN_S)
        else:
            return


def is_on_network(folder: PurePath) -> bool:
    """Whether a folder is known to lie on another machine, where SQLite's WAL mode does not work.

    Examples
    --------
    >>> is_on_network(Path("/"))
    False
    """
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
        return folder.anchor.startswith("\\\\") or kernel.GetDriveTypeW(ctypes.c_wchar_p(folder.anchor)) == _REMOTE
    found = (0, "")
    for line in _mounts():
        _, place, kind, *_ = line.split(" ")
        place = place.replace("\\040", " ")
        if folder.is_relative_to(place):
            found = max(found, (len(place), kind), key=lambda one: one[0])
    return found[1] in _NETWORK_KINDS


def _mounts() -> list[str]:
    """Return the lines of the kernel's table of file systems; none where the system has no such file."""
    with contextlib.suppress(OSError):
        return Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    return []


@contextmanager
def locked(descriptor: int, *, at: int = 0) -> Iterator[None]:
    """Hold the lock of an open file, waited for, against other processes.

    Parameters
    ----------
    descriptor : int
        The open file.
    at : int
        The byte to lock on Windows, which nobody else can then read: beyond the end, where the file itself is read.
    """
    if sys.platform == "win32":
        import msvcrt

        end = time.monotonic() + _LOCK_WAITS_S
        while True:  # LK_LOCK waits ten seconds at most, and looks once a second
            os.lseek(descriptor, at, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(_TRY_AGAIN_S)
            else:
                break
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            yield
        finally:
            os.lseek(descriptor, at, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        with contextlib.suppress(
            ImportError
        ):  # a system without locks of files: the file is written in one piece all the same
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield  # closing the file releases it


def private_file(path: str | os.PathLike[str]) -> None:
    """Make a file empty, or make it, so that only its owner can read it: for whole numbers and for drafts of them.

    What is written over it keeps that. Windows has other rights: there the folder's decide.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | BINARY, 0o600))
    Path(path).chmod(0o600)  # of a file that was there before


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Hold the lock file beside `path` while reading and writing it, against other processes and threads."""
    with path.with_name(path.name + ".lock").open("a+b") as lock, locked(lock.fileno()):
        yield
