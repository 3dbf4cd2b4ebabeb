"""What the network does to a request, over real sockets: for each fault the outcome, and what the server saw."""

from __future__ import annotations

import base64
import gzip
import json
import os
import socket
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from masanalytics.account import Account
from masanalytics.client import Client, PollAnswer, SubmitResult
from masanalytics.clock import ManualClock
from masanalytics.errors import InputError, NetworkError
from masanalytics.i18n import Text
from masanalytics.protocol import Page, read_page
from tests.raw_server import (
    Behaviour,
    ScriptedServer,
    answer,
    closing,
    dripping,
    hanging,
    resetting,
    saying,
    unused_port,
)

PHONES = ["13800138000", "13800138001"]
GROUP = "0105013527000001139923"
TAKEN = b'{"rspcod":"success","msgGroup":"0105013527000001139923","success":true}'
RECORD = {"mobile": "13800138000", "reportStatus": "DELIVRD", "msgGroup": GROUP}


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    servers: list[ScriptedServer] = []

    def start(*script: Behaviour, deaf: Behaviour | None = None) -> ScriptedServer:
        servers.append(ScriptedServer(*script, deaf=deaf))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def account(port: int, **changes: Any) -> Account:
    settings = {"ec_name": "政企分公司测试", "ap_id": "demo0", "secret_key": "123qwe", "sign": "DWItALe3A"} | changes
    return Account(f"http://127.0.0.1:{port}", **settings)


def client_of(server: ScriptedServer, **changes: Any) -> Client:
    return Client(account(server.port), **{"clock": ManualClock(1000.0)} | changes)


def submit(server: ScriptedServer, **changes: Any) -> SubmitResult:
    with client_of(server, **changes) as client:
        return client.submit(PHONES, "你好")


def page_of(got: PollAnswer) -> Page:
    return read_page(got.raw, got.endpoint, complete=got.complete, status=got.status)


def test_an_accepted_submit(serve: Callable[..., ScriptedServer]) -> None:
    """A submit is one POST of the raw Base64 body; its result carries the group and both times."""
    server = serve(answer(TAKEN))
    assert submit(server) == SubmitResult("accepted", GROUP, "success", None, None, False, 1000.0, 1000.0)
    ((first, headers, body),) = server.requests
    assert first == "POST /sms/submit HTTP/1.1"
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(body))
    assert "Expect" not in headers
    assert json.loads(base64.b64decode(body, validate=True))["mobiles"] == "13800138000,13800138001"


@pytest.mark.slow
def test_each_call_has_its_path_and_body(serve: Callable[..., ScriptedServer]) -> None:
    """Every method goes to its endpoint, with the account's extension unless the call gives another."""
    server = serve(answer(TAKEN))
    with Client(account(server.port, add_serial="01", service_code="1065")) as client:
        client.submit(PHONES, "你好")
        client.submit("13800138000", "你好", add_serial="02")
        client.submit_each({"13800138000": "甲", "13800138001": "乙"}, add_serial="")
        client.submit_template(PHONES, "tmpl", ["王"])
        client.poll_reports()
        client.poll_uplinks()
    paths = [first.split()[1] for first, _, _ in server.requests]
    assert paths == ["/sms/submit", "/sms/submit", "/sms/submit", "/sms/tmpsubmit", "/sms/report", "/sms/deliver"]
    sent = [json.loads(base64.b64decode(body)) for _, _, body in server.requests]
    assert [one.get("addSerial") for one in sent] == ["01", "02", "", "01", None, None]
    assert sent[2]["content"] == '{"13800138000":"甲","13800138001":"乙"}'
    assert (sent[3]["templateId"], sent[3]["params"]) == ("tmpl", '["王"]')
    assert [one.get("secretKey") for one in sent] == [None, None, None, None, "123qwe", "123qwe"]


REFUSAL = b'{"msgGroup":"","rspcod":"%s","success":false}'


