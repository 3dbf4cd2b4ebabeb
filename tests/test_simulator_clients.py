"""Requests in the shapes of public clients, rebuilt from their source: each is taken, and refused where rules are strict.

The MACs are worked out here, from the fields joined in the document's order.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from masanalytics.simulator import PlatformAccount, Rules, Simulator, Style

EC, AP, KEY, SIGN = "模拟企业", "sim0", "sim-secret", "SimSign01"
PAIRS = {str(13800000000 + n): f"第{n}条" for n in range(1000)}


def mac(*parts: str) -> str:
    return hashlib.md5("".join((EC, AP, KEY, *parts)).encode()).hexdigest()


def plain(mobiles: str = "13800138000", content: str = "您好", **more: Any) -> dict[str, Any]:
    fields = {"ecName": EC, "apId": AP, "mobiles": mobiles, "content": content, "sign": SIGN, "addSerial": ""}
    return {**fields, "mac": mac(mobiles, content, SIGN, "")} | more


def template(params: Any, signed: str) -> dict[str, Any]:
    return {
        "ecName": EC, "apId": AP, "templateId": "t1", "mobiles": "13800138000", "params": params, "sign": SIGN,
        "addSerial": "", "mac": mac("t1", "13800138000", signed, SIGN, ""),
    }  # fmt: skip


def renamed(fields: dict[str, Any], rename: Callable[[str], str]) -> dict[str, Any]:
    return {rename(key): value for key, value in fields.items()}


def raw(fields: dict[str, Any]) -> bytes:
    return base64.b64encode(json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())


def literal(fields: dict[str, Any]) -> bytes:
    """Return the Base64 as PHP and C# write it: a JSON string, its slashes escaped."""
    return json.dumps(raw(fields).decode()).replace("/", "\\/").encode()


def mime(fields: dict[str, Any]) -> bytes:
    return base64.encodebytes(json.dumps(fields).encode())


@dataclass(frozen=True)
class Shape:
    """A client's request: who sends it so, where, how, and what is noted of it."""

    who: str
    path: str
    body: bytes
    noted: set[str] = field(default_factory=set)
    content_type: str = "application/json"
    messages: int = 1


SHAPES = [
    Shape("easy-sms (PHP)", "/sms/norsubmit", literal(plain(content="http://a.cn/b")), {"body_literal"}),
    Shape(
        "SMS4J (Java)", "/sms/norsubmit", raw(dict(sorted(plain("+8613800138000", secretKey=KEY).items()))),
        {"secret_key_present", "key_order", "mobile_prefix"}, "application/x-www-form-urlencoded",
    ),
    Shape("SMS4J, line-broken Base64", "/sms/submit", mime(plain()), {"body_characters"}),
    Shape(
        "IGeekFan.MAS (C#), a text each", "/sms/submit",
        literal(plain("", json.dumps({"13800138000": "甲", "13800138001": "乙"}, ensure_ascii=False))),
        {"body_literal"}, "text/plain", 2,
    ),
    Shape("C# desktop client", "/sms/norsubmit", raw(renamed(plain(), lambda key: "mAC" if key == "mac" else key)), {"key_case"}),
    Shape("my-notify (Go)", "/sms/norsubmit", raw(renamed(plain(), lambda key: "ApId" if key == "apId" else key)), {"key_case"}),
    Shape("the document's own advice", "/sms/norsubmit", raw(renamed(plain(), lambda key: key[0].upper() + key[1:])), {"key_case"}),
    Shape("Node client with an empty key", "/sms/submit", raw(plain(secretKey="")), {"secret_key_present", "secret_key_empty"}),
    Shape("Node client, a question mark", "/sms/norsubmit?", raw(plain())),
    Shape("senweaver-sms (Python)", "/sms/tmpsubmit", raw(template('["a", "b"]', '["a", "b"]')), {"params_not_compact"}),
    Shape("JavaScript client, params as a list", "/sms/tmpsubmit", raw(template(["a", "b"], '["a","b"]')), {"not_text"}),
    Shape(
        "svr-liaison (Java), a text each", "/sms/submit", raw(plain("", json.dumps(dict(list(PAIRS.items())[:999])))),
        set(), "application/json;charset=UTF-8", 999,
    ),
    Shape("HTTP document, 1,000 with a text each", "/sms/norsubmit", raw(plain("", json.dumps(PAIRS))), messages=1000),
    Shape(
        "HTTP document, mobiles filled", "/sms/norsubmit",
        raw(plain("13900139000", json.dumps({"13800138000": "甲"}, ensure_ascii=False))), {"mobiles_not_empty"},
    ),
]  # fmt: skip


def ask(sim: Simulator, path: str, body: bytes, content_type: str = "application/json") -> Any:
    line = http.client.HTTPConnection(sim.url.removeprefix("http://"))
    line.request("POST", path, body, {"Content-Type": content_type})
    answer = json.loads(line.getresponse().read())
    line.close()
    return answer


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, Rules().poll_interval),
        ({"rules": Rules(poll_interval=2.0)}, 2.0),
        ({"poll_interval": 0.0}, 0.0),
        ({"rules": Rules(poll_interval=2.0), "poll_interval": 3.0}, 3.0),
    ],
)
def test_how_often_may_be_polled_is_what_was_said(options: dict[str, Any], seconds: float) -> None:
    """The rule of `rules` holds unless the argument says another one; an account for the simulator polls by it."""
    with Simulator(https=False, **options) as sim:
        assert (sim.platform.rules.poll_interval, sim.account().poll_interval) == (seconds, seconds)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.who)
