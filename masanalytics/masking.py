"""Keep phone numbers and secrets out of what people and logs see."""

from __future__ import annotations

import re

__all__ = ["mask_phone", "mask_phones_in", "mask_secret"]

_NUMBER = re.compile(r"(?<!\d)(1[3-9]\d)\d{4}(\d{4})(?!\d)")
_LONG_DIGITS = re.compile(r"\d{5,}")


def mask_phone(phone: object) -> str:
    """Return `phone` with its middle hidden.

    Examples
    --------
    >>> mask_phone("13800138000")
    '138****8000'
    >>> mask_phone("+86 138-0013-8000")
    '+86 138****8000'
    >>> mask_phone("021-66668888")
    '021-****8888'
    """
    text = str(phone)
    joined = re.sub(r"(?<=\d)[\s-]+(?=\d)", "", text[3:]) if text.startswith("+86") else text
    text = f"+86 {joined.strip()}" if text.startswith("+86") else text
    masked = _NUMBER.sub(r"\1****\2", text)
    if masked != text:
        return masked
    return _LONG_DIGITS.sub(lambda found: "****" + found.group()[-4:], text)


def mask_phones_in(text: str) -> str:
    """Return `text` with every mobile number in it masked; other digits stay.

    Examples
    --------
    >>> mask_phones_in("请联系13800138000，订单20260101123456")
    '请联系138****8000，订单20260101123456'
    """
    return _NUMBER.sub(r"\1****\2", text)


def mask_secret(secret: str) -> str:
    """Say whether a secret is set, never what it is.

    Examples
    --------
    >>> mask_secret("123qwe"), mask_secret("")
    ('***', '(empty)')
    """
    return "***" if secret else "(empty)"
