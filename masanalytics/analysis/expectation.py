"""What is expected of each group's rate, and why nothing is where nothing is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from masanalytics.aliases import Figures
from masanalytics.i18n import N_, Text
from masanalytics.vocabulary import SETTLED_S

__all__ = ["REASONS", "Expectation"]


REASONS: Final = {
    "nothing": N_("no message was accepted"),
    "no_history": N_(
        "messages are still open, hardly any was observed for 72 h, and there is no matured history to carry them on"
    ),
    "thin_history": N_(
        "messages are still open, and the matured history has fewer than 3 days with 20 messages: how much days differ is"
        " unknown"
    ),
    "too_early": N_("half of the messages have been observed for less than 30 s"),
    "backtest": N_("past campaigns of this kind would not have been forecast rightly from each other"),
    "misfit": N_("today's reports do not develop as in the history"),
}
"""Why a row has no forecast."""


@dataclass(frozen=True)
class Expectation:
    """The expected end of each group's rate.

    Attributes
    ----------
    rate, low, high, horizon_s : array of float
        The columns of the result.
    reason : list of str or None
        Why a rate is NaN: a key of `REASONS`. Then `low` and `high` are bounds: if all that is pending failed, or arrived.
    notes : list of Text
        What to mind.
    """

    rate: Figures
    low: Figures
    high: Figures
    horizon_s: Figures
    reason: list[str | None]
    notes: list[Text] = field(default_factory=list)

    def columns(self) -> dict[str, Figures]:
        """Return the columns of the result."""
        return {
            "expected_rate": self.rate,
            "expected_low": self.low,
            "expected_high": self.high,
            # What has been watched for a week is not written anew in an export: longer is nothing that every source knows.
            "horizon_s": np.minimum(self.horizon_s, SETTLED_S),
        }

    def reasons(self) -> dict[str, str]:
        """Return why a rate is NaN, by row."""
        return {str(row): why for row, why in enumerate(self.reason) if why is not None}

    def all_notes(self) -> list[Text]:
        """Return what to mind: where the history did not fit, and why rates are missing."""
        missing = [
            Text(
                "no forecast for {count:,} row: {reason}",
                "no forecast for {count:,} rows: {reason}",
                code=reason,
                count=self.reason.count(reason),
                reason=Text(words),
            )
            for reason, words in REASONS.items()
            if reason in self.reason and reason not in ("nothing", "misfit")
        ]
        return [*self.notes, *missing, *self._bounds_notes()]

    def _bounds_notes(self) -> list[Text]:
        """Return between which bounds the ends lie that have no rate."""
        rows = np.flatnonzero(np.isnan(self.rate) & ~np.isnan(self.low))
        if len(rows) == 1:
            low, high = float(self.low[rows[0]]), float(self.high[rows[0]])
            return [Text("the rate will end between {low:.1%} and {high:.1%}", code="bounds", low=low, high=high)]
        if not len(rows):
            return []
        return [
            Text(
                "where no rate is expected, the two ends of its interval say what it will be if all that is pending fails, and"
                " if all arrives",
                code="bounds",
            )
        ]

    def followed_by(self, other: Expectation) -> Expectation:
        """Return these groups and then those of `other`."""
        return Expectation(
            np.concatenate([self.rate, other.rate]),
            np.concatenate([self.low, other.low]),
            np.concatenate([self.high, other.high]),
            np.concatenate([self.horizon_s, other.horizon_s]),
            [*self.reason, *other.reason],
            self.notes + [item for item in other.notes if item not in self.notes],
        )
