"""What a fault makes of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from masanalytics.simulator.faults import Fault
from masanalytics.simulator.settings import Style

__all__ = ["HTML", "JSON", "Payload", "damaged", "page_bytes", "web_page"]

JSON = "application/json;charset=UTF-8"
HTML = "text/html;charset=UTF-8"

_NOT_WHITE_IP = b'{"message":"NOT_WHITE_IP","success":false}'
_GARBAGE = b"\x00\x9f\x92\x96<<<garbage>>>" + bytes(range(128, 256))
_BROKEN = '{"errorCode":null,"mobile":null,"msgGroup":["?"],"receiveDate":"soon","reportStatus":7,"smsContent":null}'


class Payload(NamedTuple):
    """What is sent: HTTP status, content type, and the bytes."""

    status: int
    kind: str
    body: bytes


def web_page(status: int, title: str) -> Payload:
    """Return an HTML page, as servers and gateways on the way send them.

    Examples
    --------
    >>> web_page(502, "Bad Gateway").body
    b'<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>'
    """
    text = f"{status} {title}"
    return Payload(
        status, HTML, f"<html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>".encode()
    )


def damaged(fault: Fault, whole: Payload, rows: Sequence[str], style: Style) -> Payload:
    """Return what `fault` makes of an answer; one that concerns the connection only leaves it alone.

    Parameters
    ----------
    fault : Fault
        What strikes.
    whole : Payload
        The answer as it should be.
    rows : sequence of str
        The rows of a page; a damaged row is the one in the middle.
    style : Style
        How answers look.
    """
    match fault.kind:
        case "garbage":
            return Payload(200, JSON, _GARBAGE)
        case "html200":
            return Payload(200, HTML, "<html><body>系统维护中，请稍后再试</body></html>".encode())
        case "status":
            return web_page(fault.status, "Service trouble")
        case "not_white_ip":
            return Payload(200, JSON, _NOT_WHITE_IP)
        case "too_soon":
            return Payload(200, JSON, style.too_soon.encode())
        case "half":
            return whole._replace(body=whole.body[: len(whole.body) // 2])
        case "huge":
            return whole._replace(body=_padded(whole.body, int(fault.megabytes * 1_000_000)))
    return whole._replace(body=_struck(fault.kind, rows)) if fault.needs_rows else whole


def _padded(body: bytes, length: int) -> bytes:
    """Return JSON with blanks before its end."""
    return body[:-1] + b" " * length + body[-1:]


def _struck(kind: str, rows: Sequence[str]) -> bytes:
    """Return a page whose middle row is damaged."""
    written = [row.encode("utf-8", "surrogatepass") for row in rows]
    middle = len(rows) // 2
    if kind == "broken_record":
        written[middle] = _BROKEN.encode()
    elif kind == "torn_record":
        written[middle] = written[middle].replace(b'":"', b'":', 1)
    else:
        written[middle] = written[middle].replace(b'":"', b'":"\xff\xfe\xcd\xcb', 1)
    return b"[" + b",".join(written) + b"]"


def page_bytes(rows: Sequence[str]) -> bytes:
    """Return a page as the bytes of a JSON list; half an emoji in a text becomes bytes that are not UTF-8."""
    return f"[{','.join(rows)}]".encode("utf-8", "surrogatepass")
