"""Intervals and tests for proportions, against other libraries and published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masanalytics.stats import proportions
from masanalytics.stats.order_statistics import median_difference, rank_test
from masanalytics.stats.proportions import (
    Z95,
    effective_wilson,
    holm,
    newcombe,
    normal_p_value,
    stratified_difference,
    student_p_value,
    student_quantile,
    two_proportion_p_value,
    wilson,
)
from tests.examples import examples

counts = st.integers(0, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(("k", "n"), [(0, 10), (1, 1), (3, 3), (48, 80), (999, 1000), (945_000, 1_000_000)])
def test_wilson_is_that_of_statsmodels(k: int, n: int) -> None:
    """Wilson's interval equals statsmodels', clipped to 0..1."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = wilson(k, n)

    expected = proportion_confint(k, n, method="wilson")
    assert (float(low), float(high)) == pytest.approx(np.clip(expected, 0, 1), abs=1e-12)


def test_wilson_of_nothing_is_nan() -> None:
    """No messages have no interval."""
    low, high = wilson([0, 5], [0, 5])

    assert np.isnan(low[0])
    assert np.isnan(high[0])
    assert high[1] == 1.0


# Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10.
NEWCOMBE_1998 = [
    (56, 70, 48, 80, 0.0524, 0.3339),
    (9, 10, 3, 10, 0.1705, 0.8090),
    (6, 7, 2, 7, 0.0582, 0.8062),
    (5, 56, 0, 29, -0.0381, 0.1926),
    (0, 10, 0, 20, -0.1611, 0.2775),
    (0, 10, 0, 10, -0.2775, 0.2775),
    (10, 10, 0, 20, 0.6791, 1.0000),
    (10, 10, 0, 10, 0.6075, 1.0000),
]


@pytest.mark.parametrize(("k1", "n1", "k2", "n2", "low", "high"), NEWCOMBE_1998)
def test_newcombe_gives_the_published_examples(k1: int, n1: int, k2: int, n2: int, low: float, high: float) -> None:
    """Newcombe's interval gives the examples of his paper."""
    found = newcombe(k1, n1, k2, n2)

    assert [float(bound) for bound in found] == pytest.approx([low, high], abs=5e-5)


@pytest.mark.parametrize(("k1", "n1", "k2", "n2"), [(56, 70, 48, 80), (9120, 10_000, 9300, 10_000), (3, 40, 0, 900)])
def test_the_two_proportion_test_is_that_of_statsmodels(k1: int, n1: int, k2: int, n2: int) -> None:
    """The pooled two-proportion test equals statsmodels'."""
    from statsmodels.stats.proportion import proportions_ztest

    assert float(two_proportion_p_value(k1, n1, k2, n2)) == pytest.approx(
        proportions_ztest([k1, k2], [n1, n2])[1], rel=1e-10
    )


@pytest.mark.parametrize(("k1", "k2"), [(0, 0), (50, 80)])
def test_two_arms_that_all_failed_or_all_arrived_do_not_differ(k1: int, k2: int) -> None:
    """Where nothing varies the p-value is 1."""
    assert float(two_proportion_p_value(k1, 50, k2, 80)) == 1.0


@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    """Holm's correction equals statsmodels'."""
    from statsmodels.stats.multitest import multipletests

    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


@pytest.mark.parametrize("df", [1, 2.5, 9, 27, 400])
@pytest.mark.parametrize("t", [0.1, 1.96, 4.0, 12.0])
def test_student_is_that_of_scipy(t: float, df: float) -> None:
    """Student's t equals scipy's, also for broken degrees of freedom."""
    from scipy import stats

    assert student_p_value(t, df) == pytest.approx(2 * stats.t.sf(t, df), rel=1e-9)
    assert student_quantile(0.999, df) == pytest.approx(stats.t.ppf(0.999, df), rel=1e-7)


def test_normal_p_value_of_unknown_is_unknown() -> None:
    """NaN stays NaN."""
    assert np.isnan(normal_p_value([np.nan, 1.0])).tolist() == [True, False]


@settings(deadline=None)
@given(counts)
def test_the_effective_interval_without_censoring_is_wilsons(pair: tuple[int, int]) -> None:
    """With the binomial variance the interval at the effective size is exactly Wilson's."""
    k, n = pair
    if not n:
        return
    p = k / n

    found = effective_wilson(p, p * (1 - p) / n, n)

    assert np.allclose(found, wilson(k, n), atol=1e-9)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=25), st.integers(0, 20))
def test_the_rank_test_is_that_of_scipy(cells: list[tuple[int, int]], shift: int) -> None:
    """Mann-Whitney on counted times equals scipy's on the times themselves, ties and all."""
    from scipy import stats

    times, n = (np.array(column) for column in zip(*cells, strict=True))
    a, b = np.repeat(times, n), np.repeat(times + shift, n)[::2]
    values, counted = np.unique(b, return_counts=True)

    found = rank_test((times.astype(float), n), (values.astype(float), counted))

    if len(set(a) | set(b)) > 1:
        assert found == pytest.approx(stats.mannwhitneyu(a, b, method="asymptotic").pvalue, abs=1e-9)
    else:
        assert found == 1.0


