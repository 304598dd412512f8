"""How much one visitor may ask of one service, and from where it may be asked."""

import re
import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPResponse

import pytest
from tests.lives.explaining import require_explanation
from tests.lives.gateway import Gateway, free_ports
from tests.lives.places import short_directory
from tests.lives.raw import Answer, ask, connection, read_once, request
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE, Visitor
from tests.lives.waiting import wait_for

PROXY = "127.0.0.2"
DESK, GUESTS = "127.0.2.0/25", "127.0.2.64/28"


@pytest.fixture(scope="module")
def tcp_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="module")
def metered(upstream: Upstream, tcp_port: int) -> Iterator[Gateway]:
    url = upstream.url
    services = {
        "wiki": {"upstream": url, "limits": {"requests": 8}},
        "open": {"upstream": url, "access": "public", "limits": {"requests": 8}},
        "twin": {"upstream": url, "access": "public", "limits": {"requests": 8}},
        "quick": {"upstream": url, "access": "public", "limits": {"requests": 100, "burst": 3}},
        "calls": {"upstream": url, "access": "public", "limits": {"new-connections": 3}},
        "annex": {
            "upstream": url,
            "access": "public",
            "host": "calls.gate.test",
            "path": "/annex/",
            "limits": {"new-connections": 3},
        },
        "door": {"upstream": url, "limits": {"new-connections": 3}},
        "few": {"upstream": url, "access": "public", "limits": {"connections": 2}},
        "free": {"upstream": url, "access": "public"},
        "club": {"upstream": url},
        "small": {"upstream": url, "access": "public", "limits": {"body": "1KB"}},
        "large": {"upstream": url, "access": "public", "limits": {"body": "300KB"}},
        "desk": {"upstream": url, "access": "public", "allow-from": ["desk"], "deny-from": ["guests"]},
        "ours": {"upstream": url, "allow-from": ["desk"]},
        "nearly": {"upstream": url, "access": "public", "deny-from": ["guests"]},
        "db": {
            "kind": "tcp",
            "upstream": f"tcp://127.0.0.1:{upstream.port}",
            "listen": f"127.0.0.1:{tcp_port}",
            "allow": ["127.0.0.0/8"],
            "deny-from": ["guests"],
            "limits": {"connections": 2},
        },
    }
    with (
        short_directory() as directory,
        Gateway(
            directory,
            services,
            limits={"body": "200KB"},
            networks={"desk": [DESK], "guests": [GUESTS]},
            defence={"allow": ["127.0.0.80"]},
            proxies={"forwarded-for": [PROXY]},
        ) as gateway,
    ):
        gateway.add_account("ann")
        gateway.add_account("bob")
        yield gateway


@pytest.fixture(scope="module")
def ann(metered: Gateway) -> Iterator[Visitor]:
    with metered.log_in("ann") as visitor:
        visitor.arrive("wiki")
        yield visitor


def statuses(gateway: Gateway, name: str, count: int, *lines: str, address: str) -> list[int]:
    """What each of so many requests from this address is answered with."""
    sent = request(f"{name}.gate.test", "/", *lines)
    return [ask(gateway, name, sent, address=address).status for _ in range(count)]


def at_once(gateway: Gateway, name: str, count: int, *lines: str, address: str) -> Answer:
    """So many requests in a row, without a wait for their answers."""
    keep = request(f"{name}.gate.test", "/", *lines).replace(b"Connection: close", b"Connection: keep-alive")
    return ask(gateway, name, keep * (count - 1) + request(f"{name}.gate.test", "/", *lines), address=address)


def one(gateway: Gateway, name: str, *lines: str, address: str) -> Answer:
    return ask(gateway, name, request(f"{name}.gate.test", "/", *lines), address=address)


def retry_after(answer: Answer) -> int:
    found = re.findall(r"^retry-after: ([0-9]+)\r?$", answer.received.decode().lower(), re.MULTILINE)
    assert found, answer.received
    return int(found[-1])


