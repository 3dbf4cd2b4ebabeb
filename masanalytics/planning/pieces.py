"""Distinct texts, and what must be known of each before any message is written: how long it is, and whether it is odd."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from masanalytics.planning.value_formats import BLANK_STARTS
from masanalytics.segments import utf16_units

__all__ = ["LONG_PIECE", "Pieces"]

LONG_PIECE: Final = 16
"""Pieces longer than so many characters may always hold something that a carrier blocks."""

_CHUNK: Final = 50_000
_DIGITS_IN_A_ROW: Final = 7
_SURROGATES = slice(0xD800, 0xE000)
_ODD: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.:<【】{}｛｝回电热致拨客咨详垂来服扣企微威薇加"
_DIGITS: Final = "0123456789 -"
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pieces:
    """Texts with facts about each, found for fifty thousand at a time.

    Attributes
    ----------
    texts : ndarray of object, or a pandas string array
        The texts: as Python objects, or where pandas keeps them in less memory, there.
    units : ndarray of int32
        UTF-16 units of each.
    pairs : ndarray of bool
        Whether a text holds a character of two units.
    odd : ndarray of bool
        Whether a text may hold a link, a number, a contact or the like; for most names and numbers it cannot be.
    broken : ndarray of int64
        Positions of texts with half a character of two units: no encoding can carry them.
    doubtful : ndarray of int64
        Positions of texts that may be blank or have space around them.
    """

    texts: Any
    units: npt.NDArray[np.int32]
    pairs: npt.NDArray[np.bool_]
    odd: npt.NDArray[np.bool_]
    broken: npt.NDArray[np.int64]
    doubtful: npt.NDArray[np.int64]

    @classmethod
    def of(cls, texts: Any) -> Pieces:
        """Look at each of `texts`: a list, an array of objects or a pandas string array."""
        if isinstance(texts, list):
            array = np.empty(len(texts), dtype=object)
            array[:] = texts
            texts = array
        units = np.zeros(len(texts), dtype=np.int32)
        pairs, odd, doubtful = np.zeros((3, len(texts)), dtype=bool)
        broken = []
        for start, part in _parts(texts):
            place = slice(start, start + len(part))
            units[place], pairs[place], odd[place], doubtful[place] = _look_at(part)
            if pairs[place].any():
                broken += [start + index for index in np.flatnonzero(pairs[place]).tolist() if _is_broken(part[index])]
        return cls(texts, units, pairs, odd, np.array(broken, dtype=np.int64), np.flatnonzero(doubtful))

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, codes: npt.NDArray[Any]) -> list[str]:
        """Return the texts at these positions."""
        return list(self.texts[codes].tolist())

    def parts(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (position of the first, texts), some at a time."""
        return _parts(self.texts)


def _parts(texts: Any) -> Iterator[tuple[int, list[str]]]:
    return ((start, texts[start : start + _CHUNK].tolist()) for start in range(0, len(texts), _CHUNK))


def _look_at(texts: list[str]) -> tuple[npt.NDArray[np.int32], _Flags, _Flags, _Flags]:
    """Return units, pairs, oddness and doubt of some texts, laid end to end and looked at together."""
    lengths = np.fromiter(map(len, texts), dtype=np.int32, count=len(texts))
    joined = "\0".join(texts) + "\0"
    raw = np.frombuffer(joined.encode("utf-16-le", "surrogatepass"), dtype=np.uint16)
    units = lengths
    if len(raw) != len(joined):
        units = np.fromiter(map(utf16_units, texts), dtype=np.int32, count=len(texts))
    kinds = _kinds()[raw]
    begins = np.cumsum(units + 1) - units - 1
    odd = _holding(begins, np.flatnonzero(kinds & 1)) | (units > LONG_PIECE)
    other = np.flatnonzero(kinds & 2 == 0)
    gaps = np.diff(other, prepend=-1, append=len(raw))
    runs = np.append(other, len(raw))[gaps > _DIGITS_IN_A_ROW] - 1
    odd |= _holding(begins, runs)
    pairs = _holding(begins, np.flatnonzero(kinds & 4))
    doubtful = (kinds[begins] & 24 != 0) | (kinds[begins + np.maximum(units, 1) - 1] & 8 != 0) | (units == 0)
    return units, pairs, odd, doubtful


def _holding(begins: npt.NDArray[Any], places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which of the texts that begin at `begins` hold one of `places`."""
    held = np.zeros(len(begins), dtype=bool)
    held[np.searchsorted(begins, places, side="right") - 1] = True
    return held


@lru_cache(maxsize=1)
def _kinds() -> npt.NDArray[np.uint8]:
    """Return a sum for each UTF-16 unit: 1 makes a text odd, 2 may be in a number, 4 in a pair, 8 is space, 16 may begin a blank."""
    kinds = np.zeros(0x1_0000, dtype=np.uint8)
    kinds[list(map(ord, _ODD))] |= 1
    kinds[list(map(ord, _DIGITS))] |= 2
    kinds[_SURROGATES] |= 5
    kinds[[unit for unit in range(0x1_0000) if chr(unit).isspace()]] |= 8
    kinds[list(map(ord, BLANK_STARTS))] |= 16
    kinds.flags.writeable = False
    return kinds


def _is_broken(text: str) -> bool:
    return text.encode("utf-8", "ignore").decode() != text
