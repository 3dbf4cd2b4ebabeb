"""The simulator as a notebook meets it: accounts, clients, clocks, counts, and what is put in by hand."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import masanalytics.simulator
from masanalytics.clock import FastClock, ManualClock, SystemClock
from masanalytics.errors import InputError
from masanalytics.simulator import PlatformAccount, Population, Scripted, Simulator


def test_the_simulator_shares_no_wire_code_with_the_client() -> None:
    """No module of it imports the toolkit's protocol; only the façade knows account and client."""
    folder = Path(masanalytics.simulator.__file__).parent
    imported = {}
    for file in folder.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported[file.stem] = {name for name in names if name.startswith("masanalytics")}
    assert not [file for file, names in imported.items() if any("protocol" in name for name in names)]
    upward = {"masanalytics.account", "masanalytics.client"}
    assert [file for file, names in imported.items() if names & upward] == ["simulator"]


@pytest.mark.parametrize("https", [True, False])
def test_a_client_from_the_simulator_just_works(https: bool) -> None:
    """The account is the simulator's, its certificate pinned, its clock and pace matched, its requests as documented."""
    with (
        Simulator(https=https, clock=ManualClock(), behaviour=Scripted(), poll_interval=7) as sim,
        sim.client() as client,
    ):
        assert client.account.poll_interval == 7
        assert client.account.tls == (f"sha256:{sim.fingerprint}" if https else "first-use")
        assert client.submit(["13800138000", "13900139000"], "您好").outcome == "accepted"
        assert client.submit_each({"13800138000": "一", "13900139000": "二"}).outcome == "accepted"
        assert client.submit_template(["13700137000"], "38516fab", ["甲"]).outcome == "accepted"
        sim.clock.sleep(60)
        client.poll_reports()
        sim.clock.sleep(7)
        client.poll_uplinks()
    assert sim.deviations == []
    assert sim.accepted == {
        ("13800138000", "您好"): 1,
        ("13900139000", "您好"): 1,
        ("13800138000", "一"): 1,
        ("13900139000", "二"): 1,
        ("13700137000", '38516fab["甲"]'): 1,
    }
    assert sim.counts == {
        "requests": 5,
        "batches": 3,
        "accepted": 5,
        "polls": 2,
        "reports": 5,
        "uplinks": 0,
    }
    assert sim.min_poll_gap == pytest.approx(7.14)  # with the margin of 2 %
    assert [(request.endpoint, request.outcome, request.rows) for request in sim.requests] == [
        ("submit", "success", 2),
        ("submit", "success", 2),
        ("tmpsubmit", "success", 1),
        ("report", "rows", 5),
        ("deliver", "rows", 0),
    ]


def test_an_account_can_be_had_otherwise() -> None:
    """Any setting can be changed, to try what is wrong."""
    with Simulator(https=False) as sim:
        account = sim.account(secret_key="wrong", sign="another00")
        assert (account.url, account.ap_id, account.sign) == (sim.url, "sim0", "another00")
        assert "wrong" not in repr(account)


def test_settings_are_what_another_process_needs() -> None:
    """The MAS_ variables name address, account and certificate."""
    with Simulator() as sim:
        assert sim.settings() == {
            "MAS_URL": sim.url,
            "MAS_EC_NAME": "模拟企业",
            "MAS_AP_ID": "sim0",
            "MAS_SECRET_KEY": "sim-secret",
            "MAS_SIGN": "SimSign01",
            "MAS_SERVICE_CODE": "106575000000",
            "MAS_TLS": f"sha256:{sim.fingerprint}",
        }
        assert "sim-secret" not in repr(sim)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, SystemClock),
        ({"speed": 1}, SystemClock),
        ({"speed": 60}, FastClock),
        ({"clock": ManualClock()}, ManualClock),
    ],
)
def test_clocks(options: dict[str, Any], kind: Any) -> None:
    """The machine's clock, a fast one, or any."""
    assert type(Simulator(https=False, **options).clock) is kind


@pytest.mark.parametrize("options", [{"speed": 0}, {"speed": -1}, {"speed": 2, "clock": SystemClock()}])
def test_clocks_that_make_no_sense(options: dict[str, Any]) -> None:
    """A speed must be positive, and there is one clock."""
    with pytest.raises(InputError):
        Simulator(https=False, **options)


