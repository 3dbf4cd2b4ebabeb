"""Long messages: whether reports come by part is learned from the account, and a missing part is waited for where they do."""

from __future__ import annotations

from typing import Any

import pytest

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
