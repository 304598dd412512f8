"""The gateway's own listeners, as it reaches them itself.

    doors(settings.listen.https, settings.proxies.proxy_protocol, ipv6=True)    # (Door('127.0.0.1', 8443), ...)
    await doors[0].chain("wiki.example.com")        # the certificates that a visitor of that host gets, as DER

Over IPv4 it comes from an address of the loopback that nobody else has a reason to use, and which no limit and no list
shuts out. Such an address can't come in from outside (RFC 1122 section 3.2.1.3).
"""

import asyncio
import socket
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from portward.config.values import Address
from portward.errors import EdgeError

OWN_SOURCE = "127.80.87.68"
_ANY_IPV4 = ("", "0.0.0.0")  # noqa: S104 - compared with, not bound to
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Door:
    """`proxied`: the listener expects PROXY protocol from where we come."""

    host: str
    port: int
    proxied: bool = False

    @property
    def source(self) -> str:
        """The address that we come from. Over IPv6 it is the one that we go to, which is this machine's as well."""
        return self.host if ":" in self.host else OWN_SOURCE

    async def chain(self, host: str) -> tuple[bytes, ...]:
        """Shake hands for `host`. Returns what was shown, the leaf first; nothing where the handshake was refused.

        Raises `EdgeError` when nobody answers.
        """
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._handshake(host)
        except ssl.SSLError:
            return ()
        except (OSError, TimeoutError) as error:
            raise EdgeError(f"no handshake for {host} on {self}: {str(error) or 'timeout'}") from error

    async def _handshake(self, host: str) -> tuple[bytes, ...]:
        reached = await self._connect()
        try:
            _, writer = await asyncio.open_connection(sock=reached, ssl=_anything(), server_hostname=host)
        except BaseException:
            reached.close()
            raise
        try:
            return _shown(writer.get_extra_info("ssl_object"))
        finally:
            writer.transport.abort()

    async def _connect(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        reached = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        try:
            reached.setblocking(False)
            reached.bind((self.source, 0))
            await loop.sock_connect(reached, (self.host, self.port))
            if self.proxied:
                # PROXY protocol, section 2.1: the receiver keeps the addresses of the connection itself.
                await loop.sock_sendall(reached, b"PROXY UNKNOWN\r\n")
        except BaseException:
            reached.close()
            raise
        return reached

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def doors(
    listeners: Sequence[Address], proxies: Sequence[IPv4Network | IPv6Network], *, ipv6: bool
) -> tuple[Door, ...]:
    """One for each socket that HAProxy opens. A listener on every address is reached over the loopback."""
    hosts = [(host, listener.port) for listener in listeners for host in _hosts(listener.host, ipv6=ipv6)]
    plain = [Door(host, port) for host, port in hosts]
    return tuple(
        Door(door.host, door.port, any(ip_address(door.source) in network for network in proxies)) for door in plain
    )


def _hosts(listener: str, *, ipv6: bool) -> tuple[str, ...]:
    if listener in _ANY_IPV4:
        return ("127.0.0.1", "::1") if ipv6 and not listener else ("127.0.0.1",)
    return ("::1",) if listener == "::" else (listener,)


@cache
def _anything() -> ssl.SSLContext:
    """What is shown is compared with what should be, so nothing has to be trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _shown(connection: Any) -> tuple[bytes, ...]:
    if sys.version_info >= (3, 13):
        return tuple(connection.get_unverified_chain())
    # Until Python 3.13 only the object inside knows the whole chain.
    return tuple(ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in connection._sslobj.get_unverified_chain())
