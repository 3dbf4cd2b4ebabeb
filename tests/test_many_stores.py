"""Several stores, or their exports, asked as one: the same numbers as of one store that holds all their messages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics import export_folder
from masanalytics.errors import InputError
from masanalytics.store import Store
from tests.bench import Bench
from tests.rows import Rows
from tests.several_accounts import ACCOUNTS, DAY, OF_A_LIST_ONLY, QUESTIONS, START, WITH_REPLIES, fill, same

pytest.importorskip("pyarrow")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, list[Store]]]:
    """One store of three accounts, and three stores of one each."""
    folder = tmp_path_factory.mktemp("stores")
    whole, parts = Store(folder / "whole.db"), [Store(folder / f"{number}.db") for number in range(3)]
    for number, account in enumerate(ACCOUNTS):
        fill(whole, account, number)
        fill(parts[number], account, number)
    yield whole, parts
    for store in (whole, *parts):
        store.close()


@pytest.mark.parametrize("question", QUESTIONS)
def test_three_stores_are_one(stores: tuple[Store, list[Store]], question: str) -> None:
    """Every function of the analysis says of a list of stores what it says of the store that holds all."""
    whole, parts = stores
    same(QUESTIONS[question](parts), QUESTIONS[question](whole))


@pytest.fixture(scope="module")
def exports(stores: tuple[Store, list[Store]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the exports of three stores."""
    folder = tmp_path_factory.mktemp("exports")
    for number, store in enumerate(stores[1]):
        store.export_parquet(folder / f"store{number}", reveal=True, uplinks=True)
    return folder


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_folder_of_their_exports_is_one(stores: tuple[Store, list[Store]], exports: Path, question: str) -> None:
    """The same of the folder that holds their exports."""
    pytest.importorskip("duckdb")
    same(QUESTIONS[question](exports), QUESTIONS[question](stores[0]))


READERS: dict[str, tuple[str, ...]] = {"DuckDB": (), "polars": ("duckdb",), "pandas": ("duckdb", "polars")}
"""What opens a folder, and what is not installed where that is so."""


