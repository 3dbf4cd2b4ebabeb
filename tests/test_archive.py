"""An archive: settled months leave the file, each message is in one place, and every number stays what it was."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.errors import InputError, StoreError
from masanalytics.export_folder import aside_of
from masanalytics.store import Store, replay
from masanalytics.store.archive_erasing import erase as archiving_erase
from tests.bench import Bench, PlainBatch, report
from tests.processes import KILLED_AT_A_STEP, Launcher
from tests.several_accounts import ACCOUNTS, DAY, QUESTIONS, START, fill, same

pytest.importorskip("pyarrow")
pytest.importorskip("duckdb")

A, B, C = "13800138000", "13900139000", "13700137000"
GROUP = "0101080000000000000001"

ARCHIVER = (
    KILLED_AT_A_STEP
    + """
import os, pathlib
import pyarrow.parquet
import masanalytics as mas
from masanalytics.clock import ManualClock
from masanalytics.store import archiving

def run(path, folder, until, before="2026-02-01", now=1_775_000_000):
    counted = killed_at(until)
    os.replace, os.fsync, pathlib.Path.unlink = counted(os.replace), counted(os.fsync), counted(pathlib.Path.unlink)
    for name in ("_write", "_note_evidence", "write_reports", "_take_out", "write_manifest"):
        setattr(archiving, name, counted(getattr(archiving, name)))
    with mas.Store(path, clock=ManualClock(now)) as store:
        store.archive(before, folder)
"""
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two accounts and two months, all settled."""
    path = tmp_path_factory.mktemp("archive") / "store.db"
    with Store(path) as store:
        for number, account in enumerate(ACCOUNTS[:2]):
            fill(store, account, number)
        with store.db.conn as conn:
            conn.execute("UPDATE batches SET msg_group = printf('%022d', batch_id)")
    return path


@pytest.fixture
def old(filled: Path, tmp_path: Path) -> Any:
    """A copy of it that may be changed, at a time when January is settled."""
    from masanalytics.clock import ManualClock

    shutil.copy(filled, tmp_path / "store.db")
    with Store(tmp_path / "store.db", clock=ManualClock(1_775_000_000)) as store:
        yield store


