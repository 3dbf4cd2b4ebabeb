"""The memory of certificates: which fingerprint each server showed first."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from typing import Final
from urllib.parse import urlsplit

from masanalytics.errors import ConfigError, InputError
from masanalytics.paths import alone_with, full_path, remove_file, replace_file

__all__ = ["KnownHosts", "host_key", "split_address"]


def host_key(host: str, port: int) -> str:
    """Return how a server is called: ``host:port``.

    Examples
    --------
    >>> host_key("MAS.example", 28888), host_key("::1", 443)
    ('mas.example:28888', '[::1]:443')
    """
    name = host.lower().strip("[]")
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; a URL will do, and 443 where there is no port.

    Raises
    ------
    InputError
        If it is no address.

    Examples
    --------
    >>> split_address("mas.example:28888"), split_address("https://[::1]/sms/submit")
    (('mas.example', 28888), ('::1', 443))
    """
    try:
        url = urlsplit(address.strip() if "://" in address else f"//{address.strip()}")
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if not host or any(letter.isspace() for letter in host):
        raise InputError("{address!r} is no address: write HOST:PORT", address=address)
    return host, port or 443


_FORM: Final = 1
"""How the file is laid out: one of a later form is left alone."""


class KnownHosts:
    """A JSON file of servers and their fingerprints, safe with several processes at once.

    Parameters
    ----------
    path : path
        The file; it is made when the first server is remembered, readable by its owner only.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> known = KnownHosts(Path(tempfile.mkdtemp()) / "known_hosts.json")
    >>> known.get("mas.example", 28888) is None
    True
    >>> known.remember("mas.example", 28888, "sha256:" + "ab" * 32) == known.get("mas.example", 28888)
    True
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = full_path(path)

    def get(self, host: str, port: int) -> str | None:
        """Return the remembered fingerprint of a server, or None.

        Raises
        ------
        ConfigError
            If the file cannot be read; a damaged memory is never taken for an empty one.
        """
        return self.entries().get(host_key(host, port))

    def entries(self) -> dict[str, str]:
        """Return every remembered server and its fingerprint."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            entries = kept["hosts"]
            form = int(kept.get("form", _FORM))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except (OSError, ValueError, KeyError, TypeError):
            entries, form = None, _FORM
        if form > _FORM:
            raise ConfigError(
                "{path}, the memory of certificates, was written by a newer masanalytics: update this one, or name another file in "
                "MAS_KNOWN_HOSTS.",
                path=str(self.path),
                code="newer_known_hosts",
            )
        if not isinstance(entries, dict):
            raise ConfigError(
                "{path}, the memory of certificates, cannot be read: put it right, or delete it to start anew.",
                path=str(self.path),
            )
        return {str(key): str(value) for key, value in entries.items()}

    def remember(self, host: str, port: int, fingerprint: str, *, replace: bool = False) -> str:
        """Remember `fingerprint` and return the one that stands.

        Where another one is remembered already, that one stands, unless `replace` is true: of two processes that meet
        a server at the same time, the first decides.

        Raises
        ------
        ConfigError
            If the file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with alone_with(self.path):
                entries = self.entries()
                key = host_key(host, port)
                if replace or key not in entries:
                    entries[key] = fingerprint
                    self._write(entries)
                return entries[key]
        except OSError as error:
            raise ConfigError(
                "{path}, the memory of certificates, cannot be written ({detail}): name a writable file in "
                "MAS_KNOWN_HOSTS, or pin the certificate with tls='sha256:…'.",
                path=str(self.path),
                detail=error.strerror,
            ) from None

    def _write(self, entries: dict[str, str]) -> None:
        """Replace the file in one step, so that nobody ever reads half of it."""
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"form": _FORM, "hosts": entries}, file, indent=1, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            replace_file(name, self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                remove_file(name)
            raise
