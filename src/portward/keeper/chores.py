"""What the keeper does by the clock: count, mend, expire, forget.

    async with asyncio.TaskGroup() as group:
        for chore in chores:
            group.create_task(repeat(chore))

A chore that fails says so and is tried again at its next turn; one that fails does not hold up the others.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from portward.edge.patrol import Patrol
from portward.edge.streams import Streams
from portward.errors import PortwardError
from portward.facts import LogDropped
from portward.identity.identity import Identity
from portward.keeper.configuration import Configuration
from portward.pki.acme.renewals import Renewals
from portward.watch.journal import Journal

log = logging.getLogger(__name__)
_ACTIVITY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to `do` every so many seconds; `pause` is asked before each turn."""

    name: str
    pause: Callable[[], float]
    do: Callable[[], Awaitable[None]]


def every(seconds: float) -> Callable[[], float]:
    return lambda: seconds


async def repeat(chore: Chore) -> None:
    """Do a chore again and again, until cancelled."""
    while True:
        await asyncio.sleep(chore.pause())
        try:
            await chore.do()
        except PortwardError as error:
            log.warning("%s: %s", chore.name, error)


class Chores:
    def __init__(
        self,
        identity: Identity,
        configuration: Configuration,
        patrol: Patrol,
        streams: Streams,
        journal: Journal,
        renewals: Renewals,
        clock: Callable[[], datetime],
    ) -> None:
        self._identity, self._configuration = identity, configuration
        self._patrol, self._streams, self._journal, self._clock = patrol, streams, journal, clock
        self._renewals = renewals
        self._mending_took = 0.0
        self.dropped: Mapping[str, int] = {}

    def all(self) -> list[Chore]:
        return [
            Chore("counting refused connections", every(5), self.count_refused),
            Chore("counting lost log lines", every(5), self.count_dropped),
            Chore("following active sessions", self._activity_seconds, self.follow_activity),
            Chore("mending the edge", self._mending_pause, self.mend),
            Chore("renewing certificates", every(1), self._renewals.turn),
            Chore("forgetting closed streams", every(30), self._streams.forget_closed),
            Chore("forgetting what is over", every(60), self.tidy),
        ]

    async def count_refused(self) -> None:
        facts = await self._patrol.refused_connections(self._clock())
        if facts:
            await self._journal.record_all(facts)

    async def count_dropped(self) -> None:
        now = await self._patrol.dropped_lines()
        for ring, count in now.items():
            before = self.dropped.get(ring, 0)
            if lost := count - (before if before <= count else 0):
                await self._journal.record(LogDropped(time=self._clock(), ring=ring, count=lost))
        self.dropped = now

    async def follow_activity(self) -> None:
        ids = await self._patrol.active_sessions(within_seconds=2 * self._activity_seconds())
        if ids:
            await self._identity.sessions.touch(sorted(ids), self._clock())

    def _activity_seconds(self) -> float:
        """Often enough that a session in use is seen, and renewed, several times before it would end as idle."""
        return min(_ACTIVITY_SECONDS, self._configuration.settings.sessions.idle.total_seconds() / 8)

    async def mend(self) -> None:
        began = time.monotonic()
        await self._configuration.mend()
        self._mending_took = time.monotonic() - began

    def _mending_pause(self) -> float:
        """Longer where there is so much to compare that it takes its time."""
        return max(30.0, 100 * self._mending_took)

    async def tidy(self) -> None:
        await self._identity.tidy(self._clock())
