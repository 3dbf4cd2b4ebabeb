"""Comparing at equal age, and explaining a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import power_proportions_2indep

from masanalytics import analysis
from masanalytics.analysis import notes_of
from masanalytics.analysis._explain_change import _decomposed
from masanalytics.errors import InputError
from masanalytics.stats.order_statistics import median_difference
from masanalytics.stats.proportions import two_proportion_p_value
from tests.examples import examples

DAY = 86_400


def arm(name: str, rows: Sequence[tuple[str, float | None, int]], waited: int, **columns: Any) -> pd.DataFrame:
    """Return one arm's messages from (status, latency, how many)."""
    spread = [row[:2] for row in rows for _ in range(row[2])]
    return pd.DataFrame(spread, columns=["status", "latency_s"]).assign(arm=name, waited_s=waited, **columns)


def both(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def test_arms_of_different_age_are_compared_at_the_younger_ones() -> None:
    """A was watched for 30 min, B for 20: both are read at 20, and what A got later does not count."""
    messages = both(
        arm("A", [("delivered", 5, 80), ("delivered", 1500, 10), ("pending", None, 10)], 1800),
        arm("B", [("delivered", 5, 80), ("pending", None, 20)], 1200),
    )

    found = analysis.compare(messages, "arm", "A", "B")

    row = found.iloc[0]
    assert row["within_s"] == 1200
    assert row[["accepted_a", "delivered_a", "accepted_b", "delivered_b"]].tolist() == [100, 80, 100, 80]
    assert row["difference"] == 0
    assert row["p_value"] == 1
    assert "compared at equal age: delivered within 20 min (the shortest observed age)" in notes_of(found, "en")


def test_difference_interval_and_p_value_are_the_published_ones() -> None:
    """Newcombe 1998, example (a): 56 of 70 against 48 of 80."""
    messages = both(
        arm("old", [("delivered", 5, 48), ("failed", 5, 32)], 5 * DAY),
        arm("new", [("delivered", 5, 56), ("failed", 5, 14)], 5 * DAY),
    )

    row = analysis.compare(messages, "arm", "old", "new", language="en").iloc[0]

    assert np.isnan(row["within_s"])
    assert (row["difference"], row["low"], row["high"]) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert row["p_value"] == pytest.approx(0.008045, abs=1e-6)
    assert row["sentence"] == "new delivers 20.0 points more than old (5.2 to 33.4), p = 0.0080."


def test_several_comparisons_are_corrected() -> None:
    """Every pair of three, Holm over the rows."""
    messages = both(
        *(
            arm(name, [("delivered", 5, k), ("failed", 5, 500 - k)], 5 * DAY)
            for name, k in zip("abc", (400, 425, 440), strict=True)
        )
    )

    found = analysis.compare(messages, "arm")

    assert found[["a", "b"]].values.tolist() == [["a", "b"], ["a", "c"], ["b", "c"]]
    p = found["p_value"].tolist()
    smallest, middle, largest = sorted(p)
    expected = {smallest: 3 * smallest, middle: 2 * middle, largest: max(largest, 2 * middle)}
    assert found["p_adjusted"].tolist() == pytest.approx([expected[value] for value in p])


def test_latency_is_compared_by_ranks() -> None:
    """Medians, their difference, and the Mann-Whitney test as scipy does it."""
    from scipy import stats

    rng = np.random.default_rng(1)
    a, b = np.ceil(rng.lognormal(2, 1, 300)), np.ceil(rng.lognormal(2.4, 1, 300))
    messages = pd.DataFrame(
        {"arm": ["a"] * 300 + ["b"] * 300, "status": "delivered", "latency_s": [*a, *b], "waited_s": 5 * DAY}
    )

    row = analysis.compare(messages, "arm", "a", "b").iloc[0]

    assert (row["median_a_s"], row["median_b_s"]) == (np.median(a), np.median(b))
    assert row["median_difference_s"] == np.median(b) - np.median(a)
    assert row["median_low_s"] < row["median_difference_s"] < row["median_high_s"]
    assert row["latency_p_value"] == pytest.approx(stats.mannwhitneyu(a, b, method="asymptotic").pvalue, rel=1e-9)


def test_medians_on_whole_seconds_are_not_told_apart_by_a_tie() -> None:
    """6 s for 510 of 1,000 against 490: the medians differ by a second, which chance explains, as the rank test says."""
    messages = both(
        arm("A", [("delivered", 6, 510), ("delivered", 7, 490)], 5 * DAY),
        arm("B", [("delivered", 6, 490), ("delivered", 7, 510)], 5 * DAY),
    )

    row = analysis.compare(messages, "arm", "A", "B").iloc[0]

    # Ranks 469 and 532 of 1,000 enclose a median: 6 to 7 s in both. Low: 1 - sqrt(1 + 1); high: 1 + 0.
    assert row["median_difference_s"] == 1
    assert (row["median_low_s"], row["median_high_s"]) == pytest.approx((1 - np.sqrt(2), 1))
    assert row["latency_p_value"] == pytest.approx(0.37, abs=0.005)


def test_the_interval_of_a_median_is_that_of_the_binomial() -> None:
    """The bounds of one sample are the order statistics that scipy's binomial quantile names."""
    from scipy import stats

    for n in (6, 7, 30, 99, 100, 499, 500, 1000, 4001):
        rank = stats.binom.ppf(0.025, n, 0.5)
        times, still = (np.arange(1.0, n + 1), np.ones(n, dtype=int)), (np.zeros(9), np.ones(9, dtype=int))

        _, low, high = median_difference(still, times)

        assert (low, high) == (rank, n + 1 - rank)
    assert np.isnan(median_difference(still, (np.arange(5.0), np.ones(5, dtype=int)))[1])


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 200, 1000])
def test_medians_of_alike_arms_are_rarely_told_apart(n: int) -> None:
    """On whole seconds, coarse and fine, at least 94 % of 400 intervals hold the true difference 0."""
    rng = np.random.default_rng(n)
    draws = {
        "gamma": lambda: rng.gamma(2, 4, n).round(),
        "lognormal": lambda: np.exp(rng.normal(1.8, 0.8, n)).round(),
        "two values": lambda: rng.choice([6.0, 7.0], n),
        "fine": lambda: np.round(1000 * rng.gamma(2, 4, n)),
    }
    one = np.ones(n, dtype=int)
    for name, draw in draws.items():
        found = [median_difference((draw(), one), (draw(), one)) for _ in range(400)]

        assert np.mean([low <= 0 <= high for _, low, high in found]) >= 0.94, name


