"""The platform's five seconds are the account's, on the whole machine: also between two stores."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path

import pytest

import masanalytics as mas
from masanalytics.account import Account
from masanalytics.account.machine_pace import MachinePace
from masanalytics.clock import ManualClock
from masanalytics.simulator import Simulator
from masanalytics.store import Store
from tests.waiting import wait_until

ACCOUNT = Account("https://mas.example:28888", "shop", "demo0", "123qwe")


def two(clock: ManualClock) -> tuple[MachinePace, MachinePace]:
    return MachinePace(ACCOUNT, clock, "one"), MachinePace(ACCOUNT, clock, "two")


@pytest.mark.slow
def test_two_stores_take_turns(tmp_path: Path) -> None:
    """Neither is told that it asks too soon, and each gets its share."""
    with Simulator(https=False, poll_interval=0.3) as sim:
        said: list[str] = []
        stores = [Store(tmp_path / f"{name}.db") for name in ("a", "b")]
        both = [
            mas.Collector(mas.Client(sim.account()), store, say=said.append, idle_s=0.3, language="en").start()
            for store in stores
        ]
        wait_until(lambda: all(one.total.polls >= 4 for one in both))
        for one in both:
            one.stop()

        assert (sim.counts["too_soon"], sim.min_poll_gap >= 0.3) == (0, True)
        assert any("Another store" in line for line in said)


def test_both_stores_are_told_of_each_other(sim: Simulator, clock: ManualClock, tmp_path: Path) -> None:
    """The one that was there first hears of the second one, too, and each once."""
    said: dict[str, list[str]] = {"a": [], "b": []}
    collectors = [
        mas.Collector(sim.client(), Store(tmp_path / f"{name}.db", clock=clock), say=said[name].append, language="en")
        for name in ("a", "b")
    ]
    for _ in range(4):
        for one in collectors:
            one.collect()
        clock.sleep(120)
    for one in collectors:
        one.stop()

    told = {name: [line for line in lines if "Another store" in line] for name, lines in said.items()}
    assert [len(lines) for lines in told.values()] == [1, 1]
    assert "b.db" in told["a"][0]
    assert "a.db" in told["b"][0]


def test_the_interval_counts_from_the_end_of_the_other_ones_poll(clock: ManualClock) -> None:
    """While one polls the other waits; then an interval, and a turn given back unused costs nothing."""
    one, other = two(clock)
    taken = one.take(5.0)
    clock.sleep(2)
    meanwhile = other.take(5.0)
    one.note_end()
    clock.sleep(1)
    after = other.take(5.0)
    clock.sleep(4)
    due = other.take(5.0)
    other.give_back()

    assert (taken, meanwhile, after, due) == (0.0, 1.25, 4.0, 0.0)
    assert one.take(5.0) == 0.0


def test_a_test_platform_under_the_same_names_has_a_pace_of_its_own(clock: ManualClock) -> None:
    """The pace belongs to the address and the account together."""
    test = dataclasses.replace(ACCOUNT, url="https://test.example:28888")
    one, other = MachinePace(ACCOUNT, clock, "one"), MachinePace(test, clock, "one")

    assert one.take(5.0) == other.take(5.0) == 0.0
    assert one.path != other.path


def test_whoever_died_at_it_gives_way_after_an_interval(clock: ManualClock) -> None:
    """A poll that was under way in a process that is gone may just have been sent."""
    one, other = two(clock)
    one.take(5.0)
    one.path.write_text(one.path.read_text().replace(one._me, "elsewhere:1:1#x"))
    clock.sleep(60)
    first = other.take(5.0)
    clock.sleep(5)

    assert (first, other.take(5.0)) == (5.0, 0.0)


def test_a_clock_that_was_set_back_delays_by_one_interval_at_most(clock: ManualClock) -> None:
    """After a restart the wall clock decides, and never for longer than an interval."""
    MachinePace(ACCOUNT, clock, "one").note_end()
    earlier = ManualClock(start=clock.now() - 7200)
    later = MachinePace(ACCOUNT, earlier, "two")
    first = later.take(5.0)
    earlier.sleep(5)

    assert (first, later.take(5.0)) == (5.0, 0.0)


@pytest.mark.parametrize("written", ["", "{", "[1]", '{"wall": 1}', "\x00" * 50])
def test_a_file_that_makes_no_sense_is_as_none(clock: ManualClock, written: str) -> None:
    """Somebody died while writing it: the next one begins anew."""
    one, other = two(clock)
    one.note_end()
    one.path.write_text(written)

    assert other.take(5.0) == 0.0
    assert one.take(5.0) == 1.25


def test_a_folder_that_cannot_be_written_keeps_nobody_from_collecting(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each store keeps its own pace then, and the log says so once."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MAS_CONFIG_DIR", str(tmp_path / "file"))
    one, _ = two(clock)

    assert [one.take(5.0), one.take(5.0)] == [0.0, 0.0]
    assert caplog.text.count("cannot be kept among several stores") == 1


def test_the_file_is_its_owners_alone(clock: ManualClock) -> None:
    """It names a process and an instant, and nobody else needs them."""
    one, _ = two(clock)
    one.take(5.0)

    assert one.path.stat().st_mode & 0o077 == 0
    assert ACCOUNT.ap_id not in one.path.read_text()
    assert os.path.getmtime(one.path) <= time.time() + 1  # noqa: PTH204


def test_polls_by_hand_keep_the_pace(clock: ManualClock) -> None:
    """Reports and replies together, also between two clients: each waits for its turn."""
    with Simulator(https=False, clock=clock) as sim:
        one, other = sim.client(), sim.client()
        began = clock.now()
        for poll in (one.poll_reports, one.poll_uplinks, other.poll_reports, other.poll_uplinks):
            poll()

        assert (sim.counts["too_soon"], sim.min_poll_gap >= 5.0) == (0, True)
        assert 15 <= clock.now() - began < 16


def test_a_poll_by_hand_and_a_collector_take_turns(store: Store, clock: ManualClock) -> None:
    """Whichever comes second waits, and a collector's own polls wait once, not twice."""
    with Simulator(https=False, clock=clock) as sim:
        client = sim.client()
        collector = mas.Collector(client, store, say=lambda _line: None)
        client.poll_reports()
        collector.collect()
        client.poll_uplinks()

        assert (sim.counts["polls"], sim.counts["too_soon"], sim.min_poll_gap >= 5.0) == (4, 0, True)
        assert clock.now() - 1_767_225_600 < 16


def test_where_no_pace_is_asked_for_nobody_waits(clock: ManualClock) -> None:
    """A platform without an interval is asked as fast as one likes."""
    with Simulator(https=False, clock=clock, poll_interval=0) as sim:
        client = sim.client()
        for _ in range(3):
            client.poll_reports()
        assert clock.now() == 1_767_225_600
