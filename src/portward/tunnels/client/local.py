"""Local and dynamic forwards: sockets that stay open for the tunnel's whole life, connected or not.

with LocalForwards(profile, connected, meter, tasks) as forwards:
    await forwards.start()          # who connects while the link is away waits a moment for the next one

`connected` waits for a connection, and returns it.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, cast

import asyncssh

from portward.tunnels.client.binding import bind
from portward.tunnels.client.pipe import Far, Meter, Near
from portward.tunnels.client.socks import Handshake, Refused, Reply
from portward.tunnels.profiles.profile import Endpoint, Profile, Tcp

_HOLD = 10.0
"""Seconds that a new connection waits for the link to come back."""

Connected = Callable[[], Awaitable[asyncssh.SSHClientConnection]]


class LocalForwards:
    """Entering binds every socket, or raises `Environment` and binds none. Leaving resets what is open."""

    def __init__(self, profile: Profile, connected: Connected, meter: Meter, tasks: asyncio.TaskGroup) -> None:
        self._profile, self._connected, self._meter, self._tasks = profile, connected, meter, tasks
        self._stack = ExitStack()
        self._bound: list[tuple[socket.socket, Callable[[], Near]]] = []
        self._open: set[Near] = set()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._abort)
            for forward in self._profile.local:
                self._bind(stack, forward.listen, _serving(self._fixed, forward.to))
            for end in self._profile.dynamic:
                self._bind(stack, end, self._dynamic)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    async def start(self) -> None:
        """Take connections from now on."""
        loop = asyncio.get_running_loop()
        for listener, protocol in self._bound:
            is_unix = listener.family == socket.AF_UNIX
            create: Any = loop.create_unix_server if is_unix else loop.create_server
            server = await create(protocol, sock=listener)
            self._stack.callback(server.close)

    def _bind(self, stack: ExitStack, end: Endpoint, protocol: Callable[[], Near]) -> None:
        for listener in bind(end):
            stack.callback(listener.close)
            self._bound.append((listener, protocol))

    def _abort(self) -> None:
        for near in tuple(self._open):
            near.abort()

    def _fixed(self, to: Endpoint) -> Near:
        return Near(self._meter, lambda near: self._begin(near, to))

    def _dynamic(self) -> Near:
        return SocksNear(self._meter, self._begin)

    def _begin(self, near: Near, to: Endpoint) -> None:
        self._open.add(near)
        near.on_end = self._open.discard
        self._tasks.create_task(self._open_channel(near, to))

    async def _open_channel(self, near: Near, to: Endpoint) -> None:
        far = Far(self._meter, near)
        try:
            async with asyncio.timeout(_HOLD):
                connection = await self._connected()
            await open_channel(connection, far, to, near.origin())
        except (OSError, asyncssh.Error) as error:
            near.refuse(error)


class SocksNear(Near):
    """The end at a client that says where it wants to go."""

    def __init__(self, meter: Meter, wished: Callable[[Near, Endpoint], None]) -> None:
        super().__init__(meter)
        self._wished = wished
        self._handshake: Handshake | None = Handshake()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        super().begin()

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        if not self._handshake:
            super().data_received(data, datatype)
            return
        try:
            self._write(self._handshake.feed(data))
        except Refused as refusal:
            self._write(refusal.answer)
            self.close()
            return
        if wish := self._handshake.wish:
            self.wait()
            self._wished(self, Tcp(wish.host, wish.port))

    def begin(self) -> None:
        handshake, self._handshake = self._handshake, None
        if handshake:
            self._write(handshake.succeeded())
            if handshake.rest:
                super().data_received(handshake.rest)
        super().begin()

    def refuse(self, error: Exception) -> None:
        if self._handshake:
            self._write(self._handshake.failed(_reply(error)))
        self.close()

    def _write(self, data: bytes) -> None:
        if self.transport and data:
            self.transport.write(data)


async def open_channel(
    connection: asyncssh.SSHClientConnection, far: Far, to: Endpoint, origin: tuple[str, int]
) -> None:
    """Have the server connect `far` to an endpoint. Raises `asyncssh.ChannelOpenError`."""
    session = cast("Any", lambda: far)
    if isinstance(to, Tcp):
        await connection.create_connection(session, to.host, to.port, *origin)
    else:
        await connection.create_unix_connection(session, to.path)


def _serving(make: Callable[[Endpoint], Near], to: Endpoint) -> Callable[[], Near]:
    return lambda: make(to)


def _reply(error: Exception) -> Reply:
    if isinstance(error, asyncssh.ChannelOpenError):
        refused = error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
        return Reply.NOT_ALLOWED if refused else Reply.REFUSED
    return Reply.NETWORK_UNREACHABLE
