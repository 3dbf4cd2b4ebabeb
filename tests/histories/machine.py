"""Processes without processes: each has a name, a clock that may be wrong, and dies at a chosen statement or request.

What dies writes nothing more: every later statement of its connections fails as well, so that no `finally` of the package can
do what a killed process could not.
"""

from __future__ import annotations

import errno
import functools
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from masanalytics import process_identity
from masanalytics.clock import ManualClock
from masanalytics.collecting import spool
from masanalytics.store import Store

__all__ = ["Disk", "KilledError", "Machine", "Process", "WallClock", "installed"]


class KilledError(BaseException):
    """The process was killed here. No Exception: nothing in the package may catch it."""


class WallClock:
    """The clock of a machine: the true time's seconds, and a wall that may be wrong."""

    def __init__(self, true: ManualClock) -> None:
        self._true = true
        self.era = true.era
        self.wrong_by = 0.0
        self.after_sleep: Callable[[], object] = bool

    def now(self) -> float:
        return self._true.now() + self.wrong_by

    def monotonic(self) -> float:
        return self._true.monotonic()

    def sleep(self, seconds: float) -> None:
        self._true.sleep(seconds)
        self.after_sleep()

    def wait(self, event: threading.Event, seconds: float) -> bool:
        return self._true.wait(event, seconds)


class Disk:
    """Whether the disk has room: ``""`` it has, ``"store"`` the store cannot grow, ``"all"`` nothing can be written."""

    def __init__(self) -> None:
        self.full = ""


class Process:
    """A process of the user's: its connections, and the step before which it dies."""

    def __init__(self, name: str, host: str, number: int, disk: Disk) -> None:
        self.name, self.host = name, host
        self.identity = f"{host}:{number}:1"
        self.disk = disk
        self.is_dead = False
        self.steps = 0
        self.dies_at = 0
        self.connections: list[_Connection] = []
        self.kept: dict[str, Any] = {}

    def step(self) -> None:
        """Do one more thing, or be dead."""
        self.steps += 1
        if self.dies_at and self.steps >= self.dies_at:
            self.is_dead = True
        if self.is_dead:
            raise KilledError

    def end(self) -> None:
        """Leave nothing open: what was not committed is rolled back, as the system does it."""
        self.is_dead = True
        for connection in self.connections:
            sqlite3.Connection.close(connection)
        self.connections.clear()


class _Connection(sqlite3.Connection):
    """A connection that dies with its process and feels a full disk."""

    process: Process

    def _do(self, statement: str) -> None:
        self.process.step()
        if self.process.disk.full and statement == "COMMIT" and self.in_transaction:
            raise sqlite3.OperationalError("database or disk is full")

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._do(sql)
        if sql.startswith("PRAGMA synchronous"):
            sql = "PRAGMA synchronous=OFF"
        return super().execute(sql, *args)

    def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
        self._do(sql)
        return super().executemany(sql, *args)

    def commit(self) -> None:
        self._do("COMMIT")
        super().commit()

    def rollback(self) -> None:
        if self.process.is_dead:
            raise KilledError
        super().rollback()


class Machine:
    """The processes of the user's machines, and which of them acts now."""

    def __init__(self, true: ManualClock) -> None:
        self.clock = WallClock(true)
        self.disk = Disk()
        self._processes: dict[str, Process] = {}
        self._acting: list[Process] = []
        self._started = 0

    @property
    def current(self) -> Process:
        """The process that acts."""
        return self._acting[-1]

    @property
    def is_idle(self) -> bool:
        """Whether nobody acts."""
        return not self._acting

    def is_acting(self, name: str) -> bool:
        """Whether the process is in the middle of something."""
        return any(process.name == name for process in self._acting)

    def process(self, name: str) -> Process:
        """Return the process of this name, begun anew if it is dead. Those called ``far…`` are on another host."""
        one = self._processes.get(name)
        if one is None or one.is_dead:
            self._started += 1
            host = "far" if name.startswith("far") else "near"
            one = self._processes[name] = Process(name, host, 1000 + self._started, self.disk)
        return one

    @contextmanager
    def acting(self, process: Process) -> Iterator[None]:
        """Let `process` be the one that acts."""
        self._acting.append(process)
        try:
            yield
        finally:
            self._acting.pop()

    def end_all(self) -> None:
        """End every process."""
        for process in self._processes.values():
            process.end()

    def identity(self) -> str:
        """Stand in for `process_identity.this_process`."""
        return self.current.identity

    def is_alive(self, identity: str | None) -> bool:
        """Stand in for `process_identity.is_alive`: a process of another host cannot be asked."""
        found = [one for one in self._processes.values() if one.identity == identity and not one.is_dead]
        return bool(found) and found[0].host == self.current.host

    def connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        """Stand in for `sqlite3.connect`."""
        connection: _Connection = _CONNECT(*args, **{**options, "factory": _Connection})
        connection.process = self.current
        self.current.connections.append(connection)
        return connection


_CONNECT: Callable[..., Any] = sqlite3.connect


class _AtOnce:
    """A pool whose work is done before `submit` returns."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def submit(self, work: Callable[..., Any], *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **named))
        except BaseException as error:  # noqa: BLE001 - as a pool does it
            future.set_exception(error)
        return future

    def shutdown(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> _AtOnce:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@contextmanager
def installed(machine: Machine, folder: Path) -> Iterator[None]:
    """Put the machine in the place of processes, threads and files."""
    write = spool._write

    def write_if_there_is_room(*args: Any) -> Path:
        machine.current.step()
        if machine.disk.full == "all":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(*args)

    stand_ins: dict[Any, Any] = {
        process_identity.this_process: machine.identity,
        process_identity.is_alive: machine.is_alive,
        ThreadPoolExecutor: _AtOnce,
        write: write_if_there_is_room,
    }
    with ExitStack() as stack:
        stack.enter_context(
            mock.patch.dict(os.environ, {"MAS_CONFIG_DIR": str(folder / "config"), "MAS_LANGUAGE": "en"})
        )
        stack.enter_context(mock.patch.object(sqlite3, "connect", machine.connect))
        for module, name, replaced in _places(tuple(stand_ins)):
            stack.enter_context(mock.patch.object(module, name, stand_ins[replaced]))
        yield


@functools.cache
def _places(replaced: tuple[Any, ...]) -> list[tuple[Any, str, Any]]:
    """Return where in the package each of these is named: (module, name, what)."""
    return [
        (module, name, value)
        for module_name, module in list(sys.modules.items())
        if module_name.startswith("masanalytics")
        for name, value in list(vars(module).items())
        if any(value is one for one in replaced)
    ]


@functools.cache
def _template() -> bytes:
    folder = Path(tempfile.mkdtemp())
    Store(folder / "empty.db").close()
    data = (folder / "empty.db").read_bytes()
    shutil.rmtree(folder)
    return data


def new_store_file(folder: Path) -> Path:
    """Write the file of an empty store, made once and copied."""
    path = folder / "mas.db"
    path.write_bytes(_template())
    path.chmod(0o600)
    return path
