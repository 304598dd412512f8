"""Proxies that answer all sorts of things. A real SOCKS proxy stands in the lives of saved tunnels: our own."""

import asyncio
import socket

import pytest

from portward.tunnels.client.proxy import pass_through
from portward.tunnels.profiles.profile import Proxy, ProxyKind


def meet(kind: ProxyKind, answers: bytes, user: str = "") -> tuple[bytes, bytes]:
    """Go through a proxy that says `answers`; returns what it heard, and what came after its last word."""

    async def run() -> tuple[bytes, bytes]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.sendall(answers + b"SSH-2.0-x")
            await pass_through(ours, Proxy(kind, "proxy", 1080, user), "bastion.example.com", 22)
            return theirs.recv(4096), ours.recv(4096)

    return asyncio.run(run())


def test_http_asks_to_connect_and_leaves_what_follows_to_ssh() -> None:
    heard, rest = meet("http", b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n")
    assert heard == b"CONNECT bastion.example.com:22 HTTP/1.1\r\nHost: bastion.example.com:22\r\n\r\n"
    assert rest == b"SSH-2.0-x"


def test_http_names_the_user() -> None:
    heard, _ = meet("http", b"HTTP/1.1 200 OK\r\n\r\n", user="ann")
    assert b"\r\nProxy-Authorization: Basic YW5uOg==\r\n" in heard


@pytest.mark.parametrize("address", [b"\x01" + bytes(4), b"\x03\x04host", b"\x04" + bytes(16)])
def test_socks_5_asks_by_name_and_reads_any_kind_of_answer(address: bytes) -> None:
    heard, rest = meet("socks5", b"\x05\x00" + b"\x05\x00\x00" + address + b"\x00\x00")
    assert heard == b"\x05\x01\x00" + b"\x05\x01\x00\x03\x13bastion.example.com\x00\x16"
    assert rest == b"SSH-2.0-x"


def test_socks_5_names_the_user_when_it_is_asked() -> None:
    heard, _ = meet("socks5", b"\x05\x02\x01\x00" + b"\x05\x00\x00\x01" + bytes(6), user="ann")
    assert heard.startswith(b"\x05\x02\x00\x02" + b"\x01\x03ann\x00")


def test_socks_4_asks_by_name_as_a_user() -> None:
    heard, rest = meet("socks4", b"\x00\x5a" + bytes(6), user="ann")
    assert heard == b"\x04\x01\x00\x16\x00\x00\x00\x01ann\x00bastion.example.com\x00"
    assert rest == b"SSH-2.0-x"


@pytest.mark.parametrize(
    ("kind", "answers", "why"),
    [
        ("http", b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        ("http", b"SSH-2.0-OpenSSH\r\n\r\n", "SSH-2.0"),
        ("http", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000, "without an end"),
        ("socks5", b"\x05\xff", "login"),
        ("socks5", b"\x04\x00", "no SOCKS 5"),
        ("socks5", b"\x05\x00\x05\x02\x00\x01" + bytes(6), "permit"),
        ("socks5", b"\x05\x00\x05\x05\x00\x01" + bytes(6), "refused"),
        ("socks4", b"\x00\x5b" + bytes(6), "refuses"),
    ],
)
def test_every_refusal_says_why(kind: ProxyKind, answers: bytes, why: str) -> None:
    with pytest.raises(ConnectionError, match=why):
        meet(kind, answers)
