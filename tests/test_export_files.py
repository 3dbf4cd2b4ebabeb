"""Files of an export or an archive, one by one: lost or damaged they are named, and where they cannot matter they are not opened."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.folders import ExportedMessages
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError, StoreError
from masanalytics.export_folder import MANIFEST, aside_of, draft_of
from masanalytics.store import Store
from tests.several_accounts import ACCOUNTS, DAY, START, fill, same

pytest.importorskip("pyarrow")
pytest.importorskip("duckdb")

APRIL = 1_775_000_000

QUESTIONS: list[Callable[[Any], Any]] = [
    mas.delivery_rates,
    lambda data: mas.latency(data, by="account"),
    lambda data: mas.number_health(data)["sent"].sum(),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two accounts and two months, all settled, and its export."""
    folder = tmp_path_factory.mktemp("files")
    with Store(folder / "store.db") as store:
        for number, account in enumerate(ACCOUNTS[:2]):
            fill(store, account, number)
        with store.db.conn as conn:
            conn.execute("UPDATE batches SET msg_group = printf('%022d', batch_id)")
        store.export_parquet(folder / "pq", phones="whole", uplinks=True)
    return folder


@pytest.fixture
def export(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled / "pq", tmp_path / "pq"))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def overwritten(file: Path) -> None:
    """Damage that leaves the size and the time as they were."""
    at = file.stat()
    file.write_bytes(b"x" * at.st_size)
    os.utime(file, ns=(at.st_atime_ns, at.st_mtime_ns))


def one_bit(file: Path, place: float = 0.4) -> None:
    """What a disk does, and most engines read on."""
    whole = bytearray(file.read_bytes())
    whole[int(len(whole) * place)] ^= 1
    file.write_bytes(whole)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "deleted": Path.unlink, "emptied": lambda file: file.write_bytes(b""), "cut": cut, "overwritten": overwritten,
    "one bit": one_bit,
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_lost_file_is_named_and_written_anew(filled: Path, export: Path, damage: str) -> None:
    """Also by who has asked before: no answer is given from memory, and the next export brings the file back."""
    before = [question(export) for question in QUESTIONS]
    lost = next(iter(sorted(export.glob("month=2026-01/*.parquet"))))
    DAMAGES[damage](lost)
    for question in QUESTIONS:
        with pytest.raises(StoreError, match="writes it anew") as told:
            question(export)
        assert told.value.said.parameters["file"] == str(lost)
        assert told.value.said.parameters["folder"] == str(export)
    lost.unlink(missing_ok=True)
    with Store(filled / "store.db") as store:
        store.export_parquet(export, phones="whole", uplinks=True)
    assert mas.delivery_rates(export).equals(before[0])


def test_a_file_in_the_place_of_another_is_not_counted(export: Path) -> None:
    """The February of an account copied over its January."""
    first, second = (sorted(export.glob(f"month=2026-0{month}/*.parquet"))[0] for month in (1, 2))
    shutil.copy(second, first)
    with pytest.raises(StoreError, match="missing or damaged"):
        mas.delivery_rates(export)


@pytest.mark.parametrize("reader", ["a folder", "DuckDB", "SQL of DuckDB", "polars"])
@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7])
def test_a_bit_that_turned_over_is_seen(export: Path, reader: str, place: float) -> None:
    """Wherever in the rows it is, and whoever is given the files: no engine compares what it reads with what was written."""
    damaged = sorted(export.glob("month=2026-01/*.parquet"))[0]
    one_bit(damaged, place)
    with pytest.raises(StoreError, match="missing or damaged") as told:
        mas.latency(_read_by(reader, export))
    assert told.value.said.parameters["file"] == str(damaged)


def _read_by(reader: str, export: Path) -> Any:
    files = f"{export}/month=*/*.parquet"
    if reader == "DuckDB":
        return pytest.importorskip("duckdb").read_parquet(files)
    if reader == "SQL of DuckDB":
        return pytest.importorskip("duckdb").sql(f"SELECT * FROM '{files}'")
    return pytest.importorskip("polars").scan_parquet(files) if reader == "polars" else export


