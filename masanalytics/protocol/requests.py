"""Request bodies of the interface: what is sent, byte for byte.

A body is the Base64 of UTF-8 JSON, with the keys in the interface document's order. ``mac`` is the MD5 of the document's
fields joined without separators, which is the platform's design and nobody's choice. `secretKey` goes into the MAC of a
submit, and into the JSON of a poll only, where the document has it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Final, Protocol

from masanalytics.errors import InputError
from masanalytics.masking import mask_phone

__all__ = [
    "DELIVER",
    "MAX_MOBILES",
    "MAX_PAIRS",
    "REPORT",
    "SUBMIT",
    "TEMPLATE",
    "Caller",
    "check_mobiles",
    "mac",
    "pairs_body",
    "poll_body",
    "submit_body",
    "template_body",
]

SUBMIT: Final = "/sms/submit"
TEMPLATE: Final = "/sms/tmpsubmit"
REPORT: Final = "/sms/report"
DELIVER: Final = "/sms/deliver"
MAX_MOBILES: Final = 5000
"""The most numbers one text may go to in one request."""
MAX_PAIRS: Final = 999
"""The most numbers with a text each in one request (the document says: less than 1,000)."""

_MOBILE = re.compile(r"1[3-9][0-9]{9}")


class Caller(Protocol):
    """Who asks: an `Account`, or anything with its names."""

    @property
    def ec_name(self) -> str:
        """The enterprise's name."""
        ...

    @property
    def ap_id(self) -> str:
        """The interface account's user name."""
        ...

    @property
    def secret_key(self) -> str:
        """The interface account's password."""
        ...

    @property
    def sign(self) -> str:
        """The signature's code."""
        ...


def mac(*parts: str) -> str:
    """Return the MD5 (32 lower-case hex digits) of `parts`, joined without separators, in UTF-8.

    Examples
    --------
    >>> mac("政企分公司测试", "demo0", "123qwe", "13800138000", "移动改变生活。", "DWItALe3A", "")
    '7997ddb079db2155b517b21b2a812370'
    """
    return hashlib.md5("".join(parts).encode("utf-8"), usedforsecurity=False).hexdigest()


def submit_body(caller: Caller, mobiles: Iterable[str | int], content: str, add_serial: str = "") -> bytes:
    """Return the body of ``/sms/submit`` for one text to one or many numbers.

    Parameters
    ----------
    caller : Caller
        Who sends.
    mobiles : iterable of str
        1 to 5,000 different numbers of 11 digits.
    content : str
        The text, without the signature.
    add_serial : str, optional
        The extension; sent even when empty, because the platform refuses a request without it.

    Raises
    ------
    InputError
        If a number or the text cannot be sent.
    """
    return _plain(caller, ",".join(check_mobiles(mobiles)), _text("content", content), add_serial)


def pairs_body(caller: Caller, texts: Mapping[str, str], add_serial: str = "") -> bytes:
    """Return the body of ``/sms/submit`` for a text each: ``{mobile: content}``, 1 to 999 of them.

    The mobiles field stays empty, in the JSON and in the MAC: the numbers are the keys of the content.

    Raises
    ------
    InputError
        If a number or a text cannot be sent.
    """
    if not isinstance(texts, Mapping):
        raise InputError(
            "give a mapping of number to text: {mobile: content}", zh="请给出号码到内容的映射：{号码: 内容}"
        )
    mobiles = check_mobiles(texts, limit=MAX_PAIRS)
    content = {
        mobile: _text(f"the content for {mask_phone(mobile)}", text)
        for mobile, text in zip(mobiles, texts.values(), strict=True)
    }
    return _plain(caller, "", _compact(content), add_serial)


