"""Patterns that ship with Portward: a file in `patterns/` for each program.

shipped("sshd").description     # 'OpenSSH: …'
"""

import tomllib
from functools import cache
from pathlib import Path

from portward.config.logpatterns import Pattern
from portward.config.values import Flag

_DIRECTORY = Path(__file__).parent / "patterns"


class ShippedPattern(Pattern):
    """A pattern with a word on where its lines come from."""

    description: str
    """Which program, which version, and what counts."""
    host: Flag = False
    """Whether these are logins at the machine itself; their lines may tell no address."""


@cache
def shipped_names() -> tuple[str, ...]:
    """The names of all of them, sorted."""
    return tuple(sorted(file.stem for file in _DIRECTORY.glob("*.toml")))


@cache
def shipped(name: str) -> ShippedPattern:
    """One of `shipped_names`."""
    text = (_DIRECTORY / f"{name}.toml").read_text()
    return ShippedPattern.model_validate(tomllib.loads(text))
