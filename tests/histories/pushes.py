"""The HTTP flavour: the platform pushes, and a receiver keeps what it is told, in a process of its own."""

from __future__ import annotations

import json
import queue
from typing import TYPE_CHECKING, Any, Final

from masanalytics.errors import MasError
from masanalytics.receiving.keeper import Keeper
from masanalytics.receiving.push_app import Request
from masanalytics.store import Store
from tests.histories.ledger import Page
from tests.histories.machine import KilledError, Process

if TYPE_CHECKING:
    from masanalytics.protocol import Endpoint
    from tests.histories.actions import Collect
    from tests.histories.world import World

__all__ = ["Pushes"]

_TRIES: Final = 3
_BRIDGED_S: Final = 4.0
"""For so long the platform tries."""
_NAME: Final = "receiver"
_ENDPOINTS: Final[dict[str, Endpoint]] = {"report": "report", "uplink": "deliver"}


class _ServedAtOnce(queue.Queue[Any]):
    """A keeper's queue without its thread: who puts something in sees it kept."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__()
        self._keeper = keeper

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._keeper._keep_waiting()


class Pushes:
    """What the platform pushes as it falls due: to a receiver that listens, and into nowhere where none does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._keeper: Keeper | None = None
        self._process: Process | None = None
        self._faults: dict[int, str] = {}
        self._pushed = 0
        self._is_delivering = False
        self._ended_at = float("-inf")

    def listen(self, action: Collect) -> None:
        """Start the receiver where none listens, and let the action's faults strike its next pushes; ``drain=False`` ends it after."""
        self._faults = {self._pushed + number: kind for number, kind in action.faults}
        if self._keeper is None:
            if self._world.clock.monotonic() - self._ended_at > _BRIDGED_S:
                for kind in _ENDPOINTS:  # what was pushed in vain is not pushed again
                    self._due(kind)
            self._start()
        if self._process is not None and action.kill:
            self._process.dies_at = self._process.steps + action.kill
        self.deliver()
        if self._keeper is not None and not action.drain:
            self._in_the_process(self._keeper._beat)
            self.end()

    def end(self) -> None:
        """End the receiver, as a restart or a kill does."""
        if self._process is not None:
            self._process.end()
            self._ended_at = self._world.clock.monotonic()
        self._keeper = self._process = None

    def deliver(self) -> None:
        """Push what is due, if somebody listens."""
        if self._keeper is None or self._is_delivering:
            return
        self._is_delivering = True
        try:
            for kind in ("report", "uplink"):
                for text in self._due(kind):
                    self._push(kind, text)
            self._in_the_process(self._read)
        finally:
            self._is_delivering = False

    # ---- the platform ---------------------------------------------------------------------------------------------

    def _due(self, kind: str) -> list[str]:
        platform = self._world.platform
        found: list[str] = []
        while more := platform.take_due(kind, platform.first_account.ap_id, _NAME):
            found += more
        return found

    def _lose(self, kind: str, text: str) -> None:
        """Note what is lost although somebody listened, which nobody can know."""
        if kind == "report":
            self._world.ledger.rows_gone.add(json.loads(text)["msgGroup"])

    def _push(self, kind: str, text: str) -> None:
        """Push a row until it is answered, three times at most."""
        for _ in range(_TRIES):
            self._pushed += 1
            fault = self._faults.pop(self._pushed, "")
            heard = fault in ("", "drop_after", "late") and self._put(kind, text)
            if heard and fault != "drop_after":
                row = json.loads(text)
                said = (row["mobile"], row["msgGroup"], row["reportStatus"]) if kind == "report" else (
                    row["mobile"], row["smsContent"], "",
                )  # fmt: skip
                kind_of_page = "report" if kind == "report" else "reply"
                self._world.ledger.pages.append(Page(kind_of_page, [said], "", arrived=True))
                return
        self._lose(kind, text)

    # ---- the receiver ---------------------------------------------------------------------------------------------

    def _start(self) -> None:
        world = self._world
        self._process = world.machine.process(_NAME)
        if world.machine.disk.full:
            self.end()
            return
        self._in_the_process(self._open)

    def _open(self) -> None:
        world = self._world
        store: Store = Store(world.path, clock=world.machine.clock, busy_s=0.05)
        clock = world.machine.clock
        keeper = Keeper(store.intake, world.account.key, clock, clock.monotonic)
        keeper._queue = _ServedAtOnce(keeper)
        keeper.begin()
        self._keeper = keeper

    def _put(self, kind: str, text: str) -> bool:
        """Return whether the receiver answers that it has the row."""
        keeper, heard = self._keeper, False
        if keeper is None:
            return False
        request = Request(text.encode(), _ENDPOINTS[kind], "application/json", self._world.machine.clock.now())

        def put() -> None:
            nonlocal heard
            heard = keeper.put(request)

        self._in_the_process(put)
        return heard

    def _read(self) -> None:
        keeper = self._keeper
        if keeper is None:
            return
        keeper._look_around()
        while keeper._unread:
            before = len(keeper._unread)
            keeper._read_one()
            if len(keeper._unread) == before:
                return

    def _in_the_process(self, work: Any) -> None:
        process = self._process
        if process is None:
            return
        try:
            with self._world.machine.acting(process):
                work()
        except KilledError:
            self.end()
        except MasError:
            pass  # as the receiver's own thread: logged, and tried again
