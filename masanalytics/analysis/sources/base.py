"""Where messages come from, and the one question they are asked: the grouped count.

The grouped count is the only part of the analysis that touches the data. It runs where the data is (a Store, a pandas or
polars frame, a DuckDB relation, a Spark frame) and brings back a small table, on which every statistic is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from masanalytics.aliases import Figures, Numbers
from masanalytics.analysis.dimensions import NIGHT, WINDOW, late_after, missing_in_messages, time_part
from masanalytics.analysis.filter_values import status_numbers
from masanalytics.analysis.filters import Filters
from masanalytics.errors import InputError
from masanalytics.i18n import Text

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BinsSeconds",
    "ColumnKind",
    "HoldsMessages",
    "HoldsUplinks",
    "KnowsShares",
    "LacksArchived",
    "MessageSource",
    "RawCounts",
    "Seconds",
    "column_statuses",
    "columns_needed",
    "refuse_doubled",
]

Seconds = Literal["outcome", "waited", "waited_hours"]
ColumnKind = Literal["text", "number", "boolean"]


class RawCounts(NamedTuple):
    """What a source brings back: one row a distinct combination, in any order.

    Attributes
    ----------
    keys : DataFrame
        The source dimensions asked for (see `dimensions`), missing values missing.
    status : array of int
        As `masanalytics.vocabulary.Status`; -1 where it is missing.
    seconds : array of float
        Whole seconds, NaN where unknown. Asked for as ``"outcome"``: ``latency_s`` of delivered and failed, ``waited_s``
        of pending, NaN of others. As ``"waited"``: ``waited_s`` of all; as ``"waited_hours"`` the full hours of it, in seconds.
        As None: all NaN.
    n : array of int
        How many messages.
    """

    keys: pd.DataFrame
    status: Numbers
    seconds: Figures
    n: Numbers


@runtime_checkable
class MessageSource(Protocol):
    """What the analysis needs of a source of messages, such as that of a Store."""

    def grouped_count(
        self, by: Sequence[str], *, where: Filters, seconds: Seconds | None = "outcome"
    ) -> tuple[pd.DataFrame, Numbers, Figures, Numbers]:
        """Count the messages that pass `where`, by the source dimensions `by`, status and (if asked) whole `seconds`.

        The result is read as `RawCounts`.
        """
        ...

    def estimated_count(self, where: Filters) -> int:
        """Return about how many messages pass `where`; 0 where finding out would be a pass over all of them."""
        ...

    def message_rows(self, columns: Sequence[str], *, where: Filters) -> pd.DataFrame:
        """Return these columns of the messages that pass `where`, one row a message, times in China time."""
        ...

    def message_columns(self) -> Sequence[str]:
        """Return the names of the columns there are."""
        ...

    def column_kind(self, name: str) -> ColumnKind | None:
        """Return what a column holds; None where it is none of these, or there is no such column."""
        ...

    def repeated_messages(self) -> int:
        """Return how many rows show a message (``message_id``) that another row shows too."""
        ...

    def coverage_summary(self, where: Filters) -> Mapping[str, Any]:
        """Return ``as_of`` (epoch seconds or None: the end of coverage), ``end`` (by account), ``gaps``, ``holes``.

        What cannot concern messages that pass `where` is left out, where the source can tell. A hole is an answer known to be
        missing: ``account, state, from, until``, how many ``records`` it can hold, and whether it ``cuts`` observation short.
        """
        ...


@runtime_checkable
class BinsSeconds(Protocol):
    """A source that can count seconds by bins where its data is, so that few rows come back."""

    def binned_count(
        self, by: Sequence[str], *, where: Filters, edges: Sequence[int]
    ) -> tuple[pd.DataFrame, Numbers, Figures, Numbers]:
        """Count as `MessageSource.grouped_count` does, each second as the first of the ascending `edges` that is no less."""
        ...


@runtime_checkable
class HoldsMessages(Protocol):
    """What holds a source of messages, such as a Store."""

    @property
    def message_source(self) -> MessageSource:
        """The source."""
        ...


@runtime_checkable
class HoldsUplinks(HoldsMessages, Protocol):
    """What also knows what people answered, as a Store does and a frame of messages does not."""

    def uplinks(self) -> pd.DataFrame:
        """Return the uplinks, one row each, with the ``message_id`` that each answers."""
        ...


@runtime_checkable
class LacksArchived(Protocol):
    """A source from which messages may have been archived, as a Store is without its `Archive`."""

    def refuse_archived(self, campaign: str) -> None:
        """Raise InputError if messages of a campaign were: who looks at people needs all of them."""
        ...


@runtime_checkable
class KnowsShares(Protocol):
    """What also knows which shares the arms of a split were meant to have, as a Store does."""

    def meant_shares(self, where: Filters) -> Mapping[str, float]:
        """Return arm -> share, of the arms that got something; empty where that is not known, or rounds differ in it."""
        ...


def column_statuses(distinct: Iterable[Any], where: Filters | None = None) -> list[int]:
    """Return the distinct statuses of messages, narrowed by `where`, as `status_numbers` does.

    Raises
    ------
    InputError
        If one is not a status, or they are 1 and 0, which is how other systems write yes and no.

    Examples
    --------
    >>> column_statuses(["delivered", None, 4])
    [5, -1, 4]
    >>> column_statuses([1, 0])
    Traceback (most recent call last):
    masanalytics.errors.InputError: the column 'status' holds nothing but 0 and 1: write 'delivered' and 'failed', not yes and no
    """
    found = status_numbers(values := list(distinct))
    said = {number for number in found if number >= 0}
    is_asked = where is not None and "status" in where.values
    if said and said <= {0, 1} and not is_asked and not any(isinstance(value, str) for value in values):
        raise InputError(
            "the column 'status' holds nothing but {values}: write 'delivered' and 'failed', not yes and no",
            values=Text("0 and 1") if len(said) > 1 else said.pop(),
        )
    return found


def columns_needed(by: Sequence[str], where: Filters, *, seconds: Seconds | None, available: Sequence[str]) -> set[str]:
    """Return the columns a frame must have to be counted this way.

    Raises
    ------
    InputError
        Naming all that are missing, with the nearest names.

    Examples
    --------
    >>> have = ["status", "submitted_at", "latency_s", "waited_s", "carrier"]
    >>> sorted(columns_needed(["carrier", "hour"], Filters(), seconds="outcome", available=have))
    ['carrier', 'latency_s', 'status', 'submitted_at', 'waited_s']
    """
    need = {"status", *_columns_of(where, available)}
    for name in by:
        if name in available:
            need.add(name)
        elif name == WINDOW:
            need.add("waited_s")
        elif late_after(name) is not None:
            need |= _latency_columns(available)
        elif name == "prefix":
            need.add("phone")
        elif name == NIGHT:
            need.add("submitted_at")
        else:
            need.add("submitted_at" if time_part(name) is not None else name)
    if where.waited_at_least is not None or where.waited_in is not None or seconds is not None:
        need.add("waited_s")
    if seconds == "outcome":
        need |= _latency_columns(available)
    error = missing_in_messages(sorted(need), available)
    if error is not None:
        raise error
    return need


def _latency_columns(available: Sequence[str]) -> set[str]:
    """Return the columns that tell the latency."""
    has_latency = "latency_s" in available or not {"received_at", "submitted_at"} <= set(available)
    return {"latency_s"} if has_latency else {"received_at", "submitted_at"}


def _columns_of(where: Filters, available: Sequence[str]) -> set[str]:
    """Return the columns that tell whether a message passes."""
    columns = set(where.values)
    if where.is_without_proofs and {"campaign", "round"} <= set(available):
        columns |= {"campaign", "round"}
    if where.since is not None or where.until is not None:
        columns.add("submitted_at")
    return columns


def refuse_doubled(names: Sequence[str]) -> None:
    """Raise if a column that is needed is there twice.

    Raises
    ------
    InputError
        Naming it.
    """
    doubled = [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
    if doubled:
        raise InputError("there are several columns {name!r}: rename or drop all but one", name=doubled[0])
