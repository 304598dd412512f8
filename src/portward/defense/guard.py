"""Hears every fact, and has sources banned that do not belong here.

    guard = Guard(ledger, journal.record, lambda: configuration.settings, lambda: configuration.hosts, clock)
    await guard.load(store.events, former)      # what counted before a restart still counts
    guard.hear(facts)                   # at once, before anything is stored
    await guard.run()                   # carries verdicts to the ledger, until cancelled

A source that is banned leaves no signs. Whoever has logged in from an address lately may knock at a wrong name and miss
much of a public service without being taken for a scanner, and is not banned for what others try at the account.
"""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from portward.config import Settings
from portward.config.defence import Defence
from portward.config.values import spell_duration
from portward.defense.detectors import Detector, detectors_of
from portward.defense.familiar import Familiar
from portward.defense.judge import Judge, Verdict
from portward.defense.ledger import Outcome, Wish
from portward.defense.past import Past, facts_since
from portward.defense.probes import NoPath, Probes
from portward.defense.signs import Knowledge, Sign, signs_of
from portward.defense.sources import sources_of
from portward.errors import PortwardError
from portward.facts import BanLifted, Fact, LoggedIn, ShadowBan, SourceBanned

log = logging.getLogger(__name__)
Record = Callable[[Fact], Awaitable[None]]

_MOST_SOURCES = 10_000
"""How many are remembered at most: of those banned, those in shadow, and those that wait for their ban."""
_RETRY_SECONDS = 1.0
_AT_ONCE = 200
"""Verdicts that are carried to the ledger together."""
_BANNED_WITHIN = timedelta(seconds=10)
"""So long the ledger may take until it tells of a ban; what the source does meanwhile is no new sign."""
_NOT_OF_THE_FAMILIAR = ("unknown-host", "errors")
"""What people do who belong: they mistype a host, and at public services use apps with a login of their own."""
_FOR_GOOD = datetime.max.replace(tzinfo=UTC)


class Ledger(Protocol):
    """Who is banned, and was."""

    async def ban_all(self, wishes: Iterable[Wish], by: str) -> Outcome:
        """Shut these sources out, but those that can't be banned. In force when it returns."""
        ...

    async def earlier(self, source: str) -> int:
        """How many bans of this source are over."""
        ...

    async def by_reason(self) -> dict[str, int]:
        """How many bans are in force, by their reason."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """A detector's rule, and what became of it: signs since the start, those that still count, bans, those in force."""

    detector: str
    mode: str
    tries: int
    within: str
    ban: str
    scope: str
    seen: int
    current: int
    total: int
    banned: int


