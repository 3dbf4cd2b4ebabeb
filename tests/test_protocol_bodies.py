"""Request bodies, byte for byte. Expected MACs and Base64 were made with md5sum and base64 from the document's tables."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masanalytics.account import Account
from masanalytics.errors import InputError
from masanalytics.protocol import (
    DELIVER,
    REPORT,
    SUBMIT,
    TEMPLATE,
    check_mobiles,
    mac,
    pairs_body,
    poll_body,
    submit_body,
    template_body,
)

CALLER = Account("https://mas.example:28888", "政企分公司测试", "demo0", "123qwe", sign="DWItALe3A")
TEMPLATE_CALLER = replace(CALLER, sign="4sEuJxDpC")
TEMPLATE_ID = "38516fabae004eddbfa3ace1d4194696"


def test_paths() -> None:
    """The four paths are those of the interface document."""
    assert (SUBMIT, TEMPLATE, REPORT, DELIVER) == ("/sms/submit", "/sms/tmpsubmit", "/sms/report", "/sms/deliver")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("13800138000", "移动改变生活。", "DWItALe3A", ""), "7997ddb079db2155b517b21b2a812370"),
        ((TEMPLATE_ID, "13800138000", '["abcde"]', "4sEuJxDpC", ""), "02009a533ee3fb8603062971a53beff0"),
        ((TEMPLATE_ID, "13800138000", "[]", "4sEuJxDpC", ""), "06b64991028bb8c00772140ca1ea8b62"),
    ],
)
def test_official_macs(parts: tuple[str, ...], expected: str) -> None:
    """The three worked examples of the platform's own documentation come out."""
    assert mac("政企分公司测试", "demo0", "123qwe", *parts) == expected


def test_one_to_one_body() -> None:
    """One text to one number is the document's example, in its key order, as raw Base64."""
    assert submit_body(CALLER, ["13800138000"], "移动改变生活。") == (
        b"eyJlY05hbWUiOiLmlL/kvIHliIblhazlj7jmtYvor5UiLCJhcElkIjoiZGVtbzAiLCJtb2JpbGVzIjoiMTM4MDAxMzgwMDAiLCJjb250ZW50Ijoi"
        b"56e75Yqo5pS55Y+Y55Sf5rS744CCIiwic2lnbiI6IkRXSXRBTGUzQSIsImFkZFNlcmlhbCI6IiIsIm1hYyI6Ijc5OTdkZGIwNzlkYjIxNTViNTE3"
        b"YjIxYjJhODEyMzcwIn0="
    )


def test_many_to_one_body() -> None:
    """Numbers are joined by commas; quotes, backslashes and emoji are JSON-escaped in the body, plain in the MAC."""
    body = submit_body(CALLER, ["13800138000", "13800138001", "13800138002"], '他说“好”,"ok"\\😀', "01")
    assert body == (
        b"eyJlY05hbWUiOiLmlL/kvIHliIblhazlj7jmtYvor5UiLCJhcElkIjoiZGVtbzAiLCJtb2JpbGVzIjoiMTM4MDAxMzgwMDAsMTM4MDAxMzgwMDEs"
        b"MTM4MDAxMzgwMDIiLCJjb250ZW50Ijoi5LuW6K+04oCc5aW94oCdLFwib2tcIlxc8J+YgCIsInNpZ24iOiJEV0l0QUxlM0EiLCJhZGRTZXJpYWwi"
        b"OiIwMSIsIm1hYyI6ImM5NjY5N2Y1NWNiNzNlYWUwMWRhOTc2MGE5NTdiMWEzIn0="
    )


