"""Shake hands with a server to see its certificate, and read what that says. Nothing but the handshake is ever sent."""

from __future__ import annotations

import base64
import hashlib
import ssl
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from masanalytics.tls.connection_errors import Reach, classify, unreachable
from masanalytics.tls.known_hosts import host_key

__all__ = [
    "certificate_expiry",
    "fetch_certificate",
    "fetch_fingerprint",
    "fingerprint_of",
    "make_context",
    "short_fingerprint",
]

# OP_LEGACY_SERVER_CONNECT; the name is only in Python 3.12 and later.
_LEGACY_RENEGOTIATION = 0x4
# Tags of DER, the encoding of certificates.
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17


def fingerprint_of(der: bytes) -> str:
    """Return the SHA-256 of a certificate as ``sha256:`` and 64 hex digits.

    Examples
    --------
    >>> fingerprint_of(b"")[:23]
    'sha256:e3b0c44298fc1c14'
    """
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def short_fingerprint(fingerprint: str) -> str:
    """Return a fingerprint short enough to read aloud.

    Examples
    --------
    >>> short_fingerprint(fingerprint_of(b""))
    'sha256:e3b0c442…7852b855'
    """
    digits = fingerprint.removeprefix("sha256:")
    return f"sha256:{digits[:8]}…{digits[-8:]}"


def certificate_expiry(der: bytes) -> int | None:
    """Return until when a certificate is valid (epoch seconds UTC), or None where that cannot be read.

    Python's `ssl` only tells this of certificates an authority vouches for. In X.509 the validity is the second sequence
    of nothing but two times, after serial number, algorithm and issuer.
    """
    try:
        certificate = dict(_parts(der))[_SEQUENCE]
        signed = next(_parts(certificate))[1]
        fields = [field for field in _parts(signed) if field[0] != _VERSION]
        kind, date = list(_parts(fields[3][1]))[1]
        shape = "%y%m%d%H%M%SZ" if kind == _UTC_TIME else "%Y%m%d%H%M%SZ"
        return int(datetime.strptime(date.decode("ascii"), shape).replace(tzinfo=UTC).timestamp())
    except (KeyError, IndexError, StopIteration, ValueError, RuntimeError):
        return None


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
    elif context.minimum_version < ssl.TLSVersion.TLSv1_2:
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # some systems' OpenSSL leave it open; a stricter one stays
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
    server = (host, port) if via is None else (via.hostname or "", via.port or 80)
    connection = HTTPSConnection(*server, timeout=timeout, context=context)
    if via is not None:
        connection.set_tunnel(host, port, _proxy_headers(via.username, via.password))
    try:
        connection.connect()
        certificate: bytes = connection.sock.getpeercert(True) or b""
        reach, detail = None if certificate else "not_tls", ""
    except (OSError, HTTPException, UnicodeError) as error:
        reach, detail = classify(error)
        if via is not None and not isinstance(error, ssl.SSLError):
            reach = "proxy"
    finally:
        connection.close()
    if reach is not None:
        raise unreachable(reach, host_key(host, port), detail)
    return certificate


def fetch_fingerprint(
    host: str, port: int, timeout: float = 5.0, *, legacy: bool = False, proxy: str | None = None
) -> str:
    """Return the fingerprint (``sha256:<64 hex>``) of the certificate a server shows; see `fetch_certificate`."""
    return fingerprint_of(fetch_certificate(host, port, timeout, legacy=legacy, proxy=proxy))


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


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and content of each element of `der`."""
    position = 0
    while position < len(der):
        tag, length = der[position], der[position + 1]
        position += 2
        if length & 0x80:
            digits = length & 0x7F
            length = int.from_bytes(der[position : position + digits], "big")
            position += digits
        yield tag, der[position : position + length]
        position += length
