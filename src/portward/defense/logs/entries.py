"""Entries of systemd's journal for one log, followed until cancelled.

await JournalReader(source, passing, positions, clock).run()
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from portward.defense.logs.journald import Selection, entry_of, finding_of, following, last_cursor
from portward.defense.logs.passing import Key, Passing
from portward.defense.logs.position import Position
from portward.defense.logs.sources import Source
from portward.facts import Fact

_PLACE = "journal"
_AGAIN_SECONDS = 5.0


class JournalReader:
    def __init__(
        self,
        source: Source,
        selection: Selection,
        passing: Passing,
        positions: Mapping[Key, Position],
        clock: Callable[[], datetime],
    ) -> None:
        self._source, self._selection, self._passing, self._clock = source, selection, passing, clock
        self._positions = positions
        self._key = (source.log, _PLACE, "now")

    async def run(self) -> None:
        """Until cancelled. A child that ends is started again, where it was."""
        while True:
            try:
                await self._begin()
                await self._follow()
                problem = "journalctl ended"
            except OSError as error:
                problem = error.strerror or str(error)
            await self._passing.tell_problem(_PLACE, problem)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _begin(self) -> None:
        """What was in the journal when it was first looked at is not judged."""
        if self._key not in self._positions:
            cursor = await last_cursor(self._source.journalctl)
            await self._passing.on((), {self._key: Position(self._clock(), cursor=cursor)})
            await self._passing.keep()

    async def _follow(self) -> None:
        cursor = self._positions[self._key].cursor
        async with following(self._source.journalctl, self._selection, cursor) as batches:
            async for lines in batches:
                await self._passing.tell_problem(_PLACE, "")
                await self._take(lines)

    async def _take(self, lines: Sequence[bytes]) -> None:
        now, tally = self._clock(), self._passing.tally
        facts: list[Fact] = []
        cursor = ""
        for line in lines:
            entry = entry_of(line, self._selection)
            if entry is None or entry.cursor == self._positions[self._key].cursor:  # that one was judged
                continue
            cursor = entry.cursor
            finding = finding_of(entry, self._source.matchers)
            if finding:
                tally.matched += not finding.doubtful
                tally.doubtful += finding.doubtful
                at = min(entry.at, now)
                facts += self._passing.count.facts(finding, at, at)
        tally.lines += len(lines)
        if cursor:
            await self._passing.on(facts, {self._key: Position(now, cursor=cursor)})
