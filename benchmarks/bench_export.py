"""Exporting to Parquet: rows a second, masked and hashed, what an unchanged store costs, and the peak of memory.

Run ``python benchmarks/bench_export.py [--rows 1000000 5000000] [--archive]``. The store has four accounts and a year of batches of 2,000. Each
measurement runs in a process of its own; memory is the peak over that of the imports. Asked for are 300,000 rows a second on two
cores, masked too, and a twentieth of that time where nothing has changed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

END = 1_772_323_200
SPAN = 360 * 86_400
ACCOUNTS, CAMPAIGNS, CODES, BATCH = 4, 40, 60, 2_000
_MESSAGES = (
    "INSERT INTO messages (batch_id, campaign_id, account_id, phone, carrier_id, segments, status_id, submitted_at, received_at,"
    " error_code_id, report_status_id, reports, round_id) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)"
)


def build(path: Path, rows: int) -> None:
    """Fill a store with so many messages, batch by batch, as they would have been sent in a year."""
    import masanalytics as mas

    rng = np.random.default_rng(1)
    with mas.Store(path) as store:
        conn = store.db.conn
        conn.executemany("INSERT INTO accounts VALUES (?, ?)", [(i, f"企业/ap{i}") for i in range(1, ACCOUNTS + 1)])
        conn.executemany("INSERT INTO campaigns VALUES (?, ?)", [(i, f"活动 {i}") for i in range(1, CAMPAIGNS + 1)])
        conn.executemany(
            "INSERT INTO rounds (round_id, campaign_id, round) VALUES (?, ?, '')",
            [(i, i) for i in range(1, CAMPAIGNS + 1)],
        )
        codes = [(1, "DELIVRD"), (2, ""), *((i, f"MK:{i:04d}") for i in range(3, CODES))]
        conn.executemany("INSERT INTO codes VALUES (?, ?)", codes)
        batches = -(-rows // BATCH)
        for number in range(batches):
            at, campaign = END - SPAN + SPAN * number // batches, 1 + number * CAMPAIGNS // batches
            _add_batch(
                conn, number, at, campaign, int(rng.integers(1, ACCOUNTS + 1)), min(BATCH, rows - number * BATCH), rng
            )
        conn.executemany(
            "INSERT INTO coverage VALUES (?, ?, ?)", [(i, END - SPAN, END) for i in range(1, ACCOUNTS + 1)]
        )
        conn.commit()


def _add_batch(
    conn: Any, number: int, at: int, campaign: int, account: int, size: int, rng: np.random.Generator
) -> None:
    conn.execute(
        "INSERT INTO batches (batch_id, campaign_id, account_id, mode, state, msg_group, content, messages, requested_at, round_id)"
        " VALUES (?, ?, ?, 'many_to_one', 'accepted', ?, ?, ?, ?, ?)",
        [number + 1, campaign, account, f"{number:022d}", f"尊敬的客户，活动 {number} 开始", size, at, campaign],
    )
    submitted = at + np.arange(size) // 200
    status = rng.choice([5, 6, 4], size, p=[0.94, 0.045, 0.015])
    received = np.where(status == 4, None, submitted + np.ceil(np.exp(rng.normal(2, 1.5, size))).astype(int))
    code = np.where(status == 6, rng.integers(3, CODES, size), None)
    report = np.where(status == 5, 1, code)
    phones = [f"139{number * BATCH + place:08d}" for place in range(size)]
    carriers = rng.choice(4, size, p=[0.6, 0.2, 0.15, 0.05]).tolist()
    conn.executemany(
        _MESSAGES,
        zip(
            [number + 1] * size, [campaign] * size, [account] * size, phones, carriers, status.tolist(), submitted.tolist(),
            received.tolist(), code.tolist(), report.tolist(), (status != 4).astype(int).tolist(), [campaign] * size, strict=True,
        ),
    )  # fmt: skip


def measured(path: str, folder: str, options: dict[str, Any]) -> dict[str, float]:
    """Export once and again, in this process; return the seconds (and those of the processor) and the peak of memory."""
    import pyarrow.parquet  # noqa: F401

    import masanalytics as mas

    with mas.Store(path) as store:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = {}
        for name in ("whole", "unchanged"):
            wall, cpu = time.perf_counter(), time.process_time()
            store.export_parquet(folder, **options)
            found[name], found[f"{name}_cpu"] = time.perf_counter() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**found, "peak_mb": (peak - before) / 1024}


def archived(path: str, folder: str) -> dict[str, float]:
    """Archive all months but the last in this process; return the seconds of the processor, sizes, and those of a rate before and after."""
    import masanalytics as mas

    def rate(data: Any) -> float:
        begun = time.process_time()
        mas.delivery_rates(data, by="campaign", history=None)
        return time.process_time() - begun

    with mas.Store(path) as store:
        size, before = Path(path).stat().st_size, rate(store)
        begun = time.process_time()
        done = store.archive(END - 31 * 86_400, folder)
        spent = time.process_time() - begun
        store.db.vacuum()
        after = rate(mas.Archive(folder, store))
        return {"messages": done.messages, "cpu": spent, "size_mb": size / 1e6, "left_mb": Path(path).stat().st_size / 1e6,
                "rate_before": before, "rate_after": after}  # fmt: skip


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--archive", action="store_true", help="archive the store, and say what that costs")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(*json.loads(asked.one))))
        return
    if asked.archive:
        for rows in asked.rows:
            with tempfile.TemporaryDirectory() as place:
                build(Path(place) / "store.db", rows)
                print(
                    rows, json.dumps(archived(str(Path(place) / "store.db"), str(Path(place) / "archive"))), flush=True
                )
        return
    styles: dict[str, dict[str, Any]] = {
        "masked": {}, "whole": {"reveal": True}, "hashed": {"phones": "hashed", "key": "drawn by chance 1"},
    }  # fmt: skip
    print("| rows | numbers | s | s of processor | rows a second | unchanged, s | MB of memory | bytes a row |")
    print("|---|---|---|---|---|---|---|---|")
    for rows in asked.rows:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "store.db"
            build(path, rows)
            for name, options in styles.items():
                folder = Path(place) / name
                job = json.dumps([str(path), str(folder), options])
                command = [sys.executable, __file__, "--one", job]
                one = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                size = sum(file.stat().st_size for file in folder.rglob("*.parquet")) / rows
                print(
                    f"| {rows:,} | {name} | {one['whole']:.1f} | {one['whole_cpu']:.1f} | {rows / one['whole']:,.0f} |"
                    f" {one['unchanged']:.3f} | {one['peak_mb']:.0f} | {size:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
