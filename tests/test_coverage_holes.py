"""What is known to be missing is never counted as silence: lost, waiting and unread answers, and clocks that are ahead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.text import Text

import masanalytics as mas
from masanalytics.analysis.results import notes_of
from masanalytics.client import Client
from masanalytics.clock import ManualClock
from masanalytics.collecting.service import status
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store import Store, coverage
from masanalytics.store.observation import Stretch
from masanalytics.timezone import to_platform_time
from tests.bench import Bench, report
from tests.charts import OF_A_STORE, untried

RATES = ["accepted", "delivered", "pending", "unreported", "delivery_rate", "most"]
HOUR = 3600


def people(n: int, start: int = 13800000000) -> list[str]:
    return [str(start + i) for i in range(n)]


def sent(client: Client, store: Store, phones: list[str], campaign: str = "C") -> None:
    mas.send(pd.DataFrame({"p": phones}), client, store, phone="p", text="您好", campaign=campaign, progress=False)


def collector_of(client: Client, store: Store) -> mas.Collector:
    return mas.Collector(client, store, say=lambda _text: None)


def collect_every(collector: mas.Collector, clock: ManualClock, hours: int, step: int = 2) -> None:
    for _ in range(0, hours, step):
        clock.sleep(step * HOUR)
        collector.collect()


def hear_nothing(bench: Bench, hours: int, step: int = 2) -> None:
    """Poll for hours, and get empty answers."""
    for _ in range(0, hours, step):
        bench.clock.sleep(step * HOUR)
        bench.receive([])


def rates(data: Any, **more: Any) -> list[list[float]]:
    rows: list[list[float]] = mas.delivery_rates(data, **more)[RATES].round(4).to_numpy().tolist()
    return rows


@pytest.fixture
def everybody(clock: ManualClock) -> Any:
    """A platform that delivers everything within a second."""
    with Simulator(https=False, clock=clock, behaviour=Scripted()) as one:
        yield one


def lose_the_first_page(sim: Simulator, store: Store, clock: ManualClock, fault: str) -> mas.Collector:
    """Send 1,500 messages, all delivered at once, whose first 1,000 reports never come through; collect 74 hours more."""
    client = sim.client()
    collector = collector_of(client, store)
    sent(client, store, people(1500))
    clock.sleep(5)
    sim.fault(fault, endpoint="report", times=1)
    try:
        collector.collect()
    except mas.NetworkError:
        assert fault == "drop_after"
    collect_every(collector, clock, 74)
    return collector


@pytest.mark.parametrize(("fault", "state"), [("drop_after", "lost"), ("garbage", "unparsed")])
def test_reports_that_are_known_to_be_missing_may_have_arrived(
    everybody: Simulator, store: Store, clock: ManualClock, fault: str, state: str
) -> None:
    """The truth, 1.0, lies within the bounds; nobody is called unreported; rates, card and report say why."""
    lose_the_first_page(everybody, store, clock, fault).stop()
    found = mas.delivery_rates(store)
    missing = store.missing_answers()

    assert rates(store) == [[1500, 500, 1000, 0, 0.3333, 1.0]]
    assert found["expected_rate"].isna().all()
    assert (
        "1 answer of the platform was lost or is not read, and can hold 1,000 reports: messages open then may have arrived"
        in notes_of(found, "en")
    )
    assert missing[["state", "records"]].to_numpy().tolist() == [[state, 1000]]
    assert "1 answer of the platform was lost or is not read" in store.text("en")
    assert "平台有 1 次应答丢失或未能读取" in store.text("zh")
    assert status(store, everybody.client().account.name).health.missing == 1


@pytest.fixture(scope="module")
def two_campaigns() -> Iterator[Store]:
    """One whole campaign, and a day later one of which the reports were lost."""
    clock = ManualClock()
    codes = dict.fromkeys(people(20), ("MK:0001", 1.0))
    with (
        Simulator(https=False, clock=clock, behaviour=Scripted(codes)) as sim,
        Store(":memory:", clock=clock) as store,
        sim.client() as client,
    ):
        collector = collector_of(client, store)
        collector.drain()
        for campaign in ("A", "B"):
            sent(client, store, people(120), campaign)
            clock.sleep(60)
            if campaign == "B":
                sim.fault("drop_after", endpoint="report", times=1)
                with pytest.raises(mas.NetworkError):
                    collector.collect()
            collect_every(collector, clock, 24)
        yield store


def test_every_chart_is_drawn_here() -> None:
    """A new chart says it too."""
    assert not untried(OF_A_STORE)


@pytest.mark.parametrize("chart", OF_A_STORE)
def test_every_chart_says_what_is_missing(chart: str, two_campaigns: Store) -> None:
    """One plain sentence below each picture."""
    figure = OF_A_STORE[chart](two_campaigns).figure
    said = " ".join(" ".join(text.get_text() for text in figure.findobj(Text)).split())
    plt.close(figure)

    assert (
        "1 answer of the platform was lost or is not read, and can hold 1,000 reports: messages open then may have"
        in said
    )


def test_an_age_that_tells_nothing_is_said(two_campaigns: Store) -> None:
    """Of a campaign whose reports were lost right after it was sent nobody can say more than how it stood at once."""
    found = mas.compare(two_campaigns, "campaign", "A", "B")

    assert [note["code"] for note in found.attrs["notes"] if note["code"] == "age_tells_nothing"] == [
        "age_tells_nothing"
    ]


def test_what_is_given_up_is_silence_again(everybody: Simulator, store: Store, clock: ManualClock) -> None:
    """By the user's word a lost answer is no hole any more: what is silent after 72 hours is unreported."""
    lose_the_first_page(everybody, store, clock, "drop_after").stop()

    assert store.give_up_answers() == 1
    assert rates(store) == [[1500, 500, 0, 1000, 0.3333, 0.3333]]
    assert store.missing_answers().empty
    assert store.give_up_answers() == 0


