"""What one visitor may ask of a service, and from where: the end of a route's line, and a map of networks.

    bounds = bounds_of(settings)
    bounds.tail("wiki")         # '|60|10|20|1048576|1|1|wiki|30|1'; '' for a service without any
    bounds.sources              # {'10.0.0.0/8': '1'}

Each service with lists has a bit. The value of a network holds the bits of the services whose lists settle it, so that
one lookup of the longest network that holds an address answers for all of them. What the fields mean is said in
haproxy.cfg.j2, where they are read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from portward.config import Settings
from portward.config.limits import ServiceLimits
from portward.config.settings import ServiceSettings

Network = IPv4Network | IPv6Network
NO_LIMIT = 2**53
"""More than anybody can count up to."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Networks from which a service may be asked (none: all), and from which it may not."""

    allow: frozenset[Network]
    deny: frozenset[Network]

    def settled(self, networks: Iterable[Network]) -> set[Network]:
        """Of these networks, those whose addresses get the other answer than one that no list holds.

        Where somebody is allowed, that is to be let in; where somebody is only denied, to be refused.
        """
        allow, deny = _Covered(self.allow), _Covered(self.deny)
        if self.allow:
            return {network for network in networks if allow.holds(network) and not deny.holds(network)}
        return {network for network in networks if deny.holds(network)}


class _Covered:
    """What many networks cover: one look for each length of prefix among them."""

    def __init__(self, networks: frozenset[Network]) -> None:
        self._networks = networks
        self._lengths = sorted({(network.version, network.prefixlen) for network in networks})

    def holds(self, network: Network) -> bool:
        return any(
            network.supernet(new_prefix=length) in self._networks
            for version, length in self._lengths
            if version == network.version and length <= network.prefixlen
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """`counts` (keys of `ServiceLimits`), `sizes` and `lists` say which of the rules are needed at all."""

    tails: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    counts: frozenset[str] = frozenset()
    sizes: bool = False
    lists: bool = False

    def tail(self, service: str) -> str:
        return self.tails.get(service, "")

    def __bool__(self) -> bool:
        return bool(self.tails)


NO_BOUNDS = Bounds()


def bounds_of(settings: Settings) -> Bounds:
    """The bounds of every HTTP service that has any."""
    services = {name: service for name, service in settings.services.items() if _has_bounds(service)}
    lists = {name: _lists(service, settings) for name, service in services.items()}
    bits = {group: 1 << number for number, group in enumerate(dict.fromkeys(filter(None, lists.values())))}
    marks = _marks(settings)
    return Bounds(
        tails={
            name: _tail(name, service, settings, lists[name], bits) + _new(service, marks.get(name))
            for name, service in services.items()
        },
        sources=_sources(bits),
        counts=frozenset((*_COUNTED, "new_connections"))
        & {key for service in services.values() for key in _given(service.limits)},
        sizes=any(service.limits.body is not None for service in services.values()),
        lists=bool(bits),
    )


_COUNTED = ("requests", "burst", "connections")


def _given(limits: ServiceLimits) -> set[str]:
    return {name for name in ServiceLimits.model_fields if getattr(limits, name) is not None}


def _has_bounds(service: ServiceSettings) -> bool:
    return service.kind == "http" and bool(service.allow_from or service.deny_from or _given(service.limits))


def _lists(service: ServiceSettings, settings: Settings) -> Lists | None:
    if not service.allow_from and not service.deny_from:
        return None
    allow, deny = settings.networks_of(service.allow_from), settings.networks_of(service.deny_from)
    return Lists(frozenset(allow), frozenset(deny))


def _tail(
    name: str, service: ServiceSettings, settings: Settings, lists: Lists | None, bits: Mapping[Lists, int]
) -> str:
    counted = [getattr(service.limits, key) or NO_LIMIT for key in _COUNTED]
    body = service.limits.body or settings.limits.body or NO_LIMIT
    bit = bits[lists] if lists else 0
    wanted = bit if lists and lists.allow else 0
    return "|" + "|".join(map(str, (*counted, body, bit, wanted, name)))


def _new(service: ServiceSettings, mark: int | None) -> str:
    return f"|{service.limits.new_connections}|{mark}" if mark else ""


def _marks(settings: Settings) -> dict[str, int]:
    """For each service that counts new connections a bit that no other such service of the same host has."""
    counting = [name for name, service in settings.services.items() if service.limits.new_connections]
    hosts = {name: {route.host for route in settings.routes if route.service == name} for name in counting}
    marks: dict[str, int] = {}
    for name in filter(hosts.get, counting):
        taken = sum({mark for other, mark in marks.items() if hosts[other] & hosts[name]})
        marks[name] = ~taken & (taken + 1)
    return marks


def _sources(bits: Mapping[Lists, int]) -> dict[str, str]:
    """Every network of every list, and the bits of those lists that it settles; 0 undoes what a larger one settles."""
    values = {network: 0 for lists in bits for network in (*lists.allow, *lists.deny)}
    for lists, bit in bits.items():
        for network in lists.settled(values):
            values[network] |= bit
    return {str(network): str(value) for network, value in values.items()}
