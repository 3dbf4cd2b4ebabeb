"""Strike the account's password out of what others write: a server may repeat the request in its answer, a notebook may show it."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from masanalytics.secret import Secret

__all__ = ["hide_secret"]

_LEAST = 6
_NESTED: Final = 2
_MASK: Final = b"*"
_ESCAPES: Final = (b"\\", b"%", b"&")
# Base64 as it stands in a page: perhaps broken into lines, its slashes perhaps escaped.
_CODE_LETTER: Final = rb"[A-Za-z0-9+/_-]"
_GAP: Final = rb"(?:\\?[\r\n]|\\[rn]|\\(?=/))*"
_BETWEEN = re.compile(_GAP.removesuffix(b"*") + b"+")
_WHOLE = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


def hide_secret(answer: bytes, secret: Secret) -> bytes:
    r"""Return `answer` with the secret overwritten by as many ``*``: plain in either case, backwards, escaped, in hexadecimal, and inside Base64.

    The length stays, so that what surrounds it reads as before. A secret that is short or only digits can stand in numbers and
    texts by chance, and records must not be harmed: it is overwritten only behind its name (``secretKey``).

    Examples
    --------
    >>> hide_secret(b'{"apId":"demo0","secretKey":"s3cret-key"}', Secret("s3cret-key"))
    b'{"apId":"demo0","secretKey":"**********"}'
    >>> hide_secret(rb"s3cret\u002dkey", Secret("s3cret-key"))
    b'***************'
    >>> hide_secret(b'{"mobile":"13800138000"}', Secret("138001"))
    b'{"mobile":"13800138000"}'
    """
    return _hide(answer, secret, _NESTED) if secret and answer else answer


def _hide(data: bytes, secret: Secret, nested: int) -> bytes:
    plain, written = _patterns(secret)
    hidden = plain.sub(_stars, data)
    if any(mark in hidden for mark in _ESCAPES):
        hidden = written.sub(_stars, hidden)
    return _hide_in_codes(hidden, secret, nested - 1) if nested else hidden


def _stars(found: re.Match[bytes]) -> bytes:
    return found["name"] + _MASK * len(found["secret"])


@lru_cache(maxsize=64)
def _patterns(secret: Secret) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return what finds the secret as it is, and what finds it with any of its characters escaped."""
    letters = secret.reveal()
    name = rb"(?P<name>)"
    if len(letters) < _LEAST or letters.isdigit():
        name = rb"(?i:(?P<name>secret_?key[^A-Za-z0-9*]{1,12}))"
    encodings = {text.encode(code, "replace") for text in (letters, letters[::-1]) for code in ("utf-8", "gb18030")}
    dumped = {letters.encode(code, "replace").hex().encode() for code in ("utf-8", "gb18030", "utf-16-le", "utf-16-be")}
    plain = rb"(?i:%b)" % rb"|".join(map(re.escape, sorted(encodings | dumped)))
    written = b"".join(map(_forms, letters))
    return re.compile(name + rb"(?P<secret>" + plain + b")"), re.compile(name + b"(?P<secret>" + written + b")")


def _forms(letter: str) -> bytes:
    """Return a pattern of one character in every form that JSON, HTML and URLs write it in."""
    raw = letter.encode("utf-8", "replace")
    units = letter.encode("utf-16-be", "replace").hex()
    escaped = "".join(rf"\\{{1,8}}u(?i:{units[start : start + 4]})" for start in range(0, len(units), 4))
    number = ord(letter)
    forms = {
        re.escape(raw).decode("latin-1"),
        re.escape(letter.encode("gb18030", "replace")).decode("latin-1"),
        rf"\\{{1,8}}{re.escape(raw).decode('latin-1')}",
        escaped,
        f"(?i:{re.escape(''.join(f'%{byte:02x}' for byte in raw))})",
        f"(?i:{re.escape(quote(letter, safe=''))})",
        "".join(rf"\\{{1,8}}x(?i:{byte:02x})" for byte in raw),
        f"&#0*{number};",
        f"(?i:&#x0*{number:x};)",
        re.escape(html.escape(letter)).encode().decode("latin-1") if letter.isascii() else escaped,
    }
    return f"(?:{'|'.join(sorted(forms))})".encode("latin-1")


def _hide_in_codes(data: bytes, secret: Secret, nested: int) -> bytes:
    """Hide the secret in whatever is Base64 in `data`; what does not hold it stays as it is, byte for byte."""
    packed = b"".join(data.split())
    if _WHOLE.fullmatch(packed):
        return _hide_in_code(data, packed.rstrip(b"="), lambda: _letters_of(data), secret, nested)
    del packed
    joined = _BETWEEN.sub(b"", data).translate(_STANDARD)
    if not any(core in joined for core in _cores(secret)):
        return data
    least = max(8, len(secret.reveal()) * 4 // 3)
    for run in re.finditer(rb"(?:%b%b){%d,}" % (_CODE_LETTER, _GAP, least), data):
        places = [run.start() + found.start() for found in re.finditer(rb"%b(?<!\\[rn])" % _CODE_LETTER, run.group())]
        letters = bytes(data[place] for place in places)
        data = _hide_in_code(data, letters, lambda places=places: places, secret, nested)  # type: ignore[misc]
    return data


@lru_cache(maxsize=64)
def _cores(secret: Secret) -> frozenset[bytes]:
    """Return the letters that Base64 around the secret, and Base64 around that, holds, wherever it begins, whatever stands beside it."""
    once = _cores_of(_usual_forms(secret.reveal()))
    return frozenset(once | _cores_of(once))


def _cores_of(texts: Iterable[bytes]) -> set[bytes]:
    cores = set()
    for raw in texts:
        for before in range(3):
            code = base64.b64encode(bytes(before) + raw)
            cores.add(code[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6])
    return {core for core in cores if core}


def _usual_forms(letters: str) -> set[bytes]:
    """Return the secret as JSON that is about to be wrapped holds it."""
    forms = {letters, *(json.dumps(letters, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))}
    forms |= {form.replace("/", "\\/") for form in forms}
    return {form.encode(encoding, "replace") for form in forms for encoding in ("utf-8", "gb18030")}


def _letters_of(data: bytes) -> list[int]:
    return [place for place, byte in enumerate(data) if byte not in b"= \t\r\n\x0b\x0c"]


def _hide_in_code(
    data: bytes, letters: bytes, places_of: Callable[[], list[int]], secret: Secret, nested: int
) -> bytes:
    """Hide the secret in Base64 with these letters, wherever in it a group of four begins; `places_of` is where they stand."""
    for start in range(4):
        part = letters[start : start + (len(letters) - start) // 4 * 4]
        rest = letters[start + len(part) :]
        whole = part + rest + b"=" * (-len(rest) % 4) if len(rest) != 1 else part
        decoded = base64.b64decode(whole.translate(_STANDARD))
        hidden = _hide(decoded, secret, nested)
        if hidden != decoded:
            encoded = base64.b64encode(hidden).rstrip(b"=")
            if letters.translate(_STANDARD) != letters:
                encoded = encoded.translate(bytes.maketrans(b"+/", b"-_"))
            written = bytearray(data)
            for place, letter in zip(places_of()[start:], encoded, strict=False):
                written[place] = letter
            return bytes(written)
    return data
