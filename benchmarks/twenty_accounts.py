"""Twenty accounts at the platform's limit on one machine: the processor, the memory and the disk that collecting takes.

Run ``python benchmarks/twenty_accounts.py [--accounts N] [--seconds S]``. The simulated platform hands out what the interface does at most, a
thousand reports in five seconds for each account. Each account has a store and a collector of its own, a process each, which runs at
the real pace; the platform is a process too, and not counted. The messages are sent before, as fast as it goes, so that there is always
another thousand. Sizes are those of SQLite's pages, by `dbstat`, for each message and its report.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
from bench_collecting import Mixed, memory

import masanalytics as mas
from masanalytics.simulator.settings import PlatformAccount

_PAGE, _INTERVAL_S = 1_000, 5
_TABLES = {
    "messages": "messages%", "reports": "reports%", "raw answers": "polls%",
}  # fmt: skip


def serve(count: int) -> None:
    """Run the platform until nobody listens any more."""
    accounts = [PlatformAccount(ap_id=f"ap{number:02d}") for number in range(count)]
    with mas.Simulator(https=False, keep_ledger=False, behaviour=Mixed(), accounts=accounts) as sim:
        print(json.dumps(sim.settings()), flush=True)
        sys.stdin.read()


def client_of(settings: dict[str, str], number: int) -> mas.Client:
    """Return the client of one of the accounts."""
    account = mas.Account(
        settings["MAS_URL"], settings["MAS_EC_NAME"], f"ap{number:02d}", settings["MAS_SECRET_KEY"], sign=settings["MAS_SIGN"]
    )  # fmt: skip
    return mas.Client(account)


def send(folder: Path, settings: dict[str, str], number: int, messages: int) -> float:
    """Send one account's messages; return the seconds of the processor."""
    phones = "139" + pd.Series(range(messages)).astype(str).str.zfill(8)
    began = time.process_time()
    with mas.Store(folder / f"{number:02d}.db") as store, client_of(settings, number) as client:
        plan = mas.plan(pd.DataFrame({"phone": phones}), phone="phone", text="您好", campaign="c", store=store)
        mas.send(plan, client, store, progress=False)
    return time.process_time() - began


def collect(folder: Path, settings: dict[str, str], number: int, messages: int) -> None:
    """Collect one account's reports at the real pace, and print what it took as JSON."""
    with mas.Store(folder / f"{number:02d}.db") as store, client_of(settings, number) as client:
        collector = mas.Collector(client, store, say=lambda _text: None)
        began, busy = time.perf_counter(), time.process_time()
        reports = 0
        while reports < messages:
            reports += collector.drain().reports
        found = {"seconds": time.perf_counter() - began, "busy": time.process_time() - busy, "peak": memory("VmHWM")}
        collector.stop()
    print(json.dumps(found), flush=True)


def bytes_a_message(path: Path, messages: int) -> dict[str, float]:
    """Return how many bytes of the file a message and its report take, by what is kept."""
    with closing(sqlite3.connect(path)) as conn:
        pages = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name LIKE ?"
        sizes = {what: conn.execute(pages, [names]).fetchone()[0] for what, names in _TABLES.items()}
        sizes["all"] = conn.execute("SELECT sum(pgsize) FROM dbstat").fetchone()[0]
    return {what: size / messages for what, size in sizes.items()}


def run(accounts: int, seconds: int, folder: Path) -> None:
    """Send, collect and print a table."""
    messages = seconds // _INTERVAL_S * _PAGE
    with subprocess.Popen(
        [sys.executable, __file__, "--serve", str(accounts)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as platform:
        assert platform.stdout is not None
        assert platform.stdin is not None
        settings = json.loads(platform.stdout.readline())
        sending = sum(send(folder, settings, number, messages) for number in range(accounts))
        job = [
            sys.executable,
            __file__,
            "--folder",
            str(folder),
            "--settings",
            json.dumps(settings),
            "--seconds",
            str(seconds),
        ]
        collectors = [
            subprocess.Popen([*job, "--collect", str(number)], stdout=subprocess.PIPE, text=True) for number in range(accounts)
        ]  # fmt: skip
        found: list[dict[str, Any]] = [json.loads(one.communicate()[0]) for one in collectors]
        platform.stdin.close()
    wall, busy = max(one["seconds"] for one in found), sum(one["busy"] for one in found)
    total = accounts * messages
    print(f"\n{accounts} accounts, {total:,} reports, {os.cpu_count()} processors\n")
    print(f"reports a second              {total / wall:,.0f} (at most {accounts * _PAGE // _INTERVAL_S:,})")
    print(f"of one processor, collecting  {busy / wall:.0%} ({total / busy:,.0f} reports for each second of it)")
    print(
        f"of one processor, sending     {sending / wall:.0%} of as many messages ({total / sending:,.0f} for each second)"
    )
    print(f"memory of a collector         {max(one['peak'] for one in found):.0f} MB at most")
    first = folder / "00.db"
    print("bytes a message               " + said(bytes_a_message(first, messages)))
    with mas.Store(first) as store:
        store.compress_answers()
        store.db.vacuum()
    print("  answers compressed          " + said(bytes_a_message(first, messages)))


def said(sizes: dict[str, float]) -> str:
    """Return sizes as text."""
    return ", ".join(f"{what} {size:.0f}" for what, size in sizes.items())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=120, help="how long reports are handed out")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--collect", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--settings", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve)
    elif given.collect is not None:
        collect(given.folder, given.settings, given.collect, given.seconds // _INTERVAL_S * _PAGE)
    else:
        with tempfile.TemporaryDirectory() as made:
            run(given.accounts, given.seconds, Path(made))
