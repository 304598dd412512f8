"""One supervisor for one state directory.

with hold(state):                         # raises Environment while another process holds it
    ...
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from portward.errors import Environment
from portward.host.paths import State


@contextmanager
def hold(state: State) -> Iterator[None]:
    """Hold the state's lock, which the kernel takes back however this process ends.

    Raises `Environment`, with the number of the process that holds it.
    """
    handle = os.open(state.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(handle, state)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, state: State) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(handle, 20, 0).decode().strip() or "unknown"
        raise Environment(
            f"Portward already runs with the state directory {state.directory}, as process {holder}",
            way_out="stop that one first, or choose another directory with --state",
        ) from None
