"""Playing a history: the platform, the user's machine, and the judge at every step."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from masanalytics.clock import ManualClock
from masanalytics.errors import InputError, MasError
from masanalytics.protocol import submit_body
from masanalytics.simulator import Scripted, Simulator
from tests.histories import invariants, product
from tests.histories.actions import (
    Action,
    Clock,
    Collect,
    Disk,
    During,
    Fate,
    Foreign,
    ForeignPoll,
    Http,
    OptOut,
    Reopen,
    Reply,
    Send,
    Settle,
    SettleWrongly,
    Wait,
)
from tests.histories.ledger import FOREIGN, CanaryState, Identity, Ledger, Taken, identity_of
from tests.histories.machine import KilledError, Machine, Process, installed, new_store_file
from tests.histories.pushes import Pushes
from tests.histories.wire import Wire

__all__ = ["Violation", "World", "replay"]

_PEOPLE = 100
_POLL_INTERVAL_S = 5.0
_ACTION_TIME_S = 1.0
_TOLD_FOR_S = 23 * 3600.0


class Violation(NamedTuple):
    """Something that must never be, by name, and what it was."""

    name: str
    detail: str


class BrokenError(Exception):
    """A history has shown a violation: it ends here."""


@dataclass
class Scope:
    """One call of the user's: its faults, and how many requests it has made."""

    faults: dict[int, str]
    during: During | None
    opted_out: frozenset[str]
    canary: tuple[str, str, int] | None = None
    is_send: bool = True
    claims_ahead: bool = False
    began: int = 0
    left: int = 0
    """After how many requests, of all processes, the call began, and its last request left."""
    requests: int = 0
    taken: int = 0
    budget: int = 0
    cap: int = 0
    told_at: float | None = None
    """When the platform answered it last; None where that was before the clock was set."""

    def next_fault(self, *, is_submit: bool) -> str:
        """Count a request of the call's own kind and return what happens to it: the polls of a send are left alone."""
        if is_submit != self.is_send:
            return ""
        self.requests += 1
        return self.faults.get(self.requests, "")

    def take_during(self) -> During | None:
        """Return, once, what others do during this request."""
        if self.during is None or self.during.request != self.requests:
            return None
        during, self.during = self.during, None
        return during


