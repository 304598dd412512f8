"""Upstream host names to addresses, by the system's own resolver (DNS, /etc/hosts, mDNS).

resolver = Resolver()
await resolver.resolve({"nas.lan"})       # {'nas.lan': '10.0.0.7'}; a name that never resolved is left out
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable

_TIMEOUT = 5.0
log = logging.getLogger(__name__)
Lookup = Callable[[str], Awaitable[str | None]]


async def look_up(name: str) -> str | None:
    """One address of a name, IPv4 first, since most upstreams listen there. None where there is none."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_TIMEOUT):
            rows = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        log.warning("the upstream %s does not resolve: %s", name, str(error) or "timeout")
        return None
    ordered = sorted(rows, key=lambda row: row[0] != socket.AF_INET)
    return str(ordered[0][4][0])


class Resolver:
    """Remembers the last address of each name, so that a name server that is away takes no service down."""

    def __init__(self, lookup: Lookup = look_up) -> None:
        self._lookup = lookup
        self._known: dict[str, str] = {}

    async def resolve(self, names: Iterable[str]) -> dict[str, str]:
        """Look all names up side by side, and forget those that are not asked for any more."""
        ordered = sorted(names)
        answers = await asyncio.gather(*(self._lookup(name) for name in ordered))
        fresh = {name: answer or self._known.get(name) for name, answer in zip(ordered, answers, strict=True)}
        self._known = {name: answer for name, answer in fresh.items() if answer}
        return dict(self._known)
