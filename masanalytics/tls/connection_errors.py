"""Why a platform was not reached: every fault that comes before anything was sent, and its error."""

from __future__ import annotations

import socket
import ssl
from typing import Final, Literal

from masanalytics.errors import CertificateError, NetworkError
from masanalytics.i18n import N_

__all__ = ["Reach", "classify", "unreachable"]

Reach = Literal[
    "name", "refused", "unreachable", "timeout", "closed", "not_tls", "tls", "verify", "host", "expired", "proxy"
]
"""What stood in the way."""

_MESSAGES: Final[dict[Reach, str]] = {
    "name": N_("the host name {address} is not known: check MAS_URL and the network."),
    "refused": N_("{address} refused the connection: check host and port in MAS_URL."),
    "unreachable": N_(
        "{address} cannot be reached ({detail}): check the network, and whether this machine may reach it."
    ),
    "timeout": N_(
        "{address} did not answer in time: check MAS_URL, the network, and whether a firewall is in between."
    ),
    "closed": N_("{address} closed the connection before anything was sent: check host and port in MAS_URL."),
    "not_tls": N_("{address} does not speak TLS: check the port in MAS_URL, or write http:// if the platform says so."),
    "tls": N_("{address} and this machine agree on no way to speak TLS ({detail}): try Client(..., legacy_tls=True)."),
    "verify": N_(
        "the certificate of {address} is vouched for by no authority given in tls= ({detail}): use "
        "tls='first-use', or the platform's CA file. Nothing was sent."
    ),
    "host": N_(
        "the certificate of {address} is made out to another host name ({detail}): write the name it is made "
        "out to in MAS_URL, or use tls='first-use'. Nothing was sent."
    ),
    "expired": N_(
        "the certificate of {address} is not valid now ({detail}): check this machine's clock, ask the "
        "platform for a new one, or use tls='first-use'. Nothing was sent."
    ),
    "proxy": N_("the proxy did not let the connection through ({detail}): check proxies=."),
}
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "HTTP_REQUEST",
)
# What OpenSSL's X509_V_ERR_… say is wrong: not yet valid, has expired; the host name, the address is another.
_CERTIFICATE_FAULTS: Final[dict[int, Reach]] = {9: "expired", 10: "expired", 62: "host", 64: "host"}
_CERTIFICATE = ("verify", "host", "expired")
_LASTING = ("not_tls", "tls", *_CERTIFICATE)


def classify(error: BaseException) -> tuple[Reach, str]:
    """Return what an error on the way to a server means, and its own short name."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_FAULTS.get(error.verify_code, "verify"), error.verify_message
    if isinstance(error, ssl.SSLEOFError):
        return "closed", "EOF"
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return ("not_tls" if reason.upper() in _NOT_TLS else "tls"), reason.lower().replace("_", " ")
    if isinstance(error, socket.gaierror | UnicodeError):
        return "name", ""
    if isinstance(error, TimeoutError):
        return "timeout", ""
    if isinstance(error, ConnectionRefusedError):
        return "refused", ""
    if isinstance(error, ConnectionError):
        return "closed", ""
    return "unreachable", (getattr(error, "strerror", None) or str(error) or type(error).__name__)


def unreachable(reach: Reach, address: str, detail: str = "") -> NetworkError:
    """Return the error for a platform that was not reached; trying again helps unless TLS stands in the way.

    It is a `CertificateError` where the certificate is what is wrong.

    Examples
    --------
    >>> print(unreachable("refused", "mas.example:28888").text("en"))
    mas.example:28888 refused the connection: check host and port in MAS_URL.
    """
    kind = CertificateError if reach in _CERTIFICATE else NetworkError
    return kind(
        _MESSAGES[reach],
        code=f"unreachable_{reach}",
        address=address,
        detail=detail or reach,
        retryable=reach not in _LASTING,
        sent=False,
    )
