"""What a client says it can do, in its SSH_MSG_KEXINIT (RFC 4253 section 7.1).

KeyExchangeInit.read(payload).knows(("aes256-gcm@openssh.com",))      # True
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from asyncssh.packet import SSHPacket

_COOKIE_BYTES = 16


@dataclass(frozen=True, slots=True)
class KeyExchangeInit:
    """`guesses`: a first packet of the key exchange follows at once, for the client's favourite."""

    key_exchange: tuple[bytes, ...]
    to_server: tuple[bytes, ...]
    to_client: tuple[bytes, ...]
    guesses: bool

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """From the whole packet. Raises `PacketDecodeError`."""
        packet = SSHPacket(payload)
        packet.get_bytes(1 + _COOKIE_BYTES)
        key_exchange, _, to_server, to_client = (tuple(packet.get_namelist()) for _ in range(4))
        for _ in range(6):  # MACs, compression and languages, each in both directions
            packet.get_namelist()
        return cls(key_exchange, to_server, to_client, packet.get_boolean())

    def knows(self, ciphers: Iterable[str]) -> bool:
        """Whether the client speaks one of these ciphers in both directions."""
        wanted = {cipher.encode() for cipher in ciphers}
        return not wanted.isdisjoint(self.to_server) and not wanted.isdisjoint(self.to_client)
