"""Read the platform's JSON as it comes: wrapped in a string or in Base64, with bytes that are no UTF-8, or cut off."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from masanalytics.masking import mask_phones_in
from masanalytics.protocol.decoding import Decoded, decode

__all__ = ["UNREADABLE", "BadRecord", "excerpt", "read_json", "read_script", "salvage", "storable", "unwrap"]

_EXCERPT = 200
_WRAPPINGS = 3
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
# Where an error page repeats the request, its Base64 holds the secret key.
_LONG_CODE = re.compile(r"[A-Za-z0-9+/=_-]{40,}")
_SECRET = re.compile(r"""(secret_?key\W{1,6})[^"'&,\s<>]+""", re.IGNORECASE)
_SPACE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_LONGEST_BAD = 2000
_ITEM = re.compile(r"[^\s,\[\]]")
_NEXT = re.compile(r"[,\[}\]]\s*(?=\{)")
_MOST_TRIES: Final = 5000
_A_TRY_READS: Final = 1000
_DEPTH_COUNTS: Final = 100
"""As how many tries one counts that ends at nesting too deep."""
# Every character is looked at once: a name or quote that leads nowhere is passed as a whole, never tried again from within.
_SCRIPT = re.compile(
    r"""'((?:[^'\\]|\\.)*+)(?:'|\\?\Z)|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|(?<!\w)([A-Za-z_]\w*+)(?=\s*+:)|,(?=\s*+[}\]])""",
    re.ASCII | re.DOTALL,
)
_OTHER_ALPHABET: Final = str.maketrans("-_", "+/")


class _Unreadable:
    """The type of `UNREADABLE`."""

    def __repr__(self) -> str:
        return "UNREADABLE"


UNREADABLE: Final = _Unreadable()
"""Returned where there is no JSON: None is JSON's own null."""

# Not strict: a raw line break inside a text harms nobody, and a platform may forget to escape one.
_DECODER: Final = json.JSONDecoder(strict=False)


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be used.

    Attributes
    ----------
    index : int
        Its place in the page, from 0.
    reason : str
        Why: ``not an object``, ``no mobile``, ``cut off``, …
    text : str
        The record as it came, at most 2,000 characters.
    """

    index: int
    reason: str
    text: str = field(repr=False)

    @classmethod
    def of(cls, index: int, reason: str, value: object) -> BadRecord:
        """Make one of a value of any kind."""
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
        return cls(index, reason, storable(text[:_LONGEST_BAD]))


def unwrap(raw: bytes, charset: str = "") -> Decoded:
    """Return the text of an answer: out of a JSON string or Base64 around JSON, even one cut off.

    The encoding is that of the innermost bytes that are more than ASCII.

    Examples
    --------
    >>> unwrap(b'"[]"').text, unwrap(b"W10=").text, unwrap(b" too soon ").text
    ('[]', '[]', 'too soon')
    """
    text, encoding = decode(raw, charset)
    text = text.strip()
    for _ in range(_WRAPPINGS):
        inner = _inner_string(text) if text.startswith('"') else _inner_base64(text, charset)
        if inner is None:
            break
        text = inner.text.strip()
        encoding = encoding if inner.encoding == "utf-8" else inner.encoding
    return Decoded(text, encoding)


def read_json(text: str) -> Any:
    """Return the value that JSON `text` holds, or `UNREADABLE`.

    Examples
    --------
    >>> read_json('{"success": true}'), read_json("<html>")
    ({'success': True}, UNREADABLE)
    """
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return UNREADABLE


def read_script(text: str) -> Any:
    r"""Return the value that an object or list in the way of scripts holds (bare names, single quotes, a comma too many).

    Examples
    --------
    >>> read_script("{mobile:'13800138000', smsContent:'it is \"d\"',}")
    {'mobile': '13800138000', 'smsContent': 'it is "d"'}
    >>> read_script("too soon")
    UNREADABLE
    """
    if not text.startswith(("{", "[")):
        return UNREADABLE
    return read_json(_SCRIPT.sub(_as_json, text))


def _as_json(found: re.Match[str]) -> str:
    if found[1] is not None:
        return json.dumps(re.sub(r"\\(['\"\\])", r"\1", found[1]), ensure_ascii=False)
    if found[2] is not None:
        return f'"{found[2]}"'
    return "" if found[0] == "," else found[0]


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


def salvage(text: str) -> list[Any]:
    """Return the records of a broken JSON list in order: each a value, or a `BadRecord` where there is none.

    After a fault, reading goes on at the next place where an object begins behind a comma or bracket and is whole. Within
    a JSON text the quotes are escaped, so nothing a person wrote in a reply passes for a record of its own.

    Examples
    --------
    >>> salvage('[{"a":1},{"a":oops},{"a":3},{"a":')
    [{'a': 1}, BadRecord(index=1, reason='not JSON'), {'a': 3}, BadRecord(index=3, reason='cut off')]
    """
    items: list[Any] = []
    tries = _MOST_TRIES
    start = _next_item(text, 0)
    while start is not None:
        decoded = _read_at(text, start)
        if decoded is None:
            resumed, tries = _next_whole(text, start, tries)
            items.append(BadRecord.of(len(items), "cut off" if resumed is None else "not JSON", text[start:resumed]))
            start = resumed
        else:
            value, end = decoded
            items.append(value)
            start = _next_item(text, end)
    return items


def storable(text: str) -> str:
    """Replace what SQLite cannot keep as text: halves of characters, which an escape in JSON can make, and NUL."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def _next_item(text: str, start: int) -> int | None:
    item = _ITEM.search(text, start)
    return None if item is None else item.start()


def _read_at(text: str, start: int) -> tuple[Any, int] | None:
    """Return the value that begins at `start` and where it ends, or None where there is none."""
    try:
        return _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None


def _next_whole(text: str, start: int, tries: int) -> tuple[int | None, int]:
    """Return where the next object begins that can be read whole, or None, and how many `tries` are left.

    The number of tries is bounded so that rubbish of any size ends soon, and one that reads far before it fails counts for many;
    what lies behind it stays in the raw answer.
    """
    for opening in _NEXT.finditer(text, start):
        if tries <= 0:
            break
        tries -= 1
        try:
            _DECODER.raw_decode(text, opening.end())
        except json.JSONDecodeError as error:
            tries -= (error.pos - opening.end()) // _A_TRY_READS
        except (ValueError, RecursionError):
            tries -= _DEPTH_COUNTS
        else:
            return opening.end(), tries
    return None, tries


def _inner_string(text: str) -> Decoded | None:
    value = read_json(text)
    if value is UNREADABLE:
        # Cut off: the closing quote is missing, and perhaps half an escape with it.
        value = read_json(re.sub(r"\\(?:u[0-9a-fA-F]{0,3})?$", "", text) + '"')
    return Decoded(value, "utf-8") if isinstance(value, str) else None


def _inner_base64(text: str, charset: str) -> Decoded | None:
    # Base64 of JSON begins with W ("["), e ("{") or I (a quote); anything else is left alone.
    if not text.startswith(("W", "e", "I")):
        return None
    packed = "".join(text.split()).translate(_OTHER_ALPHABET)
    if _BASE64.fullmatch(packed) is None:
        return None
    packed = packed.rstrip("=")
    packed = packed[: len(packed) - 1] if len(packed) % 4 == 1 else packed
    try:
        inner = decode(base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True), charset)
    except (binascii.Error, ValueError):
        return None
    return inner if inner.text.lstrip().startswith(("[", "{", '"')) else None
