"""The defence, wired: the ledger of bans, and whoever enforces them.

defending = Defending(state, store, kernel, enforcers, walls, settings, hosts, ssh, journal, clock)
await defending.load(former_hosts)           # what was seen before a restart still counts
await defending.begin()                      # what the store holds is in force before anybody is let in
await defending.follow(settings)             # another allowlist: bans of who is on it now are lifted
await defending.run()                        # each ban ends on time
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from ipaddress import ip_network
from typing import Any

from starlette.routing import Route

from portward.config import Settings
from portward.config.spelling import spell_duration
from portward.defense.blocklists import Blocklists, Wall
from portward.defense.detectors import detectors_of
from portward.defense.enforcement import Enforcer, Enforcers
from portward.defense.exempt import Exemptions, Network, network_of
from portward.defense.guard import Guard
from portward.defense.kernel import KernelBans
from portward.defense.ledger import Ledger
from portward.defense.release import Release
from portward.defense.walls import Bounds, KernelWalls
from portward.facts import EdgeMended
from portward.host.addresses import default_gateways, own_addresses
from portward.host.paths import State
from portward.keeper.chores import Chore, every
from portward.keeper.hostlogs import HostLogs
from portward.portal.admin_bans import BansApi
from portward.portal.admin_defence import DefenceApi
from portward.store import Store
from portward.watch.journal import Journal

_ADDRESSES_SECONDS = 10.0


class Defending:
    """`ssh`: whether the SSH server of tunnels runs."""

    def __init__(
        self,
        state: State,
        store: Store,
        kernel: KernelBans,
        enforcers: Sequence[Enforcer],
        walls: Sequence[Wall],
        settings: Callable[[], Settings],
        hosts: Callable[[], Collection[str]],
        ssh: Callable[[], bool],
        journal: Journal,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._settings, self._journal, self._clock = store, settings, journal, clock
        self._machine: tuple[float, Exemptions] | None = None
        self._kernel, self._mending_took = kernel, 0.0
        self.kernel_walls = KernelWalls(
            kernel.nft, lambda: replace(bounds_of(settings(), self.exemptions(), ssh=ssh()), wanted=kernel.wanted)
        )
        self.ledger = Ledger(store.bans, Enforcers(kernel, *enforcers), self.exemptions, journal.record_all, clock)
        self.guard = Guard(self.ledger, journal.record, settings, hosts, clock)
        self.lists = Blocklists(
            *(
                state.lists,
                state.listed,
                lambda: settings().defence.lists,
                self._protected,
                (*walls, self.kernel_walls),
            ),
            *(journal.record, clock),
        )
        self.release = Release(store.releases, self.ledger, lambda: settings().defence.release, journal.record, clock)
        journal.listen(self.guard.hear)
        self._host_logs = HostLogs(store, self.guard.hear, journal, settings, clock)

    async def load(self, former_hosts: Iterable[str]) -> None:
        """Count again what was seen before this start. Raises `StoreError`."""
        await self.guard.load(self._store.events, former_hosts)

    async def begin(self) -> None:
        """Bring into force what the store holds. Raises `PortwardError`."""
        await self._instruct(self._settings())
        await self.ledger.mend()

    async def follow(self, settings: Settings) -> None:
        """These settings are in force."""
        self._machine = None
        self._host_logs.follow()
        await self._instruct(settings)
        await self.ledger.allow_changed()
        self.lists.follow()

    async def end(self) -> None:
        """Leave the kernel as it was."""
        await self.kernel_walls.end()
        await self._kernel.end()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.ledger.run())
            group.create_task(self.guard.run())
            group.create_task(self.lists.run())
            group.create_task(self._host_logs.run())

    def routes(self) -> list[Route]:
        """What the admin API tells and does about it."""
        bans = BansApi(self.ledger, self.exemptions, self.lists.lists_of, self._logged_in_from)
        return [*bans.routes(), *DefenceApi(self, self.ledger, self.lists).routes()]

    def chores(self) -> list[Chore]:
        return [Chore("mending bans", self._pause, self.mend), Chore("forgetting old bans", every(3600), self._tidy)]

    async def mend(self) -> None:
        began = time.monotonic()
        for what in [*await self.ledger.mend(), *await self.kernel_walls.look()]:
            await self._journal.record(EdgeMended(time=self._clock(), what=what))
        self._mending_took = time.monotonic() - began

    async def report(self) -> dict[str, Any]:
        """For `portward status`."""
        detectors = [{**asdict(tally), **self._settings_of(tally.detector)} for tally in await self.guard.report()]
        return {
            "bans": await self.ledger.count(),
            "kernel": self._kernel_report(),
            "walls": await self._walls_report(),
            "detectors": detectors,
            "logs": self._host_logs.report(),
        }

    def _settings_of(self, name: str) -> dict[str, Any]:
        detector = detectors_of(self._settings().defence.detectors)[name]
        return {
            "tries": detector.tries,
            "within": spell_duration(detector.within),
            "ban": spell_duration(detector.ban),
            "scope": detector.scope,
        }

    async def _logged_in_from(self, network: Network) -> Sequence[str]:
        pairs = await self._store.sessions.addresses()
        return sorted({name for name, address in pairs if address and network_of(address).network_address in network})

    def exemptions(self) -> Exemptions:
        """Who can't be banned now. The machine is asked again after some seconds, since its addresses change."""
        now = time.monotonic()
        if self._machine is None or now - self._machine[0] > _ADDRESSES_SECONDS:
            self._machine = now, exemptions_of(self._settings())
        return self._machine[1]

    def _protected(self) -> set[str]:
        return {str(network) for network in self.exemptions().networks}

    def _kernel_report(self) -> dict[str, Any]:
        """`on`, or `why` not and the `way_out`."""
        if not self._kernel.wanted:
            return {"on": False, "why": "`defence.kernel` is false", "way_out": ""}
        trouble = self._kernel.trouble
        return {
            "on": self._kernel.on,
            "why": trouble.message if trouble else "",
            "way_out": trouble.way_out if trouble else "",
        }

    async def _walls_report(self) -> dict[str, Any]:
        """Whether the kernel holds countries and lists, or `why` it does not though it should."""
        trouble = self.kernel_walls.trouble
        return {
            "on": self.kernel_walls.on,
            "why": trouble.message if trouble else "",
            "way_out": trouble.way_out if trouble else "",
            "dropped": await self.kernel_walls.dropped(),
        }

    async def _instruct(self, settings: Settings) -> None:
        """Tell the kernel whom to let pass. A page can only be shown where packets come through."""
        told = settings.defence.answer == "page"
        doors = [*settings.listen.https] if told or settings.defence.release else []
        doors += settings.listen.http if told else ()
        pages = {door.port for door in doors} | ({settings.public_port} if doors else set())
        exempt = self.exemptions()
        passing = (*exempt.allowed, *exempt.proxies, *exempt.own, *exempt.gateways)
        await self._kernel.follow(passing, pages, wanted=settings.defence.kernel)
        await self.kernel_walls.follow()
        if settings.defence.kernel and not self._kernel.on:
            await self.mend()

    def _pause(self) -> float:
        """Often, since a foreign `nft flush ruleset` lets everybody in; less often where it takes its time."""
        return max(5.0, 100 * self._mending_took)

    async def _tidy(self) -> None:
        await self.ledger.tidy(self._settings().log.keep)
        await self.release.tidy()


def bounds_of(settings: Settings, exempt: Exemptions, *, ssh: bool) -> Bounds:
    """Where lists and countries hold in the kernel. `ssh`: whether the SSH server of tunnels runs.

    An ACME authority asks from anywhere, so countries do not hold at plain HTTP, and not at all where one is used.
    """
    https = [*settings.listen.https, *(settings.tunnel_policy.listen if ssh else ())]
    https += [service.listen for service in settings.tcp_services.values() if service.listen]
    abroad = [] if settings.tls.mode == "acme" else https
    return Bounds(settings.defence.kernel, exempt.networks, [*https, *settings.listen.http], abroad)


def exemptions_of(settings: Settings) -> Exemptions:
    """What portward.toml and this machine protect."""
    return Exemptions(
        own=tuple(map(ip_network, own_addresses())),
        gateways=tuple(map(ip_network, default_gateways())),
        proxies=(*settings.proxies.forwarded_for, *settings.proxies.proxy_protocol),
        allowed=settings.defence.allow,
        private=settings.defence.protect_private,
    )
