"""Collecting over real sockets: paced, durable, and nothing lost that was handed out."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.account import AccountKey
from masanalytics.client import Client
from masanalytics.clock import FastClock, ManualClock
from masanalytics.collecting import Collected, Collector
from masanalytics.collecting.poll_schedule import PollSchedule
from masanalytics.collecting.service import run_forever, status
from masanalytics.collecting.spool import spool_folder, spooled_answers
from masanalytics.errors import InputError, NetworkError, RefusedError, StoreError
from masanalytics.protocol import PollAnswer
from masanalytics.simulator import Simulator
from masanalytics.store import Store, replay
from masanalytics.store.intake import Received
from tests.bench import Bench, PlainBatch
from tests.rows import Rows
from tests.waiting import wait_until

PHONES = [f"138001380{n:02d}" for n in range(40)]


def test_collect_asks_each_queue_once(sim: Simulator, client: Client, store: Store, collector: Collector) -> None:
    """One call brings the reports and the replies that wait, five seconds apart."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    collected = collector.collect()

    assert (collected.polls, collected.reports, collected.drained) == (2, 40, True)
    assert [request.endpoint for request in sim.requests] == ["submit", "report", "deliver"]
    assert sim.min_poll_gap >= 5.0


def test_drain_goes_on_until_nothing_is_left(
    sim: Simulator, client: Client, store: Store, collector: Collector
) -> None:
    """Full pages mean that there is more."""
    numbers = [f"139{n:08d}" for n in range(2500)]
    client.submit(numbers, "您好")
    sim.clock.sleep(60)
    collected = collector.drain()

    assert (collected.reports, collected.drained) == (2500, True)
    assert len(store.reports()) == len(sim.handed_out) == 2500
    assert sim.min_poll_gap >= 5.0


def test_wait_ends_when_enough_has_been_reported(
    sim: Simulator, store: Store, collector: Collector, bench: Bench, client: Client, plain_batch: type[PlainBatch]
) -> None:
    """Waiting for a campaign ends at the share asked for, and says which share it reached."""
    bench.account = client.account.name
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch(PHONES))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "accepted", client.submit(PHONES, "您好").msg_group)
    collected = collector.wait("c1", until=0.99, progress=False)

    assert (collected.reached, collected.foreign) == (1.0, 0)


def test_wait_for_a_mistyped_campaign_says_what_there_is(collector: Collector, bench: Bench, client: Client) -> None:
    """A campaign nobody planned is not "100 % reported": the names that are there are listed; nor is a share of 99."""
    bench.account = client.account.name
    bench.send(PHONES, "0101080000000000000001", campaign="积分到期")
    with pytest.raises(InputError, match="积分到期"):
        collector.wait("积分到朝")
    with pytest.raises(InputError, match="from 0 to 1"):
        collector.wait("积分到期", until=99)


@pytest.mark.parametrize("way", ["collect", "drain"])
def test_a_wrong_key_ends_collecting_with_advice(sim: Simulator, store: Store, way: str) -> None:
    """A refusal that will not pass is an error that says what to do, not something to ask again and again."""
    with Client(sim.account(secret_key="wrong"), clock=sim.clock) as client:
        collector = Collector(client, store, say=lambda _text: None)
        with pytest.raises(RefusedError, match="InvalidUsrOrPwd") as caught:
            getattr(collector, way)()
        collector.stop()

    assert "ap_id" in str(caught.value)
    assert len(sim.requests) == 1


def test_wait_gives_up_at_its_timeout(
    sim: Simulator, store: Store, collector: Collector, bench: Bench, client: Client
) -> None:
    """Falling short is not an error: the share reached is told, that time was up, and how many are still out."""
    bench.account = client.account.name
    bench.send(PHONES, "0101080000000000000001")
    began = sim.clock.monotonic()
    collected = collector.wait("c1", until=0.99, timeout=120, progress=False)
    collector.stop()

    assert (collected.reached, collected.accepted, collected.reported, collected.gave_up_s) == (0.0, 40, 0, 120)
    assert sim.clock.monotonic() - began <= 121
    assert collected.text("en").endswith(
        "; 0.0% reported: 0 of 40; gave up after 2 min (platform time): 40 messages still without a report; "
        "nothing more waiting now"
    )
    assert "已等待 2 分钟（平台时间），不再等待：仍有 40 条没有回执" in collected.text("zh")