def _in_turn(store: Store, account: str, number: int) -> None:
    """Write four messages of an account to each of fifty people, three days apart, some of them answered."""
    rows = Rows(store, account)
    store.db.conn.execute("BEGIN")
    for message in range(200):
        at = START + DAY * (message // 50 * 3 + number)
        phone, status = f"138{message % 50:08d}", "failed" if message % 7 == 0 else "delivered"
        made = rows.message(
            {
                "campaign": f"活动{number}", "arm": str(message // 50), "phone": phone, "segments": 1, "status": status,
                "carrier": "China Mobile", "submitted_at": pd.Timestamp(at, unit="s", tz="UTC"), "latency_s": 9,
                "error_code": "MK:0001" if status == "failed" else None,
            }
        )  # fmt: skip
        if message % 20 == number:
            rows.uplink(phone, f"TD{message}", at + 100, made, opt_out="opt_out")
    store.db.conn.execute("COMMIT")
    rows.covered(START, START + 60 * DAY)


def test_people_of_several_exports_are_looked_at_where_the_files_are(tmp_path: Path, travelled: list[int]) -> None:
    """Fifty people are written to by three accounts in turn: what one sent counts for the next, and no message travels."""
    pytest.importorskip("duckdb")
    (tmp_path / "exports").mkdir()
    whole = Store(tmp_path / "whole.db")
    for number, account in enumerate(ACCOUNTS):
        with Store(tmp_path / f"{number}.db") as store:
            _in_turn(store, account, number)
            store.export_parquet(tmp_path / "exports" / str(number), reveal=True, uplinks=True)
        _in_turn(whole, account, number)

    for question in (
        lambda data: mas.fatigue(data, "5d"),
        lambda data: mas.fatigue(data, "5d", campaign="活动1"),
        lambda data: mas.suppression_value(data, 0.05),
    ):
        travelled.clear()
        found = question(tmp_path / "exports")
        same(found, question(whole))
        assert len(found) > 2
        assert max(travelled) < 50
    whole.close()


def as_of_an_earlier_version(folder: Path, *, without: list[str]) -> None:
    """Let the manifest of an export say what a version without these columns would have written."""
    manifest = export_folder.read_manifest(folder)
    assert manifest is not None
    columns = [name for name in manifest.settings["columns"] if name not in without]
    parts = [replace(one, size_bytes=(folder / one.file).stat().st_size, checksum=None) for one in manifest.partitions]
    settings = {**manifest.settings, "columns": columns}
    export_folder.write_manifest(folder, replace(manifest, settings=settings, partitions=parts))


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("old", ["January", "all"])
def test_a_folder_written_before_there_was_a_column_says_unknown(
    bench: Bench, reader: str, old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number and a text that older files do not have are missing in their messages, and known in those of newer files."""
    import pyarrow.parquet as pq

    rows = Rows(bench.store, ACCOUNTS[0])
    for at, arm in ((START, "a"), (START + 40 * DAY, "b")):
        rows.message(
            {
                "campaign": "c", "arm": arm, "phone": "13800138000", "segments": 2, "carrier": "China Mobile", "status": "delivered",
                "submitted_at": pd.Timestamp(at, unit="s", tz="UTC"), "error_code": None, "latency_s": 5,
            }
        )  # fmt: skip
    files = sorted(bench.store.export_parquet(tmp_path / "pq"))
    for file in files if old == "all" else files[:1]:
        pq.write_table(pq.read_table(file, partitioning=None).drop_columns(["segments", "arm", "reports"]), file)
    as_of_an_earlier_version(tmp_path / "pq", without=["segments", "arm", "reports"])
    for name in READERS[reader]:
        monkeypatch.setitem(sys.modules, name, None)
    unknown = [[None, None, 1, 1.0]]
    known = [["b", 2, 1, 1.0]] if old == "January" else unknown

    found = mas.delivery_rates(tmp_path / "pq", by=["arm", "segments"], history=None)
    rates = found[["arm", "segments", "accepted", "delivery_rate"]].astype(object)
    assert rates.where(rates.notna(), None).values.tolist() == (
        [*known, *unknown] if old == "January" else [[None, None, 2, 1.0]]
    )
    assert mas.delivery_rates(tmp_path / "pq", by="reports", history=None)["accepted"].sum() == 2
    assert mas.delivery_rates(tmp_path / "pq", segments=3, history=None).empty


def test_an_export_gives_older_files_the_columns_they_lack(bench: Bench, tmp_path: Path) -> None:
    """A folder whose manifest knows other columns is written anew, once."""
    bench.send(["13800138000"], "0101080000000000000001")
    folder = tmp_path / "pq"
    bench.store.export_parquet(folder)
    manifest = export_folder.read_manifest(folder)
    assert manifest is not None
    older = {name: value for name, value in manifest.settings.items() if name != "columns"}
    export_folder.write_manifest(folder, replace(manifest, settings=older))
    generations = []
    for _ in range(2):
        bench.store.export_parquet(folder)
        now = export_folder.read_manifest(folder)
        assert now is not None
        generations.append(now.partitions[0].generation)

    assert generations == [manifest.generation + 1] * 2


def test_a_store_and_an_export_mix(stores: tuple[Store, list[Store]], exports: Path) -> None:
    """A list may hold stores, folders of exports and frames."""
    pytest.importorskip("duckdb")
    _, (first, _, third) = stores
    found = mas.delivery_rates([first, exports / "store1", third.messages()], by="account", history=None)

    assert found["account"].tolist() == sorted(ACCOUNTS)
    assert found["accepted"].tolist() == [180, 180, 180]


def test_ids_of_two_stores_are_told_apart(stores: tuple[Store, list[Store]]) -> None:
    """Batch 1 of each of two stores is two batches, and can be asked for by the number it is shown with."""
    _, parts = stores
    found = mas.delivery_rates(parts[:2], by="batch_id", history=None)["batch_id"].tolist()

    assert found == [1, 2, 3, 4, 5, 6, *(10**12 + number for number in range(1, 7))]
    (one,) = mas.delivery_rates(parts[:2], by="account", batch_id=10**12 + 3, history=None)["account"]
    assert one == ACCOUNTS[1]


def _together(kind: str, stores: list[Store], exports: Path) -> Any:
    """Return the messages of several stores as one frame, of which each store counts its batches and messages from 1."""
    if kind == "pandas":
        return pd.concat([store.messages() for store in stores], ignore_index=True)
    files = sorted(map(str, exports.glob("*/month=*/*.parquet")))
    if kind == "DuckDB":
        return pytest.importorskip("duckdb").read_parquet(files, union_by_name=True)
    polars = pytest.importorskip("polars")
    return polars.concat([polars.scan_parquet(file, hive_partitioning=False) for file in files], how="diagonal")


@pytest.mark.parametrize("kind", ["pandas", "DuckDB", "polars"])
@pytest.mark.parametrize("question", [name for name in {**QUESTIONS, **WITH_REPLIES} if name not in OF_A_LIST_ONLY])
def test_one_frame_of_three_stores_is_one(
    stores: tuple[Store, list[Store]], exports: Path, kind: str, question: str
) -> None:
    """Batch 1 of three accounts is three batches, and a reply to message 1 of one account answers no other's."""
    whole, parts = stores
    data = _together(kind, parts, exports)

    if question in WITH_REPLIES:
        uplinks = pd.concat([store.uplinks() for store in parts], ignore_index=True)
        found, expected = WITH_REPLIES[question](data, uplinks=uplinks), WITH_REPLIES[question](whole)
    else:
        found, expected = QUESTIONS[question](data), QUESTIONS[question](whole)

    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)


def test_replies_beside_a_list_are_given_by_account(stores: tuple[Store, list[Store]], exports: Path) -> None:
    """Frames, stores and exports in one list: each reply goes to its own account's message; without accounts nothing tells."""
    whole, parts = stores
    uplinks = pd.concat([store.uplinks() for store in parts], ignore_index=True)
    two = _together("pandas", parts[:2], exports)

    data: Any
    for data in ([two, parts[2]], [parts[0], parts[1], exports / "store2"], two[two["account"] == ACCOUNTS[1]]):
        replied = mas.replies(data, by="account", uplinks=uplinks)
        known = mas.replies(whole, by="account", account=sorted(replied["account"]))
        pd.testing.assert_frame_equal(replied, known, check_dtype=False)
    for data in (two, parts):
        with pytest.raises(InputError, match="with the column 'account'"):
            mas.replies(data, uplinks=uplinks.drop(columns="account"))
    with pytest.raises(InputError, match=f"account '{ACCOUNTS[0]}' is in several of the sources"):
        mas.replies([parts[0], two], uplinks=uplinks)


@pytest.mark.usefixtures("without_pictures")
def test_a_report_says_what_it_is_of_and_what_it_lacks(stores: tuple[Store, list[Store]], tmp_path: Path) -> None:
    """Of several stores their names; of a masked export without replies that it says nothing of people and replies, and why."""
    _, parts = stores
    mas.write_report(parts, tmp_path / "stores.html", language="en")
    parts[0].export_parquet(tmp_path / "masked")
    mas.write_report(tmp_path / "masked", tmp_path / "masked.html", language="en")

    of_stores, of_export = ((tmp_path / name).read_text(encoding="utf-8") for name in ("stores.html", "masked.html"))
    assert "0.db; 1.db; 2.db" in of_stores
    assert "Not in this report" not in of_stores
    assert "the state of the numbers: the phone numbers are masked" in of_export
    assert "replies and opt-outs: the data has no replies" in of_export


def test_a_report_of_several_stores(stores: tuple[Store, list[Store]], tmp_path: Path) -> None:
    """The page of a list of stores has the replies too."""
    page = mas.write_report(stores[1], tmp_path / "page.html", language="en").read_text("utf-8")

    assert "Replies and opt-outs" in page
    assert "540" in page


def test_masked_numbers_cannot_tell_people_apart(stores: tuple[Store, list[Store]], tmp_path: Path) -> None:
    """A store and a masked export are refused where people are counted, and taken where they are not."""
    pytest.importorskip("duckdb")
    _, (first, second, _) = stores
    second.export_parquet(tmp_path / "masked")
    second.export_parquet(tmp_path / "hashed", phones="hashed", key="a key that nobody guesses")

    for other in ("masked", "hashed"):
        with pytest.raises(InputError, match=r"phone numbers are written in several ways"):
            mas.number_health([first, tmp_path / other])
    with pytest.raises(InputError, match="masked"):
        mas.number_health(tmp_path / "masked")
    assert len(mas.number_health(tmp_path / "hashed")) == 180
    files = sorted(map(str, tmp_path.glob("hashed/month=*/*.parquet")))
    for mixed in (
        pd.concat([first.messages(), *map(pd.read_parquet, files)]),
        pytest.importorskip("duckdb").read_parquet(
            [*files, *map(str, first.export_parquet(tmp_path / "whole", phones="whole"))]
        ),
    ):
        for question in (mas.number_health, lambda data: mas.suppression_value(data, 0.05)):
            with pytest.raises(InputError, match=r"written in several ways \(hashed( [0-9a-f]{8})? \+ whole\)"):
                question(mixed)
    assert mas.delivery_rates([first, tmp_path / "masked"], history=None)["accepted"].tolist() == [360]


@pytest.mark.parametrize("read", ["duckdb", "polars", "folders"])
def test_hashes_of_two_keys_cannot_tell_people_apart(
    stores: tuple[Store, list[Store]], tmp_path: Path, read: str
) -> None:
    """Neither in one frame nor in a list: the manifests tell the keys from each other; with one key the 180 people are one each."""
    (tmp_path / "lake").mkdir()
    _, (first, second, _) = stores

    def together(other: str) -> Any:
        for store, name, key in ((first, "first", "a key that nobody guesses"), (second, "second", other)):
            store.export_parquet(tmp_path / "lake" / name, phones="hashed", key=key)
        pattern = str(tmp_path / "lake" / "*" / "month=*" / "*.parquet")
        if read == "folders":
            return [tmp_path / "lake" / "first", tmp_path / "lake" / "second"]
        engine = pytest.importorskip(read)
        return engine.read_parquet(pattern) if read == "duckdb" else engine.scan_parquet(pattern)

    mixed = together("another that nobody guesses")
    for question in (mas.number_health, lambda data: mas.suppression_value(data, 0.05)):
        with pytest.raises(InputError, match=r"several ways \(hashed [0-9a-f]{8} \+ hashed [0-9a-f]{8}\)"):
            question(mixed)
    assert mas.delivery_rates(mixed, history=None)["accepted"].tolist() == [360]
    whole = mas.number_health([first, second])
    assert len(mas.number_health(together("a key that nobody guesses"))) == len(whole)


def exported(folder: Path) -> Path:
    """Return the folder of an export that has one file."""
    with Store(folder / "one.db") as store:
        fill(store, ACCOUNTS[0], 0)
        store.export_parquet(folder / "export")
    return folder / "export"


def without_manifest(export: Path) -> Path:
    (export / export_folder.MANIFEST).unlink()
    return export


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (lambda store, _: [store, store], "is in the list twice"),
        (lambda _store, _folder: [], "an empty list"),
        (lambda _store, folder: folder, "holds no export of a store"),
        (lambda _store, folder: folder / "mistyped", r"there is no folder .*mistyped"),
        (lambda store, _: str(store.path), r"whole.db is the file of a store: give mas.Store\('.*whole.db'\)"),
        (
            lambda _store, folder: exported(folder) / "month=*" / "*.parquet",
            "is a part of an export: give its folder, .*export$",
        ),
        (
            lambda _store, folder: next(exported(folder).rglob("*.parquet")),
            "is a part of an export: give its folder, .*export$",
        ),
        (lambda _store, folder: without_manifest(exported(folder)), "has no _manifest.json, which says which"),
        (lambda store, _: [store, 5], "data is a int"),
    ],
)
def test_what_cannot_be_taken_as_one(
    stores: tuple[Store, list[Store]], tmp_path: Path, data: Callable[[Store, Path], Any], problem: str
) -> None:
    """The error says what is wrong and what to give."""
    with pytest.raises(InputError, match=problem):
        mas.delivery_rates(data(stores[0], tmp_path))


