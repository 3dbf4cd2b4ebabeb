"""Which encoding a text file has, decided by all its bytes; a file that fits none for sure is refused with the line in doubt."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from typing import Final

from masanalytics.errors import InputError
from masanalytics.masking import mask_phones_in

__all__ = ["decode"]

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the mark of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LONG_SEQUENCE = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_LONG_START = re.compile(rb"[\xe0-\xf4][\x80-\xbf]{2}")
_NOT_ASCII: Final = bytes(range(0x80, 0x100))
# GB2312 proper: symbols in rows A1 to A9, ideographs in rows B0 to F7; the rest of GBK holds what is rare in any text.
_GB2312 = re.compile(rb"[\xa1-\xa9\xb0-\xf7][\xa1-\xfe]")
_GBK = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]|[\x81-\xfe][0-9][\x81-\xfe][0-9]")
# Big5's symbols and its first level, the 5,401 frequent ideographs.
_BIG5_COMMON = re.compile(rb"[\xa1-\xa3\xa4-\xc6][\x40-\x7e\xa1-\xfe]")
_BIG5 = re.compile(rb"[\x81-\xfe][\x40-\x7e\xa1-\xfe]")
_MOSTLY: Final = 0.7
_WRONG_GUESS = re.compile("[\ue000-\uf8ff\ufffd]")
# Letters, punctuation, Chinese characters and full-width forms: what a list holds in whatever encoding it is.
_USUAL = re.compile("[\t\n\r -\u024f\u2000-\u206f\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
_NEARLY_ALL: Final = 0.95
_ONE_IN: Final = 200
_AROUND: Final = 12
_HEAD: Final = 1 << 16
_SAMPLE: Final = 1 << 20
_PARTS: Final = 32
_BEYOND_ASCII: Final = 0x80


def decode(raw: bytes, name: str, encoding: str | None = None) -> tuple[str, str]:
    """Return the text of a file and the encoding it has.

    Parameters
    ----------
    raw : bytes
        The whole file.
    name : str
        What the file is called, for an error.
    encoding : str, optional
        What the user says it is.

    Raises
    ------
    InputError
        If the bytes are not `encoding`, or no encoding fits all of them. The message names the line.

    Examples
    --------
    >>> decode("手机号".encode("gb18030"), "a.csv")
    ('手机号', 'gb18030')
    """
    if encoding is not None:
        return _decode_as(raw, name, encoding)
    mark = next((known for start, known in _MARKS if raw.startswith(start)), None)
    if mark is not None:
        return _decode_as(raw, name, mark, said=False)
    try:
        text, fault = raw.decode("utf-8"), None
    except UnicodeDecodeError as error:
        text, fault = "", error
    wide = _utf16_without_mark(raw, is_utf8=fault is None)
    if wide is not None:
        return _decode_as(raw, name, wide, said=False)
    if fault is None:
        return _without_zeros(text, name), "utf-8"
    if _is_broken_utf8(raw):
        raise _fault(raw, fault.start, name, "UTF-8")
    text, chinese = _decode_chinese(raw, name)
    _refuse_lines_of_utf8(raw, name, chinese)
    return _without_zeros(text, name), chinese


def _decode_as(raw: bytes, name: str, encoding: str, *, said: bool = True) -> tuple[str, str]:
    try:
        text = raw.decode(encoding).lstrip("\ufeff")
    except UnicodeDecodeError as error:
        mark = len(codecs.BOM_UTF8) if encoding == "utf-8-sig" and raw.startswith(codecs.BOM_UTF8) else 0
        raise _fault(raw, error.start + mark, name, encoding.upper().removesuffix("-SIG"), said=said) from None
    except LookupError:
        raise InputError(
            "encoding={encoding!r} is not known: use 'utf-8', 'gb18030', 'big5' or 'utf-16'", encoding=encoding
        ) from None
    return _without_zeros(text, name), encoding


def _is_broken_utf8(raw: bytes) -> bool:
    """Return whether nearly all that is not ASCII is UTF-8: then the file is, and has a fault."""
    # GBK text holds pairs that look like a two-byte sequence of UTF-8, hardly ever one of three bytes.
    if len(raw) > _SAMPLE:  # of most of a file, parts from all of it tell
        step = len(raw) // _PARTS
        raw = b"\n".join(raw[start : start + _SAMPLE // _PARTS] for start in range(0, len(raw), step))
    covered = sum(map(len, _LONG_SEQUENCE.findall(raw)))
    return covered > 0 and covered >= _MOSTLY * (len(raw) - len(raw.translate(None, _NOT_ASCII)))


def _utf16_without_mark(raw: bytes, *, is_utf8: bool) -> str | None:
    """Return which UTF-16 a text without a mark is; None where it is none.

    ASCII characters, and every list has some, have a zero byte beside them, always on the same side. A single zero is damage.
    """
    even, odd = raw[0:_HEAD:2].count(0), raw[1:_HEAD:2].count(0)
    if not even + odd or even == odd:
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    if is_utf8:  # only ASCII: then every second byte is a zero
        return encoding if max(even, odd) >= _MOSTLY * (min(len(raw), _HEAD) // 2) else None
    # A second reading of Chinese bytes makes characters of other scripts; 一 has its zero on the other side.
    text = raw[: min(_HEAD, len(raw) // 2 * 2)].decode(encoding, "replace")
    return encoding if len(_USUAL.findall(text)) >= _NEARLY_ALL * len(text) else None


def _without_zeros(text: str, name: str) -> str:
    """Return the text of a file; raise where a zero stands in it: it was damaged or cut off, or is of another encoding."""
    if "\0" not in text:
        return text
    raise InputError(
        "{file}, line {line:,}: a zero byte stands there, so the file was damaged or cut off while it was written. Save it again where"
        " it comes from",
        file=name,
        line=text.count("\n", 0, text.index("\0")) + 1,
    )


def _refuse_lines_of_utf8(raw: bytes, name: str, encoding: str) -> None:
    """Raise where a line of a Chinese file is UTF-8: two files were put together, and its names would be other characters."""
    common = _GB2312 if encoding == "gb18030" else _BIG5_COMMON
    pairs = _GBK if encoding == "gb18030" else _BIG5
    place = 0
    while (match := _LONG_START.search(raw, place)) is not None:
        place = match.start()
        if place and raw[place - 1] >= _BEYOND_ASCII:  # the first character behind ASCII tells how a line is written
            place += 1
            continue
        start = raw.rfind(b"\n", 0, place) + 1
        end = raw.find(b"\n", match.end())
        line = raw[start : len(raw) if end < 0 else end]
        if _is_broken_utf8(line):
            odd = next((pair for pair in pairs.finditer(line) if common.fullmatch(pair[0]) is None), None)
            if odd is not None:
                raise _fault(raw, start + odd.start(), name, "GB18030" if encoding == "gb18030" else "Big5")
        place = start + len(line) + 1


def _decode_chinese(raw: bytes, name: str) -> tuple[str, str]:
    """Tell GB18030 from Big5 by which of the two makes frequent characters of the bytes."""
    try:
        text = raw.decode("gb18030")
        fault = None
    except UnicodeDecodeError as error:
        text, fault = "", error
    simplified = _share(raw, _GBK, _GB2312)
    if fault is None and simplified >= _MOSTLY and _plausible(text):
        return text, "gb18030"
    traditional = _share(raw, _BIG5, _BIG5_COMMON)
    if traditional >= _MOSTLY and traditional > simplified:
        try:
            return raw.decode("big5hkscs"), "big5"
        except UnicodeDecodeError as error:
            fault = fault or error
    place = _first_doubt(raw) if fault is None else fault.start
    raise _fault(raw, place, name, "GB18030" if simplified >= _MOSTLY else "")


def _plausible(text: str) -> bool:
    """Return whether a text has none of the characters that a wrong guess makes, but for a few of a font's own."""
    return len(_WRONG_GUESS.findall(text)) * _ONE_IN <= len(text)