def test_wait_says_what_was_there_before(sim: Simulator, store: Store, collector: Collector, client: Client) -> None:
    """Reports fetched while sending, or by an earlier call, are counted apart, so that the counts add up."""
    plan = mas.plan(pd.DataFrame({"p": PHONES}), phone="p", text="您好", campaign="c", store=store)
    mas.send(plan, client, store, progress=False)
    sim.clock.sleep(60)
    first = collector.wait("c", progress=False)
    second = collector.wait("c", progress=False)

    assert first.text("en").startswith("40 reports and 0 replies in 1 poll; 100.0% reported: 40 of 40")
    assert "before" not in first.text("en")
    assert second.text("en").startswith(
        "0 reports and 0 replies in 0 polls; 100.0% reported: 40 of 40, 40 of them before this call"
    )
    assert "40 条中的 40 条，其中 40 条在本次调用之前" in second.text("zh")
    assert second.gave_up_s is None


def test_wait_where_nothing_was_accepted(
    store: Store, collector: Collector, bench: Bench, plain_batch: type[PlainBatch]
) -> None:
    """A campaign without an accepted message is not called fully reported."""
    bench.register(bench.start(), plain_batch(PHONES))

    assert "no accepted message to wait for" in collector.wait("c1", progress=False).text("en")


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("way", ["collect", "drain", "wait"])
def test_an_interrupted_call_says_what_was_done(sim: Simulator, store: Store, client: Client, way: str) -> None:
    """Ctrl-C lets the poll under way be stored, says what came until then, and the next call goes on."""
    said: list[str] = []
    collector = Collector(client, store, say=said.append, language="en")
    plan = mas.plan(pd.DataFrame({"p": PHONES}), phone="p", text="您好", campaign="c", store=store)
    mas.send(plan, client, store, progress=False)
    sim.clock.sleep(60)
    real = client.poll_reports

    def interrupted() -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return real()

    client.poll_reports = interrupted
    with pytest.raises(KeyboardInterrupt):
        getattr(collector, way)()
    client.poll_reports = real
    counts = store.messages()["status"].value_counts().to_dict()
    after = collector.drain()
    collector.stop()

    assert said[1:] == [
        "Interrupted: 40 reports and 0 replies in 1 poll. Whatever came is in the store; run it again to go on."
    ]
    assert counts == {"delivered": 40}
    assert after.drained


@pytest.mark.parametrize(
    ("collected", "english", "chinese"),
    [
        (Collected(), "0 reports and 0 replies in 0 polls", "0 次查询，收到 0 条回执、0 条上行回复"),
        (
            Collected(polls=1, reports=1, uplinks=1, opt_outs=1, foreign=1, set_aside=1, settled=1, rejected=1, drained=True),
            "1 report and 1 reply in 1 poll; 1 opted out; 1 of a batch not known as this store's when it came; 1 that could"
            " not be read, kept; 1 batch of unknown outcome settled; 1 answer was not data (too soon, or rejected); nothing"
            " more waiting now",
            "1 次查询，收到 1 条回执、1 条上行回复；1 人退订；1 条到达时不属于本库已知的批次；1 条无法解析，已保留；"
            "1 个结果不明的批次已确认；1 次应答不是数据（过快或被拒绝）；平台暂无更多数据",
        ),
        (
            Collected(polls=2, reached=0.5, accepted=2, reported=1, reported_before=0, gave_up_s=60.0),
            "0 reports and 0 replies in 2 polls; 50.0% reported: 1 of 2; gave up after 1 min: 1 message still without a report",
            "2 次查询，收到 0 条回执、0 条上行回复；已有 50.0% 收到回执：2 条中的 1 条；已等待 1 分钟，不再等待：仍有 1 条没有回执",
        ),
        (
            Collected(polls=2000, reports=1500, gave_up_s=7200.0, platform_time=True),
            "1,500 reports and 0 replies in 2,000 polls; gave up after 2 h (platform time): more may be waiting",
            "2,000 次查询，收到 1,500 条回执、0 条上行回复；已等待 2 小时（平台时间），不再等待：可能还有数据",
        ),
    ],
)  # fmt: skip
def test_what_was_collected_in_words(collected: Collected, english: str, chinese: str) -> None:
    """One is said as one, several as several, and only what happened is said."""
    assert collected.text("en") == english
    assert collected.text("zh") == chinese


