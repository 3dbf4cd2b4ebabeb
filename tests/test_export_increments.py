"""An export brings a folder up to date: only what changed is written, and it can be killed, repeated and run twice at once."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from masanalytics.errors import InputError, StoreError
from masanalytics.export_folder import current_files, read_manifest
from masanalytics.store import Store
from masanalytics.store.phone_styles import PhoneStyle
from tests.bench import Bench, PlainBatch
from tests.processes import KILLED_AT_A_STEP, Launcher
from tests.rows import Rows

pytest.importorskip("pyarrow")

A, B, C = "13800138000", "13900139000", "13700137000"
JANUARY, FEBRUARY = 1_767_196_800, 1_769_875_200  # the first instants of both months in China
DAY = 86_400

EXPORTER = (
    KILLED_AT_A_STEP
    + """
import os, pathlib
import pyarrow.parquet
import masanalytics as mas

def run(path, folder, until):
    counted = killed_at(until)
    os.replace, os.fsync = counted(os.replace), counted(os.fsync)
    pathlib.Path.unlink = counted(pathlib.Path.unlink)
    with mas.Store(path) as store:
        store.export_parquet(folder, reveal=True)
"""
)


def listed(folder: Path) -> pd.DataFrame:
    """What a program sees that lists the folder."""
    files = sorted(folder.glob("**/*.parquet"))
    return pd.concat([pd.read_parquet(file).assign(month=file.parent.name) for file in files], ignore_index=True)


def written(folder: Path) -> dict[str, int]:
    """Which export wrote each file."""
    manifest = read_manifest(folder)
    assert manifest is not None
    return {one.file.split("/")[-2].removeprefix("month="): one.generation for one in manifest.partitions}


def add(store: Store, phone: str, at: int, **columns: Any) -> int:
    rows = Rows(store)
    return rows.insert(
        "messages", batch_id=rows.batch("c"), account_id=rows.account_id, campaign_id=rows.named("campaigns", "campaign", "c"),
        phone=phone, carrier_id=0, segments=1, status_id=4, submitted_at=at, **columns,
    )  # fmt: skip


def move(store: Store, message_id: int, at: int) -> None:
    with store.db.conn as conn:
        conn.execute("UPDATE messages SET submitted_at = ? WHERE message_id = ?", [at, message_id])


def test_only_the_month_of_a_late_report_is_written_again(bench: Bench, tmp_path: Path) -> None:
    """A report of January that comes in February rewrites January; nothing new rewrites nothing."""
    add(bench.store, A, JANUARY)
    late = add(bench.store, B, JANUARY + DAY)
    add(bench.store, C, FEBRUARY)
    for _ in range(2):
        bench.store.export_parquet(tmp_path / "pq")
    assert written(tmp_path / "pq") == {"2026-01": 1, "2026-02": 1}

    with bench.store.db.conn as conn:
        conn.execute("UPDATE messages SET status_id = 5, received_at = ? WHERE message_id = ?", [FEBRUARY + DAY, late])
    bench.store.export_parquet(tmp_path / "pq")

    assert written(tmp_path / "pq") == {"2026-01": 2, "2026-02": 1}
    assert listed(tmp_path / "pq")["status"].tolist() == ["pending", "delivered", "pending"]


def test_a_month_is_written_while_its_messages_wait_and_then_stays(bench: Bench, tmp_path: Path) -> None:
    """Coverage that goes on changes the waiting times until a week after the last message."""
    rows = Rows(bench.store)
    add(bench.store, A, JANUARY)
    generations = []
    for days in (1, 2, 8, 20):
        rows.insert("coverage", account_id=rows.account_id, started_at=JANUARY + days, ended_at=JANUARY + days * DAY)
        bench.store.export_parquet(tmp_path / "pq")
        generations.append(written(tmp_path / "pq")["2026-01"])

    assert generations == [1, 2, 3, 3]
    assert listed(tmp_path / "pq")["waited_s"].tolist() == [8 * DAY]


def test_an_export_is_what_the_store_holds(bench: Bench, plain_batch: type[PlainBatch], tmp_path: Path) -> None:
    """Odd numbers, times before 1970, 300 reports, keys and texts of a message's own come through as they are."""
    run = bench.start(key="id")
    bench.register(run, plain_batch([A, B], content=None, contents=["甲", "乙"], mode="many_to_many"))
    add(bench.store, "021-6666\n8888", -5, received_at=2**34, reports=300)
    add(bench.store, "138~abcdefghijklmnopabcdefgh", JANUARY, key="k1")
    bench.store.export_parquet(tmp_path / "pq", reveal=True)

    found = listed(tmp_path / "pq").drop(columns="month").sort_values("message_id", ignore_index=True)
    expected = bench.store.messages()
    found, expected = (table.astype(object).where(table.notna(), None) for table in (found, expected))
    assert found.to_dict("list") == expected.to_dict("list")


