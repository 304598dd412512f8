"""The link between client and server is cut: packets vanish, and no socket hears of it. Needs root, for a namespace."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.sshd.clients import ALIVE, openssh
from tests.lives.sshd.server import TunnelServer
from tests.lives.waiting import wait_for

from portward.tunnels.rules import ServiceRule

_BLOG = ServiceRule(name="blog", host="blog.gate.test", url="https://blog.gate.test")


@pytest.fixture(scope="module")
def near(network: Network) -> Host:
    return network.host("45.90.0.1")


@pytest.fixture(scope="module")
def far(network: Network) -> Host:
    """Where the client is."""
    return network.host("91.7.7.7")


@pytest.fixture
def server(near: Host) -> Iterator[TunnelServer]:
    with (
        short_directory() as directory,
        TunnelServer(directory, {"ann": {"publish": ("*",)}}, (_BLOG,), at=near) as running,
    ):
        yield running


def _connections(where: Host) -> int:
    """Established connections that programs there have."""
    return len(where.run("ss", "-Htn", "state", "established").splitlines())


def _client(far: Host, server: TunnelServer, web: Path) -> tuple[str, ...]:
    quick = ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2", "-o", "ConnectTimeout=2")
    argv = openssh(server, "ann", [f"blog:80:{web}"], "-N", *quick)
    return (*far.prefix, "autossh", "-M", "0", *argv[1:])


@pytest.mark.timeout(170)
def test_a_cut_link_frees_the_name_and_the_client_is_back_within_15_s(
    far: Host, near: Host, server: TunnelServer
) -> None:
    web = server.directory / "web.sock"
    environment = {**os.environ, "AUTOSSH_GATETIME": "0", "AUTOSSH_POLL": "10"}
    with _serving(web), subprocess.Popen(_client(far, server, web), env=environment) as client:
        try:
            (before,) = server.wait_for_tunnels(1)
            assert server.get("blog").endswith("here")
            far.cut()
            wait_for(lambda: not _connections(far), "the end of the client that can't reach us", 30)
            assert len(server.live()) == 1
            far.mend()
            mended = time.monotonic()
            wait_for(lambda: [live.id for live in server.live()] not in ([], [before.id]), "the next tunnel")
            wait_for(lambda: server.get("blog").endswith("here"), "an answer")
            back = time.monotonic() - mended
            assert server.wait_for_fact("TunnelClosed", service="blog")
            wait_for(lambda: _connections(near) == 1, "the end of the half-open connection")
        finally:
            client.terminate()
    assert back < 15


@pytest.mark.timeout(170)
def test_a_peer_that_vanishes_is_dropped_within_45_s(far: Host, near: Host, server: TunnelServer) -> None:
    argv = (*far.prefix, *openssh(server, "ann", ["blog:80:127.0.0.1:1"], "-N", *ALIVE))
    with subprocess.Popen(argv) as client:
        try:
            server.wait_for_tunnels(1)
            far.cut()
            began = time.monotonic()
            server.wait_for_fact("TunnelClosed", 60, reason="silence")
            assert time.monotonic() - began < 45
            wait_for(lambda: _connections(near) == 0, "no half-open connection")
        finally:
            far.mend()
            client.kill()


class _serving:  # noqa: N801 - reads as a verb where it is used
    """A Unix socket that answers every request; unlike a port it is in every namespace."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._argv = ("python3", "-c", _SERVER, str(path))

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._argv)
        wait_for(self._path.exists, "the socket")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


_SERVER = """
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    visitor, _ = listener.accept()
    with visitor:
        if visitor.recv(4096):
            visitor.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nhere")
"""