def test_damage_is_seen_in_files_of_several_exports(filled: Path, tmp_path: Path) -> None:
    """Which no manifest knows together; each knows its own."""
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    for name in ("one", "two"):
        shutil.copytree(filled / "pq", tmp_path / name)
    damaged = sorted(tmp_path.glob("two/month=2026-01/*.parquet"))[0]
    one_bit(damaged, 0.3)
    files = sorted(map(str, tmp_path.glob("*/month=*/*.parquet")))
    for data in (duckdb.read_parquet(files), polars.scan_parquet(files)):
        with pytest.raises(StoreError, match="missing or damaged") as told:
            mas.latency(data)
        assert told.value.said.parameters["file"] == str(damaged)


@pytest.mark.parametrize("word", ["messages", "uplinks", "as_of", "2026-01"])
def test_a_manifest_that_was_changed_is_refused(filled: Path, export: Path, word: str) -> None:
    """A letter of it is another: neither is a month left out of an answer, nor out of the next export."""
    manifest = export / MANIFEST
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace(word, word[:-1] + chr(ord(word[-1]) ^ 1), 1), encoding="utf-8")
    with pytest.raises(StoreError, match=r"_manifest\.json cannot be read, or is not what was written") as told:
        mas.delivery_rates(export)
    assert told.value.said.parameters["path"] == str(manifest)
    with Store(filled / "store.db") as store, pytest.raises(StoreError, match="or is not what was written"):
        store.export_parquet(export, phones="whole", uplinks=True)
    manifest.write_text(text.replace("\n", "\n  "), encoding="utf-8")  # the same, written otherwise
    assert len(mas.delivery_rates(export)) == 1


def test_a_manifest_of_an_archive_is_written_anew(filled: Path, tmp_path: Path) -> None:
    """Once it is deleted, as the error says; the store knows which files count."""
    shutil.copy(filled / "store.db", tmp_path / "store.db")
    with Store(tmp_path / "store.db", clock=ManualClock(APRIL)) as store:
        store.archive("2026-02-01", folder := tmp_path / "archive")
        before = mas.delivery_rates(folder, history=None)
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        (folder / MANIFEST).write_text(text.replace('"messages"', '"massages"'), encoding="utf-8")
        for ask in (lambda: mas.delivery_rates(folder), lambda: store.archive("2026-02-01", folder)):
            with pytest.raises(StoreError, match=r"of an archive, delete this file and run store\.archive"):
                ask()
        (folder / MANIFEST).unlink()
        store.archive("2026-02-01", folder)
        pd.testing.assert_frame_equal(mas.delivery_rates(folder, history=None), before)


def test_damaged_replies_are_named(export: Path) -> None:
    """With the folder that is exported to, not the one the file lies in."""
    lost = next(iter(sorted(export.glob("_uplinks/*/*.pq"))))
    overwritten(lost)
    with pytest.raises(StoreError) as told:
        mas.replies(export)
    assert (told.value.said.parameters["file"], told.value.said.parameters["folder"]) == (str(lost), str(export))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_lost_file_of_an_archive_is_named(filled: Path, tmp_path: Path, damage: str) -> None:
    """With the store at hand and without, also by who has asked before."""
    shutil.copy(filled / "store.db", tmp_path / "store.db")
    with Store(tmp_path / "store.db", clock=ManualClock(APRIL)) as store:
        store.archive("2026-02-01", tmp_path / "archive")
        archives = [mas.Archive(tmp_path / "archive", store), mas.Archive(tmp_path / "archive")]
        for archive in archives:
            mas.delivery_rates(archive)
        lost = next(iter(sorted((tmp_path / "archive").glob("month=*/*.parquet"))))
        DAMAGES[damage](lost)
        for archive in archives:
            with pytest.raises(StoreError, match="put it back from a copy") as told:
                mas.delivery_rates(archive)
            assert told.value.said.parameters["file"] == str(lost)


