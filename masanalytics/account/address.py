"""Where the platform is, and which flavour of its interface an address speaks of."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from masanalytics.errors import ConfigError
from masanalytics.i18n import N_, Text

__all__ = ["Protocol", "base_url", "is_on_this_machine", "protocol_of"]

Protocol = Literal["https", "http"]
"""The two flavours of the interface: of an ``https`` account reports are polled, of an ``http`` account they are pushed."""

_OF_HTTPS: Final = ("/sms/submit", "/sms/report", "/sms/deliver")
_OF_HTTP: Final = ("/sms/norsubmit",)
_ENDPOINTS: Final = ("", "/sms", "/sms/tmpsubmit", *_OF_HTTPS, *_OF_HTTP)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?")
_SDK_PORT: Final = 15000
# Interfaces of the platform with other addresses and other requests; each is known by what its address holds.
_OTHERS: Final = (
    (re.compile(r"/app/sdk/|/sms/login/?$", re.IGNORECASE), N_("its SDK")),
    (re.compile(r"/app/http/|sendsms", re.IGNORECASE), N_("its older HTTP interface (HTTP 1.0)")),
    (re.compile(r"wsdl|smsservice", re.IGNORECASE), N_("its WebService interface")),
)


def base_url(url: str) -> str:
    """Return ``scheme://host[:port]`` of `url`; an endpoint's path at its end is dropped.

    Examples
    --------
    >>> base_url("HTTP://112.35.1.155:1992/sms/norsubmit")
    'http://112.35.1.155:1992'
    """
    address, host, port = _split(url)
    _check_generation(url, port)
    if address.query or address.fragment:
        raise _bad_url(url)
    if address.path.rstrip("/") not in _ENDPOINTS:
        raise ConfigError(
            "url {url!r} goes on after the host: write only https://HOST:PORT; the paths /sms/… are added.", url=url
        )
    name = f"[{host}]" if ":" in host else host
    return f"{address.scheme}://{name}" + (f":{port}" if port is not None else "")


def protocol_of(url: str, protocol: str = "") -> Protocol:
    """Return the flavour that `protocol` names, or else the address tells.

    The path decides where there is one that only one flavour has. Otherwise the scheme does: the platform's HTTPS flavour is
    reached over TLS alone. On this machine ``http://`` tells nothing: a simulator, or a tunnel, speaks either.

    Examples
    --------
    >>> protocol_of("http://112.35.1.155:1992"), protocol_of("https://mas.example:28888")
    ('http', 'https')
    >>> protocol_of("http://127.0.0.1:8443"), protocol_of("http://127.0.0.1:8443/sms/norsubmit")
    ('https', 'http')
    """
    address, host, _ = _split(url)
    path = address.path.rstrip("/")
    told: Protocol | None = "http" if path in _OF_HTTP else "https" if path in _OF_HTTPS else None
    match protocol.lower():
        case "http" | "https" as said:
            if told is not None and told != said:
                raise ConfigError(
                    "protocol={said!r} and the path {path} contradict each other: /sms/norsubmit is of the HTTP interface, "
                    "/sms/submit of the HTTPS interface; leave one of them out.",
                    said=said,
                    path=path,
                )
            return "http" if said == "http" else "https"
        case "":
            return told or ("http" if address.scheme == "http" and not _is_here(host) else "https")
    raise ConfigError(
        "protocol={protocol!r} is neither http nor https: it is what was chosen when the interface account was made "
        "(管理 → 接口管理 → 新建短信接口). Its SDK and WebService interfaces are not spoken here.",
        protocol=protocol,
    )


def is_on_this_machine(url: str) -> bool:
    """Return whether the address is this machine's own: a simulator, or a tunnel.

    Examples
    --------
    >>> is_on_this_machine("https://127.0.0.1:8443"), is_on_this_machine("https://mas.example:28888")
    (True, False)
    """
    return _is_here(_split(url)[1])


def _split(url: str) -> tuple[SplitResult, str, int | None]:
    """Return the parts of `url`, its host and its port."""
    if "@" in url:
        raise ConfigError(
            "url holds a user name or password (an @): write https://HOST:PORT and give ap_id and secret_key."
        )
    try:
        address = urlsplit(url)
        port = address.port
    except ValueError:
        raise _bad_url(url) from None
    host = (address.hostname or "").lower()
    if address.scheme not in ("http", "https") or not _is_host(host):
        raise _bad_url(url)
    return address, host, port


def _check_generation(url: str, port: int | None) -> None:
    """Raise where the address is that of another interface of the platform."""
    found = next((name for pattern, name in _OTHERS if pattern.search(url)), None)
    if found is None and port == _SDK_PORT:
        found = _OTHERS[0][1]
    if found is not None:
        raise ConfigError(
            "url {url!r} is the platform's address for {interface}, which is not spoken here: have an interface account made "
            "for HTTPS or HTTP (管理 → 接口管理 → 新建短信接口) and give its address.",
            code="other_interface",
            url=_shown(url),
            interface=Text(found),
        )


def _shown(url: str) -> str:
    """Return `url` without what could hold a key."""
    return re.split(r"[?#]", url)[0]


def _bad_url(url: str) -> ConfigError:
    return ConfigError(
        "url {url!r} is not an address: write https://HOST:PORT as the account's opening letter gives it.",
        url=_shown(url),
    )


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


def _is_here(host: str) -> bool:
    """Whether `host` is this machine itself."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
