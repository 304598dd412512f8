"""The certificate of every host: chosen among what is offered, written to its file, shown by the edge, and seen there.

    certificates = Certificates(state.certificates, authority, presenter, record, clock)
    await certificates.provide(("wiki.example.com",), "example.com", {"acme", "local"})
    await certificates.put(pem, "acme")             # Put(certificate, hosts) or Kept(reason)
    certificates.current("wiki.example.com")        # model.Certificate

`certificates/HOST.pem` is what a host shows. What was offered for it lies in `certificates/acme` and
`certificates/files`, so that a better offer may come and go; the local authority fills every gap.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from portward.errors import EdgeError, Environment, Invalid, PortwardError
from portward.facts import (
    CertificateExpiring,
    CertificateInstalled,
    CertificateRefused,
    CertificateRenewalFailed,
    Fact,
)
from portward.host import files
from portward.model import Certificate, Source
from portward.pki.authority import Authority
from portward.pki.bundle import LONGEST, Bundle
from portward.pki.choice import best, covers, objection
from portward.pki.notices import Notices, days_left
from portward.pki.offers import Offers
from portward.pki.presenter import Presenter

log = logging.getLogger(__name__)
Situation = tuple[Certificate | None, bool, tuple[int, int] | None]
Offered = Literal["files", "acme"]


@dataclass(frozen=True, slots=True)
class Put:
    """A certificate was taken; `hosts` are those that show it now."""

    certificate: Certificate
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is in force stays; `reason` is a sentence without its subject: 'the one in force was issued later'."""

    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What a host should show."""

    bundle: Bundle
    source: Source


class Certificates:
    """One change at a time."""

    def __init__(
        self,
        directory: Path,
        authority: Authority,
        presenter: Presenter,
        record: Callable[[Fact], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._directory, self._authority, self._presenter = directory, authority, presenter
        self._record, self._clock = record, clock
        self._offers = Offers(directory)
        self._changing = asyncio.Lock()
        self._current: dict[str, Certificate] = {}
        self._sources: frozenset[Source] = frozenset({"local"})
        self._domain = ""
        self._notices = Notices(directory / "notices.json")
        self._settled: dict[str, Situation] = {}

    def current(self, host: str) -> Certificate | None:
        """What a host shows; None for one that is not published."""
        return self._current.get(host)

    def all(self) -> Mapping[str, Certificate]:
        """What every published host shows."""
        return self._current

    async def provide(self, hosts: Collection[str], domain: str, sources: Collection[Source]) -> dict[str, Certificate]:
        """See that each host has its file, before the edge is told to serve it. Returns what each will show.

        `sources` are those that count; the local authority always does. A host that shows something already goes on
        with it until `renew`. Raises `Environment` when a host needs a certificate that nobody can make.
        """
        async with self._changing:
            self._domain, self._sources = domain, frozenset({*sources, "local"})
            self._current = await asyncio.to_thread(self._provide, hosts)
            self._notices.keep(self._current)
            return dict(self._current)

    async def put(self, pem: bytes, source: Offered) -> Put | Kept:
        """Take a certificate (leaf, issuers, key) and show it wherever it is the best.

        A host that is not published yet will show it when it is. Raises `Invalid` for one that no host could show, and
        `EdgeError` when the edge does not show it; the one before is in force then, and `CertificateRefused` tells.
        """
        bundle = await self._read(pem, source)
        offer = bundle.certificate(self._offers.path(bundle, source), source)
        async with self._changing:
            if reason := self._objection(offer):
                return Kept(reason)
            self._offers.add(offer, bundle)
            hosts = [host for host in self._current if self._best(host) == offer]
            return Put(offer, tuple([host for host in hosts if await self._show(host, Choice(bundle, source))]))

    async def withdraw(self, source: Offered, keep: Collection[str]) -> bool:
        """Forget every offer of a source but those with these fingerprints. Returns whether there were any.

        Hosts go on showing what they have, until `renew` finds the next best for them.
        """
        async with self._changing:
            return self._offers.retain(source, keep)

    async def renew(self) -> None:
        """Bring every host to the best certificate there is, renew ours in time, and tell of those that end.

        A host for which that fails keeps what it has, and does not hold up the others.
        """
        async with self._changing:
            for host in tuple(self._current):
                if self._settled.get(host) == self._situation(host):
                    continue
                try:
                    await self._show(host, await asyncio.to_thread(self._wanted, host))
                    self._settled[host] = self._situation(host)
                except PortwardError as error:
                    await self._fail(host, error)
            await self._tell_of_the_end()

    def file(self, host: str) -> Path:
        """Where the certificate lies that a host shows."""
        return self._directory / f"{host}.pem"

    async def _read(self, pem: bytes, source: Offered) -> Bundle:
        try:
            bundle = Bundle.read(pem)
            if len(bundle.pem) > LONGEST:
                raise Invalid(f"certificate, chain and key are longer than {LONGEST} bytes")
            if not bundle.names:
                raise Invalid("the certificate names no host (subject alternative name)")
        except Invalid as error:
            fact = CertificateRefused(time=self._clock(), what="a certificate", source=source, reason=error.message)
            await self._record(fact)
            raise
        return bundle

    def _objection(self, offer: Certificate) -> str:
        """Why an offer is of no use; '' where it is the best for one of its names, or for a host that may come."""
        now, hosts = self._clock(), [host for host in self._current if covers(offer, host)]
        rivals = [*(self._best(host) for host in hosts), *self._offers.rivals(offer)]
        objections = [objection(offer, rival, now) for rival in rivals] or [objection(offer, None, now)]
        return "" if "" in objections else objections[0]

    def _provide(self, hosts: Collection[str]) -> dict[str, Certificate]:
        new = [host for host in hosts if not self._best(host) and not self.file(host).exists()]
        self._authority.cover(new, self._domain, self._clock())  # one intermediate for all of them
        return {host: self._kept(host) or self._provided(host) for host in hosts}

    def _kept(self, host: str) -> Certificate | None:
        """What a published host shows, where its file is still there."""
        return self._current.get(host) if self.file(host).exists() else None

    def _provided(self, host: str) -> Certificate:
        there = self._content(host)
        try:
            wanted = self._wanted(host)
        except Environment as error:
            # An old certificate keeps the gateway up, and the next turn of `renew` tells what is wrong.
            log.warning("the certificate of %s: %s", host, error)
            wanted = Choice(self._readable(there, error), "local")
        if wanted.bundle.pem != there:
            files.replace(self.file(host), wanted.bundle.pem)
        return wanted.bundle.certificate(self.file(host), wanted.source)

    def _wanted(self, host: str) -> Choice:
        """The best offer; else what the local authority made before, or makes now."""
        if offer := self._best(host):
            return Choice(self._offers.read(offer), offer.source)
        now = self._clock()
        try:
            ours = Bundle.read(self._content(host))
        except Invalid:
            ours = None
        if ours is None or not self._authority.vouches_for(ours, host, now):
            self._authority.cover([host], self._domain, now)
            ours = Bundle.read(self._authority.issue(host, now))
        return Choice(ours, "local")

    def _readable(self, pem: bytes, otherwise: PortwardError) -> Bundle:
        try:
            return Bundle.read(pem)
        except Invalid:
            raise otherwise from None

    def _best(self, host: str) -> Certificate | None:
        offers = (offer for offer in self._offers.covering(host) if offer.source in self._sources)
        return best(offers, host, self._clock())

    async def _show(self, host: str, wanted: Choice) -> bool:
        """Whether the host shows this one from now on, and did not before. The old one comes back when it fails."""
        before, pem = self._content(host), wanted.bundle.pem
        certificate = wanted.bundle.certificate(self.file(host), wanted.source)
        if before == pem:
            self._current[host] = certificate
            return False
        files.replace(self.file(host), pem)
        try:
            await self._presenter.present(host, pem)
        except EdgeError as error:
            await self._go_back(host, before, certificate, error)
            raise
        self._current[host] = certificate
        await self._record(_installed(host, certificate, self._clock()))
        return True

    async def _go_back(self, host: str, before: bytes, refused: Certificate, error: EdgeError) -> None:
        """The old one comes back; that the new one was refused is told once."""
        files.replace(self.file(host), before)
        if self._notices.first(host, self._current[host].serial, f"refused {refused.serial}"):
            fact = CertificateRefused(
                time=self._clock(), what=host, host=host, source=refused.source, reason=error.message
            )
            await self._record(fact)
        await self._presenter.present(host, before)

    async def _fail(self, host: str, error: PortwardError) -> None:
        log.warning("the certificate of %s: %s", host, error)
        current = self._current[host]
        if self._notices.first(host, current.serial, "failed"):
            await self._record(
                CertificateRenewalFailed(time=self._clock(), host=host, source=current.source, reason=error.message)
            )

    async def _tell_of_the_end(self) -> None:
        """An event when 21, 7 and 1 days are left."""
        now = self._clock()
        for host, certificate in self._current.items():
            days = days_left(certificate, now)
            if days and self._notices.first(host, certificate.serial, str(days)):
                await self._record(_expiring(host, certificate, days, now))

    def _situation(self, host: str) -> Situation:
        """What the choice for a host rests on; while it is the same, so is the choice."""
        path, current = self.file(host), self._current[host]
        stat = path.stat() if path.exists() else None
        due = current.source == "local" and self._authority.is_due(current, self._clock())
        return self._best(host), due, (stat.st_mtime_ns, stat.st_size) if stat else None

    def _content(self, host: str) -> bytes:
        path = self.file(host)
        return path.read_bytes() if path.exists() else b""


def _installed(host: str, certificate: Certificate, now: datetime) -> CertificateInstalled:
    return CertificateInstalled(
        time=now,
        host=host,
        source=certificate.source,
        serial=certificate.serial,
        issuer=certificate.issuer,
        expires=certificate.not_after.isoformat(),
    )


def _expiring(host: str, certificate: Certificate, days: int, now: datetime) -> CertificateExpiring:
    return CertificateExpiring(
        time=now,
        host=host,
        source=certificate.source,
        serial=certificate.serial,
        days=days,
        expires=certificate.not_after.isoformat(),
    )
