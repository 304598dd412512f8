"""The key by which this machine comes in to a gateway: made once, ed25519, without a passphrase, for its owner alone.

key = own_key()               # Path('/home/ann/.config/portward/id_ed25519')
public_line(key)              # 'ssh-ed25519 AAAA… ann@laptop'
"""

import getpass
import socket
from pathlib import Path

from portward.errors import NotAdmitted
from portward.host.files import create, private_directory, replace
from portward.tunnels.client.credentials import public_part
from portward.tunnels.client.paths import configuration


def place() -> Path:
    return configuration() / "id_ed25519"


def own_key() -> Path:
    """Where it lies; made when it is not there."""
    import asyncssh

    file = place()
    if not file.exists():
        private_directory(file.parent)
        key = asyncssh.generate_private_key("ssh-ed25519", comment=_comment())
        if create(file, key.export_private_key("openssh"), mode=0o600):
            replace(public_part(file), key.export_public_key("openssh"), mode=0o644)
    return file


def public_line(file: Path) -> str:
    """The line that has to be let in. Raises `NotAdmitted` when the public part is missing."""
    public = public_part(file)
    try:
        return public.read_text().strip()
    except OSError as error:
        raise NotAdmitted(
            f"{public} can't be read: {error.strerror}", way_out=f"ssh-keygen -y -f {file} > {public}"
        ) from None


def _comment() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
