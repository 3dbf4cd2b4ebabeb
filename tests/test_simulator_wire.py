"""What the simulated platform takes and refuses, spoken to with bodies made by hand.

The MACs are those of the official document, or were worked out with ``md5sum`` from the joined values.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from masanalytics.clock import ManualClock
from masanalytics.simulator.audit_log import AuditLog
from masanalytics.simulator.behaviour import Scripted
from masanalytics.simulator.platform import Platform
from masanalytics.simulator.settings import PlatformAccount, Rules, Style

DEMO = PlatformAccount(
    ec_name="政企分公司测试",
    ap_id="demo0",
    secret_key="123qwe",
    signs=("DWItALe3A", "4sEuJxDpC"),
    service_code="1065750",
    templates={"38516fabae004eddbfa3ace1d4194696": "您的验证码是{1}"},
)
OTHER = PlatformAccount(ap_id="other", signs=("Xa3otherS",))

OFFICIAL = {
    "ecName": "政企分公司测试",
    "apId": "demo0",
    "mobiles": "13800138000",
    "content": "移动改变生活。",
    "sign": "DWItALe3A",
    "addSerial": "",
    "mac": "7997ddb079db2155b517b21b2a812370",
}
TEMPLATE = {
    "ecName": "政企分公司测试",
    "apId": "demo0",
    "templateId": "38516fabae004eddbfa3ace1d4194696",
    "mobiles": "13800138000",
    "params": '["abcde"]',
    "sign": "4sEuJxDpC",
    "addSerial": "",
    "mac": "02009a533ee3fb8603062971a53beff0",
}
EACH = {
    **OFFICIAL,
    "mobiles": "",
    "content": '{"13800138000":"你好","13900139000":"再见"}',
    "mac": "c1f02249c1bf48b007046ad9828425a3",
}


@pytest.fixture
def platform() -> Platform:
    return Platform((DEMO, OTHER), Scripted(), ManualClock())


def encoded(fields: dict[str, Any], *, compact: bool = True, escaped: bool = False) -> bytes:
    separators = (",", ":") if compact else None
    return base64.b64encode(json.dumps(fields, ensure_ascii=escaped, separators=separators).encode())


def ask(platform: Platform, body: bytes, endpoint: str = "submit") -> tuple[dict[str, Any], list[str]]:
    """Return the answer as JSON and the kinds of deviation noted."""
    request = platform.audit_log.open_request(endpoint, 0.0, "test")
    submits = endpoint in ("submit", "tmpsubmit")
    answer = platform.submit(endpoint, body, request) if submits else platform.poll(endpoint, body, request)
    deviations = [found.kind for found in platform.audit_log.deviations if found.request == request.number]
    return json.loads(answer.text or f"[{','.join(answer.rows or [])}]"), deviations


def test_takes_the_official_example_and_answers_as_the_document_says(platform: Platform) -> None:
    """A request as in the document is accepted with a 22-digit msgGroup that starts with China time."""
    platform = Platform((DEMO,), Scripted(), ManualClock(start=1_630_916_055.0))
    answer, deviations = ask(platform, encoded(OFFICIAL))
    assert list(answer) == ["msgGroup", "rspcod", "success"]
    assert (answer["rspcod"], answer["success"], deviations) == ("success", True, [])
    assert answer["msgGroup"].startswith("0906161415")
    assert len(answer["msgGroup"]) == 22
    assert answer["msgGroup"].isdigit()
    assert platform.audit_log.accepted() == {("13800138000", "移动改变生活。"): 1}


def test_every_batch_has_its_own_group(platform: Platform) -> None:
    """Two requests in the same second get different msgGroups."""
    assert ask(platform, encoded(OFFICIAL))[0]["msgGroup"] != ask(platform, encoded(OFFICIAL))[0]["msgGroup"]


@pytest.mark.parametrize(
    ("params", "mac", "text", "deviations"),
    [
        ('["abcde"]', "02009a533ee3fb8603062971a53beff0", "您的验证码是abcde", []),
        ("[]", "06b64991028bb8c00772140ca1ea8b62", "您的验证码是{1}", []),
        ('["abc", "de"]', "bc9e54d6d8540c6dbfc6cb5b312794fb", "您的验证码是abc", ["params_not_compact"]),
        ('{""}', "e3156d89b0da92f5ed3eb39709de195e", "您的验证码是", ["params_form"]),
        (["abcde"], "02009a533ee3fb8603062971a53beff0", "您的验证码是abcde", ["not_text"]),
    ],
)
def test_takes_templates_in_the_forms_in_use(
    platform: Platform, params: list[str] | str, mac: str, text: str, deviations: list[str]
) -> None:
    """Template params are a JSON list as text; blanks, ``{""}`` and a real list are understood and noted."""
    answer, noted = ask(platform, encoded({**TEMPLATE, "params": params, "mac": mac}), "tmpsubmit")
    assert (answer["rspcod"], noted) == ("success", deviations)
    assert platform.audit_log.accepted() == {("13800138000", text): 1}


def test_takes_templates_it_does_not_know() -> None:
    """The text of an unknown template is its id and params."""
    platform = Platform((PlatformAccount(**{**vars(DEMO), "templates": {}}),), Scripted(), ManualClock())
    assert ask(platform, encoded(TEMPLATE), "tmpsubmit")[0]["success"] is True
    assert platform.audit_log.accepted() == {("13800138000", '38516fabae004eddbfa3ace1d4194696["abcde"]'): 1}


def test_takes_a_text_for_each_number(platform: Platform) -> None:
    """A many-to-many request has one msgGroup and a text for each number."""
    answer, deviations = ask(platform, encoded(EACH))
    assert (answer["rspcod"], deviations) == ("success", [])
    assert platform.audit_log.accepted() == {("13800138000", "你好"): 1, ("13900139000", "再见"): 1}


@pytest.mark.parametrize(
    ("changes", "deviations"),
    [
        ({"mobiles": " "}, ["mobiles_not_empty"]),
        ({"mobiles": " ", "mac": "81cdaa31bdc4384ffc9f57019fe2328f"}, ["mobiles_not_empty"]),
        ({"mobiles": None}, ["not_text", "mobiles_not_empty"]),
    ],
)
def test_takes_many_to_many_with_mobiles_as_printed_in_the_document(
    platform: Platform, changes: dict[str, Any], deviations: list[str]
) -> None:
    """Mobiles ``" "`` are taken, signed as they are or as ``""``, and null as well; each is noted."""
    answer, noted = ask(platform, encoded({**EACH, **changes}))
    assert (answer["rspcod"], noted) == ("success", deviations)


def test_takes_many_to_many_without_mobiles(platform: Platform) -> None:
    """The HTTP document says that mobiles may be absent."""
    fields = {name: value for name, value in EACH.items() if name != "mobiles"}
    answer, deviations = ask(platform, encoded(fields))
    assert (answer["rspcod"], deviations) == ("success", ["missing_key", "mobiles_not_empty"])


def test_many_to_many_sends_only_the_last_text_of_a_number(platform: Platform) -> None:
    """With a number twice, the last text counts."""
    content = '{"13800138000":"先","13900139000":"二","13800138000":"后"}'
    answer, deviations = ask(platform, encoded({**EACH, "content": content, "mac": "9871979ae6400055a4a2b2274775727a"}))
    assert (answer["rspcod"], deviations) == ("success", ["duplicate_mobile"])
    assert platform.audit_log.accepted() == {("13800138000", "后"): 1, ("13900139000", "二"): 1}


def test_takes_what_a_java_client_sends(platform: Platform) -> None:
    """SMS4J: keys in HashMap order, secretKey inside, +86 numbers; accepted, noted, and counted without +86."""
    text = (
        '{"secretKey":"123qwe","mobiles":"+8613800138000,+8613900139000","apId":"demo0","ecName":"政企分公司测试",'
        '"sign":"DWItALe3A","addSerial":"10","content":"移动改变生活。","mac":"d116db1db627b58833431d548d5687b5"}'
    )
    answer, deviations = ask(platform, base64.b64encode(text.encode()))
    assert (answer["rspcod"], deviations) == ("success", ["secret_key_present", "key_order", "mobile_prefix"])
    assert platform.audit_log.accepted() == {("13800138000", "移动改变生活。"): 1, ("13900139000", "移动改变生活。"): 1}


def test_takes_what_a_php_client_sends(platform: Platform) -> None:
    """easy-sms: escaped JSON in its own key order, the Base64 as a JSON string whose slashes are escaped."""
    text = json.dumps(
        {
            "ecName": "政企分公司测试",
            "apId": "demo0",
            "sign": "DWItALe3A",
            "addSerial": "",
            "mobiles": "13800138000",
            "content": "移动改变生活？ÿÿ~",
            "mac": "ef5587cb01ecb07581dea3c6d2a18a94",
        },
        ensure_ascii=False,
    )
    literal = b'"' + base64.b64encode(text.encode()).replace(b"/", b"\\/") + b'"'
    assert b"\\/" in literal
    answer, deviations = ask(platform, literal)
    assert (answer["rspcod"], deviations) == ("success", ["body_literal", "key_order"])


@pytest.mark.parametrize(
    "dressed",
    [
        lambda body: b'"' + body + b'"',
        lambda body: b'"' + body.replace(b"+", b"\\u002B") + b'"\r\n',
        lambda body: b" " + body + b"\n",
        lambda body: b"\r\n".join(body[i : i + 76] for i in range(0, len(body), 76)),
        lambda body: body.rstrip(b"="),
    ],
    ids=["string literal", "literal with escaped plus", "blanks", "MIME lines", "no padding"],
)
def test_takes_bodies_in_every_dress(platform: Platform, dressed: Callable[..., Any]) -> None:
    """A JSON string literal (.NET), blanks, line breaks and missing padding do not matter, and are noted."""
    answer, deviations = ask(platform, dressed(encoded({**OFFICIAL, "more": "12"}, compact=False, escaped=True)))
    assert answer["rspcod"] == "success"
    assert set(deviations) - {"unknown_key"} <= {"body_literal", "body_characters", "body_padding"}
    assert len(deviations) >= 2


@pytest.mark.parametrize("escaped", [True, False])
def test_takes_raw_and_escaped_text_alike(platform: Platform, escaped: bool) -> None:
    """The MAC is over the characters, however JSON writes them; neither is a deviation."""
    answer, deviations = ask(platform, encoded(OFFICIAL, compact=False, escaped=escaped))
    assert (answer["rspcod"], deviations) == ("success", [])


@pytest.mark.parametrize(
    ("changes", "rspcod"),
    [
        ({"apId": "nobody"}, "InvalidUsrOrPwd"),
        ({"apId": None}, "InvalidUsrOrPwd"),
        ({"ecName": "æ\x94¿ä¼\x81"}, "InvalidUsrOrPwd"),
        ({"secretKey": "wrong"}, "InvalidUsrOrPwd"),
        ({"mac": "7997ddb079db2155b517b21b2a812371"}, "IllegalMac"),
        ({"mac": "7997DDB079DB2155B517B21B2A812370"}, "IllegalMac"),
        ({"mac": None}, "IllegalMac"),
        ({"content": "移动改变生活"}, "IllegalMac"),
        ({"mobiles": "13800138001"}, "IllegalMac"),
        ({"addSerial": "1"}, "IllegalMac"),
    ],
)
def test_refuses_as_the_document_says(platform: Platform, changes: dict[str, Any], rspcod: str) -> None:
    """Each mistake gets its rspcod, in the shape of an answer with an empty msgGroup, and nothing is taken."""
    answer, _ = ask(platform, encoded({**OFFICIAL, **changes}))
    assert answer == {"msgGroup": "", "rspcod": rspcod, "success": False}
    assert platform.audit_log.counts["accepted"] == 0


def test_a_missing_add_serial_looks_like_a_wrong_password(platform: Platform) -> None:
    """As users of real clients found: leaving addSerial out is answered InvalidUsrOrPwd."""
    fields = {name: value for name, value in OFFICIAL.items() if name != "addSerial"}
    assert ask(platform, encoded(fields))[0]["rspcod"] == "InvalidUsrOrPwd"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no base64 at all!",
        b"QUJD*",
        base64.b64encode(b"no json"),
        base64.b64encode(b"[1, 2]"),
        base64.b64encode(b'{"content":"he said "no""}'),
        base64.b64encode(b"[" * 100_000),
    ],
)
def test_refuses_what_cannot_be_read(platform: Platform, body: bytes) -> None:
    """What is no Base64 of a JSON object is an InvalidMessage."""
    assert ask(platform, body)[0]["rspcod"] == "InvalidMessage"


def test_gbk_looks_like_a_wrong_password(platform: Platform) -> None:
    """JSON in another character set makes mojibake of ecName."""
    body = base64.b64encode(json.dumps(OFFICIAL, ensure_ascii=False).encode("gbk"))
    answer, deviations = ask(platform, body)
    assert (answer["rspcod"], deviations) == ("InvalidUsrOrPwd", ["not_utf8"])


def signed(**changes: str) -> bytes:
    """Return a request with a right MAC, which here is not what is tested."""
    import hashlib

    fields = {**OFFICIAL, **changes}
    names = ("ecName", "apId", "mobiles", "content", "sign", "addSerial")
    values = [fields[name] for name in names]
    joined = "".join([*values[:2], "123qwe", *values[2:]])
    return encoded({**fields, "mac": hashlib.md5(joined.encode()).hexdigest()})


def numbers(count: Any) -> Any:
    return [str(13_800_000_000 + place) for place in range(count)]


@pytest.mark.parametrize(
    ("changes", "rspcod"),
    [
        ({"sign": ""}, "NoSignId"),
        ({"sign": "Xa3otherS"}, "NoSignId"),
        ({"sign": "nobodys00"}, "IllegalSignId"),
        ({"mobiles": ",".join(numbers(5000))}, "success"),
        ({"mobiles": ",".join(numbers(5001))}, "TooManyMobiles"),
        ({"mobiles": "", "content": json.dumps(dict.fromkeys(numbers(999), "好"))}, "success"),
        ({"mobiles": "", "content": json.dumps(dict.fromkeys(numbers(1000), "好"))}, "TooManyMobiles"),
        ({"content": ""}, "InvalidMessage"),
        ({"mobiles": "", "content": "移动"}, "InvalidMessage"),
        ({"mobiles": "", "content": '["13800138000"]'}, "InvalidMessage"),
        ({"mobiles": "", "content": "{}"}, "InvalidMessage"),
        ({"mobiles": "", "content": '{"13800138000":1}'}, "InvalidMessage"),
        ({"mobiles": ","}, "InvalidMessage"),
        ({"addSerial": "1234567890123"}, "success"),
        ({"addSerial": "12345678901234"}, "InvalidMessage"),
        ({"addSerial": "12a"}, "InvalidMessage"),
    ],
)
def test_checks_sign_and_limits(platform: Platform, changes: dict[str, str], rspcod: str) -> None:
    """Signature codes, 5,000 and 999 numbers, empty texts, and 20 digits with the extension."""
    assert ask(platform, signed(**changes))[0]["rspcod"] == rspcod


def test_an_exact_service_code_takes_no_extension() -> None:
    """With 精确匹配, addSerial must be empty."""
    platform = Platform((PlatformAccount(**{**vars(DEMO), "exact": True}),), Scripted(), ManualClock())
    assert ask(platform, signed(addSerial="1"))[0]["rspcod"] == "InvalidMessage"
    assert ask(platform, signed(addSerial=""))[0]["rspcod"] == "success"


def test_replies_go_to_service_code_and_extension() -> None:
    """The addSerial of an uplink is the whole code, that of a submit only the extension (or, in error, the whole)."""
    platform = Platform((DEMO,), Scripted(replies={"13800138000": (1.0, "T")}), ManualClock())
    ask(platform, signed(addSerial="12"))
    _, deviations = ask(platform, signed(addSerial="106575034"))
    platform.clock.sleep(10)
    request = platform.audit_log.open_request("deliver", 0.0, "test")
    body = encoded({"ecName": "政企分公司测试", "apId": "demo0", "secretKey": "123qwe"})
    rows = [json.loads(row) for row in platform.poll("deliver", body, request).rows or []]
    assert [row["addSerial"] for row in rows] == ["106575012", "106575034"]
    assert deviations == ["add_serial_whole"]


def test_a_number_that_is_none_fails_later(platform: Platform) -> None:
    """Bad numbers are taken, noted, and counted; the same number twice counts twice."""
    answer, deviations = ask(platform, signed(mobiles="13800138000, 02166668888,13800138000,,"))
    assert (answer["rspcod"], deviations) == ("success", ["mobiles_blanks", "mobile_form", "duplicate_mobile"])
    assert [message.phone for message in platform.audit_log.messages()] == ["13800138000", "02166668888", "13800138000"]


def test_a_number_that_is_none_can_be_refused() -> None:
    """With bad_mobile="reject" it is InvalidMobile, as one client's table has it."""
    platform = Platform((DEMO,), Scripted(), ManualClock(), rules=Rules(bad_mobile="reject"))
    assert ask(platform, signed(mobiles="13800138000,123"))[0]["rspcod"] == "InvalidMobile"


