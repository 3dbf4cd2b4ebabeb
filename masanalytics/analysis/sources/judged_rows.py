"""Messages as `suppression_value` judges them, lent where the data is: what is asked of them comes back, not they themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, runtime_checkable

from masanalytics.analysis.filters import Filters

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DELIVERED", "FAILED", "OPEN", "UNREPORTED", "Ask", "LendsRows", "spelled_oddly"]

OPEN, UNREPORTED, FAILED, DELIVERED = 0, 1, 2, 3
"""The outcome of an accepted message: pending, pending for good, or as reported."""

_ONE_A_PERSON: Final = "^1[0-9]{2}([0-9]{8}|~[a-z]+)$"

_T = TypeVar("_T")

Ask = Callable[[Any, "Callable[[Any], pd.DataFrame]"], _T]
"""What asks: given a narwhals frame, and what runs a query on it and brings its answer."""


@runtime_checkable
class LendsRows(Protocol):
    """A source whose messages can be asked by windows over each number's, where they are."""

    def lend_rows(self, where: Filters, ask: Ask[_T]) -> _T | None:
        """Return what `ask` finds; None where a column holds neither texts nor times.

        It is given the accepted messages that pass `where` and have a number and a time: ``phone, outcome`` (as above), ``sent,
        heard`` (epoch seconds; as submitted, where no report came), ``error_code, carrier, segments, message_id`` (missing where
        there are none), and ``odd`` (1 where another spelling may be the same person, see `spelled_oddly`).
        """
        ...


def spelled_oddly(phone: Any) -> Any:
    """Return the test that a text is neither a number as it is usually written nor the hash of one.

    It may be several people's, or one of several spellings of a number.
    """
    return ~phone.str.contains(_ONE_A_PERSON)
