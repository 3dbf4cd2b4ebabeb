"""The analysis at scale, each against what one would write by hand, in the same run.

Run ``python benchmarks/bench_analysis.py`` (5,000,000 messages, some minutes), or with ``--rows 500000``. Each measurement
runs in a process of its own; memory is the growth of its peak over that of the imports.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

END = 1_772_323_200
CAMPAIGNS, CODES = 40, 60


def rows(n: int, seed: int = 1) -> Iterator[tuple[Any, ...]]:
    """Yield rows of the messages table: a month of campaigns, the last day of it still reporting."""
    rng = np.random.default_rng(seed)
    for start in range(0, n, 100_000):
        size = min(100_000, n - start)
        campaign = np.sort(rng.integers(1, CAMPAIGNS + 1, size))
        submitted = END - rng.integers(0, 30 * 86_400, size)
        latency = np.ceil(np.exp(rng.normal(2, 1.5, size))).astype(int)
        fate = rng.choice([5, 6, 4], size, p=[0.94, 0.045, 0.015])
        late = submitted + latency > END
        status = np.where(late, 4, fate)
        received = np.where(status == 4, None, submitted + latency)
        code = np.where(status == 6, rng.integers(1, CODES, size), None)
        phone = np.char.add("139", np.char.zfill((start + np.arange(size)).astype(str), 8))
        carrier = rng.choice(4, size, p=[0.6, 0.2, 0.15, 0.05])
        yield from zip(
            campaign.tolist(), campaign.tolist(), phone.tolist(), carrier.tolist(), status.tolist(),
            submitted.tolist(), received.tolist(), code.tolist(), strict=True,
        )  # fmt: skip


def build(path: Path, n: int) -> None:
    """Fill a store with `n` messages, past its indexes (no statistic reads them)."""
    import masanalytics as mas

    store = mas.Store(path)
    conn = store.db.conn
    for index in ("messages_once_a_batch", "messages_once_a_round"):
        conn.execute(f"DROP INDEX {index}")
    conn.execute("INSERT INTO accounts VALUES (1, 'ours')")
    conn.executemany("INSERT INTO campaigns VALUES (?, ?)", [(i, f"活动 {i}") for i in range(1, CAMPAIGNS + 1)])
    conn.executemany("INSERT INTO codes VALUES (?, ?)", [(i, f"MK:{i:04d}") for i in range(1, CODES)])
    conn.executemany(
        "INSERT INTO batches (batch_id, campaign_id, account_id, mode, state, messages) VALUES (?, ?, 1, 'many_to_one',"
        " 'accepted', 0)",
        [(i, i) for i in range(1, CAMPAIGNS + 1)],
    )
    conn.executemany(
        "INSERT INTO messages (batch_id, campaign_id, account_id, phone, carrier_id, segments, status_id, submitted_at,"
        " received_at, error_code_id) VALUES (?, ?, 1, ?, ?, 1, ?, ?, ?, ?)",
        rows(n),
    )
    conn.execute("INSERT INTO coverage VALUES (1, ?, ?)", [END - 30 * 86_400, END])
    conn.commit()
    store.close()


_READ = (
    "SELECT c.campaign, m.carrier, m.status, m.submitted_at, m.received_at - m.submitted_at AS latency_s"
    " FROM messages m LEFT JOIN campaigns c USING (campaign_id)"
)


def _read_sql(path: Path) -> Any:
    import sqlite3

    import pandas as pd

    return pd.read_sql(_READ, sqlite3.connect(path))


def store_rates(path: Path) -> Any:
    import masanalytics as mas

    return lambda: mas.delivery_rates(mas.Store(path), by=["campaign", "carrier"])


def store_rates_today(path: Path) -> Any:
    """Rates of the last day, much of it open: the store's own history is read for where they will end."""
    import pandas as pd

    import masanalytics as mas

    store = mas.Store(path)
    since = pd.Timestamp(END - 86_400, unit="s", tz="UTC")
    return lambda: mas.delivery_rates(store, by=["campaign", "carrier"], since=since)


def read_sql_rates(path: Path) -> Any:
    return lambda: _read_sql(path).groupby(["campaign", "carrier", "status"]).size().unstack()


def store_latency(path: Path) -> Any:
    import masanalytics as mas

    return lambda: mas.latency(mas.Store(path), by="hour")


def read_sql_latency(path: Path) -> Any:
    def run() -> Any:
        frame = _read_sql(path)
        frame = frame[frame["status"] == "delivered"]
        hour = (frame["submitted_at"] + 28_800) // 3600 % 24
        return frame.groupby(hour)["latency_s"].quantile([0.5, 0.9, 0.95, 0.99]).unstack()

    return run


