"""Which of the two languages a text is shown in: English or Chinese."""

from __future__ import annotations

import locale
import os
from typing import Literal, cast

__all__ = ["Language", "choose", "resolve_language"]

Language = Literal["en", "zh"]


def resolve_language(language: str | None = None) -> Language:
    """Return ``"en"`` or ``"zh"``.

    Parameters
    ----------
    language : {"en", "zh"}, optional
        Asked for by the caller. Otherwise ``MAS_LANGUAGE``, otherwise the language of the user's system.

    Raises
    ------
    ValueError
        If `language` is neither ``"en"`` nor ``"zh"``.

    Examples
    --------
    >>> resolve_language("zh")
    'zh'
    """
    if language is not None:
        if language not in ("en", "zh"):
            raise ValueError(f"language={language!r}: use 'en' or 'zh'")
        return cast("Language", language)
    names = [os.environ.get(key, "") for key in ("MAS_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")]
    spoken = next((name for name in names if name), "") or (locale.getlocale()[0] or "")
    return "zh" if spoken.lower().startswith(("zh", "chinese")) else "en"


def choose(en: str, zh: str, language: str | None = None) -> str:
    """Return `en` or `zh`, whichever `language` (or the user's own) asks for.

    Examples
    --------
    >>> choose("delivered", "已送达", "zh")
    '已送达'
    """
    return zh if resolve_language(language) == "zh" else en
