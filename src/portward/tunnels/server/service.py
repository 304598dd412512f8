"""One service that comes in by tunnels: its socket, which is always there, and the tunnels, which come and go.

The supervisor keeps the socket while this program restarts: visitors wait in line meanwhile.

async with Service(rule, path, made=False, hold=5.0) as service:
    service.add(tunnel)                            # whoever was waiting goes through it
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from portward.host.listeners import BACKLOG, discard, lasting
from portward.tunnels.rules import ServiceRule
from portward.tunnels.server.pages import away, silent
from portward.tunnels.server.tunnel import NotOpened, Tunnel
from portward.tunnels.server.visitor import Visitor

_RECENTLY_SECONDS = 60.0
"""Visitors wait for a tunnel that was there so lately; for one that has been away longer they don't."""
_WAITING = 2000
"""So many may wait at once; more are told at once that the tunnel is away."""
_TRIES = 3


class Service:
    """`made`: on the spot. Files at `path` are for their owner alone."""

    def __init__(self, rule: ServiceRule, path: Path, *, made: bool, hold: float) -> None:
        self.rule, self.made, self.hold = rule, made, hold
        self.tunnels: list[Tunnel] = []
        self._path = path
        self._seen_at = time.monotonic()
        self._visits: set[asyncio.Task[None]] = set()
        self._arrival = asyncio.Event()

    async def __aenter__(self) -> Self:
        with ExitStack() as stack:
            listener = stack.enter_context(lasting(self._path))
            # create_unix_server would remove the path at its end (Python 3.13); here the next life takes it over
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Visitor(self._receive), sock=listener, backlog=BACKLOG
            )
            self._closing = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self._closing.close()
        for visit in self._visits:
            visit.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*self._visits, return_exceptions=True)

    def abolish(self) -> None:
        """The service is gone for good, and its socket with it."""
        discard(self._path)

    def add(self, tunnel: Tunnel) -> None:
        """A tunnel stands: it takes visitors from now on, those who wait first."""
        self.tunnels.append(tunnel)
        self._arrival.set()

    def remove(self, tunnel: Tunnel) -> None:
        """A tunnel is gone."""
        self.tunnels.remove(tunnel)
        self._seen_at = time.monotonic()
        if not self.tunnels:
            self._arrival.clear()

    def choose(self, tried: frozenset[str] = frozenset()) -> Tunnel | None:
        """The tunnel with the fewest streams; one that fails only where no other is left."""
        candidates = [tunnel for tunnel in self.tunnels if tunnel.id not in tried]
        return min(candidates, key=lambda tunnel: (tunnel.doubtful, tunnel.streams), default=None)

    def _receive(self, visitor: Visitor) -> None:
        visit = asyncio.create_task(self._serve(visitor))
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)

    async def _serve(self, visitor: Visitor) -> None:
        deadline, tried = time.monotonic() + self.hold, frozenset[str]()
        for _ in range(_TRIES):
            tunnel = self.choose(tried) or await self._wait_for_tunnel(deadline, tried)
            if tunnel is None:
                break
            try:
                await tunnel.open(visitor)
            except NotOpened as error:
                tried |= {tunnel.id}
                if not error.gone:
                    tunnel.suspect = True
            else:
                return
        self._turn_away(visitor, silent if self.tunnels else away)

    async def _wait_for_tunnel(self, deadline: float, tried: frozenset[str]) -> Tunnel | None:
        """A tunnel that comes back before the deadline."""
        if self.tunnels or len(self._visits) > _WAITING or time.monotonic() - self._seen_at > _RECENTLY_SECONDS:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._arrival.wait()
        return self.choose(tried)

    def _turn_away(self, visitor: Visitor, page: Callable[[str], bytes]) -> None:
        if self.rule.kind == "http":
            visitor.answer(page(self.rule.name))
        else:
            visitor.close()
