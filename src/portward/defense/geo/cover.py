"""Ranges of addresses as networks, as few as there can be.

    list(cidrs(10, 20, 4))          # [(10, 31), (12, 30), (16, 30), (20, 32)]: first address and prefix
    list(overlay(one, another))     # two walks over all addresses as one, cut wherever either of them changes

A walk yields (last address, value) from the first address of a family to its last.
"""

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_ntop

from portward.defense.geo.atlas import END

Walk = Iterable[tuple[int, int]]
_BITS = {4: 32, 6: 128}


def cidrs(first: int, last: int, family: int) -> Iterator[tuple[int, int]]:
    """The fewest networks that hold exactly these addresses: first address and length of the prefix."""
    bits = _BITS[family]
    while first <= last:
        size = min((first & -first).bit_length() - 1 if first else bits, (last - first + 1).bit_length() - 1)
        yield first, bits - size
        first += 1 << size


def spell(first: int, prefix: int, family: int) -> str:
    """`192.0.2.0/24`."""
    text = inet_ntop(AF_INET if family == 4 else AF_INET6, first.to_bytes(_BITS[family] // 8, "big"))
    return f"{text}/{prefix}"


def overlay(*walks: Walk) -> Iterator[tuple[int, tuple[int, ...]]]:
    """All walks at once: the last address of each stretch in which none of them changes, and the value of each."""
    steps = [iter(walk) for walk in walks]
    now = [next(step) for step in steps]
    while True:
        end = min(last for last, _ in now)
        yield end, tuple(value for _, value in now)
        for number, step in enumerate(steps):
            if now[number][0] == end:
                following = next(step, None)
                if following is None:
                    return
                now[number] = following


def walk_over(ranges: Sequence[tuple[int, int]], family: int) -> Iterator[tuple[int, int]]:
    """1 for addresses in one of the ranges (first and last, in any order, overlapping or not), 0 for the others."""
    at = 0
    for first, last in sorted(ranges):
        if last < at:
            continue
        if first > at:
            yield first - 1, 0
        yield last, 1
        at = last + 1
    if at <= END[family]:
        yield END[family], 0


def ranges_of(networks: Iterable[str], family: int) -> list[tuple[int, int]]:
    """First and last address of the networks of one family."""
    found = [ip_network(text) for text in networks]
    return [(int(net[0]), int(net[-1])) for net in found if net.version == family]


def joined(walk: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """First, last and value of each longest stretch with the same value."""
    begin, end, before = 0, -1, None
    for last, value in walk:
        if before is not None and value != before:
            yield begin, end, before
            begin = end + 1
        end, before = last, value
    if before is not None:
        yield begin, end, before
