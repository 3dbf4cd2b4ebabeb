"""Long messages: whether reports come by part is learned from the account, and a missing part is waited for where they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.analysis.results import notes_of
from masanalytics.doctor import check
from masanalytics.errors import InputError
from masanalytics.store import Store
from tests.bench import Bench, PlainBatch, report

DAY = 86_400
GROUP, LATER = "0101080000000001139923", "0110080000000001139924"
CROWD = [str(13800000000 + place) for place in range(30)]
ONE = "13900139000"


def send_long(bench: Bench, phones: list[str], group: str, campaign: str) -> None:
    """Send messages of two segments that the platform takes."""
    run = bench.start(campaign)
    (batch_id,) = bench.register(run, PlainBatch(phones, segments=[2] * len(phones)))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "accepted", group)


def rows(phones: list[str], group: str, day: int, parts: int, **fields: Any) -> list[dict[str, str]]:
    """Return equal reports of so many parts of each message."""
    dates = {"submitDate": f"202601{day:02d}080000", "receiveDate": f"202601{day:02d}080010"} | fields
    return [report(phone, group, **dates) for phone in phones for _ in range(parts)]


def with_history(bench: Bench, parts: int) -> Bench:
    """A past campaign whose long messages brought so many reports each; then, ten days on, one message that is new."""
    send_long(bench, CROWD, GROUP, "past")
    bench.receive(rows(CROWD, GROUP, 1, parts))
    bench.clock.sleep(4 * DAY)
    bench.receive([])
    bench.clock.sleep(5 * DAY)
    bench.receive([])
    send_long(bench, [ONE], LATER, "new")
    return bench


def state(bench: Bench) -> list[Any]:
    frame = bench.store.messages("new")
    return [frame["status"].iloc[0], int(frame["reports"].iloc[0]), None if frame["latency_s"].isna().iloc[0] else
            int(frame["latency_s"].iloc[0])]  # fmt: skip


def test_equal_reports_of_one_answer_are_parts_and_a_repeated_answer_is_none(bench: Bench) -> None:
    """Two in one answer are two parts; the same answer again adds none."""
    send_long(bench, [ONE], GROUP, "new")
    for _ in range(2):
        bench.receive(rows([ONE], GROUP, 1, 2))
        assert state(bench) == ["delivered", 2, 10]


def test_a_missing_part_is_waited_for_where_reports_come_by_part(bench: Bench) -> None:
    """Pending with one part, delivered with the last, whose time counts; replayed, the same."""
    with_history(bench, parts=2)
    bench.receive(rows([ONE], LATER, 10, 1))
    assert state(bench) == ["pending", 1, None]
    bench.store.replay()
    assert state(bench) == ["pending", 1, None]
    bench.receive(rows([ONE], LATER, 10, 1, receiveDate="20260110080040"))
    assert state(bench) == ["delivered", 2, 40]


def test_a_part_that_never_comes_is_waited_for_72_hours(bench: Bench) -> None:
    """After that no report can come: delivered, as far as anybody can know."""
    with_history(bench, parts=2)
    bench.receive(rows([ONE], LATER, 10, 1))
    bench.clock.sleep(2 * DAY)
    bench.receive([])
    assert state(bench) == ["pending", 1, None]
    bench.clock.sleep(2 * DAY)
    bench.receive([])
    assert state(bench) == ["delivered", 1, 10]
    bench.store.replay()
    assert state(bench) == ["delivered", 1, 10]


@pytest.mark.parametrize("code", ["MK:0001"])
def test_a_failed_part_fails_the_message(bench: Bench, code: str) -> None:
    """At once, whatever is still missing."""
    with_history(bench, parts=2)
    bench.receive([report(ONE, LATER, code, submitDate="20260110080000", receiveDate="20260110080007")])
    assert state(bench) == ["failed", 1, 7]


def test_where_reports_come_by_message_one_is_enough(bench: Bench) -> None:
    """Learned too: one report, delivered at once."""
    with_history(bench, parts=1)
    bench.receive(rows([ONE], LATER, 10, 1))
    assert state(bench) == ["delivered", 1, 10]


def test_without_a_history_nothing_is_waited_for(bench: Bench) -> None:
    """An account that is new says nothing of its parts."""
    send_long(bench, [ONE], GROUP, "new")
    bench.receive(rows([ONE], GROUP, 1, 1))
    assert state(bench) == ["delivered", 1, 10]


def missing(bench: Bench, campaign: str = "new") -> list[int | None]:
    return [None if pd.isna(one) else int(one) for one in bench.store.messages(campaign)["parts_missing"]]


def test_a_part_that_never_came_is_named(bench: Bench) -> None:
    """One of two is missing once no report can come any more; nobody can say so before, or where reports do not come by part."""
    with_history(bench, parts=2)
    assert missing(bench, "past") == [0] * len(CROWD)
    bench.receive(rows([ONE], LATER, 10, 1))
    assert missing(bench) == [None]
    bench.clock.sleep(4 * DAY)
    bench.receive([])
    assert missing(bench) == [1]
    assert bench.store.messages(parts_missing=1)["phone"].tolist() == [ONE]
    counted = mas.delivery_rates(bench.store, by="parts_missing")
    assert counted.reset_index()[["parts_missing", "delivered"]].to_numpy().tolist() == [[0, 30], [1, 1]]


def test_where_reports_come_once_a_message_no_part_is_missing(bench: Bench) -> None:
    """What is not known is no number."""
    with_history(bench, parts=1)
    assert missing(bench, "past") == [None] * len(CROWD)


def test_what_was_learned_is_said(bench: Bench) -> None:
    """In the notes of every rate, on the store's card, and by the doctor."""
    with_history(bench, parts=2)
    said = "企业/ap reports each part of a long message: of 30 delivered ones older than 72 hours 30 had all."
    assert any(said in note for note in notes_of(mas.delivery_rates(bench.store), "en"))
    assert said in bench.store.text("en")
    found = [one.text for one in check(store_path=bench.store.path) if one.name == "parts"]
    assert found == ["企业/ap reports each part (30 of 30 delivered long messages had all)."]


