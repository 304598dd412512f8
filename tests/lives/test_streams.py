"""What is no short answer passes the gate as well, behind a login: WebSocket, events, gRPC, large bodies."""

import socket
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager

import grpc
import pytest
from tests.lives.gateway import Gateway
from tests.lives.places import short_directory
from tests.lives.raw import connection, request
from tests.lives.sockets import Echo, is_alive, open_socket
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE, Visitor
from websockets.exceptions import InvalidStatus

LARGE = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def calls() -> Iterator[int]:
    """A gRPC service that answers each message of a stream with itself. Its port."""
    seen: list[dict[str, str]] = []

    class Handler(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            seen.append({key: str(value) for key, value in details.invocation_metadata or ()})
            return grpc.stream_stream_rpc_method_handler(lambda messages, _: messages)

    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=(Handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.fixture(scope="module")
def streaming(upstream: Upstream, calls: int) -> Iterator[Gateway]:
    with Echo() as echo, short_directory() as directory:
        services = {
            "chat": {"upstream": echo.url},
            "wiki": {"upstream": upstream.url},
            "calls": {"upstream": f"h2c://127.0.0.1:{calls}"},
        }
        with Gateway(directory, services, timeouts={"headers": "2s"}) as gateway:
            gateway.enrol_owner().close()
            yield gateway


@pytest.fixture(scope="module")
def owner(streaming: Gateway) -> Iterator[Visitor]:
    with streaming.log_in("owner") as visitor:
        for host in ("chat", "wiki", "calls"):
            enter(visitor, host)
        yield visitor


def test_a_websocket_echoes_for_a_member(streaming: Gateway, owner: Visitor) -> None:
    with open_socket(streaming, owner, "chat") as opened:
        assert is_alive(opened)
        opened.send(b"x" * 100_000)
        assert opened.recv() == b"x" * 100_000


def test_a_websocket_of_a_stranger_hears_401(streaming: Gateway) -> None:
    with streaming.visitor() as stranger, pytest.raises(InvalidStatus) as refused:
        open_socket(streaming, stranger, "chat")
    assert refused.value.response.status_code == 401


def test_events_come_one_by_one_and_not_all_at_the_end(streaming: Gateway, owner: Visitor, upstream: Upstream) -> None:
    upstream.go_on.clear()
    with stream(streaming, owner, "/stream", "Accept: text/event-stream") as opened:
        assert b"data: first" in read_until(opened, b"data: first")
        upstream.go_on.set()
        assert b"data: second" in read_until(opened, b"data: second")


def test_a_grpc_stream_echoes_in_both_directions(streaming: Gateway, owner: Visitor) -> None:
    with channel(streaming) as opened:
        call = opened.stream_stream("/test.Echo/Both")
        answers = call(iter([b"one", b"two", b"x" * 100_000]), metadata=(cookie_of(owner, "calls"),), timeout=20)
        assert list(answers) == [b"one", b"two", b"x" * 100_000]


def test_a_grpc_call_of_a_stranger_is_refused(streaming: Gateway) -> None:
    with channel(streaming) as opened:
        call = opened.stream_stream("/test.Echo/Both")
        with pytest.raises(grpc.RpcError) as refused:
            list(call(iter([b"one"]), timeout=20))
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_large_download_is_whole(streaming: Gateway, owner: Visitor) -> None:
    with owner.http.stream("GET", streaming.url("wiki", f"/bytes?size={LARGE}")) as answer:
        assert answer.status_code == 200
        assert sum(len(part) for part in answer.iter_raw()) == LARGE


@pytest.mark.parametrize("announced", [True, False], ids=["with a length", "in chunks"])
def test_a_large_upload_is_whole(owner: Visitor, announced: bool) -> None:
    part = b"x" * 65536
    headers = {"Content-Length": str(LARGE)} if announced else {}
    content = (part for _ in range(LARGE // len(part)))
    answer = owner.fetch("wiki", "/upload", "POST", content=content, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["size"] == LARGE


def test_an_upload_may_take_longer_than_headers_may(streaming: Gateway, owner: Visitor, upstream: Upstream) -> None:
    """Once its first 16 KB are there, a body has all the time that it keeps moving (traefik #10654)."""
    body, steps = 40_000, 8
    lines = (f"Content-Length: {body}", ": ".join(("Cookie", cookie_of(owner, "wiki")[1])))
    with connection(streaming, "wiki") as opened:
        opened.sendall(request("wiki.gate.test", "/slow-upload", *lines, method="POST") + b"x" * 20_000)
        opened.settimeout(0.4)
        for _ in range(steps):
            with pytest.raises(TimeoutError):
                opened.recv(1)
            opened.sendall(b"x" * (20_000 // steps))
        opened.settimeout(20)
        assert opened.recv(100).startswith(b"HTTP/1.1 200")
    assert len(upstream.seen("/slow-upload")[-1].body) == body


def test_open_streams_end_within_seconds_of_the_logout(streaming: Gateway, upstream: Upstream) -> None:
    upstream.go_on.clear()
    with streaming.log_in("owner") as leaving:
        for host in ("chat", "wiki"):
            enter(leaving, host)
        with (
            open_socket(streaming, leaving, "chat") as opened,
            stream(streaming, leaving, "/stream", "Accept: text/event-stream") as events,
        ):
            assert is_alive(opened)
            read_until(events, b"data: first")
            leaving.follow(leaving.submit(leaving.visit("auth", "/logout")))
            events.settimeout(5)
            assert read_until(events, b"data: second") == b""
            assert not is_alive(opened)
    upstream.go_on.set()


def enter(visitor: Visitor, host: str) -> None:
    """Get a cookie of this host, without opening a page of its service, which may have none."""
    page = visitor.visit(host, "/.portward/start?to=/")
    while not page.headers["Location"].endswith(f"{page.url.port}/"):
        page = visitor.visit(page.headers["Location"])


@contextmanager
def stream(gateway: Gateway, visitor: Visitor, path: str, *lines: str) -> Iterator[socket.socket]:
    """The connection of a request whose answer comes bit by bit."""
    cookie = ": ".join(("Cookie", cookie_of(visitor, "wiki")[1]))
    with connection(gateway, "wiki") as opened:
        opened.sendall(request("wiki.gate.test", path, cookie, *lines))
        yield opened


def read_until(opened: socket.socket, mark: bytes) -> bytes:
    """What comes up to the mark; empty when the stream ends before."""
    received = b""
    while mark not in received:
        try:
            part = opened.recv(65536)
        except ConnectionError:
            return b""
        if not part:
            return b""
        received += part
    return received


def cookie_of(visitor: Visitor, host: str) -> tuple[str, str]:
    return "cookie", f"{COOKIE}={visitor.cookie(host)}"


@contextmanager
def channel(gateway: Gateway) -> Iterator[grpc.Channel]:
    name = gateway.host("calls")
    options = [("grpc.ssl_target_name_override", name), ("grpc.default_authority", f"{name}:{gateway.https_port}")]
    trust = grpc.ssl_channel_credentials(gateway.root.read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{gateway.https_port}", trust, options) as opened:
        yield opened