def test_the_first_collection_says_that_reports_are_handed_out_once(client: Client, store: Store) -> None:
    """Before anything is read from an account, its sharing is explained; afterwards no more."""
    said: list[str] = []
    for _ in range(2):
        collector = Collector(client, store, say=said.append)
        collector.collect()
        collector.stop()

    assert len(said) == 1
    assert "hands each report out once" in said[0]


def test_another_store_on_the_same_account_is_noticed(
    client: Client, store: Store, tmp_path: Path, clock: ManualClock
) -> None:
    """Two stores that collect one account on this machine are told of each other."""
    said: list[str] = []
    with Store(tmp_path / "second.db", clock=clock) as second:
        for one in (store, second):
            collector = Collector(client, one, say=said.append)
            collector.collect()
            collector.stop()

    warned = [line for line in said if "Another store" in line]
    assert len(warned) == 1
    assert str(store.path) in warned[0]


def test_a_batch_whose_reports_stay_away_is_suspicious(
    sim: Simulator,
    client: Client,
    store: Store,
    collector: Collector,
    bench: Bench,
    make_report: Callable[..., dict[str, str]],
) -> None:
    """When one batch lags far behind its neighbours, somebody else may be taking its reports: said once."""
    said: list[str] = []
    collector._say = said.append
    bench.account = client.account.name
    mine = [f"139{n:08d}" for n in range(60)]
    gone = [f"137{n:08d}" for n in range(60)]
    bench.send(mine, "0101080000000000000001")
    bench.send(gone, "0101080000000000000002")
    sim.clock.sleep(1000)
    bench.receive([make_report(phone, "0101080000000000000001") for phone in mine])
    collector.drain()
    collector.drain()

    assert [line for line in said if "taking your reports" in line] == [
        "Batch 2: only 0% reported, while the campaign's other batches have 100%. Somebody else may be taking your "
        "reports: does another system poll this account?"
    ]


def test_too_soon_is_backed_off_and_said_once(sim: Simulator, store: Store, client: Client) -> None:
    """An answer that is not data is no data: it is kept as rejected, said once, and asked less often."""
    said: list[str] = []
    collector = Collector(client, store, say=said.append)
    sim.fault("too_soon", times=3)
    collected = collector.drain()
    collector.stop()

    assert (collected.rejected, collected.drained) == (3, True)
    assert len([line for line in said if "not data" in line]) == 1
    assert list(store.polls(state="rejected")["records"]) == [0, 0, 0]


def test_a_lost_answer_is_an_error_that_says_so(
    sim: Simulator, store: Store, collector: Collector, client: Client
) -> None:
    """A poll taken but never answered may have cost reports: the error and the store both say it."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    sim.fault("drop_after", endpoint="report", times=1)
    with pytest.raises(NetworkError) as caught:
        collector.collect()

    assert caught.value.sent
    assert list(store.polls()["state"]) == ["lost"]


def test_a_refused_connection_loses_nothing(sim: Simulator, store: Store, collector: Collector, client: Client) -> None:
    """A poll that never left is no loss; the next one brings everything."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    sim.stop()
    with pytest.raises(NetworkError) as caught:
        collector.collect()
    sim.start()

    assert not caught.value.sent
    assert collector.drain().reports == 40


def test_half_an_answer_is_kept_and_read_as_far_as_it_goes(
    sim: Simulator, store: Store, collector: Collector, client: Client
) -> None:
    """A truncated answer keeps its received half; whole records in it count."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    sim.fault("truncate", endpoint="report", times=1)
    collector.drain()
    polls = store.polls()
    complete = list(store.db.query("SELECT complete FROM polls ORDER BY poll_id LIMIT 1"))

    assert 0 < len(store.reports()) < 40
    assert polls["state"].iloc[0] == "unparsed"
    assert complete == [{"complete": 0}]


@pytest.mark.parametrize("fault", ["broken_record", "invalid_utf8"])
def test_one_bad_record_costs_one_record(
    sim: Simulator, store: Store, collector: Collector, client: Client, fault: str
) -> None:
    """A broken record, or one with invalid UTF-8, harms no other."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    sim.fault(fault, endpoint="report", times=1)
    collector.drain()

    assert len(store.reports()) >= 39
    assert store.raw_answer(1)


