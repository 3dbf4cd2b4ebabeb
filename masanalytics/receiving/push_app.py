"""What a receiver answers: 200 as soon as a push is durable, and nothing to whoever does not know its path."""

from __future__ import annotations

import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from masanalytics.protocol import Endpoint

__all__ = ["PushApp", "Request"]

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
_KINDS: Final[Mapping[str, Endpoint]] = {"report": "report", "uplink": "deliver"}
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """One push: its body as it came, what its address is for, and when it came (epoch seconds)."""

    body: bytes
    endpoint: Endpoint
    content_type: str
    received_at: float


class PushApp:
    """A WSGI application.

    Parameters
    ----------
    secret : str
        The first part of every path.
    keep : callable
        Makes a push durable; returns whether it is.
    standing : callable
        What ``GET /SECRET/health`` answers, and whether all is well.
    admits : callable
        Whether an address may push.
    now : callable
        The instant a push came.
    rate : float
        Most pushes a second; more are answered 503, and come again.
    """

    def __init__(
        self,
        secret: str,
        keep: Callable[[Request], bool],
        standing: Callable[[], tuple[dict[str, Any], bool]],
        *,
        admits: Callable[[str], bool],
        now: Callable[[], float],
        rate: float,
    ) -> None:
        self.turned_away = 0
        self._secret = secret.encode()
        self._keep, self._standing, self._admits, self._now = keep, standing, admits, now
        self._rate, self._left, self._filled_at = rate, rate, time.monotonic()
        self._lock = threading.Lock()

    def count_refusal(self) -> None:
        """Count one more request that was turned away."""
        with self._lock:
            self.turned_away += 1

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        status, body, kind = self._answer(environ)
        if not status.startswith("200"):
            self.count_refusal()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: Environ) -> tuple[str, bytes, str]:
        what = self._asked_for(environ)
        if what is None or not self._admits(str(environ.get("REMOTE_ADDR", ""))):
            return "404 Not Found", b"not found\n", _TEXT
        method = environ["REQUEST_METHOD"]
        if what == "health":
            figures, well = self._standing()
            text = json.dumps(figures, ensure_ascii=False).encode()
            return "200 OK" if well else "503 Service Unavailable", text + b"\n", "application/json"
        record = _record_of_query(environ)
        if method in ("GET", "HEAD") and not record:  # somebody, or the platform, looks whether the address is there
            return "200 OK", b"" if method == "HEAD" else b"ok\n", _TEXT
        if method not in ("GET", "POST"):
            return "405 Method Not Allowed", b"", _TEXT
        if not self._has_room():
            return "503 Service Unavailable", b"busy\n", _TEXT
        body = environ["wsgi.input"].read() or record
        push = Request(body, _KINDS[what], str(environ.get("CONTENT_TYPE", "")), self._now())
        if body and not self._keep(push):
            return "503 Service Unavailable", b"cannot be kept now\n", _TEXT
        return "200 OK", b"ok\n", _TEXT

    def _asked_for(self, environ: Environ) -> Literal["report", "uplink", "health"] | None:
        parts = str(environ.get("PATH_INFO", "")).strip("/").split("/")
        known = hmac.compare_digest(parts[0].encode("utf-8", "replace"), self._secret)
        match parts[1:]:
            case ["report" | "uplink" | "health" as what] if known:
                return what
        return None

    def _has_room(self) -> bool:
        """Take one from a bucket that fills at the rate, and holds two seconds' worth."""
        with self._lock:
            now = time.monotonic()
            self._left = min(2 * self._rate, self._left + (now - self._filled_at) * self._rate)
            self._filled_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True


def _record_of_query(environ: Environ) -> bytes:
    """Return what follows the question mark where that is a record: no gateway in between may make a push of it unseen."""
    query = str(environ.get("QUERY_STRING", ""))
    return query.encode("latin-1", "replace") if re.search(r"(?:^|&)mobiles?=", query) else b""
