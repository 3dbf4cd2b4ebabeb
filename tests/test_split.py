"""Random assignment to the arms of a comparison."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import power_proportions_2indep, samplesize_proportions_2indep_onetail

from masanalytics.analysis import compare
from masanalytics.errors import InputError
from masanalytics.planning import plan, split
from masanalytics.sending import send
from masanalytics.simulator import Simulator
from masanalytics.stats.power import detectable_difference
from masanalytics.store import Store
from tests.examples import examples


def test_a_split_is_a_copy_with_arms() -> None:
    """The frame comes back with its index and columns and an arm for each row; the given one is as it was."""
    df = pd.DataFrame({"p": range(10)}, index=list("aabbccddee"))
    before = df.copy(deep=True)
    result = split(df, ["A", "B"], seed=1)
    pd.testing.assert_frame_equal(df, before)
    assert df.attrs == {}
    pd.testing.assert_frame_equal(result[["p"]], df)
    assert list(result.columns) == ["p", "arm"]
    assert result["arm"].value_counts().to_dict() == {"A": 5, "B": 5}
    assert set(result.attrs) == {"detectable_difference", "base_rate", "power", "level", "seed", "shares"}


def test_the_same_seed_gives_the_same_arms() -> None:
    """Rows in the same order and the same seed give the same arms, whatever labels or other columns; another seed others."""
    df = pd.DataFrame({"p": range(100), "城市": ["杭州", "宁波"] * 50})
    first = split(df, ["A", "B"], by="城市", seed=5)["arm"].tolist()
    other = df.assign(x=1).set_axis(range(100, 200), axis=0)
    assert split(other, ["A", "B"], by="城市", seed=5)["arm"].tolist() == first
    assert split(df, ["A", "B"], by="城市", seed=6)["arm"].tolist() != first


@pytest.mark.slow
@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.sampled_from([1, 2])), max_size=80),
    st.integers(2, 4),
    st.integers(0, 2**32),
)
def test_even_arms_are_even_everywhere(rows: list[tuple[str | None, int]], arms: int, seed: int) -> None:
    """Arms differ by one row at most in all, and by two at most in every stratum."""
    df = pd.DataFrame(rows, columns=["x", "y"])
    names = [f"arm {i}" for i in range(arms)]
    result = split(df, names, by=["x", "y"], seed=seed)
    counts = result["arm"].value_counts().reindex(names, fill_value=0)
    assert len(result) == len(df)
    assert counts.max() - counts.min() <= 1
    for _, stratum in result.groupby(["x", "y"], dropna=False):
        inside = stratum["arm"].value_counts().reindex(names, fill_value=0)
        assert inside.max() - inside.min() <= 2


def test_shares_are_kept_exactly() -> None:
    """Arms by share have exactly their share, also within strata up to a row or so."""
    df = pd.DataFrame({"x": ["a"] * 600 + ["b"] * 400})
    result = split(df, {"A": 9, "B": 1}, by="x", seed=2)
    assert result["arm"].value_counts().to_dict() == {"A": 900, "B": 100}
    assert abs((result[result["x"] == "a"]["arm"] == "B").sum() - 60) <= 1


@pytest.mark.slow
def test_every_row_is_as_likely_to_be_in_either_arm() -> None:
    """Over many seeds each row is in arm A in its share of them, and neighbours are not tied together."""
    df = pd.DataFrame({"x": ["a", "b", "b", "c", "c", "c", "d"]})
    drawn = np.array([split(df, {"A": 1, "B": 3}, by="x", seed=seed)["arm"] == "A" for seed in range(500)])
    assert (abs(drawn.mean(axis=0) - 0.25) < 0.09).all()
    free = np.array([split(df, ["A", "B"], seed=seed)["arm"] == "A" for seed in range(500)])
    assert abs(np.corrcoef(free[:, 1], free[:, 2])[0, 1]) < 0.25


@pytest.mark.parametrize(
    ("first", "second", "rate"), [(10_000, 10_000, 0.955), (1_000, 500, 0.95), (200, 200, 0.5), (9_000, 1_000, 0.9)]
)
def test_the_detectable_difference_agrees_with_statsmodels(first: int, second: int, rate: float) -> None:
    """A fall of that size needs just these sizes for 80 % power at 5 %, says statsmodels."""
    difference = detectable_difference(first, second, rate)
    power = power_proportions_2indep(-difference, rate, second, ratio=first / second, alpha=0.05).power
    assert power == pytest.approx(0.8, abs=1e-3)
    needed = samplesize_proportions_2indep_onetail(
        -difference, rate, power=0.8, ratio=first / second, alpha=0.05, alternative="two-sided"
    )
    assert needed == pytest.approx(second, rel=1e-9)


def test_arms_too_small_to_show_anything() -> None:
    """Where not even a fall to nothing could be shown there is no number."""
    assert math.isnan(detectable_difference(2, 2, 0.5))
    assert math.isnan(split(pd.DataFrame({"p": [1]}), ["A", "B"], seed=0).attrs["detectable_difference"])
    assert len(split(pd.DataFrame({"p": []}), ["A", "B"], seed=0)) == 0


def test_a_polars_frame_is_split() -> None:
    """A polars frame comes back as a pandas one with arms."""
    result = split(pl.DataFrame({"p": [1, 2, 3, 4]}), ["A", "B"], seed=0)
    assert sorted(result["arm"]) == ["A", "A", "B", "B"]


@pytest.mark.parametrize(
    "arms", [["A"], ["A", "A"], "AB", {"A": 1, "B": 0}, [], ["A", ""], {"A": 1, "B": float("nan")}]
)
def test_arms_that_cannot_be(arms: Any) -> None:
    """Fewer than two arms, equal names or shares that are not above 0 are refused."""
    with pytest.raises(InputError, match="arms="):
        split(pd.DataFrame({"p": [1, 2]}), arms, seed=0)


def test_a_missing_column_or_an_odd_rate() -> None:
    """A column to stratify by must be there; a base rate lies between 0 and 1."""
    with pytest.raises(InputError, match="no column '城'"):
        split(pd.DataFrame({"城市": [1, 2]}), ["A", "B"], by="城", seed=0)
    with pytest.raises(InputError, match="base_rate"):
        split(pd.DataFrame({"p": [1, 2]}), ["A", "B"], seed=0, base_rate=95)


def test_names_of_arms_that_look_alike_are_one() -> None:
    """Composed or not, with signs that nobody sees, or spaces more than one: in the split, the plan, the file and a question."""
    with pytest.raises(InputError, match="two or more different names"):
        split(pd.DataFrame({"p": range(4)}), ["A", "A\u200b"], seed=1)
    with pytest.raises(InputError, match=r"two of these are one name: 'A', 'A '"):
        plan(pd.DataFrame({"p": ["13800138000"]}), phone="p", text={"A": "x", "A ": "y"}, campaign="C")
    people = pd.DataFrame({"p": [str(13_800_000_000 + n) for n in range(8)]})
    halves = split(people, ["Cafe\u0301  1", "B"], seed=1)
    halves.loc[halves["arm"] == "B", "arm"] = "B\u200b"
    texts, serials = {"Café 1": "x", "B\ufeff": "y"}, {"Café 1\u200b": "01", "B": "02"}
    with Simulator(https=False, poll_interval=0) as sim, Store(":memory:") as store, sim.client() as client:
        made = plan(halves, phone="p", text=texts, campaign="C", store=store, add_serial=serials)
        send(made, client, store, progress=False)
        compared = compare(store, "arm", "Cafe\u0301 1", "B\u200b")

        assert set(made.messages["arm"]) == {"Café 1", "B"}
        assert len(store.messages("C", arm="Cafe\u0301 1\u200b")) == 4
        assert compared[["a", "b", "accepted_a", "accepted_b"]].to_numpy().tolist() == [["Café 1", "B", 4, 4]]
