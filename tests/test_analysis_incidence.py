"""Aalen-Johansen on counts, against hand-worked cases and other libraries."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masanalytics.stats.competing_risks import (
    IncidenceCurves,
    cumulative_incidence,
    follow_up_reached,
    incidence_quantile,
    project,
)
from tests.examples import examples

DELIVERED, FAILED, PENDING = 5, 6, 4
rows = st.lists(
    st.tuples(st.sampled_from([DELIVERED, FAILED, PENDING]), st.integers(-3, 60), st.integers(1, 5)),
    min_size=1,
    max_size=40,
)


def curves_of(status: list[int], seconds: list[float], n: list[int] | None = None) -> IncidenceCurves:
    group = np.zeros(len(status), dtype=np.int64)
    weights = np.array(n or [1] * len(status))
    return cumulative_incidence(group, 1, np.array(status), np.array(seconds, dtype=float), weights)


def test_the_estimate_worked_by_hand() -> None:
    """Six messages: delivered at 2, failed at 3, censored at 4, delivered at 5, censored at 6, delivered at 7."""
    curves = curves_of([DELIVERED, FAILED, PENDING, DELIVERED, PENDING, DELIVERED], [2, 3, 4, 5, 6, 7])

    # S: 5/6, 4/6, 4/6, 4/6 * 2/3 = 4/9, 4/9, 0. Delivered: 1/6, then + 4/6 * 1/3 at 5, then + 4/9 at 7.
    assert curves.at_risk.tolist() == [6, 5, 4, 3, 2, 1]
    assert curves.survival == pytest.approx([5 / 6, 4 / 6, 4 / 6, 4 / 9, 4 / 9, 0])
    assert curves.delivered_incidence == pytest.approx([1 / 6, 1 / 6, 1 / 6, 7 / 18, 7 / 18, 15 / 18])
    assert curves.failed_incidence == pytest.approx([0, 1 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6])


def test_events_come_before_censoring_at_the_same_second() -> None:
    """A message censored in the second in which another is delivered was still at risk then."""
    curves = curves_of([DELIVERED, PENDING], [5, 5])

    assert curves.delivered_incidence.tolist() == [0.5]


@settings(max_examples=examples(60), deadline=None)
@given(rows)
def test_it_is_that_of_statsmodels(cells: list[tuple[int, int, int]]) -> None:
    """Incidence and standard error equal statsmodels' CumIncidenceRight."""
    from statsmodels.duration.survfunc import CumIncidenceRight

    status, seconds, n = (np.array(column) for column in zip(*cells, strict=True))
    each = np.repeat(status, n)
    causes = np.select([each == DELIVERED, each == FAILED], [1, 2], 0)
    if set(causes) != {0, 1, 2}:
        return
    with np.errstate(all="ignore"):  # statsmodels divides by those left at the last event
        oracle = CumIncidenceRight(np.repeat(seconds, n) + 10.0, causes)
    curves = curves_of(status.tolist(), seconds.tolist(), n.tolist())
    for place, time in enumerate(oracle.times - 10.0):
        found = project(curves, np.array([time]), np.zeros(1))
        assert found.delivered[0] == pytest.approx(oracle.cinc[0][place], abs=1e-9)
        if oracle.cinc_se[0][place] > 0 and found.pending[0] > 1e-9:
            assert np.sqrt(found.variance[0]) == pytest.approx(oracle.cinc_se[0][place], abs=1e-9)


def test_it_is_that_of_lifelines() -> None:
    """Incidence and variance equal lifelines' AalenJohansenFitter on 40 samples without ties."""
    python = os.environ.get("LIFELINES_PYTHON")
    if not python:
        pytest.skip("LIFELINES_PYTHON names no Python that has lifelines (it wants an older pandas than this project)")
    rng = np.random.default_rng(11)
    samples = [
        {
            "seconds": rng.choice(np.arange(1, 2000), size, replace=False).tolist(),
            "events": rng.choice(3, size, p=[0.3, 0.5, 0.2]).tolist(),
        }
        for size in (3, 10, 60, 400) * 10
    ]
    oracle = Path(__file__).with_name("lifelines_oracle.py")
    done = subprocess.run([python, oracle], input=json.dumps(samples), capture_output=True, text=True, check=True)

    for sample, answer in zip(samples, json.loads(done.stdout), strict=True):
        status = np.array([PENDING, DELIVERED, FAILED])[sample["events"]]
        curves = curves_of(status.tolist(), sample["seconds"])
        found = [project(curves, np.array([time]), np.zeros(1)) for time in answer["seconds"]]
        # Where none is left at risk lifelines has no variance.
        known = ~np.isnan(answer["variance"])
        assert [float(end.delivered[0]) for end in found] == pytest.approx(answer["share"], abs=1e-12)
        variances = np.array([float(end.variance[0]) for end in found])
        assert variances[known] == pytest.approx(np.array(answer["variance"])[known], abs=1e-12)


def test_without_failures_it_is_kaplan_meier() -> None:
    """With one cause only it is one minus scipy's product-limit curve."""
    from scipy import stats

    rng = np.random.default_rng(2)
    event, censor = np.ceil(rng.exponential(20, 400)), np.ceil(rng.uniform(1, 60, 400))
    seen = event <= censor
    time = np.minimum(event, censor)
    sf = stats.ecdf(stats.CensoredData(uncensored=time[seen], right=time[~seen])).sf

    curves = curves_of(np.where(seen, DELIVERED, PENDING).tolist(), time.tolist())

    assert curves.delivered_incidence == pytest.approx(1 - sf.evaluate(curves.time), abs=1e-12)