@pytest.fixture(scope="module")
def both(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The whole store, and a copy of it whose January is archived."""
    from masanalytics.clock import ManualClock

    folder = tmp_path_factory.mktemp("both")
    shutil.copy(filled, folder / "store.db")
    with Store(filled) as whole, Store(folder / "store.db", clock=ManualClock(1_775_000_000)) as store:
        done = store.archive("2026-02-01", folder / "archive")
        assert (done.months, done.waiting) == (["2026-01"], [])
        yield whole, mas.Archive(folder / "archive", store), done


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_number_stays(both: Any, question: str) -> None:
    """Live and archived messages together give what the store gave before."""
    whole, archive, done = both
    assert done.messages > 200
    same(QUESTIONS[question](archive), QUESTIONS[question](whole))


def test_the_messages_are_the_same(both: Any) -> None:
    """Each row and column is as it was, and the pages of campaigns too."""
    whole, archive, done = both
    found, expected = (each.messages(status=["pending", "delivered", "failed"]) for each in (archive, whole))
    pd.testing.assert_frame_equal(found, expected)
    assert len(whole.messages()) - len(archive.store.messages()) == done.messages
    pd.testing.assert_frame_equal(archive.campaigns(), whole.campaigns())
    pd.testing.assert_frame_equal(archive.uplinks(), whole.uplinks())
    pd.testing.assert_frame_equal(archive.batches(), whole.batches())


def test_the_history_of_a_person_goes_back_into_the_archive(both: Any) -> None:
    """Every message and reply is there as it was, and the card says the same; the store alone knows the live ones."""
    whole, archive, _ = both
    messages = whole.messages()
    phone = messages.loc[messages["submitted_at"] < pd.Timestamp("2026-02-01", tz="Asia/Shanghai"), "phone"].iloc[0]

    found, expected = archive.history(phone, reveal=True), whole.history(phone, reveal=True)

    pd.testing.assert_frame_equal(found.events, expected.events)
    assert found.text("en") == expected.text("en")
    assert len(archive.store.history(phone)) < len(found)


def test_the_store_alone_says_what_it_leaves_out(both: Any) -> None:
    """A rate of the live messages carries a note, and rows of a sheet are refused rather than called unsent."""
    _, archive, done = both
    (note,) = [one for one in mas.delivery_rates(archive.store).attrs["notes"] if one["code"] == "archived"]
    assert note["parameters"]["count"] == done.messages
    assert f"{done.messages} messages" in archive.store.text("en")
    with pytest.raises(
        InputError, match=rf"has campaign '活动0'; there is: .*\. But {done.messages} messages .* are archived"
    ):
        mas.delivery_rates(archive.store, campaign="活动0")
    sheet = pd.DataFrame({"phone": ["13900000001", "13999000000"]})
    with pytest.raises(InputError, match=r"messages of 活动0 are archived: give mas.Archive"):
        mas.outcomes(sheet, archive.store, phone="phone", campaign="活动0")
    assert mas.outcomes(sheet, archive, phone="phone", campaign="活动0")["status"].notna().tolist() == [True, False]


def archived(bench: Bench, folder: Path, days: int = 60) -> mas.Archive:
    """Let two months pass under coverage and archive everything of the first."""
    bench.send(["13600136000"], "0301080000000000000009", campaign="keeps the newest number")
    with bench.store.db.conn as conn:
        conn.execute("DELETE FROM coverage")
        conn.execute(
            "INSERT INTO coverage SELECT account_id, 0, ? FROM accounts", [int(bench.clock.now()) + days * DAY]
        )
    bench.clock.sleep(days * DAY)
    done = bench.store.archive("2026-02-01", folder)
    assert done.messages
    return mas.Archive(folder, bench.store)


def test_what_a_message_brought_is_asked_of_all_who_got_one(bench: Bench, tmp_path: Path) -> None:
    """The archive answers as the store did; the store alone, in which few of them are left, is refused."""
    people = {
        "a": [f"1380013{number:04d}" for number in range(20)],
        "b": [f"1390013{number:04d}" for number in range(20)],
    }
    run = bench.start()
    for batch_id in bench.register(run, *(PlainBatch(phones, arm=arm) for arm, phones in people.items())):
        bench.claim(run, batch_id)
        bench.answer(batch_id, "accepted", f"010108000000000000000{batch_id}")
    orders = pd.DataFrame({"p": [*people["a"][:12], *people["b"][:4]], "at": "2026-01-01 12:00"})

    def brought(data: Any) -> pd.DataFrame:
        return mas.uplift(data, orders, phone="p", at="at", campaign="c1", against="b")

    before = brought(bench.store)
    archive = archived(bench, tmp_path / "archive")
    assert before[["people", "converted"]].to_numpy().tolist() == [[20, 12], [20, 4]]
    pd.testing.assert_frame_equal(brought(archive), before)
    with pytest.raises(InputError, match=r"messages of c1 are archived: give mas.Archive"):
        brought(bench.store)


def test_nobody_is_sent_an_archived_round_again(bench: Bench, plain_batch: type[PlainBatch], tmp_path: Path) -> None:
    """The plan leaves them out, and even a batch that was planned before cannot be sent to them."""
    bench.send([A, B], GROUP)
    archived(bench, tmp_path / "archive")
    assert "c1" not in set(bench.store.messages()["campaign"])

    plan = mas.plan(pd.DataFrame({"手机号": [A, B, C]}), phone="手机号", text="您好", campaign="c1", store=bench.store)
    assert plan.messages["phone"].tolist() == [C]
    assert plan.excluded["reason"].tolist() == ["already_sent"] * 2
    run = bench.start()
    bench.register(run, plain_batch([A, C]))
    assert bench.store.messages("c1")["phone"].tolist() == [C]
    other = mas.plan(
        pd.DataFrame({"手机号": [A]}), phone="手机号", text="您好", campaign="c1", round="2", store=bench.store
    )
    assert other.messages["phone"].tolist() == [A]


def test_a_cap_counts_what_is_archived(bench: Bench, tmp_path: Path) -> None:
    """Who has had as many messages in 90 days as the cap allows gets none, wherever they are kept."""
    bench.send([A], GROUP)
    archived(bench, tmp_path / "archive")
    sheet = pd.DataFrame({"手机号": [A, C]})
    plan = mas.plan(sheet, phone="手机号", text="您好", campaign="c2", cap=(1, "90d"), store=bench.store)

    assert plan.messages["phone"].tolist() == [C]
    assert plan.excluded["reason"].tolist() == ["over_cap"]


def test_a_late_report_is_kept_and_counted(bench: Bench, tmp_path: Path) -> None:
    """A report that comes after the message left changes its outcome, once, and survives a replay."""
    bench.send([A, B], GROUP)
    bench.receive([report(B, GROUP, "MK:0001")])
    archive = archived(bench, tmp_path / "archive")
    before = mas.delivery_rates(archive, history=None, campaign="c1")
    assert before[["accepted", "delivered", "failed"]].to_numpy().tolist() == [[2, 0, 1]]

    for _ in range(2):
        bench.receive([report(A, GROUP), report(B, GROUP, "MK:0001")])
    replay(bench.store)

    after = mas.delivery_rates(archive, history=None, campaign="c1")
    assert after[["accepted", "delivered", "failed"]].to_numpy().tolist() == [[2, 1, 1]]
    assert mas.number_health(archive, phones=[A, B])[["delivered", "failed"]].to_numpy().tolist() == [[1, 0], [0, 1]]
    rows = archive.messages("c1")
    assert rows[["phone", "status", "reports"]].to_numpy().tolist() == [[A, "delivered", 1], [B, "failed", 1]]
    assert len(bench.store.foreign_reports()) == 0
    assert bench.store.db.execute("SELECT count(*) FROM late_reports").fetchone()[0] == 1


def test_a_reply_to_an_archived_message_finds_it(bench: Bench, tmp_path: Path) -> None:
    """The reply names the campaign that it answers, and the opt-out counts."""
    bench.send([A], GROUP)
    archived(bench, tmp_path / "archive")
    bench.receive([{"mobile": A, "smsContent": "TD", "sendTime": "20260305090000", "addSerial": ""}], "deliver")

    assert bench.store.uplinks()[["campaign", "opt_out"]].to_numpy().tolist() == [["c1", "opt_out"]]
    assert bench.store.opted_out([A]).tolist() == [True]


def test_what_is_not_settled_waits(bench: Bench, plain_batch: type[PlainBatch], tmp_path: Path) -> None:
    """A month is left while a batch of it is in doubt; what was rejected or planned stays in the file."""
    bench.send([A], GROUP)
    run = bench.start("c2")
    (batch_id,) = bench.register(run, plain_batch([B]))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "unknown")
    with bench.store.db.conn as conn:
        conn.execute("INSERT INTO coverage SELECT account_id, 0, ? FROM accounts", [int(bench.clock.now()) + 60 * DAY])
    bench.clock.sleep(60 * DAY)
    done = bench.store.archive("2026-02-01", tmp_path / "archive")
    assert (done.messages, done.months, done.waiting) == (0, [], ["2026-01"])

    bench.store.settle(batch_id, "not_sent")
    bench.send([C], "0301080000000000000009", campaign="c3")
    done = bench.store.archive("2026-02-01", tmp_path / "archive")
    assert (done.messages, done.waiting) == (1, [])
    assert bench.store.messages()["campaign"].tolist() == ["c2", "c3"]


def test_an_archive_is_of_one_store_and_of_the_past(bench: Bench, tmp_path: Path) -> None:
    """A folder of something else, a time to come and a file that is gone are said."""
    bench.send([A], GROUP)
    bench.store.export_parquet(tmp_path / "export")
    with pytest.raises(StoreError, match="is not the archive of this store"):
        bench.store.archive("2026-01-01", tmp_path / "export")
    with pytest.raises(InputError, match="has not come yet"):
        bench.store.archive("2026-02-01", tmp_path / "archive")
    archive = archived(bench, tmp_path / "archive")
    with pytest.raises(StoreError, match="or an archive"):
        bench.store.export_parquet(tmp_path / "archive")
    assert mas.delivery_rates(tmp_path / "archive", history=None)["accepted"].tolist() == [1]
    assert mas.delivery_rates(mas.Archive(tmp_path / "archive"), history=None)["accepted"].tolist() == [1]
    with (
        Store(tmp_path / "other.db", clock=bench.clock) as other,
        pytest.raises(StoreError, match="is the archive of another store: give the store that"),
    ):
        mas.delivery_rates(mas.Archive(tmp_path / "archive", other))
    (file,) = (tmp_path / "archive").glob("month=*/*.parquet")
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0
    file.unlink()
    with pytest.raises(StoreError, match="is missing from the archive"):
        mas.delivery_rates(archive)


@pytest.mark.slow
def test_killed_at_every_step(old: Store, tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """Wherever it is killed, each message is there once, and the next archiving ends the work."""
    ids = sorted(old.messages()["message_id"])
    old.close()
    archiver = launch(ARCHIVER)
    steps = 0
    while True:
        steps += 1
        path, folder = tmp_path / f"{steps}.db", tmp_path / f"archive{steps}"
        with sqlite3.connect(tmp_path / "store.db") as source, sqlite3.connect(path) as target:
            source.backup(target)
        archiver.start(wait_for_go=False, path=str(path), folder=str(folder), until=steps)
        ended = archiver.ended(60)
        with Store(path) as store:
            archive = mas.Archive(folder, store)
            assert archive.messages()["message_id"].tolist() == ids
            done = store.archive("2026-02-01", folder)
            assert archive.messages()["message_id"].tolist() == ids
            assert done.messages in ((0,) if ended == 0 else (0, len(ids) - len(store.messages())))
            listed = [pd.read_parquet(file)["message_id"] for file in folder.glob("**/*.parquet")]
            assert sorted([*pd.concat(listed), *store.messages()["message_id"]]) == ids
        if ended == 0:
            break
    assert steps > 8


@pytest.mark.slow
def test_killed_at_every_step_after_somebody_was_forgotten(
    old: Store, tmp_path: Path, launch: Callable[[str], Launcher]
) -> None:
    """Files are written anew, old ones removed and more months moved: every state between shows the same, and nobody again."""
    from masanalytics.clock import ManualClock

    old.archive("2026-02-01", tmp_path / "archive")
    ids = sorted(mas.Archive(tmp_path / "archive", old).messages()["message_id"])
    forgotten = mas.Archive(tmp_path / "archive", old).messages()["phone"].drop_duplicates().tolist()[:3]
    with old.db.conn as conn:
        conn.execute("UPDATE coverage SET ended_at = ended_at + ?", [60 * DAY])
    old.forget(phones=forgotten)
    expected = mas.delivery_rates(mas.Archive(tmp_path / "archive", old), by=["account", "campaign"])
    now = old.clock.now() + 90 * DAY
    old.close()
    path, folder = tmp_path / "store.db", tmp_path / "archive"
    shutil.copytree(folder, tmp_path / "kept")
    with sqlite3.connect(path) as source, sqlite3.connect(tmp_path / "kept.db") as target:
        source.backup(target)

    def right(archive: mas.Archive) -> bool:
        shown = archive.messages()
        pd.testing.assert_frame_equal(mas.delivery_rates(archive, by=["account", "campaign"]), expected)
        return shown["message_id"].tolist() == ids and not set(shown["phone"]) & set(forgotten)

    archiver = launch(ARCHIVER)
    steps = 0
    while True:
        steps += 1
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "kept", folder)
        for file in tmp_path.glob("store.db*"):
            file.unlink()
        shutil.copy(tmp_path / "kept.db", path)
        archiver.start(wait_for_go=False, path=str(path), folder=str(folder), until=steps, before="2026-04-01", now=now)
        ended = archiver.ended(60)
        with Store(path, clock=ManualClock(now)) as store:
            assert right(mas.Archive(folder, store))
            store.archive("2026-04-01", folder)
            assert right(mas.Archive(folder, store))
            everything = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
            assert not [phone for phone in forgotten if phone.encode() in everything]
            assert mas.delivery_rates(folder, history=None)["accepted"].tolist() == [len(ids) - len(store.messages())]
        if ended == 0:
            break
    assert steps > 15


def test_reports_go_with_their_messages(bench: Bench, tmp_path: Path) -> None:
    """The evidence is in the archive, not in the file any more."""
    bench.send([A], GROUP)
    bench.receive([report(A, GROUP)])
    archived(bench, tmp_path / "archive")
    (file,) = (tmp_path / "archive").glob("_reports/*/*.pq")

    assert pd.read_parquet(file)[["phone", "report_status"]].to_numpy().tolist() == [[A, "DELIVRD"]]
    assert bench.store.reports("c1").empty


def test_time_is_that_of_the_accounts(old: Store, tmp_path: Path) -> None:
    """An account whose coverage ended early keeps its month."""
    with old.db.conn as conn:
        conn.execute("UPDATE coverage SET ended_at = ? WHERE account_id = 1", [START + 20 * DAY])
    done = old.archive("2026-02-01", tmp_path / "archive")

    assert (done.months, done.waiting) == (["2026-01"], ["2026-01"])
    assert set(pd.read_parquet(next((tmp_path / "archive").glob("month=*/*")))["account"]) == {ACCOUNTS[1]}


def test_who_is_forgotten_leaves_the_archive(bench: Bench, tmp_path: Path) -> None:
    """The number goes from the file at once and from the archive's files with the next archiving; nobody is sent a round again."""
    bench.send([A, B], GROUP)
    bench.receive([report(A, GROUP), report(B, GROUP, "MK:0001")])
    archive = archived(bench, tmp_path / "archive")
    assert bench.store.forget(phones=[A]).messages == 1
    bench.store.archive("2026-02-01", tmp_path / "archive")

    everything = b"".join(file.read_bytes() for file in (tmp_path / "archive").rglob("*.p*"))
    assert A.encode() not in everything
    assert B.encode() in everything
    rows = archive.messages("c1")
    assert rows["phone"].str.fullmatch(r"138~[a-p]{24}").tolist() == [True, False]
    assert rows["content"].tolist() == ["您好", "您好"]  # of the batch, with B in it
    assert rows["status"].tolist() == ["delivered", "failed"]
    plan = mas.plan(pd.DataFrame({"手机号": [A]}), phone="手机号", text="您好", campaign="c1", store=bench.store)
    assert len(plan.messages) == 0
    bench.receive([report(A, GROUP, "MK:0012", receiveDate="20260303090000")])
    assert archive.messages("c1")["status"].tolist() == ["failed", "failed"]


def test_before_says_all_of_a_time(bench: Bench, tmp_path: Path) -> None:
    """Forgetting everything before a day reaches the archive too."""
    bench.send([A, B], GROUP)
    archived(bench, tmp_path / "archive")
    assert bench.store.forget(before="2026-02-01").messages == 3
    bench.store.archive("2026-02-01", tmp_path / "archive")
    (file,) = (tmp_path / "archive").glob("month=*/*.parquet")

    assert pd.read_parquet(file)["phone"].str.contains("~").all()


def test_a_column_kept_later_is_not_kept_in_older_files(old: Store, tmp_path: Path) -> None:
    """Files of an archive may have different columns; a question by one of them is answered all the same."""
    old.archive("2026-02-01", tmp_path / "archive")
    with old.db.conn as conn:
        conn.execute("INSERT INTO kept_columns (name) VALUES ('级别')")
        conn.execute('INSERT INTO kept (kept) VALUES (\'{"店":"西","级别":"金"}\')')
        conn.execute("UPDATE messages SET kept_id = (SELECT max(kept_id) FROM kept)")
        conn.execute("UPDATE coverage SET ended_at = ended_at + ?", [60 * DAY])
    old.clock.sleep(90 * DAY)
    before = mas.delivery_rates(mas.Archive(tmp_path / "archive", old), by=["店", "级别"], history=None)
    old.archive("2026-04-01", tmp_path / "archive")
    after = mas.delivery_rates(mas.Archive(tmp_path / "archive", old), by=["店", "级别"], history=None)
    old.export_parquet(tmp_path / "export")
    both = [tmp_path / "export", tmp_path / "archive"]

    pd.testing.assert_frame_equal(after, before)
    same(mas.delivery_rates(both, by=["店", "级别"], history=None), before)
    assert mas.delivery_rates(both, 级别="not kept", history=None)["accepted"].tolist() == [240]
    january = mas.delivery_rates(tmp_path / "archive", by="级别", until="2026-01-20", history=None)
    assert january[["级别", "accepted"]].to_numpy().tolist() == [["not kept", 120]]
    assert after[["店", "级别"]].to_numpy().tolist() == [["not kept", "not kept"], ["东", "not kept"], ["西", "金"]]


def test_the_command(old: Store, tmp_path: Path) -> None:
    """`masanalytics archive` says what it moved, and `export --hash-key` reads the key from a file."""
    from click.testing import CliRunner

    from masanalytics.cli import main

    (tmp_path / "key").write_text("a key that nobody guesses\n")
    db = ["--db", str(old.path), "--language", "en"]
    export = CliRunner().invoke(main, ["export", str(tmp_path / "pq"), "--hash-key", str(tmp_path / "key"), *db])
    assert export.exit_code == 0, export.output
    written = pd.read_parquet(export.output.split()[0])["phone"]
    assert written.str.fullmatch(r"139~[a-p]{32}").all()
    (tmp_path / "of Notepad").write_text("a key that nobody guesses\n", encoding="utf-8-sig")
    again = CliRunner().invoke(main, ["export", str(tmp_path / "pq2"), "--hash-key", str(tmp_path / "of Notepad"), *db])
    assert pd.read_parquet(again.output.split()[0])["phone"].tolist() == written.tolist()
    moved = CliRunner().invoke(main, ["archive", str(tmp_path / "archive"), "--before", "2026-02-01", *db])
    assert moved.exit_code == 0, moved.output
    assert "messages of 2026-01." in moved.output


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["export", "{at}/pq", "--hash-key", "{at}/empty"], "empty is empty: it must hold the key"),
        (
            ["export", "{at}/pq", "--hash-key", "{at}/key", "--reveal"],
            "--reveal writes whole numbers, --hash-key hashes",
        ),
        (["export", "{at}/key/pq"], "key is a file: give a folder"),
        (["export", "{at}/pq", "--db", "{at}/empty"], "empty is empty: no store"),
        (["archive", "{at}/key", "--before", "2026-02-01"], "'{at}/key' is a file."),
    ],
)
def test_a_command_that_cannot_be_meant_says_why(old: Store, tmp_path: Path, command: list[str], said: str) -> None:
    """In the words of the command line; an empty file does not become a store."""
    from click.testing import CliRunner

    from masanalytics.cli import main

    (tmp_path / "key").write_text("a key that nobody guesses\n")
    (tmp_path / "empty").write_bytes(b"")
    given = [word.format(at=tmp_path) for word in command]
    done = CliRunner().invoke(main, [*given[:1], "--db", str(old.path), "--language", "en", *given[1:]])

    assert done.exit_code != 0
    assert said.format(at=tmp_path) in done.output
    assert (tmp_path / "empty").read_bytes() == b""


