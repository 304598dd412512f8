"""What the operator's own files hold, and whether that can be shown.

inspect(settings.tls.files, hosts, now)        # [Report(file='/etc/ssl/wiki.pem', problem='it expired on …')]
"""

import glob
import ssl
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from portward.config.own_files import OwnFile
from portward.errors import Invalid
from portward.pki.bundle import Bundle
from portward.pki.fitness import defects, remarks

_LONGEST = 1_000_000
Signature = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of one file. `problem` says why it is not used; the certificate that it held before stays."""

    file: str
    names: tuple[str, ...] = ()
    expires: datetime | None = None
    problem: str = ""
    remarks: tuple[str, ...] = ()
    bundle: Bundle | None = field(default=None, compare=False, repr=False)
    signature: Signature = field(default=(), compare=False, repr=False)

    @property
    def fingerprint(self) -> str:
        """Of the certificate; empty where the file is not used."""
        return self.bundle.certificate(Path(), "files").fingerprint if self.bundle else ""


def inspect(files: Iterable[OwnFile], hosts: Sequence[str], now: datetime) -> list[Report]:
    """Read and judge every file that the settings name. `hosts` are those that are published."""
    return [inspect_file(file, hosts, now) for file in expand(files)]


def expand(files: Iterable[OwnFile]) -> list[OwnFile]:
    """One for each file: patterns become the files that they stand for now, in the order of their names."""
    found: list[OwnFile] = []
    for file in files:
        found += [OwnFile(path) for path in sorted(glob.glob(file.certificate))] if file.is_pattern else [file]
    return list(dict.fromkeys(found))


def inspect_file(file: OwnFile, hosts: Sequence[str], now: datetime) -> Report:
    """Read and judge one file, and its key's."""
    signature = signature_of(file)
    try:
        certificate = _content(Path(file.certificate))
        bundle = Bundle.read(certificate, _content(Path(file.key)) if file.key else None)
    except OSError as error:
        return Report(file.certificate, problem=f"{error.filename} can't be read: {error.strerror}")
    except Invalid as error:
        return Report(file.certificate, problem=error.message)
    end = bundle.leaf.not_valid_after_utc
    if found := defects(bundle, now, _roots()):
        return Report(file.certificate, bundle.names, end, "; ".join(found))
    notes = (*remarks(bundle, hosts), *_exposed(Path(file.key or file.certificate)))
    return Report(file.certificate, bundle.names, end, remarks=notes, bundle=bundle, signature=signature)


def signature_of(file: OwnFile) -> Signature:
    """Another one when a file is written anew, or when a link leads elsewhere."""
    return tuple(_stat(Path(path)) for path in (file.certificate, file.key) if path)


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise Invalid(f"{path} is no certificate: it is longer than {_LONGEST} bytes")
    return content


def _exposed(path: Path) -> tuple[str, ...]:
    if path.stat().st_mode & stat.S_IROTH:
        return (f"everybody on this machine can read the private key: chmod o-r {path}",)
    return ()


@cache
def _roots() -> frozenset[frozenset[str]]:
    """The names of the authorities that this machine trusts; empty where it has no such list."""
    roots: list[dict[str, Any]] = ssl.create_default_context().get_ca_certs()
    names = (root.get("subject", ()) for root in roots)
    return frozenset(frozenset(value for parts in name for _, value in parts) for name in names)
