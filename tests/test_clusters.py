"""Messages that fail together: design effects by hand and by Rao and Scott's formula, and what becomes of the intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from masanalytics import analysis
from masanalytics.analysis import notes_of
from masanalytics.analysis.clusters import GroupClusters
from masanalytics.analysis.contributions import Side, clustered_variance
from masanalytics.errors import InputError
from masanalytics.stats.clusters import (
    between_clusters,
    clustered_pair,
    design_effects,
    log_odds_difference,
    student_quantiles,
)
from masanalytics.stats.proportions import benjamini_hochberg
from masanalytics.stats.variance_component import Clustered, variance_component

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
    """With unequal litters it is theirs to an eighth: each litter counts by how much it varies."""
    even_n, even_k = np.full(8, 50.0), np.array([48.0, 47, 49, 40, 50, 44, 46, 48])
    treat = np.repeat([0, 1], 16)

    found = design_effects(np.zeros(8, dtype=np.int64), 1, even_n, even_k)
    litters = design_effects(treat, 2, ALIVE.astype(float), KEPT.astype(float))

    assert found.effect[0] == pytest.approx(rao_scott(even_n, even_k))
    assert litters.clusters.tolist() == [16, 16]
    for arm in (0, 1):
        assert litters.effect[arm] == pytest.approx(rao_scott(ALIVE[treat == arm], KEPT[treat == arm]), rel=0.12)


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

    # Nothing differs between the two within their batches: what one of twenty samples of independent messages would be below.
    assert shared.effect == pytest.approx(stats.chi2.ppf(0.05, 7) / 7, rel=0.01)
    assert apart.effect > 50
    assert (apart.clusters_a, apart.clusters_b) == (8, 8)


def test_the_variance_between_days_is_that_beyond_chance() -> None:
    """Unweighted, worked by hand on the log odds: their sample variance less their mean binomial variance."""
    n, k = np.full(5, 100.0), np.array([90.0, 80, 70, 90, 80])

    found = between_clusters(n, k)

    odds = np.log([90.5 / 10.5, 80.5 / 20.5, 70.5 / 30.5, 90.5 / 10.5, 80.5 / 20.5])
    chance = [1 / 90.5 + 1 / 10.5, 1 / 80.5 + 1 / 20.5, 1 / 70.5 + 1 / 30.5, 1 / 90.5 + 1 / 10.5, 1 / 80.5 + 1 / 20.5]
    assert found is not None
    assert found[0] == pytest.approx(np.var(odds, ddof=1) - np.mean(chance))
    assert found[1] == 4
    assert between_clusters(n[:4], k[:4]) is None


def test_a_day_with_a_cause_does_not_say_how_much_days_differ() -> None:
    """Of twelve days one is at 60 %: the others say how much days differ, with ten degrees of freedom."""
    n = np.full(12, 20_000.0)
    k = np.array([18_900, 18_950, 18_850, 18_920, 18_880, 12_000, 18_910, 18_890, 18_930, 18_870, 18_940, 18_860.0])
    quiet = np.delete(k, 5)

    found = between_clusters(n, k)

    assert found is not None
    assert found == between_clusters(n[1:], quiet)
    assert found[0] == pytest.approx(0.0, abs=0.001)
    assert found[1] == 10


def test_two_rates_that_vary_on_the_log_odds_are_apart_by_how_far_each_reaches() -> None:
    """Worked by hand: 90 of 100 against 80 of 100 with a standard deviation of 0.5 between days, at two standard errors."""
    low, high = log_odds_difference(np.array([90.0, 80]), np.array([100.0, 100]), np.array([0.25, 0.25]), 2.0)

    # log odds 2.1541 and 1.3677, standard errors sqrt(0.1063 + 0.25) and sqrt(0.0612 + 0.25)
    first, second = (0.7232, 0.9661), (0.5627, 0.9232)
    assert low == pytest.approx(-0.1 - np.hypot(0.8 - second[0], first[1] - 0.9), abs=2e-4)
    assert high == pytest.approx(-0.1 + np.hypot(second[1] - 0.8, 0.9 - first[0]), abs=2e-4)


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


# ---- compare ----------------------------------------------------------------------------------------------------------


def two_arms(a: Sequence[tuple[int, int]], b: Sequence[tuple[int, int]], **columns: Any) -> pd.DataFrame:
    """Return arms A and B of batches of their own."""
    other = batches(b, arm="B", **columns)
    return pd.concat([batches(a, arm="A", **columns), other.assign(batch_id=other["batch_id"] + 100)])


def test_one_lost_batch_is_no_difference_and_is_said_to_carry_it() -> None:
    """Nine points, p < 10⁻⁹⁹ message by message; of eleven batches one is lost."""
    sizes = [*[999] * 10, 10]
    good = [(n, round(0.945 * n)) for n in sizes]

    row = analysis.compare(two_arms(good, [*good[:3], (999, 0), *good[4:]]), "arm", "A", "B", language="en").iloc[0]

    assert (row["clusters_a"], row["clusters_b"]) == (11, 11)
    assert row["p_value_naive"] < 1e-90
    assert row["p_value"] > 0.3
    assert row["low"] < 0 < row["high"]
    assert row["sentence"].startswith("No difference shown between A and B")
    assert row["sentence"].endswith("one of the 11 batches of B carries the difference.")


def test_the_clustered_test_is_students_of_both_arms_together() -> None:
    """Batches of one size: scipy's t-test of the batches' rates, whether they differ more than chance makes them or less."""
    much = [80, 95, 60, 90, 75, 99], [99, 97, 100, 88, 96, 99]
    little = [90, 93, 88, 92, 90, 91], [93, 95, 92, 96, 90, 94]

    for a, b in (much, little):
        row = analysis.compare(two_arms([(100, k) for k in a], [(100, k) for k in b]), "arm", "A", "B").iloc[0]

        assert row["p_value"] == pytest.approx(stats.ttest_ind(a, b).pvalue)
        pooled = (sum(a) + sum(b)) / 1200
        between = (np.var(a, ddof=1) + np.var(b, ddof=1)) / 6 / 100**2
        assert row["design_effect"] == pytest.approx(between / (pooled * (1 - pooled) / 300))


def test_batches_that_happen_to_be_alike_are_not_taken_to_be_more_alike_than_chance_lets_them() -> None:
    """Six batches a side without any difference: the variance that one of twenty samples of independent messages is below."""
    row = analysis.compare(two_arms([(100, 90)] * 6, [(100, 94)] * 6), "arm", "A", "B").iloc[0]

    least = stats.chi2.ppf(0.05, 10) / 10
    assert row["design_effect"] == pytest.approx(least, rel=0.005)
    assert row["p_value"] == pytest.approx(2 * stats.t.sf(0.04 / np.sqrt(least * 0.92 * 0.08 / 300), 10), rel=0.01)


def test_a_batch_that_outweighs_all_others_leaves_no_p_value_and_the_sentence_says_why() -> None:
    """5,000 of 5,250 messages in one batch: 5,250² / (5,000² + 5 · 50²) = 1.1, and small ones do not tell how large ones differ."""
    uneven = [(5000, 4650), *[(50, 47)] * 5]
    messages = two_arms([(1000, 950)] * 6, uneven, carrier="China Mobile")

    english, chinese = (
        analysis.compare(messages, "arm", "A", "B", adjust="carrier", language=code).iloc[0] for code in ("en", "zh")
    )

    assert english["p_value_naive"] < 1e-4
    assert english[["p_value", "p_adjusted", "adjusted_p_value"]].isna().all()
    assert (english["clusters_a"], english["clusters_b"]) == (6, 6)
    assert english["low"] < 0 < english["high"]
    assert (
        "no p-value: the 6 batches of B are so unequal that they count as 1.1 of one size, and fewer than five do not tell how much "
        "batches differ"
    ) in english["sentence"]
    assert (
        "无 p 值：B 的 6 个批次大小悬殊，只相当于 1.1 个同样大小的批次；不足五个，无从得知批次之间差异有多大"
        in chinese["sentence"]
    )


def test_a_rest_of_a_batch_is_a_batch_and_what_counts_as_less_than_four_and_a_half_is_not() -> None:
    """Four full batches and 504 messages count as 4,500² / (4 · 999² + 504²) = 4.8, and are tested; with 200 they count as 4.4."""
    full, tested = [(999, 940)] * 4, [(999, 945)] * 5

    five, four = (
        analysis.compare(two_arms(tested, [*full, rest]), "arm", "A", "B") for rest in ((504, 474), (200, 188))
    )

    assert not np.isnan(five["p_value"][0])
    assert np.isnan(four["p_value"][0])
    assert "count as 4.4 of one size" in four["sentence"][0]


def test_a_day_that_outweighs_all_others_does_not_tell_how_much_days_differ() -> None:
    """Campaigns of six days, nearly all messages on one: other campaigns would tell, and where there are none the sentence says so."""
    first = pd.Timestamp("2026-01-01 10:00", tz="Asia/Shanghai")
    sizes = [5000, 60, 60, 60, 60, 60]

    def campaign(name: str, rate: float, start: int) -> pd.DataFrame:
        days = [
            batches([(n, round(rate * n))], campaign=name, submitted_at=first + pd.Timedelta(days=start + place))
            for place, n in enumerate(sizes)
        ]
        return pd.concat([day.assign(batch_id=10 * start + place) for place, day in enumerate(days)])

    messages = pd.concat([campaign("spring", 0.95, 0), campaign("autumn", 0.92, 10)])

    row = analysis.compare(messages, "campaign", "spring", "autumn", language="en").iloc[0]

    assert np.isnan(row["p_value"])
    assert (
        "no p-value: the 6 days of spring are so unequal that they count as 1.1 of one size, and fewer than five do not tell how much "
        "days differ."
    ) in row["sentence"]


def test_arms_of_campaigns_of_which_one_outweighs_the_others_are_compared_by_batches() -> None:
    """Six campaigns of a day each, 8,000 of 8,600 messages in one: its eight batches an arm tell more than the six days."""
    first = pd.Timestamp("2026-01-01 10:00", tz="Asia/Shanghai")
    parts = []
    for place, counts in enumerate([[(500, 470)] * 8, *[[(60, 56)]] * 5]):
        both = two_arms(counts, counts, campaign=f"c{place}", submitted_at=first + pd.Timedelta(days=place))
        parts.append(both.assign(batch_id=both["batch_id"] + 1000 * place))

    row = analysis.compare(pd.concat(parts), "arm", "A", "B").iloc[0]

    assert (row["clusters_a"], row["clusters_b"]) == (13, 13)
    assert row["p_value"] > 0.9


def test_how_much_studies_of_many_sizes_differ_is_as_metafor_has_it() -> None:
    """The thirteen trials of BCG against tuberculosis, log relative risks (Viechtbauer 2010): REML, 0.3132, standard error 0.1664."""
    cases = np.array([
        (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
        (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
        (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
    ], dtype=float)  # fmt: skip
    treated, well, control, healthy = cases.T
    risk = np.log(treated / (treated + well)) - np.log(control / (control + healthy))
    chance = 1 / treated - 1 / (treated + well) + 1 / control - 1 / (control + healthy)
    none = np.zeros(13, dtype=np.int64)

    found = variance_component(Clustered(risk, chance, none, none), 1)

    assert found.value[0] == pytest.approx(0.3132, abs=5e-5)
    assert np.sqrt(2 / found.information[0]) == pytest.approx(0.1664, abs=5e-5)


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("sizes", [[999] * 5, [999] * 10 + [10], [200] * 5 + [50] * 20])
def test_a_comparison_of_two_that_do_not_differ_is_wrong_in_five_of_a_hundred(sizes: list[int], spread: float) -> None:
    """However much batches differ, and of whatever sizes they are: 400 pairs of arms, within 3.5 standard errors of 5 %."""
    rng = np.random.default_rng(3)
    n = np.array(sizes, dtype=float)
    none, wrong = np.zeros(len(n)), 0
    for _ in range(400):
        a, b = (
            rng.binomial(n.astype(int), 1 / (1 + np.exp(-rng.normal(2.84, spread, len(n))))).astype(float) for _ in "ab"
        )
        found = clustered_pair(*(np.concatenate(part) for part in ((n, none), (a, none), (none, n), (none, b))))
        pooled = (a.sum() + b.sum()) / 2 / n.sum()
        error = np.sqrt(pooled * (1 - pooled) * (found.effect_a + found.effect_b) / n.sum())
        wrong += found.p_value((b.sum() - a.sum()) / n.sum() / error) < 0.05

    assert 5 <= wrong <= 35


def test_four_batches_a_side_have_no_p_value_and_the_sentence_says_why() -> None:
    """In both languages, within strata too; the chart's p-value is missing as well, the one by messages is kept beside."""
    messages = two_arms([(100, 80)] * 4, [(100, 95)] * 4, carrier="China Mobile")

    english, chinese = (analysis.compare(messages, "arm", "A", "B", language=code).iloc[0] for code in ("en", "zh"))
    within = analysis.compare(messages, "arm", "A", "B", adjust="carrier").iloc[0]

    assert english[["p_value", "p_adjusted"]].isna().all()
    assert np.isnan(within["adjusted_p_value"])
    assert english["p_value_naive"] < 1e-9
    assert english["sentence"] == (
        "B delivers 15.0 points more than A (10.5 to 19.5), no p-value: fewer than five batches on a side do not tell how much "
        "batches differ."
    )
    assert chinese["sentence"].endswith("无 p 值：一方不足五个批次，无从得知批次之间差异有多大。")


