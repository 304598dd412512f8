"""Where a request comes from is decided once, at the edge: listed proxies are believed, nobody else."""

import socket

import pytest
from tests.lives.conftest import MakeGateway
from tests.lives.gateway import Gateway
from tests.lives.prefixes import given, v1, v2
from tests.lives.raw import ask, read_to_end, request
from tests.lives.upstream import Upstream
from tests.lives.waiting import wait_for

FORGED = "203.0.113.66"
LINES = (
    f"X-Forwarded-For: {FORGED}",
    f"X-Forwarded-For: {FORGED}, 127.0.0.1",
    f"x_forwarded_for: {FORGED}",
    f"X-Real-IP: {FORGED}",
    f"X_Real_IP: {FORGED}",
    f"Forwarded: for={FORGED};host=open.gate.test;proto=https",
    f"True-Client-IP: {FORGED}",
    f"CF-Connecting-IP: {FORGED}",
    f"X-Client-IP: {FORGED}",
    f"X-Cluster-Client-IP: {FORGED}",
    "X-Forwarded-Host: open.gate.test",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Server: evil.test",
    "X-Forwarded-Port: 1",
    "X-Forwarded-Prefix: /public/",
    "X-Forwarded-Uri: /public/",
    "X-Forwarded-Path: /public/",
    "X-Forwarded-Method: OPTIONS",
    "X-Original-URL: /public/",
    "X-Original-URI: /public/",
    "X-Rewrite-URL: /public/",
    "X-Original-Host: open.gate.test",
    "X-Host: open.gate.test",
    "X-HTTP-Method-Override: TRACE",
    "X-Request-ID: chosen-by-the-client",
    "Proxy: http://evil.test",
)


def test_forged_headers_change_no_decision(gateway: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    for line in LINES:
        for host, path in (("wiki", "/"), ("mixed", "/private"), ("mostly", "/admin/x")):
            answer = ask(gateway, host, request(f"{host}.gate.test", path, line))
            assert answer.status == 401, (line, host)
    for line in LINES[:6]:
        assert ask(gateway, "mixed", request("mixed.gate.test", "/public/", line)).status == 200
    assert upstream.hits == hits + 6


def test_forged_headers_change_nothing_that_the_upstream_sees(gateway: Gateway, upstream: Upstream) -> None:
    assert ask(gateway, "open", request("open.gate.test", "/seen", *LINES)).status == 200
    received = upstream.requests[-1]
    assert received.one("X-Forwarded-For") == "127.0.0.1"
    assert received.one("X-Real-IP") == "127.0.0.1"
    assert received.one("X-Forwarded-Proto") == "https"
    assert received.one("X-Forwarded-Host") == "open.gate.test"
    assert received.one("X-Request-ID") != "chosen-by-the-client"
    names = {name.lower() for name, _ in received.headers}
    assert names.isdisjoint(
        {
            "forwarded",
            "proxy",
            "x_forwarded_for",
            "x_real_ip",
            "x-forwarded-prefix",
            "x-forwarded-uri",
            "x-forwarded-port",
        }
    )
    assert names.isdisjoint({"x-original-url", "x-original-uri", "x-rewrite-url", "true-client-ip", "x-original-host"})


def test_forged_headers_change_neither_the_log_nor_the_event(gateway: Gateway) -> None:
    assert ask(gateway, "wiki", request("wiki.gate.test", "/forged-for-the-log", *LINES)).status == 401
    (event,) = gateway.wait_for_events(path="/forged-for-the-log")
    assert (event["address"], event["host"], event["sni"]) == ("127.0.0.1", "wiki.gate.test", "wiki.gate.test")
    (line,) = wait_for(
        lambda: [line for line in gateway.access_log if line.get("path") == "/forged-for-the-log"], "the access log"
    )
    assert line["ip"] == "127.0.0.1"


@pytest.fixture
def behind_a_proxy(make_gateway: MakeGateway, upstream: Upstream) -> Gateway:
    """127.0.0.2 is a proxy that forwards headers, 127.0.0.3 one that speaks PROXY protocol; 203.0.113.9 is denied."""
    return make_gateway(
        {"open": {"upstream": upstream.url, "access": "public"}},
        proxies={"forwarded-for": ["127.0.0.2"], "proxy-protocol": ["127.0.0.3"]},
        defence={"deny": ["203.0.113.9"]},
        timeouts={"headers": "2s"},
    )


def no_handshake(gateway: Gateway, address: str, before: bytes) -> bool:
    """Whether a connection from `address` ends before TLS stands."""
    try:
        ask(gateway, "open", request("open.gate.test"), address=address, before=before)
    except OSError:
        return True
    return False


def test_only_listed_proxies_say_who_the_client_is(behind_a_proxy: Gateway, upstream: Upstream) -> None:
    gateway = behind_a_proxy
    asked = request("open.gate.test", "/seen", f"X-Forwarded-For: 198.51.100.1, {FORGED}")
    for address, seen in (("127.0.0.1", "127.0.0.1"), ("127.0.0.2", FORGED), ("127.0.0.9", "127.0.0.9")):
        assert ask(gateway, "open", asked, address=address).status == 200
        assert upstream.requests[-1].one("X-Forwarded-For") == seen
        assert upstream.requests[-1].one("X-Real-IP") == seen
    for before in (v1(FORGED), v2(FORGED)):
        assert ask(gateway, "open", request("open.gate.test"), address="127.0.0.3", before=before).status == 200
        assert upstream.requests[-1].one("X-Real-IP") == FORGED
        assert ask(gateway, "open", asked, address="127.0.0.3", before=before).status == 200
        assert upstream.requests[-1].one("X-Real-IP") == FORGED
    hits = upstream.hits
    for address in ("127.0.0.1", "127.0.0.2"):
        for before in (v1(FORGED), v2(FORGED)):
            assert no_handshake(gateway, address, before)
    assert no_handshake(gateway, "127.0.0.3", b"")
    assert upstream.hits == hits


def test_a_denied_client_stays_denied_behind_a_listed_proxy(behind_a_proxy: Gateway, upstream: Upstream) -> None:
    gateway, hits = behind_a_proxy, upstream.hits
    denied = "203.0.113.9"
    for before in (v1(denied), v2(denied)):
        assert given(gateway, before, address="127.0.0.3") == b""
    with socket.create_connection(("127.0.0.1", gateway.http_port), 20, source_address=("127.0.0.3", 0)) as plain:
        plain.sendall(v1(denied) + request("open.gate.test"))
        assert read_to_end(plain) == b""
    assert upstream.hits == hits
