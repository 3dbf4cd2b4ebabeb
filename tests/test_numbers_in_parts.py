"""Questions to all messages of each number, where these lie in several places: an archive and its store, stores and exports."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import masanalytics as mas
from masanalytics import analysis
from masanalytics.analysis.sources.narwhals import NarwhalsMessages
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError
from masanalytics.store import Store
from tests.rows import Rows

duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")

START, DAY = 1_767_196_800, 86_400  # 2026-01-01 in China
PEOPLE = [f"139{number:08d}" for number in range(60)]

ASKED: dict[str, Callable[[Any, pd.DataFrame], pd.DataFrame]] = {
    "number_health": lambda data, _: mas.number_health(data),
    "number_health of some": lambda data, _: mas.number_health(data, phones=PEOPLE[::7]),
    "number_health of a campaign": lambda data, _: mas.number_health(data, campaign="c1"),
    "suppression_value": lambda data, _: mas.suppression_value(data, 0.05),
    "fatigue": lambda data, said: analysis.fatigue(data, uplinks=said),
    "fatigue of a campaign": lambda data, said: analysis.fatigue(data, uplinks=said, campaign="c2"),
}


def fill(store: Store, account: str, seed: int) -> None:
    """Write two months of messages, several to each of the same sixty people, with failures and some that stay silent."""
    rng = np.random.default_rng(seed)
    rows = Rows(store, account)
    with store.db.conn as conn:
        conn.execute("BEGIN")
        for number in range(360):
            status = rng.choice(["delivered", "failed", "pending"], p=[0.5, 0.4, 0.1])
            at = START + int(rng.integers(0, 59 * DAY))
            rows.message(
                {
                    "campaign": f"c{number % 4}", "arm": str(number // 60), "phone": PEOPLE[7 * number % 60], "segments": 1 + number % 3, "status": status,
                    "carrier": ["China Mobile", "China Unicom"][number % 2], "submitted_at": pd.Timestamp(at, unit="s", tz="UTC"),
                    "error_code": rng.choice(["MK:0001", "DB:0141"]) if status == "failed" else None,
                    "latency_s": None if status == "pending" else int(rng.integers(1, 90)),
                }
            )  # fmt: skip
        conn.execute("UPDATE batches SET msg_group = printf('%022d', batch_id)")
    rows.covered(START, START + 60 * DAY)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two stores and an export of each; and a copy of the first whose January is archived."""
    folder = tmp_path_factory.mktemp("parts")
    (folder / "exports").mkdir()
    for name, seed in (("a", 1), ("b", 2)):
        with Store(folder / f"{name}.db") as store:
            fill(store, name, seed)
            store.export_parquet(folder / "exports" / name, phones="whole")
    shutil.copy(folder / "a.db", folder / "copy.db")
    with (
        Store(folder / "a.db") as first,
        Store(folder / "b.db") as second,
        Store(folder / "copy.db", clock=ManualClock(START + 100 * DAY)) as copy,
    ):
        assert copy.archive("2026-02-01", folder / "archive").messages > 150
        yield folder, first, second, mas.Archive(folder / "archive", copy)


def relation(folder: Path) -> Any:
    return duckdb.read_parquet(str(folder / "month=*" / "*.parquet"))


def scan(folder: Path) -> Any:
    return polars.scan_parquet(folder / "month=*" / "*.parquet")


PARTS: dict[str, Callable[[Path, Store, Store, mas.Archive], Any]] = {
    "an archive and its store": lambda _folder, _first, _second, archive: archive,
    "a store and an export": lambda folder, _first, second, _archive: [folder / "exports" / "a", second],
    "a store before an export": lambda folder, first, _second, _archive: [first, folder / "exports" / "b"],
    "exports of two accounts": lambda folder, *_: folder / "exports",
    "an archive and another store": lambda _folder, _first, second, archive: [archive, second],
}


@pytest.mark.parametrize("question", ASKED)
@pytest.mark.parametrize("parts", PARTS)
def test_of_many_parts_only_answers_travel(
    places: Any, parts: str, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is that of all messages in one frame; no message of an export or an archive is brought."""
    _, first, second, _ = places
    data = PARTS[parts](*places)
    every = [first.messages(), second.messages()]
    frame = every[0] if isinstance(data, mas.Archive) else pd.concat(every, ignore_index=True)
    known = frame.drop_duplicates("phone").head(20)
    said = known[["account", "message_id", "phone"]].assign(
        content="TD", opt_out="opt_out", sent_at=known["submitted_at"] + pd.Timedelta("1min")
    )
    expected = ASKED[question](frame, said)
    told: list[Any] = []
    rows_of = NarwhalsMessages.message_rows

    def noted(self: NarwhalsMessages, columns: Any, **how: Any) -> pd.DataFrame:
        told.append(columns)
        return rows_of(self, columns, **how)

    monkeypatch.setattr(NarwhalsMessages, "message_rows", noted)

    pd.testing.assert_frame_equal(ASKED[question](data, said), expected, check_dtype=False, rtol=1e-9)
    assert [columns for columns in told if set(columns) - {"account", "message_id", "submitted_at"}] == []


def test_hashed_numbers_beside_whole_ones_are_refused_however_they_are_read(places: Any, tmp_path: Path) -> None:
    """One person would be two: the manifest tells how the numbers of a file are written, whoever opens it."""
    _, first, second, _ = places
    for name, key in (("one", "a key of 16 letters"), ("other", "another key of 16 letters")):
        first.export_parquet(tmp_path / name, phones="hashed", key=key)
    one, other = tmp_path / "one", relation(tmp_path / "other")

    for data in ([relation(one), second], [scan(one), second.messages()]):
        for ask in (mas.number_health, lambda parts: mas.suppression_value(parts, 0.05)):
            with pytest.raises(InputError, match="phone numbers are written in several ways"):
                ask(data)
        assert mas.delivery_rates(data, history=None)["accepted"].tolist() == [720]
    with pytest.raises(InputError, match=r"one and .*other are of one store"):
        mas.number_health([relation(one), other])


@pytest.mark.parametrize("question", ASKED)
def test_frames_of_every_kind_are_counted_together(places: Any, question: str) -> None:
    """Eager and lazy frames of polars, and a frame with times of no zone, which are China time."""
    folder, first, second, _ = places
    mine, others = first.messages(), second.messages()
    every = pd.concat([mine, others], ignore_index=True)
    said = mine.head(20)[["account", "message_id", "phone"]].assign(
        content="TD", opt_out="opt_out", sent_at=mine["submitted_at"].head(20) + pd.Timedelta("1min")
    )
    times = ["submitted_at", "received_at"]
    naive = mine.assign(**{name: mine[name].dt.tz_localize(None) for name in times})
    expected = ASKED[question](every, said)

    for data in ([polars.from_pandas(mine), scan(folder / "exports" / "b")], [naive, second], [naive, others]):
        pd.testing.assert_frame_equal(ASKED[question](data, said), expected, check_dtype=False, rtol=1e-9)