@pytest.mark.parametrize(
    ("behaviour", "outcome", "rspcod", "fatal"),
    [
        (answer(REFUSAL % b"InvalidUsrOrPwd"), "rejected", "InvalidUsrOrPwd", True),
        (answer(REFUSAL % b"TooManyMobiles"), "rejected", "TooManyMobiles", False),
        (answer(REFUSAL % b"NewWord"), "unknown", "NewWord", True),
        (answer(REFUSAL % b"SystemBusy"), "unknown", "SystemBusy", True),
        (answer(REFUSAL % b"InternalError"), "unknown", "InternalError", False),
        (answer(b'{"message":"NOT_WHITE_IP","success":false}'), "rejected", "NOT_WHITE_IP", True),
        (answer(b'{"message":"NOT_WHITE_IP","success":false}', "403 Forbidden"), "rejected", "NOT_WHITE_IP", True),
        (answer(REFUSAL % b"InvalidMessage", "500 Oops"), "unknown", "InvalidMessage", False),
        (answer(TAKEN, "500 Oops"), "unknown", "success", False),
        (answer(TAKEN, "404 Not Found"), "unknown", "success", True),
        (answer(b'{"rspcod":"IllegalMac","success":true,"msgGroup":""}'), "unknown", "IllegalMac", False),
        (answer(b'{"rspcod":"success","success":true,"msgGroup":""}'), "unknown", "success", False),
        (answer(b"<html>Welcome to the hotel</html>"), "unknown", "", False),
        (answer(b""), "unknown", "", False),
        (answer(b"\x00\xff\x80"), "unknown", "", False),
        (answer(b"Bad Gateway", "502 Bad Gateway"), "unknown", "", False),
        (answer(b"", "302 Found", "Location: http://127.0.0.1:9/login"), "unknown", "", True),
        (answer(b"", "302 Found", "Location: http://[bad"), "unknown", "", True),
        (answer(b"<h1>Not Found</h1>", "404 Not Found"), "unknown", "", True),
        (answer(b"", "405 Method Not Allowed"), "unknown", "", True),
        (answer(b"slow down", "429 Too Many Requests"), "unknown", "", False),
        (answer(b"The plain HTTP request was sent to HTTPS port", "400 Bad Request"), "not_sent", "", True),
        (answer(b"Client sent an HTTP request to an HTTPS server.\n", "400 Bad Request"), "not_sent", "", True),
        (saying(b"\x15\x03\x01\x00\x02\x02\x46"), "not_sent", "", True),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + TAKEN), "unknown", "success", False),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 71\r\n\r\n" + TAKEN[:30]), "unknown", "", False),
        (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + TAKEN[:30]), "unknown", "", False),
        (saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "unknown", "", False),
        (saying(b"SSH-2.0-OpenSSH_9.9\r\n"), "unknown", "", False),
        (saying(b"HTTP/1.1 200 OK\r\nContent-"), "unknown", "", False),
        (closing, "unknown", "", False),
        (resetting, "unknown", "", False),
        (hanging(), "unknown", "", False),
        (hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 71\r\n\r\n" + TAKEN[:30]), "unknown", "", False),
    ],
)
def test_answers_and_faults(
    serve: Callable[..., ScriptedServer], behaviour: Behaviour, outcome: str, rspcod: str, fatal: bool
) -> None:
    """Whatever comes back, the request was seen once, and only the platform's clear word settles it."""
    server = serve(behaviour)
    result = submit(server, timeout=(5, 1.0))
    assert (result.outcome, result.rspcod, result.fatal) == (outcome, rspcod, fatal)
    assert result.message
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (
            answer(b"", "404 Not Found"),
            "HTTP 404 at /sms/submit: that host does not know the path.",
        ),
        (answer(b"", "502 Bad Gateway"), "HTTP 502 at /sms/submit."),
        (
            closing,
            "closed the connection without an answer. If the platform gave an address with https://, write it so.",
        ),
        (hanging(), "did not answer in time."),
        (saying(b"hello\r\n"), "answered something that is not HTTP: check the port"),
        (saying(b"\x15\x03\x01\x00\x02\x02\x46"), "this port speaks HTTPS: write https:// instead of http://"),
        (answer(REFUSAL % b"IllegalMac"), "the check sum (mac) does not match"),
        (
            answer(REFUSAL % b"SystemBusy"),
            "the platform answered SystemBusy: the platform is busy, or is asked too fast. Wait some minutes;",
        ),
        (answer(b'{"resultCode":"9013"}'), 'the answer cannot be read: \'{"resultCode":"9013"}\'.'),
        (answer(b"<html>13800138000"), "the answer cannot be read: '<html>138****8000'."),
    ],
)
def test_each_fault_has_one_clear_sentence(
    serve: Callable[..., ScriptedServer], behaviour: Behaviour, words: str
) -> None:
    """The message says what happened and what to do."""
    assert words in submit(serve(behaviour), timeout=(2, 0.5)).message


