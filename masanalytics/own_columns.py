"""Columns of the user's own sheet that are kept with messages: what they may be called, and how a value is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any, Final

from masanalytics.phones import cell_text
from masanalytics.vocabulary import DERIVED, MESSAGE_COLUMNS

__all__ = ["MANY_VALUES", "as_texts", "is_taken", "name_in_files", "names_in_files", "own_text"]

MANY_VALUES: Final = 1_000
"""A column with more different values than this is no group any more: a plan warns of it."""

PARTITION: Final = "month"
"""By this the folders of an export are named (``month=2026-03``): who reads them takes it for a column."""
_TAKEN: Final = frozenset({*MESSAGE_COLUMNS, *DERIVED, PARTITION})
_MIDNIGHT: Final = time()


def is_taken(name: str) -> bool:
    """Return whether messages have something of this name already; capitals do not count, as in SQL.

    Examples
    --------
    >>> [is_taken(name) for name in ("门店", "Carrier", "day", "Month", "time/900")]
    [False, True, True, True, True]
    """
    folded = name.casefold()
    return folded in _TAKEN or folded.startswith(("time/", "#"))


def name_in_files(name: str) -> str:
    """Return what one of the user's own columns is called in files: an older store may have one with the name of the partition.

    Examples
    --------
    >>> name_in_files("门店"), name_in_files("Month")
    ('门店', '#Month')
    """
    return f"#{name}" if name.casefold() == PARTITION else name


def names_in_files(columns: Iterable[str]) -> dict[str, str]:
    """Return the columns of files that have another name there, with the name that messages know them by.

    Examples
    --------
    >>> names_in_files(["status", "#month"])
    {'#month': 'month'}
    """
    return {column: column[1:] for column in columns if column == name_in_files(column[1:])}


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
