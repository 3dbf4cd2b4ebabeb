"""Doubts are settled by proof: exclusive, sufficient, in time; every inference can be undone, and the platform's word wins."""

from __future__ import annotations

import platform as machine
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.clock import ManualClock, SystemClock
from masanalytics.errors import InputError, NetworkError
from masanalytics.planning import Limits
from masanalytics.simulator import Scripted, Simulator, Style
from masanalytics.timezone import to_platform_time
from tests.bench import Bench, PlainBatch

Report = Callable[..., dict[str, str]]
PHONES = [f"138{n:08d}" for n in range(10)]
G1, G2 = "0101080000000000000001", "0101080000000000000002"
LATER = "0101080200000000000003"


def outcome(bench: Bench) -> list[list[Any]]:
    """State, inferred and messages of each batch that is ours."""
    batches = bench.store.batches()
    return batches[batches["campaign"].notna()][["state", "inferred", "messages"]].to_numpy().tolist()


def reports(make_report: Report, group: str, phones: list[str], at: float | None = None) -> list[dict[str, str]]:
    dates = {} if at is None else {"submitDate": to_platform_time(at), "receiveDate": to_platform_time(at + 9)}
    return [make_report(phone, group, **dates) for phone in phones]


# ---- what is a proof ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "named", "settled"), [(10, 6, 1), (10, 5, 0), (9, 5, 1), (5, 5, 1), (5, 4, 0), (4, 4, 0), (1, 1, 0)]
)
def test_most_of_the_numbers_under_one_group_prove_it(
    bench: Bench, make_report: Report, size: int, named: int, settled: int
) -> None:
    """More than half, and five at least: a few numbers are reached by chance, and stay in doubt for ever."""
    bench.send(PHONES[:size], "")
    received = bench.receive(reports(make_report, G1, PHONES[:named]))
    statuses = Counter(bench.statuses().values())

    assert received.settled == settled
    assert statuses == (Counter(delivered=named, pending=size - named) if settled else Counter(unknown=size))
    assert len(bench.store.foreign_reports()) == (0 if settled else named)
    assert bench.store.batches(state="unknown")["named"].tolist() == ([] if settled else [named])


def test_reports_that_trickle_in_prove_it_together(bench: Bench, make_report: Report) -> None:
    """What was too little on one page is enough with the next."""
    bench.send(PHONES, "")
    first = bench.receive(reports(make_report, G1, PHONES[:4])).settled
    second = bench.receive(reports(make_report, G1, PHONES[4:8])).settled

    assert (first, second) == (0, 1)
    assert outcome(bench) == [["accepted", 1, 10]]


def test_a_group_with_a_number_of_nobody_proves_nothing(bench: Bench, make_report: Report) -> None:
    """All of the group's numbers must be in the batch."""
    bench.send(PHONES, "")
    bench.receive(reports(make_report, G1, [*PHONES, "13700137000"]))

    assert outcome(bench) == [["unknown", 0, 10]]


@pytest.mark.parametrize("rival", ["unknown", "submitting", "accepted"])
def test_another_batch_that_could_have_caused_the_reports_leaves_both_in_doubt(
    bench: Bench, make_report: Report, plain_batch: type[PlainBatch], rival: str
) -> None:
    """In doubt, in flight, or accepted without a msgGroup: where two fit, nothing is guessed."""
    bench.send(PHONES, "", campaign="Monday")
    run = bench.start("Monday 2")
    (batch_id,) = bench.register(run, plain_batch(PHONES, "另一条"))
    bench.claim(run, batch_id)
    if rival != "submitting":
        bench.answer(batch_id, rival, "")
    bench.receive(reports(make_report, G1, PHONES))

    assert outcome(bench) == [["unknown", 0, 10], [rival, 0, 10]]
    assert len(bench.store.foreign_reports()) == 10


def test_the_rivals_own_answer_takes_its_reports(
    bench: Bench, make_report: Report, plain_batch: type[PlainBatch]
) -> None:
    """Reports that came while the answer was awaited go to the batch whose answer names their group."""
    bench.send(PHONES, "", campaign="Monday")
    run = bench.start("Monday 2")
    (batch_id,) = bench.register(run, plain_batch(PHONES, "另一条"))
    bench.claim(run, batch_id)
    bench.receive(reports(make_report, G1, PHONES))
    bench.answer(batch_id, "accepted", G1)

    assert set(bench.statuses("Monday").values()) == {"unknown"}
    assert set(bench.statuses("Monday 2").values()) == {"delivered"}
    assert len(bench.store.foreign_reports()) == 0