class Guard:
    """`hosts` are those that the edge serves; none while it is not known yet."""

    def __init__(
        self,
        ledger: Ledger,
        record: Record,
        settings: Callable[[], Settings],
        hosts: Callable[[], Collection[str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger, self._record, self._settings, self._hosts, self._clock = ledger, record, settings, hosts, clock
        self._followed: Defence | None = None
        self._judge = Judge({})
        self._knowledge = Knowledge(Probes.shipped(), self._may_be_asked_for)
        self._familiar = Familiar()
        self._served: Collection[str] = ()
        self._former: set[str] = set()
        self._shadows: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._seen: Counter[str] = Counter()
        self._total: Counter[str] = Counter()
        self._waiting: OrderedDict[tuple[str, tuple[str, ...]], Verdict] = OrderedDict()
        self._banned: OrderedDict[str, datetime] = OrderedDict()
        self._wake = asyncio.Event()

    async def load(self, past: Past, former: Iterable[str]) -> None:
        """Count again what was kept of the time that still counts. `former` are hosts that were served some time."""
        self._former |= set(former)
        self._follow()
        now = self._clock()
        self.hear(await facts_since(past, now, self._judge.detectors.values()))
        self._seen.clear()
        self._total.clear()

    def hear(self, facts: Iterable[Fact]) -> None:
        """Judge facts, whether they are going to be stored or not. Returns at once."""
        self._follow()
        now = self._clock()
        for fact in facts:
            self._learn(fact, now)
            for sign in signs_of(fact, self._judge.detectors, self._knowledge):
                self._take(sign, now)

    async def run(self) -> None:
        """Carry verdicts to the ledger as they come, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._carry([self._waiting.popitem(last=False)[1] for _ in range(min(_AT_ONCE, self.waiting))])

    @property
    def waiting(self) -> int:
        """Verdicts that the ledger has not taken yet."""
        return len(self._waiting)

    async def report(self) -> list[Tally]:
        """How each detector stands, in the order of the file."""
        self._follow()
        now = self._clock()
        banned = await self._ledger.by_reason()
        return [
            Tally(
                detector=name,
                mode=detector.mode,
                tries=detector.tries,
                within=spell_duration(detector.within),
                ban=spell_duration(detector.ban),
                scope=detector.scope,
                seen=self._seen[name],
                current=self._judge.current(name, now),
                total=self._total[name],
                banned=self._in_shadow(name, now) if detector.mode == "shadow" else banned.get(name, 0),
            )
            for name, detector in self._judge.detectors.items()
        ]

    def _follow(self) -> None:
        if (hosts := self._hosts()) is not self._served:
            self._served = hosts
            self._former |= set(hosts)
        before, now = self._followed, self._settings().defence
        if now is before:
            return
        self._followed = now
        self._judge.follow(detectors_of(now.detectors))
        if (before.probe_paths if before else None) != now.probe_paths:
            self._knowledge = Knowledge(_probes(now.probe_paths, self._knowledge.probes), self._may_be_asked_for)

    def _learn(self, fact: Fact, now: datetime) -> None:
        match fact:
            case LoggedIn():
                self._familiar.remember(fact.account, fact.address, fact.time)
                self._judge.forgive(fact.account, fact.address)
            case SourceBanned():
                self._note_ban(fact.source, datetime.fromisoformat(fact.until) if fact.until else _FOR_GOOD)
                self._total[fact.reason] += fact.by == "detector"
                self._judge.clear(fact.source)
            case BanLifted():
                self._banned.pop(fact.source, None)
                self._judge.clear(fact.source)
            case ShadowBan():
                self._put_in_shadow(fact.detector, fact.source, datetime.fromisoformat(fact.until))
                self._judge.clear(fact.source)

    def _take(self, sign: Sign, now: datetime) -> None:
        if self._is_banned(sign.fact.address, now):
            return
        if sign.detector in _NOT_OF_THE_FAMILIAR and self._familiar.anybody(sign.fact.address, now):
            return
        self._seen[sign.detector] += sign.weight
        if verdict := self._judge.feed(sign, now):
            if verdict.detector.mode == "enforce":
                for source in verdict.sources:
                    self._note_ban(source, now + _BANNED_WITHIN)
            self._wait_for(verdict)

    def _is_banned(self, address: str, now: datetime) -> bool:
        return any(self._banned.get(source, now) > now for source in sources_of(address))

    def _note_ban(self, source: str, until: datetime) -> None:
        self._banned[source] = until
        self._banned.move_to_end(source)
        if len(self._banned) > _MOST_SOURCES:
            self._banned.popitem(last=False)

    def _wait_for(self, verdict: Verdict) -> None:
        if len(self._waiting) >= _MOST_SOURCES:
            self._waiting.popitem(last=False)
        self._waiting[verdict.detector.name, verdict.sources] = verdict
        self._wake.set()

    async def _carry(self, verdicts: Sequence[Verdict]) -> None:
        try:
            wishes = [wish for verdict in verdicts for wish in await self._wishes(verdict)]
            outcome = await self._ledger.ban_all(wishes, "detector")
        except PortwardError as error:
            log.error("%d verdicts wait for the ledger: %s", len(verdicts) + self.waiting, error)
            await asyncio.sleep(_RETRY_SECONDS)
            for verdict in verdicts:
                self._wait_for(verdict)
        else:
            for source, why in outcome.refused:
                log.info("%s is not banned, though a detector would: %s", source, why)

    async def _wishes(self, verdict: Verdict) -> list[Wish]:
        """What is asked of the ledger. Of a shadow it is nothing; that is only told of."""
        now, detector = self._clock(), verdict.detector
        theirs = {
            one for one in verdict.sources if verdict.account and self._familiar.is_theirs(verdict.account, one, now)
        }
        sources = [source for source in verdict.sources if source not in theirs]
        if detector.mode == "shadow":
            for source in sources:
                await self._shadow(source, detector, now)
            return []
        lengths = [detector.length(await self._ledger.earlier(source)) for source in sources]
        return [
            Wish(source, detector.name, now + length, verdict.evidence)
            for source, length in zip(sources, lengths, strict=True)
        ]

    async def _shadow(self, source: str, detector: Detector, now: datetime) -> None:
        if self._shadows.get((detector.name, source), now) > now:
            return
        until = now + min(detector.length(0), self._settings().log.keep)  # as long as the event is kept, and no longer
        self._put_in_shadow(detector.name, source, until)
        self._total[detector.name] += 1
        await self._record(ShadowBan(time=now, source=source, detector=detector.name, until=until.isoformat()))

    def _put_in_shadow(self, detector: str, source: str, until: datetime) -> None:
        if len(self._shadows) >= _MOST_SOURCES:
            self._shadows.popitem(last=False)
        self._shadows[detector, source] = until

    def _in_shadow(self, name: str, now: datetime) -> int:
        return sum(detector == name and until > now for (detector, _), until in self._shadows.items())

    def _may_be_asked_for(self, host: str) -> bool:
        """Names that honest people have: the bare domain, and hosts that were here. While none is known, any."""
        domain = self._settings().domain
        return not self._served or host in self._former or host in {domain, f"www.{domain}"}


def _probes(file: str | None, otherwise: Probes) -> Probes:
    """The operator's list, or ours; the one before where it can't be read."""
    if file is None:
        return Probes.shipped()
    try:
        return Probes.read(Path(file).read_text())
    except (OSError, UnicodeDecodeError, NoPath) as error:
        log.error("%s is not used: %s", file, error)
        return otherwise
