"""Who is at work: a name for this process that another one can check for signs of life.

A batch in flight or a poll under way belongs to a process. When that process is gone, its work is taken over; when it is
alive, it is left alone. Being wrong does no harm: the outcome of a batch is set to unknown at worst.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

__all__ = ["is_alive", "is_elsewhere", "this_process"]

_MAY_QUERY, _ACCESS_DENIED, _STILL_ACTIVE = 0x1000, 5, 259  # as in winnt.h, winerror.h and winbase.h


def this_process() -> str:
    """Return this process's name: host, process id and start (where the system tells it).

    Examples
    --------
    >>> is_alive(this_process())
    True
    """
    pid = os.getpid()
    return f"{platform.node()}:{pid}:{_started(pid)}"


def is_alive(process: str | None) -> bool:
    """Whether the named process still runs on this machine; False where nobody is named.

    A process of another host (a container that is gone) cannot be asked and counts as not alive.

    Examples
    --------
    >>> is_alive(None), is_alive("elsewhere:1:0")
    (False, False)
    """
    host, _, rest = (process or "").rpartition(":")[0].rpartition(":")
    if not host or host != platform.node() or not rest.isdigit():
        return False
    pid = int(rest)
    return _exists(pid) and _started(pid) == (process or "").rpartition(":")[2]


def is_elsewhere(process: str) -> bool:
    """Whether the named process is one of another machine or container, which cannot be asked for signs of life.

    Examples
    --------
    >>> is_elsewhere("elsewhere:1:0"), is_elsewhere(this_process())
    (True, False)
    """
    host = process.rpartition(":")[0].rpartition(":")[0]
    return bool(host) and host != platform.node()


def _exists(pid: int) -> bool:
    if sys.platform == "win32":  # there, os.kill(pid, 0) would end the process
        return _asked_windows(pid)[0]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _started(pid: int) -> str:
    """Return when the process started, so that a reused process id is noticed: in the system's own ticks."""
    if sys.platform == "win32":
        return _asked_windows(pid)[1]
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "0"
    fields = stat.rpartition(")")[2].split()
    return "0" if fields[0] == "Z" else fields[19]


def _asked_windows(pid: int) -> tuple[bool, str]:
    """Return whether a process runs, and when it started.

    A process that has ended can be opened for as long as somebody holds a handle to it: its exit code tells. One of another user
    may not be opened at all, and runs; when it started is not known then.
    """
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    kernel.OpenProcess.argtypes = (ctypes.c_uint32, ctypes.c_int, ctypes.c_uint32)
    kernel.GetProcessTimes.argtypes = (ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_uint64)] * 4)
    kernel.GetExitCodeProcess.argtypes = (ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint32))
    kernel.CloseHandle.argtypes = (ctypes.c_void_p,)
    handle = kernel.OpenProcess(_MAY_QUERY, 0, pid)
    if not handle:
        return ctypes.get_last_error() == _ACCESS_DENIED, "0"  # type: ignore[attr-defined,unused-ignore]
    try:
        created, *others = (ctypes.c_uint64() for _ in range(4))
        code = ctypes.c_uint32()
        times = kernel.GetProcessTimes(handle, *map(ctypes.byref, (created, *others)))
        runs = not kernel.GetExitCodeProcess(handle, ctypes.byref(code)) or code.value == _STILL_ACTIVE
        return runs, str(created.value) if times else "0"
    finally:
        kernel.CloseHandle(handle)