def test_a_batch_surely_not_sent_is_no_rival(bench: Bench, make_report: Report, plain_batch: type[PlainBatch]) -> None:
    """What the platform rejected in another campaign hinders no proof."""
    run = bench.start("other")
    (batch_id,) = bench.register(run, plain_batch(PHONES))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "rejected", "", "IllegalMac")
    bench.send(PHONES, "")
    bench.receive(reports(make_report, G1, PHONES))

    assert outcome(bench) == [["rejected", 0, 10], ["accepted", 1, 10]]


@pytest.mark.parametrize("settled_as", ["not_sent", "rejected"])
def test_reports_beat_the_word_that_nothing_was_sent(
    bench: Bench, make_report: Report, plain_batch: type[PlainBatch], settled_as: str
) -> None:
    """The user's word, and even a refusal, gives way to reports that only this batch can have caused."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch(PHONES))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "unknown" if settled_as == "not_sent" else "rejected")
    if settled_as == "not_sent":
        bench.store.settle(batch_id, "not_sent")
    bench.receive(reports(make_report, G1, PHONES[:8]))

    assert outcome(bench) == [["accepted", 1, 10]]
    assert Counter(bench.statuses().values()) == {"delivered": 8, "pending": 2}
    assert bench.register(bench.start(), plain_batch(PHONES)) == []


def test_the_minutes_after_the_answer_prove_nothing(clock: ManualClock, bench: Bench, make_report: Report) -> None:
    """The platform's times must lie within the request, not a quarter of an hour after it."""
    bench.send(PHONES, "")
    later = clock.now() + 840
    bench.receive(reports(make_report, to_platform_time(later)[4:] + "000000000009", PHONES, later))

    assert outcome(bench) == [["unknown", 0, 10]]


@pytest.mark.parametrize("offset", [-3_000, -180, 180, 3_000])
def test_the_clocks_offset_is_learned_from_the_batches_beside_it(
    clock: ManualClock, bench: Bench, make_report: Report, offset: int
) -> None:
    """A machine whose clock is minutes or an hour wrong knows it from the msgGroups it was given."""
    theirs = clock.now() + offset
    bench.send(["13700137000"], to_platform_time(theirs)[4:] + "000000000001")
    bench.send(PHONES, "")
    bench.receive(reports(make_report, to_platform_time(theirs)[4:] + "000000000002", PHONES, theirs))

    assert outcome(bench)[1] == ["accepted", 1, 10]


def test_a_known_offset_makes_our_own_time_the_wrong_one(clock: ManualClock, bench: Bench, make_report: Report) -> None:
    """Where the platform's clock is known to be an hour ahead, a group of our own minute is somebody else's."""
    bench.send(["13700137000"], to_platform_time(clock.now() + 3_600)[4:] + "000000000001")
    bench.send(PHONES, "")
    bench.receive(reports(make_report, G1, PHONES))

    assert outcome(bench)[1] == ["unknown", 0, 10]


def test_a_clock_forty_days_wrong_loses_no_report(clock: ManualClock, bench: Bench, make_report: Report) -> None:
    """The reports of a batch's own msgGroup find it, whatever our clock said when it was sent."""
    theirs = clock.now() + 40 * 86_400
    group = to_platform_time(theirs)[4:] + "000000000001"
    bench.send(PHONES, group)
    bench.receive(reports(make_report, group, PHONES, theirs))

    assert set(bench.statuses().values()) == {"delivered"}
    assert len(bench.store.foreign_reports()) == 0


def test_reports_that_came_before_an_answer_was_given_up_settle_its_batch(
    bench: Bench, plain_batch: type[PlainBatch], make_report: Report
) -> None:
    """Recording that an answer never came looks again at the reports that belong to no batch."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch(PHONES))
    bench.claim(run, batch_id)
    bench.receive(reports(make_report, G1, PHONES))
    before = set(bench.statuses().values())
    bench.answer(batch_id, "unknown")

    assert before == {"unknown"}
    assert set(bench.statuses().values()) == {"delivered"}
    assert bench.store.batches()[["notice_code", "inferred"]].to_numpy().tolist() == [["shown_by_reports", 1]]


# ---- the way back -------------------------------------------------------------------------------------------------------


def test_an_inference_can_be_taken_back_for_good(bench: Bench, make_report: Report) -> None:
    """The reports are nobody's again, and more of the same group do not settle the batch another time."""
    batch_id = bench.send(PHONES, "")
    bench.receive(reports(make_report, G1, PHONES[:8]))
    bench.store.settle(batch_id, "not_sent")
    bench.receive(reports(make_report, G1, PHONES[8:]))
    bench.store.replay()

    assert outcome(bench) == [["not_sent", 0, 10]]
    assert set(bench.statuses().values()) == {"not_sent"}
    assert len(bench.store.foreign_reports()) == 10


