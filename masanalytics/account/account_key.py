"""What makes two accounts the same one: the names, and where the platform is that knows them."""

from __future__ import annotations

import hashlib
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = ["AccountKey"]

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_USUAL_PORTS = {"http": 80, "https": 443}


class AccountKey(NamedTuple):
    """By what an account is known in a store and on this machine.

    A platform for tests may have the very names of the real account. What it answers says nothing of that one: neither that
    everything was fetched, nor when it may be asked again.

    Attributes
    ----------
    name : str
        ``ec_name/ap_id``.
    address : str
        ``scheme://host[:port]``; "" where it is not known, which means whichever account of the store is called so.
    """

    name: str
    address: str = ""

    @classmethod
    def at(cls, name: str, url: str) -> AccountKey:
        """Return the key of an account; other ways to write the same address are the same.

        Examples
        --------
        >>> AccountKey.at("shop/ap", "http://localhost:8443"), AccountKey.at("shop/ap", "https://mas.example:443").address
        (AccountKey(name='shop/ap', address='http://127.0.0.1:8443'), 'https://mas.example')
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").removesuffix(".")
        host = "127.0.0.1" if host in _THIS_MACHINE else f"[{host}]" if ":" in host else host
        port = "" if parts.port in (None, _USUAL_PORTS.get(parts.scheme)) else f":{parts.port}"
        return cls(name, f"{parts.scheme}://{host}{port}")

    @classmethod
    def of(cls, account: str | AccountKey) -> AccountKey:
        """Return `account` as a key; a text is a name alone.

        Examples
        --------
        >>> AccountKey.of("shop/ap")
        AccountKey(name='shop/ap', address='')
        """
        return account if isinstance(account, AccountKey) else cls(account)

    @property
    def shown_apart(self) -> str:
        """What frames call this account where another one has the name: ``ec_name/ap_id @ address``."""
        return f"{self.name} @ {self.address}"

    @property
    def digest(self) -> str:
        """A name for files that are about this account."""
        return hashlib.sha256(f"{self.address} {self.name}".encode()).hexdigest()[:16]
