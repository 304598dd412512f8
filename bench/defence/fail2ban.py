"""Debian's fail2ban with its own configuration: one jail for sshd on one file, bans by nftables.

with Fail2ban(place, log, host) as peer:
    peer.failures()         # how many lines its jail has counted
    peer.banned()

Its database lies beside it in memory. It watches by inotify, as Debian's recommended packages have it do.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lives.network import Host

from bench.processes import running

DEBIAN = Path("/etc/fail2ban")
PATIENCE = 30.0


class Fail2ban:
    title = "fail2ban"

    def __init__(self, place: Path, host: Host) -> None:
        self._configuration, self._socket, self._host = place / "etc", place / "socket", host
        self._log = place / "fail2ban.log"

    @contextmanager
    def watching(self, log: Path, *, tries: int, core: int) -> Iterator[int]:
        """Run it; gives its process id."""
        self._configure(log, tries)
        command = (*self._host.prefix, "fail2ban-server", "-f", "-c", str(self._configuration), "start")
        with running(command, core=core, log=self._log.with_suffix(".output")) as pid:
            deadline = time.monotonic() + PATIENCE
            while self._ask("ping") is None:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"fail2ban does not come up: {self._log.read_text()[-2000:]}")
                time.sleep(0.1)
            yield pid

    def failures(self) -> int:
        """Lines that its jail has counted as failures so far, those of banned addresses included."""
        return self._number("Total failed")

    def bans(self) -> int:
        return self._number("Total banned")

    def _number(self, label: str) -> int:
        status = self._ask("status", "sshd") or ""
        return next(int(line.rpartition(":")[2]) for line in status.splitlines() if label in line)

    def _ask(self, *words: str) -> str | None:
        done = subprocess.run(
            ("fail2ban-client", "-c", str(self._configuration), *words),
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return done.stdout if done.returncode == 0 else None

    def _configure(self, log: Path, tries: int) -> None:
        shutil.copytree(DEBIAN, self._configuration, dirs_exist_ok=True)
        for own in (self._configuration / "jail.d").iterdir():
            own.unlink()
        place = self._configuration.parent
        (self._configuration / "fail2ban.local").write_text(
            f"[Definition]\nlogtarget = {self._log}\nsocket = {self._socket}\npidfile = {place}/pid\n"
            f"dbfile = {place}/fail2ban.sqlite3\n"
        )
        (self._configuration / "jail.local").write_text(
            f"[DEFAULT]\nbanaction = nftables-multiport\nbanaction_allports = nftables-allports\nbackend = pyinotify\n"
            f"[sshd]\nenabled = true\nlogpath = {log}\nmaxretry = {tries}\nfindtime = 10m\nbantime = 1h\n"
            "action = %(action_)s[type=allports]\nbanaction = nftables-allports\n"
        )
