"""Everything that can go wrong between a client and the platform goes wrong as it is told to."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from masanalytics.errors import InputError
from masanalytics.simulator import Fault, Scripted, Simulator

POLL = base64.b64encode(json.dumps({"ecName": "模拟企业", "apId": "sim0", "secretKey": "sim-secret"}).encode())


def body_for(*phones: str) -> bytes:
    mobiles = ",".join(phones)
    mac = hashlib.md5(f"模拟企业sim0sim-secret{mobiles}你好SimSign01".encode()).hexdigest()
    fields = {
        "ecName": "模拟企业",
        "apId": "sim0",
        "mobiles": mobiles,
        "content": "你好",
        "sign": "SimSign01",
        "addSerial": "",
        "mac": mac,
    }
    return base64.b64encode(json.dumps(fields).encode())


@pytest.fixture(params=[False, True], ids=["http", "https"])
def sim(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    with Simulator(https=request.param, poll_interval=0, behaviour=Scripted(default=("DELIVRD", 0))) as sim:
        yield sim
    assert sim.failures == []


@pytest.fixture
def plain() -> Iterator[Simulator]:
    with Simulator(https=False, poll_interval=0, behaviour=Scripted(default=("DELIVRD", 0))) as sim:
        yield sim
    assert sim.failures == []


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Any]:
    class Session(requests.Session):
        trust_env = False
        ca = tmp_path / "ca.pem"

    with Session() as session:
        yield session


def post(session: Any, sim: Simulator, path: str, body: bytes, timeout: float = 5) -> Any:
    if sim.authority:
        session.ca.write_text(sim.authority)
    return session.post(sim.url + path, data=body, timeout=timeout, verify=str(session.ca) if sim.authority else False)


def submit(session: Any, sim: Simulator, phone: Any = "13800138000", timeout: float = 5) -> Any:
    return post(session, sim, "/sms/submit", body_for(phone), timeout)


def report(session: Any, sim: Simulator, timeout: Any = 5) -> Any:
    return post(session, sim, "/sms/report", POLL, timeout)


def test_refused_connections_never_see_the_request(sim: Simulator, session: Any) -> None:
    """A refused connection is reset before anything is read; the next one is answered."""
    fault = sim.fault("refuse", times=1)
    with pytest.raises(requests.ConnectionError):
        submit(session, sim)
    assert (sim.counts["accepted"], fault.fired) == (0, 1)
    assert submit(session, sim).json()["success"] is True
    assert [(request.fault, request.outcome) for request in sim.requests] == [("refuse", "fault"), ("", "success")]


def test_one_request_in_three_is_refused_although_connections_are_kept(sim: Simulator, session: Any) -> None:
    """While connections may be refused none is kept open, so that the count is by request."""
    sim.fault("refuse", every=3)
    results = []
    for _ in range(9):
        try:
            results.append(submit(session, sim).status_code)
        except requests.ConnectionError:
            results.append(0)
    assert results == [200, 200, 0] * 3
    assert sim.counts["accepted"] == 6


def test_one_endpoint_can_be_refused(sim: Simulator, session: Any) -> None:
    """With an endpoint named, its requests are reset unread, and only they."""
    sim.fault("refuse", endpoint="report")
    assert submit(session, sim).status_code == 200
    with pytest.raises(requests.ConnectionError):
        report(session, sim)
    assert submit(session, sim).status_code == 200
    assert sim.counts["polls"] == 0


@pytest.mark.parametrize(("kind", "accepted"), [("drop_before", 0), ("drop_after", 1)])
def test_dropped_requests(sim: Simulator, session: Any, kind: str, accepted: int) -> None:
    """The line is closed without an answer, before or after the platform has taken the message."""
    with sim.fault(kind, endpoint="submit"), pytest.raises(requests.ConnectionError):
        submit(session, sim)
    assert sim.counts["accepted"] == accepted
    assert submit(session, sim).json()["success"] is True


@pytest.mark.parametrize("taken", [True, False])
def test_hanging_requests(plain: Simulator, session: Any, taken: bool) -> None:
    """No answer comes until the client gives up, whether the message was taken or not."""
    plain.fault("hang", times=1, taken=taken)
    with pytest.raises(requests.ReadTimeout):
        submit(session, plain, timeout=0.1)
    assert plain.counts["accepted"] == int(taken)
    assert submit(session, plain).json()["success"] is True


def test_hanging_requests_do_not_keep_the_simulator_from_stopping(session: Any) -> None:
    """Stopping ends what hangs."""
    sim = Simulator(https=False).start()
    sim.fault("hang")
    errors = []

    def ask() -> None:
        try:
            submit(session, sim, timeout=20)
        except requests.RequestException as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while not sim.counts["accepted"]:
        time.sleep(0.005)
    begun = time.monotonic()
    sim.stop()
    thread.join(5)
    assert time.monotonic() - begun < 1
    assert len(errors) == 1


def test_hanging_for_a_while(plain: Simulator, session: Any) -> None:
    """With seconds, the line is closed after them."""
    plain.fault("hang", seconds=0.05)
    with pytest.raises(requests.ConnectionError):
        submit(session, plain)


def test_truncated_answers_lose_their_rows(sim: Simulator, session: Any) -> None:
    """Half an announced answer arrives; the reports in it are gone all the same."""
    submit(session, sim)
    with sim.fault("truncate", endpoint="report"), pytest.raises(requests.exceptions.ChunkedEncodingError):
        report(session, sim)
    assert len(sim.handed_out) == 1
    assert report(session, sim).json() == []


def test_half_answers_look_whole_to_http(sim: Simulator, session: Any) -> None:
    """Half the JSON, correctly announced."""
    submit(session, sim)
    with sim.fault("half", endpoint="poll"):
        text = report(session, sim).text
    assert text.startswith('[{"errorCode":"","mobile":"13800138000"')
    with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
        json.loads(text)


def test_answers_that_are_none(sim: Simulator, session: Any) -> None:
    """Garbage, web pages, refusals by address and hasty-poll answers; only garbage and its like lose rows."""
    submit(session, sim)
    with sim.fault("html200"):
        answer = report(session, sim)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html;charset=UTF-8")
        assert "<html>" in answer.text
    for status in (500, 502, 404):
        with sim.fault("status", status=status):
            answer = report(session, sim)
            assert (answer.status_code, answer.text[:6]) == (status, "<html>")
    with sim.fault("not_white_ip"):
        assert report(session, sim).json() == {"message": "NOT_WHITE_IP", "success": False}
        assert submit(session, sim).json() == {"message": "NOT_WHITE_IP", "success": False}
    with sim.fault("too_soon"):
        assert report(session, sim).json() == {"message": "TOO_FREQUENT", "success": False}
    assert (sim.counts["reports"], sim.counts["accepted"]) == (0, 1)
    with sim.fault("garbage"):
        content = report(session, sim).content
        with pytest.raises(UnicodeDecodeError):
            content.decode()
    assert (sim.counts["reports"], report(session, sim).json()) == (1, [])


def test_a_message_can_be_taken_though_the_gateway_says_502(sim: Simulator, session: Any) -> None:
    """With taken=True the platform has taken what the answer denies."""
    sim.fault("status", status=502, taken=True, times=1)
    assert submit(session, sim).status_code == 502
    assert sim.counts["accepted"] == 1


def test_one_broken_record_among_many(plain: Simulator, session: Any) -> None:
    """The middle row of a page is damaged in one of three ways; its neighbours are whole. Empty pages do not count."""
    phones = [str(13_800_138_000 + place) for place in range(5)]
    for kind in ("broken_record", "torn_record", "invalid_utf8"):
        fault = plain.fault(kind, times=1)
        assert report(session, plain).json() == []
        assert fault.fired == 0
        post(session, plain, "/sms/submit", body_for(*phones))
        content = report(session, plain).content
        assert fault.fired == 1
        found = [phone for phone in phones if phone.encode() in content]
        if kind == "broken_record":
            rows = json.loads(content)
            assert [row["mobile"] for row in rows] == [*phones[:2], None, *phones[3:]]
        elif kind == "torn_record":
            assert found == phones
            with pytest.raises(ValueError, match=r"Expecting|delimiter"):
                json.loads(content)
        else:
            assert found == phones
            with pytest.raises(UnicodeDecodeError):
                content.decode()
            assert len(json.loads(content.decode(errors="replace"))) == 5
    assert [out.row["mobile"] for out in plain.handed_out] == phones * 3


def test_huge_answers(plain: Simulator, session: Any) -> None:
    """The answer is padded, and still JSON."""
    submit(session, plain)
    plain.fault("huge", megabytes=2, endpoint="report", times=1)
    answer = report(session, plain)
    assert len(answer.content) > 2_000_000
    assert len(answer.json()) == 1


def test_delays(plain: Simulator, session: Any) -> None:
    """An answer can be late."""
    plain.fault("delay", seconds=0.08, times=1)
    begun = time.monotonic()
    assert submit(session, plain).json()["success"] is True
    assert time.monotonic() - begun > 0.07


def test_every_answer_can_take_its_time(session: Any) -> None:
    """answer_delay concerns every answer."""
    with Simulator(https=False, answer_delay=0.02) as sim:
        begun = time.monotonic()
        for _ in range(3):
            submit(session, sim)
        assert time.monotonic() - begun > 0.06


@pytest.mark.parametrize(
    ("options", "struck"),
    [
        ({"times": 2}, [1, 2]),
        ({"every": 5}, [5, 10]),
        ({"every": 5, "times": 1}, [5]),
        ({"after": 3, "times": 1}, [4]),
        ({"after": 1, "every": 4}, [5, 9]),
        ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    ],
)
def test_when_faults_strike(plain: Simulator, session: Any, options: dict[str, int], struck: list[int]) -> None:
    """times, every and after say which requests are struck."""
    plain.fault("status", endpoint="submit", **options)
    codes = []
    for _ in range(10):
        report(session, plain)
        codes.append(submit(session, plain).status_code)
    assert [place for place, code in enumerate(codes, start=1) if code == 502] == struck


def test_faults_by_chance_repeat(plain: Simulator, session: Any) -> None:
    """With a probability and a seed, the same requests are struck in every run."""
    runs = []
    for _ in range(2):
        with plain.fault("status", probability=0.4, seed=11):
            runs.append([submit(session, plain).status_code for _ in range(20)])
    assert runs[0] == runs[1]
    assert 2 < runs[0].count(502) < 16


def test_faults_can_be_cleared(plain: Simulator, session: Any) -> None:
    """Nothing more goes wrong afterwards."""
    plain.fault("status")
    plain.fault(Fault("drop_after", every=2))
    plain.clear_faults()
    assert [submit(session, plain).status_code for _ in range(4)] == [200] * 4


def test_a_poll_that_is_answered_502_is_still_a_poll(plain: Simulator, session: Any) -> None:
    """The platform notices the account's pace also when something in between answers."""
    with plain.fault("status"):
        report(session, plain)
    report(session, plain)
    assert plain.counts["polls"] == 2
    assert 0 < plain.min_poll_gap < 5


@pytest.mark.parametrize(("kind", "endpoint"), [("explode", ""), ("hang", "everything")])
def test_faults_that_do_not_exist(plain: Simulator, kind: str, endpoint: str) -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(InputError, match="use one of"):
        plain.fault(kind, endpoint=endpoint)


def test_a_client_that_goes_away_in_the_middle_of_its_request_has_asked_nothing(plain: Simulator) -> None:
    """Half a body takes no message, and disturbs nobody."""
    body = body_for("13800138000")
    host, port = plain.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /sms/submit HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:20])
    client = http.client.HTTPConnection(host, int(port))
    client.request("POST", "/sms/submit", body)
    assert json.loads(client.getresponse().read())["success"] is True
    client.close()
    assert plain.counts["accepted"] == 1
