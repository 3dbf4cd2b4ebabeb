"""Random messages, in a store and as every kind of frame, and questions put to all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from masanalytics import analysis
from masanalytics.store import Store
from masanalytics.vocabulary import CARRIERS, Status
from tests.rows import Rows

END = 1_768_000_000
WORDS = [status.name for status in Status]


def random_messages(n: int, seed: int) -> pd.DataFrame:
    """Return messages of every status, with holes, foreign words and faults, as a Store would show them."""
    rng = np.random.default_rng(seed)
    status = rng.choice(WORDS, n, p=[0.02, 0.02, 0.02, 0.02, 0.12, 0.65, 0.15])
    submitted = END - rng.integers(-3600, 40 * 86_400, n)
    reported = np.isin(status, ["delivered", "failed"])
    latency = np.where(reported, np.rint(np.exp(rng.normal(3, 2, n))) - 2, np.nan)
    latency[rng.random(n) < 0.02] = np.nan
    waited = np.where(np.isin(status, ["pending", "delivered", "failed"]), np.maximum(END - submitted, 0), np.nan)
    text = {
        "campaign": rng.choice(["春季", "b🎉", "c", ""], n),
        "arm": rng.choice(["A", "B", ""], n),
        "error_code": np.where(status == "failed", rng.choice(["DB:0141", "MN:0090", "5", "weird", ""], n), ""),
    }
    found = pd.DataFrame(
        {
            **{name: pd.Series(values, dtype="str").where(values != "") for name, values in text.items()},
            "carrier": pd.Series(rng.choice(CARRIERS, n), dtype="str"),
            "phone": pd.Series([f"1{rng.integers(3, 10)}{i:09d}" for i in range(n)], dtype="str"),
            "status": pd.Series(status, dtype="str"),
            "segments": pd.array(rng.integers(1, 4, n), dtype="Int64"),
            "submitted_at": pd.to_datetime(submitted, unit="s", utc=True).tz_convert("Asia/Shanghai").as_unit("s"),
            "latency_s": pd.array(latency, dtype="Int64"),
            "waited_s": pd.array(waited, dtype="Int64"),
        }
    )
    return found.assign(account=pd.Series("ours", index=found.index, dtype="str"))


def in_batches(messages: pd.DataFrame) -> pd.DataFrame:
    """Return the messages with batches that fail together."""
    return messages.assign(batch_id=np.arange(len(messages)) % 40 + 40 * (messages["status"] == "failed"))


def fill(store: Store, messages: pd.DataFrame) -> Rows:
    """Write messages into a store's tables, as sending and collecting would have left them."""
    rows = Rows(store, "ours")
    rows.messages(messages)
    rows.covered(END - 40 * 86_400, END)
    return rows


def as_polars(messages: pd.DataFrame) -> Any:
    return pytest.importorskip("polars").from_pandas(messages)


def as_lazy_polars(messages: pd.DataFrame) -> Any:
    return as_polars(messages).lazy()


def as_duckdb(messages: pd.DataFrame) -> Any:
    return pytest.importorskip("duckdb").from_df(messages)


def as_arrow(messages: pd.DataFrame) -> Any:
    return pytest.importorskip("pyarrow").Table.from_pandas(messages)


def shuffled(messages: pd.DataFrame) -> Any:
    return messages.sample(frac=1, random_state=5)


QUESTIONS: dict[str, Callable[[Any], pd.DataFrame]] = {
    "rates": analysis.delivery_rates,
    "rates by campaign": lambda data: analysis.delivery_rates(data, "campaign", total=True),
    "rates by parts of time": lambda data: analysis.delivery_rates(data, ["weekday", "hour"]),
    "rates by day and prefix": lambda data: analysis.delivery_rates(data, ["day", "prefix"]),
    "rates by category": lambda data: analysis.delivery_rates(data, "category"),
    "rates of one day": lambda data: analysis.delivery_rates(data, since="2025-12-20", until="2025-12-21"),
    "rates of some": lambda data: analysis.delivery_rates(data, "carrier", campaign=["c", None], hour=[3, 4, 5]),
    "rates within": lambda data: analysis.delivery_rates(data, "arm", within="10min"),
    "codes": lambda data: analysis.error_codes(data, "carrier", top=2),
    "latency": lambda data: analysis.latency(data, "carrier"),
    "timeline": lambda data: analysis.timeline(data, "W"),
    "compare": lambda data: analysis.compare(data, "arm", "A", "B", adjust="carrier"),
    "clusters of my own": lambda data: analysis.delivery_rates(data, "arm", within="1h", cluster="hour"),
    "compare campaigns": lambda data: analysis.compare(data, "campaign", "c", "春季", within="1h"),
    "change": lambda data: analysis.explain_change(data, at="2025-12-20", by=["carrier", "category"]),
    "health": analysis.number_health,
    "costs": lambda data: analysis.costs(data, 0.05, "carrier"),
}
