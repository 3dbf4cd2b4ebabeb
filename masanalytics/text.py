"""What texts of people and programs have in common: characters nobody sees, words for "nothing", names that are alike.

Also the one pattern of a mobile number. Everything here is the standard library, so that every layer can use it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

__all__ = ["BLANK_WORDS", "INVISIBLE", "MOBILE", "fold", "fold_name", "is_blank", "nearest", "plain_name", "visible"]

MOBILE: Final = r"1[3-9][0-9]{9}"
"""The pattern of a mobile number of mainland China, eleven digits: what the platform takes."""

INVISIBLE: Final = (
    0x00AD,
    0x061C,
    0x180E,
    0xFEFF,
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
)
"""Characters that cannot be seen and stand for nothing: marks of direction, joiners, a byte-order mark."""

_NOTHING: Final = dict.fromkeys(INVISIBLE)

BLANK_WORDS: Final = frozenset({
    "", "nan", "nat", "na", "n/a", "<na>", "none", "(none)", "null", "(null)", "<null>", "#n/a", "#na", "#value!", "#ref!",
    "#name?", "#num!", "#div/0!", "#null!", "#spill!", "#calc!", "#getting_data", "\\n",
    # The day zero of spreadsheets, which a lookup of a blank cell shows, and the one of databases.
    "1900/1/0", "1900/01/00", "1900-1-0", "1900-01-00", "1900年1月0日", "1900年01月00日", "1900/1/0 0:00", "1900/1/0 00:00:00",
    "1900-01-00 00:00:00", "0000-00-00", "0000/00/00", "0000-00-00 00:00:00", "0000/00/00 00:00:00", "0000年00月00日",
    *("#" * width for width in range(3, 256)),  # a date or a number in a cell too narrow for it, saved as text
})  # fmt: skip
"""What programs write for a missing value, in lower case."""


def visible(text: str) -> str:
    r"""Return `text` without the characters that cannot be seen.

    Examples
    --------
    >>> visible("138\u200b0013\ufeff8000")
    '13800138000'
    """
    return text.translate(_NOTHING)


def fold(text: str) -> str:
    r"""Return `text` with full-width and other compatibility forms as plain ones, and without what cannot be seen.

    Examples
    --------
    >>> fold("１３８\u200b００１３８０００"), fold("ＭＫ：０００１")
    ('13800138000', 'MK:0001')
    """
    return visible(unicodedata.normalize("NFKC", visible(text)))


def is_blank(text: str) -> bool:
    r"""Return whether `text` is no more than space, or what a program writes for a missing value.

    Examples
    --------
    >>> is_blank(" \u200b"), is_blank("#N/A"), is_blank("0")
    (True, True, False)
    """
    return visible(text).strip().casefold() in BLANK_WORDS


def fold_name(name: str) -> str:
    """Return a name as it is compared with others: without case, width, spaces and dashes.

    Examples
    --------
    >>> fold_name("Phone_Number") == fold_name("phone number"), fold_name("到期日 ")
    (True, '到期日')
    """
    return re.sub(r"[\s_\-]", "", fold(name).casefold())


def plain_name(name: str) -> str:
    r"""Return the name of a campaign, a round or a column as it is kept: composed, without what cannot be seen, single spaces.

    Two names that look alike are one name.

    Examples
    --------
    >>> plain_name("Cafe\u0301  提醒\u200b ") == "Café 提醒", plain_name("a\u3000b\n")
    (True, 'a b')
    """
    composed = unicodedata.normalize("NFC", name)
    seen = "".join(mark for mark in composed if mark.isspace() or unicodedata.category(mark) not in ("Cc", "Cf", "Cs"))
    return unicodedata.normalize("NFC", " ".join(visible(seen).split()))


def nearest(name: object, known: Iterable[object], *, count: int = 3, cutoff: float = 0.6) -> list[str]:
    """Return the names of `known` that are most like `name`, the best first.

    Examples
    --------
    >>> nearest("carier", ["carrier", "city"]), nearest("Carrier ", ["carrier"]), nearest("x", ["carrier"])
    (['carrier'], ['carrier'], [])
    """
    folded: dict[str, list[str]] = {}
    for candidate in known:
        folded.setdefault(fold_name(str(candidate)), []).append(str(candidate))
    close = get_close_matches(fold_name(str(name)), folded, n=count, cutoff=cutoff)
    return [candidate for key in close for candidate in folded[key]][:count]
