"""How far a campaign has been reported, without counting all of it after every poll."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from masanalytics.i18n import _
from masanalytics.progress_bar import progress_bar

if TYPE_CHECKING:
    from masanalytics.clock import Clock
    from masanalytics.collecting.result import Collected
    from masanalytics.store.intake import CampaignProgress, Intake, Received

__all__ = ["WaitProgress"]

_REST = 20
"""A count is followed by so many times its own duration without one."""


class WaitProgress:
    """How far a campaign whose reports are awaited has been reported.

    Counting a campaign of a million messages takes longer than a poll, so it is counted again only where the reports that
    have come since may make the difference, or after twenty times as long as the last count took.

    Parameters
    ----------
    intake : Intake
        The store that holds the campaign.
    campaign : str or None
        The campaign; None for all messages.
    until : float
        The share of its accepted messages that is awaited.
    clock : Clock
        Where time comes from.
    """

    def __init__(self, intake: Intake, campaign: str | None, until: float, clock: Clock) -> None:
        self._intake = intake
        self._campaign = campaign
        self._until = until
        self._clock = clock
        self._reports_since = 0
        self._due_at = 0.0
        self.progress: CampaignProgress
        self.count()

    @property
    def is_enough(self) -> bool:
        """Whether the awaited share was there at the last count."""
        return self.progress.share_reported >= self._until

    def tell(self, collected: Collected) -> None:
        """Write the last count into what a wait returns."""
        collected.accepted, collected.reported = self.progress.accepted, self.progress.reported
        collected.reached = self.progress.share_reported

    @contextmanager
    def bar(self, *, shown: bool) -> Iterator[Callable[[], None]]:
        """Show a bar of the reported messages; yields what brings it up to date."""
        start = self.progress
        with progress_bar(start.accepted, title=_("reports"), initial=start.reported, shown=shown) as bar:

            def show() -> None:
                bar.total = self.progress.accepted
                bar.update(self.progress.reported - bar.n)

            yield show

    def count(self) -> float:
        """Count the campaign and return the share that has been reported."""
        began = self._clock.monotonic()
        self.progress = self._intake.progress(self._campaign)
        ended = self._clock.monotonic()
        self._due_at = ended + _REST * (ended - began)
        self._reports_since = 0
        return self.progress.share_reported

    def note(self, received: Received) -> None:
        """Learn from a poll, and count again where it is due or could make the difference."""
        self._reports_since += received.reports
        may_be_enough = self.progress.reported + self._reports_since >= self._until * self.progress.accepted
        if may_be_enough or received.settled or self._clock.monotonic() >= self._due_at:
            self.count()
