"""Units that differ: the variance between them against published examples and statsmodels, and what is promised of the next one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from masanalytics.aliases import Figures
from masanalytics.stats.random_effects import (
    LeftOut,
    RandomEffects,
    chi_square_quantile,
    conformal_factor,
    paule_mandel,
    upper_variance,
)

# Log odds ratios of Colditz et al. (1994), 13 trials of BCG, as in Viechtbauer (2010), Journal of Statistical Software 36(3):
# log relative risks and their variances.
BCG = np.array(
    [
        -0.8893, -1.5854, -1.3481, -1.4416, -0.2175, -0.7861, -1.6209, 0.0120, -0.4694, -1.3713, -0.3394, 0.4459, -0.0173,
    ]
)  # fmt: skip
BCG_VARIANCE = np.array(
    [0.3256, 0.1946, 0.4154, 0.0200, 0.0512, 0.0069, 0.2230, 0.0040, 0.0564, 0.0730, 0.0124, 0.5325, 0.0714]
)
UNITS = st.integers(3, 12).flatmap(
    lambda k: st.tuples(arrays(float, k, elements=st.floats(-3, 3)), arrays(float, k, elements=st.floats(0.01, 2)))
)


def test_the_variance_between_trials_is_the_published_one() -> None:
    """The trials of BCG: Paule-Mandel 0.318, Q's profile 0.1197 to 1.1115, as R's metafor prints them."""
    assert float(paule_mandel(BCG, BCG_VARIANCE)) == pytest.approx(0.3181, abs=5e-4)
    assert upper_variance(BCG, BCG_VARIANCE, 0.975) == pytest.approx(1.1115, abs=2e-3)
    assert upper_variance(BCG, BCG_VARIANCE, 0.025) == pytest.approx(0.1197, abs=1e-3)


def test_the_variance_and_the_mean_are_those_of_statsmodels() -> None:
    """Paule and Mandel's iteration, and the weighted mean with its standard error."""
    meta = pytest.importorskip("statsmodels.stats.meta_analysis")

    theirs = meta.combine_effects(BCG, BCG_VARIANCE, method_re="iterated", atol=1e-12)
    ours = RandomEffects.of(BCG, BCG_VARIANCE)

    assert ours.between == pytest.approx(theirs.tau2, abs=1e-6)
    assert ours.mean == pytest.approx(theirs.mean_effect_re, abs=1e-6)
    mean_variance = ours.sampling + ours.between / ours.units
    assert mean_variance == pytest.approx(theirs.sd_eff_w_re**2, rel=1e-6)


def test_the_quantiles_are_those_of_scipy() -> None:
    """Chi-squared, from its far lower tail to its upper one."""
    stats = pytest.importorskip("scipy.stats")
    for level in (1e-4, 0.02, 0.5, 0.975):
        for df in (1, 2, 7, 27, 300):
            assert chi_square_quantile(level, df) == pytest.approx(stats.chi2.ppf(level, df), rel=1e-8)


@given(UNITS)
def test_the_variance_between_makes_q_what_is_expected_of_it(units: tuple[Figures, Figures]) -> None:
    """At the solution Cochran's Q is the degrees of freedom; where it is less at once, there is no variance between."""
    deviation, variance = units
    between = float(paule_mandel(deviation, variance))

    def q(tau: float) -> float:
        weight = 1 / (variance + tau)
        return float((weight * (deviation - np.average(deviation, weights=weight)) ** 2).sum())

    if between > 0:
        assert q(between) == pytest.approx(len(deviation) - 1, rel=1e-6)
    else:
        assert q(0.0) <= len(deviation) - 1 + 1e-9


@given(UNITS)
@example((np.array([1e-155, -1e-155] * 3), np.ones(6)))  # a slope near nothing is divided by nowhere
def test_a_unit_left_out_is_predicted_as_if_it_had_never_been(units: tuple[Figures, Figures]) -> None:
    """The error of each unit is its distance from the mean of the others, computed alone."""
    deviation, variance = units
    weight = np.linspace(0.5, 1, len(deviation))

    found = LeftOut.of(deviation, variance, weight)

    for unit in range(len(deviation)):
        others = np.arange(len(deviation)) != unit
        alone = RandomEffects.of(deviation[others], variance[others], weight[others])
        assert found.error[unit] == pytest.approx(deviation[unit] - alone.mean, abs=1e-6)


@pytest.mark.parametrize("between", [0.1, 0.4, 4.0])
def test_a_new_unit_lies_in_its_interval_nineteen_times_of_twenty(between: float) -> None:
    """Eleven units of unequal size, 1,000 times, each predicted from the others: held in 93 to 99 %, large ones as small ones."""
    rng = np.random.default_rng(4)
    variance = np.geomspace(0.05, 1, 11)
    held = np.array(
        [LeftOut.of(rng.normal(0, np.sqrt(between + variance)), variance, np.ones(11)).ratio <= 1 for _ in range(1000)]
    )
    assert 0.93 <= held.mean() <= 0.99
    assert held[:, 0].mean() >= 0.92


def test_intervals_become_as_wide_as_they_should_have_been() -> None:
    """The 39th of 40 ratios at 95 %; with few units the largest; never narrower."""
    ratios = np.arange(1, 41) / 10

    assert conformal_factor(ratios) == pytest.approx(3.9)
    assert conformal_factor(np.array([0.2, 3.0])) == 3.0
    assert conformal_factor(ratios / 10) == 1.0
    assert conformal_factor(np.array([])) == 1.0
