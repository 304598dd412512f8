"""Remote forwards of one connection: the server listens, and what comes in is connected to a place on this side.

async with RemoteForwards(link.connection, meter) as forwards:
    listener = await forwards.open(Forward(Tcp("", 8080), Tcp("localhost", 3000)))

Whatever came in is reset when the block is left, since the connection that carried it is gone.
"""

import asyncio
from types import TracebackType
from typing import Any, Self, cast

import asyncssh

from portward.tunnels.client.pipe import Far, Meter, Near
from portward.tunnels.profiles.profile import EVERYBODY, Endpoint, Forward, Tcp, Unix

_PATIENCE = 10.0
"""Seconds for a place on this side to take a connection."""
_LOOPBACK, _EVERYWHERE = "localhost", ""
"""What a server is asked to listen at (RFC 4254, section 7.1)."""


class RemoteForwards:
    def __init__(self, connection: asyncssh.SSHClientConnection, meter: Meter) -> None:
        self._connection, self._meter = connection, meter
        self._open: set[Near] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for near in tuple(self._open):
            near.abort()

    async def open(self, forward: Forward) -> Forward:
        """Returns the forward as the server opened it, with the port that it chose for port 0.

        Raises `asyncssh.ChannelListenError` when it refuses.
        """
        listen = forward.listen
        if isinstance(listen, Unix):
            await self._connection.create_unix_server(cast("Any", lambda: self._reach(forward.to)), listen.path)
            return forward
        host = {"": _LOOPBACK, EVERYBODY: _EVERYWHERE}.get(listen.host, listen.host)
        listener = await self._connection.create_server(
            cast("Any", lambda host, port: self._reach(forward.to)), host, listen.port
        )
        return Forward(Tcp(listen.host, listener.get_port()), forward.to)

    async def _reach(self, to: Endpoint) -> Far:
        """Connect to a place on this side; asyncssh tells the server when that fails."""
        near = Near(self._meter, self._open.add)
        near.on_end = self._open.discard
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE):
                if isinstance(to, Unix):
                    await loop.create_unix_connection(lambda: near, to.path)
                else:
                    await loop.create_connection(lambda: near, to.host, to.port)
        except OSError as error:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from None
        return Far(self._meter, near)
