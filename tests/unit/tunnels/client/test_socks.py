"""What a SOCKS client says first: RFC 1928, and SOCKS 4 and 4a."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.tunnels.client.socks import Handshake, Refused, Reply, Wish

GREETING = b"\x05\x01\x00"
NAME = b"\x05\x01\x00\x03\x04host\x00\x50"
REQUESTS = {
    b"\x05\x01\x00\x01\x0a\x00\x00\x01\x1f\x90": Wish("10.0.0.1", 8080),
    b"\x05\x01\x00\x04" + b"\x00" * 15 + b"\x01\x00\x16": Wish("::1", 22),
    NAME: Wish("host", 80),
}
VERSION_4 = {
    b"\x04\x01\x00\x50\x0a\x00\x00\x01ann\x00": Wish("10.0.0.1", 80),
    b"\x04\x01\x00\x50\x00\x00\x00\x01\x00host\x00": Wish("host", 80),
}


@pytest.mark.parametrize(("request_", "wish"), REQUESTS.items())
def test_version_5_asks_for_an_address_or_a_name(request_: bytes, wish: Wish) -> None:
    handshake = Handshake()
    assert handshake.feed(GREETING) == b"\x05\x00"
    assert handshake.feed(request_) == b""
    assert handshake.wish == wish
    assert handshake.succeeded()[:2] == b"\x05\x00"


@pytest.mark.parametrize(("request_", "wish"), VERSION_4.items())
def test_version_4_asks_for_an_address_or_a_name(request_: bytes, wish: Wish) -> None:
    handshake = Handshake()
    assert handshake.feed(request_) == b""
    assert handshake.wish == wish
    assert handshake.succeeded() == b"\x00\x5a" + bytes(6)


@pytest.mark.parametrize("said", [GREETING + NAME, *VERSION_4])
def test_it_may_come_byte_by_byte_and_what_follows_is_kept(said: bytes) -> None:
    handshake = Handshake()
    for byte in said:
        handshake.feed(bytes([byte]))
    handshake.feed(b"GET /")
    assert handshake.wish
    assert handshake.rest == b"GET /"


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"GET / HTTP/1.1\r\n", b""),
        (b"\x05\x01\x02", b"\x05\xff"),
        (GREETING + b"\x05\x02\x00\x01\x0a\x00\x00\x01\x1f\x90", b"\x05\x07\x00\x01" + bytes(6)),
        (GREETING + b"\x05\x01\x00\x09\x0a\x00\x00\x01\x1f\x90", b"\x05\x08\x00\x01" + bytes(6)),
        (GREETING + b"\x05\x01\x00\x03\x00\x00\x50", b""),
        (GREETING + b"\x05\x01\x00\x03\x01\xff\x00\x50", b""),
        (b"\x04\x02\x00\x50\x0a\x00\x00\x01\x00", b"\x00\x5b" + bytes(6)),
        (b"\x04\x01\x00\x50\x0a\x00\x00\x01" + b"a" * 600, b"\x00\x5b" + bytes(6)),
    ],
    ids=["HTTP", "a password", "BIND", "a strange address", "no name", "no text", "BIND in 4", "an endless user"],
)
def test_everything_else_is_refused_with_an_answer(said: bytes, answer: bytes) -> None:
    with pytest.raises(Refused) as refusal:
        Handshake().feed(said)
    assert refusal.value.answer == answer


def test_a_failure_is_told_in_the_words_of_the_version() -> None:
    five, four = Handshake(), Handshake()
    five.feed(GREETING + NAME)
    four.feed(b"\x04\x01\x00\x50\x0a\x00\x00\x01\x00")
    assert five.failed(Reply.REFUSED)[:2] == b"\x05\x05"
    assert four.failed(Reply.REFUSED)[:2] == b"\x00\x5b"


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_bytes_whatever_make_it_fail_in_another_way(pieces: list[bytes]) -> None:
    handshake = Handshake()
    try:
        for piece in pieces:
            handshake.feed(piece)
    except Refused:
        return
    assert len(handshake.rest) <= sum(map(len, pieces))
