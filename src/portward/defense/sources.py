"""How a source is spelt, so that one is one: the key of bans and of counting.

source_of("::ffff:203.0.113.7", "prefix")       # '203.0.113.7'
source_of("2001:db8:0:1::5", "prefix")          # '2001:db8:0:1::/64'
source_of("203.0.113.7", "network")             # '203.0.113.0/24'
"""

from functools import lru_cache
from ipaddress import IPv4Address, ip_address, ip_network

from portward.config.detectors import Scope

_PLACES: dict[Scope, int] = {"address": 0, "prefix": 1, "account": 1, "network": 2}


def source_of(address: str, scope: Scope) -> str:
    """The source that an address counts as; empty for a text that is no address."""
    return sources_of(address)[_PLACES[scope]]


@lru_cache(maxsize=16_384)
def sources_of(address: str) -> tuple[str, str, str]:
    """The same for the scopes address, prefix and network: /32 and /128, /32 and /64, /24 and /48.

    Who has one IPv6 address has at least a /64 (RFC 6177), and often a /48.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "", "", ""
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped if isinstance(mapped, IPv4Address) else parsed
    own = str(parsed)
    if isinstance(parsed, IPv4Address):
        return own, own, f"{own.rpartition('.')[0]}.0/24"
    prefix, network = (str(ip_network((int(parsed), bits), strict=False)) for bits in (64, 48))
    return own, prefix, network
