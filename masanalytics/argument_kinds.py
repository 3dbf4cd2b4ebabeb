"""Of what kind an argument of a public function must be, said before anything is done with it.

A path where the open store belongs, a column where its name belongs: whoever mixes two up is told which argument it was and what
it must be, in a sentence that shows nothing of the value, and not with the error that some line deep inside runs into.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import wraps
from numbers import Integral, Real
from typing import Final, ParamSpec, TypeGuard, TypeVar

from masanalytics.errors import InputError
from masanalytics.i18n import Text

__all__ = [
    "CLIENT",
    "CLOCK",
    "LENGTH",
    "NAME",
    "SEVERAL",
    "STORE",
    "TEXT",
    "TRUTH",
    "WHOLE",
    "WHOLES",
    "WORDS",
    "Kind",
    "check_kind",
    "checked_number",
    "is_number",
    "takes",
    "wrong_kind",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_LARGEST: Final = 2**63
"""The numbers that the file can hold are smaller."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of argument: how it is told, and what the error asks for."""

    is_right: Callable[[object], bool]
    wanted: Text


def _is_text(value: object) -> bool:
    """Whether it is a text that can be written: half an emoji cannot."""
    return isinstance(value, str) and not any("\ud800" <= mark <= "\udfff" for mark in value)


def _is_truth(value: object) -> bool:
    """Whether it is True or False, numpy's own too, which has a name of its own and no common parent."""
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number: True is none, nor is a length of time of numpy's, which says of itself that it is one.

    Examples
    --------
    >>> import numpy as np
    >>> is_number(np.int64(5)), is_number(True), is_number(np.timedelta64(5, "m")), is_number("5")
    (True, False, False, False)
    """
    return isinstance(value, (Real, Decimal)) and not isinstance(value, bool) and type(value).__name__ != "timedelta64"


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and is_number(value) and 0 <= int(value) < _LARGEST


def _is_length(value: object) -> bool:
    return is_number(value) and 0 <= float(value) < _LARGEST


def _are_several(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _are_whole(value: object) -> bool:
    return _are_several(value) and all(map(_is_whole, value))  # type: ignore[call-overload]


def _are_words(value: object) -> bool:
    return _are_several(value) and all(map(_is_text, value))  # type: ignore[call-overload]


STORE: Final = Kind(lambda value: hasattr(value, "sends"), Text("an open store, such as mas.Store('mas.db')"))
CLIENT: Final = Kind(lambda value: hasattr(value, "submit"), Text("a client, such as mas.Client(account)"))
CLOCK: Final = Kind(
    lambda value: hasattr(value, "now") and hasattr(value, "monotonic"), Text("a clock, such as a simulator's")
)
NAME: Final = Kind(_is_text, Text("a name, as text"))
TEXT: Final = Kind(_is_text, Text("a text"))
WHOLE: Final = Kind(_is_whole, Text("a whole number from 0"))
LENGTH: Final = Kind(_is_length, Text("a number from 0"))
TRUTH: Final = Kind(_is_truth, Text("True or False"))
SEVERAL: Final = Kind(_are_several, Text("several, such as a list or a column"))
WHOLES: Final = Kind(_are_whole, Text("several whole numbers, such as a list of them"))
WORDS: Final = Kind(_are_words, Text("several words, such as a list of them"))


def wrong_kind(argument: str, value: object, wanted: Text) -> InputError:
    """Return the error that an argument is something else than `wanted`. It shows nothing of the value.

    Examples
    --------
    >>> print(wrong_kind("limit", "5", Text("a whole number from 1")).text("en"))
    limit= is of type str: it must be a whole number from 1
    """
    return InputError(
        "{argument}= is of type {kind}: it must be {wanted}",
        argument=argument,
        kind=type(value).__name__,
        wanted=wanted,
    )


def check_kind(argument: str, value: object, kind: Kind) -> None:
    """Raise InputError if the value is of another kind."""
    if not kind.is_right(value):
        raise wrong_kind(argument, value, kind.wanted)


def checked_number(argument: str, value: object) -> float:
    """Return a number as one of Python's.

    Raises
    ------
    InputError
        If it is none, with the number that a text such as "2%" means.

    Examples
    --------
    >>> checked_number("rate", 0.5)
    0.5
    >>> checked_number("change", "2%")
    Traceback (most recent call last):
    masanalytics.errors.InputError: change='2%' is a text: write it as a number, 0.02
    """
    if is_number(value):
        return float(value)
    if not isinstance(value, str):
        raise wrong_kind(argument, value, Text("a number"))
    written = value.strip().replace("％", "%")
    try:
        meant = float(written.removesuffix("%")) / (100 if written.endswith("%") else 1)
    except ValueError:
        raise wrong_kind(argument, value, Text("a number")) from None
    raise InputError(
        "{argument}={value!r} is a text: write it as a number, {meant:.6g}", argument=argument, value=value, meant=meant
    )


def takes(**kinds: Kind) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Make a public function check what it is given; None is right where it is the default.

    Examples
    --------
    >>> @takes(campaign=NAME)
    ... def ask(store, campaign=None):
    ...     return campaign
    >>> ask("mas.db"), ask("mas.db", "spring")
    (None, 'spring')
    >>> ask("mas.db", campaign=5)
    Traceback (most recent call last):
    masanalytics.errors.InputError: campaign= is of type int: it must be a name, as text
    """

    def checked(function: Callable[_P, _R]) -> Callable[_P, _R]:
        signature = inspect.signature(function)
        optional = {name for name, one in signature.parameters.items() if one.default is None}
        if unknown := set(kinds) - set(signature.parameters):
            raise TypeError(f"{function.__name__} has no argument {sorted(unknown)}")

        @wraps(function)
        def checking(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            given = dict(zip(signature.parameters, args, strict=False)) | kwargs
            for name, kind in kinds.items():
                if name in given and not (given[name] is None and name in optional):
                    check_kind(name, given[name], kind)
            return function(*args, **kwargs)

        return checking

    return checked
