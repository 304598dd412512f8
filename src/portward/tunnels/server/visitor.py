"""One connection of a visitor, as the edge hands it on through the service's socket.

Visitor(receive)                 # the protocol; `receive` is called with it when it has come
visitor.answer(page)             # instead of a tunnel
"""

import asyncio
from collections.abc import Callable

from portward.tunnels.server.pipe import SocketEnd

_LINGER_SECONDS = 2.0


class Visitor(SocketEnd):
    """It waits, unread, until it is joined to a channel or answered."""

    def __init__(self, receive: Callable[["Visitor"], None]) -> None:
        super().__init__()
        self._receive = receive

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._receive(self)

    def answer(self, page: bytes) -> None:
        """Send `page` and close, at the latest after two seconds. What the visitor sends meanwhile is thrown away.

        A socket that is closed before all was read loses what it has sent (a reset), so the visitor closes first.
        """
        if self.transport is None:
            return
        self.transport.write(page)
        self.write_eof()
        self.discard()
        asyncio.get_running_loop().call_later(_LINGER_SECONDS, self.close)
