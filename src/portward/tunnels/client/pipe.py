"""Carries bytes between a socket and an SSH channel, no faster than the slower of both takes them.

near = Near(meter)                                                       # the loop's protocol for a socket
await connection.create_connection(lambda: Far(meter, near), "db.internal", 5432)

Each half writes what it gets to the other one, and stops reading while the other one's buffer is full.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol


class Transport(Protocol):
    """What a socket's transport and an SSH channel have in common."""

    def write(self, data: bytes) -> None: ...
    def write_eof(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def get_extra_info(self, name: str, default: Any = None) -> Any: ...


@dataclass(slots=True)
class Meter:
    """Bytes that went to the SSH server and came from it, and how many connections that were."""

    sent: int = 0
    received: int = 0
    connections: int = 0


class Half(asyncio.Protocol):
    """One end of a pipe. asyncssh calls it as a session, the loop as a protocol: they have the same methods."""

    def __init__(self) -> None:
        self.transport: Transport | None = None
        self._peer: Half | None = None
        self._ended = False

    def join(self, peer: "Half") -> None:
        self._peer, peer._peer = peer, self

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def session_started(self) -> None:
        """asyncssh says so when the channel is open, as `connection_made` has said already."""

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        if self._peer and self._peer.transport:
            # A channel that is being closed takes nothing any more, and says so in this way.
            with suppress(BrokenPipeError):
                self._peer.transport.write(data)

    def eof_received(self) -> bool:
        """True keeps this half open for writing: the other direction may still have something to say."""
        self._ended = True
        if not self._peer or not self._peer.transport:
            return True
        with suppress(BrokenPipeError):
            self._peer.transport.write_eof()
        return not self._peer._ended

    def pause_writing(self) -> None:
        if self._peer and self._peer.transport:
            self._peer.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._peer and self._peer.transport:
            self._peer.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._peer:
            self._peer.close()

    def close(self) -> None:
        """What is already written still goes out."""
        if self.transport:
            self.transport.close()

    def abort(self) -> None:
        """A socket is reset, so that its program knows that nothing came through."""
        if self.transport:
            self.transport.abort()


class Near(Half):
    """The end at a socket. It reads nothing before the far end is there: until then nothing piles up."""

    def __init__(self, meter: Meter, accepted: Callable[["Near"], None] = lambda near: None) -> None:
        super().__init__()
        self._meter, self._accepted = meter, accepted
        self.on_end: Callable[[Near], None] = lambda near: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._meter.connections += 1
        self.wait()
        self._accepted(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.on_end(self)

    def origin(self) -> tuple[str, int]:
        """Who connected: address and port, empty for a Unix socket."""
        name = self.transport.get_extra_info("peername") if self.transport else None
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("", 0)

    def refuse(self, error: Exception) -> None:
        """Nothing could be reached for this connection."""
        self.abort()

    def wait(self) -> None:
        """Read nothing until the far end is there."""
        if self.transport:
            self.transport.pause_reading()

    def begin(self) -> None:
        """The far end is there."""
        if self.transport:
            self.transport.resume_reading()

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        self._meter.sent += len(data)
        super().data_received(data, datatype)


class Far(Half):
    """The end at an SSH channel."""

    def __init__(self, meter: Meter, near: Near) -> None:
        super().__init__()
        self._meter, self._near = meter, near
        self.join(near)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self._near.transport:
            self._near.begin()
        else:
            # It went away while the channel was being opened.
            self.close()

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        self._meter.received += len(data)
        super().data_received(data, datatype)
