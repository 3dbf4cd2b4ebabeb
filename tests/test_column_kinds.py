"""Columns of unusual kinds mean the same to pandas, polars and DuckDB: categories, numbers as times, lengths, infinite ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from masanalytics import analysis
from masanalytics.errors import InputError

duckdb, polars, pyarrow = map(pytest.importorskip, ("duckdb", "polars", "pyarrow"))


def as_relation(frame: pd.DataFrame) -> Any:
    return duckdb.connect().from_df(frame)


ENGINES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda frame: frame,
    "Arrow": lambda frame: pyarrow.Table.from_pandas(frame, preserve_index=False),
    "polars": lambda frame: polars.from_pandas(frame).lazy(),
    "DuckDB": as_relation,
}

TIE = pd.DataFrame(
    {
        "phone": ["13800138000"] * 2,
        "status": ["failed"] * 2,
        "error_code": ["DB:0141", "MK:0001"],
        "submitted_at": pd.to_datetime(["2026-01-05 09:00"] * 2).tz_localize("Asia/Shanghai"),
    }
)
"""Two failures of one second: the later one is that of the greater code."""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("categories", [["MK:0001", "DB:0141"], ["DB:0141", "MK:0001"]])
def test_categories_are_in_the_order_of_their_words(engine: str, categories: list[str]) -> None:
    """Not in that in which they came: of ties the same one is the last, and the first."""
    frame = TIE.assign(error_code=pd.Categorical(TIE["error_code"], categories))
    if engine == "polars":
        data = polars.from_pandas(TIE).with_columns(polars.col("error_code").cast(polars.Enum(categories)))
    else:
        data = ENGINES[engine](frame)

    found = analysis.number_health(data)[["last_code", "last_category", "verdict"]].to_numpy().tolist()
    top = analysis.error_codes(data, top=1)[["error_code", "count"]].to_numpy().tolist()

    assert found == [["MK:0001", "invalid_number", "doubtful"]]
    assert top == [["DB:0141", 1], ["other", 1]]


def test_categories_with_an_order_of_their_own_keep_it() -> None:
    """Who has said that gold comes before silver wants to see it so."""
    level = pd.Categorical(["银", "金"], ["金", "银"], ordered=True)

    assert analysis.delivery_rates(TIE.assign(级别=level, latency_s=5, waited_s=300_000), "级别", history=None)[
        "级别"
    ].tolist() == ["金", "银"]


def numbered(values: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {"status": ["delivered"] * len(values), "submitted_at": values, "latency_s": 5, "waited_s": 300_000}
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("values", "days"),
    [
        ([20260131090000, 20260201000000], ["2026-01-31", "2026-02-01"]),
        ([20260131, 20260201], ["2026-01-31", "2026-02-01"]),
        ([1769821200, 1769875200], ["2026-01-31", "2026-02-01"]),
        ([20240229235959, 20240301000000], ["2024-02-29", "2024-03-01"]),
        ([20260131090000, 20261331000000, 20260230000000, 20260110250000, 20260110096000], ["2026-01-31", None]),
    ],
)
def test_numbers_are_read_as_times_of_one_kind(engine: str, values: list[int], days: list[str | None]) -> None:
    """Digits as the platform writes them, days, epoch seconds; digits that are no time are missing."""
    found = analysis.delivery_rates(ENGINES[engine](numbered(values)), "day", history=None)["day"]

    assert [None if pd.isna(day) else str(pd.Timestamp(day).date()) for day in found] == days


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([46052, 46053], "which are days as a spreadsheet counts them"),
        ([1769821200000], "numbers that are no times"),
        ([1769821200000000], "numbers that are no times"),
        ([20260131090000, 0], "numbers that are no times"),
        ([20260131090000, 20260131], "numbers that are no times"),
    ],
)
def test_numbers_that_are_no_times_are_refused(engine: str, values: list[int], said: str) -> None:
    """Thousandths of seconds, days of a spreadsheet, and several kinds in one column: whoever guesses puts messages into other years."""
    with pytest.raises(InputError, match=said):
        analysis.delivery_rates(ENGINES[engine](numbered(values)), "day", history=None)


@pytest.mark.parametrize("engine", ENGINES)
def test_how_long_messages_were_watched_may_be_lengths_of_time(engine: str) -> None:
    """As latencies may be."""
    frame = numbered([1769821200, 1769875200]).assign(
        latency_s=pd.to_timedelta([5, 30], unit="s"), waited_s=pd.to_timedelta([600, 300_000], unit="s")
    )
    found = analysis.delivery_rates(ENGINES[engine](frame), within="20s", history=None)
    young = analysis.delivery_rates(ENGINES[engine](frame), within="1h", history=None)

    assert found[["accepted", "delivered"]].to_numpy().tolist() == [[2, 1]]
    assert young[["accepted", "delivered"]].to_numpy().tolist() == [[1, 1]]
    assert found.attrs["as_of"] == "2026-02-04 11:20:00"


@pytest.mark.parametrize("engine", ENGINES)
def test_an_infinite_latency_is_none(engine: str) -> None:
    """It is as unknown as a missing one, in counts and in the forecast."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "status": rng.choice(["delivered", "failed", "pending"], 400, p=[0.6, 0.2, 0.2]),
            "submitted_at": pd.to_datetime(1_769_821_200 + np.arange(400) * 900, unit="s", utc=True),
            "latency_s": rng.integers(1, 90, 400).astype(float),
        }
    ).assign(waited_s=lambda rows: (1_769_821_200 + 400 * 900 - rows["submitted_at"].astype("int64") // 10**9).clip(0))
    odd = np.arange(400) % 5 == 0
    infinite, missing = (frame.assign(latency_s=frame["latency_s"].mask(odd, value)) for value in (np.inf, np.nan))

    found, expected = (analysis.delivery_rates(data) for data in (ENGINES[engine](infinite), missing))

    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", None])
def test_times_of_any_unit_in_a_file_are_read(tmp_path: Path, unit: Any, zone: str | None) -> None:
    """As pandas, polars and others write them: DuckDB has a kind of its own for zoned nanoseconds."""
    pytest.importorskip("pyarrow")
    times = pd.to_datetime(["2026-01-31 23:00", "2026-02-01 01:00"]).tz_localize("Asia/Shanghai")
    times = times.tz_localize(None) if zone is None else times.tz_convert(zone)
    numbered([0, 0]).assign(submitted_at=times.as_unit(unit)).to_parquet(file := tmp_path / "messages.parquet")

    for data in (pd.read_parquet(file), duckdb.read_parquet(str(file)), polars.scan_parquet(file)):
        found = analysis.delivery_rates(data, "day", since="2026-01-31", until="2026-02-02", history=None)
        assert [str(pd.Timestamp(day).date()) for day in found["day"]] == ["2026-01-31", "2026-02-01"]


@pytest.mark.parametrize("engine", ENGINES)
def test_whole_numbers_to_group_by_stay_whole(engine: str) -> None:
    """Two long ones are two, and the total has none."""
    frame = numbered([1769821200, 1769875200]).assign(订单=[2**53, 2**53 + 1])

    found = analysis.delivery_rates(ENGINES[engine](frame), "订单", history=None, total=True)["订单"]

    assert str(found.dtype) == "Int64"
    assert [None if pd.isna(one) else int(one) for one in found] == [2**53, 2**53 + 1, None]
    alone = analysis.delivery_rates(ENGINES[engine](frame), "订单", history=None)["订单"]
    assert str(alone.dtype) == "int64"
    assert alone.tolist() == [2**53, 2**53 + 1]


EACH = pd.DataFrame(
    {
        "status": ["delivered", "failed", "pending", "delivered"],
        "latency_s": [3, 5, None, 4],
        "waited_s": 400_000,
        "phone": ["13812345678", "13912345678", "13812345678", "13912345678"],
        "error_code": [None, "MK:0001", None, None],
        "submitted_at": pd.to_datetime(["2026-03-01 09:00"] * 4).tz_localize("Asia/Shanghai"),
        "flag": [True, False, True, True],
    }
)


@pytest.mark.parametrize("engine", ENGINES)
def test_statuses_may_be_whole_numbers_in_a_column_of_floats(engine: str) -> None:
    """As pandas makes them where one is missing; other numbers are no status."""
    data = ENGINES[engine](EACH.assign(status=[5.0, 6.0, float("nan"), 5.0]))

    assert analysis.delivery_rates(data)[["accepted", "delivered", "failed"]].to_numpy().tolist() == [[3, 2, 1]]
    assert analysis.delivery_rates(data, status="failed")["accepted"].tolist() == [1]
    assert analysis.number_health(data)["verdict"].tolist() == ["good", "good"]
    with pytest.raises(InputError, match=r"status 1\.5 is not one of planned"):
        analysis.delivery_rates(ENGINES[engine](EACH.assign(status=1.5)))


@pytest.mark.parametrize("engine", ENGINES)
def test_of_several_words_that_are_no_status_every_engine_names_the_same(engine: str) -> None:
    """The first by their letters."""
    with pytest.raises(InputError, match="status 'gone' is not one of planned"):
        analysis.delivery_rates(ENGINES[engine](EACH.assign(status=["refused", "gone", "lost", "delivered"])))


@pytest.mark.parametrize("engine", ENGINES)
def test_infinite_waiting_times_are_unknown(engine: str) -> None:
    """What has waited for ever has not been told to be silent; everything else is counted."""
    found = analysis.delivery_rates(ENGINES[engine](EACH.assign(waited_s=float("inf"))))

    assert found[["accepted", "delivered", "failed", "pending", "unreported"]].to_numpy().tolist() == [[4, 2, 1, 1, 0]]


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "pandas"])
def test_seconds_that_are_texts_are_refused(engine: str) -> None:
    """Naming the column, and what to do."""
    with pytest.raises(InputError, match="column 'latency_s' does not hold numbers but String: make it a column of"):
        analysis.delivery_rates(ENGINES[engine](EACH.assign(latency_s="3")))


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_that_are_floats_have_their_prefix(engine: str) -> None:
    """The first digits, however long numbers are written."""
    data = ENGINES[engine](EACH.assign(phone=EACH["phone"].astype(float)))

    assert analysis.delivery_rates(data, "prefix")[["prefix", "accepted"]].to_numpy().tolist() == [
        ["138", 2],
        ["139", 2],
    ]
    assert analysis.delivery_rates(data, prefix="139")["accepted"].tolist() == [2]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lacking", ["error_code", "phone", "submitted_at"])
