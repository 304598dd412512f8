"""Which of many networks an address lies in: one look for each length of prefix in use, however many there are.

    networks = NetworkMap()
    networks["203.0.113.0/24"] = "banned"
    networks.find("203.0.113.7")                # 'banned'
    networks.find("198.51.100.1")               # None

Networks are written as `ipaddress` does, and single addresses with or without `/32` and `/128`; they come back without.
A million of them take 150 MB.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import AF_INET, inet_pton
from typing import TypeVar

V = TypeVar("V")
_Kind = tuple[int, int]
"""Version and length of prefix."""
_MOST = {4: 32, 6: 128}


class NetworkMap(MutableMapping[str, V]):
    """A mapping from networks; raises `ValueError` for a text that is none."""

    def __init__(self) -> None:
        self._of: dict[_Kind, dict[int, V]] = {}

    def find(self, address: str) -> V | None:
        """The value of the smallest network that an address lies in; None where there is none."""
        one = ip_address(address)
        if isinstance(one, IPv6Address) and one.ipv4_mapped:
            one = one.ipv4_mapped
        for version, length in sorted(self._of, reverse=True):
            rest = _MOST[version] - length
            if version == one.version and (key := int(one) >> rest << rest) in (values := self._of[version, length]):
                return values[key]
        return None

    def __getitem__(self, network: str) -> V:
        kind, key = _place(network)
        return self._of.get(kind, {})[key]

    def __setitem__(self, network: str, value: V) -> None:
        kind, key = _place(network)
        self._of.setdefault(kind, {})[key] = value

    def __delitem__(self, network: str) -> None:
        kind, key = _place(network)
        del self._of.get(kind, {})[key]
        if not self._of[kind]:
            del self._of[kind]

    def __iter__(self) -> Iterator[str]:
        for (version, length), values in self._of.items():
            spell = IPv4Address if version == 4 else IPv6Address
            tail = "" if length == _MOST[version] else f"/{length}"
            yield from (f"{spell(key)}{tail}" for key in values)

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))


def _place(text: str) -> tuple[_Kind, int]:
    with suppress(OSError):  # most are an IPv4 address, for which `ipaddress` would take far longer
        return (4, 32), int.from_bytes(inet_pton(AF_INET, text))
    network = ip_network(text)
    return (network.version, network.prefixlen), int(network.network_address)
