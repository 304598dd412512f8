"""Which country, or which network (AS), an address belongs to: a compact file that is read where it lies.

    with Atlas.open(path) as atlas:
        atlas.find(ip_address("192.0.2.1"))          # 'DE'; '' where nobody knows
        atlas.about["licence"]                       # 'PDDL-1.0'

A line of JSON that says where the data come from; then, for each family, the first address of each range, in order,
and a number for it: two letters of a country, or the number of an AS; 0 for nobody's. Nothing is loaded: a look-up
touches some pages of the file. Private addresses have no country (see special.py), whatever the data said.
"""

import json
import mmap
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

from portward.defense.geo.special import is_special
from portward.errors import Invalid
from portward.host import files

Kind = Literal["countries", "networks"]
Address = IPv4Address | IPv6Address
_MAGIC = b"portward-geo-1 "
_HEAD = 4096
_LOW = 2**64 - 1
END = {4: 2**32 - 1, 6: 2**128 - 1}
"""The last address of a family."""


def letters(number: int) -> str:
    """`DE` for the number of a country."""
    return number.to_bytes(2, "big").decode() if number else ""


def number_of(code: str) -> int:
    """The number of a country; 0 for what is none."""
    known = len(code) == 2 and code.isascii() and code.isalpha() and code.upper() != "ZZ"
    return int.from_bytes(code.upper().encode(), "big") if known else 0


@dataclass(slots=True)
class Ranges:
    """The ranges of one family: each begins at `first(n)`, has `values[n]`, and ends where the next one begins."""

    family: int
    low: Any = field(default_factory=lambda: array("Q"))
    high: Any = field(default_factory=lambda: array("Q"))
    values: Any = field(default_factory=lambda: array("I"))

    def __len__(self) -> int:
        return len(self.values)

    def first(self, number: int) -> int:
        return (self.high[number] << 64 | self.low[number]) if self.family == 6 else int(self.low[number])

    def append(self, first: int, value: int) -> None:
        """Begin a range. One that goes on with the same value is none of its own."""
        if self.values and self.values[-1] == value:
            return
        self.low.append(first & _LOW)
        if self.family == 6:
            self.high.append(first >> 64)
        self.values.append(value)

    def find(self, address: int) -> int:
        number = bisect_right(range(len(self)), address, key=self.first) - 1
        return int(self.values[number]) if number >= 0 else 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Last address and value of each range, from the first address of the family to its last."""
        for number in range(len(self) - 1):
            yield self.first(number + 1) - 1, self.values[number]
        yield END[self.family], self.values[-1] if self.values else 0


@dataclass(frozen=True, slots=True)
class Atlas:
    """`about`: kind, source, licence, date, digest, and how many ranges and addresses there are."""

    about: Mapping[str, Any]
    v4: Ranges
    v6: Ranges

    @staticmethod
    @contextmanager
    def open(path: Path) -> Iterator["Atlas"]:
        """Raises `Invalid` for a file that is none, and `OSError`."""
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            memoryview(content) as view,
            ExitStack() as stack,
        ):
            about = _about(content[:_HEAD], path)
            low4, low6, high6, v4, v6 = (stack.enter_context(part) for part in _parts(view, about, path))
            yield Atlas(about, Ranges(4, low4, (), v4), Ranges(6, low6, high6, v6))

    @staticmethod
    def about_of(path: Path) -> Mapping[str, Any]:
        """What is said of a file, without a look at its ranges. Raises `Invalid`, and `OSError`."""
        with path.open("rb") as file:
            return _about(file.read(_HEAD), path)

    def ranges(self, family: int) -> Ranges:
        return self.v4 if family == 4 else self.v6

    def find(self, address: Address) -> str:
        """`DE`, or `AS3320`; empty where nobody knows, and for addresses that are nobody's."""
        number = self.find_number(address)
        if not number:
            return ""
        return letters(number) if self.about["kind"] == "countries" else f"AS{number}"

    def find_number(self, address: Address) -> int:
        if is_special(int(address), address.version):
            return 0
        return self.ranges(address.version).find(int(address))


def write(path: Path, about: Mapping[str, Any], v4: Ranges, v6: Ranges) -> None:
    """Put a whole atlas in the place of the one before, in one step."""
    head = {**about, "byteorder": sys.byteorder, "v4": len(v4), "v6": len(v6)}
    line = (_MAGIC + json.dumps(head).encode()).ljust(_HEAD - 1) + b"\n"
    if len(line) != _HEAD:
        raise Invalid("the description of the data is too long")
    arrays = (array("Q", v4.low), v6.low, v6.high, v4.values, v6.values)
    files.replace(path, line + b"".join(part.tobytes() for part in arrays), mode=0o644)


def _about(head: bytes, path: Path) -> Mapping[str, Any]:
    try:
        if not head.startswith(_MAGIC):
            raise ValueError
        about: dict[str, Any] = json.loads(head[len(_MAGIC) :])
        if about["byteorder"] != sys.byteorder:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise Invalid(f"{path} holds no data that this gateway made", way_out="`portward geo update`") from None
    return about


def _parts(view: memoryview, about: Mapping[str, Any], path: Path) -> list[Any]:
    v4, v6 = int(about["v4"]), int(about["v6"])
    sizes: list[tuple[int, Literal["Q", "I"]]] = [(v4, "Q"), (v6, "Q"), (v6, "Q"), (v4, "I"), (v6, "I")]
    lengths = [count * (8 if kind == "Q" else 4) for count, kind in sizes]
    if len(view) != _HEAD + sum(lengths):
        raise Invalid(f"{path} is cut off", way_out="`portward geo update`")
    begins = accumulate(lengths, initial=_HEAD)
    parts = zip(begins, lengths, sizes, strict=False)
    return [view[begin : begin + length].cast(kind) for begin, length, (_, kind) in parts]
