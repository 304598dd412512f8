"""Where the client keeps things: the user's own directories (XDG Base Directory Specification 0.8).

own_known_hosts()                 # Path('/home/ann/.config/portward/known_hosts')
running("tunnel", "database")     # Path('/home/ann/.local/state/portward/running/tunnel-database')
"""

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

_LONGEST_NAME = 200


def configuration(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CONFIG_HOME/portward`: what people may read, edit and copy."""
    return _base(environ, "XDG_CONFIG_HOME", ".config") / "portward"


def state(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_STATE_HOME/portward`: locks and logs."""
    return _base(environ, "XDG_STATE_HOME", ".local/state") / "portward"


def sockets(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_RUNTIME_DIR/portward`, or the state directory where a session has none."""
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    return Path(runtime) / "portward" if runtime.startswith("/") else state(environ)


def own_known_hosts() -> Path:
    return configuration() / "known_hosts"


def running(kind: str, name: str) -> Path:
    """The lock of what runs under a name. It lies in one place for every session of the user, whatever its runtime
    directory is, since two sessions must not bring up the same tunnel."""
    return state() / "running" / f"{kind}-{_file_name(name)}"


def log(kind: str, name: str) -> Path:
    """What a tunnel in the background says."""
    return state() / "log" / f"{kind}-{_file_name(name)}.log"


def _file_name(name: str) -> str:
    quoted = quote(name, safe="")
    return quoted if len(quoted) <= _LONGEST_NAME else sha256(name.encode()).hexdigest()


def _base(environ: Mapping[str, str], variable: str, default: str) -> Path:
    configured = environ.get(variable, "")
    return Path(configured) if configured.startswith("/") else Path(environ.get("HOME") or Path.home()) / default