def test_campaigns_of_different_days_are_read_with_how_much_days_differ() -> None:
    """Ten other campaigns of a day each differ by two points; the odd one among them has a cause and is left out."""
    day = pd.Timestamp("2026-01-01 10:00", tz="Asia/Shanghai")
    rates = [0.95, 0.93, 0.96, 0.92, 0.94, 0.95, 0.91, 0.94, 0.96, 0.93]

    def campaign(name: str, rate: float, number: int) -> pd.DataFrame:
        return batches([(1000, round(1000 * rate))] * 2, campaign=name, submitted_at=day + pd.Timedelta(days=number))

    others = [campaign(f"c{number}", rate, number) for number, rate in enumerate([*rates, 0.5])]
    messages = pd.concat([*others, campaign("spring", 0.95, 20), campaign("autumn", 0.92, 21)])

    row = analysis.compare(messages, "campaign", "spring", "autumn", language="en").iloc[0]

    arrived, missed = 2000 * np.array(rates) + 0.5, 2000 * (1 - np.array(rates)) + 0.5
    variance = np.log(arrived / missed).var(ddof=1) - (1 / arrived + 1 / missed).mean()  # of the log odds
    variance *= (0.935 * 0.065) ** 2  # of rates about that of the two
    reach = 100 * stats.t.ppf(0.975, 9) * np.sqrt(variance)
    pooled = 0.935 * 0.065 / 1000
    assert row["p_value_naive"] < 0.001
    assert np.isnan(row["p_value"])
    assert row["design_effect"] == pytest.approx((pooled + 2 * variance) / pooled)
    assert row["low"] < 0 < row["high"]
    assert f"days of other campaigns differ by ±{reach:.1f} points without a cause" in row["sentence"]


