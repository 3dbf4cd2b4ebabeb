"""What a certificate (DER) says of itself: its fingerprint, and how long it is valid."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

__all__ = ["certificate_expiry", "fingerprint_of", "short_fingerprint"]

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
        fields = [part for part in _parts(signed) if part[0] != _VERSION]
        kind, written = list(_parts(fields[3][1]))[1]
        shape = "%y%m%d%H%M%SZ" if kind == _UTC_TIME else "%Y%m%d%H%M%SZ"
        return int(datetime.strptime(written.decode("ascii"), shape).replace(tzinfo=UTC).timestamp())
    except (KeyError, IndexError, StopIteration, ValueError, RuntimeError):
        return None


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and content of each element of `der`."""
    place = 0
    while place < len(der):
        tag, length = der[place], der[place + 1]
        place += 2
        if length & 0x80:
            digits = length & 0x7F
            length = int.from_bytes(der[place : place + digits], "big")
            place += digits
        yield tag, der[place : place + length]
        place += length
