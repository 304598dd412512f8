"""One saved tunnel, kept up: connects, carries, notices when the link is dead, and connects again.

async with Network() as network:
    await Tunnel(profile, door, network, tell=print).run()

It never gives up, unless told how often to try: only what no further try can mend ends it.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Never

import asyncssh

from portward.errors import NotAdmitted, PortwardError, Unreachable
from portward.tunnels.client.announcement import Hear, address, listen
from portward.tunnels.client.backoff import delay
from portward.tunnels.client.link import Door, Link
from portward.tunnels.client.local import LocalForwards
from portward.tunnels.client.network import Network
from portward.tunnels.client.pipe import Meter
from portward.tunnels.client.remote import RemoteForwards
from portward.tunnels.client.status import State, Status
from portward.tunnels.profiles.profile import Forward, Profile
from portward.tunnels.profiles.spelling import spell_endpoint, spell_forward

_LASTING = 10.0
"""Seconds after which a connection counts as a good one."""
_MEASURE = 15.0
_PROBE, _ROUND_TRIPS = 1.5, 4
"""After a change of the network an answer may take this many seconds, or this many usual round trips."""
_YOUNG = 1.0
"""A try that is older than this when the network changes is begun anew."""
_REASONED = 30.0
_REFUSALS = 5
"""A server that has let us in before may refuse so many times in a row, such as while it restarts."""

Tell = Callable[[Status], None]
Clock = Callable[[], datetime]


def utc() -> datetime:
    return datetime.now(UTC)


class Tunnel:
    """`tell` hears of each change of state, `hear` gets each line that a gateway announces. `retries` limits the tries
    in a row that fail; None is for ever."""

    def __init__(
        self,
        profile: Profile,
        door: Door,
        network: Network,
        *,
        tell: Tell = lambda status: None,
        hear: Hear | None = None,
        retries: int | None = None,
        now: Clock = utc,
    ) -> None:
        self.profile = profile
        self._door, self._network, self._tell, self._retries, self._now = door, network, tell, retries, now
        self._hear = hear
        self._heard: list[str] = []
        self._meter = Meter()
        self._state: State = "connecting"
        self._problem = ""
        self._since: datetime | None = None
        self._links = 0
        self._failures = 0
        self._round_trip: float | None = None
        self._published: list[Forward] = []
        self._missing: list[Forward] = []
        self._link: Link | None = None
        self._linked = asyncio.Event()

    def status(self) -> Status:
        """How it is doing now."""
        return Status(
            name=self.profile.name,
            state=self._state,
            host=self.profile.host,
            since=self._since,
            reconnects=max(0, self._links - 1),
            bytes_sent=self._meter.sent,
            bytes_received=self._meter.received,
            round_trip=self._round_trip,
            forwards=self._working(),
            addresses=tuple(found for line in self._heard if (found := address(line))),
            problem=self._problem,
        )

    async def run(self) -> Never:
        """Until cancelled. Raises `Environment`, `NotTrusted`, `NotAdmitted`, or `Unreachable` after `retries`."""
        try:
            async with asyncio.TaskGroup() as tasks:
                with LocalForwards(self.profile, self._wait_for_link, self._meter, tasks) as local:
                    await local.start()
                    await self._keep_up()
        except BaseExceptionGroup as group:
            # The body of a TaskGroup that fails comes out wrapped, even when it is alone.
            error = group.exceptions[0]
            self._enter("failed", error.message if isinstance(error, PortwardError) else repr(error))
            raise error from None
        except asyncio.CancelledError:
            self._enter("stopped")
            raise

    async def _keep_up(self) -> Never:
        while True:
            seen = self._network.changes
            self._enter("connecting", self._problem)
            try:
                await self._connect_once()
            except Unreachable as error:
                problem: PortwardError = error
            except NotAdmitted as error:
                if not self._links or self._failures >= _REFUSALS:
                    raise
                problem = error
            self._failures += 1
            if self._retries is not None and self._failures > self._retries:
                raise problem
            await self._pause(problem, seen)

    async def _connect_once(self) -> None:
        """One connection, from the first packet to its end. Raises what ended it."""
        async with AsyncExitStack() as stack:
            link = await self._come_in(stack)
            begun = asyncio.get_running_loop().time()
            self._link, self._since, self._problem = link, self._now(), ""
            self._links += 1
            self._linked.set()
            try:
                raise Unreachable(f"the connection ended: {await self._carry(link)}")
            finally:
                self._linked.clear()
                self._link, self._since, self._round_trip = None, None, None
                self._published.clear()
                self._heard.clear()
                if asyncio.get_running_loop().time() - begun > _LASTING:
                    self._failures = 0

    async def _come_in(self, stack: AsyncExitStack) -> Link:
        """A try that the network's change has made pointless is given up, and the next one begun."""
        loop = asyncio.get_running_loop()
        begun = loop.time()

        def hurry() -> None:
            if loop.time() - begun > _YOUNG and not patience.expired():
                patience.reschedule(loop.time())

        try:
            async with asyncio.timeout(None) as patience:
                with self._network.calling(hurry):
                    return await stack.enter_async_context(self._door.open(self.profile))
        except TimeoutError:
            raise Unreachable("the network changed") from None

    async def _carry(self, link: Link) -> str:
        """Until the connection ends, or is given up. Returns why."""
        async with RemoteForwards(link.connection, self._meter) as remote, asyncio.TaskGroup() as tasks:
            ends = {tasks.create_task(link.wait_for_end()), tasks.create_task(self._wait_for_doubt(link))}
            others = {tasks.create_task(self._publish(link, remote)), tasks.create_task(self._measure(link))}
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in ends | others:
                task.cancel()
            return done.pop().result()

    async def _publish(self, link: Link, remote: RemoteForwards) -> None:
        """Open the remote forwards. A refusal is not final: a dead connection of ours may still hold the port.

        A gateway is listened to as soon as it is asked, since it says why it refuses.
        """
        failures = 0
        self._missing = await self._open(link, remote, self.profile.remote)
        while self._missing:
            self._enter("partial", self._why_missing())
            # Who says why has looked: that will hardly be another answer in a moment.
            await asyncio.sleep(_REASONED if self._reasons() else delay(failures, random.random()))  # noqa: S311
            failures += 1
            self._missing = await self._open(None, remote, self._missing)
        self._enter("up")

    def _why_missing(self) -> str:
        places = ", ".join(spell_endpoint(forward.listen) for forward in self._missing)
        return self._reasons() or f"the server does not open {places}; perhaps it is taken, or not allowed"

    def _reasons(self) -> str:
        return "; ".join(line for line in self._heard if not address(line))

    async def _open(self, link: Link | None, remote: RemoteForwards, forwards: Sequence[Forward]) -> list[Forward]:
        """Ask for all of them at once. Returns those that are refused."""
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(self._is_opened(remote, forward)) for forward in forwards]
            if link and self._hear:
                # The requests are on their way before the session is: a gateway without either has nothing to say.
                await asyncio.sleep(0)
                await listen(link.connection, self._note)
        answers = [asking.result() for asking in asked]
        return [forward for forward, is_opened in zip(forwards, answers, strict=True) if not is_opened]

    def _note(self, line: str) -> None:
        """Each line once for each connection."""
        if self._hear and line not in self._heard:
            self._heard.append(line)
            self._hear(line)
            self._enter(self._state, self._why_missing() if self._state == "partial" else self._problem)

    async def _is_opened(self, remote: RemoteForwards, forward: Forward) -> bool:
        try:
            self._published.append(await remote.open(forward))
        except asyncssh.ChannelListenError:
            return False
        return True

    async def _measure(self, link: Link) -> None:
        while True:
            self._round_trip = await link.round_trip()
            await asyncio.sleep(_MEASURE)

    async def _wait_for_doubt(self, link: Link) -> str:
        """Return when a change of the network has killed the connection, long before its keepalives would notice.

        While there is no way to the server at all, a connection is left alone: a cable may be back in a moment.
        """
        seen = self._network.changes
        while True:
            await self._network.wait_for_change(seen)
            seen = self._network.changes
            if link.is_stranded():
                return "this machine has another address now"
            if not link.has_route():
                continue
            try:
                async with asyncio.timeout(max(_PROBE, _ROUND_TRIPS * (self._round_trip or 0))):
                    self._round_trip = await link.round_trip()
            except TimeoutError:
                return "no answer after the network changed"

    async def _pause(self, problem: PortwardError, seen: int) -> None:
        """Wait for the next try; a change of the network ends the wait, and makes the next tries quick again."""
        self._enter("waiting", problem.message)
        with suppress(TimeoutError):
            async with asyncio.timeout(delay(self._failures - 1, random.random())):  # noqa: S311 - as above
                await self._network.wait_for_change(seen)
                self._failures = min(self._failures, 1)

    async def _wait_for_link(self) -> asyncssh.SSHClientConnection:
        while not self._link:
            await self._linked.wait()
        return self._link.connection

    def _working(self) -> tuple[str, ...]:
        if not self._link:
            return ()
        return (
            *(f"local {spell_forward(forward)}" for forward in self.profile.local),
            *(f"remote {spell_forward(forward)}" for forward in self._published),
            *(f"dynamic {spell_endpoint(end)}" for end in self.profile.dynamic),
        )

    def _enter(self, state: State, problem: str = "") -> None:
        self._state, self._problem = state, problem
        self._tell(self.status())
