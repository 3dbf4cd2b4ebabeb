"""Which queue to ask next, and how soon: reports first, replies a guaranteed share, an idle account less often."""

from __future__ import annotations

from dataclasses import dataclass, field

from masanalytics.protocol import Endpoint
from masanalytics.store.poll_ingestion import Received

__all__ = ["Rhythm"]

_REPLIES_EVERY = 5
_SLOWER = 1.5


@dataclass
class Rhythm:
    """Decides the next queue and the pause before it, from what the last answers brought.

    Parameters
    ----------
    interval_s : float
        The shortest pause between two polls.
    idle_s : float
        The longest pause, on an account that has nothing.

    Examples
    --------
    >>> rhythm = Rhythm(interval_s=5.0, idle_s=60.0)
    >>> rhythm.next_endpoint()
    'report'
    >>> rhythm.note("report", Received("records", size=1000, reports=1000))
    >>> rhythm.next_endpoint(), rhythm.pause_s
    ('report', 5.0)
    """

    interval_s: float
    idle_s: float
    pause_s: float = 0.0
    refused: int = 0
    _turns_since_replies: int = 0
    _drained: dict[Endpoint, bool] = field(default_factory=lambda: {"report": False, "deliver": False})

    @property
    def drained(self) -> bool:
        """Whether the last answer of either queue said that there is nothing more."""
        return all(self._drained.values())

    def next_endpoint(self) -> Endpoint:
        """Return the queue to ask next."""
        replies_due = self._turns_since_replies >= (1 if self._drained["report"] else _REPLIES_EVERY)
        return "deliver" if replies_due else "report"

    def note(self, endpoint: Endpoint, received: Received) -> None:
        """Learn from an answer."""
        self._turns_since_replies = 0 if endpoint == "deliver" else self._turns_since_replies + 1
        if received.kind != "records":
            self.refused += 1
            self.pause_s = self._slower()
            return
        self.refused = 0
        self._drained[endpoint] = received.drained
        busy = received.size > 0
        self.pause_s = self.interval_s if busy or not self.drained else self._slower()

    def note_failure(self) -> None:
        """Learn from a poll that brought no answer."""
        self.refused += 1
        self.pause_s = self._slower()

    def start_over(self) -> None:
        """Forget that the queues were empty, so that both are asked again."""
        self._drained = {"report": False, "deliver": False}

    def _slower(self) -> float:
        return min(max(self.pause_s, self.interval_s) * _SLOWER, max(self.idle_s, self.interval_s))