def test_arms_are_compared_within_what_is_derived_from_a_column() -> None:
    """Within prefixes, as within a column of the same values; what only the report tells, and what is not there, is refused."""
    parts = {"138": (40, 10, 30, 20), "186": (25, 25, 45, 5)}
    messages = both(
        *(
            arm(name, [("delivered", 5, k), ("failed", 5, n)], 5 * DAY, phone=f"{prefix}00000001", told=prefix)
            for prefix, counts in parts.items()
            for name, k, n in (("A", *counts[:2]), ("B", *counts[2:]))
        )
    ).assign(error_code=None)

    derived, told = (analysis.compare(messages, "arm", "A", "B", adjust=name).iloc[0] for name in ("prefix", "told"))

    # ((30 - 40) / 50 + (45 - 25) / 50) / 2: the strata weigh the same.
    assert derived["adjusted_difference"] == pytest.approx(0.1)
    columns = ["adjusted_difference", "adjusted_low", "adjusted_high", "adjusted_p_value"]
    assert derived[columns].tolist() == told[columns].tolist()
    with pytest.raises(InputError, match="adjust='category' is part of the outcome"):
        analysis.compare(messages, "arm", "A", "B", adjust="category")
    with pytest.raises(InputError, match=r"no column 'prefixx' \(did you mean 'prefix'"):
        analysis.compare(messages, "arm", "A", "B", adjust="prefixx")