def test_a_service_has_its_own_limit_for_each_address(metered: Gateway) -> None:
    assert statuses(metered, "open", 10, address="127.0.1.1") == [200] * 8 + [429] * 2
    assert statuses(metered, "open", 1, address="127.0.1.2") == [200]


def test_what_one_service_refuses_another_still_answers(metered: Gateway) -> None:
    assert statuses(metered, "twin", 9, address="127.0.1.3")[-1] == 429
    assert statuses(metered, "open", 1, address="127.0.1.3") == [200]
    assert statuses(metered, "free", 20, address="127.0.1.3") == [200] * 20


def test_addresses_of_one_ipv6_network_are_one_visitor(metered: Gateway) -> None:
    for number in range(9):
        last = one(metered, "open", f"X-Forwarded-For: 2001:db8:1:2::{number:x}", address=PROXY).status
    assert last == 429
    assert one(metered, "open", "X-Forwarded-For: 2001:db8:1:2:ffff::1", address=PROXY).status == 429
    assert one(metered, "open", "X-Forwarded-For: 2001:db8:1:3::1", address=PROXY).status == 200


def test_a_session_has_one_limit_wherever_it_comes_from(metered: Gateway, ann: Visitor) -> None:
    cookie = f"Cookie: {COOKIE}={ann.cookie('wiki')}"
    seen = [one(metered, "wiki", cookie, address=f"127.0.1.{number}").status for number in range(10, 20)]
    assert seen[0] == 200
    assert seen[-1] == 429
    with metered.log_in("bob") as bob:
        assert bob.arrive("wiki").status_code == 200


def test_the_allowed_have_no_limit_at_a_service_either(metered: Gateway) -> None:
    assert set(statuses(metered, "open", 15, address="127.0.0.80")) == {200}
    assert set(statuses(metered, "quick", 10, address="127.0.0.80")) == {200}


def test_a_burst_is_refused_long_before_the_limit_and_waiting_as_told_helps(metered: Gateway) -> None:
    refused = at_once(metered, "quick", 4, "Accept: text/html", address="127.0.1.30")
    assert refused.statuses == [200, 200, 200, 429]
    assert b"At most 3 requests of one visitor to this service are let through in one second" in refused.received
    time.sleep(retry_after(refused))  # the very claim: so long, and no longer
    assert one(metered, "quick", address="127.0.1.30").status == 200
    page = refused.received.decode().rpartition("HTTP/1.1 429")[2]
    require_explanation(metered, page, "rate")
    (event,) = metered.wait_for_events(rule="rate", address="127.0.1.30")
    assert event["detail"] == "limits.burst of the service: 4, more than 3"


def test_more_requests_than_may_be_open_at_once_are_refused_until_one_of_them_ends(
    metered: Gateway, upstream: Upstream
) -> None:
    upstream.go_on.clear()
    with ExitStack() as stack:
        for _ in range(2):
            open_one = stack.enter_context(connection(metered, "few", address="127.0.1.40"))
            open_one.sendall(request("few.gate.test", "/hang"))
        wait_for(lambda: len(upstream.seen("/hang")) >= 2, "both to be open")
        refused = one(metered, "few", address="127.0.1.40")
        assert refused.status == 429
        assert "retry-after" not in refused.head.lower()  # only the end of one of them helps
        assert b"at the same time" in refused.received
        assert one(metered, "few", address="127.0.1.41").status == 200
        upstream.go_on.set()
        assert b" 200 " in read_once(open_one)
    wait_for(lambda: one(metered, "few", address="127.0.1.40").status == 200, "room for another one")


def again(opened: ssl.SSLSocket, host: str, path: str = "/", *lines: str) -> int:
    """One more request over a connection that stands, which is read to its end."""
    opened.sendall(request(host, path, *lines).replace(b"Connection: close", b"Connection: keep-alive"))
    answer = HTTPResponse(opened)
    answer.begin()
    answer.read()
    return answer.status


