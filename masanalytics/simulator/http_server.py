"""The platform on a socket: a thread for each connection, HTTP requests in, answers out, and every way that can go wrong."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast
from urllib.parse import urlsplit

from masanalytics.simulator.audit_log import Request
from masanalytics.simulator.faults import JSON, Fault, Faults, Payload, damaged, page_bytes, web_page
from masanalytics.simulator.platform import Answer, Platform
from masanalytics.simulator.wire import ENDPOINTS, OF_HTTP

__all__ = ["HttpServer"]

_LOG = logging.getLogger(__name__)
_HANDSHAKE_S = 10.0
_REFUSE_S = 0.5
_LARGEST_BODY: Final = 64 * 1024 * 1024
_SUBMITS: Final = ("submit", "tmpsubmit")


class _GoneError(Exception):
    """The connection is to be closed without another word."""


def _reset(connection: socket.socket) -> None:
    """Close a connection so that the other side gets a reset instead of an end."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(connection.detach())


class _Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection and answers them."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    _answered_before = False

    @property
    def simulated(self) -> HttpServer:
        """The server this connection belongs to."""
        return cast("HttpServer", self.server)

    def handle_one_request(self) -> None:
        """Wait for a request; refuse it unread if a fault says so."""
        first = self.rfile.peek(1)  # type: ignore[attr-defined]  # a BufferedReader, which typeshed does not say
        if not first:
            self.close_connection = True
            return
        endpoint = _endpoint_of(first)
        refused = self._answered_before and self.simulated.faults.refuses("")
        if refused or (endpoint and self.simulated.faults.refuses(endpoint)):
            self.simulated.platform.audit_log.add_fault(self._open_request(endpoint), "refuse")
            _reset(self.connection)
            raise _GoneError
        self._answered_before = True
        super().handle_one_request()

    def do_POST(self) -> None:
        """Answer a request as the platform would, or as a fault would have it."""
        endpoint = ENDPOINTS.get(urlsplit(self.path).path)
        body = self._body()
        if endpoint is None:
            self._turn_away(HTTPStatus.NOT_FOUND)
            return
        request = self._open_request(endpoint)
        fault = self.simulated.faults.pick(endpoint)
        answer = self._ask(endpoint, body, request, fault)
        if fault is not None and fault.needs_rows and not answer.rows:
            self.simulated.faults.give_back(fault)
            fault = None
        if fault is not None:
            self.simulated.platform.audit_log.add_fault(request, fault.kind)
        self._answer(answer, request, fault)

    def do_GET(self) -> None:
        """Turn away what is not a POST."""
        self._body()
        is_endpoint = urlsplit(self.path).path in ENDPOINTS
        self._turn_away(HTTPStatus.METHOD_NOT_ALLOWED if is_endpoint else HTTPStatus.NOT_FOUND)

    do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 - the library looks them up by name

    def log_message(self, *_: object) -> None:
        """Stay silent: the ledger keeps the log."""

    def version_string(self) -> str:
        """Return what the Server header says."""
        return "masanalytics-simulator"

    def _open_request(self, endpoint: str) -> Request:
        platform = self.simulated.platform
        peer = f"{self.client_address[0]}:{self.client_address[1]}"
        return platform.audit_log.open_request(endpoint, platform.now(), peer)

    def _ask(self, endpoint: str, body: bytes, request: Request, fault: Fault | None) -> Answer:
        """Let the platform take the request, unless a fault keeps it from it."""
        platform, take = self.simulated.platform, fault is None or fault.takes
        if endpoint not in _SUBMITS:
            return platform.poll(endpoint, body, request, take=take)
        of_http = urlsplit(self.path).path == OF_HTTP
        return platform.submit(endpoint, body, request, of_http=of_http) if take else Answer("")

    def _answer(self, answer: Answer, request: Request, fault: Fault | None) -> None:
        """Send the answer, or what a fault makes of it."""
        style = self.simulated.platform.style
        if answer.rows is None:
            body = answer.text.encode()
        else:
            body = page_bytes(answer.rows) if answer.rows else style.empty.encode()
        payload = Payload(HTTPStatus.OK, JSON, body)
        self.simulated.stopping.wait(self.simulated.delay)
        if fault is not None:
            payload = damaged(fault, payload, answer.rows or [], style)
            self._misbehave(fault, payload)
        self._send(payload, answer.note)
        request.answered = True

    def _misbehave(self, fault: Fault, payload: Payload) -> None:
        """Do to the connection what `fault` says; return if the answer is to be sent after all."""
        match fault.kind:
            case "drop_before" | "drop_after":
                raise _GoneError
            case "hang":
                self._hang(fault.seconds)
                raise _GoneError
            case "truncate":
                self._send(payload, cut=len(payload.body) // 2)
                raise _GoneError
            case "delay":
                self.simulated.stopping.wait(fault.seconds)

    def _hang(self, seconds: float) -> None:
        """Wait until the client gives up, the simulator stops, or `seconds` (if any) have passed."""
        end = time.monotonic() + seconds if seconds else float("inf")
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            while not self.simulated.stopping.is_set() and time.monotonic() < end and not selector.select(0.05):
                pass

    def _turn_away(self, status: HTTPStatus) -> None:
        """Answer what is no request of the interface with a web page."""
        request = self._open_request(self.command + " " + self.path[:100])
        request.outcome = str(status.value)
        self._send(web_page(status.value, status.phrase))
        request.answered = True

    def _body(self) -> bytes:
        """Read the body; a client that goes away in the middle of it has asked nothing."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks()
        try:
            length = int(self.headers.get("Content-Length") or 0)
        except ValueError:
            raise _GoneError from None
        if not 0 <= length <= _LARGEST_BODY:
            raise _GoneError
        return self._exactly(length)

    def _chunks(self) -> bytes:
        """Read a chunked body."""
        chunks: list[bytes] = []
        total = 0
        while True:
            try:
                size = int(self.rfile.readline(1000).split(b";")[0], 16)
            except ValueError:
                raise _GoneError from None
            total += size
            if size < 0 or total > _LARGEST_BODY:
                raise _GoneError
            if size == 0:
                while self.rfile.readline(1000).strip():
                    pass
                return b"".join(chunks)
            chunks.append(self._exactly(size))
            self._exactly(2)

    def _exactly(self, length: int) -> bytes:
        data = self.rfile.read(length)
        if len(data) < length:
            raise _GoneError
        return data

    def _send(self, payload: Payload, note: str = "", cut: int | None = None) -> None:
        """Write an answer; with `cut`, only that many bytes of the body that was announced."""
        if self.simulated.faults.refusing:
            self.close_connection = True  # so that the next request meets the fault at its connection
        phrase = HTTPStatus(payload.status).phrase if payload.status in set(HTTPStatus) else "Unknown"
        lines = [
            f"HTTP/1.1 {payload.status} {phrase}",
            f"Server: {self.version_string()}",
            f"Date: {self.date_time_string(self.simulated.platform.now())}",
            f"Content-Type: {payload.kind}",
            f"Content-Length: {len(payload.body)}",
        ]
        if payload.status == HTTPStatus.METHOD_NOT_ALLOWED:
            lines.append("Allow: POST")
        if note:
            lines.append("X-Simulator-Note: " + "".join(c if " " <= c <= "~" else "?" for c in note)[:500])
        if self.close_connection:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode("ascii") + b"\r\n\r\n"
        body = b"" if self.command == "HEAD" else payload.body[:cut]
        self.connection.sendall(head + body)


class HttpServer(ThreadingHTTPServer):
    """A listening socket and a thread for each connection.

    Parameters
    ----------
    address : (str, int)
        Where to listen; port 0 takes a free one.
    platform : Platform
        Who answers.
    faults : Faults
        What goes wrong.
    context : ssl.SSLContext, optional
        For HTTPS.
    delay : float
        Real seconds each answer takes.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        platform: Platform,
        faults: Faults,
        context: ssl.SSLContext | None = None,
        delay: float = 0.0,
    ) -> None:
        self.platform = platform
        self.faults = faults
        self.delay = delay
        self.stopping = threading.Event()
        self._context = context
        self._open: set[socket.socket] = set()
        self._quiet = threading.Condition()
        self._thread: threading.Thread | None = None
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking DNS for the machine's name, as the standard library's HTTP server would."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def start(self) -> None:
        """Answer in the background."""
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, name="masanalytics-simulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the listening socket and every connection."""
        self.stopping.set()
        if self._thread is not None:
            self.shutdown()
            self._thread.join()
        self.server_close()
        with self._quiet:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    # Not the SSL socket's own method: it would take the TLS state away from the thread that uses it.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
            self._quiet.wait_for(lambda: not self._open, timeout=2.0)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer what comes over one connection; called in its thread."""
        if self.faults.refuses(""):
            ledger = self.platform.audit_log
            refused = ledger.open_request("", self.platform.now(), f"{client_address[0]}:{client_address[1]}")
            ledger.add_fault(refused, "refuse")
            # Python's ssl leaks a socket that is reset before its handshake has begun: let the client say something first.
            with selectors.DefaultSelector() as selector:
                selector.register(request, selectors.EVENT_READ)
                selector.select(_REFUSE_S)
            _reset(request)
            return
        with self._held(request) as connection, contextlib.suppress(_GoneError, OSError):
            if self.stopping.is_set():
                return
            self._secure(connection)
            _Handler(connection, client_address, self)

    def shutdown_request(self, request: Any) -> None:
        """Close what is left of a connection."""
        with contextlib.suppress(OSError):
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's signature
        """Keep what failed in a connection's thread."""
        failure = sys.exception()
        if failure is not None:
            self.platform.audit_log.failures.append(failure)
        _LOG.error("the simulator failed while answering", exc_info=failure)

    @contextlib.contextmanager
    def _held(self, raw: socket.socket) -> Iterator[socket.socket]:
        """Hold a connection among the open ones while it is answered, and close it at the end."""
        connection = raw
        if self._context is not None:
            connection = self._context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
        with self._quiet:
            self._open.add(connection)
        try:
            yield connection
        finally:
            with contextlib.suppress(OSError):
                connection.close()
            with self._quiet:
                self._open.discard(connection)
                self._quiet.notify_all()

    def _secure(self, connection: socket.socket) -> None:
        """Shake hands in the connection's own thread, so that a silent client holds up nobody else."""
        if isinstance(connection, ssl.SSLSocket):
            connection.settimeout(_HANDSHAKE_S)
            connection.do_handshake()
            connection.settimeout(None)


def _endpoint_of(first: bytes) -> str:
    """Return the endpoint that the first bytes of a request name; empty if it cannot be known yet."""
    words = first.split(b" ", 2)
    path = words[1].split(b"?")[0].decode("ascii", "replace") if len(words) > 2 else ""
    return ENDPOINTS.get(path, "")
