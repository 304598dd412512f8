"""Who can't be banned, and why: whoever shuts out himself, or what all others come through, loses the gateway.

why_exempt(ip_network("127.0.0.1"), exemptions)     # '127.0.0.1 is this machine itself'
why_exempt(ip_network("203.0.113.7"), exemptions)   # ''
"""

from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from socket import AF_INET, inet_pton

from portward.errors import Invalid

Network = IPv4Network | IPv6Network
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1"), ip_network("0.0.0.0/8"), ip_network("::"))
_PRIVATE = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),  # RFC 1918, RFC 4193
        *("169.254.0.0/16", "fe80::/10"),  # link-local: RFC 3927, RFC 4291
        *("100.64.0.0/10",),  # carriers' and overlays' own (RFC 6598)
    )
)
_WIDEST = {4: 8, 6: 16}


@dataclass(frozen=True, slots=True)
class Exemptions:
    """What protects: `own` and `gateways` are addresses, the others networks; `private` by the operator's choice."""

    own: tuple[Network, ...] = ()
    gateways: tuple[Network, ...] = ()
    proxies: tuple[Network, ...] = ()
    allowed: tuple[Network, ...] = ()
    private: bool = True

    @property
    def networks(self) -> tuple[Network, ...]:
        """Everything that is protected."""
        private = _PRIVATE if self.private else ()
        return (*_LOOPBACK, *self.own, *self.gateways, *self.proxies, *self.allowed, *private)


class Fence:
    """Around all that is protected: tells at once of most networks that they may be banned.

    fence = Fence(exemptions)
    fence.touches(ip_network("203.0.113.7"))        # False: `why_exempt` has nothing to say
    """

    def __init__(self, exemptions: Exemptions) -> None:
        four = collapse_addresses(one for one in exemptions.networks if isinstance(one, IPv4Network))
        six = collapse_addresses(one for one in exemptions.networks if isinstance(one, IPv6Network))
        self._ends = {version: [(int(n[0]), int(n[-1])) for n in all_] for version, all_ in ((4, four), (6, six))}

    def touches(self, network: Network) -> bool:
        """Whether one of the protected is in it, or it in one of them, or it is too large for any ban."""
        first, ends = int(network.network_address), self._ends[network.version]
        last = first | int(network.hostmask)
        at = bisect_right(ends, (last, last))
        return network.prefixlen < _WIDEST[network.version] or (at > 0 and ends[at - 1][1] >= first)


def why_exempt(network: Network, exemptions: Exemptions) -> str:
    """Why this may not be banned, in a sentence; empty where it may.

    A network that only holds allowed ones may: the allowlist comes first, so they stay free inside of it.
    """
    if network.prefixlen < _WIDEST[network.version]:
        return f"{spell(network)} is a large part of the internet; the widest that can be banned is a /8, in IPv6 a /16"
    reasons = (
        (_LOOPBACK, "is this machine itself"),
        (exemptions.own, "is an address of this machine"),
        (exemptions.gateways, "is the way to the internet, the default gateway"),
        (exemptions.proxies, "is a trusted proxy (`proxies` in portward.toml), and all of its visitors with it"),
        (_PRIVATE if exemptions.private else (), "is a private network (`defence.protect-private`)"),
    )
    for protected, reason in reasons:
        if hit := _first_overlap(network, protected):
            return _sentence(network, hit, reason)
    if any(_within(network, allowed) for allowed in exemptions.allowed):
        return f"{spell(network)} is on the allowlist (`defence.allow` in portward.toml), which comes first"
    return ""


def canonical(text: str) -> str:
    """An address or network as the ledger writes it. Raises `Invalid` for anything else.

    An IPv4 address in IPv6's clothes (`::ffff:192.0.2.1`) is that IPv4 address; an interface (`%eth0`) is left away.
    """
    plain = text.strip()
    with suppress(OSError, ValueError):  # most are an IPv4 address, for which `ipaddress` would take far longer
        inet_pton(AF_INET, plain)
        return plain
    return spell(network_of(text))


def network_of(text: str) -> Network:
    """As `canonical`, but the network itself."""
    try:
        network = ip_network(text.strip().partition("%")[0], strict=False)
    except ValueError as error:
        raise Invalid(
            f"{text[:80]!r} is no address and no network", way_out="write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/64"
        ) from error
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and (plain := network[0].ipv4_mapped):
        return IPv4Network((plain, network.prefixlen - 96))
    return network


def spell(network: Network) -> str:
    """`203.0.113.7` for a single address, `203.0.113.0/24` for more."""
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _first_overlap(network: Network, protected: Iterable[Network]) -> Network | None:
    return next((one for one in protected if _overlap(network, one)), None)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def _sentence(network: Network, hit: Network, reason: str) -> str:
    if _within(network, hit):
        within = "" if network == hit else f", in {spell(hit)}," if hit.prefixlen < hit.max_prefixlen else ""
        return f"{spell(network)}{within} {reason}"
    return f"{spell(network)} holds {spell(hit)}, which {reason}"
