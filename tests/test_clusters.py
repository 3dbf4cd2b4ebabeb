"""Messages that fail together: design effects by hand and by Rao and Scott's formula, and what becomes of the intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from masanalytics import analysis
from masanalytics.analysis import notes_of
from masanalytics.errors import InputError
from masanalytics.stats.clusters import between_clusters, clustered_pair, design_effects, student_quantiles

DAY = 86_400
# C. S. Weil (1970): pups alive at 4 days, and at 21, in the litters of 16 untreated and 16 treated rats.
ALIVE = np.array(
    [13, 12, 9, 9, 8, 8, 13, 12, 10, 10, 9, 13, 5, 7, 10, 10, 12, 11, 10, 9, 11, 10, 10, 9, 9, 5, 9, 7, 10, 6, 10, 7]
)
KEPT = np.array(
    [13, 12, 9, 9, 8, 8, 12, 11, 9, 9, 8, 11, 4, 5, 7, 7, 12, 11, 10, 9, 10, 9, 9, 8, 8, 4, 7, 4, 5, 3, 3, 0]
)


def batches(cells: Sequence[tuple[int, int]], **columns: Any) -> pd.DataFrame:
    """Return messages with all reports in, from (accepted, delivered) of each batch."""
    rows = [
        (batch, status) for batch, (n, k) in enumerate(cells) for status in ["delivered"] * k + ["failed"] * (n - k)
    ]
    return pd.DataFrame(rows, columns=["batch_id", "status"]).assign(latency_s=5, waited_s=5 * DAY, **columns)


def rao_scott(n: np.ndarray, k: np.ndarray) -> float:
    """Return the design effect as Rao and Scott (1992) have it."""
    m, p = len(n), k.sum() / n.sum()
    return float(m / (m - 1) * ((k - p * n) ** 2).sum() / n.sum() ** 2 / (p * (1 - p) / n.sum()))


def test_clusters_of_one_size_have_rao_and_scotts_design_effect() -> None:
    """With unequal litters it is theirs to a few hundredths: each deviation has its own correction."""
    even_n, even_k = np.full(8, 50.0), np.array([48.0, 47, 49, 40, 50, 44, 46, 48])
    treat = np.repeat([0, 1], 16)

    found = design_effects(np.zeros(8, dtype=np.int64), 1, even_n, even_k)
    litters = design_effects(treat, 2, ALIVE.astype(float), KEPT.astype(float))

    assert found.effect[0] == pytest.approx(rao_scott(even_n, even_k))
    assert litters.clusters.tolist() == [16, 16]
    for arm in (0, 1):
        assert litters.effect[arm] == pytest.approx(rao_scott(ALIVE[treat == arm], KEPT[treat == arm]), rel=0.02)


def test_a_design_effect_is_never_below_one_nor_told_by_four() -> None:
    """Clusters that happen to agree are no more than independent messages; four do not tell how much clusters differ."""
    alike = design_effects(np.zeros(6, dtype=np.int64), 1, np.full(6, 100.0), np.full(6, 95.0))
    few = design_effects(np.zeros(4, dtype=np.int64), 1, np.full(4, 100.0), np.array([95.0, 95, 95, 60]))

    assert (alike.effect[0], alike.freedom[0]) == (1, np.inf)
    assert few.clusters[0] == 4
    assert np.isnan(few.effect[0])


def test_what_befalls_both_arms_of_a_cluster_is_no_doubt_about_their_difference() -> None:
    """Carriers share batches: a lost batch is lost for both. Arms of batches of their own have no such comfort."""
    n, k = np.full(8, 100.0), np.array([95.0, 95, 95, 95, 95, 95, 95, 0])
    none = np.zeros(8)

    shared = clustered_pair(n, k, n, k)
    apart = clustered_pair(*(np.concatenate(part) for part in ((n, none), (k, none), (none, n), (none, k))))

    assert shared.effect == 1
    assert apart.effect > 50
    assert (apart.clusters_a, apart.clusters_b) == (8, 8)


def test_the_variance_between_days_is_that_beyond_chance() -> None:
    """Unweighted, worked by hand: the sample variance of the rates less their mean binomial variance."""
    n, k = np.full(5, 100.0), np.array([90.0, 80, 70, 90, 80])

    found = between_clusters(n, k)

    rates = k / n
    assert found is not None
    assert found[0] == pytest.approx(np.var(rates, ddof=1) - (rates * (1 - rates) / 100).mean())
    assert found[1] == 4
    assert between_clusters(n[:4], k[:4]) is None


def test_quantiles_are_students() -> None:
    """To three digits, as scipy has them."""
    freedom = np.array([1.0, 4.2, 30, 1e6, np.inf])

    assert student_quantiles(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def test_the_interval_of_a_rate_is_wilsons_at_the_effective_size() -> None:
    """Six batches, one of them bad: 600 messages tell as much as 36, and the quantile is Student's."""
    found = analysis.delivery_rates(batches([(100, 95)] * 5 + [(100, 65)])).iloc[0]

    # Deviations of 5 from 90 five times and one of 25: 6 / 5 * 750 / 600² over 0.9 * 0.1 / 600.
    effect = 6 / 5 * 750 / 600**2 / (0.09 / 600)
    assert (found["clusters"], found["design_effect"]) == (6, pytest.approx(effect))
    t = stats.t.ppf(0.975, 5 * effect / (effect - 1))
    low, high = proportion_confint(540 / effect, 600 / effect, alpha=2 * stats.norm.sf(t), method="wilson")
    assert (found["low"], found["high"]) == pytest.approx((low, high), rel=1e-3)


