"""The accepted messages of a counted table as a forecast needs them: as far as coverage reaches, by group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from masanalytics.aliases import Booleans, Figures, Numbers
from masanalytics.analysis.grouped_count import Counts
from masanalytics.stats.proportions import wilson
from masanalytics.vocabulary import Status

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ObservedRows"]


@dataclass(frozen=True)
class ObservedRows:
    """The counted rows of accepted messages, as far as coverage reaches, and what is known of their groups.

    Attributes
    ----------
    group, status, seconds, n : array
        As `cumulative_incidence` takes them.
    young : array of bool
        Which rows have less than 72 h of coverage behind them.
    keys : DataFrame
        The dimensions of the rows.
    accepted, delivered : array of int
        By group, all reports that came.
    matured, matured_delivered : array of int
        By group, of the messages with 72 h of coverage behind them.
    pending, may_arrive : array of int
        By group, messages that are pending, and those that may turn out to be delivered.
    """

    group: Numbers
    status: Numbers
    seconds: Figures
    n: Numbers
    young: Booleans
    keys: pd.DataFrame
    accepted: Numbers
    delivered: Numbers
    matured: Numbers
    matured_delivered: Numbers
    pending: Numbers
    may_arrive: Numbers

    @classmethod
    def of(cls, counts: Counts) -> ObservedRows:
        """Take the accepted rows of `counts`."""
        accepted, matured, delivered = counts.accepted(), counts.matured(), counts.status == Status.delivered
        pending, unreported = (counts.status == Status.pending) & ~counts.unreported(), counts.unreported()
        status, seconds = counts.observed()
        return cls(
            counts.group[accepted], status[accepted], seconds[accepted], counts.n[accepted], ~matured[accepted],
            counts.keys[accepted], counts.tally(accepted), counts.tally(delivered), counts.tally(accepted & matured),
            counts.tally(delivered & matured), counts.tally(pending),
            counts.tally(pending) + np.minimum(counts.tally(unreported), counts.room[1]),
        )  # fmt: skip

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.accepted)

    def bounds(self) -> tuple[Figures, Figures]:
        """Return between which rates each group will end: if all that may arrive fails, and if it arrives.

        Wilson's bounds on either side (G. W. Imbens and C. F. Manski (2004), Econometrica 72:1845-1857).
        """
        low, _ = wilson(self.delivered, self.accepted)
        _, high = wilson(np.minimum(self.delivered + self.may_arrive, self.accepted), self.accepted)
        return low, high

    def has(self, rows: Booleans) -> Booleans:
        """Return which groups have messages among `rows`."""
        return np.bincount(self.group[rows], weights=self.n[rows], minlength=self.groups) > 0
