"""Whom the client talks to: certificates, their SHA-256 fingerprints, and the memory of them.

The platform's certificate cannot be verified by an authority (the interface document says to ignore it), while polls
carry the account's secret key. So a certificate is known by its fingerprint, as SSH knows a host by its key.
"""

from __future__ import annotations

from masanalytics.tls.connection_errors import Reach, classify, unreachable
from masanalytics.tls.handshake import (
    certificate_expiry,
    fetch_certificate,
    fetch_fingerprint,
    fingerprint_of,
    make_context,
    short_fingerprint,
)
from masanalytics.tls.known_hosts import KnownHosts, host_key, split_address

__all__ = [
    "KnownHosts",
    "Reach",
    "certificate_expiry",
    "classify",
    "fetch_certificate",
    "fetch_fingerprint",
    "fingerprint_of",
    "host_key",
    "make_context",
    "short_fingerprint",
    "split_address",
    "unreachable",
]