def test_a_file_is_no_archive(old: Store, tmp_path: Path) -> None:
    """It is named, and stays what it is."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file is a file: give a folder"):
        old.archive("2026-02-01", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def orphan_of(folder: Path, made_from: Path) -> tuple[Path, Path]:
    """Leave a file and its reports as an archiving does that is killed before its transaction ends."""
    file = made_from.with_name("000009-00000009.parquet")
    reports = folder / "_reports" / made_from.parent.name
    shutil.copy(made_from, file)
    shutil.copy(reports / f"{made_from.stem}.pq", reports / f"{file.stem}.pq")
    return file, reports / f"{file.stem}.pq"


def test_what_a_killed_archiving_left_is_removed(bench: Bench, tmp_path: Path) -> None:
    """Its messages are in the store, or in another file: nothing of it stays, under no name."""
    bench.send([A, B], GROUP)
    bench.receive([report(A, GROUP)])
    archive = archived(bench, tmp_path / "archive")
    (made_from,) = (tmp_path / "archive").glob("month=*/*.parquet")
    before = sorted((tmp_path / "archive").rglob("*"))
    orphan_of(tmp_path / "archive", made_from)
    bench.store.archive("2026-02-01", tmp_path / "archive")

    assert sorted((tmp_path / "archive").rglob("*")) == before
    assert len(archive.messages("c1")) == 2


def test_who_is_forgotten_leaves_old_files_and_orphans_too(bench: Bench, tmp_path: Path) -> None:
    """Killed between the erasing and the removal of the old file, or put back from a copy: the next archiving has no whole number."""
    bench.send([A, B], GROUP)
    bench.receive([report(A, GROUP), report(B, GROUP)])
    archived(bench, folder := tmp_path / "archive")
    (file,) = folder.glob("month=*/*.parquet")
    bench.store.forget(phones=[A])
    shutil.copytree(folder, tmp_path / "copy")
    bench.store.archive("2026-02-01", folder)
    for name in (file.relative_to(folder), Path("_reports") / file.parent.name / f"{file.stem}.pq", "_manifest.json"):
        shutil.copy(tmp_path / "copy" / name, folder / name)
    bench.store.archive("2026-02-01", folder)

    left = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert [name for name in left if file.stem in name] == [
        f"_{file.stem}.parquet.orphan",
        f"_{file.stem}.pq.orphan",
    ]
    assert [name for name, content in left.items() if A.encode() in content] == []
    assert sum(B.encode() in content for content in left.values()) == 4


def copied(store: Store, path: Path) -> Path:
    """Copy the file of an open store."""
    with sqlite3.connect(store.path) as source, sqlite3.connect(path) as target:
        source.backup(target)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Return what each file of an archive holds, its manifest aside."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("*/**/*") if path.is_file()}


def twice_archived(bench: Bench, folder: Path, between: Path) -> mas.Archive:
    """Archive January, copy the store, and archive March, with what was the newest message of January."""
    bench.send([A], GROUP)
    bench.receive([report(A, GROUP)])
    archived(bench, folder)
    copied(bench.store, between)
    bench.send([B], "0301080000000000000002")
    bench.send([C], "0301080000000000000003", campaign="keeps the newest number")
    bench.clock.sleep(60 * DAY)
    with bench.store.db.conn as conn:
        conn.execute("UPDATE coverage SET ended_at = ?", [int(bench.clock.now())])
    assert bench.store.archive("2026-04-01", folder).months == ["2026-01", "2026-03"]
    return mas.Archive(folder, bench.store)


def test_what_an_older_copy_of_the_store_set_aside_is_taken_back(bench: Bench, tmp_path: Path) -> None:
    """Whoever reads is told of it, and `archive()` of the store in use gives every file its name again."""
    archive = twice_archived(bench, folder := tmp_path / "archive", tmp_path / "older.db")
    before, manifest = contents(folder), (folder / "_manifest.json").read_bytes()
    with Store(tmp_path / "older.db", clock=bench.clock) as older:
        assert older.archive("2026-01-01", folder).messages == 0
    aside = sorted(
        name.removesuffix(".orphan").replace("/_0", "/0") for name in contents(folder) if name.endswith(".orphan")
    )
    assert [name.split("/")[:-1] for name in aside] == [
        ["_reports", "month=2026-01"],
        ["_reports", "month=2026-03"],
        ["month=2026-01"],
        ["month=2026-03"],
    ]
    (folder / "_manifest.json").write_bytes(manifest)  # as where the archiving of the older copy was killed
    for source in (archive, folder):
        with pytest.raises(StoreError, match=r"was set aside as .*\.parquet\.orphan, and archive\(\) of the store"):
            mas.delivery_rates(source, history=None)

    aside_of(folder / aside[0]).rename(folder / aside[0])  # as where the taking back was killed between two files
    assert bench.store.archive("2026-01-01", folder).messages == 0
    assert contents(folder) == before
    assert sorted(archive.messages("c1")["phone"]) == [A, B]
    assert mas.delivery_rates(folder, history=None)["accepted"].tolist() == [3]


def test_a_copy_from_before_the_first_archiving_sets_nothing_aside_for_good(bench: Bench, tmp_path: Path) -> None:
    """None of the files has its name any more, and the folder is still known as the archive."""
    bench.send([A], GROUP)
    copied(bench.store, tmp_path / "older.db")
    archive = archived(bench, folder := tmp_path / "archive")
    before = contents(folder)
    with Store(tmp_path / "older.db", clock=bench.clock) as older:
        older.archive("2026-01-01", folder)
    assert all(name.endswith(".orphan") for name in contents(folder))

    bench.store.archive("2026-01-01", folder)
    assert contents(folder) == before
    assert archive.messages("c1")["phone"].tolist() == [A]


def test_an_older_copy_takes_files_that_were_written_anew(bench: Bench, tmp_path: Path) -> None:
    """Under another name, without whoever was forgotten; what the store in use has there stays in its place."""
    archive = twice_archived(bench, folder := tmp_path / "archive", tmp_path / "first.db")
    copied(bench.store, tmp_path / "older.db")
    bench.store.forget(phones=[A], force=True)
    bench.store.archive("2026-01-01", folder)
    before = contents(folder)
    with Store(tmp_path / "older.db", clock=bench.clock) as older:
        of_older = mas.Archive(folder, older)
        with pytest.raises(
            StoreError, match=r"another copy of the store wrote it anew, as .*\.parquet, and archive\(\)"
        ):
            of_older.messages("c1")
        assert older.archive("2026-01-01", folder).messages == 0
        assert contents(folder) == before
        assert [phone if phone == B else phone[:4] for phone in of_older.messages("c1")["phone"]] == ["138~", B]
    assert len(archive.messages("c1")) == 2


def test_an_archiving_that_lacks_a_file_is_refused_before_it_touches_anything(bench: Bench, tmp_path: Path) -> None:
    """Of an older copy, whose file was written anew and is gone, too: what the store in use has there stays in its place."""
    twice_archived(bench, folder := tmp_path / "archive", tmp_path / "first.db")
    copied(bench.store, tmp_path / "older.db")
    bench.store.forget(phones=[A], force=True)
    bench.store.archive("2026-01-01", folder)
    next(folder.glob("month=2026-01/*.parquet")).unlink()
    before = contents(folder)
    with (
        Store(tmp_path / "older.db", clock=bench.clock) as older,
        pytest.raises(StoreError, match=r"month=2026-01.*\.parquet is missing from the archive, .* put it back from a"),
    ):
        older.archive("2026-02-01", folder)
    assert contents(folder) == before


def test_a_file_in_whose_place_another_was_written_is_no_substitute(bench: Bench, tmp_path: Path) -> None:
    """It has the number of whoever was forgotten, and is about to be removed: where the newer one is lost, that is said."""
    bench.send([A, B], GROUP)
    archive = archived(bench, folder := tmp_path / "archive")
    (older,) = folder.glob("month=*/*.parquet")
    shutil.copytree(folder, tmp_path / "copy")
    bench.store.forget(phones=[A], force=True)
    bench.store.archive("2026-01-01", folder)
    (newer,) = folder.glob("month=*/*.parquet")
    shutil.copytree(tmp_path / "copy", folder, dirs_exist_ok=True)
    newer.unlink()
    with bench.store.db.conn as conn:  # as where the archiving was killed before it removed the old file
        conn.execute("INSERT INTO archive_old_files VALUES (?)", [older.relative_to(folder).as_posix()])
    before = contents(folder)

    with pytest.raises(StoreError, match="put it back from a copy"):
        bench.store.archive("2026-01-01", folder)
    assert contents(folder) == before

    with bench.store.db.conn as conn:
        conn.execute("DELETE FROM archive_old_files")
    with pytest.raises(StoreError, match="does not hold what was archived"):
        bench.store.archive("2026-01-01", folder)
    with pytest.raises(StoreError, match="is missing from the archive"):
        archive.messages("c1")


def test_a_file_set_aside_is_written_anew_where_that_was_due(bench: Bench, tmp_path: Path) -> None:
    """Each copy had forgotten somebody else, and the older one came first to write the file: nobody's number is left in it."""
    bench.send([A, B, C], GROUP)
    copied(bench.store, tmp_path / "older.db")
    archive = archived(bench, folder := tmp_path / "archive")
    bench.store.forget(phones=[B], force=True)
    with Store(tmp_path / "older.db", clock=bench.clock) as older:
        older.archive("2026-01-01", folder)
        older.forget(phones=[A], force=True)
        older.archive("2026-01-01", folder)

    bench.store.archive("2026-01-01", folder)

    assert [phone if phone == C else phone[:4] for phone in archive.messages("c1")["phone"]] == ["138~", "139~", C]
    assert not [name for name, content in contents(folder).items() if A.encode() in content or B.encode() in content]
    assert mas.delivery_rates(folder, history=None)["accepted"].tolist() == [3]


