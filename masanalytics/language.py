"""Which of the two languages a text is shown in, English or Chinese, and how it says counts and lengths of time."""

from __future__ import annotations

import locale
import os
from typing import Literal, cast

__all__ = ["Language", "choose", "counted", "duration", "resolve_language"]

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


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with what it counts, in English, where one thing is not said as several are.

    Parameters
    ----------
    number : int
        How many.
    one, many : str
        What stands behind one, and behind any other number; `many` is `one` with an s where it is not given.

    Examples
    --------
    >>> counted(1, "poll"), counted(2000, "reply", "replies"), counted(0, "batch", "batches")
    ('1 poll', '2,000 replies', '0 batches')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float, language: str | None = None, *, platform_time: bool = False) -> str:
    """Return a length of time for people.

    Parameters
    ----------
    seconds : float
        How long.
    language : {"en", "zh"}, optional
        By default the user's own.
    platform_time : bool
        Whether a simulated platform's clock told it, which must not be taken for the time that somebody waited.

    Examples
    --------
    >>> duration(0.4, "en"), duration(1915, "en"), duration(7300, "zh"), duration(72 * 3600, "en")
    ('1 s', '32 min', '2 小时 2 分钟', '72 h')
    >>> duration(660, "en", platform_time=True), duration(660, "zh", platform_time=True)
    ('11 min (platform time)', '11 分钟（平台时间）')
    """
    zh = resolve_language(language) == "zh"
    second, minute, hour = ("秒", "分钟", "小时") if zh else ("s", "min", "h")
    hours, minutes = divmod(round(seconds / 60), 60)
    if seconds < 90:
        text = f"{max(1, round(seconds)) if seconds > 0 else 0} {second}"
    elif hours * 60 + minutes < 90:
        text = f"{hours * 60 + minutes} {minute}"
    else:
        text = f"{hours} {hour}" + (f" {minutes} {minute}" if minutes else "")
    return text + ("（平台时间）" if zh else " (platform time)") * platform_time