def test_a_full_disk_spools_the_answer_and_takes_it_in_once(
    sim: Simulator, store: Store, collector: Collector, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that cannot be written waits beside the store and counts once, at the next chance."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    pages = store.db.execute("PRAGMA page_count").fetchone()[0]
    real = collector.client.poll_reports

    def fill_up_then_poll() -> Any:
        answer = real()
        store.messages()
        store.db.execute(f"PRAGMA max_page_count = {pages}")
        return answer

    monkeypatch.setattr(collector.client, "poll_reports", fill_up_then_poll)
    with pytest.raises(StoreError, match="safe in"):
        _in_this_thread(collector)
    waiting = list(spooled_answers(store.path))
    mode = waiting[0].path.stat().st_mode & 0o777
    store.db.execute("PRAGMA max_page_count = 1000000")
    monkeypatch.undo()
    sim.clock.sleep(10)
    collected = collector.collect()

    assert (len(waiting), mode) == (1, 0o600)
    assert collected.reports == 40
    assert len(store.reports()) == 40
    assert not spool_folder(store.path).exists()


def test_a_read_only_store_is_noticed_before_polling(
    sim: Simulator, client: Client, tmp_path: Path, clock: ManualClock
) -> None:
    """Where nothing can be written, nothing is asked for."""
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    with Store(tmp_path / "ro.db", clock=clock) as store:
        store.path.chmod(0o400)
        collector = Collector(client, store, say=lambda _text: None)
        with pytest.raises(StoreError):
            collector.collect()
        collector.stop()

    assert sim.requests == []


def test_a_locked_store_spools(sim: Simulator, client: Client, tmp_path: Path, clock: ManualClock) -> None:
    """While somebody else holds the file, an answer goes to the spool, and is taken in later."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    with Store(tmp_path / "mas.db", clock=clock, busy_s=0.1) as store:
        collector = Collector(client, store, say=lambda _text: None)
        collector.collect()
        client.submit(PHONES, "再一次")
        sim.clock.sleep(60)
        other = sqlite3.connect(store.path, check_same_thread=False)
        real = client.poll_reports

        def lock_then_poll() -> Any:
            answer = real()
            other.execute("BEGIN IMMEDIATE")
            return answer

        client.poll_reports = lock_then_poll
        with pytest.raises(StoreError, match="locked by another program"):
            collector.collect()
        other.rollback()
        other.close()
        del client.poll_reports
        sim.clock.sleep(10)
        collector.collect()
        collector.stop()

        assert len(store.reports()) == 80


def test_what_can_be_written_nowhere_is_told(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where neither the store's folder nor the temporary one takes the answer, the error names both."""
    from masanalytics.collecting import spool

    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(blocked))
    with pytest.raises(StoreError, match="written nowhere"):
        spool.write_spool(blocked / "mas.db", "a", 1, PollAnswer("report", b"[]", 200, True, 1, 1))


def test_spooled_answers_survive_word_for_word(store: Store) -> None:
    """A spool file holds the answer's bytes and where they belong."""
    from masanalytics.collecting.spool import write_spool

    answer = PollAnswer("deliver", b'[{"x": "\xff\n"}]', 200, False, 10, 11)
    path = write_spool(store.path, "企业/ap", 7, answer)
    (found,) = spooled_answers(store.path)

    assert (found.path, found.account, found.poll_id, found.answer) == (path, AccountKey("企业/ap"), 7, answer)


def test_answers_left_unparsed_by_a_dead_process_are_taken_in(
    sim: Simulator, store: Store, collector: Collector, client: Client
) -> None:
    """A raw answer that a killed process had stored is parsed at the next start."""
    group = client.submit(PHONES, "您好").msg_group
    raw = f'[{{"reportStatus":"DELIVRD","mobile":"{PHONES[0]}","msgGroup":"{group}"}}]'.encode()
    Rows(store, client.account.name).stored_poll(raw, store.clock.now())
    collected = collector.collect()

    assert (collected.polls, collected.reports) == (2, 1)


def test_replay_after_collecting_changes_nothing(
    sim: Simulator, store: Store, collector: Collector, client: Client
) -> None:
    """Reading everything again gives what collecting gave."""
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    collector.drain()
    before = store.reports()

    assert replay(store) == len(store.polls())
    assert store.reports().equals(before)


def test_background_collecting_starts_and_stops(tmp_path: Path) -> None:
    """start() collects in the background until stop(); what came meanwhile is in the store."""
    clock = FastClock(200)
    with Simulator(https=False, clock=clock, behaviour={}) as sim, Store(tmp_path / "mas.db", clock=clock) as store:
        client = sim.client()
        client.submit(PHONES, "您好")
        with Collector(client, store, say=lambda _text: None) as collector:
            assert collector.running
            wait_until(lambda: collector.total.reports == 40)
        client.close()

        assert not collector.running
        assert len(store.reports()) == 40


