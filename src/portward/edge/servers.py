"""Upstreams in HAProxy's memory: servers of weight 0 that come and go without a reload.

    servers = Servers(runtime)
    await servers.add_missing(plan.servers)
    await servers.retire_surplus(plan.servers)

A surplus server takes no new request, since no route names it. Its open streams may end in peace where the route went
to another upstream, and are cut where the route is gone. It is deleted when it has rested for a while: HAProxy lets go
of a server that still has connections never, but of one on which a stream waits for its next try to connect, and dies
of that (seen with 2.6.12). One that is wanted again meanwhile is woken up.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from portward.edge.plan import Server
from portward.edge.render import BACKENDS
from portward.edge.runtime import Runtime

REST = 60.0
"""Seconds from the end of a server's last route to its deletion: more than a stream's tries to connect take."""
_FORCED_MAINTENANCE = 1
"""A bit of `srv_admin_state` (HAProxy's Management Guide, section 9.3, "show servers state")."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Running:
    """One server as `show servers state` tells of it."""

    backend: str
    name: str
    address: str
    port: int
    resting: bool


class Servers:
    def __init__(self, runtime: Runtime, clock: Callable[[], float] = time.monotonic) -> None:
        self._runtime = runtime
        self._clock = clock
        self._rests_since: dict[str, float] = {}

    async def add_missing(self, wanted: Mapping[str, Server]) -> list[str]:
        """Add what is not there, and move what has a new address. Returns what that was. Raises `EdgeError`."""
        mended = []
        there = {server.name: server for server in await self.running()}
        for server in wanted.values():
            name = f"{server.backend}/{server.name}"
            if server.name not in there:
                await self._runtime.order(f"add server {name} {server.address} weight 0{server.options}")
                mended.append(f"the server {server.name}")
            elif _moved(server, there[server.name]):
                host, _, port = server.address.rpartition(":")
                await self._runtime.order(f"set server {name} addr {host.strip('[]')} port {port}")
                mended.append(f"the address of {server.name}")
            if server.name not in there or there[server.name].resting:
                await self._runtime.order(f"set server {name} state ready")
        return mended

    async def retire_surplus(self, wanted: Mapping[str, Server]) -> list[str]:
        """Take away what no route needs any more. Returns what that was."""
        mended = []
        routes = {route_label(name) for name in wanted}
        for server in await self.running():
            if server.name in wanted:
                self._rests_since.pop(server.name, None)
                continue
            name = f"{server.backend}/{server.name}"
            if not server.resting:
                await self._runtime.order(f"set server {name} state maint")
                mended.append(f"the surplus server {server.name}")
            if route_label(server.name) not in routes:
                await self._runtime.order(f"shutdown sessions server {name}")
            if self._clock() - self._rests_since.setdefault(server.name, self._clock()) > REST:
                await self._delete(name)
        return mended

    async def _delete(self, name: str) -> None:
        answer = await self._runtime.ask(f"del server {name}")
        if "deleted" in answer:
            self._rests_since.pop(name.partition("/")[2], None)
        else:
            log.info("%s still has streams; it goes when they end (%s)", name, answer)

    async def running(self) -> list[Running]:
        """Every server of the generic backends."""
        lines = (await self._runtime.ask("show servers state")).splitlines()
        rows = [line.split() for line in lines if line and line[0].isdigit()]
        return [
            Running(row[1], row[3], row[4], int(row[18]), resting=int(row[6]) & _FORCED_MAINTENANCE != 0)
            for row in rows
            if len(row) > 18 and row[1] in BACKENDS
        ]


def route_label(server: str) -> str:
    """A server's name without the digest of its upstream."""
    return server.rpartition("-")[0]


def _moved(wanted: Server, there: Running) -> bool:
    if wanted.address.startswith("unix@"):
        return False
    host, _, port = wanted.address.rpartition(":")
    return (host.strip("[]"), int(port)) != (there.address, there.port)
