"""The real fail2ban in a directory of its own, for databases as they come to us.

with Fail2ban(directory) as fail2ban:
    fail2ban.tell("set", "sshd", "banip", "203.0.113.7")
    fail2ban.log("203.0.113.9")                              # a failure that its filter sees
fail2ban.database                                            # closed, and whole
"""

import subprocess
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

_JAILS = """
[DEFAULT]
findtime = 600
maxretry = 3
backend = polling
usedns = no
logpath = {log}

[sshd]
enabled = true
bantime = 3600
failregex = ^ failed <HOST>$

[web]
enabled = true
bantime = -1
failregex = ^ never <HOST>$
"""
_PROGRAM = """
[Definition]
loglevel = INFO
logtarget = {directory}/fail2ban.log
syslogsocket = auto
socket = {directory}/socket
pidfile = {directory}/pid
dbfile = {directory}/fail2ban.sqlite3
dbpurgeage = 1d
dbmaxmatches = 10
"""


class Fail2ban:
    def __init__(self, directory: Path) -> None:
        self.database, self._log = directory / "fail2ban.sqlite3", directory / "auth.log"
        (directory / "fail2ban.conf").write_text(_PROGRAM.format(directory=directory))
        (directory / "jail.conf").write_text(_JAILS.format(log=self._log))
        self._log.touch()
        self._places = ["-c", str(directory), "-s", str(directory / "socket"), "-p", str(directory / "pid")]

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            ["fail2ban-server", *self._places, "-f", "start"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_for("web")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tell("stop")
        self._server.wait(30)

    def tell(self, *words: str) -> str:
        return subprocess.run(
            ["fail2ban-client", *self._places, *words], capture_output=True, text=True, check=True
        ).stdout

    def log(self, address: str) -> None:
        with self._log.open("a") as log:
            log.write(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} failed {address}\n")

    def wait_until_banned(self, jail: str, address: str) -> None:
        self._wait_for(jail, address)

    def _wait_for(self, jail: str, word: str = "") -> None:
        deadline = time.monotonic() + 30
        while True:
            asked = subprocess.run(
                ["fail2ban-client", *self._places, "status", jail], capture_output=True, text=True, check=False
            )
            if asked.returncode == 0 and word in asked.stdout:
                return
            assert time.monotonic() < deadline, asked
            time.sleep(0.1)
