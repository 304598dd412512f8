"""Publishing and unpublishing: the text of portward.toml in, the changed text out, every comment kept.

    text = publish(text, "wiki", Publication(upstream="http://127.0.0.1:3000", access=("group:family",)))
    text = unpublish(text, "wiki")

Nothing is read or written here, and nothing but the service is validated: pass the result to `reading.parse`, and
write it when that accepts it.
"""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import tomlkit
from tomlkit.items import InlineTable

from portward.config.lines import Statement, statements
from portward.config.spelling import (
    Misspelt,
    parse_access,
    parse_host,
    parse_path,
    parse_service_name,
    spell_access,
)
from portward.config.upstreams import parse_upstream
from portward.errors import Conflict, Invalid, NotFound

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Publication:
    """What `portward publish` is told. Empty values are left to their defaults, and out of the file.

    `upstream` may be `tunnel`: the service dials in by SSH.
    """

    upstream: str
    host: str = ""
    path: str = ""
    access: tuple[str, ...] = ()
    second_factor: bool = False

    def table(self) -> dict[str, Any]:
        """The table of the service. Raises Invalid for whatever can't be read."""
        table: dict[str, Any] = {"tunnel": True}
        if self.upstream != "tunnel":
            _accept(parse_upstream, self.upstream)
            table = {"upstream": self.upstream}
        if self.host:
            table["host"] = _accept(parse_host, self.host)
        if self.path:
            _accept(parse_path, self.path)
            table["path"] = self.path
        if self.access:
            table["access"] = spell_access(_accept(parse_access, list(self.access)))
        if self.second_factor:
            table["second-factor"] = True
        return table


def publish(text: str, name: str, publication: Publication) -> str:
    """The text with a service more. Raises Conflict where one has that name, Invalid for unusable values."""
    _accept(parse_service_name, name)
    table = publication.table()
    if name in services_in(text):
        raise Conflict(
            f"there is a service named {name} already",
            way_out=f"choose another name, or `portward unpublish {name}` first",
        )
    if _is_inline(text):
        return _insert_inline(text, name, table)
    document = tomlkit.document()
    document.add("services", tomlkit.table(is_super_table=True).append(name, table))
    body = text.rstrip("\n")
    return f"{body}\n\n{tomlkit.dumps(document)}" if body else tomlkit.dumps(document)


def unpublish(text: str, name: str) -> str:
    """The text without a service and the comments that stand at it. Raises NotFound where there is none."""
    if name not in services_in(text):
        raise NotFound("service", name, way_out="`portward services` names those that exist")
    if _is_inline(text):
        return _remove_inline(text, name)
    return _without(text, name)


def services_in(text: str) -> list[str]:
    """The names of the services in a text that is valid TOML."""
    services = tomllib.loads(text).get("services", {})
    return list(services) if isinstance(services, dict) else []


def _accept(parse: Callable[[object], T], value: object) -> T:
    try:
        return parse(value)
    except Misspelt as error:
        spelt = ", ".join(value) if isinstance(value, list) else value
        message = f"{spelt!r} {error.problem}; expected {error.expected}"
        raise Invalid(message, way_out=error.way_out) from None


def _is_inline(text: str) -> bool:
    return isinstance(tomlkit.parse(text).get("services"), InlineTable)


def _insert_inline(text: str, name: str, table: dict[str, Any]) -> str:
    document = tomlkit.parse(text)
    inline = tomlkit.inline_table()
    inline.update(table)
    document["services"][name] = inline
    return tomlkit.dumps(document)


def _remove_inline(text: str, name: str) -> str:
    document = tomlkit.parse(text)
    del document["services"][name]
    return tomlkit.dumps(document)


def _without(text: str, name: str) -> str:
    """Cut lines instead of tables: tomlkit counts a comment above a header to the table before it."""
    rows = text.rstrip("\n").split("\n")
    doomed: set[int] = set()
    for first, last in _runs(statements(text), name):
        first, last = _with_comments(rows, first, last)
        if first > 1 and _is_blank(rows, first - 1) and (last == len(rows) or _is_blank(rows, last + 1)):
            first -= 1
        doomed.update(range(first, last + 1))
    kept = [row for number, row in enumerate(rows, start=1) if number not in doomed]
    return "\n".join(kept).rstrip("\n") + "\n" if kept else ""


def _runs(found: Iterable[Statement], name: str) -> list[tuple[int, int]]:
    """The ranges of lines in which statements of one service follow each other."""
    runs: list[tuple[int, int]] = []
    unbroken = False
    for statement in found:
        mine = statement.path[:2] == ("services", name)
        if mine and unbroken:
            runs[-1] = (runs[-1][0], statement.last)
        elif mine:
            runs.append((statement.first, statement.last))
        unbroken = mine
    return runs


def _with_comments(rows: list[str], first: int, last: int) -> tuple[int, int]:
    """The range and the comments that touch it; those that also touch what follows belong to that."""
    while first > 1 and rows[first - 2].lstrip().startswith("#"):
        first -= 1
    end = last
    while end < len(rows) and rows[end].lstrip().startswith("#"):
        end += 1
    return first, end if end == len(rows) or _is_blank(rows, end + 1) else last


def _is_blank(rows: list[str], number: int) -> bool:
    return not rows[number - 1].strip()
