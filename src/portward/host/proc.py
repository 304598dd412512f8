"""Which processes there are, as /proc tells (proc(5)).

me = Identity.of(os.getpid())             # Identity(pid=4711, started=1234567, boot='6c1e…')
me.alive()                                # False for another process that got the same number later
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Identity:
    """One process and no other: its number, its start in clock ticks since boot, and which boot that was."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Who has this number now; None when nobody has."""
        stat = _stat(pid)
        return cls(pid, int(stat[19]), boot_id()) if stat else None

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what `str` spells; None when it is not that."""
        match text.split():
            case [pid, started, boot] if pid.isdecimal() and started.isdecimal():
                return cls(int(pid), int(started), boot)
        return None

    def __str__(self) -> str:
        return f"{self.pid} {self.started} {self.boot}"

    def alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        stat = _stat(self.pid)
        return bool(stat) and stat[0] not in "ZX" and Identity.of(self.pid) == self


def members_of_session(leader: int) -> list[int]:
    """The numbers of all processes of a session, zombies left out."""
    return [pid for pid, stat in _all() if int(stat[3]) == leader and stat[0] not in "ZX"]


def environment_of(pid: int) -> bytes:
    """The environment with which a process was started; empty where we may not see it or it is gone."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _all() -> Iterator[tuple[int, list[str]]]:
    for name in os.listdir("/proc"):
        if name.isdecimal() and (stat := _stat(int(name))):
            yield int(name), stat


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, group, session …; empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
