"""A message counts once, whatever the list is made of: stores, copies, exports, archives and folders of these."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics import analysis, export_folder
from masanalytics.analysis.matured_history import matured_history
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError, StoreError
from masanalytics.store import Store
from tests.bench import Bench, report
from tests.several_accounts import ACCOUNTS, DAY, fill, same

pytest.importorskip("pyarrow")
pytest.importorskip("duckdb")

A, B, C = "13800138000", "13900139000", "13700137000"
GROUP = "0101080000000000000001"
READERS: dict[str, tuple[str, ...]] = {"DuckDB": (), "polars": ("duckdb",), "pandas": ("duckdb", "polars")}
"""What opens a folder, and what is not installed where that is so."""
KEY = "a key that nobody guesses"


@pytest.fixture
def settled(tmp_path: Path) -> Any:
    """A store of two months, of which January may be archived: 176 messages of 180."""
    with Store(tmp_path / "a.db", clock=ManualClock(1_775_000_000)) as store:
        fill(store, ACCOUNTS[0], 0)
        with store.db.conn as conn:
            conn.execute("UPDATE batches SET msg_group = printf('%022d', batch_id)")
        yield store


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder with a store whose January is archived, and all that can be made of it; and a Store of it."""
    folder = tmp_path_factory.mktemp("places")
    with Store(folder / "a.db", clock=ManualClock(1_775_000_000)) as store:
        fill(store, ACCOUNTS[0], 0)
        with store.db.conn as conn:
            conn.execute("UPDATE batches SET msg_group = printf('%022d', batch_id)")
        store.archive("2026-02-01", folder / "arc")
        store.export_parquet(folder / "exp")
        store.export_parquet(folder / "hashed", phones="hashed", key=KEY)
    shutil.copy(folder / "a.db", folder / "copy.db")
    shutil.copytree(folder / "arc", folder / "arc2")
    (folder / "parent").mkdir()
    for name in ("exp", "backup"):
        shutil.copytree(folder / "exp", folder / "parent" / name)
    (folder / "one").mkdir()
    shutil.copytree(folder / "exp", folder / "one" / "exp")
    with Store(folder / "a.db") as store, Store(folder / "copy.db") as copy:
        yield folder, store, copy


def relation(folder: Path, month: str = "*") -> Any:
    return pytest.importorskip("duckdb").read_parquet(str(folder / f"month={month}" / "*.parquet"))


def scan(folder: Path, month: str = "*") -> Any:
    return pytest.importorskip("polars").scan_parquet(folder / f"month={month}" / "*.parquet")


TWICE: dict[str, tuple[Callable[[Path, Store, Store], Any], str]] = {
    "a path written in two ways": (lambda at, *_: [at / "exp", f"{at}/./exp/"], "exp is in the list twice"),
    "an export and its store": (lambda at, store, _: [at / "exp", store], "exp and .*a.db are of one store"),
    "an export under another key": (lambda at, *_: [at / "exp", at / "hashed"], "exp and .*hashed are of one store"),
    "an export and the Archive": (
        lambda at, store, _: [at / "exp", mas.Archive(at / "arc", store)],
        r"Give Archive\(.*arc\) alone",
    ),
    "a store and its Archive": (
        lambda at, store, _: [store, mas.Archive(at / "arc", store)],
        r"Give Archive\(.*arc\) alone",
    ),
    "a store and the archive's folder": (
        lambda at, store, _: [store, at / "arc"],
        r"a.db and .*arc are of one store.*Give mas.Archive\(folder, store\) in place of both",
    ),
    "an Archive and its folder": (
        lambda at, store, _: [mas.Archive(at / "arc", store), at / "arc"],
        "are of one store",
    ),
    "a store and its copy": (lambda _, store, copy: [store, copy], "a.db and .*copy.db are of one store"),
    "two copies of an archive": (
        lambda at, *_: [at / "exp", at / "arc", at / "arc2"],
        "arc and .*arc2 are of one store",
    ),
    "a folder with an export and its backup": (lambda at, *_: at / "parent", "backup and .*exp are of one store"),
    "a folder and what is in it": (lambda at, *_: [at / "one", at / "one" / "exp"], "exp is in the list twice"),
    "a relation over an export and its store": (
        lambda at, store, _: [store, relation(at / "exp")],
        "a.db and .*exp are of one store",
    ),
    "a scan of an export and its folder": (lambda at, *_: [scan(at / "exp"), at / "exp"], "exp is in the list twice"),
    "an export and one of its months": (
        lambda at, *_: [relation(at / "exp"), scan(at / "exp", "2026-02")],
        "exp is in the list twice",
    ),
    "a scan of an archive and its store": (
        lambda at, store, _: [scan(at / "arc"), store],
        "arc and .*a.db are of one store",
    ),
    "a list in a list": (lambda at, store, copy: [[store], [at / "arc", copy]], "are of one store"),
}


