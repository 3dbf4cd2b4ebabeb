"""Answers to a submit: accepted and rejected only on the platform's own clear word."""

from __future__ import annotations

import pytest

from masanalytics.protocol import FATAL, KNOWN_RSPCODS, SubmitAnswer, describe_rspcod, is_fatal, read_submit

GROUP = "0105013527000001139923"


@pytest.mark.parametrize(
    "raw",
    [
        '{"rspcod":"success","msgGroup":"0105013527000001139923","success":true}',
        '{"rspcod":"success","mgsGroup":"0105013527000001139923","success":true}',
        '{"rspcod":"success","mgsGroup":"","msgGroup":"0105013527000001139923","success":"true"}',
        '{"rspcod":"success","msgGroup":"0105013527000001139923","success":"True","more":[1]}',
        '\ufeff {"rspcod": "Success", "msgGroup": "0105013527000001139923", "success": true}\r\n',
        '"{\\"rspcod\\":\\"success\\",\\"msgGroup\\":\\"0105013527000001139923\\",\\"success\\":true}"',
    ],
)
def test_accepted(raw: str) -> None:
    """Both spellings of the group, "true" as text, a BOM, and JSON within a JSON string are all read."""
    assert read_submit(raw.encode()) == SubmitAnswer(True, GROUP, "success", "")


def test_accepted_without_rspcod() -> None:
    """Where rspcod is missing, success and a group are enough."""
    assert read_submit(b'{"msgGroup":"0105013527000001139923","success":true}') == SubmitAnswer(True, GROUP, "", "")


@pytest.mark.parametrize(
    "rspcod",
    [
        "IllegalMac",
        "IllegalSignId",
        "InvalidMessage",
        "InvalidUsrOrPwd",
        "NoSignId",
        "TooManyMobiles",
        "InvalidMobile",
    ],
)
def test_rejected(rspcod: str) -> None:
    """Every failing word of the document, with success false and no group, is a refusal."""
    raw = f'{{"msgGroup":"","rspcod":"{rspcod}","success":false}}'
    assert read_submit(raw.encode()) == SubmitAnswer(False, "", rspcod, "")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"message":"NOT_WHITE_IP","success":false}', SubmitAnswer(False, "", "NOT_WHITE_IP", "")),
        ('{"message":"NOT_WHITE_IP","success":"false"}', SubmitAnswer(False, "", "NOT_WHITE_IP", "")),
        ('{"success":false}', SubmitAnswer(None, "", "", '{"success":false}')),
        (
            '{"message":"号码13800138000在黑名单中","success":false}',
            SubmitAnswer(None, "", "", "号码138****8000在黑名单中"),
        ),
        ('{"msgGroup":"","rspcod":"SystemBusy","success":false}', SubmitAnswer(None, "", "SystemBusy", "")),
        ('{"msgGroup":"","rspcod":"SomethingNew","success":false}', SubmitAnswer(None, "", "SomethingNew", "")),
        (
            '{"resultCode":"9013","resultDesc":"余额不足"}',
            SubmitAnswer(None, "", "", '{"resultCode":"9013","resultDesc":"余额不足"}'),
        ),
        (f'{{"msgGroup":"{GROUP}","rspcod":"success","success":true}}\0', SubmitAnswer(True, GROUP, "success", "")),
        ('{"rspcod":"IllegalMac"}', SubmitAnswer(False, "", "IllegalMac", "")),
    ],
)
def test_answers_of_another_shape(raw: str, expected: SubmitAnswer) -> None:
    """A message stands for a missing rspcod; words that are not known to refuse prove nothing; what was said is shown."""
    assert read_submit(raw.encode()) == expected


