"""Reports and replies of an HTTP account are pushed: two seconds, three tries, then dropped."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from masanalytics.errors import ConfigError, InputError
from masanalytics.simulator import PlatformAccount, Push, Simulator, asked_accounts
from masanalytics.simulator._serve import account_of, read_accounts
from tests.waiting import wait_until

PHONES = [f"1380013{n:04d}" for n in range(40)]


class Listener:
    """A receiver of pushes, which answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, bytes]] = []
        self.status: Callable[[int], int] = lambda n: 200
        self.delay: Callable[[int], float] = lambda n: 0.0
        outer, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    outer.got.append((self.path, self.headers["Content-Type"], body))
                    number = len(outer.got)
                time.sleep(outer.delay(number))
                self.send_response(outer.status(number))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret/report"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.got]


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def quick(url: str, **changes: Any) -> Push:
    return Push(url, **({"timeout": 1.0, "pause": 0.01} | changes))


def test_every_report_and_reply_is_pushed_once(listener: Listener) -> None:
    """One object a request, reports and replies, nothing left, nothing twice; the account speaks HTTP."""
    replies = listener.url.replace("report", "uplink")
    with Simulator(https=False, behaviour={}, speed=600, push=quick(listener.url, uplink_url=replies)) as sim:
        client = sim.client()
        assert client.account.protocol == "http"
        assert client.submit(PHONES, "您好").outcome == "accepted"
        sim.reply(PHONES[0], "TD")
        wait_until(lambda: sim.counts["pushed"] == 41 and sim.pusher is not None and sim.pusher.idle)
    assert Counter(path for path, _, _ in listener.got) == {"/secret/report": 40, "/secret/uplink": 1}
    assert {row["mobile"] for row in listener.rows} == set(PHONES)
    assert [len(sim.handed_out), sim.counts["dropped"]] == [41, 0]


def test_three_failures_and_the_row_is_dropped(listener: Listener) -> None:
    """A receiver that fails gets each row three times, then never again; the row is known to be dropped."""
    listener.status = lambda n: 500
    with Simulator(https=False, push=quick(listener.url)) as sim:
        sim.report(PHONES[0], msg_group="1")
        wait_until(lambda: sim.counts["dropped"] == 1)
        assert sim.pusher is not None
        assert (len(listener.got), sim.pusher.tries, sim.counts["pushed"]) == (3, 3, 0)
        assert [(row.kind, json.loads(row.text)["mobile"]) for row in sim.pusher.dropped] == [("report", PHONES[0])]


def test_nobody_listens() -> None:
    """A receiver that is down loses what was pushed three times."""
    with Simulator(https=False, push=quick("http://127.0.0.1:1/x")) as sim:
        sim.reply(PHONES[0], "TD")
        wait_until(lambda: sim.counts["dropped"] == 1)


@pytest.mark.parametrize("url", ["here", "https://127.0.0.1:1/x", "ftp://h/x", "http://", "http://127.0.0.1:99999/x"])
def test_addresses_that_nothing_can_be_pushed_to(url: str) -> None:
    """They are refused at once, instead of dropping every row."""
    with pytest.raises(InputError, match="no address that can be pushed to"):
        Simulator(push=url)
    with pytest.raises(InputError, match="no address that can be pushed to"):
        Push("http://127.0.0.1:1/x", uplink_url=url)


def test_an_answer_that_comes_too_late_is_none(listener: Listener) -> None:
    """A receiver that took the row and answered late gets it again: duplicates are normal."""
    listener.delay = lambda n: 0.5 if n == 1 else 0.0
    with Simulator(https=False, push=quick(listener.url, timeout=0.2)) as sim:
        sim.report(PHONES[0], msg_group="1")
        wait_until(lambda: sim.counts["pushed"] == 1)
    assert len(listener.got) == 2
    assert listener.got[0][2] == listener.got[1][2]


