"""Messages a part of the numbers at a time, so that what has to look at every message needs no room for all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, runtime_checkable

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import MessageSource
from masanalytics.analysis.sources.remembered import RememberedMessages

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ASKED", "Bounds", "ReadsByNumber", "each_part"]

ASKED: Final = "#asked"
"""The column that says whether a message is asked about, or is only there to be counted."""

Bounds = tuple[str, str | None]
"""A number from which on, and one before which; None: to the last."""

_T = TypeVar("_T")


@runtime_checkable
class ReadsByNumber(Protocol):
    """A source that finds its messages by their numbers, each spelled in one way."""

    def one_state(self) -> AbstractContextManager[object]:
        """Let all that is read meanwhile be of one state of the messages."""
        ...

    def number_bounds(self, where: Filters) -> Sequence[str] | None:
        """Return the numbers, ascending, at which to cut those of the messages that pass `where`; None where that cannot be."""
        ...

    def rows_between(self, columns: Sequence[str], bounds: Bounds, *, where: Filters, asked: Filters) -> pd.DataFrame:
        """Return the rows to numbers within the bounds, as `each_part` hands them on."""
        ...


def each_part(
    source: MessageSource, columns: Sequence[str], find: Callable[[pd.DataFrame], _T], *, where: Filters, asked: Filters
) -> Sequence[_T]:
    """Return what `find` returns of each part of the messages, at least one, where all messages of a number are in the same part.

    Parameters
    ----------
    source : MessageSource
        Where they are; what cannot be cut by numbers gives all as one part.
    columns : sequence of str
        Of the messages, ``message_id`` among them unless all are asked about; ``#asked`` (bool) comes beside them.
    find : callable
        Given the rows of a part.
    where : Filters
        Which messages.
    asked : Filters
        Which of these are asked about.
    """
    plain = source.plain if isinstance(source, RememberedMessages) else source
    if isinstance(plain, ReadsByNumber):
        with plain.one_state():
            bounds = plain.number_bounds(where)
            if bounds is not None:
                between = zip(["", *bounds], [*bounds, None], strict=True)
                return [find(plain.rows_between(columns, each, where=where, asked=asked)) for each in between]
    rows = source.message_rows(columns, where=where)
    if asked == where:
        return [find(rows.assign(**{ASKED: True}))]
    ids = source.message_rows(["message_id"], where=asked)["message_id"]
    return [find(rows.assign(**{ASKED: rows["message_id"].isin(ids)}))]
