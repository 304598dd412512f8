"""Hears every fact, and has sources banned that do not belong here.

    guard = Guard(ledger, journal.record, lambda: configuration.settings, lambda: configuration.hosts, clock)
    await guard.load(store.events)      # what counted before a restart still counts
    guard.hear(facts)                   # at once, before anything is stored
    await guard.run()                   # carries verdicts to the ledger, until cancelled

A source that is banned leaves no signs. Whoever has logged in from an address lately may knock at a wrong name without
being taken for a scanner, and is not banned for what others try at the account.
"""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from portward.config import Settings
from portward.defense.detectors import detectors_of
from portward.defense.familiar import Familiar
from portward.defense.judge import Judge, Verdict
from portward.defense.past import Past, facts_since
from portward.defense.probes import NoPath, Probes
from portward.defense.signs import Knowledge, Sign, signs_of
from portward.errors import Invalid, PortwardError
from portward.facts import BanLifted, CertificateInstalled, Fact, LoggedIn, ShadowBan, SourceBanned
from portward.model import Ban

log = logging.getLogger(__name__)
Record = Callable[[Fact], Awaitable[None]]

_MOST_WAITING = 10_000
_MOST_IN_SHADOW = 10_000
_RETRY_SECONDS = 1.0
_AT_ONCE = 50
"""Verdicts that are carried to the ledger side by side."""


