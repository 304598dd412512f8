"""What was told of each certificate already, so that nothing is told twice, also after a restart.

days_left(certificate, now)                         # 21, 7, 1 or None
notices = Notices(state.certificates / "notices.json")
notices.first("wiki.example.com", serial, "7")      # True once
"""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from portward.host import files
from portward.model import Certificate

DAYS = (1, 7, 21)


def days_left(certificate: Certificate, now: datetime) -> int | None:
    """The smallest of `DAYS` that is more than a certificate has left; None where there is time.

    A span of more than half of its life says nothing: some authorities give certificates for six days.
    """
    left, life = certificate.not_after - now, certificate.not_after - certificate.not_before
    return next((days for days in DAYS if left < timedelta(days=days) <= life / 2), None)


class Notices:
    """A JSON file: host, the serial number that it was about, and what was told."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: dict[str, tuple[str, list[str]]] = {}
        if path.exists():
            found = json.loads(path.read_text())
            self._told = {host: (serial, list(what)) for host, (serial, what) in found.items()}

    def first(self, host: str, serial: str, what: str) -> bool:
        """Whether this was not told yet of this certificate. From now on it was."""
        known, told = self._told.get(host, ("", []))
        if known == serial and what in told:
            return False
        self._told[host] = (serial, [*told, what] if known == serial else [what])
        files.replace(self._path, json.dumps(self._told).encode())
        return True

    def keep(self, hosts: Collection[str]) -> None:
        """Forget every host but these."""
        self._told = {host: told for host, told in self._told.items() if host in hosts}
