"""Phone numbers in the texts of a chart: a picture leaves the house, so they are masked unless they are asked for.

Whatever is written on a chart passes `as_shown` before it is shortened or broken into lines, which would hide a number from the
mask; `masanalytics.plot.fonts.printable` passes it once more, for texts that a chart writes by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from masanalytics.masking import mask_phones_in

__all__ = ["as_shown", "reveals"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_REVEALED: ContextVar[bool] = ContextVar("masanalytics_revealed", default=False)


def reveals(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make ``reveal=`` of a chart function hold for every text that is written while it runs, in charts inside it too.

    Examples
    --------
    >>> @reveals
    ... def name(*, reveal: bool = False) -> str:
    ...     return as_shown("customer 13800138000")
    >>> name(), name(reveal=True)
    ('customer 138****8000', 'customer 13800138000')
    """

    @wraps(function)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        before = _REVEALED.set(bool(kwargs.get("reveal")) or _REVEALED.get())
        try:
            return function(*args, **kwargs)
        finally:
            _REVEALED.reset(before)

    return wrapped


def as_shown(text: str) -> str:
    """Return a text of a chart as it may be shown.

    Examples
    --------
    >>> as_shown("customer 13800138000")
    'customer 138****8000'
    """
    return text if _REVEALED.get() else mask_phones_in(text)
