"""Which destinations a key may reach through the gateway. Pure.

    permitted(key.reach, "db.internal", 5432, [ip_address("10.0.0.5")], own=())    # [IPv4Address('10.0.0.5')]

A name is judged twice: as it is written, and by the addresses that it stands for, since whoever controls a name
chooses its addresses (DNS rebinding). Only addresses that this module returns are connected to.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

IpAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")


def permitted(
    reach: Iterable[str], host: str, port: int, addresses: Sequence[IpAddress], own: Iterable[str]
) -> list[IpAddress]:
    """The addresses of `host` that may be connected to. Empty: refused.

    A rule for a name or pattern covers the addresses that the name stands for, except those of the gateway itself:
    loopback, link-local (cloud metadata), unspecified, multicast and `own`. A rule for an address or network covers
    every address in it, however it was named.
    """
    rules = [(pattern, ports) for pattern, ports in map(_parts, reach) if ports in ("*", str(port))]
    networks = [network for pattern, _ in rules if (network := _network(pattern)) is not None]
    named = any(_covers(pattern, host) for pattern, _ in rules if _network(pattern) is None)
    sheltered = [network for network in map(_network, own) if network is not None]
    return [
        address
        for address in map(plain, addresses)
        if _within(address, networks) or (named and not _is_gateways(address) and not _within(address, sheltered))
    ]


def plain(address: IpAddress) -> IpAddress:
    """The IPv4 address that is hidden in an IPv6 one (RFC 4291 section 2.5.5.2, RFC 6052), or the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def literal(host: str) -> IpAddress | None:
    """The address that `host` spells; None for a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _parts(rule: str) -> tuple[str, str]:
    host, _, ports = rule.rpartition(":")
    return host.replace("[", "").replace("]", ""), ports


def _network(pattern: str) -> Network | None:
    try:
        return ip_network(pattern, strict=False)
    except ValueError:
        return None


def _covers(pattern: str, host: str) -> bool:
    name, wanted = host.lower().rstrip("."), pattern.lower()
    if literal(name) is not None:
        return False
    return name.endswith(wanted[1:]) if wanted.startswith("*") else name == wanted


def _within(address: IpAddress, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _is_gateways(address: IpAddress) -> bool:
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