def test_the_state_of_numbers_needs_its_columns(engine: str, lacking: str) -> None:
    """Without codes nobody is dead: no engine says that all are good."""
    with pytest.raises(InputError, match=f"no column '{lacking}'"):
        analysis.number_health(ENGINES[engine](EACH.drop(columns=lacking)))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_total_of_yes_and_no_is_neither(engine: str) -> None:
    """Its row has a missing value."""
    found = analysis.delivery_rates(ENGINES[engine](EACH), "flag", total=True)

    assert found["flag"].astype(object).where(found["flag"].notna(), None).tolist() == [False, True, None]
    assert found["accepted"].tolist() == [1, 3, 4]


def test_dictionaries_of_arrow_in_a_frame_are_their_texts() -> None:
    """In codes, groups and total rows, also where values are missing."""
    table = pyarrow.Table.from_pandas(EACH.assign(carrier=pd.Series(["China Mobile", None] * 2)), preserve_index=False)
    coded = [table[name].cast(pyarrow.string()).dictionary_encode() for name in ("error_code", "carrier", "status")]
    frame = EACH.assign(
        **{
            name: pd.Series(column.to_pandas(types_mapper=pd.ArrowDtype), dtype=pd.ArrowDtype(column.type))
            for name, column in zip(("error_code", "carrier", "status"), coded, strict=True)
        }
    )

    assert analysis.error_codes(frame)[["error_code", "count"]].to_numpy().tolist() == [["MK:0001", 1]]
    rates = analysis.delivery_rates(frame, "carrier", total=True)
    assert rates["carrier"].astype(object).where(rates["carrier"].notna(), None).tolist() == [
        "China Mobile",
        None,
        "total",
    ]
    assert rates["accepted"].tolist() == [2, 2, 4]
