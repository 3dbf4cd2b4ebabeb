"""Pages of a console: all campaigns, one person, what is worth sending again, what the platform would show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.client import Client
from masanalytics.errors import InputError
from masanalytics.simulator import Simulator
from masanalytics.store import Store
from tests.bench import Bench, PlainBatch

G1, G2, G3 = (f"010108000000000000000{number}" for number in (1, 2, 3))
A, B, C, D = "13800138000", "13800138001", "13900139000", "13900139001"
Report = Callable[..., dict[str, str]]


def test_all_campaigns_in_one_table(bench: Bench, make_report: Report) -> None:
    """A row a round, with counts, money and who answered; a proof and a campaign that never left are in no sum."""
    bench.send([A, B, C], G1, "spring")
    bench.send([D], G2, "autumn")
    bench.receive([make_report(A, G1), make_report(B, G1, "MK:0001"), make_report(D, G2)])
    bench.register(bench.start("never left"), PlainBatch([A]))
    table = bench.store.campaigns(price=0.05)
    shown = [
        "campaign",
        "round",
        "text",
        "messages",
        "accepted",
        "delivered",
        "failed",
        "pending",
        "cost",
        "replies",
        "opt_outs",
    ]

    assert table[shown].to_numpy().tolist() == [
        ["autumn", "", "您好", 1, 1, 1, 0, 0, 0.05, 0, 0],
        ["spring", "", "您好", 3, 3, 1, 1, 1, 0.15000000000000002, 0, 0],
        ["never left", "", "您好", 1, 0, 0, 0, 0, 0.0, 0, 0],
    ]
    months = bench.store.campaigns(by="month", price=0.05)
    assert months[["month", "campaigns", "accepted", "delivered", "cost"]].to_numpy().tolist() == [
        ["2026-01", 2, 4, 2, 0.2]
    ]
    with pytest.raises(InputError, match="say 'campaign'"):
        bench.store.campaigns(by="week")  # type: ignore[arg-type]


def test_intervals_of_campaigns_are_those_of_the_rates() -> None:
    """Messages of a batch fail together: the table, by campaign and by month, has the same intervals as the rates."""
    with mas.Simulator(https=False, speed=7200, seed=3) as sim, mas.Store(":memory:", clock=sim.clock) as store:
        people = pd.DataFrame({"phone": [f"138{number:08d}" for number in range(400)]})
        sizes = mas.Limits(many_to_one=20)
        mas.send(people, sim.client(), store, phone="phone", text="hi", campaign="c", limits=sizes, progress=False)
        mas.Collector(sim.client(), store, say=lambda _text: None).wait(until=0.8, timeout=7200, progress=False)
        rate = mas.delivery_rates(store, history=None)[["low", "high"]].to_numpy().tolist()

        assert store.campaigns()[["low", "high"]].to_numpy().tolist() == rate
        assert store.campaigns(by="month")[["low", "high"]].to_numpy().tolist() == rate


def test_a_proof_counts_in_no_total_and_is_found_by_its_name(client: Client, store: Store) -> None:
    """Rates, campaigns and months are of customers; the proof is asked for by the name of its campaign."""
    polars = pytest.importorskip("polars")
    plan = mas.plan(pd.DataFrame({"phone": [A, B]}), phone="phone", text="hi", campaign="c", store=store)
    mas.send(plan, client, store, to=[D], progress=False)
    mas.send(plan, client, store, progress=False)
    messages = store.messages()

    for data in (store, messages, polars.from_pandas(messages)):
        assert mas.delivery_rates(data, by="campaign")[["campaign", "accepted"]].to_numpy().tolist() == [["c", 2]]
        assert mas.delivery_rates(data, campaign="c (proof)")["accepted"].tolist() == [1]
    assert store.campaigns()["campaign"].tolist() == ["c"]
    assert len(messages) == 3


def test_one_person_in_any_form_of_the_number(bench: Bench, make_report: Report) -> None:
    """Messages of two campaigns and a reply, in order, each with what it means; the number is masked unless asked for."""
    bench.send([A, B], G1, "spring")
    bench.receive([make_report(A, G1, "MK:0001")])
    bench.clock.sleep(60)  # the same text within a minute waits
    bench.send([A], G2, "autumn")
    bench.receive([make_report(A, G2)])
    said = {"mobile": A, "smsContent": "TD", "sendTime": "2026-01-01 08:10:00", "addSerial": ""}
    bench.receive([said], endpoint="deliver")
    found = bench.store.history("+86 138-0013-8000", language="en")

    assert found.phone == "138****8000"
    assert found.events[["what", "campaign", "status", "error_code"]].fillna("-").to_numpy().tolist() == [
        ["message", "spring", "failed", "MK:0001"], ["message", "autumn", "delivered", "-"], ["reply", "autumn", "-", "-"],
    ]  # fmt: skip
    assert found.events["meaning"].iloc[1] == "delivered"
    text = found.text("en")
    assert text.startswith("History of 138****8000\n  messages: 2\n")
    assert "opted out since" in text
    assert A not in text + found.html()
    assert bench.store.history(A, reveal=True).phone == A


def test_a_stranger_and_what_is_no_number(store: Store) -> None:
    """Nothing is said to be nothing; a landline is an error that says so."""
    assert "nothing was sent to this number" in store.history(A).text("en")
    with pytest.raises(InputError, match="a landline"):
        store.history("021-66668888")


def test_a_person_who_was_forgotten_has_times_and_states_left(bench: Bench, make_report: Report) -> None:
    """The number is known by its hash: texts are gone, what became of them is not."""
    bench.send([A], G1, "spring")
    bench.receive([make_report(A, G1)])
    bench.store.forget(phones=[A], force=True)
    found = bench.store.history(A)

    assert found.is_forgotten
    assert found.events["status"].tolist() == ["delivered"]
    assert found.events["content"].isna().all()


def test_what_is_worth_another_try(bench: Bench, make_report: Report) -> None:
    """Switched off: yes, with when. An empty number, a delivered one, one reached by another campaign, one who opted out: no."""
    phones = [A, B, C, D, "13900139002", "13900139003"]
    bench.send(phones, G1, "c")
    failed = {A: "MN:0090", B: "CB:0001", D: "MN:0090", "13900139002": "MN:0090"}
    bench.receive([make_report(phone, G1, failed.get(phone, "DELIVRD")) for phone in phones[:5]])
    bench.clock.sleep(3600)
    bench.send([D], G2, "other")
    bench.receive([make_report(D, G2, submitDate="20260101090000", receiveDate="20260101090020")])
    bench.store.opt_out(["13900139002"])
    again = mas.retryable(bench.store, "c")

    assert again.drop(columns="not_before").to_numpy().tolist() == [[A, "MN:0090", "retry_later", 1]]
    assert again["not_before"].tolist() == [pd.Timestamp("2026-01-01 20:00:10", tz="Asia/Shanghai")]


def test_three_tries_are_enough(sim: Simulator, client: Client, store: Store) -> None:
    """Each round's failures are asked for by its name, with the columns the plan kept; the third is the last."""
    people = pd.DataFrame({"phone": [A], "门店": ["甲"]})
    tries = []
    for label in ("", "补发1", "补发2"):
        mas.send(
            people, client, store, phone="phone", text="hi", campaign="c", round=label, keep="门店", progress=False
        )
        message = store.messages("c", round=label).iloc[0]
        sim.add_row("report", {
            "mobile": A, "msgGroup": message["msg_group"], "reportStatus": "MN:0090", "errorCode": "MN:0090",
            "submitDate": f"{message['submitted_at']:%Y%m%d%H%M%S}", "receiveDate": f"{message['submitted_at']:%Y%m%d%H%M%S}",
        })  # fmt: skip
        mas.Collector(client, store, say=lambda _text: None).drain()
        sim.clock.sleep(100)
        people = mas.retryable(store, "c", round=label)
        tries.append(people["tries"].tolist())

    assert tries == [[1], [2], []]
    assert mas.notes_of(people, "en") == ["no failed message of this round is worth another try"]
    assert len(mas.retryable(store, "c")) == 0
    with pytest.raises(InputError, match="there is no round '补发3'"):
        mas.retryable(store, "c", round="补发3")


