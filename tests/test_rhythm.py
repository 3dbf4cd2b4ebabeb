"""A rhythm is learned where there is one, and neither hides a fall nor is made an alarm of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import masanalytics as mas
from masanalytics.stats.alarms import alarms, line_of
from masanalytics.stats.control_chart import control_chart
from masanalytics.stats.rhythm import _differ, rhythm_of

DAY_S = 86_400
MONDAY = 20_514 * DAY_S  # 2 March 2026
DAYS = MONDAY + DAY_S * np.arange(28)
HOURS = (DAYS[:, None] + 3600 * np.arange(9, 21)).ravel()
WEEKEND = np.arange(28) % 7 >= 5


def delivered(rng: np.random.Generator, odds: np.ndarray, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Return so many messages at each of these log-odds, and how many of them were delivered."""
    return rng.binomial(each, 1 / (1 + np.exp(-odds))).astype(float), np.full(len(odds), float(each))


def months_outside(odds_of_month: list[np.ndarray], starts: np.ndarray, width: int, each: int) -> int:
    """Return in how many months a point lies outside its limits."""
    rng, months = np.random.default_rng(2), 0
    for odds in odds_of_month:
        counts, totals = delivered(rng, odds, each)
        rhythm = rhythm_of(counts, totals, starts, width)
        chart = control_chart(counts, totals, rhythm)
        assert chart is not None
        months += bool(chart.outside(counts, totals, rhythm.offsets).any())
    return months


@pytest.mark.parametrize("groups", [[0] * 10 + [1] * 4, [0, 1, 2, 3] * 4])
def test_the_rank_test_is_that_of_scipy(groups: list[int]) -> None:
    """At one in a hundred, ties counted; the quantile by Wilson and Hilferty."""
    rng, places = np.random.default_rng(1), np.array(groups)
    verdicts = []
    for _ in range(200):
        values = np.round(rng.normal(0, 1, len(places)) + rng.choice([0, 3]) * (places == 1), 1)
        p_value = stats.kruskal(*(values[places == one] for one in np.unique(places))).pvalue
        if abs(p_value - 0.01) > 0.001:
            verdicts.append((_differ(values, places), bool(p_value < 0.01)))
    assert {found for found, _right in verdicts} == {True, False}
    assert all(found == right for found, right in verdicts)


def test_a_line_without_a_rhythm_is_seldom_given_one() -> None:
    rng = np.random.default_rng(4)
    found = [rhythm_of(*delivered(rng, 2.84 + rng.normal(0, 0.1, 28), 20_000), DAYS, DAY_S) for _ in range(200)]
    assert sum(one.week for one in found) <= 10
    assert all(not one.offsets.any() for one in found if not one.week)


def test_weekends_and_hours_are_learned_as_far_as_they_are_from_the_others() -> None:
    """Of very many messages: 0.8 at weekends, a sine of 0.6 over the hours, and one lost weekend that changes neither."""
    hours = np.tile(0.6 * np.sin(np.arange(12) / 6 * np.pi), 28)
    odds = 2.84 - 0.8 * np.repeat(WEEKEND, 12) + hours
    odds[12 * 12 : 14 * 12] = 0.0
    found = rhythm_of(*delivered(np.random.default_rng(5), odds, 1_000_000), HOURS, 3600)
    first = found.offsets[: 7 * 12].reshape(7, 12)
    assert (found.week, found.day, found.weeks_known) == (True, True, True)
    assert first[5].mean() - first[0].mean() == pytest.approx(-0.8, abs=0.03)
    assert first[0] - first[0].mean() == pytest.approx(hours[:12], abs=0.03)


def test_two_weeks_tell_no_rhythm_of_the_week() -> None:
    found = rhythm_of(np.where(WEEKEND[:14], 900, 950), np.full(14, 1000), DAYS[:14], DAY_S)
    workdays = rhythm_of([950] * 5, [1000] * 5, DAYS[:5], DAY_S)
    assert (found.week, found.weeks_known) == (False, False)
    assert not found.offsets.any()
    assert workdays.weeks_known


