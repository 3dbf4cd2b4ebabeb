"""Messages as Parquet: every message once, and no whole phone number unless it is asked for."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from masanalytics.errors import InputError
from masanalytics.store import Store
from tests.bench import Bench, PlainBatch, report

pytest.importorskip("pyarrow")

A, B = "13800138000", "13900139000"


def exported(store: Store, folder: Path, *, reveal: bool = False) -> pd.DataFrame:
    files = store.export_parquet(folder, reveal=reveal)
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


@pytest.fixture
def filled(bench: Bench, plain_batch: type[PlainBatch]) -> Store:
    """One batch with a shared text, one with texts of their own, one with a template, all of them naming numbers."""
    run = bench.start()
    bench.register(
        run,
        plain_batch([A], content=f"请联系{B}，订单20260101123456"),
        plain_batch([B], content=None, contents=[f"您好，139 0013 9000 与 {A}"], mode="many_to_many"),
        plain_batch(["13700137000"], content=None, mode="template", template_id="t1", params_text=f'["{A}","8元"]'),
    )
    return bench.store


def test_numbers_are_masked_wherever_they_stand(filled: Store, tmp_path: Path) -> None:
    """By default no column of the export holds a whole mobile number; other digits stay."""
    found = exported(filled, tmp_path)

    assert found["phone"].tolist() == ["138****8000", "139****9000", "137****7000"]
    assert found["content"].tolist()[:2] == [
        "请联系139****9000，订单20260101123456",
        "您好，139 **** 9000 与 138****8000",
    ]
    assert found["content"].isna().tolist() == [False, False, True]
    assert found["params"].dropna().tolist() == ['["138****8000","8元"]']
    assert A not in found.to_csv()
    assert B not in found.to_csv()


def test_numbers_can_be_asked_for(filled: Store, tmp_path: Path) -> None:
    """With reveal the export is what the store holds."""
    found = exported(filled, tmp_path, reveal=True)

    assert found["phone"].tolist() == [A, B, "13700137000"]
    assert found["content"].tolist()[0] == f"请联系{B}，订单20260101123456"
    assert found["params"].dropna().tolist() == [f'["{A}","8元"]']


def test_a_month_without_texts(bench: Bench, plain_batch: type[PlainBatch], tmp_path: Path) -> None:
    """Messages that have neither text nor parameters are exported as they are."""
    run = bench.start()
    bench.register(run, plain_batch([A], content=None))

    found = exported(bench.store, tmp_path)

    assert found["phone"].tolist() == ["138****8000"]
    assert found[["content", "params"]].isna().all(axis=None)


def test_a_month_that_has_no_messages_any_more_is_taken_away(bench: Bench, tmp_path: Path) -> None:
    """A message whose report says that it was submitted two seconds later, in the next month, is exported once."""
    pytest.importorskip("pyarrow")
    bench.clock.sleep(30 * 86400 + 16 * 3600 - 1)  # a second before February
    bench.send(["13800138000"], "0131235959000000000001")
    bench.store.export_parquet(tmp_path / "pq")
    dates = {"submitDate": "20260201000001", "receiveDate": "20260201000002"}
    bench.receive([report("13800138000", "0131235959000000000001", **dates)])
    files = bench.store.export_parquet(tmp_path / "pq")

    assert [file.parent.name for file in files] == ["month=2026-02"]
    assert [one.name for one in (tmp_path / "pq").glob("[!_]*")] == ["month=2026-02"]


def test_a_folder_that_cannot_be_made_is_named(bench: Bench, tmp_path: Path) -> None:
    """The error says which folder, and why."""
    pytest.importorskip("pyarrow")
    bench.send(["13800138000"], "0101080000000000000001")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file is a file: give a folder"):
        bench.store.export_parquet(tmp_path / "file")


def test_an_export_that_ends_half_way_leaves_the_last_one(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No draft stays behind, and the files of the export before are whole."""
    pytest.importorskip("pyarrow")
    bench.send(["13800138000"], "0101080000000000000001")
    (before,) = bench.store.export_parquet(tmp_path / "pq")
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_table", lambda *_, **__: 1 / 0)
    bench.send(["13900139000"], "0101080000000000000002")
    with pytest.raises(ZeroDivisionError):
        bench.store.export_parquet(tmp_path / "pq")

    assert list((tmp_path / "pq").glob("*/*")) == [before]
