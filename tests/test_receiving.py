"""Pushed reports and replies: every shape, durable before the answer, the same ledger as polls, and who may push."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import pandas as pd
import pytest

import masanalytics as mas
from masanalytics.clock import FastClock, ManualClock
from masanalytics.doctor import check
from masanalytics.errors import ConfigError, InputError, StoreError
from masanalytics.protocol import Pushed, read_push
from masanalytics.receiving import Receiver, ReceiverLimits
from masanalytics.receiving.door import Door, allows, networks
from masanalytics.receiving.keeper import Keeper
from masanalytics.receiving.service import _line
from masanalytics.simulator import Push, Simulator, Style
from tests.raw_server import unused_port
from tests.waiting import wait_until

A, B, GROUP = "13800138000", "13800138001", "0826112130001000330441"
CAPTURED = {
    "errorCode": "DELIVRD", "mobile": A, "msgGroup": GROUP, "receiveDate": "20260826112100",
    "reportStatus": "CM:0000", "submitDate": "20260826112100",
}  # fmt: skip
REPLY = {"mobile": A, "smsContent": "TD", "sendTime": "2026-08-26 15:58:36", "addSerial": "106575297722"}
PATH = "a-path-that-nobody-guesses"


def quiet(line: str) -> None:
    """Say nothing."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[mas.Store]:
    with mas.Store(tmp_path / "mas.db", busy_s=0.3) as made:
        yield made


def receiver(store: mas.Store, **options: Any) -> Receiver:
    settings: dict[str, Any] = {"port": 0, "path": PATH, "say": quiet} | options
    return Receiver(store, "企业/ap", **settings)