def test_files_set_aside_are_taken_back_without_whom_the_other_copy_forgot(bench: Bench, tmp_path: Path) -> None:
    """They were written anew where they lay: the newer store has all messages again, and the number of nobody who was forgotten."""
    bench.send([A, B], GROUP)
    bench.receive([report(A, GROUP), report(B, GROUP)])
    copied(bench.store, tmp_path / "older.db")
    archive = archived(bench, folder := tmp_path / "archive")
    with Store(tmp_path / "older.db", clock=bench.clock) as older:
        older.archive("2026-01-01", folder)
        older.forget(phones=[A], force=True)
        older.archive("2026-01-01", folder)
    assert {Path(name).suffix for name in contents(folder)} == {".orphan"}

    bench.store.archive("2026-01-01", folder)

    assert [phone if phone == B else phone[:4] for phone in archive.messages("c1")["phone"]] == ["138~", B]
    assert mas.delivery_rates(folder, history=None)[["accepted", "delivered"]].to_numpy().tolist() == [[2, 2]]
    assert not [name for name, content in contents(folder).items() if A.encode() in content]


@pytest.mark.parametrize("kind", ["month=2026-03/*.parquet", "_reports/month=2026-03/*.pq"])
def test_a_missing_file_is_named_by_the_archiving_too(bench: Bench, tmp_path: Path, kind: str) -> None:
    """Also where late reports are to be written, which read it; what lies beside it and is not whole is no substitute."""
    twice_archived(bench, folder := tmp_path / "archive", tmp_path / "older.db")
    bench.receive([report(B, "0301080000000000000002", submitDate="20260302080000", receiveDate="20260302080010")])
    (file,) = folder.glob(kind)
    aside, whole = aside_of(file), file.read_bytes()

    def refused(said: str) -> None:
        before = contents(folder)
        with pytest.raises(StoreError, match=said) as told:
            bench.store.archive("2026-01-01", folder)
        assert str(told.value).startswith(str(file))
        assert contents(folder) == before

    file.unlink()
    refused("is missing from the archive, or damaged: put it back from a copy")
    aside.write_bytes(whole[:-9])
    refused("does not hold what was archived: put the file back from a copy")
    if file.suffix == ".parquet":
        shutil.copy(next(folder.glob("month=2026-01/*.parquet")), aside)
        refused("does not hold what was archived: put the file back from a copy")
        file.write_bytes(whole[:-9])
        refused("is missing from the archive, or damaged: put it back from a copy")

    file.write_bytes(whole)
    bench.store.archive("2026-01-01", folder)
    assert mas.delivery_rates(folder, history=None)["delivered"].tolist() == [2]


