"""portward.toml in force: read, planned, published, and the last good one kept.

configuration = Configuration(path, state, ...)
await configuration.start()               # falls back to the last good file where this one is bad
outcome = await configuration.reload()    # a bad file changes nothing
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from portward.config import Settings
from portward.config.checks import placed_listeners
from portward.config.reading import parse, text_of
from portward.config.values import Address
from portward.defense.geo.borders import Borders
from portward.edge.engine import Engine
from portward.edge.gate import Gate
from portward.edge.plan import Plan, names_to_resolve, plan
from portward.edge.publisher import How, Publisher
from portward.edge.resolve import Resolver
from portward.edge.trust import Trust
from portward.errors import ConfigError, PortwardError
from portward.facts import ConfigApplied, ConfigRejected, EdgeMended
from portward.host import files
from portward.host.notify import notify
from portward.host.paths import State
from portward.host.ports import check_free
from portward.identity.gatekeeper import Record
from portward.keeper.countries import Countries
from portward.keeper.denying import DenyFiles
from portward.model import Certificate, Source
from portward.pki.certificates import Certificates
from portward.pki.own_files import OwnFiles
from portward.watch.retention import Retention

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt to apply the file. `error` is None where it is in force."""

    at: datetime
    how: How | None = None
    summary: str = ""
    error: PortwardError | None = None


class Tunnels(Protocol):
    """What brings services of its own, beside those of the file."""

    def over(self, settings: Settings) -> Settings:
        """The settings of the file with those services."""

    async def follow(self, settings: Settings) -> None:
        """These settings of the file are in force."""

    @property
    def wanted(self) -> bool:
        """Whether the SSH server runs, and holds its listeners."""


@dataclass(slots=True)
class InForce:
    """`settings` are those of the file, `of_file`, with the services that keys made on the spot."""

    of_file: Settings
    settings: Settings
    plan: Plan
    addresses: Mapping[str, str]
    borders: Borders | None


