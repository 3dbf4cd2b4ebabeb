"""A collector is not ended by its own words: lines, files, a full disk, a network away, forks, signals, the process's end."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from masanalytics.client import Client
from masanalytics.clock import FastClock, ManualClock
from masanalytics.collecting import Collector, held_answers, service, spool
from masanalytics.collecting.service import run_forever
from masanalytics.collecting.spool import spool_folder, write_spool
from masanalytics.errors import CertificateError, StoreError
from masanalytics.protocol import PollAnswer
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store import Store
from masanalytics.store.intake import Intake
from tests.waiting import wait_until

PHONES = [f"138{n:08d}" for n in range(1000)]


def broken(*_: object, **__: object) -> Any:
    """What a full disk under the log, or a pipe that is gone, says."""
    raise OSError(28, "No space left on device")


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[tuple[Simulator, Store, Client]]:
    """A platform in fast motion on which 1,000 reports wait, a store and a client."""
    clock = FastClock(300)
    with (
        Simulator(https=False, clock=clock, behaviour=Scripted()) as sim,
        Store(tmp_path / "mas.db", clock=clock) as store,
        sim.client() as client,
    ):
        client.submit(PHONES, "您好")
        yield sim, store, client


def test_a_line_and_a_health_file_that_cannot_be_written_end_nothing(
    fast: tuple[Simulator, Store, Client], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The log's disk is full, the health file's folder is gone, its own notices fail: the service collects on."""
    _, store, client = fast
    monkeypatch.setattr(service, "_LINE_EVERY_S", 1.0)
    monkeypatch.setattr(service, "_LOOK_S", 0.5)
    lines: list[None] = []
    collector = Collector(client, store, say=broken)
    (tmp_path / "h").mkdir()

    def echo(_text: str) -> None:
        lines.append(None)
        broken()

    codes: list[int] = []
    work = lambda: codes.append(run_forever(collector, echo=echo, health=tmp_path / "h" / "health.json"))  # noqa: E731
    thread = threading.Thread(target=work)
    thread.start()
    wait_until((tmp_path / "h" / "health.json").exists)
    for file in (tmp_path / "h").iterdir():
        file.unlink()
    (tmp_path / "h").rmdir()
    polls = collector.total.polls
    wait_until(lambda: len(lines) > 3 and len(store.reports()) == 1000 and collector.total.polls > polls + 3)
    collector.stop()
    thread.join(10)

    assert codes == [0]


