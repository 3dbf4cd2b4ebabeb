"""Collecting that is killed at any moment: what was handed out is in the store once, but for answers still on the wire."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.collecting import Collector
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store import Store, replay
from tests.processes import Launcher

# How often a collection is killed; by default as often as fits into some seconds. The whole measure is MAS_KILLS=200.
KILLS = int(os.environ.get("MAS_KILLS", "0"))
BUDGET_S = 10.0
# How long everybody works on one store at once. The whole measure is MAS_SOAK_S=600.
SOAK_S = float(os.environ.get("MAS_SOAK_S", "10"))
REPORTS = 100_000

COLLECTOR = """
import os
import masanalytics as mas
from masanalytics.collecting import Collector

def run(path, account):
    os.write(1, b"go\\n")
    with mas.Store(path) as store, mas.Client(mas.Account(**account)) as client:
        collector = Collector(client, store, say=lambda text: None)
        collector.drain()
        collector.stop()
"""


def _account(sim: Simulator) -> Any:
    """What another process needs to make the simulator's account."""
    known = sim.account()
    secret = sim.settings()["MAS_SECRET_KEY"]
    return {"url": known.url, "ec_name": known.ec_name, "ap_id": known.ap_id, "secret_key": secret,
            "sign": known.sign, "tls": known.tls, "poll_interval": known.poll_interval}  # fmt: skip


def _send_all(sim: Simulator, store: Store, size: Any) -> None:
    """Send as many messages as reports are wanted."""
    frame = pd.DataFrame({"phone": [f"139{n:08d}" for n in range(size)]})
    with sim.client() as client:
        plan = mas.plan(frame, phone="phone", text="您好", campaign="c", store=store)
        assert mas.send(plan, client, store, progress=False).accepted == size


def _rows_by_poll(sim: Simulator) -> list[set[tuple[str, str]]]:
    """Return for every poll that handed out rows who was in it, by the platform's own count."""
    found: dict[int, set[tuple[str, str]]] = {}
    for row in sim.handed_out:
        found.setdefault(row.request, set()).add((row.row["mobile"], row.row["msgGroup"]))
    return list(found.values())


def _kill_again_and_again(sim: Simulator, collector: Launcher, job: dict[str, Any], kills: int, budget_s: float) -> int:
    """Kill a collection `kills` times (or for some seconds), so that it is not yet done by then; return how often."""
    done, chance, end = 0, random.Random(4), time.monotonic() + budget_s
    while done < kills and (KILLS or time.monotonic() < end):
        pages_a_run = sim.waiting["reports"].now / 1000 / (kills - done)
        collector.start(**job)
        done += collector.kill(chance.uniform(0, 0.1 + 0.08 * pages_a_run))
    collector.start(**job)
    assert collector.ended(120) == 0
    return done


AT_ONCE = Scripted(default=("DELIVRD", 0.0))


