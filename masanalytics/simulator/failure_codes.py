"""The codes that reports carry, by what went wrong and at which carrier. Every one is in the catalogue of state-report codes.

The simulator keeps its own small table of carriers, from the public numbering plan, so that a mistake in the toolkit's table
cannot hide in both.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from masanalytics.simulator.behaviour import DELIVRD
from masanalytics.simulator.random_keys import Ints, Keys, uniform
from masanalytics.vocabulary import CARRIERS

__all__ = [
    "ALIVE",
    "BLOCKED",
    "CODES",
    "EMPTY",
    "EXPIRED",
    "FAULT",
    "OFF",
    "SUSPENDED",
    "carrier_index",
    "pick_codes",
]

MOBILE, UNICOM, TELECOM, BROADNET, UNKNOWN = range(len(CARRIERS))

_PREFIXES = {
    MOBILE: "134 135 136 137 138 139 147 148 150 151 152 157 158 159 165 172 178 182 183 184 187 188 195 197 198 1440 "
    "1703 1705 1706",
    UNICOM: "130 131 132 140 145 146 155 156 166 167 171 175 176 185 186 196 1704 1707 1708 1709",
    TELECOM: "133 141 149 153 162 173 177 180 181 189 190 191 193 199 1349 1410 1740 1700 1701 1702",
    BROADNET: "161 192",
}

ALIVE, EMPTY, SUSPENDED, BLOCKED, OFF, FAULT, EXPIRED = range(7)

# cause -> carrier -> the codes with their weights. China Mobile reports in CMPP codes, China Unicom in bare SGIP numbers,
# China Telecom in SMGP codes; a network it does not know ends in the general ones.
_MOBILE = {
    EMPTY: "MK:0001 6, MK:0012 3, MI:0011 1",
    SUSPENDED: "MK:0004 4, MK:0005 4, MI:0013 2",
    BLOCKED: "DB:0141 7, MB:1077 2, MK:0150 1",
    FAULT: "MI:0022 3, MK:0010 4, MK:0029 2, MI:0043 2, DB:0142 2, MN:0000 1, ID:0076 1, CB:0010 1, REJECTD 1, UNDELIV 3",
    EXPIRED: "EXPIRED 7, MI:0000 3",
}
_UNICOM = {
    EMPTY: "1 7, 67 2, UNDELIV 1",
    SUSPENDED: "5 5, 50 2, 99 2",
    BLOCKED: "DB:0141 1",
    FAULT: "15 4, 3 3, -43 1, 54 3, DB:0142 1, REJECTD 1, UNDELIV 2",
    EXPIRED: "EXPIRED 6, 54 4",
}
_TELECOM = {
    EMPTY: "UNDELIV_601 4, UNDELIV_701 4, UNDELIV 2",
    SUSPENDED: "UNDELIV_640 3, UNDELIV_660 2",
    BLOCKED: "DB:0141 1",
    FAULT: "UNDELIV_870 3, EXPIRED_612 2, REJECTD_006 1, UNDELIV_999 2, DB:0142 1, UNDELIV 2",
    EXPIRED: "EXPIRED_619 6, EXPIRED_010 2, EXPIRED 2",
}
_OTHER = {
    EMPTY: "UNDELIV 6, MK:0001 4",
    SUSPENDED: "UNDELIV 5, MK:0005 5",
    BLOCKED: "DB:0141 1",
    FAULT: "UNDELIV 6, REJECTD 2, MI:0043 2",
    EXPIRED: "EXPIRED 1",
}
_BY_CARRIER = (_MOBILE, _UNICOM, _TELECOM, _OTHER, _OTHER)


def _weights(text: str) -> dict[str, int]:
    """Read ``"MK:0001 6, MK:0012 3"``."""
    return {code: int(weight) for code, weight in (entry.split() for entry in text.split(", "))}


CODES = (
    DELIVRD,
    *dict.fromkeys(code for causes in _BY_CARRIER for text in causes.values() for code in _weights(text)),
)
"""Every code there is, ``DELIVRD`` first."""


def _tables() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return (cumulated weights, codes) as [cause, carrier, place] tables; ``DELIVRD`` alone for the living."""
    most = max(len(_weights(text)) for causes in _BY_CARRIER for text in causes.values())
    edges = np.ones((EXPIRED + 1, len(CARRIERS), most))
    codes = np.zeros((EXPIRED + 1, len(CARRIERS), most), dtype=np.int64)
    for carrier, causes in enumerate(_BY_CARRIER):
        for cause, text in causes.items():
            weights = _weights(text)
            edges[cause, carrier, : len(weights)] = np.cumsum(list(weights.values())) / sum(weights.values())
            codes[cause, carrier, : len(weights)] = [CODES.index(code) for code in weights]
    return edges, codes


_EDGES, _CODES = _tables()


def _carrier_table() -> npt.NDArray[np.int64]:
    """Return the carrier of each of the 10,000 four-digit starts; longer prefixes win."""
    table = np.full(10_000, UNKNOWN, dtype=np.int64)
    entries = [(prefix, carrier) for carrier, text in _PREFIXES.items() for prefix in text.split()]
    for prefix, carrier in sorted(entries, key=lambda entry: len(entry[0])):
        low = int(prefix.ljust(4, "0"))
        table[low : low + 10 ** (4 - len(prefix))] = carrier
    return table


_CARRIERS = _carrier_table()


def carrier_index(phones: Ints) -> Ints:
    """Return for each 11-digit number the position of its carrier in `masanalytics.vocabulary.CARRIERS`.

    Examples
    --------
    >>> [CARRIERS[i] for i in carrier_index(np.array([13800138000, 18600000000, 17700000000, 13490000000, -1]))]
    ['China Mobile', 'China Unicom', 'China Telecom', 'China Telecom', 'unknown']
    """
    starts = np.clip(phones // 10_000_000, 0, 9_999)
    return np.asarray(_CARRIERS[starts], dtype=np.int64)


def pick_codes(cause: Ints, carriers: Ints, messages: Keys, numbers: Keys) -> Ints:
    """Return for each message the position in `CODES` of the code its report carries.

    A dead number fails with one code every time; a fault on the way has a code of its own each time.
    """
    code = np.zeros(len(cause), dtype=np.int64)
    failed = np.flatnonzero(cause != ALIVE)
    if not len(failed):
        return code
    why, where = cause[failed], carriers[failed]
    lasting = (why == EMPTY) | (why == SUSPENDED) | (why == BLOCKED)
    chance = np.where(lasting, uniform(numbers[failed], 50), uniform(messages[failed], 51))
    column = (chance[:, None] >= _EDGES[why, where]).sum(axis=1)
    code[failed] = _CODES[why, where, np.minimum(column, _CODES.shape[2] - 1)]
    return code
