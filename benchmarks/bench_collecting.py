"""Draining reports from the simulator into the store: how fast, how much memory, and what a page costs in a large store.

Run it as ``python benchmarks/bench_collecting.py [--reports N] [--messages N]``. The platform, the collector and the baselines
each have a process of their own, one at work at a time. Reported are

- reports a second from the first poll to the last commit, for N reports of N sent messages, the pace switched off (40,000 is
  asked for: two hundred times what the platform hands out), as a share of two baselines that write the same rows into the
  same table with the same index in the same run: bare ``executemany`` of prepared tuples, a commit every 1,000, and
  sqlite-utils ``insert_all``;
- the peak of resident memory while draining half of N (at most 100,000), and N (flat is asked for; SQLite's own page cache
  takes its 64 MB in either);
- the cost of the same page of 1,000 reports into a store of 20,000 messages and into one of M messages (at most twice is asked
  for), for messages of our own and for those of another system.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlite_utils

import masanalytics as mas
from masanalytics.protocol import PollAnswer
from masanalytics.simulator.behaviour import Draw, Fates
from masanalytics.timezone import to_platform_time

CODES = ("DELIVRD", "MK:0001", "MI:0024", "ID:0076", "CB:0053", "DB:0141", "EXPIRED")
COLUMNS = (
    "poll_id", "message_id", "report_status_id", "error_code_id", "submitted_at", "received_at", "submit_date", "receive_date",
)  # fmt: skip
PAGES = 20
PAGE = 1_000


class Mixed:
    """Nine in ten are delivered, the others fail with one of several codes; all is reported after a second or two."""

    def draw(self, batch: Draw) -> Fates:
        """Return the fate of each message of `batch`."""
        code = np.where(batch.phones % 10 == 0, 1 + batch.phones // 10 % (len(CODES) - 1), 0)
        return Fates(CODES, code, 1.0 + batch.phones % 2, np.zeros(len(code)))


# ---- processes ---------------------------------------------------------------------------------------------------------


def run_here(work: str, **job: Any) -> Any:
    """Run one of the functions below in a process of its own and return what it returns."""
    command = [sys.executable, __file__, "--work", work, "--job", json.dumps(job)]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(answer.splitlines()[-1])


@contextlib.contextmanager
def platform() -> Iterator[dict[str, str]]:
    """Run a platform in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--work", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def serve() -> None:
    with mas.Simulator(https=False, poll_interval=0, keep_ledger=False, behaviour=Mixed()) as sim:
        print(json.dumps(sim.settings()), flush=True)
        sys.stdin.read()


def client_of(settings: dict[str, str]) -> mas.Client:
    account = mas.Account(
        settings["MAS_URL"], settings["MAS_EC_NAME"], settings["MAS_AP_ID"], settings["MAS_SECRET_KEY"],
        sign=settings["MAS_SIGN"], poll_interval=0.0,
    )  # fmt: skip
    return mas.Client(account)