def test_a_pair_without_other_campaigns_says_that_its_interval_leaves_days_out() -> None:
    """Nothing tells how much days differ."""
    messages = pd.concat([batches([(1000, k)], campaign=name) for name, k in (("a", 950), ("b", 900))])

    sentence = analysis.compare(messages, "campaign", "a", "b", language="en")["sentence"][0]

    assert sentence == (
        "Whether a and b differ cannot be told: -5.0 points (-7.3 to -2.7 if every message failed by itself), no p-value: fewer than five "
        "days of campaigns on a side do not tell how much days differ."
    )


def test_arms_of_one_batch_each_have_no_verdict() -> None:
    """A split that went out in two requests: what makes two batches differ is not known, in either language, nor drawn as clear."""
    messages = two_arms([(999, 930)], [(999, 960)])

    english, chinese = (
        analysis.compare(messages, "arm", "A", "B", language=code)["sentence"][0] for code in ("en", "zh")
    )

    assert english == (
        "Whether A and B differ cannot be told: +3.0 points (+1.0 to +5.0 if every message failed by itself), no p-value: fewer than "
        "five batches on a side do not tell how much batches differ."
    )
    assert chinese.startswith("无从判断 A 与 B 是否有差异：+3.0 个百分点")


def test_arms_of_few_batches_are_read_with_how_much_batches_of_other_campaigns_differ() -> None:
    """Four other campaigns of four batches each, whose rates differ within them; a lost batch among them has a cause, and is left out."""
    rates = [[0.95, 0.93, 0.96, 0.92], [0.90, 0.88, 0.91, 0.86], [0.94, 0.95, 0.91, 0.93], [0.97, 0.96, 0.94, 0.95]]
    parts = [
        batches([(1000, round(1000 * rate)) for rate in own], campaign=f"c{place}") for place, own in enumerate(rates)
    ]
    parts[0] = pd.concat([parts[0], batches([(1000, 0)], campaign="c0").assign(batch_id=9)])
    parts = [part.assign(batch_id=part["batch_id"] + 100 * place) for place, part in enumerate(parts)]
    arms = two_arms([(1000, 930)], [(1000, 960)], campaign="split").assign(batch_id=lambda own: own["batch_id"] + 1000)

    found = analysis.compare(pd.concat([*parts, arms]), "arm", "A", "B", campaign="split", language="en").iloc[0]

    delivered = 1000 * np.array(rates) + 0.5
    odds, chance = np.log(delivered / (1001 - delivered)), 1 / delivered + 1 / (1001 - delivered)
    variance = ((odds - odds.mean(axis=1, keepdims=True)) ** 2).sum() / 12 - chance.mean()  # of the log odds
    variance *= (0.945 * 0.055) ** 2  # of rates about that of the two
    reach = 100 * stats.t.ppf(0.975, 12) * np.sqrt(variance)
    pooled = 0.945 * 0.055 / 1000
    assert found["design_effect"] == pytest.approx((pooled + variance) / pooled)
    assert np.isnan(found["p_value"])
    assert found["low"] < 0 < found["high"]
    assert f"no p-value, but an interval: batches of other campaigns differ by ±{reach:.1f} points" in found["sentence"]


