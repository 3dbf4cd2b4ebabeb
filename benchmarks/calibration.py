"""How right the intervals are, on simulated campaigns with known truth.

Each campaign has a fast mode of seconds, a slow one of an hour and messages that are never reported. It is observed after
1 minute, 10 minutes, 2 hours, 1 day and 5 days, alone and with four weeks of history, and every `expected_rate` is
compared with the probability it estimates. A/A tests with staggered arms are read at 15 and 30 minutes.

Run ``python benchmarks/calibration.py`` (a few minutes), or with ``--runs 100`` for a first look. With ``--worlds FILE.csv`` the
forecast is tried in the worlds of ``worlds.py`` instead (``--runs 200``: three quarters of an hour on one core). Each world's forecasts
are added to the file when they are made, so that a run that was stopped goes on where it was; then the table of the statistics page is
printed, in both languages, beside what ``earlier_forecasts.csv`` has of the forecast before it knew kinds of campaigns.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from worlds import CARRIERS, CASES, DAY, World, forecast

from masanalytics.analysis import compare, delivery_rates

AGES = {"1 min": 60, "10 min": 600, "2 h": 7200, "1 day": 86_400, "5 days": 432_000}
WORLD_AGES = {"10 min": 600, "2 h": 7200, "8 h": 28_800, "1 day": 86_400}
EARLIER = Path(__file__).with_name("earlier_forecasts.csv")
START = 1_767_225_600


def campaign(world: World, n: int, rng: np.random.Generator, over_s: int = 600) -> pd.DataFrame:
    """Return a campaign's messages with their fates: ``sent`` (seconds after its start), ``after``, ``fate``, ``carrier``."""
    never = min(world.never, 1 - world.delivered)
    fate = rng.choice(["delivered", "failed", "never"], n, p=[world.delivered, 1 - world.delivered - never, never])
    quick = rng.random(n) < world.fast
    after = np.where(quick, world.fast_median_s * np.exp(rng.normal(0, 0.8, n)), rng.exponential(world.slow_mean_s, n))
    after = np.where(fate == "never", np.inf, np.ceil(after))
    sent = rng.integers(0, max(over_s, 1), n)
    return pd.DataFrame(
        {"sent": sent, "after": after, "fate": fate, "carrier": rng.choice(CARRIERS, n, p=[0.6, 0.22, 0.18])}
    )


def observed(fates: pd.DataFrame, at_s: float, name: str = "today", start: int = START) -> pd.DataFrame:
    """Return the messages frame of a campaign as it looks `at_s` seconds after its start."""
    gone = fates[fates["sent"] <= at_s]
    waited = np.floor(at_s - gone["sent"])
    known = gone["after"] <= waited
    return pd.DataFrame(
        {
            "campaign": name,
            "carrier": gone["carrier"].astype("str"),
            "submitted_at": pd.to_datetime(start + gone["sent"], unit="s", utc=True).dt.tz_convert("Asia/Shanghai"),
            "status": gone["fate"].where(known, "pending").astype("str"),
            "latency_s": gone["after"].where(known),
            "waited_s": waited,
        }
    )