def test_rows_come_late_and_twice(listener: Listener) -> None:
    """With reorder and duplicates every row arrives, in another order, and some once more."""
    push = quick(listener.url, reorder=10, duplicates=0.5, workers=1)
    with Simulator(https=False, seed=3) as sim:
        for place, phone in enumerate(PHONES):
            sim.report(phone, msg_group=str(place))
        sim.push_to(push)
        wait_until(lambda: sim.pusher is not None and sim.pusher.idle and bool(listener.got))
    order = [int(row["msgGroup"]) for row in listener.rows]
    assert set(order) == set(range(40))
    assert order != sorted(order)
    assert 45 < len(order) < 75


@pytest.mark.parametrize(
    ("shape", "content_type", "read"),
    [
        ("object", "application/json;charset=UTF-8", json.loads),
        ("list", "application/json;charset=UTF-8", lambda body: json.loads(body)[0]),
        ("base64", "text/plain", lambda body: json.loads(base64.b64decode(body))),
        (
            "form",
            "application/x-www-form-urlencoded",
            lambda body: {k: v[0] for k, v in parse_qs(body.decode()).items()},
        ),
    ],
)
def test_rows_in_every_shape(listener: Listener, shape: Any, content_type: str, read: Callable[[bytes], Any]) -> None:
    """Rows can be written as receivers in use guess them."""
    with Simulator(https=False, push=quick(listener.url, shape=shape)) as sim:
        sim.reply(PHONES[0], "退订 & more=1")
        wait_until(lambda: sim.counts["pushed"] == 1)
    (_, kind, body), *_ = listener.got
    assert kind == content_type
    assert (read(body)["smsContent"], read(body)["mobile"]) == ("退订 & more=1", PHONES[0])


def test_a_clients_own_account(tmp_path: Path) -> None:
    """A TOML file, of one account or of several, and a client's settings, make the platform's account."""
    one, several = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(
        'ec_name="企业"\nap_id="a"\nsecret_key="k"\nsign="S1"\ntemplate_sign="S2"\n[templates]\nt1="码{1}"\n', "utf-8"
    )
    several.write_text('[shop]\nap_id="a"\nsigns=["S1"]\n[bank]\nap_id="b"\nurl="https://x"\n', "utf-8")
    (made,) = read_accounts(one)
    assert made == PlatformAccount("企业", "a", "k", ("S1", "S2"), templates={"t1": "码{1}"})
    assert [(account.ap_id, account.signs) for account in read_accounts(several)] == [
        ("a", ("S1",)),
        ("b", ("SimSign01",)),
    ]
    assert account_of({"ap_id": "a", "signature": "店"}, "x").signature == "【店】"
    with pytest.raises(ConfigError, match="no setting 'secret'; did you mean secret_key"):
        account_of({"secret": "k"}, "x")


def test_the_users_own_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account of MAS_* serves as the platform's, so that a client that has it need not be changed; no address is needed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAS_URL", raising=False)
    for name, value in {
        "EC_NAME": "企业",
        "AP_ID": "a",
        "SECRET_KEY": "k",
        "SIGN": "S1",
        "TEMPLATE_SIGN": "S2",
    }.items():
        monkeypatch.setenv(f"MAS_{name}", value)
    assert asked_accounts(mine=True) == (PlatformAccount("企业", "a", "k", ("S1", "S2")),)
    assert asked_accounts() == (PlatformAccount(),)


def test_an_account_by_options(tmp_path: Path) -> None:
    """What is given on the command line is the first account's, on top of a file; the templates are added to its own."""
    file = tmp_path / "platform.toml"
    file.write_text('ec_name = "企业"\nap_id = "a"\nsecret_key = "k"\n[templates]\nt1 = "{1}好"\n', "utf-8")
    changes = {"ap_id": "b", "ec_name": None, "signs": ("S1", "S2"), "templates": {"t2": "码{1}"}}
    assert asked_accounts(file, changes=changes) == (
        PlatformAccount("企业", "b", "k", ("S1", "S2"), templates={"t1": "{1}好", "t2": "码{1}"}),
    )