def test_carriers_of_one_batch_are_compared_though_its_own_rate_is_not_known() -> None:
    """What befalls a batch that both are in befalls both."""
    messages = pd.concat(
        batches([(200, k)], carrier=carrier) for carrier, k in (("China Mobile", 190), ("China Unicom", 150))
    )

    row = analysis.compare(messages, "carrier", "China Mobile", "China Unicom", language="en").iloc[0]

    assert row["sentence"].startswith("China Unicom delivers 20.0 points less than China Mobile")
    assert np.isnan(row["p_value"])


def test_carriers_within_batches_are_compared_within_them() -> None:
    """Every batch has its own rate, the same for both carriers: their difference is as sure as if batches were alike."""
    rates = [0.95, 0.60, 0.90, 0.80, 0.99, 0.70, 0.85, 0.92]
    messages = pd.concat(
        batches([(200, round(200 * rate)) for rate in rates], carrier=carrier)
        for carrier in ("China Mobile", "China Unicom")
    )

    row = analysis.compare(messages, "carrier", "China Mobile", "China Unicom").iloc[0]

    assert (row["clusters_a"], row["clusters_b"]) == (8, 8)
    assert row["design_effect"] == pytest.approx(stats.chi2.ppf(0.05, 7) / 7, rel=0.01)
    assert (row["p_value"], row["p_adjusted"], row["p_value_naive"]) == (1, 1, 1)


