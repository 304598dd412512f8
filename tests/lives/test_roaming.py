"""A client whose network comes and goes. As root, since the network is one of the test's own.

Each bound is far above what is usual (see docs/connect.md) and far below what it takes when the change is not noticed:
the keepalives of these tunnels need 45 s.
"""

import time
from collections.abc import Iterator

import pytest
from tests.lives.gateway import free_ports
from tests.lives.network import Host, Network
from tests.lives.openssh import Sshd
from tests.lives.places import short_directory
from tests.lives.tunneller import Tunneller
from tests.lives.waiting import wait_for

SOON = 15.0
"""Seconds in which a client must be back when the link is."""


@pytest.fixture(scope="module")
def elsewhere(network: Network) -> Host:
    return network.host("91.7.7.7")


@pytest.fixture(scope="module")
def here(network: Network) -> Host:
    return network.host("45.90.0.1")


@pytest.fixture
def sshd(here: Host) -> Iterator[Sshd]:
    with short_directory() as directory, Sshd(directory, at=here) as running:
        yield running


@pytest.fixture
def ann(elsewhere: Host, sshd: Sshd) -> Iterator[Tunneller]:
    """Works elsewhere, and knows the server here."""
    with short_directory() as home:
        ann = Tunneller(home, elsewhere.prefix)
        ann.knows(sshd.known_host)
        yield ann


def add(who: Tunneller, sshd: Sshd, *options: str) -> None:
    (port,) = free_ports(1)
    server = f"root@{sshd.address}:{sshd.port}"
    who.run("tunnel", "add", "home", server, "--key", str(sshd.key), "-D", str(port), *options)


def test_a_client_that_gets_another_address_is_back_at_once(ann: Tunneller, sshd: Sshd, elsewhere: Host) -> None:
    add(ann, sshd)
    with ann.up("tunnel", "up", "home") as up:
        up.wait_for("home", "up")
        moved = time.monotonic()
        elsewhere.move("91.7.7.8")
        up.wait_for("home", "up", reconnects=1, seconds=SOON)
        print(f"back {time.monotonic() - moved:.2f} s after the address changed")
        assert any("another address" in line["problem"] for line in up.said("home"))


def test_a_link_that_drops_everything_in_silence_is_noticed_and_the_client_back_soon(
    ann: Tunneller, sshd: Sshd, elsewhere: Host
) -> None:
    add(ann, sshd, "--keepalive", "1s", "--keepalive-count", "2")
    with ann.up("tunnel", "up", "home") as up:
        up.wait_for("home", "up")
        elsewhere.cut()
        try:
            up.wait_for("home", "waiting")
        finally:
            elsewhere.mend()
        found = time.monotonic()
        up.wait_for("home", "up", reconnects=1, seconds=SOON)
        print(f"back {time.monotonic() - found:.2f} s after the link")


def test_a_change_that_concerns_nobody_costs_no_connection(ann: Tunneller, sshd: Sshd, elsewhere: Host) -> None:
    add(ann, sshd)
    with ann.up("tunnel", "up", "home") as up:
        up.wait_for("home", "up")
        before = wait_for(lambda: round_trip(ann), "a first measurement")
        elsewhere.run("ip", "link", "set", "lo", "down")
        elsewhere.run("ip", "link", "set", "lo", "up")
        wait_for(lambda: round_trip(ann) != before, "the server to be asked")
        assert {line["reconnects"] for line in up.said("home")} == {0}
        assert up.said("home")[-1]["state"] == "up"


def round_trip(who: Tunneller) -> float | None:
    return next((one["round_trip"] for one in who.ask("tunnel", "status")), None)
