"""Facts on their way to the keeper: one JSON object a line over its events socket.

    reports.tell(TunnelOpened(time=now, service="blog", key="laptop"))

While the keeper is away they wait, up to a number; then the oldest are counted instead of kept.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from portward.facts import EventsDropped, Fact, to_line

_KEPT = 1000
_RETRY_SECONDS = 1.0
_FAREWELL_SECONDS = 1.0

log = logging.getLogger(__name__)


class Reports:
    """Sends while it is open."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._waiting: deque[Fact] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._sender = asyncio.create_task(self._send_forever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                while self._waiting:
                    await asyncio.sleep(0.01)
        self._sender.cancel()
        with suppress(asyncio.CancelledError):
            await self._sender

    def tell(self, fact: Fact) -> None:
        """Take note of a fact; it is sent as soon as the keeper takes it."""
        if len(self._waiting) >= _KEPT:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(fact)
        self._wake.set()

    async def _send_forever(self) -> None:
        while True:
            try:
                _, writer = await asyncio.open_unix_connection(self._socket)
            except OSError:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                await self._send_to(writer)
            except OSError as error:
                log.warning("the keeper stopped taking events: %s", error)
            finally:
                writer.close()

    async def _send_to(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._wake.wait()
            if self._dropped:
                self._waiting.appendleft(EventsDropped(time=datetime.now(UTC), count=self._dropped, rules="tunnels"))
                self._dropped = 0
            while self._waiting:
                writer.write(to_line(self._waiting[0]))
                await writer.drain()
                self._waiting.popleft()
            self._wake.clear()
