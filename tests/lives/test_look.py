"""Gate 2 behind a load balancer that speaks PROXY protocol: whom the header names is judged before TLS."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.lives.gateway import Gateway
from tests.lives.places import short_directory
from tests.lives.prefixes import given, v1, v2
from tests.lives.raw import Answer, ask, connection, plain_connection, read_once, read_to_end, request
from tests.lives.sockets import Echo
from tests.lives.upstream import Upstream
from tests.lives.waiting import wait_for

BALANCER = "127.0.0.3"
MOST = 4
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: chat.gate.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
headers = pytest.mark.parametrize("header", [v1, v2])


@pytest.fixture(scope="module")
def balanced(upstream: Upstream) -> Iterator[Gateway]:
    with (
        Echo() as echo,
        short_directory() as directory,
        Gateway(
            directory,
            {
                "open": {"upstream": upstream.url, "access": "public"},
                "chat": {"upstream": echo.url, "access": "public"},
            },
            proxies={"proxy-protocol": [BALANCER]},
            limits={"connections": MOST},
            defence={"deny": ["203.0.113.9"]},
        ) as gateway,
    ):
        yield gateway


def answer(gateway: Gateway, before: bytes, *lines: str) -> Answer:
    return ask(gateway, "open", request("open.gate.test", "/", *lines), address=BALANCER, before=before)


@headers
def test_a_denied_client_is_given_not_a_byte(balanced: Gateway, header: Callable[[str], bytes]) -> None:
    assert given(balanced, header("203.0.113.9"), address=BALANCER) == b""
    assert answer(balanced, header("203.0.113.10")).status == 200
    assert balanced.wait_for_events(rule="denied", address="203.0.113.9")


@headers
def test_a_banned_client_is_given_not_a_byte_unless_it_is_to_see_a_page(
    balanced: Gateway, header: Callable[[str], bytes]
) -> None:
    banned, neighbour = header("198.51.100.9"), header("198.51.100.10")
    balanced.cli("ban", "add", "198.51.100.9")
    assert given(balanced, banned, address=BALANCER) == b""
    assert answer(balanced, neighbour).status == 200
    balanced.change(defence={"answer": "page"})
    refused = answer(balanced, banned, "Accept: text/html")
    assert refused.status == 403
    assert b"The ban ends" in refused.received
    balanced.change(defence={"answer": "silence"})
    assert given(balanced, banned, address=BALANCER) == b""
    balanced.cli("ban", "remove", "198.51.100.9")
    assert answer(balanced, banned).status == 200


def test_a_ban_cuts_the_sockets_of_its_client_and_of_nobody_else(balanced: Gateway) -> None:
    with ExitStack() as stack:
        goes, stays = (
            stack.enter_context(connection(balanced, "chat", address=BALANCER, before=v2(f"198.51.100.{last}")))
            for last in (20, 21)
        )
        for opened in (goes, stays):
            opened.sendall(UPGRADE)
            assert read_once(opened).startswith(b"HTTP/1.1 101")
        balanced.cli("ban", "add", "198.51.100.20")
        assert read_once(goes) == b""
        stays.sendall(b"\x89\x80\x00\x00\x00\x00")
        assert read_once(stays).startswith(b"\x8a")


def test_a_connection_that_is_looked_at_counts_once(balanced: Gateway) -> None:
    source = v2("198.51.100.30")
    with ExitStack() as stack:
        for _ in range(MOST - 1):
            stack.enter_context(connection(balanced, "open", address=BALANCER, before=source))
        with plain_connection(balanced, balanced.http_port, address=BALANCER) as plain:
            plain.sendall(source + request("open.gate.test"))
            assert b" 301 " in read_to_end(plain)
        wait_for(lambda: "conn_cur=3" in row(balanced, "198.51.100.30"), "the last one to be given back")
        stack.enter_context(connection(balanced, "open", address=BALANCER, before=source))
        assert given(balanced, source, address=BALANCER) == b""
        assert answer(balanced, v2("198.51.100.31")).status == 200
    assert balanced.wait_for_events(rule="crowded", address="198.51.100.30")
    wait_for(lambda: given(balanced, source, address=BALANCER), "the connections to be given back")


def row(gateway: Gateway, address: str) -> str:
    return gateway.runtime(f"show table addresses key ::ffff:{address}")


def test_plain_connections_fill_the_limit_for_tls_too(balanced: Gateway) -> None:
    source = v1("198.51.100.40")
    with ExitStack() as stack:
        for _ in range(MOST):
            plain = stack.enter_context(plain_connection(balanced, balanced.http_port, address=BALANCER))
            plain.sendall(source)
        wait_for(lambda: f"conn_cur={MOST}" in row(balanced, "198.51.100.40"), "all to be counted")
        assert given(balanced, source, address=BALANCER) == b""
