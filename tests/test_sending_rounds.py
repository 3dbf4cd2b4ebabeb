"""A round is a name: whatever is interrupted, each number gets it at most once, and every run's account is closed."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from sqlite_utils import Database

import masanalytics as mas
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError, RefusedError
from masanalytics.planning import Limits
from masanalytics.sending import SendResult
from masanalytics.simulator import Scripted, Simulator
from masanalytics.store.schema import migrations

SILENT = Scripted(default=None)
COUNTS = ("accepted", "rejected", "unknown", "not_sent", "already_sent", "opted_out", "left_to_another_run", "held")


def people(size: int) -> pd.DataFrame:
    return pd.DataFrame({"p": [str(13_800_000_000 + n) for n in range(size)]})


def times(sim: Simulator, text: str | None = None) -> dict[int, int]:
    """How often a number got a text (any) -> how many numbers."""
    got: Counter[str] = Counter()
    for (phone, said), count in sim.accepted.items():
        got[phone] += count * (text in (None, said))
    return dict(Counter(count for count in got.values() if count))


def closed(result: SendResult) -> SendResult:
    """Check that each planned message is in exactly one count."""
    assert sum(getattr(result, name) for name in COUNTS) == result.planned
    return result


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(https=False, poll_interval=0, behaviour=SILENT, clock=clock) as platform:
        yield platform


@pytest.fixture
def store(clock: ManualClock) -> Iterator[mas.Store]:
    with mas.Store(":memory:", clock=clock) as kept:
        yield kept


def go(work: Any, sim: Simulator, store: mas.Store, **more: Any) -> SendResult:
    given = {} if isinstance(work, mas.Plan) else {"phone": "p", "campaign": "C", "text": "x"}
    with sim.client() as client:
        return closed(mas.send(work, client, store, progress=False, **(given | more)))


def test_a_lost_answer_does_not_begin_another_round(sim: Simulator, store: mas.Store) -> None:
    """The same cell with the same name, after a lost answer, sends to nobody again."""
    go(people(300), sim, store, text="one")
    sim.fault("drop_after", endpoint="submit", times=1)
    first, second = (go(people(300), sim, store, text="two", round="two") for _ in range(2))

    assert times(sim, "two") == {1: 300}
    assert (first.unknown, first.ok, second.planned, second.in_doubt, second.ok) == (300, False, 0, 300, False)


@pytest.mark.parametrize("as_plan", [False, True])
def test_a_limit_goes_on_where_it_stopped(sim: Simulator, store: mas.Store, as_plan: bool) -> None:
    """Each call sends the next 100, whether a plan or a frame is handed over, and is ok when nothing is left."""
    go(people(300), sim, store, text="one")
    work = mas.plan(people(300), phone="p", campaign="C", text="four", round="2") if as_plan else people(300)
    more = {} if as_plan else {"text": "four", "round": "2"}
    results = [go(work, sim, store, limit=100, **more) for _ in range(4)]

    assert times(sim, "four") == {1: 300}
    assert [result.accepted for result in results] == [100, 100, 100, 0]
    assert [result.held_because for result in results] == [{"limit": 200}, {"limit": 100}, {}, {}]
    assert [result.ok for result in results] == [False, False, True, True]


def test_a_plan_without_the_store_is_of_the_round_it_names(sim: Simulator, store: mas.Store) -> None:
    """New people get the campaign once, whether the plan knew the store or not."""
    go(people(10), sim, store)
    first = go(mas.plan(people(20), phone="p", text="x", campaign="C"), sim, store)
    second = go(mas.plan(people(20), phone="p", text="x", campaign="C", store=store), sim, store)

    assert times(sim) == {1: 20}
    assert (first.accepted, first.already_sent, first.ok, second.planned) == (10, 10, True, 0)


def test_names_that_look_alike_are_one(sim: Simulator, store: mas.Store) -> None:
    """Composition, invisible characters and spaces make no other campaign and no other round, wherever a name is taken."""
    names = ("Café 提醒", "Cafe\u0301 提醒", "Café\u3000 提醒\u200b")
    for name in names:
        go(people(10), sim, store, campaign=name, round=f" r{chr(0x200B)}1 ")

    assert times(sim) == {1: 10}
    assert mas.delivery_rates(store, by=["campaign", "round"])[["campaign", "round"]].to_numpy().tolist() == [
        ["Café 提醒", "r1"]
    ]
    assert [len(store.messages(name, round="r1\u200b")) for name in names] == [10] * 3
    assert mas.outcomes(people(10), store, phone="p", campaign=names[1])["status"].tolist() == ["pending"] * 10


def test_a_near_twin_is_a_warning(sim: Simulator, store: mas.Store) -> None:
    """Another case, width or space is another name; the plan says that a similar one is known."""
    go(people(1), sim, store, campaign="Spring 1", round="Dec 1")
    plan = mas.plan(people(1), phone="p", text="x", campaign="SPRING１", store=store)
    again = mas.plan(people(1), phone="p", text="x", campaign="Spring 1", round="DEC1", store=store)

    assert plan.warnings[-1].text("en").startswith("the campaign 'SPRING１' is new, but 'Spring 1' is known")
    assert again.warnings[-1].code == "near_round"


def test_one_rule_a_round(sim: Simulator, store: mas.Store) -> None:
    """Without a key each number gets one; a plan with a key does not fit that round, nor one without into the other."""
    frame = people(5).assign(o=list("12345"))
    frame = pd.concat([frame, pd.DataFrame({"p": frame["p"][:1], "o": ["6"]})])
    go(frame, sim, store, text="order {o}")
    plan = mas.plan(frame, phone="p", text="order {o}", campaign="C", key="o")
    with pytest.raises(InputError, match="sends each number one message, so key='o' does not fit it"):
        go(plan, sim, store)
    with pytest.raises(InputError, match="does not fit it"):
        go(frame, sim, store, text="order {o}", key="o")
    go(frame, sim, store, text="order {o}", campaign="D", key="o")
    with pytest.raises(InputError, match="apart by key='o'"):
        go(frame, sim, store, text="order {o}", campaign="D")
    corrected = go(frame, sim, store, text="order no. {o}", campaign="D", key="o")

    assert Counter(sim.accepted.values()) == {1: 1, 2: 5}  # order 6 in campaign D alone
    assert corrected.planned == 0
    assert sorted(store.messages("D")["key"]) == list("123456")


def test_an_empty_first_round_has_a_name_that_is_not_missing(sim: Simulator, store: mas.Store) -> None:
    """The first round is the empty text in every frame, and can be filtered by it."""
    go(people(2), sim, store)
    go(people(2), sim, store, round="2")

    assert store.messages()["round"].tolist() == ["", "", "2", "2"]
    assert store.batches()["round"].tolist() == ["", "2"]
    assert len(store.messages("C", round="")) == 2
    assert mas.delivery_rates(store, by="round")[["round", "accepted"]].to_numpy().tolist() == [["", 2], ["2", 2]]
    assert store.messages()["key"].isna().all()


def test_what_an_earlier_round_left_behind_blocks_no_later_one(sim: Simulator, store: mas.Store) -> None:
    """People who opted out, and leftovers of a run that was stopped, keep nobody out of the next round."""
    sim.fault("not_white_ip", endpoint="submit", times=1)
    with pytest.raises(RefusedError):
        go(people(100), sim, store, limits=Limits(many_to_one=50), workers=1)
    store.opt_out([people(100)["p"][60]])
    rest = go(people(100), sim, store)
    plan = mas.plan(people(100), phone="p", text="x", campaign="C", store=store, round="2027-01")

    assert (rest.accepted, len(plan)) == (99, 99)
    assert store.messages()["status"].tolist() == ["pending"] * 99


def test_who_opts_out_before_the_send_is_counted_so(sim: Simulator, store: mas.Store) -> None:
    """A plan made before somebody opted out says that it left her out."""
    plan = mas.plan(people(3), phone="p", text="x", campaign="C")
    store.opt_out([people(3)["p"][0]])
    result = go(plan, sim, store)

    assert (result.accepted, result.opted_out, result.ok) == (2, 1, True)


def test_a_run_whose_rest_another_took_over_and_left_is_not_ok(sim: Simulator) -> None:
    """What another run took over, and was stopped with, is left to it; the platform and the store agree on the rest."""
    with (
        Simulator(https=False, poll_interval=0, behaviour=SILENT, answer_delay=1.0) as sim,
        mas.Store(":memory:") as store,
    ):
        sim.fault("not_white_ip", endpoint="submit", after=2)
        said: list[SendResult] = []
        limits = Limits(many_to_one=100)
        first = threading.Thread(target=lambda: said.append(go(people(2000), sim, store, limits=limits)))
        first.start()
        while len(store.batches(state="submitting")) < 2:
            time.sleep(0.02)
        with pytest.raises(RefusedError):
            go(people(2000), sim, store, limits=limits)
        first.join()

        assert (said[0].accepted, said[0].left_to_another_run, said[0].ok) == (200, 1800, False)
        assert sim.counts["accepted"] == 200


@pytest.mark.parametrize("kept", [False, True])
def test_a_run_is_not_ok_while_somebody_it_left_alone_was_not_sent(
    sim: Simulator, store: mas.Store, kept: bool
) -> None:
    """Who was in doubt when the plan was made, and is settled while the run is under way, is named; the next run has them."""
    sim.fault("drop_before", endpoint="submit", times=1)
    go(people(10), sim, store)
    plan = mas.plan(people(15), phone="p", campaign="C", text="x", store=store)
    if kept:
        store.settle(1, "not_sent")
        result = go(plan, sim, store)
    else:
        with sim.client() as client:
            real = client.submit

            def submit(*given: Any, **more: Any) -> Any:
                store.settle(1, "not_sent")
                return real(*given, **more)

            client.submit = submit
            result = mas.send(people(15), client, store, phone="p", campaign="C", text="x", progress=False)
    again = go(people(15), sim, store)

    assert (result.planned, result.accepted, result.reopened, result.ok) == (5, 5, 10, False)
    assert "10 messages were left out of the plan as sent already or over the cap, and may go by now" in result.text(
        "en"
    )
    assert (again.accepted, again.ok, times(sim)) == (10, True, {1: 15})


def test_the_second_send_says_that_nothing_was_sent(sim: Simulator, store: mas.Store) -> None:
    """A finished campaign sent again is headed so, whether a plan or a frame is handed over."""
    plan = mas.plan(people(3), phone="p", text="x", campaign="C")
    go(plan, sim, store)

    assert go(people(3), sim, store).text("en").startswith("Nothing sent: C has nothing left to send.")
    assert go(plan, sim, store).text("en").startswith("Nothing sent. C: of 3 messages 3 sent already.")
    assert "Nothing sent: C" in go(plan, sim, store)._repr_html_()


def test_proofs_open_no_round_of_the_campaign(sim: Simulator, store: mas.Store) -> None:
    """A proof goes as often as it is asked for, under a name of its own."""
    results = [go(people(3), sim, store, to=["13900139000"]) for _ in range(3)]

    assert [result.accepted for result in results] == [1, 1, 1]
    assert set(store.messages()["campaign"]) == {"C (proof)"}
    assert len(mas.plan(people(3), phone="p", text="x", campaign="C", store=store)) == 3


def test_an_older_file_with_twins_and_texts_of_their_own_is_brought_along(tmp_path: Any) -> None:
    """Twin names become one campaign in which nobody is written to again; a round of different texts is not gone on with."""
    path = tmp_path / "older.db"
    db = Database(path)
    migrations.apply(db, stop_before="m008_rounds_with_names")
    phones = people(3)["p"].tolist()
    db.execute("INSERT INTO accounts VALUES (1, 'a')")
    db.execute("INSERT INTO campaigns VALUES (1, 'Café'), (2, 'Cafe\u0301'), (3, 'orders')")
    for batch_id, campaign_id, number in ((1, 1, 0), (2, 2, 0), (3, 3, 0), (4, 1, 1)):
        db.execute(
            "INSERT INTO batches (batch_id, campaign_id, account_id, round, mode, state, messages)"
            " VALUES (?, ?, 1, ?, 'many_to_one', 'accepted', 2)",
            [batch_id, campaign_id, number],
        )
    messages = [
        (1, 1, phones[0], 0, 0, 1), (1, 1, phones[1], 0, 0, 4), (2, 2, phones[0], 0, 0, 4), (2, 2, phones[2], 0, 0, 4),
        (3, 3, phones[0], 0, 77, 4), (4, 1, phones[0], 1, 0, 4),
    ]  # fmt: skip
    for message in messages:
        db.execute(
            "INSERT INTO messages (batch_id, campaign_id, account_id, phone, round, variant, carrier_id, status_id)"
            " VALUES (?, ?, 1, ?, ?, ?, 0, ?)",
            message,
        )
    db.conn.commit()
    db.close()
    with mas.Store(path) as store:
        planned = [
            len(mas.plan(people(3), phone="p", text="x", campaign="Café", round=r, store=store)) for r in ("", "2")
        ]
        with pytest.raises(InputError, match="begun by an earlier version"):
            mas.plan(people(3), phone="p", text="x", campaign="orders", store=store)

        assert planned == [0, 2]
        assert store.messages()["campaign"].value_counts().to_dict() == {"Café": 5, "orders": 1}
        assert len(mas.plan(people(3), phone="p", text="x", campaign="orders", round="2", store=store)) == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([Decimal("7.00"), Decimal("8.00")], [7, 8]),
        ([7.0, 8.0], ["7", "8"]),
        (pd.to_datetime(["2026-01-01", "2026-01-02"]), ["2026-01-01", "2026-01-02"]),
        ([dt.date(2026, 1, 1), dt.date(2026, 1, 2)], ["2026-01-01 00:00:00", "2026-01-02 00:00:00"]),
    ],
)
def test_a_key_is_one_whatever_type_its_sheet_has_made_of_it(
    sim: Simulator, store: mas.Store, first: Any, second: Any
) -> None:
    """From a database, a workbook, a text file: the same orders go once."""
    for keys in (first, second):
        go(people(2).assign(order=keys), sim, store, key="order")

    assert times(sim) == {1: 2}


def test_keys_of_an_older_file_are_brought_along(sim: Simulator, tmp_path: Any) -> None:
    """Days were once kept with their midnight: nobody gets the day's message again."""
    days = people(2).assign(day=["2026-01-01", "2026-01-02"])
    with mas.Store(tmp_path / "a.db", clock=sim.clock) as store:
        go(days, sim, store, key="day")
        store.db.execute("UPDATE messages SET key = key || ' 00:00:00'")
        store.db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm023_keys_that_are_days'")
        store.db.conn.commit()
    with mas.Store(tmp_path / "a.db", clock=sim.clock) as store:
        again = go(days, sim, store, key="day")

    assert (again.planned, times(sim)) == (0, {1: 2})


