"""Which logs are read, as portward.toml says and as the machine allows.

    sources_of(settings.defence, find_host_log())

A machine's own logins are read from systemd's journal where it can be read, else from the file that syslog writes.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from portward.config.defence import Defence
from portward.config.logs import LogSettings
from portward.config.shipped import shipped, shipped_names
from portward.defense.logs.journald import Selection
from portward.defense.logs.matching import Matcher
from portward.errors import Environment
from portward.host.processes import find_program

HOST = "host"
"""What the machine's own log is called; a log of portward.toml may be called so too, and then stands in its place."""
_SUDO = "sudo"
_HOST_PATTERNS = ("sshd", _SUDO)
_JOURNALS = ("var/log/journal/*/system*.journal", "run/log/journal/*/system*.journal")
_FILES = ("var/log/auth.log", "var/log/secure", "var/log/messages")


@dataclass(frozen=True, slots=True)
class Source:
    """One log: `files` by path or wildcards, or entries of the journal that `selection` names."""

    log: str
    matchers: Sequence[Matcher] = field(compare=False)
    files: tuple[str, ...] = ()
    selection: Selection | None = None
    journalctl: str = ""
    problem: str = ""
    """Why nothing of it is read."""


def find_host_log(root: Path = Path("/")) -> Source:
    """Where this machine tells of its own logins."""
    matchers = [Matcher(name, shipped(name), host=True) for name in _HOST_PATTERNS]
    programs = frozenset[str]().union(*(matcher.programs for matcher in matchers))
    selection = Selection(programs=programs - {_SUDO}, executables=frozenset(_path_of(_SUDO)))
    journal = [file for pattern in _JOURNALS for file in root.glob(pattern)]
    if any(os.access(file, os.R_OK) for file in journal) and (program := _journalctl()):
        return Source(HOST, matchers, selection=selection, journalctl=program)
    files = [root / name for name in _FILES if (root / name).is_file()]
    for file in files:
        if os.access(file, os.R_OK):
            return Source(HOST, matchers, files=(str(file),))
    return Source(HOST, matchers, problem=_why_not(journal, files))


def sources_of(defence: Defence, host: Source) -> list[Source]:
    """Everything that is to be read; nothing where nothing is wanted."""
    sources = [_source(log, defence) for log in defence.logs]
    if defence.host_logs and defence.detectors.host_ssh.mode != "off" and all(one.log != HOST for one in sources):
        sources.append(host)
    return sources


def _source(log: LogSettings, defence: Defence) -> Source:
    matchers = [matcher_of(name, defence, header=log.header and not log.unit) for name in log.pattern]
    if log.unit is None:
        return Source(log.name, matchers, files=log.file)
    program = _journalctl()
    problem = "" if program else "the program journalctl is not installed"
    return Source(log.name, matchers, selection=Selection(unit=log.unit), journalctl=program, problem=problem)


def matcher_of(name: str, defence: Defence, *, header: bool) -> Matcher:
    """A pattern by its name. Raises `KeyError`."""
    if name in shipped_names():
        return Matcher(name, shipped(name), header=header, host=shipped(name).host)
    return Matcher(name, defence.patterns[name], header=header)


def _journalctl() -> str:
    return next(iter(_path_of("journalctl")), "")


def _path_of(program: str) -> list[str]:
    """None where it is not installed."""
    try:
        return [os.path.realpath(find_program(program))]
    except Environment:
        return []


def _why_not(journal: Sequence[Path], files: Sequence[Path]) -> str:
    if not journal and not files:
        return "this machine has neither a journal nor a log of logins"
    there = files[0] if files else journal[0]
    return f"{there} can't be read by this user: add it to the groups systemd-journal and adm"