@dataclass
class World:
    """One history under way."""

    folder: Path
    violations: list[Violation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = ManualClock()
        self.simulator = Simulator(
            https=False, port=9, clock=self.clock, poll_interval=_POLL_INTERVAL_S, behaviour=_behaviour("quick")
        )
        self.platform = self.simulator.platform
        self.machine = Machine(self.clock)
        self.ledger = Ledger()
        self.path = new_store_file(self.folder)
        self.wire = Wire(self)
        self.scopes: list[Scope] = []
        self.wanted: dict[tuple[str, str], dict[Identity, Send]] = {}
        self.settled_wrongly: set[str] = set()
        self.departures = 0
        self.unsure: set[tuple[str, str]] = set()  # rounds whose canary began, if it did, without a request
        self.held: dict[tuple[str, str], bool] = {}
        self.clock_jumped = False
        self.is_clock_told = True  # whether the platform has answered since the clock was set
        self.told_at: float | None = (
            None  # when it last answered a call that came to its end, if after the clock was set
        )
        self.account = self.simulator.account(poll_interval=_POLL_INTERVAL_S)
        self.pushes: Pushes | None = None
        self._users: dict[str, product.User] = {}
        self._onlooker = Process("judge", "near", 999, self.machine.disk)

    # ---- playing ------------------------------------------------------------------------------------------------

    @property
    def scope(self) -> Scope:
        """The call that is under way."""
        return self.scopes[-1]

    def play(self, action: Action) -> None:
        """Do what an action says, then judge."""
        self.clock.sleep(_ACTION_TIME_S)
        match action:
            case Collect() if self.pushes is not None:
                self.pushes.listen(action)
            case Send() | Collect() | Settle() | SettleWrongly() | OptOut():
                self._in_a_process(action)
            case Reopen() if not self.machine.is_acting(action.process):
                self.machine.process(action.process).end()
            case _:
                self._let_happen(action)
        if self.pushes is not None:
            self.pushes.deliver()
        self._judge(action)

    def _let_happen(self, action: Action) -> None:
        """Let happen what no process of the user's does."""
        match action:
            case Http():
                self._begin_pushing()
            case Wait():
                self.clock.sleep(action.seconds)
            case Clock():
                self.machine.clock.wrong_by += action.seconds
                self.clock_jumped, self.is_clock_told, self.told_at = True, False, None
                for scope in self.scopes:
                    scope.told_at = None
            case Disk():
                self.machine.disk.full = action.full
            case Fate():
                self.platform.behaviour = _behaviour(action.kind)
            case Reply():
                self.simulator.reply(product.phone_of(action.person), "TD")
            case Foreign():
                self._foreign_submit(action)
            case ForeignPoll():
                self._foreign_poll()

    @property
    def knows_time(self) -> bool:
        """Whether the store can know by how much the clock is off, if it is."""
        return not self.clock_jumped or (self.told_at is not None and self.clock.now() - self.told_at < _TOLD_FOR_S)

    def broken(self, name: str, detail: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(name, detail))

    def _begin_pushing(self) -> None:
        self.account = self.simulator.account(protocol="http")
        self.pushes = Pushes(self)
        self.machine.clock.after_sleep = self.pushes.deliver

    def _in_a_process(self, action: Send | Collect | Settle | SettleWrongly | OptOut) -> None:
        if self.machine.is_acting(action.process):
            return  # one process does one thing at a time
        process = self.machine.process(action.process)
        kill = action.kill if isinstance(action, (Send, Collect)) else 0
        process.dies_at = process.steps + kill if kill else 0
        try:
            with self.machine.acting(process):
                user = self._user(process)
                self._act(user, process, action)
        except (KilledError, MasError):
            pass
        except Exception as error:  # noqa: BLE001 - whatever the package lets out is judged
            if not self.violations:
                self.broken("crash", f"{type(error).__name__}: {error}")
        finally:
            process.dies_at = 0
            if process.is_dead:
                process.end()
                self._doubt_what_arrived(process)

    def _doubt_what_arrived(self, process: Process) -> None:
        """What a killed process had heard is known only where it was written down."""
        for taken in self.ledger.taken:
            taken.arrived = taken.arrived and taken.process != process.identity
        for page in self.ledger.pages:
            if page.process == process.identity and page.arrived:
                page.arrived, page.is_doubtful = False, True

    def settle_doubtful_pages(self) -> None:
        """Ask the store for the pages that a killed process had heard."""
        doubtful = [page for page in self.ledger.pages if page.is_doubtful]
        if doubtful:
            with self.reading() as store:
                stored = invariants.stored_rows(store)
            for page in doubtful:
                page.arrived = not Counter(page.rows) - stored
                page.is_doubtful = not page.arrived

    def _user(self, process: Process) -> product.User:
        user: product.User | None = process.kept.get("user")
        if user is None:
            user = process.kept["user"] = product.User(self.path, self.account, self.machine.clock, self.wire)
        return user

    def _act(self, user: product.User, process: Process, action: Action) -> None:
        match action:
            case Send():
                self._send(user, process, action)
            case Collect():
                assert user.collector is not None
                with self._scope(action, frozenset()):
                    if action.drain:
                        user.collector.drain(timeout=600)
                    else:
                        user.collector.collect()
            case Settle():
                for row in _in_doubt(user.store):
                    if product.is_confident(row["verdict"]):
                        user.store.settle(int(row["batch_id"]), "not_sent")
            case SettleWrongly():
                for row in _in_doubt(user.store)[:1]:
                    groups = invariants.groups_of_batch(self, user.store, int(row["batch_id"]))
                    self._let_go(groups)
                    user.store.settle(int(row["batch_id"]), "not_sent")
            case OptOut():
                user.store.opt_out([product.phone_of(action.person)])

    def _let_go(self, groups: set[str]) -> None:
        """Note that the user has said of what was taken that it was not: a canary may then go once more."""
        for taken in self.ledger.taken:
            if taken.group in groups - self.settled_wrongly:
                places = {one[:2] for one in map(identity_of, taken.phones, taken.texts) if one is not None}
                for place in places & set(self.ledger.canaries):
                    self.ledger.canaries[place].before += len(taken.phones)
        self.settled_wrongly |= groups

    def _send(self, user: product.User, process: Process, action: Send) -> None:
        opted_out = frozenset(user.store.opt_outs()["phone"])
        wanted = self.want(action)
        if action.go_on and (state := self.ledger.canaries.get(_round_of(action))):
            state.is_released = True
        canary = (*_round_of(action), action.canary) if action.canary is not None and not action.go_on else None
        try:
            with self._scope(action, opted_out, canary) as scope:
                result = product.send(user, action, process.kept)
        except InputError:
            for identity in wanted:  # nothing was sent, and nobody was promised anything
                if not self.ledger.by_identity.get(identity):
                    self.wanted[_round_of(action)].pop(identity, None)
            raise
        finally:
            if (action.canary or action.go_on) and _round_of(action) not in self.ledger.canaries:
                self.unsure.add(_round_of(action))
        self.held[_round_of(action)] = self.held.get(_round_of(action), False) or result.held > 0
        wanted = [one for one in wanted if one.phone not in opted_out]
        invariants.judge_result(self, user.store, action, result, scope.taken, wanted)

    def want(self, action: Send) -> list[Identity]:
        """Note whom a call is for."""
        known = self.wanted.setdefault(_round_of(action), {})
        rows = product.frame_of(action).itertuples(index=False)
        wanted = [Identity(*_round_of(action), str(row.key), str(row.phone)) for row in rows]
        for identity in wanted:
            known[identity] = action
        return wanted

    @contextmanager
    def _scope(
        self, action: Send | Collect, opted_out: frozenset[str], canary: tuple[str, str, int] | None = None
    ) -> Iterator[Scope]:
        is_send = isinstance(action, Send)
        scope = Scope(dict(action.faults), action.during, opted_out, canary, is_send, began=self.departures)
        if isinstance(action, Send):
            scope.claims_ahead, scope.budget, scope.cap = action.workers > 1, action.budget, action.cap
        self.scopes.append(scope)
        try:
            yield self.scopes[-1]
            if scope.told_at is not None and not self.machine.disk.full:
                self.told_at = scope.told_at
        finally:
            self.scopes.pop()

    def _foreign_submit(self, action: Foreign) -> None:
        account = self.simulator.account()
        phones = [product.phone_of(person) for person in range(action.first, action.first + action.people)]
        request = self.platform.audit_log.open_request("submit", self.platform.now(), "foreign")
        self.platform.submit("submit", submit_body(account, phones, FOREIGN, ""), request)

    def _foreign_poll(self) -> None:
        box = self.platform._boxes[self.platform.first_account.ap_id]
        page = box.reports.take(self.clock.monotonic(), 1000)
        for text in self.platform.texts_of(page):
            self.ledger.rows_gone |= {taken.group for taken in self.ledger.taken if taken.group in text}

    # ---- judging ------------------------------------------------------------------------------------------------

    def note_departure(self) -> None:
        """Note that a request leaves, and with the first of a canary that the round has one."""
        self.departures += 1
        self.scope.left = self.departures
        if self.scope.canary is not None:
            campaign, round_label, size = self.scope.canary
            place = campaign, round_label
            before = self.ledger.of_round[place]
            self.ledger.canaries.setdefault(place, CanaryState(size, before, self.departures, place in self.unsure))

    def judge_taken(self, taken: Taken) -> None:
        """Judge a request that the platform has just taken, and write it into the ledger."""
        self.ledger.taken.append(taken)
        for phone, text in zip(taken.phones, taken.texts, strict=True):
            identity = identity_of(phone, text)
            if identity is None:
                continue
            self.scope.taken += 1
            invariants.judge_acceptance(self, identity, taken)
            place = identity.campaign, identity.round
            self.ledger.by_identity[identity].append(taken)
            self.ledger.by_text[phone, text] += 1
            self.ledger.of_round[place] += len(self.ledger.by_identity[identity]) == 1
            self.ledger.rules[place].add(bool(identity.key))
        invariants.judge_round(self, taken)
        invariants.judge_limits(self, taken)

    def _judge(self, action: Action) -> None:
        """Judge what the store says after what may have changed it, as somebody who opens it now."""
        looked_at = isinstance(action, (Send, Collect, Settle, SettleWrongly))
        if looked_at and not self.violations and self.machine.is_idle and not self.machine.disk.full:
            with self.reading() as store:
                invariants.judge_store(self, store, fetched=isinstance(action, Collect))
        if self.violations:
            raise BrokenError

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """Open the store to look at it."""
        with self.machine.acting(self._onlooker):
            if "user" not in self._onlooker.kept:
                self._user(self._onlooker)
            yield self._onlooker.kept["user"].store

    def finish(self) -> None:
        """Let all be well again, let the user do the obvious, and judge whether anybody was forgotten."""
        for action in (Disk(""), Clock(-self.machine.clock.wrong_by), Wait(120), Collect(process="last"), Wait(7200),
                       Collect(process="last")):  # fmt: skip
            self.play(action)
        is_done: set[tuple[str, str]] = set()
        for _ in range(2):  # the second time what a canary had held
            self.held.clear()
            for place, sends in list(self.wanted.items()):
                if place not in is_done:
                    for send in dict.fromkeys(map(_plain, sends.values())):
                        self.play(send)
            is_done |= {place for place, is_held in self.held.items() if not is_held}
            self.play(Wait(7200))
            self.play(Collect(process="last"))
        with self.reading() as store:
            invariants.judge_end(self, store)
        if self.violations:
            raise BrokenError


def _plain(action: Send) -> Send:
    """Return the call that a user repeats at the end: all of it, with nothing in its way."""
    return Send(
        campaign=action.campaign, round=action.round, people=action.people, first=action.first, key=action.key,
        own=action.own, version=action.version, batch=action.batch, process="last",
    )  # fmt: skip


def _round_of(action: Send) -> tuple[str, str]:
    return action.campaign.strip("\u200b"), action.round


def _in_doubt(store: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = store.batches(state="unknown").to_dict("records")
    return rows


def _behaviour(kind: str) -> Scripted:
    """Return what becomes of messages."""
    delivered = "DELIVRD"
    people = range(_PEOPLE)
    if kind == "mixed":
        fates = [
            (delivered, 1.0),
            (delivered, 30.0),
            ("MK:0001", 2.0),
            (delivered, 3600.0),
            None,
            (delivered, 90_000.0),
        ]
        return Scripted({product.phone_of(one): fates[one % len(fates)] for one in people})
    if kind == "late_first":
        late = {product.phone_of(one): (delivered, 3600.0) for one in range(10)}
        return Scripted({**late, **{product.phone_of(one): None for one in people if one % 13 == 12}})
    usual = {"quick": (delivered, 1.0), "silent": None, "failed": ("MK:0001", 1.0), "slow": (delivered, 3600.0)}
    return Scripted(default=usual[kind])


def replay(actions: Sequence[Action], *, finish: bool = True) -> list[Violation]:
    """Play a history and return what was wrong: nothing, or the first violation."""
    parent = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="histories-", dir=parent))
    world = World(folder)
    try:
        with installed(world.machine, folder):
            try:
                for action in actions:
                    world.play(action)
                if finish:
                    world.finish()
            except BrokenError:
                pass
            finally:
                world.machine.end_all()
                world._onlooker.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return world.violations[:1]
