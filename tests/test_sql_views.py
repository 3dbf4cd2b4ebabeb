"""The views for SQL by hand: words, China time, what people look for first, found by an index."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from masanalytics.store import Store
from tests.bench import Bench, PlainBatch

G1 = "0101080000000000000001"
A, B, C = "13800138000", "13800138001", "13900139000"


@pytest.fixture
def filled(bench: Bench, make_report: Callable[..., dict[str, str]]) -> Store:
    """A campaign of three with a failure, a reply that opts out, and a stretch of coverage."""
    run = bench.start()
    (batch_id,) = bench.register(run, PlainBatch([A, B, C], kept=['{"门店":"国贸"}'] * 3))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "accepted", G1)
    bench.receive([make_report(A, G1), make_report(B, G1, "MN:0090")])
    bench.clock.sleep(60)
    bench.receive([{"mobile": A, "smsContent": "TD", "sendTime": "2026-01-01 08:00:30", "addSerial": ""}], "deliver")
    return bench.store


def rows(store: Store, sql: str) -> list[tuple[object, ...]]:
    """Return what SQL by hand gives."""
    return [tuple(row) for row in store.db.execute(sql).fetchall()]


def test_a_message_says_who_what_and_why(filled: Store) -> None:
    """Number, status, code and its meaning in both languages stand first; own columns are JSON."""
    sql = "SELECT phone, status, error_code, meaning, meaning_zh, campaign, submitted_at, kept FROM messages_readable"

    assert rows(filled, sql)[:2] == [
        (A, "delivered", None, None, None, "c1", "2026-01-01 08:00:00", '{"门店":"国贸"}'),
        (
            B,
            "failed",
            "MN:0090",
            "Phone switched off",
            "用户关机",
            "c1",
            "2026-01-01 08:00:00",
            '{"门店":"国贸"}',
        ),
    ]
    columns = [row[1] for row in rows(filled, "PRAGMA table_info(messages_readable)")]
    assert columns[:4] == ["message_id", "phone", "status", "error_code"]
    assert rows(filled, "SELECT json_extract(kept, '$.门店'), count(*) FROM messages_readable GROUP BY 1") == [
        ("国贸", 3)
    ]


def test_a_code_means_what_the_catalogue_of_today_says(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening writes the meanings anew where the catalogue is another, and leaves the file alone where it is the same."""
    ask = "SELECT category, meaning, meaning_zh FROM messages_readable WHERE error_code = 'MN:0090'"
    filled.db.execute("UPDATE code_meanings SET category = 'older', meaning = 'older', meaning_zh = '旧'")
    filled.db.conn.commit()

    with Store(filled.path) as same:
        assert rows(same, ask) == [("older", "older", "旧")]
    monkeypatch.setattr("masanalytics.store.sql_views.catalogue_version", lambda: 7)
    with Store(filled.path) as other:
        assert rows(other, ask) == [("unreachable", "Phone switched off", "用户关机")]
        other.db.execute("UPDATE code_meanings SET category = 'older'")
        other.db.conn.commit()
    with Store(filled.path) as again:
        assert rows(again, "SELECT DISTINCT category FROM messages_readable WHERE category IS NOT NULL") == [("older",)]


def test_a_file_that_cannot_be_written_keeps_its_meanings(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another catalogue is no reason not to open it: while somebody else writes for long, another opening does it."""
    monkeypatch.setattr("masanalytics.store.sql_views.catalogue_version", lambda: 7)
    filled.db.execute("BEGIN IMMEDIATE")

    with Store(filled.path, busy_s=0.0) as other:
        assert rows(other, "SELECT count(*) FROM messages_readable") == [(3,)]
        assert rows(other, "PRAGMA user_version") != [(7,)]
    filled.db.conn.rollback()


def test_every_other_table_is_shown_in_china_time(filled: Store) -> None:
    """Batches, runs, polls, coverage, opt-outs, replies."""
    assert rows(filled, "SELECT campaign, state, messages, requested_at FROM batches_readable") == [
        ("c1", "accepted", 3, "2026-01-01 08:00:00")
    ]
    assert rows(filled, "SELECT campaign, started_at, ended_at, messages FROM runs_readable") == [
        ("c1", "2026-01-01 08:00:00", None, 3)
    ]
    assert rows(filled, "SELECT endpoint, state, asked_at, records FROM polls_readable") == [
        ("report", "parsed", "2026-01-01 08:00:00", 2), ("deliver", "parsed", "2026-01-01 08:01:00", 1),
    ]  # fmt: skip
    assert rows(filled, "SELECT phone, since, reason, content, campaign FROM opt_outs_readable") == [
        (A, "2026-01-01 08:00:30", "reply", "TD", "c1")
    ]
    assert rows(filled, "SELECT phone, content, opt_out, campaign FROM uplinks_readable") == [
        (A, "TD", "opt_out", "c1")
    ]
    assert rows(filled, "SELECT started_at, gap_before_s FROM coverage_readable") == [("2026-01-01 08:00:00", None)]
    assert rows(filled, "SELECT phone, report_status, error_code FROM reports_readable") == [
        (A, "DELIVRD", None), (B, "MN:0090", "MN:0090"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("campaign = 'c1'", "messages_by_campaign"),
        ("error_code = 'MN:0090'", "messages_by_error"),
        (f"phone = '{A}'", "messages_once_a_round"),
    ],
)
def test_what_people_filter_by_is_found_by_an_index(filled: Store, where: str, index: str) -> None:
    """Through the view, whose other columns are looked up for the rows that are found."""
    plan = rows(filled, f"EXPLAIN QUERY PLAN SELECT * FROM messages_readable WHERE {where}")

    assert any(index in str(step[3]) for step in plan), plan


def test_counting_by_status_looks_nothing_up(filled: Store) -> None:
    """A facet of Datasette: the batches, rounds, places and meanings are not asked."""
    plan = rows(
        filled, "EXPLAIN QUERY PLAN SELECT status, count(*) FROM (SELECT * FROM messages_readable) GROUP BY status"
    )

    assert not [step for step in plan if "SUBQUERY" in str(step[3])]


def test_the_operators_page_names_every_view(filled: Store) -> None:
    """Its table has a row a view, and names only columns that the view has."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "operators.md").read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| `(\w+_readable)` \| (.*) \|$", page, re.MULTILINE))
    views = [str(name) for (name,) in rows(filled, "SELECT name FROM sqlite_master WHERE type = 'view'")]

    assert sorted(table) == sorted(view for view in views if view.endswith("_readable"))
    for view, said in table.items():
        columns = {row[1] for row in rows(filled, f"PRAGMA table_info({view})")}
        named = {name for code in re.findall(r"`([a-z_, ]+)`", said) for name in code.split(", ")}
        assert named - {"send", "review"} <= columns, view
