"""What this process keeps up: several tunnels side by side, each on its own, and the socket at which they are asked.

keeping = Keeping("tunnel", [Wanted(profile, door), …], tell=print)
failures = await keeping.run()              # when the last one has ended

A tunnel that ends, by its own fault or because it is told to, touches no other.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portward.errors import PortwardError
from portward.tunnels.client import paths
from portward.tunnels.client.alone import Holder, hold
from portward.tunnels.client.announcement import Hear
from portward.tunnels.client.control import Control
from portward.tunnels.client.link import Door
from portward.tunnels.client.network import Network
from portward.tunnels.client.status import Status
from portward.tunnels.client.tunnel import Tell, Tunnel
from portward.tunnels.profiles.profile import Profile


@dataclass(frozen=True, slots=True)
class Wanted:
    """A tunnel to keep up. `titles` are what nobody else may have up meanwhile; its name where there are none."""

    profile: Profile
    door: Door
    titles: tuple[str, ...] = ()


class Keeping:
    """`kind` keeps saved tunnels apart from what `portward connect` has under the same name. `hear` gets what a
    gateway announces."""

    def __init__(
        self,
        kind: str,
        wanted: Sequence[Wanted],
        *,
        tell: Tell = lambda status: None,
        hear: Hear | None = None,
        retries: int | None = None,
    ) -> None:
        self._kind, self._wanted, self._tell, self._hear, self._retries = kind, wanted, tell, hear, retries
        self._tunnels: dict[str, Tunnel] = {}
        self._tasks: dict[str, asyncio.Task[PortwardError | None]] = {}

    def statuses(self) -> list[Status]:
        """One of each tunnel, ended ones as well."""
        return [tunnel.status() for tunnel in self._tunnels.values()]

    def stop(self, name: str | None = None) -> None:
        """End one tunnel, or all of them."""
        for key, task in self._tasks.items():
            if name in (None, key):
                task.cancel()

    async def run(self) -> list[PortwardError]:
        """Until every tunnel has ended, or SIGINT or SIGTERM comes. Returns what ended those that failed.

        Raises `Conflict` when one of them is kept up already; then none is touched.
        """
        socket = paths.sockets() / f"tunnels-{os.getpid()}.sock"
        answers = {"status": lambda question: [status.as_dict() for status in self.statuses()], "stop": self._obey}
        with ExitStack() as stack:
            locks = {wanted.profile.name: self._lock(stack, wanted, socket) for wanted in self._wanted}
            async with Control(socket, answers), Network() as network, asyncio.TaskGroup() as tasks:
                for wanted in self._wanted:
                    tunnel = self._tunnel(wanted, network)
                    name = wanted.profile.name
                    self._tunnels[name] = tunnel
                    self._tasks[name] = tasks.create_task(_last_word(tunnel, locks[name]))
                loop = asyncio.get_running_loop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, self.stop)
        results = [task.result() for task in self._tasks.values() if not task.cancelled()]
        return [error for error in results if error]

    def _tunnel(self, wanted: Wanted, network: Network) -> Tunnel:
        return Tunnel(wanted.profile, wanted.door, network, tell=self._tell, hear=self._hear, retries=self._retries)

    def _lock(self, stack: ExitStack, wanted: Wanted, socket: Path) -> ExitStack:
        """Held until its tunnel has ended, and at the latest until all have."""
        lock = stack.enter_context(ExitStack())
        for title in wanted.titles or (wanted.profile.name,):
            holder = Holder(title, wanted.profile.name, os.getpid(), socket)
            lock.enter_context(hold(paths.running(self._kind, title), holder))
        return lock

    def _obey(self, question: dict[str, Any]) -> None:
        self.stop(question.get("name"))


async def _last_word(tunnel: Tunnel, lock: ExitStack) -> PortwardError | None:
    with lock:
        try:
            await tunnel.run()
        except PortwardError as error:
            return error
