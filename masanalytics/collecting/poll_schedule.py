"""When an account is polled, and for what: the interval with its margin, the back-off, the queues' shares, the lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from masanalytics.account.machine_pace import MachinePace
from masanalytics.account.turn_rule import spaced
from masanalytics.clock import Clock, SystemClock
from masanalytics.protocol import Endpoint
from masanalytics.store.intake import Received, Turn

if TYPE_CHECKING:
    from masanalytics.account import Account
    from masanalytics.store.intake import Intake

__all__ = ["PollSchedule"]

_REPLIES_EVERY = 5
_SLOWER = 1.5
_SHORTEST_PAUSE_S: Final = 0.1
"""Before the next poll of an account whose interval is 0 (a simulator), where a poll brought nothing."""
_Lease = Callable[[Endpoint, float], Turn]


def _always(_endpoint: Endpoint, _interval_s: float) -> Turn:
    return Turn(1, 0.0)


class PollSchedule:
    """Decides which queue is polled next, how soon, and whether it is this poller's turn.

    Reports come first, replies get a guaranteed share, an account that has nothing is asked less often.

    Parameters
    ----------
    interval_s : float
        The shortest time between two polls of the account, for both queues together.
    idle_s : float
        The longest pause, on an account that has nothing.
    margin_s : float, optional
        Added to the interval, so that a quick network does not bring two polls too close; by default 2 % of it.
    clock : Clock, optional
        Where time comes from.
    lease : callable, optional
        Takes the account's turn for a queue, if so many seconds have passed since the last poll, of whatever process.

    Examples
    --------
    >>> schedule = PollSchedule(interval_s=5.0, idle_s=60.0)
    >>> schedule.next_endpoint()
    'report'
    >>> schedule.note("report", Received("records", size=1000, reports=1000))
    >>> schedule.next_endpoint(), schedule.pause_s
    ('report', 5.0)
    """

    def __init__(
        self,
        interval_s: float,
        *,
        idle_s: float = 60.0,
        margin_s: float | None = None,
        clock: Clock | None = None,
        lease: _Lease = _always,
    ) -> None:
        self.interval_s = interval_s
        self.idle_s = idle_s
        self.clock = clock or SystemClock()
        self.pause_s = 0.0
        self.failures_in_a_row = 0
        self._spaced_s = spaced(interval_s, margin_s)
        self._lease = lease
        self._machine: MachinePace | None = None
        self._ended_at: float | None = None
        self._due_at = 0.0
        self._turns_since_replies = 0
        self._drained: dict[Endpoint, bool] = {"report": False, "deliver": False}

    @classmethod
    def of_account(
        cls, account: Account, intake: Intake, clock: Clock, *, asker: str, idle_s: float, margin_s: float | None
    ) -> PollSchedule:
        """Return the schedule of an account whose turns are kept in a store and on the machine; `asker` names one poller."""
        machine = MachinePace(account, clock, asker)

        def lease(endpoint: Endpoint, spaced_s: float) -> Turn:
            wait_s = machine.take(spaced_s)
            if wait_s > 0:
                return Turn(0, wait_s)
            turn = Turn(0, 0.0)
            try:
                turn = intake.take_turn(account.key, endpoint, spaced_s, clock, asker)
            finally:
                if not turn.poll_id:
                    machine.give_back()
            return turn

        schedule = cls(account.poll_interval, idle_s=idle_s, margin_s=margin_s, clock=clock, lease=lease)
        schedule._machine = machine
        return schedule

    @property
    def drained(self) -> bool:
        """Whether the last answer of either queue said that there is nothing more."""
        return all(self._drained.values())

    @property
    def due_in_s(self) -> float:
        """Seconds until the next poll is due; below 0 where it is overdue."""
        return self._due_at - self.clock.monotonic()

    def next_endpoint(self) -> Endpoint:
        """Return the queue to ask next."""
        replies_due = self._turns_since_replies >= (1 if self._drained["report"] else _REPLIES_EVERY)
        return "deliver" if replies_due else "report"

    def take_turn(self, endpoint: Endpoint) -> Turn:
        """Take the account's turn, or learn how long to wait. Fails, before anything is asked, if nothing can be written."""
        if self._ended_at is not None:
            # Where the end of the last poll could not be written down, it counts all the same.
            rest_s = self._ended_at + self._spaced_s - self.clock.monotonic()
            if rest_s > 0:
                return Turn(0, rest_s)
        return self._lease(endpoint, self._spaced_s)

    def note_end(self) -> None:
        """Note that a poll has ended, with an answer or without."""
        self._ended_at = self.clock.monotonic()
        if self._machine is not None:
            self._machine.note_end()

    def note_wait(self, wait_s: float) -> None:
        """Note that it is not this poller's turn for so long."""
        self._due_at = self.clock.monotonic() + wait_s

    def note(self, endpoint: Endpoint, received: Received) -> None:
        """Learn from an answer."""
        self._turns_since_replies = 0 if endpoint == "deliver" else self._turns_since_replies + 1
        if received.kind != "records":
            self.note_failure()
            return
        self.failures_in_a_row = 0
        self._drained[endpoint] = received.drained
        busy = received.size > 0
        self._pause(self.interval_s if busy or not self.drained else self._slower())

    def note_failure(self) -> None:
        """Learn from a poll that brought no data."""
        self.failures_in_a_row += 1
        self._pause(self._slower())

    def start_over(self) -> None:
        """Forget that the queues were empty, so that both are asked again."""
        self._drained = {"report": False, "deliver": False}

    def _pause(self, pause_s: float) -> None:
        self.pause_s = pause_s
        self.note_wait(pause_s)

    def _slower(self) -> float:
        shortest_s = max(self.pause_s, self.interval_s, _SHORTEST_PAUSE_S)
        return min(shortest_s * _SLOWER, max(self.idle_s, self.interval_s))
