"""How often `uplift` finds an effect where there is none, and how often its interval holds the one there is.

Prints the tables of docs/statistics.md. Rounds with a silent arm are made of frames, without a file and without a network; what is
asked is `uplift` as a user asks it. The amounts with and without ``before=`` are drawn as one figure a person, and compared by the
arithmetic of `uplift`.

    python benchmarks/calibration_uplift.py [runs]
"""

from __future__ import annotations

import sys
from typing import Any, cast

import numpy as np
import pandas as pd

import masanalytics as mas
from masanalytics.aliases import Figures
from masanalytics.analysis.sources.pandas import PandasMessages
from masanalytics.clock import ManualClock
from masanalytics.stats.means import adjusted_mean_difference, mean_difference

AT = 1_767_225_600
WORLDS: dict[str, tuple[int, int, float, float]] = {
    "4,500 told, 500 silent, 5 % buy": (4500, 500, 0.05, 0.0),
    "4,500 told, 500 silent, 2 % buy": (4500, 500, 0.02, 0.0),
    "2,000 told, 2,000 silent, 5 % buy": (2000, 2000, 0.05, 0.0),
    "4,500 told, 500 silent, 5 %, +1.5 points": (4500, 500, 0.05, 0.015),
}
REACHED, BUYS_MORE = 0.9, 4.0


class Round:
    """A round as `uplift` asks a store for it: those whose number works buy more, told or not."""

    def __init__(self, rng: np.random.Generator, told: int, silent: int) -> None:
        self.works = rng.random(told + silent) < REACHED
        phones = np.array([f"138{n:08d}" for n in range(told + silent)], dtype=object)
        self.phones, self.told = phones, told
        at = pd.Timestamp(AT, unit="s", tz="Asia/Shanghai")
        status = np.where(self.works[:told], "delivered", "failed")
        messages = {
            "message_id": np.arange(told), "campaign": "c", "round": "", "arm": "A", "phone": phones[:told], "status": status,
            "segments": 1, "submitted_at": at,
        }  # fmt: skip
        self.message_source = PandasMessages(pd.DataFrame(messages))
        self.silent = pd.DataFrame({"phone": phones[told:], "arm": "hold"})
        self.clock = ManualClock(start=AT + 30 * 86_400.0)

    def held_out(self, _campaign: str | None = None, _round: str | None = None) -> pd.DataFrame:
        """Return who got nothing."""
        return self.silent

    def orders(self, rng: np.random.Generator, rate: float, effect: float) -> pd.DataFrame:
        """Draw who buys, and for how much; an effect is of those reached."""
        usual = rate / (REACHED + (1 - REACHED) / BUYS_MORE)
        chance = np.where(self.works, usual, usual / BUYS_MORE)
        chance[: self.told] += np.where(self.works[: self.told], effect / REACHED, 0.0)
        who = self.phones[rng.random(len(self.phones)) < chance]
        at = pd.Timestamp(AT + 3600, unit="s", tz="Asia/Shanghai")
        return pd.DataFrame({"phone": who, "at": at, "amount": rng.lognormal(4, 1, len(who))})


def run(seed: int, world: tuple[int, int, float, float]) -> tuple[bool, bool, bool, bool]:
    """Return whether a difference is shown, its interval holds the truth, amounts differ, and the delivered alone would differ."""
    told, silent, rate, effect = world
    rng = np.random.default_rng(seed)
    one = Round(rng, told, silent)
    orders = one.orders(rng, rate, effect)
    found = mas.uplift(cast("Any", one), orders, phone="phone", at="at", value="amount", campaign="c").iloc[0]
    bought = np.isin(one.phones, orders["phone"])
    among, others = bought[:told][one.works[:told]], bought[told:]
    pooled = (among.sum() + others.sum()) / (len(among) + len(others))
    error = np.sqrt(pooled * (1 - pooled) * (1 / len(among) + 1 / len(others)))
    biased = abs(among.mean() - others.mean()) / error > 1.96
    holds = found["diff_low"] <= effect <= found["diff_high"]
    return bool(found["p_value"] < 0.05), bool(holds), bool(found["value_p_value"] < 0.05), bool(biased)


