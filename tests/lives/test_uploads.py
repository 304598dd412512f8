"""Bodies on their way in: slow ones may take any time, and those that hardly move, or never end, are cut."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from tests.lives.explaining import explained
from tests.lives.gateway import Gateway
from tests.lives.places import short_directory
from tests.lives.raw import Answer, connection, read_to_end, request
from tests.lives.upstream import Upstream
from tests.lives.waiting import wait_for

RATE = 4000
WINDOW = 3.0


@pytest.fixture(scope="module")
def patient(upstream: Upstream) -> Iterator[Gateway]:
    services = {
        "open": {"upstream": upstream.url, "access": "public"},
        "small": {"upstream": upstream.url, "access": "public", "limits": {"body": "100KB"}},
    }
    with (
        short_directory() as directory,
        Gateway(
            directory,
            services,
            limits={"minimum-rate": RATE},
            timeouts={"client": f"{2 * WINDOW:.0f}s", "headers": "1s"},
        ) as gateway,
    ):
        yield gateway


def drip(sending: socket.socket, piece: bytes, *, each: float, until: Callable[[], bool]) -> bool:
    """Send a piece now and then. Returns whether the gateway took all of it."""
    try:
        while not until():
            sending.sendall(piece)
            time.sleep(each)
    except OSError:
        return False
    return True


def after(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def test_a_long_body_that_keeps_coming_may_take_its_time(patient: Gateway) -> None:
    length = 20 * 1024 + 28 * RATE
    with connection(patient, "open", address="127.0.1.1") as sending:
        sending.sendall(request("open.gate.test", "/slow", f"Content-Length: {length}", method="POST"))
        sending.sendall(b"x" * 20 * 1024)
        left = [b"x" * RATE] * 28
        assert drip(sending, b"x" * RATE, each=0.25, until=lambda: not left or left.pop() is None)
        assert Answer(read_to_end(sending)).status == 200


def test_a_body_that_hardly_moves_is_cut_and_can_be_explained(patient: Gateway) -> None:
    with connection(patient, "open", address="127.0.1.2") as sending:
        sending.sendall(request("open.gate.test", "/crawl", "Content-Length: 9000000", method="POST"))
        sending.sendall(b"x" * 20 * 1024)
        assert not drip(sending, b"x", each=0.1, until=after(20)), "nobody cut it"
    (event,) = patient.wait_for_events(rule="slow", path="/crawl")
    assert event["address"] == "127.0.1.2"
    assert "bytes per second, less than 4000" in event["detail"]
    assert explained(patient, event["request_id"])["rule"] == "slow"


def test_a_body_without_a_length_is_cut_when_it_is_too_long(patient: Gateway) -> None:
    with connection(patient, "small", address="127.0.1.3") as sending:
        sending.sendall(request("small.gate.test", "/endless", "Transfer-Encoding: chunked", method="POST"))
        piece = b"1000\r\n" + b"x" * 4096 + b"\r\n"
        assert not drip(sending, piece, each=0.02, until=after(20)), "nobody cut it"
    (event,) = patient.wait_for_events(rule="too_large", path="/endless")
    assert "more than 102400 bytes" in event["detail"]


def test_who_waits_for_a_slow_service_is_left_in_peace(patient: Gateway, upstream: Upstream) -> None:
    upstream.go_on.clear()
    with connection(patient, "open", address="127.0.1.4") as waiting:
        waiting.sendall(request("open.gate.test", "/hang", "Content-Length: 3", method="POST", body=b"abc"))
        wait_for(lambda: upstream.seen("/hang"), "the request to be there")
        time.sleep(2 * WINDOW)  # twice as long as a body may be slow
        upstream.go_on.set()
        assert Answer(read_to_end(waiting)).status == 200


def test_a_service_that_is_slow_to_take_a_body_gets_nobody_cut(patient: Gateway) -> None:
    """What has come waits for the service: that is no fault of the client's."""
    with socket.create_server(("127.0.0.1", 0)) as lazy:
        services = patient.services
        url = f"http://127.0.0.1:{lazy.getsockname()[1]}"
        patient.apply({**services, "lazy": {"upstream": url, "access": "public"}})
        with connection(patient, "lazy", address="127.0.1.5") as sending:
            sending.sendall(request("lazy.gate.test", "/", "Content-Length: 90000000", method="POST"))
            sending.sendall(b"x" * 20 * 1024)
            lazy.settimeout(10)
            service, _ = lazy.accept()
            sending.settimeout(1)
            with pytest.raises(TimeoutError):
                sending.sendall(b"x" * 90_000_000)  # until every buffer on the way is full
            time.sleep(1.5 * WINDOW)
            service.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            assert sending.recv(12) == b"HTTP/1.1 200"
            service.close()
        patient.apply(services)