def test_a_stopped_collector_can_be_used_again(
    sim: Simulator, client: Client, store: Store, collector: Collector
) -> None:
    """After stop(), drain() and collect() work as before."""
    collector.start()
    collector.stop()
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)

    assert collector.drain().reports == 40


def test_a_poll_without_an_answer_does_not_stop_sending(
    sim: Simulator, client: Client, store: Store, collector: Collector
) -> None:
    """In the idle time of other work a lost poll is noted, and asked again later."""
    sim.fault("drop_after", endpoint="report", times=1)
    first = collector.collect_if_due()
    sim.clock.sleep(60)
    client.submit(PHONES, "您好")
    sim.clock.sleep(60)
    second = collector.collect_if_due()

    assert (first.polls, second.reports) == (0, 40)


def test_two_collectors_take_turns(tmp_path: Path) -> None:
    """Two collectors on one account and store never poll too close, and lose nothing."""
    clock = FastClock(100)
    with Simulator(https=False, clock=clock, behaviour={}) as sim:
        numbers = [f"139{n:08d}" for n in range(4999)]
        client = sim.client()
        client.submit(numbers, "您好")
        stores = [Store(tmp_path / "mas.db", clock=clock) for _ in range(2)]
        collectors = [Collector(client, store, say=lambda _text: None).start() for store in stores]
        wait_until(lambda: sum(one.total.reports for one in collectors) == 4999)
        for one in collectors:
            one.stop()
        client.close()

        assert len(stores[0].reports()) == 4999
        assert sim.min_poll_gap >= 5.0
        assert [request.outcome for request in sim.requests if "soon" in request.outcome] == []
        for store in stores:
            store.close()


def test_run_forever_ends_cleanly_and_leaves_a_health_file(tmp_path: Path) -> None:
    """The service collects until it is told to stop, and others can see how it stands."""
    clock = FastClock(300)
    lines: list[str] = []
    with Simulator(https=False, clock=clock, behaviour={}) as sim, Store(tmp_path / "mas.db", clock=clock) as store:
        client = sim.client()
        client.submit(PHONES, "您好")
        collector = Collector(client, store, say=lambda _text: None)
        done: list[int] = []
        thread = threading.Thread(
            target=lambda: done.append(run_forever(collector, echo=lines.append, health=tmp_path / "health"))
        )
        thread.start()
        wait_until(lambda: collector.total.reports == 40 and lines)
        collector.stop()
        thread.join(10)
        client.close()
        standing = status(store, client.account.name)

        assert done == [0]
        assert "40 reports" in lines[-1]
        written = json.loads(Path(tmp_path / "health").read_text())
        assert written["fresh"] is True
        assert datetime.fromisoformat(written["covered_until_time"]).timestamp() == written["covered_until"]
        assert written["last_poll_time"].endswith("+08:00")
        assert standing.fresh
        assert "fresh" in standing.text("en")


def test_the_schedule_gives_reports_priority_and_replies_a_share() -> None:
    """While reports come in full pages, every sixth poll is for replies; when drained, the two alternate."""
    schedule = PollSchedule(interval_s=5, idle_s=60)
    asked = []
    for _ in range(12):
        asked.append(schedule.next_endpoint())
        size = 1000 if asked[-1] == "report" else 0
        schedule.note(asked[-1], Received("records", size=size, drained=size == 0))

    assert asked == (["report"] * 5 + ["deliver"]) * 2


def test_an_idle_account_is_asked_less_and_less_a_busy_one_at_the_limit() -> None:
    """Pauses grow from five seconds to a minute while nothing comes, and fall back at the first record."""
    schedule = PollSchedule(interval_s=5, idle_s=60)
    pauses = []
    for _ in range(10):
        schedule.note(schedule.next_endpoint(), Received("records", size=0, drained=True))
        pauses.append(schedule.pause_s)
    schedule.note("report", Received("records", size=3, reports=3, drained=True))

    assert pauses[0] == 5
    assert pauses == sorted(pauses)
    assert pauses[-1] == 60
    assert schedule.pause_s == 5


def _in_this_thread(collector: Collector) -> None:
    """Poll once without the helping thread, so that the test's own connection is the one used."""
    turn = collector.schedule.take_turn("report")
    collector.poller.poll(turn.poll_id, "report")
