"""How many people a comparison needs: against statsmodels, by hand, and over a store's own batches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

import masanalytics as mas
from masanalytics.stats.power import detectable_difference


def batches(delivered: list[int], *, size: int = 100, waited_s: int = 300_000) -> pd.DataFrame:
    """Return a campaign of one batch of `size` messages a day, of which so many were delivered."""
    frames = [
        pd.DataFrame(
            {
                "campaign": "offer",
                "batch_id": number,
                "submitted_at": pd.Timestamp("2026-03-01 10:00", tz="Asia/Shanghai") + pd.Timedelta(days=number),
                "status": ["delivered"] * count + ["failed"] * (size - count),
                "latency_s": 5,
                "waited_s": waited_s,
            }
        )
        for number, count in enumerate(delivered)
    ]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize(("rate", "change"), [(0.95, 0.01), (0.95, -0.02), (0.1, 0.03), (0.5, 0.25)])
def test_sizes_are_those_of_statsmodels(rate: float, change: float) -> None:
    found = mas.sample_size(rate, change)
    expected = samplesize_proportions_2indep_onetail(change, rate, power=0.8, alpha=0.05)
    assert found["per_arm"][0] == np.ceil(expected)
    assert found["total"][0] == 2 * found["per_arm"][0]


def test_groups_of_the_size_given_show_the_change_asked_for() -> None:
    per_arm = int(mas.sample_size(0.95, -0.02)["per_arm"][0])
    assert detectable_difference(per_arm, per_arm, 0.95) == pytest.approx(0.02, abs=1e-5)


def test_three_arms_are_three_pairs() -> None:
    expected = samplesize_proportions_2indep_onetail(0.01, 0.95, power=0.9, alpha=0.05 / 3)
    found = mas.sample_size(0.95, 0.01, arms=3, power=0.9)
    assert found["per_arm"][0] == np.ceil(expected)
    assert found["total"][0] == 3 * found["per_arm"][0]


def test_the_design_effect_is_that_of_the_batches() -> None:
    # p = 0.9. Five batches at 80 and five at 100 of 100: Σ (k - 90)² = 10 · 100 = 1,000, times 10/9, over 1,000 · 0.9 · 0.1 = 90.
    found = mas.sample_size(0.95, 0.01, data=batches([80, 100] * 5))
    effect = 10 / 9 * 1000 / 90
    assert found["design_effect"][0] == pytest.approx(effect)
    assert found["per_arm"][0] == pytest.approx(6745 * effect, rel=1e-3)
    # 1,000 messages in ten days.
    assert found["per_day"][0] == 100
    assert found["days"][0] == found["total"][0] / 100
    assert mas.notes_of(found, "en") == [
        "messages of a batch fail together: the arms need 12.3 times as many people as chance alone asks for (10 batches)"
    ]


def test_a_few_batches_do_not_show_a_design_effect() -> None:
    found = mas.sample_size(0.95, 0.01, data=batches([80, 100]))
    assert found["design_effect"][0] == 1
    assert mas.notes_of(found, "en")[0].startswith("the data has 2 batches of matured messages")


def test_open_messages_say_nothing_of_batches() -> None:
    assert mas.sample_size(0.95, 0.01, data=batches([80, 100] * 5, waited_s=60))["design_effect"][0] == 1


def test_a_design_effect_given_is_taken() -> None:
    found = mas.sample_size(0.95, 0.01, design_effect=2, data=batches([80, 100] * 5))
    assert found["design_effect"][0] == 2
    assert found["per_day"][0] == 100


def test_the_sentence_is_in_both_languages() -> None:
    data = batches([90] * 10)
    assert mas.sample_size(0.95, -0.02, data=data, language="en")["sentence"][0] == (
        "To find a fall from 95.0% to 93.0% in 80% of cases, each of 2 arms needs 2,213 people: 4,426 in all, about 45 days at "
        "your 100 a day."
    )
    assert mas.sample_size(0.95, -0.02, data=data, language="zh")["sentence"][0] == (
        "要有 80% 的把握发现从 95.0% 降到 93.0%，2 组各需 2,213 人，共 4,426 人；按目前每天 100 条，约需 45 天。"
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rate": 95, "change": 0.01}, "rate=95 is not between 0 and 1"),
        ({"rate": 0.95, "change": 0.06}, "change=0.06: from 95.0% it leads to 101.0%"),
        ({"rate": 0.95, "change": 0}, "change=0.0"),
        ({"rate": 0.95, "change": 0.01, "power": 80}, "power=80 is not between 0.05 and 1"),
        ({"rate": 0.95, "change": 0.01, "arms": 1}, "arms=1: a comparison has two arms or more"),
        ({"rate": 0.95, "change": 0.01, "design_effect": 0.5}, "design_effect=0.5: it is 1"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(mas.InputError, match=said.replace("(", r"\(")):
        mas.sample_size(**wrong)  # type: ignore[arg-type]


def test_what_is_mistyped_is_refused_and_a_small_change_is_told_apart() -> None:
    """A carrier that is not there; 99.90 to 99.89 % is not said as 99.9 to 99.9 %."""
    messages = pd.DataFrame(
        {
            "submitted_at": pd.to_datetime(["2026-03-05"] * 20), "status": "delivered", "latency_s": 5, "waited_s": 400_000,
            "carrier": "China Mobile", "batch_id": 1, "campaign": "c",
        }
    )  # fmt: skip

    with pytest.raises(mas.InputError, match="no message has carrier 'China Mobil'; there is: China Mobile"):
        mas.sample_size(0.95, -0.02, data=messages, carrier="China Mobil")
    assert "a fall from 99.90% to 99.89% in" in mas.sample_size(0.999, -0.0001, language="en")["sentence"][0]
