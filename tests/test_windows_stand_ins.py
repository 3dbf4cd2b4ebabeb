"""What Windows lacks or does otherwise, stood in for: no locks of files, no fork, no hang-up, files that others hold open for a moment."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from typing import Any

import pytest

from masanalytics import paths
from masanalytics.cli.outlet import never_end_the_work
from masanalytics.clock import SystemClock
from masanalytics.collecting import spool
from masanalytics.planning.value_formats import _date
from masanalytics.process_identity import is_alive, this_process
from masanalytics.protocol import PollAnswer

LACKING = """
import os, pathlib, signal, sys
sys.modules["fcntl"] = None
for module, names in ((os, ("fork", "register_at_fork", "getuid", "geteuid", "fchmod")), (signal, ("SIGHUP", "SIGQUIT", "SIGALRM"))):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
"""
HELD_OPEN = """
held = {}
def for_a_while(work, times):
    def tried(path, *more, **named):
        held[str(path)] = held.get(str(path), 0) + 1
        if str(path).startswith(sys.argv[1]) and held[str(path)] <= times:
            raise PermissionError(13, "The process cannot access the file because it is being used by another process", str(path))
        return work(path, *more, **named)
    return tried
os.replace = for_a_while(os.replace, 2)
os.unlink = os.remove = for_a_while(os.unlink, 1)
"""
DAY = """
import pandas as pd
import masanalytics as mas
from masanalytics.collecting import spool
from masanalytics.doctor import check
from masanalytics.protocol import PollAnswer

folder = pathlib.Path(sys.argv[1])
with mas.Simulator(https=True, poll_interval=0, behaviour={}) as sim, mas.Store(folder / "s.db") as store:
    account = sim.account(tls="first-use")
    client = mas.Client(account)
    sent = mas.send(pd.DataFrame({"p": ["13800138000"]}), client, store, phone="p", text="您好", campaign="C", progress=False)
    assert sent.ok, sent
    spool.write_spool(store.path, account.key, 0, PollAnswer("report", b"[]", 200, True, 1, 1))
    collector = mas.Collector(client, store, say=print)
    collector.collect()
    with collector:
        pass
    client.poll_reports()
    assert store.polls().state.tolist().count("parsed") >= 3, store.polls()
    with mas.Receiver(store, "x/y", port=0, say=print) as receiver:
        assert receiver.running
    for _ in range(2):
        store.export_parquet(folder / "parquet")
        mas.write_report(store, folder / "report.html")
        mas.write_sheet(store.messages(), folder / "sheet.xlsx")
    store.forget(phones=["13800138000"], force=True)
    print(store, sent, collector.total)
assert len(check(store_path=folder / "s.db")) >= 2
from click.testing import CliRunner
from masanalytics.cli import main
for arguments in (["demo", "--folder", str(folder / "demo")], ["codes", "MK:0001"], ["collect", "--status", "--db", str(folder / "s.db")]):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in (0, 1) and (done.exception is None or isinstance(done.exception, SystemExit)), (arguments, done.output, done.exception)
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("encoding", "held_open"), [("cp936", False), ("cp1252:replace", False), ("utf-8", True)])
def test_a_day_of_work_without_what_windows_lacks(encoding: str, held_open: bool, tmp_path: Path) -> None:
    """Import, send, collect, spool, receive, export, report, forget, doctor, demo: nothing raises."""
    script = LACKING + (HELD_OPEN if held_open else "") + DAY
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={
            **os.environ,
            "PYTHONIOENCODING": encoding,
            "MAS_LANGUAGE": "en",
        },
        capture_output=True,
        check=False,
        timeout=240,
    )

    assert (done.returncode, done.stdout.decode(errors="replace").splitlines()[-1:]) == (0, ["done"]), (
        done.stderr.decode(errors="replace")[-3000:]
    )


def test_a_spooled_answer_is_byte_for_byte_what_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without O_BINARY Windows writes a carriage return before every line feed, and nobody can tell afterwards."""
    binary, opened = 1 << 20, os.open
    texts: set[int] = set()

    def noting(path: Any, flags: int, *more: Any) -> int:
        descriptor = opened(path, flags & ~binary, *more)
        (texts.discard if flags & binary else texts.add)(descriptor)
        return descriptor

    write = os.write
    monkeypatch.setattr(os, "open", noting)
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data.replace(b"\n", b"\r\n") if fd in texts else data))
    monkeypatch.setattr(spool, "BINARY", binary)
    raw = b'[\n{"mobile":"13800138000"}\n]'
    spool.write_spool(tmp_path / "s.db", "shop/ap", 1, PollAnswer("report", raw, 200, True, 1, 2))

    assert [one.answer.raw for one in spool.spooled_answers(tmp_path / "s.db")] == [raw]


def test_a_lock_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused again and again, as msvcrt does, it is taken when the other lets go; refused for good it is an error."""
    calls: list[int] = []

    def locking(_descriptor: int, mode: int, _count: int) -> None:
        calls.append(mode)
        if mode == 2 and len(calls) <= 30:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2, LK_UNLCK=0))
    monkeypatch.setattr(paths, "_TRY_AGAIN_S", 0.0)
    with (tmp_path / "lock").open("a+b") as file:
        with paths.locked(file.fileno()):
            pass
        assert calls == [2] * 31 + [0]
        monkeypatch.setattr(paths, "_LOCK_WAITS_S", -1.0)
        calls.clear()
        with pytest.raises(PermissionError), paths.locked(file.fileno()):
            pass


