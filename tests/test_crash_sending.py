"""Sending that is killed at any moment, and a platform that misbehaves: nobody twice, nobody forgotten, doubt only in flight."""

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
from masanalytics.client import Client
from masanalytics.clock import ManualClock
from masanalytics.collecting import Collector
from masanalytics.planning import Limits
from masanalytics.sending import SendResult
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store import Store
from tests.processes import Launcher

# How often each kind of run is killed; by default as often as fits into some seconds. The whole measure is MAS_KILLS=100.
KILLS = int(os.environ.get("MAS_KILLS", "0"))
BUDGET_S = 3.0
SIZE = 20_000

SENDER = """
import os, pandas
import masanalytics as mas

def run(path, account, campaign, size, batch, workers):
    limits = mas.planning.Limits(many_to_one=batch, many_to_many=batch)
    frame = pandas.DataFrame({"phone": [f"139{campaign}{n:05d}" for n in range(size)]})
    frame["text"] = "Dear " + frame["phone"].str[-5:]
    os.write(1, b"go\\n")
    with mas.Store(path) as store, mas.Client(mas.Account(**account)) as client:
        plan = mas.plan(frame, phone="phone", content="text", campaign=campaign, store=store, limits=limits)
        mas.send(plan, client, store, workers=workers, progress=False)
"""


def _account(sim: Simulator) -> Any:
    """What another process needs to make the simulator's account."""
    known = sim.account()
    secret = sim.settings()["MAS_SECRET_KEY"]
    return {"url": known.url, "ec_name": known.ec_name, "ap_id": known.ap_id, "secret_key": secret,
            "sign": known.sign, "tls": known.tls, "poll_interval": known.poll_interval}  # fmt: skip


def _people(campaign: Any) -> Any:
    return [f"139{campaign}{n:05d}" for n in range(SIZE)]


class _Kills:
    """Runs that are killed until so many kills are spent; when a campaign is done, the next one begins."""

    def __init__(self, launcher: Launcher, job: dict[str, Any], seed: int, longest: float) -> None:
        self.launcher, self.job, self.longest = launcher, job, longest
        self.chance = random.Random(seed)
        self.of_campaign: Counter[str] = Counter()

    def spend(self) -> None:
        number, end = 100, time.monotonic() + BUDGET_S
        while self.of_campaign.total() < KILLS if KILLS else time.monotonic() < end:
            campaign = str(number)  # each campaign has its own people: what is in doubt can be told apart
            self.of_campaign[campaign] += 0
            self.launcher.start(**self.job, campaign=campaign)
            if self.launcher.kill(self.chance.uniform(0, self.longest)):
                self.of_campaign[campaign] += 1
            else:
                assert self.launcher.ended(0) == 0
                number += 1
        for campaign in self.of_campaign:  # nobody kills any more: one run each comes to its end
            self.launcher.start(**self.job, campaign=campaign)
            assert self.launcher.ended(120) == 0


def _check_sent(sim: Simulator, store: Store, of_campaign: Any, workers: Any) -> None:
    """Everybody once or in doubt, doubt only where a request can have been in flight."""
    accepted = sim.accepted
    assert set(accepted.values()) == {1}
    assert sim.failures == []
    for campaign, kills in of_campaign.items():
        messages = store.messages(campaign)
        batches = store.batches(campaign)
        people = _people(campaign)
        taken = {phone for phone in people if (phone, f"Dear {phone[-5:]}") in accepted}
        doubtful = set(messages.loc[messages["status"] == "unknown", "phone"])
        sure = set(messages.loc[messages["status"] == "pending", "phone"])
        unknown = batches[batches["state"] == "unknown"]

        assert sorted(messages["phone"]) == people
        assert len(sure) + len(doubtful) == SIZE
        assert sure <= taken
        assert taken <= sure | doubtful
        assert set(batches["state"]) <= {"accepted", "unknown"}
        assert len(unknown) <= kills * workers
        assert set(messages.loc[messages["batch_id"].isin(unknown["batch_id"]), "phone"]) == doubtful
        assert int(batches["messages"].sum()) == SIZE