def test_arms_of_several_campaigns_are_compared_by_their_days() -> None:
    """Six campaigns with both arms: six days, of which each arm has one."""
    day = pd.Timestamp("2026-01-01 10:00", tz="Asia/Shanghai")
    messages = pd.concat(
        two_arms([(100, 90)] * 2, [(100, 92)] * 2, campaign=f"c{number}", submitted_at=day + pd.Timedelta(days=number))
        for number in range(6)
    )

    row = analysis.compare(messages, "arm", "A", "B").iloc[0]

    assert (row["clusters_a"], row["clusters_b"]) == (6, 6)
    # Days without any difference: as little as chance lets one of twenty samples have.
    assert row["design_effect"] == pytest.approx(stats.chi2.ppf(0.05, 5) / 5, rel=0.02)


def test_the_interval_of_several_pairs_agrees_with_the_corrected_verdict() -> None:
    """P = 0.03 alone is 0.13 among four: the interval holds 0, and where the corrected p-value is small it does not."""
    arms = {"A": 270, "B": 284, "C": 271, "D": 220}
    messages = pd.concat([batches([(300, k)], arm=arm) for arm, k in arms.items()])

    found = analysis.compare(messages, "arm", "A", ["B", "C", "D"], cluster=None)

    assert found["p_value"][0] < 0.05 < found["p_adjusted"][0]
    holds = (found["low"] <= 0) & (found["high"] >= 0)
    assert holds.tolist() == (found["p_adjusted"] >= 0.05).tolist() == [True, True, False]


