"""Collecting through all that goes wrong at once, for as long as `MAS_SOAK_S` says: what was handed out is stored, or in a known hole."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.collecting import Collector
from masanalytics.errors import MasError
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store import Store
from tests.processes import Launcher

# The whole measure is MAS_SOAK_S=3600.
SOAK_S = float(os.environ.get("MAS_SOAK_S", "20"))
EVERY_S, MANY, INTERVAL_S = 2.0, 60, 0.2
"""So many messages are sent every so many seconds; the account is polled at this interval."""
BYTES_A_MESSAGE = 3000
FAULTS = ("drop_after", "drop_before", "truncate", "half", "garbage", "broken_record", "html200", "hang", "status")

SERVICE = """
import inspect, os, random, signal, threading, time
from masanalytics.cli import main
from masanalytics.collecting import Collector

inspect.unwrap(Collector.__init__).__kwdefaults__["idle_s"] = 1.0

def run(path, environment, seed, dies, step):
    os.environ.update(environment)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever started the tests may have had it ignored
    os.write(1, b"go\\n")
    reader, writer = os.pipe()
    os.dup2(writer, 1)
    os.dup2(writer, 2)
    os.close(writer)
    right, ahead = time.time, [0.0]
    time.time = lambda: right() + ahead[0]

    def meddle():
        chance, log = random.Random(seed), os.fdopen(reader, "rb", buffering=0)
        if dies:
            time.sleep(chance.uniform(0, 2))
            log.close()
        else:
            threading.Thread(target=lambda: all(iter(lambda: log.read(4096), b"")), daemon=True).start()
        if step:
            time.sleep(chance.uniform(0, 3))
            ahead[0] = chance.choice([8, -8, 24 * 40, 0.5, -0.1]) * 3600
            time.sleep(chance.uniform(1, 6))
            ahead[0] = 0.0

    threading.Thread(target=meddle, daemon=True).start()
    main(["collect", "--forever", "--json", "--db", path, "--profile", "soak", "--health", path + ".health"], standalone_mode=False)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder of a file system of its own that can be filled to the last byte; a plain one where none can be made."""
    folder = tmp_path / "disk"
    folder.mkdir()
    megabytes = 64 + int(SOAK_S / EVERY_S * MANY * BYTES_A_MESSAGE / 1e6)
    made = False
    if sys.platform == "linux" and os.geteuid() == 0:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "masanalytics-soak", str(folder)]
        made = subprocess.run(command, check=False, capture_output=True).returncode == 0
    yield folder
    if made:
        subprocess.run(["umount", "-l", str(folder)], check=False)


class _Troubles:
    """Everything that goes wrong, one at a time or together, and how often it did."""

    def __init__(self, sim: Simulator, disk: Path, service: Launcher, job: dict[str, Any]) -> None:
        self.sim, self.disk, self.service, self.job = sim, disk, service, job
        self.chance = random.Random(20)
        self.counts: Counter[str] = Counter()
        self._filler = disk / "filler"
        self._polls = 0
        self.can_fill = os.path.ismount(disk)

    def begin(self) -> None:
        """Let the service run, with a log that dies or a clock that steps."""
        dies, step = self.chance.random() < 0.4, self.chance.random() < 0.4
        self.counts["dead log pipe"] += dies
        self.counts["clock stepped"] += step
        self._polls = self.sim.counts["polls"]
        self.service.start(**self.job, seed=self.chance.randrange(10**6), dies=dies, step=step)

    def strike(self) -> None:
        """Let one thing go wrong, for some seconds, after a time in which all went well."""
        seen, end = self.sim.counts["polls"], time.monotonic() + 10
        while self.sim.counts["polls"] < seen + self.chance.randint(1, 6) and time.monotonic() < end:
            time.sleep(0.1)
        kinds = [self._kill, self._end, self._network_away, self._answers_damaged, self._answers_damaged, self._nothing]
        kinds += [self._disk_full, self._disk_full_and_kill] if self.can_fill else []
        self.chance.choice(kinds)()

    def _nothing(self) -> None:
        time.sleep(self.chance.uniform(1, 4))

    def _kill(self) -> None:
        self.counts["killed"] += self.service.kill(self.chance.uniform(0, 3))
        self.begin()

    def _end(self) -> None:
        """End it as a service manager, or a terminal that closes, does: it ends by itself, and well."""
        end = time.monotonic() + 60
        while (
            self.sim.counts["polls"] <= self._polls and time.monotonic() < end
        ):  # in its beginning signals are not yet its own
            time.sleep(0.1)
        self.service.signal(self.chance.choice([signal.SIGTERM, signal.SIGHUP, signal.SIGINT]))
        assert self.service.ended(100) == 0
        self.counts["ended by a signal"] += 1
        self.begin()

    def _network_away(self) -> None:
        self.sim.stop()
        time.sleep(self.chance.uniform(0.5, 8))
        self.sim.start()
        self.counts["network away"] += 1

    def _answers_damaged(self) -> None:
        kind = self.chance.choice(FAULTS)
        more = {"seconds": 1.0} if kind == "hang" else {}
        fault = self.sim.fault(kind, endpoint="poll", times=self.chance.randint(1, 3), **more)
        end = time.monotonic() + 12
        while fault.fired != fault.times and time.monotonic() < end:
            time.sleep(0.1)
        fault.cancel()
        self.counts[kind] += fault.fired

    def _disk_full(self) -> None:
        self._fill()
        time.sleep(self.chance.uniform(1, 8))
        self.make_room()

    def _disk_full_and_kill(self) -> None:
        self._fill()
        self.counts["killed on a full disk"] += self.service.kill(self.chance.uniform(0, 4))
        if self.chance.random() < 0.5:
            self.begin()  # begins on a full disk
            time.sleep(self.chance.uniform(0, 3))
            self.make_room()
            if self.service.ended(0) is None:
                return
        self.make_room()
        self.begin()

    def _fill(self) -> None:
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as file:
            while True:
                file.write(b"\0")
        self.counts["disk full"] += 1

    def make_room(self) -> None:
        """Let the disk have room again."""
        self._filler.unlink(missing_ok=True)


def _write_profile(folder: Path, sim: Simulator) -> None:
    """Write the service's account, polled as often as a test has time for."""
    folder.mkdir()
    known = sim.account()
    names = {"url": known.url, "ec_name": known.ec_name, "ap_id": known.ap_id, "sign": known.sign, "protocol": "https"}
    lines = [f'{name} = "{value}"' for name, value in names.items()]
    lines += [f'secret_key = "{sim.settings()["MAS_SECRET_KEY"]}"', f"poll_interval = {INTERVAL_S}"]
    (folder / "profiles.toml").write_text("\n".join(["[soak]", *lines]), encoding="utf-8")