def test_a_difference_that_is_the_mix_is_called_so() -> None:
    """Same rates by carrier, another mix: the adjusted difference is nothing."""
    messages = both(
        arm("A", [("delivered", 5, 900), ("failed", 5, 100)], 5 * DAY, carrier="China Mobile"),
        arm("A", [("delivered", 5, 60), ("failed", 5, 40)], 5 * DAY, carrier="China Unicom"),
        arm("B", [("delivered", 5, 90), ("failed", 5, 10)], 5 * DAY, carrier="China Mobile"),
        arm("B", [("delivered", 5, 600), ("failed", 5, 400)], 5 * DAY, carrier="China Unicom"),
    )

    row = analysis.compare(messages, "arm", "A", "B", adjust="carrier", language="en").iloc[0]

    assert row["difference"] == pytest.approx((690 - 960) / 1100)
    assert row["adjusted_difference"] == pytest.approx(0, abs=1e-12)
    assert row["adjusted_low"] < 0 < row["adjusted_high"]
    assert "explained by carrier mix" in row["sentence"]


def test_no_difference_says_what_could_have_been_seen() -> None:
    """The sentence names the smallest difference these numbers would show."""
    messages = both(*(arm(name, [("delivered", 5, 930), ("failed", 5, 70)], 5 * DAY) for name in "AB"))

    row = analysis.compare(messages, "arm", "A", "B", language="en").iloc[0]

    # From (1860 + 1.9207) / (2000 + 3.8415): just seen on the way down, which is the worse, and more than that upwards.
    down, up = (
        power_proportions_2indep(sign * row["detectable"], 0.929176, 1000, alpha=0.05).power for sign in (-1, 1)
    )
    assert down == pytest.approx(0.8, abs=1e-3)
    assert up > 0.9
    assert row["sentence"].startswith("No difference shown between A and B (-2.3 to +2.3 points), p = 1.00")
    assert "would show 3.6 points or more" in row["sentence"]


@pytest.mark.parametrize("status", ["delivered", "failed"])
def test_twenty_of_twenty_do_not_show_everything(status: str) -> None:
    """Two arms of 20 that agree entirely would show 30 points, and never less than their own interval is wide."""
    messages = both(*(arm(name, [(status, 5, 20)], 5 * DAY) for name in "AB"))

    row = analysis.compare(messages, "arm", "A", "B", language="en").iloc[0]

    # From (40 + 1.9207) / (40 + 3.8415): nothing above it can be shown.
    assert power_proportions_2indep(-row["detectable"], 0.956190, 20, alpha=0.05).power == pytest.approx(0.8, abs=2e-3)
    assert row["high"] == pytest.approx(0.16113, abs=1e-5)
    assert f"would show {100 * row['detectable']:.1f} points or more" in row["sentence"]


def test_a_drop_of_the_detectable_size_shows_four_times_in_five() -> None:
    """From 95 of 100 down: 2,000 runs with that true drop are significant 77 to 83 % of the time."""
    messages = both(*(arm(name, [("delivered", 5, 95), ("failed", 5, 5)], 5 * DAY) for name in "AB"))
    drop = analysis.compare(messages, "arm", "A", "B")["detectable"][0]
    rng = np.random.default_rng(6)
    base = (190 + 1.9207) / (200 + 3.8415)

    good, worse = (rng.binomial(100, rate, 20_000) for rate in (base, base - drop))

    assert 0.77 < (two_proportion_p_value(good, 100, worse, 100) < 0.05).mean() < 0.83


