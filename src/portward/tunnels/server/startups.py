"""How many connections may stand at the door without having said who they are.

    for peer in startups.enter(peer, "192.0.2.7"): peer.connection.drop("startups")

A bound that turned newcomers away would let 500 silent connections shut out everybody. So the newest comes in, and the
oldest of the address that has most must go; who is in the middle of a login is hardly ever that one.
"""

from collections import defaultdict
from collections.abc import Hashable
from ipaddress import IPv6Address, ip_address
from typing import Generic, TypeVar

OF_ONE_SOURCE = 40
OF_ALL = 400

G = TypeVar("G", bound=Hashable)


class Startups(Generic[G]):
    """Keeps those who have not logged in yet, oldest first."""

    def __init__(self, of_one: int = OF_ONE_SOURCE, of_all: int = OF_ALL) -> None:
        self._of_one, self._of_all = of_one, of_all
        self._sources: defaultdict[str, dict[G, None]] = defaultdict(dict)
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def enter(self, peer: G, address: str) -> list[G]:
        """Let one in. Returns those who must go for it."""
        mine = self._sources[source_of(address)]
        mine[peer] = None
        self._number += 1
        if len(mine) > self._of_one:
            return [self._oldest(mine)]
        if self._number > self._of_all:
            fullest = max(self._sources, key=lambda source: len(self._sources[source]))
            return [self._oldest(self._sources[fullest])]
        return []

    def _oldest(self, those: dict[G, None]) -> G:
        """The oldest, who stands at the door no longer."""
        peer = next(iter(those))
        del those[peer]
        self._number -= 1
        return peer

    def leave(self, peer: G, address: str) -> None:
        """One has logged in, or is gone. May be called again."""
        source = source_of(address)
        mine = self._sources.get(source, {})
        if peer in mine:
            del mine[peer]
            self._number -= 1
        if not mine:
            self._sources.pop(source, None)


def source_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 one."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped) if ip.ipv4_mapped else f"{IPv6Address(int(ip) >> 64 << 64)}/64"
    return str(ip)
