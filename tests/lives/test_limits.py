"""Gates 2 and 4: how much one source may ask for, and who may not ask at all."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.lives.explaining import require_explanation
from tests.lives.gateway import Gateway
from tests.lives.places import short_directory
from tests.lives.raw import Answer, ask, connection, read_once, request
from tests.lives.upstream import Upstream
from tests.lives.waiting import wait_for

PROXY = "127.0.0.2"


@pytest.fixture(scope="module")
def strict(upstream: Upstream) -> Iterator[Gateway]:
    """Sources are told apart by their loopback address, or by what the proxy at 127.0.0.2 says."""
    services = {"open": {"upstream": upstream.url, "access": "public"}, "wiki": {"upstream": upstream.url}}
    with (
        short_directory() as directory,
        Gateway(
            directory,
            services,
            limits={"requests": 20, "connections": 6, "session-requests": 30},
            timeouts={"headers": "1s"},
            defence={"deny": ["127.0.0.64/28", "2001:db8:dead::/48"], "allow": ["127.0.0.65", "127.0.0.80"]},
            proxies={"forwarded-for": [PROXY]},
        ) as gateway,
    ):
        yield gateway


def dropped(port: int, address: str) -> bool:
    """Whether a connection from this address gets nothing at all: neither an answer nor an end."""
    with socket.create_connection(("127.0.0.1", port), 1, source_address=(address, 0)) as plain:
        plain.sendall(request("open.gate.test"))
        return nothing_comes(plain)


def nothing_comes(connected: socket.socket) -> bool:
    """Whether a connection gets no answer, be it that it ends or stays silent."""
    try:
        return connected.recv(1) == b""
    except (TimeoutError, ConnectionResetError):
        return True


def as_client(gateway: Gateway, client: str, path: str = "/limits") -> Answer:
    """A request that the listed proxy passes on for `client`."""
    return ask(gateway, "open", request("open.gate.test", path, f"X-Forwarded-For: {client}"), address=PROXY)


def test_a_denied_source_gets_no_answer_not_even_a_handshake(strict: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    for port in (strict.https_port, strict.http_port):
        assert dropped(port, "127.0.0.66")
    assert upstream.hits == hits
    strict.wait_for_events(rule="denied")


def test_the_allow_list_comes_before_the_deny_list(strict: Gateway) -> None:
    assert ask(strict, "open", request("open.gate.test"), address="127.0.0.65").status == 200


def test_a_denied_client_behind_a_listed_proxy_is_dropped(strict: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    with connection(strict, "open", address=PROXY) as through_the_proxy:
        through_the_proxy.settimeout(1)
        through_the_proxy.sendall(
            request("open.gate.test", "/from-a-denied-client", "X-Forwarded-For: 2001:db8:dead::1")
        )
        assert nothing_comes(through_the_proxy)
    assert upstream.hits == hits
    (event,) = strict.wait_for_events(rule="denied", path="/from-a-denied-client")
    assert event["address"] == "2001:db8:dead::1"


def test_too_many_requests_hear_429_and_when_to_come_back(strict: Gateway, upstream: Upstream) -> None:
    answers = [ask(strict, "open", request("open.gate.test"), address="127.0.0.11") for _ in range(30)]
    statuses = [answer.status for answer in answers]
    assert statuses[:20] == [200] * 20
    assert 429 in statuses
    refused = next(answer for answer in answers if answer.status == 429)
    assert re.search(r"^retry-after: (1[0-9]|20)\r?$", refused.head.lower(), re.MULTILINE)
    assert b"At most 20 requests of one address" in refused.received
    assert upstream.secret.encode() not in refused.received
    assert ask(strict, "open", request("open.gate.test"), address="127.0.0.12").status == 200
    assert strict.wait_for_events(rule="rate", address="127.0.0.11")


def test_the_allowed_have_no_limit(strict: Gateway) -> None:
    statuses = {ask(strict, "open", request("open.gate.test"), address="127.0.0.80").status for _ in range(40)}
    assert statuses == {200}


def test_addresses_of_one_ipv6_network_share_their_limit(strict: Gateway) -> None:
    for number in range(30):
        last = as_client(strict, f"2001:db8:1:2::{number:x}").status
    assert last == 429
    assert as_client(strict, "2001:db8:1:2:ffff:ffff:ffff:ffff").status == 429
    assert as_client(strict, "2001:db8:1:3::1").status == 200


def test_a_forged_address_neither_lifts_nor_spreads_a_limit(strict: Gateway) -> None:
    for number in range(30):
        forged = request("open.gate.test", "/", f"X-Forwarded-For: 198.51.100.{number}")
        last = ask(strict, "open", forged, address="127.0.0.13").status
    assert last == 429
    assert as_client(strict, "198.51.100.1").status == 200


def test_one_source_holds_no_more_than_its_connections(strict: Gateway) -> None:
    with ExitStack() as stack:
        for _ in range(6):
            stack.enter_context(connection(strict, "open", address="127.0.0.14"))
        with (
            pytest.raises(OSError, match=r"timed out|reset|EOF"),
            socket.create_connection(("127.0.0.1", strict.https_port), 1, source_address=("127.0.0.14", 0)) as plain,
        ):
            strict.tls().wrap_socket(plain, server_hostname="open.gate.test")
        assert ask(strict, "open", request("open.gate.test"), address="127.0.0.15").status == 200
    strict.wait_for_events(rule="crowded")
    wait_for(lambda: answers(strict, "127.0.0.14"), "the connections to be given back")


def answers(gateway: Gateway, address: str) -> bool:
    try:
        return ask(gateway, "open", request("open.gate.test"), address=address).status == 200
    except OSError:
        return False


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: open.gate.test\r\n",
        b"POST / HTTP/1.1\r\nHost: open.gate.test\r\nContent-Length: 100\r\n\r\nonly this",
    ],
    ids=["nothing", "half a line", "no end of headers", "half a body"],
)
def test_whoever_sends_too_slowly_is_sent_away(strict: Gateway, upstream: Upstream, sent: bytes) -> None:
    hits = upstream.hits
    with connection(strict, "open", address="127.0.0.16") as slow:
        slow.sendall(sent)
        answer = Answer(read_once(slow))
    assert answer.status in (408, 0)
    assert upstream.hits == hits


def test_a_slow_body_is_answered_with_a_page_that_can_be_explained(strict: Gateway) -> None:
    sent = b"POST / HTTP/1.1\r\nHost: open.gate.test\r\nAccept: text/html\r\nContent-Length: 100\r\n\r\nonly this"
    with connection(strict, "open", address="127.0.0.18") as slow, slow.makefile("rb") as answer:
        slow.sendall(sent)
        line = next(line for line in answer if b"Request <code>" in line)
    require_explanation(strict, line.decode(), "slow")


def test_drops_of_headers_do_not_win_time(strict: Gateway, upstream: Upstream) -> None:
    """The whole header has its time; a byte now and then does not begin it anew."""
    hits = upstream.hits
    with connection(strict, "open", address="127.0.0.17") as slow:
        slow.settimeout(0.3)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: open.gate.test\r\n")
        answer = wait_for(lambda: drip(slow), "the end of the connection")
    assert answer != b"alive"
    assert upstream.hits == hits


def drip(slow: socket.socket) -> bytes | None:
    """One more byte of a header. None while the gateway goes on listening."""
    try:
        slow.sendall(b"x")
        return slow.recv(1000) or b"closed"
    except TimeoutError:
        return None
    except OSError:
        return b"closed"


def test_limits_are_no_secret_of_the_log(strict: Gateway) -> None:
    log: Path = strict.state / "log" / "access.log"
    assert log.stat().st_mode & 0o077 == 0