def test_an_answer_that_is_read_later_closes_its_hole(
    everybody: Simulator, store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a defect kept from being read is read again by replay, and then nothing is missing."""
    client = everybody.client()
    collector = collector_of(client, store)
    sent(client, store, people(1500))
    clock.sleep(5)
    with monkeypatch.context() as patch:
        patch.setattr("masanalytics.store.report_ingestion.take_reports", lambda *_: 1 / 0)
        collector.collect()
    collect_every(collector, clock, 74)
    before = rates(store)
    mas.replay(store)
    collector.stop()

    assert before == [[1500, 500, 1000, 0, 0.3333, 1.0]]
    assert rates(store) == [[1500, 1500, 0, 0, 1.0, 1.0]]
    assert store.missing_answers().empty


def test_most_is_open_by_what_a_missing_answer_can_hold(store: Store, bench: Bench, clock: ManualClock) -> None:
    """Of 3,000 silent messages one lost answer can hold a thousand: no more of them may have arrived."""
    phones = people(3000)
    bench.send(phones, "0101080000000000000001")
    lose(store, bench, clock)
    hear_nothing(bench, hours=74)

    assert rates(store) == [[3000, 0, 3000, 0, 0.0, 0.3333]]


def lose(store: Store, bench: Bench, clock: ManualClock) -> int:
    """Ask, and lose the answer."""
    turn = store.intake.take_turn(bench.account, "report", 0.0, clock, "bench")
    store.intake.note_no_answer(bench.account, turn.poll_id, mas.NetworkError("gone").said, clock, lost=True)
    return turn.poll_id


def test_messages_of_another_time_are_not_concerned(store: Store, bench: Bench, clock: ManualClock) -> None:
    """Whoever was submitted after the hole, or had 72 hours behind him before it, is counted as ever."""
    bench.send(people(10), "0101080000000000000001", "before")
    bench.receive([])
    hear_nothing(bench, hours=80)
    bench.send(people(10, 13900000000), "0104160000000000000001", "during")
    clock.sleep(600)
    bench.receive([])
    lose(store, bench, clock)
    clock.sleep(60)
    bench.send(people(10, 13700000000), "0104162000000000000001", "after")
    hear_nothing(bench, hours=80)
    found = mas.delivery_rates(store, by="campaign")

    assert found[["campaign", "pending", "unreported", "most"]].to_numpy().tolist() == [
        ["after", 0, 10, 0.0],
        ["before", 0, 10, 0.0],
        ["during", 10, 0, 1.0],
    ]
    assert mas.delivery_rates(store, campaign="before").attrs["coverage"]["holes"] == []
    assert len(mas.delivery_rates(store, campaign="during").attrs["coverage"]["holes"]) == 1


def test_rates_at_equal_age_leave_out_who_was_not_watched_so_long(
    store: Store, bench: Bench, clock: ManualClock
) -> None:
    """Ten minutes were watched before the hole, an hour was not: whether the report came before or after."""
    phones = people(1500)
    bench.send(phones, "0101080000000000000001")
    clock.sleep(600)
    bench.receive([report(phone, "0101080000000000000001") for phone in phones[:900]])
    lose(store, bench, clock)
    clock.sleep(600)
    bench.receive([report(phone, "0101080000000000000001", receiveDate="20260101081500") for phone in phones[900:1000]])
    for _ in range(12):
        clock.sleep(600)
        bench.receive([])

    assert rates(store, within="10min") == [[1500, 900, 600, 0, 0.6, 1.0]]
    assert mas.delivery_rates(store, within="1h").empty
    assert set(store.messages()["waited_s"]) == {600}
    assert mas.timeline(store)["pending"].tolist() == [500]
    assert [note["code"] for note in mas.latency(store).attrs["notes"]] == ["still_pending", "holes"]


def test_a_frame_knows_it_as_the_store_does(everybody: Simulator, store: Store, clock: ManualClock) -> None:
    """The messages as a frame say by their waiting time what was not watched."""
    lose_the_first_page(everybody, store, clock, "drop_after").stop()

    assert rates(store.messages()) == [[1500, 500, 1000, 0, 0.3333, 1.0]]


def test_single_records_that_cannot_be_read_open_most_by_as_many(
    store: Store, bench: Bench, clock: ManualClock
) -> None:
    """Three records of a page are no report: of the silent, three may have arrived; the rest is silent as ever."""
    phones = people(100)
    bench.send(phones, "0101080000000000000001")
    clock.sleep(30)
    bench.receive([*(report(phone, "0101080000000000000001") for phone in phones[:50]), 1, 2, 3])
    hear_nothing(bench, hours=74)

    assert rates(store) == [[100, 50, 0, 50, 0.5, 0.53]]
    assert store.missing_answers()["records"].tolist() == [3]


def test_what_a_gateway_lost_may_have_arrived(everybody: Simulator, store: Store, clock: ManualClock) -> None:
    """The platform handed a page out and the gateway said 502: it is said once, nobody is unreported, and `most` is open."""
    client, said = everybody.client(), list[str]()
    collector = mas.Collector(client, store, say=said.append, language="en")
    sent(client, store, people(1000))
    clock.sleep(5)
    everybody.fault("status", endpoint="report", times=1, status=502, taken=True)
    collector.collect()
    collect_every(collector, clock, 74)
    collector.stop()

    assert rates(store) == [[1000, 0, 1000, 0, 0.0, 1.0]]
    assert [line.split(" (")[0] for line in said[1:]] == ["The platform's answer to a poll cannot be read"]


def test_records_that_cannot_be_read_stay_possible_at_every_age(store: Store, bench: Bench, clock: ManualClock) -> None:
    """Forty of a hundred reports of one page are unreadable: within an hour up to ninety may have been delivered."""
    phones = people(100)
    bench.send(phones, "0101080000000000000001")
    clock.sleep(30)
    bench.receive([*(report(phone, "0101080000000000000001") for phone in phones[:50]), *range(40)])
    hear_nothing(bench, hours=74)

    found = mas.delivery_rates(store, within="1h")
    assert found[["accepted", "delivered", "delivery_rate", "most"]].values.tolist() == [[100, 50, 0.5, 0.9]]
    assert (found["high"][0] > 0.9, round(found["low"][0], 3)) == (True, 0.404)


def test_half_a_page_may_hold_the_other_half(everybody: Simulator, store: Store, clock: ManualClock) -> None:
    """A page that was cut off gives what came through; the rest of a full page may be missing."""
    client = everybody.client()
    collector = collector_of(client, store)
    sent(client, store, people(1000))
    clock.sleep(5)
    everybody.fault("truncate", endpoint="report", times=1)
    collector.collect()
    collect_every(collector, clock, 74)
    collector.stop()
    stored = len(store.reports())

    assert 400 < stored < 600
    assert rates(store) == [[1000, stored, 1000 - stored, 0, stored / 1000, 1.0]]


def test_an_unanswered_poll_is_a_hole_as_soon_as_the_next_one_begins(
    store: Store, bench: Bench, clock: ManualClock
) -> None:
    """Whoever asked and left nothing, by a kill or with a full disk, leaves a hole; its answer, taken in, closes it."""
    phones = people(10)
    bench.send(phones, "0101080000000000000001")
    turn = store.intake.take_turn(bench.account, "report", 0.0, clock, "bench")
    clock.sleep(600)
    under_way = len(store.missing_answers())
    hear_nothing(bench, hours=74)
    before = rates(store)
    now = clock.now()
    answer = mas.protocol.PollAnswer("report", b"[]", 200, True, now, now)
    store.intake.keep_answer(bench.account, turn.poll_id, answer, clock)
    store.intake.ingest(turn.poll_id)

    assert under_way == 0
    assert before == [[10, 0, 10, 0, 0.0, 1.0]]
    assert rates(store) == [[10, 0, 0, 10, 0.0, 0.0]]


def test_lost_replies_concern_no_rate(store: Store, bench: Bench, clock: ManualClock) -> None:
    """An answer of the other queue holds no reports."""
    bench.send(people(10), "0101080000000000000001")
    turn = store.intake.take_turn(bench.account, "deliver", 0.0, clock, "bench")
    store.intake.note_no_answer(bench.account, turn.poll_id, mas.NetworkError("gone").said, clock, lost=True)
    hear_nothing(bench, hours=74)

    assert rates(store) == [[10, 0, 0, 10, 0.0, 0.0]]
    assert store.missing_answers()["endpoint"].tolist() == ["deliver"]


def test_hundreds_of_holes_stay_a_short_question() -> None:
    """Holes without anything fetched between them are one; more than a hundred steps are taken together, never later."""
    from masanalytics.store.holes import Hole
    from masanalytics.store.observation import stretches

    apart = [Hole(n, 1, "a", "lost", n * 10**6, n * 10**6 + 60, 1000, True) for n in range(1, 400)]
    together = [Hole(n, 1, "a", "lost", 10**6, 10**6 + n, 1000, True) for n in range(1, 400)]
    found = stretches(apart, 10**9)

    assert len(found) <= 100
    assert all(one.end <= 10**6 * (one.last // 10**6) for one in found)
    assert stretches(together, 10**9) == [Stretch(10**6 - 72 * HOUR, 10**6 + 399, 10**6)]


# ---- clocks ----------------------------------------------------------------------------------------------------------


def eight_hours_ahead_once(sim: Simulator, store: Store, clock: ManualClock) -> mas.Collector:
    collector = collector_of(sim.client(), store)
    clock.jump(8 * HOUR)
    collector.collect()
    clock.jump(-8 * HOUR)
    return collector


def test_an_instant_in_the_future_is_not_believed(store: Store, clock: ManualClock) -> None:
    """A poll with the clock eight hours ahead makes no message "observed for an hour", and no status fresh."""
    with Simulator(https=False, clock=clock, behaviour=Scripted(dict.fromkeys(people(700)))) as sim:
        collector = eight_hours_ahead_once(sim, store, clock)
        name = sim.client().account.name
        wrong = status(store, name).fresh
        sent(sim.client(), store, people(1000))
        clock.sleep(30)
        collector.collect()
        collector.stop()

    assert not wrong
    assert mas.delivery_rates(store, within="1h").empty
    assert "collected until 2026-01-01 08:00" in repr(store)
    assert status(store, name).fresh
    clock.sleep(2 * HOUR)
    assert not status(store, name).fresh


def test_a_simulated_platforms_file_keeps_its_time_when_its_notebook_starts_anew(
    sim: Simulator, store: Store, clock: ManualClock
) -> None:
    """Its messages lie ahead of the machine's clock as its collecting does: both stand until something is fetched by ours."""
    behind = ManualClock(clock.now())
    clock.sleep(40 * HOUR)
    sent(sim.client(), store, people(1000))
    collector_of(sim.client(), store).collect()
    with mas.Store(store.path, clock=behind) as anew:
        shown = repr(anew)

    assert "collected until 2026-01-03 00:00" in shown


def test_a_collector_that_died_with_its_clock_ahead_is_never_fresh_again(sim: Simulator, store: Store) -> None:
    """Its last poll lies eight hours later than the platform's time: eight hours later it is not of this minute."""
    ours = ManualClock(sim.clock.now() + 8 * HOUR)
    with mas.Store(store.path, clock=ours) as wrong:
        collector_of(sim.client(clock=ours), wrong).collect()
    ours.jump(-8 * HOUR)
    ours.sleep(8 * HOUR)
    with mas.Store(store.path, clock=ours) as right:
        standing = status(right, sim.client().account.name)

    assert ours.now() - (standing.health.drained_at or 0) < 60
    assert not standing.fresh


def test_what_a_wrong_clock_wrote_is_mended_at_the_next_opening(
    sim: Simulator, clock: ManualClock, tmp_path: Path
) -> None:
    """A store whose coverage ends in the future is put right before anybody reads it; what was right stays."""
    path = tmp_path / "mas2.db"
    with Store(path, clock=clock) as store:
        collector_of(sim.client(), store).collect()
        store.db.execute("INSERT INTO coverage SELECT account_id, ended_at + 28800, ended_at + 30000 FROM coverage")
        store.db.conn.commit()
        assert len(store.coverage()) == 2
    with Store(path, clock=clock) as store:
        ends = [str(end) for end in store.coverage()["ended_at"]]

    assert ends == ["2026-01-01 08:00:00+08:00"]


def test_the_platforms_own_time_is_believed_before_a_clock_that_is_ahead(
    store: Store, bench: Bench, clock: ManualClock
) -> None:
    """The answer's Date says how late it is; a difference of a minute is nobody's fault."""
    assert coverage.believed(1_000_000.0, 999_940.0) == 1_000_000
    assert coverage.believed(1_000_000.0, 900_000.0) == 900_000
    assert coverage.believed(900_000.0, 1_000_000.0) == 900_000


def test_the_simulated_platform_says_its_own_time(sim: Simulator, client: Client, clock: ManualClock) -> None:
    """Its Date header is the simulated time, and every answer carries it."""
    clock.sleep(77)
    answer = client.poll_reports()

    assert answer.server_time == 1_767_225_677.0
    assert to_platform_time(answer.server_time) == "20260101080117"


def test_a_clock_that_was_behind_loses_nothing(store: Store, bench: Bench, clock: ManualClock) -> None:
    """With the clock right again the end of coverage is where it was, and goes on."""
    bench.receive([])
    clock.jump(-20 * HOUR)
    clock.sleep(60)
    bench.receive([])
    clock.jump(20 * HOUR)
    clock.sleep(60)
    bench.receive([])

    assert str(store.coverage()["ended_at"].iloc[-1]) == "2026-01-01 08:02:00+08:00"


# ---- accounts whose reports are pushed ----------------------------------------------------------------------------------


def test_what_was_open_while_no_receiver_listened_is_not_called_unreported(bench: Bench, clock: ManualClock) -> None:
    """The platform drops after three tries what a queue would have kept: silence over a pause proves nothing."""
    began, intake = clock.now(), bench.store.intake
    bench.send(people(20), "0101080000000000000001")
    intake.note_receiving(bench.account, began - 100 * HOUR, began + 60)
    clock.sleep(90 * HOUR)
    bench.send(people(10, 13900000000), "0105020000000000000002", campaign="D")
    intake.note_receiving(bench.account, began + 89 * HOUR, began + 170 * HOUR)
    found = mas.delivery_rates(bench.store, by="campaign").sort_values("campaign")

    assert found[["pending", "unreported", "most"]].to_numpy().tolist() == [[0, 10, 0], [20, 0, 1]]
    assert "no receiver listened" in " ".join(map(str, notes_of(found)))


def test_a_batch_in_doubt_over_a_pause_of_the_receiver_cannot_be_told(bench: Bench, clock: ManualClock) -> None:
    """Its reports may have been pushed into nowhere."""
    began, intake = clock.now(), bench.store.intake
    bench.send(people(60), "")
    bench.send(people(60, 13900000000), "0101080000000000000001")
    bench.receive([report(phone, "0101080000000000000001") for phone in people(60, 13900000000)])
    clock.sleep(100 * HOUR)
    bench.store.db.execute("DELETE FROM coverage")
    bench.store.db.execute("UPDATE pace SET era = ''")
    intake.note_receiving(bench.account, began, began + HOUR)
    intake.note_receiving(bench.account, began + 90 * HOUR, clock.now())

    assert bench.store.batches(state="unknown")["verdict"].tolist() == ["cannot tell"]


def test_a_receivers_clock_that_is_ahead_covers_nothing_that_is_to_come(bench: Bench, clock: ManualClock) -> None:
    """Pushes do not say what time it is: the account's accepted batches do."""
    true = clock.now()
    clock.jump(8 * HOUR)
    began = clock.now()
    bench.send(people(5), "0101080000000000000001")
    bench.store.intake.note_receiving(bench.account, began - 10, began + 60)

    assert bench.store.db.execute("SELECT started_at - ?, ended_at - ? FROM coverage", [true, true]).fetchall() == [
        (-10, 60)
    ]
