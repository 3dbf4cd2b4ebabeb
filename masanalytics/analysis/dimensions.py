"""The dimensions a question is asked by: columns, and what is derived from them.

A source of messages (a frame, a Store) is asked for *source dimensions*: its own columns, ``prefix``, and parts of
``submitted_at`` in China time, which are whole-number arithmetic on epoch seconds and so can run inside any source:

=================  ======================================================================
``hour``           0..23
``weekday``        0..6, Monday is 0
``day``            the epoch second at which the day begins
``time/SECONDS``   the epoch second at which the bucket of that width begins
``prefix``         the first three digits of ``phone``
``#window``        how far the message has been observed (below)
``#late/SECONDS``  1 where the message's report came later than that after submission, else 0; with several lengths, divided
                   by commas, how many of them it came later than
``#night``         1 where it was submitted between 21:00 and 08:00, else 0; only of sources that bin seconds
=================  ======================================================================

The *window* of a message is 0 where 72 h after its submission are covered without a hole, else 1, or 2 where only a hole (an
answer known to be missing) is in the way; and 3 + s where its report is dated later than it has been observed, s seconds after
submission: other reports of that time have not been heard yet, so for anything that counts who is still open the message was
open when last seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from masanalytics.errors import InputError, missing_columns
from masanalytics.i18n import Text
from masanalytics.near_names import asked_arguments
from masanalytics.text import nearest
from masanalytics.timezone import CHINA_OFFSET_S
from masanalytics.vocabulary import DERIVED

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BEYOND",
    "DAY_S",
    "FIRST_HOUR",
    "HIDDEN",
    "LAST_HOUR",
    "MATURED",
    "NIGHT",
    "PREFIX_DIGITS",
    "WINDOW",
    "YOUNG",
    "TimePart",
    "as_days",
    "as_hours",
    "as_names",
    "columns_behind",
    "fold_ages",
    "how_many_below",
    "is_column",
    "is_derived",
    "late_after",
    "late_dimension",
    "missing_in_messages",
    "present",
    "time_part",
    "unknown_argument",
]

_T = TypeVar("_T")
_COMMON = ("by", "since", "until", "where", "within", "language")
DAY_S = 86_400
PREFIX_DIGITS = 3
WINDOW = "#window"
NIGHT = "#night"
FIRST_HOUR, LAST_HOUR = 8, 21
"""Between the last and the first of these hours messages may be held until the morning."""
_LATE = "#late/"
MATURED, YOUNG, HIDDEN, BEYOND = 0, 1, 2, 3


class TimePart(NamedTuple):
    """A part of ``submitted_at``: ``((t + shift) // width + offset) % modulo``; without `modulo` the bucket's start."""

    width: int
    modulo: int | None = None
    offset: int = 0
    shift: int = CHINA_OFFSET_S

    def of(self, epoch: Any) -> Any:
        """Apply it to epoch seconds: a number, an array, or a column expression."""
        index = (epoch + self.shift) // self.width
        return index * self.width - self.shift if self.modulo is None else (index + self.offset) % self.modulo


# 1970-01-01 was a Thursday: day 0 is weekday 3.
_TIME_PARTS = {"hour": TimePart(3600, 24), "weekday": TimePart(DAY_S, 7, 3), "day": TimePart(DAY_S)}


def time_part(name: str) -> TimePart | None:
    """Return how the dimension `name` follows from ``submitted_at``, or None if it is not a part of time.

    Examples
    --------
    >>> part = time_part("hour")
    >>> part.of(1630910706)  # 2021-09-06 14:45:06 in China
    14
    >>> time_part("weekday").of(1630910706), time_part("time/900").of(1630910706) - 1630910706
    (0, -6)
    >>> time_part("carrier") is None
    True
    """
    kind, _, width = name.partition("/")
    if kind == "time" and width.isdigit() and int(width) > 0:
        return TimePart(int(width))
    return _TIME_PARTS.get(name)


def late_dimension(*ages: int) -> str:
    """Return the dimension that tells how many of the `ages` (seconds after submission) a report came later than.

    Examples
    --------
    >>> late_dimension(600), late_dimension(60, 5)
    ('#late/600', '#late/5,60')
    """
    return _LATE + ",".join(str(age) for age in sorted(ages))


def late_after(name: str) -> tuple[int, ...] | None:
    """Return the ages that the dimension `name` compares a report with, in ascending order; None if it is another dimension.

    Examples
    --------
    >>> late_after("#late/600"), late_after("#late/5,60"), late_after("carrier")
    ((600,), (5, 60), None)
    """
    return tuple(map(int, name.removeprefix(_LATE).split(","))) if name.startswith(_LATE) else None


def fold_ages(
    ages: Sequence[int], choose: Callable[[int, _T, _T], _T], number: Callable[[int], _T], first: int = 0
) -> _T:
    """Return an expression for how many of the ascending `ages` a length of time is beyond, in as few comparisons as can be.

    Parameters
    ----------
    ages : sequence of int
        The ages.
    choose : callable
        From an age, and what is true up to it and beyond it, to the expression that chooses; what is unknown is not beyond.
    number : callable
        From a number to its expression.
    first : int
        How many ages it is beyond already.
    """
    if not ages:
        return number(first)
    half = len(ages) // 2
    below = fold_ages(ages[:half], choose, number, first)
    return choose(ages[half], below, fold_ages(ages[half + 1 :], choose, number, first + half + 1))


def how_many_below(ages: Sequence[int], seconds: str) -> str:
    """Return SQL for how many of the ascending `ages` are less than `seconds`: of unknown ones 0.

    Examples
    --------
    >>> how_many_below([5], "s"), how_many_below([1, 5], "s")
    ('CASE WHEN s > 5 THEN 1 ELSE 0 END', 'CASE WHEN s > 5 THEN 2 ELSE CASE WHEN s > 1 THEN 1 ELSE 0 END END')
    """
    return fold_ages(ages, lambda age, below, above: f"CASE WHEN {seconds} > {age} THEN {above} ELSE {below} END", str)


def is_derived(name: str, available: Sequence[str]) -> bool:
    """Return whether the dimension `name` is not a column of the messages but follows from some."""
    return name not in available and (name in DERIVED or time_part(name) is not None)


def is_column(name: str, available: Sequence[str]) -> bool:
    """Return whether messages can be narrowed by `name`: it is a column of theirs, or follows from some."""
    return name in available or name in DERIVED or time_part(name) is not None


def unknown_argument(name: str, available: Sequence[str], arguments: Iterable[str] = ()) -> InputError:
    """Return the error that a keyword argument is neither one of the function's nor a column of the messages.

    Parameters
    ----------
    name : str
        The argument.
    available : sequence of str
        The columns there are.
    arguments : iterable of str
        The function's own arguments, where they are known.

    Examples
    --------
    >>> print(unknown_argument("camapign", ["campaign", "phone"]).text("en"))
    unknown argument 'camapign' (did you mean 'campaign'?): the function has none of this name, and the messages no such column
    """
    known = [*asked_arguments(), *arguments, *available, *DERIVED, *_COMMON]
    near = nearest(name, [one for one in known if one != name], count=1, cutoff=0.6)
    hint = Text(" (did you mean {near!r}?)", near=near[0]) if near else ""
    return InputError(
        "unknown argument {name!r}{hint}: the function has none of this name, and the messages no such column",
        name=name,
        hint=hint,
    )


def columns_behind(names: Iterable[str], available: Sequence[str]) -> list[str]:
    """Return the columns that the dimensions `names` are, or are derived from; each once.

    Examples
    --------
    >>> columns_behind(["hour", "prefix", "arm"], ["phone", "submitted_at", "arm"])
    ['submitted_at', 'phone', 'arm']
    """
    needed = {"prefix": ["phone"], "category": ["status", "error_code", *({"carrier"} & set(available))]}
    parts = (
        [name] if name in available else ["submitted_at"] if time_part(name) else needed.get(name, [name])
        for name in names
    )
    return list(dict.fromkeys(column for part in parts for column in part))


def as_names(by: str | Iterable[str] | None) -> list[str]:
    """Return `by` as a list of names, each once.

    Examples
    --------
    >>> as_names("carrier"), as_names(["day", "day", "hour"]), as_names(None)
    (['carrier'], ['day', 'hour'], [])
    """
    if by is None:
        return []
    names = [by] if isinstance(by, str) else list(by)
    for name in names:
        if not isinstance(name, str):
            raise InputError("by={name!r}: give the names of columns", name=name)
    return list(dict.fromkeys(names))


def present(name: str, raw: pd.Series) -> pd.Series:
    """Return a counted dimension as frames show it: days and buckets as times, hours and weekdays as whole numbers."""
    import pandas as pd

    part = time_part(name)
    if part is None:
        return raw
    numbers = pd.to_numeric(raw).astype("Int64")
    if part.modulo is not None:
        return numbers
    starts = numbers + part.shift if name == "day" else numbers
    stamps = pd.Series(pd.to_datetime(starts, unit="s"), index=raw.index).astype("datetime64[s]")
    return stamps if name == "day" else stamps.dt.tz_localize("UTC").dt.tz_convert("Asia/Shanghai")


def as_days(column: pd.Series) -> pd.Series:
    """Return the dimension ``day`` as times; a frame may have a column of its own of that name, and of it what is no time is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> as_days(pd.Series(["2026-01-02", "Monday"])).notna().tolist()
    [True, False]
    """
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    return pd.Series(pd.to_datetime(column.astype("str"), errors="coerce", format="ISO8601"), index=column.index)


def as_hours(column: pd.Series) -> pd.Series:
    """Return the dimension ``hour`` as numbers; a frame may have a column of its own of that name, and of it what is none is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> as_hours(pd.Series(["9", "noon"])).fillna(-1).tolist()
    [9.0, -1.0]
    """
    import pandas as pd

    return column if pd.api.types.is_numeric_dtype(column.dtype) else pd.to_numeric(column, errors="coerce")


def missing_in_messages(wanted: Iterable[str], available: Iterable[str]) -> InputError | None:
    """Return the error that names the columns of `wanted` that the messages lack, with the nearest names; or None."""
    return missing_columns(wanted, available, frame=Text("the messages"), hints=DERIVED)
