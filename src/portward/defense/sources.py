"""How a source is spelt, so that one is one: the key of bans and of counting.

source_of("::ffff:203.0.113.7", "prefix")       # '203.0.113.7'
source_of("2001:db8:0:1::5", "prefix")          # '2001:db8:0:1::/64'
source_of("203.0.113.7", "network")             # '203.0.113.0/24'
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from portward.config.detectors import Scope

_LENGTHS: dict[Scope, tuple[int, int]] = {
    "address": (32, 128),
    "prefix": (32, 64),
    "account": (32, 64),
    "network": (24, 48),
}
"""Of IPv4 and IPv6. Who has one IPv6 address has at least a /64 (RFC 6177), and often a /48."""


@lru_cache(maxsize=4096)
def source_of(address: str, scope: Scope) -> str:
    """The source that an address counts as; empty for a text that is no address."""
    parsed = _parsed(address)
    if parsed is None:
        return ""
    bits = _LENGTHS[scope][parsed.version == 6]
    return str(parsed) if bits == parsed.max_prefixlen else str(ip_network((int(parsed), bits), strict=False))


@lru_cache(maxsize=4096)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(parsed, "ipv4_mapped", None)
    return mapped if isinstance(mapped, IPv4Address) else parsed
