"""How the platform pushes reports and replies of an HTTP account: a request each, two seconds, three tries, then dropped."""

from __future__ import annotations

import base64
import contextlib
import http.client
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from urllib.parse import quote, urlsplit

from masanalytics.errors import InputError
from masanalytics.simulator.audit_log import row_of
from masanalytics.simulator.platform import Platform

__all__ = ["Dropped", "Push", "Pusher"]

_LOOK_S: Final = 0.02
_TYPES: Final = {"form": "application/x-www-form-urlencoded", "base64": "text/plain"}


@dataclass(frozen=True)
class Push:
    """Where and how an account's reports and replies are pushed.

    Parameters
    ----------
    url : str
        Where reports go to; replies too, unless they have an address of their own.
    uplink_url : str, optional
        Where replies go to.
    timeout : float
        Real seconds in which an answer must have come ("within two seconds"). One that comes later is not seen: the row is
        pushed again although it was taken.
    tries : int
        Pushes of a row in all; after that it is dropped. Whether the document's three count the first is not said.
    pause : float
        Real seconds between two tries.
    workers : int
        How many rows are under way at once. The document says nothing of it.
    reorder : int
        By how many places a row may come late.
    duplicates : float
        Share of rows that are pushed once more although they were answered.
    shape : {"object", "list", "base64", "form"}
        How a row is written. The document says an object; receivers in use guess the others too.
    content_type : str, optional
        By default what suits the shape.

    Examples
    --------
    >>> Push("http://127.0.0.1:8090/secret/report").target("uplink")
    'http://127.0.0.1:8090/secret/report'
    """

    url: str
    uplink_url: str = ""
    timeout: float = 2.0
    tries: int = 3
    pause: float = 2.0
    workers: int = 4
    reorder: int = 0
    duplicates: float = 0.0
    shape: Literal["object", "list", "base64", "form"] = "object"
    content_type: str = ""

    def __post_init__(self) -> None:
        for url in filter(None, (self.url, self.uplink_url)):
            _check_url(url)

    def target(self, kind: str) -> str:
        """Return where rows of `kind` go to."""
        return (self.uplink_url if kind == "uplink" else "") or self.url

    def body(self, text: str) -> bytes:
        """Return a row as it is written."""
        match self.shape:
            case "list":
                return f"[{text}]".encode()
            case "base64":
                return base64.b64encode(text.encode())
            case "form":
                return "&".join(f"{key}={quote(str(value))}" for key, value in row_of(text).items()).encode()
        return text.encode()


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_address = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise InputError(
            "push {url!r} is no address that can be pushed to: write http://HOST:PORT/PATH (the platform is not known to "
            "push to https://)",
            url=url,
        )


class Dropped(NamedTuple):
    """A row that was given up: `kind` is ``report`` or ``uplink``."""

    kind: str
    text: str


class Pusher:
    """Pushes what falls due, until it is stopped.

    Parameters
    ----------
    platform : Platform
        Whose rows.
    push : Push
        Where and how; all accounts that were not made for HTTPS push there.
    """

    def __init__(self, platform: Platform, push: Push) -> None:
        self.push = push
        self.dropped: list[Dropped] = []
        self.tries = 0
        self._platform = platform
        self._accounts = [account.ap_id for account in platform.accounts.values() if account.protocol != "https"]
        self._random = random.Random(platform.seed)  # noqa: S311 - to repeat, not to hide
        self._lines = threading.local()
        self._opened: list[http.client.HTTPConnection] = []
        self._stopping = threading.Event()
        self._free = threading.Semaphore(2 * push.workers)
        self._lock = threading.Lock()
        self._under_way = 0
        self._pool = ThreadPoolExecutor(push.workers, thread_name_prefix="masanalytics-push")
        self._thread = threading.Thread(target=self._run, name="masanalytics-pusher", daemon=True)

    def start(self) -> None:
        """Push in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the rows under way and push no more; what is due stays."""
        self._stopping.set()
        self._thread.join()
        self._pool.shutdown(wait=True)  # what was taken from the platform is pushed
        for line in self._opened:
            line.close()

    @property
    def idle(self) -> bool:
        """Whether nothing is due and nothing under way."""
        with self._lock:
            return not self._under_way and not any(self._platform.waiting()[::2])

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            for ap_id in self._accounts:
                for kind in ("report", "uplink"):
                    with self._lock:  # so that nobody finds it idle between taking and pushing
                        texts = self._platform.take_due(kind, ap_id, self.push.target(kind))
                        order = list(self._ordered(texts))
                        self._under_way += len(order)
                    for text in order:
                        self._free.acquire()
                        self._pool.submit(self._deliver, kind, text)

    def _ordered(self, texts: list[str]) -> Iterator[str]:
        """Yield rows as they go out: some late, some twice."""
        twice = [text for text in texts for _ in range(1 + (self._random.random() < self.push.duplicates))]
        late = [place + self._random.uniform(0, self.push.reorder) for place in range(len(twice))]
        yield from (twice[place] for place in sorted(range(len(twice)), key=late.__getitem__))

    def _deliver(self, kind: str, text: str) -> None:
        try:
            for attempt in range(self.push.tries):
                if attempt and self._stopping.wait(self.push.pause):
                    break
                with self._lock:
                    self.tries += 1
                if self._post(self.push.target(kind), self.push.body(text)):
                    self._platform.audit_log.add("pushed")
                    return
            self._platform.audit_log.add("dropped")
            self.dropped.append(Dropped(kind, text))
        finally:
            self._free.release()
            with self._lock:
                self._under_way -= 1

    def _post(self, url: str, body: bytes) -> bool:
        """Push once; return whether it was answered in time."""
        address = urlsplit(url)
        line = self._line(address.netloc)
        headers = {
            "Content-Type": self.push.content_type or _TYPES.get(self.push.shape, "application/json;charset=UTF-8")
        }
        until = time.monotonic() + self.push.timeout
        try:
            line.request("POST", address.path or "/", body, headers)
            answer = line.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            with contextlib.suppress(OSError):
                line.close()
            return False
        return answer.status // 100 == 2 and time.monotonic() <= until

    def _line(self, server: str) -> http.client.HTTPConnection:
        """Return this thread's connection to a server."""
        kept: dict[str, http.client.HTTPConnection] = self._lines.__dict__.setdefault("kept", {})
        if server not in kept:
            kept[server] = http.client.HTTPConnection(server, timeout=self.push.timeout)
            self._opened.append(kept[server])
        return kept[server]
