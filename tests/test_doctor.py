"""The doctor explains what it finds, and neither sends a message nor takes a report away."""

from __future__ import annotations

import contextlib
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from masanalytics.account import Account
from masanalytics.client import Client
from masanalytics.clock import ManualClock
from masanalytics.doctor import Finding, check
from masanalytics.errors import ConfigError
from masanalytics.store import Store
from masanalytics.tls import KnownHosts, fetch_fingerprint
from tests.raw_server import unused_port

NOW = 1_767_225_600.0  # 2026-01-01 08:00 in China


class Handler(BaseHTTPRequestHandler):
    """Tells the time of a server whose clock is `skew` seconds ahead."""

    seen: list[str]
    skew = 0.0

    def do_HEAD(self) -> None:
        self.seen.append(f"{self.command} {self.path} {dict(self.headers)}")
        self.send_response_only(404)
        self.send_header("Date", formatdate(NOW + self.skew, usegmt=True))
        self.end_headers()

    do_POST = do_GET = do_HEAD  # noqa: N815

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def handler() -> type[Handler]:
    return type("Own", (Handler,), {"seen": []})


@pytest.fixture
def serve(handler: type[Handler]) -> Iterator[Callable[..., int]]:
    servers: list[HTTPServer] = []

    def start(*, tls: bool = True) -> int:
        server = HTTPServer(("127.0.0.1", 0), handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def account(port: int, scheme: str = "https", **changes: Any) -> Account:
    return Account(f"{scheme}://127.0.0.1:{port}", "shop", "demo0", "123qwe", **({"sign": "DWItALe3A"} | changes))


def findings(*args: Any, **options: Any) -> dict[str, Finding]:
    asked: dict[str, Any] = {"clock": ManualClock(NOW), "language": "en"} | options
    return {finding.name: finding for finding in check(*args, **asked)}


def test_all_is_well(serve: Callable[..., int], handler: type[Handler], tmp_path: Path) -> None:
    """With everything in place every finding is good, and the server was only asked for the time."""
    path = tmp_path / "mas.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE t (x)")
    found = findings(account(serve()), path)
    assert list(found) == ["configuration", "protocol", "connection", "certificate", "clock", "database", "disk"]
    assert [finding.ok for finding in found.values()] == [True] * 7
    assert found["configuration"].text.startswith("account shop/demo0 at https://127.0.0.1:")
    assert "not met before; the first request will remember it; valid until" in found["certificate"].text
    assert found["clock"].text == "agrees with the server's."
    assert "journal mode wal" in found["database"].text
    assert [seen.split(" {")[0] for seen in handler.seen] == ["HEAD /"]


def test_nothing_is_remembered_and_nothing_told(
    serve: Callable[..., int], handler: type[Handler], tmp_path: Path
) -> None:
    """Looking at a certificate does not trust it, and nothing of the account reaches the server."""
    found = check(account(serve()))
    assert not (tmp_path / "config").exists()
    for secret in ("shop", "demo0", "123qwe", "DWItALe3A"):
        assert secret not in repr(handler.seen)
    assert "123qwe" not in repr(found)


def test_in_chinese(serve: Callable[..., int]) -> None:
    """Every finding speaks the language asked for."""
    for finding in findings(account(serve()), language="zh").values():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in finding.text)


def test_no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without an account everything that is missing is named, and the database is looked at all the same."""
    monkeypatch.chdir(tmp_path)
    found = findings(None, tmp_path / "mas.db")
    assert list(found) == ["configuration", "database", "disk"]
    assert found["configuration"].ok is False
    assert "MAS_URL, MAS_EC_NAME, MAS_AP_ID, MAS_SECRET_KEY" in found["configuration"].text


def test_a_known_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A configuration that was found wrong elsewhere is told as it was, without reading another."""
    found = findings(problem=ConfigError("no profile {name}", name="'x'"))
    assert found == {"configuration": Finding("configuration", ok=False, text="no profile 'x'")}


def test_no_sign(serve: Callable[..., int]) -> None:
    """An account without a signature's code can collect, not send."""
    found = findings(account(serve(), sign=""))
    assert found["configuration"].ok is None
    assert "NoSignId" in found["configuration"].advice


def test_nobody_there() -> None:
    """A server that is down is one finding; the certificate is not looked for."""
    port = unused_port()
    found = findings(account(port))
    assert list(found) == ["configuration", "protocol", "connection", "clock"]
    assert found["connection"].ok is False
    assert "refused the connection" in found["connection"].text


def test_plain_http(serve: Callable[..., int]) -> None:
    """Plain HTTP works, and its danger is told."""
    found = findings(account(serve(tls=False), "http"))
    assert found["certificate"].ok is None
    assert "secret key unprotected" in found["certificate"].advice
    assert found["clock"].ok is True


def test_a_port_without_tls(serve: Callable[..., int]) -> None:
    """https:// to a plain port is told as that."""
    found = findings(account(serve(tls=False)))
    assert found["certificate"].ok is False
    assert "does not speak TLS" in found["certificate"].text


