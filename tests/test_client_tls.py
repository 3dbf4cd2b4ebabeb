"""Who the client talks to: the four tls modes over real TLS, and what a server saw that was not the right one."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from masanalytics.account import Account
from masanalytics.client import Client, known_hosts_path
from masanalytics.clock import ManualClock
from masanalytics.errors import CertificateError, ConfigError, NetworkError
from masanalytics.tls import KnownHosts
from tests.raw_server import RawServer, ScriptedServer, answer, read_request, unused_port

TAKEN = b'{"rspcod":"success","msgGroup":"0105013527000001139923","success":true}'
AUTHORITY = trustme.CA()


class Certificate:
    """A certificate, the context that shows it, and its fingerprint worked out from the PEM text."""

    def __init__(self, *names: str) -> None:
        leaf = AUTHORITY.issue_cert(*(names or ("127.0.0.1",)))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(self.context)
        der = base64.b64decode(b"".join(leaf.cert_chain_pems[0].bytes().splitlines()[1:-1]))
        self.fingerprint = "sha256:" + hashlib.sha256(der).hexdigest()


class TlsServer(RawServer):
    """Answers every POST as accepted (every poll as empty), over TLS, and counts."""

    def __init__(self, certificate: Certificate) -> None:
        self.certificate = certificate
        self.requests: list[str] = []
        self.handshakes = 0
        self.silent = False
        super().__init__()

    def serve(self, line: socket.socket) -> None:
        if self.silent:
            line.recv(10_000)
            time.sleep(1)
            return
        with self.certificate.context.wrap_socket(line, server_side=True) as tls, tls.makefile("rb") as file:
            self.handshakes += 1
            while request := read_request(file):
                self.requests.append(request[0])
                answer(TAKEN if "submit" in request[0] else b"[]")(tls, request[2])


@pytest.fixture
def certificate() -> Certificate:
    return Certificate()


@pytest.fixture
def server(certificate: Certificate) -> Iterator[TlsServer]:
    one = TlsServer(certificate)
    yield one
    one.close()


@pytest.fixture
def known(tmp_path: Path) -> Path:
    return tmp_path / "config" / "known_hosts.json"


def client_of(server: TlsServer, tls: str = "first-use", **changes: Any) -> Client:
    account = Account(f"https://127.0.0.1:{server.port}", "shop", "demo0", "123qwe", "DWItALe3A", tls=tls)
    options: dict[str, Any] = {"clock": ManualClock(), "timeout": (1.0, 1.0)} | changes
    return Client(account, **options)


def send(client: Client) -> tuple[str, bool, str]:
    with client:
        result = client.submit(["13800138000"], "hi")
    return result.outcome, result.fatal, result.message


def test_first_use_remembers(server: TlsServer, known: Path) -> None:
    """The first contact looks at the certificate, remembers it, and sends over a line pinned to it."""
    with client_of(server) as client:
        assert client.submit(["13800138000"], "hi").outcome == "accepted"
        assert client.poll_reports().raw == b"[]"
    assert json.loads(known.read_text()) == {
        "form": 1,
        "hosts": {f"127.0.0.1:{server.port}": server.certificate.fingerprint},
    }
    assert known.stat().st_mode & 0o777 == 0o600
    assert (server.handshakes, len(server.requests)) == (2, 2)
    assert send(client_of(server))[0] == "accepted"
    assert server.handshakes == 3


def test_first_use_refuses_another_later(server: TlsServer) -> None:
    """Another certificate later is refused with both fingerprints and the way to accept; the server sees no request."""
    assert send(client_of(server))[0] == "accepted"
    old, server.certificate = server.certificate, Certificate()
    new = server.certificate
    server.requests.clear()
    outcome, fatal, message = send(client_of(server))
    assert (outcome, fatal) == ("not_sent", True)
    assert f"sha256:{old.fingerprint[7:15]}…{old.fingerprint[-8:]}" in message
    assert f"sha256:{new.fingerprint[7:15]}…{new.fingerprint[-8:]}" in message
    assert f"masanalytics fingerprint 127.0.0.1:{server.port} --accept" in message
    with client_of(server) as client, pytest.raises(CertificateError) as caught:
        client.poll_reports()
    assert (caught.value.sent, caught.value.retryable) == (False, False)
    assert server.requests == []


def test_a_new_certificate_accepted_meanwhile(server: TlsServer, known: Path) -> None:
    """A certificate that the user accepts is used by a client that refused it before."""
    with client_of(server) as client:
        assert client.submit(["13800138000"], "hi").outcome == "accepted"
        server.certificate = Certificate()
        client.close()
        assert client.submit(["13800138000"], "hi").outcome == "not_sent"
        KnownHosts(known).remember("127.0.0.1", server.port, server.certificate.fingerprint, replace=True)
        assert client.submit(["13800138000"], "hi").outcome == "accepted"


def test_first_use_without_a_memory(server: TlsServer, tmp_path: Path) -> None:
    """Where the certificate cannot be remembered, or the memory is damaged, nothing is sent."""
    (tmp_path / "file").write_text("x")
    outcome, fatal, message = send(client_of(server, known_hosts=tmp_path / "file" / "known.json"))
    assert (outcome, fatal) == ("not_sent", True)
    assert "MAS_KNOWN_HOSTS" in message
    (tmp_path / "broken.json").write_text('{"hosts": {')
    outcome, fatal, message = send(client_of(server, known_hosts=tmp_path / "broken.json"))
    assert (outcome, fatal) == ("not_sent", True)
    assert "put it right, or delete it" in message
    with client_of(server, known_hosts=tmp_path / "broken.json") as client, pytest.raises(ConfigError):
        client.poll_reports()
    assert server.requests == []


def test_where_certificates_are_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """MAS_KNOWN_HOSTS names the file; otherwise it is in the config folder."""
    assert known_hosts_path() == tmp_path / "config" / "known_hosts.json"
    monkeypatch.setenv("MAS_KNOWN_HOSTS", str(tmp_path / "other.json"))
    assert known_hosts_path() == tmp_path / "other.json"


def test_the_right_fingerprint(server: TlsServer, known: Path) -> None:
    """A fingerprint that was given is enough, and nothing is remembered."""
    pin = server.certificate.fingerprint.removeprefix("sha256:").upper()
    tls = "sha256:" + ":".join(pin[place : place + 2] for place in range(0, 64, 2))
    assert send(client_of(server, tls))[0] == "accepted"
    assert not known.exists()


def test_the_wrong_fingerprint(server: TlsServer) -> None:
    """With another fingerprint the server sees no request, and the error names what it showed."""
    outcome, fatal, message = send(client_of(server, "sha256:" + "ab" * 32))
    assert (outcome, fatal, server.requests) == ("not_sent", True, [])
    assert "sha256:abababab…abababab is expected" in message
    assert f"tls='{server.certificate.fingerprint}'" in message


def test_unverified(server: TlsServer, caplog: pytest.LogCaptureFixture, known: Path) -> None:
    """Unverified talks to anyone, says so once in the log, and never warns."""
    with warnings.catch_warnings(), client_of(server, "unverified") as client:
        warnings.simplefilter("error")
        for _ in range(3):
            assert client.submit(["13800138000"], "hi").outcome == "accepted"
    told = [record for record in caplog.records if record.name.startswith("masanalytics")]
    assert [record.levelno for record in told] == [logging.WARNING]
    assert "anyone in between can pose as" in told[0].message
    assert not known.exists()


def test_system(server: TlsServer) -> None:
    """A certificate that no known authority vouches for is refused before anything is sent."""
    outcome, fatal, message = send(client_of(server, "system"))
    assert (outcome, fatal, server.requests) == ("not_sent", True, [])
    assert "vouched for by no authority given in tls=" in message


def test_a_ca_file(server: TlsServer, tmp_path: Path) -> None:
    """The platform's own authority, as a file, vouches for it."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    assert send(client_of(server, str(tmp_path / "ca.pem")))[0] == "accepted"


