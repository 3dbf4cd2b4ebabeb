"""Chance that repeats: numbers drawn from keys, so that neither threads nor the order of calls change them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "Ints", "Keys", "message_keys", "normal", "number_keys", "uniform"]

Keys = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_LEAP = 0xD1B54A32D192ED03


def _mix(keys: Keys) -> Keys:
    """Scatter every bit of `keys` over all bits (the finaliser of SplitMix64)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def number_keys(phones: Ints, seed: int) -> Keys:
    """Return a key for each number: the same in every campaign of simulators with one seed.

    Examples
    --------
    >>> phones = np.array([13800138000, 13800138000, 13800138001])
    >>> a, b, c = number_keys(phones, seed=1).tolist()
    >>> a == b, a == c
    (True, False)
    """
    start = np.uint64((seed * _LEAP + _GOLDEN) & _WORD)
    return _mix(phones.astype(np.uint64) + start)


def message_keys(numbers: Keys, texts: str | Sequence[str], day: int) -> Keys:
    """Return a key for each message: by number, text, and the day since the simulator started.

    The day is in it so that the same reminder sent every month does not meet the same luck every month.

    Examples
    --------
    >>> numbers = number_keys(np.array([13800138000, 13900139000]), seed=1)
    >>> one = message_keys(numbers, "你好", day=0)
    >>> each = message_keys(numbers, ["你好", "你好"], day=0)
    >>> bool((one == each).all()), bool((one == message_keys(numbers, "你好", day=1)).any())
    (True, False)
    """
    if isinstance(texts, str):
        words = np.full(len(numbers), _digest(texts), dtype=np.uint64)
    else:
        words = np.fromiter(map(_digest, texts), dtype=np.uint64, count=len(texts))
    salted = (words << np.uint64(20)) + np.uint64(day & 0xFFFFF)
    return _mix(numbers ^ _mix(salted + np.uint64(_GOLDEN)))


def _digest(text: str) -> int:
    """Return a number for a text; half an emoji, which JSON can hold, is a text too."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def uniform(keys: Keys, stream: int) -> Floats:
    """Return a number in [0, 1) for each key; each `stream` gives an independent one.

    Examples
    --------
    >>> keys = number_keys(np.arange(100_000), seed=1)
    >>> round(float(uniform(keys, 3).mean()), 2)
    0.5
    """
    scattered = _mix(keys + np.uint64((stream * _GOLDEN) & _WORD))
    return (scattered >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(keys: Keys, stream: int) -> Floats:
    """Return a standard normal number for each key (Box-Muller).

    Examples
    --------
    >>> drawn = normal(number_keys(np.arange(100_000), seed=1), 5)
    >>> round(float(drawn.std()), 2)
    1.0
    """
    radius = np.sqrt(-2.0 * np.log1p(-uniform(keys, 1000 + 2 * stream)))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniform(keys, 1001 + 2 * stream)), dtype=np.float64)
