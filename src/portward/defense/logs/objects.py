"""Logs that are JSON, an object a line.

    flat_object('{"app":"core","request":{"ip":"203.0.113.7"}}')      # {'app': 'core', 'request.ip': '203.0.113.7'}

A key that stands twice is refused: which of the two counts, programs do not agree about.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_MOST_KEYS = 500


def flat_object(line: str) -> dict[str, str] | None:
    """Keys and values as text, inner objects as `outer.inner`; None for a line that is no such object."""
    try:
        values = json.loads(line, object_pairs_hook=_once_each)
        return dict(_flat(values)) if isinstance(values, dict) else None
    except (ValueError, RecursionError):
        return None


def where_holds(where: Mapping[str, Sequence[str]], values: Mapping[str, str]) -> bool:
    """Whether each key has one of its values; `*` at the end of a value stands for any rest."""
    return all(key in values and any(_like(values[key], wanted) for wanted in where[key]) for key in where)


def _like(value: str, wanted: str) -> bool:
    return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs) or len(pairs) > _MOST_KEYS:
        raise ValueError("a key stands twice")
    return made


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        elif isinstance(value, str):
            yield before + key, value
        elif isinstance(value, bool | int | float):
            yield before + key, json.dumps(value)
