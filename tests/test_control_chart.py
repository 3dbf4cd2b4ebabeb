"""Laney's chart with a robust start, against numbers by hand, scipy and simulated months."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from masanalytics.stats.control_chart import control_chart


def test_limits_of_a_line_that_swings_are_as_computed_by_hand() -> None:
    chart = control_chart([88, 92] * 4, [100] * 8)
    assert chart is not None
    # Rates of 0.88 and 0.92 around 0.9: neighbours are 0.04 / 0.03 = 4/3 standard errors apart, and 4/3 / 1.128 = 1.182.
    # (The variance has half a message of each kind added: 720.5 / 801.)
    share = 720.5 / 801
    error = np.sqrt(share * (1 - share) / 100)
    assert chart.centre == pytest.approx(0.9)
    assert chart.spread == pytest.approx(0.04 / error / 1.128)
    assert chart.degrees == pytest.approx(0.62 * 7)
    multiplier = stats.t.ppf(0.99865, 0.62 * 7)
    low, high = chart.limits([100])
    # Chance on the rate; what neighbours differ beyond it on the log-odds, where 0.9 is 2.197.
    beyond = multiplier * np.sqrt(chart.spread**2 - 1) / np.sqrt(share * (1 - share) * 100)
    low_odds, high_odds = np.log(9) - beyond, np.log(9) + beyond
    below, above = 0.9 - 1 / (1 + np.exp(-low_odds)), 1 / (1 + np.exp(-high_odds)) - 0.9
    # Half a message more, and below, where the long tail is, (3² - 1) / 6 of the 0.8 that a rate of 0.9 is skewed by.
    assert low[0] == pytest.approx(0.9 - np.hypot(multiplier * error, below) - (0.5 + 8 / 6 * 0.8) / 100, abs=1e-5)
    assert high[0] == pytest.approx(min(0.9 + np.hypot(multiplier * error, above) + 0.005, 1))
    assert chart.in_control.all()


def test_a_point_without_messages_has_no_limits_but_0_and_1() -> None:
    """Points that differ as chance does, and points that differ more: no number is made of nothing, and nothing warns."""
    for counts in ([900] * 8, [880, 920] * 4):
        chart = control_chart(counts, [1000] * 8)
        assert chart is not None
        assert [side.tolist() for side in chart.limits([0])] == [[0], [1]]


def test_limits_of_many_points_are_farther_out() -> None:
    """Three standard errors of eight points; of a month of hours 3.96, where one of twenty lines has a point outside."""
    few, many = control_chart([950] * 8, [1000] * 8), control_chart([950] * 672, [1000] * 672)
    assert few is not None
    assert many is not None
    assert few.multiplier == pytest.approx(stats.t.ppf(0.99865, 0.62 * 7))
    assert many.multiplier == pytest.approx(stats.t.ppf(1 - 0.025 / 672, 0.62 * 671))


def test_one_bad_day_lies_outside_and_does_not_widen_the_limits() -> None:
    rates = [950, 946, 953, 949, 951, 947, 952, 948, 950, 945, 954, 949]
    quiet, bad = control_chart(rates, [1000] * 12), control_chart([*rates[:6], 850, *rates[6:]], [1000] * 13)
    assert quiet is not None
    assert bad is not None
    assert np.flatnonzero(~bad.in_control).tolist() == [6]
    assert bad.centre == pytest.approx(quiet.centre)
    assert bad.spread == pytest.approx(quiet.spread)


def test_days_that_differ_anyway_do_not_lie_outside() -> None:
    rates = [0.96, 0.93, 0.95, 0.91, 0.94, 0.97, 0.92, 0.95, 0.93, 0.96]
    chart = control_chart([20_000 * rate for rate in rates], [20_000] * 10)
    assert chart is not None
    assert chart.in_control.all()
    assert chart.spread > 10


def test_fewer_than_eight_points_have_no_limits() -> None:
    assert control_chart([9] * 7, [10] * 7) is None
    assert control_chart([9] * 7 + [0], [10] * 7 + [0]) is None


def test_a_point_without_messages_is_nowhere() -> None:
    chart = control_chart([9] * 8 + [0], [10] * 8 + [0])
    assert chart is not None
    assert chart.in_control.tolist() == [True] * 8 + [False]


def test_a_single_failure_among_few_messages_is_nothing_unusual() -> None:
    chart = control_chart([10, 10, 9, 10, 10, 10, 10, 9, 10, 1], [10] * 9 + [1])
    assert chart is not None
    assert chart.in_control.all()
    assert not chart.outside([0], [1])[0]
    assert chart.outside([4], [10])[0]


def test_a_line_at_the_edge_stays_in_control() -> None:
    chart = control_chart([50] * 9, [50] * 9)
    assert chart is not None
    assert (chart.centre, chart.spread) == (1.0, 1.0)
    assert chart.in_control.all()


def test_scores_are_signed_roots_of_the_deviance() -> None:
    chart = control_chart([900] * 10, [1000] * 10)
    assert chart is not None
    # 41 below 900 of 1,000, half a message nearer: 0.8595. 2 (859.5 ln(.8595/.9) + 140.5 ln(.1405/.1)) = 16.40
    assert chart.scores([859, 900], [1000, 1000]).round(2).tolist() == [-4.05, 0.0]


def test_scores_of_few_failures_are_as_rare_as_they_say() -> None:
    chart = control_chart([950] * 10, [1000] * 10)
    assert chart is not None
    # Of 200, ten failures are usual; 24 and more come with binomial probability, which the normal distribution has a fifth of.
    tail = stats.norm.cdf(chart.scores([176], [200])[0])
    assert tail == pytest.approx(stats.binom.cdf(176, 200, 0.95), rel=0.3)
    assert stats.norm.cdf((176.5 - 190) / np.sqrt(9.5)) < tail / 4


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.25, 0.5])
def test_at_most_one_quiet_month_in_twenty_has_a_point_outside(spread: float) -> None:
    """However much days differ on the log-odds; of 300 months, 15 and three standard errors."""
    rng = np.random.default_rng(5)
    months = 0
    for _ in range(300):
        counts = rng.binomial(20_000, 1 / (1 + np.exp(-(2.84 + rng.normal(0, spread, 28)))))
        chart = control_chart(counts, [20_000] * 28)
        assert chart is not None
        months += bool(chart.outside(counts, [20_000] * 28).any())
    assert months <= 26


def test_a_day_at_eighty_percent_is_found_in_every_month() -> None:
    rng = np.random.default_rng(6)
    for _ in range(200):
        rates = 1 / (1 + np.exp(-(2.84 + rng.normal(0, 0.15, 28))))
        rates[9] = 0.8
        counts = rng.binomial(20_000, rates)
        chart = control_chart(counts, [20_000] * 28)
        assert chart is not None
        assert chart.outside(counts, [20_000] * 28)[9]
