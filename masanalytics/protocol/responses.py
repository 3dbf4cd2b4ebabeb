"""What the platform answers to a submit: whether the messages may have been taken, and what its word (``rspcod``) means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from masanalytics.i18n import N_, Text
from masanalytics.protocol.lenient_json import decode_text, excerpt, read_json, unwrap

__all__ = ["FATAL", "KNOWN_RSPCODS", "SubmitAnswer", "describe_rspcod", "is_fatal", "read_submit"]

_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,40}")
_OK = "success"

_SIGN_ADVICE = N_(
    "Take the signature's code (签名编码) from 管理 → 接口管理 → 短信接入用户管理 and give it as sign=; it is a code of "
    "about nine letters and digits, not the text in 【】, and it belongs to this ec_name and service "
    "code."
)
# Each rspcod with its meaning and what to do about it.
_RSPCODS: Final = {
    "success": (
        N_("accepted (not yet delivered)"),
        N_("What became of each message comes with its report."),
    ),
    "IllegalMac": (
        N_("the check sum (mac) does not match"),
        N_("Check secret_key, ec_name, ap_id and sign letter by letter, hidden spaces included."),
    ),
    "IllegalSignId": (
        N_("the signature's code is not valid"),
        _SIGN_ADVICE,
    ),
    "NoSignId": (
        N_("no signature belongs to this code"),
        _SIGN_ADVICE,
    ),
    "InvalidMessage": (
        N_("the platform could not read the request"),
        N_(
            "Look at this batch's text: unusual characters, or a template whose parameters do not fit. Other "
            "batches may pass."
        ),
    ),
    "InvalidUsrOrPwd": (
        N_("user name or password rejected; the platform says this for many causes"),
        N_(
            "In the order of likelihood: (1) a wrong ap_id, secret_key or ec_name; (2) ap_id is the web login "
            "instead of the interface account (管理 → 接口管理 → 短信接入用户管理); (3) the interface account was made for "
            "another protocol (HTTP, SDK, WebService) than HTTPS; (4) the account is not enabled (接口状态), or "
            "outside its dates (生效/失效日期); (5) ec_name was altered by a wrong character set on the way into "
            "your settings; (6) for other clients: addSerial left out of the request (this one always sends "
            "it)."
        ),
    ),
    "TooManyMobiles": (
        N_("too many numbers in one request"),
        N_("At most 5,000 numbers with one text, or 999 with a text each: split the batch."),
    ),
    "InvalidMobile": (
        N_("a number in the batch is malformed"),
        N_("Look for the number in this batch that is not a mobile number; other batches may pass."),
    ),
    "NOT_WHITE_IP": (
        N_("this machine's address is not on the account's white list"),
        N_("Ask the account manager to add this machine's public IP address; trying again does not help."),
    ),
}

KNOWN_RSPCODS: Final = frozenset(_RSPCODS)
"""The words of the interface document, and the two seen in the wild (InvalidMobile, NOT_WHITE_IP)."""

_OF_ONE_BATCH = frozenset({"success", "TooManyMobiles", "InvalidMessage", "InvalidMobile"})

FATAL: Final = KNOWN_RSPCODS - _OF_ONE_BATCH
"""The known words that every further batch would meet too."""


class SubmitAnswer(NamedTuple):
    """A submit's answer as it reads.

    Attributes
    ----------
    accepted : bool or None
        True: the platform took the batch. False: it says it did not. None: the answer does not tell, or contradicts
        itself; the batch may have been taken.
    msg_group : str
        The platform's name for the batch, or ``""``.
    rspcod : str
        The platform's word (``success``, ``InvalidUsrOrPwd``, ``NOT_WHITE_IP``, …), or ``""``.
    message : str
        Any further text, or the beginning of an answer that cannot be read; short, with phone numbers masked.
    """

    accepted: bool | None
    msg_group: str
    rspcod: str
    message: str


def read_submit(raw: bytes) -> SubmitAnswer:
    """Read the answer to a submit.

    Examples
    --------
    >>> read_submit(b'{"rspcod":"success","msgGroup":"0105013527000001139923","success":true}')
    SubmitAnswer(accepted=True, msg_group='0105013527000001139923', rspcod='success', message='')
    >>> read_submit(b'{"message":"NOT_WHITE_IP","success":false}')
    SubmitAnswer(accepted=False, msg_group='', rspcod='NOT_WHITE_IP', message='')
    >>> read_submit(b"<html>").accepted is None
    True
    """
    text = decode_text(raw)[0].strip()
    answer = read_json(unwrap(text))
    if not isinstance(answer, Mapping):
        return SubmitAnswer(None, "", "", excerpt(text))
    group = _field(answer, "msgGroup") or _field(answer, "mgsGroup")
    rspcod = _word(answer, "rspcod")
    message = _field(answer, "message") or _field(answer, "msg") or _field(answer, "error")
    success = _flag(answer.get("success"))
    if not rspcod and success is False and _WORD.fullmatch(message):
        rspcod, message = message, ""
    return SubmitAnswer(_accepted(success, rspcod, group), group, rspcod, excerpt(message))


def is_fatal(rspcod: str) -> bool:
    """Return whether every further batch would be rejected too; an unknown word counts as one that would.

    Examples
    --------
    >>> is_fatal("NOT_WHITE_IP"), is_fatal("TooManyMobiles"), is_fatal("AccountFrozen")
    (True, False, True)
    """
    return rspcod not in _OF_ONE_BATCH


def describe_rspcod(rspcod: str) -> tuple[Text, Text]:
    """Return what `rspcod` means and what to do about it.

    Examples
    --------
    >>> meaning, advice = describe_rspcod("NOT_WHITE_IP")
    >>> print(meaning.text("en"))
    this machine's address is not on the account's white list
    >>> describe_rspcod("TooManyMobiles")[0].text("zh")
    '手机号数量超限（>5000）'
    """
    if rspcod in _RSPCODS:
        meaning, advice = _RSPCODS[rspcod]
        return Text(meaning, code=rspcod), Text(advice, code=rspcod)
    return (
        Text("the platform's own word; its document does not explain it", code="unknown_rspcod"),
        Text(
            "Ask the platform's support what {rspcod} means, and name the time of the request.",
            code="unknown_rspcod",
            rspcod=rspcod or Text("the answer"),
        ),
    )


def _accepted(success: bool | None, rspcod: str, group: str) -> bool | None:  # noqa: FBT001 - a value of the wire
    """Decide; what contradicts itself may have been taken, and stays None.

    A group is only made for a batch that passed, so a rejection that names one is a contradiction; so is a success without
    one. Where ``success`` itself is missing, only a rejection in the document's own words is one.
    """
    passed = rspcod.lower() == _OK or not rspcod
    if success is True and passed and group:
        return True
    if group or rspcod.lower() == _OK:
        return None
    if success is False or (success is None and rspcod in KNOWN_RSPCODS):
        return False
    return None


def _flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    return {"true": True, "1": True, "false": False, "0": False}.get(word)


def _field(answer: Mapping[str, Any], name: str) -> str:
    value = answer.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _word(answer: Mapping[str, Any], name: str) -> str:
    """Return a code as it came; a long text in its place is shortened and masked."""
    value = _field(answer, name)
    if value.lower() == _OK:
        return _OK
    return value if _WORD.fullmatch(value) else excerpt(value)