@settings(deadline=None)
@given(rows)
def test_the_shares_add_up(cells: list[tuple[int, int, int]]) -> None:
    """Delivered, failed and open are one at every time, and none leaves 0..1."""
    curves = curves_of(*map(list, zip(*cells, strict=True)))

    assert curves.delivered_incidence + curves.failed_incidence + curves.survival == pytest.approx(
        np.ones(len(curves.time))
    )
    assert (np.diff(curves.delivered_incidence) >= -1e-12).all()
    assert ((curves.follow_up >= -1e-12) & (curves.follow_up <= 1 + 1e-12)).all()


@settings(deadline=None)
@given(rows)
def test_without_censoring_the_end_is_the_plain_share(cells: list[tuple[int, int, int]]) -> None:
    """With every report in, the curve ends at delivered / all, with the binomial variance."""
    reported = [(status, seconds, n) for status, seconds, n in cells if status != PENDING]
    if not reported:
        return
    status, seconds, n = map(list, zip(*reported, strict=True))
    p = sum(m for s, m in zip(status, n, strict=True) if s == DELIVERED) / sum(n)

    found = project(curves_of(status, seconds, n), np.array([np.inf]), np.zeros(1))

    assert found.expected[0] == pytest.approx(p)
    assert found.variance[0] == pytest.approx(p * (1 - p) / sum(n), abs=1e-12)


def test_groups_do_not_touch_each_other() -> None:
    """Ten thousand groups at once give what each gives alone."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 10_000, 60_000)
    status = rng.choice([DELIVERED, FAILED, PENDING], 60_000)
    seconds = rng.integers(0, 50, 60_000).astype(float)
    together = cumulative_incidence(group, 10_000, status, seconds, np.ones(60_000, dtype=int))
    found = project(together, np.full(10_000, np.inf), np.zeros(10_000))

    for one in (0, 4095, 4096, 9999):
        mine = group == one
        alone = project(curves_of(status[mine].tolist(), seconds[mine].tolist()), np.array([np.inf]), np.zeros(1))
        assert found.delivered[one] == pytest.approx(alone.delivered[0], abs=1e-9)
        assert found.variance[one] == pytest.approx(alone.variance[0], abs=1e-9)


def test_a_group_without_messages_has_no_curve() -> None:
    """An empty group is all open, reaches nothing and was never watched."""
    curves = cumulative_incidence(np.array([1]), 3, np.array([DELIVERED]), np.array([4.0]), np.array([1]))

    assert np.isnan(incidence_quantile(curves, 0.5)).tolist() == [True, False, True]
    assert np.isnan(follow_up_reached(curves, 0.5)).tolist() == [True, False, True]
    assert project(curves, np.full(3, np.inf), np.zeros(3)).pending.tolist() == [1, 0, 1]


def test_unknown_latencies_are_spread_like_the_known_ones() -> None:
    """Two delivered at 10, one at 30 and one at an unknown time count 8/3 at 10 and 4/3 at 30, of five."""
    curves = curves_of([DELIVERED, DELIVERED, DELIVERED, PENDING], [10, 30, np.nan, 60], [2, 1, 1, 1])

    # The unknown one counts 2/3 at 10 and 1/3 at 30; the row of unknown time itself weighs nothing.
    assert curves.delivered_incidence[curves.time == 10] == pytest.approx([(2 + 2 / 3) / 5])
    assert curves.delivered_incidence[-1] == pytest.approx(4 / 5)


def test_a_pending_message_of_unknown_waiting_time_counts_as_never_observed() -> None:
    """It is censored at the start."""
    curves = curves_of([DELIVERED, PENDING], [10, np.nan])

    assert curves.delivered_incidence.tolist() == [0, 1]


def test_the_quantiles_of_arrival_wait_for_the_pending() -> None:
    """Half of all have arrived only when half of all, not of the delivered, are in."""
    curves = curves_of([DELIVERED, DELIVERED, DELIVERED, PENDING], [1, 8, 20, 60], [3, 3, 3, 3])

    assert incidence_quantile(curves, 0.5).tolist() == [8]
    assert np.isnan(incidence_quantile(curves, 0.9)).all()


def test_curves_have_the_same_values_by_their_events_alone() -> None:
    """To the last digit, before the first event, between two and after the last, for a group without any too."""
    rng = np.random.default_rng(7)
    n = 400
    group, status = rng.integers(0, 4, n), rng.choice([4, 4, 4, 5, 6], n)
    status[group == 3] = 4
    curves = cumulative_incidence(group, 4, status, rng.integers(0, 300, n).astype(float), rng.integers(1, 5, n))
    events = curves.with_events()

    assert len(events.time) < len(curves.time)
    for time in (-1.0, 0.0, 3.0, 57.0, 300.0, np.inf):
        found, expected = (project(one, np.full(4, time), np.full(4, 0.3)) for one in (events, curves))
        for name in ("delivered", "failed", "pending", "expected", "variance"):
            assert getattr(found, name).tolist() == getattr(expected, name).tolist()
