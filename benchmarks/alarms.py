"""How often alarms are false, and how often a carrier that loses ten points for two hours is found.

Months of 28 days, judged by the hour: three carriers (60, 22 and 18 % of the messages; 96, 93.5 and 93 % delivered), messages from
08:00 to 21:00. ``differ`` is the standard deviation, on the scale of log-odds, by which days differ, and once more by which hours of
a carrier do. The fall is on the last day but one, of the second or third carrier, and counts as found if there is an alarm on it by the
end of its second hour.

Run ``python benchmarks/alarms.py`` (some four minutes), or with ``--runs 20`` for a first look.
"""

from __future__ import annotations

import argparse

import numpy as np

from masanalytics.aliases import Figures
from masanalytics.stats.alarms import alarms, line_of

SHARES = np.array([0.6, 0.22, 0.18])
RATES = np.array([0.96, 0.935, 0.93])
HOURS = np.arange(28 * 24)
MEASURES = 3
RUNS = 2
LEAST = 200


def month(rng: np.random.Generator, hourly: int, differ: float) -> tuple[Figures, Figures]:
    """Return the messages and the probability of delivery, by hour and carrier."""
    shift = rng.normal(0, differ, (28, 1, 1)) + rng.normal(0, differ, (28, 24, 3))
    rates = 1 / (1 + np.exp(-(np.log(RATES / (1 - RATES)) + shift)))
    messages = rng.poisson(hourly * SHARES, (len(HOURS), 3)).astype(float)
    messages[(HOURS % 24 < 8) | (HOURS % 24 >= 21)] = 0
    return messages, rates.reshape(-1, 3)


def judged(messages: Figures, delivered: Figures) -> list[list[tuple[int, int, float]]]:
    """Return the alarms of all messages together and of each carrier, as `anomalies` judges three measures."""
    totals = np.column_stack([messages.sum(axis=1), messages])
    counts = np.column_stack([delivered.sum(axis=1), delivered])
    totals, hours = np.where(totals >= LEAST, totals, 0), HOURS[: len(messages)]
    lines = [
        line_of(counts[:, one], totals[:, one], worse=-1, band=hours % 24 // 6, day=hours // 24) for one in range(4)
    ]
    tests = MEASURES * RUNS * sum(int((~np.isnan(line.scores)).sum()) for line in lines if line)
    return [alarms(line, tests=tests, level=0.05, runs=RUNS) if line else [] for line in lines]


def rates_of(rng: np.random.Generator, hourly: int, differ: float, runs: int) -> tuple[float, float]:
    """Return the share of quiet months with an alarm, and the share of falls that are found."""
    false = found = 0
    for _ in range(runs):
        messages, rates = month(rng, hourly, differ)
        false += any(judged(messages, rng.binomial(messages.astype(int), rates).astype(float)))
        messages, rates = month(rng, hourly, differ)
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
    print("| messages an hour | days and hours differ by | quiet months with an alarm | falls found |")
    print("|---|---|---|---|")
    for hourly in (1000, 2000, 5000):
        for differ in (0.0, 0.05, 0.15, 0.3):
            false, found = rates_of(np.random.default_rng(1), hourly, differ, runs)
            print(f"| {hourly:,} | {differ:.2f} | {100 * false:.1f} % | {100 * found:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
