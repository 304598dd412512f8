"""This machine's logs, read for the guard: what lines tell is judged at once, and kept up to a rate.

host_logs = HostLogs(store, guard.hear, journal, lambda: configuration.settings, clock)
await host_logs.run()
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from portward.config import Settings
from portward.defense.logs.passing import Key
from portward.defense.logs.reader import LogReader
from portward.edge.allowance import Allowance
from portward.facts import EventsDropped, Fact, LogMatched
from portward.store import Store
from portward.watch.journal import Journal


class HostLogs:
    def __init__(
        self,
        store: Store,
        hear: Callable[[Sequence[Fact]], None],
        journal: Journal,
        settings: Callable[[], Settings],
        clock: Callable[[], datetime],
    ) -> None:
        self._hear, self._journal, self._clock = hear, journal, clock
        self._allowance = Allowance(burst=200, per_second=1)
        self._reader = LogReader(store.positions, settings, self._deliver, clock)

    def follow(self) -> None:
        """The settings may have changed."""
        self._reader.follow()

    async def run(self) -> None:
        """Until cancelled."""
        await self._reader.run()

    def report(self) -> list[dict[str, Any]]:
        """For `portward status`: what became of each log since the keeper started."""
        return self._reader.report()

    async def _deliver(self, facts: Sequence[Fact], reached: Mapping[Key, Mapping[str, Any]]) -> None:
        self._hear(facts)
        now = time.monotonic()
        kept = [fact for fact in facts if self._allowance.spend(fact.address, now)]
        if left_out := len(facts) - len(kept):
            logs = sorted({fact.log for fact in facts if isinstance(fact, LogMatched)}) or ["host"]
            kept.append(EventsDropped(time=self._clock(), count=left_out, rules=f"lines of {', '.join(logs)}"))
        await self._journal.keep(kept, reached)
