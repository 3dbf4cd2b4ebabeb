"""Lengths of time as people write them: ``"10min"``, ``"2h"``, ``"3d"``."""

from __future__ import annotations

import re

from masanalytics.aliases import Length
from masanalytics.argument_kinds import is_number
from masanalytics.errors import InputError

__all__ = ["to_seconds"]

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)")
_WITH_UNITS = re.compile(r"-?P\S+|(?:\d+(?:\.\d+)?\s*[a-zµ]+[\s,]*)*(?:\d+:\d\d:\d\d(?:\.\d+)?)?", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def to_seconds(value: Length) -> int:
    """Return whole seconds for ``"10min"``, ``"2h"``, a timedelta (numpy's and pandas' too) or a number of seconds.

    A number in text has to say its unit: pandas would read ``"600"`` as nanoseconds.

    Raises
    ------
    InputError
        If it cannot be read as a length of time, has no unit, is missing, negative or without end.

    Examples
    --------
    >>> to_seconds("10min"), to_seconds(90), to_seconds("1h"), to_seconds("600 s")
    (600, 90, 3600, 600)
    """
    import pandas as pd

    written = _LENGTH.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if is_number(value):
        seconds = float(value)
    elif written is not None:
        seconds = float(written[1]) * _UNITS[written[2][0]]
    elif isinstance(value, str) and not _WITH_UNITS.fullmatch(value.strip()):
        raise _no_unit(value)
    else:
        try:  # True is no length, nor is a number of numpy's without a unit
            is_none = isinstance(value, bool) or str(getattr(value, "dtype", "")) == "timedelta64"
            seconds = float("nan") if is_none else pd.Timedelta(value).total_seconds()
        except (ValueError, TypeError, OverflowError) as error:
            raise _no_length(value) from error
    if not 0 <= seconds < float("inf"):
        raise _no_length(value)
    return int(seconds)


def _no_unit(value: str) -> InputError:
    """Return the error for a text that is no length, with the unit it lacks if it is a number."""
    try:
        number = float(value)
    except ValueError:
        return _no_length(value)
    if not 0 <= number < float("inf"):
        return _no_length(value)
    return InputError(
        "{value!r} is a length of time without a unit: write '{number:.15g} s' for seconds, or '10min', '2h', '3d'",
        value=value,
        number=number,
    )


def _no_length(value: object) -> InputError:
    return InputError(
        "{value!r} is not a length of time: write it as '600 s', '10min', '2h', '3d' or a number of seconds",
        value=value,
    )
