"""The operator's own certificates: read, judged, and put in force; a bad file changes nothing.

own = OwnFiles(certificates, record, clock)
await own.refresh(settings.tls.files, hosts)
own.reports                     # (Report(file='/etc/ssl/wiki.pem', problem='', names=(…)),)
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from portward.config.own_files import OwnFile
from portward.errors import PortwardError
from portward.facts import CertificateRefused, Fact
from portward.pki.certificates import Certificates
from portward.pki.choice import covered
from portward.pki.inspection import Report, expand, inspect_file, signature_of

_SETTLING = 1.0


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
        self._known: dict[OwnFile, Report] = {}
        self._told: set[tuple[str, str]] = set()
        self.moved = asyncio.Event()

    @property
    def reports(self) -> tuple[Report, ...]:
        """What is known of each file now."""
        shown = {certificate.fingerprint for certificate in self._certificates.all().values()}
        return tuple(self._remarked(report, shown) for report in self._known.values())

    async def refresh(self, files: Sequence[OwnFile], hosts: Sequence[str]) -> None:
        """Read every file, put what is good, and take back what is named no more, unless one of them is bad.

        `hosts` are those that are published.
        """
        if tuple(files) != self._files:
            self._files = tuple(files)
            self.moved.set()
        async with self._reading:
            if tuple(hosts) != self._hosts:
                self._hosts, self._known = tuple(hosts), {}
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
        """What has not changed since it was put is neither read nor put again, unless something was taken back."""
        found = await asyncio.to_thread(self._look, self._clock())
        good = {report.fingerprint for report in found.values() if not report.problem}
        bad = any(report.problem for report in found.values())
        fewer = not bad and await self._certificates.withdraw("files", good)
        self._known = {
            file: report if report is self._known.get(file) and not fewer else await self._put(report)
            for file, report in found.items()
        }
        if fewer:
            await self._certificates.renew()

    def _look(self, now: datetime) -> dict[OwnFile, Report]:
        return {file: self._still(file, now) or inspect_file(file, self._hosts, now) for file in expand(self._files)}

    def _still(self, file: OwnFile, now: datetime) -> Report | None:
        """What was found before, where that is as true as it was."""
        known = self._known.get(file)
        same = known and not known.problem and known.signature == signature_of(file)
        return known if known and same and known.expires and known.expires > now else None

    async def _put(self, report: Report) -> Report:
        if report.bundle is None:
            return report
        try:
            await self._certificates.put(report.bundle.pem, "files")
        except PortwardError as error:
            return replace(report, problem=error.message)
        return report

    def _remarked(self, report: Report, shown: Collection[str]) -> Report:
        if report.fingerprint in ("", *shown) or not any(covered(host, report.names) for host in self._hosts):
            return report
        return replace(report, remarks=(*report.remarks, "it is not shown: a better one is there for its hosts"))

    async def _tell(self) -> None:
        """One event for each file and reason, until the file is good again."""
        refused = [report for report in self.reports if report.problem]
        for report in refused:
            if (report.file, report.problem) not in self._told:
                reason = report.problem
                fact = CertificateRefused(time=self._clock(), what=report.file, source="files", reason=reason)
                await self._record(fact)
        self._told = {(report.file, report.problem) for report in refused}
