"""Keep phone numbers out of what people and logs see."""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Sized

from masanalytics.text import MOBILE

__all__ = ["described_table", "hashed_phone", "mask_phone", "mask_phones_in", "shown_value"]

# As offices write and phones paste them: dashes of every width, and signs that nobody sees.
_GAP = r"[\s\-\u2010-\u2015－.．()（）·\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*"
_DIGITS = re.compile(rf"\d(?:{_GAP}\d){{6,}}")
# Unlike `masanalytics.text.MOBILE` it finds a number however it is broken up: what is not meant to be read is hidden.
_MOBILE = re.compile(rf"(?<!\d)(?:(?:[0０]{{2}})?[8８][6６]{_GAP})?[1１]{_GAP}[3-9３-９](?:{_GAP}\d){{9}}(?!\d)")
_WHOLE = 11
_FEW = 5
_AS_LETTERS = str.maketrans("0123456789abcdef", "ghijklmnopabcdef")
_COUNTRY = re.compile(rf"(?:00)?86(?={MOBILE}$)")


def mask_phone(phone: object) -> str:
    """Return `phone` with its middle hidden, however it is written; what is too short to be a number stays.

    Examples
    --------
    >>> mask_phone("13800138000"), mask_phone("138-0013-8000")
    ('138****8000', '138-****-8000')
    >>> mask_phone("+86 138 0013 8000")
    '+86 138 **** 8000'
    >>> mask_phone("021-66668888"), mask_phone("1380013")
    ('021-****8888', '****0013')
    """
    visible = "".join(character for character in str(phone) if unicodedata.category(character) != "Cf")
    return _DIGITS.sub(_hide, visible)


def mask_phones_in(text: str) -> str:
    """Return `text` with every mobile number in it masked; other digits stay.

    Examples
    --------
    >>> mask_phones_in("请联系138 0013 8000或8613800138000，订单20260101123456")
    '请联系138 **** 8000或86138****8000，订单20260101123456'
    >>> mask_phones_in("１３８００１３８０００")
    '１３８****８０００'
    """
    return _MOBILE.sub(_hide, text)


def hashed_phone(phone: str, key: bytes, *, letters: int) -> str:
    """Return a name for a number that only `key` makes of it: its first digits and letters, so that no program takes it for a number.

    Examples
    --------
    >>> hashed_phone("13800138000", b"a key drawn by chance", letters=24)
    '138~fckhmejhepiekpkiddkdebcc'
    """
    return f"{phone[:3]}~{hmac.digest(key, phone.encode(), 'sha256').hex()[:letters].translate(_AS_LETTERS)}"


class _Description(str):
    """What is said of a value that is not shown; its repr has no quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def described_table(value: object) -> object:
    """Return `value`, or in place of a table or column what it is and how large: an error shows none of its people.

    Examples
    --------
    >>> import pandas as pd
    >>> described_table(pd.DataFrame({"姓名": ["张三"]})), described_table(5)
    (<DataFrame 1 × 1>, 5)
    """
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not shape:
        return value
    return _Description(f"<{type(value).__name__} {' × '.join(map(str, shape))}>")


def shown_value(value: object) -> str:
    """Return what an error shows of a wrong value: itself where it is short, its kind and size where it may be people.

    Examples
    --------
    >>> shown_value("13800138000"), shown_value((2, "7d")), shown_value(["张三"] * 20)
    ("'138****8000'", "(2, '7d')", '<list 20>')
    """
    table = described_table(value)
    if table is not value:
        return str(table)
    if isinstance(value, Sized) and not isinstance(value, (str, bytes)) and len(value) > _FEW:
        return f"<{type(value).__name__} {len(value)}>"
    return mask_phones_in(repr(value))


def _hide(found: re.Match[str]) -> str:
    """Hide the digits of a number but for its first three and last four (of a short one: but for the last four)."""
    text = found.group()
    digits = unicodedata.normalize("NFKC", re.sub(r"\D", "", text))
    if len(digits) < _WHOLE:
        return "****" + digits[-4:]
    country = _COUNTRY.match(digits)
    skip = country.end() if country else 0
    hidden = range(skip + 3, len(digits) - 4)
    position = -1
    masked = []
    for character in text:
        if character.isdecimal():
            position += 1
            masked.append("*" if position in hidden else character)
        else:
            masked.append(character)
    return "".join(masked)
