"""What goes wrong around the store: full, locked and read-only files, broken answers, jumping clocks. Nothing is lost by it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import masanalytics as mas
from masanalytics.client import Client
from masanalytics.clock import FastClock, ManualClock
from masanalytics.collecting import Collected, Collector
from masanalytics.collecting.spool import spool_folder, spooled_answers, write_spool
from masanalytics.errors import StoreError
from masanalytics.opt_outs import match_opt_out
from masanalytics.planning import Plan
from masanalytics.protocol import PollAnswer
from masanalytics.sending import SendResult
from masanalytics.simulator import Simulator
from masanalytics.store import Store, replay, uplink_ingestion
from tests.bench import Bench, PlainBatch
from tests.processes import Launcher
from tests.rows import Rows
from tests.waiting import wait_until

PEOPLE = pd.DataFrame({"手机号": [f"138{n:08d}" for n in range(400)], "姓名": [f"客户{n}" for n in range(400)]})


def _plan(store: Store, frame: pd.DataFrame = PEOPLE, batch: Any = 50, **more: Any) -> Plan:
    limits = mas.planning.Limits(many_to_one=batch, many_to_many=batch)
    return mas.plan(frame, phone="手机号", text="{姓名}，您好", campaign="c", store=store, limits=limits, **more)


def _send(store: Store, client: Client, **options: Any) -> SendResult:
    return mas.send(_plan(store), client, store, workers=1, progress=False, **options)


def _collector(client: Client, store: Store) -> Collector:
    return Collector(client, store, say=lambda _text: None)


def _drain(client: Client, store: Store) -> Collected:
    collector = _collector(client, store)
    collected = collector.drain()
    collector.stop()
    return collected


def _statuses(store: Store) -> dict[str, int]:
    return {str(status): n for status, n in store.messages("c")["status"].value_counts().items()}


def _from_call(client: Client, name: str, number: int, act: Callable[..., Any]) -> None:
    """Let `act` happen just before the `number`-th call of a client's method is answered."""
    real = getattr(client, name)
    calls: list[None] = []

    def acting(*args: Any, **more: Any) -> Any:
        answer = real(*args, **more)
        calls.append(None)
        if len(calls) == number:
            act()
        return answer

    setattr(client, name, acting)


# ---- a full disk -----------------------------------------------------------------------------------------------------


