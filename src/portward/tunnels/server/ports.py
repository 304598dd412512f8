"""The addresses that the SSH server listens at; they may change while it runs.

async with Ports(factory) as ports:
    await ports.listen((("", 2222),))
"""

import asyncio
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from portward.errors import Environment

_BACKLOG = 1024

Address = tuple[str, int]


class Ports:
    """`factory` makes the protocol of each new connection. Connections outlive the port that they came by."""

    def __init__(self, factory: Callable[[], asyncio.Protocol]) -> None:
        self._factory = factory
        self._servers: dict[Address, asyncio.Server] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.listen(())

    async def listen(self, addresses: Collection[Address]) -> None:
        """Listen there, and nowhere else. Raises `Environment` when one can't be had; those that can are."""
        for gone in self._servers.keys() - set(addresses):
            self._servers.pop(gone).close()
        for host, port in addresses:
            if (host, port) not in self._servers:
                self._servers[host, port] = await self._open(host, port)

    async def _open(self, host: str, port: int) -> asyncio.Server:
        try:
            return await asyncio.get_running_loop().create_server(
                self._factory, host or None, port, backlog=_BACKLOG, reuse_address=True
            )
        except OSError as error:
            raise Environment(
                f"the SSH server can't listen at {host or '*'}:{port}: {error.strerror or error}",
                way_out="choose another port in [tunnels] listen, or end the program that has it",
            ) from error
