"""A TCP connection to the first hop: an SSH server, or a proxy before it.

    sock = await dial("gate.example.com", 22, family="any")

Every address of the name is tried; the name is looked up anew each time, since it may have moved.
"""

import asyncio
import socket
from typing import Any

from portward.tunnels.profiles.profile import Family

_PATIENCE = 10.0
"""Seconds for all addresses of a host together."""
_FAMILIES = {"any": socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


async def dial(host: str, port: int, *, family: Family = "any") -> socket.socket:
    """A connected socket, not blocking. Raises `OSError`: that of the last address; `TimeoutError` is one."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_PATIENCE):
        found = await loop.getaddrinfo(host, port, family=_FAMILIES[family], type=socket.SOCK_STREAM)
    error: OSError = OSError(f"{host} has no address")
    for kind, _, protocol, _, address in found:
        try:
            return await _connect(kind, protocol, address, _PATIENCE / len(found))
        except OSError as failure:
            error = failure
    raise error


async def _connect(family: int, protocol: int, address: tuple[Any, ...], patience: float) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM, protocol)
    try:
        sock.setblocking(False)
        async with asyncio.timeout(patience):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