class SmallDisk:
    """A file system of its own, of a few megabytes, that can be filled to the last byte."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            pytest.skip("mounting a small disk is not allowed here")

    def fill(self) -> None:
        with contextlib.suppress(OSError), (self.folder / "filler").open("ab", buffering=0) as filler:
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while filler.write(b"x" * size):
                        pass

    def free(self) -> None:
        (self.folder / "filler").unlink()

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True, capture_output=True, timeout=10)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    one = SmallDisk(tmp_path / "disk", megabytes=4)
    yield one
    one.unmount()


def test_a_disk_that_is_full_from_the_start_sends_nothing(
    sim: Simulator, client: Client, clock: ManualClock, disk: SmallDisk
) -> None:
    """Where nothing can be recorded, nothing leaves; with space again, everybody gets the message."""
    with Store(disk.folder / "mas.db", clock=clock) as store:
        disk.fill()
        with pytest.raises(StoreError, match="is full"):
            _send(store, client)
        requests = len(sim.requests)
        disk.free()
        result = _send(store, client)

    assert requests == 0
    assert (result.accepted, sorted(sim.accepted.values())) == (400, [1] * 400)


def test_a_disk_that_fills_up_while_sending_repeats_nothing(
    sim: Simulator, client: Client, clock: ManualClock, disk: SmallDisk
) -> None:
    """Answers that were heard while it was full are written as soon as there is room: none is in doubt for it, none goes again."""
    with Store(disk.folder / "mas.db", clock=clock) as store:
        _from_call(client, "submit_each", 3, disk.fill)
        with pytest.raises(StoreError, match="is full") as raised:
            _send(store, client)
        assert "of 400 messages" in "".join(raised.value.__notes__)
        taken = sum(sim.accepted.values())
        disk.free()
        clock.sleep(5)
        again = _send(store, client)
        doubtful = list(store.batches(state="unknown")["messages"])
        clock.sleep(60)
        _drain(client, store)

        assert 150 <= taken < 400
        assert again.accepted == 400 - taken
        assert doubtful == []
        assert _statuses(store) == {"delivered": 400}
    assert sorted(sim.accepted.values()) == [1] * 400


@pytest.mark.slow
@pytest.mark.parametrize("fills_at", [1, 2, 4, 7])
@pytest.mark.parametrize("canary", [None, 20])
def test_a_process_that_ends_on_a_full_disk_forgets_and_repeats_nobody(
    sim: Simulator, client: Client, clock: ManualClock, disk: SmallDisk, fills_at: int, canary: int | None
) -> None:
    """The answers heard last are in no file. What they were about is in doubt, and its reports tell; the rest goes."""
    first = Store(disk.folder / "mas.db", clock=clock)
    _from_call(client, "submit_each", fills_at, disk.fill)
    with contextlib.suppress(StoreError):
        _send(first, client, canary=canary)
    first.close()  # with the process ends what it could not write
    taken = sum(sim.accepted.values())
    disk.free()
    clock.sleep(5)
    with Store(disk.folder / "mas.db", clock=clock) as store:
        results = []
        for _ in range(3):
            results.append(_send(store, client, canary=canary))
            clock.sleep(60)
            _drain(client, store)

        assert taken <= 400
        assert results[-1].ok
        assert _statuses(store) == {"delivered": 400}
    assert sorted(sim.accepted.values()) == [1] * 400


def test_an_answer_that_meets_a_full_disk_waits_in_the_temporary_folder(
    sim: Simulator, client: Client, clock: ManualClock, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither the store nor its folder takes the answer: it waits elsewhere, is readable by its owner alone, and counts once."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with Store(disk.folder / "mas.db", clock=clock) as store:
        _send(store, client)
        clock.sleep(60)
        _from_call(client, "poll_reports", 1, disk.fill)
        collector = _collector(client, store)
        with pytest.raises(StoreError, match="safe in"):
            collector.collect()
        waiting = list(spooled_answers(store.path))
        mode = waiting[0].path.stat().st_mode & 0o777
        with pytest.raises(StoreError, match="is full"):
            collector.collect()
        polls = sim.counts["polls"]
        disk.free()
        clock.sleep(10)
        collected = collector.drain()
        collector.stop()

        assert len(waiting) == 1
        assert (tmp_path / "tmp") in waiting[0].path.parents
        assert mode == 0o600
        assert polls == 1  # nothing is asked for that could not be kept
        assert (collected.reports, len(store.reports())) == (400, 400)
        assert _statuses(store) == {"delivered": 400}
        assert list((tmp_path / "tmp").iterdir()) == []
        assert list(store.polls()["state"]) == ["parsed"] * len(store.polls())
    assert sim.min_poll_gap >= 5.0


def test_a_file_that_may_not_grow_sends_nothing(sim: Simulator, client: Client, store: Store) -> None:
    """SQLite's own limit of size counts as a full disk, too."""
    store.db.execute(f"PRAGMA max_page_count = {store.db.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(StoreError, match="is full"):
        _send(store, client)
    requests = len(sim.requests)
    store.db.execute("PRAGMA max_page_count = 1000000")
    result = _send(store, client)

    assert requests == 0
    assert (result.accepted, sorted(sim.accepted.values())) == (400, [1] * 400)


# ---- somebody else's lock --------------------------------------------------------------------------------------------

LOCKER = """
import os, sqlite3, time

def run(path, seconds):
    conn = sqlite3.connect(path)
    conn.execute("BEGIN IMMEDIATE")
    os.write(1, b"go\\n")
    time.sleep(seconds)
    conn.rollback()
"""


@pytest.mark.slow
def test_a_lock_that_passes_is_waited_for(tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """While another process holds the file for some seconds, sending and collecting wait, and nobody sees an error."""
    locker = launch(LOCKER)
    with (
        Simulator(https=False, poll_interval=0, behaviour={}) as sim,
        sim.client() as client,
        Store(tmp_path / "mas.db", busy_s=20) as store,
    ):
        _from_call(client, "submit_each", 3, lambda: locker.start(path=str(store.path), seconds=0.7))
        result = _send(store, client)
        time.sleep(1.1)
        assert locker.ended(5) == 0
        _from_call(client, "poll_reports", 1, lambda: locker.start(path=str(store.path), seconds=0.7))
        collected = _drain(client, store)

        assert (result.accepted, collected.reports) == (400, 400)
        assert _statuses(store) == {"delivered": 400}
        assert sorted(sim.accepted.values()) == [1] * 400


@pytest.mark.slow
def test_a_lock_that_stays_stops_sending_in_words(
    sim: Simulator, client: Client, clock: ManualClock, tmp_path: Path, launch: Callable[[str], Launcher]
) -> None:
    """A lock longer than the patience is an error that says what to do; afterwards the run goes on, nobody twice."""
    locker = launch(LOCKER)
    with Store(tmp_path / "mas.db", clock=clock, busy_s=0.1) as store:
        _from_call(client, "submit_each", 3, lambda: locker.start(path=str(store.path), seconds=60))
        with pytest.raises(StoreError, match="locked by another program") as caught:
            _send(store, client)
        locker.kill()
        again = _send(store, client)
        clock.sleep(60)
        _drain(client, store)

        assert caught.value.retryable
        assert again.accepted == 250
        assert _statuses(store) == {"delivered": 400}
    assert sorted(sim.accepted.values()) == [1] * 400


@pytest.mark.slow
def test_a_background_collector_outlasts_a_lock(tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """A lock beyond the patience does not end collecting in the background: the answer waits, and collecting goes on."""
    locker, clock = launch(LOCKER), FastClock(50)
    with (
        Simulator(https=False, behaviour={}, clock=clock) as sim,
        sim.client() as client,
        Store(tmp_path / "mas.db", clock=clock, busy_s=0.1) as store,
    ):
        _send(store, client)
        _from_call(client, "poll_reports", 1, lambda: locker.start(path=str(store.path), seconds=0.5))
        with _collector(client, store) as collector:
            wait_until(lambda: collector.total.reports == 400)

        assert _statuses(store) == {"delivered": 400}
        assert not spool_folder(store.path).exists()
        assert sim.min_poll_gap >= 5.0


# ---- a file that may not be written ----------------------------------------------------------------------------------


@contextlib.contextmanager
def _immutable(path: Path) -> Iterator[None]:
    """Make a store unchangeable, even for the superuser (all but its shared memory, which belongs to running programs)."""
    files = [str(one) for one in (path, path.with_name(path.name + "-wal")) if one.exists()]
    try:
        subprocess.run(["chattr", "+i", *files], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("this file system has no unchangeable files")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True, capture_output=True, timeout=10)


def test_a_read_only_file_is_noticed_before_anything_leaves(
    sim: Simulator, client: Client, clock: ManualClock, tmp_path: Path
) -> None:
    """Where nothing can be written, nothing is sent and nothing asked for; what is in the file can still be read."""
    path = tmp_path / "mas.db"
    with Store(path, clock=clock) as store:
        _send(store, client)
    requests = len(sim.requests)
    with _immutable(path), Store(path, clock=clock) as store:
        with pytest.raises(StoreError, match="cannot be written"):
            _drain(client, store)
        with pytest.raises(StoreError, match="cannot be written"):
            mas.send(_plan(store, PEOPLE.assign(姓名="新")), client, store, progress=False)
        assert len(store.messages()) == 400
    assert len(sim.requests) == requests


def test_a_file_made_read_only_while_polling_spools_the_answer(
    sim: Simulator, client: Client, clock: ManualClock, tmp_path: Path
) -> None:
    """An answer that comes to a file made read-only meanwhile waits beside it, and is taken in once it may be written."""
    with Store(tmp_path / "mas.db", clock=clock) as store, contextlib.ExitStack() as locked:
        _send(store, client)
        clock.sleep(60)
        _from_call(client, "poll_reports", 1, lambda: locked.enter_context(_immutable(store.path)))
        collector = _collector(client, store)
        with pytest.raises(StoreError, match="safe in"):
            collector.collect()
        waiting = list(spooled_answers(store.path))
        locked.close()
        clock.sleep(10)
        collected = collector.drain()
        collector.stop()

        assert len(waiting) == 1
        assert (collected.reports, len(store.reports())) == (400, 400)
        assert _statuses(store) == {"delivered": 400}


# ---- answers as nobody would write them ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "least", "state"),
    [
        ("broken_record", 2999, "unparsed"),
        ("torn_record", 2999, "unparsed"),
        ("invalid_utf8", 2999, None),
        ("half", 2499, "unparsed"),
        ("truncate", 2499, "unparsed"),
        ("garbage", 2000, "unparsed"),
    ],
)
def test_a_damaged_page_of_a_thousand_harms_no_other(
    sim: Simulator, client: Client, store: Store, fault: str, least: int, state: str | None
) -> None:
    """Of three full pages the second is damaged: all that can be read counts, the raw answer is kept, the others are whole."""
    numbers = [f"139{n:08d}" for n in range(3000)]
    client.submit(numbers, "您好")
    sim.clock.sleep(60)
    sim.fault(fault, endpoint="report", after=1, times=1)
    _drain(client, store)
    polls = store.polls().query("endpoint == 'report'")
    (damaged,) = [request for request in sim.requests if request.fault]
    struck = polls["poll_id"].iloc[1]

    assert damaged.rows == 1000
    assert least <= len(store.reports()) <= 3000
    assert state is None or polls["state"].iloc[1] == state
    assert polls["state"].iloc[0] == polls["state"].iloc[2] == "parsed"
    assert store.raw_answer(int(struck))


HUGE = """
import json, os, re
import masanalytics as mas
from masanalytics.collecting import Collector

def memory(name):
    with open("/proc/self/status", encoding="ascii") as status:
        return int(re.search(name + r":\\s+(\\d+)", status.read())[1]) / 1024

def run(path, account, result):
    with mas.Store(path) as store, mas.Client(mas.Account(**account)) as client:
        collector = Collector(client, store, say=lambda text: None)
        before = memory("VmRSS")
        collected = collector.drain()
        collector.stop()
    with open(result, "w") as file:
        json.dump([collected.reports, memory("VmHWM") - before], file)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_an_answer_of_50_megabytes_is_taken_in(tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """A page padded to 50 MB is stored and read, within a few times its size of memory."""
    with Simulator(https=False, poll_interval=0, behaviour={}) as sim, sim.client() as client:
        client.submit(list(PEOPLE["手机号"]), "您好")
        time.sleep(1.1)
        sim.fault("huge", endpoint="report", times=1, megabytes=50)
        known = {"url": sim.url, "ec_name": client.account.ec_name, "ap_id": client.account.ap_id, "poll_interval": 0,
                 "secret_key": sim.settings()["MAS_SECRET_KEY"], "sign": client.account.sign}  # fmt: skip
        taker = launch(HUGE)
        taker.start(wait_for_go=False, path=str(tmp_path / "mas.db"), account=known, result=str(tmp_path / "result"))
        assert taker.ended(60) == 0
    reports, megabytes = json.loads((tmp_path / "result").read_text())
    with Store(tmp_path / "mas.db") as store:
        assert (reports, len(store.reports())) == (400, 400)
        assert store.polls()["size_bytes"].max() > 50_000_000
    assert megabytes < 400


def test_an_answer_that_trips_the_reader_keeps_out_no_other(
    sim: Simulator, client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect met in one answer sets that answer aside, with what it is; later ones come in, and replay() reads it when mended."""
    real = match_opt_out

    def tripping(text: Any, *more: Any) -> Any:
        if text == "绊":
            raise RuntimeError(text)
        return real(text, *more)

    monkeypatch.setattr(uplink_ingestion, "match_opt_out", tripping)
    sim.reply("13800138000", "绊")
    _drain(client, store)
    sim.reply("13800138001", "T")
    sim.clock.sleep(60)
    collected = _drain(client, store)
    before = list(store.uplinks()["content"])
    stuck = store.polls(state="unparsed")
    monkeypatch.undo()
    replay(store)

    assert (before, collected.opt_outs) == (["T"], 1)
    assert list(stuck["notice"]) == ["RuntimeError"]
    assert sorted(store.uplinks()["content"]) == ["T", "绊"]
    assert store.polls(state="unparsed").empty


_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.sampled_from(
        ["13800138000", "+8613800138000", "DELIVRD", "ACCEPTD", "20260101080000", "20260101240000", "99999999999999",
         "0101080000000000000001", "\ud800", "\0", "1" * 60]
    ),
)  # fmt: skip
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2)
)
_KEYS = ["mobile", "mobiles", "msgGroup", "mgsGroup", "reportStatus", "errorCode", "submitDate", "receiveDate",
         "smsContent", "addSerial", "sendTime", "x"]  # fmt: skip
