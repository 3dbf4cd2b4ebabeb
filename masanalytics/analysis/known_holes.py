"""What is said of answers that are known to be missing from the numbers: in one sentence, wherever a number stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from masanalytics.i18n import Text

__all__ = ["PAUSE", "hole_room", "holes_text"]

PAUSE: Final = "pause"
"""The state of a hole in which no receiver listened."""
_BOTH: Final = 2


def holes_text(holes: Sequence[Mapping[str, Any]]) -> Text | None:
    """Return the sentence about `holes` (of the coverage of a result's ``.attrs``); None where there are none.

    Examples
    --------
    >>> print(holes_text([{"records": 1000}, {"records": 3}]))
    2 answers of the platform were lost or are not read, and can hold 1,003 reports: messages open then may have arrived
    """
    paused = sum(hole.get("state") == PAUSE for hole in holes)
    said = [_pauses(paused)] if paused else []
    if len(holes) > paused:
        said.insert(0, _missing([hole for hole in holes if hole.get("state") != PAUSE]))
    if len(said) == _BOTH:
        return Text("{missing}; {pauses}", code="holes", missing=said[0], pauses=said[1])
    return said[0] if said else None


def _pauses(count: int) -> Text:
    return Text(
        "{count:,} time no receiver listened, and what was pushed then is lost: messages open then may have arrived",
        "{count:,} times no receiver listened, and what was pushed then is lost: messages open then may have arrived",
        code="pauses",
        count=count,
    )


def _missing(holes: Sequence[Mapping[str, Any]]) -> Text:
    return Text(
        "{count:,} answer of the platform was lost or is not read, and can hold {records:,} reports: messages open then may"
        " have arrived",
        "{count:,} answers of the platform were lost or are not read, and can hold {records:,} reports: messages open then may"
        " have arrived",
        code="holes",
        count=len(holes),
        records=sum(int(hole["records"]) for hole in holes),
    )


def hole_room(holes: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return how many reports whole missing answers can hold, and how many single records were set aside.

    Examples
    --------
    >>> hole_room([{"records": 1000, "cuts": True}, {"records": 3, "cuts": False}])
    (1000, 3)
    """
    whole = sum(int(hole["records"]) for hole in holes if hole["cuts"])
    return whole, sum(int(hole["records"]) for hole in holes) - whole
