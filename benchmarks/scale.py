"""Every function of the analysis, as a user calls it, beside what one would write by hand, at sizes from a million messages on.

Run ``python benchmarks/scale.py`` (1 and 5 million), or with ``--rows 1000000 5000000 10000000 50000000``; ``--folder`` keeps the
data, ``--only`` names functions, ``--sources`` the sources. A table in Markdown comes out. Each measurement runs in a process of its
own, once: what an earlier call would have left in memory does not help. Imports are not measured. Memory is the growth of its peak over that of
the imports (and of the frame, for pandas). By hand is measured in seconds of the processor, twice: the one count that an answer needs at
least, and all that the call answers. What fails, or takes longer than a quarter of an hour, has a row that says so.

Two functions are left out, for these messages have nothing to ask them about: ``uplift`` is of people with held-out arms and of what
they did, ``reconciliation`` of a bill. Data that was made by an earlier version has no replies, so that ``replies`` and ``fatigue`` find none.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from by_hand import BY_HAND, KEYS, by_hand
from scale_data import build

SOURCES = ("Store", "DuckDB", "polars", "pandas")
_LONGEST_S = 900
"""A call that takes longer is given up, and its row says so."""
_LARGEST_FRAME = 5_000_000
_SAID: dict[str, Any] = {}
"""The replies of the data, for functions of frames, which know none."""

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "delivery_rates": lambda data: _mas().delivery_rates(data),
    "error_codes": lambda data: _mas().error_codes(data),
    "latency": lambda data: _mas().latency(data),
    "timeline": lambda data: _mas().timeline(data),
    "compare": lambda data: _mas().compare(data, "carrier", "China Mobile", "China Unicom"),
    "explain_change": lambda data: _mas().explain_change(data, at="2026-02-01", by=["carrier", "province"]),
    "costs": lambda data: _mas().costs(data, 0.05),
    "anomalies": lambda data: _mas().anomalies(data),
    "backtest": lambda data: _mas().backtest(data),
    "funnel": lambda data: _analysis().funnel(data),
    "arrivals": lambda data: _analysis().arrivals(data),
    "heatmap": lambda data: _mas().delivery_rates(data, ["weekday", "hour"]),
    "sample_size": lambda data: _mas().sample_size(0.9, 0.01, data=data),
    "replies": lambda data: _mas().replies(data, **_said_of(data)),
    "fatigue": lambda data: _analysis().fatigue(data, **_said_of(data)),
    "number_health": lambda data: _mas().number_health(data),
    "number_health(phones=)": lambda data: _mas().number_health(data, phones=["13007919399"]),
    "suppression_value": lambda data: _mas().suppression_value(data, 0.05),
    "write_report": lambda data: _mas().write_report(data, Path(tempfile.mkdtemp()) / "report.html"),
}
"""What a user calls, with the arguments that have no default; ``heatmap`` is the table that its chart draws."""


def _mas() -> Any:
    import masanalytics

    return masanalytics


def _analysis() -> Any:
    from masanalytics import analysis

    return analysis


def _said_of(data: Any) -> dict[str, Any]:
    return {} if isinstance(data, _mas().Store) else _SAID


class Place:
    """Where the data of one size is."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.rows, self.store, self.parquet = rows, folder / f"{rows}.db", folder / str(rows)

    def made(self) -> Place:
        """Make what is not there yet."""
        if not self.store.exists():
            build(self.store, self.rows)
        if not self.parquet.exists():
            with _mas().Store(self.store) as store:
                store.export_parquet(self.parquet, phones="whole", uplinks=True)
        return self

    @property
    def glob(self) -> str:
        """Return the pattern of the files."""
        return str(self.parquet / "*" / "*.parquet")

    def on_disk(self) -> str:
        """Return how large both are."""
        parquet = sum(file.stat().st_size for file in self.parquet.rglob("*.parquet"))
        return (
            f"{self.rows:,} messages: {self.store.stat().st_size / 1e6:,.0f} MB SQLite, {parquet / 1e6:,.0f} MB Parquet"
        )


def ours(source: str, place: Place) -> Any:
    """Return the data as a user has it."""
    if source == "Store":
        return _mas().Store(place.store)
    import pandas as pd

    replies = [pd.read_parquet(file) for file in sorted(place.parquet.glob("_uplinks/*/*.pq"))]
    columns = ["message_id", "phone", "content", "sent_at", "opt_out"]
    _SAID["uplinks"] = pd.concat(replies, ignore_index=True) if replies else pd.DataFrame(columns=columns)
    if source == "DuckDB":
        import duckdb

        return duckdb.read_parquet(place.glob)
    if source == "polars":
        import polars as pl

        return pl.scan_parquet(place.glob)
    return pd.read_parquet(place.parquet, partitioning=None)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _import_all(function: str) -> None:
    """Call it for a few messages: what it imports is there afterwards, and nothing else is."""
    import pandas as pd

    few = pd.DataFrame({"message_id": range(400), "status": ["delivered", "delivered", "delivered", "failed"] * 100})
    few = few.assign(
        submitted_at=pd.Timestamp("2026-02-01", tz="Asia/Shanghai") + pd.to_timedelta(600 * (few.index - 200), unit="s"),
        waited_s=90_000, latency_s=5, segments=1, campaign="a", batch_id=few.index // 20, error_code=None, province="a",
        carrier=["China Mobile", "China Unicom"] * 200, phone=[f"138{number % 100:08d}" for number in range(400)],
    )  # fmt: skip
    _SAID["uplinks"] = pd.DataFrame(columns=["message_id", "phone", "content", "sent_at", "opt_out"])
    with suppress(ValueError):  # these few are not enough for it
        FUNCTIONS[function](few)


