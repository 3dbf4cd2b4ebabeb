"""Keep phone numbers out of what people and logs see."""

from __future__ import annotations

import re
import unicodedata

from masanalytics.text import MOBILE

__all__ = ["mask_phone", "mask_phones_in"]

# As offices write and phones paste them: dashes of every width, and signs that nobody sees.
_GAP = r"[\s\-\u2010-\u2015－.．()（）·\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*"
_DIGITS = re.compile(rf"\d(?:{_GAP}\d){{6,}}")
# Unlike `masanalytics.text.MOBILE` it finds a number however it is broken up: what is not meant to be read is hidden.
_MOBILE = re.compile(rf"(?<!\d)(?:(?:[0０]{{2}})?[8８][6６]{_GAP})?[1１]{_GAP}[3-9３-９](?:{_GAP}\d){{9}}(?!\d)")
_WHOLE = 11
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
