"""Nothing is handed out twice, nothing is forgotten, whenever and however often one asks."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masanalytics.simulator.queues import ReportQueue, UplinkQueue
from masanalytics.simulator.report_rows import ROW
from masanalytics.simulator.wire import Rejection, open_body

dues = st.lists(st.floats(0, 100, allow_nan=False), max_size=30)


@given(batches=st.lists(dues, max_size=6), polls=st.lists(st.tuples(st.floats(0, 50), st.integers(1, 20)), max_size=20))
def test_every_report_comes_once_when_it_is_due(batches: Any, polls: Any) -> None:
    """However batches and polls are mixed, each row comes exactly once, not before its time, within the limit."""
    queue, found, now = ReportQueue(), [], 0.0
    waiting = list(enumerate(batches))
    for step, limit in [*polls, (200.0, 10**6)]:
        if waiting:
            number, batch = waiting.pop()
            rows = np.zeros(len(batch), dtype=ROW)
            rows["due"], rows["batch"], rows["phone"] = sorted(batch), number, range(len(batch))
            queue.push(rows)
        now += step
        page = queue.take(now, limit)
        assert len(page) <= limit
        assert (page.rows["due"] <= now).all()
        found += page.rows.tolist()
    for number, batch in waiting:
        assert not [row for row in found if row[3] == number and batch]
    given_in = [(number, place) for number, batch in enumerate(batches) for place in range(len(batch))]
    left_out = {number for number, _ in waiting}
    assert sorted((row[3], row[2]) for row in found) == [pair for pair in given_in if pair[0] not in left_out]
    assert queue.waiting(now) == (0, 0)


@given(entries=dues, limit=st.integers(1, 7))
def test_every_reply_comes_once_in_the_order_it_is_due(entries: Any, limit: Any) -> None:
    """Replies come by time, a page at a time."""
    queue = UplinkQueue()
    for place, due in enumerate(entries):
        queue.add(due, str(place))
    found: list[Any] = []
    pages = 0
    while page := queue.take(100.0, limit):
        found += page
        pages += 1
    assert found == [str(place) for place in sorted(range(len(entries)), key=lambda place: entries[place])]
    assert pages == -(-len(entries) // limit)


@given(
    fields=st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))),
    escaped=st.booleans(),
    literal=st.booleans(),
)
def test_any_object_in_any_dress_is_read(fields: Any, escaped: Any, literal: Any) -> None:
    """Base64 of JSON, raw or as a string literal with escaped slashes, gives the object back."""
    body = base64.b64encode(json.dumps(fields, ensure_ascii=escaped).encode())
    sent = b'"' + body.replace(b"/", b"\\/") + b'"' if literal else body
    assert open_body(sent).fields == fields


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: Any) -> None:
    """Nothing that comes over the line breaks the platform."""
    try:
        fields, rspcod = open_body(body).fields, ""
    except Rejection as rejection:
        fields, rspcod = {}, rejection.rspcod
    assert isinstance(fields, dict)
    assert rspcod in ("", "InvalidMessage")


def test_a_million_reports_in_pages_cost_little() -> None:
    """Taking a page does not get slower with what waits behind it."""
    rows = np.zeros(1_000_000, dtype=ROW)
    rows["due"] = np.arange(len(rows)) % 97
    queue = ReportQueue()
    queue.push(rows[np.argsort(rows["due"], kind="stable")])
    pages = [len(queue.take(1000.0, 1000)) for _ in range(1001)]
    assert pages == [1000] * 1000 + [0]


@pytest.mark.parametrize("limit", [1, 1000])
def test_rows_put_in_by_hand_come_first(limit: int) -> None:
    """A row somebody wrote is not kept waiting by a full queue."""
    queue = ReportQueue()
    queue.push(np.zeros(3, dtype=ROW))
    queue.add_text(0.0, "mine")
    page = queue.take(0.0, limit)
    assert (page.texts, len(page)) == (("mine",), min(limit, 4))