def test_what_public_clients_send_is_taken(shape: Shape) -> None:
    """The messages are taken as they were meant, and everything that differs from the document is noted."""
    with Simulator(https=False) as sim:
        assert ask(sim, shape.path, shape.body, shape.content_type)["rspcod"] == "success"
        assert {found.kind for found in sim.deviations} == shape.noted
        assert sim.counts["accepted"] == shape.messages


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.noted], ids=lambda shape: shape.who)
def test_strict_rules_take_no_deviation(shape: Shape) -> None:
    """Under strict rules the same requests are refused, and nothing is sent."""
    with Simulator(https=False, strict=True) as sim:
        assert ask(sim, shape.path, shape.body, shape.content_type)["rspcod"] == "InvalidMessage"
        assert sim.counts["accepted"] == 0


def test_a_text_each_goes_to_its_own_numbers_whatever_mobiles_says() -> None:
    """At norsubmit the content's numbers get their texts, and the number in mobiles gets nothing."""
    content = json.dumps({"13800138000": "甲"}, ensure_ascii=False)
    with Simulator(https=False) as sim:
        ask(sim, "/sms/norsubmit", raw(plain("13900139000", content)))
        assert sim.accepted == {("13800138000", "甲"): 1}


@pytest.mark.parametrize(("path", "most"), [("/sms/submit", 999), ("/sms/norsubmit", 1000)])
def test_each_path_has_its_own_limit(path: str, most: int) -> None:
    """One more than the path's document takes is too many."""
    content = json.dumps({str(13800000000 + n): "a" for n in range(most + 1)})
    with Simulator(https=False) as sim:
        assert ask(sim, path, raw(plain("", content)))["rspcod"] == "TooManyMobiles"


@pytest.mark.parametrize("path", ["/sms/submit", "/sms/norsubmit"])
@pytest.mark.parametrize(
    ("count", "strict", "rspcod", "noted"),
    [
        (4999, True, "success", []),
        (5000, False, "success", ["many_at_limit"]),
        (5000, True, "InvalidMessage", []),
        (5001, False, "TooManyMobiles", []),
    ],
)
def test_one_text_goes_to_fewer_than_five_thousand(
    path: str, count: int, strict: bool, rspcod: str, noted: list[str]
) -> None:
    """The document's tables say 5,000, its note fewer: 5,000 pass and are noted, and are refused where the note is law."""
    mobiles = ",".join(str(13800000000 + n) for n in range(count))
    with Simulator(https=False, strict=strict) as sim:
        assert ask(sim, path, raw(plain(mobiles)))["rspcod"] == rspcod
        assert [one.kind for one in sim.deviations if rspcod == "success"] == noted


def test_polls_take_keys_in_another_case_and_no_empty_key() -> None:
    """A poll with capital first letters is answered; an empty secretKey is not enough for one."""
    with Simulator(https=False) as sim:
        assert ask(sim, "/sms/report", raw({"EcName": EC, "ApId": AP, "SecretKey": KEY})) == []
        refused = ask(sim, "/sms/deliver", raw({"ecName": EC, "apId": AP, "secretKey": ""}))
        assert refused["rspcod"] == "InvalidUsrOrPwd"


@pytest.mark.parametrize(
    ("protocol", "path", "rspcod"),
    [
        ("http", "/sms/norsubmit", "success"),
        ("http", "/sms/submit", "InvalidUsrOrPwd"),
        ("https", "/sms/submit", "success"),
        ("https", "/sms/norsubmit", "InvalidUsrOrPwd"),
    ],
)
def test_an_account_is_made_for_one_protocol(protocol: Any, path: str, rspcod: str) -> None:
    """Under the other flavour's path an account that was made for one is rejected."""
    with Simulator(https=False, accounts=[PlatformAccount(protocol=protocol)]) as sim:
        assert ask(sim, path, raw(plain()))["rspcod"] == rspcod


def test_reports_whose_times_have_no_seconds() -> None:
    """With minutes, delivered reports end in 00 as the captured one does; the platform's own failures keep their seconds."""
    style = Style(minutes=True, success=("CM:0000", "DELIVRD"))
    with Simulator(https=False, style=style) as sim:
        sim.report("13800138000", msg_group="1", age=7)
        sim.report("13800138001", "CM:2007", msg_group="1", age=7)
        rows = ask(sim, "/sms/report", raw({"ecName": EC, "apId": AP, "secretKey": KEY}))
    assert [row["submitDate"][-2:] + row["receiveDate"][-2:] for row in rows[:1]] == ["0000"]
    assert (rows[0]["reportStatus"], rows[0]["errorCode"]) == ("CM:0000", "DELIVRD")
    assert int(rows[1]["receiveDate"][-2:]) - int(rows[1]["submitDate"][-2:]) in (7, -53)