def test_an_old_file_whose_removal_was_cut_short_goes(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erased version counts, the old one is not taken for an orphan that is kept."""
    from masanalytics.store import archiving

    bench.send([A, B], GROUP)
    archived(bench, folder := tmp_path / "archive")
    bench.store.forget(phones=[A])
    with monkeypatch.context() as patch:

        def cut_short(*given: Any) -> None:
            archiving_erase(*given)
            raise ZeroDivisionError

        patch.setattr(archiving, "erase", cut_short)
        with pytest.raises(ZeroDivisionError):
            bench.store.archive("2026-02-01", folder)
    assert len(list(folder.glob("month=*/*"))) == 2
    bench.store.archive("2026-02-01", folder)

    (file,) = folder.glob("month=*/*")
    assert A.encode() not in file.read_bytes()


def test_an_archive_is_one_folder(bench: Bench, tmp_path: Path) -> None:
    """A second folder is refused, naming the first and leaving nothing behind; one that was moved is known by its files."""
    bench.send([A], GROUP)
    archive = archived(bench, tmp_path / "archive")
    with pytest.raises(
        StoreError, match=r"other is not the archive of this store, which is in .*archive: give that one, or, if"
    ):
        bench.store.archive("2026-02-01", tmp_path / "other")
    assert not (tmp_path / "other").exists()
    with pytest.raises(StoreError, match=r"which is in .*archive: give that one"):
        mas.delivery_rates(mas.Archive(tmp_path / "other", bench.store))
    shutil.copytree(tmp_path / "archive", tmp_path / "copy")
    with pytest.raises(
        StoreError, match=r"is a copy of the archive of this store, which is in .*archive: give that one"
    ):
        bench.store.archive("2026-02-01", tmp_path / "copy")
    assert len(mas.Archive(tmp_path / "copy", bench.store).messages("c1")) == 1

    shutil.rmtree(tmp_path / "copy")
    shutil.move(tmp_path / "archive", tmp_path / "moved")
    with pytest.raises(StoreError, match="is missing from the archive"):
        archive.messages()
    with pytest.raises(StoreError, match="holds none of the 1 files of this store's archive"):
        bench.store.archive("2026-02-01", tmp_path / "archive")
    assert len(mas.Archive(tmp_path / "moved", bench.store).messages("c1")) == 1
    bench.store.archive("2026-02-01", tmp_path / "moved")
    with pytest.raises(StoreError, match=r"which is in .*moved: give that one"):
        bench.store.archive("2026-02-01", tmp_path / "archive")


def test_the_store_alone_does_not_say_nothing_was_sent(bench: Bench, tmp_path: Path) -> None:
    """The history of an archived person says how many messages left; the archive's own lists them."""
    bench.send([A, B], GROUP)
    archive = archived(bench, tmp_path / "archive")
    alone, whole = bench.store.history(A), archive.history(A)

    assert alone.text("en").splitlines()[1:] == [
        "  messages: 0",
        "  replies: 0",
        "  1 message submitted until 2026-01-01 08:00:00 is archived and not listed here: mas.Archive(folder, store).history(phone)"
        " lists all",
    ]
    assert (alone.archived.parameters["count"] if alone.archived else 0, whole.archived, len(whole)) == (1, None, 1)
    bench.store.forget(phones=[A])
    assert "1 message submitted until" in bench.store.history(A).text("en")
    assert "nothing was sent to this number" in bench.store.history(C).text("en")


def test_every_list_of_the_live_messages_says_what_is_not_in_it(both: Any) -> None:
    """As a note that programs read and in words; frames made of it hand it on; the archive has no such note."""
    _, archive, done = both
    store = archive.store
    says = f"{done.messages} messages submitted until"
    for rows in (
        store.messages(),
        store.messages(status="failed"),
        store.campaigns(),
        mas.delivery_rates(store.messages()),
    ):
        (note,) = [text for text in mas.notes_of(rows, "en") if says in text]
        assert "are archived and not counted here: mas.Archive(folder, store) counts all" in note
    for rows in (store.reports(), store.foreign_reports()):
        assert mas.notes_of(rows, "en") == [
            "reports of archived messages are not listed here: they are in the folder of the archive, under _reports"
        ]
    assert f"and {done.messages} archived, " in repr(store)
    assert mas.notes_of(archive.messages()) == []


@pytest.mark.parametrize(
    "reader", ["duckdb", *(pytest.param(one, marks=pytest.mark.slow) for one in ("polars", "arrow"))]
)
def test_accounts_made_one_are_one_in_the_archive(
    filled: Path, old: Store, tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once where the store is asked too, and in the files with the next archiving; a new account of the old name is another."""
    for hidden in {"duckdb": (), "polars": ("duckdb",), "arrow": ("duckdb", "polars")}[reader]:
        monkeypatch.setitem(sys.modules, hidden, None)
    folder = tmp_path / "archive"
    old.archive("2026-02-01", folder)
    archive = mas.Archive(folder, old)
    first, second = ACCOUNTS[:2]
    assert len(mas.delivery_rates(archive, by="account", history=None)) == 2
    shutil.copy(filled, tmp_path / "whole.db")
    with Store(tmp_path / "whole.db", clock=old.clock) as whole:
        for store in (whole, old):
            store.merge_accounts(second, into=first)

        def compared() -> None:
            for asked in ({"by": "account"}, {"account": first}, {"by": ["account", "carrier"], "since": "2026-01-05"}):
                found, expected = (mas.delivery_rates(one, history=None, **asked) for one in (archive, whole))
                pd.testing.assert_frame_equal(found, expected)
            accepted = ["pending", "delivered", "failed"]
            pd.testing.assert_frame_equal(archive.messages(status=accepted), whole.messages(status=accepted))
            with pytest.raises(InputError, match="no message has account"):
                mas.delivery_rates(archive, account=second, history=None)

        compared()
        old.archive("2026-02-01", folder)
        compared()
    assert mas.Archive(folder).messages()["account"].unique().tolist() == [first]
    reports = [pd.read_parquet(file)["account"] for file in folder.glob("_reports/*/*.pq")]
    assert set(pd.concat(reports)) <= {first}


def test_accounts_made_one_in_two_steps(old: Store, tmp_path: Path) -> None:
    """The second account becomes part of the first, and that one of a third, before the files are written anew."""
    old.archive("2026-02-01", tmp_path / "archive")
    with old.db.conn as conn:
        conn.execute("INSERT INTO accounts VALUES (9, 'a third')")
    accepted = len(mas.Archive(tmp_path / "archive", old).messages())
    old.merge_accounts(ACCOUNTS[1], into=ACCOUNTS[0])
    old.merge_accounts(ACCOUNTS[0], into="a third")

    for _ in range(2):
        rows = mas.Archive(tmp_path / "archive", old).messages()
        assert rows["account"].value_counts().to_dict() == {"a third": accepted}
        old.archive("2026-02-01", tmp_path / "archive")
    assert set(mas.Archive(tmp_path / "archive").messages()["account"]) == {"a third"}


def test_a_column_that_is_forgotten_is_as_in_a_store_that_was_never_archived(
    filled: Path, old: Store, tmp_path: Path
) -> None:
    """What was not kept stays so; what others, or people forgotten before, have in it stays too."""
    shutil.copy(filled, tmp_path / "whole.db")
    archive = mas.Archive(tmp_path / "archive", old)
    with Store(tmp_path / "whole.db", clock=old.clock) as whole:
        by_shop = whole.messages().groupby("店", dropna=False)["message_id"].count()
        assert {"not kept", "东"} <= set(by_shop.index)
        old.archive("2026-02-01", tmp_path / "archive")
        first, *others = sorted(whole.messages(店="东", until="2026-02-01")["phone"].unique())
        for asked in (
            {"phones": [first]},
            {"phones": others[:9], "columns": ["店"]},
            {"before": "2026-01-20", "columns": ["店"]},
        ):
            for store in (whole, old):
                store.forget(**asked, force=True)
            old.archive("2026-02-01", tmp_path / "archive")
            found, expected = (mas.delivery_rates(one, by="店", history=None) for one in (archive, whole))
            pd.testing.assert_frame_equal(found, expected)
            assert set(found["店"].dropna()) >= {"not kept", "东"}


def test_why_a_month_waits_is_said(bench: Bench, tmp_path: Path) -> None:
    """Not watched long enough, a batch in doubt, one that is accepted by the user's word alone: each is named with its month."""
    bench.send([A], GROUP)
    doubtful = bench.send([B], "", campaign="c2")
    bench.send(["13600136000"], "0301080000000000000009", campaign="keeps the newest number")
    bench.clock.sleep(60 * DAY)
    folder = tmp_path / "archive"
    done = bench.store.archive("2026-02-01", folder)
    said = "2026-01: the reports of 企业/ap have not been fetched for a week beyond it"
    assert (done.waiting, list(map(str, done.reasons))) == (["2026-01"], [said])

    with bench.store.db.conn as conn:
        conn.execute("INSERT INTO coverage SELECT account_id, 0, ? FROM accounts", [int(bench.clock.now())])
    done = bench.store.archive("2026-02-01", folder)
    said = "2026-01: a batch of 企业/ap is in doubt: see store.batches(state='unknown')"
    assert (done.waiting, list(map(str, done.reasons))) == (["2026-01"], [said])

    bench.store.settle(doubtful, "accepted")
    done = bench.store.archive("2026-02-01", folder)
    assert (done.messages, done.months, done.waiting) == (1, ["2026-01"], ["2026-01"])
    assert [(reason.code, reason.parameters) for reason in done.reasons] == [
        ("held", {"month": "2026-01", "count": 1}),
        ("no_group", {"month": "2026-01", "count": 1}),
    ]
    assert mas.Archive(folder, bench.store).messages(status="pending")["phone"].tolist() == [A, B, "13600136000"]


def test_a_batch_without_a_group_leaves_when_reports_have_named_it(bench: Bench, tmp_path: Path) -> None:
    """Settled by hand and shown by its reports since, it is like others."""
    people = [f"1380013800{number}" for number in range(6)]
    batch = bench.send(people, "")
    bench.store.settle(batch, "accepted")
    bench.receive([report(phone, GROUP) for phone in people])
    archive = archived(bench, tmp_path / "archive")

    assert bench.store.messages("c1").empty
    assert archive.messages("c1")["status"].tolist() == ["delivered"] * 6


def test_who_is_forgotten_leaves_what_late_reports_say_too(bench: Bench, tmp_path: Path) -> None:
    """No file of the folder, of whatever kind, has the number after the next archiving; one that moves nothing is enough."""
    bench.send([A, B], GROUP)
    archived(bench, folder := tmp_path / "archive")
    bench.receive([report(A, GROUP), report(B, GROUP)])
    bench.store.archive("2026-02-01", folder)
    bench.store.forget(phones=[A], force=True)
    holders = [file for file in folder.rglob("*.p*") if A.encode() in file.read_bytes()]
    assert {file.parts[-3 if file.suffix == ".pq" else -2] for file in holders} == {"month=2026-01", "_late"}

    bench.store.archive("2026-01-01", folder)
    assert [file for file in folder.rglob("*") if file.is_file() and A.encode() in file.read_bytes()] == []
    assert sum(B.encode() in file.read_bytes() for file in folder.rglob("*.p*")) == 2


def test_accounts_made_one_before_renames_were_noted(filled: Path, tmp_path: Path) -> None:
    """By an older version, that is: an account is shown as what it is now, at once and in the files with the next archiving."""
    from masanalytics.clock import ManualClock

    path, folder, clock = tmp_path / "store.db", tmp_path / "archive", ManualClock(1_775_000_000)
    shutil.copy(filled, path)
    first, second = ACCOUNTS[:2]
    with Store(path, clock=clock) as older:
        older.archive("2026-02-01", folder)
        accepted = len(mas.Archive(folder, older).messages())
        older.merge_accounts(second, into=first)
        older.db.execute("DELETE FROM archive_renames")
        older.db.execute("DROP TABLE IF EXISTS archive_not_compared")
        older.db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm030_accounts_of_older_archives'")
        older.db.conn.commit()

    with Store(path, clock=clock) as store:
        archive = mas.Archive(folder, store)
        assert archive.messages()["account"].value_counts().to_dict() == {first: accepted}
        assert len(archive.messages(account=first)) == accepted
        with store.db.conn as conn:
            conn.execute("INSERT INTO accounts VALUES (9, 'a third')")
        store.merge_accounts(first, into="a third")
        for _ in range(2):
            assert archive.messages()["account"].value_counts().to_dict() == {"a third": accepted}
            store.archive("2026-02-01", folder)
    assert set(mas.Archive(folder).messages()["account"]) == {"a third"}


def test_what_follows_from_a_late_report_is_as_in_a_store_that_was_never_archived(bench: Bench, tmp_path: Path) -> None:
    """The time waited, which is from submission on, and the parts that are missing, in the archive and in its files."""
    bench.send([A, B], GROUP)
    for statement in ("UPDATE messages SET segments = 2", "INSERT INTO parts_rule VALUES ('all')"):
        bench.store.db.execute(statement)
    bench.store.db.conn.commit()
    bench.receive([report(A, GROUP)])
    bench.store.db.execute("VACUUM INTO ?", [str(tmp_path / "whole.db")])
    archive = archived(bench, folder := tmp_path / "archive")
    day = {"submitDate": "20260120080000", "receiveDate": "20260120080010"}
    with Store(tmp_path / "whole.db", clock=bench.clock) as store:
        whole = Bench(store, bench.clock)
        store.db.execute("DELETE FROM coverage")
        store.db.execute("INSERT INTO coverage SELECT account_id, 0, ? FROM accounts", [int(bench.clock.now())])
        store.db.conn.commit()
        for one in (whole, bench):
            one.receive([report(B, GROUP, **day), report(A, GROUP, receiveDate="20260101080011")])
        expected = store.messages("c1").set_index("phone")
    found = archive.messages("c1").set_index("phone")
    pd.testing.assert_frame_equal(found, expected)
    bench.store.archive("2026-02-01", folder)
    (late,) = folder.glob("_late/*/*.pq")
    names = ["waited_s", "parts_missing"]
    assert pd.read_parquet(late).set_index("phone")[names].to_dict() == expected[names].to_dict()


@pytest.mark.parametrize("segments", [1, 2, None])
def test_late_reports_one_after_another_say_what_they_say_of_a_live_message(
    segments: int | None, bench: Bench, tmp_path: Path
) -> None:
    """Whatever they say, and whether they name a time of submission: all sequences of one report before and two after."""
    day = "202601010"
    kinds = [
        {"reportStatus": status, "submitDate": submitted, "receiveDate": f"{day}{received}0010"}
        for status in ("DELIVRD", "MK:0001", "ACCEPTD")
        for submitted in (f"{day}70000", f"{day}80000", "")
        for received in (8, 9)
    ]
    first = [None, *(kind for kind in kinds if kind["submitDate"])]
    sequences = list(itertools.product(first, kinds, kinds))
    phones = [f"138{place:08d}" for place in range(len(sequences))]
    bench.send(phones, GROUP)
    bench.store.db.execute("UPDATE messages SET segments = ?", [segments])
    bench.store.db.conn.commit()

    def take(one: Bench, place: int) -> None:
        """Take in the reports of one place of all sequences."""
        one.receive(
            [
                report(phone, GROUP, **kind)
                for phone, each in zip(phones, sequences, strict=True)
                if (kind := each[place])
            ]
        )

    take(bench, 0)
    bench.store.db.execute("VACUUM INTO ?", [str(tmp_path / "whole.db")])
    archive = archived(bench, tmp_path / "archive")
    with Store(tmp_path / "whole.db", clock=bench.clock) as store:
        whole = Bench(store, bench.clock)
        for one in (whole, bench):
            take(one, 1)
            take(one, 2)
        names = ["phone", "status", "report_status", "submitted_at", "received_at", "latency_s", "reports"]
        expected = store.messages("c1")[names]
    pd.testing.assert_frame_equal(archive.messages("c1")[names], expected)


def misread(file: Path) -> bytes:
    """Return the file with one bit of its numbers turned over, such that they are read without complaint, and wrong."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole, right = file.read_bytes(), pq.read_table(file, columns=["phone"])
    for at in range(
        pq.read_metadata(file).row_group(0).column(pq.read_schema(file).get_field_index("phone")).data_page_offset,
        len(whole),
    ):
        wrong = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with contextlib.suppress(pa.ArrowException, OSError, UnicodeDecodeError):
            if pq.read_table(pa.BufferReader(wrong), columns=["phone"]) != right:
                return wrong
    raise AssertionError


def test_damage_that_no_engine_sees_is_not_written_on(bench: Bench, tmp_path: Path) -> None:
    """One bit of a page: the file is named before it is written anew without a person."""
    bench.send([A, B], GROUP)
    archived(bench, folder := tmp_path / "archive")
    (file,) = folder.glob("month=2026-01/*.parquet")
    whole = file.read_bytes()
    file.write_bytes(misread(file))

    bench.store.forget(phones=[A], force=True)
    with pytest.raises(StoreError, match="put it back from a copy") as told:
        bench.store.archive("2026-01-01", folder)
    assert str(told.value).startswith(str(file))

    file.write_bytes(whole)
    bench.store.archive("2026-01-01", folder)
    assert mas.Archive(folder).messages()["phone"].tolist()[1] == B


@pytest.mark.parametrize("place", ["store.archive.check_place", "analysis.sources.folders.check_sizes"])
def test_who_reads_while_files_are_written_anew_reads_again(
    place: str, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the store and without: files that are gone when they are opened are no damage, and every message is there."""
    bench.send([A, B], GROUP)
    archive = archived(bench, folder := tmp_path / "archive")
    module, name = f"masanalytics.{place}".rsplit(".", 1)
    check = getattr(sys.modules[module], name)
    bench.store.forget(phones=[A], force=True)
    files = sorted(folder.glob("month=*/*.parquet"))
    written: list[Path] = []

    def written_meanwhile(*given: Any, **options: Any) -> Any:
        if not written:
            written.extend(files)
            with Store(bench.store.path, clock=bench.clock) as other:
                other.archive("2026-02-01", folder)
        return check(*given, **options)

    monkeypatch.setattr(sys.modules[module], name, written_meanwhile)
    data = archive if place.startswith("store") else folder
    assert mas.delivery_rates(data, campaign="c1", history=None)["accepted"].tolist() == [2]
    assert written == files != sorted(folder.glob("month=*/*.parquet"))


def test_the_folder_alone_is_whole_while_files_are_written_anew(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the manifest names the new files, the old ones are there; also where an archiving ended between the two."""
    from masanalytics.store import archiving

    bench.send([A, B], GROUP)
    archived(bench, folder := tmp_path / "archive")
    asked: list[list[int]] = []

    def killed(*_given: Any) -> None:
        asked.append(mas.delivery_rates(folder, history=None)["accepted"].tolist())
        raise KeyboardInterrupt

    bench.store.forget(phones=[A], force=True)
    for step in ("write_manifest", "remove_old_files"):
        monkeypatch.setattr(archiving, step, killed)
        with pytest.raises(KeyboardInterrupt):
            bench.store.archive("2026-02-01", folder)
        monkeypatch.undo()
        asked.append(mas.delivery_rates(folder, history=None)["accepted"].tolist())
    assert asked == [[2]] * 4
    bench.store.archive("2026-02-01", folder)
    assert mas.delivery_rates(folder, history=None)["accepted"].tolist() == [2]
    assert A not in pd.concat(map(pd.read_parquet, folder.glob("month=*/*.parquet")))["phone"].tolist()


@pytest.mark.parametrize("is_live", [True, False])
def test_the_text_of_a_batch_stays_with_its_last_person(is_live: bool, bench: Bench, tmp_path: Path) -> None:
    """As in a store that was never archived: whoever was forgotten before the month was archived, or after it."""
    bench.send([A, B], GROUP)
    if is_live:
        bench.store.forget(phones=[A], force=True)
    archive = archived(bench, folder := tmp_path / "archive")
    if not is_live:
        bench.store.forget(phones=[A], force=True)
        assert archive.messages("c1")["content"].tolist() == ["您好", "您好"]
        bench.store.archive("2026-02-01", folder)
    (file,) = folder.glob("month=2026-01/*.parquet")
    assert pd.read_parquet(file)["content"].tolist() == ["您好", "您好"]

    bench.store.forget(phones=[B], force=True)
    assert archive.messages("c1")["content"].isna().all()
    bench.store.archive("2026-02-01", folder)
    (file,) = folder.glob("month=2026-01/*.parquet")
    assert "您好".encode() not in file.read_bytes()
    assert pd.read_parquet(file)["content"].isna().all()


def test_the_text_of_one_person_goes_with_it(bench: Bench, tmp_path: Path) -> None:
    """Of a batch in which everybody got a text of their own."""
    run = bench.start()
    (batch_id,) = bench.register(run, PlainBatch([A, B], content=None, contents=["张三您好", "李四您好"]))
    bench.claim(run, batch_id)
    bench.answer(batch_id, "accepted", GROUP)
    archive = archived(bench, folder := tmp_path / "archive")

    bench.store.forget(phones=[A], force=True)
    for _ in range(2):
        rows = archive.messages("c1")
        assert rows["content"].isna().tolist() == [True, False]
        assert rows["content"].tolist()[1] == "李四您好"
        bench.store.archive("2026-02-01", folder)
    (file,) = folder.glob("month=2026-01/*.parquet")
    assert "张三".encode() not in file.read_bytes()


def test_gaps_of_a_campaign_are_known_of_its_archived_messages_too(old: Store, tmp_path: Path) -> None:
    """A day on which nobody polled in the days of an archived campaign, and not one of a later campaign."""
    gaps = [(START + 3 * DAY, START + 4 * DAY), (START + 40 * DAY, START + 41 * DAY)]
    with old.db.conn as conn:
        (account_id, end) = conn.execute(
            "SELECT account_id, max(ended_at) FROM coverage GROUP BY account_id"
        ).fetchone()
        conn.execute("DELETE FROM coverage WHERE account_id = ?", [account_id])
        starts, ends = [START, *(until for _, until in gaps)], [*(since for since, _ in gaps), end]
        spans = [(account_id, since, until) for since, until in zip(starts, ends, strict=True)]
        conn.executemany("INSERT INTO coverage VALUES (?, ?, ?)", spans)
        conn.execute(
            "UPDATE batches SET answered_at = (SELECT min(submitted_at) FROM messages WHERE batch_id = batches.batch_id)"
        )

    def gap_days(data: Any) -> list[str]:
        found = mas.delivery_rates(data, campaign="活动0", history=None).attrs["coverage"]["gaps"]
        return [gap["from"][:10] for gap in found]

    assert gap_days(old) == ["2026-01-04"]
    old.archive("2026-02-01", tmp_path / "archive")
    old.export_parquet(tmp_path / "export", phones="whole")
    assert gap_days(mas.Archive(tmp_path / "archive", old)) == ["2026-01-04"]
    assert gap_days([tmp_path / "export", tmp_path / "archive"]) == ["2026-01-04"]


def test_filters_of_the_messages_are_those_of_every_question(both: Any) -> None:
    """What no message can have is said, and a campaign that does not exist."""
    _, archive, _ = both
    assert len(archive.messages(segments=1)) == len(archive.messages()) // 2
    with pytest.raises(InputError, match="活动8"):
        archive.messages("活动8")
    for filters, said in (
        ({"batch_id": "1"}, "batch_id"), ({"error_code": -37}, "error_code"), ({"submitted_at": "2026-01-03"}, "use since= and until="),
        ({"latency_s": 3}, "use within="), ({"day": "2026-01-03"}, "day"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            archive.messages(**filters)


def test_lengths_of_time_are_no_filters(both: Any) -> None:
    """Neither of a store nor of a frame, nor of an archive."""
    whole, archive, _ = both
    for data in (whole, archive, whole.messages()):
        with pytest.raises(InputError, match="messages cannot be narrowed by 'latency_s': use within="):
            mas.delivery_rates(data, latency_s=3)


def test_a_person_loses_the_columns_that_were_named_for_it(old: Store, tmp_path: Path) -> None:
    """Not those that were named when somebody else of the same file was forgotten, before the files are written anew and after."""
    old.archive("2026-02-01", folder := tmp_path / "archive")
    archive = mas.Archive(folder, old)
    rows = archive.messages(店="东", until="2026-01-31")
    one, other = (rows.drop_duplicates("phone").iloc[place] for place in (0, 1))

    old.forget(phones=[one["phone"]], force=True)
    old.forget(phones=[other["phone"]], columns=["店"], force=True)
    for _ in range(2):
        found = archive.messages(message_id=[one["message_id"], other["message_id"]]).set_index("message_id")["店"]
        assert found[one["message_id"]] == "东"
        assert pd.isna(found[other["message_id"]])
        old.archive("2026-02-01", folder)


@pytest.mark.parametrize("together", [True, False])
def test_batches_count_late_reports_of_what_was_open_as_messages_do(
    together: bool, bench: Bench, tmp_path: Path
) -> None:
    """A message of one segment, archived without a report: the last of two late ones counts."""
    bench.send([A, B], GROUP)
    archive = archived(bench, tmp_path / "archive")
    late = [report(A, GROUP, "MI:0043"), report(A, GROUP, receiveDate="20260102080010")]
    for page in [late] if together else [[one] for one in late]:
        bench.receive(page)
    assert archive.messages("c1")["status"].tolist() == ["delivered", "pending"]
    counted = bench.store.batches("c1")[["messages", "delivered", "failed"]]
    assert counted.to_numpy().tolist() == [[2, 1, 0]]


def _files_by_duckdb(folder: Path) -> Any:
    import duckdb

    return duckdb.connect().read_parquet(f"{folder}/month=*/*.parquet")


def _files_by_polars(folder: Path) -> Any:
    return pytest.importorskip("polars").scan_parquet(f"{folder}/month=*/*.parquet")


@pytest.mark.parametrize("has_hole", [False, True])
@pytest.mark.parametrize("asked", [Path, _files_by_duckdb, _files_by_polars])
def test_an_export_that_was_brought_up_to_date_knows_long_ages(
    old: Store, tmp_path: Path, asked: Callable[[Path], Any], has_hole: bool
) -> None:
    """Files of a settled month stay as they are: how long their messages were watched since is computed, up to a hole."""
    if has_hole:
        with old.db.conn as conn:
            (at,) = conn.execute("SELECT max(submitted_at) FROM messages").fetchone()
            conn.execute(
                "INSERT INTO polls (poll_id, account_id, endpoint, state, asked_at) VALUES (999, 1, 'report', 'lost', ?)",
                [at],
            )
            conn.execute("INSERT INTO holes VALUES (999, 1, 'report', ?, ?, 1, 1, NULL)", [at - 3600, at + 3600])
    for days in (20, 60):  # after the last message
        with old.db.conn as conn:
            conn.execute("UPDATE coverage SET ended_at = (SELECT max(submitted_at) FROM messages) + ?", [days * DAY])
        old.export_parquet(folder := tmp_path / "export", phones="whole")
    assert pd.concat(map(pd.read_parquet, folder.glob("month=2026-02/*.parquet")))["waited_s"].max() < 50 * DAY
    counts = []
    for age in ("3d", "30d", "50d", "80d"):
        found, expected = (mas.delivery_rates(data, within=age, history=None) for data in (asked(folder), old))
        assert found["accepted"].tolist() == expected["accepted"].tolist() != [0]
        counts += found["accepted"].tolist()
    assert counts == sorted(counts, reverse=True)
    for question in (
        lambda data: mas.delivery_rates(data, by="account"),
        lambda data: mas.compare(data, "arm", "a", "b"),
        lambda data: mas.compare(data, "campaign"),
        lambda data: mas.explain_change(data, at="2026-02-10", by=["carrier"]),
    ):
        found, expected = (question(data) for data in (asked(folder), old))
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)


def test_files_of_others_in_a_folder_are_left_as_they_are(old: Store, tmp_path: Path) -> None:
    """Nothing is archived into a folder whose months hold files that no archive writes: it says which."""
    other = tmp_path / "lake" / "month=2026-01" / "ours-ae0bec9e.parquet"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"of somebody else")

    with pytest.raises(StoreError, match=r"holds month=2026-01/ours-ae0bec9e\.parquet, which no archive writes"):
        old.archive("2026-02-01", tmp_path / "lake")
    assert other.read_bytes() == b"of somebody else"


def test_the_path_of_a_store_is_no_store(old: Store, tmp_path: Path) -> None:
    """`Archive` takes the Store itself, and says so."""
    with pytest.raises(InputError, match=r"give the Store itself, Archive\(folder, Store\(path\)\)"):
        mas.Archive(tmp_path / "archive", str(old.path))  # type: ignore[arg-type]


def test_the_folder_of_an_archive_knows_long_ages(old: Store, tmp_path: Path) -> None:
    """Alone and beside an export: messages that were archived have been watched for as long as those that were not."""
    watched = "UPDATE coverage SET ended_at = (SELECT max(submitted_at) FROM messages) + ?"
    ages = ("3d", "30d", "50d", "80d", "100d")
    with old.db.conn as conn:
        conn.execute(watched, [60 * DAY])
    accepted = [mas.delivery_rates(old, within=age, history=None)["accepted"].tolist() for age in ages]
    in_january = [
        mas.delivery_rates(old, within=age, until="2026-02-01", history=None)["accepted"].tolist() for age in ages
    ]
    with old.db.conn as conn:
        conn.execute(watched, [20 * DAY])
    old.archive("2026-02-01", folder := tmp_path / "archive")
    with old.db.conn as conn:
        conn.execute(watched, [60 * DAY])
    old.archive("2026-01-01", folder)
    old.export_parquet(tmp_path / "export", phones="whole")

    for data, expected in (
        (mas.Archive(folder, old), accepted), ([tmp_path / "export", folder], accepted), (mas.Archive(folder), in_january)
    ):  # fmt: skip
        found = [mas.delivery_rates(data, within=age, history=None)["accepted"].tolist() for age in ages]
        assert found == expected
    assert accepted[0] > accepted[3] > []


def test_the_folder_alone_says_what_failed_before_it_was_delivered(bench: Bench, tmp_path: Path) -> None:
    """By the late reports of what is in it; beside an export too."""
    bench.send([A, B], GROUP)
    bench.receive([report(B, GROUP)])
    archive = archived(bench, folder := tmp_path / "archive")
    bench.receive([report(A, GROUP, "MI:0043")])
    bench.receive([report(A, GROUP, receiveDate="20260102080010")])
    bench.store.archive("2026-02-01", folder)
    bench.store.export_parquet(tmp_path / "export", phones="whole")

    def said(data: Any) -> list[Any]:
        notes = mas.delivery_rates(data, history=None).attrs["notes"]
        return [note["parameters"]["count"] for note in notes if note["code"] == "failed_before"]

    assert said(archive) == said(folder) == said([tmp_path / "export", folder]) == [1]


def test_parts_of_archived_messages_follow_the_rule_of_today(bench: Bench, tmp_path: Path) -> None:
    """Whether reports come one a part is learned, or said, after they were archived too."""
    bench.send([A, B], GROUP)
    bench.store.db.execute("UPDATE messages SET segments = 2")
    bench.store.db.conn.commit()
    bench.receive([report(A, GROUP), report(B, GROUP, "MK:0001")])
    archive = archived(bench, tmp_path / "archive")
    assert archive.messages("c1")["parts_missing"].isna().all()
    bench.store.db.execute("INSERT INTO parts_rule VALUES ('all')")
    bench.store.db.conn.commit()
    assert archive.messages("c1")["parts_missing"].tolist() == [1, pd.NA]
    rows = mas.delivery_rates(archive, by="parts_missing", campaign="c1", history=None)
    assert rows[["accepted", "delivered"]].to_numpy().tolist() == [[1, 1], [1, 0]]