def test_a_ca_file_and_another_name(server: TlsServer, tmp_path: Path) -> None:
    """A certificate of that authority for another host is refused."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    server.certificate = Certificate("mas.example")
    outcome, fatal, message = send(client_of(server, str(tmp_path / "ca.pem")))
    assert (outcome, fatal, server.requests) == ("not_sent", True, [])
    assert "127.0.0.1" in message


@pytest.mark.parametrize(
    ("name", "tls", "said", "unsaid"),
    [
        ("127.0.0.1", "system", "vouched for by no authority given in tls=", "another host name"),
        ("127.0.0.1", "other", "vouched for by no authority given in tls=", "another host name"),
        ("mas.example", "ours", "made out to another host name", "vouched for by no authority"),
        ("10.0.0.1", "ours", "made out to another host name", "vouched for by no authority"),
    ],
)
def test_a_certificate_in_doubt_is_a_certificate_error(
    server: TlsServer, tmp_path: Path, name: str, tls: str, said: str, unsaid: str
) -> None:
    """Polls raise it and submits carry it, and the text tells another host name from an unknown authority."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ours")
    trustme.CA().cert_pem.write_to_path(tmp_path / "other")
    server.certificate = Certificate(name)
    with client_of(server, tls if tls == "system" else str(tmp_path / tls)) as client:
        result = client.submit(["13800138000"], "hi")
        with pytest.raises(CertificateError, match=said) as caught:
            client.poll_reports()
    assert (result.outcome, result.fatal, server.requests) == ("not_sent", True, [])
    assert isinstance(result.error, CertificateError)
    assert (caught.value.sent, caught.value.retryable) == (False, False)
    assert said in result.message
    assert unsaid not in result.message


