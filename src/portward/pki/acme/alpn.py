"""Answers to tls-alpn-01 (RFC 8737) on a Unix socket, to which the edge passes connections with ALPN `acme-tls/1` on.

with Responder(state.alpn_socket, state.acme / "alpn") as responder:
    responder.show("wiki.example.com", key_authorization)
"""

import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from portward.host.files import private_directory, replace

PROTOCOL = "acme-tls/1"
_MARK = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
"""id-pe-acmeIdentifier."""
_SECONDS = 10.0


class Responder:
    """One connection at a time, each for a few seconds at most: an authority looks from a handful of places."""

    def __init__(self, path: Path, directory: Path) -> None:
        self._path, self._directory = path, directory
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._front = _context()
        self._front.sni_callback = self._choose
        self._listener = socket.socket(socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        private_directory(self._directory)
        self._path.unlink(missing_ok=True)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)
        self._listener.listen(64)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_SECONDS)
        self._path.unlink(missing_ok=True)

    def show(self, host: str, key_authorization: str) -> None:
        file = self._directory / f"{host}.pem"
        replace(file, challenge_certificate(host, key_authorization, datetime.now(UTC)))
        context = _context()
        context.load_cert_chain(file)
        file.unlink()
        self._contexts[host] = context

    def take_away(self, host: str) -> None:
        self._contexts.pop(host, None)

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        context = self._contexts.get((name or "").lower())
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None

    def _serve(self) -> None:
        for connection in self._connections():
            with contextlib.closing(connection), contextlib.suppress(OSError):
                connection.settimeout(_SECONDS)
                with self._front.wrap_socket(connection, server_side=True) as talk:
                    talk.unwrap()

    def _connections(self) -> Iterator[socket.socket]:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            yield connection


def challenge_certificate(host: str, key_authorization: str, now: datetime) -> bytes:
    """A self-signed certificate for `host` that carries the digest of the key authorization; key and certificate."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    digest = b"\x04\x20" + hashlib.sha256(key_authorization.encode()).digest()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(_MARK, digest), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return certificate.public_bytes(encoding) + key.private_bytes(encoding, kind, serialization.NoEncryption())


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([PROTOCOL])
    return context
