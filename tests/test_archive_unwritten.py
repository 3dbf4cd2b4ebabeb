"""What the files of an archive do not know yet: late reports, and people who were forgotten since. The store beside them does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics import analysis
from masanalytics.clock import ManualClock
from masanalytics.store import Store, replay
from masanalytics.store.progress import campaign_progress
from tests.bench import Bench, report
from tests.several_accounts import DAY

pytest.importorskip("pyarrow")

A, B, C = "13800138000", "13900139000", "13700137000"
FIRST, SECOND, NEWEST = "0101080000000000000001", "0301080000000000000002", "0301080000000000000009"

ASKED: dict[str, Callable[[Any], pd.DataFrame]] = {
    "delivery_rates": lambda data: mas.delivery_rates(data, by="campaign", history=None),
    "number_health": mas.number_health,
    "number_health of some": lambda data: mas.number_health(data, phones=[B, C]),
    "suppression_value": lambda data: mas.suppression_value(data, 0.05),
    "fatigue": analysis.fatigue,
    "timeline": lambda data: mas.timeline(data, freq="d"),
}


@pytest.fixture
def both(bench: Bench, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[mas.Archive, Bench, Bench]]:
    """An archive of January beside its store, and the same store never archived: three people, one of them written to again."""
    bench.send([A, B, C], FIRST)
    bench.store.db.execute("UPDATE messages SET segments = ?", [getattr(request, "param", 1)])
    bench.store.db.conn.commit()
    bench.receive([report(A, FIRST), report(B, FIRST, "MK:0001")])
    for _ in range(59):
        bench.clock.sleep(DAY)
    bench.send([A, B], SECOND, campaign="c2")
    bench.send(["13600136000"], NEWEST, campaign="keeps the newest number")
    bench.receive([report(A, SECOND, submitDate="20260301080000", receiveDate="20260301080007")])
    with bench.store.db.conn as conn:
        conn.execute("DELETE FROM coverage")
        conn.execute("INSERT INTO coverage SELECT account_id, 0, ? FROM accounts", [int(bench.clock.now()) + 30 * DAY])
    bench.clock.sleep(30 * DAY)
    bench.store.db.execute("VACUUM INTO ?", [str(tmp_path / "whole.db")])
    assert bench.store.archive("2026-02-01", tmp_path / "archive").messages == 3
    clock = ManualClock(bench.clock.now())
    with Store(tmp_path / "whole.db", clock=clock) as store:
        yield mas.Archive(tmp_path / "archive", bench.store), bench, Bench(store, clock)


def check(archive: mas.Archive, whole: Store) -> None:
    for ask in ASKED.values():
        found, expected = ask(archive), ask(whole)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)
        assert found.attrs["notes"] == expected.attrs["notes"]


@pytest.mark.parametrize("both", [1, 2], indirect=True)
def test_equal_late_reports_are_as_many_as_they_would_be_of_a_live_message(
    both: tuple[mas.Archive, Bench, Bench],
) -> None:
    """Of two parts two reports, of one part one; the same again later is none more, in the files neither."""
    archive, archived, whole = both
    late = report(C, FIRST, receiveDate="20260330080000")
    for page in ([late, late], [late]):
        for one in (archived, whole):
            one.receive(page)

        def reports(data: Any) -> list[int]:
            rows = data.messages()
            return rows.loc[rows["phone"] == C, "reports"].tolist()

        assert reports(archive) == reports(whole.store)
        check(archive, whole.store)
        archived.store.archive("2026-02-01", archive.folder)
        assert reports(archive) == reports(whole.store)


def test_a_message_that_failed_and_was_delivered_by_late_reports_is_told(
    both: tuple[mas.Archive, Bench, Bench],
) -> None:
    """Of two archived messages: one pending that failed and then arrived, one delivered whose first attempt's failure came late."""
    archive, archived, whole = both
    for one in (archived, whole):
        one.receive([report(C, FIRST, "MK:0001", receiveDate="20260320080000")])
        one.receive([report(C, FIRST, receiveDate="20260321080000")])
        one.receive([report(A, FIRST, "MK:0001", receiveDate="20260101080001")])

    check(archive, whole.store)
    (told,) = [note for note in mas.delivery_rates(archive).attrs["notes"] if note["code"] == "failed_before"]
    assert told["parameters"]["count"] == 2
    assert archived.store.archive("2026-02-01", archive.folder).messages == 0
    check(archive, whole.store)


def test_a_late_report_moves_its_message_in_every_question(both: tuple[mas.Archive, Bench, Bench]) -> None:
    """It says another time of submission and that a message arrived after all: also for the health of its number."""
    archive, archived, whole = both
    late = [
        report(C, FIRST, submitDate="20260115080000", receiveDate="20260330080000"),
        report(B, FIRST, submitDate="20260101080000", receiveDate="20260330080010"),
    ]
    for one in (archived, whole):
        one.receive(late)

    check(archive, whole.store)
    seen = mas.number_health(archive, phones=[C])[["last_sent_at", "last_seen_alive_at"]].iloc[0]
    assert seen.astype(str).tolist() == ["2026-01-15 08:00:00+08:00", "2026-03-30 08:00:00+08:00"]
    assert "failed_before" in {note["code"] for note in mas.delivery_rates(archive, history=None).attrs["notes"]}
    for where in ({"campaign": "c2"}, {"since": "2026-02-01"}, {"status": "failed"}, {"status": ["delivered", 6]}):
        found, expected = (mas.delivery_rates(data, history=None, **where) for data in (archive, whole.store))
        assert found.attrs["notes"] == expected.attrs["notes"]