def test_many_to_many_body() -> None:
    """A text each is a JSON object as text, with empty mobiles in the body and in the MAC."""
    body = pairs_body(
        CALLER,
        {
            "18840310111": "你好！中国！",
            "17640310111": "你好！世界！",
            "15340310111": "你好！中国移动云Mas！",
        },
    )
    assert body == (
        b"eyJlY05hbWUiOiLmlL/kvIHliIblhazlj7jmtYvor5UiLCJhcElkIjoiZGVtbzAiLCJtb2JpbGVzIjoiIiwiY29udGVudCI6IntcIjE4ODQwMzEw"
        b"MTExXCI6XCLkvaDlpb3vvIHkuK3lm73vvIFcIixcIjE3NjQwMzEwMTExXCI6XCLkvaDlpb3vvIHkuJbnlYzvvIFcIixcIjE1MzQwMzEwMTExXCI6"
        b"XCLkvaDlpb3vvIHkuK3lm73np7vliqjkupFNYXPvvIFcIn0iLCJzaWduIjoiRFdJdEFMZTNBIiwiYWRkU2VyaWFsIjoiIiwibWFjIjoiOThiNzY4"
        b"MzE3NWMzODI5YTE1NGFjNjA2YjM0NzYyM2QifQ=="
    )


def test_template_body() -> None:
    """A template's params are a JSON list as text; the key order is the document's."""
    assert template_body(TEMPLATE_CALLER, TEMPLATE_ID, ["13800138000"], ["abcde"]) == (
        b"eyJlY05hbWUiOiLmlL/kvIHliIblhazlj7jmtYvor5UiLCJhcElkIjoiZGVtbzAiLCJ0ZW1wbGF0ZUlkIjoiMzg1MTZmYWJhZTAwNGVkZGJmYTNh"
        b"Y2UxZDQxOTQ2OTYiLCJtb2JpbGVzIjoiMTM4MDAxMzgwMDAiLCJwYXJhbXMiOiJbXCJhYmNkZVwiXSIsInNpZ24iOiI0c0V1SnhEcEMiLCJhZGRT"
        b"ZXJpYWwiOiIiLCJtYWMiOiIwMjAwOWE1MzNlZTNmYjg2MDMwNjI5NzFhNTNiZWZmMCJ9"
    )


@pytest.mark.parametrize(
    ("params", "text", "expected"),
    [
        ([], '[""]', "a62c4449a51a0d6c2f3e2c2aa3e2ebe9"),
        ([""], '[""]', "a62c4449a51a0d6c2f3e2c2aa3e2ebe9"),
        (("王女士", "5 月 1 日"), '["王女士","5 月 1 日"]', "7a800505e674e81239fa03a48cd4febb"),
    ],
)
def test_template_params(params: list[str], text: str, expected: str) -> None:
    """Params are compact, and a template without variables sends a list of one empty text."""
    sent = json.loads(base64.b64decode(template_body(TEMPLATE_CALLER, TEMPLATE_ID, ["13800138000"], params)))
    assert (sent["params"], sent["mac"]) == (text, expected)


def test_poll_body() -> None:
    """A poll holds the three names of the document, the secret key among them, and no MAC."""
    assert poll_body(CALLER) == (
        b"eyJlY05hbWUiOiLmlL/kvIHliIblhazlj7jmtYvor5UiLCJhcElkIjoiZGVtbzAiLCJzZWNyZXRLZXkiOiIxMjNxd2UifQ=="
    )


def test_the_account_signs_with_its_real_key() -> None:
    """An account's key, which shows as ***, goes into MAC and poll as it is."""
    account = Account("https://mas.example", "政企分公司测试", "demo0", "123qwe", "DWItALe3A")
    assert submit_body(account, ["13800138000"], "移动改变生活。") == submit_body(
        CALLER, ["13800138000"], "移动改变生活。"
    )
    assert poll_body(account) == poll_body(CALLER)


def test_the_key_is_not_in_a_submit() -> None:
    """The secret key goes into a submit's MAC, never into its JSON."""
    for body in (
        submit_body(CALLER, ["13800138000"], "hi"),
        pairs_body(CALLER, {"13800138000": "hi"}),
        template_body(CALLER, "t", ["13800138000"]),
    ):
        assert b"123qwe" not in base64.b64decode(body)


