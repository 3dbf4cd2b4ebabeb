"""Servers on raw sockets: whatever a network can do to a request, done on purpose."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

Behaviour = Callable[[socket.socket, bytes], bool]
"""What happens to a request: takes the connection and the request's body; True keeps the connection open."""


class RawServer:
    """Listens on 127.0.0.1 and gives every connection to ``serve``, in a thread of its own."""

    def __init__(self, port: int = 0) -> None:
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def serve(self, line: socket.socket) -> None:
        """Do with one connection what the test is about; an OSError ends it."""
        raise NotImplementedError

    def close(self) -> None:
        """Take no more connections."""
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line:
            try:
                self.serve(line)
            except (OSError, ValueError):  # the client broke off, or what it said is no HTTP
                return


class ScriptedServer(RawServer):
    """Plays its script, one behaviour a request, the last one for ever; a `deaf` one acts before it reads anything."""

    def __init__(self, *script: Behaviour, deaf: Behaviour | None = None, port: int = 0) -> None:
        self.script, self.deaf = list(script), deaf
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(port)

    def serve(self, line: socket.socket) -> None:
        if self.deaf is not None:
            self.deaf(line, b"")
            return
        with line.makefile("rb") as file:
            while request := read_request(file):
                self.requests.append(request)
                behave = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if not behave(line, request[2]):
                    return


def read_request(file: BinaryIO) -> tuple[str, dict[str, str], bytes] | None:
    """Return the first line, the headers and the body of the next request, or None where the client hung up."""
    first = file.readline().decode()
    headers = {}
    while (text := file.readline().decode().strip()) != "":
        key, _, value = text.partition(": ")
        headers[key] = value
    if not first:
        return None
    return first.strip(), headers, file.read(int(headers.get("Content-Length", 0)))


def unused_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port: int = gone.getsockname()[1]
    return port


def answer(body: bytes, status: str = "200 OK", *headers: str) -> Behaviour:
    """Answer as HTTP, and keep the line open."""
    lines = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers))
    return saying(f"{lines}\r\n".encode() + body, keep=True)


def saying(raw: bytes, *, keep: bool = False) -> Behaviour:
    """Say `raw`, and hang up unless `keep`."""

    def behave(line: socket.socket, body: bytes) -> bool:
        line.sendall(raw)
        return keep

    return behave


def hanging(raw: bytes = b"") -> Behaviour:
    """Say `raw`, then nothing until the client hangs up."""

    def behave(line: socket.socket, body: bytes) -> bool:
        line.sendall(raw)
        line.recv(1)
        return False

    return behave


def dripping(raw: bytes) -> Behaviour:
    """Say `raw`, then a space now and then, for ever."""

    def behave(line: socket.socket, body: bytes) -> bool:
        line.sendall(raw)
        while True:
            time.sleep(0.01)
            line.sendall(b" ")

    return behave


def closing(line: socket.socket, body: bytes) -> bool:
    """Hang up."""
    return False


def resetting(line: socket.socket, body: bytes) -> bool:
    """Hang up with a reset."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False
