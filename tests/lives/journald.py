"""systemd's journal by itself: its daemon in namespaces of its own, apart from the machine's. Needs root.

with Journal() as journal:
    subprocess.run([*journal.prefix, "logger", "-t", "app", "a message"])       # what runs there writes to it
    subprocess.run([*journal.within("app.service"), "logger", "another"])       # the same, in a unit
    journal.restart()

Files are those of the machine, but for /run, /var/log and the devices. Units are no more than control groups here, as
which journald knows them.
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from tests.lives.waiting import PATIENCE, wait_for

_DAEMON = "/usr/lib/systemd/systemd-journald"
_SETUP = """
set -eu
mount --make-rprivate /
mount -t tmpfs none "$1"
for device in null zero full random urandom tty; do
  : >"$1/$device"
  mount --bind "/dev/$device" "$1/$device"
done
mkdir "$1/pts" "$1/shm"
mount --rbind /dev/pts "$1/pts"
mount --rbind /dev/shm "$1/shm"
ln -s pts/ptmx "$1/ptmx"
ln -s /run/systemd/journal/dev-log "$1/log"
mount --move "$1" /dev
mount -t tmpfs none /run
mount -t tmpfs none /var/log
mkdir -p /run/systemd/journal /run/sshd
echo ready
exec sleep infinity
"""


class Journal:
    def __init__(self) -> None:
        assert os.geteuid() == 0, "a journal of the test's own is made as root: run these tests as root"
        self._group = _groups() / f"portward-test-{os.getpid()}"
        self._devices = mkdtemp()

    def __enter__(self) -> Self:
        self._group.mkdir()
        join = f"echo $$ >{self._group}/cgroup.procs; exec"
        self._holder = subprocess.Popen(
            ["sh", "-c", f'{join} unshare --mount --cgroup sh -c "$@"', "-", _SETUP, "-", self._devices],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout
        assert self._holder.stdout.readline() == "ready\n"
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._daemon.kill()
        self._holder.kill()
        for process in (self._daemon, self._holder):
            process.wait()
            if process.stdout:
                process.stdout.close()
        for group in (*self._groups_within(), self._group):
            with suppress(OSError):  # a process that has ended is in it until the kernel has noticed
                wait_for(lambda empty=group: not (empty / "cgroup.procs").read_text(), "a control group to be empty")
                group.rmdir()
        os.rmdir(self._devices)

    def start(self) -> None:
        program = [*self.prefix, "nsenter", f"--cgroup=/proc/{self._holder.pid}/ns/cgroup", _DAEMON]
        self._daemon = subprocess.Popen(program, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.ctl("--sync", check=False) is not None, "journald to start")

    def restart(self) -> None:
        """End it as systemd does, and start it anew."""
        self._daemon.terminate()
        self._daemon.wait(PATIENCE)
        self.start()

    @property
    def prefix(self) -> tuple[str, ...]:
        """A program behind these words runs where this journal is the machine's."""
        return ("nsenter", f"--mount=/proc/{self._holder.pid}/ns/mnt")

    def within(self, unit: str) -> tuple[str, ...]:
        """The same, in a unit of the system."""
        group = self._group / "system.slice" / unit
        group.mkdir(parents=True, exist_ok=True)
        return (*self.prefix, "sh", "-c", f'echo $$ >{group}/cgroup.procs; exec "$@"', "-")

    def ctl(self, *words: str, check: bool = True) -> str | None:
        """What `journalctl` prints; None where it fails, which it may without `check` only."""
        done = subprocess.run([*self.prefix, "journalctl", *words], capture_output=True, text=True, check=check)
        return done.stdout if done.returncode == 0 else None

    def _groups_within(self) -> list[Path]:
        """The innermost first."""
        return sorted((path for path in self._group.rglob("*") if path.is_dir()), reverse=True)


def _groups() -> Path:
    """Where the kernel keeps control groups (version 2)."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return next(Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2")