def test_only_files_that_matter_are_opened(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By account and time; where no file matters, one is opened to say what columns there are."""
    from masanalytics.analysis.sources import folders, parquet_files

    opened: list[list[str]] = []
    real = parquet_files.opened

    def noted(files: list[Path], **how: Any) -> Any:
        opened.append([f"{file.parent.name[6:]} {file.name[0]}" for file in files])
        return real(files, **how)

    monkeypatch.setattr(folders, "opened", noted)
    source = ExportedMessages(export)
    for conditions in (
        {}, {"account": ACCOUNTS[0]}, {"since": "2026-02-01"}, {"until": "2026-02-01", "account": [ACCOUNTS[1]]}, {"since": "2027-01-01"},
        {"account": [None, ACCOUNTS[0]]},
    ):  # fmt: skip
        source.grouped_count(["account"], where=Filters.parse(conditions), seconds=None)
    every = ["2026-01 乙", "2026-01 甲", "2026-02 乙", "2026-02 甲"]
    assert [sorted(files) for files in opened[:4]] == [
        every, ["2026-01 甲", "2026-02 甲"], ["2026-02 乙", "2026-02 甲"], ["2026-01 乙"],
    ]  # fmt: skip
    assert (len(opened[4]), sorted(opened[5])) == (1, every)


@pytest.mark.parametrize("conditions", [
    {"since": "2026-01-26"}, {"until": "2026-02-20"}, {"account": ACCOUNTS[0]}, {"account": ACCOUNTS[:2], "since": "2026-02-01"},
])  # fmt: skip
def test_files_that_are_left_out_change_no_answer(filled: Path, export: Path, conditions: Any) -> None:
    """Beside the store itself."""
    with Store(filled / "store.db") as store:
        expected = mas.delivery_rates(store, by=["account", "campaign"], history=None, **conditions)
    found = mas.delivery_rates(export, by=["account", "campaign"], history=None, **conditions)
    same(found, expected)


HIDDEN: dict[str, tuple[dict[str, Any], str]] = {
    "masked": ({}, "are masked"), "hashed": ({"phones": "hashed", "key": "a key that nobody guesses"}, "are hashed"),
}  # fmt: skip
HOLDERS: dict[str, Callable[[Path], Any]] = {
    "folder": lambda folder: folder,
    "DuckDB": lambda folder: __import__("duckdb").read_parquet(str(folder / "month=*/*.parquet")),
    "pandas": lambda folder: __import__("duckdb").read_parquet(str(folder / "month=*/*.parquet")).df(),
    "polars": lambda folder: pytest.importorskip("polars").scan_parquet(folder / "month=*/*.parquet"),
    "two folders": lambda folder: [folder],
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("style", HIDDEN)
def test_a_whole_number_is_not_looked_for_among_hidden_ones(
    filled: Path, tmp_path: Path, style: str, holder: str
) -> None:
    """It would be unseen, or have no messages; as it is written there, it is found."""
    how, said = HIDDEN[style]
    with Store(filled / "store.db") as store:
        store.export_parquet(tmp_path / style, **how)
        whole = store.messages()["phone"].iloc[0]
    data = HOLDERS[holder](tmp_path / style)
    questions: list[Callable[[], Any]] = [
        lambda: mas.number_health(data, phones=["+86 " + whole]),
        lambda: mas.number_health(data, phone=whole),
        lambda: mas.delivery_rates(data, phone=[whole]),
        lambda: mas.timeline(data, phone=whole, freq="d"),
    ]
    for question in questions:
        with pytest.raises(InputError, match=said):
            question()
    written = mas.Archive(tmp_path / style).messages()["phone"].iloc[0]
    assert mas.delivery_rates(data, phone=written)["accepted"].sum() > 0


def test_all_files_are_on_the_disk_before_they_count(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are waited for together, a month's at once, and each once."""
    from masanalytics import export_folder
    from masanalytics.store import partition_writers

    steps: list[str] = []
    synced, manifest = export_folder.sync_file, export_folder.write_manifest

    def noted(file: Path) -> None:
        steps.append(f"{file.parent.name} {file.name[1]}")
        synced(file)

    def counts(*given: Any) -> None:
        steps.append("manifest")
        manifest(*given)

    monkeypatch.setattr(partition_writers, "sync_file", noted)
    monkeypatch.setattr(export_folder, "write_manifest", counts)
    with Store(filled / "store.db") as store:
        store.export_parquet(tmp_path / "pq")

    assert sorted(steps[:2]) == ["month=2026-01 乙", "month=2026-01 甲"]
    assert sorted(steps[2:4]) == ["month=2026-02 乙", "month=2026-02 甲"]
    assert set(steps[4:]) == {"manifest"}


def test_who_lists_the_folder_itself_sees_no_draft_and_nothing_set_aside(export: Path) -> None:
    """Pandas, Arrow and Spark read every file of a folder but those that begin with an underscore or a dot."""
    import pyarrow.dataset

    once = len(pd.concat(map(pd.read_parquet, export.glob("month=*/*.parquet"))))
    for file in list(export.glob("month=*/*.parquet")):
        shutil.copy(file, draft_of(file))
        shutil.copy(file, aside_of(file))

    assert len(pd.read_parquet(export)) == once
    assert pyarrow.dataset.dataset(export, format="parquet", partitioning="hive").count_rows() == once
    assert draft_of(file).name[0] == aside_of(file).name[0] == "_"


@pytest.mark.parametrize("left", ["month=*/*.parquet", "_uplinks/month=*/*.pq"])
def test_a_folder_that_has_lost_its_manifest_is_refused(filled: Path, export: Path, left: str) -> None:
    """What it holds would stay, with whole numbers, and count beside the new files: of this store or of another."""
    (export / "_manifest.json").unlink()
    for file in [*export.glob("month=*/*.parquet"), *export.glob("_uplinks/month=*/*.pq")]:
        if not file.match(left):
            file.unlink()
    before = {file: file.read_bytes() for file in export.rglob("*") if file.is_file()}

    with (
        Store(filled / "store.db") as store,
        pytest.raises(StoreError, match=r"has no _manifest\.json, and .*0\d/.*would stay"),
    ):
        store.export_parquet(export)
    assert {file: file.read_bytes() for file in export.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(("where", "gaps"), [({}, 2), ({"since": "2026-02-12"}, 1), ({"until": "2026-01-10"}, 0)])
def test_a_folder_says_the_gaps_and_holes_that_concern_what_is_asked(
    tmp_path: Path, where: dict[str, Any], gaps: int
) -> None:
    """As its store does, whoever opens its files: messages of another month have none of them."""
    with Store(tmp_path / "mas.db", clock=ManualClock(APRIL)) as store:
        fill(store, ACCOUNTS[0], 0)
        with store.db.conn as conn:
            conn.execute("DELETE FROM coverage")
            for start, end in ((0, 20), (21, 40), (45, 60)):
                conn.execute(
                    "INSERT INTO coverage SELECT account_id, ?, ? FROM accounts",
                    [START + start * DAY, START + end * DAY],
                )
        store.export_parquet(tmp_path / "pq")
        duckdb, pl = pytest.importorskip("duckdb"), pytest.importorskip("polars")
        files = str(tmp_path / "pq" / "month=*" / "*.parquet")
        found, *others, expected = (
            mas.delivery_rates(data, history=None, **where).attrs["coverage"]
            for data in (tmp_path / "pq", duckdb.read_parquet(files), pl.scan_parquet(files), store)
        )

        of_january = [
            mas.delivery_rates(data, history=None, campaign="活动0").attrs["coverage"]["gaps"]
            for data in (tmp_path / "pq", duckdb.read_parquet(files))
        ]
        (one_month,) = (tmp_path / "pq" / "month=2026-01").glob("*.parquet")
        of_its_file = mas.delivery_rates(duckdb.read_parquet(str(one_month)), history=None).attrs["coverage"]["gaps"]

    assert [found, *others] == [expected] * 3
    assert len(found["gaps"]) == gaps
    assert of_january == [[], []]
    assert len(of_its_file) == 1


@pytest.mark.parametrize("damage", ["deleted", "emptied", "cut"])
@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_files_of_a_list_are_named_with_what_brings_them_back(export: Path, engine: str, damage: str) -> None:
    """Whatever has become of one: the manifest beside it knows whose it is, and other files are called no archive."""
    library = pytest.importorskip(engine)
    read = library.read_parquet if engine == "duckdb" else library.scan_parquet
    files = sorted(export.glob("month=*/*.parquet"))
    alone = shutil.copytree(export, export.parent / "alone", ignore=shutil.ignore_patterns("_manifest.json"))
    others = sorted(alone.glob("month=*/*.parquet"))
    asked = [(read(list(map(str, group))), group[1]) for group in (files, others)]
    for _, file in asked:
        DAMAGES[damage](file)

    said = []
    for data, file in asked:
        with pytest.raises(StoreError) as told:
            mas.delivery_rates(data)
        assert str(file) in str(told.value)
        said.append(str(told.value).replace(str(file), "FILE"))

    assert said == [
        f"FILE is missing or damaged: delete it if it is there, then store.export_parquet({str(export)!r}), called as before, writes"
        " it anew",
        "FILE is missing or damaged, or is no Parquet file",
    ]


@pytest.mark.parametrize("reader", ["a folder", "DuckDB", "SQL of DuckDB", "polars"])
def test_an_answer_is_not_remembered_where_only_the_manifest_has_changed(tmp_path: Path, reader: str) -> None:
    """It knows until when reports were fetched and which are missing: files of settled months stay as they are."""
    written: list[dict[Path, int]] = []
    with Store(tmp_path / "mas.db", clock=ManualClock(APRIL)) as store:
        fill(store, ACCOUNTS[0], 0)
        for days, hole in ((20, False), (60, False), (60, True), (60, False)):  # all within one second
            with store.db.conn as conn:
                (last,) = conn.execute("SELECT max(submitted_at) FROM messages").fetchone()
                conn.execute("UPDATE coverage SET ended_at = ?", [last + days * DAY])
                conn.execute("DELETE FROM holes")
                if hole:
                    conn.execute(
                        "INSERT INTO polls (account_id, endpoint, state, asked_at) VALUES (1, 'report', 'lost', ?)",
                        [last + 40 * DAY],
                    )
                    conn.execute(
                        "INSERT INTO holes VALUES (last_insert_rowid(), 1, 'report', ?, ?, 1, 0, NULL)",
                        [last + 30 * DAY, last + 40 * DAY],
                    )
            store.export_parquet(tmp_path / "pq")
            written.append({file: file.stat().st_mtime_ns for file in (tmp_path / "pq").glob("month=*/*.parquet")})
            for question in (
                lambda data: mas.delivery_rates(data, within="30d", history=None),
                lambda data: mas.delivery_rates(data, within="90d", history=None),
            ):
                found, expected = (question(data) for data in (_read_by(reader, tmp_path / "pq"), store))
                pd.testing.assert_frame_equal(found, expected, check_dtype=False)
                assert found.attrs["as_of"] == expected.attrs["as_of"]
                assert mas.notes_of(found) == mas.notes_of(expected)
                assert found.attrs["coverage"]["holes"] == expected.attrs["coverage"]["holes"]
    assert written[0]
    assert all(files == written[0] for files in written)
