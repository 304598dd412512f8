"""Spans agree with what `ipaddress` says."""

from ipaddress import IPv4Network, collapse_addresses, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from portward.defense.lists.spans import merged, networks_of, size, span_of, without

SMALL = st.builds(
    lambda offset, length: IPv4Network((int(ip_address("192.0.2.0")) + offset, length), strict=False),
    st.integers(0, 255),
    st.integers(24, 32),
)
NETWORKS = st.lists(SMALL, max_size=8)


def spans(networks: list[IPv4Network]) -> list[tuple[int, int, int]]:
    return merged(span_of(str(network)) for network in networks)


@given(NETWORKS)
def test_merging_is_collapsing(networks: list[IPv4Network]) -> None:
    assert [ip_network(text) for text in networks_of(spans(networks))] == list(collapse_addresses(networks))


@given(NETWORKS, NETWORKS)
def test_without_takes_away_exactly_the_holes(networks: list[IPv4Network], holes: list[IPv4Network]) -> None:
    left = without(spans(networks), [span_of(str(hole)) for hole in holes])
    every = {address for network in networks for address in network}
    gone = {address for hole in holes for address in hole}
    assert {ip_address(at) for _, first, last in left for at in range(first, last + 1)} == every - gone
    assert size(left) == len(every - gone)


def test_both_versions_end_where_their_addresses_do() -> None:
    found = merged([span_of("2001:db8::/32"), span_of("255.255.255.255"), span_of("0.0.0.1"), span_of("::")])
    assert list(networks_of(found)) == ["0.0.0.1/32", "255.255.255.255/32", "::/128", "2001:db8::/32"]
