"""Never two at once for one name: a lock that the kernel takes back however the process ends.

with hold(running("tunnel", "database"), Holder("database", "database", os.getpid(), socket)):
    ...
holder(running("tunnel", "database"))        # Holder("database", …, pid=4711), or None when nobody holds it
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portward.errors import Conflict
from portward.host.files import private_directory

_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock: its title, the name of the tunnel behind it, and the socket at which that can be asked."""

    title: str
    name: str
    pid: int
    socket: Path


@contextmanager
def hold(lock: Path, holder: Holder) -> Iterator[None]:
    """Raises `Conflict`, with the number of the process that holds it."""
    private_directory(lock.parent)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = _read(handle)
            raise Conflict(
                f"{holder.title} is up already" + (f", kept by process {other.pid}" if other else ""),
                way_out="stop that one first, or leave it",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps([holder.title, holder.name, holder.pid, str(holder.socket)]).encode(), 0)
        yield
    finally:
        os.close(handle)


def holder(lock: Path) -> Holder | None:
    """Who holds it now."""
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(handle)
    finally:
        os.close(handle)
    return None


def holders(directory: Path, kind: str) -> list[Holder]:
    """Everything of a kind that runs."""
    return [found for lock in sorted(directory.glob(f"{kind}-*")) if (found := holder(lock))]


def _read(handle: int) -> Holder | None:
    """None while the holder has not yet written who it is."""
    try:
        title, name, pid, socket = json.loads(os.pread(handle, _LONGEST, 0))
    except ValueError:
        return None
    return Holder(title, name, pid, Path(socket))