def test_hours_pass_in_no_time() -> None:
    """With a manual clock, two days of reports of a believable population come as fast as they are asked for."""
    phones = [str(13_800_000_000 + 9_973 * place) for place in range(2_000)]
    with Simulator(https=False, clock=ManualClock(), seed=5) as sim, sim.client() as client:
        client.submit(phones, "您好，您的账单已出。回T退订")
        for _ in range(50):
            sim.clock.sleep(3600)
            client.poll_reports()
            sim.clock.sleep(5)
            client.poll_uplinks()
    told = [out.row["mobile"] for out in sim.handed_out if out.kind == "report"]
    silent = [message.phone for message in sim.messages if message.latency == float("inf")]
    assert sorted(told + silent) == sorted(phones)
    assert 0 < len(silent) < 30
    assert 20 < sim.counts["uplinks"] < 80
    assert sim.waiting["reports"] == (0, 0)


def test_what_is_put_in_by_hand_comes_out() -> None:
    """Replies, foreign reports and rows of any kind can be queued, now or for later."""
    with Simulator(https=False, clock=ManualClock(1_767_225_600.0), poll_interval=0) as sim:
        sim.reply("13800138000", "退订", add_serial="88")
        sim.report("13900139000", "DB:0141", msg_group="0101075955009999999999", after=60)
        sim.add_row("report", {"mobile": None}, after=120)
        sim.add_row("report", "no json", after=180)
        assert sim.waiting == {"reports": (0, 3), "uplinks": (1, 0)}
        with sim.client() as client:
            client.poll_uplinks()
            for _ in range(3):
                sim.clock.sleep(60)
                client.poll_reports()
    assert [(out.kind, out.row) for out in sim.handed_out] == [
        (
            "uplink",
            {
                "smsContent": "退订",
                "mobile": "13800138000",
                "sendTime": "2026-01-01 08:00:00",
                "addSerial": "10657500000088",
            },
        ),
        (
            "report",
            {
                "errorCode": "DB:0141",
                "mobile": "13900139000",
                "msgGroup": "0101075955009999999999",
                "receiveDate": "20260101080100",
                "reportStatus": "DB:0141",
                "submitDate": "20260101080055",
            },
        ),
        ("report", {"mobile": None}),
        ("report", {"raw": "no json"}),
    ]
    with pytest.raises(InputError, match="uplink"):
        sim.add_row("reply", {})


def test_outcomes_can_be_laid_down() -> None:
    """A mapping of number to outcome is a script; a behaviour is used as it is."""
    with (
        Simulator(
            https=False, clock=ManualClock(), behaviour={"13800138000": ("MK:0001", 2), "13900139000": None}
        ) as sim,
        sim.client() as client,
    ):
        client.submit(["13800138000", "13900139000", "13700137000"], "您好")
    assert [(message.code, message.latency) for message in sim.messages] == [
        ("MK:0001", 2.0),
        ("DELIVRD", float("inf")),
        ("DELIVRD", 1.0),
    ]
    assert Simulator(https=False, behaviour=Population(fault=0.5)).platform.behaviour == Population(fault=0.5)


def test_counts_without_a_ledger() -> None:
    """keep_ledger=False counts and remembers nothing else."""
    with Simulator(https=False, keep_ledger=False) as sim, sim.client() as client:
        client.submit(["13800138000"], "您好")
    assert (sim.counts["accepted"], sim.requests) == (1, [])
    for name in ("accepted", "messages", "handed_out"):
        with pytest.raises(InputError, match="keep_ledger=False"):
            getattr(sim, name)


def test_runs_repeat() -> None:
    """Two simulators with one seed and one start decide alike."""

    def run() -> Any:
        with Simulator(https=False, clock=ManualClock(), seed=9) as sim, sim.client() as client:
            client.submit([str(13_800_000_000 + place) for place in range(3000)], "您好")
        return [(message.phone, message.code, message.latency) for message in sim.messages], sim.messages[0].msg_group

    assert run() == run()


def test_no_frame_dict_or_file_shows_the_secret_of_the_platform() -> None:
    """With ``--mine`` it is the user's own; who needs it asks for it."""
    account = PlatformAccount(secret_key="s3cret-key")
    shown = [
        repr(dataclasses.asdict(account)),
        json.dumps(vars(account), default=str),
        pd.DataFrame([account]).to_csv(),
        pd.DataFrame([vars(account)]).to_json(default_handler=str),
    ]

    assert [text for text in shown if "s3cret-key" in text] == []
    assert account.secret == "s3cret-key"
