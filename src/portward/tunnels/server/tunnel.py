"""One tunnel: a service carried by one connection, as long as both stand.

    tunnel = Tunnel(peer, Wish("blog", 80), service, made=False)
    await tunnel.open(socket_end)                   # a channel to what the client's -R names

Its health is what a channel through it finds out, not whether its socket is open.
"""

import asyncio
import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import asyncssh

from portward.tunnels.control import Health, Live
from portward.tunnels.rules import ServiceRule
from portward.tunnels.server.pipe import ChannelEnd, SocketEnd
from portward.tunnels.server.publishing import Wish

if TYPE_CHECKING:
    from portward.tunnels.server.peer import Peer

_OPEN_SECONDS = 10.0
_serial = itertools.count(1)


class NotOpened(Exception):
    """The client did not open a channel; `gone`: because its connection is over."""

    def __init__(self, why: str, *, gone: bool) -> None:
        super().__init__(why)
        self.gone = gone


class Tunnel:
    """`port` is what the client calls it by; `streams` are open now; bytes and requests count from the beginning.

    `suspect`: a visitor has found it closed, and no probe has looked since.
    """

    def __init__(self, peer: "Peer", wish: Wish, port: int, service: ServiceRule, *, made: bool) -> None:
        self.id = f"t{next(_serial)}"
        self.peer, self.wish, self.port, self.service, self.made = peer, wish, port, service, made
        self.takes_turns = service.kind == "http"
        self.since = datetime.now(UTC)
        self.health: Health = "unknown"
        self.streams = self.requests = self.bytes_in = self.bytes_out = 0
        self.suspect = False

    @property
    def doubtful(self) -> bool:
        """Whether visitors had better take another tunnel."""
        return self.suspect or self.health == "failing"

    async def open(self, end: SocketEnd) -> None:
        """Open a channel to the service and join it to a visitor's socket. Raises `NotOpened`."""
        await self._channel(ChannelEnd(end, self, self.peer.connection))
        self.streams += 1

    def ended(self) -> None:
        """One stream is over."""
        self.streams -= 1

    async def probe(self) -> str:
        """Look whether the service answers, by a channel that is closed at once. Returns why it does not, or ""."""
        try:
            channel = await self._channel(_Glance())
        except NotOpened as error:
            return str(error)
        channel.close()
        return ""

    def live(self) -> Live:
        key, service = self.peer.known, self.service
        return Live(
            id=self.id,
            service=service.name,
            host=service.host,
            url=service.url,
            kind=service.kind,
            made=self.made,
            key=key.name,
            account=key.account,
            fingerprint=key.fingerprint,
            address=self.peer.address,
            version=self.peer.version,
            since=self.since,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            requests=self.requests,
            round_trip=self.peer.connection.round_trip,
            health=self.health,
        )

    async def _channel(self, session: "ChannelEnd | _Glance") -> "asyncssh.SSHTCPChannel[bytes]":
        """A channel that a client opens late, or that nobody waits for any more, is closed again."""
        opening = asyncio.ensure_future(self._opened(session))
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                return await asyncio.shield(opening)
        except TimeoutError:
            opening.add_done_callback(_close)
            raise NotOpened("the client does not answer", gone=False) from None
        except asyncio.CancelledError:
            opening.add_done_callback(_close)
            raise
        except (asyncssh.Error, OSError) as error:
            raise NotOpened(str(error) or "refused", gone=self.peer.connection.is_closed()) from None

    async def _opened(self, session: "ChannelEnd | _Glance") -> "asyncssh.SSHTCPChannel[bytes]":
        connection = self.peer.connection
        if self.wish.path:
            unix = await cast("Any", connection).create_unix_connection(lambda: session, self.wish.path, encoding=None)
            return cast("asyncssh.SSHTCPChannel[bytes]", unix[0])
        tcp, _ = await connection.create_connection(
            lambda: session, self.wish.host, self.port, "127.0.0.1", 0, encoding=None
        )
        return tcp


class _Glance(asyncssh.SSHTCPSession[bytes]):
    """A session that wants nothing."""


def _close(opening: "asyncio.Future[asyncssh.SSHTCPChannel[bytes]]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
