"""The simulator as a server: sockets, certificates, connections kept open, other processes, clients of any kind."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from masanalytics import simulator
from masanalytics.cli import main
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError, MissingExtraError
from masanalytics.simulator import PlatformAccount, Scripted, Simulator, Style, serve

ACCOUNT = ("模拟企业", "sim0", "sim-secret")


def body_for(mobiles: str, content: str = "你好", ensure_ascii: Any = False) -> bytes:
    ec_name, ap_id, secret = ACCOUNT
    mac = hashlib.md5(f"{ec_name}{ap_id}{secret}{mobiles}{content}SimSign01".encode()).hexdigest()
    fields = {
        "ecName": ec_name,
        "apId": ap_id,
        "mobiles": mobiles,
        "content": content,
        "sign": "SimSign01",
        "addSerial": "",
        "mac": mac,
    }
    return base64.b64encode(json.dumps(fields, ensure_ascii=ensure_ascii).encode())


POLL = base64.b64encode(json.dumps(dict(zip(("ecName", "apId", "secretKey"), ACCOUNT, strict=True))).encode())


def connect(sim: Simulator) -> Any:
    host, port = sim.url.split("//")[1].rsplit(":", 1)
    if sim.url.startswith("http:"):
        return http.client.HTTPConnection(host, int(port), timeout=5)
    context = ssl.create_default_context(cadata=sim.authority)
    return http.client.HTTPSConnection(host, int(port), timeout=5, context=context)


def ask(
    connection: Any, path: str, body: Any, headers: dict[str, str] | None = None, method: str = "POST"
) -> tuple[int, Any, bytes]:
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


@pytest.fixture
def sim() -> Iterator[Simulator]:
    with Simulator(https=False, poll_interval=0, behaviour=Scripted(default=("DELIVRD", 0))) as sim:
        yield sim
    assert sim.failures == []


def test_https_with_a_certificate_of_its_own() -> None:
    """The fingerprint is that of the certificate shown; its authority vouches for it; another run has another."""
    with Simulator() as sim, Simulator() as other:
        host, port = sim.url.removeprefix("https://").split(":")
        pem = ssl.get_server_certificate((host, int(port)))
        assert sim.fingerprint == hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
        assert sim.fingerprint != other.fingerprint
        connection = connect(sim)
        status, headers, content = ask(connection, "/sms/submit", body_for("13800138000"))
        connection.close()
        assert (status, headers["Content-Type"]) == (200, "application/json;charset=UTF-8")
        assert json.loads(content)["rspcod"] == "success"


def test_a_certificate_can_be_kept(tmp_path: Path) -> None:
    """With a file, the next run shows the same fingerprint; the file is for its owner's eyes only."""
    file = tmp_path / "sim.pem"
    first = Simulator(certificate_file=file).fingerprint
    assert file.stat().st_mode & 0o077 == 0
    with Simulator(certificate_file=file) as again:
        assert again.fingerprint == first
        host, port = again.url.removeprefix("https://").split(":")
        shown = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((host, int(port))))
        assert hashlib.sha256(shown).hexdigest() == first
    file.write_text("nothing of the kind")
    with pytest.raises(InputError, match=r"sim\.pem"):
        _ = Simulator(certificate_file=file).fingerprint


def test_https_without_trustme_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error says which to install; plain HTTP works."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(MissingExtraError, match=r"masanalytics\[sim\]"):
        Simulator().start()
    with Simulator(https=False) as sim:
        assert sim.fingerprint == ""


def test_connections_are_kept_open(sim: Simulator) -> None:
    """Several requests go over one connection, refusals and web pages among them."""
    connection = connect(sim)
    ask(connection, "/sms/submit", body_for("13800138000"))
    first = connection.sock
    assert ask(connection, "/sms/submit", b"nonsense")[0] == 200
    assert ask(connection, "/elsewhere", b"x" * 100_000)[0] == 404
    assert ask(connection, "/sms/report", POLL)[0] == 200
    assert connection.sock is first
    connection.close()
    assert len({request.peer for request in sim.requests}) == 1


def test_other_paths_and_methods(sim: Simulator) -> None:
    """An unknown path is 404 in HTML, anything but POST is 405; neither is a request of the interface."""
    connection = connect(sim)
    status, headers, content = ask(connection, "/sms/unknown", b"")
    assert (status, headers["Content-Type"], content[:6]) == (404, "text/html;charset=UTF-8", b"<html>")
    for method in ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
        status, headers, content = ask(connection, "/sms/submit", None, method=method)
        assert (status, headers["Allow"]) == (405, "POST")
    assert ask(connection, "/", None, method="GET")[0] == 404
    connection.close()
    assert [request.outcome for request in sim.requests] == ["404", *["405"] * 6, "404"]


