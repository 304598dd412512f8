"""Where this machine keeps the authorities that it trusts: the system's store, and those of Firefox and Chromium.

for store in stores(Path.home()):
    store.trust("Portward local authority 01234567", Path("root.crt"))      # the commands that do it
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Command = tuple[str, ...]
_SYSTEM = (
    ("usr/local/share/ca-certificates", ("update-ca-certificates",)),
    ("etc/pki/ca-trust/source/anchors", ("update-ca-trust", "extract")),
    ("etc/ca-certificates/trust-source/anchors", ("trust", "extract-compat")),
)
"""Debian and Ubuntu; Fedora and its kin; Arch."""
_BROWSERS = (
    ".pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
    ".mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
)


@dataclass(frozen=True, slots=True)
class TrustStore:
    """`place` is a directory: of PEM files for the system, of an NSS database (`cert9.db`) for a browser."""

    kind: Literal["system", "browser"]
    place: Path
    update: Command = ()

    def trust(self, name: str, root: Path) -> list[Command]:
        """The commands that make it trust a root certificate, under this name."""
        if self.kind == "system":
            return [("install", "-m", "644", str(root), str(self._file(name))), self.update]
        return [("certutil", "-A", "-d", f"sql:{self.place}", "-n", name, "-t", "C,,", "-i", str(root))]

    def untrust(self, name: str) -> list[Command]:
        """The commands that take it back; none where it is not there."""
        if self.kind == "system":
            gone = [("rm", str(self._file(name)))] if self._file(name).exists() else []
            return [*gone, self.update] if gone else []
        return [("certutil", "-D", "-d", f"sql:{self.place}", "-n", name)]

    def _file(self, name: str) -> Path:
        return self.place / f"{name.lower().replace(' ', '-')}.crt"


def stores(home: Path, system: Path = Path("/")) -> Iterator[TrustStore]:
    """Every store that is there. Browsers make theirs when they are started for the first time."""
    for place, update in _SYSTEM:
        if (system / place).is_dir() and shutil.which(update[0]):
            yield TrustStore("system", system / place, update)
            break
    for pattern in _BROWSERS:
        for found in sorted(home.glob(pattern)):
            if (found / "cert9.db").exists():
                yield TrustStore("browser", found)
