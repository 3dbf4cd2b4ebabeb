"""What planning asks of others: who sends, and what is known of numbers already written to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Ledger", "Sender"]


class Ledger(Protocol):
    """What `masanalytics.planning._plan` asks of a store. It only asks; it writes nothing."""

    def open_round(self, campaign: str, again: bool) -> int:  # noqa: FBT001
        """Return which round of the campaign a plan made now is: 0 the first time, one more each time it is repeated."""
        ...

    def already_sent(
        self, campaign: str, occasion: int, phones: Sequence[str], variants: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Return for each number, with its variant, whether the campaign went, or may have gone, to it in this round."""
        ...

    def opted_out(self, phones: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return for each number whether its owner wants no more messages."""
        ...


class Sender(Protocol):
    """What planning reads of an account; nothing secret."""

    @property
    def signature(self) -> str:
        """The signature's text, 【…】 with or without its brackets; empty where it is not known."""
        ...

    @property
    def allow_only(self) -> Collection[str] | None:
        """The only numbers that may be written to (trial mode); None where there is no such list."""
        ...

    @property
    def add_serial(self) -> str:
        """The extension of the service code that messages go out under; empty for none."""
        ...

    @property
    def service_code(self) -> str:
        """The service code; empty where it is not known."""
        ...
