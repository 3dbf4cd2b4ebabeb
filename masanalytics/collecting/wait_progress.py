"""How far a campaign has been reported, without counting all of it after every poll."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from masanalytics.i18n import choose
from masanalytics.store.progress import CampaignProgress, campaign_progress

if TYPE_CHECKING:
    from masanalytics.clock import Clock
    from masanalytics.store import Store
    from masanalytics.store.poll_ingestion import Received

__all__ = ["Awaited"]

_REST = 20


class Awaited:
    """A campaign whose reports are awaited.

    Counting a campaign of a million messages takes longer than a poll, so it is counted again only where the reports that
    have come since may make the difference, or after twenty times as long as the last count took.

    Parameters
    ----------
    store : Store
        Where the campaign is.
    campaign : str or None
        The campaign; None for all messages.
    until : float
        The share of its accepted messages that is awaited.
    clock : Clock
        Where time comes from.
    """

    def __init__(self, store: Store, campaign: str | None, until: float, clock: Clock) -> None:
        self._store = store
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

    @contextmanager
    def bar(self, language: str | None, *, progress: bool) -> Iterator[Callable[[], None]]:
        """Show a bar of the reported messages; yields what brings it up to date."""
        from tqdm.auto import tqdm

        start = self.progress
        words = choose("reports", "回执", language)
        with tqdm(total=start.accepted, initial=start.reported, desc=words, unit="", disable=not progress) as bar:

            def show() -> None:
                bar.total = self.progress.accepted
                bar.update(self.progress.reported - bar.n)

            yield show

    def count(self) -> float:
        """Count the campaign and return the share that has been reported."""
        began = self._clock.monotonic()
        with self._store.reading() as conn:
            self.progress = campaign_progress(conn, self._campaign)
        ended = self._clock.monotonic()
        self._due_at = ended + _REST * (ended - began)
        self._reports_since = 0
        return self.progress.share_reported

    def note(self, received: Received) -> None:
        """Learn from a poll, and count again where it is due or could make the difference."""
        self._reports_since += received.reports
        perhaps = self.progress.reported + self._reports_since >= self._until * self.progress.accepted
        if perhaps or received.settled or self._clock.monotonic() >= self._due_at:
            self.count()
