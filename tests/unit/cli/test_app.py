"""The command line as a whole: exit codes, sentences, start-up, documentation."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import Result

from portward import errors
from portward.cli import options
from portward.cli.app import app
from portward.config import DEFAULT_FILE, DEFAULT_STATE

from .conftest import FakeKeeper

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "cli.md"


def verbs(group: Any = None, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{before}{name} ")
        else:
            yield before + name, command


def test_every_verb_is_documented() -> None:
    text = DOCUMENTATION.read_text()
    assert [name for name, _ in verbs() if not re.search(rf"`portward {name}[ `]", text)] == []


def test_every_option_is_documented() -> None:
    text = DOCUMENTATION.read_text()
    flags = {flag for _, verb in verbs() for option in verb.params for flag in option.opts if flag.startswith("--")}
    assert [flag for flag in sorted(flags) if f"`{flag}" not in text and f" {flag}" not in text] == []


def test_every_exit_code_is_documented() -> None:
    text = DOCUMENTATION.read_text()
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")}
    assert [code for code in sorted(codes) if f"| {code} |" not in text] == []


def test_every_verb_explains_itself() -> None:
    assert [name for name, verb in verbs() if not verb.help] == []


def test_the_default_places_are_those_of_the_configuration() -> None:
    assert (options.CONFIG, options.STATE) == (DEFAULT_FILE, DEFAULT_STATE)


def test_start_up_loads_nothing_heavy() -> None:
    heavy = {
        "asyncio",
        "pydantic",
        "httpx",
        "rich.table",
        "tomlkit",
        "sqlalchemy",
        "portward.config",
        "portward.identity",
    }
    code = "import sys, portward.cli.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert heavy.isdisjoint(loaded)


def test_an_error_is_a_sentence_and_an_exit_code(portward: Callable[..., Result]) -> None:
    result = portward("status")
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("portward: no keeper listens at ")
    assert "→ start it with `portward up`" in result.stderr


def test_a_wrong_option_is_exit_code_2(portward: Callable[..., Result]) -> None:
    assert portward("status", "--nonsense").exit_code == 2


@pytest.mark.parametrize(("kind", "code"), [("NotFound", 4), ("Conflict", 5), ("Invalid", 6), ("EdgeError", 8)])
def test_what_the_keeper_refuses_ends_with_its_exit_code(
    portward: Callable[..., Result], fake: FakeKeeper, kind: str, code: int
) -> None:
    fake.refuse("GET /status", kind, 400, code)
    result = portward("status")
    assert result.exit_code == code
    assert result.stderr == "portward: it was refused\n  → do something else\n"
