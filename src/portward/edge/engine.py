"""The HAProxy of this machine: where it is, which version, and which features that means.

engine = find_engine()
engine.version               # (2, 6, 12)
engine.missing()             # {'ocsp-update': 'needs HAProxy 2.8, this is 2.6.12'}
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from portward.errors import Environment
from portward.host.processes import find_program

OLDEST = (2, 6, 0)
MENDED = {(2, 6): 15, (2, 7): 10, (2, 8): 2}
"""The first of each line that lets nobody past a rule by a bare `#` in the path (CVE-2023-45539), an empty
Content-Length (CVE-2023-40225) or an empty header name (CVE-2023-25725)."""
_SINCE = {
    "refuses NUL bytes in headers by itself": ((3, 2, 0), "a rule of our own stands in for it"),
    "counts address, session, device and service at once": (
        (2, 8, 0),
        "where a service has `limits`, a device's use of it does not count as its last use",
    ),
}


@dataclass(frozen=True, slots=True)
class Engine:
    path: str
    version: tuple[int, int, int]
    ipv6: bool = True

    @property
    def needs_nul_rule(self) -> bool:
        """Up to 3.1 the parser passes a NUL byte in a header value on."""
        return self.version < (3, 2, 0)

    @property
    def tracks_four(self) -> bool:
        """Since 2.8 a request may count in more than three tables (tune.stick-counters)."""
        return self.version >= (2, 8, 0)

    @property
    def forwards_unseen(self) -> bool:
        """Since 2.9 bodies may pass beside the buffer that alone shows whether one waits for a slow service."""
        return self.version >= (2, 9, 0)

    @property
    def name(self) -> str:
        return "HAProxy " + ".".join(map(str, self.version))

    def missing(self) -> dict[str, str]:
        """Features that this version lacks, each with the reason; empty where all are there."""
        return {
            feature: f"needs HAProxy {since[0]}.{since[1]}, this is {'.'.join(map(str, self.version))}; {instead}"
            for feature, (since, instead) in _SINCE.items()
            if self.version < since
        }


def find_engine() -> Engine:
    """Ask `haproxy -v`. Raises `Environment` where there is none, or one that must not face the internet."""
    path = find_program("haproxy")
    text = subprocess.run([path, "-v"], capture_output=True, text=True, check=True, timeout=10).stdout  # noqa: S603
    return Engine(path, version_in(text, path), ipv6=Path("/proc/net/if_inet6").exists())


def version_in(text: str, path: str) -> tuple[int, int, int]:
    """The version that HAProxy tells. Raises `Environment` when it is older than 2.6, or has known holes.

    A distribution mends older versions under their own number, and says so in what follows it (`-1+deb12u4`).
    """
    match = re.search(r"version ((\d+)\.(\d+)\.(\d+))(\S*)", text)
    if match is None:
        raise Environment(f"{path} -v does not tell its version", way_out="install HAProxy 2.6 or newer")
    version = (int(match[2]), int(match[3]), int(match[4]))
    if version < OLDEST:
        raise Environment(f"{path} is HAProxy {match[1]}", way_out="install HAProxy 2.6 or newer")
    mended = MENDED.get(version[:2], 0)
    if version[2] < mended and not re.search(r"deb\d+u\d|ubuntu", match[5]):
        raise Environment(
            f"{path} is HAProxy {match[1]}{match[5]}, and requests get past its rules (CVE-2023-45539, CVE-2023-40225)",
            way_out=f"install {version[0]}.{version[1]}.{mended} or newer, or your distribution's security update",
        )
    return version
