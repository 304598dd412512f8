"""Whoever is banned loses what is open within five seconds, with the kernel's help and without; a neighbour keeps it.

Needs root, for the network.
"""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ssl import SSLSocket

import httpx
import pytest
from tests.lives.dialling import Laptop, tunnels
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.raw import connection, read_once, request
from tests.lives.sockets import Echo
from tests.lives.upstream import Upstream
from tests.lives.visitor import Visitor
from tests.lives.waiting import PATIENCE, wait_for

from portward.host.paths import State
from portward.model import Ban
from portward.store import Store

WITHIN = 5.0
UPGRADE = request(
    "chat.gate.test",
    "/",
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
LARGE = 500_000_000
"""Bytes of a download: more than all buffers on its way hold."""


@dataclass
class Place:
    gateway: Gateway
    network: Network
    laptop: Laptop

    def host(self) -> Host:
        return self.network.host(f"91.7.{len(self.network.hosts)}.7")

    def ban(self, host: Host) -> None:
        with self.gateway.admin() as admin:
            admin.post("/bans", {"source": host.address})


@pytest.fixture(scope="module", params=[True, False], ids=["kernel", "edge"])
def place(request: pytest.FixtureRequest, network: Network) -> Iterator[Place]:
    at = network.host(f"45.90.0.{1 + request.param}")
    with at.inside():
        echo, upstream = Echo(), Upstream()
    services = {
        "files": {"upstream": upstream.url, "access": "public"},
        "chat": {"upstream": echo.url, "access": "public"},
        "draft": {"tunnel": True, "access": "public"},
    }
    options = {"defence": {"kernel": request.param}, "tunnels": {}, "timeouts": {"keep-alive": "30s"}}
    with echo, upstream, short_directory() as directory, Gateway(directory, services, at=at, **options) as gateway:
        gateway.add_account("ann")
        yield Place(gateway, network, Laptop(directory, gateway, account="ann"))


@contextmanager
def web_socket(gateway: Gateway, host: Host) -> Iterator[SSLSocket]:
    with connection(gateway, "chat", at=host) as opened:
        opened.sendall(UPGRADE)
        assert read_once(opened).startswith(b"HTTP/1.1 101")
        yield opened


@contextmanager
def download(gateway: Gateway, host: Host) -> Iterator[SSLSocket]:
    with connection(gateway, "files", at=host) as opened:
        opened.sendall(request("files.gate.test", f"/bytes?size={LARGE}"))
        assert read_once(opened).startswith(b"HTTP/1.1 200")
        yield opened


@contextmanager
def idle(gateway: Gateway, host: Host) -> Iterator[Visitor]:
    """One that keeps an HTTP/2 connection open between two requests."""
    with gateway.visitor(at=host, http2=True, seconds=2) as visitor:
        answer = visitor.fetch("files", "/page")
        assert (answer.http_version, answer.status_code) == ("HTTP/2", 200)
        yield visitor


def is_cut(opened: SSLSocket, until: float) -> bool:
    """Whether the connection ends by then."""
    opened.settimeout(max(until - time.monotonic(), 0.01))
    with suppress(TimeoutError):
        return read_once(opened) == b""
    return False


def runs_dry(opened: SSLSocket, until: float) -> bool:
    """Whether nothing comes any more by then, be it an end or silence: the kernel drops what asks for more."""
    opened.settimeout(1)
    with suppress(TimeoutError):
        while read_once(opened):
            if time.monotonic() > until:
                return False
    return time.monotonic() < until


def test_what_a_banned_source_holds_open_dies_and_what_a_neighbour_holds_does_not(place: Place) -> None:
    gateway, mallory, neighbour = place.gateway, place.host(), place.host()
    with ExitStack() as stack:
        goes, loading = (stack.enter_context(open_(gateway, mallory)) for open_ in (web_socket, download))
        stays = stack.enter_context(web_socket(gateway, neighbour))
        browser, other = (stack.enter_context(idle(gateway, host)) for host in (mallory, neighbour))
        began = time.monotonic()
        place.ban(mallory)
        assert is_cut(goes, began + WITHIN)
        assert runs_dry(loading, began + WITHIN)
        with pytest.raises(httpx.TransportError):
            browser.fetch("files", "/page")
        assert other.fetch("files", "/page").status_code == 200
        stays.sendall(b"\x89\x80\x00\x00\x00\x00")
        assert read_once(stays).startswith(b"\x8a")


def test_a_ban_whose_maker_died_before_the_edge_heard_of_it_cuts_too(place: Place) -> None:
    """It is in the store alone; the reconciler carries it on."""
    mallory = place.host()
    now = datetime.now(UTC)

    async def save() -> None:
        async with Store.open(State(place.gateway.state).database) as store:
            await store.bans.save([Ban(mallory.address, "a drill", "cli", now, now + timedelta(hours=1))])

    with web_socket(place.gateway, mallory) as goes:
        asyncio.run(save())
        assert is_cut(goes, time.monotonic() + PATIENCE)


def test_a_tunnel_of_a_banned_source_ends_and_does_not_come_again(place: Place) -> None:
    gateway, laptop, mallory = place.gateway, place.laptop, place.host()
    with gateway.visitor() as visitor, laptop.dial("draft:80:localhost:9", at=mallory) as ssh:
        assert visitor.fetch("draft").status_code == 502
        began = time.monotonic()
        place.ban(mallory)
        assert ssh.wait(WITHIN) != 0
        wait_for(lambda: not tunnels(gateway), "the tunnel to be gone", began + WITHIN - time.monotonic())
    again = [*mallory.prefix, "ssh", "-o", "ConnectTimeout=2", *laptop.command("draft:80:localhost:9")]
    assert subprocess.run(again, capture_output=True, timeout=20).returncode == 255
