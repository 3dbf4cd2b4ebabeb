"""The arguments that all charts have: a title and a size of the user's own, numbers shown or not; and what is no argument."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import pandas as pd

from masanalytics.analysis.dimensions import is_column, unknown_argument
from masanalytics.errors import InputError
from masanalytics.formatting import group_label
from masanalytics.plot.masked import reveals

__all__ = ["asked_size", "asked_title", "chart_arguments", "regrouped", "sorted_groups"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_TITLE: ContextVar[str | None] = ContextVar("masanalytics_title", default=None)
_SIZE: ContextVar[tuple[float, float] | None] = ContextVar("masanalytics_size", default=None)
_IN_ORDER = ("day", "hour", "weekday", "time", "segments")


def chart_arguments(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make ``title=``, ``figsize=`` and ``reveal=`` of a chart function hold while it runs, and refuse what is no argument.

    Examples
    --------
    >>> @chart_arguments
    ... def name(data: object, *, title: str | None = None, figsize: object = None, **keywords: object) -> str:
    ...     return asked_title("Delivery rate")
    >>> name(pd.DataFrame(columns=["status"])), name(pd.DataFrame(columns=["status"]), title="Spring")
    ('Delivery rate', 'Spring')
    >>> try:
    ...     name(pd.DataFrame(columns=["status"]), figsiz=(4, 3))
    ... except InputError as error:
    ...     print(error.text("en"))
    unknown argument 'figsiz' (did you mean 'figsize'?): the function has none of this name, and the messages no such column
    """
    own = inspect.signature(function).parameters
    shown = reveals(function)

    @wraps(function)
    def wrapped(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        _refuse_unknown(function.__name__, own, args, kwargs)
        title, size = kwargs.get("title"), kwargs.get("figsize")
        before = _TITLE.set(None if title is None else str(title)), _SIZE.set(_checked_size(size, kwargs.get("ax")))
        try:
            return shown(*args, **kwargs)
        finally:
            _TITLE.reset(before[0])
            _SIZE.reset(before[1])

    return wrapped


def asked_title(otherwise: str) -> str:
    """Return the title that was asked for."""
    title = _TITLE.get()
    return otherwise if title is None else title


def asked_size() -> tuple[float, float] | None:
    """Return the size of the figure that was asked for, in inches."""
    return _SIZE.get()


def _checked_size(size: Any, ax: object) -> tuple[float, float] | None:
    if size is None:
        return None
    if ax is not None:
        raise InputError(
            "figsize= is of a figure that the chart makes itself: give the size to plt.subplots(figsize=…) instead of ax="
        )
    try:
        width, height = (float(one) for one in size)
    except (TypeError, ValueError):
        width = height = 0.0
    if not (0 < width < 100 and 0 < height < 100):
        raise InputError("figsize={size!r}: give width and height in inches, such as (9, 5)", size=size)
    return width, height


def _refuse_unknown(
    name: str, own: Mapping[str, inspect.Parameter], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> None:
    """Raise for a keyword that neither the chart nor the analysis behind it takes, and that is no column of the messages."""
    extra = [key for key in kwargs if key not in own]
    if not extra:
        return
    data = args[0] if args else kwargs.get("data", kwargs.get("before"))
    columns = _columns_of(data)
    known = {"since", "until", "where", *_analysis_arguments(name)}
    if "sort" in extra:
        raise InputError("{name} has an order of its own: sort= is for the charts of groups", name=name)
    for key in extra:
        if columns is not None and key not in known and not is_column(key, columns):
            raise unknown_argument(key, columns, [*own, *known])


def _analysis_arguments(name: str) -> list[str]:
    from masanalytics import analysis

    function = getattr(analysis, {"heatmap": "delivery_rates", "overview": "delivery_rates"}.get(name, name), None)
    parameters = inspect.signature(function).parameters if function is not None else {}
    return [one for one, parameter in parameters.items() if parameter.kind is not inspect.Parameter.VAR_KEYWORD]


def _columns_of(data: object) -> list[str] | None:
    from masanalytics.analysis.sources import as_source

    try:
        return list(as_source(data).message_columns())  # type: ignore[arg-type]
    except InputError:  # what it is instead is said by whoever reads it
        return None


def sorted_groups(result: pd.DataFrame, columns: list[str], sort: str | None, *, size: str, rate: str) -> pd.DataFrame:
    """Return groups in the order that was asked for: the largest first, unless they have an order of their own.

    Parameters
    ----------
    sort : {"size", "rate", "name"}, optional
        The largest first, the best rate first, or by name. By default by size, and days, hours and weekdays as they come.
    size, rate : str
        The columns of the result that tell.

    Examples
    --------
    >>> rates = pd.DataFrame({"arm": ["A", "B"], "accepted": [10, 20], "delivery_rate": [0.9, 0.8]})
    >>> [sorted_groups(rates, ["arm"], by, size="accepted", rate="delivery_rate")["arm"].tolist() for by in (None, "rate", "name")]
    [['B', 'A'], ['A', 'B'], ['A', 'B']]
    """
    _check_sort(sort)
    if sort == "name" or not columns or (sort is None and any(name.startswith(_IN_ORDER) for name in columns)):
        return result
    ordered = result.sort_values(rate if sort == "rate" else size, ascending=False, kind="stable", na_position="last")
    is_total = ordered[columns[0]].astype(object).eq("total")
    ordered = pd.concat([ordered[~is_total], ordered[is_total]])
    ordered.attrs = result.attrs
    return ordered


def regrouped(
    result: pd.DataFrame, columns: list[str], sort: str | None, worth: Callable[[pd.DataFrame], tuple[float, float]]
) -> pd.DataFrame:
    """Return a result of several rows a group with its groups in the order that was asked for; by default as they come.

    Parameters
    ----------
    sort : {"size", "rate", "name"}, optional
        The largest first, the best rate first, or by name.
    worth : function
        Of the rows of a group: how large it is, and how good.

    Examples
    --------
    >>> curve = pd.DataFrame({"arm": ["B", "B", "A"], "n": [5, 5, 9], "share": [0.2, 0.9, 0.8]})
    >>> def of(rows: pd.DataFrame) -> tuple[float, float]:
    ...     return rows["n"].iloc[0], rows["share"].iloc[-1]
    >>> [regrouped(curve, ["arm"], sort, of)["arm"].tolist() for sort in (None, "size", "rate", "name")]
    [['B', 'B', 'A'], ['A', 'B', 'B'], ['B', 'B', 'A'], ['A', 'B', 'B']]
    """
    _check_sort(sort)
    if sort is None or not columns or result.empty:
        return result
    groups = [part for _key, part in result.groupby(columns, dropna=False, sort=False)]
    if sort == "name":
        groups.sort(key=lambda part: group_label(columns, list(part[columns].iloc[0])))
    else:
        groups.sort(key=lambda part: -worth(part)[0 if sort == "size" else 1])
    ordered = pd.concat(groups)
    ordered.attrs = result.attrs
    return ordered


def _check_sort(sort: str | None) -> None:
    if sort not in (None, "size", "rate", "name"):
        raise InputError("sort={sort!r}: say 'size', 'rate' or 'name'", sort=sort)
