"""Cuts from the data what the rules need: the program `python -m portward.defense.geo.compiling`.

    echo '{"countries": "/…/countries.geo", "networks": null, "rules": {…}, "target": "/…/4f1c.json"}' | …

Half a million ranges take it some seconds and 100 MB, which end with it; the gateway goes on meanwhile.
"""

import json
import os
import string
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import count, product
from pathlib import Path
from typing import IO, Any

from portward.defense.geo.atlas import END, Atlas, letters
from portward.defense.geo.borders import Borders
from portward.defense.geo.cover import Walk, cidrs, joined, overlay, ranges_of, spell, walk_over
from portward.defense.geo.rules import Rule, read, verdict
from portward.defense.geo.special import special_ranges
from portward.errors import PortwardError

_FAMILIES = (4, 6)
_LOW = 2**64 - 1


class Words:
    """Which rules refuse a place, as a number; places that are treated alike have the same one."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._numbers: dict[tuple[str, ...], int] = {}
        self._known: dict[tuple[int, ...], int] = {}

    def of(self, place: tuple[int, ...]) -> int:
        """`place`: country, AS, whether it belongs to no country at all, and for each rule whether it is excepted."""
        number = self._known.get(place)
        if number is None:
            number = self._known[place] = self._numbers.setdefault(self._refusing(place), len(self._numbers))
        return number

    def refusing(self) -> list[tuple[str, ...]]:
        """The rules that refuse, by number."""
        return list(self._numbers)

    def _refusing(self, place: tuple[int, ...]) -> tuple[str, ...]:
        country, network, special, *excepted = place
        if special:
            return ()
        return tuple(
            name
            for (name, rule), apart in zip(self._rules.items(), excepted, strict=True)
            if not apart and verdict(rule, letters(country), network)
        )


class Stretches:
    """First, last and word of every stretch of one family; as plain numbers, since there may be half a million."""

    def __init__(self, family: int) -> None:
        self.family = family
        self._numbers = tuple(array("Q") for _ in range(4))
        self._words = array("I")

    def add(self, first: int, last: int, word: int) -> None:
        for column, value in zip(self._numbers, (first >> 64, first & _LOW, last >> 64, last & _LOW), strict=True):
            column.append(value)
        self._words.append(word)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        for a, b, c, d, word in zip(*self._numbers, self._words, strict=True):
            yield a << 64 | b, c << 64 | d, word


def compile_rules(countries: Path | None, networks: Path | None, rules: Mapping[str, Rule], target: Path) -> Borders:
    """Write the files of `rules` beside `target`, and `target` last. Raises `Invalid`, `OSError`."""
    words = Words(rules)
    with ExitStack() as stack:
        atlases = [stack.enter_context(Atlas.open(path)) if path else None for path in (countries, networks)]
        found = [_stretches(family, atlases, rules, words) for family in _FAMILIES]
    needed = Counter[int]()
    for stretches in found:
        for first, last, word in stretches:
            needed[word] += sum(1 for _ in cidrs(first, last, stretches.family))
    elsewhere = max(needed, key=lambda word: (needed[word], -word))
    names = dict(zip(range(len(words.refusing())), _names(), strict=False))
    refusing = dict(enumerate(words.refusing()))
    borders = Borders(
        map_file=target.with_suffix(".map"),
        elsewhere=names[elsewhere],
        words={names[number]: rules for number, rules in refusing.items()},
        counts={"networks": sum(needed.values()) - needed[elsewhere]},
    )
    with _whole(borders.map_file) as file:
        _write_map(file, found, names, elsewhere)
    borders.write(target)
    return borders


def _stretches(family: int, atlases: list[Atlas | None], rules: Mapping[str, Rule], words: Words) -> Stretches:
    walks: list[Walk] = [atlas.ranges(family) if atlas else ((END[family], 0),) for atlas in atlases]
    walks.append(walk_over(special_ranges(family), family))
    walks += [walk_over(ranges_of(rule.exceptions, family), family) for rule in rules.values()]
    found = Stretches(family)
    for first, last, word in joined((last, words.of(place)) for last, place in overlay(*walks)):
        found.add(first, last, word)
    return found


def _names() -> Iterator[str]:
    """a, b … z, aa, ab …"""
    for length in count(1):
        for part in product(string.ascii_lowercase, repeat=length):
            yield "".join(part)


def _write_map(file: IO[str], found: Iterable[Stretches], names: Mapping[int, str], elsewhere: int) -> None:
    for stretches in found:
        for first, last, word in stretches:
            if word != elsewhere:
                for start, prefix in cidrs(first, last, stretches.family):
                    file.write(f"{spell(start, prefix, stretches.family)} {names[word]}\n")


@contextmanager
def _whole(path: Path) -> Iterator[IO[str]]:
    """A file that is there when it is whole, without its megabytes in memory."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def main() -> int:
    order: dict[str, Any] = json.load(sys.stdin)
    countries, networks = (Path(order[name]) if order[name] else None for name in ("countries", "networks"))
    try:
        compile_rules(countries, networks, read(order["rules"]), Path(order["target"]))
    except (PortwardError, OSError) as error:
        print(str(error).splitlines()[0], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
