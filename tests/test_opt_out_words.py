"""Which replies are opt-outs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masanalytics.opt_outs import DEFAULT_WORDS, match_opt_out


@pytest.mark.parametrize(
    "reply",
    [
        "T", "t", "TD", "td", "N", "R", "r", "退订", "T退订", "td退订", "QX", "0000", "Ｔ", "ｔｄ", "Ｒ", " T ", "\u3000退订\n",
        "退订。", "退订！！", "“T”", "【退订】", "T 退订", "TD.", "回复T", "回复TD退订", "回T", "\u202aT\u202c", "STOP",
    ],
)  # fmt: skip
def test_a_reply_that_is_only_an_agreed_word(reply: str) -> None:
    """A reply that says nothing else is an opt-out, whatever its case, width and trimming."""
    assert match_opt_out(reply) == "opt_out"


@pytest.mark.parametrize(
    "reply",
    [
        "怎么退订",
        "请问如何退订宽带？",
        "别再发了",
        "不要再发短信",
        "请勿打扰",
        "取消",
        "再发投诉你",
        "TD谢谢",
        "T 谢谢",
        "拒收",
        "please stop",
    ],
)
def test_a_reply_that_only_contains_it_is_for_a_person(reply: str) -> None:
    """A reply that holds such a word among others is listed for a person to read."""
    assert match_opt_out(reply) == "review"


@pytest.mark.parametrize(
    "reply", ["", "  ", "。", "好的", "收到，谢谢", "1", "N年", "00", "TV", "NO1", "积分怎么兑换？", "Thanks"]
)
def test_other_replies(reply: str) -> None:
    """Any other reply is neither."""
    assert match_opt_out(reply) is None


def test_own_words() -> None:
    """The list of words is the caller's."""
    assert match_opt_out("BYE", ["bye"]) == "opt_out"
    assert match_opt_out("T", ["bye"]) is None


@given(st.sampled_from(DEFAULT_WORDS), st.booleans(), st.sampled_from(["", " ", "。", "！", "\n", "\u200b"]))
def test_every_agreed_word_in_any_dress(word: str, lower: bool, edge: str) -> None:
    """Each word is recognised in lower case and with punctuation at its ends."""
    assert match_opt_out(edge + (word.lower() if lower else word) + edge) == "opt_out"


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    """No reply of a stranger makes it fail."""
    assert match_opt_out(text) in ("opt_out", "review", None)
