"""The examples of the operators' page run: the receiver behind nginx, and the pushes made by hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner

import masanalytics as mas
from masanalytics.cli import main
from masanalytics.collecting import service
from masanalytics.receiving import Receiver
from masanalytics.simulator import Push, Simulator
from tests.raw_server import unused_port
from tests.waiting import wait_until

DOCS = Path(__file__).parent.parent / "docs"
PAGE = "operators.md"


def block(page: str, kind: str, holding: str) -> str:
    """Return the code block of a page that holds some words."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return next(found for found in re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) if holding in found)


def post(url: str, body: str, certificate: str | None = None) -> int:
    headers = {"X-Forwarded-For": "127.0.0.1"}
    context = None
    if certificate is not None:
        import ssl

        context = ssl.create_default_context(cafile=certificate)
    request = urllib.request.Request(url, body.encode(), headers)
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        return int(answer.status)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    store = mas.Store(tmp_path / "mas.db")
    made = Receiver(
        store, "模拟企业/sim0", port=0, allow=["127.0.0.1"], behind_proxy="127.0.0.1", say=lambda line: None
    )
    with store, made:
        yield made


def test_the_pushes_made_by_hand(receiver: Receiver, tmp_path: Path) -> None:
    """The bodies that the page has for curl are a delivered report and an opt-out."""
    script = block(PAGE, "bash", "smsContent")
    for body, what in re.findall(r"curl -d '(.*?)' \"\$URL/(\w+)\"", script):
        assert post(receiver.report_url.rpartition("/")[0] + "/" + what, body) == 200
    assert (tmp_path / "mas.db.receive-path").read_text().strip() == receiver.path
    wait_until(lambda: len(receiver.store.opt_outs()) == 1 and len(receiver.store.reports()) == 1)
    assert receiver.store.messages().status.tolist() == ["delivered"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
@pytest.mark.parametrize("name", ["masanalytics.service", "masanalytics-receive.service"])
def test_the_units(tmp_path: Path, name: str) -> None:
    """Systemd takes each unit as it stands, with a user and a program that this machine has."""
    unit = block(PAGE, "ini", f"/etc/systemd/system/{name}")
    for old, new in {"User=mas": "User=root", "/opt/masanalytics/bin/masanalytics": "/bin/true"}.items():
        assert old in unit
        unit = unit.replace(old, new)
    (tmp_path / name).write_text(unit, encoding="utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--recursive-errors=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, [line for line in checked.stderr.splitlines() if name in line]) == (0, [])


def test_the_units_restart_what_the_exit_codes_say() -> None:
    """What only a person mends is not started again; everything else is, the receiver however often."""
    collect, receive = (
        block(PAGE, "ini", f"/etc/systemd/system/{name}.service") for name in ("masanalytics", "masanalytics-receive")
    )
    text = (DOCS / PAGE).read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| `collect`(?:, `receive`)? \| (\d+) \|", text, re.MULTILINE)}
    kept_down = re.search(r"^RestartPreventExitStatus=(.*)$", collect, re.MULTILINE)
    usage = CliRunner().invoke(main, ["collect", "--no-such-option"])

    assert documented == {0, 1, 2, 3, 75}
    assert kept_down is not None
    assert kept_down[1] == f"{service._NOT_TO_BE_RESTARTED} {usage.exit_code}" == "1 2"
    assert (service._TO_BE_RESTARTED, "Restart=on-failure\n" in collect) == (3, True)
    assert {"Restart=always", "StartLimitIntervalSec=0", "RestartPreventExitStatus=2"} <= set(receive.splitlines())


@pytest.mark.slow
@pytest.mark.skipif(None in map(shutil.which, ("bash", "curl", "md5sum")), reason="needs bash, curl and md5sum")
def test_the_rehearsal(tmp_path: Path) -> None:
    """The block for the shell runs as it stands: curl sends, the simulated platform pushes, and the page is written."""
    script = block(PAGE, "bash", "--push-replies")
    for port in ("8090", "8480"):
        assert port in script
        script = script.replace(port, str(unused_port()))
    (tmp_path / "masanalytics").write_text(f'#!/bin/sh\nexec {sys.executable} -m masanalytics "$@"\n')
    (tmp_path / "masanalytics").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAS_")}
    environment |= {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MAS_CONFIG_DIR": str(tmp_path / "config")}
    ran = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert '"rspcod":"success"' in ran.stdout, ran.stderr
    reports = re.search(r'"reports": (\d+)', ran.stdout)
    assert reports is not None
    assert int(reports[1]) >= 1
    assert "MAS_PROTOCOL=http" in ran.stdout
    assert (tmp_path / "rehearsal.html").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_the_receiver_behind_nginx(receiver: Receiver, tmp_path: Path) -> None:
    """As the page configures it, pushes of a whole simulated campaign come through, over TLS too."""
    ports = {"80": unused_port(), "443": unused_port()}
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    settings = block(PAGE, "nginx", "proxy_pass")
    for old, new in {
        "listen 80;": f"listen 127.0.0.1:{ports['80']};",
        "listen 443 ssl;": f"listen 127.0.0.1:{ports['443']} ssl;",
        "/etc/ssl/certs/sms.example.com.pem": str(tmp_path / "cert.pem"),
        "/etc/ssl/private/sms.example.com.key": str(tmp_path / "key.pem"),
        "127.0.0.1:8090": f"127.0.0.1:{receiver.port}",
        "allow 112.35.4.196;": "allow 127.0.0.1;",
    }.items():
        assert old in settings
        settings = settings.replace(old, new)
    whole = f"pid {tmp_path}/pid; events {{}} http {{ {settings} }}\n"
    (tmp_path / "nginx.conf").write_text(whole, encoding="utf-8")
    log, configuration = str(tmp_path / "log"), str(tmp_path / "nginx.conf")
    command = ["nginx", "-p", str(tmp_path), "-e", log, "-c", configuration, "-g", "daemon off;"]
    with subprocess.Popen(command) as running:
        wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        outside = f"http://127.0.0.1:{ports['80']}/{receiver.path}"
        with Simulator(https=False, behaviour={}, speed=600, push=Push(f"{outside}/report", pause=0.1)) as sim:
            sim.client().submit([f"1380013{n:04d}" for n in range(200)], "您好")
            wait_until(lambda: len(receiver.store.reports()) == 200)
        inside = f"https://127.0.0.1:{ports['443']}/{receiver.path}/uplink"
        reply = {"mobile": "13800138000", "smsContent": "好", "sendTime": "2026-01-01 08:05:00", "addSerial": ""}
        assert post(inside, json.dumps(reply), str(tmp_path / "ca.pem")) == 200
        wait_until(lambda: len(receiver.store.uplinks()) == 1)
        running.terminate()