def test_what_of_an_arm_has_no_counterpart_is_counted_and_said() -> None:
    """Sixty of B's 1,960 messages are of a carrier that A has too: nothing can be said of the mix."""
    messages = pd.concat(
        [
            batches([(2000, 1900)], arm="A", carrier="China Mobile"),
            batches([(60, 54)], arm="B", carrier="China Mobile"),
            batches([(1900, 1710)], arm="B", carrier="China Unicom"),
        ]
    )

    row = analysis.compare(messages, "arm", "A", "B", adjust="carrier", cluster=None, language="en").iloc[0]

    assert (row["compared_a"], row["compared_b"]) == (1, pytest.approx(60 / 1960))
    assert row["sentence"] == (
        "B delivers 5.0 points less than A (3.4 to 6.7), p < 0.0001; whether carrier mix explains it cannot be told: only 60 of "
        "the 1,960 messages of B are in those that both have."
    )


def test_the_mix_explains_only_what_the_adjusted_interval_leaves_out() -> None:
    """Few messages a stratum: the adjusted interval holds the raw difference and 0, so nothing is called explained."""
    messages = pd.concat(
        [
            batches([(60, 57)], arm="A", carrier="China Mobile"),
            batches([(40, 30)], arm="A", carrier="China Unicom"),
            batches([(30, 24)], arm="B", carrier="China Mobile"),
            batches([(70, 47)], arm="B", carrier="China Unicom"),
        ]
    )

    row = analysis.compare(messages, "arm", "A", "B", adjust="carrier", cluster=None, language="en").iloc[0]

    assert row["p_adjusted"] < 0.05
    assert row["adjusted_low"] < row["difference"] < 0 < row["adjusted_high"]
    assert "whether carrier mix explains it cannot be told: " in row["sentence"]


