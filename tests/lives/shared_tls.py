"""A TLS socket that one thread reads while another writes.

connect("wss://…", ssl=shareable(gateway.tls()))

OpenSSL allows no two calls on one connection at a time, and Python gives its lock away while it waits inside of one.
The threads of websockets' client ran into that: now and then a request was never sent. This socket waits outside.
"""

import select
import ssl
from threading import RLock
from typing import Any


def shareable(context: ssl.SSLContext) -> ssl.SSLContext:
    """The same context, whose sockets two threads may use."""
    context.sslsocket_class = SharedSocket
    return context


class SharedSocket(ssl.SSLSocket):
    """After the handshake, reads and writes take turns; time-outs are left to whoever waits for an answer."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        while True:
            try:
                with self._turn():
                    return super().recv(buflen, flags)
            except ssl.SSLWantReadError:
                select.select([self], [], [])
            except ssl.SSLWantWriteError:
                select.select([], [self], [])

    def sendall(self, data: Any, flags: int = 0) -> None:
        rest = memoryview(data)
        while rest:
            try:
                with self._turn():
                    rest = rest[super().send(rest, flags) :]
            except ssl.SSLWantWriteError:
                select.select([], [self], [])
            except ssl.SSLWantReadError:
                select.select([self], [], [])

    def _turn(self) -> RLock:
        """Held for one call that does not wait."""
        if "_lock" not in self.__dict__:
            self.__dict__["_lock"] = RLock()
        self.setblocking(False)
        return self.__dict__["_lock"]
