"""Subscribed block lists in HAProxy's memory: a map of their own, so that a hundred thousand networks are one lookup.

    wall = ListedNetworks(runtime, publisher)
    await wall.refuse_listed(state.listed)       # in force when it returns

The map is replaced as a whole: until the last line of the new one is there, the old one counts. A worker that drains
keeps the lists that it had: it takes no new connection, and bans are what cuts an open one.
"""

from collections.abc import Iterator
from pathlib import Path

from portward.edge.publisher import Publisher
from portward.edge.runtime import Runtime
from portward.errors import EdgeError

_CHUNK = 12_000
"""HAProxy reads a command and its payload into one buffer of 16 KB."""


class ListedNetworks:
    """Implements `defense.blocklists.Wall`. Raises `EdgeError` where a running HAProxy refuses."""

    def __init__(self, runtime: Runtime, publisher: Publisher) -> None:
        self._runtime, self._publisher = runtime, publisher

    async def refuse_listed(self, networks: Path) -> None:
        """Nothing is sent to a HAProxy that is away, or whose configuration has no lists: it reads the file itself."""
        if await self._publisher.running() is None or await self._count(networks) is None:
            return
        answer = await self._runtime.ask(f"prepare map {networks}")
        version = answer.rpartition(":")[2].strip()
        if not version.isdecimal():
            raise EdgeError(f"HAProxy takes no new version of {networks.name}: {answer}")
        for chunk in _chunks(networks):
            await self._runtime.order(f"add map @{version} {networks}", chunk)
        await self._runtime.order(f"commit map @{version} {networks}")

    async def mend(self, networks: Path, count: int) -> list[str]:
        """Send them again where HAProxy has another number of them. Returns a sentence fragment where it had."""
        there = await self._count(networks) if await self._publisher.running() is not None else None
        if there in (None, count):
            return []
        await self.refuse_listed(networks)
        return [f"{count} networks of block lists (there were {there})"]

    async def _count(self, networks: Path) -> int | None:
        """How many there are in the running worker; None where its configuration has no lists."""
        return (await self._publisher.counts()).get(str(networks))


def _chunks(networks: Path) -> Iterator[str]:
    chunk: list[str] = []
    size = 0
    with networks.open() as file:
        for line in file:
            if line.startswith("#"):
                continue
            if size + len(line) > _CHUNK:
                yield "".join(chunk)
                chunk, size = [], 0
            chunk.append(line)
            size += len(line)
    if chunk:
        yield "".join(chunk)
