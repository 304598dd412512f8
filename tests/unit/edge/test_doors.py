"""How the gateway reaches its own listeners."""

from ipaddress import ip_network

import pytest

from portward.config.values import Address
from portward.edge.doors import OWN_SOURCE, Door, doors


@pytest.mark.parametrize(
    ("listener", "ipv6", "wanted"),
    [
        (":8443", True, [Door("127.0.0.1", 8443), Door("::1", 8443)]),
        (":8443", False, [Door("127.0.0.1", 8443)]),
        ("192.0.2.1:443", True, [Door("192.0.2.1", 443)]),
        ("[2001:db8::1]:443", True, [Door("2001:db8::1", 443)]),
        ("[::]:443", True, [Door("::1", 443)]),
        ("0.0.0.0:443", True, [Door("127.0.0.1", 443)]),
    ],
)
def test_every_listener_is_reached_where_it_listens(listener: str, *, ipv6: bool, wanted: list[Door]) -> None:
    host, _, port = listener.rpartition(":")
    assert list(doors([Address(listener)], (), ipv6=ipv6)) == wanted
    assert (host, port) != ("", "")


def test_a_listener_that_expects_proxy_protocol_from_us_gets_it() -> None:
    networks = (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"))
    found = doors([Address(":443"), Address("10.0.0.1:443")], networks, ipv6=True)
    assert [door.proxied for door in found] == [True, False, True]
    assert [door.source for door in found] == [OWN_SOURCE, "::1", OWN_SOURCE]
