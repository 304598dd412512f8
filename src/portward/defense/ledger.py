"""The ledger of bans: who is shut out, why, since when and until when. Detectors, people and lists all come here.

    ledger = Ledger(store.bans, enforcer, lambda: exemptions, journal.record_all, clock)
    ban = await ledger.ban("203.0.113.7", for_=timedelta(hours=1), reason="login", by="detector")
    await ledger.lift("203.0.113.7", by="cli")

A ban is stored, then enforced, then told of. Where an enforcer can't be reached the ban holds all the same: the
reconciler enforces it later. Of two bans of one source the longer one wins. Each ends on time by itself.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import NoReturn

from portward.defense.enforcement import Enforcer
from portward.defense.exempt import Exemptions, Fence, canonical, network_of, spell, why_exempt
from portward.errors import Invalid, NotFound, PortwardError
from portward.facts import BanLifted, Fact, SourceBanned
from portward.model import Ban
from portward.store.bans import Bans

log = logging.getLogger(__name__)
_MOST_EVIDENCE = 20
_LONGEST_REASON = 200
_TOLD_ONE_BY_ONE = 50
"""Of more bans at once only their number is told; the ledger itself knows each."""
_MANY = "many at once"
_FORGET_AFTER = timedelta(days=400)
_LOOK_AT_LEAST = 60.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A ban that somebody asks for. Without `until` it is for good."""

    source: str
    reason: str
    until: datetime | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of many wishes: bans that are in force now, and for each other source the reason."""

    bans: Sequence[Ban]
    refused: Sequence[tuple[str, str]]


class Ledger:
    """One change at a time. `exemptions` is asked at each ban, since addresses of the machine change."""

    def __init__(
        self,
        store: Bans,
        enforcer: Enforcer,
        exemptions: Callable[[], Exemptions],
        record: Callable[[Sequence[Fact]], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._enforcer, self._exemptions = store, enforcer, exemptions
        self._record, self._clock = record, clock
        self._changing = asyncio.Lock()
        self._sooner = asyncio.Event()
        self._next_end: datetime | None = None

    async def ban(
        self,
        source: str,
        *,
        until: datetime | None = None,
        for_: timedelta | None = None,
        reason: str,
        by: str,
        evidence: Iterable[str] = (),
    ) -> Ban:
        """Shut a source out until then, or for so long, or for good. In force when it returns.

        Raises `Invalid` with the sentence for one that is exempt, and for what is no source; `StoreError`.
        """
        end = self._clock() + for_ if for_ is not None else until
        outcome = await self.ban_all([Wish(source, reason, end, tuple(evidence))], by)
        if outcome.refused:
            _refuse(*outcome.refused[0])
        return outcome.bans[0]

    async def ban_all(self, wishes: Iterable[Wish], by: str) -> Outcome:
        """Many at once, as `ban`; one that is refused does not hold up the others."""
        exemptions, now = self._exemptions(), self._clock()
        wanted, refused = _sift(wishes, exemptions, now)
        async with self._changing:
            await self._expire(now)
            before = await self._store.holding(wanted, now)
            counts = await self._store.counts(wanted)
            bans = [
                _merged(source, wish, before.get(source), counts.get(source, 0), by, now)
                for source, wish in wanted.items()
            ]
            changed = [ban for ban in bans if before.get(ban.source) != ban]
            await self._store.save(changed)
            await self._enforce(changed)
            self._wake(changed)
        await self._record(_all_banned(changed, by, now))
        return Outcome(bans, refused)

    async def lift(self, source: str, by: str) -> Ban:
        """Let a source in again. Raises `NotFound` where it is not banned itself, with what else shuts it out."""
        wanted, now = canonical(source), self._clock()
        async with self._changing:
            lifted = await self._store.lift([wanted], by, now)
            await self._lift(lifted)
        if not lifted:
            raise NotFound("banned source", wanted, way_out=await self._around(wanted))
        await self._record([_lifted(ban, by, now) for ban in lifted])
        return lifted[0]

    async def lift_all(self, by: str, *, made_by: str = "") -> int:
        """Let everybody in again, or those whom `made_by` had banned. Returns how many bans that were."""
        now = self._clock()
        async with self._changing:
            lifted = await self._store.lift_all(by, now, made_by=made_by)
            await self._lift(lifted)
        await self._record(_all_lifted(lifted, by, now))
        return len(lifted)

    async def current(
        self, *, limit: int = 1000, after: str = "", search: str = "", reason: str = "", past: bool = False
    ) -> Sequence[Ban]:
        """Bans that hold, the newest first; `after` is the last source of the page before. With `past`, those too.

        `search` is a part of the source, of the reason or of who banned it; `reason` is the whole of it.
        """
        return await self._store.list(self._clock(), limit=limit, after=after, search=search, reason=reason, past=past)

    async def count(self) -> int:
        return await self._store.count(self._clock())

    async def by_reason(self) -> dict[str, int]:
        """How many bans hold, by reason."""
        return await self._store.by_reason(self._clock())

    async def find(self, address: str) -> Sequence[Ban]:
        """Every ban that shuts an address out, of the smallest network first. Raises `Invalid` for a network."""
        network = network_of(address)
        if network.num_addresses > 1:
            raise Invalid(f"{spell(network)} is a network", way_out="ask for one address")
        return await self._store.covering(network.network_address, self._clock())

    async def history(self, source: str) -> Sequence[Ban]:
        """All bans of a source, those that are over too, the newest first."""
        return await self._store.history(canonical(source))

    async def earlier(self, source: str) -> int:
        """How many bans of a source are over: the next one grows with it."""
        wanted = canonical(source)
        return (await self._store.counts([wanted])).get(wanted, 0)

    async def allow_changed(self) -> int:
        """The allowlist, or what else is exempt, has changed: lift the bans of sources that are exempt by now."""
        exemptions, now = self._exemptions(), self._clock()
        protected = (*exemptions.allowed, *exemptions.own, *exemptions.gateways, *exemptions.proxies)
        async with self._changing:
            inside = [ban for network in protected for ban in await self._store.inside(network, now)]
            lifted = await self._store.lift({ban.source for ban in inside}, "allowlist", now)
            await self._lift(lifted)
        await self._record(_all_lifted(lifted, "allowlist", now))
        return len(lifted)

    async def mend(self) -> list[str]:
        """Make what is in force equal to the ledger. Returns what was not. Raises `PortwardError`."""
        async with self._changing:
            now = self._clock()
            await self._expire(now)
            return await self._enforcer.mend(self._store, now)

    async def run(self) -> None:
        """End each ban on time, until cancelled."""
        while True:
            self._sooner.clear()
            try:
                self._next_end = await self._store.next_end()
                await self._until_next_end()
                await self.expire()
            except PortwardError as error:
                log.warning("bans that are over stay for a moment longer: %s", error)
                await asyncio.sleep(1)

    async def expire(self) -> int:
        """End what is over by now. Returns how many."""
        async with self._changing:
            return await self._expire(self._clock())

    async def tidy(self, keep: timedelta) -> int:
        """Forget bans that are over for so long, or for 400 days, whichever is longer. Returns how many."""
        return await self._store.prune(self._clock() - max(keep, _FORGET_AFTER))

    async def _expire(self, now: datetime) -> int:
        over = await self._store.expire(now)
        await self._lift(over)
        await self._record(_all_lifted(over, "time", now))
        return len(over)

    async def _enforce(self, bans: Sequence[Ban]) -> None:
        if not bans:
            return
        try:
            await self._enforcer.enforce([ban.brief for ban in bans])
        except PortwardError as error:
            log.warning("%d bans are not in force everywhere yet: %s", len(bans), error)

    async def _lift(self, bans: Sequence[Ban]) -> None:
        if not bans:
            return
        try:
            await self._enforcer.lift([ban.source for ban in bans])
        except PortwardError as error:
            log.warning("%d bans are not lifted everywhere yet: %s", len(bans), error)

    def _wake(self, bans: Iterable[Ban]) -> None:
        ends = [ban.until for ban in bans if ban.until]
        if ends and (self._next_end is None or min(ends) < self._next_end):
            self._sooner.set()

    async def _until_next_end(self) -> None:
        left = (self._next_end - self._clock()).total_seconds() if self._next_end else _LOOK_AT_LEAST
        try:
            async with asyncio.timeout(min(max(left, 0.0), _LOOK_AT_LEAST)):
                await self._sooner.wait()
        except TimeoutError:
            pass

    async def _around(self, source: str) -> str:
        network = ip_network(source)
        around = await self._store.covering(network.network_address, self._clock())
        if names := [ban.source for ban in around if ip_network(ban.source).prefixlen < network.prefixlen]:
            return f"it is shut out by the ban of {', '.join(names)}"
        return "`portward ban list` shows those that hold"


def _sift(
    wishes: Iterable[Wish], exemptions: Exemptions, now: datetime
) -> tuple[dict[str, Wish], list[tuple[str, str]]]:
    """What may be banned, by its canonical source, and what may not, with the reason."""
    wanted: dict[str, Wish] = {}
    refused, fence = [], Fence(exemptions)
    for wish in wishes:
        try:
            network = network_of(wish.source)
        except Invalid as error:
            refused.append((wish.source, error.message))
            continue
        exempt = why_exempt(network, exemptions) if fence.touches(network) else ""
        if why := exempt or _why_over(wish, now):
            refused.append((spell(network), why))
            continue
        source = spell(network)
        wanted[source] = wish if source not in wanted else _longer(wish, wanted[source])
    return wanted, refused


def _why_over(wish: Wish, now: datetime) -> str:
    return f"a ban until {wish.until:%Y-%m-%d %H:%M:%S} UTC is over already" if wish.until and wish.until <= now else ""


def _longer(one: Wish, other: Wish) -> Wish:
    if one.until is None or other.until is None:
        return one if one.until is None else other
    return one if one.until > other.until else other


def _merged(source: str, wish: Wish, before: Ban | None, earlier: int, by: str, now: datetime) -> Ban:
    """The ban that holds from now on: the wish, or the one before where that lasts longer."""
    if before and (before.until is None or (wish.until is not None and wish.until <= before.until)):
        return before
    reason = " ".join(wish.reason.split())[:_LONGEST_REASON]
    evidence = wish.evidence[:_MOST_EVIDENCE]
    if before:
        return replace(before, reason=reason, by=by, until=wish.until, evidence=evidence or before.evidence)
    return Ban(source, reason, by, now, wish.until, earlier + 1, evidence)


def _banned(ban: Ban, now: datetime) -> SourceBanned:
    until = ban.until.isoformat(timespec="seconds") if ban.until else ""
    return SourceBanned(
        time=now,
        address=ban.source.partition("/")[0],
        source=ban.source,
        reason=ban.reason,
        by=ban.by,
        until=until,
        count=ban.count,
    )


def _lifted(ban: Ban, by: str, now: datetime) -> BanLifted:
    return BanLifted(time=now, address=ban.source.partition("/")[0], source=ban.source, reason=ban.reason, by=by)


def _all_banned(bans: Sequence[Ban], by: str, now: datetime) -> Sequence[Fact]:
    if len(bans) <= _TOLD_ONE_BY_ONE:
        return [_banned(ban, now) for ban in bans]
    return [SourceBanned(time=now, source=f"{len(bans)} sources", reason=_MANY, by=by, count=len(bans))]


def _all_lifted(bans: Sequence[Ban], by: str, now: datetime) -> Sequence[Fact]:
    if len(bans) <= _TOLD_ONE_BY_ONE:
        return [_lifted(ban, by, now) for ban in bans]
    return [BanLifted(time=now, source=f"{len(bans)} sources", reason=_MANY, by=by)]


def _refuse(source: str, why: str) -> NoReturn:
    raise Invalid(why, way_out="" if "is over already" in why else f"`portward ban` leaves {source} alone")