def test_twenty_exports_are_read_through_one_database(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A DuckDB database takes longer to make than a small file to count, so that a process makes one for all folders it asks."""
    duckdb = pytest.importorskip("duckdb")
    made: list[object] = []
    connect = duckdb.connect

    def counted(*given: Any) -> Any:
        made.append(given)
        return connect(*given)

    monkeypatch.setattr(duckdb, "connect", counted)

    for day in range(1, 6):
        mas.delivery_rates(exports, by="account", since=f"2026-01-{day:02d}", history=None)

    assert len(made) <= 1


def test_an_export_that_is_replaced_meanwhile_is_asked_again(
    stores: tuple[Store, list[Store]], exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is gone when it is opened, because the folder was just written, is no error."""
    from masanalytics.analysis.sources import folders

    tries: list[int] = []
    real, read = folders._opened, export_folder.read_manifest

    def gone_at_first(files: Any, **how: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            monkeypatch.setattr(folders, "_manifest_of", read)
            raise FileNotFoundError(files[0])
        return real(files, **how)

    monkeypatch.setattr(folders, "_opened", gone_at_first)
    manifest = read(exports / "store0")
    assert manifest is not None
    monkeypatch.setattr(
        folders,
        "_manifest_of",
        lambda _: manifest.__class__(**{**manifest.__dict__, "generation": 99, "pending": ["x"]}),
    )
    assert mas.delivery_rates(exports / "store0", history=None)["accepted"].tolist() == [180]
