"""Listening Unix sockets that outlive the program behind them.

    with listen(path) as listener: ...                       # in the supervisor, which hands them down
    with listening(path) as listener: ...                    # in the program: the inherited one, or one of its own

The supervisor keeps the socket while its program restarts, so whoever connects meanwhile waits in line instead of being
turned away. This matters most for HAProxy's rings, which try again without a pause when a Unix socket is missing.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

BACKLOG = 4096
"""A ring that nobody reads connects anew every ten seconds; this line holds it for hours."""
VARIABLE = "PORTWARD_LISTENERS"


def listen(path: Path) -> socket.socket:
    """A new listening socket at `path`, for its owner alone; whatever lay there is removed."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def bequest(listeners: Mapping[Path, socket.socket]) -> dict[str, str]:
    """The environment variable that tells a program which descriptor is which socket."""
    return {VARIABLE: ":".join(f"{path.name}={listener.fileno()}" for path, listener in listeners.items())}


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """The inherited socket of this name, or a new one, which is removed afterwards."""
    inherited = _inherited().get(path.name)
    listener = listen(path) if inherited is None else socket.socket(fileno=os.dup(inherited))
    try:
        yield listener
    finally:
        listener.close()
        if inherited is None:
            path.unlink(missing_ok=True)


def _inherited() -> dict[str, int]:
    pairs = (part.partition("=") for part in os.environ.get(VARIABLE, "").split(":") if part)
    return {name: int(descriptor) for name, _, descriptor in pairs}
