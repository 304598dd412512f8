"""Paths that only scanners ask for: the list that ships, or the operator's own.

probes = Probes.shipped()
probes.name("/app/.env.production")         # '/.env*'
probes.name("/wp-admin/setup.php")          # 'wordpress'
probes.name("/photos/12/thumbnail")         # ''
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Self
from urllib.parse import unquote

_LINE = re.compile(r"(/\S*)(?:\s+(\S+))?")
_CLIMBS = re.compile(r"(?:^|[/\\])\.\.(?:[/\\;]|$)|\x00")
_LONGEST = 1024


class NoPath(ValueError):
    """`line` (from 1) of a list is no path."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line} is no path: {text[:80]!r}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Probes:
    """`names[n]` is what group n+1 of `pattern` counts as."""

    pattern: re.Pattern[str]
    names: tuple[str, ...]

    @classmethod
    def shipped(cls) -> Self:
        return cls.read(files(__package__).joinpath("probes.txt").read_text())

    @classmethod
    def read(cls, text: str) -> Self:
        """A list with a path on each line, and what follows `#` left out. Raises `NoPath` for the first bad line."""
        by_name: dict[str, list[str]] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            entry = line.partition("#")[0].strip()
            if not entry:
                continue
            match = _LINE.fullmatch(entry)
            if not match:
                raise NoPath(number, entry)
            by_name.setdefault(match[2] or match[1], []).append(match[1].rstrip("/").lower())
        return cls(_pattern(list(by_name.values())), tuple(by_name))

    def name(self, path: str) -> str:
        """Which probe a path (or an absolute URI) as it was sent is; empty where it is none."""
        plain = path[:_LONGEST].partition("?")[0]
        if "%" in plain:
            plain = unquote(unquote(plain))
        if _CLIMBS.search(plain):
            return "climbing"
        match = self.pattern.search(plain.lower())
        return self.names[match.lastindex - 1] if match and match.lastindex else ""


def _pattern(groups: list[list[str]]) -> re.Pattern[str]:
    if not groups:
        return re.compile("(?!)")
    spelt = ("|".join(re.escape(path[1:]).replace(r"\*", "[^/]*") for path in paths) for paths in groups)
    return re.compile("/(?:" + "|".join(f"({group})" for group in spelt) + ")(?=/|$)")
