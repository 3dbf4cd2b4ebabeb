"""One request and its answer over HTTP, and whether the request may have been sent.

`requests` and `urllib3` name what went wrong, not when. Here every connection marks the moment before the first byte of a
request is written, so that "surely never sent" is a fact and not an inference from the kind of error.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.client import HTTPException
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from masanalytics._version import __version__
from masanalytics.client.trust import Network, Trust
from masanalytics.clock import Clock, SystemClock

__all__ = ["Answer", "Failure", "Transport"]

_CHUNK_BYTES: Final = 1 << 16
_MAX_BYTES: Final = 1 << 28  # 256 MB: no page is a hundredth of it
# An answer may be slow; one that is not whole after so many read timeouts is taken as broken off.
_MAX_TIMEOUTS: Final = 10
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_HEADERS: Final = {
    "User-Agent": f"masanalytics/{__version__}",
    "Content-Type": "application/json",
    "Accept": "application/json",
    # Uncompressed, so that the received half of a broken answer can be read.
    "Accept-Encoding": "identity",
}


@dataclass
class _Progress:
    """How far one request has come."""

    sent: bool = False


_PROGRESS: ContextVar[_Progress | None] = ContextVar("masanalytics_progress", default=None)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `complete` says whether the whole body arrived."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    complete: bool
    requested_at: float
    answered_at: float

    @property
    def charset(self) -> str:
        """What the header says of the body's encoding, or ``""``."""
        kind = next((value for key, value in self.headers.items() if key.lower() == "content-type"), "")
        found = _CHARSET.search(kind)
        return found[1].lower() if found else ""


@dataclass(frozen=True)
class Failure:
    """A request without an answer; `sent` says whether its first byte may have been written."""

    sent: bool
    error: BaseException = field(repr=False)
    requested_at: float
    answered_at: float


@contextmanager
def _connecting() -> Iterator[None]:
    """Do not count what is written while connecting, to a proxy or for the TLS handshake, as part of the request."""
    progress = _PROGRESS.get() or _Progress()
    before = progress.sent
    try:
        yield
    finally:
        progress.sent = before


def _mark_sent() -> None:
    """Note that the first byte of the request is about to be written."""
    progress = _PROGRESS.get()
    if progress is not None:
        progress.sent = True


class _TrackedHTTP(HTTPConnection):
    """A connection that notes when the first byte of a request is written."""

    def connect(self) -> None:
        with _connecting():
            super().connect()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _mark_sent()
        super().send(data)


class _TrackedHTTPS(HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        with _connecting():
            super().connect()
        # Whether to do without an authority was decided, and logged, by the account's tls setting. urllib3 would warn of
        # it at every request, and a filter for warnings is not safe between threads.
        self.is_verified = True

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        _mark_sent()
        super().send(data)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _TrackedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TrackedHTTPS


class _Retry(Retry):
    """Connecting again after a while, on a clock that can be a test's."""

    clock: Clock = SystemClock()

    def new(self, **kw: Any) -> _Retry:
        made = super().new(**kw)
        made.clock = self.clock
        return made

    def _sleep_backoff(self) -> None:
        self.clock.sleep(self.get_backoff_time())


class _Adapter(HTTPAdapter):
    """Tracked connections to a server with the right certificate only, through a proxy too."""

    def __init__(self, trust: Trust, **settings: Any) -> None:
        # Before super(), which makes the pools.
        self._tls: dict[str, Any] = {}
        if trust.context is not None:
            self._tls["ssl_context"] = trust.context
        if trust.fingerprint is not None:
            self._tls["assert_fingerprint"] = trust.fingerprint
        super().__init__(**settings)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kw: Any) -> None:  # noqa: FBT001, FBT002
        super().init_poolmanager(connections, maxsize, block, **kw, **self._tls)
        _track(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kw: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kw, **self._tls)
        _track(manager)
        return manager


def _track(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


class _Session(requests.Session):
    """A session that neither follows redirects nor looks where they lead."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Say that `resp` leads nowhere."""


class Transport:
    """The connections of one client. Thread-safe.

    Parameters
    ----------
    base : str
        ``https://host:port``.
    trust : Trust
        Which server is the right one.
    network : Network
        How to reach it.
    clock : Clock
        What time it is.
    """

    def __init__(self, base: str, trust: Trust, network: Network, clock: Clock) -> None:
        self.trust = trust
        self._base, self._network, self._clock = base, network, clock
        # Connecting is tried again, nothing else ever: what was sent may have been taken.
        retry = _Retry(total=None, connect=3, read=False, redirect=0, status=0, other=0, backoff_factor=0.25)
        retry.clock = clock
        self._session = _Session()
        self._session.trust_env = False
        self._session.headers.update(_HEADERS)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = _Adapter(trust, pool_maxsize=network.connections, pool_block=True, max_retries=retry)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def exchange(self, path: str, body: bytes | None) -> Answer | Failure:
        """POST `body` to `path` (HEAD where there is none) and return what came of it; never raises for the network."""
        progress = _Progress()
        token = _PROGRESS.set(progress)
        requested_at = self._clock.now()
        try:
            with self._request(path, body) as response:
                whole, complete = self._read(response)
                headers = dict(response.headers)
            return Answer(response.status_code, headers, whole, complete, requested_at, self._clock.now())
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            return Failure(progress.sent, error, requested_at, self._clock.now())
        finally:
            _PROGRESS.reset(token)

    def close(self) -> None:
        """Close the connections; a later exchange opens new ones."""
        self._session.close()

    def _read(self, response: requests.Response) -> tuple[bytes, bool]:
        """Return the body, and whether it is whole. Piece by piece as they arrive: what came before a break is kept."""
        chunks: list[bytes] = []
        size = 0
        complete = True
        end = time.monotonic() + _MAX_TIMEOUTS * self._network.timeout[1]  # as the socket counts: not on a test's clock
        try:
            while size < _MAX_BYTES and time.monotonic() < end:
                chunk = response.raw.read1(_CHUNK_BYTES, decode_content=False)
                if not chunk:
                    break
                chunks.append(chunk)
                size += len(chunk)
            else:
                complete = False
        except (HTTPError, HTTPException, OSError):
            complete = False
        body = b"".join(chunks)
        if not (body or _announced(response)):
            complete = False
        return _decoded(body, response.headers.get("Content-Encoding", "")), complete

    def _request(self, path: str, body: bytes | None) -> requests.Response:
        return self._session.request(
            "HEAD" if body is None else "POST",
            self._base + path,
            data=body,
            timeout=self._network.timeout,
            # At every request: a session's own setting would lose to REQUESTS_CA_BUNDLE.
            verify=self.trust.verify,
            proxies=dict(self._network.proxies),
            allow_redirects=False,
            stream=True,
        )


def _announced(response: requests.Response) -> bool:
    """Whether an empty body is what the server meant: headers cut off look like a body without end or beginning."""
    return response.raw.chunked or response.headers.get("Content-Length", "").strip().isdigit()


def _decoded(body: bytes, encoding: str) -> bytes:
    """Undo compression that was not asked for; of a broken one, what can be undone."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(wbits=47).decompress(body, _MAX_BYTES)  # 47: gzip or zlib, whichever it is
    except zlib.error:
        return body
