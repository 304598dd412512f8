"""Bytes of one's own choice through a TLS connection, as a tester with a raw socket sends them.

answer = ask(gateway, "wiki", b"GET /../secret HTTP/1.1\\r\\nHost: wiki.gate.test\\r\\n\\r\\n")
answer.status, answer.body                # the first answer of the connection
answer.received                           # all that came back
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.lives.gateway import Gateway
    from tests.lives.network import Host

_QUIET = 20.0
"""Seconds without a byte after which a test gives up."""


@dataclass(frozen=True, slots=True)
class Answer:
    received: bytes

    @property
    def status(self) -> int:
        """Of the first answer; 0 where the connection was closed without one."""
        return int(self.received.split(b" ", 2)[1]) if self.received.startswith(b"HTTP/1.") else 0

    @property
    def statuses(self) -> list[int]:
        """Of every answer, for requests in a row."""
        parts = self.received.split(b"HTTP/1.1 ")[1:]
        return [int(part[:3]) for part in parts]

    @property
    def head(self) -> str:
        return self.received.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[2]


@contextmanager
def connection(
    gateway: "Gateway",
    sni: str,
    *,
    address: str = "127.0.0.1",
    at: "Host | None" = None,
    before: bytes = b"",
    seconds: float = _QUIET,
) -> Iterator[ssl.SSLSocket]:
    """A TLS connection for the name `sni`, from `address` of the loopback or from `at`, a host of the test's network.

    `before` goes ahead of the handshake (PROXY protocol).
    """
    with plain_connection(gateway, gateway.https_port, address=address, at=at, seconds=seconds) as plain:
        plain.sendall(before)
        with gateway.tls("http/1.1").wrap_socket(plain, server_hostname=gateway.host(sni)) as secured:
            yield secured


def plain_connection(
    gateway: "Gateway", port: int, *, address: str = "127.0.0.1", at: "Host | None" = None, seconds: float = _QUIET
) -> socket.socket:
    if (place := at or gateway.at) is None:
        return socket.create_connection((gateway.address(), port), seconds, source_address=(address, 0))
    with place.inside():
        return socket.create_connection((gateway.address(place), port), seconds)


def ask(gateway: "Gateway", sni: str, sent: bytes, **options: object) -> Answer:
    """Send bytes and read until the gateway closes; without `Connection: close` that takes its keep-alive time."""
    with connection(gateway, sni, **options) as secured:  # type: ignore[arg-type]
        try:
            secured.sendall(sent)
        except OSError:
            return Answer(b"")
        return Answer(read_to_end(secured))


def read_to_end(connected: socket.socket) -> bytes:
    """Everything until the other side closes, politely or not."""
    parts = []
    try:
        while part := connected.recv(65536):
            parts.append(part)
    except (ConnectionError, ssl.SSLError):
        pass
    return b"".join(parts)


def read_once(connected: socket.socket) -> bytes:
    """What comes first; empty when the other side closes, politely or not."""
    try:
        return connected.recv(65536)
    except (ConnectionError, ssl.SSLError):
        return b""


def request(
    host: str,
    target: str = "/",
    *lines: str,
    method: str = "GET",
    body: bytes = b"",
    version: str = "HTTP/1.1",
) -> bytes:
    """A request, byte for byte: nothing is escaped. Asks the gateway to close afterwards."""
    head = [f"{method} {target} {version}", f"Host: {host}", "Connection: close", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body
