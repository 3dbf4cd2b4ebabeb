"""What people wrote, as a report may show it: one harmless line, phone numbers hidden."""

from __future__ import annotations

import re
import unicodedata

from masanalytics.masking import mask_phones_in

__all__ = ["harmless", "sanitised"]

_LONGEST_TEXT = 300
_JOINER = "\u200d"
_NEVER_SHOWN = ("Cc", "Cf", "Cs")


def sanitised(text: str, longest: int = _LONGEST_TEXT, *, reveal: bool = False) -> str:
    """Return `text` as it may be shown: harmless, phone numbers masked unless they are to be revealed, cut where it is endless.

    Examples
    --------
    >>> sanitised("spring 13800138000"), sanitised("spring 13800138000", reveal=True), sanitised("abcdef", 4)
    ('spring 138****8000', 'spring 13800138000', 'abc…')
    """
    shown = harmless(text)
    if not reveal:
        shown = mask_phones_in(_plain_digits(shown))
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def harmless(text: str) -> str:
    r"""Return `text` on one line, without what is not a letter: control signs, halves of pairs, changes of direction.

    Some of them may not occur in a workbook at all, others make a name read as another one.

    Examples
    --------
    >>> harmless("a\x00b\tc\n\u202egnp.exe"), harmless("138\u200b0013\u200b8000"), harmless("👩\u200d👧")
    ('ab c gnp.exe', '13800138000', '👩\u200d👧')
    """
    spaced = " ".join(text.split())
    # The joiner holds a family of faces together; between digits it hides a number.
    joined = re.sub(rf"(?<=\d){_JOINER}+(?=\d)", "", "".join(char for char in spaced if _is_shown(char)))
    return joined.strip()


def _is_shown(char: str) -> bool:
    if char == _JOINER:
        return True
    code = ord(char)
    is_reserved = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return not is_reserved and unicodedata.category(char) not in _NEVER_SHOWN


def _plain_digits(text: str) -> str:
    """Return `text` with digits of any script as 0 to 9: a number in full-width digits is a number too."""
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
