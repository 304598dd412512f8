"""Sets of addresses as spans of whole numbers: what a long list is worked on with.

    spans = merged([span_of("192.0.2.0/25"), span_of("192.0.2.128/25")])
    list(networks_of(without(spans, [span_of("192.0.2.7/32")])))      # ['192.0.2.0/30', '192.0.2.4/31', …]

A span is (version, first, last), both ends included. `ipaddress` does the same with objects, ten times slower.
"""

import socket
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

Span = tuple[int, int, int]

BITS = {4: 32, 6: 128}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def span_of(network: str) -> Span:
    """The span of a network, or of one address; bits right of the mask don't matter. Raises `ValueError`."""
    text, slash, length = network.partition("/")
    version = 6 if ":" in text else 4
    try:
        address = int.from_bytes(socket.inet_pton(_FAMILIES[version], text), "big")
    except OSError:
        raise ValueError(f"{network!r} is no network") from None
    if slash and not (length.isascii() and length.isdigit() and int(length) <= BITS[version]):
        raise ValueError(f"{network!r} has no such prefix")
    rest = (1 << (BITS[version] - int(length))) - 1 if slash else 0
    return version, address & ~rest, address | rest


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same addresses in as few spans as possible, in order."""
    found: list[Span] = []
    for version, first, last in sorted(spans):
        if found and found[-1][0] == version and first <= found[-1][2] + 1:
            found[-1] = (version, found[-1][1], max(last, found[-1][2]))
        else:
            found.append((version, first, last))
    return found


def without(spans: Sequence[Span], holes: Iterable[Span]) -> list[Span]:
    """`spans`, which are merged, without every address of `holes`."""
    gaps = merged(holes)
    ends = [(version, last) for version, _, last in gaps]
    left: list[Span] = []
    for version, first, last in spans:
        at = bisect_right(ends, (version, first - 1))
        while at < len(gaps) and gaps[at][0] == version and gaps[at][1] <= last:
            if first < gaps[at][1]:
                left.append((version, first, gaps[at][1] - 1))
            first = gaps[at][2] + 1
            at += 1
        if first <= last:
            left.append((version, first, last))
    return left


def size(spans: Iterable[Span]) -> int:
    """How many addresses there are."""
    return sum(last - first + 1 for _, first, last in spans)


def networks_of(spans: Iterable[Span]) -> Iterator[str]:
    """The fewest networks that hold these addresses and no other, as text in CIDR notation."""
    for version, first, last in spans:
        while first <= last:
            room = (first & -first).bit_length() - 1 if first else BITS[version]
            span = min(room, (last - first + 1).bit_length() - 1)
            yield f"{_spell(version, first)}/{BITS[version] - span}"
            first += 1 << span


def _spell(version: int, address: int) -> str:
    return socket.inet_ntop(_FAMILIES[version], address.to_bytes(BITS[version] // 8, "big"))
