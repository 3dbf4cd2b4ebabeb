"""A password that an answer repeats is overwritten before anybody keeps it; records are never harmed."""

from __future__ import annotations

import base64
import json
import re
import traceback
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from masanalytics.account import Account, Secret
from masanalytics.client import Client
from masanalytics.collecting import Collector
from masanalytics.errors import ConfigError
from masanalytics.hide_secret import hide_secret
from masanalytics.protocol import poll_body, read_page
from masanalytics.simulator import Simulator, Style
from masanalytics.store import Store
from tests.raw_server import ScriptedServer, answer, hanging

SECRET = 's3cret/key"密&码'
KEY = Secret(SECRET)
REQUEST = poll_body(Account("https://mas.example", "企业", "demo0", SECRET))


def page(text: str) -> bytes:
    """Return an answer that holds `text` between two records."""
    return f'[{{"mobile":"13800138000"}},{text},{{"mobile":"13900139000"}}]'.encode()


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.encode(),
        lambda text: text.encode("gb18030"),
        lambda text: json.dumps(text).encode(),
        lambda text: json.dumps(json.dumps(text)).encode(),
        lambda text: json.dumps(text, ensure_ascii=False).replace("/", "\\/").encode(),
        lambda text: "".join(f"\\u{ord(letter):04X}" for letter in text).encode(),
        lambda text: quote(text).encode(),
        lambda text: quote(text, safe="").lower().encode(),
        lambda text: text.replace("&", "&amp;").replace('"', "&quot;").encode(),
        lambda text: "".join(f"&#{ord(letter)};" for letter in text).encode(),
        lambda text: "".join(f"&#x{ord(letter):x};" for letter in text).encode(),
        lambda text: text.upper().encode(),
        lambda text: text[::-1].encode(),
        lambda text: text.encode().hex().encode(),
        lambda text: text.encode("gb18030").hex().upper().encode(),
        lambda text: text.encode("utf-16-le").hex().encode(),
        lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()).encode(),
    ],
)
def test_every_way_of_writing_it_is_overwritten_in_place(write: Callable[[str], bytes]) -> None:
    """Plain, escaped for JSON, HTML or a URL: stars of the same length, and not a byte beside it changes."""
    written = write(SECRET)
    for before, after in ((b"<p>", b"</p>"), (b'{"secretKey":"', b'","x":1}')):
        said = hide_secret(before + written + after, KEY)
        assert (len(said), said[: len(before)], said[-len(after) :]) == (len(before + written + after), before, after)
        assert re.fullmatch(rb"[\\\"]*[*]+[\\\"]*", said[len(before) : -len(after)])


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
@pytest.mark.parametrize("broken", [b"", b"\n", b"\\r\\n", b"\r\n"])
def test_it_is_overwritten_inside_base64(cut: int, broken: bytes) -> None:
    """The request itself, cut anywhere, its slashes escaped, broken into lines: decoded it holds no key."""
    code = bytes(REQUEST).replace(b"/", b"\\/") if cut % 2 else bytes(REQUEST)
    lines = broken.join(code[start : start + 60] for start in range(cut, len(code), 60))
    said = hide_secret(b'{"request":"' + lines + b'"}', KEY)
    assert len(said) == len(lines) + len(b'{"request":""}')
    letters = said[12:-2].replace(broken, b"").replace(b"\\/", b"/").rstrip(b"=")
    decoded = [base64.b64decode(letters[start : start + (len(letters) - start) // 4 * 4]) for start in range(4)]
    assert not [text for text in decoded if b"s3cret" in text or b"key\\" in text]
    assert [text for text in decoded if b"**********" in text]


def test_it_is_overwritten_in_base64_of_base64() -> None:
    """A log that holds an answer which holds the request."""
    code = base64.b64encode(b'{"request":"' + base64.b64encode(b'"s3cret-key"') + b'"}')

    said = hide_secret(b'{"log":"' + code + b'"}', Secret("s3cret-key"))

    inner = json.loads(base64.b64decode(json.loads(said)["log"]))["request"]
    assert base64.b64decode(inner) == b'"**********"'


def test_a_page_in_base64_keeps_its_records() -> None:
    """Of a page that is Base64 as a whole only the letters of the key change."""
    raw = page(json.dumps({"secretKey": SECRET}, ensure_ascii=False))
    said = base64.b64decode(hide_secret(base64.b64encode(raw), KEY))
    assert json.loads(said)[::2] == [{"mobile": "13800138000"}, {"mobile": "13900139000"}]
    assert json.loads(said)[1] == {"secretKey": "*" * len(json.dumps(SECRET, ensure_ascii=False).encode()[1:-1])}


@pytest.mark.parametrize("weak", ["138001", "0013", "13800138000", "abc"])
def test_a_weak_key_harms_no_record(weak: str) -> None:
    """Digits and short words stand in numbers by chance: they are overwritten behind their name alone."""
    record = b'{"mobile":"13800138000","msgGroup":"0013013801139923","smsContent":"abcd"}'
    assert hide_secret(record, Secret(weak)) == record
    echo = f'{{"secretKey": "{weak}"}}'.encode()
    assert hide_secret(echo, Secret(weak)) == f'{{"secretKey": "{"*" * len(weak)}"}}'.encode()


def test_no_stored_byte_holds_the_key_where_the_platform_repeats_the_request(tmp_path: Path) -> None:
    """A refusal that repeats the request is kept without its key, and so is what is said of it."""
    said = json.dumps(
        {"rspcod": "InvalidMessage", "success": False, "request": {"apId": "sim0", "secretKey": "sim-secret"}}
    )
    with Simulator(https=False, poll_interval=0, style=Style(too_soon=said)) as sim:
        sim.fault("too_soon", endpoint="report", times=1)
        with Store(tmp_path / "s.db") as store:
            Collector(sim.client(), store, say=str).collect()
            kept = store.raw_answer(int(store.polls(state="rejected")["poll_id"].iloc[0]))
    assert kept == said.replace("sim-secret", "*" * 10).encode()
    assert not [path for path in tmp_path.glob("s.db*") if b"sim-secret" in path.read_bytes()]


def test_no_answer_record_notice_or_result_holds_the_key() -> None:
    """What is spooled or set aside, and what is said of a submit, is masked like all the rest."""
    code = base64.b64encode(b'{"secretKey":"s3cret-key"}').decode()
    server = ScriptedServer(
        answer(f'[{{"note":"s3cret-key {code}"}},{{"mobile":"13800138000"}}]'.encode()),
        answer(b'{"success":false,"rspcod":"s3cret-key is wrong","message":"s3cret-key"}'),
    )
    account = Account(f"http://127.0.0.1:{server.port}", "e", "a", "s3cret-key", protocol="https")
    with Client(account) as client:
        polled = client.poll_reports()
        said = [
            polled.raw.decode(),
            repr(read_page(polled.raw, "report").bad),
            repr(client.submit(["13800138000"], "hi")),
        ]
    assert not [text for text in said if "s3cret" in text or code in text]
    assert "**********" in said[0]


@pytest.mark.parametrize("named", [True, False])
def test_no_frame_of_a_wrong_setting_holds_the_key(named: bool) -> None:
    """A verbose traceback of a wrong signature's code, as notebooks print it, shows the password nowhere."""
    named_ones: dict[str, Any] = {"secret_key": "s3cret-key", "sign": "no code!"} if named else {}
    others: list[Any] = [] if named else ["s3cret-key", "no code!"]
    with pytest.raises(ConfigError) as caught:
        Account("https://mas.example", "e", "a", *others, **named_ones)
    shown = [str(frame.f_locals) for frame, _ in traceback.walk_tb(caught.tb) if "test" not in frame.f_code.co_name]

    assert len(shown) >= 3
    assert not [text for text in shown if "s3cret-key" in text]


@pytest.mark.slow
def test_no_frame_of_an_interrupted_poll_holds_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted while it waits or while it writes, no variable of any frame shows the request or the key."""
    server = ScriptedServer(hanging())
    account = Account(f"http://127.0.0.1:{server.port}", "e", "a", "s3cret-key", protocol="https")
    body = poll_body(account)
    for place in ("http.client.HTTPResponse.begin", "http.client.HTTPConnection.send"):
        with monkeypatch.context() as patch, Client(account) as client:
            patch.setattr(place, _interrupt)
            with pytest.raises(KeyboardInterrupt) as caught:
                client.poll_reports()
        shown = [
            repr(frame.f_locals) for frame, _ in traceback.walk_tb(caught.tb) if "test" not in frame.f_code.co_name
        ]
        assert len(shown) > 3
        assert not [text for text in shown if bytes(body).decode()[:40] in text or "s3cret-key" in text]


def _interrupt(*_arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_an_answer_of_any_size_is_masked_in_little_memory() -> None:
    """Padding, escapes and Base64 of 2 MB cost seconds at most and a few times their size."""
    tracemalloc.start()
    try:
        for raw in (b"[" + b" " * 2_000_000 + b"]", b"\\" * 2_000_000, b"W" * 2_000_000):
            assert hide_secret(raw, KEY) == raw
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
