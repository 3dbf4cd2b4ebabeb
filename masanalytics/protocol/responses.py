"""What the platform answers to a submit: whether the messages may have been taken, and what its word (``rspcod``) means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from masanalytics.protocol.decoding import decode
from masanalytics.protocol.lenient_json import excerpt, read_json, unwrap
from masanalytics.protocol.records import fold_group
from masanalytics.rspcods import OF_ONE_BATCH, REFUSALS

__all__ = ["FATAL", "KNOWN_RSPCODS", "SubmitAnswer", "answer_text", "is_fatal", "read_submit"]

_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,40}")
_OK = "success"
_BLANK = " \t\r\n\0"

KNOWN_RSPCODS: Final = REFUSALS
"""The words of the interface document, and the two seen in the wild (InvalidMobile, NOT_WHITE_IP)."""

FATAL: Final = KNOWN_RSPCODS - OF_ONE_BATCH
"""The known words that every further batch would meet too."""


class SubmitAnswer(NamedTuple):
    """A submit's answer as it reads.

    Attributes
    ----------
    accepted : bool or None
        True: the platform took the batch. False: it says it did not, in a word that is known to mean that. None: the answer does not tell, or contradicts
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


def read_submit(raw: bytes, charset: str = "") -> SubmitAnswer:
    """Read the answer to a submit; `charset` is what its header says of the encoding.

    Examples
    --------
    >>> read_submit(b'{"rspcod":"success","msgGroup":"0105013527000001139923","success":true}')
    SubmitAnswer(accepted=True, msg_group='0105013527000001139923', rspcod='success', message='')
    >>> read_submit(b'{"message":"NOT_WHITE_IP","success":false}')
    SubmitAnswer(accepted=False, msg_group='', rspcod='NOT_WHITE_IP', message='')
    >>> read_submit(b"<html>").accepted is None
    True
    """
    text = unwrap(raw, charset).text.strip(_BLANK)
    answer = read_json(text)
    if not isinstance(answer, Mapping):
        return SubmitAnswer(None, "", "", excerpt(text))
    group = fold_group(_field(answer, "msgGroup") or _field(answer, "mgsGroup"))
    rspcod = _word(answer, "rspcod")
    message = _field(answer, "message") or _field(answer, "msg") or _field(answer, "error")
    success = _flag(answer.get("success"))
    if not rspcod and success is False and _WORD.fullmatch(message):
        rspcod, message = message, ""
    accepted = _accepted(success, rspcod, group)
    if accepted is None and not (message or rspcod or group):
        message = text  # somebody has to judge by it
    return SubmitAnswer(accepted, group, rspcod, excerpt(message))


def answer_text(raw: bytes) -> str:
    r"""Return the beginning of an answer on one line, without whole phone numbers and keys; ``""`` where it is empty.

    Examples
    --------
    >>> answer_text(b'{"success":false,\n "message":"RequestTimeout"}')
    '{"success":false, "message":"RequestTimeout"}'
    """
    return excerpt(decode(raw).text.strip(_BLANK))


def is_fatal(rspcod: str) -> bool:
    """Return whether every further batch would meet the same; an unknown word counts as one that would.

    Examples
    --------
    >>> is_fatal("NOT_WHITE_IP"), is_fatal("TooManyMobiles"), is_fatal("AccountFrozen")
    (True, False, True)
    """
    return rspcod not in OF_ONE_BATCH


def _accepted(success: bool | None, rspcod: str, group: str) -> bool | None:  # noqa: FBT001 - a value of the wire
    """Decide; what contradicts itself may have been taken, and stays None.

    A group is only made for a batch that passed, so a rejection that names one is a contradiction; so is a success without
    one. Only a word that is known to refuse is a rejection, whatever ``success`` says: the platform has more words, and a
    busy one may have taken the batch.
    """
    passed = rspcod.lower() == _OK or not rspcod
    if success is True and passed and group:
        return True
    if group or rspcod.lower() == _OK:
        return None
    return False if success is not True and rspcod in KNOWN_RSPCODS else None


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