def test_new_connections_are_limited_and_requests_over_known_ones_are_not(metered: Gateway) -> None:
    with ExitStack() as stack:
        known = [stack.enter_context(connection(metered, "calls", address="127.0.1.44")) for _ in range(3)]
        assert [again(opened, "calls.gate.test") for opened in known * 4] == [200] * 12
        refused = one(metered, "calls", "Accept: text/html", address="127.0.1.44")
        assert refused.status == 429
        assert 10 <= retry_after(refused) <= 20
        assert b"At most 3 new connections of one visitor to this service are let through in 10 sec" in refused.received
        assert [again(opened, "calls.gate.test") for opened in known] == [200] * 3
    assert one(metered, "calls", address="127.0.1.45").status == 200
    require_explanation(metered, refused.received.decode(), "rate")
    (event,) = metered.wait_for_events(rule="rate", address="127.0.1.44")
    assert event["detail"] == "limits.new-connections of the service: 4, more than 3"


def test_a_refused_connection_is_let_in_after_the_time_that_it_was_told(metered: Gateway) -> None:
    for _ in range(3):
        assert one(metered, "calls", address="127.0.1.46").status == 200
    with connection(metered, "calls", address="127.0.1.46") as late:
        late.sendall(request("calls.gate.test").replace(b"Connection: close", b"Connection: keep-alive"))
        refused = Answer(read_once(late))
        assert refused.status == 429
        time.sleep(retry_after(refused))  # the very claim
        assert again(late, "calls.gate.test") == 200


def test_streams_of_one_connection_count_as_one(metered: Gateway) -> None:
    with metered.visitor(address="127.0.1.47", http2=True) as somebody, ThreadPoolExecutor(8) as streams:
        assert somebody.fetch("calls").http_version == "HTTP/2"
        answers = streams.map(lambda _: somebody.fetch("calls").status_code, range(24))
        assert set(answers) == {200}
    assert "gpc0_rate(10000)=1" in metered.runtime("show table visitors key 127.0.1.47|calls")


def test_services_of_one_host_count_a_connection_once_each(metered: Gateway) -> None:
    with connection(metered, "calls", address="127.0.1.48") as opened:
        for _ in range(5):
            assert again(opened, "calls.gate.test") == 200
            assert again(opened, "calls.gate.test", "/annex/") == 200
    for name in ("calls", "annex"):
        assert "gpc0_rate(10000)=1" in metered.runtime(f"show table visitors key 127.0.1.48|{name}")


def test_a_session_opens_no_more_connections_from_many_addresses(metered: Gateway, ann: Visitor) -> None:
    ann.arrive("door")
    cookie = f"Cookie: {COOKIE}={ann.cookie('door')}"
    seen = [one(metered, "door", cookie, address=f"127.0.1.{number}").status for number in range(50, 54)]
    assert seen[0] == 200
    assert seen[-1] == 429
    with metered.log_in("bob") as bob:
        assert bob.arrive("door").status_code == 200


def test_new_connections_of_the_allowed_and_of_proxies_are_not_limited(metered: Gateway) -> None:
    assert set(statuses(metered, "calls", 8, address="127.0.0.80")) == {200}
    assert set(statuses(metered, "calls", 8, "X-Forwarded-For: 198.51.100.77", address=PROXY)) == {200}