@pytest.mark.parametrize("case", TWICE)
def test_two_parts_of_one_store_are_refused(places: Any, case: str) -> None:
    """Whatever they are called, the error names both and says what to give."""
    make, problem = TWICE[case]
    with pytest.raises(InputError, match=problem):
        mas.delivery_rates(make(*places), history=None)


@pytest.mark.parametrize("read", [relation, scan])
def test_months_of_an_export_can_be_read_one_by_one(
    settled: Store, tmp_path: Path, read: Callable[[Path, str], Any]
) -> None:
    """Files that have no message in common are no message twice, and a batch of two months is one batch."""
    settled.export_parquet(tmp_path / "exp")
    months = [file.parent.name.removeprefix("month=") for file in sorted((tmp_path / "exp").glob("month=*/*.parquet"))]
    assert len(months) > 1

    for by in ("campaign", "batch_id"):
        found = mas.delivery_rates([read(tmp_path / "exp", month) for month in months], by=by, history=None)
        pd.testing.assert_frame_equal(
            found, mas.delivery_rates(tmp_path / "exp", by=by, history=None), check_dtype=False
        )


def test_a_copy_that_went_on_by_itself_is_refused_too(settled: Store, tmp_path: Path) -> None:
    """It is another ledger from then on, and has the messages of before."""
    settled.export_parquet(tmp_path / "exp")
    settled.db.execute("VACUUM INTO ?", [str(tmp_path / "copy.db")])
    with Store(tmp_path / "copy.db") as copy:
        copy.accept_older_copy()
        for other in (settled, tmp_path / "exp"):
            with pytest.raises(InputError, match=r"copy.db have been one store"):
                mas.delivery_rates([other, copy])
        assert mas.delivery_rates(copy, history=None)["accepted"].tolist() == [180]


def test_an_export_and_the_archive_are_one_store(settled: Store, tmp_path: Path) -> None:
    """While nothing has moved since the export, its messages, replies, ids and notes are those of the store that was never archived."""
    settled.db.execute("VACUUM INTO ?", [str(tmp_path / "whole.db")])
    settled.archive("2026-02-01", tmp_path / "arc")
    settled.export_parquet(tmp_path / "exp", uplinks=True)
    both = [tmp_path / "exp", tmp_path / "arc"]
    with Store(tmp_path / "whole.db") as whole:
        for question in (
            lambda data: mas.delivery_rates(data, by="campaign"),
            lambda data: mas.delivery_rates(data, by="batch_id", history=None),
            lambda data: mas.delivery_rates(data, batch_id=[1, 5], history=None),
            lambda data: mas.replies(data, by="campaign"),
            analysis.funnel,
        ):
            same(question(both), question(whole))
    archived = [one["code"] for one in mas.delivery_rates(tmp_path / "exp").attrs["notes"]]
    assert "archived" in archived


def test_what_moved_after_the_export_is_not_counted_twice(settled: Store, tmp_path: Path) -> None:
    """An export of before and the archive are refused until the export is repeated."""
    both = [tmp_path / "exp", tmp_path / "arc"]
    settled.export_parquet(tmp_path / "exp")
    done = settled.archive("2026-02-01", tmp_path / "arc")
    (tmp_path / "parent").mkdir()
    for place in both:
        shutil.copytree(place, tmp_path / "parent" / place.name)

    for data in (both, tmp_path / "parent"):
        with pytest.raises(
            StoreError, match=rf"{done.messages} messages moved into .*arc after .*exp was written.*export again"
        ):
            mas.delivery_rates(data, history=None)
    settled.export_parquet(tmp_path / "exp")
    assert mas.delivery_rates(both, history=None)["accepted"].tolist() == [180]


