"""What rules about countries come down to at the edge: a file, and what the words in it mean.

    borders = Borders.read(directory / "4f1c….json")
    borders.map_file            # networks, and for each a word: 'a', 'b' …; all others have the word `elsewhere`
    borders.shut("wiki")        # {'b'}: the words of places from which the service may not be opened

A word stands for all places that the rules treat alike, so that a gateway with one rule has two words, and its file
holds whichever of the two takes fewer networks.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from portward.defense.geo.rules import GATEWAY
from portward.host import files


@dataclass(frozen=True, slots=True)
class Borders:
    """`words`: for each word the rules that refuse it. `counts`: how many `networks` the file holds."""

    map_file: Path
    elsewhere: str
    words: Mapping[str, tuple[str, ...]]
    counts: Mapping[str, int]

    def shut(self, rule: str) -> frozenset[str]:
        """The words that this rule refuses."""
        return frozenset(word for word, rules in self.words.items() if rule in rules)

    @property
    def has_gateway_rule(self) -> bool:
        return bool(self.shut(GATEWAY))

    @property
    def services(self) -> Mapping[str, frozenset[str]]:
        """The words that each service refuses."""
        names = sorted({rule for rules in self.words.values() for rule in rules} - {GATEWAY})
        return {name: self.shut(name) for name in names}

    def write(self, path: Path) -> None:
        document = {**asdict(self), "map_file": self.map_file.name}
        files.replace(path, json.dumps(document).encode())

    @staticmethod
    def read(path: Path) -> "Borders":
        """Raises `OSError`, `ValueError`, `KeyError` where it is not whole."""
        document: dict[str, Any] = json.loads(path.read_bytes())
        return Borders(
            map_file=path.parent / document["map_file"],
            elsewhere=document["elsewhere"],
            words={word: tuple(rules) for word, rules in document["words"].items()},
            counts=document["counts"],
        )