def test_the_interval_of_a_median_difference_covers_it() -> None:
    """The interval from order statistics, put together by MOVER, holds the true difference of medians in 93 to 99 % of 600 samples."""
    rng = np.random.default_rng(4)
    ones = np.ones(200, dtype=int)
    held = 0
    for _ in range(600):
        a, b = rng.lognormal(2, 1, 200), rng.lognormal(2, 1, 200) + 3
        _, low, high = median_difference((a, ones), (b, ones))
        held += low <= 3 <= high

    assert 0.93 <= held / 600 <= 0.99


def test_strata_are_tested_as_statsmodels_does() -> None:
    """The Cochran-Mantel-Haenszel p-value equals statsmodels'."""
    from statsmodels.stats.contingency_tables import StratifiedTable

    ka, na, kb, nb = (np.array(x, dtype=float) for x in ([90, 10, 31], [100, 20, 40], [45, 60, 25], [50, 100, 40]))

    found = stratified_difference(ka, na, kb, nb)

    tables = [np.array([[k1, n1 - k1], [k2, n2 - k2]]) for k1, n1, k2, n2 in zip(ka, na, kb, nb, strict=True)]
    assert found.p_value == pytest.approx(StratifiedTable(tables).test_null_odds(correction=False).pvalue, rel=1e-9)


def test_satos_variance_worked_by_hand() -> None:
    """Weights 100/3 and 50/3, P -40/9 and -5/18, Q 3 and 25/6: (1/30 x -85/18 + 43/6) / 50^2."""
    found = stratified_difference(*(np.array(x, dtype=float) for x in ([90, 10], [100, 20], [45, 60], [50, 100])))

    variance = (1 / 30 * -85 / 18 + 43 / 6) / 2500
    assert found.difference == pytest.approx(1 / 30, abs=1e-12)
    assert (found.low, found.high) == pytest.approx(
        [1 / 30 - Z95 * variance**0.5, 1 / 30 + Z95 * variance**0.5], abs=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize(("strata", "n"), [(3, 1000), (93, 1000), (340, 1000), (1000, 1000), (340, 3000)])
@pytest.mark.parametrize("change", [0.0, 0.02])
def test_the_adjusted_interval_holds_the_truth_in_few_strata_and_in_many(strata: int, n: int, change: float) -> None:
    """In 93 to 97 % of 2,000 samples, also where an arm has one message a stratum."""
    rng, held = np.random.default_rng(7), 0
    for _ in range(2000):
        na, nb = (np.bincount(rng.integers(0, strata, n), minlength=strata) for _ in "ab")
        ka, kb = rng.binomial(na, 0.93), rng.binomial(nb, 0.93 - change)
        found = stratified_difference(*(counted.astype(float) for counted in (ka, na, kb, nb)))
        held += found.low <= -change <= found.high

    assert 0.93 <= held / 2000 <= 0.97


def test_strata_without_any_variation_leave_the_width_to_the_counts() -> None:
    """All of one stratum arrived and none of the other: no difference, and Newcombe's width at the mean rate."""
    found = stratified_difference(*(np.array(x, dtype=float) for x in ([50, 0], [50, 50], [50, 0], [50, 50])))

    assert found.difference == 0.0
    assert (found.low, found.high) == pytest.approx([float(x) for x in newcombe(50, 100, 50, 100)], abs=1e-12)


def test_one_stratum_is_no_stratum() -> None:
    """With a single stratum the stratified interval is Newcombe's."""
    found = stratified_difference(*(np.array([x], dtype=float) for x in (48, 80, 56, 70)))

    assert (found.low, found.high) == pytest.approx([float(bound) for bound in newcombe(56, 70, 48, 80)], abs=1e-12)


def test_strata_that_only_one_arm_has_do_not_count() -> None:
    """A stratum without messages on one side says nothing about a difference."""
    alone = stratified_difference(*(np.array(x, dtype=float) for x in ([48, 5], [80, 9], [56, 0], [70, 0])))
    without = stratified_difference(*(np.array(x, dtype=float) for x in ([48], [80], [56], [70])))

    assert alone == without


@pytest.mark.parametrize("df", [1.0, 10.0, 300.5, 4130.475, 18_113.4, 999_999.0])
def test_students_quantile_is_found_in_a_few_steps(df: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of very many degrees of freedom, where rounding keeps the last step from becoming any smaller."""
    asked = []
    p_value = proportions.student_p_value

    def counting(t: float, freedom: float) -> float:
        asked.append(t)
        return p_value(t, freedom)

    monkeypatch.setattr(proportions, "student_p_value", counting)

    assert p_value(student_quantile.__wrapped__(0.975, df), df) == pytest.approx(0.05, rel=1e-9)
    assert 0 < len(asked) < 10