def test_a_limit_of_a_service_changes_without_a_reload(metered: Gateway) -> None:
    assert statuses(metered, "twin", 9, address="127.0.1.50")[-1] == 429
    before = metered.runtime("show env PORTWARD_PLAN")
    services = metered.services
    metered.apply({**services, "twin": {**services["twin"], "limits": {"requests": 40}}})
    assert statuses(metered, "twin", 1, address="127.0.1.50") == [200]
    metered.apply({**services, "twin": {**services["twin"], "limits": {"requests": 2}}})
    assert statuses(metered, "twin", 1, address="127.0.1.50") == [429]
    metered.apply(services)
    assert metered.runtime("show env PORTWARD_PLAN") == before


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_body_that_says_it_is_too_long_is_refused_before_it_is_sent(
    metered: Gateway, upstream: Upstream, accept: str
) -> None:
    hits = upstream.hits
    sent = request("small.gate.test", "/", "Content-Length: 1025", f"Accept: {accept}", method="POST")
    refused = ask(metered, "small", sent, address="127.0.1.60")
    assert refused.status == 413
    assert b"At most 1024 bytes are taken" in refused.received
    require_explanation(metered, refused.received.decode(), "too_large")
    assert upstream.hits == hits
    fits = request("small.gate.test", "/", "Content-Length: 1024", method="POST", body=b"x" * 1024)
    assert ask(metered, "small", fits, address="127.0.1.60").status == 200


def test_a_service_may_take_longer_bodies_than_the_others(metered: Gateway) -> None:
    for name, expected in (("free", 413), ("large", 200)):
        body = b"x" * 250 * 1024
        sent = request(f"{name}.gate.test", "/", f"Content-Length: {len(body)}", method="POST", body=body)
        with connection(metered, name, address="127.0.1.61") as sending:
            try:
                sending.sendall(sent)
            except OSError:  # refused, and closed, while it was still sending
                assert name == "free"
            else:
                assert Answer(read_once(sending)).status == expected
    assert metered.wait_for_events(rule="too_large", host="free.gate.test")


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("desk", "127.0.2.1", 200),
        ("desk", "127.0.2.70", 403),
        ("desk", "127.0.2.200", 403),
        ("desk", "127.0.0.80", 403),
        ("nearly", "127.0.2.70", 403),
        ("nearly", "127.0.2.200", 200),
        ("free", "127.0.2.70", 200),
    ],
)
def test_a_service_is_open_from_its_own_networks_alone(
    metered: Gateway, name: str, address: str, expected: int
) -> None:
    answer = one(metered, name, "Accept: text/html", address=address)
    assert answer.status == expected
    if expected == 403:
        require_explanation(metered, answer.received.decode(), "not_allowed_here")


def test_allowed_never_means_without_a_login(metered: Gateway) -> None:
    assert one(metered, "ours", address="127.0.2.1").status == 401
    assert one(metered, "ours", address="127.0.2.200").status == 403


def test_a_forged_address_opens_no_list(metered: Gateway) -> None:
    assert one(metered, "desk", "X-Forwarded-For: 127.0.2.1", address="127.0.2.200").status == 403
    assert one(metered, "desk", "X-Forwarded-For: 127.0.2.1", address=PROXY).status == 200
    assert one(metered, "desk", "X-Forwarded-For: 127.0.2.200", address=PROXY).status == 403


def test_a_list_changes_without_a_reload(metered: Gateway) -> None:
    before = metered.runtime("show env PORTWARD_PLAN")
    services = metered.services
    metered.apply({**services, "nearly": {**services["nearly"], "deny-from": ["127.0.3.0/24"]}})
    assert one(metered, "nearly", address="127.0.2.70").status == 200
    assert one(metered, "nearly", address="127.0.3.1").status == 403
    metered.apply(services)
    assert one(metered, "nearly", address="127.0.3.1").status == 200
    assert metered.runtime("show env PORTWARD_PLAN") == before


def test_raw_tcp_has_lists_and_limits_of_its_own(metered: Gateway, tcp_port: int) -> None:
    def answers(address: str) -> bool:
        with socket.create_connection(("127.0.0.1", tcp_port), 5, source_address=(address, 0)) as plain:
            try:
                plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return bool(plain.recv(10))
            except OSError:
                return False

    assert answers("127.0.2.1")
    assert not answers("127.0.2.70")
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(socket.create_connection(("127.0.0.1", tcp_port), 5, source_address=("127.0.1.70", 0)))
        row = "show table tcp_visitors key 127.0.1.70|db"
        wait_for(lambda: "conn_cur=2" in metered.runtime(row), "both to be counted")
        assert not answers("127.0.1.70")
        assert answers("127.0.1.71")
    wait_for(lambda: answers("127.0.1.70"), "the connections to be given back")
    assert metered.wait_for_events(rule="crowded", address="127.0.1.70")


