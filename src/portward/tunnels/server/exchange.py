"""Where services and the tunnels that carry them meet, and whose name a name is.

async with Exchange(state, rules, reports) as exchange:
    await exchange.grant(peer, Wish("blog", 80), 0)           # Tunnel(…), or Refused("blog is held by …")
"""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from portward.facts import TunnelClosed, TunnelOpened
from portward.host.files import create, private_directory
from portward.host.listeners import discard
from portward.host.paths import State
from portward.tunnels.rules import Rules, ServiceRule
from portward.tunnels.server.claims import NAMES_OF_A_KEY, Claims, certified
from portward.tunnels.server.naming import made_up
from portward.tunnels.server.publishing import Loop, Publish, Refused, Wish, decide, on_the_spot
from portward.tunnels.server.reports import Reports
from portward.tunnels.server.service import Service
from portward.tunnels.server.tunnel import Tunnel

if TYPE_CHECKING:
    from portward.tunnels.server.peer import Peer

_ANSWER_SECONDS = 1.5
"""A predecessor that says nothing for so long is dead, and its name goes to its successor."""
log = logging.getLogger(__name__)
_PORTS_FROM = 20_000
"""What a client is told when it leaves the port to the server; nothing listens there."""


class Exchange:
    """Opens the socket of every declared service at once, and of others as they are made."""

    def __init__(self, state: State, rules: Rules, reports: Reports) -> None:
        self.services: dict[str, Service] = {}
        self.rules = rules
        self._state, self._reports = state, reports
        self._claims = Claims(state.tunnels / "names.json")
        self._secret = _secret(state.tunnels / "names.key")
        self._closing: dict[str, AsyncExitStack] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        private_directory(self._state.services)
        await self.follow(self.rules)
        ours = {self._state.service_socket(name).name for name in self.services}
        for path in self._state.services.glob("*.sock"):
            if path.name not in ours:
                discard(path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in tuple(self.services):
            await self._close(name)

    # ---- services --------------------------------------------------------------------------------------------------

    async def follow(self, rules: Rules) -> None:
        """Open and close sockets as the rules say. A tunnel whose service is gone, or changed its kind, is cut.

        Names made on the spot have their sockets as long as they are some key's.
        """
        self.rules = rules
        held = {tunnel.peer.owner for tunnel in self.tunnels()}
        known = {key.fingerprint for key in rules.keys} | {certified(account) for account in rules.accounts}
        self._claims.keep(known | held)
        wanted = {rule.name: (rule, False) for rule in rules.services}
        for name in self._claims.names(datetime.now(UTC)):
            if name not in rules.taken:
                wanted.setdefault(name, (on_the_spot(name, rules.policy), True))
        for name, service in tuple(self.services.items()):
            rule, made = wanted.get(name, (None, False))
            if rule is None or rule.kind != service.rule.kind or made != service.made:
                await self._shut(name)
            else:
                service.rule, service.hold = rule, rules.policy.hold.total_seconds()
        for name, (rule, made) in wanted.items():
            if name not in self.services:
                await self._open(rule, made=made)

    async def _open(self, rule: ServiceRule, *, made: bool) -> Service:
        path = self._state.service_socket(rule.name)
        service = Service(rule, path, made=made, hold=self.rules.policy.hold.total_seconds())
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(service)
            self._closing[rule.name] = stack.pop_all()
        self.services[rule.name] = service
        return service

    async def _shut(self, name: str) -> None:
        for tunnel in tuple(self.services[name].tunnels):
            tunnel.peer.dismiss("cut", f"the service {name} is gone")
        self.services[name].abolish()
        await self._close(name)

    async def _close(self, name: str) -> None:
        del self.services[name]
        await self._closing.pop(name).aclose()

    # ---- tunnels ---------------------------------------------------------------------------------------------------

    def tunnels(self) -> Iterator[Tunnel]:
        """Every tunnel that stands."""
        for service in self.services.values():
            yield from service.tunnels

    async def grant(self, peer: "Peer", wish: Wish, unnamed: int) -> Tunnel | Loop | Refused:
        """Carry out a wish, if the rules and the holders of the name permit it.

        `unnamed` is how many names were already made up for this connection.
        """
        while True:
            number = unnamed
            verdict = decide(wish, peer.known, self.rules, lambda: self._made_up(peer, number))  # noqa: B023
            if not isinstance(verdict, Publish):
                return verdict
            async with self._locks[verdict.service.name]:
                obstacle = await self._obstacle(peer, verdict)
                if not obstacle:
                    return await self._establish(peer, wish, verdict)
            if wish.host in ("", "localhost") and wish.port == 0 and not wish.path and unnamed < 20:
                unnamed += 1
                continue
            return Refused(obstacle)

    def _made_up(self, peer: "Peer", number: int) -> str:
        return made_up(self._secret, peer.owner, number)

    async def _obstacle(self, peer: "Peer", verdict: Publish) -> str:
        """Who is in the way, as a sentence; "" when nobody is. Dead predecessors of the same key are dropped."""
        name, key = verdict.service.name, peer.known
        now = datetime.now(UTC)
        if verdict.made and (owner := self._claims.owner(name, now)) not in (None, peer.owner):
            return f"{name} belongs to {self._called(owner)}; choose another name, or use that key"
        if verdict.made and not self._claims.room(name, peer.owner):
            return f"the key {key.name} has {NAMES_OF_A_KEY} names already; each is free a month after its last use"
        service = self.services.get(name)
        for tunnel in tuple(service.tunnels) if service else ():
            holder = tunnel.peer.known
            if tunnel.peer.owner != peer.owner:
                return (
                    f"{name} is held by the key {holder.name} of {holder.account}, connected from "
                    f"{tunnel.peer.address} since {tunnel.since:%H:%M} UTC; end that tunnel, or choose another name"
                )
            if tunnel.peer is not peer and not await tunnel.peer.connection.answers(_ANSWER_SECONDS):
                tunnel.peer.connection.drop("evicted")
                tunnel.peer.leave()
            elif not verdict.service.balance:
                return (
                    f"{name} is carried already, by this key from {tunnel.peer.address} since {tunnel.since:%H:%M} "
                    "UTC, and that one answers; end it, or set balance = true for several at once"
                )
        return "" if peer.present else "the connection is over"

    def _called(self, owner: str | None) -> str:
        key = next((key for key in self.rules.keys if key.fingerprint == owner), None)
        return f"the key {key.name} of {key.account}" if key else f"the {owner}"

    async def _establish(self, peer: "Peer", wish: Wish, verdict: Publish) -> Tunnel | Refused:
        rule, key = verdict.service, peer.known
        try:
            if verdict.made:
                self._claims.claim(rule.name, peer.owner, datetime.now(UTC))
            service = self.services.get(rule.name) or await self._open(rule, made=True)
        except OSError as error:
            log.error("%s can't be published: %s", rule.name, error)
            return Refused(f"{rule.name} can't be published: the gateway has trouble with its disk; its log says more")
        port = wish.port or _PORTS_FROM + len(peer.tunnels)
        tunnel = Tunnel(peer, wish, port, service.rule, made=verdict.made)
        service.add(tunnel)
        self._reports.tell(
            TunnelOpened(
                time=datetime.now(UTC),
                address=peer.address,
                account=key.account,
                service=rule.name,
                key=key.name,
                protocol=rule.kind,
                host=rule.host,
                version=peer.version,
                made=verdict.made,
            )
        )
        return tunnel

    def remove(self, tunnel: Tunnel, reason: str) -> None:
        """A tunnel is over: its client withdrew it, or is gone."""
        service = self.services.get(tunnel.service.name)
        if service is not None and tunnel in service.tunnels:
            service.remove(tunnel)
        key = tunnel.peer.known
        self._reports.tell(
            TunnelClosed(
                time=datetime.now(UTC),
                address=tunnel.peer.address,
                account=key.account,
                service=tunnel.service.name,
                key=key.name,
                reason=reason,
                host=tunnel.service.host,
                made=tunnel.made,
                seconds=int((datetime.now(UTC) - tunnel.since).total_seconds()),
                bytes_in=tunnel.bytes_in,
                bytes_out=tunnel.bytes_out,
                requests=tunnel.requests,
            )
        )


def _secret(path: Path) -> bytes:
    create(private_directory(path.parent) / path.name, os.urandom(32))
    return path.read_bytes()
