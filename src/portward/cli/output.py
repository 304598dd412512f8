"""How verbs print: tables for people, JSON for programs.

table([{"name": "ann", "groups": ["family"]}], {"account": "name", "groups": "groups"})

What strangers sent (paths, user agents, SNI) is shown here too: nothing of it may steer the operator's terminal.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import typer

from portward.errors import Invalid

Row = Mapping[str, Any]


def print_json(value: object) -> None:
    """One value, indented. Control characters are escaped, as JSON demands."""
    print(json.dumps(value, indent=2))


def json_line(value: object) -> str:
    """One value on one line (NDJSON)."""
    return json.dumps(value)


def table(rows: Sequence[Row], columns: Mapping[str, str], *, empty: str) -> None:
    """Columns are heading to key; `empty` is the sentence for no rows at all."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        print(empty)
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading in columns:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(spell(row.get(key))) for key in columns.values()))
    # A program that reads the table wants whole lines, however long.
    Console(width=None if sys.stdout.isatty() else 1000, highlight=False).print(drawn)


def fields(row: Row, names: Mapping[str, str]) -> None:
    """One thing, a line for each of its fields that says something; names are heading to key."""
    width = max(12, *map(len, names))
    for heading, key in names.items():
        if (text := spell(row.get(key))) != "":
            print(f"{heading:<{width}}  {text}")


def spell(value: object) -> str:
    """A value as people read it: `yes` for true, local time, lists with commas; harmless on any terminal."""
    match value:
        case None | "":
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(spell(element) for element in value)
        case dict():
            return ", ".join(f"{spell(key)}={spell(element)}" for key, element in value.items())
        case str():
            return _spell_time(value) or printable(value)
    return printable(str(value))


def printable(text: str) -> str:
    """Text with each unprintable character as an escape, so that no stranger's bytes steer the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def confirm(question: str, *, yes: bool) -> None:
    """Return when the operator agrees. Raises `Invalid` where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid("this needs a confirmation, and there is no terminal to ask at", way_out="add --yes")
    typer.confirm(question, abort=True)


def terminal_address() -> str:
    """Where the SSH session of this terminal comes from; empty where there is none."""
    return os.environ.get("SSH_CONNECTION", "").partition(" ")[0].partition("%")[0]


def _spell_time(text: str) -> str:
    if len(text) < 19 or text[4:5] != "-" or text[10:11] not in "T ":
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment.tzinfo else ""
