"""The way of an ordinary visitor, from nothing to the page that was wanted."""

import socket
from contextlib import suppress

from tests.lives.conftest import MakeGateway
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.raw import ask, request
from tests.lives.upstream import Upstream
from tests.lives.visitor import Visitor
from tests.lives.waiting import wait_for


def test_a_member_comes_through_the_login_to_the_very_page(gateway: Gateway, ann: Visitor, upstream: Upstream) -> None:
    page = ann.arrive("wiki", "/echo?x=1&y=%C3%A4")
    assert str(page.url) == gateway.url("wiki", "/echo?x=1&y=%C3%A4")
    assert page.json()["path"] == "/echo?x=1&y=%C3%A4"
    assert upstream.seen("/echo?x=1")[-1].one("Remote-User") == "ann"


def test_a_gateway_stops_cleanly_and_starts_again(make_gateway: MakeGateway) -> None:
    gateway = make_gateway({"hello": {"upstream": "demo"}})
    gateway.enrol_owner().close()
    gateway.stop()
    gateway.start()
    with gateway.log_in("owner") as owner:
        assert owner.arrive("hello").status_code == 200


def test_a_gateway_sees_the_public_addresses_of_the_machines_in_its_network(network: Network) -> None:
    at = network.host("45.90.0.1", "2a0e:b107::1")
    visitors = [network.host("91.7.7.7"), network.host("2a0e:1:2:3::7")]
    with (
        short_directory() as directory,
        Gateway(directory, {"hello": {"upstream": "demo", "access": "public"}}, at=at) as gateway,
    ):
        for host in visitors:
            with gateway.visitor(at=host) as visitor:
                assert visitor.visit("hello").status_code == 200
            assert ask(gateway, "hello", request("hello.gate.test"), at=host).status == 200
        wait_for(lambda: len(gateway.access_log) == 4, "the access log")
        assert [line["ip"] for line in gateway.access_log] == [host.address for host in visitors for _ in range(2)]
        assert gateway.cli("status")


def test_a_machine_that_is_cut_off_reaches_nobody_until_the_link_is_mended(network: Network) -> None:
    near, far = network.host("45.90.0.2"), network.host("91.7.7.8")
    assert ping(far, near)
    far.cut()
    assert not ping(far, near)
    far.mend()
    assert ping(far, near)


def ping(far: Host, near: Host) -> bool:
    with near.inside(), socket.create_server((near.address, 0)) as listener:
        port = listener.getsockname()[1]
        with far.inside(), suppress(TimeoutError), socket.create_connection((near.address, port), 0.5):
            return True
    return False