def memory(name: str) -> float:
    """Return ``VmRSS`` (now) or ``VmHWM`` (the most so far) in MB."""
    found = re.search(name + r":\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else float("nan")


# ---- draining ----------------------------------------------------------------------------------------------------------


def send(path: str, settings: dict[str, str], size: int) -> int:
    numbers = pd.Series(range(size)).astype(str).str.zfill(8)
    with mas.Store(path) as store, client_of(settings) as client:
        plan = mas.plan(pd.DataFrame({"phone": "139" + numbers}), phone="phone", text="您好", campaign="c", store=store)
        return mas.send(plan, client, store, progress=False).accepted


def drain(path: str, settings: dict[str, str]) -> dict[str, float]:
    with mas.Store(path) as store, client_of(settings) as client:
        collector = mas.Collector(client, store, say=lambda _text: None)
        before = memory("VmRSS")
        began, busy = time.perf_counter(), time.process_time()
        collected = collector.drain()
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
        collector.stop()
        peak = memory("VmHWM")
    return {"reports": collected.reports, "seconds": seconds, "busy": busy, "before": before, "peak": peak}


def baselines(path: str) -> dict[str, float]:
    """Write the rows that were collected into an empty copy of their table, twice."""
    with contextlib.closing(sqlite3.connect(path)) as source:
        rows = source.execute(f"SELECT {', '.join(COLUMNS)} FROM reports ORDER BY report_id").fetchall()
        kept = source.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'reports' AND sql IS NOT NULL").fetchall()
    found = {}
    for name in ("executemany", "insert_all"):
        with tempfile.TemporaryDirectory(dir=Path(path).parent) as folder:
            conn = sqlite3.connect(Path(folder) / "bare.db")
            conn.execute("PRAGMA journal_mode=WAL")
            conn.execute("PRAGMA synchronous=NORMAL")
            for (statement,) in kept:
                conn.execute(statement)
            found[name] = len(rows) / _write(conn, rows, name)
            conn.close()
    return found


def _write(conn: sqlite3.Connection, rows: list[tuple[Any, ...]], name: str) -> float:
    if name == "executemany":
        insert = f"INSERT INTO reports ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
        began = time.perf_counter()
        for start in range(0, len(rows), PAGE):
            with conn:
                conn.executemany(insert, rows[start : start + PAGE])
        return time.perf_counter() - began
    table = sqlite_utils.Database(conn).table("reports")
    began = time.perf_counter()
    table.insert_all((dict(zip(COLUMNS, row, strict=True)) for row in rows), batch_size=PAGE)
    return time.perf_counter() - began


def measure_draining(size: int) -> None:
    peaks = {}
    small = min(size // 2, 100_000)
    for count in (small, size):
        with tempfile.TemporaryDirectory() as folder, platform() as settings:
            path = str(Path(folder) / "mas.db")
            sent = run_here("send", path=path, settings=settings, size=count)
            time.sleep(2.5)
            found = run_here("drain", path=path, settings=settings)
            if not sent == found["reports"] == count:
                raise SystemExit(f"sent {sent:,} messages, collected {found['reports']:,} reports")
            rate = count / found["seconds"]
            peaks[count] = found["peak"]
            print(f"\n{count:,} reports of {count:,} messages: {found['seconds']:.1f} s, {rate:,.0f} reports/s")
            print(f"  {found['busy'] / found['seconds']:.0%} of the time at work in the collector's own process")
            for name, bare in run_here("baselines", path=path).items():
                print(f"  {rate / bare:.2f} of bare {name} of the same rows ({bare:,.0f} rows/s)")
            print(f"  resident memory: {found['before']:.0f} MB before, {found['peak']:.0f} MB at most")
    print(f"\npeak memory for {size:,} ÷ for {small:,} reports: {peaks[size] / peaks[small]:.2f}")


# ---- what a page costs -------------------------------------------------------------------------------------------------


def page_cost(path: str, messages: int) -> dict[str, float]:
    """Fill a store with so many messages and return milliseconds a page, for our own messages and for others'."""
    with mas.Store(path) as store:
        groups = _fill(store, messages)
        found = {}
        for kind, prefix in (("own", "139"), ("another system's", "137")):
            times = []
            for place in range(PAGES):
                group = groups[place * (len(groups) - 1) // (PAGES - 1)] if kind == "own" else (90 + place, f"f{place}")
                phones = [_phone(group[0] * PAGE + n, prefix) for n in range(PAGE)]
                times.append(_take_page(store, phones, group[1]))
            found[kind] = statistics.median(times) * 1000
    return found


def _phone(number: int, prefix: str) -> str:
    """Return the n-th of ten million different numbers in no order."""
    return f"{prefix}{number * 7_654_321 % 100_000_000:08d}"


def _fill(store: mas.Store, messages: int) -> list[tuple[int, str]]:
    """Write batches of a page each as if they had been sent; return (number, msgGroup) of each."""
    now = int(time.time())
    stamp = to_platform_time(now)[4:]
    groups = [(number, f"{stamp}{number:012d}") for number in range(messages // PAGE)]
    with store.db.conn as conn:
        indexes = conn.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE 'messages_once%'").fetchall()
        for name, _ in indexes:  # built at the end: a hundred times quicker
            conn.execute(f"DROP INDEX {name}")
        conn.execute("INSERT INTO accounts VALUES (1, 'a')")
        conn.execute("INSERT INTO campaigns VALUES (1, 'c')")
        conn.executemany(
            "INSERT INTO batches (batch_id, campaign_id, account_id, mode, state, msg_group, content, messages, requested_at,"
            f" answered_at) VALUES (?, 1, 1, 'many_to_one', 'accepted', ?, '您好', {PAGE}, {now}, {now})",
            ((number + 1, group) for number, group in groups),
        )
        conn.executemany(
            "INSERT INTO messages (batch_id, campaign_id, account_id, phone, carrier_id, segments, status_id, submitted_at)"
            f" VALUES (?, 1, 1, ?, 0, 1, 4, {now})",
            ((n // PAGE + 1, _phone(n, "139")) for n in range(len(groups) * PAGE)),
        )
        for _, statement in indexes:
            conn.execute(statement)
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return groups


def _take_page(store: mas.Store, phones: list[str], group: str) -> float:
    """Return the seconds from a raw answer to its outcomes, commits included."""
    stamp = to_platform_time(store.clock.now())
    rows = [
        {"reportStatus": "DELIVRD", "mobile": phone, "submitDate": stamp, "receiveDate": stamp, "errorCode": "",
         "msgGroup": group} for phone in phones
    ]  # fmt: skip
    raw = json.dumps(rows).encode()
    began = time.perf_counter()
    turn = store.intake.take_turn("a", "report", 0.0, store.clock, "bench")
    now = int(store.clock.now())
    answer = PollAnswer("report", raw, 200, True, now, now)
    store.intake.keep_answer("a", turn.poll_id, answer, store.clock)
    received = store.intake.ingest(turn.poll_id, answer)
    if received.reports != len(phones):
        raise SystemExit(f"a page brought {received}")
    return time.perf_counter() - began


def measure_pages(messages: int) -> None:
    found = {}
    for size in (PAGES * PAGE, messages):
        with tempfile.TemporaryDirectory() as folder:
            found[size] = run_here("page_cost", path=str(Path(folder) / "mas.db"), messages=size)
    print(f"\nthe same page of {PAGE:,} reports into a store of {PAGES * PAGE:,} messages and into one of {messages:,}")
    for kind, small in found[PAGES * PAGE].items():
        large = found[messages][kind]
        print(f"  {kind + ' messages':26s} {small:6.1f} ms and {large:6.1f} ms: {large / small:.2f} times")


WORK = {"serve": serve, "send": send, "drain": drain, "baselines": baselines, "page_cost": page_cost}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=200_000, help="reports to drain (the whole measure: 1,000,000)")
    parser.add_argument("--messages", type=int, default=1_000_000, help="size of the large store (whole: 10,000,000)")
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--job", type=json.loads, default={}, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        print(json.dumps(WORK[asked.work](**asked.job)))
    else:
        measure_draining(asked.reports)
        measure_pages(asked.messages)
