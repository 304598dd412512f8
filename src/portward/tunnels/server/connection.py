"""One SSH connection: asyncssh's, with what a busy tunnel needs besides.

    server = await loop.create_server(lambda: Connection(loop, options), "", 2222)

Four things differ from `asyncssh.SSHServerConnection`. Packets go out without the empty MSG_IGNORE that guards CBC
ciphers (RFC 4251 section 9.3.1; every cipher here is an AEAD), and are written together. What the peer does not take
makes those wait who send. The requests to forward are ours to answer, word for word, since clients compare the address
that a channel names with the one that they asked for. And a client's guess at the key exchange counts as wrong whenever
our favourite is another (RFC 4253 section 7). The tests with real clients pin what is used of asyncssh.
"""

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, AnyStr, cast

import asyncssh
from asyncssh.connection import SSHServerConnection
from asyncssh.constants import MSG_IGNORE, MSG_KEXINIT
from asyncssh.packet import SSHPacket, UInt32
from asyncssh.public_key import SSHOpenSSHCertificate

from portward.tunnels.server.algorithms import FAST_CIPHERS
from portward.tunnels.server.kexinit import KeyExchangeInit
from portward.tunnels.server.pipe import SocketEnd
from portward.tunnels.server.publishing import Wish
from portward.tunnels.server.wire import Lane, data_of

if TYPE_CHECKING:
    from portward.tunnels.server.peer import Peer

_FULL_BYTES = 256 * 1024
"""What may wait for the network in one connection before whoever sends has to wait."""
_LARGE_BYTES = 8 * 1024
"""A packet of this size is written at once; smaller ones are written together."""
_scratch = memoryview(bytearray(256 * 1024))
"""One for all connections: what is read is dealt with, or copied, before anybody else may read."""
_OFFER_SECONDS = 0.5
_EVERY_SECONDS = 10.0
_SILENCE_SECONDS = 32.0
"""A peer that says nothing for so long, however often it is asked, is dead. It is dropped 42 s after its last word."""


