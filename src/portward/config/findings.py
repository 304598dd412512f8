"""What is wrong with a configuration, before it is known on which line it stands.

    Finding(("services", "blog", "upstream"), "is missing")

Pydantic's errors become findings here; `checks` finds what no single value shows.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from portward.config.lines import KeyPath
from portward.config.meaning import meanings_of
from portward.config.section import Section
from portward.config.settings import Settings
from portward.config.spelling import Misspelt


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with the value at `path`; the rest as in `errors.Mistake`."""

    path: KeyPath
    problem: str
    expected: str = ""
    way_out: str = ""


_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "too_short": "at least {min_length}",
    "tuple_type": "a list",
    "model_type": "a table",
    "dict_type": "a table",
}


def findings_of(error: ValidationError) -> Iterator[Finding]:
    """Every mistake that pydantic saw, in our words."""
    found = error.errors(include_url=False)
    for details in found:
        # A list of which no element can be read is not too short on top of that.
        if details["type"] != "too_short" or not any(_inside(other["loc"], details["loc"]) for other in found):
            yield _finding(details)


def spell_key(path: KeyPath) -> str:
    """The path as TOML writes it, with the number of an element in brackets: `services.blog.routes[0].path`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{_spell_part(part)}"
    return text.removeprefix(".")


def keys_at(path: KeyPath) -> list[str]:
    """The keys that the table at a path may hold, in the order of the documentation."""
    kind: Any = Settings
    for part in path:
        info = _fields(kind).get(str(part))
        kind = info.annotation if info else _element(kind)
    return list(_fields(kind))


def _finding(details: ErrorDetails) -> Finding:
    path = tuple(part for part in details["loc"] if part != "[key]")
    if details["type"] == "extra_forbidden":
        return _unknown(path)
    if details["type"] == "missing":
        return _missing(path)
    cause = details.get("ctx", {}).get("error")
    if isinstance(cause, Misspelt):
        problem, expected, way_out = cause.problem, cause.expected, cause.way_out
    else:
        problem, expected, way_out = "can't be used", _expected(details), ""
    return Finding(path, f"{_spell_value(details['input'])} {problem}", expected, way_out or _meaning(path))


def _inside(path: KeyPath, outer: KeyPath) -> bool:
    return len(path) > len(outer) and path[: len(outer)] == outer


def _unknown(path: KeyPath) -> Finding:
    *table, key = path
    known = keys_at(tuple(table))
    near = difflib.get_close_matches(str(key).lower().replace("_", "-"), known, n=1)
    way_out = f"did you mean `{near[0]}`?" if near else "take it away"
    return Finding(path, "is not a known key", f"one of {', '.join(known)}", way_out)


def _missing(path: KeyPath) -> Finding:
    *table, key = path
    return Finding(path, "is missing", _description(path), f"add `{key} = …` to [{spell_key(tuple(table))}]")


def _expected(details: ErrorDetails) -> str:
    template = _EXPECTED.get(details["type"])
    return template.format(**details.get("ctx", {})) if template else details["msg"]


def _meaning(path: KeyPath) -> str:
    """The way out of a value that can't be read is to know what it is for."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    description = _description(path)
    return f"what the key is for: {description}" if description else "docs/configuration.md has an example of each key"


def _description(path: KeyPath) -> str:
    """'' for an unknown key and for the name of a service."""
    kind: Any = Settings
    meaning = ""
    for part in path:
        info = _fields(kind).get(str(part))
        meaning = meanings_of(kind).get(str(part), "") if info else ""
        kind = info.annotation if info else _element(kind)
    return " ".join(meaning.split())


def _fields(kind: Any) -> dict[str, FieldInfo]:
    if not (isinstance(kind, type) and issubclass(kind, Section)):
        return {}
    return {info.alias or name: info for name, info in kind.model_fields.items()}


def _element(kind: Any) -> Any:
    """What a `dict[str, X]` or a `tuple[X, ...]` holds."""
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return arguments[1]
    return arguments[0] if arguments else None


def _spell_part(part: str) -> str:
    return part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part)


def _spell_value(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}…"


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Without repetitions, in the order in which they were found."""
    return tuple(dict.fromkeys(findings))