def test_the_adjusted_difference_is_as_unsure_as_its_clusters() -> None:
    """Leaving out one batch at a time, by hand: the variance is the jackknife's, arm by arm."""
    a, b = [(95, 40), (90, 35), (60, 20), (92, 41), (96, 45)], [(99, 48), (97, 44), (90, 47), (98, 43), (96, 46)]

    def arm(name: str, cells: list[tuple[int, int]]) -> pd.DataFrame:
        parts = [
            batches([(n, cell[place]) for cell in cells], arm=name, carrier=carrier)
            for place, (carrier, n) in enumerate((("China Mobile", 100), ("China Unicom", 50)))
        ]
        return pd.concat(parts).assign(batch_id=lambda rows: name + rows["batch_id"].astype("str"))

    row = analysis.compare(pd.concat([arm("A", a), arm("B", b)]), "arm", "A", "B", adjust="carrier").iloc[0]

    def difference(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> float:
        top = weight = 0.0
        for place, n in ((0, 100), (1, 50)):
            na, nb = n * len(first), n * len(second)
            ka, kb = sum(cell[place] for cell in first), sum(cell[place] for cell in second)
            top, weight = top + (na * kb - nb * ka) / (na + nb), weight + na * nb / (na + nb)
        return top / weight

    left = [
        [difference(a[:i] + a[i + 1 :], b) for i in range(5)],
        [difference(a, b[:i] + b[i + 1 :]) for i in range(5)],
    ]
    variance = sum(4 / 5 * ((np.array(part) - np.mean(part)) ** 2).sum() for part in left)
    half = (row["adjusted_high"] - row["adjusted_low"]) / 2
    assert row["adjusted_difference"] == pytest.approx(difference(a, b))
    assert stats.t.ppf(0.975, 1000) * np.sqrt(variance) < half < stats.t.ppf(0.975, 8) * np.sqrt(variance)


# ---- explain_change ---------------------------------------------------------------------------------------------------


def test_false_discoveries_are_held_as_statsmodels_does() -> None:
    """Also with missing p-values, which do not count."""
    p = np.random.default_rng(4).random(50) ** 3
    p[[3, 17]] = np.nan
    known = ~np.isnan(p)

    found = benjamini_hochberg(p)

    assert np.isnan(found[[3, 17]]).all()
    assert found[known] == pytest.approx(multipletests(p[known], method="fdr_bh")[1])


@pytest.mark.slow
def test_cells_that_did_not_change_are_not_blamed() -> None:
    """Sixty runs of 93 cells of which none has changed: hardly one names a cell; one that falls by 13 points is named."""
    rng = np.random.default_rng(1)
    share = rng.dirichlet(np.full(93, 2.0))

    def side(worst: float = 0.93) -> pd.DataFrame:
        cell = rng.choice(93, 20_000, p=share)
        rate = np.where(cell == np.argmax(share), worst, 0.93)
        status = np.where(rng.random(20_000) < rate, "delivered", "failed")
        return pd.DataFrame({"cell": cell, "status": status, "latency_s": 5, "waited_s": 5 * DAY})

    quiet = [analysis.explain_change(side(), side(), by="cell", cluster=None) for _ in range(60)]
    fallen = analysis.explain_change(side(), side(0.8), by="cell", cluster=None)

    assert sum((found["q_value"] <= 0.05).any() for found in quiet) <= 5
    assert "none of 93 cells is beyond chance" in notes_of(quiet[0], "en")
    assert fallen.loc[fallen["q_value"] <= 0.05, "cell"].tolist() == [int(np.argmax(share))]
    assert "1 of 93 cells is beyond chance" in notes_of(fallen, "en")


def test_a_change_of_cells_is_as_unsure_as_the_batches() -> None:
    """Batches that differ by twelve points and more on either side: a fall by three is no more than that."""

    def side(*rates: float) -> pd.DataFrame:
        cells = [(200, round(200 * rate)) for rate in rates * 6]
        return pd.concat([batches(cells, carrier=carrier) for carrier in ("China Mobile", "China Unicom")])

    before, after = side(0.99, 0.87), side(0.99, 0.81)
    found, naive = (analysis.explain_change(before, after, cluster=cluster) for cluster in ("auto", None))

    assert found["clusters"].tolist() == [24, 24]
    assert (found["design_effect"] > 3).all()
    assert (naive["q_value"] < 0.05).all()
    assert (found["q_value"] > 0.05).all()
    assert ((found["low"] < naive["low"]) & (found["high"] > naive["high"])).all()
    assert found.attrs["change"]["low"] < naive.attrs["change"]["low"]
    assert found["contribution"].tolist() == naive["contribution"].tolist()


def test_the_variance_of_a_contribution_is_that_of_whole_clusters() -> None:
    """Worked by hand, cluster by cluster, for one side; with clusters of one message it is that of the messages."""
    moved, middle = np.array([0.1, -0.1]), 0.85
    cells = GroupClusters(
        np.array([0, 0, 0, 1, 1]),
        np.array([0, 1, 2, 0, 1]),
        np.array([10.0, 20, 30, 15, 25]),
        np.array([9.0, 12, 30, 10, 24]),
    )
    side = Side(np.array([60.0, 40]), np.array([51.0, 34]), 100.0, 85.0)

    found = clustered_variance(moved, middle, side, cells, sign=1)

    for cell in (0, 1):
        sums = np.zeros(3)
        for at, cluster, n, k in zip(*cells, strict=True):
            mine = at == cell
            sums[cluster] += k * ((1 - middle) * mine - moved[cell] / 2) - middle * (n - k) * mine
        size = np.array([25.0, 45, 30])
        rest = sums - sums.sum() / 100 * size
        assert found[cell] == pytest.approx((rest**2 / (1 - size / 100)).sum() / 100**2)


def test_too_few_batches_name_no_cell() -> None:
    """And the note says why; without batches another one does."""
    before, after = batches([(100, 95)] * 4, carrier="China Mobile"), batches([(100, 60)] * 6, carrier="China Mobile")

    few = analysis.explain_change(before, after)
    none = analysis.explain_change(before.drop(columns="batch_id"), after.drop(columns="batch_id"))

    assert few[["p_value", "q_value"]].isna().all(axis=None)
    assert any("which cells are beyond chance is not said" in note for note in notes_of(few, "en"))
    assert any("there is no batch_id" in note for note in notes_of(none, "en"))
    assert none["q_value"][0] < 1e-9


# ---- what is not told is said -----------------------------------------------------------------------------------------


def test_rates_of_few_batches_say_that_their_interval_leaves_batches_out() -> None:
    """One batch, four, and one that outweighs five; of eight batches and of messages without any there is nothing to say."""
    few = [[(500, 470)], [(100, 94)] * 4, [(5000, 4700), *[(50, 47)] * 5]]
    enough = [(100, 94)] * 8
    said = (
        "3 of 4 rows rest on fewer than five batches (or days of campaigns), or on one that outweighs the others: how much these "
        "differ is not known, and the intervals hold for messages that fail one by one"
    )

    messages = pd.concat([batches(cells, campaign=f"c{place}") for place, cells in enumerate([*few, enough])])
    found = analysis.delivery_rates(messages, "campaign")

    assert said in analysis.notes_of(found, "en")
    assert found["design_effect"].isna().tolist() == [True, True, True, False]
    for data in (batches(enough), batches(few[0]).drop(columns="batch_id")):
        assert not [note for note in analysis.delivery_rates(data).attrs["notes"] if note["code"] == "few_clusters"]


def test_campaigns_one_after_the_other_say_that_what_changes_slowly_is_in_their_difference() -> None:
    """Six days each: apart it is said, on the same days it is not."""
    first = pd.Timestamp("2026-01-01 10:00", tz="Asia/Shanghai")

    def campaign(name: str, start: int) -> pd.DataFrame:
        days = [
            batches([(200, 180 + place)], campaign=name, submitted_at=first + pd.Timedelta(days=start + place))
            for place in range(6)
        ]
        return pd.concat(days)

    for start, is_said in ((6, True), (5, False), (0, False)):
        found = analysis.compare(pd.concat([campaign("a", 0), campaign("b", start)]), "campaign", "a", "b")

        assert not np.isnan(found["p_value"][0])
        assert any(note["code"] == "apart" for note in found.attrs["notes"]) is is_said


def test_what_cannot_be_compared_is_refused_or_said() -> None:
    """An outcome, an arm with itself, the second without the first; one arm alone is no comparison."""
    messages = two_arms([(100, 90)] * 5, [(100, 94)] * 5)

    for arguments, said in (
        (("status",), "by='status' is part of the outcome"),
        (("arm", "A", "A"), "arm = 'A' is to be compared with itself"),
        (("arm", None, "B"), "b='B' says what to compare with: say a= too"),
    ):
        with pytest.raises(InputError, match=said):
            analysis.compare(messages, *arguments)
    alone = analysis.compare(messages[messages["arm"] == "A"], "arm")
    assert alone.empty
    assert analysis.notes_of(alone, "en") == ["all messages have arm = 'A': there is nothing to compare it with"]


def test_a_cut_with_all_messages_on_one_side_is_refused() -> None:
    """Before the first message, and after the last."""
    messages = batches(
        [(100, 90)] * 5, carrier="China Mobile", submitted_at=pd.Timestamp("2026-01-01 10:00", tz="Asia/Shanghai")
    )

    with pytest.raises(InputError, match="at='2025-01-01': no message was submitted before it and 500 were after"):
        analysis.explain_change(messages, at="2025-01-01")
    with pytest.raises(InputError, match="at='2027-01-01': all 500 messages were submitted before it"):
        analysis.explain_change(messages, at="2027-01-01")
