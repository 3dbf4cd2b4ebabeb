"""What can go wrong between a client and the platform, on purpose."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from typing import Any, Final

from masanalytics.errors import InputError

__all__ = ["KINDS", "Fault", "Faults"]

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
"""Kind of fault -> whether the platform takes the request (unless `Fault.taken` says otherwise).

- ``refuse``: the connection is reset before anything is read; where no endpoint is named, before the TLS handshake.
- ``drop_before``, ``drop_after``: the request is read and the connection closed without an answer, before or after the
  platform has taken it.
- ``hang``: no answer until the client gives up, `seconds` have passed, or the simulator stops.
- ``truncate``: the connection is closed in the middle of the answer. ``half``: HTTP calls the answer whole, but it is the
  first half of the JSON.
- ``garbage``: bytes that mean nothing, with status 200. ``html200``: a web page with status 200. ``status``: an HTML page
  with status `status`.
- ``not_white_ip``: the refusal of an address that is not on the account's list. ``too_soon``: the answer to hasty polls.
- ``broken_record``: the middle row of a page means nothing, though it is JSON. ``torn_record``: it is not even JSON.
  ``invalid_utf8``: it holds bytes that are not UTF-8. All three wait for a page with rows.
- ``huge``: the answer is padded to `megabytes`. ``delay``: the answer takes `seconds` (real ones) longer.
"""

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


@dataclass
class Fault:
    """A fault and when it strikes. It can be used as a context manager, at whose end it is cancelled.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
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
            raise InputError(
                f"no fault is called {self.kind!r}: use one of {', '.join(KINDS)}",
                zh=f"没有名为 {self.kind!r} 的故障，可用：{'、'.join(KINDS)}",
            )
        if self.endpoint not in _ENDPOINTS:
            names = [name for name in _ENDPOINTS if name]
            raise InputError(
                f"no endpoint is called {self.endpoint!r}: use one of {', '.join(names)}",
                zh=f"没有名为 {self.endpoint!r} 的接口，可用：{'、'.join(names)}",
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