def ask(port: int, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> tuple[int, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    line.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
    answer = line.getresponse()
    found = answer.status, answer.read()
    line.close()
    return found


def push(to: Receiver, row: object, what: str = "report", **headers: str) -> int:
    body = row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode()
    return ask(to.port, f"/{PATH}/{what}", body, **headers)[0]


# ---- shapes ----------------------------------------------------------------------------------------------------------

SHAPES: list[tuple[str, Callable[[Any], bytes], str]] = [
    ("object", lambda row: json.dumps(row, ensure_ascii=False).encode(), "application/json"),
    ("escaped", lambda row: json.dumps(row).encode(), "application/json;charset=UTF-8"),
    ("list", lambda row: json.dumps([row]).encode(), "application/json"),
    ("base64", lambda row: base64.b64encode(json.dumps(row).encode()), "text/plain"),
    ("string", lambda row: json.dumps(json.dumps(row)).encode(), "application/json"),
    ("form", lambda row: "&".join(f"{k}={v}" for k, v in row.items()).replace(" ", "+").encode(), "application/x-www-form-urlencoded"),
    ("form type, JSON body", lambda row: json.dumps(row).encode(), "application/x-www-form-urlencoded"),
    ("no type", lambda row: json.dumps(row).encode(), ""),
    ("xml type, BOM, NUL", lambda row: b"\xef\xbb\xbf" + json.dumps(row).encode() + b"\0", "text/xml"),
    ("inside data", lambda row: json.dumps({"data": [row]}).encode(), "application/json"),
    ("an object inside", lambda row: json.dumps({"data": {"report": row}}).encode(), "application/json"),
    ("base64 of addresses", lambda row: base64.urlsafe_b64encode(json.dumps(row | {"x": "??>>"}).encode()).rstrip(b"="), ""),
    ("JSON in a form field", lambda row: b"data=" + quote(json.dumps(row)).encode(), "application/x-www-form-urlencoded"),
    ("JSON as a form", lambda row: quote(json.dumps(row)).encode() + b"=", "application/x-www-form-urlencoded"),
    ("as scripts write it", lambda row: ("{" + ",".join(f"{k}:'{v}'" for k, v in row.items()) + ",}").encode(), "text/json"),
]  # fmt: skip


@pytest.mark.parametrize("what", ["report", "uplink"])
@pytest.mark.parametrize(("dress", "kind"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
def test_pushes_of_every_shape(store: mas.Store, what: str, dress: Callable[[Any], bytes], kind: str) -> None:
    """A report and a reply in each shape, under any content type, end in the store as if polled."""
    row = CAPTURED if what == "report" else REPLY
    with receiver(store) as listening:
        assert push(listening, dress(row), what, **({"Content_Type": kind} if kind else {})) == 200
    if what == "report":
        found = store.reports()
        assert found[["phone", "msg_group", "error_code"]].values.tolist() == [[A, GROUP, "DELIVRD"]]
        assert store.messages().status.tolist() == ["delivered"]
    else:
        assert store.uplinks()[["phone", "content", "add_serial"]].values.tolist() == [[A, "TD", "106575297722"]]
        assert store.opt_outs()["phone"].tolist() == [A]


def test_one_address_serves_both() -> None:
    """What a record is stands in its fields; the address decides only where they do not say."""
    report, reply = (json.dumps(row).encode() for row in (CAPTURED, REPLY))
    assert read_push(reply, "report") == [Pushed("deliver", reply, is_object=True)]
    assert read_push(report, "deliver") == [Pushed("report", report, is_object=True)]
    assert [part.endpoint for part in read_push(json.dumps([CAPTURED, REPLY]).encode(), "report")] == [
        "report",
        "deliver",
    ]
    assert read_push(b'{"x":1}', "deliver") == [Pushed("deliver", b'{"x":1}', is_object=False)]
    assert read_push(b"\x00\xff", "report") == [Pushed("report", b"\x00\xff", is_object=False)]


@pytest.mark.parametrize("rubbish", [b"hello", b"<xml/>", b"\xff\xfe\x00", b"{", b'{"mobile":', b"[1]", b"=&=", b"{}"])
def test_rubbish_is_kept_and_harms_nobody(store: mas.Store, rubbish: bytes) -> None:
    """What cannot be read is answered, kept as it came where it could be data, and the next push is read."""
    with receiver(store) as listening:
        assert push(listening, rubbish) == 200
        assert push(listening, CAPTURED) == 200
    assert len(store.reports()) == 1


# ---- the same ledger -------------------------------------------------------------------------------------------------


def test_a_campaign_over_http_and_push() -> None:
    """A whole campaign: sent to norsubmit, its reports and replies pushed, late, twice and in pieces; each counts once."""
    style = Style(success=("CM:0000", "DELIVRD"))
    clock = FastClock(300, start=1_767_232_800)  # ten in the morning in China: reports of the night are slow
    with Simulator(https=False, clock=clock, seed=5, style=style) as sim, mas.Store(":memory:", clock=clock) as store:
        account = sim.account(protocol="http")
        with Receiver(store, account, port=0, say=quiet) as listening:
            sim.push_to(Push(listening.report_url, listening.uplink_url, reorder=30, duplicates=0.3, workers=8))
            people = pd.DataFrame({"p": [str(13800000000 + n) for n in range(400)]})
            client = mas.Client(account, clock=sim.clock)
            mas.send(people, client, store, phone="p", text="您好", campaign="c", progress=False)
            collected = listening.wait("c", until=0.9, timeout=7200, progress=False)
            assert collected.reached is not None
            assert collected.reached >= 0.9
            sim.push_to(None)
        truth = {message.phone: message.code for message in sim.messages}
        mine = store.messages("c")
        reported = mine[mine.status.isin(["delivered", "failed"])]
        said = zip(reported["phone"], reported["status"], strict=True)
        assert all((truth[phone] == "DELIVRD") == (status == "delivered") for phone, status in said)
        assert len(store.reports()) == len({row.row["mobile"] for row in sim.handed_out if row.kind == "report"})
        assert len(store.foreign_reports()) == 0


def test_the_same_push_again_changes_nothing(store: mas.Store) -> None:
    """Duplicates are normal: the platform repeats what was answered too late."""
    with receiver(store) as listening:
        for _ in range(3):
            assert (push(listening, CAPTURED), push(listening, REPLY, "uplink")) == (200, 200)
    assert (len(store.reports()), len(store.uplinks())) == (1, 1)


def test_pushes_can_be_read_again(store: mas.Store) -> None:
    """The bodies are kept: reports, replies and opt-outs are rebuilt from them alone."""
    with receiver(store) as listening:
        push(listening, CAPTURED)
        push(listening, REPLY, "uplink")
    before = store.reports().drop(columns="report_id"), store.uplinks().drop(columns="uplink_id")
    assert store.intake.replay() == 2
    after = store.reports().drop(columns="report_id"), store.uplinks().drop(columns="uplink_id")
    assert before[0].equals(after[0])
    assert before[1].equals(after[1])


def test_an_http_account_has_no_collector(store: mas.Store) -> None:
    """A collector for an HTTP account says at once what takes its place."""
    account = mas.Account("http://127.0.0.1:1/sms/norsubmit", "企业", "ap", "k")
    with pytest.raises(ConfigError, match="masanalytics receive"):
        mas.Collector(mas.Client(account), store)


# ---- nothing is lost ---------------------------------------------------------------------------------------------------


def test_while_the_store_is_locked_a_push_waits_in_a_file(store: mas.Store, tmp_path: Path) -> None:
    """A push that the store cannot take within the two seconds is safe beside it, and is taken in when it can."""
    with receiver(store) as listening:
        push(listening, CAPTURED | {"mobile": B})
        with store._connections.writing():
            began = time.monotonic()
            assert push(listening, CAPTURED) == 200
            assert time.monotonic() - began < 1.9
            assert len(list((tmp_path / "mas.db.spool").glob("*.answer"))) == 1
    with receiver(store):
        wait_until(lambda: len(store.reports()) == 2)
    assert not (tmp_path / "mas.db.spool").exists()


@pytest.mark.slow
def test_while_the_store_is_locked_every_push_is_answered_in_time(store: mas.Store) -> None:
    """Two hundred pushes against a locked store: each is answered within the two seconds, and each is in the store later."""
    took: list[float] = []

    def timed(number: int) -> int:
        began = time.monotonic()
        status = push(listening, CAPTURED | {"mobile": f"138{number:08d}"})
        took.append(time.monotonic() - began)
        return status

    with receiver(store) as listening, ThreadPoolExecutor(40) as pool:
        with store._connections.writing():
            assert set(pool.map(timed, range(200))) == {200}
        assert max(took) < 2
    with receiver(store):
        wait_until(lambda: len(store.reports()) == 200)


def test_what_can_be_kept_nowhere_is_not_answered_as_kept(store: mas.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither store nor file can be written the platform gets a 503, so that it pushes again."""
    from masanalytics.errors import StoreError
    from masanalytics.receiving import keeper

    def full(*args: object) -> None:
        raise StoreError("the disk is full")

    with receiver(store) as listening:
        monkeypatch.setattr(keeper, "write_spool", full)
        with store._connections.writing():
            assert push(listening, CAPTURED) == 503
        assert push(listening, CAPTURED) == 200


# ---- coverage ----------------------------------------------------------------------------------------------------------


def test_it_covers_while_it_runs_and_its_pauses_are_gaps(tmp_path: Path) -> None:
    """Covered from the start of a receiver that is pushed to, until its end; a pause is a gap, however short a poll's may be."""
    clock = ManualClock()
    begun = int(clock.now())
    with mas.Store(tmp_path / "mas.db", clock=clock) as store:
        with receiver(store) as listening:
            clock.sleep(50)
            push(listening, CAPTURED)
            clock.sleep(50)
        clock.sleep(60)
        with receiver(store):
            clock.sleep(100)
        assert [span[1:] for span in _spans(store)] == [(begun, begun + 100), (begun + 160, begun + 260)]
        clock.sleep(3)  # the platform's three tries bridge it
        with receiver(store):
            clock.sleep(10)
        assert [span[1:] for span in _spans(store)][1:] == [(begun + 160, begun + 273)]


@pytest.mark.parametrize("stepped_s", [8 * 3600.0, -8 * 3600.0])
def test_a_clock_that_is_set_while_it_listens_begins_another_interval(stepped_s: float) -> None:
    """Neither the hours that a step adds, nor those that the machine has slept, were listened to."""
    clock = ManualClock()
    with mas.Store(":memory:", clock=clock) as store:
        keeper = Keeper(store.intake, "shop/ap", clock, clock.monotonic)
        keeper.begin()
        first = keeper._listened_since()
        clock.sleep(60)
        second = keeper._listened_since()
        clock.jump(stepped_s)
        clock.sleep(5)
        third = keeper._listened_since()

    assert (second - first, third - first) == (0, 65 + stepped_s)


def test_as_long_as_nothing_was_pushed_nothing_is_covered(store: mas.Store) -> None:
    """A receiver that the platform may not know of says nothing about what there would have been to hear."""
    with receiver(store):
        pass
    assert _spans(store) == []


def _spans(store: mas.Store) -> list[tuple[str, int, int]]:
    frame = store.coverage()
    starts, ends = ([int(at.timestamp()) for at in frame[name]] for name in ("started_at", "ended_at"))
    return list(zip(frame["account"].tolist(), starts, ends, strict=True))


# ---- who may push ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/{PATH}/report", 200),
        ("HEAD", f"/{PATH}/uplink", 200),
        ("PUT", f"/{PATH}/report", 405),
        ("POST", "/report", 404),
        ("POST", "/", 404),
        ("POST", f"/{PATH}", 404),
        ("POST", f"/{PATH}/other", 404),
        ("POST", f"/{PATH}x/report", 404),
        ("POST", "/%ff%00/report", 404),
        ("GET", "/health", 404),
        ("POST", f"/{PATH}/report/", 200),
    ],
)
def test_paths_and_methods(store: mas.Store, method: str, path: str, status: int) -> None:
    """Only who knows the path is answered anything, and only a POST is kept."""
    with receiver(store) as listening:
        assert ask(listening.port, path, json.dumps(CAPTURED).encode(), method)[0] == status
    assert len(store.reports()) == (method == "POST" and status == 200)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_record_behind_the_question_mark_is_kept(store: mas.Store, method: str) -> None:
    """What a gateway in between has made of a push is never answered and thrown away."""
    with receiver(store) as listening:
        assert ask(listening.port, f"/{PATH}/report?{urlencode(CAPTURED)}", b"", method)[0] == 200
    assert store.messages()[["phone", "status"]].values.tolist() == [[A, "delivered"]]


def test_the_path_is_said_once(store: mas.Store, tmp_path: Path) -> None:
    """The start that makes the path says it; a service that starts again leaves it out of its log; half a file is made anew."""
    said: list[str] = []
    for _ in range(2):
        with Receiver(store, "企业/ap", port=0, say=said.append) as listening:
            pass
    (tmp_path / "mas.db.receive-path").write_text("", "utf-8")
    with Receiver(store, "企业/ap", port=0, say=said.append) as anew:
        pass
    assert [listening.path in said[0], listening.path in said[1], anew.path in said[2]] == [True, False, True]
    assert anew.path == Receiver(store, "企业/ap", port=0, say=quiet).path != listening.path
    assert [path.name for path in tmp_path.glob("mas.db.receive-path*")] == ["mas.db.receive-path"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"forward": "crm.example/x"}, "write http://HOST:PORT/PATH"),
        ({"forward": "ftp://crm.example/x"}, "write http://HOST:PORT/PATH"),
        ({"forward": "http://crm.example:99999/x"}, "write http://HOST:PORT/PATH"),
        ({"behind_proxy": "localhost"}, "such as 127.0.0.1"),
    ],
)
def test_settings_that_cannot_work_are_refused(store: mas.Store, settings: dict[str, str], said: str) -> None:
    """Not at the first push, where nobody looks, but before it listens."""
    with pytest.raises(InputError, match=said):
        receiver(store, **settings)


