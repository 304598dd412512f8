"""A port that leads from a client back to the same client: what `autossh -M 20000` watches over its tunnel with.

autossh asks for `-L 20000:127.0.0.1:20000 -R 20000:127.0.0.1:20001`: what it writes to its own port 20000 comes to the
server, back from the server, and out at its own port 20001. Nothing listens at the gateway, and no other client can
reach it.
"""

from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from portward.tunnels.server.peer import Peer
    from portward.tunnels.server.publishing import Wish


class LoopEnd(asyncssh.SSHTCPSession[bytes]):
    """One of two ends; what it gets, it hands to the channel of the `other`."""

    def __init__(self) -> None:
        self.other = self
        self.channel: asyncssh.SSHTCPChannel[bytes] | None = None

    def connection_made(self, chan: "asyncssh.SSHTCPChannel[bytes]") -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self.other.channel is not None and not self.other.channel.is_closing():
            self.other.channel.write(data)

    def eof_received(self) -> bool:
        if self.other.channel is not None:
            self.other.channel.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other.channel is not None:
            self.other.channel.pause_reading()

    def resume_writing(self) -> None:
        if self.other.channel is not None:
            self.other.channel.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.channel = None
        if self.other.channel is not None:
            self.other.channel.close()


async def loop_back(peer: "Peer", wish: "Wish") -> LoopEnd:
    """Open the way back. Raises `ChannelOpenError` when the client does not take it."""
    near, far = LoopEnd(), LoopEnd()
    near.other, far.other = far, near
    await peer.connection.create_connection(lambda: far, wish.host, wish.port, "127.0.0.1", 0, encoding=None)
    return near
