"""Work in processes of its own that can be killed: one process imports everything once and forks for each run."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

KILLED_AT_A_STEP = """
import os, signal

def killed_at(number):
    seen = [0]
    def counted(real):
        def step(*args, **kwargs):
            seen[0] += 1
            if seen[0] == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)
        return step
    return counted
"""
"""Source of work that wraps its steps by ``killed_at(n)``: the process is killed before the n-th of all of them."""

_LAUNCHER = """
import json, os, sys, traceback
import masanalytics.client, masanalytics.collecting, masanalytics.planning, masanalytics.sending, masanalytics.store, pandas
work = {}
exec(sys.argv[1], work)

def say(line):  # in one write: the run and this process speak through one pipe
    os.write(1, line.encode() + b"\\n")

say("ready")
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work["run"](**json.loads(line))
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)
    say(f"began {pid}")
    say(f"ended {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")
"""


class Launcher:
    """Runs a piece of work in a process of its own, again and again, so that it can be killed.

    One helping process has everything imported and forks for each run: a run begins within milliseconds, and is as good as
    a fresh one. The work is Python source that defines ``run(**job)``, and may write ``go`` to file descriptor 1 when it comes
    to the point.
    """

    def __init__(self, source: str) -> None:
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "-c", _LAUNCHER, source]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._pid = 0
        self._code: int | None = None
        self._next("ready", 60)

    def start(self, *, wait_for_go: bool = True, **job: object) -> None:
        """Begin a run; by default return when it says that it has come to the point."""
        self._code = None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        self._pid = int(self._next("began", 30))
        if wait_for_go:
            self._next("go", 60)

    def kill(self, after: float = 0.0) -> bool:
        """Kill the run with SIGKILL after so many seconds; return False where it had ended by itself."""
        if self.ended(after) is not None:
            return False
        with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
            os.kill(self._pid, signal.SIGKILL)
        return self.ended(30) == -signal.SIGKILL

    def signal(self, number: signal.Signals) -> None:
        """Send the run a signal that it may answer."""
        os.kill(self._pid, number)

    def ended(self, within: float) -> int | None:
        """Return the exit code of the run, waiting so many seconds for its end; None if it goes on."""
        end = time.monotonic() + within
        while self._code is None:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            if line.startswith("ended"):
                self._code = int(line.split()[1])
        return self._code

    def close(self) -> None:
        """End a run that still goes on, and the helping process."""
        if self._pid and self.ended(0) is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())

    def _next(self, word: str, within: float) -> str:
        """Wait for the line that begins with `word` and return the rest of it."""
        waiting: list[str] = []
        while True:
            line = self._lines.get(timeout=within)
            if line.startswith(word):
                for other in waiting:
                    self._lines.put(other)
                return line.removeprefix(word).strip()
            waiting.append(line)