class Connection(SSHServerConnection, asyncio.BufferedProtocol):
    """`congested`: the network does not take more just now. `ends`: sockets whose bytes go out here."""

    def __init__(self, loop: asyncio.AbstractEventLoop, options: asyncssh.SSHServerConnectionOptions) -> None:
        super().__init__(loop, options)
        self.congested = False
        self.ends: set[SocketEnd] = set()
        self.heard_at = time.monotonic()
        self.round_trip: float | None = None
        self._batch: list[bytes] = []
        self._in: Lane | None = None
        self._out: Lane | None = None
        self._offer: asyncio.TimerHandle | None = None
        self._pulse: asyncio.TimerHandle | None = None
        self._asking = False

    @property
    def peer(self) -> "Peer | None":
        """Who decides for this connection; None when it is over."""
        return cast("Peer | None", self.get_owner())

    @property
    def channels(self) -> int:
        """Channels that are open or being opened."""
        return len(self._channels)

    @property
    def requests_waiting(self) -> int:
        """Requests to forward that have come and are not answered yet, the one in hand included."""
        return len(self._global_request_queue)

    # ---- which cipher ----------------------------------------------------------------------------------------------

    def _send_kexinit(self) -> None:
        """OpenSSH puts AES-GCM last, and the client's order decides. So our first offer waits for the client's, and
        leaves out what is slow where the client knows better. A client that waits for ours gets it soon enough.
        """
        if self._session_id or not self._client_version.startswith(b"SSH-2.0-OpenSSH_"):
            super()._send_kexinit()
        else:
            self._offer = self._loop.call_later(_OFFER_SECONDS, self._send_offer)

    def _send_offer(self) -> None:
        if self._offer is not None:
            self._offer.cancel()
            self._offer = None
            super()._send_kexinit()

    async def _process_kexinit(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        wishes = KeyExchangeInit.read(packet.get_full_payload())
        if self._offer is not None and wishes.knows(FAST_CIPHERS):
            self._enc_algs = [cipher.encode() for cipher in FAST_CIPHERS]
        self._send_offer()
        await super()._process_kexinit(pkttype, pktid, packet)
        if wishes.guesses and wishes.key_exchange[0] != self._kex_algs[0]:
            self._ignore_first_kex = True

    _packet_handlers = {**SSHServerConnection._packet_handlers, MSG_KEXINIT: _process_kexinit}  # noqa: RUF012 - as there

    # ---- bytes -----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).set_write_buffer_limits(high=_FULL_BYTES)
        super().connection_made(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        kept = len(self._inpbuf)
        _scratch[:kept] = self._inpbuf
        return _scratch[kept:]

    def buffer_updated(self, nbytes: int) -> None:
        """Packets of data go straight to their channels, as long as they can; any other is asyncssh's."""
        self.heard_at = time.monotonic()
        view = _scratch[: len(self._inpbuf) + nbytes]
        while self._transport is not None:
            self._in = Lane.of(self._recv_encryption, self._in)
            if self._in is None or self._recv_handler != self._recv_pkthdr or self._decompressor is not None:
                self._inpbuf = bytes(view)
                return self._recv_data()
            view = view[self._take_data(self._in, view) :]
            whole = self._in.measure(view, self._max_recv_pktlen)
            self._inpbuf = bytes(view[:whole])
            if not whole:
                self._inpbuf = bytes(view)
                return None
            view = view[whole:]
            self._recv_data()
            if self._inpbuf or self._recv_handler != self._recv_pkthdr:
                self._inpbuf += bytes(view)
                return None
        return None

    def _take_data(self, lane: Lane, view: memoryview) -> int:
        """Hand on the packets of data at the beginning of `view`. Returns their length."""
        at = 0
        while (seen := lane.peek(view[at:], self._max_recv_pktlen)) is not None:
            found = data_of(seen[0])
            channel = self._channels.get(found[0]) if found else None
            if found is None or channel is None or not _takes(channel, len(found[1])):
                break
            lane.advance()
            self._recv_seq = (self._recv_seq + 1) & 0xFFFFFFFF
            at += seen[1]
            channel._accept_data(found[1])
        return at

    def send_data(self, channel: "asyncssh.SSHTCPChannel[bytes]", data: memoryview) -> None:
        """Send data on a channel; what its window does not take waits in the channel."""
        while data and (lane := self._lane_out(channel)) is not None:
            size = min(len(data), channel._send_window, channel._send_pktsize)
            if not size:
                break
            packet, length = lane.seal(cast("int", channel._send_chan), data[:size])
            channel._send_window -= size
            self._send_seq = (self._send_seq + 1) & 0xFFFFFFFF
            self._rekey_bytes_sent += length
            self._send(packet)
            data = data[size:]
        if data:
            channel.write(bytes(data))

    def _lane_out(self, channel: "asyncssh.SSHTCPChannel[bytes]") -> Lane | None:
        ready = (
            self._kex_complete
            and self._compressor is None
            and not channel._send_buf
            and channel._send_state == "open"
            and self._rekey_bytes_sent < self._rekey_bytes
        )
        if not ready:
            return None
        self._out = Lane.of(self._send_encryption, self._out)
        return self._out

    def send_packet(self, pkttype: int, *args: bytes, handler: "asyncssh.packet.SSHPacketLogger | None" = None) -> None:
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def _send(self, data: bytes) -> None:
        if not self._batch and len(data) < _LARGE_BYTES:
            self._loop.call_soon(self._flush)
        self._batch.append(data)
        if len(data) >= _LARGE_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._batch and self._transport is not None:
            self._transport.write(self._batch[0] if len(self._batch) == 1 else b"".join(self._batch))
        self._batch.clear()

    def _force_close(self, exc: Exception | None) -> None:
        self._flush()
        for timer in (self._pulse, self._offer):
            if timer is not None:
                timer.cancel()
        super()._force_close(exc)

    def pause_writing(self) -> None:
        self.congested = True
        for end in self.ends:
            end.congest()

    def resume_writing(self) -> None:
        self.congested = False
        for end in self.ends:
            end.relieve()

    # ---- alive or dead ---------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Ask the peer from now on, again and again, whether it is there, and drop it when it is not."""
        if not self._asking:
            self.create_task(self._ask())
        self._pulse = self._loop.call_later(_EVERY_SECONDS, self._beat)

    async def answers(self, seconds: float) -> bool:
        """Whether the peer answers within so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._make_global_request(b"keepalive@openssh.com")
                return not self.is_closed()
        return False

    def _beat(self) -> None:
        if time.monotonic() - self.heard_at > _SILENCE_SECONDS:
            self.drop("silence")
            return
        self.watch()

    async def _ask(self) -> None:
        self._asking, began = True, time.monotonic()
        await self._make_global_request(b"keepalive@openssh.com")
        self._asking, self.round_trip = False, time.monotonic() - began

    def drop(self, reason: str) -> None:
        """End it without a word, as when nobody is there to hear it."""
        if self.peer is not None:
            self.peer.reason = reason
        self.abort()

    # ---- who it is -------------------------------------------------------------------------------------------------

    async def validate_public_key(self, username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
        """Tell the peer when the owner of a key has proved itself, beyond offering a key."""
        valid = await super().validate_public_key(username, key_data, msg, signature)
        if valid and msg and self.peer is not None:
            self.peer.proved(username)
        return valid

    async def _validate_openssh_certificate(self, username: str, cert: SSHOpenSSHCertificate) -> asyncssh.SSHKey | None:
        if self.peer is None or not self.peer.accepts_certificate(username, cert):
            return None
        return await super()._validate_openssh_certificate(username, cert)

    # ---- what it asks for ------------------------------------------------------------------------------------------

    def _process_tcpip_forward_global_request(self, packet: SSHPacket) -> None:
        self.create_task(self._forward(_wish(packet)))

    def _process_streamlocal_forward_at_openssh_dot_com_global_request(self, packet: SSHPacket) -> None:
        self.create_task(self._forward(_path(packet)))

    def _process_cancel_tcpip_forward_global_request(self, packet: SSHPacket) -> None:
        self._report_global_response(self.peer is not None and self.peer.withdraw(_wish(packet)))

    def _process_cancel_streamlocal_forward_at_openssh_dot_com_global_request(self, packet: SSHPacket) -> None:
        self._report_global_response(self.peer is not None and self.peer.withdraw(_path(packet)))

    async def _forward(self, wish: Wish) -> None:
        """Answer with success, with the port where the client left the choice to us, or with failure."""
        port = None if self.peer is None else await self.peer.forward(wish)
        chosen = UInt32(port) if port is not None and not wish.path and wish.port == 0 else port is not None
        self._report_global_response(chosen)

    async def create_agent_listener(self) -> bool:
        return self._refuses("-A")

    async def attach_x11_listener(
        self, chan: asyncssh.SSHServerChannel[AnyStr], auth_proto: bytes, auth_data: bytes, screen: int
    ) -> str | None:
        self._refuses("-X")
        return None

    def _refuses(self, what: str) -> bool:
        if self.peer is not None:
            self.peer.refuse(what, "only tunnels are forwarded here")
        return False


def _takes(channel: "asyncssh.channel.SSHChannel[bytes]", size: int) -> bool:
    """Whether a channel is one for bytes, open, and its window has room; whatever else is asyncssh's to judge."""
    return channel._recv_state == "open" and channel._encoding is None and size <= channel._recv_window


def _wish(packet: SSHPacket) -> Wish:
    host, port = packet.get_string(), packet.get_uint32()
    packet.check_end()
    return Wish(host.decode(errors="replace"), port)


def _path(packet: SSHPacket) -> Wish:
    path = packet.get_string()
    packet.check_end()
    return Wish("", 0, path.decode(errors="replace"))