def test_a_reload_lifts_no_limit(metered: Gateway) -> None:
    """The worker that goes tells the one that comes what was counted; not what it still holds open itself."""
    wait_for(lambda: "resync_timeout=<PAST>" in metered.runtime("show peers"), "HAProxy's start to be over")
    assert statuses(metered, "open", 9, address="127.0.1.90")[-1] == 429
    assert statuses(metered, "calls", 4, address="127.0.1.90")[-1] == 429
    before = metered.runtime("show env PORTWARD_PLAN")
    with connection(metered, "open", address="127.0.1.91"):
        metered.change(limits={"burst": 999_999})
        assert metered.runtime("show env PORTWARD_PLAN") != before
        wait_for(lambda: "127.0.1.90" in metered.runtime("show table visitors"), "what was counted to be known again")
        assert one(metered, "open", address="127.0.1.90").status == 429
        assert one(metered, "calls", address="127.0.1.90").status == 429
        assert one(metered, "open", address="127.0.1.92").status == 200
    row = metered.runtime("show table addresses key ::ffff:127.0.1.91")
    assert "conn_cur=0" in row


def test_the_gateways_burst_holds_for_all_services_together(metered: Gateway) -> None:
    metered.change(limits={"burst": 5, "session-burst": 4})
    assert at_once(metered, "nearly", 3, address="127.0.1.95").statuses == [200] * 3
    refused = at_once(metered, "free", 6, address="127.0.1.95")
    assert refused.statuses[-1] == 429
    assert b"At most 5 requests of one address are let through in one second" in refused.received
    time.sleep(retry_after(refused))
    assert one(metered, "free", address="127.0.1.95").status == 200


def test_the_gateways_burst_of_a_session_holds_from_everywhere(metered: Gateway, ann: Visitor) -> None:
    ann.arrive("club")
    cookie = f"Cookie: {COOKIE}={ann.cookie('club')}"
    assert at_once(metered, "club", 3, cookie, address="127.0.1.100").statuses == [200] * 3
    refused = at_once(metered, "club", 5, cookie, address="127.0.1.101")
    assert refused.statuses[-1] == 429
    assert b"At most 4 requests of one session are let through in one second" in refused.received


def test_the_gateways_limit_of_a_sessions_new_connections_holds_over_all_services(metered: Gateway) -> None:
    metered.change(limits={"burst": 999_999, "session-burst": 999_998, "session-new-connections": 8})
    with metered.log_in("bob", http2=True) as bob, ThreadPoolExecutor(8) as streams, ExitStack() as stack:
        bob.arrive("club")
        bob.arrive("wiki")
        assert set(streams.map(lambda _: bob.fetch("club").status_code, range(24))) == {200}
        cookie = {name: f"Cookie: {COOKIE}={bob.cookie(name)}" for name in ("club", "wiki")}
        known = stack.enter_context(connection(metered, "wiki", address="127.0.2.9"))
        assert again(known, "wiki.gate.test", "/", cookie["wiki"]) == 200
        tries = [one(metered, "club", cookie["club"], address=f"127.0.1.{last}") for last in range(110, 119)]
        seen = [answer.status for answer in tries]
        assert (seen[0], seen[-1], seen) == (200, 429, sorted(seen))
        assert b"At most 8 new connections of one session are let through in 10 seconds" in tries[-1].received
        assert 10 <= retry_after(tries[-1]) <= 20
        assert again(known, "wiki.gate.test", "/", cookie["wiki"]) == 200
        assert bob.fetch("club").status_code == 200
    require_explanation(metered, tries[-1].received.decode(), "rate")
    assert metered.wait_for_events(rule="rate", address="127.0.1.118", account="bob")
