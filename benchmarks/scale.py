"""Every function of the analysis, as a user calls it, beside what one would write by hand, at sizes from a million messages on.

Run ``python benchmarks/scale.py`` (1 and 5 million), or with ``--rows 1000000 5000000 10000000 50000000``; ``--folder`` keeps the
data, ``--only`` names functions, ``--sources`` the sources. A table in Markdown comes out. Each measurement runs in a process of its
own, once: what an earlier call would have left in memory does not help. Imports are not measured. Memory is the growth of its peak over that of
the imports (and of the frame, for pandas). By hand is measured in seconds of the processor, twice: the one count that an answer needs at
least, and all that the call answers.
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
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scale_data import build

SOURCES = ("Store", "DuckDB", "polars", "pandas")
_SECONDS = "CASE WHEN status = 'pending' THEN waited_s ELSE latency_s END"
_OF_STORE = "CASE status_id WHEN 4 THEN {end} - submitted_at ELSE received_at - submitted_at END"

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
    "number_health": lambda data: _mas().number_health(data),
    "number_health(phones=)": lambda data: _mas().number_health(data, phones=["13007919399"]),
    "suppression_value": lambda data: _mas().suppression_value(data, 0.05),
    "write_report": lambda data: _mas().write_report(data, Path(tempfile.mkdtemp()) / "report.html"),
}
"""What a user calls, with the arguments that have no default."""

BY_HAND: dict[str, tuple[str, str]] = {
    "delivery_rates": (
        f"SELECT status, {_SECONDS} AS seconds, count(*) AS n FROM messages GROUP BY 1, 2",
        f"SELECT status_id, {_OF_STORE} AS seconds, count(*) AS n FROM messages GROUP BY 1, 2",
    ),
    "error_codes": (
        "SELECT error_code, count(*) AS n FROM messages WHERE status = 'failed' GROUP BY 1",
        "SELECT error_code_id, count(*) AS n FROM messages WHERE status_id = 6 GROUP BY 1",
    ),
    "latency": (
        "SELECT quantile_disc(latency_s, [0.5, 0.9, 0.95, 0.99]), max(latency_s) FROM messages WHERE status = 'delivered'",
        "SELECT received_at - submitted_at AS s, count(*) AS n FROM messages WHERE status_id = 5 GROUP BY 1",
    ),
    "timeline": (
        "SELECT time_bucket(INTERVAL 1 hour, submitted_at) AS t, count(*), count(*) FILTER (status = 'delivered'),"
        " quantile_disc(latency_s, [0.5, 0.9]) FILTER (status = 'delivered') FROM messages GROUP BY 1",
        "SELECT submitted_at / 3600 AS t, status_id, received_at - submitted_at AS s, count(*) FROM messages GROUP BY 1, 2, 3",
    ),
    "compare": (
        "SELECT carrier, status, waited_s, latency_s, count(*) FROM messages WHERE carrier IN ('China Mobile', 'China Unicom')"
        " GROUP BY 1, 2, 3, 4",
        "SELECT carrier_id, status_id, received_at - submitted_at AS s, count(*) FROM messages WHERE carrier_id IN (1, 2)"
        " GROUP BY 1, 2, 3",
    ),
    "explain_change": (
        "SELECT submitted_at >= TIMESTAMPTZ '2026-02-01 00:00+08' AS after, carrier, province, status, error_code, count(*)"
        " FROM messages GROUP BY 1, 2, 3, 4, 5",
        "SELECT submitted_at >= 1769875200 AS after, carrier_id, region_id, status_id, error_code_id, count(*) FROM messages"
        " GROUP BY 1, 2, 3, 4, 5",
    ),
    "costs": (
        "SELECT status, error_code, sum(segments) * 0.05 FROM messages GROUP BY 1, 2",
        "SELECT status_id, error_code_id, sum(segments) * 0.05 FROM messages GROUP BY 1, 2",
    ),
    "anomalies": (
        "SELECT time_bucket(INTERVAL 1 hour, submitted_at) AS t, status, error_code, latency_s, count(*) FROM messages"
        " GROUP BY 1, 2, 3, 4",
        "SELECT submitted_at / 3600 AS t, status_id, error_code_id, received_at - submitted_at AS s, count(*) FROM messages"
        " GROUP BY 1, 2, 3, 4",
    ),
    "funnel": (
        "SELECT status, count(*) FROM messages GROUP BY 1",
        "SELECT status_id, count(*) FROM messages GROUP BY 1",
    ),
    "number_health": (
        "WITH m AS (SELECT *, max(CASE WHEN status = 'delivered' THEN submitted_at END) OVER (PARTITION BY phone) AS seen"
        " FROM messages) SELECT phone, count(*), count(*) FILTER (status = 'delivered'), count(*) FILTER (status = 'failed'),"
        " count(*) FILTER (status = 'failed' AND (seen IS NULL OR submitted_at > seen)), max(submitted_at), max(received_at),"
        " arg_max(error_code, submitted_at) FILTER (status = 'failed') FROM m GROUP BY phone",
        "WITH m AS (SELECT phone, status_id, submitted_at, received_at, max(CASE WHEN status_id = 5 THEN submitted_at END)"
        " OVER (PARTITION BY phone) AS seen FROM messages) SELECT phone, count(*), sum(status_id = 5), sum(status_id = 6),"
        " sum(status_id = 6 AND (seen IS NULL OR submitted_at > seen)), max(submitted_at), max(received_at) FROM m GROUP BY phone",
    ),
    "number_health(phones=)": (
        "SELECT * FROM messages WHERE phone = '13007919399'",
        "SELECT * FROM messages WHERE phone = '13007919399'",
    ),
}
"""The one grouped count that the answer needs at least, in the SQL of DuckDB and of SQLite; no interval, no forecast."""

_DAY = "(epoch(submitted_at) + 28800) // 86400"
_EVERY_RESULT = [
    ("SELECT max(submitted_at + to_seconds(waited_s)) FROM messages WHERE waited_s > 0", None),
    ("SELECT count(message_id) - count(DISTINCT message_id) FROM messages", None),
]
"""As of when it is, and whether a message is there twice: every result says both. A Store knows."""
_CLUSTERS = (
    f"SELECT campaign, {_DAY}, batch_id, status, count(*) FROM messages GROUP BY 1, 2, 3, 4",
    "SELECT campaign_id, (submitted_at + 28800) / 86400, batch_id, status_id, count(*) FROM messages GROUP BY 1, 2, 3, 4",
)
_HISTORY = (
    "SELECT campaign, (epoch(submitted_at) + 28800) // 3600, template_id, segments, carrier, status, latency_s, count(*) FROM messages"
    " WHERE waited_s >= 259200 AND submitted_at >= TIMESTAMPTZ '2026-01-29 08:00+08' GROUP BY 1, 2, 3, 4, 5, 6, 7",
    "SELECT campaign_id, (submitted_at + 28800) / 3600, segments, carrier_id, status_id, received_at - submitted_at, count(*)"
    " FROM messages WHERE submitted_at BETWEEN {end} - 31 * 86400 AND {end} - 259200 GROUP BY 1, 2, 3, 4, 5, 6",
)
ALL_BY_HAND: dict[str, Sequence[tuple[str, str | None]]] = {
    **dict.fromkeys(
        ("error_codes", "latency", "costs", "anomalies", "funnel", "number_health", "number_health(phones=)"),
        _EVERY_RESULT,
    ),
    "delivery_rates": [*_EVERY_RESULT, _CLUSTERS, _HISTORY],
    "timeline": [*_EVERY_RESULT, _CLUSTERS],
    "compare": [*_EVERY_RESULT, _CLUSTERS],
    "explain_change": [*_EVERY_RESULT, _CLUSTERS],
}
"""What else the call answers by default: batches and days that fail together, the history of the forecast."""


def _mas() -> Any:
    import masanalytics

    return masanalytics


def _analysis() -> Any:
    from masanalytics import analysis

    return analysis


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
                store.export_parquet(self.parquet, phones="whole")
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
    if source == "DuckDB":
        import duckdb

        return duckdb.read_parquet(place.glob)
    if source == "polars":
        import polars as pl

        return pl.scan_parquet(place.glob)
    import pandas as pd

    return pd.read_parquet(place.parquet, partitioning=None)


def by_hand(function: str, source: str, place: Place) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return what somebody would have written instead: the one count, and all else that the call answers."""
    query, of_store = BY_HAND[function]
    more = ALL_BY_HAND.get(function, [])
    if source == "Store":
        import sqlite3

        connection = sqlite3.connect(place.store)
        (end,) = connection.execute("SELECT max(ended_at) FROM coverage").fetchone()

        def asked(sql: str) -> list[Any]:
            return connection.execute(sql.format(end=end)).fetchall()

        return lambda: asked(of_store), lambda: [asked(sql) for _, sql in more if sql is not None]
    if source == "DuckDB":
        import duckdb

        duckdb.sql(f"CREATE VIEW messages AS SELECT * FROM read_parquet('{place.glob}')")
        ask: Any = duckdb.sql
        return lambda: ask(query).df(), lambda: [ask(sql).df() for sql, _ in more]
    keys = {"delivery_rates": ["status", "seconds"], "error_codes": ["error_code"], "funnel": ["status"]}[function]
    if source == "polars":
        return by_polars(keys, place)
    frame = ours("pandas", place)

    def grouped() -> Any:
        seconds = frame["latency_s"].where(frame["status"] != "pending", frame["waited_s"])
        return frame.assign(seconds=seconds).groupby(keys, dropna=False).size()

    return grouped, lambda: None


