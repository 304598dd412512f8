"""Banned sources in HAProxy's memory: the map `bans` of gates 2 and 4, and its file.

    bans = EdgeBans(state, runtime, publisher, allowed=lambda: settings.defence.allow)
    await bans.enforce([ban])                   # refused from now on, and what the source holds open is cut
    await bans.lift(["203.0.113.7"])

A line is `SOURCE UNTIL|REASON`: seconds since 1970, so that a ban ends on time also while no keeper runs, and the words
for the page that `defence.answer` may ask for. Behind it stands `|d` where a detector made the ban: such a one may be
undone by a member (`defence.release`). HAProxy takes the line of the smallest network that an address lies in.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import TypeVar
from urllib.parse import quote

from portward.defense.enforcement import Register
from portward.defense.known import Known
from portward.defense.release import may_end
from portward.edge.mapfile import MapFile
from portward.edge.publisher import Publisher
from portward.edge.render import FOR_GOOD, map_file
from portward.edge.runtime import Runtime
from portward.edge.streams import Streams
from portward.errors import EdgeError
from portward.host.paths import State
from portward.model import BanBrief

_REASON_CHARACTERS = 60
_ONE_BY_ONE = 100
"""Up to so many lines are taken out one by one, 1 ms each beside a hundred thousand; of more, the map is replaced."""
_PAGE = 2000
T = TypeVar("T")
_HEAD = re.compile(r"^(0x[0-9a-f]+): proto=\S+ src=(\S+):\d+ ", re.MULTILINE)


class EdgeBans:
    """An `Enforcer`. One change at a time; the file first, then HAProxy, workers that drain as well."""

    def __init__(
        self,
        state: State,
        runtime: Runtime,
        publisher: Publisher,
        allowed: Callable[[], Iterable[IPv4Network | IPv6Network]],
    ) -> None:
        self._runtime, self._publisher, self._allowed = runtime, publisher, allowed
        self._path = state.banned
        self._file = MapFile(self._path)
        self._known, self._begun = Known(), False
        self._streams = Streams(runtime, map_file(state, "stream_sources"))
        self._changing = asyncio.Lock()

    async def enforce(self, bans: Collection[BanBrief]) -> None:
        lines = {ban.source: line_of(ban) for ban in bans}
        async with self._changing:
            again = [source for source in lines if source in self._known]
            self._write(lines, again)
            if not await self._answers():
                if not self._begun:
                    return
                raise EdgeError("the edge is away; it reads who is banned when it is back")
            if len(again) > _ONE_BY_ONE:
                await self._replace()
            else:
                await self._take_out(again)
                await self._put_in(lines)
            await self._cut(lines.__contains__)

    async def lift(self, sources: Collection[str]) -> None:
        async with self._changing:
            gone = [source for source in sources if source in self._known]
            if not gone:
                return
            if len(gone) > _ONE_BY_ONE:
                self._file.exchange(set(gone), {})
                self._known.drop(gone)
                await self._replace()
                return
            self._file.remove(gone)
            self._known.drop(gone)
            if await self._answers():
                await self._take_out(gone)

    async def mend(self, register: Register, now: datetime) -> list[str]:
        """The number of lines tells whether all is well: nobody else writes this map, and a restart reads the file.

        At first nothing is known of either, and both are written.
        """
        async with self._changing:
            wanted = await register.count(now)
            there = await self._there() if await self._publisher.running() is not None else wanted
            begun = self._begun
            if begun and wanted == there == len(self._known) and self._path.exists():
                return []
            await self._rewrite(register, now)
            await self._replace()
            self._begun = True
            if await self._publisher.running() is not None:
                await self._cut(self._known.__contains__)
            return [f"{abs(wanted - there) or wanted} lines of {self._path.name}"] if begun else []

    def _write(self, lines: Mapping[str, str], again: Collection[str]) -> None:
        self._file.begin()
        new = {source: line for source, line in lines.items() if source not in self._known}
        if len(again) > _ONE_BY_ONE:
            self._file.exchange(lines.keys(), lines)
        else:
            if again:
                self._file.change({source: lines[source] for source in again})
            self._file.add(new)
        self._known.add(new)

    async def _rewrite(self, register: Register, now: datetime) -> None:
        """The file anew, page by page: there may be a million. An edge that starts meanwhile reads the one before."""
        known = Known()
        with self._file.anew() as put:
            async for page in register.pages(now):
                put((ban.source, line_of(ban)) for ban in page)
                known.add([ban.source for ban in page])
        self._known = known

    async def _replace(self) -> None:
        """HAProxy's map becomes what the file says, in one step (its Management Guide, "prepare map")."""
        if await self._publisher.running() is None:
            return
        told = await self._runtime.ask(f"prepare map {self._path}")
        number = re.search(r"New version created: (\d+)", told)
        if number is None:
            raise EdgeError(f"HAProxy would not begin another {self._path.name}: {told}")
        with self._path.open(encoding="utf-8") as file:
            while lines := list(islice(file, _PAGE)):
                entries = [line.rstrip("\n").partition(" ") for line in lines if not line.startswith("#")]
                await self._runtime.add_entries(
                    f"@{number[1]} {self._path}", ((key, value) for key, _, value in entries)
                )
        await self._runtime.order(f"commit map @{number[1]} {self._path}")

    async def _answers(self) -> bool:
        """One that died is back within a second; only a keeper waits for that."""
        running = await self._publisher.running() is not None
        return running or (self._begun and await self._publisher.wait_for_answer())

    async def _put_in(self, lines: Mapping[str, str]) -> None:
        await self._runtime.add_entries(self._path, lines.items())
        for pid in await self._runtime.draining_workers():
            for some in _pieces(lines.items(), _ONE_BY_ONE):
                commands = [f"add map {self._path} {source} {line}" for source, line in some]
                await self._runtime.ask_worker(pid, "; ".join(commands))

    async def _take_out(self, sources: Sequence[str]) -> None:
        for some in _pieces(sources, _ONE_BY_ONE):
            await self._runtime.ask_everywhere("; ".join(f"del map {self._path} {source}" for source in some))

    async def _there(self) -> int:
        return (await self._publisher.counts()).get(str(self._path), 0)

    async def forget_closed(self) -> None:
        """Take what is closed out of the notes on streams behind proxies."""
        await self._streams.forget_closed()

    async def _cut(self, wanted: Callable[[str], bool]) -> None:
        """End every stream of wanted sources; one that waits for its next request meets gate 4 instead.

        A stream that a trusted proxy carries is noted under its own address in `stream_sources`.
        """
        allowed = list(self._allowed())
        for pid, dump in await self._runtime.ask_everywhere("show sess"):
            streams = [(pointer, _plain(source)) for pointer, source in _HEAD.findall(dump)]
            hit = {source for source in {source for _, source in streams} if _is_among(source, wanted, allowed)}
            doomed = [f"shutdown session {pointer}" for pointer, source in streams if source in hit]
            for some in _pieces(doomed, _ONE_BY_ONE):
                await self._runtime.ask_worker(pid, "; ".join(some))
        await self._streams.cut(lambda stream: _is_among(stream.session_id, wanted, allowed))


def line_of(ban: BanBrief) -> str:
    """What stands behind a source: until when, and the reason in characters that mean nothing to HTML and HAProxy."""
    return f"{ban.until or FOR_GOOD}|{_words(ban.reason)}{'|d' if may_end([ban]) else ''}"


@lru_cache
def _words(reason: str) -> str:
    return quote(" ".join(re.sub(r"[^A-Za-z0-9 .,:_-]+", " ", reason).split())[:_REASON_CHARACTERS])


def _is_among(source: str, wanted: Callable[[str], bool], allowed: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(source)
    except ValueError:  # a Unix socket
        return False
    if any(address in network for network in allowed):
        return False
    around = (ip_network((address, length), strict=False) for length in range(address.max_prefixlen))
    return wanted(source) or any(wanted(str(network)) for network in around)


def _plain(source: str) -> str:
    return source.strip("[]").removeprefix("::ffff:")


def _pieces(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while piece := list(islice(rest, size)):
        yield piece
