"""The listening socket of a receiver: who may connect, how many at once, and for how long without a whole request.

The server library reads slow requests without a thread for each, but lets a client that sends a byte now and then stay for
ever. Here a connection that completes no request in time is shut.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Final

from masanalytics.errors import InputError

__all__ = ["Door", "Network", "ReceiverLimits", "allows", "networks", "opened"]

Network = IPv4Network | IPv6Network
_WITHOUT_REQUEST_S: Final = 75.0
_WAITING: Final = 1024


@dataclass(frozen=True)
class ReceiverLimits:
    """What a receiver lets in.

    Parameters
    ----------
    body : int
        Bytes of one push.
    rate : float
        Pushes a second. More are answered 503, which the platform repeats; 20,000 messages are 20,000 pushes.
    connections, connections_each : int
        At once, in all and from one address.
    threads : int
        Pushes that wait for the disk at once; they share a commit.
    """

    body: int = 1 << 20
    rate: float = 2000.0
    connections: int = 1000
    connections_each: int = 200
    threads: int = 32


def networks(addresses: Sequence[str]) -> tuple[Network, ...]:
    """Return addresses and networks, such as ``112.35.4.196`` and ``10.0.0.0/8``, as networks.

    Raises
    ------
    InputError
        If one of them is neither.
    """
    found = []
    for address in addresses:
        try:
            found.append(ip_network(address, strict=False))
        except ValueError:
            raise InputError(
                "allow={address!r} is no address: write 112.35.4.196, or a network such as 10.0.0.0/8", address=address
            ) from None
    return tuple(found)


def allows(allowed: Sequence[Network], address: str) -> bool:
    """Return whether an address is in one of the networks; an empty list allows everybody.

    Examples
    --------
    >>> allows(networks(["10.0.0.0/8"]), "10.1.2.3"), allows(networks(["10.0.0.0/8"]), "11.1.2.3"), allows((), "::1")
    (True, False, True)
    """
    if not allowed:
        return True
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in network for network in allowed)


def opened(address: tuple[str, int], allowed: Sequence[Network], most_each: int) -> Door:
    """Return a door that is open at an address.

    Raises
    ------
    InputError
        If the port is taken or is none, or the address is not this machine's.
    """
    try:
        return Door(address, allowed, most_each)
    except (OSError, OverflowError) as error:
        raise InputError(
            "cannot listen on {host}:{port} ({detail}): choose another port, or 0 for a free one",
            host=address[0],
            port=address[1],
            detail=getattr(error, "strerror", None) or str(error),
        ) from error


class Door(socket.socket):
    """A listening socket that lets in whom it should.

    Parameters
    ----------
    address : (str, int)
        Where to listen; port 0 takes a free one.
    allowed : sequence of Network
        Who may connect; everybody where it is empty.
    most_each : int
        Connections from one address at once.
    """

    def __init__(self, address: tuple[str, int], allowed: Sequence[Network], most_each: int) -> None:
        super().__init__(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.bind(address)
            self.listen(_WAITING)
        except (OSError, OverflowError):
            self.close()
            raise
        self.refused = 0
        self._allowed = tuple(allowed)
        self._most_each = most_each
        self._inside: dict[tuple[str, int], tuple[socket.socket, float]] = {}
        self._lock = threading.Lock()

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection; one that may not come in is shut, and there is none."""
        line, address = super().accept()
        host, port = str(address[0]), int(address[1])
        with self._lock:
            from_there = Counter(key[0] for key in self._inside)[host]
            if allows(self._allowed, host) and from_there < self._most_each:
                self._inside[host, port] = (line, time.monotonic())
                return line, address
            self.refused += 1
        line.close()
        raise BlockingIOError(errno.EWOULDBLOCK, "refused")

    def note_request(self, host: str, port: int) -> None:
        """Note that a connection has sent a whole request."""
        with self._lock:
            if (host, port) in self._inside:
                self._inside[host, port] = (self._inside[host, port][0], time.monotonic())

    def sweep(self) -> None:
        """Shut the connections that have sent no whole request for too long, and forget those that are closed."""
        latest = time.monotonic() - _WITHOUT_REQUEST_S
        with self._lock:
            self._inside = {key: value for key, value in self._inside.items() if value[0].fileno() >= 0}
            late = [line for line, since in self._inside.values() if since < latest]
        for line in late:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
