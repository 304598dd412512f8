"""The server's own key: made once, kept for ever, since every client remembers it.

key = host_key(state.tunnels)
key.get_fingerprint()                       # 'SHA256:…'
"""

from pathlib import Path

import asyncssh

from portward.errors import Environment
from portward.host.files import create, private_directory

_FILE = "ssh_host_ed25519_key"


def host_key(directory: Path) -> asyncssh.SSHKey:
    """The Ed25519 host key in `directory`, made when there is none (0600, OpenSSH's format).

    Raises `Environment` when what lies there can't be read: a new one would look like an attack to every client.
    """
    path = private_directory(directory) / _FILE
    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519", comment="portward")
        create(path, key.export_private_key())
        create(path.with_suffix(".pub"), key.export_public_key(), mode=0o644)
    try:
        return asyncssh.read_private_key(path)
    except (OSError, asyncssh.KeyImportError) as error:
        raise Environment(
            f"the SSH host key can't be read: {path}: {error}", way_out="put it back from a backup; clients know it"
        ) from error