@pytest.mark.slow
def test_a_killed_collector_loses_only_what_was_on_the_wire(tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """Killed at random moments: all that was handed out is stored once, but for at most one answer a kill."""
    with Simulator(https=False, poll_interval=0, behaviour=AT_ONCE) as sim, Store(tmp_path / "mas.db") as store:
        _send_all(sim, store, REPORTS)
        job = {"path": str(store.path), "account": {**_account(sim), "poll_interval": 0.01}}
        kills = _kill_again_and_again(sim, launch(COLLECTOR), job, KILLS or 200, BUDGET_S)
        _check_collected(sim, store, REPORTS, kills)


@pytest.mark.slow
def test_a_killed_collector_never_polls_too_soon(tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """The platform's interval holds across processes that are killed: no poll comes too soon, and nothing else is lost."""
    with Simulator(https=False, poll_interval=0.05, behaviour=AT_ONCE) as sim, Store(tmp_path / "mas.db") as store:
        _send_all(sim, store, 20_000)
        job = {"path": str(store.path), "account": _account(sim)}
        kills = _kill_again_and_again(sim, launch(COLLECTOR), job, KILLS or 20, BUDGET_S / 2)
        _check_collected(sim, store, 20_000, kills)

        assert sim.min_poll_gap >= 0.05
        assert sim.counts["too_soon"] == 0


def _check_collected(sim: Simulator, store: Store, sent: Any, kills: Any) -> None:
    polls, reports, messages = store.polls(), store.reports(), store.messages()
    stored = Counter(zip(reports["phone"], reports["msg_group"], strict=True))
    pages = _rows_by_poll(sim)
    missing = [page for page in pages if not page <= set(stored)]

    assert sim.failures == []
    assert sim.waiting["reports"].now == 0
    assert sum(map(len, pages)) == sim.counts["reports"] == sent
    assert set(stored.values()) == {1}
    assert set().union(*pages) >= set(stored)
    for page in missing:  # an answer is stored whole, or was still on the wire
        assert page.isdisjoint(stored)
    assert len(missing) <= (polls["state"] == "lost").sum() <= kills
    assert set(polls["state"]) <= {"parsed", "lost"}
    assert len(reports) == sent - sum(map(len, missing))
    assert set(messages["campaign"]) == {"c"}
    assert dict(messages["status"].value_counts()).get("delivered") == len(reports)
    assert set(messages["status"]) <= {"delivered", "pending"}
    before = reports.drop(columns="report_id")
    replay(store)
    assert store.reports().drop(columns="report_id").equals(before)


SERVICE = """
import logging, os, time
import masanalytics as mas
from masanalytics.collecting import Collector

class Raises(logging.Handler):
    def emit(self, record):
        seen.append(record.getMessage())

seen = []

def run(path, account, seconds):
    logging.getLogger("masanalytics").addHandler(Raises(level=logging.WARNING))
    os.write(1, b"go\\n")
    with mas.Store(path) as store, mas.Client(mas.Account(**account)) as client:
        with Collector(client, store, say=lambda text: None):
            time.sleep(seconds)
    assert not seen, seen
"""

SENDER = """
import os, pandas, time
import masanalytics as mas

def run(path, account, seconds):
    end, number = time.monotonic() + seconds, 0
    limits = mas.planning.Limits(many_to_one=30, many_to_many=30)
    os.write(1, b"go\\n")
    with mas.Store(path) as store, mas.Client(mas.Account(**account)) as client:
        while time.monotonic() < end:
            frame = pandas.DataFrame({"phone": [f"139{number:05d}{n:03d}" for n in range(300)]})
            result = mas.send(frame, client, store, phone="phone", text="hello", campaign=f"c{number}", limits=limits,
                              workers=3, progress=False)
            assert result.ok, result
            number += 1
            time.sleep(0.2)
"""


@pytest.mark.slow
def test_everybody_at_once_on_one_store(
    tmp_path: Path, launch: Callable[[str], Launcher], caplog: pytest.LogCaptureFixture
) -> None:
    """Two collectors, a sender and a reading notebook share a file: no error reaches anyone, and everything adds up."""
    with Simulator(https=False, poll_interval=0.2, behaviour={}) as sim, Store(tmp_path / "mas.db") as store:
        job = {"path": str(store.path), "account": _account(sim), "seconds": SOAK_S}
        workers = [launch(SERVICE), launch(SENDER)]
        with sim.client() as client:
            collector = Collector(client, store, say=lambda _text: None)
            for worker in workers:
                worker.start(**job)
            collector.start()
            end, looks = time.monotonic() + SOAK_S, 0
            while time.monotonic() < end:
                looks += _look_around(store)
            assert [worker.ended(60) for worker in workers] == [0, 0]
            collector.stop()
            time.sleep(1.1)
            collector.drain()
            collector.stop()
        messages = store.messages()

        assert looks > 0
        assert caplog.records == []
        assert sim.failures == []
        assert sim.min_poll_gap >= 0.2
        assert sim.counts["too_soon"] == 0
        assert set(sim.accepted.values()) == {1}
        assert len(messages) == sim.counts["accepted"] == sim.counts["reports"] == len(store.reports())
        assert set(messages["status"]) == {"delivered"}
        assert set(store.batches()["state"]) == {"accepted"}
        assert set(store.polls()["state"]) == {"parsed"}


def _look_around(store: Store) -> Any:
    """Do what a notebook does; what it sees at one moment must hold together."""
    batches = store.batches()
    for campaign in [None, *batches["campaign"].tail(1)]:
        messages = store.messages(campaign)
        rates = mas.delivery_rates(messages)
        taken = messages["status"].isin(["pending", "delivered", "failed"]).sum()
        assert rates["accepted"].sum() == taken
        assert messages["phone"].is_unique
    mas.error_codes(store)
    store.reports()
    store.opt_out([f"137{time.monotonic_ns() % 10**8:08d}"])
    time.sleep(0.05)
    return 1
