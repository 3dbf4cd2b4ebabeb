"""A comparison that may be read at any time: by hand, at twelve looks, and in `compare` and `watch`."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.stats.confidence_sequence import always_valid


def arms(a: tuple[int, int], b: tuple[int, int]) -> pd.DataFrame:
    """Return the messages of two arms: delivered of accepted."""
    rows = [
        pd.DataFrame({"arm": arm, "status": ["delivered"] * k + ["failed"] * (n - k)})
        for arm, (k, n) in (("A", a), ("B", b))
    ]
    return pd.concat(rows, ignore_index=True).assign(latency_s=5, waited_s=300_000)


def test_the_interval_is_that_of_the_normal_mixture() -> None:
    found = always_valid((4700, 5000), (4800, 5000), 5000)
    # Worked out anew: variances with half a message of each kind, I = 1 / (Σ p q / n), φ from I* = 5,000 / (2 p q).
    variance = [(k + 0.5) * (n - k + 0.5) / (n + 1) ** 2 for k, n in ((4700, 5000), (4800, 5000), (9500, 10_000))]
    information = 5000 / (variance[0] + variance[1])
    phi = 5000 / (2 * variance[2]) / (log(400) + log(log(400) + 1))
    half = sqrt((information + phi) / information**2 * log((information + phi) * 400 / phi))
    assert found.low == pytest.approx(0.02 - half)
    assert found.high == pytest.approx(0.02 + half)
    # At the planned size it is some one and a half times as wide as the interval for one look.
    assert 1.45 < half / (1.96 / sqrt(information)) < 1.65


def test_the_p_value_is_the_level_where_the_interval_touches_nothing() -> None:
    found = always_valid((940, 1000), (950, 1000), 1000)
    edge = always_valid((940, 1000), (950, 1000), 1000, level=0.05)
    half = (edge.high - edge.low) / 2
    shifted = always_valid((0.94 * 1e6, 1e6), ((0.94 + 0.001) * 1e6, 1e6), 1e6)
    assert (found.p_value < 0.05) == (found.low > 0 or found.high < 0)
    assert half > 0.02
    assert (shifted.p_value < 0.05) == (shifted.low > 0)


def test_twelve_looks_find_a_difference_where_there_is_none_in_one_of_twenty_at_most() -> None:
    """4,000 messages an arm, both at 94.5 %, read after each twelfth: the interval for one look errs in about one of five."""
    rng = np.random.default_rng(11)
    runs, looks, each = 1000, 12, 4000 // 12
    counts = rng.binomial(each, 0.945, (runs, 2, looks)).cumsum(axis=2)
    totals = each * np.arange(1, looks + 1)
    once = always = 0
    for a, b in counts:
        rate = (a + b) / (2 * totals)
        z = (b - a) / totals / np.sqrt(2 * rate * (1 - rate) / totals)
        once += bool((np.abs(z) > 1.96).any())
        read = [
            always_valid((float(ka), float(n)), (float(kb), float(n)), 4000)
            for ka, kb, n in zip(a, b, totals, strict=True)
        ]
        always += any(one.low > 0 or one.high < 0 for one in read)
    assert once / runs > 0.15
    assert always / runs <= 0.05


def test_a_difference_is_found_while_it_is_sent() -> None:
    rng = np.random.default_rng(12)
    found = 0
    for _ in range(200):
        a, b = rng.binomial(4000, 0.93), rng.binomial(4000, 0.955)
        found += always_valid((a, 4000), (b, 4000), 4000).low > 0
    assert found > 190


def test_a_design_effect_widens_it() -> None:
    plain, wide = (always_valid((470, 500), (480, 500), 500, design_effect=effect) for effect in (1, 4))
    assert wide.high - wide.low == pytest.approx(2 * (plain.high - plain.low))


def test_compare_has_it_when_asked_for() -> None:
    found = mas.compare(arms((4700, 5000), (4800, 5000)), "arm", "A", "B", always_valid=5000, language="en")
    expected = always_valid((4700, 5000), (4800, 5000), 5000)
    assert found[["always_low", "always_high", "always_p_value"]].iloc[0].tolist() == pytest.approx(list(expected))
    assert found["sentence"][0].endswith("However often it is read: +0.7 to +3.3 points, p = 0.0003.")
    assert "always_low" not in mas.compare(arms((47, 50), (48, 50)), "arm", "A", "B")


def test_compare_says_that_it_is_too_early_to_stop() -> None:
    messages = arms((470, 500), (480, 500))
    found = mas.compare(messages, "arm", "A", "B", always_valid=True, language="en")
    assert found["always_low"][0] < 0 < found["always_high"][0]
    assert "However often it is read: " in found["sentence"][0]
    assert "无论看多少次" in mas.compare(messages, "arm", "A", "B", always_valid=True, language="zh")["sentence"][0]


def test_several_pairs_share_the_level() -> None:
    three = pd.concat([arms((470, 500), (480, 500)), arms((470, 500), (480, 500)).assign(arm="C")])
    one = mas.compare(three, "arm", "A", "B", always_valid=500)
    many = mas.compare(three, "arm", always_valid=500)
    width = [frame["always_high"][0] - frame["always_low"][0] for frame in (one, many)]
    assert width[1] > width[0]


@pytest.mark.parametrize("wrong", [-5, 0, "yes"])
def test_a_number_planned_that_cannot_be_is_refused(wrong: object) -> None:
    with pytest.raises(mas.InputError, match="always_valid="):
        mas.compare(arms((47, 50), (48, 50)), "arm", "A", "B", always_valid=wrong)  # type: ignore[arg-type]


def test_watching_a_split_campaign_reads_it_so() -> None:
    from masanalytics.report import watch

    seen = watch(arms((4700, 5000), (4800, 5000)), language="en", show=lambda _view: None)
    assert "However often it is read" in seen.arms
    assert "However often it is read" in seen._repr_html_()
    alone = watch(arms((4700, 5000), (4800, 5000)).drop(columns="arm"), language="en", show=lambda _view: None)
    assert alone.arms == ""