@pytest.mark.parametrize("failing", ["say", "log", "note"])
def test_side_work_that_fails_costs_nothing(
    sim: Simulator, client: Client, store: Store, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Whatever is written beside collecting may fail: the answers are stored all the same."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    sim.fault("too_soon", endpoint="deliver", times=1)
    if failing == "log":
        monkeypatch.setattr(logging.Logger, "warning", broken)
    if failing == "note":
        monkeypatch.setattr("masanalytics.collecting.notices.other_store", broken)
    collector = Collector(client, store, say=broken if failing == "say" else lambda _text: None)
    collector.drain()
    collector.stop()

    assert len(store.reports()) == 1000


def test_a_network_that_is_away_for_hours_is_waited_for(sim: Simulator, client: Client, store: Store) -> None:
    """In the background nothing is given up; its repr says since when nothing is answered, and why."""
    client.submit(PHONES, "您好")
    collector = Collector(client, store, say=lambda _text: None, language="en")
    with sim.fault("drop_before", endpoint="poll"):
        collector.start()
        wait_until(lambda: collector.schedule.failures_in_a_row > 30)
        running, shown = collector.running, repr(collector)
    wait_until(lambda: len(store.reports()) == 1000)
    after = repr(collector)
    collector.stop()

    assert running
    assert "running, no answer since 2026-01-01 08:0" in shown
    assert "no answer since" not in after


def test_a_refusal_that_passes_is_waited_for(sim: Simulator, client: Client, store: Store) -> None:
    """An address that is not on the white list yet is asked on; a wrong key is not."""
    client.submit(PHONES, "您好")
    collector = Collector(client, store, say=lambda _text: None, language="en")
    with sim.fault("not_white_ip", endpoint="poll"):
        collector.start()
        wait_until(lambda: collector.total.rejected > 20)
        running, shown = collector.running, repr(collector)
    wait_until(lambda: len(store.reports()) == 1000)
    collector.stop()

    assert running
    assert "NOT_WHITE_IP" in shown


def test_an_error_that_ends_collecting_is_shown_raised_and_told_by_the_exit_code(
    sim: Simulator, client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody expected is not passed over in silence, and the documented unit restarts the service."""
    monkeypatch.setattr(Intake, "take_turn", lambda *_: 1 / 0)
    said: list[str] = []
    collector = Collector(client, store, say=said.append, language="en").start()
    wait_until(lambda: not collector.running)
    shown = repr(collector)
    with pytest.raises(ZeroDivisionError):
        collector.stop()

    assert "stopped by an error: ZeroDivisionError" in shown
    assert said[-1] == "ZeroDivisionError: division by zero"
    assert run_forever(collector, echo=said.append) == 3


def test_what_only_a_person_mends_is_not_restarted(sim: Simulator, store: Store, client: Client) -> None:
    """A wrong key and a changed certificate give the exit code that the documented unit does not restart."""
    with Client(sim.account(secret_key="wrong"), clock=sim.clock) as wrong:
        assert run_forever(Collector(wrong, store, say=lambda _text: None), echo=lambda _line: None) == 1

    def changed() -> Any:
        raise CertificateError("changed")

    client.poll_reports = changed
    assert run_forever(Collector(client, store, say=lambda _text: None), echo=lambda _line: None) == 1


# ---- the spool -------------------------------------------------------------------------------------------------------


def spooled(client: Client, store: Store, phones: list[str]) -> Path:
    """Put an answer with reports into the spool, as if the store had been locked when it came."""
    client.submit(phones, "您好")
    client.clock.sleep(60)
    turn = store.intake.take_turn(client.account.name, "report", 0.0, client.clock, "t")
    client.clock.sleep(1.0)  # the request leaves within the next second
    return write_spool(store.path, client.account.name, turn.poll_id, client.poll_reports())


def test_a_spool_file_that_cannot_be_deleted_is_taken_in_once(
    sim: Simulator, client: Client, store: Store, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virus scanner holds the file: its answer is in the store once, in the poll that asked for it."""
    path = spooled(client, store, PHONES[:10])
    monkeypatch.setattr(Path, "unlink", broken)
    first = collector.collect()
    second = collector.collect()

    assert (first.reports, second.reports, len(store.reports())) == (10, 0, 10)
    assert path.exists()
    assert store.polls()["state"].tolist() == ["parsed"] * 5
    assert store.missing_answers().empty


@pytest.mark.parametrize("wrong", [{"asked_at": "soon"}, {"poll_id": None}, {"http_status": 2**70}, {"account": 7}])
def test_a_spool_file_that_makes_no_sense_is_put_aside(
    sim: Simulator, client: Client, store: Store, collector: Collector, wrong: dict[str, object], caplog: Any
) -> None:
    """It is named, kept, and not met again; what else waits is taken in."""
    path = spooled(client, store, PHONES[:10])
    head, _, raw = path.read_bytes().partition(b"\n")
    poison = path.with_name("1-a.answer")
    poison.write_bytes(json.dumps(json.loads(head) | wrong).encode() + b"\n" + raw)
    collected = collector.collect()
    collector.collect()

    assert collected.reports == 10
    assert caplog.text.count("1-a.answer is not an answer") == 1
    assert [one.name for one in spool_folder(store.path).iterdir()] == ["1-a.answer.unreadable"]


def test_a_spool_file_of_a_newer_version_is_left_to_it(
    sim: Simulator, client: Client, store: Store, collector: Collector
) -> None:
    """What this version may misread it does not touch."""
    path = spooled(client, store, PHONES[:10])
    head, _, raw = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps(json.loads(head) | {"form": 2}).encode() + b"\n" + raw)

    assert collector.collect().reports == 0
    assert path.exists()


# ---- a disk that is full everywhere ----------------------------------------------------------------------------------


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Once the event is set, neither the store nor any folder takes an answer; turns can still be noted."""
    full = threading.Event()

    def guarded(real: Callable[..., Any], error: Exception) -> Callable[..., Any]:
        def acting(*given: Any, **more: Any) -> Any:
            if full.is_set():
                raise error
            return real(*given, **more)

        return acting

    no_room = StoreError("the disk is full", retryable=True)
    for name in ("keep_answer", "keep_spooled"):
        monkeypatch.setattr(Intake, name, guarded(getattr(Intake, name), no_room))
    monkeypatch.setattr("masanalytics.collecting.spool._write", guarded(broken_write(), OSError(28, "No space left")))
    yield full
    full.clear()
    held_answers._HELD.clear()


def broken_write() -> Callable[..., Any]:
    from masanalytics.collecting import spool

    return spool._write


def test_an_answer_without_room_is_held_and_nothing_more_is_asked_for(
    sim: Simulator, client: Client, store: Store, collector: Collector, full_disk: threading.Event
) -> None:
    """Neither store nor spool takes it: it stays in memory, the error says how much room it needs, and then it is stored."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    full_disk.set()
    with pytest.raises(StoreError, match=r"1 answer of the platform is held in memory: make \d+ kB of room"):
        collector.collect()
    with pytest.raises(StoreError, match="nothing more is asked for"):
        collector.collect()
    polls = sim.counts["polls"]
    full_disk.clear()
    other = Collector(client, store, say=lambda _text: None)  # a cell that was run again
    collected = other.collect()
    other.stop()

    assert (polls, sim.counts["reports"]) == (1, 1000)
    assert (collected.reports, len(store.reports())) == (1000, 1000)
    assert store.missing_answers().empty


def test_in_the_background_it_is_tried_until_there_is_room(
    sim: Simulator, client: Client, store: Store, full_disk: threading.Event
) -> None:
    """The thread goes on, asks for nothing, and stores what it holds as soon as it can."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    full_disk.set()
    collector = Collector(client, store, say=lambda _text: None, language="en").start()
    began = sim.clock.monotonic()
    wait_until(lambda: sim.clock.monotonic() > began + 300)
    running, shown, polls = collector.running, repr(collector), sim.counts["polls"]
    full_disk.clear()
    wait_until(lambda: len(store.reports()) == 1000)
    collector.stop()

    assert (running, polls) == (True, 1)
    assert "held in memory" in shown


def test_what_is_held_is_stored_when_collecting_stops(
    sim: Simulator, client: Client, store: Store, full_disk: threading.Event
) -> None:
    """Room was made, and the collector is stopped before it looked again."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    collector = Collector(client, store, say=lambda _text: None)
    full_disk.set()
    with pytest.raises(StoreError, match="held in memory"):
        collector.collect()
    full_disk.clear()
    collector.stop()

    assert len(store.reports()) == 1000


def test_an_answer_is_not_put_where_somebody_else_could_write(
    sim: Simulator, client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is locked, and the spool folder is another user's: the answer is held in memory, and stored at the next call."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    collector = Collector(client, store, say=lambda _text: None)
    with monkeypatch.context() as then:
        then.setattr(spool, "_is_mine", lambda _folder: False)
        then.setattr(Intake, "keep_answer", broken)
        with pytest.raises(StoreError, match="held in memory"):
            collector.collect()
    collected = collector.collect()

    assert (collected.reports, len(store.reports()), len(store.missing_answers())) == (1000, 1000, 0)


# ---- processes -------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys, time
import masanalytics as mas
account = mas.Account(sys.argv[1], *sys.argv[2:5])
collector = mas.Collector(mas.Client(account), mas.Store(sys.argv[5]), say=str).start()
print("go", flush=True)
while not collector.poller.client._transport: time.sleep(0.01)
time.sleep(0.3)
"""


@pytest.fixture
def slow() -> Iterator[Simulator]:
    """A platform on which 1,000 reports wait, and are handed out two seconds before they are answered."""
    with Simulator(https=False, behaviour=Scripted()) as sim, sim.client() as client:
        client.submit(PHONES, "您好")
        time.sleep(1.1)
        sim.fault("delay", endpoint="report", seconds=2, times=1)
        yield sim


def arguments(sim: Simulator) -> list[str]:
    """Who asks, as text; the simulated account's secret is no secret."""
    account = sim.account()
    return [account.url, account.ec_name, account.ap_id, "sim-secret"]


@pytest.mark.slow
def test_a_script_that_ends_waits_for_the_answer_under_way(slow: Simulator, tmp_path: Path) -> None:
    """What the platform handed out when a script ended normally is in the store, and nothing more was asked for."""
    path = tmp_path / "mas.db"
    command = [sys.executable, "-c", SCRIPT, *arguments(slow), str(path)]
    done = subprocess.run(command, timeout=60, capture_output=True, check=False)
    with Store(path) as store:
        assert (done.returncode, done.stderr.decode()) == (0, "")
        assert (slow.counts["reports"], len(store.reports()), slow.counts["polls"]) == (1000, 1000, 1)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["--forever", "--drain"])
def test_a_terminal_that_is_gone_before_the_first_line_ends_nothing(way: str, slow: Simulator, tmp_path: Path) -> None:
    """Neither its notices nor its lines can be written: the exit code is that of the work."""
    url, ec_name, ap_id, secret = arguments(slow)
    names = {
        "MAS_URL": url,
        "MAS_EC_NAME": ec_name,
        "MAS_AP_ID": ap_id,
        "MAS_SECRET_KEY": secret,
        "MAS_POLL_INTERVAL": "1",
    }
    command = [sys.executable, "-m", "masanalytics", "collect", way, "--db", str(tmp_path / "mas.db")]
    reader, nobody = os.pipe()
    os.close(reader)
    with subprocess.Popen(command, env=os.environ | names, stdout=nobody, stderr=nobody) as process:
        wait_until(lambda: slow.counts["reports"] == 1000, 40)
        if way == "--forever":
            process.send_signal(signal.SIGTERM)
        process.wait(60)
    os.close(nobody)
    with Store(tmp_path / "mas.db") as store:
        assert (process.returncode, len(store.reports())) == (0, 1000)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "command", [["codes", "MK:0012"], ["send", "p.csv", "--phone", "p", "--campaign", "C", "--text", "您好", "--yes"]]
)
def test_output_that_has_no_room_is_told_in_a_sentence(command: list[str], slow: Simulator, tmp_path: Path) -> None:
    """No trace of calls; and where the plan could not be shown, nothing is sent."""
    (tmp_path / "p.csv").write_text("p\n13900139000\n", encoding="utf-8")
    taken = slow.counts["accepted"]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "masanalytics", *command],
            env=os.environ | slow.settings(), cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert (ran.returncode, slow.counts["accepted"]) == (1, taken)
    assert ran.stderr.strip().splitlines()[-1].startswith("nothing more can be written: ")
    assert "Traceback" not in ran.stderr


