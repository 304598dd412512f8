"""The keeper's side of tunnels: what the SSH server is told, and what follows from what it tells.

    tunnelling = Tunnelling(state, store, Control(state.tunnels_socket), clock)
    await tunnelling.follow(settings)           # its rules are written; the supervisor runs it, or ends it
    await tunnelling.hear([TunnelOpened(…)])    # a service that was made on the spot is kept
    await tunnelling.run(publish)               # and published, whenever there is a new one

Facts may get lost; `reconcile` asks the SSH server itself, so that this costs delay only.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from portward.config import Settings
from portward.config.publickeys import NoPublicKey, PublicKey, public_keys
from portward.config.settings import ServiceSettings
from portward.config.spelling import NAME_PATTERN
from portward.errors import NotFound, NotRunning, PortwardError, StoreError
from portward.facts import Fact, TunnelClosed, TunnelOpened
from portward.host.addresses import own_addresses
from portward.host.files import replace
from portward.host.notify import notify
from portward.host.paths import State
from portward.keeper.sshrules import rules_of
from portward.model import Publication
from portward.store import Store
from portward.tunnels.control import Control, Live
from portward.tunnels.rules import spell

log = logging.getLogger(__name__)


class Carried(NamedTuple):
    """A service that was made on the spot, and whose key carries it."""

    service: str
    account: str
    key: str


class Tunnelling:
    """Until `follow` was called once, nothing is told and nothing wanted."""

    def __init__(self, state: State, store: Store, control: Control, clock: Callable[[], datetime]) -> None:
        self._state, self._store, self._control, self._clock = state, store, control, clock
        self._settings: Settings | None = None
        self._made: dict[str, Publication] = {}
        self._telling = asyncio.Lock()
        self._changed = asyncio.Event()
        self.wanted = False

    # ---- telling the SSH server ------------------------------------------------------------------------------------

    async def follow(self, settings: Settings) -> None:
        """These settings of portward.toml are in force."""
        self._settings = settings
        await self.tell()

    async def tell(self) -> None:
        """Write the rules, where they changed, and let the supervisor know whether the server is to run."""
        async with self._telling:
            if self._settings is None:
                return
            keys = await self._store.keys.list()
            self.wanted = self._settings.asks_for_tunnels or bool(keys)
            if self.wanted:
                accounts = await self._store.accounts.list()
                signers = await asyncio.to_thread(_signers, self._settings)
                rules = rules_of(self._settings, keys, accounts, own=own_addresses(), signers=signers)
                _put(self._state.tunnel_rules, spell(rules))
            else:
                self._state.tunnel_rules.unlink(missing_ok=True)
            notify(X_TUNNELS="wanted" if self.wanted else "unwanted")

    # ---- services made on the spot ---------------------------------------------------------------------------------

    async def load(self) -> None:
        """Remember what was made before."""
        self._made = {publication.name: publication for publication in await self._store.publications.list()}

    def over(self, settings: Settings) -> Settings:
        """The settings with the services that were made on the spot; what portward.toml says comes first."""
        hosts = {settings.portal_host, *(route.host for route in settings.routes)}
        service = ServiceSettings(tunnel=True, access=settings.tunnel_policy.default_access)
        made = {
            name: service
            for name in sorted(self._made)
            if name not in settings.services and f"{name}.{settings.domain}" not in hosts
        }
        return settings.model_copy(update={"services": {**settings.services, **made}}) if made else settings

    def source(self, service: str) -> str:
        """Where a service comes from: `portward.toml`, or the key that made it."""
        declared = self._settings is not None and service in self._settings.services
        made = None if declared else self._made.get(service)
        return f"key {made.key} of {made.account}" if made else "portward.toml"

    async def hear(self, facts: Iterable[Fact]) -> None:
        """Keep what a tunnel brought with it, and when it was there last. What the store can't take now comes later."""
        tunnels = [fact for fact in facts if isinstance(fact, TunnelOpened | TunnelClosed) and fact.made]
        try:
            await self._see([Carried(fact.service, fact.account, fact.key) for fact in tunnels])
        except StoreError as error:
            log.error("services that were made on the spot are not kept yet: %s", error)

    async def reconcile(self) -> None:
        """Tell the server again, ask it what it carries, and forget what nobody has carried for a while.

        While it does not answer, nothing is known, and so nothing forgotten.
        """
        await self.tell()
        if not self.wanted or self._settings is None:
            return
        try:
            live = await self._control.live()
        except NotRunning as error:
            log.info("%s", error)
            return
        await self._see([Carried(one.service, one.account, one.key) for one in live if one.made])
        forgotten = await self._store.publications.forget_unseen(self._clock() - self._settings.tunnel_policy.forget)
        if forgotten:
            await self.load()
            self._changed.set()

    async def run(self, publish: Callable[[], Awaitable[None]]) -> None:
        """Publish what is made, again and again, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await publish()
            except PortwardError as error:
                log.error("a service that was made on the spot is not published yet: %s", error)

    async def report(self) -> dict[str, Any]:
        """For `portward status`; `running` tells whether the server answers."""
        try:
            live: Sequence[Live] | None = await self._control.live() if self.wanted else None
        except NotRunning:
            live = None
        return {
            "wanted": self.wanted,
            "running": live is not None,
            "listen": [address.text for address in self._settings.tunnel_policy.listen] if self._settings else [],
            "live": len(live or ()),
            "made": len(self._made),
        }

    async def _see(self, carried: Iterable[Carried]) -> None:
        now, known = self._clock(), []
        for name, account, key in carried:
            if not re.fullmatch(NAME_PATTERN, name):  # it would become part of the edge's configuration
                log.error("the SSH server carries %r, which is no name of a service", name)
                continue
            before = self._made.get(name)
            if before and (before.account, before.key) == (account, key):
                known.append(name)
            else:
                await self._keep(Publication(name, account, key, made_at=now, seen_at=now))
        await self._store.publications.see(known, now)

    async def _keep(self, publication: Publication) -> None:
        try:
            await self._store.publications.keep(publication)
        except NotFound as error:  # removed while its tunnel was opened
            log.warning("the service %s is not published: %s", publication.name, error)
            return
        self._made[publication.name] = publication
        self._changed.set()


def _signers(settings: Settings) -> dict[str, tuple[PublicKey, ...]]:
    found = {}
    for authority in settings.tunnel_policy.authorities:
        try:
            found[authority.file] = public_keys(Path(authority.file))
        except (OSError, NoPublicKey) as error:
            log.error("certificates of %s let nobody in: %s", authority.file, error)
    return found


def _put(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        replace(path, content)