def _send_on(sim: Simulator, store: Store, stop: threading.Event) -> None:
    """Send a small campaign again and again; what a full disk or a network that is away refuses is left."""
    number = 0
    with sim.client() as client:
        while not stop.wait(EVERY_S):
            frame = pd.DataFrame({"phone": [f"139{number:06d}{n:02d}" for n in range(MANY)]})
            with contextlib.suppress(MasError):
                mas.send(frame, client, store, phone="phone", text="您好", campaign=f"c{number}", progress=False)
            number += 1
            sim.reply(f"139{number:08d}", "好的")


@pytest.mark.slow
def test_what_was_handed_out_is_stored_or_in_a_known_hole(small_disk: Path, launch: Callable[[str], Launcher]) -> None:
    """A service is killed, filled, cut off, misled and silenced again and again: handed out = stored + holes."""
    behaviour = Scripted({f"139000000{n:02d}": ("MK:0001", 1.0) for n in range(10)}, default=("DELIVRD", 1.0))
    path = small_disk / "mas.db"
    with (
        Simulator(https=False, poll_interval=INTERVAL_S, behaviour=behaviour) as sim,
        Store(path, busy_s=5) as store,
    ):
        environment = {"MAS_STATE_DIR": str(small_disk / "state"), "MAS_CONFIG_DIR": str(small_disk / "config")}
        _write_profile(small_disk / "config", sim)
        troubles = _Troubles(sim, small_disk, launch(SERVICE), {"path": str(path), "environment": environment})
        stop = threading.Event()
        sender = threading.Thread(target=_send_on, args=(sim, store, stop))
        sender.start()
        try:
            troubles.begin()
            end = time.monotonic() + SOAK_S
            while time.monotonic() < end:
                troubles.strike()
        finally:
            troubles.make_room()
            stop.set()
            sender.join()
        troubles.service.kill()
        sim.clear_faults()
        time.sleep(1.5)
        with sim.client() as client:
            collector = Collector(client, store, say=lambda _text: None)
            collector.drain()
            collector.stop()
        balance = _balance(sim, store) | {"seconds": SOAK_S, "troubles": dict(troubles.counts)}
        print(json.dumps(balance, ensure_ascii=False, default=int))  # noqa: T201 - the result of the measure, seen with -s

        assert sim.failures == []
        assert sim.waiting["reports"].now == 0
        assert sim.counts["too_soon"] == 0
        assert set(sim.accepted.values()) == {1}
        assert balance["rows_in_no_hole"] == 0
        assert balance["pages_missing"] <= balance["holes"]
        assert balance["rows_twice"] == 0
        assert balance["watched_too_long"] == 0
        assert balance["least"] <= balance["truth"] <= balance["most"]
        assert balance["covered_later_than_now"] == 0


