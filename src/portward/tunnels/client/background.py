"""Brings up in the background what a verb would keep up in the foreground, and sees it up.

report = start(["tunnel", "up", "database"], running("tunnel", "database"), log("tunnel", "database"))
report.status             # Status("database", "up", …), or None when it ended
"""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from portward.errors import NotRunning
from portward.host.files import private_directory
from portward.tunnels.client.alone import holder
from portward.tunnels.client.control import ask
from portward.tunnels.client.status import Status
from portward.tunnels.client.unit import program

_PATIENCE = 15.0
_LOOK = 0.1
_SETTLED = frozenset({"up", "partial"})
_LARGEST_LOG = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """`status` is the last one that was heard of; `code` and `said` are those of a process that has ended."""

    status: Status | None
    code: int | None = None
    said: str = ""


def start(arguments: Sequence[str], lock: Path, log: Path) -> Report:
    """Run `portward` with these arguments in a session of its own; return when its tunnel is up, or after 15 s.

    What it says goes to the log (0600), which begins anew when it has grown large.
    """
    private_directory(log.parent)
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.unlink()
    log.touch(mode=0o600)
    begun = log.stat().st_size
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [program(), *arguments], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    status = None
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return Report(None, process.returncode, log.read_bytes()[begun:].decode(errors="replace").strip())
        status = status_of(lock) or status
        if status and status.state in _SETTLED:
            break
        time.sleep(_LOOK)
    return Report(status)


def status_of(lock: Path) -> Status | None:
    """How the tunnel with this lock is doing; None when it is not up, or is just coming or going."""
    found = holder(lock)
    if not found:
        return None
    try:
        said = ask(found.socket, {"do": "status"})
    except NotRunning:
        return None
    return next((Status.from_dict(one) for one in said if one["name"] == found.name), None)


def stop(lock: Path) -> bool:
    """Have it end, and wait until it has. Returns whether there was anything to end; raises `NotRunning`."""
    found = holder(lock)
    if not found:
        return False
    ask(found.socket, {"do": "stop", "name": found.name})
    deadline = time.monotonic() + _PATIENCE
    while holder(lock):
        if time.monotonic() > deadline:
            raise NotRunning(f"{found.name} does not end", way_out=f"kill {found.pid}")
        time.sleep(_LOOK)
    return True