def by_polars(keys: list[str], place: Place) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return the same for polars."""
    import polars as pl

    epoch, status = pl.col("submitted_at").dt.epoch("s"), pl.col("status")
    seconds = pl.when(status == "pending").then(pl.col("waited_s")).otherwise(pl.col("latency_s"))
    scan = pl.scan_parquet(place.glob).with_columns(
        seconds=seconds, day=(epoch + 28_800) // 86_400, hour=(epoch + 28_800) // 3600
    )
    end = 1_772_323_200
    more = [
        scan.filter(pl.col("waited_s") > 0).select((epoch + pl.col("waited_s")).max()),
        scan.select(pl.col("message_id").n_unique()),
    ]
    if "seconds" in keys:
        matured = scan.filter((pl.col("waited_s") >= 259_200) & (epoch >= end - 31 * 86_400))
        units = ["campaign", "hour", "template_id", "segments", "carrier", "status", "latency_s"]
        more += [scan.group_by("campaign", "day", "batch_id", "status").len(), matured.group_by(units).len()]
    return lambda: scan.group_by(keys).len().collect(), lambda: [one.collect() for one in more]


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(function: str, source: str, place: Place, *, hand: bool) -> None:
    """Measure once, and print it as JSON."""
    import pandas as pd

    _mas().delivery_rates(pd.DataFrame({"status": ["delivered"], "latency_s": [1.0], "waited_s": [60.0]}))
    more: Callable[[], Any] = lambda: None  # noqa: E731
    if hand:
        run, more = by_hand(function, source, place)
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


def measured(function: str, source: str, place: Place, *, hand: bool) -> dict[str, float] | None:
    """Measure in a process of its own."""
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
    done = subprocess.run([*command, *(["--hand"] if hand else [])], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def row(function: str, source: str, place: Place) -> tuple[str, float]:
    """Return a line of the table, and our seconds of processor time."""
    mine = measured(function, source, place, hand=False)
    there = function in BY_HAND and (
        source in ("Store", "DuckDB") or function in ("delivery_rates", "error_codes", "funnel")
    )
    hand = measured(function, source, place, hand=True) if there else None
    if mine is None:
        return f"| `{function}` | {source} | failed | | | | | | |", math.nan
    told = f"{mine['s']:.2f} | {mine['cpu']:.2f} | {mine['mb']:,.0f}"
    if hand is None:
        return f"| `{function}` | {source} | {told} | | | | |", mine["cpu"]
    one_count = f"{hand['cpu']:.2f} | {mine['cpu'] / max(hand['cpu'], 0.001):.1f}"
    all_of_it = f"{hand['all']:.2f} | {mine['cpu'] / max(hand['all'], 0.001):.1f}"
    if source == "pandas":
        all_of_it = " | "
    return f"| `{function}` | {source} | {told} | {one_count} | {all_of_it} |", mine["cpu"]


def table(place: Place, functions: list[str], sources: list[str]) -> dict[tuple[str, str], float]:
    """Print the table of one size; return the seconds of processor time."""
    print(f"\n### {place.rows:,} messages\n\n{place.on_disk()}.\n")
    print("| function | source | s | processor s | MB | one count by hand | times | all of it by hand | times |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    seconds = {}
    for function in functions:
        for source in sources:
            line, seconds[function, source] = row(function, source, place)
            print(line, flush=True)
    return seconds


def slopes(found: dict[int, dict[tuple[str, str], float]]) -> None:
    """Print how the processor time grows with the rows: the exponent between the least and the greatest size, and the cost of more."""
    small, large = min(found), max(found)
    print(
        f"\n### From {small:,} to {large:,} messages\n\n| function | source | exponent | s a million more |\n|---|---|---:|---:|"
    )
    for key, before in found[small].items():
        after = found[large].get(key, math.nan)
        exponent = math.log(max(after, 1e-9) / max(before, 1e-9)) / math.log(large / small)
        print(f"| `{key[0]}` | {key[1]} | {exponent:.2f} | {(after - before) / (large - small) * 1e6:.2f} |")


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
        found = {rows: table(Place(folder, rows).made(), args.only, args.sources) for rows in sorted(args.rows)}
        if len(found) > 1:
            slopes(found)


if __name__ == "__main__":
    main()