@pytest.mark.parametrize("behaviour", [closing, resetting])
def test_dropped_before_reading(serve: Callable[..., ScriptedServer], behaviour: Behaviour) -> None:
    """A line closed before the request was read is unknown, since its bytes had left."""

    def deaf(line: socket.socket, body: bytes) -> bool:
        line.recv(1, socket.MSG_PEEK)  # it has left, and lies unread
        return behaviour(line, body)

    server = serve(deaf=deaf)
    assert submit(server).outcome == "unknown"
    assert (server.connections, server.requests) == (1, [])


def test_dropped_within_the_body(serve: Callable[..., ScriptedServer]) -> None:
    """A line that breaks while a large body is being written is unknown, and not tried again."""

    def half(line: socket.socket, body: bytes) -> bool:
        line.recv(1000)
        time.sleep(0.05)
        return resetting(line, body)

    server = serve(deaf=half)
    with client_of(server) as client:
        result = client.submit_each({f"138{n:08d}": "长" * 2000 for n in range(999)})
    assert (result.outcome, server.connections) == ("unknown", 1)


def test_refused() -> None:
    """A refused connection is not sent, after four tries with growing pauses."""
    port = unused_port()
    clock = ManualClock(1000.0)
    with Client(account(port), clock=clock) as client:
        result = client.submit(PHONES, "你好")
    assert (result.outcome, result.fatal) == ("not_sent", False)
    assert result.message == f"127.0.0.1:{port} refused the connection: check host and port in MAS_URL."
    assert clock.monotonic() == 0.5 + 1.0
    assert (result.requested_at, result.answered_at) == (1000.0, 1001.5)


def test_refused_and_then_there(serve: Callable[..., ScriptedServer]) -> None:
    """A server that comes back between two tries gets the request once."""
    port = unused_port()
    started: list[ScriptedServer] = []

    class Patient(ManualClock):
        def sleep(self, seconds: float) -> None:
            if not started:
                started.append(ScriptedServer(answer(TAKEN), port=port))

    with Client(account(port), clock=Patient()) as client:
        assert client.submit(PHONES, "你好").outcome == "accepted"
    assert len(started[0].requests) == 1
    started[0].close()