def test_what_moves_while_it_is_counted_is_not_counted_twice(
    settled: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night's archiving and export between the reading of the two are noticed, and both are read again."""
    from masanalytics.analysis.sources.folders import ExportedMessages

    both = [tmp_path / "exp", tmp_path / "arc"]
    settled.archive("2026-01-02", tmp_path / "arc")
    settled.export_parquet(tmp_path / "exp")
    count = ExportedMessages.grouped_count
    turns: list[object] = []

    def counted(self: Any, *given: Any, **named: Any) -> Any:
        found = count(self, *given, **named)
        if not turns:
            turns.append(settled.archive("2026-02-01", tmp_path / "arc"))
            settled.export_parquet(tmp_path / "exp")
        return found

    monkeypatch.setattr(ExportedMessages, "grouped_count", counted)
    assert mas.delivery_rates(both, history=None)["accepted"].tolist() == [180]


def test_an_archive_of_before_the_export_lacks_messages(settled: Store, tmp_path: Path) -> None:
    """What was archived and is in no file of this copy of the archive is said, not left out."""
    settled.archive("2026-01-02", tmp_path / "arc")
    shutil.copytree(tmp_path / "arc", tmp_path / "older")
    settled.archive("2026-02-01", tmp_path / "arc")
    settled.export_parquet(tmp_path / "exp")

    with pytest.raises(StoreError, match=r"older does not show all that was archived"):
        mas.delivery_rates([tmp_path / "exp", tmp_path / "older"])


def test_an_export_of_an_earlier_version_does_not_say_what_was_archived(settled: Store, tmp_path: Path) -> None:
    """Beside the archive it is refused until it is written again, which one export does."""
    both = [tmp_path / "exp", tmp_path / "arc"]
    settled.archive("2026-02-01", tmp_path / "arc")
    settled.export_parquet(tmp_path / "exp")
    manifest = export_folder.read_manifest(tmp_path / "exp")
    assert manifest is not None
    export_folder.write_manifest(tmp_path / "exp", replace(manifest, extra={"uplinks": False}))

    with pytest.raises(StoreError, match=r"exp does not say what was archived when it was written.*export again"):
        mas.delivery_rates(both, history=None)
    settled.export_parquet(tmp_path / "exp")
    assert mas.delivery_rates(both, history=None)["accepted"].tolist() == [180]


def test_the_first_archiving_was_interrupted(settled: Store, tmp_path: Path) -> None:
    """A folder of an archive that has no manifest yet says what it is, alone, in a list and in a folder of folders."""
    (tmp_path / "all").mkdir()
    settled.archive("2026-02-01", tmp_path / "all" / "arc")
    settled.export_parquet(tmp_path / "all" / "exp")
    (tmp_path / "all" / "arc" / export_folder.MANIFEST).unlink()

    for data in (tmp_path / "all" / "arc", [tmp_path / "all" / "exp", tmp_path / "all" / "arc"], tmp_path / "all"):
        with pytest.raises(StoreError, match=r"arc is an archive without a manifest.*run it again"):
            mas.delivery_rates(data)
    settled.archive("2026-02-01", tmp_path / "all" / "arc")
    assert mas.delivery_rates(tmp_path / "all", history=None)["accepted"].tolist() == [180]


@pytest.mark.parametrize("reader", READERS)
def test_reports_of_archived_messages_are_counted_or_said(
    bench: Bench, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next archiving writes what they make of the messages; until then a note says how many there are."""
    for name in READERS[reader]:
        monkeypatch.setitem(sys.modules, name, None)
    both = [tmp_path / "exp", tmp_path / "arc"]
    bench.send([A, B], GROUP)
    bench.send([C], "0301080000000000000009", campaign="keeps the newest number")
    with bench.store.db.conn as conn:
        conn.execute("INSERT INTO coverage SELECT account_id, 0, ? FROM accounts", [int(bench.clock.now()) + 60 * DAY])
    bench.clock.sleep(60 * DAY)
    bench.store.archive("2026-02-01", tmp_path / "arc")
    archive = mas.Archive(tmp_path / "arc", bench.store)

    def counted(data: Any) -> list[int]:
        return mas.delivery_rates(data, history=None)[["accepted", "delivered", "failed"]].to_numpy().tolist()[0]

    def lasting(data: Any) -> list[str]:
        return [one for one in mas.notes_of(mas.delivery_rates(data, history=None)) if "archive" in one]

    for reports, expected in (([report(A, GROUP)], [3, 1, 0]), ([report(B, GROUP, "MK:0001")], [3, 1, 1])):
        before = counted(both) if (tmp_path / "exp").exists() else [3, 0, 0]
        bench.receive(reports)
        bench.store.export_parquet(tmp_path / "exp")
        assert counted(both) == before
        assert lasting(both) == [
            "1 report of an archived message came after the archive was written and is not counted here: run"
            " store.archive(before, folder) again"
        ]
        for _ in range(2):
            bench.store.archive("2026-02-01", tmp_path / "arc")
            assert (counted(both), counted(archive), lasting(both)) == (expected, expected, [])
            assert len(list((tmp_path / "arc").glob("_late/*/*"))) == 1

    alone = mas.Archive(tmp_path / "arc")
    columns = ["message_id", "status", "report_status", "error_code", "reports", "latency_s", "received_at"]
    pd.testing.assert_frame_equal(alone.messages("c1")[columns], archive.messages("c1")[columns], check_dtype=False)
    assert mas.error_codes(alone)["error_code"].tolist() == ["MK:0001"]
    assert mas.number_health(alone, phones=[B])["failed"].tolist() == [1]
    assert bench.store.forget(phones=[A]).messages == 1
    bench.store.archive("2026-02-01", tmp_path / "arc")
    assert A.encode() not in b"".join(file.read_bytes() for file in (tmp_path / "arc").rglob("*.p*"))
    assert counted(both) == [3, 1, 1]


def test_a_history_is_given_as_data_is(settled: Store, tmp_path: Path) -> None:
    """The messages of a folder, and of a list, are the history that those of the Store are; a word that is no folder is refused."""
    settled.export_parquet(tmp_path / "exp")
    today = settled.messages().assign(waited_s=600, status="pending", received_at=None, latency_s=None)
    expected = mas.delivery_rates(today, history=settled)
    known = matured_history(settled, today, by_carrier=False)
    assert known is not None
    assert len(known.names) == 2

    for history in (tmp_path / "exp", str(tmp_path / "exp"), [tmp_path / "exp"]):
        found = matured_history(history, today, by_carrier=False)
        assert found is not None
        pd.testing.assert_frame_equal(found.names, known.names, check_dtype=False)
        assert sorted(found.ladder.n.tolist()) == sorted(known.ladder.n.tolist())
        pd.testing.assert_frame_equal(mas.delivery_rates(today, history=history), expected)
    with pytest.raises(InputError, match="history='28d': give 'auto', None, or a Store, frame or folder"):
        mas.delivery_rates(today, history="28d")


def test_a_funnel_says_why_it_has_no_replies(settled: Store, tmp_path: Path) -> None:
    """With its replies an export has the step of a Store; without them a note names the export and what writes them."""
    settled.export_parquet(tmp_path / "exp", uplinks=True)
    same(analysis.funnel(tmp_path / "exp"), analysis.funnel(settled))
    settled.export_parquet(tmp_path / "exp")
    settled.archive("2026-02-01", tmp_path / "arc")
    settled.export_parquet(tmp_path / "exp2")

    cases: list[tuple[Any, str]] = [
        (tmp_path / "exp", r"replies are not counted: .*exp has none. store.export_parquet\(folder, uplinks=True\)"),
        ([tmp_path / "exp2", tmp_path / "arc"], r"not counted: \S*exp2 has none"),
        (mas.Archive(tmp_path / "arc"), "stay in the store"),
        ([settled, pd.DataFrame({"status": ["delivered"]})], "a frame of messages has none"),
    ]
    for data, why in cases:
        found = analysis.funnel(data)
        assert found["step"].tolist() == ["planned", "accepted", "delivered"]
        assert any(pd.Series(mas.notes_of(found)).str.contains(why)), mas.notes_of(found)
