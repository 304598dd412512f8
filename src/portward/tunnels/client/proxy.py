"""The way to an SSH server through somebody's proxy: HTTP CONNECT (RFC 9110, section 9.3.6), SOCKS 5 (RFC 1928, 1929)
and SOCKS 4a. The proxy resolves the name. It hears a user's name and never a password, since none is kept.

await pass_through(sock, Proxy("http", "proxy.example.com", 3128), "bastion.example.com", 22)

Raises `OSError` for whatever the proxy does not do.
"""

import asyncio
import base64
import socket

from portward.tunnels.profiles.profile import Proxy
from portward.tunnels.profiles.spelling import bracket

_PATIENCE = 20.0
_LONGEST_HEAD = 16384
_SOCKS_5_ADDRESS = {1: 4, 4: 16}
_REFUSALS = {
    1: "the proxy failed",
    2: "the proxy does not permit it",
    3: "no network there",
    4: "no such host",
    5: "connection refused",
    6: "no answer there",
}


async def pass_through(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Have the proxy behind a connected socket connect that on to `host`."""
    ways = {"http": _http, "socks5": _socks5, "socks4": _socks4}
    async with asyncio.timeout(_PATIENCE):
        await ways[proxy.kind](_Stream(sock), proxy, host, port)


class _Stream:
    """Reads not one byte too many: what comes after the proxy's answer is the SSH server's."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock, self._loop = sock, asyncio.get_running_loop()

    async def write(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._sock, data)

    async def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = await self._loop.sock_recv(self._sock, count - len(data))
            if not piece:
                raise ConnectionError("the proxy hung up")
            data += piece
        return data


async def _http(stream: _Stream, proxy: Proxy, host: str, port: int) -> None:
    place = f"{bracket(host)}:{port}"
    user = base64.b64encode(f"{proxy.user}:".encode()).decode()
    login = f"Proxy-Authorization: Basic {user}\r\n" if proxy.user else ""
    await stream.write(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{login}\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        if len(head) > _LONGEST_HEAD:
            raise ConnectionError("the proxy answers without an end")
        head += await stream.read(1)
    version, _, status = head.partition(b"\r\n")[0].decode(errors="replace").partition(" ")
    if not version.startswith("HTTP/1.") or not status.startswith("2"):
        raise ConnectionError(f"the proxy answers {status or version!r}")


async def _socks5(stream: _Stream, proxy: Proxy, host: str, port: int) -> None:
    methods = b"\x00\x02" if proxy.user else b"\x00"
    await stream.write(bytes((5, len(methods))) + methods)
    version, method = await stream.read(2)
    if version != 5 or method not in methods:
        raise ConnectionError("the proxy wants a login that is not kept here" if version == 5 else "no SOCKS 5 proxy")
    if method == 2:
        user = proxy.user.encode()[:255]
        await stream.write(bytes((1, len(user))) + user + b"\x00")
        if (await stream.read(2))[1]:
            raise ConnectionError("the proxy refuses the user")
    name = host.encode()
    await stream.write(bytes((5, 1, 0, 3, len(name))) + name + port.to_bytes(2))
    _, answer, _, kind, length = await stream.read(5)
    if answer:
        raise ConnectionError(_REFUSALS.get(answer, "the proxy refuses"))
    await stream.read(_SOCKS_5_ADDRESS.get(kind, length + 1) - 1 + 2)


async def _socks4(stream: _Stream, proxy: Proxy, host: str, port: int) -> None:
    user, name = proxy.user.encode(), host.encode()
    await stream.write(b"\x04\x01" + port.to_bytes(2) + b"\x00\x00\x00\x01" + user + b"\x00" + name + b"\x00")
    answer = await stream.read(8)
    if answer[:2] != b"\x00\x5a":
        raise ConnectionError("the proxy refuses")