def test_a_handful_shows_nothing() -> None:
    """Two against two: not even all against none is shown, and the sentence says so."""
    messages = both(*(arm(name, [("delivered", 5, 1), ("failed", 5, 1)], 5 * DAY) for name in "AB"))

    row = analysis.compare(messages, "arm", "A", "B", language="en").iloc[0]

    assert np.isnan(row["detectable"])
    assert row["sentence"].endswith("these numbers are too few to show any.")


@given(n=st.integers(2, 400), share=st.sampled_from([0.0, 1.0]))
@settings(max_examples=examples(30), deadline=None)
def test_what_can_be_seen_is_never_finer_than_the_interval(n: int, share: float) -> None:
    """However few or many agree entirely, the detectable difference, if any, is not below half the interval's width."""
    good = round(n * share)
    rows = [("delivered", 5.0, good), ("failed", 5.0, n - good)]

    row = analysis.compare(both(*(arm(name, rows, 5 * DAY) for name in "AB")), "arm", "A", "B").iloc[0]

    assert not row["detectable"] < row["high"]
    assert row["high"] > 0


def test_what_is_not_there_is_named() -> None:
    """A value nobody has, and too many values to pair, are errors that say what to do."""
    messages = arm("A", [("delivered", 5, 3)], 5 * DAY)
    with pytest.raises(InputError, match="no message has arm = 'Z'; there are: A"):
        analysis.compare(messages, "arm", "A", "Z")
    many = both(*(arm(str(i), [("delivered", 5, 1)], 5 * DAY) for i in range(20)))
    with pytest.raises(InputError, match="say which to compare"):
        analysis.compare(many, "arm")


def test_a_campaign_that_is_still_being_sent_is_read_where_nine_in_ten_are() -> None:
    """When the youngest message is seconds old, the shortest age would show nothing."""
    rng = np.random.default_rng(3)
    parts = []
    for name, oldest in (("A", 900), ("B", 300)):
        waited = rng.integers(0, oldest, 1000)
        after = np.ceil(rng.exponential(8, 1000))
        parts.append(
            pd.DataFrame(
                {
                    "arm": name, "waited_s": waited, "status": np.where(after <= waited, "delivered", "pending"),
                    "latency_s": np.where(after <= waited, after, np.nan),
                }
            )
        )  # fmt: skip

    row = analysis.compare(both(*parts), "arm", "A", "B").iloc[0]

    assert 20 <= row["within_s"] <= 40
    assert row["rate_b"] > 0.9


@pytest.mark.parametrize(
    ("youngest", "within", "notes"),
    [
        (61, 61, ["compared at equal age: delivered within 1 min 1 s (the shortest observed age)"]),
        (
            59,
            2059,
            [
                "compared at equal age: delivered within 34 min (what nine in ten have reached)",
                "left out: 9 of 200 messages, observed for less than 34 min",
            ],
        ),
    ],
)
def test_the_note_says_who_is_left_out(youngest: int, within: int, notes: list[str]) -> None:
    """Below a minute the youngest do not set the age, and are counted; from a minute on they do. Asked ages count them too."""
    messages = both(
        arm("A", [("delivered", 5, 91)], 2059),
        arm("A", [("pending", None, 9)], youngest),
        arm("B", [("delivered", 5, 100)], 2059),
    )

    found = analysis.compare(messages, "arm", "A", "B", cluster=None)
    asked = analysis.compare(messages, "arm", "A", "B", within="10min", cluster=None)
    changed = analysis.explain_change(
        messages[messages["arm"] == "A"], messages[messages["arm"] == "B"], by="arm", cluster=None
    )

    assert found["within_s"].tolist() == [within]
    assert notes_of(found, "en") == notes
    assert notes_of(changed, "en")[:-1] == notes
    assert notes_of(asked, "en")[1] == "left out: 9 of 200 messages, observed for less than 10 min"


