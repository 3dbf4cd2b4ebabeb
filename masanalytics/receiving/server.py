"""The server's loop: waitress on a door, with what it does not count itself counted, until it is to stop."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

from masanalytics.receiving.door import Door, ReceiverLimits
from masanalytics.receiving.push_app import PushApp

__all__ = ["serve"]

_LOOP_S: Final = 0.2
_SWEEP_S: Final = 5.0
_LOG = logging.getLogger(__name__)


def serve(door: Door, app: PushApp, limits: ReceiverLimits, proxy: str | None, stop: threading.Event) -> None:
    """Answer what comes through the door until `stop` is set; then what is under way.

    Parameters
    ----------
    door : Door
        The listening socket.
    app : PushApp
        Who answers.
    limits : ReceiverLimits
        How much is let in.
    proxy : str, optional
        The address whose ``X-Forwarded-For`` is believed.
    stop : Event
        Ends it.
    """
    from waitress import wasyncore
    from waitress.server import create_server

    # It warns of every push that waits for the disk.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    lines: dict[int, Any] = {}
    trusted = {"trusted_proxy": proxy, "trusted_proxy_headers": {"x-forwarded-for"}} if proxy else {}
    server = create_server(
        app,
        map=lines,
        sockets=[door],
        threads=limits.threads,
        connection_limit=limits.connections,
        max_request_body_size=limits.body,
        max_request_header_size=16 << 10,
        channel_timeout=60,
        clear_untrusted_proxy_headers=True,
        ident=None,
        **trusted,
    )
    server.channel_class = _channel_class(door, app)
    sweep_at = 0.0
    while not stop.is_set():
        wasyncore.loop(timeout=_LOOP_S, use_poll=True, map=lines, count=1)
        if time.monotonic() >= sweep_at:
            sweep_at = time.monotonic() + _SWEEP_S
            door.sweep()
    server.task_dispatcher.shutdown(cancel_pending=False, timeout=3)
    wasyncore.loop(timeout=0.05, use_poll=True, map=lines, count=3)
    wasyncore.close_all(lines, ignore_all=True)


def _channel_class(door: Door, app: PushApp) -> Any:
    """Return waitress's connection, with two things noted.

    The door hears of each request by the connection's own address, which behind a proxy is not the one in the request. What
    the server refuses before anybody else sees it is counted: a body too large, a head that is none.
    """
    from waitress.channel import HTTPChannel
    from waitress.task import ErrorTask

    class Refusal(ErrorTask):  # type: ignore[misc]  # waitress has no types
        def execute(self) -> None:
            app.count_refusal()
            _LOG.warning("a request was turned away before it was read: %s", self.request.error.reason)
            super().execute()

    class Channel(HTTPChannel):  # type: ignore[misc]
        error_task_class = Refusal

        def service(self) -> None:
            door.note_request(str(self.addr[0]), int(self.addr[1]))
            super().service()

    return Channel
