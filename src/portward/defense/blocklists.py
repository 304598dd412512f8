"""Block lists that somebody else keeps: looked at when they are due, taken when they are good, in force at the walls.

    lists = Blocklists(directory, target, lambda: settings.defence.lists, exempt, [wall], record, clock)
    await lists.run()                    # looks at whatever is due, until cancelled
    await lists.refresh("drop")          # now, whatever the clock says
    lists.follow()                       # other lists are wanted, or others are exempt

A list that can't be had, or that can't be used, changes nothing: what it said before stays in force. The exemptions
come first: no list ever shuts out the gateway itself. Fetching and reading happen in a process of their own.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from portward.config.blocklists import BlockList
from portward.defense.lists.held import Held, networks_file
from portward.defense.lists.job import Compose, Composed, Done, Refresh, read_done, spell
from portward.defense.lists.origin import Seen, signature
from portward.errors import NotFound, PortwardError
from portward.facts import BlocklistFailed, BlocklistRefreshed, EdgeMended, Fact
from portward.host.files import private_directory
from portward.host.networkfile import find

log = logging.getLogger(__name__)
_SECONDS = 300.0
_TURN_SECONDS = 5.0
_LOOK_AGAIN = timedelta(seconds=10)


class Wall(Protocol):
    """Where lists are in force."""

    async def refuse_listed(self, networks: Path) -> None:
        """Shut out exactly the networks of this file, lines of `NETWORK LIST`. Returns when that is in force."""

    async def mend(self, networks: Path, count: int) -> list[str]:
        """See that so many are in force, and put it right. Returns a fragment for what was not as it should be."""


class Record(Protocol):
    async def __call__(self, fact: Fact) -> None: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with one list."""

    wanted: BlockList
    held: Held
    due_at: datetime | None


