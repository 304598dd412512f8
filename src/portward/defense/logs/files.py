"""The files of one log, followed until cancelled.

await FileReader(source, passing, positions, clock).run()
"""

import asyncio
import glob
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path

from watchfiles import awatch
from watchfiles._rust_notify import WatchfilesRustInternalError

from portward.defense.logs.passing import Key, Passing
from portward.defense.logs.position import Position
from portward.defense.logs.scan import scan
from portward.defense.logs.sources import Source
from portward.defense.logs.tail import Batch, Tail
from portward.facts import Fact

_LOOK_EACH = 1000
"""Milliseconds between two looks at files of whose changes the kernel does not tell (a network file system)."""
_MOST_FILES = 200


class FileReader:
    def __init__(
        self, source: Source, passing: Passing, positions: Mapping[Key, Position], clock: Callable[[], datetime]
    ) -> None:
        self._source, self._passing, self._positions, self._clock = source, passing, positions, clock
        self._tails: dict[str, Tail] = {}

    async def run(self) -> None:
        """Until cancelled."""
        fresh = not any(log == self._source.log for log, _, _ in self._positions)
        try:
            await self.turn(fresh=fresh)
            await self._passing.on((), {(self._source.log, "", "seen"): Position(self._clock())})
            await self._passing.keep()
            async for _ in _changes(self._source.files):
                await self.turn()
        finally:
            for tail in self._tails.values():
                tail.close()

    async def turn(self, *, fresh: bool = False) -> None:
        """Read and judge all that has come. `fresh`: files that are there already are followed from their end."""
        for path in _paths(self._source.files):
            if path not in self._tails and len(self._tails) < _MOST_FILES:
                self._tails[path] = Tail(Path(path), self._known(path), fresh=fresh)
        for path, tail in self._tails.items():
            await self._read(path, tail)
            await self._passing.tell_problem(path, tail.problem)
        self._passing.tally.too_long = sum(tail.too_long for tail in self._tails.values())

    async def _read(self, path: str, tail: Tail) -> None:
        now = self._clock()
        batches = tail.read(now)
        while (facts := await asyncio.to_thread(self._judge, batches, now)) is not None:
            await self._passing.on(facts, self._reached(path, tail))
        if tail.positions():
            await self._passing.on((), self._reached(path, tail))

    def _judge(self, batches: Iterator[Batch], now: datetime) -> Sequence[Fact] | None:
        """The next batch; None when there is none. In a thread of its own, since disks and long lines take time."""
        batch = next(batches, None)
        if batch is None:
            return None
        tally = self._passing.tally
        facts: list[Fact] = []
        for finding in scan(batch.chunk, self._source.matchers):
            tally.matched += not finding.doubtful
            tally.doubtful += finding.doubtful
            facts += self._passing.count.facts(finding, batch.since, now)
        tally.lines += batch.chunk.count(b"\n")
        return facts

    def _known(self, path: str) -> dict[str, Position]:
        return {
            slot: position
            for (log, place, slot), position in self._positions.items()
            if (log, place) == (self._source.log, path)
        }

    def _reached(self, path: str, tail: Tail) -> dict[Key, Position]:
        return {(self._source.log, path, slot): position for slot, position in tail.positions().items()}


def _paths(patterns: Sequence[str]) -> Iterator[str]:
    """Files by name, whether they are there or not, and those that match wildcards now."""
    for pattern in patterns:
        if glob.has_magic(pattern):
            yield from sorted(path for path in glob.iglob(pattern) if os.path.isfile(path))
        else:
            yield pattern


async def _changes(patterns: Sequence[str]) -> AsyncGenerator[None, None]:
    """Yields when one of the files may have changed, and now and then anyway."""
    while True:
        watched = _directories(patterns)
        if not watched:
            await asyncio.sleep(_LOOK_EACH / 1000)
            yield
            continue
        try:
            async with aclosing(_watching(watched, patterns)) as watching:
                async for _ in watching:
                    yield
                    if _directories(patterns) != watched:
                        break
        except (OSError, WatchfilesRustInternalError):  # as many watches as the kernel gives are in use
            await asyncio.sleep(_LOOK_EACH / 1000)
            yield


def _watching(directories: set[str], patterns: Sequence[str]) -> AsyncGenerator[object, None]:
    return awatch(
        *directories,
        watch_filter=lambda _, changed: any(fnmatch(changed, pattern) for pattern in patterns),
        recursive=False,
        debounce=100,
        step=10,
        rust_timeout=_LOOK_EACH,
        yield_on_timeout=True,
    )


def _directories(patterns: Sequence[str]) -> set[str]:
    """Where such files are, links followed."""
    files = [os.path.realpath(path) for path in _paths(patterns)]
    around = {os.path.dirname(pattern) for pattern in patterns} | {os.path.dirname(file) for file in files}
    return {directory for directory in around if os.path.isdir(directory)}
