"""Tells when the network may be another one: links, addresses and routes that change (rtnetlink(7)), and waking up.

async with Network() as network:
    seen = network.changes
    await network.wait_for_change(seen)          # returns after the next change, within a second of a wake-up
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from types import TracebackType
from typing import Self

_LINK, _IPV4_ADDRESS, _IPV4_ROUTE, _IPV6_ADDRESS, _IPV6_ROUTE = 0x1, 0x10, 0x40, 0x100, 0x400
_GROUPS = _LINK | _IPV4_ADDRESS | _IPV4_ROUTE | _IPV6_ADDRESS | _IPV6_ROUTE
"""RTMGRP_* of linux/rtnetlink.h."""
_SETTLE = 0.1
"""One change comes as several messages; seconds until they are told as one."""
_LOOK = 1.0
_ASLEEP = 1.0
"""The clocks differ by this many seconds only when the machine was suspended in between."""
_BUFFER = 65536

Clock = Callable[[], float]


def suspended() -> float:
    """Seconds that this machine has slept since it booted (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


class Network:
    """Counts changes; one serves every tunnel of the process. `clock` tells how long the machine has slept so far."""

    def __init__(self, clock: Clock = suspended) -> None:
        self.changes = 0
        self._clock = clock
        self._changed = asyncio.Condition()
        self._hint = asyncio.Event()
        self._hearers: list[Callable[[], None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            listener = stack.enter_context(_listener())
            loop = asyncio.get_running_loop()
            loop.add_reader(listener, self._read, listener)
            stack.callback(loop.remove_reader, listener)
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            for task in (tasks.create_task(self._settle()), tasks.create_task(self._watch_clock(self._clock()))):
                stack.callback(task.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not told of the error: the group would wrap what is no fault of its tasks.
        await self._stack.aclose()

    @contextmanager
    def calling(self, hear: Callable[[], None]) -> Iterator[None]:
        """Have `hear` called at each change, as long as the block lasts."""
        self._hearers.append(hear)
        try:
            yield
        finally:
            self._hearers.remove(hear)

    async def wait_for_change(self, seen: int) -> None:
        """Return when `changes` is no longer `seen`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.changes != seen)

    def _read(self, listener: socket.socket) -> None:
        # A full buffer (ENOBUFS) means that messages were lost, which is a change as well.
        with suppress(OSError):
            while listener.recv(_BUFFER):
                pass
        self._hint.set()

    async def _settle(self) -> None:
        while True:
            await self._hint.wait()
            await asyncio.sleep(_SETTLE)
            self._hint.clear()
            async with self._changed:
                self.changes += 1
                self._changed.notify_all()
            for hear in tuple(self._hearers):
                hear()

    async def _watch_clock(self, before: float) -> None:
        """The loop's own clock stands still while the machine sleeps, so this looks soon after it wakes up."""
        while True:
            await asyncio.sleep(_LOOK)
            now = self._clock()
            if now - before > _ASLEEP:
                self._hint.set()
            before = now


def _listener() -> socket.socket:
    listener = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    listener.bind((0, _GROUPS))
    return listener