def test_a_certificate_that_has_expired(server: TlsServer, tmp_path: Path) -> None:
    """A certificate of the right authority whose time is over is said to be out of date, not unknown."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    leaf = AUTHORITY.issue_cert(
        "127.0.0.1", not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=datetime(2021, 1, 1, tzinfo=UTC)
    )
    leaf.configure_cert(server.certificate.context)
    with client_of(server, str(tmp_path / "ca.pem")) as client, pytest.raises(CertificateError, match="not valid now"):
        client.poll_reports()
    assert server.requests == []


@pytest.mark.parametrize("tls", ["first-use", "unverified", "sha256"])
def test_the_environment_changes_nothing(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    """REQUESTS_CA_BUNDLE and HTTPS_PROXY of the environment neither break nor redirect a connection."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    tls = server.certificate.fingerprint if tls == "sha256" else tls
    assert send(client_of(server, tls))[0] == "accepted"


def test_the_environment_vouches_for_nobody(server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority slipped in by the environment does not make a server trusted."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    assert send(client_of(server, "system"))[0] == "not_sent"
    assert server.requests == []


@pytest.mark.parametrize("tls", ["first-use", "unverified", "sha256:" + "ab" * 32, "system"])
def test_a_port_without_tls(tls: str) -> None:
    """https:// to a port that speaks plain HTTP is not sent, with a sentence that says so."""

    def plain(line: socket.socket, body: bytes) -> bool:
        line.recv(1000)
        line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return False

    server = ScriptedServer(deaf=plain)
    account = Account(f"https://127.0.0.1:{server.port}", "shop", "demo0", "k", tls=tls)
    outcome, fatal, message = send(Client(account, clock=ManualClock()))
    server.close()
    assert (outcome, fatal) == ("not_sent", True)
    assert "does not speak TLS" in message


@pytest.mark.parametrize("tls", ["first-use", "sha256:" + "ab" * 32])
def test_a_handshake_that_stalls(server: TlsServer, tls: str) -> None:
    """A server that takes the connection and never shakes hands is not sent: nothing of the request left."""
    server.silent = True
    outcome, fatal, message = send(client_of(server, tls, timeout=(0.1, 5.0)))
    assert (outcome, fatal) == ("not_sent", False)
    assert "did not answer in time" in message


def test_a_refusal_after_the_handshake(server: TlsServer) -> None:
    """TLS 1.3 lets a server refuse after the client has begun to speak: that is unknown, whatever the error is called."""
    server.certificate.context.verify_mode = ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(server.certificate.context)
    outcome, fatal, _ = send(client_of(server, server.certificate.fingerprint))
    assert (outcome, fatal, server.requests) == ("unknown", False, [])


def test_old_tls(server: TlsServer) -> None:
    """A gateway that knows only TLS 1.1 is told apart, and reached with legacy_tls; its pin still counts."""
    context = server.certificate.context
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    pin = server.certificate.fingerprint
    for tls in (pin, "first-use"):
        outcome, fatal, message = send(client_of(server, tls))
        assert (outcome, fatal) == ("not_sent", True)
        assert "legacy_tls=True" in message
    assert send(client_of(server, pin, legacy_tls=True))[0] == "accepted"
    assert send(client_of(server, "sha256:" + "ab" * 32, legacy_tls=True))[0] == "not_sent"
    assert send(client_of(server, "first-use", legacy_tls=True))[0] == "accepted"
    assert len(server.requests) == 2


class Proxy(RawServer):
    """An HTTP proxy that only knows CONNECT."""

    def __init__(self, verdict: bytes = b"200 OK") -> None:
        self.verdict = verdict
        self.asked: list[bytes] = []
        super().__init__()

    @property
    def url(self) -> str:
        return f"http://user:p%40ss@127.0.0.1:{self.port}"

    def serve(self, line: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += line.recv(1000)
        self.asked.append(head)
        line.sendall(b"HTTP/1.1 " + self.verdict + b"\r\n\r\n")
        if not self.verdict.startswith(b"200"):
            return
        host, _, port = head.split()[1].decode().partition(":")
        with socket.create_connection((host, int(port))) as there:
            back = threading.Thread(target=self.pump, args=(there, line), daemon=True)
            back.start()
            self.pump(line, there)
            back.join(1)

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    one = Proxy()
    yield one
    one.close()


def test_first_use_through_a_proxy(server: TlsServer, proxy: Proxy, known: Path) -> None:
    """Both the look at the certificate and the pinned request go through the proxy, with its password."""
    assert send(client_of(server, proxies={"https": proxy.url}))[0] == "accepted"
    assert KnownHosts(known).get("127.0.0.1", server.port) == server.certificate.fingerprint
    assert len(proxy.asked) == 2
    greeting = b"Proxy-Authorization: Basic " + base64.b64encode(b"user:p@ss")
    assert all(greeting in head for head in proxy.asked)


def test_the_pin_holds_through_a_proxy(server: TlsServer, proxy: Proxy) -> None:
    """A proxy cannot put another server in between."""
    outcome, fatal, _ = send(client_of(server, "sha256:" + "ab" * 32, proxies={"https": proxy.url}))
    assert (outcome, fatal, server.requests) == ("not_sent", True, [])


@pytest.mark.parametrize("tls", ["first-use", "unverified"])
def test_a_proxy_that_refuses(server: TlsServer, proxy: Proxy, tls: str) -> None:
    """What a proxy refuses was not sent, although the proxy was spoken to; its password does not show."""
    proxy.verdict = b"407 Proxy Authentication Required"
    outcome, _, message = send(client_of(server, tls, proxies={"https": proxy.url}))
    assert (outcome, server.requests) == ("not_sent", [])
    assert "the proxy did not let the connection through" in message
    assert "p%40ss" not in message


def test_a_proxy_of_another_kind(server: TlsServer) -> None:
    """First use through a proxy that cannot be looked through asks for a pin instead."""
    outcome, fatal, message = send(client_of(server, proxies={"https": "socks5://127.0.0.1:9"}))
    assert (outcome, fatal) == ("not_sent", True)
    assert "pin it with tls='sha256:…'" in message


def test_a_server_that_is_down(known: Path) -> None:
    """First use of a server that is not there is not sent, and can be tried again."""
    port = unused_port()
    account = Account(f"https://127.0.0.1:{port}", "shop", "demo0", "k")
    outcome, fatal, message = send(Client(account, clock=ManualClock()))
    assert (outcome, fatal) == ("not_sent", False)
    assert "refused the connection" in message
    with Client(account, clock=ManualClock()) as client, pytest.raises(NetworkError) as caught:
        client.poll_reports()
    assert not caught.value.sent
    assert not known.exists()


def test_many_threads_at_first_use(server: TlsServer) -> None:
    """Threads that start together look at the certificate once."""
    with client_of(server, connections=4) as client:
        gate = threading.Barrier(4)

        def go() -> None:
            gate.wait()
            client.submit(["13800138000"], "hi")

        threads = [threading.Thread(target=go) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.requests) == 4
    assert server.handshakes <= 5


REMEMBER = """
import sys
from masanalytics.tls.known_hosts import KnownHosts
path, start = sys.argv[1], int(sys.argv[2])
for port in range(start, start + 10):
    KnownHosts(path).remember("mas.example", port, f"sha256:{port:064d}")
    KnownHosts(path).remember("mas.example", 1, f"sha256:{start:064d}")
"""


def test_two_processes_remember(known: Path) -> None:
    """Processes that remember at the same time lose nothing; of two that differ, the first stands."""
    starts = ("100", "200")
    processes = [subprocess.Popen([sys.executable, "-c", REMEMBER, str(known), start]) for start in starts]
    assert [process.wait() for process in processes] == [0, 0]
    entries = KnownHosts(known).entries()
    ports = {*range(100, 110), *range(200, 210)}
    assert entries.keys() == {"mas.example:1", *(f"mas.example:{port}" for port in ports)}
    assert entries["mas.example:1"] in (f"sha256:{100:064d}", f"sha256:{200:064d}")
    assert sorted(path.name for path in known.parent.iterdir()) == ["known_hosts.json", "known_hosts.json.lock"]