@pytest.mark.parametrize("path", ["/sms/submit", "/sms/norsubmit", "/sms/submit?x=1"])
def test_both_flavours_of_the_path(sim: Simulator, path: str) -> None:
    """The HTTP flavour's path is taken as well."""
    connection = connect(sim)
    assert json.loads(ask(connection, path, body_for("13800138000"))[2])["success"] is True
    connection.close()
    assert sim.deviations == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "application/json;charset=UTF-8"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain; charset=utf-8"},
        {},
        "chunked",
        {"Expect": "100-continue"},
    ],
)
def test_headers_of_all_kinds_of_clients(sim: Simulator, headers: Any) -> None:
    """Content types do not matter: a plus in the Base64 is never decoded as a form would; chunks are put together."""
    body = body_for("13800138000", "ﾾﾾ>ﾾ?ﾾ~~~")
    assert b"+" in body
    connection = connect(sim)
    if headers == "chunked":
        status, _, content = ask(connection, "/sms/submit", iter([body[:50], body[50:]]))
    else:
        status, _, content = ask(connection, "/sms/submit", body, headers)
    connection.close()
    assert (status, json.loads(content)["rspcod"]) == (200, "success")
    assert sim.deviations == []


def test_the_note_explains_a_refusal_to_whoever_debugs_a_client(sim: Simulator) -> None:
    """A header says why, without numbers or secrets, and what deviates in what was accepted."""
    connection = connect(sim)
    _, headers, content = ask(connection, "/sms/submit", body_for("13800138000").replace(b"e", b"f", 3))
    assert json.loads(content)["success"] is False
    assert headers["X-Simulator-Note"]
    _, headers, _ = ask(connection, "/sms/submit", b'"' + body_for("13800138000") + b'"')
    assert headers["X-Simulator-Note"].startswith("body_literal")
    _, headers, _ = ask(connection, "/sms/submit", body_for("13800138000"))
    assert headers["X-Simulator-Note"] is None
    connection.close()


