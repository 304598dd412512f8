"""Addresses that belong to no country, whatever a set of data says of them.

is_special(int(ip_address("192.168.1.7")), 4)       # True

Private use, loopback, link-local, the provider's side of CGNAT (RFC 6598) and unique local addresses (RFC 4193), as
RFC 6890 lists them: whoever comes from there sits beside the gateway, or behind a router of its own.
"""

from ipaddress import ip_network

_NETWORKS = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
    *("::/127", "fc00::/7", "fe80::/10"),
)
SPECIAL = tuple(ip_network(text) for text in _NETWORKS)


def special_ranges(family: int) -> list[tuple[int, int]]:
    """First and last address of each such range of one family (4 or 6), in order."""
    return [(int(net[0]), int(net[-1])) for net in SPECIAL if net.version == family]


def is_special(address: int, family: int) -> bool:
    return any(first <= address <= last for first, last in special_ranges(family))
