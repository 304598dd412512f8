"""The operator's own certificates: read, judged, and put in force; a bad file changes nothing.

own = OwnFiles(certificates, record, clock)
await own.refresh(settings.tls.files, hosts)
own.reports                     # (Report(file='/etc/ssl/wiki.pem', problem='', names=(…)),)
"""

import asyncio
import glob
import ssl
import stat
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from portward.config.own_files import OwnFile
from portward.errors import Invalid, PortwardError
from portward.facts import CertificateRefused, Fact
from portward.pki.bundle import Bundle
from portward.pki.certificates import Certificates, Kept
from portward.pki.fitness import defects, remarks

_LONGEST = 1_000_000
_SETTLING = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of one file. `problem` says why it is not used; the certificate that it held before stays."""

    file: str
    names: tuple[str, ...] = ()
    expires: datetime | None = None
    problem: str = ""
    remarks: tuple[str, ...] = ()
    bundle: Bundle | None = field(default=None, compare=False, repr=False)


class OwnFiles:
    """`moved` is set when the files are to be looked for in other directories."""

    def __init__(
        self,
        certificates: Certificates,
        record: Callable[[Fact], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._certificates, self._record, self._clock = certificates, record, clock
        self._reading = asyncio.Lock()
        self._files: tuple[OwnFile, ...] = ()
        self._hosts: tuple[str, ...] = ()
        self._told: set[tuple[str, str]] = set()
        self.reports: tuple[Report, ...] = ()
        self.moved = asyncio.Event()

    async def refresh(self, files: Sequence[OwnFile], hosts: Sequence[str]) -> None:
        """Read every file, put what is good, and take back what is named no more, unless one of them is bad.

        `hosts` are those that are published.
        """
        if tuple(files) != self._files:
            self._files = tuple(files)
            self.moved.set()
        self._hosts = tuple(hosts)
        async with self._reading:
            await self._read()
            await self._tell()

    async def follow(self) -> None:
        """The files have changed. A pair is replaced one file after the other, so what is bad is read twice."""
        async with self._reading:
            await self._read()
            if any(report.problem for report in self.reports):
                await asyncio.sleep(_SETTLING)
                await self._read()
            await self._tell()

    def directories(self) -> tuple[Path, ...]:
        """Where a change of the files can be seen."""
        paths = (Path(path) for file in self._files for path in (file.certificate, file.key) if path)
        return tuple(dict.fromkeys(path.parent for path in paths if path.parent.is_dir()))

    async def _read(self) -> None:
        found = await asyncio.to_thread(inspect, self._files, self._hosts, self._clock())
        good = {_fingerprint(one.bundle) for one in found if one.bundle}
        all_good = all(one.bundle for one in found)
        fewer = all_good and await self._certificates.withdraw("files", good)
        self.reports = tuple([await self._put(report) for report in found])
        if fewer:
            await self._certificates.renew()

    async def _put(self, report: Report) -> Report:
        if report.bundle is None:
            return report
        try:
            outcome = await self._certificates.put(report.bundle.pem, "files")
        except PortwardError as error:
            return replace(report, problem=error.message)
        if isinstance(outcome, Kept):
            return replace(report, remarks=(*report.remarks, f"it is not shown: {outcome.reason}"))
        return report

    async def _tell(self) -> None:
        """One event for each file and reason, until the file is good again."""
        refused = [report for report in self.reports if report.problem]
        for report in refused:
            if (report.file, report.problem) not in self._told:
                reason = report.problem
                fact = CertificateRefused(time=self._clock(), what=report.file, source="files", reason=reason)
                await self._record(fact)
        self._told = {(report.file, report.problem) for report in refused}


def inspect(files: Iterable[OwnFile], hosts: Sequence[str], now: datetime) -> list[Report]:
    """Read and judge every file that the settings name. `hosts` are those that are published."""
    return [_inspect(file, hosts, now) for file in _expand(files)]


def _expand(files: Iterable[OwnFile]) -> list[OwnFile]:
    found: list[OwnFile] = []
    for file in files:
        found += [OwnFile(path) for path in sorted(glob.glob(file.certificate))] if file.is_pattern else [file]
    return list(dict.fromkeys(found))


def _inspect(file: OwnFile, hosts: Sequence[str], now: datetime) -> Report:
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
    return Report(file.certificate, bundle.names, end, remarks=notes, bundle=bundle)


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


def _fingerprint(bundle: Bundle) -> str:
    return bundle.certificate(Path(), "files").fingerprint
