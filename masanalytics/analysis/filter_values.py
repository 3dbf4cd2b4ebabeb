"""Values of filters as columns have them: names and numbers however they are written, statuses by name or number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from masanalytics.errors import InputError
from masanalytics.phones import normalise_phones
from masanalytics.text import plain_name
from masanalytics.vocabulary import Status

__all__ = ["as_kept", "no_filter", "options_within", "spelled_options", "status_numbers", "with_plain_forms"]

_WIDEST: Final = 2**63
_NAMES: Final = ("campaign", "round", "arm", "key")


def options_within(options: Iterable[Any]) -> list[Any]:
    """Return the values but for numbers of more than 64 bits, or infinite ones: no message has one, and a frame cannot look for it.

    Examples
    --------
    >>> options_within([1, 10**30, float("inf"), "1", None])
    [1, '1', None]
    """
    return [option for option in options if not isinstance(option, (int, float)) or -_WIDEST <= option < _WIDEST]


def as_kept(name: str, options: Iterable[Any]) -> list[Any]:
    """Return the values of a column as a store keeps them: names and numbers that look alike are one.

    Examples
    --------
    >>> as_kept("arm", [" A"]), as_kept("phone", ["+86 138-0013-8000", "139~ab"])
    (['A'], ['13800138000', '139~ab'])
    """
    import pandas as pd

    known = [option for option in options if option is not None]
    if name in _NAMES:
        return [plain_name(str(option)) for option in known]
    if name == "phone":  # in any form; what is no number is a name of somebody who was forgotten
        numbers = normalise_phones(pd.Series(known, dtype=object))["phone"]
        return [option if pd.isna(number) else number for option, number in zip(known, numbers, strict=True)]
    return known


def no_filter(name: str) -> InputError:
    """Return the error that says of a time, or of a length of time, by what messages are narrowed instead."""
    if name in ("latency_s", "waited_s"):
        return InputError("messages cannot be narrowed by {name!r}: use within= for the age of reports", name=name)
    return InputError("messages cannot be narrowed by {name!r}: use since= and until= for times", name=name)


def with_plain_forms(name: str, options: Iterable[Any]) -> list[Any]:
    """Return the values of a column of texts as given, and as a store would have kept them.

    Examples
    --------
    >>> with_plain_forms("round", [" 2", None]), with_plain_forms("carrier", ["a"])
    ([' 2', None, '2'], ['a'])
    """
    given = list(options)
    return list(dict.fromkeys([*given, *as_kept(name, given)])) if name in (*_NAMES, "phone") else given


def spelled_options(options: Iterable[Any], *, as_numbers: bool) -> list[Any]:
    """Return statuses, by name or number, as a column spells them; what is no status is as it was.

    Examples
    --------
    >>> spelled_options(["delivered", 6, None], as_numbers=False), spelled_options(["delivered", "?"], as_numbers=True)
    (['delivered', 'failed', None], [5, '?'])
    """

    def spelled(option: Any) -> Any:
        try:
            (number,) = status_numbers([option])
        except InputError:
            return option
        return option if number < 0 else number if as_numbers else Status(number).name

    return [spelled(option) for option in options]


def status_numbers(distinct: Iterable[Any]) -> list[int]:
    """Return each status (its name, or its number) as a number; a missing one as -1.

    Raises
    ------
    InputError
        If one is not a status.

    Examples
    --------
    >>> status_numbers(["delivered", None, 4])
    [5, -1, 4]
    """
    import numpy as np

    found = [(value, _status_number(value)) for value in distinct]
    unknown = [value for value, number in found if number is None]
    if unknown:
        value = min(unknown, key=str)  # the same one whatever the order in which an engine found them
        value = value.item() if isinstance(value, np.generic) else value
        raise InputError(
            "status {value!r} is not one of {names}", value=value, names=[status.name for status in Status]
        )
    return [number for _, number in found if number is not None]


def _status_number(value: Any) -> int | None:
    """Return the number of a status, -1 of a missing one; None of what is no status, such as yes and no."""
    import numpy as np
    import pandas as pd

    if isinstance(value, (bool, np.bool_)):
        return None
    if pd.isna(value):
        return -1
    if isinstance(value, str):
        return int(Status[value]) if value in Status.__members__ else None
    return int(value) if value in [int(status) for status in Status] else None