_rows = st.dictionaries(st.sampled_from(_KEYS), _values, max_size=9)
_answers = st.one_of(
    st.binary(max_size=60),
    st.lists(_rows, max_size=4).map(lambda rows: json.dumps(rows).encode()),
    _values.map(lambda value: json.dumps(value).encode()),
    st.lists(_rows, min_size=1, max_size=4).map(lambda rows: json.dumps(rows).encode()[:-7]),
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=_answers, endpoint=st.sampled_from(["report", "deliver"]))
def test_whatever_is_answered_can_be_taken_in(bench: Bench, raw: Any, endpoint: Any) -> None:
    """No answer at all trips the store, and what it took in can be read and shown."""
    received = bench.receive(raw, endpoint)

    assert received.kind in ("records", "rejected", "unreadable")
    assert received.reports + received.uplinks + received.set_aside >= 0
    assert bench.store.raw_answer(len(bench.store.polls())) == raw


def test_what_was_taken_in_of_anything_can_be_shown(bench: Bench) -> None:
    """Odd but readable values end up as rows that every frame can show."""
    odd = {"mobile": "13800138000", "reportStatus": "\ud800", "submitDate": "99999999999999", "receiveDate": "20260101240000",
           "errorCode": "\0", "msgGroup": "x" * 500}  # fmt: skip
    reply = {"mobile": "13800138000", "smsContent": "=1+1\0\ud800", "sendTime": "soon", "addSerial": 1}
    bench.receive(json.dumps([odd, odd | {"mobile": ["+86 138-0013-8001", "10086"]}]).encode())
    bench.receive(json.dumps([reply]).encode(), "deliver")

    assert len(bench.store.messages()) == 3
    assert len(bench.store.reports()) == 3
    assert list(bench.store.uplinks()["add_serial"]) == ["1"]


