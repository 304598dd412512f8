"""Channel data on the wire, without detours: AES-GCM records of SSH (RFC 5647), in and out.

    lane = Lane.of(connection._send_encryption)             # None where the cipher is another one
    lane.seal(channel_number, data)                         # what goes to the network
    lane.peek(view)                                         # (plain text of the first packet, its length on the wire)

asyncssh handles every packet well, and copies it eight times on its way. Nearly all packets of a busy tunnel are
MSG_CHANNEL_DATA under AES-GCM; these take this lane, all others go asyncssh's way. Both use the same counters.
"""

import os
from typing import Any, Self

from asyncssh.constants import MSG_CHANNEL_DATA
from asyncssh.encryption import Encryption, GCMEncryption
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_LENGTH, _TAG, _BLOCK, _LEAST_PADDING = 4, 16, 16, 4
_DATA_HEADER = 9
"""Type, channel and length before the data."""
_padding = os.urandom(_BLOCK + _LEAST_PADDING)
"""The padding of an authenticated, encrypted record hides nothing but its length; one random one will do."""
_TYPE = bytes((MSG_CHANNEL_DATA,))


class Lane:
    """One direction of one connection, between two exchanges of keys."""

    def __init__(self, encryption: GCMEncryption) -> None:
        self.encryption: Encryption = encryption
        self._cipher: Any = encryption._cipher
        self._aead = AESGCM(self._cipher._key)

    @classmethod
    def of(cls, encryption: Encryption | None, lane: "Self | None") -> "Self | None":
        """The lane for this cipher: `lane` as long as it is the same one, None where there is none."""
        if lane is not None and lane.encryption is encryption:
            return lane
        return cls(encryption) if isinstance(encryption, GCMEncryption) else None

    def seal(self, channel: int, data: memoryview) -> tuple[bytes, int]:
        """One packet of data, and the number of bytes that count towards the next exchange of keys."""
        size = len(data)
        padding = _LEAST_PADDING + -(1 + _DATA_HEADER + size + _LEAST_PADDING) % _BLOCK
        length = 1 + _DATA_HEADER + size + padding
        head = length.to_bytes(_LENGTH, "big")
        plain = b"".join(
            (bytes((padding,)), _TYPE, channel.to_bytes(4, "big"), size.to_bytes(4, "big"), data, _padding[:padding])
        )
        sealed = self._aead.encrypt(self._cipher._iv, plain, head)
        self._cipher._update_iv()
        return head + sealed, length

    def measure(self, view: memoryview, limit: int) -> int:
        """The length of the first packet on the wire; 0 while it is not whole.

        All of `view` where it claims to be longer than `limit`: asyncssh ends such a connection.
        """
        if len(view) < _BLOCK:
            return 0
        length = int.from_bytes(view[:_LENGTH], "big")
        if length > limit:
            return len(view)
        total = _LENGTH + length + _TAG
        return total if total <= len(view) else 0

    def peek(self, view: memoryview, limit: int) -> tuple[bytes, int] | None:
        """The first packet in `view`, decrypted, and its length there. None when it is not whole, too long or forged:
        then asyncssh shall see it. Call `advance` when the packet is dealt with.
        """
        total = self.measure(view, limit)
        if not total:
            return None
        try:
            return self._aead.decrypt(self._cipher._iv, view[_LENGTH:total], view[:_LENGTH]), total
        except (InvalidTag, ValueError):
            return None

    def advance(self) -> None:
        """The packet that was seen is done with."""
        self._cipher._update_iv()


def data_of(plain: bytes) -> tuple[int, bytes] | None:
    """Channel and data of a decrypted packet. None when it is anything else, or malformed."""
    if len(plain) < 1 + _DATA_HEADER or plain[1] != MSG_CHANNEL_DATA:
        return None
    size = int.from_bytes(plain[6:10], "big")
    if len(plain) != 10 + size + plain[0]:
        return None
    return int.from_bytes(plain[2:6], "big"), plain[10 : 10 + size]
