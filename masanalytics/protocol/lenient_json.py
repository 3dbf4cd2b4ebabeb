"""Read the platform's JSON as it comes: with a BOM, wrapped in a string or in Base64, with bytes that are no UTF-8."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any, Final

from masanalytics.masking import mask_phones_in

__all__ = ["UNREADABLE", "decode_text", "excerpt", "read_json", "unwrap"]

_EXCERPT = 200
_WRAPPINGS = 3
_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
# Where an error page repeats the request, its Base64 holds the secret key.
_LONG_CODE = re.compile(r"[A-Za-z0-9+/=_-]{40,}")
_SECRET = re.compile(r"""(secret_?key\W{1,6})[^"'&,\s<>]+""", re.IGNORECASE)
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


class _Unreadable:
    """The type of `UNREADABLE`."""

    def __repr__(self) -> str:
        return "UNREADABLE"


UNREADABLE: Final = _Unreadable()
"""Returned where there is no JSON: None is JSON's own null."""

# Not strict: a raw line break inside a text harms nobody, and a platform may forget to escape one.
DECODER: Final = json.JSONDecoder(strict=False)


def decode_text(raw: bytes) -> tuple[str, bool]:
    r"""Return `raw` as text without a BOM, and whether bytes that are no UTF-8 were replaced (by U+FFFD).

    Examples
    --------
    >>> decode_text(b"\xef\xbb\xbf[]")
    ('[]', False)
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:
        return raw.decode("utf-8", errors="replace"), True


def unwrap(text: str) -> str:
    """Return what `text` holds if it is a JSON string or Base64 around JSON, even one cut off; else `text` itself.

    Examples
    --------
    >>> unwrap('"[]"'), unwrap("W10="), unwrap("too soon")
    ('[]', '[]', 'too soon')
    """
    for _ in range(_WRAPPINGS):
        inner = _inner_string(text) if text.startswith('"') else _inner_base64(text)
        if inner is None:
            break
        text = inner.strip()
    return text


def read_json(text: str) -> Any:
    """Return the value that JSON `text` holds, or `UNREADABLE`.

    Examples
    --------
    >>> read_json('{"success": true}'), read_json("<html>")
    ({'success': True}, UNREADABLE)
    """
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError):
        return UNREADABLE


def excerpt(text: str) -> str:
    r"""Return the beginning of `text` on one line, without whole phone numbers, long codes and keys.

    Examples
    --------
    >>> excerpt("<html>\n请联系 13800138000")
    '<html> 请联系 138****8000'
    """
    line = _SPACE.sub(" ", text[: 4 * _EXCERPT]).strip()
    line = mask_phones_in(_LONG_CODE.sub("…", _SECRET.sub(r"\1***", line)))
    return line if len(line) <= _EXCERPT else line[: _EXCERPT - 1] + "…"


def _inner_string(text: str) -> str | None:
    value = read_json(text)
    if value is UNREADABLE:
        # Cut off: the closing quote is missing, and perhaps half an escape with it.
        value = read_json(re.sub(r"\\(?:u[0-9a-fA-F]{0,3})?$", "", text) + '"')
    return value if isinstance(value, str) else None


def _inner_base64(text: str) -> str | None:
    # Base64 of JSON begins with W ("["), e ("{") or I (a quote); anything else is left alone.
    if not text.startswith(("W", "e", "I")) or _BASE64.fullmatch(text) is None:
        return None
    packed = "".join(text.split()).rstrip("=")
    packed = packed[: len(packed) - 1] if len(packed) % 4 == 1 else packed
    try:
        inner = decode_text(base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True))[0].strip()
    except (binascii.Error, ValueError):
        return None
    return inner if inner.startswith(("[", "{", '"')) else None
