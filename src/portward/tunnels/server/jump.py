"""A connection through the gateway: -L, -W, -J and -D, as far as the key's rule reaches.

await jump(peer, "db.internal", 5432)        # a session that is joined to a TCP connection; raises ChannelOpenError

Names resolve here, and only an address that was judged is connected to.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncssh

from portward.facts import JumpOpened
from portward.tunnels.server.pipe import ChannelEnd, SocketEnd
from portward.tunnels.server.printable import printable
from portward.tunnels.server.reaching import IpAddress, literal, permitted, plain

if TYPE_CHECKING:
    from portward.tunnels.server.peer import Peer

_RESOLVE_SECONDS = 5.0
_CONNECT_SECONDS = 10.0


@dataclass(slots=True)
class _Count:
    """What passes through a jump is counted with its connection's other jumps."""

    peer: "Peer"
    bytes_in: int = 0
    bytes_out: int = 0
    requests: int = 0
    takes_turns: bool = False

    def ended(self) -> None:
        self.peer.jumps -= 1


async def jump(peer: "Peer", host: str, port: int) -> ChannelEnd:
    """Connect to a permitted destination. Raises `ChannelOpenError` with a sentence that the client shows."""
    count = _Count(peer)
    peer.jumps += 1
    try:
        return ChannelEnd(await _reach(peer, host, port), count, peer.connection)
    except BaseException:
        count.ended()
        raise


async def _reach(peer: "Peer", host: str, port: int) -> SocketEnd:
    what = f"-L {host}:{port}"
    if not peer.known.reach:
        raise peer.prohibited(what, f"the key {peer.known.name} may not jump; ask for --reach {host}:{port}")
    addresses = await _resolve(host, port)
    policy = peer.peers.rules.policy
    allowed = permitted(peer.known.reach, host, port, addresses, policy.own)
    if not allowed:
        raise peer.prohibited(what, f"the key {peer.known.name} may not reach {host}:{port}")
    end, address = await _connect(allowed, port)
    peer.peers.reports.tell(
        JumpOpened(
            time=datetime.now(UTC),
            address=peer.address,
            account=peer.known.account,
            key=peer.known.name,
            destination=printable(f"{host}:{port}"),
            resolved=str(address),
        )
    )
    return end


async def _resolve(host: str, port: int) -> Sequence[IpAddress]:
    """The addresses of a name. None when it has none, or DNS takes too long: then nothing is permitted."""
    if (address := literal(host)) is not None:
        return [address]
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        return []
    addresses = (literal(str(entry[4][0]).partition("%")[0]) for entry in found)
    return [plain(address) for address in addresses if address is not None]


async def _connect(addresses: Sequence[IpAddress], port: int) -> tuple[SocketEnd, IpAddress]:
    why = ""
    for address in addresses:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                _, end = await asyncio.get_running_loop().create_connection(SocketEnd, str(address), port)
        except TimeoutError:
            why = "no answer in time"
        except OSError as error:
            why = error.strerror or str(error)
        else:
            return end, address
    raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, f"the destination does not answer: {why}")