@pytest.mark.parametrize(
    ("mobiles", "words"),
    [
        ([], "no numbers"),
        (["1380013800"], "number 1 of the batch (****3800)"),
        (["13800138000", "+8613800138001"], "number 2 of the batch (+86138****8001)"),
        (["12800138000"], "number 1 of the batch (128****8000)"),
        (["１３８００１３８０００"], "number 1 of the batch"),
        (["13800138000\n"], "number 1 of the batch"),
        ([13800138000.0], "number 1 of the batch (float)"),
        ([None], "number 1 of the batch (NoneType)"),
        ([True], "number 1 of the batch (bool)"),
        (["13800138000", "13800138001", "13800138000"], "138****8000 is in the batch more than once"),
        (["13800138000", 13800138000], "138****8000 is in the batch more than once"),
    ],
)
def test_numbers_that_cannot_be_sent(mobiles: list[object], words: str) -> None:
    """A number that is not eleven digits, or comes twice, is refused by its place, masked."""
    with pytest.raises(InputError) as caught:
        submit_body(CALLER, mobiles, "hi")  # type: ignore[arg-type]
    assert words in caught.value.text("en")
    assert "13800138" not in caught.value.text("en") + caught.value.text("zh")


def test_a_single_number_is_one_number() -> None:
    """A text or an integer alone is one number, not eleven."""
    assert check_mobiles("13800138000") == ["13800138000"]
    assert check_mobiles(13800138000) == ["13800138000"]  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "fits"), [(4999, True), (5000, False)])
def test_limit_of_one_text(count: int, fits: bool) -> None:
    """One text goes to fewer than 5,000 numbers, as the document's note says, whose tables say 5,000."""
    mobiles = [f"138{n:08d}" for n in range(count)]
    if fits:
        assert len(json.loads(base64.b64decode(submit_body(CALLER, mobiles, "hi")))["mobiles"].split(",")) == 4999
    else:
        with pytest.raises(InputError, match="5000 numbers in one batch; at most 4999"):
            submit_body(CALLER, mobiles, "hi")


@pytest.mark.parametrize(("count", "fits"), [(999, True), (1000, False)])
def test_limit_of_a_text_each(count: int, fits: bool) -> None:
    """A text each goes to 999 numbers and to no more."""
    texts = {f"138{n:08d}": f"no {n}" for n in range(count)}
    if fits:
        content = json.loads(json.loads(base64.b64decode(pairs_body(CALLER, texts)))["content"])
        assert content == texts
    else:
        with pytest.raises(InputError, match="1000 numbers in one batch; at most 999"):
            pairs_body(CALLER, texts)


@pytest.mark.parametrize("content", ["", "  \n", None, float("nan"), 5])
def test_empty_text(content: object) -> None:
    """A text that is empty, or none, is refused."""
    with pytest.raises(InputError, match="content is empty or not text"):
        submit_body(CALLER, ["13800138000"], content)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"the content for 138\*\*\*\*8000 is empty"):
        pairs_body(CALLER, {"13800138000": content})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "make",
    [
        lambda text: submit_body(CALLER, ["13800138000"], text),
        lambda text: pairs_body(CALLER, {"13800138000": text}),
        lambda text: template_body(CALLER, "t", ["13800138000"], [text]),
    ],
)
def test_half_a_character(make: object) -> None:
    """A lone surrogate is refused before anything is encoded, and the error drags neither text nor key along."""
    with pytest.raises(InputError, match="half a character") as caught:
        make("broken \ud83d emoji")  # type: ignore[operator]
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("params", ["abc", [5], [None]])
def test_params_that_are_not_texts(params: object) -> None:
    """Params must be texts: a number would lose its leading zeros."""
    with pytest.raises(InputError, match="params is a list of texts"):
        template_body(CALLER, "t", ["13800138000"], params)  # type: ignore[arg-type]


def test_pairs_must_be_a_mapping() -> None:
    """A list where a mapping belongs is named."""
    with pytest.raises(InputError, match="mapping of number to text"):
        pairs_body(CALLER, ["13800138000"])  # type: ignore[arg-type]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_any_text_survives(content: str) -> None:
    """Any text comes out of the body as it went in, and the MAC is over exactly it."""
    sent = json.loads(base64.b64decode(submit_body(CALLER, ["13800138000"], content)).decode("utf-8"))
    assert sent["content"] == content
    assert list(sent) == ["ecName", "apId", "mobiles", "content", "sign", "addSerial", "mac"]
    assert sent["mac"] == mac("政企分公司测试demo0123qwe13800138000", content, "DWItALe3A")
