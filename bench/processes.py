"""Programs of the benchmark: each pinned to a core, and none outlives the benchmark itself.

with running(["nginx", "-c", "nginx.conf"], core=0, log=Path("nginx.log")) as pid:
    cpu_seconds(Programs({"nginx": pid}))           # {'nginx': 0.02}
"""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

Programs = Mapping[str, int]
"""Label and process id. A program is its process and all descendants, except those that are programs themselves."""

GRACE = 10.0
"""Seconds that a program may take to stop before it is killed."""


def pinned(command: Sequence[str], core: int) -> list[str]:
    """The command bound to one core, and to our own life: even a killed benchmark leaves nothing behind."""
    return ["setpriv", "--pdeathsig", "SIGTERM", "taskset", "--cpu-list", str(core), *command]


@contextmanager
def running(command: Sequence[str], *, core: int, log: Path, env: Mapping[str, str] | None = None) -> Iterator[int]:
    """Run a program for the length of the block; gives its process id, and puts what it prints into `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(pinned(command, core), stdout=output, stderr=output, env=env)
    try:
        yield process.pid
    except Exception as error:
        error.add_note(f"{command[0]} said: {log.read_text(errors='replace')[-2000:]}")
        raise
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    family = _family(process.pid, frozenset())
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(GRACE)
    _, alive = psutil.wait_procs(family, timeout=GRACE)
    for left in alive:
        left.kill()


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or only waits to be buried by us."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def cpu_seconds(programs: Programs) -> dict[str, float]:
    """User and system time of each program so far, from /proc/PID/stat."""

    def spent(process: psutil.Process) -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    return _sum(programs, spent)


def resident_mb(programs: Programs) -> dict[str, float]:
    """Resident memory of each program in MB; pages that processes share count once for each of them."""
    return _sum(programs, lambda process: float(process.memory_info().rss) / 1e6)


def _sum(programs: Programs, value: Callable[[psutil.Process], float]) -> dict[str, float]:
    roots = frozenset(programs.values())
    return {label: sum(_values(_family(pid, roots - {pid}), value)) for label, pid in programs.items()}


def _values(processes: Sequence[psutil.Process], value: Callable[[psutil.Process], float]) -> Iterator[float]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            yield value(process)


def _family(pid: int, others: frozenset[int]) -> list[psutil.Process]:
    """A process and its descendants, without the families of `others`; empty when it is gone."""
    try:
        process = psutil.Process(pid)
        children = [child for child in process.children() if child.pid not in others]
    except psutil.NoSuchProcess:
        return []
    return [process, *(member for child in children for member in _family(child.pid, others))]


def busy_seconds(core: int) -> float:
    """Time that a core spent on anything but waiting since boot, from /proc/stat."""
    times = psutil.cpu_times(percpu=True)[core]
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal)
