"""The platform keeps count: what was asked of it, what it took, what it handed out, and every deviation."""

from __future__ import annotations

import json
import math
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from masanalytics.errors import InputError
from masanalytics.masking import mask_phone, mask_phones_in
from masanalytics.simulator.queues import Page
from masanalytics.simulator.random_keys import Floats, Ints

__all__ = ["AuditLog", "Deviation", "HandedOut", "HandedPage", "Message", "Remark", "Request", "TakenBatch", "row_of"]

_T = TypeVar("_T")
_RECENT = 1000


@dataclass
class Request:
    """One request the platform saw.

    Attributes
    ----------
    number : int
        1, 2, 3 … in the order of arrival.
    endpoint : str
        ``submit``, ``tmpsubmit``, ``report``, ``deliver``, or the path where it was none of these.
    outcome : str
        The rspcod of a submit; ``"rows"``, ``"too_soon"`` or a rspcod of a poll; an HTTP status; ``"fault"`` where a
        fault kept the platform from taking it.
    at : float
        When (seconds since 1970, by the platform's clock).
    account : str
        apId, where it was known.
    peer : str
        ``address:port`` of the client.
    fault : str
        The kind of fault it met, if any.
    rows : int
        Messages taken or rows handed out.
    note : str
        Why it was rejected.
    answered : bool
        Whether a whole answer was written to the connection.
    """

    number: int
    endpoint: str
    at: float
    peer: str
    outcome: str = ""
    account: str = ""
    fault: str = ""
    rows: int = 0
    note: str = ""
    answered: bool = False


class Deviation(NamedTuple):
    """Something in a request that the document has otherwise, though the platform understood it."""

    request: int
    endpoint: str
    kind: str
    detail: str


class Remark(NamedTuple):
    """How often requests to an endpoint were rejected with a rspcod, or differed in a kind; `detail` is of the first."""

    endpoint: str
    kind: str
    times: int
    detail: str


class Message(NamedTuple):
    """A message the platform took, and what becomes of it.

    ``code`` is the code of its report, ``latency`` the seconds until it (infinite: never reported).
    """

    phone: str
    content: str
    msg_group: str
    account: str
    submitted_at: float
    code: str
    latency: float

    def __repr__(self) -> str:
        return f"Message({mask_phone(self.phone)}, {self.msg_group}, {self.code}, {self.latency:g} s)"


class HandedOut(NamedTuple):
    """A row that a poll handed out; `kind` is ``report`` or ``uplink``, `request` the number of the poll."""

    kind: str
    row: dict[str, Any]
    request: int
    account: str

    def __repr__(self) -> str:
        return f"HandedOut({self.kind}, {mask_phones_in(str(self.row))}, request {self.request}, {self.account})"


class TakenBatch(NamedTuple):
    """A batch as the ledger keeps it."""

    account: str
    group: str
    instant: float
    phones: Sequence[str]
    texts: str | Sequence[str]
    codes: Sequence[str]
    code: Ints
    latency: Floats


class HandedPage(NamedTuple):
    """A page as the ledger keeps it."""

    kind: str
    page: Page
    request: int
    account: str


