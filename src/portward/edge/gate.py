"""Gate 5 in HAProxy's memory: who is logged in, what people are called, and what they may open.

    gate = Gate(state, runtime, publisher)
    await gate.load(accounts, sessions)         # at start: files first, then the difference to a running edge
    await gate.admit([session])                 # in force when it returns

Implements identity's `Gatekeeper`. Every change goes to its file first, then to the current worker and to workers
that drain after a reload.
"""

import logging
from collections.abc import Mapping, Sequence

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


class Gate:
    def __init__(self, state: State, runtime: Runtime, publisher: Publisher) -> None:
        self._runtime = runtime
        self._publisher = publisher
        self._maps = {name: MapFile(map_file(state, name)) for name in ("sessions", "accounts", "grants")}
        self._streams = Streams(runtime, map_file(state, "streams"))
        self._accounts: dict[str, Account] = {}
        self._routes: tuple[Route, ...] = ()

    async def load(self, accounts: Sequence[Account], sessions: Sequence[EdgeSession], routes: Sequence[Route]) -> None:
        """Make files, and a running edge's memory, say exactly this. Raises `EdgeError`."""
        self._accounts = {account.name: account for account in accounts}
        self._routes = tuple(routes)
        await self._make("sessions", {session.key: session_line(session) for session in sessions})
        await self._make("accounts", {account.name: person(account) for account in accounts})
        await self._make("grants", grants(self._routes, accounts))

    async def expect(self, routes: Sequence[Route]) -> None:
        """Grant what the coming configuration will ask for, before it asks, so that nobody is refused in between."""
        both = (*self._routes, *routes)
        await self._make("grants", grants(both, list(self._accounts.values())))

    async def serve(self, routes: Sequence[Route]) -> None:
        """Take over the access rules of a new configuration; what they no longer permit is cut."""
        self._routes = tuple(routes)
        await self._make("grants", grants(self._routes, list(self._accounts.values())))
        await self.cut_forbidden()

    async def admit(self, sessions: Sequence[EdgeSession]) -> None:
        lines = {session.key: session_line(session) for session in sessions}
        self._maps["sessions"].add(lines)
        await self._order("sessions", [f"add map {{}} {key} {line}" for key, line in lines.items()])

    async def renew(self, sessions: Sequence[EdgeSession]) -> None:
        lines = {session.key: session_line(session) for session in sessions}
        self._maps["sessions"].change(lines)
        there = await self._publisher.entries(self._maps["sessions"].path)
        verbs = {True: "set", False: "add"}
        await self._order("sessions", [f"{verbs[key in there]} map {{}} {key} {line}" for key, line in lines.items()])

    async def expel(self, keys: Sequence[str], session_ids: Sequence[str]) -> None:
        self._maps["sessions"].remove(keys)
        if await self._publisher.running() is None:
            log.warning("the edge is away; it will not know the ended sessions when it is back")
            return
        await self._forget("sessions", keys)
        await self._streams.cut(lambda stream: stream.session_id in session_ids)

    async def know(self, accounts: Sequence[Account], forgotten: Sequence[str] = ()) -> None:
        for name in forgotten:
            self._accounts.pop(name, None)
        self._accounts |= {account.name: account for account in accounts}
        everybody = list(self._accounts.values())
        await self._make("accounts", {account.name: person(account) for account in everybody})
        await self._make("grants", grants(self._routes, everybody))
        await self.cut_forbidden()

    async def cut_forbidden(self) -> None:
        """Cut open streams on routes that their holders may no longer open, or that now ask for a login."""
        if await self._publisher.running() is None:
            return
        labels = {route_label(server_name(route)): route for route in self._routes}
        holders = {value.split("|")[2]: value.split("|")[1] for value in self._maps["sessions"].read().values()}
        granted = self._maps["grants"].read()

        def forbidden(stream: Stream) -> bool:
            route = labels.get(route_label(stream.server))
            if route is None or route.access.public:
                return False
            account = holders.get(stream.session_id)
            return account is None or not (route.access.members or f"{account}/{route.name}" in granted)

        await self._streams.cut(forbidden)

    async def _make(self, name: str, wanted: Mapping[str, str]) -> None:
        """File first; then the difference between this and what HAProxy has."""
        if self._maps[name].read() != wanted:
            self._maps[name].write(wanted)
        if await self._publisher.running() is None:
            return
        there = await self._publisher.entries(self._maps[name].path)
        path = self._maps[name].path
        await self._forget(name, [key for key in there if key not in wanted])
        await self._runtime.add_entries(path, ((k, v) for k, v in wanted.items() if k not in there))
        changed = [f"set map {{}} {k} {v}" for k, v in wanted.items() if k in there and there[k] != v]
        await self._order(name, changed)

    async def _order(self, name: str, commands: Sequence[str]) -> None:
        await self._runtime.order_everywhere([command.format(self._maps[name].path) for command in commands])

    async def _forget(self, name: str, keys: Sequence[str]) -> None:
        """Delete entries; one that is not there is as good as deleted."""
        for key in keys:
            for _, answer in await self._runtime.ask_everywhere(f"del map {self._maps[name].path} {key}"):
                if answer and "not found" not in answer.lower() and "unable to find" not in answer.lower():
                    raise EdgeError(f"HAProxy would not forget a line of {name}.map: {answer}")
