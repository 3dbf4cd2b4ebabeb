"""What Windows lacks or does otherwise, stood in for: no locks of files, no fork, no hang-up, files that others hold open for a moment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LACKING = """
import os, pathlib, signal, sys
sys.modules["fcntl"] = None
for module, names in ((os, ("fork", "register_at_fork", "getuid", "geteuid", "fchmod")), (signal, ("SIGHUP", "SIGQUIT", "SIGALRM"))):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
"""
HELD_OPEN = """
held = {}
def for_a_while(work, times):
    def tried(path, *more, **named):
        held[str(path)] = held.get(str(path), 0) + 1
        if str(path).startswith(sys.argv[1]) and held[str(path)] <= times:
            raise PermissionError(13, "The process cannot access the file because it is being used by another process", str(path))
        return work(path, *more, **named)
    return tried
os.replace = for_a_while(os.replace, 2)
os.unlink = os.remove = for_a_while(os.unlink, 1)
"""
DAY = """
import pandas as pd
import masanalytics as mas
from masanalytics.collecting import spool
from masanalytics.doctor import check
from masanalytics.protocol import PollAnswer

folder = pathlib.Path(sys.argv[1])
with mas.Simulator(https=True, poll_interval=0, behaviour={}) as sim, mas.Store(folder / "s.db") as store:
    account = sim.account(tls="first-use")
    client = mas.Client(account)
    sent = mas.send(pd.DataFrame({"p": ["13800138000"]}), client, store, phone="p", text="您好", campaign="C", progress=False)
    assert sent.ok, sent
    spool.write_spool(store.path, account.key, 0, PollAnswer("report", b"[]", 200, True, 1, 1))
    collector = mas.Collector(client, store, say=print)
    collector.collect()
    with collector:
        pass
    client.poll_reports()
    assert store.polls().state.tolist().count("parsed") >= 3, store.polls()
    with mas.Receiver(store, "x/y", port=0, say=print) as receiver:
        assert receiver.running
    for _ in range(2):
        store.export_parquet(folder / "parquet")
        mas.write_report(store, folder / "report.html")
        mas.write_sheet(store.messages(), folder / "sheet.xlsx")
    store.forget(phones=["13800138000"], force=True)
    print(store, sent, collector.total)
assert len(check(store_path=folder / "s.db")) >= 2
from click.testing import CliRunner
from masanalytics.cli import main
for arguments in (["demo", "--folder", str(folder / "demo")], ["codes", "MK:0001"], ["collect", "--status", "--db", str(folder / "s.db")]):
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code in (0, 1) and (done.exception is None or isinstance(done.exception, SystemExit)), (arguments, done.output, done.exception)
print("done")
"""


@pytest.mark.parametrize(("encoding", "held_open"), [("cp936", False), ("cp1252:replace", False), ("utf-8", True)])
def test_a_day_of_work_without_what_windows_lacks(encoding: str, held_open: bool, tmp_path: Path) -> None:
    """Import, send, collect, spool, receive, export, report, forget, doctor, demo: nothing raises."""
    script = LACKING + (HELD_OPEN if held_open else "") + DAY
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        env={
            **os.environ,
            "PYTHONIOENCODING": encoding,
            "MAS_LANGUAGE": "en",
        },
        capture_output=True,
        check=False,
        timeout=240,
    )

    assert (done.returncode, done.stdout.decode(errors="replace").splitlines()[-1:]) == (0, ["done"]), (
        done.stderr.decode(errors="replace")[-3000:]
    )