def test_each_age_is_said_of_the_pairs_it_is_true_of() -> None:
    """A and B are settled, C is five hours old: one pair is final, two are read at equal age, in both languages."""
    messages = both(
        arm("A", [("delivered", 5, 8), ("failed", 5, 2)], 5 * DAY),
        arm("B", [("delivered", 5, 9), ("failed", 5, 1)], 5 * DAY),
        arm("C", [("delivered", 5, 7), ("pending", None, 3)], 18_000),
    )

    found = analysis.compare(messages, "arm", cluster=None)

    assert notes_of(found, "en") == [
        "1 of 3 pairs: all reports are in: the rates are final",
        "2 of 3 pairs: compared at equal age: delivered within 5 h (the shortest observed age)",
    ]
    assert notes_of(found, "zh") == [
        "3 对中的 1 对：回执均已到齐：比率为最终值",
        "3 对中的 2 对：在相同观察时长下比较：5 小时内送达（取最短观察时长）",
    ]
    assert notes_of(analysis.compare(messages, "arm", "A", "B", cluster=None), "en") == [
        "all reports are in: the rates are final",
    ]


def test_rates_without_every_report_are_final_after_three_days() -> None:
    """A message that nobody reported in 72 h keeps the rates final, but not all reports are in."""
    messages = both(
        arm("A", [("delivered", 5, 9), ("pending", None, 1)], 3 * DAY),
        arm("B", [("delivered", 5, 10)], 3 * DAY),
    )

    found = analysis.compare(messages, "arm", "A", "B", cluster=None)

    assert notes_of(found, "en") == ["every message has its report or has waited 72 h: the rates are final"]


def test_nothing_is_said_of_the_age_of_no_messages() -> None:
    """Without messages, and with messages on one side only, no report is in and nothing was compared."""
    messages = arm("A", [("delivered", 5, 10)], 5 * DAY)

    for within in (None, "10min"):
        assert notes_of(analysis.compare(messages[:0], "arm", within=within), "en") == ["there are no messages"]
        assert notes_of(analysis.explain_change(messages, messages[:0], by="arm", within=within), "en") == [
            "there is nothing to compare with afterwards: there are no messages"
        ]
        assert notes_of(analysis.explain_change(messages[:0], messages, by="arm", within=within), "en") == [
            "there is nothing to compare with before: there are no messages"
        ]


# ---- explain_change ---------------------------------------------------------------------------------------------------


def week(cells: dict[tuple[str, str], tuple[int, int]], waited: int = 5 * DAY) -> pd.DataFrame:
    """Return messages from (carrier, province) -> (accepted, delivered)."""
    parts = [
        arm("", [("delivered", 5, k), ("failed", 9, n - k)], waited, carrier=carrier, province=province)
        for (carrier, province), (n, k) in cells.items()
    ]
    return both(*parts).assign(error_code=lambda found: found["status"].map({"failed": "MK:0001"}).astype("str"))


BEFORE = week({("m", "x"): (500, 480), ("m", "y"): (300, 285), ("u", "x"): (200, 180)})
AFTER = week({("m", "x"): (400, 384), ("m", "y"): (300, 210), ("u", "x"): (300, 270)})


def test_the_drop_is_split_into_mix_and_rate_as_kitagawa_does() -> None:
    """The components of Kitagawa (1955), computed here from her formula; the cells add up to the change."""
    found = analysis.explain_change(BEFORE, AFTER, by=["carrier", "province"])

    assert found.columns.tolist() == [
        "carrier", "province", "share_before", "share_after", "rate_before", "rate_after", "mix_effect", "rate_effect",
        "contribution", "low", "high", "p_value", "q_value", "clusters", "design_effect", "leading_codes",
    ]  # fmt: skip
    assert found[["carrier", "province"]].values.tolist()[0] == ["m", "y"]
    share0, share1 = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3])
    rate0, rate1 = np.array([0.96, 0.95, 0.90]), np.array([0.96, 0.70, 0.90])
    assert found["mix_effect"].sum() == pytest.approx(((share1 - share0) * (rate0 + rate1) / 2).sum())
    assert found["rate_effect"].sum() == pytest.approx(((rate1 - rate0) * (share0 + share1) / 2).sum())
    change = found.attrs["change"]
    assert change["change"] == pytest.approx(0.864 - 0.945)
    assert found["contribution"].sum() == pytest.approx(change["change"], abs=1e-12)
    assert found["leading_codes"].tolist()[0] == "MK:0001 +25.0"


