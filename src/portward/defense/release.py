"""How somebody who was banned by mistake gets free: with a passkey, or with a link mailed to an account's address.

    held = await release.held("203.0.113.7")        # None: not banned, or not by a detector
    if await release.begin(held):                   # a try; too many make the ban final
        await release.free(held, "ann", "passkey")

Only what detectors decided can be undone here: bans by operators and lists stay. A ban that is made final is one by
`release`: such a source meets silence again.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from portward.config.defence import Way
from portward.defense.ledger import Ledger
from portward.errors import Invalid, NotFound
from portward.facts import Fact, ReleaseRefused, SourceReleased
from portward.model import Ban, BanBrief
from portward.store.releases import Releases

MOST_TRIES = 5
"""Tries of a source, after which its ban is final."""
MOST_A_DAY = 3
"""How often a source is freed in a day: whoever needs more has somebody else behind the same address."""
MOST_LINKS = 3
"""Links of one account that wait at a time: its mailbox is not for strangers to fill."""
LINK_LIVES = timedelta(minutes=15)
DETECTOR, FINAL = "detector", "release"
"""Who made a ban that may be undone here, and one that may not any more."""

Failure = Literal["passkey", "link", "often"]


@dataclass(frozen=True, slots=True)
class Held:
    """A source that may get free: the smallest that is banned, and every ban that holds it."""

    source: str
    bans: Sequence[Ban]


def may_end(bans: Sequence[Ban | BanBrief]) -> bool:
    """Whether all that holds somebody may be undone by the one whom it holds."""
    return bool(bans) and all(ban.by == DETECTOR for ban in bans)


class Release:
    """`ways` is asked each time, so that a saved portward.toml takes effect at once."""

    def __init__(
        self,
        store: Releases,
        ledger: Ledger,
        ways: Callable[[], Collection[Way]],
        record: Callable[[Fact], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._ledger, self._ways = store, ledger, ways
        self._record, self._clock = record, clock

    @property
    def ways(self) -> Collection[Way]:
        """What the operator lets people get free with; nothing at all is the default."""
        return self._ways()

    async def held(self, address: str) -> Held | None:
        """What holds this address; None where nothing does, or also what can't be undone here. Raises `StoreError`."""
        if not self.ways:
            return None
        try:
            bans = await self._ledger.find(address)
        except Invalid:
            return None
        if not may_end(bans) or await self._store.freed(bans[0].source, self._clock()) >= MOST_A_DAY:
            return None
        return Held(bans[0].source, bans)

    async def begin(self, held: Held) -> bool:
        """Count a try, before it is looked at. False when it is one too many; the ban is final then."""
        if await self._store.try_(held.source, self._clock()) <= MOST_TRIES:
            return True
        await self.refuse(held, "often")
        for ban in held.bans:
            await self._make_final(ban)
        return False

    async def refuse(self, held: Held, reason: Failure) -> None:
        """A try that failed."""
        await self._record(
            ReleaseRefused(time=self._clock(), address=_first(held.source), source=held.source, reason=reason)
        )

    async def free(self, held: Held, account: str, way: Way) -> bool:
        """Lift what holds the source; in force when it returns. False when it was freed too often today."""
        now = self._clock()
        if not await self._store.claim(held.source, now, most=MOST_A_DAY):
            await self.refuse(held, "often")
            return False
        for ban in held.bans:
            try:
                await self._ledger.lift(ban.source, by=account)
            except NotFound:
                continue  # its time was over meanwhile, or another of the same source was quicker
        fact = SourceReleased(time=now, address=_first(held.source), account=account, source=held.source, way=way)
        await self._record(fact)
        return True

    async def keep_link(self, held: Held, account: str, token_hash: str) -> bool:
        """Keep a link for this source and account. False when too many of that account's wait."""
        now = self._clock()
        until = now + LINK_LIVES
        return await self._store.add_link(token_hash, held.source, account, now, until, most=MOST_LINKS)

    async def take_link(self, held: Held, token_hash: str) -> str | None:
        """Whose link it is, once; None for any that is late, used, or of another source."""
        return await self._store.take(token_hash, held.source, self._clock())

    async def tidy(self) -> None:
        await self._store.forget_old(self._clock())

    async def _make_final(self, ban: Ban) -> None:
        """One second longer is a new decision, and the ledger's longer one wins."""
        until = ban.until + timedelta(seconds=1) if ban.until else None
        await self._ledger.ban(ban.source, until=until, reason=ban.reason, by=FINAL, evidence=ban.evidence)


def _first(source: str) -> str:
    return source.partition("/")[0]
