"""What every test shares."""

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from masanalytics.client import Client
from masanalytics.clock import ManualClock
from masanalytics.collecting import Collector
from masanalytics.simulator import Simulator
from masanalytics.store import Store, poll_ingestion, polls, reconciliation, sends, turns
from masanalytics.store.poll_ingestion import Received


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """English messages, and nobody's own settings or remembered certificates."""
    for name in ("MAS_URL", "MAS_EC_NAME", "MAS_AP_ID", "MAS_SECRET_KEY", "MAS_SIGN", "MAS_ADD_SERIAL",
                 "MAS_SERVICE_CODE", "MAS_TLS", "MAS_SIGNATURE"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MAS_LANGUAGE", "en")
    monkeypatch.setenv("MAS_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def clock() -> ManualClock:
    """A clock that starts on 2026-01-01 08:00 China time and moves only when slept on."""
    return ManualClock(start=1_767_225_600.0)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    """An empty store."""
    with Store(tmp_path / "mas.db", clock=clock) as one:
        yield one


@dataclass(frozen=True)
class PlainBatch:
    """A planned batch as the ledger takes it, without a planner."""

    phones: list[str]
    content: str | None = "您好"
    contents: list[str] | None = None
    mode: str = "many_to_one"
    template_id: str | None = None
    params_text: str | None = None
    regions: list[tuple[str, str]] | None = None
    arm: str | None = None
    add_serial: str | None = None
    variant: int = 0

    @property
    def segments(self) -> list[int]:
        return [1] * len(self.phones)

    @property
    def carriers(self) -> list[int]:
        return [0] * len(self.phones)

    @property
    def variants(self) -> list[int]:
        return [self.variant] * len(self.phones)


class Bench:
    """Sends and receives straight on the store, without a network."""

    account = "企业/ap"

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock

    def start(self, campaign: str = "c1", occasion: int = 0, add_serial: str = "") -> sends.RunRecord:
        start = sends.RunStart(campaign, self.account, occasion, "hash", add_serial)
        with self.store.writing() as conn:
            return sends.start_run(conn, start, self.clock.now())

    def register(self, run: sends.RunRecord, *batches: PlainBatch) -> list[int]:
        with self.store.writing() as conn:
            return list(sends.register(conn, run, batches, self.clock.now()))

    def claim(self, run: sends.RunRecord, *batch_ids: int) -> list[sends.Claimed]:
        with self.store.writing(durable=True) as conn:
            return sends.claim(conn, run, batch_ids, self.clock.now())

    def answer(self, batch_id: int, state: str, msg_group: str = "", rspcod: str = "") -> None:
        with self.store.writing(durable=True) as conn:
            sends.record_answers(conn, [sends.Answered(batch_id, state, msg_group, rspcod, "", int(self.clock.now()))])
            if state == "accepted":
                reconciliation.adopt(conn, batch_id)

    def send(self, phones: list[str], msg_group: str, campaign: str = "c1", add_serial: str = "") -> int:
        """Send one batch that the platform takes; return its id."""
        run = self.start(campaign, add_serial=add_serial)
        (batch_id,) = self.register(run, PlainBatch(phones))
        self.claim(run, batch_id)
        self.answer(batch_id, "accepted" if msg_group else "unknown", msg_group)
        return batch_id

    def receive(self, raw: object, endpoint: str = "report") -> Received:
        """Take in one answer of a poll made now."""
        body = raw if isinstance(raw, bytes) else json.dumps(raw, ensure_ascii=False).encode()
        with self.store.writing() as conn:
            turn = turns.take_turn(conn, self.account, endpoint, 0.0, self.clock, "bench")
            assert turn.poll_id
            number = conn.execute("SELECT account_id FROM polls WHERE poll_id = ?", [turn.poll_id]).fetchone()[0]
            now = int(self.clock.now())
            poll = polls.RawPoll(turn.poll_id, number, endpoint, body, 200, True, now, now)
            polls.keep_raw(conn, poll)
            turns.give_back(conn, self.account, self.clock)
            return poll_ingestion.receive(conn, poll, self.store.opt_out_words)

    def statuses(self, campaign: str | None = "c1") -> dict[str, str]:
        frame = self.store.messages(campaign)
        return dict(zip(frame["phone"], frame["status"], strict=True))


def report(mobile: str, msg_group: str, status: str = "DELIVRD", **fields: str) -> dict[str, str]:
    """One state report as the platform writes it; by default ten seconds after 2026-01-01 08:00."""
    code = "" if status == "DELIVRD" else status
    return {"reportStatus": status, "mobile": mobile, "submitDate": "20260101080000", "receiveDate": "20260101080010",
            "errorCode": code, "msgGroup": msg_group} | fields  # fmt: skip


@pytest.fixture
def bench(store: Store, clock: ManualClock) -> Bench:
    """The store with shortcuts for sending and receiving."""
    return Bench(store, clock)


@pytest.fixture
def plain_batch() -> type[PlainBatch]:
    """The class of batches without a planner."""
    return PlainBatch


@pytest.fixture
def make_report() -> Callable[..., dict[str, str]]:
    """Make one state report as the platform writes it."""
    return report


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[Simulator]:
    """A platform over plain HTTP whose time is the test's clock."""
    with Simulator(https=False, clock=clock, behaviour={}) as one:
        yield one


@pytest.fixture
def client(sim: Simulator) -> Iterator[Client]:
    """A client of the simulated platform."""
    with sim.client() as one:
        yield one


@pytest.fixture
def collector(client: Client, store: Store) -> Iterator[Collector]:
    """A collector that says nothing."""
    one = Collector(client, store, say=lambda _text: None)
    yield one
    one.stop()


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


@pytest.fixture
def launch() -> Iterator[Callable[[str], Launcher]]:
    """Make launchers of work that is to be killed."""
    if not hasattr(os, "fork"):
        pytest.skip("this system cannot fork")
    made: list[Launcher] = []

    def start(source: str) -> Launcher:
        made.append(Launcher(source))
        return made[-1]

    yield start
    for one in made:
        one.close()
