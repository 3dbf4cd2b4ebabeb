"""Certificates and the memory of them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from masanalytics.errors import ConfigError, InputError, NetworkError
from masanalytics.tls import (
    KnownHosts,
    certificate_expiry,
    fetch_certificate,
    fetch_fingerprint,
    fingerprint_of,
    host_key,
    make_context,
    short_fingerprint,
    split_address,
    unreachable,
)
from tests.raw_server import RawServer, unused_port

PIN = "sha256:" + "ab" * 32


def leaf_of(**settings: Any) -> tuple[trustme.LeafCert, x509.Certificate]:
    leaf = trustme.CA().issue_cert("127.0.0.1", "mas.example", **settings)
    return leaf, x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())


@pytest.mark.parametrize("year", [2030, 2049, 2050, 2099])
def test_expiry(year: int) -> None:
    """A certificate's end is read as the cryptography library reads it, in both of its written forms."""
    _, certificate = leaf_of(not_after=dt.datetime(year, 5, 1, 12, 30, 15, tzinfo=dt.UTC))
    assert certificate_expiry(certificate.public_bytes(Encoding.DER)) == int(
        certificate.not_valid_after_utc.timestamp()
    )


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x82", b"garbage", b"\x30\x03\x30\x01\x00", bytes(100)])
def test_expiry_of_rubbish(der: bytes) -> None:
    """What is no certificate has no end."""
    assert certificate_expiry(der) is None


def test_every_cut_of_a_certificate_is_harmless() -> None:
    """A certificate cut anywhere never raises."""
    der = leaf_of()[1].public_bytes(Encoding.DER)
    for cut in range(len(der)):
        certificate_expiry(der[:cut])


def test_fingerprints() -> None:
    """A fingerprint is the SHA-256 of the certificate; the short form keeps both ends."""
    assert fingerprint_of(b"abc") == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert short_fingerprint(PIN) == "sha256:abababab…abababab"


@pytest.fixture
def tls_port() -> Iterator[tuple[int, bytes, list[bytes]]]:
    """A TLS server that records whatever is said to it after the handshake."""
    leaf, certificate = leaf_of()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    heard: list[bytes] = []

    class Listening(RawServer):
        def serve(self, line: socket.socket) -> None:
            with context.wrap_socket(line, server_side=True) as tls:
                heard.append(tls.recv(1000))

    server = Listening()
    yield server.port, certificate.public_bytes(Encoding.DER), heard
    server.close()


def test_fetching_a_fingerprint(tls_port: tuple[int, bytes, list[bytes]]) -> None:
    """Fetching shakes hands and says nothing else."""
    port, der, heard = tls_port
    assert fetch_fingerprint("127.0.0.1", port) == "sha256:" + hashlib.sha256(der).hexdigest()
    assert heard in ([], [b""])


def test_fetching_from_nobody() -> None:
    """A server that is not there, or not known, is a network error in which nothing was sent."""
    port = unused_port()
    for host in ("127.0.0.1", "nobody.invalid", "a" * 70 + ".invalid"):
        with pytest.raises(NetworkError) as caught:
            fetch_certificate(host, port, 0.5)
        assert (caught.value.sent, caught.value.__cause__, caught.value.__context__) == (False, None, None)


def test_contexts() -> None:
    """Today's TLS by default; old TLS, never SSL 3, where it is asked for."""
    modern, legacy = make_context(verify=False), make_context(verify=False, legacy=True)
    assert modern.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (modern.verify_mode, modern.check_hostname) == (ssl.CERT_NONE, False)
    assert legacy.minimum_version == ssl.TLSVersion.MINIMUM_SUPPORTED
    assert legacy.options & ssl.OP_NO_SSLv3
    strict = make_context(verify=True, system_store=True)
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_remembering(tmp_path: Path) -> None:
    """What is remembered is found again whatever the case, kept against another, and replaced when asked."""
    known = KnownHosts(tmp_path / "deep" / "known.json")
    assert known.entries() == {}
    assert known.remember("MAS.example", 28888, PIN) == PIN
    assert known.get("mas.EXAMPLE", 28888) == PIN
    assert known.get("mas.example", 443) is None
    assert known.remember("mas.example", 28888, "sha256:" + "cd" * 32) == PIN
    assert known.remember("mas.example", 28888, "sha256:" + "cd" * 32, replace=True) == "sha256:" + "cd" * 32
    assert json.loads(known.path.read_text()) == {"form": 1, "hosts": {"mas.example:28888": "sha256:" + "cd" * 32}}
    assert known.path.stat().st_mode & 0o777 == 0o600
    assert known.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"hosts": []}', "\x00"])
def test_a_damaged_memory(tmp_path: Path, text: str) -> None:
    """A damaged memory is an error, never an empty one: that would trust anybody anew."""
    (tmp_path / "known.json").write_text(text)
    known = KnownHosts(tmp_path / "known.json")
    with pytest.raises(ConfigError, match="cannot be read"):
        known.get("mas.example", 443)
    with pytest.raises(ConfigError, match="cannot be read"):
        known.remember("mas.example", 443, PIN)
    assert (tmp_path / "known.json").read_text() == text


@pytest.mark.parametrize(
    "address", ["", ":443", "mas.example:port", "mas example:1", "mas.example:99999", "https://[::1"]
)
def test_what_is_no_address(address: str) -> None:
    """What is no HOST:PORT is wrong input."""
    with pytest.raises(InputError, match="write HOST:PORT"):
        split_address(address)


def test_host_keys() -> None:
    """A host has one name, with its port."""
    assert host_key("[2001:DB8::1]", 28888) == "[2001:db8::1]:28888"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_obstacle_has_words(language: str) -> None:
    """Each reason not to reach a server names the server and says what to do; TLS trouble does not go away by itself."""
    lasting = {
        reach: not unreachable(reach, "mas.example:1", "why").retryable
        for reach in ("name", "refused", "unreachable", "timeout", "closed", "not_tls", "tls", "verify", "proxy")
        if unreachable(reach, "mas.example:1", "why").text(language)
    }
    assert [reach for reach, stays in lasting.items() if stays] == ["not_tls", "tls", "verify"]
