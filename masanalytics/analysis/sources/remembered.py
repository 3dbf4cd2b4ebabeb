"""What a source has answered is not asked again: within one call of the analysis, and between calls while no message changes.

A call asks several questions, and a report asks every statistic; many of them are the same grouped count, or a coarser one.
Between calls answers are kept for the sources that can say whether anything has changed since: a Store (SQLite counts the changes),
and a DuckDB relation over Parquet files on this machine (by their sizes and times).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, cast, runtime_checkable

import numpy as np

from masanalytics.analysis.filter_values import status_numbers
from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import ColumnKind, MessageSource, RawCounts, Seconds
from masanalytics.analysis.sources.duckdb_relation import explaining_duckdb
from masanalytics.analysis.sources.pandas import factorize

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Answers", "RememberedMessages", "TellsChanges", "asks_once", "remembered"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_MOST_ROWS: Final = 4_000_000
"""Some 75 MB a million: a report of fifty million messages asks for five and a half, and adds two and a half up from these."""
_SMALL: Final = 1_000
_MOST_SOURCES: Final = 4


@runtime_checkable
class TellsChanges(Protocol):
    """A source that can say whether its messages are still the same."""

    def state(self) -> Hashable | None:
        """Return what is equal only as long as no message changes; None where that cannot be told just now."""
        ...


class Answers:
    """Answers by question, of the large ones those asked for last: so many rows of counted tables at most."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._rows = 0

    def get(self, question: Hashable) -> Any:
        """Return the answer to `question`, or None."""
        found = self._found.get(question)
        if found is None:
            return None
        self._found.move_to_end(question)
        return found[0]

    def keep(self, question: Hashable, answer: Any, rows: int = 1) -> None:
        """Keep an answer of so many rows."""
        self._found[question] = (answer, rows)
        self._rows += rows
        while self._rows > _MOST_ROWS:
            # What is small is kept: it makes no room, and may have been a long way to find.
            large = [key for key, (_, size) in list(self._found.items()) if size > _SMALL and key != question]
            if not large:
                break
            # What a finer table still tells goes first: it needs no question to come back.
            old = next((key for key in large if isinstance(key, _Count) and len(self._that_tell(*key)) > 1), large[0])
            self._rows -= self._found.pop(old)[1]

    def finer(self, by: Sequence[str], where: Hashable, seconds: Seconds | None) -> RawCounts | None:
        """Return the smallest table of the same messages that has these dimensions and seconds among others."""
        found = self._that_tell(by, where, seconds)
        smallest = min(found, key=lambda question: self._found[question][1], default=None)
        return None if smallest is None else cast("RawCounts", self.get(smallest))

    def _that_tell(self, by: Sequence[str], where: Hashable, seconds: Seconds | None) -> list[_Count]:
        """Return the questions whose tables have these dimensions and seconds, of the same messages."""
        return [
            question
            for question in list(self._found)
            if isinstance(question, _Count)
            and question.where == where
            and seconds in (None, question.seconds)
            and set(by) <= set(question.by)
        ]


class _Count(tuple[Any, ...]):
    """The question of a grouped count: dimensions, filters, seconds."""

    __slots__ = ()

    @property
    def by(self) -> tuple[str, ...]:
        return cast("tuple[str, ...]", self[0])

    @property
    def where(self) -> Hashable:
        return cast("Hashable", self[1])

    @property
    def seconds(self) -> Seconds | None:
        return cast("Seconds | None", self[2])


