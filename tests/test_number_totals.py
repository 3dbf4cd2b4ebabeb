"""The health of numbers, added up where the data is: the same as from the messages one by one, and only totals travel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from masanalytics import analysis
from masanalytics.errors import InputError
from masanalytics.store import Store
from tests.random_messages import as_arrow, as_duckdb, as_lazy_polars, as_polars, fill, random_messages

KINDS = [as_polars, as_lazy_polars, as_duckdb, as_arrow]
FEW = ("13800138000", "13900139000", "15000150000", "10086")
ODDLY = ("+86 138-0013-8000", "139 0013 9000", " 10086 ", "")


def to_few_numbers(size: int, seed: int, *, spelled: tuple[str, ...] = FEW) -> pd.DataFrame:
    """Return messages of which many go to the same number in the same second, with missing and absurd times among them."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2026-01-01", tz="Asia/Shanghai").timestamp()
    sent = start + rng.integers(0, 4, size) * 86_400 * rng.integers(1, 9, size)
    took = np.where(rng.random(size) < 0.1, rng.choice([-90, 2**29, -(2**29)], size), rng.integers(0, 3, size))
    words = np.array(["pending", "delivered", "failed", "rejected", None], dtype=object)
    status = rng.choice(words, size, p=[0.1, 0.2, 0.6, 0.05, 0.05])
    reported = np.isin(status.astype(str), ["delivered", "failed"]) & (rng.random(size) < 0.9)
    codes = np.array(["MK:0001", "DB:0141", "MN:0090", "weird", None], dtype=object)
    code = pd.Series(rng.choice(codes, size)).where(status == "failed", None)

    def times(values: Any, known: Any) -> Any:
        return pd.Series(
            pd.to_datetime(np.where(known, values, np.nan), unit="s", utc=True).tz_convert("Asia/Shanghai").as_unit("s")
        )

    return pd.DataFrame(
        {
            "phone": pd.Series(rng.choice(np.array(spelled, dtype=object), size), dtype="str"),
            "status": pd.Series(status, dtype="str"),
            "error_code": pd.Series(code, dtype="str"),
            "carrier": pd.Series(
                rng.choice(np.array(["China Mobile", "China Telecom", None], dtype=object), size), dtype="str"
            ),
            "submitted_at": times(sent, rng.random(size) < 0.97),
            "received_at": times(sent + took, reported),
            "waited_s": pd.array([300_000] * size, dtype="Int64"),
        }
    )


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spelled", [FEW, FEW + ODDLY], ids=["plain", "oddly"])
def test_totals_judge_as_the_messages_do(
    make: Callable[[pd.DataFrame], Any], seed: int, spelled: tuple[str, ...]
) -> None:
    """Ties within a second, deliveries before and after failures, reports before submission, several spellings of a number."""
    messages = to_few_numbers(40, seed, spelled=spelled)

    found = analysis.number_health(make(messages))

    pd.testing.assert_frame_equal(found, analysis.number_health(messages), check_dtype=False)


@pytest.mark.parametrize("make", KINDS)
def test_the_numbers_of_a_sheet_are_found_however_they_are_spelled(make: Callable[[pd.DataFrame], Any]) -> None:
    """In the sheet and in the data."""
    messages = to_few_numbers(40, seed=1, spelled=FEW + ODDLY)
    sheet: list[Any] = ["86 13800138000", "10086", None, "18600000000"]

    found = analysis.number_health(make(messages), phones=sheet)

    pd.testing.assert_frame_equal(found, analysis.number_health(messages, phones=sheet), check_dtype=False)
    assert found["verdict"].iloc[-1] == "unseen"


@pytest.mark.parametrize("make", [pd.DataFrame, *KINDS])
@pytest.mark.parametrize(
    "asked", ["13800138000", "138 0013 8000", ["+8613800138000", "10086"], ["13900139000.0", "18600000000"]]
)
def test_a_filter_by_number_finds_it_however_either_is_spelled(
    make: Callable[[pd.DataFrame], Any], asked: str | list[str]
) -> None:
    """Every function counts the messages that it would if the data spelled each number in one way."""
    odd = (
        "+86 138-0013-8000",
        "139 0013 9000",
        "\uff11\uff13\uff18\uff10\uff10\uff11\uff13\uff18\uff10\uff10\uff10",
        "8613900139000.0",
    )
    messages = to_few_numbers(60, seed=4, spelled=FEW + odd).drop(columns=["latency_s"], errors="ignore")
    one_way = messages.assign(
        phone=messages["phone"].replace(dict(zip(odd, ("13800138000", "13900139000") * 2, strict=True)))
    )
    numbers = {"13800138000": ["13800138000"], "138 0013 8000": ["13800138000"]}
    plain = numbers[asked] if isinstance(asked, str) else [*asked, "13800138000" if "10086" in asked else "13900139000"]
    expected = one_way[one_way["phone"].isin(plain)].reset_index(drop=True)

    health = analysis.number_health(make(messages), phone=asked)
    codes = analysis.error_codes(make(messages), phone=asked)

    pd.testing.assert_frame_equal(health, analysis.number_health(expected), check_dtype=False)
    pd.testing.assert_frame_equal(codes, analysis.error_codes(expected), check_dtype=False)