def _share(raw: bytes, any_pair: re.Pattern[bytes], common: re.Pattern[bytes]) -> float:
    # A strict decoding looks at every byte; which characters are frequent shows in the beginning.
    end = raw.find(b"\n", _SAMPLE)
    pairs = Counter(any_pair.findall(raw if end < 0 else raw[:end]))
    frequent = sum(count for pair, count in pairs.items() if common.fullmatch(pair))
    return frequent / pairs.total() if pairs else 0.0


def _first_doubt(raw: bytes) -> int:
    """Return where the first pair of bytes stands that is no frequent character."""
    for pair in _GBK.finditer(raw):
        if _GB2312.fullmatch(pair[0]) is None:
            return pair.start()
    return 0


def _fault(raw: bytes, place: int, name: str, rest: str, *, said: bool = False) -> InputError:
    line = raw.count(b"\n", 0, place) + 1
    start = raw.rfind(b"\n", 0, place) + 1
    end = raw.find(b"\n", place)
    # Digits beside the bytes in doubt may be a number: it is masked as a whole, and only then cut.
    before, behind = (
        mask_phones_in(part.decode("latin-1")) for part in (raw[start:place], raw[place : None if end < 0 else end])
    )
    around = ascii((before[-_AROUND:] + behind[:_AROUND]).strip())
    if said:
        return InputError(
            "{file}, line {line:,}: the bytes {around} are not {rest}, which encoding= says. Leave encoding= out, or say another",
            file=name,
            line=line,
            around=around,
            rest=rest,
        )
    if rest:
        return InputError(
            "{file}, line {line:,}: the bytes {around} are not {rest}, which the rest of the file is. Open the file where it comes"
            " from and save it again as CSV UTF-8, or say encoding='utf-8', 'gb18030' or 'big5'",
            file=name,
            line=line,
            around=around,
            rest=rest,
        )
    return InputError(
        "{file}, line {line:,}: the bytes {around} are neither UTF-8 nor GB18030 nor Big5 for sure. Open the file where it comes"
        " from and save it again as CSV UTF-8, or say encoding='utf-8', 'gb18030' or 'big5'",
        file=name,
        line=line,
        around=around,
    )