@pytest.mark.parametrize("weekend", [-0.4, -0.8])
def test_weekends_that_are_worse_are_not_outside(weekend: float) -> None:
    rng = np.random.default_rng(6)
    months = [2.84 + weekend * WEEKEND + rng.normal(0, 0.05, 28) for _ in range(100)]
    assert months_outside(months, DAYS, DAY_S, 2000) <= 8


def test_hours_that_are_worse_are_not_outside() -> None:
    rng, sine = np.random.default_rng(7), np.tile(0.6 * np.sin(np.arange(12) / 6 * np.pi), 28)
    months = [2.84 + sine + np.repeat(rng.normal(0, 0.05, 28), 12) for _ in range(60)]
    assert months_outside(months, HOURS, 3600, 500) <= 6


def test_days_that_are_like_those_before_them_are_not_outside() -> None:
    """They keep 0.8 of how the day before differed; of neighbours alone 40 months in a hundred have a day outside."""
    rng, months = np.random.default_rng(8), []
    for _ in range(100):
        drift = [rng.normal()]
        for _ in range(27):
            drift.append(0.8 * drift[-1] + 0.6 * rng.normal())
        months.append(2.84 + 0.25 * np.array(drift))
    assert months_outside(months, DAYS, DAY_S, 2000) <= 8


def test_a_saturday_that_is_bad_for_a_saturday_is_outside() -> None:
    """Though a Saturday is worse than any other day; days differ by 0.1 anyway."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        odds = 2.84 - 0.8 * WEEKEND + rng.normal(0, 0.1, 28)
        odds[12] -= 1.0
        counts, totals = delivered(rng, odds, 20_000)
        rhythm = rhythm_of(counts, totals, DAYS, DAY_S)
        chart = control_chart(counts, totals, rhythm)
        assert chart is not None
        line = line_of(counts, totals, worse=-1, rhythm=rhythm)
        assert line is not None
        assert np.flatnonzero(chart.outside(counts, totals, rhythm.offsets)).tolist() == [12]
        assert (12, 12) in [found[:2] for found in alarms(line, tests=56, level=0.05, runs=2)]


def weekends_worse(days: int) -> pd.DataFrame:
    """Return 1,000 messages a day from Monday, of which 50 fail, or 110 at weekends, and a handful more or less."""
    day = np.repeat(np.arange(days), 1000)
    failing = np.where(day % 7 >= 5, 110, 50) + day * 5 % 11 - 5
    return pd.DataFrame(
        {
            "submitted_at": pd.Timestamp("2026-03-02 10:00", tz="Asia/Shanghai") + pd.to_timedelta(day, unit="D"),
            "status": np.where(np.tile(np.arange(1000), days) < failing, "failed", "delivered"),
            "latency_s": 5,
            "waited_s": 400_000,
        }
    )


def test_the_limits_of_a_timeline_follow_the_week_and_a_note_says_so() -> None:
    found = mas.timeline(weekends_worse(28), "D")
    weekend = found["time"].dt.day_of_week >= 5

    assert not found["outside"].any()
    assert found.loc[weekend, "limit_high"].max() < 0.945
    assert found.loc[~weekend, "limit_low"].min() > 0.90
    assert "the limits follow a rhythm of the week" in mas.notes_of(found, "en")


def test_two_weeks_get_a_note_that_no_rhythm_is_known() -> None:
    said = "no rhythm of the week is known from fewer than 3 weeks: weekends are judged as other days are"
    messages = weekends_worse(14)

    assert said in mas.notes_of(mas.timeline(messages, "D"), "en")
    assert said in mas.notes_of(mas.anomalies(messages, by=[]), "en")
    assert said not in mas.notes_of(mas.anomalies(weekends_worse(28), by=[]), "en")


def test_weekends_that_are_always_worse_are_no_anomaly() -> None:
    assert mas.anomalies(weekends_worse(28), by=[]).empty