def test_a_port_that_is_none(store: mas.Store) -> None:
    """It is named as a taken one is."""
    with pytest.raises(InputError, match=r"cannot listen on 127\.0\.0\.1:99999"):
        receiver(store, port=99_999).start()


def test_a_start_that_fails_leaves_the_port_free(store: mas.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be written is an error of the moment: the next start listens at the same port."""
    port = unused_port()
    with monkeypatch.context() as broken:
        broken.setattr(store.intake, "has_pushes", raising(StoreError("locked")))
        with pytest.raises(StoreError):
            receiver(store, port=port).start()
    with receiver(store, port=port) as listening:
        assert push(listening, CAPTURED) == 200


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_the_path_is_made_once_and_kept_for_its_owner(store: mas.Store, tmp_path: Path) -> None:
    """The platform's settings stay right after a restart; nobody else on the machine reads the path, nor does a repr."""
    one, other = (Receiver(store, "企业/ap", port=0, say=quiet) for _ in range(2))
    assert one.path == other.path
    assert len(one.path) >= 32
    assert (tmp_path / "mas.db.receive-path").stat().st_mode & 0o077 == 0
    assert one.path not in repr(one)
    with pytest.raises(InputError, match="16 to 100 letters"):
        receiver(store, path="short")


def test_other_addresses_are_turned_away(store: mas.Store) -> None:
    """Whoever is not on the list gets no answer at all, and is counted."""
    with receiver(store, allow=["112.35.4.196", "10.0.0.0/8"]) as listening:
        with pytest.raises((OSError, http.client.HTTPException)):
            push(listening, CAPTURED)
        assert listening.health()["refused"] == 1
    with receiver(store, allow=["127.0.0.1"]) as listening:
        assert push(listening, CAPTURED) == 200
    with pytest.raises(InputError, match="allow='platform' is no address"):
        receiver(store, allow=["platform"])


@pytest.mark.parametrize(("claimed", "status"), [("112.35.4.196", 200), ("6.6.6.6", 404)])
def test_behind_a_proxy_its_word_counts(store: mas.Store, claimed: str, status: int) -> None:
    """Of the proxy that was named, X-Forwarded-For is believed."""
    with receiver(store, allow=["112.35.4.196"], behind_proxy="127.0.0.1") as listening:
        assert push(listening, CAPTURED, X_Forwarded_For=claimed) == status


def test_networks() -> None:
    """IPv4 written as IPv6 is the same address; what is no address is nobody's."""
    allowed = networks(["112.35.4.0/24"])
    assert [allows(allowed, one) for one in ("112.35.4.9", "::ffff:112.35.4.9", "112.35.5.9", "x")] == [
        True,
        True,
        False,
        False,
    ]


# ---- hostile clients ---------------------------------------------------------------------------------------------------


def test_a_body_too_large_and_a_head_too_large(store: mas.Store) -> None:
    """Neither is read to its end."""
    with receiver(store, limits=ReceiverLimits(body=1000)) as listening:
        assert push(listening, b"x" * 2000) == 413
        assert ask(listening.port, f"/{PATH}/report", b"", Long="x" * 20_000)[0] in (400, 431)
        assert push(listening, CAPTURED) == 200
        assert listening.health()["turned_away"] == 2


def test_more_than_the_rate_comes_again(store: mas.Store) -> None:
    """Above the rate the answer is 503, which the platform repeats."""
    with receiver(store, limits=ReceiverLimits(rate=2)) as listening:
        statuses = [push(listening, CAPTURED) for _ in range(6)]
    assert statuses[0] == 200
    assert 503 in statuses


def test_slow_clients_hold_up_nobody(store: mas.Store) -> None:
    """With a hundred connections that dribble, a push is answered in time."""
    with receiver(store, limits=ReceiverLimits(connections_each=150)) as listening:
        slow = [socket.create_connection(("127.0.0.1", listening.port)) for _ in range(100)]
        for line in slow:
            line.sendall(f"POST /{PATH}/report HTTP/1.1\r\nContent-Length: 100\r\nX: ".encode())
        began = time.monotonic()
        assert push(listening, CAPTURED) == 200
        assert time.monotonic() - began < 2
        for line in slow:
            line.close()


def test_a_connection_without_a_request_is_shut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends a byte now and then is shut in the end; one that sends whole requests stays."""
    from masanalytics.receiving import door

    monkeypatch.setattr(door, "_WITHOUT_REQUEST_S", 0.2)
    with Door(("127.0.0.1", 0), (), 10) as listening:
        dribbling, good = (socket.create_connection(listening.getsockname()) for _ in range(2))
        inside = [listening.accept() for _ in range(2)]
        time.sleep(0.3)
        dribbling.sendall(b"x")
        listening.note_request(*inside[1][1])
        listening.sweep()
        dribbling.settimeout(5)
        assert dribbling.recv(1) == b""
        good.setblocking(False)
        with pytest.raises(BlockingIOError):
            good.recv(1)
        for line in (dribbling, good, *(one for one, _ in inside)):
            line.close()


@pytest.mark.parametrize("claimed", ["112.35.4.196", "112.35.4.196:5555"])
def test_a_proxys_connection_stays_while_it_brings_requests(
    store: mas.Store, monkeypatch: pytest.MonkeyPatch, claimed: str
) -> None:
    """A connection that is kept alive counts as the proxy's own, whoever the requests are said to be of."""
    from masanalytics.receiving import door, server

    moments = [0.0]
    monkeypatch.setattr(door, "time", SimpleNamespace(monotonic=lambda: moments[-1]))
    monkeypatch.setattr(server, "_SWEEP_S", 0.05)
    with receiver(store, behind_proxy="127.0.0.1") as listening:
        line = http.client.HTTPConnection("127.0.0.1", listening.port, timeout=10)
        line.connect()
        own = line.sock
        for _ in range(4):
            line.request("POST", f"/{PATH}/report", json.dumps(CAPTURED), {"X-Forwarded-For": claimed})
            assert line.getresponse().read() == b"ok\n"
            moments.append(moments[-1] + 70)  # a connection without a request is closed after 75 s
            time.sleep(0.1)  # for the server to look
        assert line.sock is own
        line.close()


def test_too_many_connections_from_one_address() -> None:
    """Beyond its share an address is let in no further."""
    with Door(("127.0.0.1", 0), (), 1) as listening:
        lines = [socket.create_connection(listening.getsockname()) for _ in range(2)]
        inside, _ = listening.accept()
        with pytest.raises(BlockingIOError):
            listening.accept()
        for line in (*lines, inside):
            line.close()


# ---- beside it -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pushes_are_passed_on_as_they_came(store: mas.Store) -> None:
    """With forward= every body goes on to another system too, which may fail for a while."""
    got: list[tuple[str, bytes]] = []

    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.headers["Content-Type"], body))
            self.send_response(500 if len(got) == 1 else 200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    other = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, args=(0.02,), daemon=True).start()
    body = json.dumps(REPLY, indent=1).encode()
    with receiver(store, forward=f"http://127.0.0.1:{other.server_port}/x") as listening:
        push(listening, body, "uplink", Content_Type="text/json")
        wait_until(lambda: listening.health()["forwarded"] == 1)
    other.shutdown()
    other.server_close()
    assert got == [("text/json", body)] * 2


