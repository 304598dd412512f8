"""Whose host key is known: known_hosts files as sshd(8) describes them, ours and the user's own.

hosts = KnownHosts(own_known_hosts())
hosts.of("gate.example.com", 2222)          # Known(keys=(…,), authorities=(), revoked=())
hosts.add("gate.example.com", 2222, key)    # into our own file; those of others are read, never written
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from portward.errors import Invalid
from portward.host.files import private_directory, replace

_DEFAULT_PORT = 22
_USERS = Path("~/.ssh/known_hosts"), Path("~/.ssh/known_hosts2")
_SYSTEM = Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a host. `others` are keys noted for its name without a port: good, but no reason to refuse."""

    keys: tuple[asyncssh.SSHKey, ...] = ()
    others: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """Where a key stands."""

    file: Path
    number: int
    fingerprint: str


class KnownHosts:
    """Reads its files anew at each question, since `ssh` and people change them at any time."""

    def __init__(self, own: Path, others: Sequence[Path] | None = None) -> None:
        self.own = own
        self._files = (own, *(others if others is not None else [path.expanduser() for path in (*_USERS, *_SYSTEM)]))

    def of(self, host: str, port: int) -> Known:
        """Raises `Invalid` for a file with a line that is none of known_hosts."""
        read = [_parse(text, file) for file in self._files if (text := _text(file))]
        exact = [found.match(spell_host(host, port), "", None) for found in read]
        plain = [found.match(host, "", None) for found in read] if port != _DEFAULT_PORT else []
        return Known(
            keys=_all(exact, 0),
            others=_all(plain, 0),
            authorities=_all(exact, 1) or _all(plain, 1),
            revoked=_all([*exact, *plain], 2),
        )

    def lines(self, host: str, port: int) -> tuple[Line, ...]:
        """Where the keys of a host stand, for whoever has to take one out."""
        name = spell_host(host, port)
        return tuple(
            Line(file, number, key.get_fingerprint())
            for file in self._files
            for number, line in enumerate(_text(file).splitlines(), 1)
            for key in _parse(line, file).match(name, "", None)[0]
        )

    def add(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        """Note a key in our own file (0600)."""
        public = key.export_public_key("openssh").decode().split()[:2]
        text = _text(self.own)
        if text and not text.endswith("\n"):
            text += "\n"
        private_directory(self.own.parent)
        replace(self.own, f"{text}{spell_host(host, port)} {' '.join(public)}\n".encode())


def spell_host(host: str, port: int) -> str:
    """As it stands in known_hosts: `gate.example.com`, or `[gate.example.com]:2222`."""
    return host.lower() if port == _DEFAULT_PORT else f"[{host.lower()}]:{port}"


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""


def _parse(text: str, file: Path) -> asyncssh.SSHKnownHosts:
    try:
        return asyncssh.import_known_hosts(text)
    except ValueError as error:
        raise Invalid(f"{file}: {error}", way_out="take that line out, or mend it") from None


def _all(matches: Sequence[Sequence[Sequence[object]]], index: int) -> tuple[asyncssh.SSHKey, ...]:
    return tuple(key for match in matches for key in match[index] if isinstance(key, asyncssh.SSHKey))
