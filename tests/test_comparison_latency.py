"""Latencies of two arms whose batches are slow together, against scipy and numbers by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from masanalytics import analysis
from masanalytics.analysis import notes_of
from masanalytics.stats.clusters import ClusteredPair
from masanalytics.stats.order_statistics import median_difference, rank_test

DAY = 86_400


def arms(a: Sequence[Sequence[int]], b: Sequence[Sequence[int]]) -> pd.DataFrame:
    """Return delivered messages from the latencies of each batch of each arm."""
    parts = [
        pd.DataFrame({"arm": arm, "batch_id": f"{arm}{number}", "latency_s": times})
        for arm, batches in (("A", a), ("B", b))
        for number, times in enumerate(batches)
    ]
    return pd.concat(parts, ignore_index=True).assign(status="delivered", waited_s=5 * DAY)


def drawn(speeds: Sequence[float]) -> list[list[int]]:
    """Draw fifty latencies of whole seconds from 1 to 12 for each batch, around its speed."""
    rng = np.random.default_rng(round(1000 * sum(speeds)))
    return [np.clip(np.rint(rng.normal(speed, 2, 50)), 1, 12).astype(int).tolist() for speed in speeds]


def test_the_clustered_rank_test_is_students_of_the_batches_mean_ranks() -> None:
    """Six batches a side of one size, twelve different latencies: scipy's t-test of the mean ranks, to the correction for continuity."""
    messages = arms(drawn([4, 6, 5, 7, 5.5, 4.5]), drawn([6, 7, 5, 8, 6.5, 5.5]))

    row = analysis.compare(messages, "arm", "A", "B").iloc[0]

    ranks = pd.Series(stats.rankdata(messages["latency_s"])).groupby(messages["batch_id"]).mean()
    assert row["latency_p_value"] == pytest.approx(stats.ttest_ind(ranks[:6], ranks[6:]).pvalue, rel=0.01)


def test_batches_that_differ_in_speed_are_no_difference_of_the_arms() -> None:
    """Message by message p < 10⁻⁷; of six batches a side each has its own speed. The interval of the medians holds 0."""
    messages = arms(drawn([3, 9, 4, 8, 3.5, 6]), drawn([5, 9, 8, 4, 9, 6]))

    clustered = analysis.compare(messages, "arm", "A", "B").iloc[0]
    alone = analysis.compare(messages, "arm", "A", "B", cluster=None).iloc[0]

    assert alone["latency_p_value"] < 1e-7
    assert clustered["latency_p_value"] > 0.2
    assert clustered["median_low_s"] < alone["median_low_s"] <= clustered["median_difference_s"]
    assert clustered["median_low_s"] < 0 < clustered["median_high_s"]


def test_four_batches_a_side_have_no_p_value_of_latencies_and_a_note_says_why() -> None:
    """The medians are there; how much batches differ in speed is not known."""
    found = analysis.compare(arms(drawn([3, 4, 5, 4]), drawn([8, 9, 9, 8])), "arm", "A", "B")

    assert np.isnan(found["latency_p_value"][0])
    assert found["median_difference_s"][0] > 2
    assert any("latencies have no p-value: fewer than five batches" in note for note in notes_of(found))


def test_ranks_reach_as_much_farther_as_the_design_effect_says() -> None:
    """101 times of a whole second each, effect 4, 2.0 standard errors: ranks (102 ± 2 √404) / 2, so the 30th and the 72nd."""
    times = np.arange(1.0, 102), np.ones(101, dtype=int)
    clustered = ClusteredPair(6, 6, 4.0, 4.0, 4.0, float("inf"))
    t = stats.norm.ppf(0.975)

    _, low, high = median_difference(times, times, clustered)

    rank = int((102 - t * np.sqrt(404)) / 2)
    assert (low, high) == pytest.approx((-np.hypot(51 - rank, 51 - rank), np.hypot(51 - rank, 51 - rank)))
    assert rank_test(times, (times[0] + 20, times[1]), clustered) == pytest.approx(
        2
        * stats.norm.sf(stats.norm.isf(stats.mannwhitneyu(times[0], times[0] + 20, method="asymptotic").pvalue / 2) / 2)
    )


def test_batches_of_arms_within_several_campaigns_are_compared_within_them() -> None:
    """A slow campaign is slow for both arms: their batches differ by no more than chance, and so does the test."""
    slow, quick = arms(drawn([9] * 3), drawn([9.4] * 3)), arms(drawn([4] * 3), drawn([4.4] * 3))
    messages = pd.concat([
        slow.assign(campaign="slow"), quick.assign(campaign="quick", batch_id=quick["batch_id"] + "q")
    ])  # fmt: skip

    row = analysis.compare(messages, "arm", "A", "B").iloc[0]
    apart = analysis.compare(messages.drop(columns="campaign"), "arm", "A", "B").iloc[0]

    assert row["latency_p_value"] < apart["latency_p_value"] / 2
