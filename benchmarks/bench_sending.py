"""Sending to the in-process simulator, everything recorded: how fast, where the time goes, and what more workers bring.

Run it as ``python benchmarks/bench_sending.py [--messages N] [--delayed N] [--template N]``. Reported are

- messages a second for N distinct messages, and the share of the time in encoding (the request bodies with their MACs), in
  SQLite, and in HTTP (which, in one process, holds the platform's own work too), with one worker, so that the parts add up;
- the same with 20 ms added to each answer, with 1 and with 8 workers;
- template messages with distinct params, one request each, at 50 ms an answer: the rate of 8 workers over 8 times the rate of
  one (0.85 or more is asked for), with the platform in this process and in one of its own.

In the same run, how many requests of the same kind bare `requests` makes in a second, so that the numbers of two machines
can be compared.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import requests

import masanalytics as mas
from masanalytics.client import client as client_module
from masanalytics.client.transport import Transport
from masanalytics.simulator import Simulator
from masanalytics.store.database import Connections

TEMPLATE = "38516fabae004eddbfa3ace1d4194696"
PLATFORM = """
import json, sys
from masanalytics.simulator import Simulator
with Simulator(https=False, poll_interval=0, answer_delay=float(sys.argv[1]), keep_ledger=False, behaviour={}) as sim:
    print(json.dumps(sim.settings()), flush=True)
    sys.stdin.read()
"""


@dataclass
class Shares:
    """How long each part of the work took, by wrapping its entrance."""

    seconds: Counter[str] = field(default_factory=Counter)
    lock: Any = field(default_factory=threading.Lock)

    def timed(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """Return `real`, so that its time counts under `name`."""

        def wrapped(*args: Any, **more: Any) -> Any:
            began = time.perf_counter()
            try:
                return real(*args, **more)
            finally:
                with self.lock:
                    self.seconds[name] += time.perf_counter() - began

        return wrapped

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Count the time of encoding, of write transactions and of requests."""
        names = ("submit_body", "pairs_body", "template_body")
        bodies = {name: getattr(client_module, name) for name in names}
        exchange, writing = Transport.exchange, Connections.writing

        @contextlib.contextmanager
        def timed_writing(connections: Connections, **more: Any) -> Iterator[Any]:
            began = time.perf_counter()
            with writing(connections, **more) as conn:
                yield conn
            self.seconds["SQLite"] += time.perf_counter() - began

        for name, real in bodies.items():
            setattr(client_module, name, self.timed("encoding", real))
        Transport.exchange = self.timed("HTTP and the platform", exchange)  # type: ignore[method-assign]
        Connections.writing = timed_writing  # type: ignore[method-assign]
        try:
            yield
        finally:
            for name, real in bodies.items():
                setattr(client_module, name, real)
            Transport.exchange = exchange  # type: ignore[method-assign]
            Connections.writing = writing  # type: ignore[method-assign]


def people(size: int) -> pd.DataFrame:
    numbers = pd.Series(range(size))
    return pd.DataFrame(
        {
            "phone": "139" + numbers.astype(str).str.zfill(8),
            "name": "客户" + numbers.astype(str),
            "code": numbers.astype(str),
        }
    )


def send(size: int, client: mas.Client, workers: int, shares: Shares | None = None, **content: Any) -> float:
    """Send `size` messages into a new store and return the seconds it took; planning is not counted."""
    with tempfile.TemporaryDirectory() as folder, mas.Store(Path(folder) / "mas.db") as store:
        plan = mas.plan(people(size), phone="phone", campaign="c", store=store, **content)
        with shares.watching() if shares else contextlib.nullcontext():
            began = time.perf_counter()
            result = mas.send(plan, client, store, workers=workers, progress=False)
            seconds = time.perf_counter() - began
        if not result.ok or len(store.messages()) != size:
            raise SystemExit(f"not everything was sent: {result}")
    return seconds


