"""What was meant: a misspelt argument, method or name of the package is answered with the one that comes near.

Python says that there is no such name, and leaves the search to whoever typed it; in a notebook nothing else is said.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from masanalytics.errors import InputError
from masanalytics.i18n import Text, _
from masanalytics.text import nearest

__all__ = ["asked_arguments", "check_arguments", "named_arguments", "no_name", "suggests_names"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_C = TypeVar("_C", bound=type)
_ALIKE = 0.7
"""How alike an argument must be to be what was meant: `again` is no `campaign`."""
_asked: ContextVar[tuple[str, ...]] = ContextVar("masanalytics_asked", default=())


def asked_arguments() -> tuple[str, ...]:
    """Return the names of the arguments of the public functions that are at work, the outermost first."""
    return _asked.get()


def named_arguments(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a public function say which argument was meant where it has none of the name.

    A function that takes any name (``**where``) leaves the question to whoever knows the columns, and lends its arguments.

    Examples
    --------
    >>> @named_arguments
    ... def plan(frame: object, *, campaign: str = "") -> str:
    ...     return campaign
    >>> plan([], campaign="spring")
    'spring'
    >>> plan([], campagn="spring")
    Traceback (most recent call last):
    masanalytics.errors.InputError: plan() has no argument 'campagn' (did you mean 'campaign'?)
    """
    own, is_strict = _own_arguments(function)
    known = frozenset(own)

    @wraps(function)
    def naming(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if is_strict and not known.issuperset(kwargs):
            check_arguments(function, kwargs)
        with _asking(own):
            return function(*args, **kwargs)

    return naming


def check_arguments(function: Callable[..., Any], given: Iterable[str]) -> None:
    """Raise InputError for a name that is none of the function's arguments, with the one that was meant.

    Names that come near nothing are left to a function that has something to say of them: one that takes ``**gone``.

    Examples
    --------
    >>> def plan(frame: object, *, campaign: str = "", **gone: object) -> None: ...
    >>> check_arguments(plan, ["campaign", "again"])
    >>> check_arguments(plan, ["Campaing"])
    Traceback (most recent call last):
    masanalytics.errors.InputError: plan() has no argument 'Campaing' (did you mean 'campaign'?)
    """
    own = [name for name in _own_arguments(function)[0] if name != "self"]
    says_more = any(one.kind is one.VAR_KEYWORD for one in inspect.signature(function).parameters.values())
    values: dict[str, Any] = {"function": function.__qualname__.removesuffix(".__init__")}
    for name in given:
        near = [] if name in own else nearest(name, own, count=1, cutoff=_ALIKE)
        if near:
            raise InputError(
                "{function}() has no argument {name!r} (did you mean {near!r}?)", name=name, near=near[0], **values
            )
        if name not in own and not says_more:
            raise InputError(
                "{function}() has no argument {name!r}; it takes {known}", name=name, known=own or ["-"], **values
            )


def _own_arguments(function: Callable[..., Any]) -> tuple[tuple[str, ...], bool]:
    """Return the names of the arguments, and whether every other name is refused, if only after a look at it."""
    parameters = inspect.signature(function).parameters.values()
    named = tuple(one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY))
    return named, all(one.kind is not one.VAR_KEYWORD or one.name == "gone" for one in parameters)


@contextmanager
def _asking(own: tuple[str, ...]) -> Iterator[None]:
    token = _asked.set((*_asked.get(), *own))
    try:
        yield
    finally:
        _asked.reset(token)


def no_name(owner: str, name: str, known: Iterable[str], holder: object = None) -> AttributeError:
    """Return the error that `owner` has nothing of this name, with what comes near.

    Examples
    --------
    >>> print(no_name("masanalytics", "delivry_rates", ["delivery_rates", "latency"]))
    masanalytics has no 'delivry_rates' (did you mean 'delivery_rates'?)
    """
    near = [] if name.startswith("_") else nearest(name, known, count=1)
    hint: Text | str = Text(" (did you mean {near!r}?)", near=near[0]) if near else ""
    return AttributeError(_("{owner} has no {name!r}{hint}", owner=owner, name=name, hint=hint), name=name, obj=holder)


def suggests_names(cls: _C) -> _C:
    """Make a public class say which method or argument was meant where it has none of the name.

    Examples
    --------
    >>> @suggests_names
    ... class Store:
    ...     def campaigns(self, price: float = 0.0) -> float:
    ...         return price
    >>> Store().campaign
    Traceback (most recent call last):
    AttributeError: Store has no 'campaign' (did you mean 'campaigns'?)
    >>> Store().campaigns(pirce=0.05)
    Traceback (most recent call last):
    masanalytics.errors.InputError: Store.campaigns() has no argument 'pirce' (did you mean 'price'?)
    """
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and (name == "__init__" or not name.startswith("_")):
            setattr(cls, name, named_arguments(member))

    def missing(self: object, name: str) -> Any:
        if name.startswith("_") or hasattr(type(self), name):  # a property that failed says itself what is wrong
            return object.__getattribute__(self, name)
        raise no_name(type(self).__name__, name, dir(self), self)

    cls.__getattr__ = missing  # type: ignore[attr-defined]  # not in the class: a type checker shall not take any name for one
    return cls
