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
from typing import TYPE_CHECKING, Final

from masanalytics.argument_kinds import wrong_kind
from masanalytics.errors import InputError
from masanalytics.i18n import Text
from masanalytics.masking import mask_phone
from masanalytics.secret import Secret
from masanalytics.text import MOBILE

if TYPE_CHECKING:
    from masanalytics.account import Account

__all__ = [
    "DELIVER",
    "MAX_MOBILES",
    "MAX_PAIRS",
    "MAX_PAIRS_OF_HTTP",
    "REPORT",
    "SUBMIT",
    "SUBMIT_OF_HTTP",
    "TEMPLATE",
    "check_mobiles",
    "is_pairs",
    "mac",
    "most_pairs",
    "pairs_body",
    "poll_body",
    "submit_body",
    "submit_path",
    "template_body",
]

SUBMIT: Final = "/sms/submit"
SUBMIT_OF_HTTP: Final = "/sms/norsubmit"
"""What the HTTP flavour of the interface calls `SUBMIT`."""
TEMPLATE: Final = "/sms/tmpsubmit"
REPORT: Final = "/sms/report"
DELIVER: Final = "/sms/deliver"
MAX_MOBILES: Final = 4999
"""The most numbers one text may go to in one request: the document says 5,000 in its tables, and fewer than 5,000 in a note."""
MAX_PAIRS: Final = 999
"""The most numbers with a text each in one request (the document says: less than 1,000)."""
MAX_PAIRS_OF_HTTP: Final = 1000
"""The same for the HTTP flavour, whose document says: at most 1,000."""

_MOBILE = re.compile(MOBILE)