class RememberedMessages:
    """A source of messages that is asked each question once."""

    def __init__(self, source: MessageSource, answers: Answers) -> None:
        self._source = source
        self._answers = answers

    @property
    def plain(self) -> MessageSource:
        """The source itself, for what is not kept."""
        return self._source

    def grouped_count(self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome") -> RawCounts:
        """Count, or take the count from an answer to the same question or a finer one."""
        key = _as_key(where)
        if key is None:
            return RawCounts(*self._source.grouped_count(by, where=where, seconds=seconds))
        question = _Count((tuple(sorted(by)), key, seconds))
        known: RawCounts | None = self._answers.get(question)
        if known is None:
            finer = self._answers.finer(by, key, seconds) or self._of_statuses(by, where, seconds)
            if finer is None:
                known = RawCounts(*self._source.grouped_count(by, where=where, seconds=seconds))
            else:
                known = _rolled_up(finer, by, seconds)
            for values in (known.status, known.seconds, known.n):
                values.flags.writeable = False
            # What shares the numbers of a finer answer takes no room of its own.
            is_own = finer is None or known.n is not finer.n
            self._answers.keep(question, known, len(known.n) if is_own else 1)
        return known if list(known.keys) == list(by) else known._replace(keys=known.keys[list(by)])

    def _of_statuses(self, by: Sequence[str], where: Filters, seconds: Seconds | None) -> RawCounts | None:
        """Return those rows of a finer count of all statuses that have the ones asked for."""
        others = {name: options for name, options in where.values.items() if name != "status"}
        key = _as_key(replace(where, values=others))
        finer = None if len(others) == len(where.values) else self._answers.finer(by, key, seconds)
        if finer is None:
            return None
        chosen = np.isin(finer.status, status_numbers(where.values["status"]))
        keys = finer.keys[chosen].reset_index(drop=True)
        return RawCounts(keys, finer.status[chosen], finer.seconds[chosen], finer.n[chosen])

    def once(self, question: Hashable, find: Callable[[], _R]) -> _R:
        """Return what `find` returns, found once for all who ask the same `question`."""
        key = ("once", question)
        known = self._answers.get(key)
        if known is None:
            known = (find(),)
            self._answers.keep(key, known)
        return cast("_R", known[0])

    def estimated_count(self, where: Filters) -> int:
        """Return about how many messages pass `where`."""
        return self._about("estimated", where, self._source.estimated_count)

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        """Return the coverage of the messages that pass `where`."""
        return self._about("coverage", where, self._source.coverage_summary)

    def repeated_messages(self) -> int:
        """Return how many rows show a message that another row shows too."""
        return self.once("repeated", self._source.repeated_messages)

    def message_columns(self) -> Sequence[str]:
        """Return the names of the columns there are."""
        return self.once("columns", self._source.message_columns)

    def column_kind(self, name: str) -> ColumnKind | None:
        """Return what a column holds."""
        return self.once(("kind", name), lambda: self._source.column_kind(name))

    def message_rows(self, columns: Sequence[str], *, where: Filters) -> pd.DataFrame:
        """Return these columns of the messages that pass `where`: rows are not kept."""
        return self._source.message_rows(columns, where=where)

    def _about(self, what: str, where: Filters, find: Callable[[Filters], _R]) -> _R:
        key = _as_key(where)
        return find(where) if key is None else self.once((what, key), lambda: find(where))


@dataclass
class _Held:
    """What one call has of one source: the data, so that its id stays its own, the source, and how it was at first."""

    data: object
    source: RememberedMessages
    plain: MessageSource
    state: Hashable | None


_held: ContextVar[dict[int, _Held] | None] = ContextVar("held", default=None)
_between_calls: OrderedDict[Hashable, Answers] = OrderedDict()


def asks_once(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a function of the analysis, and all that it calls, ask a source each question once."""

    @wraps(function)
    def asking(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if _held.get() is not None:
            return function(*args, **kwargs)
        with _one_call():
            return function(*args, **kwargs)

    return asking


@contextmanager
def _one_call() -> Iterator[None]:
    sources: dict[int, _Held] = {}
    token = _held.set(sources)
    try:
        with explaining_duckdb():
            yield
    finally:
        _held.reset(token)
        for one in sources.values():
            if (
                one.state is not None and _state(one.plain) != one.state
            ):  # it changed meanwhile: some answers are of before
                _between_calls.pop(one.state, None)


def remembered(data: object, find: Callable[[], MessageSource]) -> MessageSource:
    """Return the source of `data` that remembers its answers while a function that `asks_once` runs; else what `find` returns."""
    sources = _held.get()
    if sources is None:
        return find()
    held = sources.get(id(data))
    if held is None:
        plain = find()
        state = _state(plain)
        held = sources[id(data)] = _Held(data, RememberedMessages(plain, _answers_of(state)), plain, state)
    return held.source


def _state(source: MessageSource) -> Hashable | None:
    return source.state() if isinstance(source, TellsChanges) else None


def _answers_of(state: Hashable | None) -> Answers:
    """Return the answers that were given by messages which are still the same."""
    if state is None:
        return Answers()
    answers = _between_calls.setdefault(state, Answers())
    _between_calls.move_to_end(state)
    while len(_between_calls) > _MOST_SOURCES:
        _between_calls.popitem(last=False)
    return answers


def _as_key(where: Filters) -> Hashable | None:
    """Return the filters as what can be looked up: 1, 1.0 and True are not the same; None where a value cannot be."""
    values = tuple(
        (name, tuple((type(option), option) for option in where.values[name])) for name in sorted(where.values)
    )
    others = [getattr(where, field.name) for field in fields(where) if field.name not in ("values", "named")]
    key = (values, *others)
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _rolled_up(finer: RawCounts, by: Sequence[str], seconds: Seconds | None) -> RawCounts:
    """Add up the rows of a finer count that differ in other dimensions only."""
    import pandas as pd

    columns = [factorize(finer.keys[name])[0] for name in by] + [finer.status + 1]
    if seconds is not None:
        columns.append(factorize(pd.Series(finer.seconds))[0])
    row = np.zeros(len(finer.n), dtype=np.int64)
    for numbers in columns:
        # Numbered in the order in which they come, which needs no sorting, and anew each time, so that none grows too long.
        row = pd.factorize(row * (int(numbers.max(initial=0)) + 1) + numbers)[0].astype(np.int64)
    first = np.flatnonzero(row > np.maximum.accumulate(np.concatenate([[-1], row[:-1]])))
    if len(first) == len(row) and seconds is not None:
        return finer._replace(keys=finer.keys[list(by)])
    n = np.rint(np.bincount(row, weights=finer.n, minlength=len(first))).astype(np.int64)
    at = finer.seconds[first] if seconds is not None else np.full(len(first), np.nan)
    return RawCounts(finer.keys[list(by)].iloc[first].reset_index(drop=True), finer.status[first], at, n)
