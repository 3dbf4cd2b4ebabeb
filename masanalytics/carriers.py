"""The carrier, province and city a number was assigned to, by its prefix (号段).

The carrier table is this module's own, from the public numbering plan. Since numbers can be taken to another carrier
(携号转网), it names the carrier the prefix was *assigned* to, not the one that serves the number today. Provinces and
cities come from the data file of the package ``phone`` (the extra ``regions``), or from a newer file of the same format;
without either they are missing, which is never an error.
"""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from masanalytics.errors import InputError
from masanalytics.masking import described_table
from masanalytics.paths import full_path
from masanalytics.phones import parse_phones
from masanalytics.vocabulary import CARRIERS

__all__ = ["Regions", "carrier_codes", "carriers_of", "load_regions", "place_names", "region_codes"]

Numbers = npt.NDArray[np.int64]

# Three- and four-digit prefixes; the longer one wins. 14x with fewer than eleven digits are data cards.
_PREFIXES: Final = {
    "China Mobile": "134 135 136 137 138 139 142 143 144 147 148 150 151 152 157 158 159 165 172 178 182 183 184 187 188 "
    "195 197 198 1703 1705 1706",
    "China Unicom": "130 131 132 140 145 146 155 156 166 167 171 175 176 185 186 196 1704 1707 1708 1709",
    "China Telecom": "133 141 149 153 162 173 174 177 180 181 189 190 191 193 199 1349 1700 1701 1702",
    "China Broadnet": "192 1610",
}
_UNKNOWN: Final = CARRIERS.index("unknown")
_FIRST_BLOCK, _BLOCKS = 1_300_000, 700_000


@lru_cache(maxsize=1)
def _carrier_table() -> npt.NDArray[np.int8]:
    """Return the carrier of each four-digit start."""
    table = np.full(10_000, _UNKNOWN, dtype=np.int8)
    pairs = [(prefix, CARRIERS.index(name)) for name, prefixes in _PREFIXES.items() for prefix in prefixes.split()]
    for prefix, code in sorted(pairs, key=lambda pair: len(pair[0])):
        start = int(prefix.ljust(4, "0"))
        table[start : start + 10 ** (4 - len(prefix))] = code
    table.flags.writeable = False
    return table


def carrier_codes(numbers: Numbers) -> npt.NDArray[np.int8]:
    """Return the carrier of each eleven-digit number as a position in `masanalytics.vocabulary.CARRIERS`.

    Examples
    --------
    >>> [CARRIERS[code] for code in carrier_codes(np.array([13800138000, 13000000000, 19212345678, 0]))]
    ['China Mobile', 'China Unicom', 'China Broadnet', 'unknown']
    """
    starts = np.where((numbers >= 10**10) & (numbers < 10**11), numbers // 10**7, 0)
    return _carrier_table()[starts]


def carriers_of(phones: Iterable[object]) -> pd.Categorical[str]:
    """Return the carrier each number's prefix was assigned to.

    Parameters
    ----------
    phones : Series or iterable
        Numbers in any form that `masanalytics.phones.normalise_phones` reads.

    Returns
    -------
    Categorical
        One of `masanalytics.vocabulary.CARRIERS` for each; ``"unknown"`` where there is no number.

    Examples
    --------
    >>> list(carriers_of(["13800138000", "+86 186 0000 0000", None]))
    ['China Mobile', 'China Unicom', 'unknown']
    """
    return pd.Categorical.from_codes(carrier_codes(_numbers(phones)), categories=pd.Index(CARRIERS))


class Regions(NamedTuple):
    """Provinces and cities by seven-digit block.

    Attributes
    ----------
    version : str
        The data's own version, such as ``"2302"``.
    block : ndarray of int16, shape (700000,)
        For the blocks 1300000 to 1999999 the position of their place in `places`; 0 where the data has none.
    places : tuple of (province, city)
        The first is ``("", "")``.
    """

    version: str
    block: npt.NDArray[np.int16]
    places: tuple[tuple[str, str], ...]


NO_REGIONS: Final = Regions("", np.zeros(_BLOCKS, dtype=np.int16), (("", ""),))


def load_regions(path: str | Path | None = None) -> Regions:
    """Return the region data: the file at `path`, or the installed package's, or none.

    Parameters
    ----------
    path : str or Path, optional
        A file in the format of ``phone.dat``, for data newer than the installed package's.

    Raises
    ------
    InputError
        If `path` was given and is not such a file.
    """
    if path is not None:
        try:
            return _read_regions(str(full_path(path, "regions")))
        except (OSError, ValueError, IndexError, struct.error) as error:
            raise InputError(
                "{path} is not a number-prefix data file (phone.dat): {error}",
                path=str(described_table(path)),
                error=str(error),
            ) from error
    package = importlib.util.find_spec("phone")
    if package is None or not package.origin:
        return NO_REGIONS
    installed = Path(package.origin).with_name("phone.dat")
    try:
        return _read_regions(str(installed))
    except (OSError, ValueError, IndexError, struct.error):
        return NO_REGIONS


@lru_cache(maxsize=2)
def _read_regions(path: str) -> Regions:
    """Read ``phone.dat``: a header, records ``province|city|post code|area code``, and a sorted index of blocks."""
    raw = Path(path).read_bytes()
    version, offset = struct.unpack("<4si", raw[:8])
    index = np.frombuffer(raw, np.dtype([("block", "<i4"), ("record", "<i4"), ("kind", "u1")]), offset=offset)
    records, inverse = np.unique(index["record"], return_inverse=True)
    places = [("", "")]
    for start in records.tolist():
        province, city = raw[start : raw.index(b"\0", start)].decode("utf-8").split("|")[:2]
        places.append((province, city))
    block = np.zeros(_BLOCKS, dtype=np.int16)
    inside = (index["block"] >= _FIRST_BLOCK) & (index["block"] < _FIRST_BLOCK + _BLOCKS)
    block[index["block"][inside] - _FIRST_BLOCK] = inverse[inside] + 1
    block.flags.writeable = False
    return Regions(version.decode("ascii", "replace"), block, tuple(places))


def region_codes(numbers: Numbers, regions: Regions) -> npt.NDArray[np.int16]:
    """Return for each eleven-digit number the position of its place in ``regions.places``; 0 where it has none."""
    block = numbers // 10_000 - _FIRST_BLOCK
    known = (block >= 0) & (block < _BLOCKS)
    return np.where(known, regions.block[np.where(known, block, 0)], np.int16(0))


def place_names(codes: npt.NDArray[np.int16], places: tuple[tuple[str, str], ...], part: int) -> pd.Categorical[str]:
    """Return provinces (`part` 0) or cities (1) for positions in `places`; empty names are missing."""
    names = [place[part] for place in places]
    categories = sorted({name for name in names if name})
    position = {name: index for index, name in enumerate(categories)}
    lookup = np.array([position.get(name, -1) for name in names], dtype=np.int16)
    return pd.Categorical.from_codes(lookup[codes], categories=pd.Index(categories, dtype="str"))


def _numbers(phones: Iterable[object]) -> Numbers:
    column: pd.Series[Any] = phones if isinstance(phones, pd.Series) else pd.Series(list(phones), dtype=object)
    return parse_phones(column)[0]