def _check_settled(sim: Simulator, store: Store, campaigns: Any) -> None:
    """After their reports came, exactly the batches that the platform never took are in doubt."""
    time.sleep(1.1)  # reports come a second after their message
    with sim.client() as client:
        collector = Collector(client, store, say=lambda _text: None)
        collector.drain()
        collector.stop()
    accepted = sim.accepted
    for campaign in campaigns:
        messages = store.messages(campaign)
        taken = {phone for phone in _people(campaign) if (phone, f"Dear {phone[-5:]}") in accepted}
        assert set(messages.loc[messages["status"] == "delivered", "phone"]) == taken
        assert set(messages["status"]) <= {"delivered", "unknown"}
    assert len(store.reports()) == sim.counts["reports"] == sum(accepted.values())
    assert len(store.foreign_reports()) == 0
    assert sum(store.messages()["campaign"].isna()) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("https", "batch", "workers", "longest"), [(False, 999, 2, 0.6), (False, 60, 4, 1.0), (True, 400, 2, 0.7)]
)
def test_a_killed_sender_reaches_everybody_once(
    tmp_path: Path, launch: Callable[[str], Launcher], https: Any, batch: Any, workers: Any, longest: Any
) -> None:
    """Killed at random moments and started again each time: nobody twice, nobody forgotten, doubt only in flight."""
    with (
        Simulator(https=https, poll_interval=0, answer_delay=0.03, behaviour={}) as sim,
        Store(tmp_path / "mas.db") as store,
    ):
        job = {"path": str(store.path), "account": _account(sim), "size": SIZE, "batch": batch}
        kills = _Kills(launch(SENDER), {**job, "workers": workers}, seed=batch, longest=longest)
        kills.spend()
        _check_sent(sim, store, kills.of_campaign, workers)
        _check_settled(sim, store, kills.of_campaign)
        if KILLS >= 100:  # then every moment has been hit: before a claim, and before and after the platform took it
            batches = store.batches()
            assert len(batches[batches["state"] == "unknown"]) > 0
            assert int(batches["inferred"].sum()) > 0
            assert len(batches[batches["state"] == "unknown"]) + int(batches["inferred"].sum()) < KILLS * workers


