"""Devices in HAProxy's memory: who is let in, which are revoked, and what revoked ones hold open.

    guard = DeviceGuard(state, runtime, publisher)
    guard.register(DeviceRegister(trusted=…, lists=…))
    await guard.follow()                    # in force when it returns

Implements identity's `Guard`. A device is let in while its fingerprint stands in devices.map, which each request asks:
an open connection keeps what the handshake found. The revocation list is there besides, for the handshake itself.
Where no route asks for a device, nothing of this runs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from portward.edge.mapfile import MapFile
from portward.edge.publisher import Publisher
from portward.edge.render import map_file
from portward.edge.runtime import Runtime
from portward.edge.streams import Streams
from portward.edge.trust import asks, revoked_file
from portward.errors import EdgeError
from portward.host import files
from portward.host.paths import State
from portward.model import Device, Route

LARGEST_LIST = 15_000
"""Characters of PEM that fit into a command; some 300 revoked devices. A longer list takes effect by a reload."""
_TRIES = 20
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeviceRegister:
    """Which devices are trusted, and the revocation lists (PEM), when they are asked for."""

    trusted: Callable[[], Awaitable[Sequence[Device]]]
    lists: Callable[[], Awaitable[bytes]]


class DeviceGuard:
    def __init__(self, state: State, runtime: Runtime, publisher: Publisher) -> None:
        self._state, self._runtime, self._publisher = state, runtime, publisher
        self._map = MapFile(map_file(state, "devices"))
        self._open = MapFile(map_file(state, "device_streams"))
        self._streams = Streams(runtime, self._open.path)
        self._changing = asyncio.Lock()
        self._register: DeviceRegister | None = None
        self._asked = False
        self._lists = b""

    def register(self, register: DeviceRegister) -> None:
        self._register = register

    async def expect(self, routes: Sequence[Route]) -> None:
        """Write the files that a coming configuration names."""
        if self._register is None or not any(asks(route) for route in routes):
            return
        async with self._changing:
            self._open.begin()
            self._map.write(_lines(await self._register.trusted()))
            files.replace(revoked_file(self._state), await self._register.lists())

    async def serve(self, routes: Sequence[Route]) -> None:
        """A configuration with these routes is in force."""
        self._asked, self._lists = any(asks(route) for route in routes), b""
        await self.follow()

    async def follow(self) -> None:
        await self.mend()

    async def mend(self) -> list[str]:
        """Make files and memory agree with the register. Returns a sentence fragment for what did not."""
        if self._register is None or not self._asked:
            return []
        async with self._changing:
            wanted = _lines(await self._register.trusted())
            if self._map.differs(wanted):
                self._map.write(wanted)
            if not await self._publisher.wait_for_answer():
                log.warning("the edge is away; it will read the devices when it is back")
                return []
            mended = await self._bring(wanted)
            await self._streams.cut(lambda stream: stream.session_id.upper() not in wanted)
            await self._publish(await self._register.lists())
            return mended

    async def forget_closed(self) -> None:
        if self._asked:
            await self._streams.forget_closed()

    async def _bring(self, wanted: Mapping[str, str]) -> list[str]:
        """What is over goes first."""
        path = self._map.path
        there = await self._publisher.entries(path)
        gone = [key for key in there if wanted.get(key) != there[key]]
        missing = {key: line for key, line in wanted.items() if there.get(key) != line}
        await self._runtime.order_everywhere([f"del map {path} {key}" for key in gone])
        await self._runtime.order_everywhere([f"add map {path} {key} {line}" for key, line in missing.items()])
        count = len({*gone, *missing})
        return [f"{count} lines of {path.name}"] if count else []

    async def _publish(self, lists: bytes) -> None:
        """Put the revocation lists in force for new handshakes."""
        path = revoked_file(self._state)
        if lists == self._lists:
            return
        if not path.exists() or path.read_bytes() != lists:
            files.replace(path, lists)
        if f"{path}" not in await self._runtime.ask("show ssl crl-file"):
            self._lists = lists  # no host names it: an authority has no list
            return
        if len(lists) > LARGEST_LIST:
            await self._runtime.master("reload")
        else:
            await self._commit(path, lists.decode())
        self._lists = lists

    async def _commit(self, path: Path, lists: str) -> None:
        """HAProxy commits one thing at a time, and a certificate may be under way."""
        for _ in range(_TRIES):
            await self._runtime.order(f"set ssl crl-file {path}", lists)
            answer = await self._runtime.ask(f"commit ssl crl-file {path}")
            if "Success" in answer:
                return
            await asyncio.sleep(0.1)
        raise EdgeError(f"HAProxy did not take the revocation list: {answer}")


def _lines(devices: Sequence[Device]) -> dict[str, str]:
    """Lines of devices.map: fingerprint in upper case, then expiry | account."""
    return {
        device.fingerprint.upper(): f"{int(device.expires_at.timestamp())}|{device.account}"
        for device in devices
        if device.expires_at
    }
