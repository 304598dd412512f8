"""Answers to an authority that wants to see that a name is ours: http-01 from a map, tls-alpn-01 by passing it on.

    challenges = Challenges(state, runtime, publisher, configuration.pass_alpn)
    await challenges.present("wiki.example.com", token, key_authorization)      # in force when it returns

The map is a file too, so HAProxy answers after a restart in the middle as well, and without the keeper.
"""

from collections.abc import Awaitable, Callable

from portward.edge.mapfile import MapFile
from portward.edge.publisher import Publisher
from portward.edge.render import map_file
from portward.edge.runtime import Runtime
from portward.host.paths import State


class Challenges:
    """Raises `EdgeError`. `switch` renders the edge with or without the look for `acme-tls/1`."""

    def __init__(
        self, state: State, runtime: Runtime, publisher: Publisher, switch: Callable[[bool], Awaitable[None]]
    ) -> None:
        self._runtime, self._publisher, self._switch = runtime, publisher, switch
        self._map = MapFile(map_file(state, "challenges"))
        self._shown: dict[str, str] = {}

    async def present(self, host: str, token: str, value: str) -> None:
        self._shown[f"{host}/{token}"] = value
        await self._write()

    async def withdraw(self, host: str, token: str) -> None:
        self._shown.pop(f"{host}/{token}", None)
        await self._write()

    async def pass_alpn(self, *, on: bool) -> None:
        await self._switch(on)

    async def clear(self) -> None:
        self._shown.clear()
        await self._switch(False)
        await self._write()

    async def _write(self) -> None:
        """File first, then memory."""
        self._map.write(self._shown)
        if await self._publisher.wait_for_answer():
            there = await self._publisher.entries(self._map.path)
            await self._runtime.order_everywhere(
                [f"del map {self._map.path} {k}" for k in there if k not in self._shown]
            )
            await self._runtime.order_everywhere(
                [f"add map {self._map.path} {k} {v}" for k, v in self._shown.items() if k not in there]
            )