def test_a_carrier_that_only_grew_is_blamed_for_being_worse_than_the_mean() -> None:
    """A mix effect is measured from the overall rate: moving weight to an average cell costs nothing."""
    before = week({("m", "x"): (500, 450), ("u", "x"): (500, 450)})
    after = week({("m", "x"): (100, 90), ("u", "x"): (900, 810)})

    found = analysis.explain_change(before, after)

    assert found["contribution"].abs().max() < 1e-12


def test_new_and_gone_cells_are_mix() -> None:
    """A cell with messages on one side only has no rate effect, and the sum still holds."""
    found = analysis.explain_change(week({("m", "x"): (100, 95)}), week({("m", "x"): (60, 57), ("b", "x"): (40, 20)}))

    new = found[found["carrier"] == "b"].iloc[0]
    assert np.isnan(new["rate_before"])
    assert new["rate_effect"] == 0
    assert found["contribution"].sum() == pytest.approx(0.77 - 0.95)


cells = st.dictionaries(
    st.tuples(st.sampled_from("mut"), st.sampled_from("xy")),
    st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    min_size=1,
)


@settings(max_examples=examples(10), deadline=None)
@given(cells, cells)
def test_contributions_always_add_up(before: Any, after: Any) -> None:
    """Whatever the cells, and by whatever dimensions, the contributions are the change."""
    for by in ("carrier", ["province"], ["carrier", "province"], ["carrier", "category"]):
        found = analysis.explain_change(week(before), week(after), by=by)

        assert found["contribution"].sum() == pytest.approx(found.attrs["change"]["change"], abs=1e-12)
        assert (found["mix_effect"] + found["rate_effect"]).tolist() == pytest.approx(found["contribution"].tolist())
        assert (found["contribution"].diff().dropna() >= -1e-12).all()


