"""Joins a socket and a channel of SSH, byte for byte, in both directions, half-closed ends included.

    socket = SocketEnd()                                       # the protocol of a socket; it reads nothing yet
    ChannelEnd(socket, meter, link)                            # the session of a channel; as that opens, bytes pass

Whoever can't take more makes the other side wait: a stalled reader at one end stops reading at the other, through the
channel's window or the socket's buffer. What is held between is one piece of 64 KB and asyncio's buffers.
"""

import asyncio
from typing import Protocol, cast

import asyncssh

_PIECE_BYTES = 64 * 1024
_scratch = memoryview(bytearray(_PIECE_BYTES))
"""One for all sockets: what is read is copied out before anybody else may read."""

_UPGRADED = b"HTTP/1.1 101"

_CHANNEL, _LINK, _UNJOINED = 1, 2, 4
"""Why a socket is not read: its channel is full; the connection that carries the channel is full; it has no channel."""


class Meter(Protocol):
    """Counts what passes: bytes_in go towards the far end of SSH. `ended` is called once, when all is over.

    `takes_turns`: request and answer alternate, as in HTTP/1.1, so that the beginnings of requests can be counted.
    """

    bytes_in: int
    bytes_out: int
    requests: int
    takes_turns: bool

    def ended(self) -> None: ...


class Link(Protocol):
    """What carries channels: an SSH connection that may be congested."""

    congested: bool
    ends: set["SocketEnd"]

    def send_data(self, channel: "asyncssh.SSHTCPChannel[bytes]", data: memoryview) -> None: ...


class ChannelEnd(asyncssh.SSHTCPSession[bytes]):
    """The end in SSH."""

    def __init__(self, socket: "SocketEnd", meter: Meter, link: Link) -> None:
        self._socket, self._meter, self._link = socket, meter, link

    def connection_made(self, chan: "asyncssh.SSHTCPChannel[bytes]") -> None:
        self._socket.join(chan, self._meter, self._link)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._meter.bytes_out += len(data)
        self._socket.answered(data)
        self._socket.write(data)

    def eof_received(self) -> bool:
        self._socket.write_eof()
        return True

    def pause_writing(self) -> None:
        self._socket.hold(_CHANNEL)

    def resume_writing(self) -> None:
        self._socket.release(_CHANNEL)

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket.close()
        self._meter.ended()


class SocketEnd(asyncio.BufferedProtocol):
    """The end at a socket. It reads nothing until it is joined to a channel."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._meter: Meter | None = None
        self._link: Link | None = None
        self._reasons = _UNJOINED
        self._full = False
        self._its_turn = True
        self._upgraded = False
        self._eofs = 0

    # ---- the socket ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self._reasons:
            self.transport.pause_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _scratch

    def buffer_updated(self, nbytes: int) -> None:
        if self._channel is None or self._meter is None or self._link is None:
            return
        if not self._channel.is_closing():
            self._meter.bytes_in += nbytes
            if self._its_turn:
                self._its_turn = False
                self._meter.requests += 1
            self._link.send_data(self._channel, _scratch[:nbytes])

    def eof_received(self) -> bool:
        if self._channel is not None:
            self._channel.write_eof()
        return self._ended()

    def pause_writing(self) -> None:
        self._full = True
        if self._channel is not None:
            self._channel.pause_reading()

    def resume_writing(self) -> None:
        """Not at once: asyncio closes a transport twice when it is written to from in here, and that fails."""
        self._full = False
        asyncio.get_running_loop().call_soon(self._read_channel)

    def _read_channel(self) -> None:
        if self._channel is not None and not self._full:
            self._channel.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._link is not None:
            self._link.ends.discard(self)
        if self._channel is not None:
            self._channel.close()

    # ---- the channel -----------------------------------------------------------------------------------------------

    def join(self, channel: "asyncssh.SSHTCPChannel[bytes]", meter: Meter, link: Link) -> None:
        """Begin: whatever comes from the socket goes to the channel."""
        self._channel, self._meter, self._link = channel, meter, link
        if self.transport is None:
            channel.close()
            return
        link.ends.add(self)
        if link.congested:
            self._reasons |= _LINK
        self.release(_UNJOINED)

    def answered(self, data: bytes) -> None:
        """An answer passes: what comes next from the socket is another request, unless this is a WebSocket."""
        if not self._its_turn and not self._upgraded and self._meter is not None and self._meter.takes_turns:
            self._upgraded = data.startswith(_UPGRADED)
            self._its_turn = not self._upgraded

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def write_eof(self) -> None:
        if self._ended() and self.transport is not None:
            self.transport.write_eof()
        else:
            self.close()

    def close(self) -> None:
        """Close the socket when all that was written to it is sent."""
        if self.transport is not None:
            self.transport.close()

    def discard(self) -> None:
        """Read, and throw away what comes; there is no channel for it."""
        self.release(_UNJOINED)

    # ---- who waits for whom ----------------------------------------------------------------------------------------

    def congest(self) -> None:
        """The link is full."""
        self.hold(_LINK)

    def relieve(self) -> None:
        """The link has room again."""
        self.release(_LINK)

    def hold(self, reason: int) -> None:
        if not self._reasons and self.transport is not None:
            self.transport.pause_reading()
        self._reasons |= reason

    def release(self, reason: int) -> None:
        was, self._reasons = self._reasons, self._reasons & ~reason
        if was and not self._reasons and self.transport is not None:
            self.transport.resume_reading()

    def _ended(self) -> bool:
        """Note the end of one direction. Returns whether the other one is still open."""
        self._eofs += 1
        return self._eofs < 2
