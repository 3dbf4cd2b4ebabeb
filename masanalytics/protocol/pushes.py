"""What the platform pushes to an HTTP account's addresses, brought into the form of a page.

The document says: plain JSON, one object a request. Receivers in use also take a list, Base64 and form fields, so all of these
are read here, under any content type; so is JSON inside a form field or with bare names, as one captured reply was written down.
What cannot be read is kept as it came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote_plus

from masanalytics.protocol.lenient_json import UNREADABLE, read_json, read_script, unwrap
from masanalytics.protocol.records import Endpoint, is_record, kind_of

__all__ = ["Pushed", "read_push"]

_BLANK: Final = " \t\r\n\0"


class Pushed(NamedTuple):
    """What one request brought of one kind.

    Attributes
    ----------
    endpoint : {"report", "deliver"}
        What it would have been polled from.
    raw : bytes
        One JSON object, a list of them, or what came where that could not be read.
    is_object : bool
        Whether `raw` is one record as a JSON object, which can stand in a list with others.
    """

    endpoint: Endpoint
    raw: bytes
    is_object: bool


def read_push(body: bytes, endpoint: Endpoint) -> list[Pushed]:
    """Return what a pushed body holds; `endpoint` is what its address is for, where the records do not say.

    Examples
    --------
    >>> read_push(b'{"mobile":"13800138000","smsContent":"TD"}', "report")
    [Pushed(endpoint='deliver', raw=b'{"mobile":"13800138000","smsContent":"TD"}', is_object=True)]
    >>> read_push(b"mobile=13800138000&reportStatus=DELIVRD", "report")[0].raw
    b'{"mobile":"13800138000","reportStatus":"DELIVRD"}'
    >>> read_push(b"", "report")
    []
    """
    if not body.strip(_BLANK.encode()):
        return []
    text, encoding = unwrap(body)
    text = text.strip(_BLANK)
    value = read_json(text)
    is_json = value is not UNREADABLE
    if not is_json:
        value = _form_fields(text)
    if value is UNREADABLE:
        value = read_script(text)
    # What is not UTF-8 is kept as it came, where it can be: whoever reads it again sees what it was.
    as_it_came = encoding == "damaged" or (encoding == "gb18030" and text.startswith("{"))
    if isinstance(value, Mapping) and not as_it_came:
        plain = text if is_json else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return [Pushed(kind_of(value) or endpoint, plain.encode("utf-8", "surrogatepass"), _is_plain(plain))]
    if isinstance(value, list) and not as_it_came:
        return _of_list(value, endpoint)
    return [Pushed(kind_of(value) or endpoint, body, is_object=False)]


def _of_list(items: list[Any], endpoint: Endpoint) -> list[Pushed]:
    """Return the reports of a list and its replies, each as a list of their own."""
    kinds = [kind_of(item) or endpoint for item in items]
    parts: list[Pushed] = []
    for kind in dict.fromkeys(kinds):
        own = [item for item, of in zip(items, kinds, strict=True) if of == kind]
        text = json.dumps(own, ensure_ascii=False, separators=(",", ":"))
        parts.append(Pushed(kind, text.encode("utf-8", "surrogatepass"), is_object=False))
    return parts


def _is_plain(text: str) -> bool:
    """Whether a text is one record, and read as strictly as inside a list with others: one that is not must stand alone."""
    try:
        text.encode()
        return is_record(json.loads(text))
    except ValueError:
        return False


def _form_fields(text: str) -> object:
    """Return form fields as an object, or the JSON that one of them holds; `UNREADABLE` where it is no form of a record."""
    if text.startswith(("%7B", "%7b", "%5B", "%5b")):
        return read_json(unquote_plus(text).rstrip("="))
    if "=" not in text or text.startswith(("{", "[", "<")):
        return UNREADABLE
    try:
        fields = dict(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        fields = dict(parse_qsl(text, keep_blank_values=True, encoding="gb18030", errors="replace"))
    if is_record(fields):
        return fields
    inside = (read_json(unwrap(part.encode()).text) for pair in fields.items() for part in pair)
    return next((value for value in inside if isinstance(value, (Mapping, list)) and value), UNREADABLE)
