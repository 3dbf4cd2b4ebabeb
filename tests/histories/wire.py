"""The network: one request, what the platform does with it, and what comes back."""

from __future__ import annotations

import json
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

import requests

from masanalytics.client.transport import Answer, Failure
from masanalytics.simulator.faults import page_bytes
from masanalytics.simulator.wire import ENDPOINTS, OF_HTTP
from tests.histories.ledger import Page, Taken

if TYPE_CHECKING:
    from tests.histories.actions import During
    from tests.histories.world import World

__all__ = ["POLL_FAULTS", "SUBMIT_FAULTS", "Wire"]

_REFUSED: Final = '{"msgGroup":"","rspcod":"InvalidMessage","success":false}'
_NOT_WHITE_IP: Final = '{"message":"NOT_WHITE_IP","success":false}'
_BUSY: Final = '{"success":false,"rspcod":"SystemBusy"}'
_TIMEOUT: Final = '{"success":false,"message":"RequestTimeout"}'

# Kind -> whether the platform takes the request, the HTTP status, and the body (None: no answer).
SUBMIT_FAULTS: Final[dict[str, tuple[bool, int, str | None]]] = {
    "unreachable": (False, 0, None),
    "drop_before": (False, 0, None),
    "drop_after": (True, 0, None),
    "late": (True, 200, ""),
    "hang": (True, 0, None),
    "refused": (False, 200, _REFUSED),
    "not_white_ip": (False, 200, _NOT_WHITE_IP),
    "busy": (True, 200, _BUSY),
    "timeout408": (True, 408, _TIMEOUT),
    "status502": (True, 502, "<html>Bad Gateway</html>"),
    "html200": (False, 200, "<html>系统维护中</html>"),
    "garbage": (True, 200, "\x00<<<"),
    "half": (True, 200, "half"),
}
POLL_FAULTS: Final[dict[str, tuple[bool, int, str | None]]] = {
    "unreachable": (False, 0, None),
    "drop_before": (False, 0, None),
    "drop_after": (True, 0, None),
    "garbage": (True, 200, "\x00<<<"),
    "half": (True, 200, "half"),
    "torn": (True, 200, "torn"),
    "html200": (False, 200, "<html>系统维护中</html>"),
    "late": (True, 200, ""),
}
_SLOW_S: Final = 700.0
_WAY_S: Final = 0.05


class Wire:
    """Stands in for the client's `Transport`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def exchange(self, path: str, body: bytes | None) -> Answer | Failure:
        """Carry a request to the platform and its answer back."""
        world, process = self._world, self._world.machine.current
        process.step()
        asked_at = world.machine.clock.now()
        endpoint = ENDPOINTS[path]
        is_submit = endpoint in ("submit", "tmpsubmit")
        kind = world.scope.next_fault(is_submit=is_submit)
        takes, status, said = (SUBMIT_FAULTS if is_submit else POLL_FAULTS)[kind] if kind else (True, 200, "")
        world.clock.sleep(_WAY_S)
        if is_submit and kind != "unreachable":
            world.note_departure()
        during = world.scope.take_during()
        self._meanwhile(during, taken=False)
        whole: bytes = b""
        record: Taken | Page | None = None
        if takes:
            whole, record = (
                self._submit(path, body or b"", asked_at) if is_submit else self._poll(endpoint, body or b"")
            )
        world.clock.sleep(_SLOW_S if kind in ("late", "hang") else _WAY_S)
        self._meanwhile(during, taken=True)
        process.step()
        answered_at = world.machine.clock.now()
        if said is None:
            return Failure(kind != "unreachable", requests.ConnectionError(kind), asked_at, answered_at)
        if record is not None and not said:
            record.arrived = world.is_clock_told = True
            if world.scopes:
                world.scope.told_at = world.clock.now()
        headers = {"Date": formatdate(world.platform.now(), usegmt=True)}
        return Answer(
            status, headers, _damaged(whole, said), complete=True, requested_at=asked_at, answered_at=answered_at
        )

    def close(self) -> None:
        """Close nothing."""

    def _meanwhile(self, during: During | None, *, taken: bool) -> None:
        if during is not None and during.taken == taken:
            for action in during.actions:
                self._world.play(action)

    def _submit(self, path: str, body: bytes, asked_at: float) -> tuple[bytes, Taken | None]:
        world, endpoint = self._world, ENDPOINTS[path]
        log = world.platform.audit_log
        request = log.open_request(endpoint, world.platform.now(), world.machine.current.name)
        answer = world.platform.submit(endpoint, body, request, of_http=path == OF_HTTP)
        if request.outcome != "success":
            return answer.text.encode(), None
        batch = log._batches[-1]
        size = len(batch.phones)
        texts = (batch.texts,) * size if isinstance(batch.texts, str) else tuple(batch.texts)
        taken = Taken(
            batch.group, tuple(batch.phones), texts, world.machine.current.identity, asked_at, world.platform.now()
        )
        world.judge_taken(taken)
        return answer.text.encode(), taken

    def _poll(self, endpoint: str, body: bytes) -> tuple[bytes, Page | None]:
        world = self._world
        request = world.platform.audit_log.open_request(endpoint, world.platform.now(), world.machine.current.name)
        answer = world.platform.poll(endpoint, body, request)
        if answer.rows is None:
            return answer.text.encode(), None
        rows = [json.loads(row) for row in answer.rows]
        process = world.machine.current.identity
        if endpoint == "report":
            page = Page("report", [(row["mobile"], row["msgGroup"], row["reportStatus"]) for row in rows], process)
        else:
            page = Page("reply", [(row["mobile"], row["smsContent"], "") for row in rows], process)
        world.ledger.pages.append(page)
        return page_bytes(answer.rows), page


def _damaged(whole: bytes, said: str) -> bytes:
    if said == "half":
        return whole[: len(whole) // 2]
    if said == "torn":
        return whole.replace(b'":"', b'":', 1)
    return said.encode() if said else whole
