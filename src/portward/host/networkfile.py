"""A file of networks in order, without overlaps, in which an address is found by reading a few lines of it.

    find(Path("listed.map"), "192.0.2.7")        # '192.0.2.0/24 drop', the line; empty where no line holds it

A line begins with its network; what follows a blank is somebody else's. So a hundred thousand networks need no memory.
"""

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import BinaryIO

_LONGEST = 128
Network = IPv4Network | IPv6Network


def find(file: Path, address: str) -> str:
    """The line whose network holds this address or network. Nothing is found in a file that is not there."""
    wanted: Network = ip_network(address.partition("%")[0], strict=False)
    if isinstance(wanted, IPv6Network) and wanted.prefixlen >= 96 and (plain := wanted[0].ipv4_mapped):
        wanted = IPv4Network((plain, wanted.prefixlen - 96))
    try:
        with file.open("rb") as opened:
            return _search(opened, wanted)
    except FileNotFoundError:
        return ""


def _search(opened: BinaryIO, wanted: Network) -> str:
    low, high = 0, opened.seek(0, os.SEEK_END)
    while low < high:
        begin, line = _line_at(opened, (low + high) // 2)
        network = None if line.startswith("#") else ip_network(line.split(" ", 1)[0])
        if network is not None and _holds(network, wanted):
            return line
        if network is None or _place(network) < _place(wanted):
            low = begin + len(line) + 1
        else:
            high = begin
    return ""


def _place(network: Network) -> tuple[int, int]:
    return network.version, int(network.network_address)


def _holds(outer: Network, inner: Network) -> bool:
    same = outer.version == inner.version and outer.prefixlen <= inner.prefixlen
    return same and int(inner.network_address) & int(outer.netmask) == int(outer.network_address)


def _line_at(opened: BinaryIO, at: int) -> tuple[int, str]:
    """Where the line begins that has this byte, and the line."""
    start = max(0, at - _LONGEST)
    opened.seek(start)
    begin = start + opened.read(at - start).rfind(b"\n") + 1
    opened.seek(begin)
    return begin, opened.readline().rstrip(b"\n").decode()