def one(function: str, source: str, place: Place, *, hand: bool) -> None:
    """Measure once, and print it as JSON."""
    _import_all(function)
    more: Callable[[], Any] = lambda: None  # noqa: E731
    if hand:
        run, more = by_hand(function, source, place.store, place.glob)
    else:
        import narwhals as nw

        data = ours(source, place)
        if source != "Store":
            nw.from_native(data)

        def run() -> Any:
            return FUNCTIONS[function](data)

    before, processor, start = _peak(), _processor(), time.perf_counter()
    run()
    found = {"s": time.perf_counter() - start, "cpu": _processor() - processor, "mb": _peak() - before}
    more()
    print(json.dumps({**found, "all": _processor() - processor}), flush=True)


def measured(function: str, source: str, place: Place, *, hand: bool) -> dict[str, float] | str:
    """Measure in a process of its own; return why there is no measurement where there is none."""
    command = [
        sys.executable,
        __file__,
        "--one",
        function,
        source,
        str(place.rows),
        "--folder",
        str(place.store.parent),
    ]
    try:
        done = subprocess.run(
            [*command, *(["--hand"] if hand else [])], capture_output=True, text=True, check=False, timeout=_LONGEST_S
        )
        if done.returncode == 0:
            found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
            return found
    except subprocess.TimeoutExpired:
        return f"longer than {_LONGEST_S // 60} min"
    except (ValueError, IndexError):
        return "failed: it printed no measurement"
    print(done.stderr[-1_000:], file=sys.stderr, flush=True)
    if done.returncode < 0:
        return f"killed by signal {-done.returncode}: most likely there was not enough memory"
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return f"failed: {last[:90].replace('|', '/')}"


def row(function: str, source: str, place: Place) -> tuple[str, float]:
    """Return a line of the table, and our seconds of processor time."""
    mine = measured(function, source, place, hand=False)
    if isinstance(mine, str):
        return f"| `{function}` | {source} | {mine} | | | | | | |", math.nan
    told = f"{mine['s']:.2f} | {mine['cpu']:.2f} | {mine['mb']:,.0f}"
    there = function in BY_HAND if source in ("Store", "DuckDB") else function in KEYS
    hand = measured(function, source, place, hand=True) if there else ""
    if isinstance(hand, str):
        return f"| `{function}` | {source} | {told} | {hand} | | | |", mine["cpu"]
    one_count = f"{hand['cpu']:.2f} | {mine['cpu'] / max(hand['cpu'], 0.001):.1f}"
    all_of_it = f"{hand['all']:.2f} | {mine['cpu'] / max(hand['all'], 0.001):.1f}"
    if source == "pandas":
        all_of_it = " | "
    return f"| `{function}` | {source} | {told} | {one_count} | {all_of_it} |", mine["cpu"]


def table(place: Place, functions: list[str], sources: list[str]) -> dict[tuple[str, str], float]:
    """Print the table of one size; return the seconds of processor time."""
    print(f"\n### {place.rows:,} messages\n\n{place.on_disk()}.", flush=True)
    if "pandas" in sources and place.rows > _LARGEST_FRAME:
        sources = [source for source in sources if source != "pandas"]
        print(
            f"pandas is left out: a frame of more than {_LARGEST_FRAME:,} messages does not fit into memory beside its results."
        )
    print("\n| function | source | s | processor s | MB | one count by hand | times | all of it by hand | times |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    seconds = {}
    for function in functions:
        for source in sources:
            line, seconds[function, source] = row(function, source, place)
            print(line, flush=True)
    return seconds


def slopes(found: dict[int, dict[tuple[str, str], float]]) -> None:
    """Print how the processor time grows with the rows: the exponent between the least and the greatest size, and the cost of more."""
    print(
        "\n### How the cost grows\n\n| function | source | from | to | exponent | s a million more |\n|---|---|---:|---:|---:|---:|"
    )
    for key in dict.fromkeys(key for size in found.values() for key in size):
        known = {rows: size[key] for rows, size in found.items() if not math.isnan(size.get(key, math.nan))}
        if len(known) < 2:
            continue
        small, large = min(known), max(known)
        before, after = known[small], known[large]
        exponent = math.log(max(after, 1e-9) / max(before, 1e-9)) / math.log(large / small)
        more = (after - before) / (large - small) * 1e6
        print(f"| `{key[0]}` | {key[1]} | {small:,} | {large:,} | {exponent:.2f} | {more:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="+", default=list(FUNCTIONS), choices=list(FUNCTIONS))
    parser.add_argument("--sources", nargs="+", default=list(SOURCES), choices=SOURCES)
    parser.add_argument("--one", nargs=3)
    parser.add_argument("--hand", action="store_true")
    args = parser.parse_args()
    if args.one:
        function, source, rows = args.one
        one(function, source, Place(args.folder, int(rows)), hand=args.hand)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        machine = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"
        print(f"{datetime.now(UTC):%Y-%m-%d}, {machine}.")
        found = {}
        for rows in sorted(args.rows):
            try:
                place = Place(folder, rows).made()
            except Exception as error:  # noqa: BLE001 - such as a full disk: the other sizes are measured
                print(f"\n### {rows:,} messages\n\nThe data could not be made: {error}", flush=True)
                continue
            found[rows] = table(place, args.only, args.sources)
        if len(found) > 1:
            slopes(found)


if __name__ == "__main__":
    main()