def test_an_inference_taken_back_and_confirmed_has_its_reports_again(bench: Bench, make_report: Report) -> None:
    """Each message is counted once, and no report stays with nobody."""
    batch_id = bench.send(PHONES, "")
    bench.receive(reports(make_report, G1, PHONES[:8]))
    bench.store.settle(batch_id, "not_sent")
    bench.store.settle(batch_id, "accepted")

    assert outcome(bench) == [["accepted", 1, 10]]
    assert Counter(bench.statuses().values()) == {"delivered": 8, "pending": 2}
    assert len(bench.store.foreign_reports()) == 0
    with pytest.raises(InputError, match="there is no batch 99"):
        bench.store.settle(99, "accepted")


def test_an_answer_that_names_another_group_takes_a_wrong_inference_back(
    bench: Bench, plain_batch: type[PlainBatch], make_report: Report
) -> None:
    """The platform's own answer, however late, says which reports are the batch's."""
    run = bench.start()
    (batch_id,) = bench.register(run, plain_batch(PHONES))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "unknown")
    bench.receive(reports(make_report, G1, PHONES[:8]))
    bench.answer(batch_id, "accepted", G2)

    assert outcome(bench) == [["accepted", 0, 10]]
    assert set(bench.statuses().values()) == {"pending"}
    assert len(bench.store.foreign_reports()) == 8


# ---- what silence says ---------------------------------------------------------------------------------------------------


def _silent_among(bench: Bench, make_report: Report, wait_s: float) -> None:
    """Send a batch that stays silent and one that is reported, and drain the queue `wait_s` later."""
    others = [f"137{n:08d}" for n in range(40)]
    bench.send([f"139{n:08d}" for n in range(40)], "")
    bench.send(["13600136000"], "")
    bench.send(others, G1)
    bench.clock.sleep(wait_s)
    bench.receive([make_report(phone, G1) for phone in others[:36]])


def _verdicts(bench: Bench) -> list[str]:
    return bench.store.batches(state="unknown", language="en")["verdict"].tolist()


@pytest.mark.parametrize(
    ("hours", "verdict"), [(1 / 60, "cannot tell"), (71, "cannot tell"), (73, "almost surely not accepted")]
)
def test_silence_says_nothing_before_it_has_lasted(
    bench: Bench, make_report: Report, hours: float, verdict: str
) -> None:
    """Messages of one request are late together: with little history only the 72 hours of the carriers tell."""
    _silent_among(bench, make_report, hours * 3600)

    assert _verdicts(bench) == [verdict, "cannot tell"]  # of one message nobody can tell


def test_the_accounts_own_history_shortens_the_wait(bench: Bench, make_report: Report) -> None:
    """Twenty batches known from beginning to end, all heard of within seconds: six hours are enough, five are not."""
    for n in range(20):
        phone, group = f"135{n:08d}", to_platform_time(bench.clock.now())[4:] + f"{n:012d}"
        bench.send([phone], group, campaign="before")
        bench.receive(reports(make_report, group, [phone], bench.clock.now()))
    bench.clock.sleep(80 * 3600)
    group = to_platform_time(bench.clock.now())[4:] + "000000000077"
    others = [f"137{n:08d}" for n in range(40)]
    bench.send(PHONES * 1, "")
    bench.send(others, group)
    sent_at = bench.clock.now()
    bench.clock.sleep(5 * 3600)
    bench.receive(reports(make_report, group, others[:39], sent_at))
    early = _verdicts(bench)
    bench.clock.sleep(2 * 3600)
    bench.receive([])

    assert (early, _verdicts(bench)) == (["cannot tell"], ["almost surely not accepted"])


def test_a_whole_batch_that_was_never_heard_of_makes_silence_no_proof(bench: Bench, make_report: Report) -> None:
    """The platform took forty and never reported one: of the next forty in doubt nobody can tell either, however long it lasts."""
    bench.send([f"135{n:08d}" for n in range(40)], G2)
    _silent_among(bench, make_report, 73 * 3600)

    assert _verdicts(bench) == ["cannot tell", "cannot tell"]


