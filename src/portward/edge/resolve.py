"""Upstream host names to addresses, by the system's own resolver (DNS, /etc/hosts, mDNS).

await resolve({"nas.lan"})        # {'nas.lan': '10.0.0.7'}; a name that does not resolve is left out
"""

import asyncio
import logging
import socket
from collections.abc import Iterable

_TIMEOUT = 5.0
log = logging.getLogger(__name__)


async def resolve(names: Iterable[str]) -> dict[str, str]:
    """Look all names up side by side; IPv4 first, since most upstreams listen there."""
    ordered = sorted(names)
    answers = await asyncio.gather(*(_one(name) for name in ordered))
    return {name: answer for name, answer in zip(ordered, answers, strict=True) if answer}


async def _one(name: str) -> str | None:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_TIMEOUT):
            rows = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        log.warning("the upstream %s does not resolve: %s", name, error or "timeout")
        return None
    ordered = sorted(rows, key=lambda row: row[0] != socket.AF_INET)
    return str(ordered[0][4][0])
