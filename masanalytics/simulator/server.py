"""The platform on a socket: a listening server, and a thread for each connection."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any

from masanalytics.simulator.faults import Faults
from masanalytics.simulator.handler import GoneError, Handler, reset
from masanalytics.simulator.platform import Platform

__all__ = ["Server"]

_LOG = logging.getLogger(__name__)
_HANDSHAKE_S = 10.0
_REFUSE_S = 0.5


class Server(ThreadingHTTPServer):
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
        super().__init__(address, Handler)

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
            ledger = self.platform.ledger
            refused = ledger.open_request("", self.platform.now(), f"{client_address[0]}:{client_address[1]}")
            ledger.add_fault(refused, "refuse")
            # Python's ssl leaks a socket that is reset before its handshake has begun: let the client say something first.
            with selectors.DefaultSelector() as selector:
                selector.register(request, selectors.EVENT_READ)
                selector.select(_REFUSE_S)
            reset(request)
            return
        with self._held(request) as connection, contextlib.suppress(GoneError, OSError):
            if self.stopping.is_set():
                return
            self._secure(connection)
            Handler(connection, client_address, self)

    def shutdown_request(self, request: Any) -> None:
        """Close what is left of a connection."""
        with contextlib.suppress(OSError):
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's signature
        """Keep what failed in a connection's thread."""
        failure = sys.exception()
        if failure is not None:
            self.platform.ledger.failures.append(failure)
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
