"""A clock of ours that is hours off: what the platform's own times say is believed, its Date as well as its msgGroups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.client import Client
from masanalytics.clock import ManualClock
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store import Store

HOUR = 3600


def people(n: int) -> list[str]:
    return [str(13800000000 + place) for place in range(n)]


class Undated(Client):
    """A client whose platform, or a proxy before it, sends no Date."""

    def poll_reports(self) -> Any:
        return replace(super().poll_reports(), server_time=None)


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[Simulator]:
    """A platform on a right clock that delivers 300 of a thousand within a second."""
    with Simulator(https=False, clock=clock, poll_interval=0, behaviour=Scripted(dict.fromkeys(people(700)))) as one:
        yield one


@pytest.mark.parametrize("days", [400, -400])
def test_a_clock_that_is_a_year_off_while_sending_is_corrected_by_the_answer(
    days: int, sim: Simulator, clock: ManualClock
) -> None:
    """The battery of the board is empty, and the clock is set after the campaign: its reports find it, and nothing has waited long."""
    ours = ManualClock(start=clock.now())
    store, client = Store(":memory:", clock=ours), Client(sim.account(poll_interval=0), clock=ours)
    collector = mas.Collector(client, store, say=lambda _text: None)
    collector.drain()
    ours.jump(days * 86_400)
    mas.send(pd.DataFrame({"p": people(1000)}), client, store, phone="p", text="您好", campaign="C", progress=False)
    ours.jump(-days * 86_400)
    for one in (clock, ours):
        one.sleep(60)
    collector.drain()

    rates = mas.delivery_rates(store)
    assert rates[["accepted", "delivered", "pending", "unreported", "most"]].values.tolist() == [
        [1000, 300, 700, 0, 1.0]
    ]
    assert len(mas.delivery_rates(store, within="1h")) == 0
    assert len(store.foreign_reports()) == 0


def sent_and_collected(kind: type[Client], sim: Simulator, clock: ManualClock, off_s: float) -> Store:
    """Send and collect for ten minutes on a machine whose clock is off by so much."""
    ours = ManualClock(start=clock.now() + off_s)
    store, client = Store(":memory:", clock=ours), kind(sim.account(poll_interval=0), clock=ours)
    collector = mas.Collector(client, store, say=lambda _text: None)
    collector.collect()
    mas.send(pd.DataFrame({"p": people(1000)}), client, store, phone="p", text="您好", campaign="C", progress=False)
    for _ in range(10):
        for one in (clock, ours):
            one.sleep(60)
        collector.collect()
    return store


def within(store: Store, length: str) -> list[list[int]]:
    rows: list[list[int]] = mas.delivery_rates(store, within=length)[["accepted", "delivered"]].to_numpy().tolist()
    return rows


@pytest.mark.parametrize("kind", [Client, Undated])
@pytest.mark.parametrize("hours", [8, -8, 0])
def test_all_messages_of_a_request_are_of_one_age(
    sim: Simulator, clock: ManualClock, kind: type[Client], hours: int
) -> None:
    """Reported or pending: nobody is left out of the rate at equal age, and nobody counts as watched for longer than it was."""
    store = sent_and_collected(kind, sim, clock, hours * HOUR)

    assert store.messages().submitted_at.nunique() == 1
    assert within(store, "5min") in ([[1000, 300]], [])
    assert within(store, "1h") == []
    assert (within(store, "5min") == []) == (hours < 0)


def test_replay_dates_messages_alike(sim: Simulator, clock: ManualClock) -> None:
    """Read again, the answers give the same messages."""
    store = sent_and_collected(Undated, sim, clock, 8 * HOUR)
    before = store.messages()
    store.replay()

    pd.testing.assert_frame_equal(store.messages(), before)


def test_what_was_covered_ahead_is_taken_back_when_a_batch_tells_the_time(sim: Simulator, clock: ManualClock) -> None:
    """The first poll, before anything was sent, could not know better; with the first msgGroup what it wrote is void."""
    store = sent_and_collected(Undated, sim, clock, 8 * HOUR)
    spans = store.coverage()[["started_at", "ended_at"]].astype(str).to_numpy().tolist()

    assert spans == [["2026-01-01 08:01:00+08:00", "2026-01-01 08:10:00+08:00"]]


def test_an_older_store_is_dated_when_it_is_opened(sim: Simulator, clock: ManualClock, tmp_path: Any) -> None:
    """What a wrong clock wrote before this version is mended by the migration."""
    with Store(tmp_path / "a.db", clock=clock) as store:
        client = sim.client()
        mas.send(pd.DataFrame({"p": people(2)}), client, store, phone="p", text="您好", campaign="C", progress=False)
        conn = store.db.conn
        conn.execute("UPDATE batches SET requested_at = requested_at + 28800, answered_at = answered_at + 28800")
        conn.execute("UPDATE messages SET submitted_at = submitted_at + 28800")
        conn.execute("DELETE FROM _sqlite_migrations WHERE name = 'm015_platform_time_of_batches'")
        conn.commit()
    with Store(tmp_path / "a.db", clock=clock) as store:
        assert store.messages().submitted_at.astype(str).tolist() == ["2026-01-01 08:00:00+08:00"] * 2


def test_a_group_that_is_no_time_dates_nothing(store: Store, sim: Simulator, clock: ManualClock) -> None:
    """A msgGroup of another form, or months away, is a name and no more."""
    from tests.bench import Bench

    bench = Bench(store, clock)
    bench.send(people(1), "0901080000000000000001", "A")
    bench.send(people(2)[1:], "group-7", "B")

    assert store.messages().submitted_at.astype(str).tolist() == ["2026-01-01 08:00:00+08:00"] * 2


@pytest.mark.parametrize("hours", [-8, 8])
def test_a_hole_made_by_a_wrong_clock_concerns_the_messages_of_that_time(
    sim: Simulator, clock: ManualClock, hours: int
) -> None:
    """The reports were lost while our clock was wrong; right again and watched for three days, nobody is called silent."""
    ours = ManualClock(start=clock.now() + hours * HOUR)
    store, client = Store(":memory:", clock=ours), Client(sim.account(poll_interval=0), clock=ours)
    collector = mas.Collector(client, store, say=lambda _text: None)
    mas.send(pd.DataFrame({"p": people(1000)}), client, store, phone="p", text="您好", campaign="C", progress=False)
    for one in (clock, ours):
        one.sleep(60)
    with sim.fault("drop_after", endpoint="report", times=1), pytest.raises(mas.NetworkError):
        collector.collect()
    ours.jump(-hours * HOUR)
    for _ in range(80):
        for one in (clock, ours):
            one.sleep(HOUR)
        collector.collect()
    found = mas.delivery_rates(store)

    assert found[["accepted", "delivered", "unreported"]].to_numpy().tolist() == [[1000, 0, 0]]
    assert found["most"].tolist() == [1.0]
    assert within(store, "1h") == []
