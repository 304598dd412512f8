"""Our records of channel data are those that asyncssh writes and reads."""

import os

import pytest
from asyncssh.constants import MSG_CHANNEL_DATA
from asyncssh.encryption import get_encryption
from asyncssh.packet import Byte, String, UInt32

from portward.tunnels.server.wire import Lane, data_of

_LIMIT = 40_000


def _pair() -> tuple[Lane, Lane]:
    """Two lanes with the same key: what one seals, the other peeks at."""
    key, iv = os.urandom(32), os.urandom(12)
    lanes = [Lane.of(get_encryption(b"aes256-gcm@openssh.com", key, iv), None) for _ in range(2)]
    assert lanes[0] is not None
    assert lanes[1] is not None
    return lanes[0], lanes[1]


@pytest.mark.parametrize("size", [1, 2, 3, 15, 16, 17, 1000, 32768])
def test_what_is_sealed_asyncssh_opens(size: int) -> None:
    ours, theirs = _pair()
    data = os.urandom(size)
    for _ in range(3):
        packet, length = ours.seal(7, memoryview(data))
        assert len(packet) == 4 + length + 16
        assert length % 16 == 0
        plain = theirs.encryption.decrypt_packet(0, packet[:16], packet[16:-16], 4, packet[-16:])
        assert plain is not None
        assert plain[0] >= 4
        assert plain[1 : -plain[0]] == Byte(MSG_CHANNEL_DATA) + UInt32(7) + String(data)


def test_what_asyncssh_seals_is_peeked_at_and_only_then_done_with() -> None:
    theirs, ours = _pair()
    payload = Byte(MSG_CHANNEL_DATA) + UInt32(3) + String(b"hello")
    padding = 16 - (1 + len(payload)) % 16
    body = Byte(padding) + payload + bytes(padding)
    packet = b"".join(theirs.encryption.encrypt_packet(0, UInt32(len(body)), body))
    view = memoryview(packet + b"the next one")
    for _ in range(2):
        seen = ours.peek(view, _LIMIT)
        assert seen is not None
        assert data_of(seen[0]) == (3, b"hello")
        assert seen[1] == len(packet)
    ours.advance()
    assert ours.peek(view, _LIMIT) is None


def test_half_a_packet_waits_and_a_forged_or_endless_one_is_left_to_asyncssh() -> None:
    ours, theirs = _pair()
    packet, _ = ours.seal(7, memoryview(b"hello"))
    assert theirs.measure(memoryview(packet)[:-1], _LIMIT) == 0
    assert theirs.peek(memoryview(packet)[:-1], _LIMIT) is None
    assert theirs.measure(memoryview(packet), _LIMIT) == len(packet)
    assert theirs.peek(memoryview(packet[:-1] + b"?"), _LIMIT) is None
    endless = memoryview(b"\xff\xff\xff\xff" + bytes(60))
    assert theirs.measure(endless, _LIMIT) == len(endless)
    assert theirs.peek(endless, _LIMIT) is None


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\x04",
        b"\x04" + bytes((MSG_CHANNEL_DATA,)) + UInt32(1) + UInt32(99) + bytes(4),
        b"\x04" + bytes((93,)) + UInt32(1) + UInt32(0) + bytes(4),
    ],
)
def test_whatever_is_no_well_formed_data_is_not_taken(plain: bytes) -> None:
    assert data_of(plain) is None


def test_another_cipher_has_no_lane_and_a_new_key_has_a_new_one() -> None:
    chacha = get_encryption(b"chacha20-poly1305@openssh.com", os.urandom(64), b"")
    assert Lane.of(chacha, None) is None
    first, second = _pair()
    assert Lane.of(first.encryption, first) is first
    assert Lane.of(second.encryption, first) is not first
    assert Lane.of(None, first) is None
