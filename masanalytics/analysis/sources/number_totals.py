"""The messages of each number, added up where the data is: what `number_health` needs of them, without the messages themselves.

Only failures need an order: whether one came after the last delivery of its number. The order is that of submission, then of the
report, packed into one integer; a number with times that do not fit is said to be odd, and its messages are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, runtime_checkable

from masanalytics.analysis.filters import Filters
from masanalytics.analysis.sources.lent_rows import DELIVERED, FAILED
from masanalytics.analysis.sources.written_numbers import is_no_plain_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "GAP_S",
    "LATEST_S",
    "AddedUp",
    "KeepsPlainNumbers",
    "NumberTotals",
    "TotalsNumbers",
]

LATEST_S: Final = 2**33
"""Times of submission (epoch seconds) are below this, or absurd."""
GAP_S: Final = 2**28
"""Reports come less than this before or after submission, or their time is absurd."""


class NumberTotals(NamedTuple):
    """Accepted messages by number, as the number is spelled, and its failures by code.

    Attributes
    ----------
    numbers : DataFrame
        ``phone, sent, delivered, failed, sent_at, alive_at`` (epoch seconds: last submission, last delivery), ``odd`` (1 where a
        time is missing or absurd: the failures of such a number are not to be believed).
    failures : DataFrame
        A row a number, ``error_code`` and ``carrier``: ``after`` (how many came after the last delivery), ``first_at, last_at``
        (submission of the first and the last of these), ``place, place_after`` (of the last of all, and of these, in the
        order of the number's messages; -1 where there is none).
    """

    numbers: pd.DataFrame
    failures: pd.DataFrame


@runtime_checkable
class TotalsNumbers(Protocol):
    """A source that can add up the messages of each number."""

    def number_totals(self, where: Filters, among: Sequence[str] | None) -> NumberTotals | None:
        """Return the totals; None where its columns are not of the kind.

        Parameters
        ----------
        where : Filters
            Which messages.
        among : sequence of str, optional
            Only these numbers, eleven digits each; what is spelled otherwise is there all the same.
        """
        ...


@runtime_checkable
class KeepsPlainNumbers(Protocol):
    """A source in which every mobile number is spelled as eleven digits, so that it can be narrowed to some."""

    @property
    def numbers_are_plain(self) -> bool:
        """Always true."""
        ...


def _totals_of(messages: Any) -> tuple[Any, Any]:
    """Return both tables, not yet collected.

    Parameters
    ----------
    messages : narwhals frame
        Accepted messages: ``phone, is_delivered, is_failed`` (0 or 1), ``sent, heard`` (epoch seconds), ``error_code, carrier``.
    """
    import narwhals as nw

    placed = _placed(messages)
    numbers = placed.group_by("phone").agg(
        sent=nw.len(),
        delivered=nw.col("is_delivered").sum(),
        failed=nw.col("is_failed").sum(),
        sent_at=nw.col("sent").max(),
        alive_at=nw.col("alive").max(),
        odd=nw.col("odd").max(),
    )
    delivered = placed.filter(nw.col("is_delivered") == 1).group_by("phone").agg(last=nw.col("place").max())
    failed = placed.filter(nw.col("is_failed") == 1).join(delivered, on="phone", how="left")
    is_after = nw.col("last").is_null() | (nw.col("place") > nw.col("last"))
    failures = (
        failed.with_columns(
            after=nw.when(is_after).then(nw.lit(1)).otherwise(nw.lit(0)),
            sent_after=nw.when(is_after).then(nw.col("sent")),
            place_after=nw.when(is_after).then(nw.col("place")).otherwise(nw.lit(-1)),
        )
        .group_by("phone", "error_code", "carrier")
        .agg(
            after=nw.col("after").sum(),
            first_at=nw.col("sent_after").min(),
            last_at=nw.col("sent_after").max(),
            place=nw.col("place").max(),
            place_after=nw.col("place_after").max(),
        )
    )
    return _as_integers(numbers, "sent", "delivered", "failed", "odd"), _as_integers(failures, "after")


@dataclass(frozen=True)
class AddedUp:
    """The question to messages that are lent.

    Attributes
    ----------
    among : sequence of str, optional
        As `TotalsNumbers` has it.
    """

    among: Sequence[str] | None

    def __call__(self, rows: Any, collect: Callable[[Any], pd.DataFrame]) -> NumberTotals:
        """Ask."""
        import narwhals as nw

        flags = {
            name: nw.when(nw.col("outcome") == one).then(nw.lit(1)).otherwise(nw.lit(0))
            for name, one in (("is_delivered", DELIVERED), ("is_failed", FAILED))
        }
        flagged = self.chosen(rows).select("phone", "sent", "heard", "error_code", "carrier", **flags)
        numbers, failures = _totals_of(flagged)
        if not flagged.implementation.is_polars():
            return NumberTotals(collect(numbers), collect(failures))
        # The larger question first, before the other's answer takes memory, which polars gives back and DuckDB keeps.
        failed = collect(failures)
        return NumberTotals(collect(numbers), failed)

    def chosen(self, rows: Any) -> Any:
        """Return the messages to the numbers asked for."""
        import narwhals as nw

        phone = nw.col("phone")
        return rows if self.among is None else rows.filter(phone.is_in(list(self.among)) | is_no_plain_number(phone))


def _as_integers(table: Any, *names: str) -> Any:
    """Return the table with its sums as 32 bits: no number has more messages, and there are many numbers."""
    import narwhals as nw

    return table.with_columns(**{name: nw.col(name).cast(nw.Int32) for name in names})


def _placed(messages: Any) -> Any:
    """Return the messages with their ``place`` in the order of time, when a delivered one was heard, and what is ``odd``."""
    import narwhals as nw

    sent, heard, gap = nw.col("sent"), nw.col("heard"), nw.col("gap")
    odd = sent.is_null() | (sent < 0) | (sent >= LATEST_S) | (gap < -GAP_S) | (gap >= GAP_S)
    return (
        messages.with_columns(heard=nw.coalesce(heard, sent))
        .with_columns(gap=heard - sent, alive=nw.when(nw.col("is_delivered") == 1).then(heard))
        .with_columns(odd=nw.when(odd).then(nw.lit(1)).otherwise(nw.lit(0)))
        # What is odd is made harmless first: an absurd time would overflow.
        .with_columns(
            from_0=nw.when(nw.col("odd") == 0).then(sent).otherwise(nw.lit(0)),
            gap=nw.when(nw.col("odd") == 0).then(gap).otherwise(nw.lit(0)),
        )
        .with_columns(place=nw.col("from_0").cast(nw.Int64) * (2 * GAP_S) + gap.cast(nw.Int64) + GAP_S)
    )
