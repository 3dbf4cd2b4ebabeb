"""Arms that did not get their share: against scipy, over fair splits, and in `compare`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import masanalytics as mas
from masanalytics.stats.proportions import share_p_value


def arms(**sizes: int) -> pd.DataFrame:
    """Return arms of these sizes, nine in ten delivered."""
    rows = [
        pd.DataFrame({"arm": arm, "status": ["delivered"] * (size - size // 10) + ["failed"] * (size // 10)})
        for arm, size in sizes.items()
    ]
    return pd.concat(rows, ignore_index=True).assign(latency_s=5, waited_s=300_000)


@pytest.mark.parametrize(
    ("counts", "shares"),
    [([3000, 6000], [0.5, 0.5]), ([30, 50, 40], [0.25, 0.5, 0.25]), ([9, 12, 8, 11], [1, 1, 1, 1]), ([5, 5], [0.5, 0.5]), ([10, 20, 30, 25, 15], [1, 2, 3, 2, 2])],
)  # fmt: skip
def test_p_values_are_those_of_scipy(counts: list[int], shares: list[float]) -> None:
    expected = np.array(shares) / sum(shares) * sum(counts)
    assert share_p_value(counts, shares) == pytest.approx(
        stats.chisquare(counts, expected).pvalue, rel=1e-9, abs=1e-300
    )


def test_half_an_arm_lost_is_said() -> None:
    found = mas.compare(arms(A=1005, B=2000), "arm", "A", "B", shares={"A": 0.5, "B": 0.5})
    assert mas.notes_of(found, "en")[0] == (
        "A has 1,005 of 3,005 messages where 50.0% was meant: what was left out differs between the arms, and the comparison may "
        "be biased"
    )
    assert "原定占 50.0%" in mas.notes_of(found, "zh")[0]
    ratio = found.attrs["sample_ratio"]
    assert (ratio["counts"], ratio["shares"]) == ({"A": 1005, "B": 2000}, {"A": 0.5, "B": 0.5})
    assert ratio["p_value"] < 1e-50


def test_a_tenth_of_an_arm_is_found_and_fair_splits_are_not() -> None:
    rng = np.random.default_rng(3)
    fair = [share_p_value([int(size), 9000 - int(size)], [1, 1]) < 0.001 for size in rng.binomial(9000, 0.5, 20_000)]
    assert np.mean(fair) <= 0.002
    assert share_p_value([4050, 4500], [1, 1]) < 1e-5


def test_what_split_drew_is_what_compare_takes() -> None:
    people = mas.split(pd.DataFrame({"p": range(1000)}), {"A": 9, "B": 1}, seed=1)
    assert people.attrs["shares"] == {"A": 0.9, "B": 0.1}
    sizes = people["arm"].value_counts()
    found = mas.compare(arms(A=int(sizes["A"]), B=int(sizes["B"])), "arm", shares=people.attrs["shares"])
    assert "sample_ratio" not in [note["code"] for note in found.attrs["notes"]]
    assert found.attrs["sample_ratio"]["p_value"] == pytest.approx(1)


def test_without_shares_nothing_is_said() -> None:
    found = mas.compare(arms(A=1005, B=2000), "arm", "A", "B")
    assert "sample_ratio" not in found.attrs
    assert "sample_ratio" not in [note["code"] for note in found.attrs["notes"]]


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"A": 0.5, "C": 0.5}, "the messages have arm = 'B', which shares= does not have; it has A, C"),
        ({"A": 1}, "shares="),
        ({"A": 1, "B": 0}, "shares="),
        ({"A": True, "B": 1}, "shares="),
    ],
)
def test_shares_that_cannot_be_are_refused(shares: dict[str, Any], said: str) -> None:
    with pytest.raises(mas.InputError, match=said):
        mas.compare(arms(A=100, B=100), "arm", "A", "B", shares=shares)