def correlated(rng: np.random.Generator, people: int, correlation: float) -> tuple[Figures, Figures]:
    """Draw two standard normal figures a person that go together so far."""
    first, second = rng.normal(0, 1, (2, people))
    return first, correlation * first + (1 - correlation**2) ** 0.5 * second


def amounts(kind: str, correlation: float, rng: np.random.Generator, people: int) -> tuple[Figures, Figures]:
    """Draw what people spent before and after, if nothing is brought by the message.

    ``even``: everybody spends, normally distributed. ``orders``: one in twenty spends, log-normally (sd 1); who buys and how much goes
    together as the correlation says. ``heavy``: the same with sd 2. ``yes``: 1 of those who buy. ``sorted``: as ``orders``, the sheet in
    20 batches of people of one kind, whose amounts differ by a factor (sd of its logarithm 0.5).
    """
    before, after = correlated(rng, people, correlation)
    if kind == "even":
        return before, after
    more, again = correlated(rng, people, correlation)
    limit = 1.6449  # one in twenty is above
    spread = {"heavy": 2.0, "yes": 0.0}.get(kind, 1.0)
    factor = (
        np.exp(np.repeat(rng.normal(0, 0.5, 20), -(-people // 20))[:people]) if kind == "sorted" else np.ones(people)
    )
    return tuple(
        np.where(who > limit, factor * np.exp(spread * size), 0.0) for who, size in ((before, more), (after, again))
    )  # type: ignore[return-value]


KINDS = {
    "even": "everybody spends, normally distributed", "orders": "5 % buy, amounts log-normal (sd 1)",
    "heavy": "5 % buy, amounts log-normal (sd 2)", "yes": "5 % buy, all for 1", "sorted": "as the second, in 20 batches of unlike people",
}  # fmt: skip
CORRELATIONS = (0.0, 0.5, 0.9)


def covariates(runs: int) -> None:
    """Print how often amounts differ at 5 % where nothing is brought: without `before` and with it, and how much narrower it is."""
    print(
        "\nA/A tests of amounts, significant at 5 %: without before=, with it (width of the interval, of that without)"
    )
    print("| amounts | told, silent | " + " | ".join(f"correlation {one:g}" for one in CORRELATIONS) + " |")
    for kind, said in KINDS.items():
        for told, silent in ((4500, 500), (2000, 2000)):
            cells = []
            for correlation in CORRELATIONS:
                rng = np.random.default_rng(7)
                found = []
                for _ in range(runs):
                    before, after = amounts(kind, correlation, rng, told + silent)
                    is_told = rng.permutation(np.arange(told + silent) < told)
                    plain = mean_difference(after[~is_told], after[is_told])
                    sharp, _left = adjusted_mean_difference(
                        (after[~is_told], before[~is_told]), (after[is_told], before[is_told])
                    )
                    width = (sharp.high - sharp.low) / (plain.high - plain.low)
                    found.append((plain.p_value < 0.05, sharp.p_value < 0.05, width))
                share = np.mean(found, axis=0)
                cells.append(f"{100 * share[0]:.1f}, {100 * share[1]:.1f} % ({share[2]:.2f})")
            print(f"| {said} | {told:,}, {silent:,} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print a row a world."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print("| world | shown at 5 % | interval holds the truth | amounts differ at 5 % | of the delivered alone |")
    print("|---|---|---|---|---|")
    for name, world in WORLDS.items():
        shares = np.array([run(seed, world) for seed in range(runs)]).mean(axis=0)
        print(f"| {name} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |", flush=True)
    covariates(2 * runs)


if __name__ == "__main__":
    main()