@contextlib.contextmanager
def platform(delay: float, *, own_process: bool = False) -> Iterator[mas.Client]:
    """Return a client of a platform, in this process or in one of its own."""
    if not own_process:
        with (
            Simulator(https=False, poll_interval=0, answer_delay=delay, keep_ledger=False, behaviour={}) as sim,
            sim.client() as client,
        ):
            yield client
        return
    process = subprocess.Popen(
        [sys.executable, "-c", PLATFORM, str(delay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    known = json.loads(process.stdout.readline())
    account = mas.Account(
        known["MAS_URL"], known["MAS_EC_NAME"], known["MAS_AP_ID"], known["MAS_SECRET_KEY"], sign=known["MAS_SIGN"]
    )
    try:
        with mas.Client(account) as client:
            yield client
    finally:
        process.stdin.close()
        process.wait()


TEXT = {"text": "尊敬的{name}，您的积分将于本月底到期，请登录网上营业厅兑换。"}


def distinct(size: int) -> None:
    shares = Shares()
    with platform(0.0) as client:
        send(2_000, client, 1, **TEXT)
        seconds = send(size, client, 1, shares, **TEXT)
    print(f"\n{size:,} distinct messages, one worker, no delay: {seconds:.1f} s, {size / seconds:,.0f} messages/s")
    rest = seconds - shares.seconds.total()
    for name, part in [*shares.seconds.most_common(), ("planning texts, the loop, waiting for threads", rest)]:
        print(f"  {part / seconds:6.1%}  {part:6.2f} s  {name}")


def delayed(size: int) -> None:
    print(f"\n{size:,} distinct messages, 20 ms added to each answer")
    rates = {}
    for workers in (1, 8):
        with platform(0.02) as client:
            rates[workers] = size / send(size, client, workers, **TEXT)
        print(f"  {workers} worker(s): {rates[workers]:9,.0f} messages/s")
    print(f"  8 ÷ 1 workers: {rates[8] / rates[1]:.2f}")


def templates(size: int) -> None:
    print(f"\n{size:,} template messages with distinct params, one request each, 50 ms an answer")
    for own_process in (False, True):
        rates = {}
        for workers, count in ((1, size // 8), (8, size)):
            with platform(0.05, own_process=own_process) as client:
                rates[workers] = count / send(count, client, workers, template_id=TEMPLATE, params=["code"])
        where = "a process of its own" if own_process else "this process"
        ratio = rates[8] / (8 * rates[1])
        print(f"  platform in {where}: {rates[1]:.1f}/s with 1 worker, {rates[8]:.1f}/s with 8: {ratio:.2f} of 8 times")


def bare(count: int) -> None:
    """Post the bodies of full requests with nothing around them."""
    with Simulator(https=False, poll_interval=0, keep_ledger=False, behaviour={}) as sim, requests.Session() as session:
        bodies = []
        for start in range(count):
            texts = {
                f"139{start * 999 + n:08d}": f"尊敬的客户{n}，您的积分将于本月底到期，请登录网上营业厅兑换。"
                for n in range(999)
            }
            bodies.append(client_module.pairs_body(sim.account(), texts, ""))
        began = time.perf_counter()
        for body in bodies:
            session.post(sim.url + "/sms/submit", data=body, timeout=30).raise_for_status()
        seconds = time.perf_counter() - began
    rate = count * 999 / seconds
    print(
        f"\nbare requests.post of full requests, encoded beforehand: {rate:,.0f} messages/s (in this process, like the first)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--messages", type=int, default=200_000, help="distinct messages (the whole measure: 1,000,000)"
    )
    parser.add_argument("--delayed", type=int, default=50_000, help="distinct messages with delayed answers")
    parser.add_argument("--template", type=int, default=1_000, help="template messages (the whole measure: 5,000)")
    asked = parser.parse_args()
    bare(40)
    distinct(asked.messages)
    delayed(asked.delayed)
    templates(asked.template)
