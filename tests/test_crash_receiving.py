"""A receiver that is killed again and again under load: lost is only what was pushed three times while it was down."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import masanalytics as mas
from masanalytics.simulator import Push, Simulator
from tests.raw_server import unused_port
from tests.waiting import wait_until

KILLS = int(os.environ.get("MAS_KILLS", "8"))
RATE = 20_000 / 60
"""Reports that fall due in a second: 20,000 a minute, as a campaign of 20,000 messages makes them."""
ROWS = int(RATE * KILLS)
WORKERS = 64
"""How many the platform has under way at once: those that nobody answers stay so for seconds, and hold up others."""
PATH = "a-path-that-nobody-guesses"


def started(folder: Path, port: int) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "MAS_URL": "http://127.0.0.1:1/sms/norsubmit",
        "MAS_EC_NAME": "模拟企业",
        "MAS_AP_ID": "sim0",
        "MAS_SECRET_KEY": "k",
    }
    command = [sys.executable, "-m", "masanalytics", "receive", "--db", str(folder / "mas.db"), "--path", PATH]
    return subprocess.Popen(
        [*command, "--port", str(port)], cwd=folder, env=environment, text=True, stderr=subprocess.PIPE
    )


@pytest.mark.slow
def test_killed_under_load(tmp_path: Path) -> None:
    """Every report that was answered is in the store, once; the others are those that the platform dropped."""
    port = unused_port()
    url = f"http://127.0.0.1:{port}/{PATH}/report"
    with Simulator(https=False, push=Push(url, workers=WORKERS, pause=1.5)) as sim:
        child = started(tmp_path, port)
        began = time.monotonic()
        for place in range(ROWS):
            sim.report(f"138{place:08d}", msg_group=f"{1 + place % 7:022d}", after=5 + place / RATE)
        assert child.stderr is not None
        for _ in range(KILLS):
            assert child.stderr is not None
            assert "addresses" in child.stderr.readline()  # it listens
            time.sleep(0.5)
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stderr.close()
            child = started(tmp_path, port)
        wait_until(
            lambda: sim.pusher is not None and sim.pusher.idle and sim.counts["reports"] == ROWS,
            within_s=60 + 10 * KILLS,
        )
        took_s = time.monotonic() - began - 5
        child.send_signal(signal.SIGTERM)
        child.communicate()
        assert child.returncode == 0
        assert sim.pusher is not None
        dropped, tries = {row.text for row in sim.pusher.dropped}, sim.pusher.tries
    with mas.Store(tmp_path / "mas.db") as store:
        reports = store.reports()
        sys.stdout.write(  # for whoever measures: pytest -s
            f"{KILLS} kills, {ROWS:,} reports in {took_s:.0f} s ({60 * ROWS / took_s:,.0f} a minute): {len(reports):,} in the "
            f"store, {len(dropped):,} dropped by the platform, {tries:,} pushes\n"
        )
        assert reports["phone"].is_unique
        assert len(reports) + len(dropped) >= ROWS
        lost = {f"138{place:08d}" for place in range(ROWS)} - set(reports["phone"])
        assert all(any(phone in text for text in dropped) for phone in lost)
        assert len(store.polls(state="stored")) == 0
