"""Which of many networks an address lies in: one look for each length of prefix in use, however many there are.

    networks = NetworkMap()
    networks["203.0.113.0/24"] = "banned"
    networks.find("203.0.113.7")                # 'banned'
    networks.find("198.51.100.1")               # None

Networks are written as `ipaddress` does, single addresses with or without `/32` and `/128`.
"""

from collections import Counter
from collections.abc import Iterator, MutableMapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeVar

V = TypeVar("V")
Network = IPv4Network | IPv6Network
_Key = tuple[int, int, int]


class NetworkMap(MutableMapping[str, V]):
    """A mapping from networks; raises `ValueError` for a text that is none."""

    def __init__(self) -> None:
        self._values: dict[_Key, tuple[str, V]] = {}
        self._lengths: Counter[tuple[int, int]] = Counter()

    def find(self, address: str) -> V | None:
        """The value of the smallest network that an address lies in; None where there is none."""
        one = ip_address(address)
        if isinstance(one, IPv6Address) and one.ipv4_mapped:
            one = one.ipv4_mapped
        lengths = sorted((length for version, length in self._lengths if version == one.version), reverse=True)
        for length in lengths:
            rest = one.max_prefixlen - length
            if found := self._values.get((one.version, length, int(one) >> rest << rest)):
                return found[1]
        return None

    def __getitem__(self, network: str) -> V:
        return self._values[_key(network)][1]

    def __setitem__(self, network: str, value: V) -> None:
        key = _key(network)
        if key not in self._values:
            self._lengths[key[:2]] += 1
        self._values[key] = network, value

    def __delitem__(self, network: str) -> None:
        key = _key(network)
        del self._values[key]
        self._lengths[key[:2]] -= 1
        if not self._lengths[key[:2]]:
            del self._lengths[key[:2]]

    def __iter__(self) -> Iterator[str]:
        return (text for text, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)


def _key(text: str) -> _Key:
    network: Network = ip_network(text)
    return network.version, network.prefixlen, int(network.network_address)
