"""Times of which only the minute is known: Turnbull's estimate, by hand and by lifelines, and how far it can be from the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masanalytics.stats.competing_risks import IncidenceCurves, cumulative_incidence
from masanalytics.stats.interval_censored import interval_incidence

DELIVERED, FAILED, PENDING = 5, 6, 4


def estimated(rows: list[tuple[int, float, int]], *, is_minute: bool = True) -> IncidenceCurves:
    """Return the curves of rows of status, seconds and count."""
    status, seconds, n = (np.array(column) for column in zip(*rows, strict=True))
    group = np.zeros(len(rows), dtype=np.int64)
    return interval_incidence(group, 1, status, seconds.astype(float), n, np.full(len(rows), is_minute))


def shares(rows: list[tuple[int, float, int]]) -> dict[float, float]:
    """Return what had been delivered by the end of each minute in which something was."""
    curves = estimated(rows)
    return dict(zip(curves.time.tolist(), curves.delivered_incidence.tolist(), strict=True))


def test_all_can_have_come_within_the_first_minute() -> None:
    """Two of three lie between 0 and 60 s, one between 0 and 120 s: the likelihood p1²(p1 + p2) is greatest at p1 = 1."""
    assert shares([(DELIVERED, 0, 2), (DELIVERED, 60, 1)]) == {60.0: pytest.approx(1.0)}


def test_by_hand() -> None:
    """40 in (0, 60), 30 in (0, 120), 20 in (60, 180), 10 in (120, 240): p = 2/3, 1/12, 1/4, 0.

    The derivatives of 40 ln p1 + 30 ln(p1 + p2) + 20 ln(p2 + p3) + 10 ln(p3 + p4) are 100 each for p1, p2 and p3, and 40 for
    p4, so that nothing is there: 60 + 40, 40 + 60, 60 + 40.
    """
    found = shares([(DELIVERED, 0, 40), (DELIVERED, 60, 30), (DELIVERED, 120, 20), (DELIVERED, 180, 10)])
    assert found == {60.0: pytest.approx(2 / 3), 120.0: pytest.approx(3 / 4), 180.0: pytest.approx(1.0)}


def test_as_lifelines_has_it() -> None:
    """KaplanMeierFitter.fit_interval_censoring of lifelines 0.30 with tol=1e-12, each interval a second shorter at its ends."""
    found = shares(
        [(DELIVERED, 0, 5), (DELIVERED, 60, 30), (DELIVERED, 120, 20), (DELIVERED, 300, 7), (DELIVERED, 360, 9),
         (DELIVERED, 420, 1)]
    )  # fmt: skip
    assert found == {
        60.0: pytest.approx(1 - 0.847222, abs=1e-5),
        120.0: pytest.approx(1 - 0.236111, abs=1e-5),
        360.0: pytest.approx(1 - 0.029514, abs=1e-5),
        420.0: pytest.approx(1.0),
    }


def test_failures_compete_and_pending_are_censored() -> None:
    """Six delivered within the first minute, two failed with seconds at 7 s, two pending since 30 s: 6/8 and 2/8 of those seen."""
    curves = estimated([(DELIVERED, 0, 6), (FAILED, 7, 2), (PENDING, 30, 2)])
    assert curves.time.tolist() == [30.0, 60.0]
    assert curves.delivered_incidence.tolist() == pytest.approx([0.0, 0.75])
    assert curves.failed_incidence.tolist() == pytest.approx([0.0, 0.25])


def test_seconds_are_believed_where_there_are_some() -> None:
    """Of an account whose reports have seconds nothing is shared out."""
    assert estimated([(DELIVERED, 60, 3), (DELIVERED, 61, 1)], is_minute=False).time.tolist() == [60.0, 61.0]


@given(st.lists(st.tuples(st.sampled_from([DELIVERED, FAILED]), st.integers(0, 12), st.integers(1, 50)), min_size=1))
def test_it_is_never_further_from_what_is_written_than_a_minute(rows: list[tuple[int, int, int]]) -> None:
    """At each minute it lies between the curves with every time a minute later, and a minute earlier, than it is written."""
    status, minute, n = (np.array(column) for column in zip(*rows, strict=True))
    seconds, group = 60.0 * minute, np.zeros(len(rows), dtype=np.int64)
    here = interval_incidence(group, 1, status, seconds, n, np.ones(len(rows), dtype=bool))
    late = cumulative_incidence(group, 1, status, seconds + 60, n)
    early = cumulative_incidence(group, 1, status, np.maximum(seconds - 60, 0), n)
    for time in np.arange(0, 900, 60.0):
        at = [float(one.read(one.delivered_incidence, one.at(np.array([time])), 0.0)[0]) for one in (late, here, early)]
        assert at[0] - 1e-6 <= at[1] <= at[2] + 1e-6