def test_requests_that_are_no_http(sim: Simulator) -> None:
    """Broken requests are turned away and harm nobody."""
    host, port = sim.url.removeprefix("http://").split(":")
    for raw in (
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"POST /sms/submit HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /sms/submit HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n",
        b"POST /sms/submit HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
    connection = connect(sim)
    assert ask(connection, "/sms/submit", body_for("13800138000"))[0] == 200
    connection.close()


def test_a_silent_tls_client_holds_up_nobody() -> None:
    """While one client connects and says nothing, another is answered."""
    with Simulator() as sim:
        host, port = sim.url.removeprefix("https://").split(":")
        with socket.create_connection((host, int(port))):
            connection = connect(sim)
            assert ask(connection, "/sms/submit", body_for("13800138000"))[0] == 200
            connection.close()


def test_many_threads_at_once(sim: Simulator) -> None:
    """Eight connections submit and poll at once: every message counts once, every report is handed out once."""

    def work(place: Any) -> None:
        connection = connect(sim)
        for turn in range(20):
            ask(connection, "/sms/submit", body_for(str(13_800_000_000 + place * 100 + turn)))
            found.extend(json.loads(ask(connection, "/sms/report", POLL)[2]))
        connection.close()

    found: list[dict[str, str]] = []
    threads = [threading.Thread(target=work, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection = connect(sim)
    found.extend(json.loads(ask(connection, "/sms/report", POLL)[2]))
    connection.close()
    assert sorted(sim.accepted.values()) == [1] * 160
    assert sorted(row["mobile"] for row in found) == sorted(phone for phone, _ in sim.accepted)
    assert sorted(map(str, found)) == sorted(str(out.row) for out in sim.handed_out)
    assert len({message.msg_group for message in sim.messages}) == 160


def test_starting_and_stopping_is_quick() -> None:
    """Ten rounds over HTTPS take a moment (a quarter of a second on an idle machine); no thread stays behind."""
    before = threading.active_count()
    begun = time.monotonic()
    for _ in range(10):
        with Simulator() as sim:
            connection = connect(sim)
            ask(connection, "/sms/submit", body_for("13800138000"))
            connection.close()
    assert time.monotonic() - begun < 10
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_stopping_closes_connections_that_are_open(sim: Simulator) -> None:
    """A client with an idle connection is told."""
    connection = connect(sim)
    ask(connection, "/sms/report", POLL)
    sim.stop()
    with pytest.raises((http.client.HTTPException, OSError)):
        ask(connection, "/sms/report", POLL)
    connection.close()


def test_it_comes_back_on_the_same_port_with_everything_known() -> None:
    """Stopped, nobody is reached; started again, nothing is forgotten."""
    sim = Simulator(https=False, poll_interval=0, behaviour=Scripted(default=("DELIVRD", 0))).start()
    url = sim.url
    connection = connect(sim)
    ask(connection, "/sms/submit", body_for("13800138000"))
    connection.close()
    sim.stop()
    connection = connect(sim)
    with pytest.raises(ConnectionRefusedError):
        ask(connection, "/sms/report", POLL)
    connection.close()
    with sim.start():
        assert sim.url == url
        connection = connect(sim)
        assert len(json.loads(ask(connection, "/sms/report", POLL)[2])) == 1
        connection.close()


def test_a_port_that_is_taken(sim: Simulator) -> None:
    """The error names the address and says what to do."""
    port = int(sim.url.rsplit(":", 1)[1])
    with pytest.raises(InputError, match=f"127.0.0.1:{port}.*choose another port"):
        Simulator(https=False, port=port).start()


def test_a_simulator_that_was_never_started_has_no_address() -> None:
    """The error says how to start it."""
    with pytest.raises(InputError, match=r"sim\.start\(\)"):
        _ = Simulator(https=False).url


def test_serve_runs_with_any_account() -> None:
    """The account, the style and strictness are the caller's; it keeps counts only."""
    account = PlatformAccount("某某公司", "ap9", "秘密", ("Sign00009",))
    sim = serve(https=False, accounts=(account,), style=Style(group_key="mgsGroup"), strict=True)
    connection = connect(sim)
    answer = json.loads(ask(connection, "/sms/submit", body_for("13800138000"))[2])
    connection.close()
    assert answer == {"mgsGroup": "", "rspcod": "InvalidUsrOrPwd", "success": False}
    assert sim.settings()["MAS_SECRET_KEY"] == "秘密"
    assert "秘密" not in repr(sim.platform.accounts)
    with pytest.raises(InputError, match="keep_ledger"):
        _ = sim.accepted
    sim.stop()


def test_a_killed_client_leaves_an_exact_count() -> None:
    """A child process killed while it sends over HTTPS leaves every message it got through counted, none twice."""
    child = """
import base64, hashlib, http.client, json, os, ssl, sys
host, port = os.environ["MAS_URL"].removeprefix("https://").split(":")
context = ssl.create_default_context(cadata=os.environ["CA"])
connection = http.client.HTTPSConnection(host, int(port), context=context)
for place in range(10**6):
    phone = str(13_800_000_000 + place)
    mac = hashlib.md5(f"模拟企业sim0sim-secret{phone}你好SimSign01".encode()).hexdigest()
    names = ("ecName", "apId", "mobiles", "content", "sign", "addSerial", "mac")
    values = ("模拟企业", "sim0", phone, "你好", "SimSign01", "", mac)
    body = base64.b64encode(json.dumps(dict(zip(names, values))).encode())
    connection.request("POST", "/sms/submit", body)
    connection.getresponse().read()
    print(place, flush=True)
"""
    with Simulator() as sim:
        environment = {**os.environ, **sim.settings(), "CA": sim.authority, "PYTHONIOENCODING": "utf-8"}
        with subprocess.Popen([sys.executable, "-c", child], env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(25):
                process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
            answered = 25 + len(process.stdout.read().splitlines())
        time.sleep(0.05)
        accepted = sim.accepted
        assert set(accepted.values()) == {1}
        assert answered <= len(accepted) <= answered + 2
        assert {phone for phone, _ in accepted} == {str(13_800_000_000 + place) for place in range(len(accepted))}
    assert sim.failures == []


def test_no_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting and answering ask no name server."""

    def refuse(*_args: Any, **_options: Any) -> None:
        raise AssertionError("a name was looked up")

    for name in ("getfqdn", "gethostbyaddr", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    with Simulator(https=False, clock=ManualClock()) as sim:
        connection = connect(sim)
        assert ask(connection, "/sms/report", POLL)[2] == b"[]"
        connection.close()


def test_the_command_lets_things_go_wrong_and_ends_with_what_it_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three submits is taken and not answered; what was wrong with requests is said, each kind once."""
    started: list[Simulator] = []

    def start(**options: Any) -> Simulator:
        started.append(serve(**options))
        return started[0]

    def client(_seconds: float) -> None:
        for body in (body_for("13800138000"), body_for("13800138001"), body_for("13800138002", content="您好")):
            connection = connect(started[0])
            with contextlib.suppress(http.client.RemoteDisconnected):
                ask(connection, "/sms/submit", body)
            connection.close()
        connection = connect(started[0])
        for _ in range(2):
            ask(connection, "/sms/submit", body_for("13800138003").swapcase())
        connection.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(simulator, "serve", start)
    monkeypatch.setattr("masanalytics.cli.commands.time", SimpleNamespace(sleep=client))
    options = ["--http", "--port", "0", "--fault", "drop_after,endpoint=submit,after=1,times=1"]
    done = CliRunner().invoke(main, ["simulator", *options], catch_exceptions=False)

    assert started[0].counts["faults"] == 1
    assert done.output.splitlines()[-2:] == [
        "Requests: 5; messages taken: 3; polls: 0; reports handed out: 0; replies: 0",
        "submit: 2 × InvalidMessage (the Base64 does not hold JSON)",
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("drop_afterr", "no fault is called 'drop_afterr': use one of refuse, drop_before, drop_after,"),
        (
            "hang,second=3",
            "hang,second=3: a fault has no 'second': use endpoint, times, every, probability, after, seconds,",
        ),
        ("hang,seconds=long", "hang,seconds=long: seconds takes a number, not 'long'"),
        ("hang,endpoint=sumbit", "no endpoint is called 'sumbit': use one of submit,"),
    ],
)
def test_a_fault_that_is_misspelt_ends_the_command_before_it_listens(written: str, said: str) -> None:
    """It says what there is."""
    done = CliRunner().invoke(main, ["simulator", "--http", "--port", "0", "--fault", written])

    assert done.exit_code == 1
    assert said in done.output