def template_body(
    caller: Caller,
    template_id: str,
    mobiles: Iterable[str | int],
    params: Sequence[str] = (),
    add_serial: str = "",
) -> bytes:
    """Return the body of ``/sms/tmpsubmit``: an approved template, the same `params` for all `mobiles`.

    Parameters
    ----------
    caller : Caller
        Who sends.
    template_id : str
        The template's ID from the web console.
    mobiles : iterable of str
        1 to 5,000 different numbers of 11 digits.
    params : sequence of str, optional
        The template's variables as text, in order; sent as ``[""]`` where there are none.
    add_serial : str, optional
        The extension.

    Raises
    ------
    InputError
        If a number or a parameter cannot be sent.
    """
    if isinstance(params, str) or not all(isinstance(param, str) for param in params):
        raise InputError(
            "params is a list of texts, such as ['王女士', '5 月 1 日']; turn numbers and dates into text first.",
            zh="params 是文本列表，例如 ['王女士', '5 月 1 日']；数字和日期请先转成文本。",
        )
    numbers = ",".join(check_mobiles(mobiles))
    given = _compact(list(params) or [""])
    name = _text("template_id", template_id)
    who = (caller.ec_name, caller.ap_id, caller.secret_key)
    return _encode(
        {
            "ecName": caller.ec_name,
            "apId": caller.ap_id,
            "templateId": name,
            "mobiles": numbers,
            "params": given,
            "sign": caller.sign,
            "addSerial": add_serial,
        },
        (*who, name, numbers, given, caller.sign, add_serial),
    )


def poll_body(caller: Caller) -> bytes:
    """Return the body of ``/sms/report`` and ``/sms/deliver``: the same three names, no MAC."""
    return _encode({"ecName": caller.ec_name, "apId": caller.ap_id, "secretKey": caller.secret_key}, ())


def check_mobiles(mobiles: Iterable[str | int], limit: int = MAX_MOBILES) -> list[str]:
    """Return `mobiles` as a list of texts of 11 digits.

    Raises
    ------
    InputError
        If there is none, more than `limit`, one twice, or one that is not a mobile number; nothing is put right here.

    Examples
    --------
    >>> check_mobiles(["13800138000", 13800138001])
    ['13800138000', '13800138001']
    """
    given = [mobiles] if isinstance(mobiles, str | Integral) else list(mobiles)
    numbers = [_mobile(number, place) for place, number in enumerate(given, start=1)]
    if not numbers:
        raise InputError("no numbers to send to", zh="没有收信号码")
    if len(numbers) > limit:
        raise InputError(
            f"{len(numbers)} numbers in one batch; at most {limit} are allowed: split it.",
            zh=f"一个批次有 {len(numbers)} 个号码，最多 {limit} 个：请拆分。",
        )
    if len(set(numbers)) < len(numbers):
        twice = Counter(numbers).most_common(1)[0][0]
        raise InputError(
            f"{mask_phone(twice)} is in the batch more than once: send to each number once a batch.",
            zh=f"{mask_phone(twice)} 在批次中出现了多次：同一批次每个号码只能出现一次。",
        )
    return numbers


def _mobile(number: object, place: int) -> str:
    is_number = isinstance(number, str) or (isinstance(number, Integral) and not isinstance(number, bool))
    text = str(number) if is_number else ""
    if _MOBILE.fullmatch(text) is None:
        shown = mask_phone(text) if text else type(number).__name__
        raise InputError(
            f"number {place} of the batch ({shown}) is not a mobile number of 11 digits; masanalytics.plan() puts "
            "numbers right and lists those that cannot be.",
            zh=f"批次中第 {place} 个号码（{shown}）不是 11 位手机号；masanalytics.plan() 会规范号码并列出无法使用的。",
        )
    return text


def _text(what: str, text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{what} is empty or not text", zh=f"{what} 为空或不是文本")
    return text


def _plain(caller: Caller, mobiles: str, content: str, add_serial: str) -> bytes:
    who = (caller.ec_name, caller.ap_id, caller.secret_key)
    return _encode(
        {
            "ecName": caller.ec_name,
            "apId": caller.ap_id,
            "mobiles": mobiles,
            "content": content,
            "sign": caller.sign,
            "addSerial": add_serial,
        },
        (*who, mobiles, content, caller.sign, add_serial),
    )


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _encode(request: dict[str, str], signed: tuple[str, ...]) -> bytes:
    broken = False
    try:
        if signed:
            request["mac"] = mac(*signed)
        text = _compact(request).encode("utf-8")
    except UnicodeEncodeError:
        broken = True
    # Raised outside the handler: the encoding error would carry the text, and the secret in it, along.
    if broken:
        raise InputError(
            "a text holds half a character (a lone surrogate), as a broken copy of an emoji does: remove it.",
            zh="文本中含有半个字符（孤立的代理码位，常由损坏的表情符号造成）：请删除。",
        )
    return base64.b64encode(text)
