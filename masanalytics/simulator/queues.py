"""What waits to be fetched: reports and replies, each handed out once, in the order they fall due."""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import NamedTuple

import numpy as np

from masanalytics.simulator.report_rows import ROW, Rows

__all__ = ["Page", "ReportQueue", "UplinkQueue", "Waiting"]


class Page(NamedTuple):
    """What one poll takes: rows of reports, and rows that somebody put into the queue as text."""

    rows: Rows
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows) + len(self.texts)


class Waiting(NamedTuple):
    """How many rows can be fetched now, and how many will be later."""

    now: int
    later: int


class UplinkQueue:
    """Texts with the time they fall due.

    Examples
    --------
    >>> queue = UplinkQueue()
    >>> queue.add(5.0, "later")
    >>> queue.add(1.0, "now")
    >>> queue.take(2.0, limit=1000), queue.waiting(2.0)
    (('now',), Waiting(now=0, later=1))
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str]] = []
        self._serial = count()

    def add(self, due: float, text: str) -> None:
        """Let `text` be fetched from `due` on."""
        heapq.heappush(self._heap, (due, next(self._serial), text))

    def take(self, now: float, limit: int) -> tuple[str, ...]:
        """Remove and return at most `limit` texts that are due."""
        due_texts: list[str] = []
        while self._heap and len(due_texts) < limit and self._heap[0][0] <= now:
            due_texts.append(heapq.heappop(self._heap)[2])
        return tuple(due_texts)

    def waiting(self, now: float) -> Waiting:
        """Return how much is left."""
        due = sum(entry[0] <= now for entry in self._heap)
        return Waiting(due, len(self._heap) - due)


class ReportQueue:
    """Reports of whole batches, kept as sorted arrays so that a million of them cost little.

    Batches wait in a heap by their earliest report. What falls due is merged, in order, into what can be fetched.
    """

    def __init__(self) -> None:
        self._later: list[tuple[float, int, Rows]] = []
        self._now: deque[Rows] = deque()
        self._serial = count()
        self._texts = UplinkQueue()

    def push(self, rows: Rows) -> None:
        """Add the reports of a batch, sorted by ``due``."""
        if len(rows):
            heapq.heappush(self._later, (float(rows["due"][0]), next(self._serial), rows))

    def add_text(self, due: float, text: str) -> None:
        """Let a row that somebody wrote be fetched from `due` on."""
        self._texts.add(due, text)

    def take(self, now: float, limit: int) -> Page:
        """Remove and return at most `limit` rows that are due."""
        texts = self._texts.take(now, limit)
        self._ripen(now)
        wanted, pieces = limit - len(texts), []
        while wanted and self._now:
            rows = self._now.popleft()
            if len(rows) > wanted:
                self._now.appendleft(rows[wanted:])
                rows = rows[:wanted]
            pieces.append(rows)
            wanted -= len(rows)
        return Page(np.concatenate(pieces) if pieces else np.zeros(0, dtype=ROW), texts)

    def waiting(self, now: float) -> Waiting:
        """Return how much is left."""
        self._ripen(now)
        texts = self._texts.waiting(now)
        later = sum(len(rows) for _, _, rows in self._later)
        return Waiting(sum(map(len, self._now)) + texts.now, later + texts.later)

    def _ripen(self, now: float) -> None:
        """Move what has fallen due to where it can be fetched."""
        pieces = []
        while self._later and self._later[0][0] <= now:
            _, serial, rows = heapq.heappop(self._later)
            count = int(np.searchsorted(rows["due"], now, side="right"))
            pieces.append(rows[:count])
            if count < len(rows):
                heapq.heappush(self._later, (float(rows["due"][count]), serial, rows[count:]))
        if pieces:
            ripe = np.concatenate(pieces)
            self._now.append(ripe[np.argsort(ripe["due"], kind="stable")])
