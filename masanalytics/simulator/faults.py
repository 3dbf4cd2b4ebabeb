"""What can go wrong between a client and the platform, on purpose, and what that makes of an answer."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from masanalytics.errors import InputError
from masanalytics.near_names import suggests_names
from masanalytics.simulator.settings import Style

__all__ = ["HTML", "JSON", "KINDS", "Fault", "Faults", "Payload", "damaged", "page_bytes", "web_page"]

JSON = "application/json;charset=UTF-8"
HTML = "text/html;charset=UTF-8"

_NOT_WHITE_IP = b'{"message":"NOT_WHITE_IP","success":false}'
_GARBAGE = b"\x00\x9f\x92\x96<<<garbage>>>" + bytes(range(128, 256))
_BROKEN = '{"errorCode":null,"mobile":null,"msgGroup":["?"],"receiveDate":"soon","reportStatus":7,"smsContent":null}'

KINDS: Final = {
    "refuse": False,
    "drop_before": False,
    "drop_after": True,
    "hang": True,
    "truncate": True,
    "half": True,
    "garbage": True,
    "status": False,
    "html200": False,
    "not_white_ip": False,
    "too_soon": False,
    "broken_record": True,
    "torn_record": True,
    "invalid_utf8": True,
    "huge": True,
    "delay": True,
}
"""Kind of fault -> whether the platform takes the request (unless `Fault.taken` says otherwise); see `Fault`."""

_NEEDS_ROWS = frozenset({"broken_record", "torn_record", "invalid_utf8"})
_ENDPOINTS: Final = {
    "": frozenset({"submit", "tmpsubmit", "report", "deliver"}),
    "submit": frozenset({"submit"}),
    "tmpsubmit": frozenset({"tmpsubmit"}),
    "report": frozenset({"report"}),
    "deliver": frozenset({"deliver"}),
    "send": frozenset({"submit", "tmpsubmit"}),
    "poll": frozenset({"report", "deliver"}),
}


@suggests_names
@dataclass
class Fault:
    """A fault and when it strikes. It can be used as a context manager, at whose end it is cancelled.

    Parameters
    ----------
    kind : str
        What goes wrong; see below.
    endpoint : str
        ``submit``, ``tmpsubmit``, ``report``, ``deliver``, ``send`` (the first two), ``poll`` (the last two); any by
        default.
    times : int, optional
        How often it strikes at most.
    every : int, optional
        It strikes at every n-th request that fits: ``every=5`` is one request in five.
    probability : float, optional
        Or with this probability, drawn from `seed`.
    after : int
        How many requests that fit are left alone first.
    taken : bool, optional
        Whether the platform takes the request, if not as `KINDS` says.
    seconds : float
        For ``delay`` and ``hang`` (0: for ever).
    status : int
        For ``status``.
    megabytes : float
        For ``huge``.
    seed : int
        For `probability`.

    Attributes
    ----------
    fired : int
        How often it has struck.

    Notes
    -----
    The kinds:

    - ``refuse``: the connection is reset before anything is read; where no endpoint is named, before the TLS handshake.
    - ``drop_before``, ``drop_after``: the request is read and the connection closed without an answer, before or after the
      platform has taken it.
    - ``hang``: no answer until the client gives up, ``seconds`` have passed, or the simulator stops.
    - ``truncate``: the connection is closed in the middle of the answer. ``half``: HTTP calls the answer whole, but it is the
      first half of the JSON.
    - ``garbage``: bytes that mean nothing, with status 200. ``html200``: a web page with status 200. ``status``: an HTML page
      with the status of ``status``.
    - ``not_white_ip``: the rejection of an address that is not on the account's list. ``too_soon``: the answer to hasty polls.
    - ``broken_record``: the middle row of a page means nothing, though it is JSON. ``torn_record``: it is not even JSON.
      ``invalid_utf8``: it holds bytes that are not UTF-8. All three wait for a page with rows.
    - ``huge``: the answer is padded to ``megabytes``. ``delay``: the answer takes ``seconds`` (real ones) longer.
    """

    kind: str
    endpoint: str = ""
    times: int | None = None
    every: int | None = None
    probability: float | None = None
    after: int = 0
    taken: bool | None = None
    seconds: float = 0.0
    status: int = 502
    megabytes: float = 50.0
    seed: int = 0
    fired: int = field(default=0, init=False)
    _seen: int = field(default=0, init=False, repr=False)
    _chance: random.Random = field(default_factory=random.Random, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError("no fault is called {kind!r}: use one of {names}", kind=self.kind, names=", ".join(KINDS))
        if self.endpoint not in _ENDPOINTS:
            names = [name for name in _ENDPOINTS if name]
            raise InputError(
                "no endpoint is called {endpoint!r}: use one of {names}", endpoint=self.endpoint, names=", ".join(names)
            )
        self._chance = random.Random(self.seed)  # noqa: S311 - chance that repeats, nothing secret

    @property
    def takes(self) -> bool:
        """Whether the platform takes the request it strikes."""
        return KINDS[self.kind] if self.taken is None else self.taken

    @property
    def needs_rows(self) -> bool:
        """Whether it only strikes where there are rows to strike."""
        return self.kind in _NEEDS_ROWS

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *exception: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Let it strike no more."""
        self.times = 0

    def fits(self, endpoint: str) -> bool:
        """Return whether it can strike a request to `endpoint` at all."""
        spent = self.times is not None and self.fired >= self.times
        return not spent and endpoint in _ENDPOINTS[self.endpoint]

    def strikes(self) -> bool:
        """Count one request that fits, and return whether it is struck."""
        self._seen += 1
        if self._seen <= self.after:
            return False
        if self.every is not None:
            struck = (self._seen - self.after) % self.every == 0
        elif self.probability is not None:
            struck = self._chance.random() < self.probability
        else:
            struck = True
        self.fired += struck
        return struck

    def missed(self) -> None:
        """Take back that it struck: there was nothing to strike. It tries again at the next request."""
        self.fired -= 1
        self._seen -= 1