# ---- clocks that jump ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_clock_that_jumps_while_sending_changes_nothing(
    sim: Simulator, client: Client, store: Store, clock: ManualClock, jump: int
) -> None:
    """An hour back or forth in the middle of a run: everybody once, and all reports find their messages."""
    _from_call(client, "submit_each", 3, lambda: clock.jump(jump))
    result = mas.send(_plan(store, rate=100.0), client, store, workers=1, progress=False)
    clock.sleep(60)
    collected = _drain(client, store)

    assert (result.accepted, result.ok) == (400, True)
    assert (collected.reports, collected.foreign) == (400, 0)
    assert _statuses(store) == {"delivered": 400}
    assert sorted(sim.accepted.values()) == [1] * 400


def test_a_clock_set_back_while_collecting_changes_nothing(
    sim: Simulator, client: Client, store: Store, clock: ManualClock
) -> None:
    """An hour back in the middle of a collection: the pace holds, nothing is lost, and coverage never runs backwards."""
    numbers = [f"139{n:08d}" for n in range(4999)]
    client.submit(numbers, "您好")
    clock.sleep(60)
    _from_call(client, "poll_reports", 3, lambda: clock.jump(-3600))
    began = clock.monotonic()
    collected = _drain(client, store)
    coverage = store.coverage()

    assert (collected.reports, collected.drained, len(store.reports())) == (4999, True, 4999)
    assert sim.min_poll_gap >= 5.0
    assert clock.monotonic() - began < 60
    assert (coverage["started_at"] <= coverage["ended_at"]).all()
    clock.sleep(4000)
    _drain(client, store)
    assert (store.coverage()["gap_before_s"].dropna() > 0).all()


