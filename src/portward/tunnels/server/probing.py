"""Looks through every tunnel now and then whether what it leads to answers: that is the state which is shown.

Of several tunnels of one service, those that fail take no visitors until they answer again (see service.py).
"""

import asyncio
import time
from datetime import UTC, datetime

from portward.facts import TunnelFailing, TunnelRecovered
from portward.tunnels.server.exchange import Exchange
from portward.tunnels.server.printable import printable
from portward.tunnels.server.reports import Reports
from portward.tunnels.server.tunnel import Tunnel

_LOOK_SECONDS = 1.0
_HEALTHY_SECONDS = 30.0
_FAILING_SECONDS = 15.0
"""OpenSSH's client tells its terminal of each probe that fails."""
_FAILING_OF_SEVERAL_SECONDS = 5.0
_AT_ONCE = 50


class Prober:
    """One round after the other, while it runs."""

    def __init__(self, exchange: Exchange, reports: Reports) -> None:
        self._exchange, self._reports = exchange, reports
        self._due: dict[str, float] = {}
        self._looking: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as looks:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                for tunnel in self._due_now(time.monotonic()):
                    self._looking.add(tunnel.id)
                    looks.create_task(self._look(tunnel))

    def _due_now(self, now: float) -> list[Tunnel]:
        tunnels = {tunnel.id: tunnel for tunnel in self._exchange.tunnels()}
        self._due = {name: due for name, due in self._due.items() if name in tunnels}
        waiting = [tunnel for tunnel in tunnels.values() if tunnel.id not in self._looking]
        due = [tunnel for tunnel in waiting if tunnel.suspect or self._due.get(tunnel.id, 0.0) <= now]
        return due[:_AT_ONCE]

    async def _look(self, tunnel: Tunnel) -> None:
        why = await tunnel.probe()
        self._looking.discard(tunnel.id)
        tunnel.suspect = False
        before, tunnel.health = tunnel.health, "failing" if why else "up"
        self._due[tunnel.id] = time.monotonic() + (_pause(tunnel) if why else _HEALTHY_SECONDS)
        if tunnel.health == before or not tunnel.peer.present:
            return
        key = tunnel.peer.known
        about = {
            "address": tunnel.peer.address,
            "account": key.account,
            "service": tunnel.service.name,
            "key": key.name,
        }
        if why:
            self._reports.tell(TunnelFailing(time=datetime.now(UTC), detail=printable(why), **about))
        elif before == "failing":
            self._reports.tell(TunnelRecovered(time=datetime.now(UTC), **about))


def _pause(tunnel: Tunnel) -> float:
    return _FAILING_OF_SEVERAL_SECONDS if tunnel.service.balance else _FAILING_SECONDS