def test_health(store: mas.Store) -> None:
    """Monitoring reads counts and instants at the secret path, and 503 while pushes cannot be kept."""
    with receiver(store) as listening:
        push(listening, CAPTURED)
        wait_until(lambda: listening.health()["reports"] == 1)
        status, body = ask(listening.port, f"/{PATH}/health", method="GET")
        figures = json.loads(body)
        assert (status, figures["pushes"], figures["reports"], figures["problem"]) == (200, 1, 1, None)
        assert (figures["account"], figures["running"]) == ("企业/ap", True)
        assert A not in body.decode()


def test_pushes_that_cannot_be_read_are_counted(store: mas.Store) -> None:
    """A receiver whose pushes mean nothing to it says so, in its health and in its line."""
    with receiver(store) as listening:
        push(listening, {"code": 0, "data": {"phone": A}})
        push(listening, b"<report/>")
        wait_until(lambda: listening.health()["not_read"] == 2)
        line = _line(listening, as_json=False)
    assert line.endswith("2 pushes: 0 reports and 0 replies; 2 could not be read and are kept")


def test_it_starts_and_stops_again(store: mas.Store) -> None:
    """After a stop the same receiver listens again at its port; a port that is taken is named."""
    listening = receiver(store)
    for _ in range(2):
        listening.start()
        assert push(listening, CAPTURED) == 200
        with pytest.raises(InputError, match="choose another port"):
            receiver(store, port=listening.port).start()
        listening.stop()
        assert not listening.running
    assert repr(listening) == "<Receiver 企业/ap, stopped, 1 push>"


def test_the_doctor_says_whether_a_receiver_has_run(store: mas.Store, tmp_path: Path) -> None:
    """Nothing pushed yet; listening; and listening no more."""
    account = mas.Account("http://127.0.0.1:1/sms/norsubmit", "企业", "ap", "k", sign="S")

    def found(clock: ManualClock | None = None) -> Any:
        asked = check(account, tmp_path / "mas.db", clock=clock, language="en")
        return next(finding for finding in asked if finding.name == "receiver")

    assert (found().ok, "nothing has been pushed" in found().text) == (None, True)
    with receiver(store) as listening:
        push(listening, CAPTURED)
        assert found().ok is True
    assert found(ManualClock(time.time() + 3600)).ok is False