class _Body(bytes):
    """The bytes of a request, which do not show: those of a poll hold the password, and a traceback may print variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<the body of a request, {len(self)} bytes>"

    __str__ = __repr__


def mac(*parts: str | Secret) -> str:
    """Return the MD5 (32 lower-case hex digits) of `parts`, joined without separators, in UTF-8.

    Examples
    --------
    >>> mac("政企分公司测试", "demo0", "123qwe", "13800138000", "移动改变生活。", "DWItALe3A", "")
    '7997ddb079db2155b517b21b2a812370'
    """
    return hashlib.md5("".join(map(_revealed, parts)).encode("utf-8"), usedforsecurity=False).hexdigest()


def _revealed(value: object) -> str:
    return value.reveal() if isinstance(value, Secret) else str(value)


def submit_path(account: Account) -> str:
    """Return the path of plain messages in the flavour of the interface that `account` speaks."""
    return SUBMIT_OF_HTTP if account.is_pushed else SUBMIT


def most_pairs(account: Account) -> int:
    """Return how many numbers one request of `account` may give a text each."""
    return MAX_PAIRS_OF_HTTP if account.is_pushed else MAX_PAIRS


def submit_body(account: Account, mobiles: Iterable[str | int], content: str, add_serial: str = "") -> bytes:
    """Return the body of ``/sms/submit`` (of an HTTP account ``/sms/norsubmit``) for one text to one or many numbers.

    Parameters
    ----------
    account : Account
        Who sends.
    mobiles : iterable of str
        1 to 4,999 different numbers of 11 digits.
    content : str
        The text, without the signature.
    add_serial : str, optional
        The extension; sent even when empty, because the platform refuses a request without it.

    Raises
    ------
    InputError
        If a number or the text cannot be sent.
    """
    return _submit(account, ",".join(_recipients(account, mobiles)), _content(content), add_serial)


def pairs_body(account: Account, texts: Mapping[str, str], add_serial: str = "") -> bytes:
    """Return the body of ``/sms/submit`` for a text each: ``{mobile: content}``, 1 to 999 of them (HTTP accounts: 1,000).

    The mobiles field stays empty, in the JSON and in the MAC: the numbers are the keys of the content.

    Raises
    ------
    InputError
        If a number or a text cannot be sent.
    """
    if not isinstance(texts, Mapping):
        raise InputError("give a mapping of number to text: {{mobile: content}}")
    mobiles = _recipients(account, texts, limit=most_pairs(account))
    content = {
        mobile: _text(Text("the content for {number}", number=mask_phone(mobile)), text)
        for mobile, text in zip(mobiles, texts.values(), strict=True)
    }
    return _submit(account, "", _compact(content), add_serial)


def template_body(
    account: Account,
    template_id: str,
    mobiles: Iterable[str | int],
    params: Sequence[str] = (),
    add_serial: str = "",
) -> bytes:
    """Return the body of ``/sms/tmpsubmit``: an approved template, the same `params` for all `mobiles`.

    Parameters
    ----------
    account : Account
        Who sends.
    template_id : str
        The template's ID from the web console.
    mobiles : iterable of str
        1 to 4,999 different numbers of 11 digits.
    params : sequence of str, optional
        The template's variables as text, in order; sent as ``[""]`` where there are none.
    add_serial : str, optional
        The extension.

    Raises
    ------
    InputError
        If a number or a parameter cannot be sent.
    """
    if (
        not isinstance(params, Iterable)
        or isinstance(params, str)
        or not all(isinstance(param, str) for param in params)
    ):
        raise InputError(
            "params is a list of texts, such as ['王女士', '5 月 1 日']; turn numbers and dates into text first."
        )
    numbers = ",".join(_recipients(account, mobiles))
    values = _compact(list(params) or [""])
    template = _text("template_id", template_id)
    sign = account.sign_of(template=True)
    credentials = (account.ec_name, account.ap_id, account.secret_key)
    return _encode(
        {
            "ecName": account.ec_name,
            "apId": account.ap_id,
            "templateId": template,
            "mobiles": numbers,
            "params": values,
            "sign": sign,
            "addSerial": add_serial,
        },
        (*credentials, template, numbers, values, sign, add_serial),
    )


def poll_body(account: Account) -> bytes:
    """Return the body of ``/sms/report`` and ``/sms/deliver``: the same three names, no MAC."""
    return _encode({"ecName": account.ec_name, "apId": account.ap_id, "secretKey": account.secret_key}, ())


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
    if not isinstance(mobiles, Iterable | Integral):
        raise wrong_kind("mobiles", mobiles, Text("a list of numbers"))
    entries = [mobiles] if isinstance(mobiles, str | Integral) else list(mobiles)
    numbers = [_mobile(entry, position) for position, entry in enumerate(entries, start=1)]
    if not numbers:
        raise InputError("no numbers to send to", code="no_numbers")
    if len(numbers) > limit:
        raise InputError(
            "{count} numbers in one batch; at most {limit} are allowed: split it.", count=len(numbers), limit=limit
        )
    if len(set(numbers)) < len(numbers):
        repeated = Counter(numbers).most_common(1)[0][0]
        raise InputError(
            "{number} is in the batch more than once: send to each number once a batch.", number=mask_phone(repeated)
        )
    return numbers


def _recipients(account: Account, mobiles: Iterable[str | int], limit: int = MAX_MOBILES) -> list[str]:
    """Return `mobiles` as `check_mobiles` does; all of them must be allowed by the account."""
    numbers = check_mobiles(mobiles, limit)
    unlisted = [number for number in numbers if not account.allows(number)]
    if unlisted:
        raise InputError(
            "{count:,} number is not on the account's allow_only list: {first}. Nothing was sent.",
            "{count:,} numbers are not on the account's allow_only list, the first is {first}. Nothing was sent.",
            code="not_allowed",
            count=len(unlisted),
            first=mask_phone(unlisted[0]),
        )
    return numbers


def _mobile(number: object, position: int) -> str:
    is_number = isinstance(number, str) or (isinstance(number, Integral) and not isinstance(number, bool))
    text = str(number) if is_number else ""
    if _MOBILE.fullmatch(text) is None:
        raise InputError(
            "number {position} of the batch ({number}) is not a mobile number of 11 digits; masanalytics.plan() puts "
            "numbers right and lists those that cannot be.",
            position=position,
            number=mask_phone(text) if text else type(number).__name__,
        )
    return text


def _text(name: str | Text, text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InputError("{name} is empty or not text", name=name)
    return text


def _content(content: object) -> str:
    """Return one text for all; one that reads as a text for each number is refused.

    The HTTP flavour takes such a text for many-to-many whatever `mobiles` says: its numbers would get it, not these. What the
    HTTPS flavour does is not known.
    """
    text = _text("content", content)
    if is_pairs(text):
        raise InputError(
            "the content is itself a list of numbers and texts ({{mobile: content}}): the platform may send to the numbers in "
            "it instead; use submit_each() for a text each.",
            code="content_is_pairs",
        )
    return text


def is_pairs(text: str) -> bool:
    """Return whether `text` reads as a JSON object of numbers, which is how many-to-many messages are written.

    Examples
    --------
    >>> is_pairs('{"13900139000":"hi"}'), is_pairs('{"name":"hi"}'), is_pairs("hi {name}")
    (True, False, False)
    """
    if not text.lstrip().startswith("{"):
        return False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and any(_MOBILE.fullmatch(key.strip()) for key in value)


def _submit(account: Account, mobiles: str, content: str, add_serial: str) -> bytes:
    credentials = (account.ec_name, account.ap_id, account.secret_key)
    return _encode(
        {
            "ecName": account.ec_name,
            "apId": account.ap_id,
            "mobiles": mobiles,
            "content": content,
            "sign": account.sign,
            "addSerial": add_serial,
        },
        (*credentials, mobiles, content, account.sign, add_serial),
    )


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_revealed)


def _encode(request: dict[str, str | Secret], signed: tuple[str | Secret, ...]) -> bytes:
    try:
        if signed:
            request["mac"] = mac(*signed)
        return _Body(base64.b64encode(_compact(request).encode("utf-8")))
    except UnicodeEncodeError:
        pass
    # Raised outside the handler: the encoding error would carry the text, and the secret in it, along.
    raise InputError("a text holds half a character (a lone surrogate), as a broken copy of an emoji does: remove it.")
