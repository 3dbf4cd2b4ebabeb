"""How often comparisons find what is not there: A/A tests of batches, campaigns and days that differ without a cause.

Prints the tables of docs/statistics.md. The counts are drawn by cluster, so that thousands of runs take some minutes; the arithmetic is
that of `compare`, `timeline` and `explain_change`.

    python benchmarks/calibration_compare.py [runs]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pandas as pd

from masanalytics.analysis._explain_change import _decomposed
from masanalytics.analysis.clustered_pairs import PairClusters
from masanalytics.analysis.clusters import ClusterCounts, GroupClusters
from masanalytics.analysis.comparison_latency import slow_together
from masanalytics.analysis.dimensions import late_dimension
from masanalytics.analysis.grouped_count import Counts
from masanalytics.analysis.pair_rates import PairRates
from masanalytics.stats.clusters import (
    ClusteredPair,
    between_clusters,
    clustered_pair,
    design_effects,
    student_quantiles,
)
from masanalytics.stats.control_chart import control_chart
from masanalytics.stats.enough_clusters import effective_clusters
from masanalytics.stats.order_statistics import rank_test
from masanalytics.stats.proportions import wilson
from masanalytics.vocabulary import Status

BASE = 2.84  # 94.5 % on the logit
UNKNOWN = ClusteredPair(0, 0, 1.0, 1.0, 1.0, float("inf"))
SPREADS = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0)
ARMS: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    "11 batches (10 × 999, 10)": ([999] * 10 + [10],) * 2,
    "5 batches of 999": ([999] * 5,) * 2,
    "30 batches of 999": ([999] * 30,) * 2,
    "8 batches of 4,999": ([4999] * 8,) * 2,
    "5 × 999 and 5 × 100": ([999] * 5 + [100] * 5,) * 2,
    "20 batches against 5": ([999] * 20, [999] * 5),
    "5 × 200 against 40 × 50": ([200] * 5, [50] * 40),
    "5 batches of 10": ([10] * 5,) * 2,
}


# Where one batch outweighs the others, and where several are large and the others small.
UNEQUAL: dict[str, tuple[Sequence[int], Sequence[int]]] = {
    "5,000 and 5 × 50": ([5000] + [50] * 5,) * 2,
    "5,000 and 20 × 50": ([5000] + [50] * 20,) * 2,
    "10 × 999 against 5,000 and 5 × 50": ([999] * 10, [5000] + [50] * 5),
    "4,000, 2,000, … 125": ([4000, 2000, 1000, 500, 250, 125],) * 2,
    "2 × 999 and 10 × 50": ([999] * 2 + [50] * 10,) * 2,
    "999 and 10 × 100": ([999] + [100] * 10,) * 2,
    "5,000 and 20 × 250": ([5000] + [250] * 20,) * 2,
    "4 × 999 and 10": ([999] * 4 + [10],) * 2,
    "4 × 999 and 300": ([999] * 4 + [300],) * 2,
    "4 × 999 and 800": ([999] * 4 + [800],) * 2,
    "4,000, 3,000, … 700 (7)": ([4000, 3000, 2200, 1700, 1200, 900, 700],) * 2,
    "2 × 4,999 and 20 × 500": ([4999] * 2 + [500] * 20,) * 2,
    "5,000 and 20 × 500": ([5000] + [500] * 20,) * 2,
    "30 × 999 against 3 × 999 and 10 × 200": ([999] * 30, [999] * 3 + [200] * 10),
}


def rates(rng: np.random.Generator, spread: float, size: int) -> np.ndarray:
    """Draw the rates of clusters that differ by `spread` on the logit."""
    return 1 / (1 + np.exp(-(BASE + rng.normal(0, spread, size))))


def compared(rng: np.random.Generator, sizes: tuple[Sequence[int], Sequence[int]], spread: float) -> PairRates:
    """Draw two arms that do not differ."""
    a, b = (np.array(part, dtype=float) for part in sizes)
    ka, kb = (rng.binomial(n.astype(int), rates(rng, spread, len(n))).astype(float) for n in (a, b))
    none_a, none_b = np.zeros(len(a)), np.zeros(len(b))
    found = clustered_pair(
        np.concatenate([a, none_b]),
        np.concatenate([ka, none_b]),
        np.concatenate([none_a, b]),
        np.concatenate([none_a, kb]),
    )
    clusters = PairClusters("batch", found, None, np.zeros(0, dtype=np.int64), None)
    return PairRates(int(ka.sum()), int(a.sum()), int(kb.sum()), int(b.sum()), clusters)


def drawn_pairs(sizes: tuple[Sequence[int], Sequence[int]], spread: float, runs: int) -> list[PairRates]:
    """Return so many A/A tests, the same ones each time."""
    rng = np.random.default_rng(1)
    return [compared(rng, sizes, spread) for _ in range(runs)]


def unequal(runs: int) -> None:
    """Print how often an A/A test of unequal batches is significant at 5 %, were a p-value always given, and where one is given."""
    print(
        "\nUnequal batches, significant at 5 % (in brackets: no p-value is given, and how often there would be one below 0.05)"
    )
    print("| arms | count as | " + " | ".join(f"sd {spread:g}" for spread in SPREADS) + " |")
    for name, sizes in UNEQUAL.items():
        cells = []
        for spread in SPREADS:
            drawn = drawn_pairs(sizes, spread, runs)
            always = f"{100 * np.mean([tested(pair).p_value < 0.05 for pair in drawn]):.1f} %"
            cells.append(f"({always})" if np.isnan(drawn[0].p_value) else always)
        count = [f"{effective_clusters(np.array(part, dtype=float)):.1f}" for part in sizes]
        told = count[0] if count[0] == count[1] else " and ".join(count)
        print(f"| {name} | {told} | " + " | ".join(cells) + " |", flush=True)


def tested(pair: PairRates) -> PairRates:
    """Return the pair as if its batches were of one size, so that their number alone decides whether there is a p-value."""
    clusters = cast("PairClusters", pair.clusters)
    even = clusters.found._replace(effective_a=float("inf"), effective_b=float("inf"))
    return replace(pair, clusters=replace(clusters, found=even))


def arms(runs: int) -> None:
    """Print how often an A/A test of batches is significant at 5 %, and how wide the interval is."""
    print("A/A tests, significant at 5 %: clustered (message by message)")
    print("| arms | " + " | ".join(f"sd {spread:g}" for spread in SPREADS) + " |")
    for name, sizes in ARMS.items():
        cells = []
        for spread in SPREADS:
            drawn = drawn_pairs(sizes, spread, runs)
            ours = np.mean([pair.p_value < 0.05 for pair in drawn])
            naive = np.mean([pair.naive_p_value < 0.05 for pair in drawn])
            cells.append(f"{100 * ours:.1f} % ({100 * naive:.0f} %)")
        print(f"| {name} | " + " | ".join(cells) + " |")


def timed(rng: np.random.Generator, batches: int, size: int, spread: float) -> ClusterCounts:
    """Draw two arms of batches that differ in speed by `spread` (of the logarithm of seconds), as `compare` counts them."""
    speed = 6 * np.exp(rng.normal(0, spread, (2 * batches, 1)))
    seconds = np.ceil(speed * np.exp(rng.normal(0, 0.8, (2 * batches, size)))).astype(np.int64).reshape(-1)
    cuts = (-1, *np.unique(np.quantile(seconds, np.arange(1, 16) / 16).astype(np.int64)).tolist())
    later = {late_dimension(cut): (seconds > cut).astype(np.int64) for cut in cuts}
    batch = np.repeat(np.arange(2 * batches), size)
    ones = np.ones(len(seconds))
    status = np.full(len(seconds), int(Status.delivered))
    counts = Counts(pd.DataFrame(later), status, seconds.astype(float), ones.astype(np.int64), [])
    return ClusterCounts(counts, ones, ones, ones == 0, None, None, batch, None, cuts)


def latencies(runs: int) -> None:
    """Print how often the rank test of latencies of an A/A test is significant at 5 %."""
    print("\nLatencies, batches of 100, significant at 5 %: clustered (message by message)")
    for batches in (5, 10, 30):
        cells = []
        for spread in SPREADS:
            rng = np.random.default_rng(5)
            ours = naive = 0
            for _ in range(runs):
                counts = timed(rng, batches, 100, spread)
                first = np.asarray(counts.batch) < batches
                clusters = PairClusters("batch", UNKNOWN, None, np.asarray(counts.batch), None)
                found = slow_together(counts, (first, ~first), clusters)
                arms = [(counts.counts.seconds[arm], counts.counts.n[arm]) for arm in (first, ~first)]
                ours += rank_test(arms[0], arms[1], found) < 0.05
                naive += rank_test(arms[0], arms[1]) < 0.05
            cells.append(f"{100 * ours / runs:.1f} % ({100 * naive / runs:.0f})")
        print(f"| {batches} of 100 | " + " | ".join(cells) + " |", flush=True)


def campaigns(runs: int) -> None:
    """Print how often the interval of two campaigns of a day each leaves out 0, with 28 days of history."""
    print("\nTwo campaigns of one day each, 28 days before: interval without 0 (message by message)")
    for spread in SPREADS[:5]:
        for size in (2_000, 20_000):
            rng = np.random.default_rng(2)
            ours = naive = 0
            for _ in range(runs):
                k = rng.binomial(size, rates(rng, spread, 30)).astype(float)
                n = np.full(30, float(size))
                history, share = between_clusters(n[:28], k[:28]), k[28:].sum() / n[28:].sum()
                days = history and (history[0] * (share * (1 - share)) ** 2, history[1])
                apart = (n[28:] * [1, 0], k[28:] * [1, 0], n[28:] * [0, 1], k[28:] * [0, 1])
                found = clustered_pair(*apart, between=days)
                clusters = PairClusters("day", found, days, np.zeros(0, dtype=np.int64), None)
                pair = PairRates(int(k[28]), size, int(k[29]), size, clusters)
                low, high = pair.interval(0.95, float("nan"))
                ours += low > 0 or high < 0
                naive += pair.naive_p_value < 0.05
            print(f"| sd {spread:g}, {size:,} | {100 * ours / runs:.1f} % ({100 * naive / runs:.0f} %) |")


def splits(runs: int) -> None:
    """Print how often the interval of two arms of one batch each leaves out 0, where batches of other campaigns tell how much batches differ."""
    print("\nTwo arms of a batch of 999 each, beside other campaigns: interval without 0 (message by message)")
    for campaigns_before, batches in ((3, 3), (6, 2), (12, 3), (30, 4)):
        cells = []
        for spread in SPREADS:
            rng = np.random.default_rng(10)
            stratum = np.repeat(np.arange(campaigns_before), batches)
            n, ours, naive = np.full(len(stratum), 999.0), 0, 0
            for _ in range(runs):
                own = np.repeat(rng.normal(0, 0.25, campaigns_before), batches) + rng.normal(0, spread, len(stratum))
                found = between_clusters(n, rng.binomial(999, 1 / (1 + np.exp(-(BASE + own)))).astype(float), stratum)
                k = rng.binomial(999, rates(rng, spread, 2)).astype(float)
                share = k.sum() / 1998
                others = found and (found[0] * (share * (1 - share)) ** 2, found[1])
                two = clustered_pair(np.array([999.0, 0]), k * [1, 0], np.array([0, 999.0]), k * [0, 1], between=others)
                pair = PairRates(
                    int(k[0]),
                    999,
                    int(k[1]),
                    999,
                    PairClusters("batch", two, others, np.zeros(0, dtype=np.int64), None),
                )
                low, high = pair.interval(0.95, float("nan"))
                ours += low > 0 or high < 0
                naive += pair.naive_p_value < 0.05
            cells.append(f"{100 * ours / runs:.1f} % ({100 * naive / runs:.0f})")
        print(f"| {campaigns_before} of {batches} | " + " | ".join(cells) + " |", flush=True)


def months(runs: int) -> None:
    """Print how many points of a quiet month lie outside, in how many months any does, and how often a bad day is found."""
    print("\nMonths of 28 days of 20,000: points outside, months with one, a day at 80 % found")
    for spread in SPREADS[:5]:
        rng = np.random.default_rng(3)
        points = alarms = found = 0
        n = np.full(28, 20_000.0)
        for _ in range(runs):
            k = rng.binomial(20_000, rates(rng, spread, 28)).astype(float)
            outside = control_chart(k, n).outside(k, n)  # type: ignore[union-attr]
            points += int(outside.sum())
            alarms += bool(outside.any())
            k[11] = rng.binomial(20_000, 0.8)
            found += bool(control_chart(k, n).outside(k, n)[11])  # type: ignore[union-attr]
        print(
            f"| sd {spread:g} | {points / runs / 0.28:.2f} % | {100 * alarms / runs:.1f} % | {100 * found / runs:.0f} % |"
        )


def held(runs: int) -> None:
    """Print how often the interval of a rate holds the mean rate of such batches, and in how many cases a note warns."""
    print(
        "\nIntervals of the rate of a campaign of batches of 999 that hold the rate of such batches (with a note that it is not known)"
    )
    for batches in (1, 2, 4, 5, 8, 20):
        cells = []
        for spread, lost in ((0.1, 0.0), (0.25, 0.0), (0.5, 0.0), (0.0, 0.02)):
            rng = np.random.default_rng(9)
            truth = (1 - lost) * rates(rng, spread, 400_000).mean()
            inside = warned = 0
            for _ in range(runs):
                rate = np.where(rng.random(batches) < lost, 0.0, rates(rng, spread, batches))
                n, k = np.full(batches, 999.0), rng.binomial(999, rate).astype(float)
                found = design_effects(np.zeros(batches, dtype=np.int64), 1, n, k)
                by = 1.0 if np.isnan(found.effect[0]) else found.effect[0]
                warned += bool(np.isnan(found.effect[0]))
                low, high = wilson(k.sum() / by, n.sum() / by, student_quantiles(0.975, found.freedom))
                inside += bool(low[0] <= truth <= high[0])
            cells.append(f"{100 * inside / runs:.0f} %" + (" (noted)" if warned == runs else ""))
        print(f"| {batches} | " + " | ".join(cells) + " |", flush=True)


def rhythms(runs: int) -> None:
    """Print in how many months without a cause a day lies outside, where neighbouring days are alike."""
    print(
        "\nMonths of 28 days of 2,000 messages in which only a rhythm moves the rate: months with a day outside, days outside"
    )
    for name, shift in RHYTHMS.items():
        rng = np.random.default_rng(6)
        found = []
        n = np.full(28, 2_000.0)
        for _ in range(runs):
            k = rng.binomial(2_000, 1 / (1 + np.exp(-(BASE + shift(rng))))).astype(float)
            found.append(int(control_chart(k, n).outside(k, n).sum()))  # type: ignore[union-attr]
        print(f"| {name} | {100 * np.mean(np.array(found) > 0):.0f} % | {np.mean(found):.1f} |", flush=True)


def drifting(rng: np.random.Generator, hold: float, spread: float) -> np.ndarray:
    """Draw 28 days each of which keeps so much of how the one before differed."""
    days = rng.normal(0, spread, 28)
    for day in range(1, 28):
        days[day] = hold * days[day - 1] + (1 - hold**2) ** 0.5 * days[day]
    return days


WEEKEND = np.arange(28) % 7 >= 5
RHYTHMS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "days by themselves (sd 0.1)": lambda rng: drifting(rng, 0.0, 0.1),
    "days like those before (0.5; sd 0.25)": lambda rng: drifting(rng, 0.5, 0.25),
    "days like those before (0.8; sd 0.25)": lambda rng: drifting(rng, 0.8, 0.25),
    "weekends 2.5 points lower": lambda rng: drifting(rng, 0.0, 0.05) - 0.4 * WEEKEND,
    "weekends 6 points lower": lambda rng: drifting(rng, 0.0, 0.05) - 0.8 * WEEKEND,
}


def apart(runs: int) -> None:
    """Print how often two campaigns, one after the other, differ significantly where only days drift."""
    print(
        "\nTwo campaigns of 7 (14) days each, one after the other, 1,000 messages a day, days sd 0.3: significant at 5 %"
    )
    for hold in (0.0, 0.5, 0.8):
        shares = []
        for days in (7, 14):
            rng = np.random.default_rng(8)
            wrong = 0
            for _ in range(runs):
                k = rng.binomial(1_000, 1 / (1 + np.exp(-(BASE + drifting(rng, hold, 0.3)[: 2 * days])))).astype(float)
                first = np.arange(2 * days) < days
                n = np.full(2 * days, 1_000.0)
                found = clustered_pair(n * first, k * first, n * ~first, k * ~first)
                clusters = PairClusters("day", found, None, np.zeros(0, dtype=np.int64), None)
                sums = int(k[first].sum()), days * 1_000, int(k[~first].sum()), days * 1_000
                wrong += PairRates(*sums, clusters).p_value < 0.05
            shares.append(f"{100 * wrong / runs:.1f} %")
        print(f"| {hold:g} | " + " | ".join(shares) + " |", flush=True)


def cells(runs: int) -> None:
    """Print how often `explain_change` names a cell of 93 although none has changed."""
    print("\n93 cells, 20,000 messages a side in 12 batches: runs that name a cell (message by message)")
    frame = pd.DataFrame({"cell": range(93)})
    for spread in (0.0, 0.25, 0.5):
        rng = np.random.default_rng(4)
        share = rng.dirichlet(np.full(93, 2.0))
        named = naive = 0
        for _ in range(runs):
            sides, clusters = [], []
            for _side in range(2):
                n = rng.multinomial(20_000 // 12, share, size=12)
                k = rng.binomial(n, rates(rng, spread, 12)[:, None])
                batch, cell = np.nonzero(n)
                clusters.append(GroupClusters(cell, batch, n[batch, cell].astype(float), k[batch, cell].astype(float)))
                sides.append((n.sum(axis=0).astype(float), k.sum(axis=0).astype(float)))
            for part in (clusters, None):
                found, _ = _decomposed(frame, *sides, clusters=part)
                hit = bool((found["q_value"] <= 0.05).any())
                named, naive = (named + hit, naive) if part else (named, naive + hit)
        print(f"| sd {spread:g} | {100 * named / runs:.1f} % ({100 * naive / runs:.0f} %) |")


if __name__ == "__main__":
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    arms(times)
    unequal(times)
    latencies(max(times // 2, 1))
    campaigns(times)
    splits(times)
    months(times)
    held(max(times // 2, 1))
    rhythms(max(times // 4, 1))
    apart(max(times // 2, 1))
    cells(max(times // 5, 1))