def four_weeks(world: World, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return 28 matured campaigns, one a day, the last one four days old."""
    parts = []
    for day in range(28):
        fates = campaign(world.drawn(rng), n, rng)
        parts.append(observed(fates, (32 - day) * DAY, f"day {day}", START - (32 - day) * DAY))
    return pd.concat(parts, ignore_index=True)


def expectations(world: World, runs: int, n: int, seed: int, *, with_history: bool) -> Iterator[dict[str, object]]:
    """Yield, run by run and age by age, what was expected and what was true."""
    rng = np.random.default_rng(seed)
    for run in range(runs):
        own = world.drawn(rng)
        fates = campaign(own, n, rng)
        history = four_weeks(world, n, rng) if with_history else None
        for age, at_s in AGES.items():
            found = delivery_rates(observed(fates, at_s), history=history).iloc[0]
            reported = found["delivered"] + found["failed"]
            yield {
                "run": run, "age": age, "truth": own.delivered, "expected": found["expected_rate"],
                "low": found["expected_low"], "high": found["expected_high"],
                "of_accepted": found["delivery_rate"], "of_reported": found["delivered"] / max(reported, 1),
            }  # fmt: skip


def coverage_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return, by age, how often there was a number, how often its interval held the truth, and the naive rates' errors."""
    rows = rows.assign(
        number=rows["expected"].notna(),
        covered=(rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"]),
        width=rows["high"] - rows["low"],
        error=rows["expected"] - rows["truth"],
        sent_error=rows["of_accepted"] - rows["truth"],
        reported_error=rows["of_reported"] - rows["truth"],
    )
    told = rows[rows["number"]]
    by_age = rows.groupby("age", sort=False)
    return pd.DataFrame(
        {
            "a number": by_age["number"].mean(),
            "covers": told.groupby("age", sort=False)["covered"].mean(),
            "mean error": told.groupby("age", sort=False)["error"].mean(),
            "mean width": told.groupby("age", sort=False)["width"].mean(),
            "delivered/sent - truth": by_age["sent_error"].mean(),
            "delivered/reported - truth": by_age["reported_error"].mean(),
        }
    ).reindex(list(AGES))


def worlds_rows(file: Path, runs: int, seed: int) -> pd.DataFrame:
    """Return every forecast of every world, each beside a history of its own; those that are in `file` already are not made again."""
    done = set(pd.read_csv(file)["world"]) if file.exists() else set()
    for number, case in enumerate(CASES):
        if case.english in done:
            continue
        rng = np.random.default_rng(seed + number)
        rows = [row for _ in range(runs) for row in forecast(case.month, rng, WORLD_AGES, todays=1)]
        made = pd.DataFrame(rows).assign(world=case.english)
        made.to_csv(file, mode="a", header=not file.exists(), index=False)
    return pd.read_csv(file)


def judged(found: pd.DataFrame) -> pd.DataFrame:
    """Return the forecasts with whether each held, and its width in points."""
    return found.assign(
        held=(found["low"] <= found["truth"]) & (found["truth"] <= found["high"]),
        width=100 * (found["high"] - found["low"]),
    )


def worlds_text(found: pd.DataFrame, names: Mapping[str, str], none: str) -> str:
    """Return what became of the forecasts of each world and age: held, mean width in points, what was shown instead, and the earlier."""
    earlier = pd.read_csv(EARLIER).set_index(["world", "age"])["shown"].to_dict()
    lines = []
    for world, rows in judged(found).groupby("world", sort=False):
        cells = []
        for age in WORLD_AGES:
            before = earlier.get((world, age), "")
            own = _world_cell(rows[rows["age"] == age])
            cells.append(f"{own} / {none if before == 'none' else before}" if before else own)
        lines.append(f"| {names[str(world)]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def without_warning(found: pd.DataFrame) -> pd.Series:
    """Return, by world and age, how many of 100 intervals of rates shown without the warning hold; most are shown so."""
    told = judged(found)
    told = told[told["expected"].notna() & ~told["warned"]]
    shares = 100 * told.groupby(["world", "age"], sort=False)["held"].mean()
    return shares[told.groupby(["world", "age"], sort=False).size() >= 50].sort_values()


def _world_cell(rows: pd.DataFrame) -> str:
    """Return ``held (width)`` of the rates shown, with ``*`` where most came with the warning that it is early, and of bounds."""
    told, bounds = rows[rows["expected"].notna()], rows[rows["expected"].isna()]
    parts = []
    if len(told):
        shown = "" if len(told) == len(rows) else f" of {len(told) / len(rows):.0%}".replace("%", " %")
        early = "\\*" if told["warned"].mean() > 0.5 else ""
        parts.append(f"{100 * told['held'].mean():.0f}{shown} ({told['width'].mean():.1f}){early}")
    if len(bounds):
        parts.append(f"[{100 * bounds['held'].mean():.0f} ({bounds['width'].mean():.1f})]")
    return " ".join(parts)


def staggered_arms(world: World, n: int, rng: np.random.Generator, at_s: int, later_s: int = 600) -> pd.DataFrame:
    """Return an A/A test whose arm B was sent `later_s` seconds after arm A, read `at_s` seconds after the start of A."""
    arms = [(name, campaign(world, n, rng, over_s=120), shift) for name, shift in (("A", 0), ("B", later_s))]
    return pd.concat([observed(fates, at_s - shift).assign(arm=name) for name, fates, shift in arms], ignore_index=True)


def false_alarms(world: World, runs: int, n: int, seed: int, at_s: int) -> dict[str, float]:
    """Return how often an A/A test is called significant: by `compare`, its rank test, and a naive comparison."""
    rng = np.random.default_rng(seed)
    wrong = {"compare": 0, "latency": 0, "naive": 0}
    for _ in range(runs):
        arms = staggered_arms(world, n, rng, at_s)
        row = compare(arms, "arm", "A", "B").iloc[0]
        wrong["compare"] += row["p_value"] < 0.05
        wrong["latency"] += row["latency_p_value"] < 0.05
        rate = arms["status"].eq("delivered").groupby(arms["arm"]).agg(["sum", "size"])
        share = rate["sum"].sum() / rate["size"].sum()
        z = (rate["sum"] / rate["size"]).diff().iloc[1] / np.sqrt(share * (1 - share) * (1 / rate["size"]).sum())
        wrong["naive"] += abs(z) > 1.96
    return {name: count / runs for name, count in wrong.items()}


def worlds_tables(file: Path, runs: int, seed: int) -> None:
    """Print the table of the worlds in both languages, and where rates without a warning hold least."""
    found = worlds_rows(file, runs, seed)
    print(worlds_text(found, {case.english: case.english for case in CASES}, "none"))
    print(worlds_text(found, {case.english: case.chinese for case in CASES}, "无"))
    shares = without_warning(found)
    print(f"\nwithout a warning: {shares.mean():.1f} of 100 on average over {len(shares)} worlds and ages; the lowest:")
    print(shares.head(8).round(1).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--worlds", type=Path, metavar="FILE.csv", help="the forecast in many worlds, as a table in Markdown"
    )
    args = parser.parse_args()
    if args.worlds:
        worlds_tables(args.worlds, args.runs, args.seed)
        return
    pd.set_option("display.width", 160)
    for label, world in {"campaigns alike": World(), "campaigns that differ": World(spread=0.25)}.items():
        for with_history in (False, True):
            rows = pd.DataFrame(expectations(world, args.runs, args.messages, args.seed, with_history=with_history))
            print(f"\n{label}, {'four weeks of history' if with_history else 'alone'}, {args.runs} runs")
            print(coverage_table(rows).round(4).to_string())
    for at_s in (900, 1800):
        print(f"\nA/A, arm B ten minutes later, read at {at_s // 60} min, {2 * args.runs} runs")
        print(false_alarms(World(), 2 * args.runs, args.messages, args.seed, at_s))


if __name__ == "__main__":
    main()
