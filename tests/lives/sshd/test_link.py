"""The link between client and server is cut: packets vanish, and no socket hears of it. Needs root, for a namespace."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.lives.places import short_directory
from tests.lives.sshd.clients import ALIVE, openssh
from tests.lives.sshd.server import TunnelServer
from tests.lives.waiting import wait_for

from portward.tunnels.rules import ServiceRule

_BLOG = ServiceRule(name="blog", host="blog.gate.test", url="https://blog.gate.test")
_NOBODY = "02:00:00:00:00:99"


class Link:
    """A network namespace that is joined to this one by a pair of virtual devices, and can be cut."""

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.name, self._device = f"pw{os.getpid()}", f"pwl{os.getpid()}"
        self.here, self.there = f"10.213.{number}.1", f"10.213.{number}.2"
        self._run(f"ip netns add {self.name}")
        self._run(f"ip link add {self._device} type veth peer name far netns {self.name}")
        self._run(f"ip addr add {self.here}/30 dev {self._device}")
        self._run(f"ip link set {self._device} up")
        self._inside(f"ip addr add {self.there}/30 dev far")
        self._inside("ip link set far up")
        self._inside("ip link set lo up")

    def cut(self) -> None:
        """From now on packets vanish in both directions: each side sends them to a device that is not there."""
        self._inside(f"ip neigh replace {self.here} dev far lladdr {_NOBODY} nud permanent")
        self._run(f"ip neigh replace {self.there} dev {self._device} lladdr {_NOBODY} nud permanent")

    def mend(self) -> None:
        self._inside(f"ip neigh del {self.here} dev far")
        self._run(f"ip neigh del {self.there} dev {self._device}")

    def close(self) -> None:
        self._run(f"ip netns del {self.name}")

    def inside(self, *argv: str) -> tuple[str, ...]:
        """The command line that runs in the namespace."""
        return ("ip", "netns", "exec", self.name, *argv)

    def _inside(self, command: str) -> None:
        self._run(" ".join(self.inside(command)))

    def _run(self, command: str) -> None:
        subprocess.run(command.split(), check=True, capture_output=True)


@pytest.fixture
def link() -> Iterator[Link]:
    assert os.geteuid() == 0, "this test makes a network namespace, which takes root"
    made = Link()
    yield made
    made.close()


@pytest.fixture
def server(link: Link) -> Iterator[TunnelServer]:
    with (
        short_directory() as directory,
        TunnelServer(directory, {"ann": {"publish": ("*",)}}, (_BLOG,), address=link.here) as running,
    ):
        yield running


def _connections(server: TunnelServer) -> int:
    """Connections of SSH that the server still has."""
    found = psutil.Process(server.process.pid).net_connections("tcp")
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in found)


def _client(link: Link, server: TunnelServer, web: Path) -> tuple[str, ...]:
    quick = ("-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2", "-o", "ConnectTimeout=2")
    argv = openssh(server, "ann", [f"blog:80:{web}"], "-N", *quick)
    return link.inside("autossh", "-M", "0", *argv[1:])


@pytest.mark.timeout(170)
def test_a_cut_link_frees_the_name_and_the_client_is_back_within_15_s(link: Link, server: TunnelServer) -> None:
    web = server.directory / "web.sock"
    environment = {**os.environ, "AUTOSSH_GATETIME": "0", "AUTOSSH_POLL": "10"}
    with _serving(web), subprocess.Popen(_client(link, server, web), env=environment) as client:
        try:
            (before,) = server.wait_for_tunnels(1)
            assert server.get("blog").endswith("here")
            link.cut()
            wait_for(lambda: _gone(link), "the end of the client that can't reach us", 30)
            assert len(server.live()) == 1
            link.mend()
            mended = time.monotonic()
            wait_for(lambda: [live.id for live in server.live()] not in ([], [before.id]), "the next tunnel")
            wait_for(lambda: server.get("blog").endswith("here"), "an answer")
            back = time.monotonic() - mended
            assert server.wait_for_fact("TunnelClosed", service="blog")
            wait_for(lambda: _connections(server) == 1, "the end of the half-open connection")
        finally:
            client.terminate()
    assert back < 15


@pytest.mark.timeout(170)
def test_a_peer_that_vanishes_is_dropped_within_45_s(link: Link, server: TunnelServer) -> None:
    argv = link.inside(*openssh(server, "ann", ["blog:80:127.0.0.1:1"], "-N", *ALIVE))
    with subprocess.Popen(argv) as client:
        try:
            server.wait_for_tunnels(1)
            link.cut()
            began = time.monotonic()
            server.wait_for_fact("TunnelClosed", 60, reason="silence")
            assert time.monotonic() - began < 45
            wait_for(lambda: _connections(server) == 0, "no half-open connection")
        finally:
            client.kill()


def _gone(link: Link) -> bool:
    """Whether the first ssh has given up: what runs in the namespace has no established connection any more."""
    found = subprocess.run(
        link.inside("ss", "-Htn", "state", "established"), capture_output=True, text=True, check=True
    )
    return not found.stdout.strip()


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