def test_connect_timeout() -> None:
    """A server that does not even take the connection is not sent."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):
            line = socket.socket()
            line.setblocking(False)
            line.connect_ex(full.getsockname())
            waiting.append(line)
        with Client(account(full.getsockname()[1]), timeout=(0.05, 5), clock=ManualClock()) as client:
            result = client.submit(PHONES, "你好")
        for line in waiting:
            line.close()
    assert (result.outcome, result.fatal) == ("not_sent", False)
    assert "did not answer in time: check MAS_URL, the network, and whether a firewall" in result.message


def test_unknown_host() -> None:
    """A host that does not exist is not sent."""
    one = replace(account(1), url="http://nobody.invalid:28888")
    with Client(one, clock=ManualClock()) as client:
        result = client.submit(PHONES, "你好")
    assert result.outcome == "not_sent"
    assert "nobody.invalid:28888" in result.message


def test_the_line_is_kept(serve: Callable[..., ScriptedServer]) -> None:
    """Submits and polls share one connection, refusals and large pages included."""
    page = json.dumps([RECORD] * 1000).encode()
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[]\n\r\n0\r\n\r\n"
    server = serve(
        answer(TAKEN), answer(REFUSAL % b"IllegalMac"), answer(page), saying(chunks, keep=True), answer(TAKEN)
    )
    with client_of(server) as client:
        assert client.submit(PHONES, "1").outcome == "accepted"
        assert client.submit(PHONES, "2").outcome == "rejected"
        assert page_of(client.poll_reports()).size == 1000
        assert page_of(client.poll_reports()).size == 0
        assert client.submit(PHONES, "3").outcome == "accepted"
    assert (server.connections, len(server.requests)) == (1, 5)


def test_a_line_closed_while_idle(serve: Callable[..., ScriptedServer]) -> None:
    """A connection that the server closed in between is noticed before it is used again."""
    server = serve(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 71\r\n\r\n" + TAKEN))
    with client_of(server) as client:
        first = client.submit(PHONES, "1")
        time.sleep(0.05)
        second = client.submit(PHONES, "2")
    assert (first.outcome, second.outcome) == ("accepted", "accepted")
    assert (server.connections, len(server.requests)) == (2, 2)


def test_eight_threads(serve: Callable[..., ScriptedServer]) -> None:
    """Eight threads on one client get their own answers, over no more connections than allowed."""

    def echo(line: socket.socket, body: bytes) -> bool:
        number = json.loads(base64.b64decode(body))["mobiles"]
        return answer(TAKEN.replace(GROUP.encode(), number.encode()))(line, body)

    server = serve(echo)
    with client_of(server, connections=4) as client, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: client.submit([f"138{n:08d}"], "hi"), range(80)))
    assert [result.msg_group for result in results] == [f"138{n:08d}" for n in range(80)]
    assert len(server.requests) == 80
    assert server.connections <= 4


def test_a_forked_process_has_its_own_line(serve: Callable[..., ScriptedServer]) -> None:
    """A client that crosses a fork opens a connection of its own."""
    server = serve(answer(TAKEN))
    with client_of(server) as client:
        client.submit(PHONES, "1")
        _in_a_fork(lambda: client.submit(PHONES, "2").outcome == "accepted")
        assert client.submit(PHONES, "3").outcome == "accepted"
    assert (server.connections, len(server.requests)) == (2, 3)


def _in_a_fork(work: Callable[[], bool]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads about is what is tried here
        child = os.fork()
    if child == 0:
        os._exit(0 if work() else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("cut", [71, 72, 150])
def test_half_a_page_is_kept(serve: Callable[..., ScriptedServer], cut: int) -> None:
    """Of a page that breaks off, what arrived is handed over, marked as incomplete."""
    raw = json.dumps([RECORD] * 3).encode()
    server = serve(saying(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw[:cut]))
    with client_of(server) as client:
        got = client.poll_reports()
    assert (got.raw, got.status, got.complete) == (raw[:cut], 200, False)
    assert (page_of(got).salvaged, page_of(got).drained) == (cut >= 90, False)
    assert len(page_of(got).records) == cut // 90
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "tail",
    [
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[null\r\nff\r\n, tr"),
        hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[null, tr"),
        hanging(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n[null, tr\r\n"),
    ],
    ids=["chunks", "hang", "hang in chunks"],
)
def test_every_byte_before_a_break_is_kept(serve: Callable[..., ScriptedServer], tail: Behaviour) -> None:
    """Chunks and a line gone silent are kept to their last byte too."""
    server = serve(tail)
    with client_of(server, timeout=(2, 0.5)) as client:
        got = client.poll_uplinks()
    assert (got.raw, got.complete) == (b"[null, tr", False)


def test_an_answer_that_only_drips_is_broken_off(serve: Callable[..., ScriptedServer]) -> None:
    """A server that sends a byte now and then, for ever, does not hold the client: what came is kept."""
    raw = json.dumps([RECORD]).encode()[:-1]
    server = serve(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + raw))
    with client_of(server, timeout=(2, 0.15)) as client:
        got = client.poll_reports()
    assert (got.raw.rstrip(), got.complete, len(page_of(got).records)) == (raw, False, 1)


@pytest.mark.parametrize("cut", [12, 15, 17, 20, 33, 34, 55, 59])
def test_headers_cut_off(serve: Callable[..., ScriptedServer], cut: int) -> None:
    """An answer that ends within its headers is no empty page: it proves nothing."""
    head = b"HTTP/1.1 200 OK\r\nX-Kind: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with client_of(serve(saying(head[:cut]))) as client:
        got = client.poll_reports()
    assert (got.complete, page_of(got).kind, page_of(got).drained) == (False, "unreadable", False)


def test_a_page_without_a_length(serve: Callable[..., ScriptedServer]) -> None:
    """A page that ends with its connection is whole, as far as anyone can tell."""
    server = serve(saying(b"HTTP/1.0 200 OK\r\n\r\n[]"))
    with client_of(server) as client:
        got = client.poll_uplinks()
    assert (got.raw, got.complete, page_of(got).drained) == (b"[]", True, True)


def test_a_compressed_page(serve: Callable[..., ScriptedServer]) -> None:
    """Compression is not asked for, and undone where it comes all the same; half of one gives half."""
    raw = json.dumps([RECORD | {"msgGroup": f"{n:022d}"} for n in range(50)]).encode()
    packed = gzip.compress(raw)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    server = serve(saying(head + packed, keep=True), saying(head + packed[: len(packed) // 2]))
    with client_of(server) as client:
        whole, half = client.poll_reports(), client.poll_reports()
    assert server.requests[0][1]["Accept-Encoding"] == "identity"
    assert (whole.raw, whole.complete) == (raw, True)
    assert not half.complete
    assert raw.startswith(half.raw)
    assert 0 < len(page_of(half).records) < 50


@pytest.mark.parametrize(
    ("behaviour", "status", "kind", "notice"),
    [
        (answer(b"[]"), 200, "records", ""),
        (answer(b'{"message":"NOT_WHITE_IP","success":false}'), 200, "rejected", "NOT_WHITE_IP"),
        (answer(b"<html>x", "502 Bad Gateway"), 502, "unreadable", "HTTP 502: <html>x"),
        (answer(b"Gateway Time-out", "504 Gateway Time-out"), 504, "unreadable", "HTTP 504: Gateway Time-out"),
        (answer(b'{"message":"busy"}', "500 Oops"), 500, "rejected", "HTTP 500: busy"),
        (answer(b"<html>x", "503 Busy"), 503, "rejected", "HTTP 503: <html>x"),
        (answer(b"", "302 Found", "Location: /x"), 302, "rejected", "HTTP 302: "),
        (answer(b"[]", "503 Busy"), 503, "rejected", "HTTP 503: []"),
        (answer(json.dumps([RECORD]).encode(), "500 Oops"), 500, "records", ""),
        (answer(b"<html>x"), 200, "unreadable", "<html>x"),
    ],
)
def test_polls_that_are_no_data(
    serve: Callable[..., ScriptedServer], behaviour: Behaviour, status: int, kind: str, notice: str
) -> None:
    """A status other than 200 is a refusal, unless records came with it, or a gateway lost the platform's answer."""
    server = serve(behaviour)
    with client_of(server) as client:
        got = client.poll_reports()
    assert (got.status, page_of(got).kind, page_of(got).notice, got.endpoint) == (status, kind, notice, "report")
    assert len(server.requests) == 1


