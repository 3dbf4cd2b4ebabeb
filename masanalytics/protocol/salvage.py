"""Get every whole record out of a list that is broken somewhere, or was cut off."""

from __future__ import annotations

import re
from typing import Any, Final

from masanalytics.protocol.lenient_json import DECODER
from masanalytics.protocol.records import BadRecord

__all__ = ["salvage"]

_ITEM = re.compile(r"[^\s,\[\]]")
_NEXT = re.compile(r"[,\[}\]]\s*(?=\{)")
_MOST_TRIES: Final = 5000


def salvage(text: str) -> list[Any]:
    """Return the records of a broken JSON list in order: each a value, or a `BadRecord` where there is none.

    After a fault, reading goes on at the next place where an object begins behind a comma or bracket and is whole. Within
    a JSON text the quotes are escaped, so nothing a person wrote in a reply passes for a record of its own.

    Examples
    --------
    >>> salvage('[{"a":1},{"a":oops},{"a":3},{"a":')
    [{'a': 1}, BadRecord(index=1, reason='not JSON'), {'a': 3}, BadRecord(index=3, reason='cut off')]
    """
    items: list[Any] = []
    tries = _MOST_TRIES
    place = _next_item(text, 0)
    while place is not None:
        found = _read_at(text, place)
        if found is None:
            after, tries = _next_whole(text, place, tries)
            items.append(BadRecord.of(len(items), "cut off" if after is None else "not JSON", text[place:after]))
            place = after
        else:
            items.append(found[0])
            place = _next_item(text, found[1])
    return items


def _next_item(text: str, place: int) -> int | None:
    found = _ITEM.search(text, place)
    return None if found is None else found.start()


def _read_at(text: str, place: int) -> tuple[Any, int] | None:
    try:
        return DECODER.raw_decode(text, place)
    except (ValueError, RecursionError):
        return None


def _next_whole(text: str, place: int, tries: int) -> tuple[int | None, int]:
    """Return where the next object begins that can be read whole, or None, and how many `tries` are left.

    The number of tries is bounded so that rubbish of any size ends soon; what lies behind it stays in the raw answer.
    """
    for found in _NEXT.finditer(text, place):
        if tries <= 0:
            break
        tries -= 1
        if _read_at(text, found.end()) is not None:
            return found.end(), tries
    return None, tries
