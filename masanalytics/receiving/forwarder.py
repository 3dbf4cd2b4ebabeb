"""Pushes passed on to another system, which may have been their receiver before; never in the way of keeping them."""

from __future__ import annotations

import queue
import threading
from typing import Final
from urllib.parse import urlsplit

import requests

from masanalytics.errors import InputError
from masanalytics.receiving.push_app import Request

__all__ = ["Forwarder", "checked_target"]

_MOST_WAITING: Final = 20_000
_TRIES: Final = 3
_PAUSE_S: Final = 2.0
_TIMEOUT_S: Final = 10.0
_THREADS: Final = 4


def checked_target(url: str) -> str:
    """Return an address that pushes can be passed on to.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> checked_target("http://crm.example:8080/sms/report")
    'http://crm.example:8080/sms/report'
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise InputError("forward={url!r} is no address: write http://HOST:PORT/PATH", url=url)
    return url


class Forwarder:
    """Sends each body on as it came, three times at most.

    Parameters
    ----------
    url : str
        Where to.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.forwarded = 0
        self.failed = 0
        self._waiting: queue.Queue[Request] = queue.Queue(_MOST_WAITING)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, name="masanalytics-forward", daemon=True) for _ in range(_THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, request: Request) -> None:
        """Let a push be sent on; where too many wait, it is counted as failed."""
        try:
            self._waiting.put_nowait(request)
        except queue.Full:
            self._count(sent=False)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Send on what waits, for `timeout_s` at most."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout_s / _THREADS)

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not (self._stop.is_set() and self._waiting.empty()):
                try:
                    request = self._waiting.get(timeout=0.2)
                except queue.Empty:
                    continue
                self._count(sent=self._send(session, request))

    def _send(self, session: requests.Session, request: Request) -> bool:
        headers = {"Content-Type": request.content_type or "application/json"}
        for attempt in range(_TRIES):
            if attempt and self._stop.wait(_PAUSE_S):
                break
            try:
                answer = session.post(
                    self.url, request.body, headers=headers, timeout=_TIMEOUT_S, allow_redirects=False
                )
            except requests.RequestException:
                continue
            if answer.status_code // 100 == 2:
                return True
        return False

    def _count(self, *, sent: bool) -> None:
        with self._lock:
            self.forwarded += sent
            self.failed += not sent