def test_no_verdict_while_unmatched_reports_name_its_numbers(bench: Bench, make_report: Report) -> None:
    """One report of no batch that names one of its numbers, and nobody can tell."""
    _silent_among(bench, make_report, 73 * 3600)
    bench.receive([make_report("13900000007", G2)])

    assert _verdicts(bench)[0] == "cannot tell"
    assert bench.store.batches(state="unknown")["named"].tolist() == [1, 0]


# ---- over real sockets ---------------------------------------------------------------------------------------------------


@pytest.fixture
def store() -> Iterator[mas.Store]:
    with mas.Store(":memory:") as kept:
        yield kept


def people(size: int) -> pd.DataFrame:
    return pd.DataFrame({"p": [str(13_800_000_000 + n) for n in range(size)]})


def go(sim: Simulator, store: mas.Store, size: int, campaign: str = "C", **more: Any) -> Any:
    given: dict[str, Any] = {"phone": "p", "text": campaign, "campaign": campaign, "progress": False} | more
    with sim.client() as client:
        return mas.send(people(size), client, store, **given)


def test_reports_of_a_batch_in_flight_settle_no_other(store: mas.Store) -> None:
    """Monday was never taken, Monday 2 was and answers late: its reports are its own."""
    with Simulator(https=False, poll_interval=0, behaviour=Scripted()) as sim, sim.client() as client:
        collector = mas.Collector(client, store, say=lambda _text: None)
        sim.fault("drop_before", endpoint="submit", times=1)
        go(sim, store, 200, "Monday")
        sim.fault("delay", endpoint="submit", seconds=2, times=1)
        go(sim, store, 200, "Monday 2", collector=collector)
        collector.wait("Monday 2", until=1.0, timeout=20, progress=False)
        rates = mas.delivery_rates(store, by="campaign")[["campaign", "accepted", "delivered"]].to_numpy().tolist()
        collector.stop()

        assert ["Monday 2", 200, 200] in rates
        assert store.messages("Monday")["status"].value_counts().to_dict() == {"unknown": 200}


def test_a_fast_clock_is_corrected_by_the_batches_of_the_run() -> None:
    """Three minutes fast: the batch whose answer was lost is settled like any other."""

    class Fast(SystemClock):
        def now(self) -> float:
            return time.time() + 180

    clock = Fast()
    with (
        Simulator(https=False, poll_interval=0, behaviour=Scripted()) as sim,
        mas.Store(":memory:", clock=clock) as store,
    ):
        client = mas.Client(sim.account(), clock=clock)
        sim.fault("drop_after", endpoint="submit", times=1)
        mas.send(
            people(2000), client, store, phone="p", text="x", campaign="C", progress=False, workers=1,
            limits=Limits(many_to_one=500),
        )  # fmt: skip
        collector = mas.Collector(client, store, say=lambda _text: None)
        end = time.monotonic() + 20
        while set(store.messages("C")["status"]) != {"delivered"} and time.monotonic() < end:
            collector.drain()
        collector.stop()
        client.close()

        assert store.messages()["status"].value_counts().to_dict() == {"delivered": 2000}
        assert len(store.foreign_reports()) == 0


