"""Somebody behind NAT: the plain `ssh` of OpenSSH, with a key of its own, and what it publishes.

laptop = Laptop(directory, gateway, account="ann", publish=["blog"])
with laptop.dial("blog:80:localhost:1313"):
    ...
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.lives.gateway import Gateway
from tests.lives.network import Host
from tests.lives.waiting import PATIENCE, wait_for

_OPTIONS = ("ExitOnForwardFailure=yes", "StrictHostKeyChecking=no", "LogLevel=ERROR", "IdentitiesOnly=yes")


class Laptop:
    """A machine with one key, which the gateway knows by `name`."""

    def __init__(
        self, directory: Path, gateway: Gateway, *, account: str, name: str = "laptop", publish: str = "*"
    ) -> None:
        self.name, self._gateway, self._directory = name, gateway, directory
        self.key = directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        gateway.cli("key", "add", name, f"{self.key}.pub", "--account", account, "--publish", publish)

    def command(self, *forwards: str) -> list[str]:
        """What `ssh` is told."""
        port = str(self._gateway.ssh_port)
        known = f"UserKnownHostsFile={self._directory / 'known_hosts'}"
        options = [word for option in (*_OPTIONS, known) for word in ("-o", option)]
        wishes = [word for forward in forwards for word in ("-R", forward)]
        return ["-F", "none", "-i", str(self.key), "-p", port, *options, "-N", *wishes, self._gateway.address()]

    @contextmanager
    def dial(self, *forwards: str, program: str = "ssh", at: Host | None = None) -> Iterator["subprocess.Popen[bytes]"]:
        """Tunnels that stand when the block begins; `at` is a host of the test's own network."""
        command, count = [*(at.prefix if at else ()), program, *self.command(*forwards)], len(forwards)
        with subprocess.Popen(command, env=_environment(), start_new_session=True) as process:
            try:
                wait_for(lambda: len(tunnels(self._gateway)) == count, f"{count} tunnels")
                yield process
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait(PATIENCE)
                wait_for(lambda: not tunnels(self._gateway), "its tunnels to be gone")

    @contextmanager
    def dial_again_and_again(self, *forwards: str) -> Iterator[None]:
        """The same by autossh, which dials again whenever the connection has ended."""
        with self.dial(*forwards, program="autossh"):
            yield


def tunnels(gateway: Gateway) -> list[dict[str, Any]]:
    """The tunnels that stand."""
    with gateway.admin() as admin:
        return list(admin.get("/tunnels")["live"])


def _environment() -> dict[str, str]:
    return {**os.environ, "AUTOSSH_PORT": "0", "AUTOSSH_GATETIME": "0", "AUTOSSH_POLL": "10"}