def test_a_restart_with_the_clock_set_back_waits_one_interval(tmp_path: Path, clock: ManualClock) -> None:
    """After a restart with a wall clock an hour behind, collecting begins after one interval, not after an hour."""
    with Simulator(https=False, behaviour={}, poll_interval=0, clock=clock) as sim:
        account = sim.account(poll_interval=5.0)
        with mas.Client(account, clock=clock) as client, Store(tmp_path / "mas.db", clock=clock) as store:
            _drain(client, store)
            polls = len(store.polls())
        earlier = ManualClock(start=clock.now() - 3600)
        with mas.Client(account, clock=earlier) as client, Store(tmp_path / "mas.db", clock=earlier) as store:
            _drain(client, store)
            assert len(store.polls()) > polls
        assert earlier.monotonic() < 30


# ---- several at once -------------------------------------------------------------------------------------------------

OPENERS = """
import os, sys
from masanalytics.store import Store

def run(path, number):
    ready, go = os.pipe()
    children = []
    for _ in range(number):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(ready, 1)  # returns when the parent closes its end
            code = 1
            try:
                with Store(path) as store:
                    store.opt_out([f"138{os.getpid():08d}"])
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    os.close(go)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0] * number
"""


@pytest.mark.slow
def test_many_processes_may_open_a_new_store_at_once(tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """Eight processes that open the same new file at the same moment all find its tables."""
    opener = launch(OPENERS)
    for attempt in range(5):
        path = tmp_path / f"{attempt}.db"
        opener.start(wait_for_go=False, path=str(path), number=8)
        assert opener.ended(60) == 0
        with Store(path) as store:
            assert len(store.opt_outs()) == 8


MAKER = """
import os
from masanalytics.store import Store

def run(path):
    os.write(1, b"go\\n")
    with Store(path) as store:
        store.opt_out(["13800138000"])
"""


@pytest.mark.slow
def test_a_store_whose_making_was_killed_can_be_opened(tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """A new file is either whole or made whole by whoever opens it next, wherever its first process was killed."""
    maker, killed = launch(MAKER), 0
    for attempt in range(25):
        path = tmp_path / f"{attempt}.db"
        maker.start(path=str(path))
        killed += maker.kill(attempt * 0.001)
        with Store(path) as store:
            store.opt_out(["13800138001"])
            assert {"13800138001"} <= set(store.opt_outs()["phone"]) <= {"13800138000", "13800138001"}
            assert store.messages().empty
    assert killed > 0


def test_stores_of_the_same_name_do_not_share_their_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that wait in the temporary folder come back to the store they belong to, and to no other of its name."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "a").write_text("")
    (tmp_path / "b").write_text("")  # files in place of folders: nothing can be written beside the stores
    answer = PollAnswer("report", b"[]", 200, True, 1, 2)
    path = write_spool(tmp_path / "a" / "mas.db", "企业/ap", 1, answer)

    assert (tmp_path / "tmp") in path.parents
    assert [one.answer for one in spooled_answers(tmp_path / "a" / "mas.db")] == [answer]
    assert list(spooled_answers(tmp_path / "b" / "mas.db")) == []


def test_a_file_that_is_no_answer_is_put_aside(
    sim: Simulator, client: Client, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Something else in the spool folder neither stops collecting nor goes away, and is not met again."""
    stranger = spool_folder(store.path) / "1-x.answer"
    stranger.parent.mkdir(mode=0o700)
    stranger.write_text("rubbish")
    client.submit(list(PEOPLE["手机号"]), "您好")
    sim.clock.sleep(60)

    assert _drain(client, store).reports == 400
    assert stranger.with_name("1-x.answer.unreadable").read_text() == "rubbish"
    assert "is not an answer" in caplog.text


def test_a_running_collector_takes_in_what_a_killed_one_left(tmp_path: Path) -> None:
    """An answer that a killed process had stored but not read is taken in by whoever collects, without a restart."""
    clock = FastClock(100)
    with (
        Simulator(https=False, behaviour={}, clock=clock) as sim,
        sim.client() as client,
        Store(tmp_path / "mas.db", clock=clock) as store,
    ):
        raw = b'[{"reportStatus":"DELIVRD","mobile":"13800138000","msgGroup":"0101080000000000000001"}]'
        with _collector(client, store) as collector:
            wait_until(lambda: collector.total.polls >= 2)
            Rows(store, client.account.name).stored_poll(raw, clock.now())
            wait_until(lambda: collector.total.reports == 1)

        assert len(store.reports()) == 1


def test_a_collector_that_was_stopped_can_be_asked_again(sim: Simulator, client: Client, store: Store) -> None:
    """stop() ends what goes on; a later drain() collects all the same."""
    collector = _collector(client, store)
    collector.start()
    collector.stop()
    client.submit(list(PEOPLE["手机号"]), "您好")
    sim.clock.sleep(60)
    collected = collector.drain()
    collector.stop()

    assert (collected.reports, collected.drained) == (400, True)


# ---- batches in doubt ------------------------------------------------------------------------------------------------


def test_a_batch_of_a_dead_sender_is_settled_while_collecting(
    bench: Bench, plain_batch: type[PlainBatch], make_report: Callable[..., dict[str, str]]
) -> None:
    """Nobody sends any more: reports alone bring a batch that was in flight when its sender was killed to its outcome."""
    phones = [f"138{n:08d}" for n in range(30)]
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch(phones))
    bench.claim(run, batch_id)
    with bench.store.db.conn as conn:
        conn.execute("UPDATE batches SET process = 'elsewhere:1:1#2'")
    received = bench.receive([make_report(phone, "0101080000000000000001") for phone in phones[:20]])

    assert (received.settled, received.foreign) == (1, 0)
    assert bench.statuses() == dict.fromkeys(phones[:20], "delivered") | dict.fromkeys(phones[20:], "pending")


def test_one_message_of_another_system_settles_nothing(
    bench: Bench, make_report: Callable[..., dict[str, str]]
) -> None:
    """A code that another system sent to one of our customers in the same minute does not make a large batch accepted."""
    phones = [f"138{n:08d}" for n in range(100)]
    bench.send(phones, "")
    received = bench.receive([make_report(phones[3], "0101080000000000000001")])

    assert (received.settled, received.foreign) == (0, 1)
    assert set(bench.statuses().values()) == {"unknown"}


def test_an_answer_that_contradicts_itself_is_settled_by_its_group(
    bench: Bench, plain_batch: type[PlainBatch], make_report: Callable[..., dict[str, str]]
) -> None:
    """The answer named a msgGroup but no success: when reports name that group too, the batch was taken."""
    phones = ["13800138000", "13800138001"]
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch(phones))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "unknown", "0101080000000000000001")
    received = bench.receive([make_report(phones[0], "0101080000000000000001")])

    assert received.settled == 1
    assert bench.statuses() == {phones[0]: "delivered", phones[1]: "pending"}
    assert list(bench.store.batches()["inferred"]) == [1]


def test_batches_whose_messages_went_with_a_later_run_are_gone(
    sim: Simulator, client: Client, store: Store, bench: Bench, plain_batch: type[PlainBatch]
) -> None:
    """A run that was killed after planning leaves no empty batches behind once another has sent its messages."""
    bench.account = client.account.name
    bench.register(bench.start("other"), plain_batch(["13900139000"]))
    bench.register(bench.start("c"), plain_batch(["13900139001"]), plain_batch(["13900139002", "13900139003"]))
    frame = pd.DataFrame({"手机号": ["13900139001", "13900139002"], "姓名": ["甲", "乙"]})
    mas.send(_plan(store, frame), client, store, progress=False)

    assert store.batches()[["campaign", "state", "messages"]].to_numpy().tolist() == [
        ["other", "planned", 1],
        ["c", "planned", 1],
        ["c", "accepted", 2],
    ]
    assert store.messages("c", status="planned")["phone"].tolist() == ["13900139003"]