class Configuration:
    """One change at a time; everything else reads `settings`, which is always a complete, valid one."""

    def __init__(
        self,
        path: Path,
        state: State,
        engine: Engine,
        publisher: Publisher,
        gate: Gate,
        certificates: Certificates,
        own_files: OwnFiles,
        trust: Callable[[Settings], Trust],
        tunnels: Tunnels,
        countries: Countries,
        followed: Callable[[Settings], Awaitable[None]],
        record: Record,
        clock: Callable[[], datetime],
    ) -> None:
        self.path = path
        self._state, self._engine, self._publisher, self._gate = state, engine, publisher, gate
        self._certificates, self._own_files, self._trust = certificates, own_files, trust
        self._countries = countries
        self._tunnels, self._followed, self._record, self._clock = tunnels, followed, record, clock
        self._resolver, self._deny_files = Resolver(), DenyFiles()
        self._changing = asyncio.Lock()
        self._in_force: InForce | None = None
        self._passes_alpn = False
        self.applied: Outcome | None = None
        self.rejected: Outcome | None = None
        self._read_last = files.signature_of(path)
        self._first, self._text = self._read_or_last_good()

    @property
    def settings(self) -> Settings:
        return self._in_force.settings if self._in_force else self._first

    @property
    def hosts(self) -> tuple[str, ...]:
        return self._in_force.plan.hosts if self._in_force else ()

    @property
    def certificates(self) -> Mapping[str, Certificate]:
        return self._certificates.all()

    async def start(self) -> None:
        """Bring the file into force for the first time; the last good one where the edge can't run the file.

        Raises `EdgeError`, `Environment` when neither can be used.
        """
        async with self._changing:
            try:
                await self._apply(self._first, self._text)
            except PortwardError as error:
                if not self._has_other_last_good():
                    raise
                self._first, self._text = self._last_good(error)
                await self._apply(self._first, self._text)
        if self.rejected and self.rejected.error:
            await self._record(ConfigRejected(time=self._clock(), reason=str(self.rejected.error)))

    async def reload(self) -> Outcome:
        """Bring the file as it is now into force. Never raises for a bad one: the outcome tells."""
        async with self._changing:
            return await self._reload()

    async def follow(self) -> None:
        """The file may have changed: as `reload`, unless it was read since."""
        async with self._changing:
            if files.signature_of(self.path) != self._read_last:
                await self._reload()

    async def republish(self) -> None:
        """Bring services that keys made on the spot into force, and those that are over out of it."""
        async with self._changing:
            if self._in_force is not None:
                await self._bring(self._in_force.of_file)

    async def mend(self) -> None:
        """Compare what is wanted with what the edge has, and put it right; moved names and due certificates too."""
        async with self._changing:
            if self._in_force is not None:
                await self._mend(self._in_force)

    async def follow_owners(self) -> None:
        """An owner may have logged in: the exceptions from the gateway's rule about countries follow at once."""
        async with self._changing:
            before = self._in_force
            if before and await self._countries.owners(before.settings) != before.plan.owners:
                await self._plan_again(before)

    async def pass_alpn(self, on: bool) -> None:
        """Whether connections that offer `acme-tls/1` go to who answers an authority. Raises `EdgeError`.

        Looking for them costs each new connection a hop, so it is on only while an authority looks.
        """
        async with self._changing:
            if on == self._passes_alpn or self._in_force is None:
                return
            self._passes_alpn = on
            try:
                fresh = await self._plan(self._in_force.of_file)
                await self._publisher.publish(fresh.plan, self.certificates)
            except PortwardError:
                self._passes_alpn = not on
                raise
            self._in_force = fresh

    async def _reload(self) -> Outcome:
        self._read_last = files.signature_of(self.path)
        try:
            return await self._apply(*self._read(text_of(self.path)))
        except PortwardError as error:
            log.error("portward.toml was not applied: %s", error)
            self.rejected = Outcome(self._clock(), error=error)
            await self._record(ConfigRejected(time=self._clock(), reason=str(error)))
            return self.rejected

    async def _mend(self, before: InForce, *, thoroughly: bool = False) -> None:
        await self._own_files.refresh(before.settings.tls.files, before.plan.hosts)
        await self._certificates.renew()
        fresh = await self._plan_again(before)
        mended = await self._publisher.mend(fresh.plan, self.certificates)
        for what in mended + await self._gate.mend(thoroughly=thoroughly):
            await self._record(EdgeMended(time=self._clock(), what=what))
        await self._certificates.renew()  # what the edge could not show before it was mended
        for what in await self._publisher.look(self.certificates):
            await self._record(EdgeMended(time=self._clock(), what=what))

    async def _plan_again(self, before: InForce) -> InForce:
        fresh = await self._plan(before.of_file)
        if fresh.plan != before.plan:
            await self._publisher.publish(fresh.plan, self.certificates)
            self._in_force = fresh
            await self._countries.follow(fresh.settings, fresh.borders)
        return fresh

    async def _apply(self, settings: Settings, text: str) -> Outcome:
        before = self._in_force.of_file if self._in_force else None
        if self._in_force and self.applied and before == settings:
            await self._mend(self._in_force, thoroughly=True)
            self.rejected = None
            return self.applied
        await self._check_ports(before, settings)
        Retention(settings.log.rotate, settings.log.keep).save(self._state)
        how = await self._bring(settings)
        await self._tunnels.follow(settings)
        await self._followed(settings)
        if before is not None:
            await self._certificates.renew()
        if self.rejected is None or before is not None:
            files.replace(self._state.last_good, text.encode())
        self.applied = Outcome(self._clock(), how, _difference(before, settings))
        self.rejected = self.rejected if before is None else None
        await self._record(ConfigApplied(time=self._clock(), how=how, summary=self.applied.summary))
        return self.applied

    async def _bring(self, of_file: Settings) -> How:
        """Publish what the file says, and the services made on the spot."""
        fresh = await self._plan(of_file)
        await self._gate.expect(fresh.settings.routes)
        await self._own_files.refresh(of_file.tls.files, fresh.plan.hosts)
        certificates = await self._certificates.provide(fresh.plan.hosts, of_file.domain, _sources(of_file))
        how = await self._publisher.publish(fresh.plan, certificates)
        if how == "start":
            notify(X_EDGE="configured")
            await self._publisher.wait_for_edge(fresh.plan.skeleton.fingerprint)
        self._in_force = fresh
        await self._gate.serve(fresh.settings.routes)
        await self._countries.follow(fresh.settings, fresh.borders)
        return how

    async def _check_ports(self, before: Settings | None, after: Settings) -> None:
        """Raise `Environment` for a port that is taken, before HAProxy tries it and pauses its listeners for that.

        A keeper that comes back does not know yet which ports the running edge holds, and leaves it to HAProxy.
        """
        if before is None and await self._publisher.running() is not None:
            return
        held = {address for _, address in placed_listeners(before)} if before else set[Address]()
        if self._tunnels.wanted:
            held.update((before or after).tunnel_policy.listen)
        check_free(address for _, address in placed_listeners(after) if address not in held)

    async def _plan(self, of_file: Settings) -> InForce:
        settings = self._tunnels.over(of_file)
        addresses = await self._resolver.resolve(names_to_resolve(settings))
        lists = await asyncio.to_thread(self._deny_files.read, settings)
        trust = await asyncio.to_thread(self._trust, settings)
        borders = await self._countries.borders(settings)
        wanted = plan(
            settings,
            self._state,
            self._engine,
            addresses=addresses,
            deny_lists=lists,
            trust=trust,
            borders=borders,
            owners=await self._countries.owners(settings),
            alpn=self._passes_alpn,
        )
        return InForce(of_file, settings, wanted, addresses, borders)

    def _read(self, text: str) -> tuple[Settings, str]:
        """Check a text as if it stood in the file, so that relative paths mean the same in the last good one."""
        return parse(text, self.path, os.environ, state=self._state.directory), text

    def _read_or_last_good(self) -> tuple[Settings, str]:
        try:
            return self._read(text_of(self.path))
        except ConfigError as error:
            if not self._state.last_good.exists():
                raise
            return self._last_good(error)

    def _has_other_last_good(self) -> bool:
        return self._state.last_good.exists() and text_of(self._state.last_good) != self._text

    def _last_good(self, error: PortwardError) -> tuple[Settings, str]:
        log.error("portward.toml is not used, the last good one is: %s", error)
        self.rejected = Outcome(self._clock(), error=error)
        return self._read(text_of(self._state.last_good))


def _sources(settings: Settings) -> set[Source]:
    """Which certificates count beside those of the local authority."""
    sources: set[Source] = {"files"} if settings.tls.files else set()
    return sources | {"acme"} if settings.tls.mode == "acme" else sources


def _difference(before: Settings | None, after: Settings) -> str:
    if before is None:
        return f"{len(after.services)} services"
    added = sorted(set(after.services) - set(before.services))
    removed = sorted(set(before.services) - set(after.services))
    changed = sorted(n for n in set(after.services) & set(before.services) if after.services[n] != before.services[n])
    others = sorted(
        name
        for name in type(after).model_fields
        if name != "services" and getattr(after, name) != getattr(before, name)
    )
    parts = (("added", added), ("removed", removed), ("changed", changed), ("settings", others))
    return "; ".join(f"{word} {', '.join(names)}" for word, names in parts if names) or "no difference"
