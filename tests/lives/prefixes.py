"""What a load balancer sends ahead of a connection: headers of PROXY protocol, and a hello to watch the answer to.

ask(gateway, "open", request("open.gate.test"), address="127.0.0.3", before=v2("203.0.113.9"))
given(gateway, v1("203.0.113.9"), at=balancer)              # b"": neither a certificate nor an alert
"""

import socket
import ssl
import struct
from ipaddress import ip_address
from typing import TYPE_CHECKING

from tests.lives.raw import plain_connection, read_once

if TYPE_CHECKING:
    from tests.lives.gateway import Gateway
    from tests.lives.network import Host

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v1(source: str, destination: str = "127.0.0.1") -> bytes:
    """Version 1 (section 2.1 of the specification), for TCP."""
    return f"PROXY TCP{ip_address(source).version} {source} {destination} 5000 443\r\n".encode()


def v2(source: str, destination: str = "127.0.0.1") -> bytes:
    """Version 2 (section 2.2), for TCP."""
    family = {4: (socket.AF_INET, 0x11), 6: (socket.AF_INET6, 0x21)}[ip_address(source).version]
    addresses = b"".join(socket.inet_pton(family[0], address) for address in (source, destination))
    addresses += struct.pack("!HH", 5000, 443)
    return _SIGNATURE + struct.pack("!BBH", 0x21, family[1], len(addresses)) + addresses


def given(gateway: "Gateway", before: bytes, *, at: "Host | None" = None, address: str = "127.0.0.1") -> bytes:
    """The first bytes that come back for such a header and a TLS hello; none where the connection is just closed."""
    with plain_connection(gateway, gateway.https_port, at=at, address=address) as plain:
        plain.sendall(before + _hello(gateway.host("open")))
        return read_once(plain)


def _hello(name: str) -> bytes:
    sent = ssl.MemoryBIO()
    talk = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname=name)
    try:
        talk.do_handshake()
    except ssl.SSLWantReadError:
        return sent.read()
    raise AssertionError("a handshake without an answer")