@pytest.mark.parametrize(
    ("raw", "group", "rspcod"),
    [
        ('{"rspcod":"InvalidMessage","msgGroup":"","success":true}', "", "InvalidMessage"),
        (f'{{"rspcod":"0000","msgGroup":"{GROUP}","success":true}}', GROUP, "0000"),
        (f'{{"rspcod":"InvalidMessage","msgGroup":"{GROUP}","success":false}}', GROUP, "InvalidMessage"),
        ('{"rspcod":"success","msgGroup":"","success":true}', "", "success"),
        ('{"rspcod":"success","msgGroup":"","success":false}', "", "success"),
        (f'{{"rspcod":"success","msgGroup":"{GROUP}"}}', GROUP, "success"),
        (f'{{"msgGroup":"{GROUP}","success":false}}', GROUP, ""),
        ('{"success":true}', "", ""),
        ('{"rspcod":"SomethingNew"}', "", "SomethingNew"),
        ('{"success":null}', "", ""),
        ('{"timestamp":"2026","status":404,"error":"Not Found","path":"/sms/submit"}', "", ""),
        ("{}", "", ""),
    ],
)
def test_contradictions_are_unknown(raw: str, group: str, rspcod: str) -> None:
    """An answer that contradicts itself, or lacks its verdict, may stand for a batch that was taken."""
    answer = read_submit(raw.encode())
    assert (answer.accepted, answer.msg_group, answer.rspcod) == (None, group, rspcod)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   ",
        b"<html><body>Welcome</body></html>",
        b'{"rspcod":"success","msgGroup":"01050135',
        b"\x00\xff\xfe\x80",
        b"[]",
        b"null",
        b"true",
        b'"success"',
        b'[{"success":true}]',
        b"[" * 100_000,
    ],
)
def test_unreadable_is_unknown(raw: bytes) -> None:
    """Nothing, HTML, half an answer and rubbish are unknown, never a refusal."""
    assert read_submit(raw)[:3] == (None, "", "")


def test_an_excerpt_keeps_secrets() -> None:
    """The excerpt of an unreadable answer shows no key, no request body and no whole number, on one short line."""
    page = (
        b"<pre>POST\n{'secretKey': '123qwe'} eyJlY05hbWUiOiLmlL/kvIHliIblhazlj7jmtYvor5UiLCJhcElkIjoiZGVtbzAifQ== "
        b"13800138000\n</pre>" + b"x y " * 500
    )
    message = read_submit(page).message
    assert message.startswith("<pre>POST {'secretKey': '***'} … 138****8000 </pre>x y")
    assert len(message) == 200


@pytest.mark.parametrize("rspcod", sorted(KNOWN_RSPCODS))
def test_every_rspcod_is_explained(rspcod: str) -> None:
    """Each known word has a meaning and an advice in both languages."""
    for language in ("en", "zh"):
        meaning, advice = (text.text(language) for text in describe_rspcod(rspcod))
        assert meaning
        assert advice
        assert (language == "zh") == any("\u4e00" <= letter <= "\u9fff" for letter in meaning)


def test_the_catch_all_lists_its_causes() -> None:
    """InvalidUsrOrPwd names every cause that is known of it."""
    advice = describe_rspcod("InvalidUsrOrPwd")[1].text("en")
    for cause in (
        "ap_id",
        "secret_key",
        "ec_name",
        "web login",
        "protocol",
        "接口状态",
        "生效",
        "character set",
        "addSerial",
    ):
        assert cause in advice


def test_an_unknown_word_is_shown() -> None:
    """A word nobody documented is named in its own advice."""
    assert "AccountFrozen" in describe_rspcod("AccountFrozen")[1].text("en")


def test_fatal_words() -> None:
    """What hits every batch is fatal; what is wrong with one batch is not."""
    assert {"IllegalMac", "IllegalSignId", "NoSignId", "InvalidUsrOrPwd", "NOT_WHITE_IP"} == FATAL
    assert [is_fatal(word) for word in ("TooManyMobiles", "InvalidMessage", "InvalidMobile", "Unheard", "")] == [
        False,
        False,
        False,
        True,
        True,
    ]