def _balance(sim: Simulator, store: Store) -> dict[str, Any]:
    """Return what was handed out, what is stored, and what the holes can hold."""
    started = {request.number: request.at for request in sim.requests}
    reports, holes = store.reports(), store.missing_answers()
    stored = Counter(zip(reports["phone"], reports["msg_group"], strict=True))
    pages: dict[int, set[tuple[str, str]]] = {}
    for row in sim.handed_out:
        if row.kind == "report":
            pages.setdefault(row.request, set()).add((row.row["mobile"], row.row["msgGroup"]))
    missing = {number: page - set(stored) for number, page in pages.items() if not page <= set(stored)}
    messages = store.messages()
    # A single record that could not be read ends nobody's observation: `most` allows for it.
    handed_at = {row: started[number] for number, rows in missing.items() for row in rows if len(rows) > 1}
    when = [handed_at.get(row) for row in zip(messages["phone"], messages["msg_group"], strict=True)]
    # Without a time where it was planned and never sent.
    submitted = messages["submitted_at"].map(lambda one: None if pd.isna(one) else one.timestamp()).astype(float)
    watched = submitted + messages["waited_s"].astype(float)
    too_long = (watched - pd.Series(when, index=messages.index, dtype=float)) > 1
    rates = mas.delivery_rates(store).iloc[0]
    known = set(zip(messages["phone"], messages["msg_group"], strict=True))
    failed = {message.phone for message in sim.messages if message.code != "DELIVRD"}
    handed = set().union(*pages.values())
    return {
        "handed_out": sum(map(len, pages.values())),
        "stored": len(reports),
        "rows_missing": sum(map(len, missing.values())),
        "pages_missing": len(missing),
        "holes": len(holes),
        "rows_in_no_hole": _in_no_hole(missing, started, holes),
        "rows_twice": sum(count - 1 for count in stored.values()),
        "watched_too_long": int(too_long.sum()),
        "accepted": int(rates["accepted"]),
        "least": int(rates["delivered"]),
        "truth": sum(row in known and row[0] not in failed for row in handed),
        "most": round(float(rates["most"]) * int(rates["accepted"])),
        "states": dict(store.polls()["state"].value_counts()),
        "batches": dict(store.batches()["state"].value_counts()),
        "covered_later_than_now": int((store.coverage()["ended_at"] > pd.Timestamp.now("Asia/Shanghai")).sum()),
    }


def _in_no_hole(missing: dict[int, set[tuple[str, str]]], started: dict[int, float], holes: pd.DataFrame) -> int:
    """Return how many missing rows lie in no hole of their time that has room for them; each page takes a hole of its own."""
    mine = holes[holes["endpoint"] == "report"]
    limits: list[tuple[Any, Any, Any]] = list(zip(mine["since"], mine["until"], mine["records"], strict=True))
    lost = 0
    for number, rows in sorted(missing.items()):
        at = pd.Timestamp(started[number], unit="s", tz="Asia/Shanghai")
        fitting = [
            one
            for one in limits
            if (pd.isna(one[0]) or one[0] <= at + SLACK) and at - SLACK <= one[1] and one[2] >= len(rows)
        ]
        if fitting:
            limits.remove(min(fitting, key=lambda one: one[1]))
        else:
            lost += len(rows)
    return lost


SLACK = pd.Timedelta(2, "s")