def test_clusters_are_batches_within_a_campaign_and_days_between_campaigns() -> None:
    """Two campaigns on three days each have six days together, and ten batches each by themselves."""
    parts = [
        batches([(50, 45)] * 10, campaign=name, submitted_at=pd.Timestamp("2026-01-01 10:00", tz="Asia/Shanghai"))
        for name in ("a", "b")
    ]
    messages = pd.concat(
        [
            part.assign(
                batch_id=part["batch_id"] + 100 * place,
                submitted_at=part["submitted_at"] + pd.to_timedelta(part["batch_id"] % 3, unit="D"),
            )
            for place, part in enumerate(parts)
        ]
    )

    assert analysis.delivery_rates(messages, "campaign")["clusters"].tolist() == [10, 10]
    assert analysis.delivery_rates(messages, "campaign", total=True)["clusters"].tolist() == [10, 10, 6]
    assert analysis.delivery_rates(messages)["clusters"].tolist() == [6]
    assert analysis.delivery_rates(messages, cluster="batch_id")["clusters"].tolist() == [20]
    assert analysis.delivery_rates(messages, cluster=["day"])["clusters"].tolist() == [3]


def test_without_clusters_each_message_stands_for_itself() -> None:
    """Asked so, or where there is no batch: Wilson's interval as it is."""
    messages = batches([(100, 95)] * 5 + [(100, 65)])

    for data, cluster in ((messages, None), (messages.drop(columns="batch_id"), "auto")):
        found = analysis.delivery_rates(data, cluster=cluster).iloc[0]
        assert found["clusters"] == 0
        assert np.isnan(found["design_effect"])
        assert (found["low"], found["high"]) == pytest.approx(proportion_confint(540, 600, method="wilson"))


def test_a_wide_interval_says_why() -> None:
    """And by how much it is wider."""
    found = analysis.delivery_rates(batches([(100, 95)] * 5 + [(100, 65)]))

    assert notes_of(found, "en") == [
        "messages fail together (batches, or days of campaigns, differ by more than chance): the intervals are up to 4.1 times "
        "as wide as those of independent messages"
    ]
    assert notes_of(found, "zh") == [
        "短信会一同失败（批次之间或活动各日之间的差异超出偶然）：区间最宽为各条互不相关时的 4.1 倍"
    ]


@pytest.mark.parametrize("cluster", [True, 3, []])
def test_what_is_no_cluster_is_refused(cluster: Any) -> None:
    """Columns, 'auto' or None; a column that is not there is named."""
    messages = batches([(10, 9)] * 5)

    with pytest.raises(InputError, match="cluster="):
        analysis.delivery_rates(messages, cluster=cluster)
    with pytest.raises(InputError, match="no column 'bach_id'"):
        analysis.delivery_rates(messages, cluster="bach_id")


def test_a_point_of_time_has_its_own_clusters() -> None:
    """Days of twelve batches each, also where weeks are made of them; at an age, what came later is not delivered."""
    day = pd.Timestamp("2026-01-05 10:00", tz="Asia/Shanghai")
    first = batches([(40, 36)] * 11 + [(40, 4)], submitted_at=day)
    second = first.assign(batch_id=first["batch_id"] + 20, submitted_at=day + pd.Timedelta(days=1))
    messages = pd.concat([first, second])

    days, weeks = (analysis.timeline(messages, freq) for freq in ("D", "W"))
    late = analysis.timeline(messages.assign(latency_s=700), "D", within="10min")

    assert days["clusters"].tolist() == [12, 12]
    assert weeks["clusters"].tolist() == [24]
    # Eleven deviations of 32 / 12 and one of 352 / 12 from 400 of 480.
    rest = (11 * (32 / 12) ** 2 + (352 / 12) ** 2) / 480**2
    rate = 400 / 480
    assert days["design_effect"].tolist() == pytest.approx([12 / 11 * rest / (rate * (1 - rate) / 480)] * 2)
    assert late[["delivered", "design_effect"]].values.tolist() == [[0, 1], [0, 1]]
