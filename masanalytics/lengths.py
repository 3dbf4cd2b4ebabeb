"""Lengths of time as people write them: ``"10min"``, ``"2h"``, ``"3d"``."""

from __future__ import annotations

import numbers
import re

from masanalytics.aliases import Length
from masanalytics.errors import InputError

__all__ = ["to_seconds"]

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def to_seconds(value: Length) -> int:
    """Return whole seconds for ``"10min"``, ``"2h"``, a timedelta or a number of seconds.

    Raises
    ------
    InputError
        If it cannot be read as a length of time, or is negative.

    Examples
    --------
    >>> to_seconds("10min"), to_seconds(90), to_seconds("1h")
    (600, 90, 3600)
    """
    import pandas as pd

    written = _LENGTH.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        seconds = float(value)
    elif written is not None:
        seconds = float(written[1]) * _UNITS[written[2][0]]
    else:
        try:
            seconds = pd.Timedelta(value).total_seconds()
        except (ValueError, TypeError) as error:
            raise _no_length(value) from error
    if not seconds >= 0:
        raise _no_length(value)
    return int(seconds)


def _no_length(value: object) -> InputError:
    return InputError(
        "{value!r} is not a length of time: write it as '10min', '2h', '3d' or a number of seconds",
        value=value,
    )
