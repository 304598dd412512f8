"""Listening Unix sockets that outlive the program behind them.

    with listen(path) as listener: ...                       # in the supervisor, which hands them down
    with listening(path) as listener: ...                    # in the program: the inherited one, or one of its own
    with lasting(path) as listener: ...                      # the same for one that the supervisor does not know of yet

The supervisor keeps the socket while its program restarts, so whoever connects meanwhile waits in line instead of being
turned away. This matters most for HAProxy's rings, which try again without a pause when a Unix socket is missing.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from portward.host.notify import store, unstore

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


def bequest(
    listeners: Mapping[Path, socket.socket], stored: Mapping[str, int] = MappingProxyType({})
) -> dict[str, str]:
    """The environment variable that tells a program which descriptor is which socket.

    `stored` are those that the program itself left with the supervisor, by file name.
    """
    named = {path.name: listener.fileno() for path, listener in listeners.items()} | dict(stored)
    return {VARIABLE: ":".join(f"{name}={descriptor}" for name, descriptor in named.items())}


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


@contextmanager
def lasting(path: Path) -> Iterator[socket.socket]:
    """Like `listening`, and the supervisor keeps a new socket for the program's next life; `discard` ends that.

    Without a supervisor the socket is removed afterwards.
    """
    inherited = _inherited().get(path.name)
    listener = listen(path) if inherited is None else socket.socket(fileno=os.dup(inherited))
    kept = inherited is not None or store(path.name, listener.fileno())
    try:
        yield listener
    finally:
        listener.close()
        if not kept:
            path.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Take a lasting socket away for good: nobody can connect any more, and the next life does not inherit it."""
    unstore(path.name)
    if (inherited := _inherited().get(path.name)) is not None:
        os.close(inherited)
        _forget_inherited(path.name)
    path.unlink(missing_ok=True)


def _inherited() -> dict[str, int]:
    pairs = (part.partition("=") for part in os.environ.get(VARIABLE, "").split(":") if part)
    return {name: int(descriptor) for name, _, descriptor in pairs}


def _forget_inherited(name: str) -> None:
    left = {other: descriptor for other, descriptor in _inherited().items() if other != name}
    os.environ[VARIABLE] = ":".join(f"{other}={descriptor}" for other, descriptor in left.items())
