"""What is said of answers that are known to be missing from the numbers: in one sentence, wherever a number stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from masanalytics.i18n import Text

__all__ = ["hole_room", "holes_text"]


def holes_text(holes: Sequence[Mapping[str, Any]]) -> Text | None:
    """Return the sentence about `holes` (of the coverage of a result's ``.attrs``); None where there are none.

    Examples
    --------
    >>> print(holes_text([{"records": 1000}, {"records": 3}]))
    2 answers of the platform were lost or are not read, and can hold 1,003 reports: messages open then may have arrived
    """
    if not holes:
        return None
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
