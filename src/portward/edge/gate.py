"""Gate 5 in HAProxy's memory: who is logged in, what people are called, and what they may open.

    gate = Gate(state, runtime, publisher)
    await gate.load(register, routes)           # at start: files first, then the difference to a running edge
    await gate.admit([session])                 # in force when it returns
    await gate.mend()                           # ['1 lines of sessions.map'] where memory had gone astray

Implements identity's `Gatekeeper`. Every change goes to its file first, then to the current worker and to workers
that drain after a reload. One change at a time: the register is read inside it, so that mending never undoes a login
or a logout that happens meanwhile. Where comparing every line takes long, mending mostly counts them: nobody else
writes these maps, and a restart of HAProxy reads the files.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from portward.edge.devices import DeviceGuard
from portward.edge.mapfile import MapFile
from portward.edge.plan import grants, person, server_name, session_line
from portward.edge.publisher import Publisher
from portward.edge.render import map_file
from portward.edge.runtime import Runtime
from portward.edge.servers import route_label
from portward.edge.streams import Stream, Streams
from portward.errors import EdgeError
from portward.host.paths import State
from portward.model import Account, EdgeSession, Route

log = logging.getLogger(__name__)
_SHARE = 1 / 1000
"""Of its time, the keeper spends so much on comparing every line while their number is right."""
_UNNOTICED = 0.03
"""Seconds of comparing that nobody minds at each mending."""


@dataclass(frozen=True, slots=True)
class Register:
    """Who exists, and who is logged in: what the store says when it is asked."""

    accounts: Callable[[], Awaitable[Sequence[Account]]]
    sessions: Callable[[], Awaitable[Sequence[EdgeSession]]]


class Gate:
    def __init__(self, state: State, runtime: Runtime, publisher: Publisher, devices: DeviceGuard) -> None:
        self._devices = devices
        self._runtime = runtime
        self._publisher = publisher
        self._maps = {name: MapFile(map_file(state, name)) for name in ("sessions", "accounts", "grants")}
        self._streams = Streams(runtime, map_file(state, "streams"))
        self._changing = asyncio.Lock()
        self._register: Register | None = None
        self._accounts: dict[str, Account] = {}
        self._routes: tuple[Route, ...] = ()
        self._counts: Counter[str] = Counter()
        """How many lines each map should have in HAProxy's memory."""
        self._compared_at, self._comparing_took = 0.0, 0.0

    async def load(self, register: Register, routes: Sequence[Route]) -> list[str]:
        """Make files, and a running edge's memory, say what the register says. Raises `EdgeError`."""
        self._register, self._routes = register, tuple(routes)
        return await self.mend()

    async def mend(self, *, thoroughly: bool = False) -> list[str]:
        """The same again. Returns a sentence fragment for each map that was not as it should be.

        `thoroughly`: every line is compared, however long that takes.
        """
        if self._register is None:
            return []
        async with self._changing:
            mended = await self._compare(self._register) if thoroughly or await self._is_due() else []
            return mended + await self._devices.mend()

    async def _is_due(self) -> bool:
        """Whether every line is to be compared: it has been long ago, as it takes long, or their number is wrong."""
        if self._comparing_took <= max(_UNNOTICED, _SHARE * (time.monotonic() - self._compared_at)):
            return True
        if not all(file.path.exists() for file in self._maps.values()):
            return True
        if await self._publisher.running() is None:
            return False
        there = await self._publisher.counts()
        return any(there.get(str(file.path)) != self._counts[name] for name, file in self._maps.items())

    async def _compare(self, register: Register) -> list[str]:
        began = time.monotonic()
        self._accounts = {account.name: account for account in await register.accounts()}
        sessions = {session.key: session_line(session) for session in await register.sessions()}
        mended = await self._make("sessions", sessions) + await self._know(self._routes)
        self._compared_at = time.monotonic()
        self._comparing_took = self._compared_at - began
        return mended

    async def expect(self, routes: Sequence[Route]) -> None:
        """Grant what the coming configuration will ask for, before it asks, so that nobody is refused in between."""
        async with self._changing:
            await self._know((*self._routes, *routes))
            await self._devices.expect(routes)

    async def serve(self, routes: Sequence[Route]) -> None:
        """Take over the access rules of a new configuration; what they no longer permit is cut."""
        async with self._changing:
            demanding = _demanding(routes) - _demanding(self._routes)
            self._routes = tuple(routes)
            await self._know(self._routes)
            await self._cut_forbidden(demanding)
            await self._devices.serve(self._routes)

    async def admit(self, sessions: Sequence[EdgeSession]) -> None:
        lines = {session.key: session_line(session) for session in sessions}
        async with self._changing:
            self._maps["sessions"].add(lines)
            self._counts["sessions"] += len(lines)
            await self._order("sessions", [f"add map {{}} {key} {line}" for key, line in lines.items()])

    async def renew(self, sessions: Sequence[EdgeSession]) -> None:
        lines = {session.key: session_line(session) for session in sessions}
        async with self._changing:
            self._maps["sessions"].change(lines)
            for key, line in lines.items():
                known = "found=yes" in await self._runtime.ask(f"get map {self._maps['sessions'].path} {key}")
                self._counts["sessions"] += not known
                await self._order("sessions", [f"{'set' if known else 'add'} map {{}} {key} {line}"])

    async def expel(self, keys: Sequence[str], session_ids: Sequence[str]) -> None:
        async with self._changing:
            self._counts["sessions"] -= self._maps["sessions"].remove(keys)
            # A HAProxy that is just starting may have read the file before, so its memory has to be told all the same.
            if not await self._publisher.wait_for_answer():
                log.warning("the edge is away; it will not know the ended sessions when it is back")
                return
            await self._forget("sessions", keys)
            await self._streams.cut(lambda stream: stream.session_id in session_ids)

    async def know(self, accounts: Sequence[Account], forgotten: Sequence[str] = ()) -> None:
        async with self._changing:
            for name in forgotten:
                self._accounts.pop(name, None)
            self._accounts |= {account.name: account for account in accounts}
            await self._know(self._routes)
            await self._cut_forbidden()
            await self._devices.follow()

    async def _know(self, routes: Sequence[Route]) -> list[str]:
        everybody = list(self._accounts.values())
        names = await self._make("accounts", {account.name: person(account) for account in everybody})
        return names + await self._make("grants", grants(routes, everybody))

    async def _cut_forbidden(self, demanding: Collection[str] = ()) -> None:
        """Cut open streams on routes that their holders may no longer open, or that now ask for a login.

        `demanding` names routes that did not demand a device before: whatever is open there was opened without.
        """
        if await self._publisher.running() is None:
            return
        labels = {route_label(server_name(route)): route for route in self._routes}
        holders = {value.split("|")[2]: value.split("|")[1] for value in self._maps["sessions"].read().values()}
        granted = self._maps["grants"].read()

        def forbidden(stream: Stream) -> bool:
            route = labels.get(route_label(stream.server))
            if route is not None and route.name in demanding:
                return True
            if route is None or route.access.public:
                return False
            account = holders.get(stream.session_id)
            return account is None or not (route.access.members or f"{account}/{route.name}" in granted)

        await self._streams.cut(forbidden)

    async def _make(self, name: str, wanted: Mapping[str, str]) -> list[str]:
        """File first; then the difference between this and what HAProxy has. Returns what that was."""
        if self._maps[name].differs(wanted):
            self._maps[name].write(wanted)
        self._counts[name] = len(wanted)
        if await self._publisher.running() is None:
            return []
        path = self._maps[name].path
        there = await self._publisher.entries(path)
        surplus = [key for key in there if key not in wanted]
        missing = {key: value for key, value in wanted.items() if key not in there}
        changed = [f"set map {{}} {k} {v}" for k, v in wanted.items() if k in there and there[k] != v]
        await self._forget(name, surplus)
        await self._runtime.add_entries(path, missing.items())
        await self._order(name, changed)
        count = len(surplus) + len(missing) + len(changed)
        return [f"{count} lines of {path.name}"] if count else []

    async def _order(self, name: str, commands: Sequence[str]) -> None:
        await self._runtime.order_everywhere([command.format(self._maps[name].path) for command in commands])

    async def _forget(self, name: str, keys: Sequence[str]) -> None:
        """Delete entries; one that is not there is as good as deleted."""
        for key in keys:
            for _, answer in await self._runtime.ask_everywhere(f"del map {self._maps[name].path} {key}"):
                if answer and "not found" not in answer.lower() and "unable to find" not in answer.lower():
                    raise EdgeError(f"HAProxy would not forget a line of {name}.map: {answer}")


def _demanding(routes: Collection[Route]) -> set[str]:
    """The names of routes that demand a device."""
    return {route.name for route in routes if route.device == "required"}
