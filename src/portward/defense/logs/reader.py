"""Reads this machine's logs as they grow, and passes on what they tell.

    reader = LogReader(store.positions, lambda: configuration.settings, deliver, clock)
    reader.follow()             # other settings hold
    await reader.run()          # until cancelled

Where nothing is to be read, nothing runs. A kill loses no line and counts none twice: what lines told is kept together
with how far was read. Lines that told nothing may be looked at again.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any, Protocol

from portward.config import Settings
from portward.defense.logs.count import Count
from portward.defense.logs.entries import JournalReader
from portward.defense.logs.files import FileReader
from portward.defense.logs.passing import COUNTED, Deliver, Key, Passing, Tally
from portward.defense.logs.position import Position
from portward.defense.logs.sources import HOST, Source, find_host_log, sources_of
from portward.errors import StoreError

log = logging.getLogger(__name__)

_LOOK_AGAIN = 60.0
"""Seconds after which it is looked whether the machine's own log can be read by now."""


class Positions(Protocol):
    """`store.positions`."""

    async def all(self) -> Mapping[Key, Mapping[str, Any]]: ...

    async def retain(self, logs: Collection[str]) -> None: ...


class LogReader:
    def __init__(
        self,
        positions: Positions,
        settings: Callable[[], Settings],
        deliver: Deliver,
        clock: Callable[[], datetime],
        host: Callable[[], Source] = find_host_log,
    ) -> None:
        self._store, self._settings, self._deliver, self._clock = positions, settings, deliver, clock
        self._host = host
        self._positions: dict[Key, Position] = {}
        self._counts: dict[str, Count] = {}
        self._changed = asyncio.Event()
        self._tallies: dict[str, Tally] = {}

    def follow(self) -> None:
        """The settings may have changed."""
        self._changed.set()

    def report(self) -> list[dict[str, Any]]:
        """What became of each log since the keeper started."""
        return [asdict(tally) for tally in self._tallies.values()]

    async def run(self) -> None:
        """Until cancelled. Raises `StoreError` where it can't learn how far was read."""
        for key, value in (await self._store.all()).items():
            if key[2] == COUNTED:
                self._counts[key[0]] = Count.read(key[0], value)
            else:
                self._positions[key] = Position.read(value)
        while True:
            self._changed.clear()
            defence = self._settings().defence
            sources = sources_of(defence, self._host())
            await self._forget_others(sources)
            self._tallies = {}
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work) for source in sources for work in self._work(source)]
                while self._settings().defence == defence and not self._host_appeared(sources):
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._changed.wait(), _LOOK_AGAIN if sources else None)
                    self._changed.clear()
                for task in tasks:
                    task.cancel()

    async def _forget_others(self, sources: Collection[Source]) -> None:
        try:
            await self._store.retain({HOST, *(source.log for source in sources)})
        except StoreError as error:
            log.warning("positions in logs that are not read any more are kept: %s", error)

    def _host_appeared(self, sources: Collection[Source]) -> bool:
        """Whether the machine's own log can be read by now, and could not before."""
        return any(source.log == HOST and source.problem for source in sources) and not self._host().problem

    def _work(self, source: Source) -> list[Coroutine[Any, Any, None]]:
        place = "journal" if source.selection else ", ".join(source.files)
        tally = Tally(source.log, place, problem=source.problem)
        self._tallies[source.log] = tally
        if source.problem:
            return []
        count = self._counts.setdefault(source.log, Count(source.log))
        passing = Passing(tally, count, self._positions, self._deliver, self._clock)
        if source.selection:
            return [JournalReader(source, source.selection, passing, self._positions, self._clock).run()]
        return [FileReader(source, passing, self._positions, self._clock).run()]