@pytest.mark.slow
def test_the_intervals_of_contributions_hold_the_truth() -> None:
    """In 2,000 draws from two known weeks each contribution's interval holds its true value 93 to 97 % of the time."""
    rng = np.random.default_rng(8)
    s0, s1, r0, r1 = (np.array(x) for x in ([0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [0.96, 0.95, 0.9], [0.96, 0.85, 0.9]))
    truth = s1 * r1 - s0 * r0 - (s1 - s0) * (s0 @ r0 + s1 @ r1) / 2
    held = np.zeros(3)
    for _ in range(2000):
        tables = []
        for share, rate in ((s0, r0), (s1, r1)):
            n = rng.multinomial(3000, share)
            tables.append((n.astype(float), rng.binomial(n, rate).astype(float)))
        found, _ = _decomposed(pd.DataFrame({"cell": [0, 1, 2]}), *tables)
        held += (found["low"].to_numpy() <= truth) & (truth <= found["high"].to_numpy())

    assert ((held / 2000 >= 0.93) & (held / 2000 <= 0.97)).all()


@pytest.mark.parametrize(
    ("delivered", "bounds"), [(0, (-1, -0.53824)), (5, (-0.37085, 0.17605))], ids=["none of five", "five of five"]
)
def test_a_few_messages_prove_nothing_for_certain(delivered: int, bounds: tuple[float, float]) -> None:
    """Twenty of twenty, then five: the interval of Agresti and Caffo (21 of 22 against 1 or 6 of 7), not a point."""
    found = analysis.explain_change(week({("m", "x"): (20, 20)}), week({("m", "x"): (5, delivered)}))

    assert found["contribution"].tolist() == [(delivered - 5) / 5]
    assert found[["low", "high"]].values.tolist()[0] == pytest.approx(bounds, abs=1e-5)


def test_the_interval_of_many_messages_is_that_of_the_delta_method() -> None:
    """4,800 of 5,000, then 5,600 of 6,000: 1.96 standard errors about the contribution, to three digits."""
    found = analysis.explain_change(week({("m", "x"): (5000, 4800)}), week({("m", "x"): (6000, 5600)})).iloc[0]

    half = 1.959964 * np.sqrt(0.96 * 0.04 / 5000 + (14 / 15) * (1 / 15) / 6000)
    assert (found["low"], found["high"]) == pytest.approx((-2 / 75 - half, -2 / 75 + half), abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shares", "before", "after", "sizes"),
    [
        ([0.9, 0.1], [0.95, 0.95], [0.95, 0.80], (300, 300)),
        ([0.6, 0.3, 0.1], [0.95, 0.9, 0.8], [0.95, 0.82, 0.8], (300, 300)),
        ([1.0], [0.9], [0.6], (20, 5)),
    ],
)
def test_the_intervals_of_small_cells_hold_the_truth(
    shares: list[float], before: list[float], after: list[float], sizes: tuple[int, int]
) -> None:
    """In 1,000 draws each interval holds the true contribution 92 to 98 % of the time."""
    rng = np.random.default_rng(12)
    s, r0, r1 = np.array(shares), np.array(before), np.array(after)
    held = np.zeros(len(s))
    for _ in range(1000):
        n = [rng.multinomial(size, s) for size in sizes]
        tables = [(m.astype(float), rng.binomial(m, r).astype(float)) for m, r in zip(n, (r0, r1), strict=True)]
        found, _ = _decomposed(pd.DataFrame({"cell": range(len(s))}), *tables)
        held += (found["low"].to_numpy() <= s * (r1 - r0)) & (s * (r1 - r0) <= found["high"].to_numpy())

    assert ((held / 1000 >= 0.92) & (held / 1000 <= 0.98)).all()


def test_one_source_is_cut_in_two_and_read_at_equal_age() -> None:
    """at= splits by submission; the young side sets the age, and codes that came later are not known on either side."""
    messages = both(
        arm("", [("delivered", 5, 80), ("failed", 5000, 10), ("pending", None, 10)], 90_000, carrier="m"),
        arm("", [("delivered", 5, 80), ("pending", None, 20)], 600, carrier="m"),
    )
    messages["submitted_at"] = [pd.Timestamp("2026-01-01")] * 100 + [pd.Timestamp("2026-01-02")] * 100
    messages["error_code"] = messages["status"].map({"failed": "MK:0001"}).astype("str")

    found = analysis.explain_change(messages, at="2026-01-02", by=["carrier", "category"])

    assert found.attrs["within_s"] == 600
    assert found.attrs["change"]["change"] == 0
    assert set(found["category"].fillna("-")) == {"-", "delivered"}
    with pytest.raises(InputError, match="say what to compare with"):
        analysis.explain_change(messages)


def test_many_ages_are_said_in_one_line() -> None:
    """Four arms sent a minute apart, three pairs with the oldest read at three ages: one note tells the range."""
    messages = both(
        *(arm(name, [("delivered", 5, 8), ("pending", None, 2)], 1200 - 60 * i) for i, name in enumerate("ABCD"))
    )

    found = analysis.compare(messages, "arm", "A", cluster=None)

    assert found["within_s"].tolist() == [1140, 1080, 1020]
    assert notes_of(found, "en") == [
        "3 of 3 pairs: compared at equal age, each pair at its own (within_s): delivered within 17 min to 19 min"
    ]
    assert notes_of(found, "zh") == [
        "3 对中的 3 对：在相同观察时长下比较，每对各取其时长（within_s）：17 分钟至19 分钟内送达"
    ]
