"""The carrier a number's prefix was assigned to, from the public numbering plan.

The simulator keeps its own small table, so that a mistake in the toolkit's table cannot hide in both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from masanalytics.simulator.random_keys import Ints
from masanalytics.vocabulary import CARRIERS

__all__ = ["MOBILE", "TELECOM", "UNICOM", "carrier_index"]

MOBILE, UNICOM, TELECOM, BROADNET, UNKNOWN = range(len(CARRIERS))

_PREFIXES = {
    MOBILE: "134 135 136 137 138 139 147 148 150 151 152 157 158 159 165 172 178 182 183 184 187 188 195 197 198 1440 "
    "1703 1705 1706",
    UNICOM: "130 131 132 140 145 146 155 156 166 167 171 175 176 185 186 196 1704 1707 1708 1709",
    TELECOM: "133 141 149 153 162 173 177 180 181 189 190 191 193 199 1349 1410 1740 1700 1701 1702",
    BROADNET: "161 192",
}


def _table() -> npt.NDArray[np.int64]:
    """Return the carrier of each of the 10,000 four-digit starts; longer prefixes win."""
    table = np.full(10_000, UNKNOWN, dtype=np.int64)
    entries = [(prefix, carrier) for carrier, text in _PREFIXES.items() for prefix in text.split()]
    for prefix, carrier in sorted(entries, key=lambda entry: len(entry[0])):
        low = int(prefix.ljust(4, "0"))
        table[low : low + 10 ** (4 - len(prefix))] = carrier
    return table


_TABLE = _table()


def carrier_index(phones: Ints) -> Ints:
    """Return for each 11-digit number the position of its carrier in `masanalytics.vocabulary.CARRIERS`.

    Examples
    --------
    >>> [CARRIERS[i] for i in carrier_index(np.array([13800138000, 18600000000, 17700000000, 13490000000, -1]))]
    ['China Mobile', 'China Unicom', 'China Telecom', 'China Telecom', 'unknown']
    """
    starts = np.clip(phones // 10_000_000, 0, 9_999)
    return np.asarray(_TABLE[starts], dtype=np.int64)
