"""What is on the wire: request bodies as real clients send them, the MAC, and the plain answers.

Written from the interface document alone. The toolkit's own client has its own code for the same thing, so that one
mistake cannot hide in both.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from masanalytics.simulator.settings import Style

__all__ = [
    "ENDPOINTS",
    "FIELDS",
    "OF_HTTP",
    "Opened",
    "Rejection",
    "mac_of",
    "open_body",
    "rejection_text",
    "success_text",
]

ENDPOINTS: Final = {
    "/sms/submit": "submit",
    "/sms/norsubmit": "submit",
    "/sms/tmpsubmit": "tmpsubmit",
    "/sms/report": "report",
    "/sms/deliver": "deliver",
}
"""What each path is for; ``norsubmit`` is what the HTTP flavour of the interface calls ``submit``."""

OF_HTTP: Final = "/sms/norsubmit"
"""The path that only the HTTP flavour has, and its rules with it."""

FIELDS: Final = {
    "submit": ("ecName", "apId", "mobiles", "content", "sign", "addSerial", "mac"),
    "tmpsubmit": ("ecName", "apId", "templateId", "mobiles", "params", "sign", "addSerial", "mac"),
    "report": ("ecName", "apId", "secretKey"),
    "deliver": ("ecName", "apId", "secretKey"),
}
"""The keys of each request in the document's order."""

_SIGNED: Final = {
    "submit": ("ecName", "apId", "secretKey", "mobiles", "content", "sign", "addSerial"),
    "tmpsubmit": ("ecName", "apId", "secretKey", "templateId", "mobiles", "params", "sign", "addSerial"),
}
_ALPHABET = (string.ascii_letters + string.digits + "+/=").encode()
_OUTSIDE = bytes(sorted(set(range(256)) - set(_ALPHABET)))


class Rejection(Exception):  # noqa: N818 - it is an answer of the platform, not an error of this program
    """The platform's no: a rspcod, and for whoever debugs a client the reason, without numbers or secrets."""

    def __init__(self, rspcod: str, reason: str) -> None:
        super().__init__(f"{rspcod}: {reason}")
        self.rspcod = rspcod
        self.reason = reason


@dataclass
class Opened:
    """A request body, decoded.

    Attributes
    ----------
    fields : dict
        The JSON object.
    deviations : list of (str, str)
        In what it differs from the document, as (kind, detail), and was understood all the same.
    """

    fields: dict[str, Any]
    deviations: list[tuple[str, str]] = field(default_factory=list)


def open_body(body: bytes) -> Opened:
    """Decode a request body: Base64 of UTF-8 JSON, raw or written as a JSON string.

    Raises
    ------
    Rejection
        ``InvalidMessage`` if it is no Base64 of a JSON object.

    Examples
    --------
    >>> open_body(b"eyJhcElkIjoic2ltMCJ9").fields
    {'apId': 'sim0'}
    >>> open_body(b'"eyJhcElkIjoic2ltMCJ9"').deviations
    [('body_literal', 'a JSON string instead of the bare Base64')]
    """
    deviations: list[tuple[str, str]] = []
    text = _unquote(body, deviations)
    clean = text.translate(None, _OUTSIDE)
    if clean != text:
        deviations.append(("body_characters", "characters outside the Base64 alphabet"))
    padded = clean.rstrip(b"=") + b"=" * (-len(clean.rstrip(b"=")) % 4)
    if padded != clean:
        deviations.append(("body_padding", "Base64 padding"))
    try:
        plain = base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        raise Rejection("InvalidMessage", "the body is not Base64") from None
    try:
        decoded = plain.decode()
    except UnicodeDecodeError:
        deviations.append(("not_utf8", "the JSON inside is not UTF-8"))
        decoded = plain.decode(errors="replace")
    try:
        fields = json.loads(decoded)
    except (ValueError, RecursionError):
        raise Rejection("InvalidMessage", "the Base64 does not hold JSON") from None
    if not isinstance(fields, dict):
        raise Rejection("InvalidMessage", "the JSON is not an object")
    return Opened(fields, deviations)


def _unquote(body: bytes, deviations: list[tuple[str, str]]) -> bytes:
    """Take a JSON string literal apart, escapes included; leave every other body alone."""
    stripped = body.strip()
    if not (len(stripped) >= 2 and stripped[:1] == b'"' == stripped[-1:]):
        return body
    deviations.append(("body_literal", "a JSON string instead of the bare Base64"))
    try:
        return str(json.loads(stripped)).encode()
    except (ValueError, UnicodeError):
        return stripped[1:-1]


def mac_of(endpoint: str, fields: Mapping[str, str], secret_key: str) -> str:
    """Return the MAC of a submit: MD5 over the values in the document's order.

    Examples
    --------
    The example of the official document:

    >>> fields = {"ecName": "政企分公司测试", "apId": "demo0", "mobiles": "13800138000", "content": "移动改变生活。",
    ...           "sign": "DWItALe3A", "addSerial": ""}
    >>> mac_of("submit", fields, "123qwe")
    '7997ddb079db2155b517b21b2a812370'
    """
    values = {**fields, "secretKey": secret_key}
    joined = "".join(values.get(name, "") for name in _SIGNED[endpoint])
    return hashlib.md5(joined.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def success_text(group: str, style: Style) -> str:
    """Return the answer to an accepted submit.

    Examples
    --------
    >>> success_text("1012171730000000744297", Style())
    '{"msgGroup":"1012171730000000744297","rspcod":"success","success":true}'
    """
    success = '"true"' if style.success_as_text else "true"
    return f'{{"{style.group_key}":"{group}","rspcod":"success","success":{success}}}'


def rejection_text(rspcod: str, style: Style) -> str:
    """Return the answer to a rejected request.

    Examples
    --------
    >>> rejection_text("InvalidUsrOrPwd", Style())
    '{"msgGroup":"","rspcod":"InvalidUsrOrPwd","success":false}'
    """
    success = '"false"' if style.success_as_text else "false"
    return f'{{"{style.group_key}":"","rspcod":"{rspcod}","success":{success}}}'
