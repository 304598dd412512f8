"""Gate 4: two parsers must never read two different things. The upstream sees each request that the gate let pass,
and never the canary that hides in another one's body.
"""

import socket

import h2.connection
import h2.events
import pytest
from tests.lives.gateway import Gateway
from tests.lives.raw import ask, connection, read_to_end, request
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE, Visitor

CANARY = b"GET /canary HTTP/1.1\r\nHost: open.gate.test\r\n\r\n"


def hidden(*lines: str, body: bytes, method: str = "POST", version: str = "HTTP/1.1") -> bytes:
    """A request of the public service with these framing headers, and a body that holds the canary."""
    head = [f"{method} /outer {version}", "Host: open.gate.test", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


CHUNKED = b"0\r\n\r\n" + CANARY
WHOLE = f"Content-Length: {len(CHUNKED)}"
CORPUS = {
    "length and chunked": hidden(WHOLE, "Transfer-Encoding: chunked", body=CHUNKED),
    "chunked and length": hidden("Transfer-Encoding: chunked", WHOLE, body=CHUNKED),
    "two lengths": hidden("Content-Length: 0", WHOLE, body=CHUNKED),
    "two lengths in one": hidden(f"Content-Length: 0, {len(CHUNKED)}", body=CHUNKED),
    "an empty length": hidden("Content-Length:", WHOLE, body=CHUNKED),
    "an empty length alone": hidden("Content-Length:", body=CANARY),
    "a signed length": hidden(f"Content-Length: +{len(CANARY)}", body=CANARY),
    "a negative length": hidden("Content-Length: -1", body=CANARY),
    "a hexadecimal length": hidden(f"Content-Length: 0x{len(CANARY):x}", body=CANARY),
    "a length beyond 64 bits": hidden("Content-Length: 18446744073709551616", body=CANARY),
    "a blank before the colon": hidden(f"Content-Length : {len(CHUNKED)}", "Content-Length: 0", body=CHUNKED),
    "a length of 64 bits and one byte": hidden("Content-Length: 18446744073709551617", body=CANARY),
    "a length with letters": hidden("Content-Length: 5x", body=b"hello" + CANARY),
    "an underscore": hidden(f"Content_Length: {len(CANARY)}", "Content-Length: 0", body=b""),
    "chunked twice": hidden("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=CHUNKED),
    "chunked then identity": hidden("Transfer-Encoding: chunked, identity", WHOLE, body=CHUNKED),
    "identity then chunked": hidden("Transfer-Encoding: identity, chunked", WHOLE, body=CHUNKED),
    "an unknown coding": hidden("Transfer-Encoding: xchunked", WHOLE, body=CHUNKED),
    "chunked in a fold": hidden("Transfer-Encoding:\r\n chunked", WHOLE, body=CHUNKED),
    "a vertical tab": hidden("Transfer-Encoding: \x0bchunked", WHOLE, body=CHUNKED),
    "a blank before chunked's colon": hidden("Transfer-Encoding : chunked", WHOLE, body=CHUNKED),
    "chunked in capitals": hidden("TRANSFER-ENCODING: CHUNKED", WHOLE, body=CHUNKED),
    "chunked in quotes": hidden('Transfer-Encoding: "chunked"', WHOLE, body=CHUNKED),
    "a coding of its own": hidden("Transfer-Encoding: gzip, chunked", body=CHUNKED),
    "chunked in HTTP/1.0": hidden("Transfer-Encoding: chunked", WHOLE, body=CHUNKED, version="HTTP/1.0"),
    "a chunk size with a sign": hidden("Transfer-Encoding: chunked", body=b"-1\r\n\r\n" + CANARY),
    "a chunk size too large": hidden(
        "Transfer-Encoding: chunked", body=b"fffffffffffffffff1\r\nx\r\n0\r\n\r\n" + CANARY
    ),
    "a chunk size with 0x": hidden("Transfer-Encoding: chunked", body=b"0x0\r\n\r\n" + CANARY),
    "a bare newline in a chunk": hidden("Transfer-Encoding: chunked", body=b"0\n\n" + CANARY),
    "an empty header name": hidden(": x", WHOLE, body=CHUNKED),
    "an empty name hides a length": hidden("Content-Length: 0", ":", WHOLE, body=CHUNKED),
    "a bare carriage return": hidden("X: a\rContent-Length: 0", WHOLE, body=CHUNKED),
    "a null byte in a value": hidden("X: a\0b", WHOLE, body=CHUNKED),
    "a null byte in a name": hidden("X\0: a", WHOLE, body=CHUNKED),
    "a body of GET": hidden(WHOLE, body=CHUNKED, method="GET"),
    "a body of HEAD": hidden(WHOLE, body=CHUNKED, method="HEAD"),
    "an upgrade with a body": hidden(
        "Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", WHOLE, body=CHUNKED
    ),
    "a websocket with a body": hidden("Connection: Upgrade", "Upgrade: websocket", WHOLE, body=CHUNKED, method="GET"),
    "expect": hidden("Expect: 100-continue", WHOLE, body=CHUNKED),
    "trailers": hidden("Transfer-Encoding: chunked", "Trailer: Remote-User", body=b"0\r\nRemote-User: evil\r\n\r\n"),
}


@pytest.mark.parametrize("name", CORPUS)
def test_a_hidden_request_is_never_seen_by_the_upstream_as_one(gateway: Gateway, upstream: Upstream, name: str) -> None:
    """What follows a whole request on the connection is a request of its own: answered apart, judged apart.

    So a canary that got an answer of its own is no smuggling; one that the upstream saw without that would be.
    """
    before, answered = len(upstream.seen("/canary")), 0
    with connection(gateway, "open") as secured:
        secured.sendall(CORPUS[name])
        secured.sendall(request("open.gate.test", "/after"))
        answer = read_to_end(secured)
    answered = answer.count(b'"path": "/canary"')
    assert len(upstream.seen("/canary")) - before == answered
    assert "evil" not in repr(upstream.requests[-2:])
    if answered:
        assert name in HONEST


HONEST = {
    "a length beyond 64 bits",
    "chunked twice",
    "a coding of its own",
    "chunked in capitals",
    "length and chunked",
    "chunked and length",
    "a bare newline in a chunk",
    "identity then chunked",
    "an unknown coding",
}
"""Where the first request ends before the canary by RFC 9112 section 6.3, or was refused without a body."""


def test_one_visitors_request_never_ends_up_in_anothers(gateway: Gateway, upstream: Upstream, ann: Visitor) -> None:
    """The connections to the upstream are shared; what a stranger leaves unfinished must not stand before Ann's."""
    ann.arrive("wiki")
    for sent in CORPUS.values():
        with connection(gateway, "open") as secured:
            secured.sendall(sent)
            path = "/ann's-own"
            answer = ann.fetch("wiki", path)
        assert answer.status_code == 200
        assert answer.json()["path"] == path
        received = upstream.seen(path)[-1]
        assert received.one("Remote-User") == "ann"
        assert received.body == b""


@pytest.mark.parametrize("protocol", ["h2c", "TLS/1.0", "h2c, websocket", "websocket\r\nUpgrade: h2c", "websocket2"])
def test_no_upgrade_but_websocket_reaches_the_upstream(gateway: Gateway, upstream: Upstream, protocol: str) -> None:
    hits = upstream.hits
    lines = ("Upgrade: " + protocol, "HTTP2-Settings: AAMAAABkAAQAAP__")
    sent = request("open.gate.test", "/upgrade", *lines).replace(
        b"Connection: close", b"Connection: Upgrade, HTTP2-Settings, close"
    )
    assert b"101" not in ask(gateway, "open", sent).received[:16]
    if upstream.hits > hits:
        assert upstream.requests[-1].all("Upgrade") in ([], ["websocket"])


def test_http_2_with_prior_knowledge_is_not_spoken_in_the_clear(gateway: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    http2 = h2.connection.H2Connection()
    http2.initiate_connection()
    http2.send_headers(
        1, [(":method", "GET"), (":path", "/"), (":scheme", "https"), (":authority", "open.gate.test")], end_stream=True
    )
    sent = http2.data_to_send()
    with socket.create_connection(("127.0.0.1", gateway.http_port), 20) as plain:
        plain.sendall(sent)
        assert upstream.secret.encode() not in read_to_end(plain)
    assert upstream.hits == hits


FORBIDDEN_OVER_HTTP_2 = {
    "chunked": [("transfer-encoding", "chunked")],
    "a length that lies": [("content-length", "3")],
    "two lengths": [("content-length", "0"), ("content-length", "44")],
    "connection": [("connection", "close, remote-user")],
    "a newline in a value": [("x-a", "b\r\nremote-user: evil")],
    "a newline in a name": [("x-a: b\r\nremote-user", "evil")],
    "a capital in a name": [("Remote-User", "evil")],
    "another host": [("host", "wiki.gate.test")],
    "a blank in a name": [("x a", "b")],
    "a colon in a name": [("remote-user: evil\r\nx", "b")],
    "a null byte": [("x-a", "b\0c")],
}


@pytest.mark.parametrize("name", FORBIDDEN_OVER_HTTP_2)
def test_http_2_headers_that_http_1_could_misread_are_refused(gateway: Gateway, upstream: Upstream, name: str) -> None:
    hits = upstream.hits
    statuses = over_http_2(gateway, "open", "/h2", FORBIDDEN_OVER_HTTP_2[name], body=CANARY)
    assert not statuses & {"200"} or name in ("a length that lies", "another host"), statuses
    assert [
        received for received in upstream.requests[hits:] if "evil" in repr(received) or "canary" in received.path
    ] == []
    assert all(received.one("Host") == "open.gate.test" for received in upstream.requests[hits:])


PSEUDO = {
    "path": [(":path", "/x HTTP/1.1\r\nremote-user: evil\r\nx:")],
    "path without slash": [(":path", "admin/secret")],
    "empty path": [(":path", "")],
    "absolute path": [(":path", "https://mostly.gate.test/admin/secret")],
    "method": [(":method", "GET / HTTP/1.1\r\nremote-user: evil\r\nx:")],
    "authority": [(":authority", "wiki.gate.test")],
    "authority with user": [(":authority", "mostly.gate.test@wiki.gate.test")],
    "scheme": [(":scheme", "https://mostly.gate.test/admin/secret?")],
    "encoded": [(":path", "/x/%2e%2e/admin/secret")],
    "fragment": [(":path", "/x#/../admin/secret")],
    "protected": [(":path", "/admin/secret")],
}


@pytest.mark.parametrize("name", PSEUDO)
def test_http_2_pseudo_headers_lead_nowhere_else(gateway: Gateway, upstream: Upstream, name: str) -> None:
    hits = upstream.hits
    statuses = over_http_2(gateway, "mostly", "/x", PSEUDO[name])
    for received in upstream.requests[hits:]:
        assert "evil" not in repr(received)
        assert "/admin" not in received.path.lower().split("?")[0]
        assert received.one("Host") == "mostly.gate.test"
    if name in {"protected", "encoded"}:
        assert statuses & {"400", "401"}


def over_http_2(
    gateway: Gateway, host: str, path: str, headers: list[tuple[str, str]], *, body: bytes = b""
) -> set[str]:
    """One request whose headers nobody has looked at before sending. Returns what came back: statuses or resets."""
    configuration = h2.config.H2Configuration(
        validate_outbound_headers=False, normalize_outbound_headers=False, validate_inbound_headers=False
    )
    http2 = h2.connection.H2Connection(configuration)
    http2.initiate_connection()
    first = {":method": "GET", ":path": path, ":scheme": "https", ":authority": gateway.host(host)}
    first |= {name: value for name, value in headers if name.startswith(":")}
    rest = [(name, value) for name, value in headers if not name.startswith(":")]
    http2.send_headers(1, [*first.items(), *rest], end_stream=not body)
    if body:
        http2.send_data(1, body, end_stream=True)
    plain = socket.create_connection(("127.0.0.1", gateway.https_port), 20)
    with gateway.tls("h2").wrap_socket(plain, server_hostname=gateway.host(host)) as secured:
        assert secured.selected_alpn_protocol() == "h2"
        secured.sendall(http2.data_to_send())
        return _outcome(http2, secured)


def _outcome(http2: h2.connection.H2Connection, secured: socket.socket) -> set[str]:
    found: set[str] = set()
    while not found:
        data = secured.recv(65536)
        if not data:
            return {"closed"}
        for event in http2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                found |= {value.decode() for name, value in event.headers or () if name == b":status"}
            if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                found.add("reset")
    return found


def test_a_cookie_of_ours_in_http_2_crumbs_is_read_and_dropped(
    gateway: Gateway, upstream: Upstream, ann: Visitor
) -> None:
    """HTTP/2 may split a cookie header into crumbs (RFC 9113 section 8.2.3)."""
    ann.arrive("wiki")
    crumbs = [("cookie", "a=1"), ("cookie", f"{COOKIE}={ann.cookie('wiki')}"), ("cookie", "b=2")]
    assert over_http_2(gateway, "wiki", "/crumbs", crumbs) == {"200"}
    received = upstream.seen("/crumbs")[-1]
    assert received.one("Remote-User") == "ann"
    assert COOKIE not in repr(received)
    assert [part.strip() for line in received.all("Cookie") for part in line.split(";")] == ["a=1", "b=2"]


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "DEBUG", "CONNECT", "GET\tx", "G\0T", "PRI"])
def test_methods_that_no_service_needs_are_refused(gateway: Gateway, upstream: Upstream, method: str) -> None:
    hits = upstream.hits
    answer = ask(gateway, "open", request("open.gate.test", method=method))
    assert answer.status in (400, 405, 421) or answer.received == b""
    assert upstream.hits == hits


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_other_method_needs_a_session_too(gateway: Gateway, upstream: Upstream, method: str) -> None:
    hits = upstream.hits
    assert ask(gateway, "wiki", request("wiki.gate.test", method=method)).status == 401
    assert upstream.hits == hits
    assert ask(gateway, "open", request("open.gate.test", method=method)).status == 200
    assert upstream.requests[-1].method == method


def test_too_many_and_too_long_headers_are_refused(gateway: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    for lines in (
        [f"X-{number}: x" for number in range(200)],
        ["X: " + "x" * 20000],
        [f"X-{number}: {'x' * 1000}" for number in range(40)],
    ):
        assert ask(gateway, "open", request("open.gate.test", "/", *lines)).status in (400, 414, 431, 0)
    assert ask(gateway, "open", request("open.gate.test", "/" + "x" * 20000)).status in (400, 414, 0)
    assert upstream.hits == hits
