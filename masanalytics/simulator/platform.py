"""The platform: accounts, what it takes, what becomes of it, and what it hands out once. It knows no sockets."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from masanalytics.clock import Clock
from masanalytics.errors import ConfigError
from masanalytics.simulator.audit_log import AuditLog, HandedPage, Request, TakenBatch
from masanalytics.simulator.behaviour import ACCEPTD, DELIVRD, Behaviour, Draw, Fates
from masanalytics.simulator.queues import Page, ReportQueue, UplinkQueue
from masanalytics.simulator.random_keys import Ints, Keys, message_keys, number_keys, uniform
from masanalytics.simulator.report_rows import (
    BROKEN_SEGMENT,
    ROW,
    Rows,
    Taken,
    add_extras,
    report_texts,
    segments_of,
    spread_reports,
    uplink_text,
)
from masanalytics.simulator.request_checks import ALL_MOBILES, Submission, check_poll, check_submit
from masanalytics.simulator.settings import PlatformAccount, Rules, Style
from masanalytics.simulator.wire import Opened, Rejection, open_body, rejection_text, success_text
from masanalytics.timezone import to_platform_time

__all__ = ["Answer", "Platform"]

_DAY_S = 86_400.0
# A clock that runs fast measures the way of a request through the machine in its own long seconds.
_JITTER_S = 0.02


class Answer(NamedTuple):
    """What the platform answers: the text of a submit or rejection, or the rows of a poll (None: not a page).

    ``note`` is for whoever debugs a client, and travels in the header ``X-Simulator-Note``: why a request was rejected, or
    in what it deviates from the document.
    """

    text: str
    rows: list[str] | None = None
    note: str = ""


@dataclass
class _Box:
    """What waits for one account, and when it last polled."""

    reports: ReportQueue = field(default_factory=ReportQueue)
    uplinks: UplinkQueue = field(default_factory=UplinkQueue)
    polled: float = -math.inf
    allowed: float = -math.inf


class Platform:
    """The state of the simulated platform.

    Parameters
    ----------
    accounts : sequence of PlatformAccount
        Whom it knows.
    behaviour : Behaviour
        What becomes of messages.
    clock : Clock
        Its time. Only how fast it goes counts: a wall clock set back does not hold up reports.
    seed : int
        Makes runs repeat.
    rules : Rules
        What it enforces.
    style : Style
        How its answers look.
    """

    def __init__(
        self,
        accounts: Sequence[PlatformAccount],
        behaviour: Behaviour,
        clock: Clock,
        seed: int = 0,
        rules: Rules | None = None,
        style: Style | None = None,
    ) -> None:
        self.accounts = {account.ap_id: account for account in accounts}
        if len(self.accounts) != len(accounts) or not accounts:
            raise ConfigError("the simulator's accounts need an apId each, all different")
        self.behaviour = behaviour
        self.clock = clock
        self.seed = seed
        self.rules = rules or Rules()
        self.style = style or Style()
        self.audit_log = AuditLog()
        self._epoch = clock.now() - clock.monotonic()
        self._start = clock.monotonic()
        self._boxes = {ap_id: _Box() for ap_id in self.accounts}
        self._batches: list[Taken] = []
        self._codes = [DELIVRD, ACCEPTD]
        self._code_numbers = {DELIVRD: 0, ACCEPTD: 1}
        self._odd: list[str] = []
        # Another run must not repeat the groups of the last one: the real platform never does within a year.
        self._sequence = 1_000_000_000 + int(self._epoch * 1000 + seed) % 8_000_000_000
        self._lock = threading.Lock()

    @property
    def first_account(self) -> PlatformAccount:
        """The account that is meant where none is named."""
        return next(iter(self.accounts.values()))

    def now(self) -> float:
        """Return the platform's instant (seconds since 1970)."""
        return self._epoch + self.clock.monotonic()

    def submit(self, endpoint: str, body: bytes, request: Request, *, of_http: bool = False) -> Answer:
        """Take a submit, or reject it; `of_http` for the path that only the HTTP flavour has."""
        opened = Opened({})
        try:
            opened = open_body(body)
            submission = check_submit(opened, endpoint, self.accounts, self.rules, of_http=of_http)
        except Rejection as rejection:
            return self._reject(rejection, request)
        finally:
            self.audit_log.add_deviations(request, opened.deviations)
        request.account = submission.account.ap_id
        text = success_text(self._accept(submission, request), self.style)
        return Answer(text, note="; ".join(f"{kind}: {detail}" for kind, detail in opened.deviations))

    def poll(self, endpoint: str, body: bytes, request: Request, *, take: bool = True) -> Answer:
        """Hand out what is due, or reject; with ``take=False`` only notice that the account polled."""
        opened = Opened({})
        try:
            opened = open_body(body)
            account = check_poll(opened, endpoint, self.accounts, self.rules)
        except Rejection as rejection:
            return self._reject(rejection, request)
        finally:
            self.audit_log.add_deviations(request, opened.deviations)
        request.account = account.ap_id
        waited = self._notice(account.ap_id)
        if waited is not None:
            self.audit_log.add_deviations(request, [("too_soon", f"{waited:.3f} s after the last poll")])
        if not take:
            return Answer("", note="not taken")
        if waited is not None:
            self.audit_log.add("too_soon")
            request.outcome = "too_soon"
            return Answer(self.style.too_soon, note=f"polled {waited:.3f} s after the last poll")
        return self._hand_out(endpoint, account.ap_id, request)

    def add_row(self, kind: str, text: str, after: float = 0.0, ap_id: str = "") -> None:
        """Put a row into an account's queue as it is, to be handed out `after` seconds from now."""
        box = self._boxes[ap_id or self.first_account.ap_id]
        due = self.clock.monotonic() + after
        with self._lock:
            if kind == "report":
                box.reports.add_text(due, text)
            else:
                box.uplinks.add(due, text)

    def texts_of(self, page: Page) -> list[str]:
        """Return the rows of a page of reports as JSON objects."""
        rows = report_texts(page.rows, self._batches, self._codes, self._odd, self.style)
        return [*rows, *page.texts]

    def waiting(self) -> tuple[int, int, int, int]:
        """Return how many reports can be fetched now and later, and how many uplinks; of all accounts."""
        now = self.clock.monotonic()
        with self._lock:
            waiting = [(*box.reports.waiting(now), *box.uplinks.waiting(now)) for box in self._boxes.values()]
        first, second, third, fourth = (sum(column) for column in zip(*waiting, strict=True))
        return first, second, third, fourth

    def _reject(self, rejection: Rejection, request: Request) -> Answer:
        self.audit_log.add_rejection(request, rejection.rspcod, rejection.reason)
        return Answer(rejection_text(rejection.rspcod, self.style), note=rejection.reason)

    def _accept(self, submission: Submission, request: Request) -> str:
        """Take a batch: name it, decide what becomes of it, and let its reports and replies wait."""
        batch = self._name_batch()
        phones = self._phone_ids(submission.phones)
        numbers = number_keys(phones, self.seed)
        day = int((batch.due - self._start) // _DAY_S)
        keys = message_keys(numbers, submission.texts, day)
        fates = self.behaviour.draw(Draw(phones, keys, numbers, batch.instant))
        rows = self._reports(submission, batch, phones, fates, keys)
        with self._lock:
            box = self._boxes[submission.account.ap_id]
            box.reports.push(rows)
            for message, after, text in fates.replies:
                row = uplink_text(submission.phones[message], text, batch.instant + after, submission.code, self.style)
                box.uplinks.add(batch.due + after + 1.0, row)
        self.audit_log.add_batch(
            TakenBatch(
                submission.account.ap_id,
                batch.group,
                batch.instant,
                submission.phones,
                submission.texts,
                fates.codes,
                fates.code,
                fates.latency,
            ),
            request,
        )
        return batch.group

    def _name_batch(self) -> Taken:
        with self._lock:
            due = self.clock.monotonic()
            instant = self._epoch + due
            self._sequence += 1
            group = f"{to_platform_time(instant)[4:]}{self._sequence:012d}"
            batch = Taken(len(self._batches), group, instant, due)
            self._batches.append(batch)
        return batch

    def _reports(self, submission: Submission, taken: Taken, phones: Ints, fates: Fates, keys: Keys) -> Rows:
        style, segments = self.style, None
        if style.per_segment:
            segments = segments_of(submission.texts, submission.account.signature, len(phones))
        code_ids = self._code_ids((*fates.codes, BROKEN_SEGMENT))
        rows = spread_reports(taken, phones, fates, code_ids, keys, segments)
        if style.intermediate or style.duplicates:
            chance = uniform(number_keys(rows["phone"], taken.number), 80)
            rows = add_extras(rows, chance, style, self._code_numbers[ACCEPTD])
        return rows

    def _code_ids(self, codes: Sequence[str]) -> Ints:
        """Return the platform's number for each code."""
        with self._lock:
            for code in codes:
                if code not in self._code_numbers:
                    self._code_numbers[code] = len(self._codes)
                    self._codes.append(code)
            return np.array([self._code_numbers[code] for code in codes], dtype=np.int64)

    def _phone_ids(self, phones: Sequence[str]) -> Ints:
        """Return the numbers as integers; what is no number becomes a negative one."""
        if ALL_MOBILES.fullmatch(",".join(phones)):
            return np.array(list(map(int, phones)), dtype=np.int64)
        ids = []
        with self._lock:
            for phone in phones:
                if ALL_MOBILES.fullmatch(phone) and "," not in phone:
                    ids.append(int(phone))
                    continue
                self._odd.append(phone)
                ids.append(-len(self._odd))
        return np.array(ids, dtype=np.int64)

    def _notice(self, ap_id: str) -> float | None:
        """Note a poll; return the seconds since the last one that counted, if they were too few."""
        box = self._boxes[ap_id]
        speed = float(getattr(self.clock, "speed", 1.0))
        least = self.rules.poll_interval - (_JITTER_S * speed if speed != 1.0 else 0.0)
        with self._lock:
            now = self.clock.monotonic()  # asked for under the lock: of two polls at once, one is the later
            gap, box.polled = now - box.polled, now
            waited = now - box.allowed
            if waited >= least:
                box.allowed = now
        self.audit_log.add_poll(gap)
        return waited if waited < least else None

    def take_due(self, kind: str, ap_id: str, peer: str) -> list[str]:
        """Take what is due of an account, at most a page, to be pushed to `peer`."""
        box, now = self._boxes[ap_id], self.clock.monotonic()
        with self._lock:
            due = (box.reports if kind == "report" else box.uplinks).waiting(now).now
        if not due:
            return []
        return self._take(kind, ap_id, self.audit_log.open_request("push", self.now(), peer))

    def _hand_out(self, endpoint: str, ap_id: str, request: Request) -> Answer:
        kind = "report" if endpoint == "report" else "uplink"
        return Answer("", rows=self._take(kind, ap_id, request))

    def _take(self, kind: str, ap_id: str, request: Request) -> list[str]:
        now, box = self.clock.monotonic(), self._boxes[ap_id]
        with self._lock:
            if kind == "report":
                page = box.reports.take(now, self.rules.page)
            else:
                page = Page(np.zeros(0, dtype=ROW), box.uplinks.take(now, self.rules.page))
        texts = self.texts_of(page) if kind == "report" else list(page.texts)
        self.audit_log.add_page(HandedPage(kind, page, request.number, ap_id), request)
        return texts