class Faults:
    """The faults waiting to strike; safe to use from several threads.

    Examples
    --------
    >>> faults = Faults()
    >>> fault = faults.add("hang", endpoint="submit", every=2)
    >>> [faults.pick("submit") is not None for _ in range(4)], faults.pick("report")
    ([False, True, False, True], None)
    >>> fault.fired
    2
    """

    def __init__(self) -> None:
        self._active: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, kind: str | Fault, **options: Any) -> Fault:
        """Add a fault, or one by its kind and the parameters of `Fault`, and return it."""
        fault = kind if isinstance(kind, Fault) else Fault(kind, **options)
        with self._lock:
            self._active.append(fault)
        return fault

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            for fault in self._active:
                fault.cancel()
            self._active.clear()

    def pick(self, endpoint: str) -> Fault | None:
        """Return the fault that strikes a request to `endpoint`, of those that read it; the oldest goes first."""
        with self._lock:
            for fault in self._active:
                if fault.kind != "refuse" and fault.fits(endpoint) and fault.strikes():
                    return fault
        return None

    def refuses(self, endpoint: str) -> bool:
        """Return whether a request is refused unread; `endpoint` is empty before it can be known."""
        with self._lock:
            for fault in self._active:
                mine = fault.kind == "refuse" and bool(fault.endpoint) == bool(endpoint)
                if mine and fault.fits(endpoint or "submit") and fault.strikes():
                    return True
        return False

    def give_back(self, fault: Fault) -> None:
        """Say that `fault` found nothing to strike."""
        with self._lock:
            fault.missed()

    @property
    def refusing(self) -> bool:
        """Whether connections may be refused, so that none should be kept open meanwhile."""
        with self._lock:
            return any(fault.kind == "refuse" and fault.times != fault.fired for fault in self._active)


class Payload(NamedTuple):
    """What is sent: HTTP status, content type, and the bytes."""

    status: int
    kind: str
    body: bytes


def web_page(status: int, title: str) -> Payload:
    """Return an HTML page, as servers and gateways on the way send them.

    Examples
    --------
    >>> web_page(502, "Bad Gateway").body
    b'<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>'
    """
    text = f"{status} {title}"
    return Payload(
        status, HTML, f"<html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>".encode()
    )


def damaged(fault: Fault, whole: Payload, rows: Sequence[str], style: Style) -> Payload:
    """Return what `fault` makes of an answer; one that concerns the connection only leaves it alone.

    Parameters
    ----------
    fault : Fault
        What strikes.
    whole : Payload
        The answer as it should be.
    rows : sequence of str
        The rows of a page; a damaged row is the one in the middle.
    style : Style
        How answers look.
    """
    match fault.kind:
        case "garbage":
            return Payload(200, JSON, _GARBAGE)
        case "html200":
            return Payload(200, HTML, "<html><body>系统维护中，请稍后再试</body></html>".encode())
        case "status":
            return web_page(fault.status, "Service trouble")
        case "not_white_ip":
            return Payload(200, JSON, _NOT_WHITE_IP)
        case "too_soon":
            return Payload(200, JSON, style.too_soon.encode())
        case "half":
            return whole._replace(body=whole.body[: len(whole.body) // 2])
        case "huge":
            return whole._replace(body=_padded(whole.body, int(fault.megabytes * 1_000_000)))
    return whole._replace(body=_struck(fault.kind, rows)) if fault.needs_rows else whole


def _padded(body: bytes, length: int) -> bytes:
    """Return JSON with blanks before its end."""
    return body[:-1] + b" " * length + body[-1:]


def _struck(kind: str, rows: Sequence[str]) -> bytes:
    """Return a page whose middle row is damaged."""
    row_bytes = [row.encode("utf-8", "surrogatepass") for row in rows]
    position = len(rows) // 2
    if kind == "broken_record":
        row_bytes[position] = _BROKEN.encode()
    elif kind == "torn_record":
        row_bytes[position] = row_bytes[position].replace(b'":"', b'":', 1)
    else:
        row_bytes[position] = row_bytes[position].replace(b'":"', b'":"\xff\xfe\xcd\xcb', 1)
    return b"[" + b",".join(row_bytes) + b"]"


def page_bytes(rows: Sequence[str]) -> bytes:
    """Return a page as the bytes of a JSON list; half an emoji in a text becomes bytes that are not UTF-8."""
    return f"[{','.join(rows)}]".encode("utf-8", "surrogatepass")