class Blocklists:
    def __init__(
        self,
        directory: Path,
        target: Path,
        wanted: Callable[[], Sequence[BlockList]],
        exempt: Callable[[], Collection[str]],
        walls: Sequence[Wall],
        record: Record,
        clock: Callable[[], datetime],
    ) -> None:
        self._directory, self._target, self._wanted = directory, target, wanted
        self._exempt, self._walls = exempt, walls
        self._record, self._clock = record, clock
        self._changing = asyncio.Lock()
        self._mended_at = clock()
        self._sooner = asyncio.Event()
        self._in_force: tuple[tuple[tuple[str, Seen], ...], frozenset[str]] | None = None
        self.composed = Composed(0, 0)

    async def run(self) -> None:
        """Until cancelled. What was taken in an earlier life is in force before anything is fetched."""
        while True:
            self._sooner.clear()
            try:
                await self.start()
                await self.turn()
            except PortwardError as error:
                log.warning("block lists: %s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(_TURN_SECONDS):
                    await self._sooner.wait()

    def follow(self) -> None:
        """What is wanted, or who is exempt, may be another. Returns at once."""
        self._sooner.set()

    async def start(self) -> None:
        """Bring into force what was taken in an earlier life; nothing is fetched."""
        if self._in_force is None and (self._wanted() or self._directory.exists()):
            await self._enforce()

    async def turn(self) -> None:
        """Look at what is due. Nothing at all happens where no list is wanted."""
        for wanted in self._wanted():
            if wanted.mode != "off" and self._is_due(wanted):
                await self.refresh(wanted.name)
        if self._wanted() or self._in_force:
            await self._enforce()

    async def refresh(self, name: str, *, force: bool = False) -> Done:
        """Look at a list now. Raises `NotFound`; a failure is an outcome, and told once."""
        wanted = self._named(name)
        async with self._changing:
            private_directory(self._directory)
            held = Held.load(self._directory, wanted)
            done = await self._look(wanted, held, force=force)
            await asyncio.to_thread(self._note(held, done).save, self._directory)
        await self._tell(wanted, held, done)
        if done.outcome == "taken":
            await self._enforce()
        return done

    def standings(self) -> list[Standing]:
        found = [(wanted, Held.load(self._directory, wanted)) for wanted in self._wanted()]
        return [Standing(wanted, held, held.due_at(wanted.refresh)) for wanted, held in found]

    def lists_of(self, address: str) -> dict[str, str]:
        """The lists that an address or network stands on, each with the network that holds it."""
        places = {wanted.name: networks_file(self._directory, wanted.name) for wanted in self._wanted()}
        found = {name: find(place, address) for name, place in places.items()}
        return {name: network for name, network in found.items() if network}

    def _named(self, name: str) -> BlockList:
        for wanted in self._wanted():
            if wanted.name == name:
                return wanted
        raise NotFound("block list", name, way_out="`portward defence lists` names those of portward.toml")

    def _is_due(self, wanted: BlockList) -> bool:
        held = Held.load(self._directory, wanted)
        due_at = held.due_at(wanted.refresh)
        if due_at is None or due_at <= self._clock():
            return True
        with suppress(OSError):
            return wanted.file is not None and signature(Path(wanted.file)) != Seen(held.etag, held.modified)
        return False

    async def _look(self, wanted: BlockList, held: Held, *, force: bool) -> Done:
        """A version that was refused is read anew: that nothing has changed since would make it no better."""
        anew = force or bool(held.problem)
        job = Refresh(
            wanted.name,
            target=str(networks_file(self._directory, wanted.name)),
            most=wanted.most,
            url=wanted.url,
            file=wanted.file,
            ca_file=wanted.ca_file,
            etag="" if anew else held.etag,
            modified="" if anew else held.modified,
            force=force or held.looked_at is None,
        )
        done = await _run(job)
        return done if isinstance(done, Done) else Done("refused", "the process that looks at lists made a mistake")

    def _note(self, held: Held, done: Done) -> Held:
        now = self._clock()
        seen = replace(held, looked_at=now, etag=done.etag, modified=done.modified, problem=done.problem)
        if done.outcome == "refused":
            return replace(seen, failures=held.failures + 1)
        if done.outcome == "unchanged":
            return replace(seen, failures=0)
        return replace(
            seen,
            failures=0,
            taken_at=now,
            entries=done.entries,
            unreadable=done.unreadable,
            first_unreadable=done.first_unreadable,
            never_public=done.never_public,
        )

    async def _tell(self, wanted: BlockList, held: Held, done: Done) -> None:
        """A failure is told when it begins; that it goes on, `portward defence lists` shows."""
        if done.outcome == "taken":
            await self._record(
                BlocklistRefreshed(
                    time=self._clock(),
                    name=wanted.name,
                    entries=done.entries,
                    added=done.added,
                    removed=done.removed,
                    skipped=done.unreadable + done.never_public,
                )
            )
        elif done.outcome == "refused" and done.problem != held.problem:
            log.warning("the block list %s is not taken: %s", wanted.name, done.problem)
            await self._record(BlocklistFailed(time=self._clock(), name=wanted.name, reason=done.problem))

    async def _enforce(self) -> None:
        """Put the lists together and to the walls, where that is another set than the one in force."""
        async with self._changing:
            enforced = [wanted.name for wanted in self._wanted() if wanted.mode == "enforce"]
            places = {name: networks_file(self._directory, name) for name in enforced}
            held = tuple((name, signature(place)) for name, place in places.items() if place.exists())
            state = (held, frozenset(self._exempt()))
            if state == self._in_force:
                await self._mend()
                return
            private_directory(self._directory)
            lists = {name: str(places[name]) for name, _ in held}
            composed = await _run(Compose(lists, tuple(sorted(state[1])), str(self._target)))
            if not isinstance(composed, Composed):
                raise PortwardError("the block lists could not be put together; what was in force stays")
            for wall in self._walls:
                await wall.refuse_listed(self._target)
            self._in_force, self.composed, self._mended_at = state, composed, self._clock()
            self._forget({wanted.name for wanted in self._wanted()})

    async def _mend(self) -> None:
        if self._clock() < self._mended_at + _LOOK_AGAIN:
            return
        for wall in self._walls:
            for what in await wall.mend(self._target, self.composed.networks):
                await self._record(EdgeMended(time=self._clock(), what=what))
        self._mended_at = self._clock()

    def _forget(self, names: Collection[str]) -> None:
        """Delete what is left of lists that portward.toml no longer has."""
        for file in self._directory.iterdir():
            if file.suffix in {".lst", ".json"} and file.stem not in names:
                file.unlink()


async def _run(job: Refresh | Compose) -> Done | Composed | None:
    """One job in a process of its own; None where it ends without an answer."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "portward.defense.lists", stdin=pipe, stdout=pipe
    )
    try:
        async with asyncio.timeout(_SECONDS):
            answer, _ = await process.communicate(spell(job).encode() + b"\n")
            return read_done(answer)
    except (TimeoutError, ValueError, KeyError, TypeError) as error:
        log.warning("the process that looks at block lists ended early: %r", error)
        return None
    finally:
        with suppress(ProcessLookupError):
            if process.returncode is None:
                process.kill()
        await process.wait()
