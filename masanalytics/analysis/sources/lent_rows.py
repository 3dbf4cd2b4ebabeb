"""Messages lent where the data is, to what asks by windows over each number's: its answer comes back, not they themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.base import columns_needed

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DELIVERED", "FAILED", "OPEN", "UNREPORTED", "Ask", "LendsRows", "Loan"]

OPEN, UNREPORTED, FAILED, DELIVERED = 0, 1, 2, 3
"""The outcome of an accepted message: pending, pending for good, or as reported."""

_T = TypeVar("_T")

Ask = Callable[[Any, "Callable[[Any], pd.DataFrame]"], _T]
"""What asks: given a narwhals frame, and what runs a query on it and brings its answer."""


@dataclass(frozen=True)
class Loan:
    """What is to be lent.

    Attributes
    ----------
    where : Filters
        Which messages.
    columns : sequence of str
        What is wanted beside ``phone, outcome, sent, odd, asked``: ``heard, error_code, carrier, segments, message_id`` or any column of
        texts or whole numbers.
    optional : sequence of str
        Those of `columns` that may be missing: a carrier is null then, a message_id 0, and heard as submitted.
    asked : Filters, optional
        Which of them are asked about, where the others are only there to be counted; all by default.
    timed : bool
        Whether messages without a time are left out.
    """

    where: Filters
    columns: Sequence[str]
    optional: Sequence[str] = ()
    asked: Filters | None = None
    timed: bool = True

    def columns_of(self, available: Sequence[str]) -> list[str]:
        """Return which columns of messages it takes."""
        names = {"phone", "status", "submitted_at", "waited_s", *self.columns}
        names |= {"received_at"} if "heard" in self.columns else set()
        for where in filter(None, (self.where, self.asked)):
            names |= columns_needed([], where, seconds=None, available=available)
        return [name for name in available if name in names]


@runtime_checkable
class LendsRows(Protocol):
    """A source whose messages can be asked by windows over each number's, where they are."""

    def lend_rows(self, loan: Loan, ask: Ask[_T]) -> _T | None:
        """Return what `ask` finds; None where the engine has no windows, or a column is missing or of another kind.

        It is given the accepted messages that have a number and a time (as the loan says): ``phone, outcome`` (as above), ``sent`` (epoch seconds), ``odd``
        (1 where another spelling may be the same person: `written_numbers.spelled_oddly`), ``asked`` (1 or 0), and the columns
        of the `loan`;
        ``heard`` is when the report came (epoch seconds; as submitted, where none did).
        """
        ...
