"""Block lists of others at the running gateway: fetched over HTTPS, in force at once, and never instead of better."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.waiting import wait_for
from tests.unit.defense.lists.publisher import Publisher

OTHERS = b"".join(b"198.18.%d.0/24\n" % number for number in range(0, 60, 2))
LISTED = b"91.7.7.0/24 ; mallory\n" + OTHERS


@dataclass
class Place:
    gateway: Gateway
    publisher: Publisher
    mallory: Host
    ann: Host

    def lets_in(self, host: Host) -> bool:
        """Whether somebody there gets as far as the certificate."""
        try:
            with host.inside(), socket.create_connection((self.gateway.address(host), 443), 2) as connection:
                self.gateway.tls().wrap_socket(connection, server_hostname=self.gateway.host("hello")).close()
        except (TimeoutError, ConnectionResetError, ssl.SSLEOFError):
            return False
        return True

    def walls(self) -> dict[str, int]:
        """What the kernel has dropped; empty where it does not hold."""
        return dict(json.loads(self.gateway.cli("defence", "status", "--json"))["walls"]["dropped"])

    def lists(self) -> dict[str, object]:
        (found,) = json.loads(self.gateway.cli("defence", "lists", "--json"))
        return dict(found)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with ExitStack() as stack:
        network, directory = stack.enter_context(Network()), stack.enter_context(short_directory())
        at, mallory, ann = network.host("45.90.0.1"), network.host("91.7.7.7"), network.host("91.8.8.8")
        with at.inside():
            publisher = stack.enter_context(Publisher(directory))
        publisher.content = LISTED
        drop = {"name": "drop", "url": publisher.url, "ca-file": str(publisher.ca_file)}
        services = {"hello": {"upstream": "demo", "access": "public"}, "members": {"upstream": "demo"}}
        gateway = stack.enter_context(Gateway(directory, services, at=at, defence={"lists": [drop]}))
        gateway.wait_for_events(kind="BlocklistRefreshed", name="drop", entries=1 + 30)
        yield Place(gateway, publisher, mallory, ann)


def test_who_is_on_a_list_is_refused_before_tls_and_others_are_served(place: Place) -> None:
    wait_for(lambda: not place.lets_in(place.mallory), "the list to be in force")
    assert place.lets_in(place.ann)
    shown = place.gateway.cli("ban", "show", "91.7.7.7")
    assert "91.7.7.0/24 stands on the block list drop" in shown
    wait_for(place.walls, "the kernel to hold the list")
    assert not place.lets_in(place.mallory)
    assert place.walls()["listed"] >= 1
    place.gateway.change(defence={"kernel": False})
    assert not place.lets_in(place.mallory)
    assert place.gateway.wait_for_events(kind="RequestRefused", rule="denied", address="91.7.7.7")
    place.gateway.change(defence={"kernel": True})


def test_the_allowlist_comes_first_within_a_second(place: Place) -> None:
    began = time.monotonic()
    place.gateway.cli("allow", "add", "91.7.7.7", "--comment", "not that bad")
    assert place.lets_in(place.mallory)
    assert time.monotonic() - began < 5  # on an idle machine less than one; this one does other work beside
    place.gateway.cli("allow", "remove", "91.7.7.7")
    wait_for(lambda: not place.lets_in(place.mallory), "the list to count again")


def test_a_bad_list_changes_nothing_and_is_shown(place: Place) -> None:
    for content in (b"", b"0.0.0.0/0\n" + LISTED, LISTED[:30]):
        place.publisher.content = content
        place.gateway.cli("defence", "lists", "refresh", "drop", expect=1)
        assert "NOT TAKEN: drop" in place.gateway.cli("defence", "status")
        assert not place.lets_in(place.mallory)
    assert place.lists()["entries"] == 31
    assert place.gateway.wait_for_events(count=3, kind="BlocklistFailed", name="drop")


def test_a_list_without_them_lets_them_in_again(place: Place) -> None:
    place.publisher.content = OTHERS
    assert "0 added, 1 removed" in place.gateway.cli("defence", "lists", "refresh", "drop")
    assert place.lets_in(place.mallory)
    place.publisher.content = LISTED
    place.gateway.cli("defence", "lists", "refresh", "drop")
    assert not place.lets_in(place.mallory)


def test_what_somebody_took_out_of_the_edge_is_put_back(place: Place) -> None:
    place.gateway.change(defence={"kernel": False})
    place.gateway.runtime(f"clear map {place.gateway.map_file('listed')}")
    assert place.lets_in(place.mallory)
    wait_for(lambda: not place.lets_in(place.mallory), "the reconciler", seconds=60)
    place.gateway.change(defence={"kernel": True})


def test_a_restart_needs_no_publisher(place: Place) -> None:
    place.publisher.status = 500
    place.gateway.stop()
    place.gateway.start()
    assert not place.lets_in(place.mallory)
    assert place.lets_in(place.ann)


def test_a_list_in_shadow_tells_whom_it_would_have_refused(place: Place) -> None:
    drop = {"name": "drop", "url": place.publisher.url, "ca-file": str(place.publisher.ca_file), "mode": "shadow"}
    place.gateway.change(defence={"lists": [drop]})
    place.gateway.add_account("mia")
    with place.gateway.visitor(at=place.mallory) as stranger, place.gateway.visitor(at=place.mallory) as member:
        for _ in range(3):
            assert stranger.fetch("hello").status_code == 200
        member.log_in("mia")
        assert member.arrive("members").status_code == 200
    wait_for(lambda: place.gateway.access_log[-1]["account"] == "mia", "the access log")
    (row,) = json.loads(place.gateway.cli("defence", "report", "--json"))["detectors"]
    assert (row["detector"], row["sources"], list(row["accounts"])) == ("list drop", 1, ["mia"])
    assert row["requests"] > row["of_accounts"] > 0
    told = place.gateway.cli("defence", "report", "--since", "1h")
    assert f"list drop would have refused {row['requests']} requests, {row['of_accounts']} of them from" in told