def test_strict_refuses_every_deviation() -> None:
    """Strict rules take the document's own form and nothing else."""
    platform = Platform((DEMO,), Scripted(), ManualClock(), rules=Rules(strict=True))
    assert ask(platform, encoded(OFFICIAL))[0]["rspcod"] == "success"
    assert ask(platform, encoded(EACH))[0]["rspcod"] == "success"
    assert ask(platform, encoded(TEMPLATE), "tmpsubmit")[0]["rspcod"] == "success"
    for body in (
        encoded({**OFFICIAL, "secretKey": "123qwe"}),
        encoded(dict(reversed(OFFICIAL.items()))),
        b'"' + encoded(OFFICIAL) + b'"',
        encoded({**OFFICIAL, "extra": ""}),
        signed(mobiles="+8613800138000"),
        signed(mobiles="13800138000,13800138000"),
    ):
        assert ask(platform, body)[0]["rspcod"] == "InvalidMessage"
    assert platform.audit_log.counts["accepted"] == 4
    assert "strict" in platform.audit_log.requests[-1].note


def test_answers_in_the_style_asked_for() -> None:
    """The document's typo mgsGroup and ``"true"`` as text can be had."""
    style = Style(group_key="mgsGroup", success_as_text=True)
    platform = Platform((DEMO,), Scripted(), ManualClock(), style=style)
    answer, _ = ask(platform, encoded(OFFICIAL))
    assert (list(answer), answer["success"]) == (["mgsGroup", "rspcod", "success"], "true")
    assert ask(platform, b"x")[0] == {"mgsGroup": "", "rspcod": "InvalidMessage", "success": "false"}


def test_deviations_name_neither_numbers_nor_secrets(platform: Platform) -> None:
    """What is written down of a request holds no number, text or key."""
    ask(platform, encoded({**OFFICIAL, "secretKey": "123qwe", "mobiles": "+8613800138000"}))
    ask(platform, signed(mobiles="13800138000,987"))
    said = repr(platform.audit_log.deviations) + repr(platform.audit_log.requests) + repr(platform.audit_log.messages())
    for secret in ("123qwe", "13800138000", "移动"):
        assert secret not in said


def test_a_ledger_that_keeps_counts_only_says_so() -> None:
    """Asked for what it does not keep, it names the setting."""
    with pytest.raises(Exception, match="keep_ledger"):
        AuditLog(keep=False).messages()
