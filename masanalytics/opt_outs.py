"""Which replies mean that a person wants no more messages.

A reply that says nothing but one of the agreed words is an opt-out at once. One that only contains 退订 or the like is for a
person to read: "请问怎么退订宽带" is a question, and a machine that guesses either annoys or ignores somebody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

__all__ = ["DEFAULT_WORDS", "match_opt_out"]

DEFAULT_WORDS: Final = (
    "T", "TD", "N", "R", "退订", "退訂", "T退订", "TD退订", "退订T", "退订TD", "R退订", "N退订", "QX", "取消订阅", "取消訂閱",
    "0000", "00000", "STOP", "UNSUBSCRIBE",
)  # fmt: skip
"""Agreed words. T, TD, N, R, 退订, T退订, QX and 0000 are what Chinese platforms publish; the rest are their joined forms."""

_DAMAGED: Final = "\ufffd"
_LONGEST: Final = 1000
"""No reply is longer than some parts of 67 characters: of what is, only the beginning is looked at, and it is no agreed word."""
_ANSWER = re.compile(r"^请?(?:回复|回覆|发送|回)")
_SUSPECT = re.compile(
    r"退订|退訂|退定|退阅|退閱|^(?:tt|tdd|dt|停|no|不|滚|退)$|不用了|不需要了?$|不要了|拒绝|拒絕|取消|拒收|屏蔽|拉黑|投诉|举报|骚扰|打扰|勿扰|勿发|停止发|停发|"
    r"(?:别|莫|不要|不用|不想|不需要|请勿|禁止|停止)[^。！？!?]{0,6}(?:发|短信|信息|收)|"
    r"(?<![a-z0-9])(?:td|qx|stop|unsubscribe)(?![a-z0-9])|^[tnr][\s,，.。!！、]"
)


def match_opt_out(text: str, words: Iterable[str] = DEFAULT_WORDS) -> Literal["opt_out", "review"] | None:
    """Say whether a reply is an opt-out, may be one, or is none.

    Parameters
    ----------
    text : str
        The reply as it came.
    words : iterable of str
        The words that mean opt-out when they are the whole reply.

    Returns
    -------
    {"opt_out", "review"} or None
        ``"opt_out"`` where the whole text is one of `words`, once trimmed of space, punctuation and what cannot be seen,
        with case and width folded and a leading 回复 passed over; ``"review"`` where it only contains 退订 or the like, or
        holds bytes that no encoding reads.

    Examples
    --------
    >>> match_opt_out(" ｔｄ。"), match_opt_out("回复T退订"), match_opt_out("怎么退订宽带？"), match_opt_out("好的，谢谢")
    ('opt_out', 'opt_out', 'review', None)
    """
    whole = len(text) <= _LONGEST
    reply = _trimmed(text[:_LONGEST])
    if not reply:
        return None
    if whole and {_joined(reply), _joined(_ANSWER.sub("", reply))} & _agreed(tuple(words)):
        return "opt_out"
    return "review" if _SUSPECT.search(reply) or _DAMAGED in text else None


@lru_cache
def _agreed(words: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(_joined, words))


def _joined(text: str) -> str:
    return "".join(_trimmed(text).split())


def _trimmed(text: str) -> str:
    """Fold width and case; drop what is no letter, digit or sign of its own from both ends, and all that is unseen."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(character for character in folded if unicodedata.category(character) not in ("Cf", "Cc", "Co"))
    start, end = 0, len(seen)
    while start < end and _is_trimming(seen[start]):
        start += 1
    while end > start and _is_trimming(seen[end - 1]):
        end -= 1
    return seen[start:end]


def _is_trimming(character: str) -> bool:
    return unicodedata.category(character)[0] in "ZP"