class Ledger(Protocol):
    """Who is banned, and was."""

    async def ban(
        self, source: str, *, for_: timedelta | None, reason: str, by: str, evidence: Sequence[str] = ()
    ) -> Ban:
        """Shut a source out. Raises `Invalid`, with the reason, for one that can't be banned."""
        ...

    async def history(self, source: str) -> Sequence[Ban]:
        """Every ban that this source ever had."""
        ...

    def find(self, address: str) -> Ban | None:
        """The ban that shuts an address out now."""
        ...

    def current(self) -> Sequence[Ban]:
        """Every ban that is in force."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of one detector: signs since the keeper started, those that still count, bans, and those in force."""

    detector: str
    mode: str
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
        self._followed = settings()
        self._judge = Judge(detectors_of(self._followed.defence.detectors))
        self._knowledge = Knowledge(_probes(self._followed, Probes.shipped()), self._may_be_asked_for)
        self._familiar = Familiar()
        self._former: set[str] = set()
        self._shadows: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._seen: Counter[str] = Counter()
        self._total: Counter[str] = Counter()
        self._waiting: OrderedDict[tuple[str, tuple[str, ...]], Verdict] = OrderedDict()
        self._carrying = 0
        self._wake = asyncio.Event()

    async def load(self, past: Past) -> None:
        """Count again what was kept of the time that still counts."""
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
                verdicts = [self._waiting.popitem(last=False)[1] for _ in range(min(_AT_ONCE, len(self._waiting)))]
                await self._carry_all(verdicts)

    @property
    def waiting(self) -> int:
        """Verdicts that the ledger has not taken yet."""
        return len(self._waiting) + self._carrying

    def report(self) -> list[Tally]:
        """How each detector stands, in the order of the file."""
        now = self._clock()
        banned = Counter(ban.reason for ban in self._ledger.current() if ban.by == "detector")
        return [
            Tally(
                detector=name,
                mode=detector.mode,
                seen=self._seen[name],
                current=self._judge.current(name, now),
                total=self._total[name],
                banned=self._in_shadow(name, now) if detector.mode == "shadow" else banned[name],
            )
            for name, detector in self._judge.detectors.items()
        ]

    def _follow(self) -> None:
        settings = self._settings()
        if settings.defence is self._followed.defence:
            return
        before, self._followed = self._followed, settings
        self._judge.follow(detectors_of(settings.defence.detectors))
        if before.defence.probe_paths != settings.defence.probe_paths:
            self._knowledge = Knowledge(_probes(settings, self._knowledge.probes), self._may_be_asked_for)

    def _learn(self, fact: Fact, now: datetime) -> None:
        match fact:
            case LoggedIn():
                self._familiar.remember(fact.account, fact.address, fact.time)
                self._judge.forgive(fact.account, fact.address)
            case SourceBanned():
                self._total[fact.reason] += fact.by == "detector"
                self._judge.clear(fact.source)
            case BanLifted():
                self._judge.clear(fact.source)
            case CertificateInstalled():
                self._former.add(fact.host)
            case ShadowBan():
                self._put_in_shadow(fact.detector, fact.source, datetime.fromisoformat(fact.until))
                self._judge.clear(fact.source)

    def _take(self, sign: Sign, now: datetime) -> None:
        if self._ledger.find(sign.fact.address):
            return
        if sign.detector == "unknown-host" and self._familiar.anybody(sign.fact.address, now):
            return
        self._seen[sign.detector] += sign.weight
        if verdict := self._judge.feed(sign, now):
            self._wait_for(verdict)

    def _wait_for(self, verdict: Verdict) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popitem(last=False)
        self._waiting[verdict.detector.name, verdict.sources] = verdict
        self._wake.set()

    async def _carry_all(self, verdicts: Sequence[Verdict]) -> None:
        self._carrying = len(verdicts)
        failed = [one for one in await asyncio.gather(*map(self._carry, verdicts)) if one]
        if failed:
            await asyncio.sleep(_RETRY_SECONDS)
            for verdict in failed:
                self._wait_for(verdict)
        self._carrying = 0

    async def _carry(self, verdict: Verdict) -> Verdict | None:
        """Returns what could not be carried, to be tried again."""
        try:
            for source in verdict.sources:
                if verdict.account and self._familiar.is_theirs(verdict.account, source, self._clock()):
                    continue
                await (self._shadow if verdict.detector.mode == "shadow" else self._ban)(source, verdict)
        except PortwardError as error:
            log.error("%s is not banned yet: %s", ", ".join(verdict.sources), error)
            return verdict
        return None

    async def _ban(self, source: str, verdict: Verdict) -> None:
        try:
            for_ = verdict.detector.length(len(await self._ledger.history(source)))
            await self._ledger.ban(
                source, for_=for_, reason=verdict.detector.name, by="detector", evidence=verdict.evidence
            )
        except Invalid as error:
            log.info("%s is not banned, though the detector %s would: %s", source, verdict.detector.name, error)

    async def _shadow(self, source: str, verdict: Verdict) -> None:
        name, now = verdict.detector.name, self._clock()
        if self._shadows.get((name, source), now) > now:
            return
        until = now + verdict.detector.length(0)
        self._put_in_shadow(name, source, until)
        self._total[name] += 1
        await self._record(ShadowBan(time=now, source=source, detector=name, until=until.isoformat()))

    def _put_in_shadow(self, detector: str, source: str, until: datetime) -> None:
        if len(self._shadows) >= _MOST_IN_SHADOW:
            self._shadows.popitem(last=False)
        self._shadows[detector, source] = until

    def _in_shadow(self, name: str, now: datetime) -> int:
        return sum(detector == name and until > now for (detector, _), until in self._shadows.items())

    def _may_be_asked_for(self, host: str) -> bool:
        """Names that honest people have: the bare domain, and hosts that were here. While none is known, any."""
        hosts, domain = self._hosts(), self._followed.domain
        return not hosts or host in hosts or host in {domain, f"www.{domain}"} or host in self._former


def _probes(settings: Settings, otherwise: Probes) -> Probes:
    """The operator's list; the one before where it can't be read."""
    if settings.defence.probe_paths is None:
        return Probes.shipped()
    try:
        return Probes.read(Path(settings.defence.probe_paths).read_text())
    except (OSError, UnicodeDecodeError, NoPath) as error:
        log.error("%s is not used: %s", settings.defence.probe_paths, error)
        return otherwise
