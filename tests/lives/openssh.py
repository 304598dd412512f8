"""A real OpenSSH server of a test, on a free port, with a host key of its own. Needs root, as sshd does.

with Sshd(directory) as sshd:
    subprocess.run(["ssh", "-p", str(sshd.port), "-i", sshd.key, "127.0.0.1"])
"""

import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lives.gateway import free_ports
from tests.lives.network import Host
from tests.lives.output import Output
from tests.lives.waiting import wait_for

_PRIVILEGE_SEPARATION = Path("/run/sshd")


class Sshd:
    """`options` are lines of sshd_config; `at` is a host of the test's own network (the loopback otherwise).

    With a `file` it writes its log there, message by message, and `log` stays empty. With a `prefix` it runs behind
    those words, and tells syslog.
    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        at: Host | None = None,
        file: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        assert os.geteuid() == 0, "sshd lets somebody in only as root: run these tests as root"
        self.directory, self.file, self._options = directory, file or directory / "sshd.log", options
        self._log_option: tuple[str | Path, ...] = () if prefix else ("-E", self.file) if file else ("-e",)
        self.address, self._prefix = (at.address, at.prefix) if at else ("127.0.0.1", prefix)
        (self.port,) = free_ports(1)
        self.key, self.host_key = directory / "id", directory / "host"
        self.authorized = directory / "authorized"
        make_key(self.host_key)
        make_key(self.key)
        self.authorized.write_text(public(self.key))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        if kind:
            print(self.log.text)

    @property
    def host(self) -> str:
        """As known_hosts spells it."""
        return f"[{self.address}]:{self.port}"

    @property
    def known_host(self) -> str:
        """The line of known_hosts."""
        return f"{self.host} {public(self.host_key)}"

    @property
    def fingerprint(self) -> str:
        listed = subprocess.run(["ssh-keygen", "-lf", self.host_key], check=True, capture_output=True, text=True)
        return listed.stdout.split()[1]

    def start(self) -> None:
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        configuration = self.directory / "sshd_config"
        # Of several values sshd takes the first.
        lines = (
            *self._options,
            f"ListenAddress {self.address}:{self.port}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.authorized}",
            "PidFile none",
            "StrictModes no",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "UsePAM no",
            "LogLevel VERBOSE",
        )
        configuration.write_text("\n".join(lines) + "\n")
        self._process = subprocess.Popen(
            [*self._prefix, "/usr/sbin/sshd", "-D", *self._log_option, "-f", configuration],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stderr
        self.log = Output(self._process.stderr)
        match self._log_option:
            case ("-e",):
                self.log.wait_for_line(r"^Server listening")
            case ():
                wait_for(self._listens, "sshd to listen")
            case _:
                wait_for(lambda: self.file.exists() and "Server listening" in self.file.read_text(), "sshd to listen")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0

    def kill(self) -> None:
        """The listener and every connection, at once."""
        for pid in (*_descendants(self._process.pid), self._process.pid):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        self._process.wait()
        self.log.close()


def make_key(file: Path, *options: str) -> Path:
    file.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file, *options], check=True)
    return file


def public(key: Path) -> str:
    return key.with_name(f"{key.name}.pub").read_text()


def _descendants(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    children = [int(child) for child in found.stdout.split()]
    return [*(grandchild for child in children for grandchild in _descendants(child)), *children]
