"""Those who try to get in, with the tools that everybody has, from a host of the test's own network.

with attacking(mallory, *guess_logins(gateway, words, host=mallory)) as attack:
    wait_for(lambda: not reaches(mallory, gateway), "the ban")

Each is given a list to work through, and is killed when the block ends: whoever is banned waits for a long time.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lives.network import Host

if TYPE_CHECKING:
    from tests.lives.gateway import Gateway

_TASKS = ("-t", "4", "-I")
"""hydra: four at a time, and no question about an earlier run."""


@contextmanager
def attacking(host: Host, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a tool there while the block lasts; what it prints is shown when the block fails."""
    with tempfile.TemporaryDirectory() as place, Path(place, "output").open("w+b") as output:
        process = subprocess.Popen(
            [*host.prefix, *command],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process
        except BaseException:
            output.seek(0)
            print(" ".join(command), output.read().decode(errors="replace"), sep="\n")
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def guess_logins(gateway: "Gateway", account: str, words: Path) -> Sequence[str]:
    """hydra at the form of the portal's login."""
    host = gateway.host("auth")
    origin = rf"H=Origin\: https\://{host}"
    form = f"/login:username=^USER^&password=^PASS^:{origin}:S=Log out"
    return ("hydra", *_TASKS, "-l", account, "-P", str(words), "-s", "443", host, "https-post-form", form)


def guess_basic(gateway: "Gateway", service: str, account: str, words: Path) -> Sequence[str]:
    """hydra with Basic credentials at a service."""
    return ("hydra", *_TASKS, "-l", account, "-P", str(words), "-s", "443", gateway.host(service), "https-get", "/")


def guess_keys(gateway: "Gateway", account: str, keys: Path) -> Sequence[str]:
    """hydra with SSH keys, whose files the list names."""
    return (
        *("hydra", *_TASKS, "-l", account, "-P", str(keys)),
        *("-s", str(gateway.ssh_port), gateway.host("auth"), "sshkey"),
    )


def scan_paths(gateway: "Gateway", service: str, paths: Path) -> Sequence[str]:
    """ffuf through a list of paths."""
    url = f"https://{gateway.host(service)}/FUZZ"
    return ("ffuf", "-s", "-k", "-u", url, "-w", str(paths), "-t", "2", "-timeout", "3", "-mc", "all")