@pytest.fixture
def hangs_up() -> Iterator[None]:
    """Let a hang-up end processes, also where the suite was started by nohup, which has it ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
@pytest.mark.usefixtures("hangs_up")
@pytest.mark.parametrize("number", ["SIGHUP", "SIGTERM"])
def test_closing_the_terminal_ends_the_service_after_the_answer(slow: Simulator, tmp_path: Path, number: str) -> None:
    """The answer under way is stored, and the exit code says that all is well."""
    url, ec_name, ap_id, secret = arguments(slow)
    names = {"MAS_URL": url, "MAS_EC_NAME": ec_name, "MAS_AP_ID": ap_id, "MAS_SECRET_KEY": secret}
    command = [sys.executable, "-m", "masanalytics", "collect", "--forever", "--db", str(tmp_path / "mas.db")]
    with subprocess.Popen(command, env=os.environ | names, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(lambda: slow.counts["reports"] == 1000, 40)
        process.send_signal(getattr(signal, number))
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
    with Store(tmp_path / "mas.db") as store:
        assert (process.returncode, len(store.reports())) == (0, 1000)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of a fork beside threads, from Python 3.12 on
def test_a_forked_child_collects_for_itself(sim: Simulator, client: Client, store: Store, collector: Collector) -> None:
    """Threads and locks stay with the parent: the child begins anew and does not hang."""
    collector.collect()
    pid = os.fork()
    if not pid:
        signal.alarm(20)
        code = 1
        try:
            collector.collect()
            code = 0
        finally:
            os._exit(code)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_too_soon_is_said_once_for_each_queue(sim: Simulator, client: Client, store: Store, clock: ManualClock) -> None:
    """Empty answers of the other queue in between do not make it news."""
    said: list[str] = []
    collector = Collector(client, store, say=said.append, language="en")
    collector.drain()
    sim.fault("too_soon", endpoint="report", times=6)
    for _ in range(8):
        collector.collect()
    collector.stop()

    assert len(store.polls(state="rejected")) == 6
    assert len([line for line in said if "not data" in line]) == 1


def test_a_late_answer_finds_its_poll_by_its_number(store: Store, clock: ManualClock) -> None:
    """A request that left in the second after its turn was noted leaves one row, not two."""
    turn = store.intake.take_turn("a/b", "report", 0.0, clock, "t")
    now = clock.now() + 1
    store.intake.keep_spooled("a/b", turn.poll_id, PollAnswer("report", b"[]", 200, True, now, now), "1-a.answer")

    assert store.polls()["poll_id"].tolist() == [turn.poll_id]
