"""The simulator's own certificate: nobody vouches for it, as with the real platform, so clients pin its fingerprint."""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from masanalytics.errors import InputError, MissingExtraError
from masanalytics.i18n import Text

__all__ = ["Certificate", "load_certificate", "make_certificate"]


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key.

    Attributes
    ----------
    fingerprint : str
        SHA-256 of the certificate, 64 hex digits.
    context : ssl.SSLContext
        For the server's side.
    pem : bytes
        Key and certificates, as `load_certificate` reads them.
    authority : bytes
        The certificate (PEM) of whoever signed it, for a client that wants to check the signature. Empty if unknown.
    """

    fingerprint: str
    context: ssl.SSLContext = field(repr=False)
    pem: bytes = field(repr=False)
    authority: bytes = field(default=b"", repr=False)


def make_certificate(host: str) -> Certificate:
    """Make a fresh certificate for `host`.

    Raises
    ------
    MissingExtraError
        If trustme, of the extra ``sim``, is not installed.
    """
    try:
        import trustme
    except ImportError:
        raise MissingExtraError.of("sim", "trustme", Text("the simulator over HTTPS")) from None
    names = dict.fromkeys([host, "127.0.0.1", "::1", "localhost"])
    authority = trustme.CA()
    leaf = authority.issue_cert(*[name for name in names if name not in ("", "0.0.0.0", "::")])  # noqa: S104
    pem = leaf.private_key_and_cert_chain_pem.bytes()
    return _certificate(pem, authority.cert_pem.bytes())


def load_certificate(path: Path, host: str) -> Certificate:
    """Read the certificate kept in `path` (PEM, key and certificate); make and keep one if there is no such file.

    A simulator that is started again then shows the fingerprint its clients remember.

    Raises
    ------
    InputError
        If the file is no key and certificate.
    """
    if path.exists():
        return _certificate(path.read_bytes(), b"", path)
    made = make_certificate(host)
    with (
        contextlib.suppress(FileExistsError),
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
    ):
        file.write(made.pem)
    return made


def _certificate(pem: bytes, authority: bytes, path: Path | None = None) -> Certificate:
    """Return the certificate that `pem` holds, ready for a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # The ssl module reads keys from files only.
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "key.pem"
            file.touch(mode=0o600)
            file.write_bytes(pem)
            context.load_cert_chain(file)
        start = pem.index(b"-----BEGIN CERTIFICATE-----")
        end = pem.index(b"-----END CERTIFICATE-----", start) + len(b"-----END CERTIFICATE-----")
        der = ssl.PEM_cert_to_DER_cert(pem[start:end].decode())
    except (ssl.SSLError, ValueError) as error:
        raise InputError(
            "{path} is not a key with its certificate in PEM form: {detail}", path=str(path), detail=str(error)
        ) from error
    return Certificate(hashlib.sha256(der).hexdigest(), context, pem, authority)
