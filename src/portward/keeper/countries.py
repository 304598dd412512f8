"""Countries and networks in the keeper: what the rules in force come down to, and whom they must not lock out.

    countries = Countries(geography, owners, walls.refuse_abroad, record, clock)
    borders = await countries.borders(settings)
    exceptions = await countries.owners(settings)        # {'198.51.100.7/32': 'ann'}
    countries.hear([LoggedIn(…)])
    await countries.run(configuration.follow_owners)     # until cancelled
    await countries.update(order)

A rule for the whole gateway never shuts out the address from which an owner is logged in. It is an exception for as
long as that session lives, so that a slip in the file leaves time to mend it; the command line is always there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Any

from portward.config import Settings
from portward.defense.geo.borders import Borders
from portward.defense.geo.describing import judge, parse
from portward.defense.geo.geography import Geography
from portward.defense.geo.order import Order
from portward.defense.geo.rules import GATEWAY, Rule, rules_of
from portward.errors import PortwardError
from portward.facts import CountriesFailed, CountriesUpdated, Fact, LoggedIn, OwnerAbroad
from portward.identity.gatekeeper import Record
from portward.identity.identity import Identity
from portward.model import Role, Session
from portward.store import Store

log = logging.getLogger(__name__)
_MOST_OWNERS = 256
"""Places that are exceptions at once; the newest logins count."""
_PREFIX = {4: 32, 6: 64}


class Countries:
    """`owners` are the live sessions of owners, newest first; `refuse_abroad` has the kernel do what the edge does."""

    def __init__(
        self,
        geography: Geography,
        owners: Callable[[], Awaitable[Sequence[Session]]],
        refuse_abroad: Callable[[Borders | None, Collection[str]], Awaitable[None]],
        record: Record,
        clock: Callable[[], datetime],
    ) -> None:
        self.geography, self._refuse_abroad = geography, refuse_abroad
        self._owners, self._record, self._clock = owners, record, clock
        self._told: set[tuple[str, str]] = set()
        self._logged_in = asyncio.Event()
        self.borders_in_force: Borders | None = None

    async def borders(self, settings: Settings) -> Borders | None:
        """What the rules of a configuration come down to; None without rules. Raises `Invalid` without data."""
        return await self.geography.borders(rules_of(settings))

    async def owners(self, settings: Settings) -> dict[str, str]:
        """Networks from which owners are logged in, and their accounts; none where no rule could shut them out."""
        if GATEWAY not in rules_of(settings):
            return {}
        sessions = [session for session in await self._owners() if session.address][:_MOST_OWNERS]
        return {_network(session.address): session.account for session in reversed(sessions)}

    def hear(self, facts: Iterable[Fact]) -> None:
        """Whoever has logged in may be an owner."""
        if any(isinstance(fact, LoggedIn) for fact in facts):
            self._logged_in.set()

    async def run(self, follow_owners: Callable[[], Awaitable[None]]) -> None:
        """Have exceptions follow owners as they log in, until cancelled."""
        while True:
            await self._logged_in.wait()
            self._logged_in.clear()
            try:
                await follow_owners()
            except PortwardError as error:
                log.warning("a new exception from the rule about countries waits for the next look: %s", error)

    async def follow(self, settings: Settings, borders: Borders | None) -> None:
        """These are in force: forget what was compiled for others, and tell of owners whom the rule would shut out."""
        self.borders_in_force = borders
        await self._refuse_abroad(borders, await self.owners(settings))
        if rules_of(settings):
            await asyncio.to_thread(self.geography.keep_only, borders)
        rule = rules_of(settings).get(GATEWAY)
        shut_out = await self.shut_out(rule) if rule else {}
        for (account, address), why in shut_out.items():
            if (account, address) not in self._told:
                log.warning("[defence.countries] would shut out %s, an owner who is logged in at %s", account, address)
                await self._record(OwnerAbroad(time=self._clock(), account=account, address=address, why=why))
        self._told = {*shut_out}

    async def shut_out(self, rule: Rule) -> dict[tuple[str, str], str]:
        """Owners (account, address) who are logged in, and whom this rule refuses; and why."""
        self.geography.require({GATEWAY: rule})
        places = {(session.account, session.address) for session in await self._owners() if session.address}
        found = {(account, text): self._judge(rule, text) for account, text in sorted(places)}
        return {place: why for place, why in found.items() if why}

    async def update(self, order: Order) -> Mapping[str, Any]:
        """Take over new data. Raises `Invalid`, with the old ones still in use."""
        source = order.source or order.url or order.file
        try:
            about = await self.geography.update(order)
        except PortwardError as error:
            await self._record(
                CountriesFailed(time=self._clock(), what=order.kind, source=source, reason=error.message)
            )
            raise
        await self._record(
            CountriesUpdated(
                time=self._clock(),
                what=order.kind,
                source=about["source"],
                date=about["date"],
                ranges=about["ranges"],
            )
        )
        return about

    def _judge(self, rule: Rule, text: str) -> str:
        address = parse(text)
        return judge(rule, address, self.geography.place(address))


async def owners_sessions(identity: Identity, store: Store) -> list[Session]:
    """The live sessions of owners who can log in, newest first."""
    accounts = await store.accounts.list()
    owners = {account.name for account in accounts if account.role is Role.OWNER and not account.disabled}
    return [session for session in await identity.sessions.list() if session.account in owners]


def _network(address: str) -> str:
    """Privacy addresses change within a /64 (RFC 8981); the same household has the other ones."""
    one = ip_address(address)
    return str(ip_network((one, _PREFIX[one.version]), strict=False))
