"""Columns of the user's own sheet that are kept with messages: what they may be called, and how a value is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any, Final

from masanalytics.phones import cell_text
from masanalytics.vocabulary import DERIVED, MESSAGE_COLUMNS

__all__ = ["MANY_VALUES", "as_texts", "is_taken", "own_text"]

MANY_VALUES: Final = 1_000
"""A column with more different values than this is no group any more: a plan warns of it."""

_TAKEN: Final = frozenset({*MESSAGE_COLUMNS, *DERIVED})
_MIDNIGHT: Final = time()


def is_taken(name: str) -> bool:
    """Return whether messages have something of this name already; capitals do not count, as in SQL.

    Examples
    --------
    >>> [is_taken(name) for name in ("门店", "Carrier", "day", "time/900")]
    [False, True, True, True]
    """
    folded = name.casefold()
    return folded in _TAKEN or folded.startswith(("time/", "#"))


def own_text(value: Any) -> str | None:
    """Return a value as it is kept: the text its cell shows; None where it is missing or blank.

    Examples
    --------
    >>> from datetime import datetime
    >>> [own_text(value) for value in ("金卡", 3.0, datetime(2026, 3, 1), " ", None)]
    ['金卡', '3', '2026-03-01', None, None]
    """
    is_time = isinstance(value, datetime) and value == value  # NaT is none
    text = str(value.date()) if is_time and value.time() == _MIDNIGHT else cell_text(value)
    if text is None or not text.strip():
        return None
    return text.encode("utf-8", "replace").decode()


def as_texts(options: Iterable[Any]) -> list[Any]:
    """Return what a column of texts is asked for as texts, as they are kept; None stays None.

    Examples
    --------
    >>> as_texts(["金卡", 3, None])
    ['金卡', '3', None]
    """
    return [option if option is None or isinstance(option, str) else own_text(option) for option in options]
