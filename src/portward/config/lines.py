"""Where in a TOML text a key stands. tomllib reads values but forgets their lines; this reads lines and forgets values.

    statements("[services.hello]\nupstream = 'demo'")
    # Statement(path=("services", "hello"), first=1, last=1, header=True),
    # Statement(path=("services", "hello", "upstream"), first=2, last=2, header=False)

The text must be one that tomllib has accepted (TOML 1.0): no mistake is looked for here.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t]*")
_GAP = re.compile(r"(?:[\s,]+|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'  # a closing run may hold two quotes of the text
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]*")


@dataclass(frozen=True, slots=True)
class Statement:
    """One table header or one `key = value`; lines count from 1 and include both ends."""

    path: KeyPath
    first: int
    last: int
    header: bool


def statements(text: str) -> tuple[Statement, ...]:
    """Every statement of the text, in its order. Tables of arrays carry their number in the path."""
    return tuple(_Scanner(text).statements())


def lines(text: str) -> dict[KeyPath, int]:
    """The line of every key and every element, also inside inline tables and arrays, by its path."""
    scanner = _Scanner(text)
    for _ in scanner.statements():
        pass
    return scanner.lines


def line_of(path: KeyPath, known: dict[KeyPath, int]) -> int:
    """The line of a key, or of the nearest table around it that the text names; 0 where there is none."""
    while path and path not in known:
        path = path[:-1]
    return known.get(path, 0)


@dataclass
class _Scanner:
    text: str
    at: int = 0
    table: KeyPath = ()
    lines: dict[KeyPath, int] = field(default_factory=dict)
    counts: dict[KeyPath, int] = field(default_factory=dict)

    def statements(self) -> Iterator[Statement]:
        self._skip(_GAP)
        while self.at < len(self.text):
            start, header = self.at, self.text[self.at] == "["
            path = self._header() if header else self._pair(self.table)
            yield Statement(path, self._line(start), self._line(self.at - 1), header)
            self._skip(_GAP)

    def _header(self) -> KeyPath:
        line, many = self._line(self.at), self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        path: KeyPath = ()
        for key in self._keys():
            path = self._within((*path, key))
            self.lines.setdefault(path, line)
        if not many:
            self.lines[path] = line
        self.at += 2 if many else 1
        self.table = self._append(path, line) if many else path
        return self.table

    def _within(self, path: KeyPath) -> KeyPath:
        """A header that goes through an array of tables means its latest element."""
        return (*path, self.counts[path] - 1) if path in self.counts else path

    def _append(self, path: KeyPath, line: int) -> KeyPath:
        array = path[:-1] if isinstance(path[-1], int) else path
        number = self.counts.get(array, 0)
        self.counts[array] = number + 1
        self.lines[(*array, number)] = line
        return (*array, number)

    def _pair(self, table: KeyPath) -> KeyPath:
        line, path = self._line(self.at), table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign, at which _keys stops
        self._skip(_BLANK)
        self._value(path)
        return path

    def _keys(self) -> Iterable[str]:
        keys = []
        while True:
            self._skip(_BLANK)
            quoted = self.text[self.at] in "\"'"
            word = self._skip(_STRING if quoted else _BARE_KEY)
            keys.append(_unquote(word) if quoted else word)
            self._skip(_BLANK)
            if self.text[self.at] != ".":
                return keys
            self.at += 1

    def _value(self, path: KeyPath) -> None:
        match self.text[self.at]:
            case "[":
                self._array(path)
            case "{":
                self._inline(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                value = self._skip(_BARE_VALUE)
                self.at -= len(value) - len(value.rstrip())

    def _array(self, path: KeyPath) -> None:
        self.at += 1
        self._skip(_GAP)
        number = 0
        while self.text[self.at] != "]":
            self.lines[(*path, number)] = self._line(self.at)
            self._value((*path, number))
            self._skip(_GAP)
            number += 1
        self.at += 1

    def _inline(self, path: KeyPath) -> None:
        self.at += 1
        self._skip(_GAP)
        while self.text[self.at] != "}":
            self._pair(path)
            self._skip(_GAP)
        self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.at)
        found = match[0] if match else ""
        self.at += len(found)
        return found

    def _line(self, at: int) -> int:
        return self.text.count("\n", 0, at) + 1


def _unquote(word: str) -> str:
    return next(iter(tomllib.loads(f"{word} = 0")))
