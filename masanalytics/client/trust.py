"""Decide, before the first request, which server may be talked to."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import select_proxy

from masanalytics.account import Account, config_folder
from masanalytics.errors import CertificateError, ConfigError
from masanalytics.paths import full_path
from masanalytics.tls import KnownHosts, fetch_fingerprint, host_key, make_context, short_fingerprint

__all__ = ["Network", "Trust", "changed_certificate", "establish", "known_hosts_path"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Network:
    """How a client reaches the platform.

    Attributes
    ----------
    timeout : tuple of float
        Seconds to connect, and seconds without a byte while reading.
    proxies : mapping
        ``{"https": "http://proxy:3128"}``, as requests takes it. The environment's are not used.
    legacy_tls : bool
        Also speak old TLS.
    connections : int
        The most at once.
    known_hosts : path
        The memory of certificates.
    """

    timeout: tuple[float, float]
    proxies: Mapping[str, str]
    legacy_tls: bool
    connections: int
    known_hosts: Path


@dataclass(frozen=True)
class Trust:
    """What makes a server the right one.

    Attributes
    ----------
    verify : bool or str
        What requests calls verify: an authority must vouch (True, or a CA file), or need not (False).
    fingerprint : str or None
        The SHA-256 (64 hex digits) its certificate must have.
    context : ssl.SSLContext or None
        TLS settings; None for plain HTTP.
    """

    verify: bool | str
    fingerprint: str | None
    context: ssl.SSLContext | None


def known_hosts_path() -> Path:
    """Return where certificates are remembered: ``MAS_KNOWN_HOSTS``, or ``known_hosts.json`` in the config folder."""
    own = os.environ.get("MAS_KNOWN_HOSTS")
    return full_path(own, "MAS_KNOWN_HOSTS") if own else config_folder() / "known_hosts.json"


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of an account's `url`.

    Examples
    --------
    >>> address_of("https://mas.example")
    ('mas.example', 443)
    """
    address = urlsplit(url)
    return address.hostname or "", address.port or (443 if address.scheme == "https" else 80)


def establish(account: Account, network: Network) -> Trust:
    """Return whom to trust for `account`; at a first use, look at the certificate and remember it.

    Raises
    ------
    NetworkError
        If the server cannot be reached for that.
    ConfigError
        If the certificate cannot be remembered.
    """
    if account.url.startswith("http://"):
        return Trust(verify=True, fingerprint=None, context=None)
    if account.tls == "system":
        context = make_context(verify=True, legacy=network.legacy_tls, system_store=True)
        return Trust(verify=True, fingerprint=None, context=context)
    unvouched = make_context(verify=False, legacy=network.legacy_tls)
    if account.tls == "unverified":
        logger.warning("tls='unverified': anyone in between can pose as %s and read the secret key", account.url)
        return Trust(verify=False, fingerprint=None, context=unvouched)
    if account.tls.startswith("sha256:"):
        return Trust(verify=False, fingerprint=account.tls.removeprefix("sha256:"), context=unvouched)
    if account.tls == "first-use":
        pin = _remembered(account, network).removeprefix("sha256:")
        return Trust(verify=False, fingerprint=pin, context=unvouched)
    return Trust(verify=account.tls, fingerprint=None, context=make_context(verify=True, legacy=network.legacy_tls))


def changed_certificate(account: Account, expected: str, shown: str) -> CertificateError:
    """Return the error for a server that shows another certificate than it must."""
    if account.tls == "first-use":
        advice = f"masanalytics fingerprint {host_key(*address_of(account.url))} --accept"
    else:
        advice = f"tls='{shown or 'sha256:…'}'"
    return CertificateError(
        "{address} shows the certificate {shown}, but {expected} is expected: someone may be in between, or it was "
        "renewed. Nothing was sent. If the platform confirms the new one: {advice}",
        code="certificate_changed",
        address=host_key(*address_of(account.url)),
        shown=short_fingerprint(shown) if shown else "?",
        expected=short_fingerprint(expected),
        advice=advice,
    )


def _http_proxy(url: str, proxies: Mapping[str, str]) -> str | None:
    proxy = select_proxy(url, dict(proxies))
    if not proxy:
        return None
    if "://" in proxy and not proxy.lower().startswith("http://"):
        raise ConfigError(
            "the first contact cannot look at the certificate through this kind of proxy: pin it with tls='sha256:…'."
        )
    return proxy if "://" in proxy else f"http://{proxy}"


def _remembered(account: Account, network: Network) -> str:
    host, port = address_of(account.url)
    known_hosts = KnownHosts(network.known_hosts)
    pin = known_hosts.get(host, port)
    if pin is not None:
        return pin
    proxy = _http_proxy(account.url, network.proxies)
    fingerprint = fetch_fingerprint(host, port, network.timeout[0], legacy=network.legacy_tls, proxy=proxy)
    pin = known_hosts.remember(host, port, fingerprint)
    logger.info(
        "first contact with %s: remembered its certificate %s", host_key(host, port), short_fingerprint(fingerprint)
    )
    return pin
