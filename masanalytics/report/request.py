"""What is asked of a report, and how it writes what other people wrote."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from masanalytics.i18n import choose
from masanalytics.masking import mask_phones_in

__all__ = ["Request", "harmless"]

_LONGEST_TEXT = 300
_JOINER = "\u200d"
_NEVER_SHOWN = ("Cc", "Cf", "Cs")


@dataclass(frozen=True)
class Request:
    """What is asked of a report.

    Attributes
    ----------
    language : str, optional
        ``"en"`` or ``"zh"``; by default the user's own.
    title : str, optional
        By default the campaign's name.
    reveal : bool
        Whether phone numbers in names are shown whole.
    by : sequence of str, optional
        The breakdowns; by default campaign, carrier and province, where there are several of them.
    where : mapping
        Which messages: handed to the analysis.
    """

    language: str | None = None
    title: str | None = None
    reveal: bool = False
    by: Sequence[str] | None = None
    where: Mapping[str, Any] = field(default_factory=dict)

    def clean(self, text: str, longest: int = _LONGEST_TEXT) -> str:
        """Return `text` as it may be shown: harmless, phone numbers masked unless asked for, cut where it is endless."""
        shown = harmless(text)
        if not self.reveal:
            shown = mask_phones_in(_plain_digits(shown))
        return shown if len(shown) <= longest else shown[: longest - 1] + "…"

    def say(self, en: str, zh: str) -> str:
        """Return the text in the report's language."""
        return choose(en, zh, self.language)


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
