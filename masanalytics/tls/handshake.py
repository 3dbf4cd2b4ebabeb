"""Shake hands with a server to see its certificate. Nothing but the handshake is ever sent."""

from __future__ import annotations

import base64
import socket
import ssl
import sys
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from urllib.parse import unquote, urlsplit

from masanalytics.tls.certificate import fingerprint_of
from masanalytics.tls.known_hosts import host_key
from masanalytics.tls.reach import Reach, unreachable

__all__ = ["classify", "fetch_certificate", "fetch_fingerprint", "make_context"]

# OP_LEGACY_SERVER_CONNECT; the name is only in Python 3.12 and later.
_LEGACY_RENEGOTIATION = 0x4
_NOT_TLS = (
    "WRONG_VERSION_NUMBER",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
    "HTTP_REQUEST",
)

# What OpenSSL's X509_V_ERR_… say is wrong: not yet valid, has expired; the host name, the address is another.
_DOUBTS: dict[int, Reach] = {9: "expired", 10: "expired", 62: "host", 64: "host"}


def make_context(*, verify: bool, legacy: bool = False, system_store: bool = False) -> ssl.SSLContext:
    """Return the TLS settings of this package's connections.

    Parameters
    ----------
    verify : bool
        Whether an authority must vouch for the certificate. False where a fingerprint does, or nothing.
    legacy : bool, optional
        Also speak TLS 1.0 and 1.1, with weak ciphers and the old renegotiation, as old gateways need.
    system_store : bool, optional
        Load the operating system's authorities. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are not followed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if legacy:
        # Naming TLSv1 warns that it is old, which is known here. SSL 3 stays off by an option of its own.
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.options |= ssl.OP_NO_SSLv3 | _LEGACY_RENEGOTIATION
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if system_store:
        _load_system_store(context)
    return context


def fetch_certificate(
    host: str, port: int, timeout: float = 5.0, *, legacy: bool = False, proxy: str | None = None
) -> bytes:
    """Return the certificate (DER) a server shows.

    Parameters
    ----------
    host, port : str, int
        Where.
    timeout : float, optional
        Seconds for each step.
    legacy : bool, optional
        As in `make_context`.
    proxy : str, optional
        ``http://[user:password@]host:port`` of an HTTP proxy to go through.

    Raises
    ------
    NetworkError
        If it cannot be reached or does not speak TLS; never sent anything.
    """
    reach: Reach | None
    context = make_context(verify=False, legacy=legacy)
    via = urlsplit(proxy) if proxy else None
    first = (host, port) if via is None else (via.hostname or "", via.port or 80)
    connection = HTTPSConnection(*first, timeout=timeout, context=context)
    if via is not None:
        connection.set_tunnel(host, port, _proxy_headers(via.username, via.password))
    try:
        connection.connect()
        shown: bytes = connection.sock.getpeercert(True) or b""
        reach, detail = None if shown else "not_tls", ""
    except (OSError, HTTPException, UnicodeError) as error:
        reach, detail = classify(error)
        if via is not None and not isinstance(error, ssl.SSLError):
            reach = "proxy"
    finally:
        connection.close()
    if reach is not None:
        raise unreachable(reach, host_key(host, port), detail)
    return shown


def fetch_fingerprint(
    host: str, port: int, timeout: float = 5.0, *, legacy: bool = False, proxy: str | None = None
) -> str:
    """Return the fingerprint (``sha256:<64 hex>``) of the certificate a server shows; see `fetch_certificate`."""
    return fingerprint_of(fetch_certificate(host, port, timeout, legacy=legacy, proxy=proxy))


def classify(error: BaseException) -> tuple[Reach, str]:
    """Return what an error on the way to a server means, and its own short name."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _DOUBTS.get(error.verify_code, "verify"), error.verify_message
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


def _proxy_headers(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    pair = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _load_system_store(context: ssl.SSLContext) -> None:
    if sys.platform == "win32":
        context.load_default_certs()
        return
    # The places built into OpenSSL: load_default_certs would follow SSL_CERT_FILE.
    paths = ssl.get_default_verify_paths()
    file, folder = paths.openssl_cafile, paths.openssl_capath
    has_file, has_folder = Path(file).is_file(), Path(folder).is_dir()
    if has_file or has_folder:
        context.load_verify_locations(file if has_file else None, folder if has_folder else None)
