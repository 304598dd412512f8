"""What operators do at a running gateway, and at one whose keeper is gone: ban, unban, allow."""

import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.waiting import wait_for


@dataclass
class Place:
    gateway: Gateway
    mallory: Host
    six: Host
    """Of two neighbours in one /64, one."""

    def lets_in(self, host: Host) -> bool:
        """Whether somebody there gets as far as the certificate."""
        try:
            with host.inside(), socket.create_connection((self.gateway.address(host), 443), 1) as connection:
                self.gateway.tls().wrap_socket(connection, server_hostname=self.gateway.host("hello")).close()
        except (TimeoutError, ConnectionResetError, ssl.SSLEOFError):
            return False
        return True

    def greets(self, host: Host) -> bool:
        """Whether the SSH server does."""
        try:
            with host.inside(), socket.create_connection((self.gateway.address(host), 22), 1) as connection:
                return connection.recv(255).startswith(b"SSH-2.0-")
        except (TimeoutError, ConnectionResetError):
            return False

    @contextmanager
    def keeper_away(self) -> Iterator[None]:
        """It neither answers nor works, while the other programs go on; at last it dies, and another one comes."""
        door = self.gateway.state / "run" / "admin.sock"
        os.kill(self.gateway.pids.keeper, signal.SIGSTOP)
        door.unlink()
        yield
        self.gateway.kill_keeper()


@contextmanager
def a_place(**defence: object) -> Iterator[Place]:
    with ExitStack() as stack:
        network, directory = stack.enter_context(Network()), stack.enter_context(short_directory())
        at = network.host("45.90.0.1", "2a0e:b107::1")
        mallory, six = network.host("91.7.7.7"), network.host("2a0e:1:2:3::7")
        services = {"hello": {"upstream": "demo", "access": "public"}}
        gateway = stack.enter_context(Gateway(directory, services, at=at, defence=defence, tunnels={}))
        yield Place(gateway, mallory, six)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with a_place() as made:
        yield made


def test_a_source_is_banned_and_let_in_again(place: Place) -> None:
    for host, source in ((place.mallory, "91.7.7.7"), (place.six, "2a0e:1:2:3::/64")):
        assert place.lets_in(host)
        place.gateway.cli("ban", "add", source, "--for", "1h", "--reason", "a test")
        assert not place.lets_in(host)
        assert not place.greets(host)
        assert source in place.gateway.cli("ban", "list")
        place.gateway.cli("ban", "remove", source)
        assert place.lets_in(host)
        assert place.greets(host)


def test_who_is_allowed_is_free_of_every_ban_within_a_second(place: Place) -> None:
    place.gateway.cli("ban", "add", "91.7.7.0/24")
    assert not place.lets_in(place.mallory)
    began = time.monotonic()
    place.gateway.cli("allow", "add", "91.7.7.7")
    assert place.lets_in(place.mallory)
    assert time.monotonic() - began < 5  # most of it is the command's start, on a machine that does other work beside
    assert "is on the allowlist" in place.gateway.cli("ban", "show", "91.7.7.7")
    place.gateway.cli("allow", "remove", "91.7.7.7")
    wait_for(lambda: not place.lets_in(place.mallory), "the ban to count again")
    place.gateway.cli("ban", "flush", "--yes")
    assert place.lets_in(place.mallory)


def test_the_host_lets_somebody_in_again_while_the_keeper_is_away(place: Place) -> None:
    place.gateway.cli("ban", "add", "91.7.7.7")
    assert not place.lets_in(place.mallory)
    with place.keeper_away():
        assert "91.7.7.7" in place.gateway.cli("ban", "list")
        place.gateway.cli("ban", "remove", "91.7.7.7")
        assert place.lets_in(place.mallory)
        assert place.greets(place.mallory)
        place.gateway.cli("ban", "add", "2a0e:1:2:3::7")
        assert not place.greets(place.six)
        assert not place.lets_in(place.six)
    assert not place.lets_in(place.six)
    place.gateway.cli("ban", "flush", "--yes")
    assert place.lets_in(place.six)


def test_what_was_lifted_without_a_gateway_is_lifted_when_it_starts(place: Place) -> None:
    place.gateway.cli("ban", "add", "91.7.7.7")
    place.gateway.stop()
    place.gateway.cli("ban", "remove", "91.7.7.7")
    place.gateway.cli("ban", "add", "2a0e:1:2:3::7")
    place.gateway.start()
    assert place.lets_in(place.mallory)
    assert not place.lets_in(place.six)
    place.gateway.cli("ban", "remove", "2a0e:1:2:3::7")
    assert place.lets_in(place.six)


def test_the_status_tells_what_is_enforced(place: Place) -> None:
    assert json.loads(place.gateway.cli("defence", "status", "--json"))["kernel"]["on"]
    assert "kernel: on" in place.gateway.cli("defence", "status")


def test_the_edge_alone_does_the_same() -> None:
    with a_place(kernel=False) as place:
        assert "kernel: off (`defence.kernel` is false)" in place.gateway.cli("defence", "status")
        place.gateway.cli("ban", "add", "91.7.7.7")
        assert not place.lets_in(place.mallory)
        assert not place.greets(place.mallory)
        with place.keeper_away():
            place.gateway.cli("ban", "remove", "91.7.7.7")
            assert place.lets_in(place.mallory)
            assert place.greets(place.mallory)