def test_a_month_that_lies_scattered_over_the_file_is_found(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Months that take turns in the file are looked up by their times, also where more of one second than are read at once."""
    monkeypatch.setattr("masanalytics.store.packed_rows.AT_ONCE", 2)
    for number in range(30):
        add(bench.store, f"138{number:08d}", FEBRUARY if number % 10 else JANUARY)
    bench.store.export_parquet(tmp_path / "pq", reveal=True)

    found = listed(tmp_path / "pq")
    assert found.groupby("month")["message_id"].nunique().to_dict() == {"month=2026-01": 3, "month=2026-02": 27}
    assert len(found) == 30


def test_a_new_column_of_their_own_is_in_every_file(bench: Bench, tmp_path: Path) -> None:
    """A plan that keeps a column makes all files anew, so that they have the same columns."""
    add(bench.store, A, JANUARY)
    bench.store.export_parquet(tmp_path / "pq")
    rows = Rows(bench.store)
    rows.insert("kept_columns", name="店")
    kept_id = rows.insert("kept", kept='{"店":"东"}')
    add(bench.store, B, FEBRUARY, kept_id=kept_id)
    bench.store.export_parquet(tmp_path / "pq")

    assert listed(tmp_path / "pq")["店"].tolist() == ["not kept", "东"]
    assert written(tmp_path / "pq") == {"2026-01": 2, "2026-02": 2}


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"half")])
def test_a_file_that_somebody_removed_or_damaged_is_written_again(
    bench: Bench, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    """What is not as the manifest says is not taken for done."""
    add(bench.store, A, JANUARY)
    (file,) = bench.store.export_parquet(tmp_path / "pq")
    damage(file)
    bench.store.export_parquet(tmp_path / "pq")

    assert len(listed(tmp_path / "pq")) == 1


def test_a_folder_goes_back_with_a_copy_of_the_file(bench: Bench, tmp_path: Path) -> None:
    """An older copy of the store that was put back does not believe the manifest of the newer one, whatever its turn."""
    add(bench.store, A, JANUARY)
    bench.store.export_parquet(tmp_path / "pq")
    bench.store.close()
    shutil.copy(bench.store.path, tmp_path / "copy.db")
    add(bench.store, B, FEBRUARY)
    bench.store.export_parquet(tmp_path / "pq")
    with Store(tmp_path / "copy.db") as copy:
        add(copy, C, JANUARY + DAY)
        copy.export_parquet(tmp_path / "elsewhere")
        copy.export_parquet(tmp_path / "pq", reveal=False)
        assert listed(tmp_path / "pq")["phone"].tolist() == ["138****8000", "137****7000"]


def test_a_folder_holds_one_store(bench: Bench, tmp_path: Path) -> None:
    """Two stores do not write over each other."""
    bench.store.export_parquet(tmp_path / "pq")
    with Store(":memory:") as other, pytest.raises(StoreError, match=r"pq holds the export of another store"):
        other.export_parquet(tmp_path / "pq")


def test_the_files_of_an_earlier_version_are_replaced(bench: Bench, tmp_path: Path) -> None:
    """A file a month, as it was written before there was a manifest, goes; nobody sees its messages twice."""
    add(bench.store, A, JANUARY)
    (tmp_path / "pq" / "month=2026-01").mkdir(parents=True)
    (tmp_path / "pq" / "month=2026-01" / "messages.parquet").write_bytes(b"")
    bench.store.export_parquet(tmp_path / "pq")

    assert len(listed(tmp_path / "pq")) == 1


def test_hashes_follow_a_person_and_tell_nothing(bench: Bench, tmp_path: Path) -> None:
    """The same number has the same hash in both months, its prefix stays, and neither number nor key is anywhere."""
    key = "a key that nobody guesses"
    for phone, at in ((A, JANUARY), (B, JANUARY), (A, FEBRUARY)):
        add(bench.store, phone, at, content=f"请联系{A}")
    bench.store.export_parquet(tmp_path / "pq", phones="hashed", key=key)

    first, other, again = listed(tmp_path / "pq")["phone"]
    assert (first == again, first == other, first[:4], len(first)) == (True, False, "138~", 36)
    assert listed(tmp_path / "pq")["content"].tolist() == ["请联系138****8000"] * 3
    everything = b"".join(file.read_bytes() for file in (tmp_path / "pq").rglob("*.*"))
    assert key.encode() not in everything
    assert key not in repr(PhoneStyle.asked("hashed", reveal=False, key=key))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"phones": "hashed"}, "needs key="),
        ({"phones": "hashed", "key": "short"}, "the key of the hashes has 5 characters"),
        ({"key": "a key that nobody guesses"}, "needs key="),
        ({"phones": "masked", "reveal": True}, "reveal=True means"),
        ({"phones": "sha"}, "one of masked, whole, hashed"),
    ],
)
def test_a_style_that_cannot_be(bench: Bench, tmp_path: Path, options: dict[str, Any], problem: str) -> None:
    """What is asked for is refused with what to do, and the key is not repeated."""
    with pytest.raises(InputError, match=problem) as error:
        bench.store.export_parquet(tmp_path / "pq", **options)
    assert "nobody guesses" not in str(error.value)


def test_replies_stand_apart_with_their_numbers_hidden(bench: Bench, tmp_path: Path) -> None:
    """Replies are where no listing of messages finds them, and change with their own time."""
    message = add(bench.store, A, JANUARY)
    Rows(bench.store).uplink(A, f"打{B}", FEBRUARY, message)
    bench.store.export_parquet(tmp_path / "pq", uplinks=True)

    (file,) = (tmp_path / "pq").glob("_uplinks/*/*.pq")
    assert file.parent.name == "month=2026-02"
    assert pd.read_parquet(file)[["message_id", "phone", "content"]].to_numpy().tolist() == [
        [message, "138****8000", "打139****9000"]
    ]
    assert len(listed(tmp_path / "pq")) == 1

    bench.store.export_parquet(tmp_path / "pq")
    assert not (tmp_path / "pq" / "_uplinks" / "month=2026-02").exists()


def test_two_exports_at_once(bench: Bench, tmp_path: Path) -> None:
    """The second waits for the first, and both leave the same folder."""
    for number in range(50):
        add(bench.store, f"138{number:08d}", JANUARY + number * DAY)
    threads = [threading.Thread(target=bench.store.export_parquet, args=[tmp_path / "pq"]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert listed(tmp_path / "pq")["message_id"].value_counts().tolist() == [1] * 50


@pytest.mark.slow
def test_killed_at_every_step(bench: Bench, tmp_path: Path, launch: Callable[[str], Launcher]) -> None:
    """A listing never shows a message twice, the manifest always one whole state, and the next export ends the work."""
    one, two = add(bench.store, A, JANUARY), add(bench.store, B, FEBRUARY)
    bench.store.export_parquet(tmp_path / "before", reveal=True)
    before = {(one, "2026-01"), (two, "2026-02")}
    move(bench.store, one, FEBRUARY)
    move(bench.store, two, JANUARY)
    three = add(bench.store, C, FEBRUARY + 40 * DAY)
    after = {(one, "2026-02"), (two, "2026-01"), (three, "2026-03")}
    exporter = launch(EXPORTER)
    steps, seen = 0, []
    while True:
        steps += 1
        folder = tmp_path / f"run{steps}"
        shutil.copytree(tmp_path / "before", folder)
        exporter.start(wait_for_go=False, path=str(bench.store.path), folder=str(folder), until=steps)
        ended = exporter.ended(60)
        assert listed(folder)["message_id"].is_unique
        manifest = read_manifest(folder)
        assert manifest is not None
        files = [
            (pd.read_parquet(file), file.parent.name.removeprefix("month=")) for file in current_files(folder, manifest)
        ]
        seen.append({(number, month) for table, month in files for number in table["message_id"]})
        assert seen[-1] in (before, after)
        if ended == 0:
            break
        bench.store.export_parquet(folder, reveal=True)
        assert len(listed(folder)) == 3
    assert seen[0] == before
    assert seen[-1] == after
    assert steps > 10