def test_a_changed_certificate(serve: Callable[..., int], handler: type[Handler], tmp_path: Path) -> None:
    """A certificate other than the remembered one is a fault, and the server is asked nothing more."""
    port = serve()
    KnownHosts(tmp_path / "known.json").remember("127.0.0.1", port, "sha256:" + "ab" * 32)
    found = findings(client=Client(account(port), known_hosts=tmp_path / "known.json"))
    assert found["certificate"].ok is False
    assert f"masanalytics fingerprint 127.0.0.1:{port} --accept" in found["certificate"].text
    assert handler.seen == []


def test_a_remembered_certificate(serve: Callable[..., int], tmp_path: Path) -> None:
    """The remembered certificate is told as the expected one."""
    port = serve()
    KnownHosts(tmp_path / "config" / "known_hosts.json").remember(
        "127.0.0.1", port, fetch_fingerprint("127.0.0.1", port)
    )
    found = findings(account(port))
    assert found["certificate"].ok is True
    assert "the expected one" in found["certificate"].text


def test_unverified(serve: Callable[..., int]) -> None:
    """An unverified server works; the way to pin its certificate is shown whole."""
    port = serve()
    found = findings(account(port, tls="unverified"))
    assert found["certificate"].ok is None
    assert f"tls='{fetch_fingerprint('127.0.0.1', port)}'" in found["certificate"].advice


def test_a_certificate_that_runs_out(serve: Callable[..., int]) -> None:
    """A certificate past its end is told, since its successor will have to be accepted."""
    found = findings(account(serve()), clock=ManualClock(NOW + 1100 * 365 * 86400))
    assert "it ran out on" in found["certificate"].text


@pytest.mark.parametrize(
    ("skew", "ok", "words"),
    [
        (59, True, "agrees with the server's."),
        (3600, False, "this machine's clock is 3600 s behind the server's."),
        (-120, False, "this machine's clock is 120 s ahead of the server's."),
    ],
)
def test_the_clock(serve: Callable[..., int], handler: type[Handler], skew: float, ok: bool, words: str) -> None:
    """A clock more than a minute off the server's is a fault."""
    handler.skew = skew
    clock = findings(account(serve()))["clock"]
    assert (clock.ok, clock.text) == (ok, words)


def test_a_clock_that_was_never_set() -> None:
    """A clock in the past is a fault without any server."""
    port = unused_port()
    clock = findings(account(port), clock=ManualClock(0))["clock"]
    assert (clock.ok, clock.text) == (False, "this machine's clock says 1970-01-01 08:00:00.")


def test_databases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database may be missing; it may not be something else, in no folder, or be without its WAL unnoticed."""
    monkeypatch.chdir(tmp_path)
    assert findings(None, tmp_path / "new.db")["database"].ok is True
    assert not (tmp_path / "new.db").exists()
    assert findings(None, tmp_path / "none" / "new.db")["database"].ok is False
    (tmp_path / "text.db").write_text("not a database, " * 100)
    wrong = findings(None, tmp_path / "text.db")["database"]
    assert (wrong.ok, "not a database" in wrong.text) == (False, True)
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as database:
        database.execute("CREATE TABLE t (x)")
        database.commit()
        old = findings(None, tmp_path / "old.db")["database"]
    assert (old.ok, "WAL" in old.advice) == (None, True)


def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    """What every command refuses is no healthy file."""
    with Store(tmp_path / "mas.db") as store:
        row = {"migration_set": "masanalytics", "name": "m999_next", "applied_at": "2027-01-01"}
        store.db.table("_sqlite_migrations").insert(row)
        store.db.conn.commit()

    found = findings(None, tmp_path / "mas.db")["database"]

    assert (found.ok, "made by a newer masanalytics (m999_next)" in found.text) == (False, True)


def test_a_network_drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite breaks there: it is a fault, and what to do is said."""
    table = [
        "/dev/sda / ext4 rw 0 0",
        f"//server/share {tmp_path}/a\\040b cifs rw 0 0",
        f"host:/x {tmp_path}/nfs nfs4 rw 0 0",
    ]
    monkeypatch.setattr("masanalytics.paths._mounts", lambda: table)
    folders = [tmp_path / "a b", tmp_path / "nfs" / "deep", tmp_path / "nfs2"]
    for folder in folders:
        folder.mkdir(parents=True)
    found = [findings(None, folder / "mas.db")["disk"] for folder in folders]

    assert [one.ok for one in found] == [False, False, True]
    assert (found[0].text, "disk of this machine" in found[0].advice) == (f"{folders[0]} is on a network drive.", True)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little room is worth knowing, none is a fault."""
    monkeypatch.chdir(tmp_path)
    for free, ok in ((5 << 30, True), (500 << 20, None), (5 << 20, False)):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: type("Usage", (), {"free": free}))
        assert findings(None, tmp_path / "mas.db")["disk"].ok is ok