@pytest.mark.parametrize(("rule", "status"), [("all", "pending"), ("any", "delivered"), ("auto", "delivered")])
def test_the_rule_can_be_said(bench: Bench, rule: Any, status: str) -> None:
    """It stays with the file, holds from the first report on, and can be taken back."""
    with Store(bench.store.path, clock=bench.clock, parts=rule):
        pass
    send_long(bench, [ONE], GROUP, "new")
    bench.receive(rows([ONE], GROUP, 1, 1))
    assert state(bench)[0] == status
    with Store(bench.store.path, clock=bench.clock, parts="auto"):
        pass
    assert state(bench)[0] == "delivered"
    with Store(bench.store.path, clock=bench.clock, parts=rule):
        pass
    assert state(bench)[0] == status
    bench.clock.sleep(4 * DAY)
    bench.receive([])
    assert state(bench)[0] == "delivered"


def test_another_rule_is_refused(bench: Bench) -> None:
    """By name, with those there are."""
    with pytest.raises(InputError, match="parts='both': one of auto, any, all"):
        Store(bench.store.path, parts="both")  # type: ignore[arg-type]


def fail_and_deliver(bench: Bench) -> None:
    """Send one message of one segment, of which a failure is reported and then the delivery of a later attempt."""
    run = bench.start("new")
    (batch_id,) = bench.register(run, PlainBatch([ONE], segments=[1]))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "accepted", GROUP)
    for code, at in (("MI:0001", "20260101080010"), ("DELIVRD", "20260101080040")):
        bench.receive([report(ONE, GROUP, code, submitDate="20260101080000", receiveDate=at)])


def test_a_message_that_failed_before_it_was_delivered_is_told(bench: Bench) -> None:
    """One segment: the retry counts, and the notes say that there was a failure before; replayed, the same."""
    fail_and_deliver(bench)
    for _ in range(2):
        assert state(bench) == ["delivered", 2, 40]
        notes = notes_of(mas.delivery_rates(bench.store, campaign="new"), "en")
        assert "1 delivered message had been reported as failed before: a later attempt succeeded" in notes
        bench.store.replay()
    assert not [
        note for note in notes_of(mas.delivery_rates(bench.store, carrier="中国广电"), "en") if "before" in note
    ]


def test_an_export_says_that_it_cannot_tell_whose_failure_it_was(bench: Bench, tmp_path: Path) -> None:
    """Each message is in it with its last outcome alone: of a part of the messages only how many of all there were is known."""
    fail_and_deliver(bench)
    bench.store.export_parquet(tmp_path / "out")

    def said(**where: Any) -> list[str]:
        return [note for note in notes_of(mas.delivery_rates(tmp_path / "out", **where), "en") if "before" in note]

    assert said() == ["1 delivered message had been reported as failed before: a later attempt succeeded"]
    assert said(carrier="中国广电") == said(since="2026-02-01") != said()
    (of_a_part,) = said(carrier="中国广电")
    assert of_a_part == (
        "1 delivered message of the whole export had been reported as failed before; whether it is one of those asked about,"
        " only the store knows"
    )
