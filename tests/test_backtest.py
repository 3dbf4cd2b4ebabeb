"""How right the forecast would have been: what the backtest says of past campaigns, on every engine."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pytest

import masanalytics as mas
from masanalytics.analysis import notes_of
from masanalytics.errors import InputError

NOW = pd.Timestamp("2026-01-31 12:00", tz="Asia/Shanghai")
COLUMNS = ["delivery_rate", "expected_rate", "expected_low", "expected_high", "final_rate"]


def campaign(name: str, days_ago: int, *, fast: int = 80, late: int = 15, **columns: Any) -> pd.DataFrame:
    """Return a hundred messages: `fast` delivered after 5 s, 2 failed, `late` delivered after an hour, the rest never reported."""
    rows = [("delivered", 5.0)] * fast + [("failed", 5.0)] * 2 + [("delivered", 3600.0)] * late
    rows += [("pending", None)] * (100 - len(rows))  # type: ignore[list-item]
    return pd.DataFrame(rows, columns=["status", "latency_s"]).assign(
        campaign=name,
        submitted_at=NOW - pd.Timedelta(days=days_ago),
        waited_s=days_ago * 86_400,
        carrier="China Mobile",
        **columns,
    )


ALIKE = pd.concat([campaign(f"offer {day:02d}", 31 - day) for day in range(1, 13)], ignore_index=True)


def test_campaigns_that_are_alike_are_forecast_rightly_from_each_other() -> None:
    """After ten minutes 80 of 100 had arrived, in the end 95; eleven others say that 15 of 18 open ones arrive."""
    found = mas.backtest(ALIKE, ages=["10min", "2h"])

    assert found["campaign"].tolist() == [f"offer {day:02d}" for day in range(1, 13) for _ in range(2)]
    assert found["age_s"].tolist() == [600, 7200] * 12
    first = found.iloc[0]
    carried = (165 + 2 * 165.5 / 199) / 200
    assert (first["delivery_rate"], first["final_rate"]) == (0.8, 0.95)
    assert first["expected_rate"] == pytest.approx(0.8 + 0.18 * carried)
    assert first["error"] == pytest.approx(0.18 * carried - 0.15)
    assert first["naive_error"] == pytest.approx(-0.15)
    assert found["covered"].all()
    said = notes_of(found, "en")
    assert said[0].startswith("after 10 min: 12 of 12 intervals held the final rate")
    assert "10 分钟后：12 个区间中有 12 个包含最终送达率" in notes_of(found, "zh")[0]


def test_what_was_shown_is_what_is_tested() -> None:
    """The row of a campaign is what `delivery_rates` says of it with the others as its history."""
    differing = pd.concat([campaign(f"offer {day:02d}", 31 - day, late=9 + day % 7) for day in range(1, 15)])
    tested = mas.backtest(differing, ages=[7200])
    row = tested[tested["campaign"] == "offer 05"].iloc[0]

    own = differing[differing["campaign"] == "offer 05"]
    then = own.assign(waited_s=7200)  # all that was reported came within the hour
    shown = mas.delivery_rates(then, history=differing[differing["campaign"] != "offer 05"], cluster=None).iloc[0]

    assert row[COLUMNS[:4]].tolist() == pytest.approx(shown[COLUMNS[:4]].tolist())


def test_a_campaign_unlike_all_others_is_missed_or_refused() -> None:
    """Nothing of it came within ten minutes, and half in the end: the backtest says that there was no rate, and why."""
    odd = campaign("odd", 8, fast=0, late=50)
    found = mas.backtest(pd.concat([ALIKE, odd]), ages=["10min"]).set_index("campaign").loc["odd"]

    assert pd.isna(found["expected_rate"])
    assert found["reason"] == "misfit"
    assert found["covered"]  # by the bounds


def test_too_little_history_has_reasons_and_no_rates() -> None:
    """Three campaigns leave two to forecast the third from."""
    found = mas.backtest(ALIKE[ALIKE["campaign"] < "offer 04"], ages=["2h"])

    assert found["reason"].tolist() == ["thin_history"] * 3
    assert found["expected_rate"].isna().all()


def test_no_matured_campaign_is_an_empty_table() -> None:
    """Of the first day nothing can be said."""
    found = mas.backtest(campaign("today", 0))

    assert len(found) == 0
    assert list(found.columns)[:4] == ["campaign", "day", "accepted", "age_s"]


def test_only_the_latest_campaigns_and_only_what_is_asked_about() -> None:
    """`campaigns` counts from the last; filters narrow what is tested and what it is tested with."""
    latest = mas.backtest(ALIKE, ages=["2h"], campaigns=2)
    since = mas.backtest(ALIKE, ages=["2h"], since="2026-01-08")

    assert latest["campaign"].tolist() == ["offer 11", "offer 12"]
    assert since["campaign"].tolist() == [f"offer {day:02d}" for day in range(8, 13)]


@pytest.mark.parametrize("age", ["72h", "3d", 0])
def test_an_age_at_which_nothing_is_forecast_is_refused(age: Any) -> None:
    """After 72 h a campaign is as it ended."""
    with pytest.raises(InputError, match="72 h"):
        mas.backtest(ALIKE, ages=[age])


def test_every_engine_gives_the_same() -> None:
    """Pandas and polars, values and dtypes."""
    frame = mas.backtest(ALIKE, ages=["10min", "1d"])
    other = mas.backtest(pl.from_pandas(ALIKE), ages=["10min", "1d"])

    pd.testing.assert_frame_equal(frame, other)


def test_the_order_of_messages_changes_no_forecast() -> None:
    """Half of a unit's messages in one part of the day, half in another: which of both it is called does not hang on the order."""
    from tests.random_messages import in_batches, random_messages

    messages = pd.concat([in_batches(random_messages(200, seed=9))] * 10, ignore_index=True)
    found, shuffled = (
        mas.backtest(one, ages=["10min"], campaigns=3) for one in (messages, messages.sample(frac=1, random_state=1))
    )

    pd.testing.assert_frame_equal(found, shuffled)