def test_the_platforms_own_page_counts_what_was_reported_only() -> None:
    """Six delivered of eight reported, of ten accepted: 75 % there, 60 % here, 20 % without a report."""
    messages = pd.DataFrame(
        {"status": ["delivered"] * 6 + ["failed"] * 2 + ["pending"] * 2, "latency_s": 3, "waited_s": 900, "arm": "A"}
    )
    found = mas.delivery_rates(messages, by="arm", console=True, total=True)

    assert found[["reported", "console_rate", "delivery_rate"]].to_numpy().tolist() == [[8, 0.75, 0.6]] * 2
    assert "the platform's page would show 75.0% here; ours is 60.0%, because 20.0% have no report yet" in mas.notes_of(
        found, "en"
    )


@pytest.mark.usefixtures("without_pictures")
def test_the_report_says_what_the_platforms_page_would_show(tmp_path: Path) -> None:
    """In its sources, with the reason: never as the headline."""
    messages = pd.DataFrame(
        {"status": ["delivered"] * 3 + ["failed", "pending"], "error_code": None, "latency_s": 3, "waited_s": 900}
    )
    page = mas.write_report(messages, tmp_path / "r.html", language="en").read_text(encoding="utf-8")

    assert "page would show 75.0% here; ours is 60.0%, because 20.0% have no report yet" in page


def test_results_print_as_their_text_and_completion_offers_what_is_used_by_hand(client: Client, store: Store) -> None:
    """print() of a result is its text; behind a store stand some twenty names, and the others work."""
    sent = mas.send(pd.DataFrame({"p": [A]}), client, store, phone="p", text="hi", campaign="c", progress=False)
    offered = [name for name in dir(store) if not name.startswith("_")]

    assert str(sent) == sent.text()
    assert {"campaigns", "history", "messages"} <= set(offered)
    assert "sends" not in offered
    assert len(offered) <= 24
    assert store.missing_answers().empty
