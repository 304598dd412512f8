"""The processes of a running gateway, by the name of their program.

gateway.pids.worker                   # HAProxy's current worker
"""

from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "PORTWARD_TEST"
"""An environment variable that a gateway's programs inherit, so that no survivor goes unnoticed."""


@dataclass(frozen=True, slots=True)
class Pids:
    supervisor: int
    keeper: int
    recorder: int
    master: int
    worker: int
    tunnels: int = 0
    """The SSH server; 0 while it does not run."""

    @classmethod
    def of(cls, supervisor: int, run: Path) -> "Pids | None":
        """All programs as the supervisor noted them; None while one of them is missing."""
        try:
            keeper, recorder, master = (_noted(run / f"{name}.pid") for name in ("keeper", "recorder", "edge"))
            tunnels = _noted(path) if (path := run / "tunnels.pid").exists() else 0
            workers = psutil.Process(master).children()
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return cls(supervisor, keeper, recorder, master, max(workers, key=_age).pid, tunnels) if workers else None


def survivors(mark: str) -> list[str]:
    """Processes, zombies left out, that carry this mark in their environment."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        try:
            ours = process.environ().get(MARK) == mark
        except psutil.Error:
            continue
        if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(f"{process.pid} {' '.join(process.info['cmdline'] or ())}")
    return found


def _noted(path: Path) -> int:
    return int(path.read_text().split()[0])


def _age(process: psutil.Process) -> float:
    return process.create_time()
