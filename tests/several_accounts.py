"""Two months of several accounts, and questions whose answers must not hang on where the messages lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import masanalytics as mas
from masanalytics import analysis
from masanalytics.store import Store
from tests.rows import Rows

START = 1_767_196_800  # 2026-01-01 in China
DAY = 86_400
ACCOUNTS = ("甲/ap", "乙/ap", "丙/ap")


def fill(store: Store, account: str, seed: int) -> None:
    """Write two months of one account: three campaigns, a batch an arm each, failures, pending ones, replies."""
    rng = np.random.default_rng(seed)
    rows = Rows(store, account)
    kept_id = None
    if account != ACCOUNTS[1]:
        rows.named("kept_columns", "name", "店")
        kept_id = rows.named("kept", "kept", '{"店":"东"}')
    conn = store.db.conn
    for campaign in range(3):
        conn.execute("BEGIN")
        for number in range(60):
            at = START + campaign * 25 * DAY + int(rng.integers(0, 5 * DAY))
            status = rng.choice(["delivered", "failed", "pending"], p=[0.7, 0.2, 0.1])
            message = rows.message(
                {
                    "campaign": f"活动{campaign}", "arm": "ab"[number % 2], "phone": f"139{seed:02d}{campaign * 60 + number:06d}",
                    "segments": 1 + number % 2, "carrier": ["China Mobile", "China Unicom"][number % 2], "status": status,
                    "submitted_at": pd.Timestamp(at, unit="s", tz="UTC"), "error_code": "MK:0001" if status == "failed" else None,
                    "latency_s": None if status == "pending" else int(rng.integers(1, 90)),
                }
            )  # fmt: skip
            conn.execute("UPDATE messages SET kept_id = ? WHERE message_id = ?", [kept_id, message])
            if number % 10 == 0:
                rows.uplink(f"139{seed:02d}{campaign * 60 + number:06d}", "TD", at + 100, message, opt_out="opt_out")
        conn.execute("COMMIT")
    rows.covered(START, START + 60 * DAY)


QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "delivery_rates": lambda data: mas.delivery_rates(data, by=["account", "campaign"]),
    "one rate": mas.delivery_rates,
    "own column": lambda data: mas.delivery_rates(data, by="店"),
    "narrowed to a column": lambda data: mas.delivery_rates(data, by="campaign", 店="东"),
    "narrowed to what was not kept": lambda data: mas.delivery_rates(data, by="account", 店="not kept"),
    "error_codes": lambda data: mas.error_codes(data, by="account"),
    "latency": lambda data: mas.latency(data, by="carrier"),
    "timeline": lambda data: mas.timeline(data, freq="d"),
    "compare": lambda data: mas.compare(data, "arm", "a", "b"),
    "costs": lambda data: mas.costs(data, 0.05, by="account"),
    "number_health": lambda data: mas.number_health(data).sort_values("phone", ignore_index=True),
    "fatigue": mas.fatigue,
    "replies": lambda data: mas.replies(data, by="account"),
    "funnel": analysis.funnel,
    "suppression_value": lambda data: mas.suppression_value(data, 0.05),
    "anomalies": lambda data: mas.anomalies(data, by=["account"]),
    "backtest": mas.backtest,
    "arrivals": lambda data: analysis.arrivals(data, by="account"),
}

OF_A_LIST_ONLY = ("funnel", "own column", "narrowed to what was not kept")
"""What a frame does not know: replies, and that a store did not keep a column."""

WITH_REPLIES: dict[str, Callable[..., Any]] = {
    "fatigue": mas.fatigue,
    "replies": lambda data, **uplinks: mas.replies(data, by="account", **uplinks),
    "replies of failed": lambda data, **uplinks: mas.replies(data, by="account", status="failed", **uplinks),
    "answered": lambda data, **uplinks: mas.compare(data, "arm", "a", "b", outcome="replied", **uplinks),
    "answered by account": lambda data, **uplinks: mas.compare(data, "account", outcome="replied", **uplinks),
}


def same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)
    for name in ("as_of", "notes", "filters", "denominator"):
        assert found.attrs.get(name) == expected.attrs.get(name)
