"""Whether a column of a frame still holds what was read: a sheet's number format says how its own values look, not what becomes of them.

0.25 under ``0%`` is 25%; after ``df["rate"] * 100`` the column is called the same, and 25 under ``0%`` would be 2500%. Beside the
formats of a sheet its values are therefore kept, as a Bloom filter: filtered, sorted and repeated rows pass, changed ones do not.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["formats_as_read", "mark_values"]

_BITS_A_VALUE: Final = 16  # two bits of them set: one changed value in seventy passes, of several hardly all
_FEWEST: Final = 1 << 8
_MOST: Final = 1 << 20


def mark_values(frame: pd.DataFrame) -> None:
    """Keep in ``.attrs["as_read"]`` which values the columns hold that the sheet shows in number formats."""
    formats = frame.attrs["read"]["formats"]
    frame.attrs["as_read"] = {name: _mark(_hashes(frame[name])) for name in formats if name in frame}


def formats_as_read(column: pd.Series[Any]) -> list[str]:
    """Return the number formats that the sheet shows the values of a column in; none where they are not what was read.

    Examples
    --------
    >>> frame = pd.DataFrame({"rate": [0.25, 0.5, 0.75]})
    >>> frame.attrs["read"] = {"file": "a.xlsx", "formats": {"rate": ["0%"]}}
    >>> mark_values(frame)
    >>> formats_as_read(frame["rate"][1:]), formats_as_read(frame["rate"] * 100)
    (['0%'], [])
    """
    formats: list[str] = column.attrs.get("read", {}).get("formats", {}).get(column.name, [])
    mark = column.attrs.get("as_read", {}).get(column.name)
    return list(formats) if formats and mark and _all_marked(_hashes(column), mark) else []


def _hashes(column: pd.Series[Any]) -> npt.NDArray[np.uint64]:
    """Return a number for each value that is not missing; equal values have equal numbers, whatever the dtype."""
    known = column.dropna()
    if pd.api.types.is_datetime64_any_dtype(known.dtype):
        values: npt.NDArray[Any] = known.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    elif pd.api.types.is_numeric_dtype(known.dtype):
        values = known.to_numpy(dtype=np.float64) + 0.0  # -0.0 is 0.0
    else:
        values = np.array(list(map(str, known.tolist())), dtype=object)
    return np.asarray(pd.util.hash_array(values), dtype=np.uint64)


def _places(hashes: npt.NDArray[np.uint64], bits: int) -> npt.NDArray[np.int64]:
    both = np.concatenate([hashes, hashes >> np.uint64(32)])
    return (both & np.uint64(bits - 1)).astype(np.int64)


def _mark(hashes: npt.NDArray[np.uint64]) -> str:
    bits = min(_MOST, max(_FEWEST, 1 << (_BITS_A_VALUE * len(hashes)).bit_length()))
    marked = np.zeros(bits, dtype=bool)
    marked[_places(hashes, bits)] = True
    return base64.b64encode(np.packbits(marked).tobytes()).decode()


def _all_marked(hashes: npt.NDArray[np.uint64], mark: str) -> bool:
    marked = np.unpackbits(np.frombuffer(base64.b64decode(mark), dtype=np.uint8))
    return bool(marked[_places(hashes, len(marked))].all())
