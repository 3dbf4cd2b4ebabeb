"""How often alarms are false, and how often a carrier that loses ten points for two hours is found.

Months of 28 days, judged by the hour: three carriers (60, 22 and 18 % of the messages; 96, 93.5 and 93 % delivered), messages from
08:00 to 21:00. ``differ`` is the standard deviation, on the scale of log-odds, by which days differ, and once more by which hours of
a carrier do; ``swing`` how far the hours of the day take the rates up and down, and weekends down. The fall is on the last day but one, of the second or third carrier, and counts as found if there is an alarm on it by the
end of its second hour.

Run ``python benchmarks/alarms.py`` (some four minutes), or with ``--runs 20`` for a first look.
"""

from __future__ import annotations

import argparse

import numpy as np

from masanalytics.aliases import Figures
from masanalytics.stats.alarms import alarms, beside, line_of, threshold
from masanalytics.stats.rhythm import rhythm_of

SHARES = np.array([0.6, 0.22, 0.18])
RATES = np.array([0.96, 0.935, 0.93])
HOURS = np.arange(28 * 24)
MEASURES = 3
RUNS = 2
LEAST = 200
MONDAY = 20_514 * 86_400  # 2 March 2026, in seconds of local time


def month(rng: np.random.Generator, hourly: int, differ: float, swing: float = 0.0) -> tuple[Figures, Figures]:
    """Return the messages and the probability of delivery, by hour and carrier."""
    shift = rng.normal(0, differ, (28, 1, 1)) + rng.normal(0, differ, (28, 24, 3))
    shift += swing * np.sin(2 * np.pi * (np.arange(24) - 8) / 24)[:, None]  # well in the morning, badly at night
    shift -= swing * (np.arange(28) % 7 >= 5)[:, None, None]
    rates = 1 / (1 + np.exp(-(np.log(RATES / (1 - RATES)) + shift)))
    messages = rng.poisson(hourly * SHARES, (len(HOURS), 3)).astype(float)
    messages[(HOURS % 24 < 8) | (HOURS % 24 >= 21)] = 0
    return messages, rates.reshape(-1, 3)


def judged(messages: Figures, delivered: Figures) -> list[list[tuple[int, int, float]]]:
    """Return the alarms of all messages together and of each carrier, as `anomalies` judges three measures."""
    totals = np.column_stack([messages.sum(axis=1), messages])
    counts = np.column_stack([delivered.sum(axis=1), delivered])
    hours = HOURS[: len(messages)]
    day, lines, at = hours // 24, [], MONDAY + 3600 * hours
    whole = rhythm_of(counts[:, 0], totals[:, 0], at, 3600)
    for one in range(4):
        # All messages together have no others beside them.
        rest = (counts[:, 0] - counts[:, one], totals[:, 0] - totals[:, one])
        enough = totals[:, one] >= LEAST
        own = np.where(enough, counts[:, one], 0), np.where(enough, totals[:, one], 0)
        rhythm, others = rhythm_of(*own, at, 3600, given=whole), beside(*rest, day, LEAST, whole)
        lines.append(line_of(*own, worse=-1, band=hours % 24 // 6, day=day, others=others, rhythm=rhythm))
    tests = MEASURES * RUNS * sum(int((~np.isnan(line.scores)).sum()) for line in lines if line)
    return [alarms(line, tests=tests, level=0.05, runs=RUNS) if line else [] for line in lines]


def ideal(rng: np.random.Generator, hourly: int, differ: float, runs: int = 20_000) -> float:
    """Return the share of falls that a test finds which knows the usual rate, what the day does to all, and how much hours differ.

    It is told all but the fall, makes as many tests, and takes either hour by itself or both together; messages of any number are judged.
    """
    limit = threshold(float("inf"), MEASURES * RUNS * 4 * 28 * 13, 0.05)
    carrier = rng.integers(1, 3, runs)
    usual = RATES[carrier][:, None]
    day = rng.normal(0, differ, (runs, 1))
    odds = np.log(usual / (1 - usual)) + day
    rate = 1 / (1 + np.exp(-(odds + rng.normal(0, differ, (runs, 2))))) - 0.1
    n = rng.poisson(hourly * SHARES[carrier][:, None], (runs, 2))
    k = rng.binomial(n, np.clip(rate, 0, 1))
    expected = 1 / (1 + np.exp(-odds))
    chance = 1 / (n * expected * (1 - expected))
    away = odds - np.log((k + 0.5) / (n - k + 0.5))
    scores = away / np.sqrt(chance + differ**2)
    return float(((scores.max(axis=1) >= limit) | (scores.sum(axis=1) / np.sqrt(2) >= limit)).mean())


def rates_of(
    rng: np.random.Generator, hourly: int, differ: float, runs: int, swing: float = 0.0
) -> tuple[float, float]:
    """Return the share of quiet months with an alarm, and the share of falls that are found."""
    false = found = 0
    for _ in range(runs):
        messages, rates = month(rng, hourly, differ, swing)
        false += any(judged(messages, rng.binomial(messages.astype(int), rates).astype(float)))
        messages, rates = month(rng, hourly, differ, swing)
        carrier, start = int(rng.integers(1, 3)), 27 * 24 + int(rng.integers(9, 18))
        rates[start : start + 2, carrier] -= 0.1
        seen = judged(messages[: start + 2], rng.binomial(messages.astype(int), rates)[: start + 2].astype(float))
        found += any(first <= start + 1 and last >= start for first, last, _p in seen[carrier + 1])
    return false / runs, found / runs


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    print(
        "| messages an hour | days and hours differ by | quiet months with an alarm | falls found | by a test that knows all but the fall |"
    )
    print("|---|---|---|---|---|")
    for hourly in (1000, 2000, 5000):
        for differ in (0.0, 0.05, 0.15, 0.3):
            false, found = rates_of(np.random.default_rng(1), hourly, differ, runs)
            best = ideal(np.random.default_rng(2), hourly, differ)
            row = f"| {hourly:,} | {differ:.2f} | {100 * false:.1f} % | {100 * found:.0f} % | {100 * best:.0f} % |"
            print(row, flush=True)
    print("\n| messages an hour | days and hours differ by | swing | quiet months with an alarm | falls found |")
    print("|---|---|---|---|---|")
    for hourly, differ, swing in ((2000, 0.05, 0.3), (2000, 0.15, 0.3), (5000, 0.05, 0.6), (5000, 0.15, 0.6)):
        false, found = rates_of(np.random.default_rng(1), hourly, differ, runs, swing)
        print(f"| {hourly:,} | {differ:.2f} | {swing:.1f} | {100 * false:.1f} % | {100 * found:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