@pytest.mark.parametrize("behaviour", [closing, resetting, hanging(), saying(b"HTT")])
def test_a_lost_poll(serve: Callable[..., ScriptedServer], behaviour: Behaviour) -> None:
    """A poll whose answer is lost says what may be gone; it is not asked again."""
    server = serve(behaviour)
    with client_of(server, timeout=(2, 0.5)) as client, pytest.raises(NetworkError) as caught:
        client.poll_reports()
    assert (caught.value.sent, caught.value.retryable, len(server.requests)) == (True, True, 1)
    assert "up to 1000 may be lost" in caught.value.text("en")
    assert "最多 1000 条" in caught.value.text("zh")


def test_a_poll_that_never_left() -> None:
    """A poll that could not leave says so: nothing is lost."""
    port = unused_port()
    with Client(account(port), clock=ManualClock()) as client, pytest.raises(NetworkError) as caught:
        client.poll_uplinks()
    assert (caught.value.sent, caught.value.retryable) == (False, True)
    assert "lost" not in caught.value.text("en")


def test_errors_hold_nothing_of_the_request(serve: Callable[..., ScriptedServer]) -> None:
    """The error of a poll has no cause or context that could carry the secret key."""
    with client_of(serve(closing)) as client, pytest.raises(NetworkError) as caught:
        client.poll_reports()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert "123qwe" not in text
    assert base64.b64encode(b'"secretKey":"123qwe"')[4:-4].decode() not in text