class AuditLog:
    """Everything the platform counts. Safe to use from several threads.

    Parameters
    ----------
    keep : bool
        Whether to keep every message and row, or only the counts (a million messages then cost no memory).
    """

    def __init__(self, *, keep: bool = True) -> None:
        self.keep = keep
        self.counts: Counter[str] = Counter()
        self.requests: list[Request] = []
        self.deviations: list[Deviation] = []
        self.failures: list[BaseException] = []
        self.min_poll_gap = math.inf
        self._remarks: dict[tuple[str, str], Remark] = {}
        self._batches: list[TakenBatch] = []
        self._pages: list[HandedPage] = []
        self._numbers = 0
        self._lock = threading.Lock()

    def open_request(self, endpoint: str, at: float, peer: str) -> Request:
        """Write down that a request has come."""
        with self._lock:
            self._numbers += 1
            request = Request(self._numbers, endpoint, at, peer)
            self.counts["requests"] += 1
            if self.keep:
                self.requests.append(request)
        return request

    def add_fault(self, request: Request, kind: str) -> None:
        """Write down that a fault struck a request."""
        with self._lock:
            request.fault = kind
            request.outcome = request.outcome or "fault"
            self.counts["faults"] += 1

    def add_deviations(self, request: Request, found: Sequence[tuple[str, str]]) -> None:
        """Write down in what a request differs from the document."""
        if found:
            with self._lock:
                self.counts["deviations"] += len(found)
                self.deviations += [Deviation(request.number, request.endpoint, kind, text) for kind, text in found]
                for kind, text in found:
                    self._remark(request, kind, text)
                if not self.keep:
                    del self.deviations[:-_RECENT]

    def add_rejection(self, request: Request, rspcod: str, reason: str) -> None:
        """Write down that a request was rejected, and why."""
        with self._lock:
            self.counts["rejected"] += 1
            request.outcome, request.note = rspcod, reason
            self._remark(request, rspcod, reason)

    def _remark(self, request: Request, kind: str, detail: str) -> None:
        place = (request.endpoint, kind)
        known = self._remarks.get(place, Remark(*place, 0, detail))
        self._remarks[place] = known._replace(times=known.times + 1)

    def remarks(self) -> list[Remark]:
        """Return what was wrong with requests, each kind once, in the order in which it was first seen."""
        with self._lock:
            return list(self._remarks.values())

    def add_batch(self, batch: TakenBatch, request: Request) -> None:
        """Write down a batch that was taken."""
        with self._lock:
            self.counts["batches"] += 1
            self.counts["accepted"] += len(batch.phones)
            request.rows, request.outcome = len(batch.phones), "success"
            if self.keep:
                self._batches.append(batch)

    def add_page(self, page: HandedPage, request: Request) -> None:
        """Write down rows that were handed out."""
        with self._lock:
            self.counts[f"{page.kind}s"] += len(page.page)
            request.rows, request.outcome = len(page.page), "rows"
            if self.keep and len(page.page):
                self._pages.append(page)

    def add_poll(self, gap: float) -> None:
        """Write down that an account polled, `gap` seconds after it last did."""
        with self._lock:
            self.counts["polls"] += 1
            self.min_poll_gap = min(self.min_poll_gap, gap)

    def add(self, name: str) -> None:
        """Count one more of `name`."""
        with self._lock:
            self.counts[name] += 1

    def messages(self) -> list[Message]:
        """Return every message taken, in order."""
        return list(self._each_message())

    def accepted(self) -> Counter[tuple[str, str]]:
        """Return how often each (number, text) was taken."""
        accepted: Counter[tuple[str, str]] = Counter()
        for batch in self._kept(self._batches):
            if isinstance(batch.texts, str):
                accepted.update((phone, batch.texts) for phone in batch.phones)
            else:
                accepted.update(zip(batch.phones, batch.texts, strict=True))
        return accepted

    def pages(self) -> list[HandedPage]:
        """Return every page handed out, in order."""
        return self._kept(self._pages)

    def _each_message(self) -> Iterator[Message]:
        for batch in self._kept(self._batches):
            texts = [batch.texts] * len(batch.phones) if isinstance(batch.texts, str) else batch.texts
            codes = [batch.codes[code] for code in batch.code.tolist()]
            for phone, text, code, latency in zip(batch.phones, texts, codes, batch.latency.tolist(), strict=True):
                yield Message(phone, text, batch.group, batch.account, batch.instant, code, latency)

    def _kept(self, entries: list[_T]) -> list[_T]:
        if not self.keep:
            raise InputError("this simulator keeps counts only (keep_ledger=False): look at its counts")
        with self._lock:
            return list(entries)


def row_of(text: str) -> dict[str, Any]:
    """Return a handed-out row as a dict; one that is not JSON comes under ``"raw"``."""
    try:
        row = json.loads(text)
    except ValueError:
        row = None
    return row if isinstance(row, dict) else {"raw": text}
