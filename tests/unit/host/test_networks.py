from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.host.networks import NetworkMap

_NETWORKS = st.sampled_from(
    ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32", "2001:db8::/64", "::1"]
)
_ADDRESSES = st.sampled_from(["10.1.2.3", "10.1.9.9", "10.200.0.1", "8.8.8.8", "2001:db8::5", "2001:db8:1::5", "::1"])


def test_the_smallest_network_of_an_address_is_found() -> None:
    networks: NetworkMap[str] = NetworkMap()
    networks["203.0.113.0/24"] = "network"
    networks["203.0.113.7"] = "address"
    assert (networks.find("203.0.113.7"), networks.find("203.0.113.8")) == ("address", "network")
    assert networks.find("::ffff:203.0.113.7") == "address"
    assert networks.find("198.51.100.1") is None
    assert networks.find("2001:db8::1") is None


def test_a_single_address_is_the_same_with_and_without_its_prefix() -> None:
    networks: NetworkMap[int] = NetworkMap()
    networks["203.0.113.7"] = 1
    networks["203.0.113.7/32"] = 2
    assert len(networks) == 1
    del networks["203.0.113.7"]
    assert networks.find("203.0.113.7") is None


def test_a_text_that_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="host bits"):
        NetworkMap[int]()["203.0.113.7/24"] = 1


@given(st.lists(st.tuples(st.booleans(), _NETWORKS)), _ADDRESSES)
def test_what_is_found_is_what_a_walk_over_all_would_find(steps: list[tuple[bool, str]], address: str) -> None:
    networks: NetworkMap[str] = NetworkMap()
    held: dict[object, str] = {}
    for added, network in steps:
        if added:
            networks[network] = network
            held[ip_network(network)] = network
        elif network in networks:
            del networks[network]
            del held[ip_network(network)]
    covering = [network for network in held if ip_address(address) in network]  # type: ignore[operator]
    smallest = max(covering, key=lambda network: network.prefixlen, default=None)  # type: ignore[attr-defined]
    assert networks.find(address) == (held[smallest] if smallest else None)
    assert len(networks) == len(held)
