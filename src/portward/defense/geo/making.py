"""From rows that somebody published to an atlas, if they make sense.

    made = make(rows(path, "countries"))
    refuse_poorer(made, than=current)               # raises Invalid for less than half of what is there

Ranges may come in any order. Of two that overlap, the narrower counts; where that happens often, the set is refused.
"""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from portward.defense.geo.atlas import END, Ranges
from portward.defense.geo.sources import Row
from portward.errors import Invalid

MOST_RANGES = 4_000_000
_FEW = 10
"""Contradictions that are no more than slips, beside one of twenty ranges."""
_LOW = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Made:
    """`counts`: `ranges` that were read, IPv4 `addresses` and IPv6 `/48s` with a value, and different `values`."""

    v4: Ranges
    v6: Ranges
    counts: Mapping[str, int]


@dataclass(slots=True)
class _Family:
    """Rows as plain numbers: a million of them as objects would take 200 MB."""

    family: int
    first: tuple[Any, Any]
    last: tuple[Any, Any]
    values: Any

    @staticmethod
    def empty(family: int) -> "_Family":
        return _Family(family, (array("Q"), array("Q")), (array("Q"), array("Q")), array("I"))

    def add(self, row: Row) -> None:
        for place, address in ((self.first, row.first), (self.last, row.last)):
            place[0].append(address >> 64)
            place[1].append(address & _LOW)
        self.values.append(row.value)

    def row(self, number: int) -> tuple[int, int, int]:
        (first_high, first_low), (last_high, last_low) = self.first, self.last
        first = first_high[number] << 64 | first_low[number]
        return first, last_high[number] << 64 | last_low[number], self.values[number]

    def ordered(self) -> Iterable[int]:
        """Numbers of rows, in order; published sets are so already."""
        numbers = range(len(self.values))
        if all(self._place(n - 1) <= self._place(n) for n in numbers[1:]):
            return numbers
        return sorted(numbers, key=self._place)

    def _place(self, number: int) -> tuple[int, int, int, int]:
        """By first address; of those that begin together, the widest first."""
        (first_high, first_low), (last_high, last_low) = self.first, self.last
        return first_high[number], first_low[number], -last_high[number], -last_low[number]


def make(rows: Iterable[Row]) -> Made:
    """Raises `Invalid` for none, too many, and ranges that contradict each other."""
    families = {4: _Family.empty(4), 6: _Family.empty(6)}
    count = 0
    for row in rows:
        count += 1
        if count > MOST_RANGES:
            raise Invalid(f"these are more than {MOST_RANGES} ranges")
        families[row.family].add(row)
    if not count:
        raise Invalid("no range with a country or a network is in it", way_out="is it the right file?")
    (v4, addresses), (v6, wide) = (_joined(families[family]) for family in (4, 6))
    values = {*v4.values, *v6.values} - {0}
    return Made(v4, v6, {"ranges": count, "addresses": addresses, "/48s": wide >> 80, "values": len(values)})


@dataclass(slots=True)
class _Sweep:
    """Walks through the addresses of a family from the first to the last; where ranges overlap, the narrower counts."""

    ranges: Ranges
    open: list[tuple[int, int]] = field(default_factory=list)
    """Last address and value of the ranges that have begun, the narrowest at the end."""
    at: int = 0
    covered: int = 0

    def go_to(self, end: int) -> None:
        """Write down everything before `end`."""
        while self.at < end:
            while self.open and self.open[-1][0] < self.at:
                self.open.pop()
            last, value = self.open[-1] if self.open else (end - 1, 0)
            self.ranges.append(self.at, value)
            stop = min(last + 1, end)
            self.covered += stop - self.at if value else 0
            self.at = stop

    def begin(self, last: int, value: int) -> bool:
        """Open a range here. Returns whether it contradicts the one that it lies in."""
        while self.open and self.open[-1][0] < self.at:
            self.open.pop()
        contradicts = bool(self.open) and self.open[-1][1] != value
        self.open.append((last, value))
        return contradicts


def _joined(family: _Family) -> tuple[Ranges, int]:
    """Ranges that cover the whole family, gaps included, and how many addresses have a value."""
    sweep, contradictions = _Sweep(Ranges(family.family)), 0
    for number in family.ordered():
        first, last, value = family.row(number)
        sweep.go_to(first)
        contradictions += sweep.begin(last, value)
        if contradictions > _FEW + len(family.values) // 20:
            raise Invalid(f"ranges overlap and contradict each other, for one where {_spell(first)} begins")
    sweep.go_to(END[family.family] + 1)
    return sweep.ranges, sweep.covered


def _spell(number: int) -> str:
    return str(ip_address(number))


def refuse_poorer(made: Made, than: Mapping[str, Any] | None) -> None:
    """Raises `Invalid` where so much is missing that the download must have been cut off, or is something else."""
    for what in ("ranges", "addresses", "/48s", "values"):
        before, now = int(than[what]) if than else 0, made.counts[what]
        if now < before / 2:
            raise Invalid(
                f"it has {now} {what}, and what is in use has {before}: less than half",
                way_out="look at the file; --anyway takes it all the same",
            )