def test_a_key_keeps_the_zero_in_its_middle(sim: Simulator, store: mas.Store) -> None:
    """Beside "2.0", which is 2, "1.05" is not 15, nor a day with its midnight in a longer text another day."""
    keys = ["2.0", "1.05", "15", "A2.0", "A2"]
    sent = mas.plan(pd.DataFrame({"p": ["13800138000"] * 5, "order": keys}), phone="p", text="x", campaign="C",
                    key="order", store=store)  # fmt: skip

    assert sent.messages["key"].tolist() == ["2", "1.05", "15", "A2.0", "A2"]
    days = pd.DataFrame({"p": ["13800138000"] * 2, "day": ["2026-01-01 00:00:00", "x 2026-01-01 00:00:00"]})
    planned = mas.plan(days, phone="p", text="x", campaign="D", key="day", store=store)
    assert planned.messages["key"].tolist() == ["2026-01-01", "x 2026-01-01 00:00:00"]


def test_a_key_is_the_same_with_and_without_pandas_zeros(sim: Simulator, store: mas.Store, tmp_path: Any) -> None:
    """A column of order numbers with one blank, made text, says "2.0": the same order, also in an older file."""
    orders = pd.Series([2, None, 3]).astype(str)
    go(people(3).assign(order=orders), sim, store, key="order")
    again = go(people(3).assign(order=["2", "1", "3"]), sim, store, key="order")
    assert (again.planned, times(sim)) == (1, {1: 3})

    with mas.Store(tmp_path / "a.db", clock=sim.clock) as older:
        go(people(2).assign(order=["7", "8"]), sim, older, key="order", campaign="older")
        older.db.execute("UPDATE messages SET key = key || '.0'")
        older.db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm028_keys_that_are_whole_numbers'")
        older.db.conn.commit()
    with mas.Store(tmp_path / "a.db", clock=sim.clock) as older:
        assert go(people(2).assign(order=[7, 8]), sim, older, key="order", campaign="older").planned == 0


def test_what_was_sent_again_by_the_users_word_is_said_when_it_shows(store: mas.Store, clock: ManualClock) -> None:
    """Taking the word back comes too late, and says so; reports of the first sending say of the batch how many got it twice."""
    with Simulator(https=False, poll_interval=0, behaviour=Scripted(default=("DELIVRD", 1.0)), clock=clock) as sim:
        _sent_twice(sim, store, clock)


def _sent_twice(sim: Simulator, store: mas.Store, clock: ManualClock) -> None:
    sim.fault("drop_after", endpoint="submit", times=1)
    go(people(20), sim, store)
    store.settle(1, "not_sent")
    assert go(people(20), sim, store).accepted == 20

    with pytest.raises(InputError, match="20 messages of batch 1 were sent again meanwhile"):
        store.settle(1, "accepted")
    clock.sleep(4000)
    with sim.client() as client:
        mas.Collector(client, store, say=lambda _text: None).drain()
    first = store.batches().set_index("batch_id").loc[1]
    assert first["state"] == "accepted"
    assert "20 of its messages were sent again meanwhile" in str(first["notice"])