@pytest.mark.slow
def test_two_killed_senders_share_a_campaign(tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """Two processes send the same campaign at once, each killed again and again: nobody twice, nobody forgotten."""
    with (
        Simulator(https=False, poll_interval=0, answer_delay=0.05, behaviour={}) as sim,
        Store(tmp_path / "mas.db") as store,
    ):
        job = {"path": str(store.path), "account": _account(sim), "size": SIZE, "batch": 60, "workers": 2}
        senders = [launch(SENDER), launch(SENDER)]
        for sender in senders:
            sender.start(**job, campaign="100")
        kills, chance, end = 0, random.Random(2), time.monotonic() + BUDGET_S
        while kills < KILLS if KILLS else time.monotonic() < end:
            sender = chance.choice(senders)
            kills += sender.kill(chance.uniform(0, 0.8))
            assert sender.ended(0) in (0, -9)
            sender.start(**job, campaign="100")
        for sender in senders:
            assert sender.ended(120) == 0
        senders[0].start(**job, campaign="100")
        assert senders[0].ended(120) == 0
        _check_sent(sim, store, {"100": kills}, 2)
        _check_settled(sim, store, ["100"])


ONE_IN_FIVE = [5, 10, 15, 20]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "taken"),
    [
        ({"kind": "hang"}, True),
        ({"kind": "status", "status": 502}, False),
        ({"kind": "status", "status": 502, "taken": True}, True),
        ({"kind": "drop_before"}, False),
        ({"kind": "refuse"}, False),
    ],
    ids=["never answers", "502 unread", "502 though taken", "closes after reading", "closes before reading"],
)
def test_one_batch_in_five_goes_wrong(
    sim: Simulator, store: Store, clock: ManualClock, fault: dict[str, Any], taken: bool
) -> None:
    """Of 20,000 messages, those of the struck batches are in doubt, all others accepted; nobody is written to twice."""
    frame = pd.DataFrame({"手机号": [f"139{n:08d}" for n in range(SIZE)]})
    frame["文"] = "客户" + frame["手机号"].str[-5:]
    with sim.client(timeout=(2.0, 0.3)) as client, sim.client() as patient:
        sim.fault(endpoint="submit", every=5, **fault)
        first = _send(frame, client, store)
        again = _send(frame, client, store)
        sim.clear_faults()
        doubtful = store.batches(state="unknown")
        before = dict(store.messages()["status"].value_counts())
        clock.sleep(60)
        collector = Collector(patient, store, say=lambda _text: None)
        collector.drain()
        after = dict(store.messages()["status"].value_counts())
        for batch in store.batches(state="unknown")["batch_id"]:
            store.settle(int(batch), "not_sent")
        rest = _send(frame, client, store)
        collector.stop()

    assert (first.planned, first.accepted, first.unknown, first.requests, first.not_sent) == (
        20_000,
        16_004,
        3_996,
        21,
        0,
    )
    assert (again.planned, again.requests) == (0, 0)
    assert list(doubtful["batch_id"]) == ONE_IN_FIVE
    assert list(doubtful["messages"]) == [999] * 4
    assert before == {"pending": 16_004, "unknown": 3_996}
    if taken:
        assert after == {"delivered": 20_000}
        assert list(store.batches().query("inferred == 1")["batch_id"]) == ONE_IN_FIVE
        assert rest.planned == 0
    else:
        assert after == {"delivered": 16_004, "unknown": 3_996}
        assert set(doubtful["verdict"]) == {"cannot tell"}
        assert (rest.planned, rest.accepted) == (3_996, 3_996)
    assert Counter(sim.accepted.values()) == {1: 20_000}
    assert sim.failures == []


def test_connections_refused_before_a_byte_left_are_made_again(store: Store) -> None:
    """Over HTTPS a connection reset before its handshake surely took nothing: everybody gets the message, none is in doubt."""
    frame = pd.DataFrame({"手机号": [f"139{n:08d}" for n in range(2_000)], "文": [f"客户{n}" for n in range(2_000)]})
    with Simulator(https=True, behaviour={}, clock=store.clock) as sim, sim.client() as client:
        sim.fault("refuse", every=5)
        result = _send(frame, client, store, limits=mas.planning.Limits(many_to_one=100, many_to_many=100))

        assert (result.accepted, result.unknown, result.ok) == (2_000, 0, True)
        assert Counter(sim.accepted.values()) == {1: 2_000}
        assert sim.counts["faults"] >= 4


def test_reports_that_come_before_the_answer_is_given_up_settle_it(tmp_path: Path) -> None:
    """A batch whose reports were all fetched while its answer was awaited is settled when the answer does not come."""
    frame = pd.DataFrame({"手机号": [f"139{n:08d}" for n in range(200)], "文": [f"客户{n}" for n in range(200)]})
    at_once = Scripted(default=("DELIVRD", 0.0))
    with (
        Simulator(https=False, poll_interval=0.05, behaviour=at_once) as sim,
        Store(tmp_path / "mas.db") as store,
        sim.client(timeout=(2.0, 0.8)) as client,
    ):
        sim.fault("hang", endpoint="submit", times=1)
        collector = Collector(client, store, say=lambda _text: None)
        result = _send(frame, client, store, collector=collector)
        reports = len(store.reports())
        collector.stop()

        assert (result.accepted, result.unknown, reports) == (200, 0, 200)
        assert set(store.messages("活动")["status"]) == {"delivered"}
        assert list(store.batches()["state"]) == ["accepted"]


def _send(
    frame: pd.DataFrame, client: Client, store: Store, *, limits: Limits | None = None, **options: Any
) -> SendResult:
    plan = mas.plan(frame, phone="手机号", content="文", campaign="活动", store=store, limits=limits)
    return mas.send(plan, client, store, workers=1, progress=False, **options)
