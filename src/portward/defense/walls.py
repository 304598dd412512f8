"""Countries and block lists in the kernel: who is refused at the edge anyway gets no answer to his first packet.

    walls = KernelWalls(nft, lambda: Bounds(wanted=True, passing=…, listed=[Address.parse(":443")], abroad=…))
    await walls.refuse_listed(state.listed)              # a `Wall` of block lists
    await walls.refuse_abroad(borders, ["198.51.100.7"]) # but from where an owner is logged in
    await walls.end()                                    # the table is gone

A table of its own, `inet portward-walls`, beside that of bans, replaced as a whole in one transaction. It holds for new
connections to the gateway's own ports alone. The edge asks the same, so while the kernel can't, nobody comes in.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from portward.config.values import Address
from portward.defense.exempt import Network
from portward.defense.geo.borders import Borders
from portward.defense.geo.rules import GATEWAY
from portward.defense.kernel import merged
from portward.defense.walling import TABLE, Abroad, Job, Passing, Port, entry
from portward.errors import Environment
from portward.host.nftables import FAMILY, WALLS, Nftables, removal

log = logging.getLogger(__name__)
_SECONDS = 120.0
_AGAIN_SECONDS = 60.0
"""What the kernel refused is tried again after this."""
_EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Bounds:
    """Whether the kernel is wanted, who always passes, and the listeners for which lists and countries hold."""

    wanted: bool
    passing: Collection[Network]
    listed: Collection[Address]
    abroad: Collection[Address]


class KernelWalls:
    """While it can't be used it does nothing, and `trouble` is set. Never raises for a packet filter that refuses."""

    def __init__(self, nft: Nftables, bounds: Callable[[], Bounds]) -> None:
        self._nft, self._bounds = nft, bounds
        self._changing = asyncio.Lock()
        self._listed: tuple[Path, tuple[int, int]] | None = None
        self._borders: Borders | None = None
        self._owners: tuple[str, ...] = ()
        self._in_force: Job | None = None
        self._seen: tuple[int, int] | None = None
        self._handles: dict[str, int] = {}
        self._cleared = False
        self._failed: tuple[Job, tuple[int, int] | None] | None = None
        self._again_at = 0.0
        self.trouble: Environment | None = None

    @property
    def on(self) -> bool:
        return self._in_force is not None and self.trouble is None

    async def refuse_listed(self, networks: Path) -> None:
        """Shut out exactly the networks of this file, lines of `NETWORK LIST`. Returns when that is in force."""
        there = await asyncio.to_thread(_signature, networks)
        async with self._changing:
            self._listed = (networks, there) if there else None
            await self._follow()

    async def refuse_abroad(self, borders: Borders | None, owners: Collection[str]) -> None:
        """Shut out whom the gateway's rule about countries refuses, but not these owners."""
        async with self._changing:
            self._borders, self._owners = borders, tuple(sorted(owners))
            await self._follow()

    async def follow(self) -> None:
        """The bounds may be others."""
        async with self._changing:
            await self._follow()

    async def mend(self, networks: Path, count: int) -> list[str]:
        """As `look`; that the table holds what is in the file, its transaction has seen to."""
        return await self.look()

    async def look(self) -> list[str]:
        """See that the table stands, and make it anew where it does not. Returns a fragment where it did not."""
        async with self._changing:
            gone = self._in_force is not None and not await self._stands()
            if gone:
                self._in_force = None
            await self._follow()
            return [f"the packet filter's table `{TABLE}`"] if gone and self._in_force else []

    async def dropped(self) -> dict[str, int]:
        """How many connections it has refused since the table was made, by what refused them."""
        if not self.on:
            return {}
        with suppress(Environment):
            found = await self._nft.ask("list", "counters", "table", FAMILY, WALLS)
            return {one["counter"]["name"]: one["counter"]["packets"] for one in found if "counter" in one}
        return {}

    async def end(self) -> None:
        """Leave the kernel as it was."""
        async with self._changing:
            if self._in_force:
                await self._remove()

    async def _follow(self) -> None:
        """Bring into force what is wanted now, by the smallest change that does."""
        job, seen = self._wanted_job(), self._listed[1] if self._listed else None
        before = self._in_force
        if job is None:
            if before is not None or not self._cleared:
                await self._clear()
            self.trouble = None
        elif before and (job.listed, job.abroad, seen) == (before.listed, before.abroad, self._seen):
            if job != before:
                await self._pass(job, seen)
        elif (job, seen) != self._failed or time.monotonic() > self._again_at:
            await self._replace(job, seen)

    async def _pass(self, job: Job, seen: tuple[int, int] | None) -> None:
        """Let others pass, or at other ports; the networks stay."""
        if await self._try(self._nft.load, entry(job.passing)):
            self._in_force = job
        else:
            await self._replace(job, seen)

    async def _replace(self, job: Job, seen: tuple[int, int] | None) -> None:
        """What can't be brought into force leaves nothing behind: an older rule may refuse whom the edge lets in."""
        if await self._try(self._make, job.spell()):
            self._in_force, self._seen, self._cleared, self._failed = job, seen, True, None
            self._handles = await self._chains()
            return
        trouble = self.trouble
        self._failed, self._again_at = (job, seen), time.monotonic() + _AGAIN_SECONDS
        if self._in_force:
            await self._remove()
        self.trouble = trouble

    def _wanted_job(self) -> Job | None:
        bounds = self._bounds()
        listed = str(self._listed[0]) if self._listed and bounds.listed else None
        abroad = _abroad(self._borders) if self._borders and bounds.abroad else None
        if not bounds.wanted or not (listed or abroad):
            return None
        owners = merged(map(ip_network, self._owners))
        return Job(
            listed,
            abroad,
            Passing(
                tuple(map(str, merged(bounds.passing))),
                tuple(map(str, owners)),
                _ports(bounds.listed) if listed else (),
                _ports(bounds.abroad) if abroad else (),
            ),
        )

    async def _clear(self) -> None:
        """Take away our table, that of an earlier life included; where there is none, nothing is touched."""
        self._cleared = True
        with suppress(Environment):
            if self._in_force or await self._chains():
                await self._remove()
                if not self._bounds().wanted:
                    self._nft.release()

    async def _remove(self) -> None:
        self._in_force = None
        await self._try(self._nft.load, removal(WALLS))

    async def _make(self, job: str) -> None:
        """In a process of its own: half a million networks would hold up everything else here."""
        pipe = asyncio.subprocess.PIPE
        words = (sys.executable, "-m", "portward.defense.walling")
        process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe)
        try:
            async with asyncio.timeout(_SECONDS):
                answer, _ = await process.communicate(job.encode())
        except TimeoutError as error:
            raise Environment(f"the kernel did not take the networks within {_SECONDS:.0f} s") from error
        finally:
            with suppress(ProcessLookupError):
                if process.returncode is None:
                    process.kill()
            await process.wait()
        if process.returncode:
            raise _told(answer)

    async def _stands(self) -> bool:
        try:
            return await self._chains() == self._handles
        except Environment as error:
            log.warning("the packet filter can't be looked at: %s", error)
            return False

    async def _chains(self) -> dict[str, int]:
        """Our chains and their handles: a table that somebody removed has others when it is back."""
        answer = [one["chain"] for one in await self._nft.ask("list", "chains", FAMILY)]
        return {chain["name"]: chain["handle"] for chain in answer if chain["table"] == WALLS}

    async def _try(self, do: Callable[[str], Awaitable[None]], what: str) -> bool:
        """Whether it was done. What went wrong is kept, and told when it is new."""
        try:
            self._nft.claim()
            await do(what)
        except Environment as error:
            if self.trouble is None or self.trouble.message != error.message:
                log.warning("the kernel does not hold countries and block lists, the edge does: %s", error)
            self.trouble = error
            return False
        self.trouble = None
        return True


def _abroad(borders: Borders) -> Abroad | None:
    """Who is refused, or who is not, whichever the file of the edge has; none where nobody is refused."""
    shut = borders.shut(GATEWAY)
    within = borders.elsewhere in shut
    words = tuple(sorted(borders.words.keys() - shut if within else shut))
    return Abroad(str(borders.map_file), words, within) if shut else None


def _ports(listeners: Collection[Address]) -> tuple[Port, ...]:
    return tuple(sorted({("" if one.host in _EVERYWHERE else one.host, one.port) for one in listeners}))


def _signature(networks: Path) -> tuple[int, int] | None:
    """None where no network is in it."""
    with suppress(FileNotFoundError), networks.open() as file:
        if any(line.strip() and not line.startswith("#") for line in file):
            about = networks.stat()
            return about.st_ino, about.st_mtime_ns
    return None


def _told(answer: bytes) -> Environment:
    try:
        said = json.loads(answer)
        return Environment(said["message"], way_out=said["way_out"])
    except (ValueError, KeyError, TypeError):
        return Environment("the process that brings networks into the kernel made a mistake")