def test_one_number_of_a_store_is_looked_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite adds its messages up, proofs left out as ever: none is read."""
    messages = random_messages(50, seed=2)
    fill(store, messages)
    read: list[int] = []
    rows = type(store.message_source).message_rows

    def spied(*args: Any, **keywords: Any) -> pd.DataFrame:
        found = rows(*args, **keywords)
        read.append(len(found))
        return found

    monkeypatch.setattr(type(store.message_source), "message_rows", spied)
    phone = str(messages["phone"].iloc[7])

    found = analysis.number_health(store, phones=[phone])

    assert read == []
    assert found["sent"].sum() == messages["status"].iloc[7:8].isin(["pending", "delivered", "failed"]).sum()
    assert found["phone"].tolist() == [phone]


@pytest.mark.parametrize("make", [as_polars, as_duckdb])
def test_only_a_row_a_number_and_failure_code_travels(
    make: Callable[[pd.DataFrame], Any], travelled: list[int]
) -> None:
    """Two thousand messages to four numbers: four totals, at most twenty of failures; for one number one total."""
    messages = to_few_numbers(2000, seed=3).dropna(subset=["submitted_at"])
    messages["received_at"] = messages["received_at"].mask(messages["received_at"].notna(), messages["submitted_at"])
    analysis.number_health(make(messages))
    every = max(travelled)
    travelled.clear()
    analysis.number_health(make(messages), phones=["13800138000"])

    assert every <= 4 * 5 * 3
    # How numbers are written; then the number asked for, and 10086, whose spelling says nothing.
    assert travelled[0] == 1
    assert 2 in travelled[1:3]


@pytest.mark.parametrize("make", KINDS)
def test_masked_numbers_are_refused_everywhere(make: Callable[[pd.DataFrame], Any]) -> None:
    """138****8000 is many people."""
    masked = to_few_numbers(20, seed=4, spelled=("138****8000",))

    with pytest.raises(InputError, match="masked"):
        analysis.number_health(make(masked))


@pytest.mark.parametrize("made", [as_duckdb, as_lazy_polars, as_arrow])
@pytest.mark.parametrize("phones", [None, ["13800000001"]])
def test_messages_of_which_none_failed_have_no_code(
    made: Callable[[pd.DataFrame], Any], phones: list[str] | None
) -> None:
    """A column that is missing everywhere is of no kind to an engine, and every number is well."""
    messages = pd.DataFrame(
        {
            "phone": ["13800000001", "13800000001", "13800000002"], "status": "delivered", "error_code": [None] * 3,
            "carrier": [None] * 3, "submitted_at": pd.to_datetime(["2026-01-01 09:00"] * 3).tz_localize("Asia/Shanghai"),
        }
    )  # fmt: skip

    found = analysis.number_health(made(messages), phones=phones)

    expected = [["13800000001", 2, 2, "good"], ["13800000002", 1, 1, "good"]]
    assert (
        found[["phone", "sent", "delivered", "verdict"]].to_numpy().tolist() == expected[: 2 if phones is None else 1]
    )


@pytest.mark.parametrize("made", [pd.DataFrame, as_duckdb, as_polars])
def test_a_failure_comes_before_a_delivery_of_the_same_second(made: Callable[[pd.DataFrame], Any]) -> None:
    """Whatever the messages lie in: the number was good when the second one of the same second was sent."""
    at = pd.to_datetime(["2026-01-05 09:00"] * 2).tz_localize("Asia/Shanghai")
    messages = pd.DataFrame(
        {
            "message_id": [34, 60], "phone": "13800000001", "status": ["delivered", "failed"], "submitted_at": at, "received_at": at,
            "waited_s": 300_000, "error_code": [None, "UNDELIV"], "segments": [2, 1],
        }
    )  # fmt: skip

    found = analysis.suppression_value(made(messages), 0.05)

    assert found[["verdict", "sent", "delivered"]].to_numpy().tolist() == [["unseen", 1, 0], ["good", 1, 1]]
