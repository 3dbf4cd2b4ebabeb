"""How many parts a text is billed as.

Chinese gateways send UCS-2: one part holds 70 UTF-16 units; a longer text is cut into parts of 67, since six bytes of
each then say which part it is. A character outside the Basic Multilingual Plane (an emoji) takes two units and is never cut in
half. The signature 【…】 stands in front of the text and counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["ALONE", "JOINED", "bracketed", "count_segments", "segments_of", "split_segments", "utf16_units"]

ALONE: Final = 70
"""UTF-16 units in a text of one part."""

JOINED: Final = 67
"""UTF-16 units in each part of a longer text."""

_LAST_BMP = "\uffff"


def bracketed(signature: str) -> str:
    """Return a signature as phones show it, in 【】; an empty one stays empty.

    Examples
    --------
    >>> bracketed("示例公司"), bracketed("【示例公司】"), bracketed("")
    ('【示例公司】', '【示例公司】', '')
    """
    name = signature.strip()
    return name if not name or (name.startswith("【") and name.endswith("】")) else f"【{name}】"


def utf16_units(text: str) -> int:
    """Return how many UTF-16 units `text` takes: two for each character outside the Basic Multilingual Plane.

    Examples
    --------
    >>> utf16_units("移动"), utf16_units("😀")
    (2, 2)
    """
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def count_segments(text: str, signature: str = "") -> int:
    """Return how many parts `text` is billed as with `signature` in front of it; 0 for nothing at all.

    Examples
    --------
    >>> count_segments("一" * 70), count_segments("一" * 71), count_segments("一" * 65, "示例公司")
    (1, 2, 2)
    """
    whole = bracketed(signature) + text
    units = utf16_units(whole)
    if units <= ALONE:
        return int(units > 0)
    if units == len(whole):
        return -(-units // JOINED)
    return len(split_segments(whole))


def split_segments(text: str) -> list[str]:
    """Return `text` cut into the parts it is sent as.

    Examples
    --------
    >>> [len(part) for part in split_segments("一" * 135)]
    [67, 67, 1]
    >>> [len(part) for part in split_segments("一" * 66 + "😀" * 34)]  # 66 units, then 33 pairs, then one
    [66, 33, 1]
    """
    if utf16_units(text) <= ALONE:
        return [text] if text else []
    parts, start, units = [], 0, 0
    for place, character in enumerate(text):
        size = 2 if character > _LAST_BMP else 1
        if units + size > JOINED:
            parts.append(text[start:place])
            start, units = place, 0
        units += size
    return [*parts, text[start:]]


def segments_of(texts: Iterable[str], signature: str = "") -> npt.NDArray[np.int32]:
    """Return `count_segments` of each text.

    Examples
    --------
    >>> segments_of(["一" * 70, "一" * 71, "😀" * 36])
    array([1, 2, 2], dtype=int32)
    """
    every = list(texts)
    front = bracketed(signature)
    characters = np.fromiter(map(len, every), dtype=np.int64, count=len(every)) + len(front)
    counts = segments_of_units(characters)
    # Joined up, one look tells whether any text at all leaves the plane; only then is each asked.
    chunk = 10_000
    for low in range(0, len(every), chunk):
        joined = front + "".join(every[low : low + chunk])
        if utf16_units(joined) != len(joined):
            counts[low : low + chunk] = [count_segments(text, front) for text in every[low : low + chunk]]
    return counts


def segments_of_units(units: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Return the parts of texts that need `units` UTF-16 units and hold no character of two units.

    Examples
    --------
    >>> segments_of_units(np.array([0, 70, 71, 134, 135])).tolist()
    [0, 1, 2, 2, 3]
    """
    return np.where(units <= ALONE, np.minimum(units, 1), -(-units // JOINED)).astype(np.int32)
