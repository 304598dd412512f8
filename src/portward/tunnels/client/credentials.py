"""What the client shows to be let in: a key file, its certificate, the user's agent.

options = credentials(profile, passphrase=lambda file: getpass(f"{file}: "))
await asyncssh.connect("gate.example.com", **options)
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh

from portward.errors import NotAdmitted
from portward.tunnels.profiles.profile import Profile

Ask = Callable[[Path], str]
"""Asks for the passphrase of a key file; returns an empty one when nobody can be asked."""


def credentials(profile: Profile, passphrase: Ask = lambda file: "") -> dict[str, Any]:
    """Options for `asyncssh.connect`.

    A key that the profile names is offered alone. One that is locked is looked for in the agent, and after it come the
    usual ones; so they do where no key is named. Raises `NotAdmitted` for a file that can't be used.
    """
    certificate = [_path(profile.certificate_file)] if profile.certificate_file else []
    for path in certificate:
        _try(path, partial(asyncssh.read_certificate, path))
    if not profile.key_file:
        return _agent(profile) | {"client_certs": [str(file) for file in certificate]}
    file = _path(profile.key_file)
    key = _try(file, partial(_read, file, passphrase))
    if key is None:
        return _from_agent(file, profile)
    return {"client_keys": [(key, str(certificate[0])) if certificate else key], "agent_path": ""}


def public_part(file: Path) -> Path:
    """Where the public key of a key file lies, as ssh-keygen puts it."""
    return file if file.suffix == ".pub" else file.with_name(f"{file.name}.pub")


def _agent(profile: Profile) -> dict[str, Any]:
    return {} if profile.agent else {"agent_path": ""}


def _read(file: Path, passphrase: Ask) -> asyncssh.SSHKey | None:
    """None for a key that is locked, where nobody says the passphrase; and for the public part of one."""
    if file.suffix == ".pub":
        asyncssh.read_public_key(file)
        return None
    try:
        return asyncssh.read_private_key(file)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        if "assphrase" not in str(error):
            raise
    word = passphrase(file)
    return asyncssh.read_private_key(file, word) if word else None


def _from_agent(file: Path, profile: Profile) -> dict[str, Any]:
    if not profile.agent:
        raise NotAdmitted(f"{file} has a passphrase, and nobody is there to say it", way_out=f"ssh-add {file}")
    public = public_part(file)
    return {"agent_identities": [asyncssh.read_public_key(public)]} if public.exists() else {}


def _try(file: Path, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except OSError as error:
        raise NotAdmitted(f"{file} can't be read: {error.strerror}", way_out="name another file") from None
    except ValueError as error:
        is_putty = file.suffix.lower() == ".ppk"
        way_out = f"portward tunnel import {file}" if is_putty else f"`ssh-keygen -y -f {file}` shows what is in it"
        raise NotAdmitted(f"{file} can't be used: {error}", way_out=way_out) from None


def _path(file: str) -> Path:
    return Path(file).expanduser()