def _frame(path: Path) -> Any:
    import pandas as pd

    frame = _read_sql(path)
    frame["waited_s"] = END - frame["submitted_at"]
    frame["submitted_at"] = pd.to_datetime(frame["submitted_at"], unit="s", utc=True).dt.tz_convert("Asia/Shanghai")
    return frame


def frame_rates(path: Path) -> Any:
    import masanalytics as mas

    frame = _frame(path)
    return lambda: mas.delivery_rates(frame, by=["campaign", "carrier"], history=None)


def groupby_rates(path: Path) -> Any:
    frame = _frame(path)
    keys = ["campaign", "carrier", "status", "latency_s"]
    return lambda: frame.groupby(keys, dropna=False, observed=True).size()


def groupby_status_only(path: Path) -> Any:
    frame = _frame(path)
    return lambda: frame.groupby(["campaign", "carrier", "status"], observed=True).size()


def _parquet(path: Path) -> str:
    folder = path.parent / "parquet"
    if not folder.exists():
        import masanalytics as mas

        mas.Store(path).export_parquet(folder)
    return str(folder / "*" / "*.parquet")


def duckdb_rates(path: Path) -> Any:
    import duckdb

    import masanalytics as mas

    files = _parquet(path)
    return lambda: mas.delivery_rates(duckdb.read_parquet(files), by=["campaign", "carrier"], history=None)


def duckdb_sql(path: Path) -> Any:
    import duckdb

    files = _parquet(path)
    sql = (
        "SELECT campaign, carrier, status, CASE WHEN status = 'pending' THEN waited_s ELSE latency_s END AS seconds,"
        f" count(*) AS n FROM read_parquet('{files}') GROUP BY ALL"
    )
    return lambda: duckdb.sql(sql).df()


CASES: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any]]] = {
    "Store: delivery_rates(by=[campaign, carrier]) / read_sql + groupby": (store_rates, read_sql_rates),
    "Store: delivery_rates(since=yesterday), with the history / read_sql + groupby": (
        store_rates_today,
        read_sql_rates,
    ),
    "Store: latency(by=hour) / read_sql + groupby": (store_latency, read_sql_latency),
    "DataFrame: delivery_rates / groupby of the same columns": (frame_rates, groupby_rates),
    "DataFrame: delivery_rates / groupby of status alone": (frame_rates, groupby_status_only),
    "DuckDB on Parquet: delivery_rates / SQL by hand": (duckdb_rates, duckdb_sql),
}


def measured(name: str, path: Path) -> dict[str, float]:
    """Run one function in a process of its own; return its seconds and the growth of its peak memory (MB)."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", name, "--path", str(path)], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _import_all() -> None:
    """Import what either side imports where it is used, so that neither pays for it in the measurement."""
    import pandas as pd

    import masanalytics as mas

    mas.delivery_rates(pd.DataFrame({"status": ["delivered"], "latency_s": [1.0], "waited_s": [60.0]}))


def one(name: str, path: Path) -> None:
    _import_all()
    run = globals()[name](path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for _ in range(1 if name.startswith("read_sql") else 3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(json.dumps({"seconds": min(times), "mb": grown}))


def scaling(path: Path, tenth: Path) -> None:
    """Print how time and memory grow when the rows grow tenfold."""
    for run in (store_rates, store_rates_today, store_latency):
        a, b = measured(run.__name__, path), measured(run.__name__, tenth)
        print(
            f"{run.__name__}, ten times the rows: {a['seconds'] / b['seconds']:.1f} x the time,"
            f" {a['mb']:.0f} MB / {b['mb']:.0f} MB",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--path", type=Path)
    parser.add_argument("--one")
    args = parser.parse_args()
    if args.one:
        one(args.one, args.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = args.path or Path(folder) / "store.db"
        if not path.exists():
            build(path, args.rows)
        tenth = path.with_name(f"tenth-{path.name}")
        if not tenth.exists():
            build(tenth, args.rows // 10)
        scaling(path, tenth)
        for label, (ours, by_hand) in CASES.items():
            a, b = measured(ours.__name__, path), measured(by_hand.__name__, path)
            print(
                f"{label}: {a['seconds']:.2f} s, {a['mb']:.0f} MB / {b['seconds']:.2f} s, {b['mb']:.0f} MB"
                f" = {a['seconds'] / b['seconds']:.2f} x the time, {a['mb'] / max(b['mb'], 1):.2f} x the memory",
                flush=True,
            )


if __name__ == "__main__":
    main()