@pytest.mark.slow
def test_a_sender_in_another_container_answers_late(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not said to have ended, and its answer beats the user's word: nobody gets the campaign twice."""
    path = tmp_path / "a.db"
    with (
        Simulator(https=False, poll_interval=0, behaviour=Scripted(default=None)) as sim,
        mas.Store(path) as a,
        mas.Store(path) as b,
    ):
        sim.fault("delay", endpoint="submit", seconds=3, times=1)
        sender = threading.Thread(target=lambda: go(sim, a, 100))
        sender.start()
        while not sim.counts["accepted"]:
            time.sleep(0.02)
        with monkeypatch.context() as other:
            other.setattr(machine, "node", lambda: "container-b")
            go(sim, b, 100)
            notices = b.batches(state="unknown")["notice_code"].tolist()
            b.settle(1, "not_sent")
        sender.join()
        states = b.messages()["status"].value_counts().to_dict()
        go(sim, b, 100)

        assert notices == ["sender_elsewhere"]
        assert states == {"pending": 100}
        assert set(sim.accepted.values()) == {1}


def test_reports_that_come_after_the_users_word_are_believed(store: mas.Store) -> None:
    """The answer was lost, the user said not_sent, the reports come: nobody is written to again."""
    with Simulator(https=False, poll_interval=0, behaviour=Scripted(default=("DELIVRD", 0.0))) as sim:
        sim.fault("drop_after", endpoint="submit", times=1)
        go(sim, store, 100)
        store.settle(1, "not_sent")
        with sim.client() as client:
            mas.Collector(client, store, say=lambda _text: None).drain()
        result = go(sim, store, 100)

        assert store.messages()["status"].value_counts().to_dict() == {"delivered": 100}
        assert (len(store.foreign_reports()), result.planned, set(sim.accepted.values())) == (0, 0, {1})


class _Unreachable(mas.Client):
    """Has no connection: what it is to send surely stays here."""

    def submit_each(self, *_given: Any, **_more: Any) -> Any:
        raise NetworkError("no connection", sent=False, retryable=False)


def taken_over(sim: Simulator, store: mas.Store) -> None:
    """Let the user say of the batch in doubt that it was not sent, and a run take it over in other words, and not get out."""
    store.settle(1, "not_sent")
    with pytest.raises(NetworkError), _Unreachable(sim.account()) as client:
        mas.send(named(10), client, store, phone="p", text="{n} (2)", campaign="C", progress=False)


def named(size: int) -> pd.DataFrame:
    return people(size).assign(n=[f"no {n}" for n in range(size)])


def account_of(sim: Simulator, store: mas.Store) -> tuple[set[str], list[str], int, set[int]]:
    """Statuses, the texts as they were taken, reports that are nobody's, and how often anybody got it."""
    with sim.client() as client:
        result = mas.send(named(10), client, store, phone="p", text="{n}", campaign="C", progress=False)
    messages = store.messages("C")
    assert (result.planned, result.ok, set(store.batches("C")["messages"]) <= {0, 10}) == (0, True, True)
    return (
        set(messages["status"]),
        messages["content"].tolist(),
        len(store.foreign_reports()),
        set(sim.accepted.values()),
    )


def test_a_late_answer_takes_back_what_another_run_has_taken_over(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has not left again does not leave: it stands where it was taken, in the words that were taken."""
    path = tmp_path / "a.db"
    with (
        Simulator(https=False, poll_interval=0, behaviour=Scripted(default=None)) as sim,
        mas.Store(path) as a,
        mas.Store(path) as b,
    ):
        sim.fault("delay", endpoint="submit", seconds=3, times=1)

        def first() -> None:
            with sim.client() as client:
                mas.send(named(10), client, a, phone="p", text="{n}", campaign="C", progress=False)

        sender = threading.Thread(target=first)
        sender.start()
        while not sim.counts["accepted"]:
            time.sleep(0.02)
        with monkeypatch.context() as other:
            other.setattr(machine, "node", lambda: "container-b")
            b.sends.check_campaign("C")
            with sim.client() as client:
                mas.send(named(10), client, b, phone="p", text="{n}", campaign="C", progress=False)
            taken_over(sim, b)
        assert set(b.messages()["status"]) == {"not_sent"}
        sender.join()

        assert account_of(sim, b) == ({"pending"}, [f"no {n}" for n in range(10)], 0, {1})


@pytest.mark.parametrize("said", ["lost", "rejected"])
def test_reports_take_back_what_another_run_has_taken_over(store: mas.Store, said: str) -> None:
    """The user's word, or a no that the platform did not mean, is proved wrong before the copy leaves."""
    style = Style(too_soon='{"rspcod":"InvalidMessage","success":false}')
    with Simulator(https=False, poll_interval=0, behaviour=Scripted(default=("DELIVRD", 0.0)), style=style) as sim:
        if said == "lost":
            sim.fault("drop_after", endpoint="submit", times=1)
        else:
            sim.fault("too_soon", endpoint="submit", times=1, taken=True)
        with sim.client() as client:
            mas.send(named(10), client, store, phone="p", text="{n}", campaign="C", progress=False)
            if said == "lost":
                taken_over(sim, store)
            else:
                with pytest.raises(NetworkError), _Unreachable(sim.account()) as dead:
                    mas.send(named(10), dead, store, phone="p", text="{n} (2)", campaign="C", progress=False)
            mas.Collector(client, store, say=lambda _text: None).drain()

        assert account_of(sim, store) == ({"delivered"}, [f"no {n}" for n in range(10)], 0, {1})


def test_messages_have_the_platforms_time_before_any_report() -> None:
    """Our clock is eight hours behind, or forty days ahead and the polls say so: nothing counts as older than it is."""
    for wrong_by in (-8 * 3600.0, 40 * 86400.0):
        clock = _Wrong(wrong_by)
        with (
            Simulator(https=False, poll_interval=0, behaviour=Scripted(default=None)) as sim,
            mas.Store(":memory:", clock=clock) as store,
            mas.Client(sim.account(), clock=clock) as client,
        ):
            mas.Collector(client, store, say=lambda _text: None).drain()
            mas.send(people(3), client, store, phone="p", text="x", campaign="C", progress=False)
            sent = store.messages("C")["submitted_at"]
            store.replay()

            assert (pd.Timestamp.now(tz=sent.dt.tz) - sent).abs().max() < pd.Timedelta("1min")
            assert store.messages("C")["submitted_at"].tolist() == sent.tolist()


class _Wrong(SystemClock):
    def __init__(self, wrong_by: float) -> None:
        self.wrong_by = wrong_by

    def now(self) -> float:
        return time.time() + self.wrong_by


@pytest.mark.parametrize("when", ["before the plan", "before the request"])
def test_who_opts_out_after_a_wrong_word_is_counted_where_she_was_taken(
    bench: Bench, make_report: Report, plain_batch: type[PlainBatch], when: str
) -> None:
    """The user said that the batch was not sent, two opted out, eight got it again; then the platform's own yes comes."""
    run = bench.start()
    (first,) = bench.register(run, plain_batch(PHONES))
    bench.claim(run, first)
    bench.answer(first, "unknown")
    bench.store.settle(first, "not_sent")
    bench.clock.sleep(120)
    if when == "before the plan":
        bench.store.opt_out(PHONES[:2])
    again = bench.start()
    (second,) = bench.register(again, plain_batch(PHONES[2:] if when == "before the plan" else PHONES))
    bench.store.opt_out(PHONES[:2])
    bench.store.sends.drop_emptied(again)
    (claimed,) = bench.claim(again, second)
    bench.answer(second, "accepted", LATER)
    said = bench.statuses()
    bench.answer(first, "accepted", G1)
    bench.receive(reports(make_report, G1, PHONES))

    assert claimed.phones == PHONES[2:]
    assert [said[phone] for phone in PHONES[:3]] == ["not_sent", "not_sent", "pending"]
    assert bench.statuses() == dict.fromkeys(PHONES[:2], "delivered") | dict.fromkeys(PHONES[2:], "pending")
    assert outcome(bench) == [["accepted", 0, 2], ["accepted", 0, 8]]
    assert bench.store.sends.already_sent("c1", "", PHONES).all()


def test_reports_tell_of_those_who_opted_out_after_a_wrong_word(
    bench: Bench, make_report: Report, plain_batch: type[PlainBatch]
) -> None:
    """Without a late answer the reports of the whole request prove it, although most of its people have it twice by now."""
    first = bench.send(PHONES, "")
    bench.store.settle(first, "not_sent")
    bench.store.opt_out(PHONES[:2])
    bench.clock.sleep(120)
    run = bench.start()
    (second,) = bench.register(run, plain_batch(PHONES[2:]))
    bench.claim(run, second)
    bench.answer(second, "accepted", LATER)
    bench.receive(reports(make_report, G1, PHONES))

    assert bench.statuses() == dict.fromkeys(PHONES[:2], "delivered") | dict.fromkeys(PHONES[2:], "pending")


def test_who_is_known_to_have_it_does_not_leave_again(bench: Bench, plain_batch: type[PlainBatch]) -> None:
    """The second try was under way when the first one's yes came late, and was rejected: a third finds nobody."""
    first = bench.send(PHONES, "")
    bench.store.settle(first, "not_sent")
    bench.clock.sleep(120)
    run = bench.start()
    (second,) = bench.register(run, plain_batch(PHONES))
    bench.claim(run, second)
    bench.answer(first, "accepted", G1)
    bench.answer(second, "rejected", rspcod="InvalidMessage")
    bench.clock.sleep(120)
    third = bench.start()
    (batch_id,) = bench.register(third, plain_batch(PHONES))

    assert bench.claim(third, batch_id) == []
    assert set(bench.statuses().values()) == {"pending"}


def test_settling_what_the_platform_said_is_refused(store: mas.Store) -> None:
    """Only what is in doubt, was inferred, or was the user's word is the user's to say."""
    with Simulator(https=False, poll_interval=0) as sim:
        go(sim, store, 3)

        with pytest.raises(InputError, match="not of unknown outcome"):
            store.settle(1, "not_sent")
