"""Filters by what follows from a column (hour, weekday, day, prefix): every question takes them, whoever has the messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics import analysis, plot
from masanalytics.store import Store
from tests.several_accounts import ACCOUNTS, DAY, START, fill, same

FILTERS: dict[str, dict[str, Any]] = {
    "hour": {"hour": [9, 10, 17, 18, 19, 20]},
    "weekday": {"weekday": [1, 5, 6]},
    "day": {"day": ["2026-02-21", "2026-02-22", "2026-02-23"]},
    "prefix": {"prefix": "139"},
    "hour of a campaign": {"hour": list(range(8, 22)), "campaign": ["活动1", "活动2"]},
}

QUESTIONS: dict[str, Callable[..., Any]] = {
    "one rate": mas.delivery_rates,
    "delivery_rates": lambda data, **where: mas.delivery_rates(data, by=["account", "campaign"], **where),
    "within": lambda data, **where: mas.delivery_rates(data, by="carrier", within="1min", **where),
    "error_codes": lambda data, **where: mas.error_codes(data, by="account", **where),
    "latency": lambda data, **where: mas.latency(data, by="carrier", **where),
    "timeline": lambda data, **where: mas.timeline(data, freq="d", **where),
    "compare": lambda data, **where: mas.compare(data, "arm", "a", "b", **where),
    "costs": lambda data, **where: mas.costs(data, 0.05, by="account", **where),
    "number_health": mas.number_health,
    "suppression_value": lambda data, **where: mas.suppression_value(data, 0.05, **where),
    "anomalies": lambda data, **where: mas.anomalies(data, by=["account"], **where),
    "backtest": mas.backtest,
    "arrivals": lambda data, **where: analysis.arrivals(data, by="account", **where),
    "explain_change": lambda data, **where: mas.explain_change(data, at="2026-02-22", by=["carrier"], **where),
    "sample_size": lambda data, **where: mas.sample_size(0.8, 0.05, data=data, **where),
    "heatmap": lambda data, **where: str(plot.heatmap(data, **where).images[0].get_array()),
}


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store whose last messages are hours old, so that what becomes of them is forecast."""
    with Store(tmp_path_factory.mktemp("young") / "store.db") as store:
        for number, account in enumerate(ACCOUNTS[:2]):
            fill(store, account, number)
        with store.db.conn as conn:
            conn.execute("UPDATE coverage SET ended_at = ?", [START + 55 * DAY])
        yield store


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_store_takes_them_as_a_frame_does(young: Store, question: str, filters: str) -> None:
    """Young messages, history, alarms and notes are looked for with the filters that a store can be asked."""
    found, expected = (QUESTIONS[question](data, **FILTERS[filters]) for data in (young, young.messages()))
    if isinstance(found, pd.DataFrame):
        same(found, expected)
    else:
        assert found == expected


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("question", [mas.replies, mas.fatigue])
def test_a_store_takes_them_as_its_export_does(
    young: Store, question: Callable[..., Any], filters: str, tmp_path: Path
) -> None:
    """Of replies, which a frame does not have."""
    pytest.importorskip("duckdb")
    young.export_parquet(tmp_path / "export", phones="whole", uplinks=True)
    found, expected = (question(data, **FILTERS[filters]) for data in (young, tmp_path / "export"))
    same(found, expected)


@pytest.mark.parametrize("filters", FILTERS)
def test_a_report_takes_them(young: Store, filters: str, tmp_path: Path) -> None:
    """With all that its sections ask."""
    assert mas.write_report(young, tmp_path / "report.html", **FILTERS[filters]).exists()
