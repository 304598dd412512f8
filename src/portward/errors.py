"""One error tree. An error means "could not decide or do"; it says what happened, to what, and what to do.

    raise NotFound("account", "ann", way_out="`portward account list` names those that exist")

Every error carries the exit code with which a command ends (see docs/cli.md).
"""

from dataclasses import dataclass


class PortwardError(Exception):
    """Base of all. `exit_code` 1: something failed that has no class of its own."""

    exit_code = 1

    def __init__(self, message: str, *, way_out: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.way_out}" if self.way_out else self.message


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong in a configuration file. `line` counts from 1; 0 where the file has no such line."""

    file: str
    line: int
    key: str
    problem: str
    expected: str = ""
    way_out: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{where}: {self.key}: {self.problem}" if self.key else f"{where}: {self.problem}"
        if self.expected:
            text += f"\n  expected: {self.expected}"
        if self.way_out:
            text += f"\n  → {self.way_out}"
        return text


class ConfigError(PortwardError):
    """The configuration can't be used; `mistakes` lists everything that is wrong with it."""

    exit_code = 2

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


class NotRunning(PortwardError):
    """No keeper answers on the admin socket."""

    exit_code = 3


class NotFound(PortwardError):
    """There is no such account, group, session, service or event."""

    exit_code = 4

    def __init__(self, noun: str, name: str, *, way_out: str = "") -> None:
        super().__init__(f"there is no {noun} named {name!r}", way_out=way_out)
        self.noun, self.name = noun, name


class Conflict(PortwardError):
    """What was asked for exists already, or contradicts what exists."""

    exit_code = 5


class Invalid(PortwardError):
    """A value was given that can't be accepted: a bad name, a weak password, an unusable address."""

    exit_code = 6


class Environment(PortwardError):
    """The machine lacks something: a program, a right, a free port, room on the disk."""

    exit_code = 7


class EdgeError(PortwardError):
    """HAProxy refused a configuration or a command, or does not answer."""

    exit_code = 8


class StoreError(PortwardError):
    """The store can't be opened, read or brought up to date."""

    exit_code = 9


class NotTrusted(PortwardError):
    """The other side can't show that it is who it should be: its host key is unknown, or has changed."""

    exit_code = 10


class NotAdmitted(PortwardError):
    """An SSH server does not let this user in, or a key can't be used."""

    exit_code = 11


class Unreachable(PortwardError):
    """An SSH server does not answer, or the connection to it ended."""

    exit_code = 12
