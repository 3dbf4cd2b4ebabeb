"""Bytes of an answer as text: UTF-8, else GB18030, whatever the header says, and a word about which it was.

The platform writes UTF-8. Gateways, error pages and older systems in between write GBK (which GB18030 holds), sometimes within a
page of UTF-8. In JSON and HTML a quote, a comma and a bracket are never a part of a Chinese character in either of them, so that
each piece between these can be read for itself.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

__all__ = ["Decoded", "Encoding", "decode"]

Encoding = Literal["utf-8", "gb18030", "damaged"]
"""What an answer was written in; ``damaged`` where some of its bytes are no text in either encoding."""

_BOM: Final = b"\xef\xbb\xbf"
_PIECES = re.compile(rb'([",:\[\]<>\r\n]+)')
_CHINESE_CHARSETS: Final = ("gb", "936", "cp936")
# What UTF-8 takes three or four bytes for, as all Chinese: other encodings hardly ever look like it.
_LONG = re.compile(
    rb"[\xe1-\xef][\x80-\xbf]{2}|\xe0[\xa0-\xbf][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf4][\x80-\xbf]{3}"
)
_HIGH: Final = bytes(range(0x80))


class Decoded(NamedTuple):
    """A text, and what its bytes were."""

    text: str
    encoding: Encoding


def decode(raw: bytes, charset: str = "") -> Decoded:
    r"""Return `raw` as text without a byte-order mark, and what it was written in.

    Parameters
    ----------
    raw : bytes
        An answer's body.
    charset : str, optional
        What its header says. Headers are often wrong: it decides only where the bytes themselves do not.

    Examples
    --------
    >>> decode("退订".encode()), decode("退订".encode("gbk"))
    (Decoded(text='退订', encoding='utf-8'), Decoded(text='退订', encoding='gb18030'))
    >>> decode(b"[\"\xff\"]")
    Decoded(text='["�"]', encoding='damaged')
    """
    raw = raw.removeprefix(_BOM)
    said_chinese = charset.strip().strip("\"'").lower().startswith(_CHINESE_CHARSETS)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(raw) and not said_chinese:
            return Decoded(raw.decode("utf-8", "replace"), "utf-8")  # broken off within a character
        return _decode_pieces(raw)
    if said_chinese and not text.isascii() and not _LONG.search(raw):
        return _whole(raw) or Decoded(text, "utf-8")
    return Decoded(text, "utf-8")


def _whole(raw: bytes) -> Decoded | None:
    try:
        return Decoded(raw.decode("gb18030"), "gb18030")
    except UnicodeDecodeError:
        return None


def _decode_pieces(raw: bytes) -> Decoded:
    """Read each piece as what it surely is; what could be either is read as the others are."""
    pieces = _PIECES.split(raw)
    kinds = [_kind(piece) for piece in pieces]
    either: Encoding = "utf-8" if "utf-8" in kinds else "gb18030"
    texts = [_text(piece, kind or either) for piece, kind in zip(pieces, kinds, strict=True)]
    encoding: Encoding = "damaged" if "damaged" in kinds else "gb18030"
    return Decoded("".join(texts), encoding)


def _kind(piece: bytes) -> Encoding | None:
    """Return what a piece is written in; None where it can be either."""
    if piece.isascii():
        return None
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        high = len(piece.translate(None, _HIGH))
        long = sum(map(len, _LONG.findall(piece)))
        if 2 * long > high:
            return "damaged"
        return "gb18030" if _whole(piece) else "damaged"
    return "utf-8" if _LONG.search(piece) else None


def _text(piece: bytes, kind: Encoding) -> str:
    return piece.decode("gb18030" if kind == "gb18030" else "utf-8", "replace")