@pytest.mark.parametrize("wish", [{"phones": [A, B]}, {"before": "2026-02-01"}])
def test_a_person_who_was_forgotten_is_one_person_before_the_files_say_so(
    both: tuple[mas.Archive, Bench, Bench], wish: dict[str, Any]
) -> None:
    """The live messages have a name already, the archived ones a number until the next archiving."""
    archive, archived, whole = both
    for one in (archived, whole):
        one.store.forget(**wish, force=True)
    # Each store makes names of its own.
    names = [store.messages("c2")["phone"].tolist() for store in (archived.store, whole.store)]
    people = [mas.number_health(data)["phone"] for data in (archive, whole.store)]

    assert [len(one) for one in people] == [len(people[1])] * 2
    assert set(names[0]) <= set(people[0])
    assert not {A, B} & {*people[0], *archive.messages()["phone"]} - set(people[1])
    for ask in (ASKED["suppression_value"], ASKED["fatigue"], ASKED["delivery_rates"]):
        pd.testing.assert_frame_equal(ask(archive), ask(whole.store), check_dtype=False, rtol=1e-9)
    before = mas.number_health(archive)
    archived.store.archive("2026-02-01", archive.folder)
    pd.testing.assert_frame_equal(mas.number_health(archive), before)


def test_the_text_of_a_batch_goes_with_the_last_of_its_people(both: tuple[mas.Archive, Bench, Bench]) -> None:
    """Whether they are archived or live: as long as one of them is known the text stays, and then no byte of it."""
    archive, archived, whole = both
    file = Path(archived.store.path)
    for phones, texts in (([A], 2), ([B, C], 0)):
        for one in (archived, whole):
            one.store.forget(phones=phones, force=True)
        kept = [one.store.batches()["content"].head(2).notna().sum() for one in (archived, whole)]
        assert kept == [texts] * 2
    archived.store.archive("2026-02-01", archive.folder)
    assert archive.campaigns().set_index("campaign")["text"].reindex(["c1", "c2"]).isna().all()
    assert archived.store.messages()["content"].notna().sum() == 1
    assert file.read_bytes().count("您好".encode()) == 1


def test_a_reply_that_is_younger_than_what_was_forgotten_keeps_its_campaign(
    both: tuple[mas.Archive, Bench, Bench],
) -> None:
    """The message is known by a name from then on, and the reply by the number: it is still the answer."""
    archive, archived, whole = both
    for one in (archived, whole):
        one.receive([{"mobile": C, "smsContent": "好的", "sendTime": "20260303090000", "addSerial": ""}], "deliver")
        one.store.forget(before="2026-02-01", force=True)

    found, expected = archive.uplinks(), whole.store.uplinks()

    pd.testing.assert_frame_equal(found, expected)
    assert found["campaign"].tolist() == ["c1"]
    pd.testing.assert_frame_equal(archive.uplinks("c1"), found)
    assert len(archive.uplinks("c2")) == 0


DELIVERED, FAILED = {"receiveDate": "20260330080000"}, {"receiveDate": "20260330080000", "errorCode": "MK:0001"}


@pytest.mark.parametrize(
    ("late", "first_batch"),
    [
        ([(C, DELIVERED)], [2, 1]),
        ([(B, DELIVERED)], [2, 0]),
        ([(A, FAILED)], [0, 2]),
        ([(A, {**FAILED, "receiveDate": "20251230080000"})], [1, 1]),
        ([(A, FAILED), (A, {"receiveDate": "20260330090000"}), (B, DELIVERED), (C, FAILED)], [2, 1]),
    ],
    ids=["open", "failed", "delivered", "delivered, of an earlier attempt", "all"],
)
def test_batches_and_progress_count_the_late_reports_of_archived_messages(
    both: tuple[mas.Archive, Bench, Bench], late: list[tuple[str, dict[str, str]]], first_batch: list[int]
) -> None:
    """Nobody waits for who was open any more, and who failed is delivered after all; also after the answers were read again."""
    archive, archived, whole = both
    for one in (archived, whole):
        for phone, said in late:
            code = said.get("errorCode", "DELIVRD")
            one.receive([report(phone, FIRST, code, receiveDate=said["receiveDate"])])

    def counts(store: Store) -> list[list[Any]]:
        table = store.batches()[["delivered", "failed"]].to_numpy().tolist()
        with store._connections.reading() as conn:
            progress = campaign_progress(conn, "c1")
        return [*table, [progress.reported, progress.accepted]]

    assert counts(archived.store) == counts(whole.store)
    assert counts(archived.store)[0] == first_batch
    assert counts(archived.store)[-1] == [sum(first_batch), 3]
    replay(archived.store)
    archived.store.archive("2026-02-01", archive.folder)
    assert counts(archived.store) == counts(whole.store)