class _Call:
    """A function of kernel32: its types can be set."""

    def __init__(self, work: Any) -> None:
        self.work = work

    def __call__(self, *arguments: Any) -> Any:
        return self.work(*arguments)


def _kernel(handle: int, code: int, created: int) -> Any:
    def times(_handle: int, first: Any, *_others: Any) -> int:
        first._obj.value = created
        return 1

    def exit_code(_handle: int, found: Any) -> int:
        found._obj.value = code
        return 1

    calls: dict[str, Any] = {
        "OpenProcess": lambda *_: handle,
        "GetProcessTimes": times,
        "GetExitCodeProcess": exit_code,
    }
    return SimpleNamespace(**{name: _Call(work) for name, work in {**calls, "CloseHandle": lambda _handle: 1}.items()})


@pytest.mark.parametrize(
    ("handle", "code", "created", "error", "alive"),
    [
        (7, 259, 1000, 0, True),
        (7, 0, 1000, 0, False),
        (7, 259, 2000, 0, False),
        (0, 0, 0, 87, False),
    ],
    ids=["runs", "has ended, and somebody holds a handle", "another with its number", "gone"],
)
def test_signs_of_life(
    handle: int, code: int, created: int, error: int, alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process is asked for its exit code and its start, never sent a signal: os.kill(pid, 0) would end it."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "kill", None)
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: _kernel(7, 259, 1000), raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: error, raising=False)
    name = this_process()
    assert name.endswith(":1000")
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: _kernel(handle, code, created), raising=False)

    assert is_alive(name) is alive


def test_a_process_of_another_user_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows does not let it be opened, which says that it is there."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_, **__: _kernel(0, 0, 0), raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 5, raising=False)

    assert is_alive(this_process())


def test_ctrl_c_ends_a_wait_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt is noticed between two calls: none of them waits for more than a quarter of a second."""
    waited: list[float] = []
    event = threading.Event()

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return False

    monkeypatch.setattr(event, "wait", wait)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(time, "monotonic", lambda: sum(waited))

    SystemClock().wait(event, 0.625)
    assert waited == [0.25, 0.25, 0.125]


class _WindowsDate(datetime):
    """A date whose strftime is that of Windows: no character beyond ASCII, no directive of glibc's own."""

    def strftime(self, format: str) -> str:  # noqa: A002 - as the standard library names it
        if not format.isascii():
            raise UnicodeEncodeError("locale", format, 0, 1, "Illegal byte sequence")
        if "%-" in format:
            raise ValueError("Invalid format string")
        return super().strftime(format)


@pytest.mark.parametrize(
    ("spec", "written"),
    [
        ("%m月%d日", "03月05日"),
        ("%-m月%-d日", "3月5日"),
        ("%#m月%#d日%H:%M", "3月5日08:00"),
        ("%Y年%j%%", "2026年064%"),
    ],
)
def test_a_date_is_written_alike_on_every_system(spec: str, written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text with {到期日:%m月%d日}, or without leading zeros, needs nothing that Windows lacks."""
    here = _date(datetime(2026, 3, 5, 8, tzinfo=UTC), spec)
    monkeypatch.setattr(sys, "platform", "win32")

    assert (here, _date(_WindowsDate(2026, 3, 5, 8, tzinfo=UTC), spec)) == (written, written)


def test_a_service_without_a_console_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without stdout, as under pythonw or with all closed, there is nothing that could fail."""
    monkeypatch.setattr(sys, "stdout", None)

    never_end_the_work(sys.stdout)


@pytest.mark.parametrize(
    ("folder", "kind", "remote"), [(r"\\server\share\x", 3, True), (r"Z:\x", 4, True), (r"C:\Users\x", 3, False)]
)
def test_a_network_drive_is_known(folder: str, kind: int, remote: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share by its name, and a letter that stands for one; a disk of the machine is none."""
    monkeypatch.setattr(sys, "platform", "win32")
    kernel = SimpleNamespace(GetDriveTypeW=lambda root: kind if root.value == folder[:3] else 1)
    monkeypatch.setattr(ctypes, "WinDLL", lambda *_: kernel, raising=False)

    assert paths.is_on_network(PureWindowsPath(folder)) is remote