def test_nothing_is_printed(
    serve: Callable[..., ScriptedServer], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither logs nor results nor the client itself show key, texts or numbers."""
    caplog.set_level("DEBUG")
    server = serve(answer(TAKEN), answer(json.dumps([RECORD]).encode()), closing)
    with client_of(server) as client:
        shown = repr([client, client.submit(PHONES, "你好"), client.poll_reports(), client.submit(PHONES, "你好")])
        shown += client.submit(PHONES, "你好")._repr_html_() + caplog.text + "".join(capsys.readouterr())
    for secret in ("123qwe", "你好", "13800138000", "eyJlY05hbWUi"):
        assert secret not in shown


def test_html_of_a_result_is_escaped() -> None:
    """What the platform says never runs as HTML in a notebook."""
    html = SubmitResult("rejected", rspcod="<script>x</script>", why=Text("<b>"))._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_the_environment_is_not_asked(serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies, certificates and passwords of the environment are not used."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    server = serve(answer(TAKEN))
    assert submit(server).outcome == "accepted"
    assert "Authorization" not in server.requests[0][1]


def test_a_proxy_that_was_asked_for(serve: Callable[..., ScriptedServer]) -> None:
    """proxies= is used; plain requests to a proxy carry the whole address."""
    proxy = serve(answer(TAKEN))
    one = replace(account(1), url="http://mas.invalid:1992")
    with Client(one, proxies={"http": f"http://127.0.0.1:{proxy.port}"}) as client:
        assert client.submit(PHONES, "你好").outcome == "accepted"
    assert proxy.requests[0][0] == "POST http://mas.invalid:1992/sms/submit HTTP/1.1"


def test_cookies_are_not_kept(serve: Callable[..., ScriptedServer]) -> None:
    """What a server sets is not sent back."""
    server = serve(answer(TAKEN, "200 OK", "Set-Cookie: a=b"))
    with client_of(server) as client:
        client.submit(PHONES, "1")
        client.submit(PHONES, "2")
    assert "Cookie" not in server.requests[1][1]


def test_only_those_who_are_allowed(serve: Callable[..., ScriptedServer]) -> None:
    """A number outside allow_only stops the whole batch before anything leaves."""
    server = serve(answer(TAKEN))
    with Client(account(server.port, allow_only=["13800138000"])) as client:
        for call in (
            lambda: client.submit(PHONES, "hi"),
            lambda: client.submit_each(dict.fromkeys(PHONES, "hi")),
            lambda: client.submit_template(PHONES, "t"),
        ):
            with pytest.raises(InputError, match=r"1 number is not on .*138\*\*\*\*8001"):
                call()
        assert server.requests == []
        assert client.submit("13800138000", "hi").outcome == "accepted"


@pytest.mark.parametrize("add_serial", ["1x", "1" * 21, 5])
def test_a_wrong_extension(serve: Callable[..., ScriptedServer], add_serial: Any) -> None:
    """An extension that is not digits, or too long, is wrong input; nothing leaves."""
    server = serve(answer(TAKEN))
    with client_of(server) as client, pytest.raises(InputError):
        client.submit(PHONES, "hi", add_serial=add_serial)
    assert server.requests == []


def test_server_time(serve: Callable[..., ScriptedServer]) -> None:
    """The server's clock is read from a bare HEAD that holds nothing of the account."""
    server = serve(
        answer(b"", "200 OK", "Date: Thu, 01 Jan 2026 00:00:00 GMT"),
        answer(b"", "404 Not Found"),
        answer(b"", "200 OK", "Date: x"),
        closing,
    )
    with client_of(server) as client:
        assert [client.server_time() for _ in range(4)] == [1767225600.0, None, None, None]
    assert {(first, body) for first, _, body in server.requests} == {("HEAD / HTTP/1.1", b"")}
